"""Submitting: the answers are sealed and scored, once, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Facts, Tapped
from pro_app.core.instruments import Instrument
from pro_app.core.scoring import Score as ScaleScore
from pro_app.core.scoring import score
from pro_app.models import Reminder, Submission, SubmitOperation, Transaction
from pro_app.services import (
    answer_alerts,
    answers,
    audit,
    reminders,
    score_rows,
    sealed_codes,
    seals,
)
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy


class Incomplete(Exception):
    """Items that have neither an answer nor a confirmed skip."""

    def __init__(self, items: tuple[str, ...]) -> None:
        super().__init__(", ".join(items))
        self.items = items


class Closed(Exception):
    """The assessment is not open: too early, too late, or nothing is expected any more."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the participant is told of a submission."""

    code: str
    submitted_at: datetime
    late: bool
    first: bool  # whether this call made the submission


def receipt_of(session: Transaction, assessment_id: int) -> Receipt | None:
    """The receipt of an assessment's submission, if there is one."""
    row = session.execute(
        sa.select(Submission.receipt, Submission.submitted_at, Submission.late).where(
            Submission.assessment_id == assessment_id
        )
    ).one_or_none()
    return None if row is None else Receipt(short(row[0]), row[1], row[2], first=False)


def short(receipt: str) -> str:
    """A receipt as it is shown: the first twelve characters in groups of four."""
    return "-".join(receipt[start : start + 4].upper() for start in (0, 4, 8))


def submit(
    session: Session,
    study: CurrentStudy,
    assessment: Known,
    instrument: Instrument,
    device_id: int | None,
    now: datetime,
    mode: str = "own_phone",
    tapped_at: datetime | None = None,
    transcribed_by: str | None = None,
    actor: str | None = None,
) -> Receipt:
    """Seal and score an assessment's answers; the second time, the first receipt again.

    `tapped_at` is when Submit was pressed, if that was not `now`; the press must fall into the
    window or its grace time, however late it arrives. What is sealed is the newest tap of each
    item that has arrived and counts, also one later than the press: another phone may have
    changed the answer before the press came, and its person saw that as the current one. `late`
    goes by the press and by every tap that is sealed. Raises Closed when the press does not fall
    into that time, Incomplete while items wait. The caller got `assessment` from `hold_own`.

    What the actor `transcribed_by` has put in was completed at `tapped_at` on paper. It is late
    after closing, however long, and the caller has seen to it that it was expected. `actor` is
    whom the trail names where there is no device, if not that one.
    """
    pressed_at = now if tapped_at is None else tapped_at
    earlier = receipt_of(session, assessment.id)
    if earlier is not None:
        return earlier
    facts = assessment.facts
    if transcribed_by is None and not _takes(facts, pressed_at, study.definition.grace):
        raise Closed
    current, _ = answers.current(session, assessment.id)
    missing = tuple(item.code for item in instrument.items if item.code not in current)
    if missing:
        raise Incomplete(missing)
    moments = [answer.answered_at for answer in current.values()]
    row: dict[str, Any] = {
        "assessment_id": assessment.id,
        "started_at": facts.started_at or min(moments),
        "completed_at": max(moments),
        "submitted_at": now,
        "late": max(pressed_at, *moments) >= facts.closes_at,
        "answers": {item.code: _sealed(current[item.code]) for item in instrument.items},
        "instrument_fingerprint": instrument.fingerprint,
        "study_version": study.version,
        "mode": mode,
        "device_id": device_id,
        "submit_tapped_at": pressed_at,
    }
    receipt = audit.submission_digest(row)
    submission = Submission(**row, receipt=receipt)
    session.add(submission)
    session.flush()
    seals.note(session, assessment.id, row["late"])
    sealed_codes.keep(session, submission.id, row["answers"], row["completed_at"], mode)
    reminders.cancel(session, Reminder.assessment_id == assessment.id, "completed")
    by = transcribed_by or actor or f"participant/device {device_id}"
    entries = [_submitted(assessment, receipt, by)]
    for scoring in study.scorings(instrument.code):
        scores = score_answers(instrument, scoring, current)
        entries.append(score_rows.keep(session, assessment.public_id, submission.id, scores))
    session.flush()
    codes = {item: answer.code for item, answer in current.items()}
    entries += answer_alerts.look(session, study.definition, instrument, submission, codes, now)
    audit.record(session, audit.participant_stream(assessment.participant_id), now, entries)
    return Receipt(short(receipt), now, row["late"], first=True)


def _takes(facts: Facts, pressed_at: datetime, grace: timedelta) -> bool:
    """Whether a press on a phone counts: in time, and nothing has ended."""
    ended = facts.withdrawn_at or facts.died_at or facts.cancelled_at
    return ended is None and facts.opens_at <= pressed_at < facts.last_moment(grace)


class Outcome(StrEnum):
    """What came of a press on Submit."""

    SUBMITTED = "submitted"
    EARLIER = "earlier"
    INCOMPLETE = "incomplete"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Press:
    """A press on Submit as it stands on the record; `missing` are the items that it met without
    an answer, as far as they are still without one. `new` says that this call put it there."""

    outcome: Outcome
    missing: tuple[str, ...] = ()
    new: bool = True


class Misplaced(Exception):
    """The operation's id belongs to another assessment."""


def press(
    session: Session,
    study: CurrentStudy,
    assessment: Known,
    instrument: Instrument,
    operation: answers.Operation,
    origin: answers.Origin,
    now: datetime,
) -> Press:
    """Take a press on Submit that came as an operation, once however often it comes.

    It counts from the moment of the press on the server's clock; `submitted_at` stays the moment
    of receipt. Every press is kept, also one that seals nothing. Raises Misplaced.
    """
    known = session.execute(_known_press, {"operation": operation.id}).first()
    if known is not None:
        if known.assessment_id != assessment.id:
            raise Misplaced
        outcome = Outcome(known.outcome)
        if outcome is Outcome.INCOMPLETE:
            missing = _missing(session, assessment, instrument)
            return Press(outcome, missing, new=False)
        return Press(outcome, new=False)
    tapped = origin.tapped_at(operation, now, assessment.facts.opens_at)
    found = _try_to_submit(session, study, assessment, instrument, origin, now, tapped.moment)
    _keep_press(session, assessment, operation, origin, now, tapped, found.outcome)
    return found


def _keep_press(
    session: Session,
    assessment: Known,
    operation: answers.Operation,
    origin: answers.Origin,
    now: datetime,
    tapped: Tapped,
    outcome: Outcome,
) -> None:
    """Store a press, and the audit entry that tells of it."""
    row: dict[str, Any] = {
        "operation": operation.id,
        "assessment_id": assessment.id,
        "device_id": origin.device_id,
        "journal": origin.journal,
        "sequence": operation.sequence,
        "device_time": operation.device_time.isoformat() if operation.device_time else None,
        "skew_ms": answers.milliseconds(tapped.skew),
        "doubt": None if tapped.doubt is None else tapped.doubt.value,
        "tapped_at": tapped.moment,
        "received_at": now,
        "outcome": outcome.value,
    }
    session.execute(sa.insert(SubmitOperation), [row])
    detail = {"operation": operation.id, "digest": audit.press_digest(row)}
    entry = audit.Entry(
        actor=f"{origin.originator}/device {origin.device_id}",
        action="press_submit",
        object=f"assessment/{assessment.public_id}",
        new=outcome.value,
        detail=detail | {"locked": True} if origin.locked else detail,
    )
    audit.record(session, audit.participant_stream(assessment.participant_id), now, [entry])


_known_press = sa.select(SubmitOperation.assessment_id, SubmitOperation.outcome).where(
    SubmitOperation.operation == sa.bindparam("operation")
)


def doubt_of(session: Session, assessment_id: int) -> dict[str, Any]:
    """Of the press that sealed an assessment, `submit_skew_ms` and `submit_doubt`; nothing when
    it came by a form, which has no clock but ours."""
    row = session.execute(
        sa.select(SubmitOperation.skew_ms, SubmitOperation.doubt).where(
            SubmitOperation.assessment_id == assessment_id,
            SubmitOperation.outcome == Outcome.SUBMITTED.value,
        )
    ).first()
    return {} if row is None else {"submit_skew_ms": row.skew_ms, "submit_doubt": row.doubt}


def _try_to_submit(
    session: Session,
    study: CurrentStudy,
    assessment: Known,
    instrument: Instrument,
    origin: answers.Origin,
    now: datetime,
    pressed_at: datetime,
) -> Press:
    try:
        receipt = submit(
            session, study, assessment, instrument, origin.device_id, now, origin.mode, pressed_at
        )
    except Incomplete as refused:
        return Press(Outcome.INCOMPLETE, refused.items)
    except Closed:
        return Press(Outcome.CLOSED)
    return Press(Outcome.SUBMITTED if receipt.first else Outcome.EARLIER)


def _missing(session: Session, assessment: Known, instrument: Instrument) -> tuple[str, ...]:
    current, _ = answers.current(session, assessment.id)
    return tuple(item.code for item in instrument.items if item.code not in current)


def score_answers(
    instrument: Instrument, scoring: str, current: Mapping[str, answers.Current]
) -> tuple[ScaleScore, ...]:
    """The scores of these answers; skipped and not applicable count as unanswered."""
    codes = {item: answer.code for item, answer in current.items()}
    return score(instrument.scorings[scoring], codes)


def _sealed(answer: answers.Current) -> dict[str, Any]:
    return {
        "state": answer.state,
        "code": answer.code,
        "language": answer.language,
        "wording": answer.wording,
        "answered_at": answer.answered_at.isoformat(),
    }


def _submitted(assessment: Known, receipt: str, actor: str) -> audit.Entry:
    return audit.Entry(
        actor=actor,
        action="submit",
        object=f"assessment/{assessment.public_id}",
        new=short(receipt),
        detail={"digest": receipt},
    )
