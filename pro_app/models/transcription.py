"""Questionnaires that were not answered on a phone: on paper, or asked in an interview."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pro_app.models.assessment import Assessment, one_of
from pro_app.models.database import Base

TRANSCRIBED_MODES = ("paper", "interview")
TRANSCRIPTION_STATES = ("draft", "to_check", "returned", "accepted", "discarded")
CONFLICTS = ("submitted", "newer_answers")
UNDONE = "state IN ('draft', 'to_check', 'returned')"


class Transcription(Base):
    """A paper questionnaire that one person enters and a second one enters again to check it, or
    an interview, which one person enters alone.

    `values` are the first person's, item -> code, `skipped` or `not_applicable`; `second_values`
    those of the second, who did not see them; `settled` where they differ, item -> {first,
    second, settled}.
    `completed_on` and `completed_time` are as on paper, by the clocks of the study. `conflict`
    says why it could not be accepted: the phone has submitted, or has newer answers.
    """

    __tablename__ = "transcription"
    __table_args__ = (
        sa.CheckConstraint(one_of("mode", TRANSCRIBED_MODES), name="mode"),
        sa.CheckConstraint(one_of("state", TRANSCRIPTION_STATES), name="state"),
        sa.CheckConstraint(f"conflict IS NULL OR {one_of('conflict', CONFLICTS)}", name="conflict"),
        sa.CheckConstraint("checked_by IS NULL OR checked_by <> entered_by", name="four_eyes"),
        sa.CheckConstraint(
            "state <> 'accepted' OR mode <> 'paper' OR checked_at IS NOT NULL", name="checked"
        ),
        sa.CheckConstraint("(checked_by IS NULL) = (checked_at IS NULL)", name="checker"),
        # one at a time; read by services.transcription: what waits of an assessment
        sa.Index(
            "uq_transcription_undone",
            "assessment_id",
            unique=True,
            sqlite_where=sa.text(UNDONE),
            postgresql_where=sa.text(UNDONE),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    assessment_id: Mapped[int] = mapped_column(sa.ForeignKey("assessment.id"), index=True)
    mode: Mapped[str] = mapped_column(sa.String(20))
    state: Mapped[str] = mapped_column(sa.String(20))
    completed_on: Mapped[date]
    completed_time: Mapped[time | None]
    reference: Mapped[str] = mapped_column(sa.String(120))  # where the scan is kept
    language: Mapped[str] = mapped_column(sa.String(10))
    wording: Mapped[str] = mapped_column(sa.String(64))
    values: Mapped[dict[str, Any]]
    entered_by: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"))
    entered_at: Mapped[datetime]
    second_values: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    settled: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    checked_by: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))
    checked_at: Mapped[datetime | None]
    remark: Mapped[str | None] = mapped_column(sa.String(500))  # why returned or discarded
    conflict: Mapped[str | None] = mapped_column(sa.String(20))
    conflict_at: Mapped[datetime | None]

    assessment: Mapped[Assessment] = relationship()
