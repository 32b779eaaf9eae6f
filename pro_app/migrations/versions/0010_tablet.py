"""The site's tablet: who had it, from when until when, and how it ended."""

import sqlalchemy as sa
from alembic import op

from pro_app.models.database import Instant

revision = "0010"
down_revision = "0009"

LIVING = "ended_at IS NULL"


def upgrade() -> None:
    op.create_table(
        "tablet_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("confirmed_at", Instant(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=20), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("ended_how", sa.String(length=20), nullable=True),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_tablet_session_failures")),
        sa.CheckConstraint(
            "confirmed_by IS NULL OR confirmed_by IN ('pin', 'number')",
            name=op.f("ck_tablet_session_confirmed_by"),
        ),
        sa.CheckConstraint(
            "(confirmed_at IS NULL) = (confirmed_by IS NULL)",
            name=op.f("ck_tablet_session_confirmed"),
        ),
        sa.CheckConstraint(
            "ended_how IS NULL OR ended_how IN ('submitted', 'stopped', 'idle', 'refused', "
            "'staff', 'replaced')",
            name=op.f("ck_tablet_session_ended_how"),
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_how IS NULL)", name=op.f("ck_tablet_session_ended")
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_tablet_session_participant_id_participant"),
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_tablet_session_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tablet_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tablet_session_token_hash")),
    )
    op.create_index(op.f("ix_tablet_session_participant_id"), "tablet_session", ["participant_id"])
    op.create_index(
        "ix_tablet_session_living",
        "tablet_session",
        ["seen_at"],
        sqlite_where=sa.text(LIVING),
        postgresql_where=sa.text(LIVING),
    )


def downgrade() -> None:
    op.drop_table("tablet_session")
