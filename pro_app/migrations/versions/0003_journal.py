"""The phones' journals: what waits there, what was lost, and when Submit was pressed."""

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

from pro_app.migrations.append_only import make_append_only
from pro_app.models.database import Instant

revision = "0003"
down_revision = "0002"

DOUBT = "doubt IS NULL OR doubt IN ('clock_changed', 'before_opening', 'skew')"
COLUMNS: tuple[tuple[str, sa.Column[Any]], ...] = (
    ("answer", sa.Column("journal", sa.String(length=36), nullable=True)),
    ("answer", sa.Column("sequence", sa.Integer(), nullable=True)),
    ("answer", sa.Column("run", sa.String(length=36), nullable=True)),
    ("answer", sa.Column("monotonic_ms", sa.BigInteger(), nullable=True)),
    ("answer", sa.Column("contact_at", Instant(), nullable=True)),
    ("answer", sa.Column("contact_device_time", sa.String(length=50), nullable=True)),
    (
        "answer",
        sa.Column("read_aloud", sa.Boolean(), server_default=sa.false(), nullable=False),
    ),
    ("submission", sa.Column("submit_tapped_at", Instant(), nullable=True)),
    ("device", sa.Column("journal", sa.String(length=36), nullable=True)),
    ("device", sa.Column("unsent", sa.Integer(), server_default="0", nullable=False)),
    ("device", sa.Column("unsent_at", Instant(), nullable=True)),
    ("device", sa.Column("persisted", sa.Boolean(), nullable=True)),
)


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, column)
    _add_doubt()
    _name_participants()
    op.create_table(
        "loss",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("journal", sa.String(length=36), nullable=True),
        sa.Column("found_by", sa.String(length=36), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("arrived", sa.Integer(), nullable=False),
        sa.Column("noticed_at", Instant(), nullable=False),
        sa.Column("told_at", Instant(), nullable=True),
        sa.CheckConstraint("count >= 0 AND arrived >= 0", name=op.f("ck_loss_count")),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_loss_device_id_device")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loss")),
        sa.UniqueConstraint("device_id", "found_by", name=op.f("uq_loss_device_id_found_by")),
    )
    op.create_table(
        "submit_operation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(length=36), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("journal", sa.String(length=36), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("device_time", sa.String(length=50), nullable=True),
        sa.Column("skew_ms", sa.BigInteger(), nullable=True),
        sa.Column("doubt", sa.String(length=20), nullable=True),
        sa.Column("tapped_at", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('submitted', 'earlier', 'incomplete', 'closed')",
            name=op.f("ck_submit_operation_outcome"),
        ),
        sa.CheckConstraint(DOUBT, name=op.f("ck_submit_operation_doubt")),
        sa.ForeignKeyConstraint(
            ["assessment_id"],
            ["assessment.id"],
            name=op.f("fk_submit_operation_assessment_id_assessment"),
        ),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_submit_operation_device_id_device")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submit_operation")),
        sa.UniqueConstraint("operation", name=op.f("uq_submit_operation_operation")),
    )
    op.create_index(
        op.f("ix_submit_operation_assessment_id"), "submit_operation", ["assessment_id"]
    )
    make_append_only("submit_operation")


def _add_doubt() -> None:
    """A column with its check: SQLite takes both only in one, and may not copy the record."""
    check = f"CONSTRAINT ck_answer_doubt CHECK ({DOUBT})"
    op.execute(f"ALTER TABLE answer ADD COLUMN doubt VARCHAR(20) {check}")
    op.create_index(
        "ix_answer_doubt",
        "answer",
        ["assessment_id"],
        sqlite_where=sa.text("doubt IS NOT NULL"),
        postgresql_where=sa.text("doubt IS NOT NULL"),
    )


def _name_participants() -> None:
    """An opaque name for everybody; SQLite cannot make a column NOT NULL afterwards."""
    name = sa.Column("public_id", sa.String(length=22), server_default="", nullable=False)
    op.add_column("participant", name)
    participant = sa.table("participant", sa.column("id", sa.Integer), sa.column("public_id"))
    ids = op.get_bind().scalars(sa.select(participant.c.id)).all()
    if ids:
        op.get_bind().execute(
            sa.update(participant)
            .where(participant.c.id == sa.bindparam("one"))
            .values(public_id=sa.bindparam("name")),
            [{"one": one, "name": secrets.token_urlsafe(16)} for one in ids],
        )
    op.create_index(op.f("ix_participant_public_id"), "participant", ["public_id"], unique=True)
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("participant", "public_id", server_default=None)


def downgrade() -> None:
    op.drop_table("submit_operation")
    op.drop_table("loss")
    op.drop_index("ix_participant_public_id", "participant")
    op.drop_index("ix_answer_doubt", "answer")
    for table, column in (*((one, kept.name) for one, kept in COLUMNS), ("answer", "doubt"),
                          ("participant", "public_id")):  # fmt: skip
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")  # by hand, as in 0002
