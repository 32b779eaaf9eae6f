"""Indexes of the board: which windows are open now, and what was submitted, without its answers."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_index("ix_assessment_window", "assessment", ["closes_at", "opens_at"])
    op.create_index("ix_submission_status", "submission", ["assessment_id", "late", "id"])


def downgrade() -> None:
    op.drop_index("ix_submission_status", table_name="submission")
    op.drop_index("ix_assessment_window", table_name="assessment")
