"""Alerts on answers, and the letters that tell the staff of them."""

import sqlalchemy as sa
from alembic import op

from pro_app.models.database import Instant

revision = "0012"
down_revision = "0011"

WAITING = "acknowledged_at IS NULL"
PLANNED = "state = 'planned'"


def upgrade() -> None:
    op.create_table(
        "answer_alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=22), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("raised_at", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("for_coordinators", sa.Boolean(), nullable=False),
        sa.Column("escalate_to", sa.String(length=20), nullable=False),
        sa.Column("escalated_at", Instant(), nullable=True),
        sa.Column("lifted_at", Instant(), nullable=True),
        sa.Column("acknowledged_at", Instant(), nullable=True),
        sa.Column("acknowledged_by", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(length=2000), nullable=True),
        sa.CheckConstraint(
            "escalate_to IN ('coordinator', 'investigator')",
            name=op.f("ck_answer_alert_escalate_to"),
        ),
        sa.CheckConstraint("raised_at < due_at", name=op.f("ck_answer_alert_due")),
        sa.CheckConstraint(
            "(acknowledged_at IS NULL) = (acknowledged_by IS NULL) "
            "AND (acknowledged_at IS NULL) = (note IS NULL)",
            name=op.f("ck_answer_alert_acknowledged"),
        ),
        _refers("answer_alert", "submission_id", "submission"),
        _refers("answer_alert", "acknowledged_by", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_alert")),
        sa.UniqueConstraint("public_id", name=op.f("uq_answer_alert_public_id")),
        sa.UniqueConstraint(
            "submission_id", "rule", name=op.f("uq_answer_alert_submission_id_rule")
        ),
    )
    _index_where("ix_answer_alert_waiting", "answer_alert", WAITING)
    op.create_table(
        "alert_letter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=22), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("planned_for", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(length=22), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.CheckConstraint("step IN ('raised', 'escalated')", name=op.f("ck_alert_letter_step")),
        sa.CheckConstraint(
            "state IN ('planned', 'sent', 'failed', 'cancelled')",
            name=op.f("ck_alert_letter_state"),
        ),
        _refers("alert_letter", "alert_id", "answer_alert"),
        _refers("alert_letter", "staff_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_letter")),
        sa.UniqueConstraint("public_id", name=op.f("uq_alert_letter_public_id")),
        sa.UniqueConstraint(
            "alert_id",
            "staff_id",
            "step",
            "planned_for",
            name=op.f("uq_alert_letter_alert_id_staff_id_step_planned_for"),
        ),
    )
    _index_where("ix_alert_letter_due", "alert_letter", PLANNED)


def _refers(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name)


def _index_where(name: str, table: str, where: str) -> None:
    op.create_index(
        name, table, ["due_at"], sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )


def downgrade() -> None:
    for table in ("alert_letter", "answer_alert"):
        op.drop_table(table)
