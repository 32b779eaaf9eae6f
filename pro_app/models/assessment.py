"""Assessments and what comes of them: answers, submissions and scores.

Answers are an append-only record of operations; which one is current follows from their times.
Status is never stored: `pro_app.core.assessment` derives it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pro_app.models.database import Base
from pro_app.models.participant import Participant

MODES = ("own_phone", "site_tablet", "paper", "interview")
DOUBTS = ("clock_changed", "before_opening", "skew")
OUTCOMES = ("submitted", "earlier", "incomplete", "closed")
NOT_COUNTED = "standing IN ('after_closing', 'after_submission')"
MISSED_CODES = ("too_ill", "refused", "not_reached", "technical", "site", "other")


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The check that a column holds one of these values."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Assessment(Base):
    """One participant, one timepoint, one instrument: it opens, is answered, and closes."""

    __tablename__ = "assessment"
    __table_args__ = (
        sa.UniqueConstraint("participant_id", "timepoint", "instrument", "occurrence"),
        sa.CheckConstraint("opens_at < closes_at", name="window"),
        sa.CheckConstraint("due_at BETWEEN opens_at AND closes_at", name="due"),
        sa.CheckConstraint("occurrence >= 1", name="occurrence"),
        # read by services.reminders: what opens soon and has no reminders planned yet
        sa.Index(
            "ix_assessment_unplanned",
            "opens_at",
            sqlite_where=sa.text("planned_at IS NULL AND cancelled_at IS NULL"),
            postgresql_where=sa.text("planned_at IS NULL AND cancelled_at IS NULL"),
        ),
        # read by services.status.undone, for whole studies: what can be answered now and is not
        sa.Index(
            "ix_assessment_undone",
            "opens_at",
            "closes_at",
            sqlite_where=sa.text("sealed_late IS NULL AND cancelled_at IS NULL"),
            postgresql_where=sa.text("sealed_late IS NULL AND cancelled_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"))
    timepoint: Mapped[str] = mapped_column(sa.String(40))
    occurrence: Mapped[int] = mapped_column(default=1)
    instrument: Mapped[str] = mapped_column(sa.String(40))
    place: Mapped[int]  # the protocol's order of instruments within the timepoint, from 1
    opens_at: Mapped[datetime]
    due_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    created_at: Mapped[datetime]
    # opened by the schedule, which may move it until somebody begins; else by hand
    scheduled: Mapped[bool] = mapped_column(server_default=sa.false())
    placed_at: Mapped[datetime | None]  # see core.assessment.Facts
    cancelled_at: Mapped[datetime | None]
    planned_at: Mapped[datetime | None]  # when its reminders were planned; None: to be done (again)
    # its submission's `late`, None without one: written with it, so that counting a study needs
    # one table; see services.seals
    sealed_late: Mapped[bool | None]

    participant: Mapped[Participant] = relationship()
    submission: Mapped[Submission | None] = relationship(back_populates="assessment")


class Answer(Base):
    """One operation on one item: answered, skipped, marked not applicable, or cleared.

    `answered_at` is the moment of the tap on the server's clock (the device's time corrected by
    the measured skew); `standing` says whether it counts: in time, late within the grace time, or
    kept for the record only because the questionnaire was closed or already submitted.
    """

    __tablename__ = "answer"
    __table_args__ = (
        sa.CheckConstraint(
            one_of("state", ("answered", "skipped", "not_applicable", "cleared")), name="state"
        ),
        sa.CheckConstraint("(state = 'answered') = (code IS NOT NULL)", name="code"),
        sa.CheckConstraint(
            one_of("standing", ("in_time", "late", "after_closing", "after_submission")),
            name="standing",
        ),
        sa.CheckConstraint(one_of("mode", MODES), name="mode"),
        sa.CheckConstraint(f"doubt IS NULL OR {one_of('doubt', DOUBTS)}", name="doubt"),
        # read by services.answers: the operations of one assessment, newest last
        sa.Index(None, "assessment_id", "item"),
        # read by services.phone_remarks: what the site should look at
        sa.Index(
            "ix_answer_doubt",
            "assessment_id",
            sqlite_where=sa.text("doubt IS NOT NULL"),
            postgresql_where=sa.text("doubt IS NOT NULL"),
        ),
        # read by services.tables: how many were kept that do not count
        sa.Index(
            "ix_answer_not_counted",
            "assessment_id",
            sqlite_where=sa.text(NOT_COUNTED),
            postgresql_where=sa.text(NOT_COUNTED),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(sa.String(36), unique=True)
    assessment_id: Mapped[int] = mapped_column(sa.ForeignKey("assessment.id"))
    item: Mapped[str] = mapped_column(sa.String(8))
    state: Mapped[str] = mapped_column(sa.String(20))
    code: Mapped[int | None]
    standing: Mapped[str] = mapped_column(sa.String(20))
    prompted: Mapped[bool]  # the question whether to leave it unanswered had been shown
    answered_at: Mapped[datetime]
    received_at: Mapped[datetime]
    device_time: Mapped[str | None] = mapped_column(sa.String(50))  # as the device wrote it
    # device clock minus server clock, milliseconds; a phone that woke up in 1970 needs 64 bits
    skew_ms: Mapped[int | None] = mapped_column(sa.BigInteger)
    language: Mapped[str] = mapped_column(sa.String(10))
    wording: Mapped[str] = mapped_column(sa.String(64))
    mode: Mapped[str] = mapped_column(sa.String(20))
    originator: Mapped[str] = mapped_column(sa.String(20))
    device_id: Mapped[int | None] = mapped_column(sa.ForeignKey("device.id"))
    # the phone's own record: its journal's name, and the entry's number in it, from 1
    journal: Mapped[str | None] = mapped_column(sa.String(36))
    sequence: Mapped[int | None]
    # the page's life in which it was tapped, and the milliseconds since that life began
    run: Mapped[str | None] = mapped_column(sa.String(36))
    monotonic_ms: Mapped[int | None] = mapped_column(sa.BigInteger)
    # the server's clock as the phone last heard it before the tap, and its own clock then
    contact_at: Mapped[datetime | None]
    contact_device_time: Mapped[str | None] = mapped_column(sa.String(50))
    # the question had been read aloud by the phone
    read_aloud: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    # why the moment of the tap is to be looked at, see core.assessment.Doubt
    doubt: Mapped[str | None] = mapped_column(sa.String(20))


class SubmitOperation(Base):
    """One press on Submit that came as an operation, and what came of it.

    `tapped_at` is the moment of the press on the server's clock. `submitted` sealed the answers;
    `earlier` met a submission; `incomplete` met items without an answer; `closed` was pressed
    after the time was over.
    """

    __tablename__ = "submit_operation"
    __table_args__ = (
        sa.CheckConstraint(one_of("outcome", OUTCOMES), name="outcome"),
        sa.CheckConstraint(f"doubt IS NULL OR {one_of('doubt', DOUBTS)}", name="doubt"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(sa.String(36), unique=True)
    assessment_id: Mapped[int] = mapped_column(sa.ForeignKey("assessment.id"), index=True)
    device_id: Mapped[int] = mapped_column(sa.ForeignKey("device.id"))
    journal: Mapped[str | None] = mapped_column(sa.String(36))
    sequence: Mapped[int | None]
    device_time: Mapped[str | None] = mapped_column(sa.String(50))  # as the device wrote it
    skew_ms: Mapped[int | None] = mapped_column(sa.BigInteger)  # as in Answer
    doubt: Mapped[str | None] = mapped_column(sa.String(20))
    tapped_at: Mapped[datetime]
    received_at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(sa.String(20))


class MissedReason(Base):
    """Why a missed assessment was missed, as the site knows it. The newest one counts.

    `staff_id` is the person who recorded it; None: at the command line.
    """

    __tablename__ = "missed_reason"
    __table_args__ = (sa.CheckConstraint(one_of("code", MISSED_CODES), name="code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    # read by services.missed: the history of one assessment
    assessment_id: Mapped[int] = mapped_column(sa.ForeignKey("assessment.id"), index=True)
    code: Mapped[str] = mapped_column(sa.String(20))
    text: Mapped[str] = mapped_column(sa.String(500))
    at: Mapped[datetime]
    staff_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))


class Submission(Base):
    """The sealed answers of an assessment. There is at most one.

    `submitted_at` is when it reached the server, `submit_tapped_at` when Submit was pressed, on
    the server's clock; without a network in between that may be days. `late`: the press, or a tap
    that is sealed, came after closing.
    """

    __tablename__ = "submission"
    __table_args__ = (
        # read by services.status, for whole studies: all that it asks, without the wide answers
        sa.Index("ix_submission_status", "assessment_id", "late", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(sa.ForeignKey("assessment.id"), unique=True)
    receipt: Mapped[str] = mapped_column(sa.String(64))
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime]
    submitted_at: Mapped[datetime]
    late: Mapped[bool]
    answers: Mapped[dict[str, Any]]  # item -> {state, code, language, wording, answered_at}
    instrument_fingerprint: Mapped[str] = mapped_column(sa.String(64))
    study_version: Mapped[int]
    mode: Mapped[str] = mapped_column(sa.String(20))
    device_id: Mapped[int | None] = mapped_column(sa.ForeignKey("device.id"))
    submit_tapped_at: Mapped[datetime | None]  # None: sealed before presses were kept

    assessment: Mapped[Assessment] = relationship(back_populates="submission")
    scores: Mapped[list[Score]] = relationship(back_populates="submission", order_by="Score.id")


class SealedCodes(Base):
    """A submission's answers once more, a byte an item, for reading a whole study without its wide
    rows; see `services.sealed_codes`. The submission is the record; this can be made anew from it.

    `layout` names the items and their order. `languages` and `wordings` (fingerprints) are those
    that its answers were given in, separated by spaces.
    """

    __tablename__ = "sealed_codes"

    submission_id: Mapped[int] = mapped_column(
        sa.ForeignKey("submission.id"), primary_key=True, autoincrement=False
    )
    layout: Mapped[str] = mapped_column(sa.String(12))
    codes: Mapped[bytes]
    languages: Mapped[str] = mapped_column(sa.String(80))
    wordings: Mapped[str] = mapped_column(sa.Text)
    completed_at: Mapped[datetime]
    mode: Mapped[str] = mapped_column(sa.String(20))


class ScaleResult:
    """What a scoring says of one scale, with its receipt: the columns of every table of scores."""

    scoring: Mapped[str] = mapped_column(sa.String(40))
    algorithm: Mapped[str] = mapped_column(sa.String(80))
    scale: Mapped[str] = mapped_column(sa.String(8))
    value: Mapped[float | None] = mapped_column(sa.Double)
    norm_based: Mapped[float | None] = mapped_column(sa.Double)
    answered: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(sa.String(40))
    receipt: Mapped[dict[str, Any]]


class Score(ScaleResult, Base):
    """One scale of one submission, as it was sealed, under one version of a scoring.

    Scores of corrected answers stand beside them, in `CorrectedScore`.
    """

    __tablename__ = "score"
    __table_args__ = (
        sa.UniqueConstraint("submission_id", "algorithm", "scale"),
        sa.CheckConstraint("(value IS NULL) = (reason IS NOT NULL)", name="reason"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(sa.ForeignKey("submission.id"))

    submission: Mapped[Submission] = relationship(back_populates="scores")
