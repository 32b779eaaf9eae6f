"""Passkeys, recovery codes, and phones that are not the person's own."""

import sqlalchemy as sa
from alembic import op

from pro_app.models.database import Instant

revision = "0004"
down_revision = "0003"

# a column with its check or reference: SQLite takes both only in one
COLUMNS = (
    ("device", "shared", "BOOLEAN DEFAULT FALSE NOT NULL"),
    (
        "device",
        "joined_by",
        "VARCHAR(20) DEFAULT 'code' NOT NULL CONSTRAINT ck_device_joined_by "
        "CHECK (joined_by IN ('code', 'recovery', 'passkey'))",
    ),
    (
        "joining_code",
        "kind",
        "VARCHAR(20) DEFAULT 'joining' NOT NULL CONSTRAINT ck_joining_code_kind "
        "CHECK (kind IN ('joining', 'recovery'))",
    ),
    (
        "joining_code",
        "device_id",
        "INTEGER CONSTRAINT fk_joining_code_device_id_device REFERENCES device (id)",
    ),
    (
        "joining_code",
        "maker_id",
        "INTEGER CONSTRAINT fk_joining_code_maker_id_device REFERENCES device (id)",
    ),
)


def upgrade() -> None:
    for table, column, kind in COLUMNS:
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    op.create_table(
        "passkey",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("used_device_id", sa.Integer(), nullable=False),
        sa.Column("credential_id", sa.String(length=1400), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("transports", sa.JSON(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_passkey_participant_id_participant"),
        ),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_passkey_device_id_device")
        ),
        sa.ForeignKeyConstraint(
            ["used_device_id"], ["device.id"], name=op.f("fk_passkey_used_device_id_device")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkey_credential_id")),
    )
    op.create_index(op.f("ix_passkey_participant_id"), "passkey", ["participant_id"])


def downgrade() -> None:
    op.drop_table("passkey")
    for table, column, _kind in reversed(COLUMNS):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
