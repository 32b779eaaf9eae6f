"""Exports that the staff asked for: made by the worker, fetched by who asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pro_app.models.assessment import one_of
from pro_app.models.database import Base

EXPORT_STATES = ("waiting", "running", "done", "failed", "expired")


class ExportJob(Base):
    """An export that one person asked for, in this person's name and for nobody else.

    A queue like `reminder`: the row is there before the file is made. `waiting` waits for a
    worker; `running` has one, under a lease that ends by itself; `done` has a file until
    `expires_at`; `failed` says why in `error`; `expired` had a file. `filters` are the codes of
    the `sites`, `instruments` and `timepoints` wanted (a missing one: all) and `days_from`, the
    anchor that moments are counted from. What is exported is the state at `as_of`, as far as it
    depends on the clock. `percent` is how much is done, about; None where that cannot be told.
    `fetched_at` is when the file was last downloaded from its beginning.
    """

    __tablename__ = "export_job"
    __table_args__ = (
        sa.CheckConstraint(one_of("state", EXPORT_STATES), name="state"),
        sa.CheckConstraint(
            "(state IN ('done', 'expired')) = (sha256 IS NOT NULL) "
            "AND (sha256 IS NULL) = (size IS NULL) "
            "AND (sha256 IS NULL) = (file_name IS NULL) "
            "AND (sha256 IS NULL) = (expires_at IS NULL)",
            name="file",
        ),
        sa.CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name="error"),
        sa.CheckConstraint(
            "(state IN ('waiting', 'running')) = (finished_at IS NULL)", name="finished"
        ),
        sa.CheckConstraint("(state = 'running') = (lease IS NOT NULL)", name="lease"),
        sa.CheckConstraint("(lease IS NULL) = (lease_until IS NULL)", name="lease_until"),
        sa.CheckConstraint(
            "rows_done >= 0 AND attempts >= 0 AND percent BETWEEN 0 AND 100", name="counts"
        ),
        # read by services.exports: what waits for a worker, or for one that died
        sa.Index(
            "ix_export_job_undone",
            "requested_at",
            sqlite_where=sa.text("finished_at IS NULL"),
            postgresql_where=sa.text("finished_at IS NULL"),
        ),
        # read by services.exports: whose time is over
        sa.Index(
            "ix_export_job_kept",
            "expires_at",
            sqlite_where=sa.text("state = 'done'"),
            postgresql_where=sa.text("state = 'done'"),
        ),
        # read by services.exports: a person's own
        sa.Index("ix_export_job_staff_id_study_id", "staff_id", "study_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"))
    what: Mapped[str] = mapped_column(sa.String(20))
    format: Mapped[str] = mapped_column(sa.String(20))
    language: Mapped[str] = mapped_column(sa.String(10))  # of the labels
    filters: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(sa.String(500))
    requested_at: Mapped[datetime]
    as_of: Mapped[datetime]
    state: Mapped[str] = mapped_column(sa.String(20))
    rows_done: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    percent: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0)
    lease: Mapped[str | None] = mapped_column(sa.String(22))
    lease_until: Mapped[datetime | None]
    file_name: Mapped[str | None] = mapped_column(sa.String(200))
    size: Mapped[int | None] = mapped_column(sa.BigInteger)  # bytes
    sha256: Mapped[str | None] = mapped_column(sa.String(64))
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    fetched_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(sa.String(40))
