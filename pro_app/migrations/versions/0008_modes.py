"""What coordinators do: consent, kinds of withdrawal, pauses, paper, missed reasons, calls."""

import sqlalchemy as sa
from alembic import op

from pro_app.migrations.append_only import make_append_only
from pro_app.models.database import Instant

revision = "0008"
down_revision = "0007"

UNDONE = "state IN ('draft', 'to_check', 'returned')"
COLUMNS = {  # in this order: a check names the column before it
    "consent_version": "VARCHAR(40)",
    "consent_on": "DATE CONSTRAINT ck_participant_consent "
    "CHECK ((consent_version IS NULL) = (consent_on IS NULL))",
    "withdrew_from": "VARCHAR(20) CONSTRAINT ck_participant_withdrew_from "
    "CHECK (withdrew_from IS NULL OR withdrew_from IN ('questionnaires', 'study'))",
    "withdrawal_reason": "VARCHAR(500)",
    "pause_reason": "VARCHAR(20) CONSTRAINT ck_participant_pause_reason "
    "CHECK (pause_reason IS NULL OR pause_reason IN ('hospital', 'travel', 'other'))",
}


def upgrade() -> None:
    for name, kind in COLUMNS.items():  # SQLite takes a column and its check only in one
        op.execute(f"ALTER TABLE participant ADD COLUMN {name} {kind}")
    op.add_column("participant", sa.Column("paused_until", Instant(), nullable=True))
    op.execute("UPDATE participant SET withdrew_from = 'study' WHERE withdrawn_at IS NOT NULL")
    _make_transcription()
    op.create_table(
        "missed_reason",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "code IN ('too_ill', 'refused', 'not_reached', 'technical', 'site', 'other')",
            name=op.f("ck_missed_reason_code"),
        ),
        _refers("missed_reason", "assessment_id", "assessment"),
        _refers("missed_reason", "staff_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_missed_reason")),
    )
    op.create_index(op.f("ix_missed_reason_assessment_id"), "missed_reason", ["assessment_id"])
    make_append_only("missed_reason")
    op.create_table(
        "call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("text", sa.String(length=2000), nullable=False),
        sa.CheckConstraint(
            "channel IN ('telephone', 'visit', 'other', 'note')", name=op.f("ck_call_channel")
        ),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('reached', 'no_answer', 'wrong_number', "
            "'message_left', 'will_answer', 'declined')",
            name=op.f("ck_call_outcome"),
        ),
        sa.CheckConstraint("(channel = 'note') = (outcome IS NULL)", name=op.f("ck_call_note")),
        sa.CheckConstraint("channel <> 'note' OR text <> ''", name=op.f("ck_call_text")),
        _refers("call", "participant_id", "participant"),
        _refers("call", "assessment_id", "assessment"),
        _refers("call", "staff_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call")),
    )
    op.create_index(op.f("ix_call_participant_id"), "call", ["participant_id"])
    make_append_only("call")


def _refers(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name)


def _make_transcription() -> None:
    op.create_table(
        "transcription",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=22), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("completed_on", sa.Date(), nullable=False),
        sa.Column("completed_time", sa.Time(), nullable=True),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("wording", sa.String(length=64), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("entered_by", sa.Integer(), nullable=False),
        sa.Column("entered_at", Instant(), nullable=False),
        sa.Column("second_values", sa.JSON(), nullable=True),
        sa.Column("settled", sa.JSON(), nullable=False),
        sa.Column("checked_by", sa.Integer(), nullable=True),
        sa.Column("checked_at", Instant(), nullable=True),
        sa.Column("remark", sa.String(length=500), nullable=True),
        sa.Column("conflict", sa.String(length=20), nullable=True),
        sa.Column("conflict_at", Instant(), nullable=True),
        sa.CheckConstraint("mode IN ('paper', 'interview')", name=op.f("ck_transcription_mode")),
        sa.CheckConstraint(
            "state IN ('draft', 'to_check', 'returned', 'accepted', 'discarded')",
            name=op.f("ck_transcription_state"),
        ),
        sa.CheckConstraint(
            "conflict IS NULL OR conflict IN ('submitted', 'newer_answers')",
            name=op.f("ck_transcription_conflict"),
        ),
        sa.CheckConstraint(
            "checked_by IS NULL OR checked_by <> entered_by",
            name=op.f("ck_transcription_four_eyes"),
        ),
        sa.CheckConstraint(
            "state <> 'accepted' OR mode <> 'paper' OR checked_at IS NOT NULL",
            name=op.f("ck_transcription_checked"),
        ),
        sa.CheckConstraint(
            "(checked_by IS NULL) = (checked_at IS NULL)", name=op.f("ck_transcription_checker")
        ),
        _refers("transcription", "assessment_id", "assessment"),
        _refers("transcription", "entered_by", "staff"),
        _refers("transcription", "checked_by", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transcription")),
        sa.UniqueConstraint("public_id", name=op.f("uq_transcription_public_id")),
    )
    op.create_index(op.f("ix_transcription_assessment_id"), "transcription", ["assessment_id"])
    op.create_index(
        "uq_transcription_undone",
        "transcription",
        ["assessment_id"],
        unique=True,
        sqlite_where=sa.text(UNDONE),
        postgresql_where=sa.text(UNDONE),
    )


def downgrade() -> None:
    for table in ("call", "missed_reason", "transcription"):
        op.drop_table(table)
    for name in ("paused_until", *reversed(COLUMNS)):
        op.execute(f"ALTER TABLE participant DROP COLUMN {name}")  # by hand, as in 0002
