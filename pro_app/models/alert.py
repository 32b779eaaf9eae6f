"""Alerts on answers, and the letters that tell the staff that something waits for them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pro_app.core.alerts import RECIPIENTS
from pro_app.models.assessment import Submission, one_of
from pro_app.models.database import Base
from pro_app.models.staff import Staff

LETTER_STEPS = ("raised", "escalated")
LETTER_STATES = ("planned", "sent", "failed", "cancelled")


class AnswerAlert(Base):
    """A rule of the protocol that a submission raised: once, whatever is corrected later.

    `rule` is its code in the study's version of the submission. Somebody is to acknowledge the
    alert until `due_at`; else it goes to `escalate_to`, once. `for_coordinators` says whether
    coordinators have been told of it. `lifted_at` is since when the corrected answers raise the
    rule no more; the alert stays. What happened is on the participant's stream of the trail.
    """

    __tablename__ = "answer_alert"
    __table_args__ = (
        sa.UniqueConstraint("submission_id", "rule"),
        sa.CheckConstraint(one_of("escalate_to", RECIPIENTS), name="escalate_to"),
        sa.CheckConstraint("raised_at < due_at", name="due"),
        sa.CheckConstraint(
            "(acknowledged_at IS NULL) = (acknowledged_by IS NULL) "
            "AND (acknowledged_at IS NULL) = (note IS NULL)",
            name="acknowledged",
        ),
        # read by services.answer_alerts: what waits, for the board and for the worker
        sa.Index(
            "ix_answer_alert_waiting",
            "due_at",
            sqlite_where=sa.text("acknowledged_at IS NULL"),
            postgresql_where=sa.text("acknowledged_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    submission_id: Mapped[int] = mapped_column(sa.ForeignKey("submission.id"))
    rule: Mapped[str] = mapped_column(sa.String(40))
    raised_at: Mapped[datetime]
    due_at: Mapped[datetime]
    for_coordinators: Mapped[bool]
    escalate_to: Mapped[str] = mapped_column(sa.String(20))
    escalated_at: Mapped[datetime | None]
    lifted_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))
    note: Mapped[str | None] = mapped_column(sa.String(2000))  # what was done

    submission: Mapped[Submission] = relationship()
    acknowledger: Mapped[Staff | None] = relationship()


class AlertLetter(Base):
    """One person of staff who is to be told by e-mail that something waits: a queue like
    `reminder`, whose row is there before the letter goes.

    `planned` waits for `due_at` (or, under a lease, is being sent), `sent` was accepted by the
    mail server, `failed` has an address that the server knows nothing of; `cancelled` had become
    needless, for the alert was acknowledged or the person has no such role any more.
    """

    __tablename__ = "alert_letter"
    __table_args__ = (
        sa.UniqueConstraint("alert_id", "staff_id", "step", "planned_for"),
        sa.CheckConstraint(one_of("step", LETTER_STEPS), name="step"),
        sa.CheckConstraint(one_of("state", LETTER_STATES), name="state"),
        # read by services.alert_letters: what is due now
        sa.Index(
            "ix_alert_letter_due",
            "due_at",
            sqlite_where=sa.text("state = 'planned'"),
            postgresql_where=sa.text("state = 'planned'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    alert_id: Mapped[int] = mapped_column(sa.ForeignKey("answer_alert.id"))
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"))
    step: Mapped[str] = mapped_column(sa.String(20))
    state: Mapped[str] = mapped_column(sa.String(20))
    planned_for: Mapped[datetime]  # when there was something to tell; due_at moves, this does not
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease: Mapped[str | None] = mapped_column(sa.String(22))
    lease_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]

    alert: Mapped[AnswerAlert] = relationship()
    staff: Mapped[Staff] = relationship()
