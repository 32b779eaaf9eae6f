"""Passkeys of the staff, and waits for addresses that open no account."""

import sqlalchemy as sa
from alembic import op

from pro_app.models.database import Instant

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("staff", sa.Column("failed_at", Instant(), nullable=True))
    op.create_table(
        "staff_passkey",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("credential_id", sa.String(length=1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("transports", sa.JSON(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_passkey_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_passkey")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_staff_passkey_credential_id")),
    )
    op.create_index(op.f("ix_staff_passkey_staff_id"), "staff_passkey", ["staff_id"])
    op.create_table(
        "staff_stranger",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(length=22), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("wait_until", Instant(), nullable=True),
        sa.Column("failed_at", Instant(), nullable=True),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_staff_stranger_failures")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_stranger")),
        sa.UniqueConstraint("mark", name=op.f("uq_staff_stranger_mark")),
    )
    op.create_index(op.f("ix_staff_stranger_failed_at"), "staff_stranger", ["failed_at"])


def downgrade() -> None:
    op.drop_table("staff_stranger")
    op.drop_table("staff_passkey")
    op.execute("ALTER TABLE staff DROP COLUMN failed_at")
