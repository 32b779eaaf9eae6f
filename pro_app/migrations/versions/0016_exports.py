"""Exports that the staff asked for."""

import sqlalchemy as sa
from alembic import op

from pro_app.models.database import Instant

revision = "0016"
down_revision = "0015"

INDEXES = {  # by name: column, and which rows
    "ix_export_job_undone": ("requested_at", "finished_at IS NULL"),
    "ix_export_job_kept": ("expires_at", "state = 'done'"),
}
CHECKS = {
    "state": "state IN ('waiting', 'running', 'done', 'failed', 'expired')",
    "file": "(state IN ('done', 'expired')) = (sha256 IS NOT NULL) "
    "AND (sha256 IS NULL) = (size IS NULL) "
    "AND (sha256 IS NULL) = (file_name IS NULL) "
    "AND (sha256 IS NULL) = (expires_at IS NULL)",
    "error": "(state = 'failed') = (error IS NOT NULL)",
    "finished": "(state IN ('waiting', 'running')) = (finished_at IS NULL)",
    "lease": "(state = 'running') = (lease IS NOT NULL)",
    "lease_until": "(lease IS NULL) = (lease_until IS NULL)",
    "counts": "rows_done >= 0 AND attempts >= 0 AND percent BETWEEN 0 AND 100",
}


def upgrade() -> None:
    op.create_table(
        "export_job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=22), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=10), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("requested_at", Instant(), nullable=False),
        sa.Column("as_of", Instant(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("rows_done", sa.BigInteger(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(length=22), nullable=True),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("file_name", sa.String(length=200), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("fetched_at", Instant(), nullable=True),
        sa.Column("error", sa.String(length=40), nullable=True),
        *(
            sa.CheckConstraint(rule, name=op.f(f"ck_export_job_{name}"))
            for name, rule in CHECKS.items()
        ),
        *(
            sa.ForeignKeyConstraint(
                [f"{other}_id"], [f"{other}.id"], name=op.f(f"fk_export_job_{other}_id_{other}")
            )
            for other in ("study", "staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export_job")),
        sa.UniqueConstraint("public_id", name=op.f("uq_export_job_public_id")),
    )
    op.create_index("ix_export_job_staff_id_study_id", "export_job", ["staff_id", "study_id"])
    for name, (column, which) in INDEXES.items():
        rows = sa.text(which)
        op.create_index(name, "export_job", [column], sqlite_where=rows, postgresql_where=rows)


def downgrade() -> None:
    op.drop_table("export_job")
