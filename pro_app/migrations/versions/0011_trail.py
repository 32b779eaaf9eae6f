"""An index of the trail without the participants' own entries: what a study's record shows."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

WATCHED = "stream >= 'staff/' OR substr(action, 1, 5) = 'read_'"


def upgrade() -> None:
    op.create_index(
        "ix_audit_entry_watched",
        "audit_entry",
        ["id"],
        sqlite_where=sa.text(WATCHED),
        postgresql_where=sa.text(WATCHED),
    )


def downgrade() -> None:
    op.drop_index("ix_audit_entry_watched", table_name="audit_entry")
