"""Corrections of submitted answers, the scores after them, and sign-offs."""

import sqlalchemy as sa
from alembic import op

from pro_app.migrations.append_only import make_append_only
from pro_app.models.database import Instant

revision = "0007"
down_revision = "0006"

TABLES = ("correction", "correction_decision", "corrected_score", "sign_off")


def upgrade() -> None:
    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=22), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("field", sa.String(length=20), nullable=False),
        sa.Column("old", sa.String(length=60), nullable=False),
        sa.Column("new", sa.String(length=60), nullable=False),
        sa.Column("originator", sa.String(length=20), nullable=False),
        sa.Column("requester_id", sa.Integer(), nullable=False),
        sa.Column("reason_code", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("confirmation", sa.Text(), nullable=True),
        sa.Column("confirmed_on", sa.Date(), nullable=True),
        sa.Column("requested_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('answer', 'wrong_timepoint', 'wrong_participant')",
            name=op.f("ck_correction_kind"),
        ),
        sa.CheckConstraint(
            "originator IN ('participant', 'site')", name=op.f("ck_correction_originator")
        ),
        sa.CheckConstraint(
            "reason_code IN ('mistaken_tap', 'misunderstood', 'transcription', 'technical', "
            "'mix_up', 'other')",
            name=op.f("ck_correction_reason_code"),
        ),
        sa.CheckConstraint("old <> new", name=op.f("ck_correction_new")),
        sa.CheckConstraint(
            "(kind = 'answer') = (confirmation IS NOT NULL AND confirmed_on IS NOT NULL)",
            name=op.f("ck_correction_confirmation"),
        ),
        _key("correction", "submission_id", "submission"),
        _key("correction", "requester_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
        sa.UniqueConstraint("public_id", name=op.f("uq_correction_public_id")),
    )
    op.create_index(op.f("ix_correction_submission_id"), "correction", ["submission_id"])
    op.create_table(
        "correction_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("correction_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("meaning", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('approved', 'rejected', 'retracted')",
            name=op.f("ck_correction_decision_outcome"),
        ),
        sa.CheckConstraint(
            "(outcome = 'retracted') = (signature IS NULL) "
            "AND (signature IS NULL) = (meaning IS NULL)",
            name=op.f("ck_correction_decision_signature"),
        ),
        _key("correction_decision", "correction_id", "correction"),
        _key("correction_decision", "staff_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction_decision")),
        sa.UniqueConstraint("correction_id", name=op.f("uq_correction_decision_correction_id")),
    )
    op.create_table(
        "corrected_score",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("correction_id", sa.Integer(), nullable=False),
        sa.Column("scoring", sa.String(length=40), nullable=False),
        sa.Column("algorithm", sa.String(length=80), nullable=False),
        sa.Column("scale", sa.String(length=8), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("norm_based", sa.Double(), nullable=True),
        sa.Column("answered", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("receipt", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "(value IS NULL) = (reason IS NOT NULL)", name=op.f("ck_corrected_score_reason")
        ),
        _key("corrected_score", "correction_id", "correction"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrected_score")),
        sa.UniqueConstraint(
            "correction_id",
            "algorithm",
            "scale",
            name=op.f("uq_corrected_score_correction_id_algorithm_scale"),
        ),
    )
    op.create_table(
        "sign_off",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=22), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("milestone", sa.String(length=60), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("meaning", sa.Text(), nullable=False),
        sa.Column("signed_at", Instant(), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        _key("sign_off", "participant_id", "participant"),
        _key("sign_off", "staff_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_off")),
        sa.UniqueConstraint("public_id", name=op.f("uq_sign_off_public_id")),
    )
    op.create_index(op.f("ix_sign_off_participant_id"), "sign_off", ["participant_id"])
    for table in TABLES:
        make_append_only(table)


def _key(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    """The foreign key of a column to another table."""
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}_{other}")
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
