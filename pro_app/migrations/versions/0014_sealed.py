"""The board of a large study: what is sealed stands beside the window, and partial indexes of what
waits to be done."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

UNUSED = "used_at IS NULL AND replaced_at IS NULL AND maker_id IS NULL"
INDEXES = {  # by name: table, columns, and which rows
    "ix_assessment_undone": (
        "assessment", ["opens_at", "closes_at"], "sealed_late IS NULL AND cancelled_at IS NULL",
    ),
    "ix_reminder_listed": ("reminder", ["assessment_id"], "state = 'listed'"),
    "ix_joining_code_unused": ("joining_code", ["created_at"], UNUSED),
    "ix_code_request_open": ("code_request", ["requested_at"], "handled_at IS NULL"),
}  # fmt: skip


def upgrade() -> None:
    op.add_column("assessment", sa.Column("sealed_late", sa.Boolean(), nullable=True))
    op.execute(
        "UPDATE assessment SET sealed_late = (SELECT late FROM submission "
        "WHERE submission.assessment_id = assessment.id) "
        "WHERE id IN (SELECT assessment_id FROM submission)"
    )
    op.drop_index("ix_assessment_window", table_name="assessment")
    for name, (table, columns, which) in INDEXES.items():
        rows = sa.text(which)
        op.create_index(name, table, columns, sqlite_where=rows, postgresql_where=rows)


def downgrade() -> None:
    for name, (table, *_) in INDEXES.items():
        op.drop_index(name, table_name=table)
    op.create_index("ix_assessment_window", "assessment", ["closes_at", "opens_at"])
    op.execute("ALTER TABLE assessment DROP COLUMN sealed_late")  # by hand, as in 0002
