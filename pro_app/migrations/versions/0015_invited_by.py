"""Who made an invitation to open an account: it is good while that person administers it."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(  # by hand: SQLite would build the table anew
        "ALTER TABLE staff_invitation ADD COLUMN invited_by INTEGER "
        "CONSTRAINT fk_staff_invitation_invited_by_staff REFERENCES staff (id)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE staff_invitation DROP COLUMN invited_by")
