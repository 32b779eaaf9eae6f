"""Checkpoints of the audit trail."""

import sqlalchemy as sa
from alembic import op

from pro_app.migrations.append_only import make_append_only
from pro_app.models.database import Instant

revision = "0006"
down_revision = "0005"

TABLES = ("audit_checkpoint", "audit_head")


def upgrade() -> None:
    op.create_table(
        "audit_checkpoint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("streams", sa.Integer(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("algorithm", sa.String(length=20), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_checkpoint")),
        sa.UniqueConstraint("number", name=op.f("uq_audit_checkpoint_number")),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("checkpoint", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["checkpoint"],
            ["audit_checkpoint.number"],
            name=op.f("fk_audit_head_checkpoint_audit_checkpoint"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
        sa.UniqueConstraint("stream", "checkpoint", name=op.f("uq_audit_head_stream_checkpoint")),
    )
    for table in TABLES:
        make_append_only(table)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
