"""Wordings that sites load, the licences under which they are read, recordings of them, and
confirmations of translations."""

import sqlalchemy as sa
from alembic import op

from pro_app.migrations.append_only import make_append_only
from pro_app.models.database import Instant

revision = "0019"
down_revision = "0018"

TABLES = ("wording", "licence", "recording", "confirmation")


def upgrade() -> None:
    op.create_table(
        "wording",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(40), nullable=False),
        sa.Column("language", sa.String(10), nullable=False),
        sa.Column("version", sa.String(40), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("instrument_fingerprint", sa.String(64), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("file_hash", sa.String(64), nullable=False),
        sa.Column("stored_at", Instant(), nullable=False),
        sa.Column("stored_by", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wording")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_wording_fingerprint")),
        sa.UniqueConstraint(
            "instrument", "language", "version",
            name=op.f("uq_wording_instrument_language_version"),
        ),
    )  # fmt: skip
    op.create_table(
        "licence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("wording_id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=True),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("holder", sa.String(200), nullable=False),
        sa.Column("number", sa.String(80), nullable=False),
        sa.Column("modes", sa.JSON(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("stored_at", Instant(), nullable=False),
        sa.Column("stored_by", sa.String(60), nullable=False),
        sa.CheckConstraint("until >= from_on", name=op.f("ck_licence_days")),
        sa.CheckConstraint("site_id IS NULL OR study_id IS NOT NULL", name=op.f("ck_licence_site")),
        *(
            sa.ForeignKeyConstraint(
                [f"{one}_id"], [f"{one}.id"], name=op.f(f"fk_licence_{one}_id_{one}")
            )
            for one in ("wording", "study", "site")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_licence")),
    )
    for one in ("wording_id", "study_id", "site_id"):
        op.create_index(op.f(f"ix_licence_{one}"), "licence", [one])
    op.create_table(
        "recording",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("wording_id", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(8), nullable=False),
        sa.Column("media_type", sa.String(40), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("stored_at", Instant(), nullable=False),
        sa.Column("stored_by", sa.String(60), nullable=False),
        sa.ForeignKeyConstraint(
            ["wording_id"], ["wording.id"], name=op.f("fk_recording_wording_id_wording")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
        sa.UniqueConstraint("wording_id", "item", name=op.f("uq_recording_wording_id_item")),
    )
    op.create_index(op.f("ix_recording_sha256"), "recording", ["sha256"])
    op.create_table(
        "confirmation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("wording_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(60), nullable=False),
        sa.Column("confirmed_at", Instant(), nullable=False),
        sa.Column("confirmed_by", sa.String(60), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [one], ["wording.id"], name=op.f(f"fk_confirmation_{one}_wording")
            )
            for one in ("source_id", "wording_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmation")),
        sa.UniqueConstraint(
            "source_id", "wording_id", "place",
            name=op.f("uq_confirmation_source_id_wording_id_place"),
        ),
    )  # fmt: skip
    op.create_index(op.f("ix_confirmation_wording_id"), "confirmation", ["wording_id"])
    for table in TABLES:
        make_append_only(table)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
