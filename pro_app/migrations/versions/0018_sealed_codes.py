"""Answers of submissions once more, a byte an item, for reading a whole study; and an index of
answers that were kept and do not count."""

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op

from pro_app.models.database import Instant

revision = "0018"
down_revision = "0017"

NOT_COUNTED = "standing IN ('after_closing', 'after_submission')"
STATES = {"skipped": 253, "not_applicable": 254}
AT_ONCE = 1_000
SUBMISSION = sa.table(
    "submission",
    sa.column("id", sa.Integer),
    sa.column("answers", sa.JSON),
    sa.column("completed_at", Instant),
    sa.column("mode", sa.String),
)


def upgrade() -> None:
    made = op.create_table(
        "sealed_codes",
        sa.Column("submission_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("layout", sa.String(12), nullable=False),
        sa.Column("codes", sa.LargeBinary(), nullable=False),
        sa.Column("languages", sa.String(80), nullable=False),
        sa.Column("wordings", sa.Text(), nullable=False),
        sa.Column("completed_at", Instant(), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("submission_id", name="pk_sealed_codes"),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name="fk_sealed_codes_submission_id_submission"
        ),
    )
    rows = sa.text(NOT_COUNTED)
    op.create_index(
        "ix_answer_not_counted", "answer", ["assessment_id"], sqlite_where=rows,
        postgresql_where=rows,
    )  # fmt: skip
    _fill(made)


def _fill(table: sa.Table) -> None:
    connection, last = op.get_bind(), 0
    page = sa.select(SUBMISSION).order_by(SUBMISSION.c.id).limit(AT_ONCE)
    while found := connection.execute(page.where(SUBMISSION.c.id > last)).all():
        op.bulk_insert(table, [_packed(row) for row in found])
        last = found[-1].id


def _packed(row: Any) -> dict[str, Any]:
    values = row.answers.values()
    return {
        "submission_id": row.id,
        "layout": hashlib.sha256(" ".join(row.answers).encode()).hexdigest()[:12],
        "codes": bytes(
            one["code"] if one["state"] == "answered" else STATES[one["state"]] for one in values
        ),
        "languages": " ".join(dict.fromkeys(one["language"] for one in values)),
        "wordings": " ".join(dict.fromkeys(one["wording"] for one in values)),
        "completed_at": row.completed_at,
        "mode": row.mode,
    }


def downgrade() -> None:
    op.drop_index("ix_answer_not_counted", table_name="answer")
    op.drop_table("sealed_codes")
