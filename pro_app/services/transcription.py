"""Questionnaires on paper, entered by one person of staff and again by a second; and interviews.

The second person enters every answer without seeing the first one's (double entry). Where the two
differ, each item is settled, and both values stay on the record. Then the answers are recorded and
submitted as if they had come from a phone, with their own mode and the time on the paper. An
interview is entered by the person who asks, and needs no second one.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.licence import INTERVIEW
from pro_app.models import TRANSCRIBED_MODES, Answer, Assessment, Transcription
from pro_app.services import answers, assessments, audit, paper, submissions
from pro_app.services.answers import COUNTED, Operation, Origin
from pro_app.services.assessments import Known
from pro_app.services.by_staff import actor_of, free_text
from pro_app.services.paper import LAST, Paper, TranscriptionError, Value, Values
from pro_app.services.studies import CurrentStudy

ENTERING = ("draft", "returned")  # states in which the first person enters
UNDONE = (*ENTERING, "to_check")


class Outcome(StrEnum):
    """What came of a check: accepted and submitted; there are differences to settle; or the phone
    was there first, and everything is kept for the site to decide."""

    ACCEPTED = "accepted"
    DIFFERENCES = "differences"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Difference:
    """An item that two people read differently."""

    item: str
    first: Value
    second: Value


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of a check, with the differences that are to be settled; of a conflict,
    `conflict` says why: `submitted` on the phone, or `newer_answers` there."""

    outcome: Outcome
    differences: tuple[Difference, ...] = ()
    conflict: str | None = None


def find(session: Session, public_id: str) -> Transcription | None:
    """The transcription with this name."""
    return session.scalar(sa.select(Transcription).where(Transcription.public_id == public_id))


def of_participant(session: Session, participant_id: int) -> list[Transcription]:
    """A participant's transcriptions, newest first."""
    return list(
        session.scalars(
            sa.select(Transcription)
            .join(Assessment, Assessment.id == Transcription.assessment_id)
            .where(Assessment.participant_id == participant_id)
            .order_by(Transcription.id.desc())
        )
    )


# --- the first person ---------------------------------------------------------------------------


def begin(
    session: Session,
    study: CurrentStudy,
    participant_id: int,
    assessment: str,
    mode: str,
    given: Paper,
    staff_id: int,
    now: datetime,
) -> Transcription:
    """Begin to enter a participant's assessment (its public name), as `paper` or `interview`.

    Raises TranscriptionError: for an assessment that is submitted, being entered already, or was
    not expected on that day, and for a day or language that cannot be.
    """
    known = assessments.hold_own(session, assessment, participant_id)
    if known is None:
        raise TranscriptionError("there is no such questionnaire", "unknown")
    if mode not in TRANSCRIBED_MODES:
        raise TranscriptionError(f"the mode must be one of {', '.join(TRANSCRIBED_MODES)}", "mode")
    if known.submission_id is not None:
        raise TranscriptionError("the questionnaire is submitted already", "submitted")
    undone = sa.select(Transcription.id).where(
        Transcription.assessment_id == known.id, Transcription.state.in_(UNDONE)
    )
    if session.scalar(undone) is not None:
        raise TranscriptionError("the questionnaire is being entered already", "being_entered")
    row = Transcription(
        public_id=secrets.token_urlsafe(12),
        assessment_id=known.id,
        mode=mode,
        state="draft",
        values={},
        settled={},
        entered_by=staff_id,
        entered_at=now,
    )
    paper.put(row, study, known, given, now)
    if mode == INTERVIEW:
        paper.must_be_read_out(study, known, row, now)
    session.add(row)
    session.flush()
    detail = {"assessment": known.public_id, "mode": mode} | paper.told(row)
    _record(session, row, known, staff_id, "begin_transcription", now, detail)
    return row


def enter(
    session: Session,
    study: CurrentStudy,
    library: Library,
    public_id: str,
    values: Values,
    staff_id: int,
    now: datetime,
    given: Paper | None = None,
) -> Transcription:
    """Keep what the first person has entered so far, and what else stands on the paper, if that
    was wrong. Raises TranscriptionError."""
    row, known = _hold(session, public_id)
    _only_first(row, staff_id)
    row.values = paper.checked(library.instruments[known.instrument], values)
    row.entered_at = now
    if given is not None:
        paper.put(row, study, known, given, now)
    session.flush()
    detail = {"values": row.values} | paper.told(row)
    _record(session, row, known, staff_id, "enter_transcription", now, detail)
    return row


def finish(
    session: Session,
    study: CurrentStudy,
    library: Library,
    public_id: str,
    staff_id: int,
    now: datetime,
) -> Checked | None:
    """The first person has entered everything. Paper waits for the second person (None); an
    interview is accepted. Raises TranscriptionError while items have no value."""
    row, known = _hold(session, public_id)
    _only_first(row, staff_id)
    paper.checked(library.instruments[known.instrument], row.values, whole=True)
    if row.mode == "interview":
        return _accept(session, study, library, row, known, staff_id, now)
    row.state, row.remark = "to_check", None
    session.flush()
    _record(session, row, known, staff_id, "finish_transcription", now, {})
    return None


# --- the second person --------------------------------------------------------------------------


def check(
    session: Session,
    study: CurrentStudy,
    library: Library,
    public_id: str,
    values: Values,
    staff_id: int,
    now: datetime,
) -> Checked:
    """Compare what a second person has entered, without seeing the first one's; without any
    difference it is accepted. Raises TranscriptionError."""
    row, known = _hold(session, public_id)
    _only_second(row, staff_id)
    if row.second_values is not None:
        raise TranscriptionError("it is compared already; what differs is to be settled", "state")
    row.second_values = paper.checked(library.instruments[known.instrument], values, whole=True)
    row.checked_by, row.checked_at = staff_id, now
    session.flush()
    found = differences(row)
    detail = {"values": row.second_values, "differences": [one.item for one in found]}
    _record(session, row, known, staff_id, "check_transcription", now, detail)
    if found:
        return Checked(Outcome.DIFFERENCES, found)
    return _accept(session, study, library, row, known, staff_id, now)


def differences(row: Transcription) -> tuple[Difference, ...]:
    """Where two people's values differ and nobody has settled it yet, in the items' order."""
    second = row.second_values or {}
    return tuple(
        Difference(item, first, second[item])
        for item, first in sorted(row.values.items())
        if item in second and second[item] != first and item not in row.settled
    )


def settle(
    session: Session,
    study: CurrentStudy,
    library: Library,
    public_id: str,
    settled: Values,
    staff_id: int,
    now: datetime,
) -> Checked:
    """Settle all differences, each by what the paper says after another look; both values stay
    on the record. Without any left it is accepted, or tried again after a conflict.

    Raises TranscriptionError.
    """
    row, known = _hold(session, public_id)
    _only_second(row, staff_id)
    if row.second_values is None:
        raise TranscriptionError("nobody has checked it yet", "state")
    found = {one.item: one for one in differences(row)}
    values = paper.checked(library.instruments[known.instrument], settled)
    if values.keys() != found.keys():
        wrong = sorted(values.keys() ^ found.keys())
        said = f"to be settled are exactly the items that differ: see {', '.join(wrong)}"
        raise TranscriptionError(said, "missing", wrong)
    told = {
        item: {"first": one.first, "second": one.second, "settled": values[item]}
        for item, one in found.items()
    }
    row.settled = row.settled | told
    row.checked_by, row.checked_at = staff_id, now
    session.flush()
    if told:
        _record(session, row, known, staff_id, "settle_transcription", now, {"settled": told})
    return _accept(session, study, library, row, known, staff_id, now)


def give_back(
    session: Session, public_id: str, remark: str, staff_id: int, now: datetime
) -> Transcription:
    """The second person gives it back to the first, saying why; it will be checked anew.

    Raises TranscriptionError.
    """
    row, known = _hold(session, public_id)
    _only_second(row, staff_id)
    row.remark = _needed(remark)
    row.state = "returned"
    row.second_values, row.settled = None, {}
    row.checked_by = row.checked_at = row.conflict = row.conflict_at = None
    session.flush()
    _record(session, row, known, staff_id, "return_transcription", now, {"remark": row.remark})
    return row


def discard(
    session: Session, public_id: str, reason: str, staff_id: int, now: datetime
) -> Transcription:
    """Put a transcription aside, saying why; everything of it stays on the record.

    Raises TranscriptionError.
    """
    row, known = _hold(session, public_id)
    if row.state not in UNDONE:
        raise TranscriptionError(f"it is {row.state}", "state")
    row.remark = _needed(reason)
    row.state = "discarded"
    session.flush()
    _record(session, row, known, staff_id, "discard_transcription", now, {"reason": row.remark})
    return row


def note_reading(session: Session, public_id: str, staff_id: int, now: datetime) -> None:
    """Put on record that somebody looks at what two others have entered. Raises
    TranscriptionError."""
    row, known = _hold(session, public_id)
    _record(session, row, known, staff_id, "read_transcription", now, {})


# --- accepting ----------------------------------------------------------------------------------


def _accept(
    session: Session,
    study: CurrentStudy,
    library: Library,
    row: Transcription,
    known: Known,
    staff_id: int,
    now: datetime,
) -> Checked:
    """Record and submit what was entered; or note that the phone was there first."""
    moment = paper.moment_of(study, known.facts, row, now)
    conflict = _conflict(session, known, moment)
    if conflict is not None:
        row.conflict, row.conflict_at = conflict, now
        session.flush()
        _record(session, row, known, staff_id, "keep_conflict", now, {"conflict": conflict})
        return Checked(Outcome.CONFLICT, conflict=conflict)
    paper.must_be_expected(study, known.facts, row, now)
    instrument = library.instruments[known.instrument]
    _save_answers(session, study, instrument, row, known, moment, staff_id, now)
    held = assessments.hold_own(session, known.public_id, known.participant_id)
    assert held is not None  # noqa: S101 (it was there a moment ago)
    actor = actor_of(staff_id)
    receipt = submissions.submit(
        session, study, held, instrument, None, now, row.mode, moment, actor
    )
    row.state = "accepted"
    row.conflict = row.conflict_at = None
    session.flush()
    told = {"receipt": receipt.code, "entered_by": actor_of(row.entered_by), "mode": row.mode}
    _record(session, row, known, staff_id, "accept_transcription", now, told)
    return Checked(Outcome.ACCEPTED)


def _save_answers(
    session: Session,
    study: CurrentStudy,
    instrument: Instrument,
    row: Transcription,
    known: Known,
    moment: datetime,
    staff_id: int,
    now: datetime,
) -> None:
    """Record the values as answers given at the moment on the paper."""
    wording = study.wordings.by_fingerprint(row.wording)
    if wording is None:
        raise TranscriptionError(f"there is no wording in {row.language}", "language")
    values = row.values | {item: one["settled"] for item, one in row.settled.items()}
    reason = f"{row.mode}, entered by {actor_of(row.entered_by)}"
    if row.checked_by is not None:
        reason += f", checked by {actor_of(row.checked_by)}"
    origin = Origin(
        device_id=None,
        wording=wording,
        mode=row.mode,
        at=moment,
        actor=actor_of(staff_id),
        reason=reason,
    )
    # what is on paper counts however late: as if begun in time, with grace until that moment
    facts = replace(known.facts, started_at=known.facts.started_at or known.facts.opens_at)
    grace = max(moment - facts.closes_at + LAST, timedelta())
    operations = [_operation(item.code, values[item.code]) for item in instrument.items]
    saved = answers.save(
        session, replace(known, facts=facts), instrument, operations, origin, grace, now
    )
    if saved.refused or saved.not_counted:
        raise TranscriptionError(f"answers were refused: {saved.refused or saved.not_counted}")


def _operation(item: str, value: Value) -> Operation:
    state, code = ("answered", value) if isinstance(value, int) else (value, None)
    return Operation(str(uuid.uuid4()), item, state, code)


def _conflict(session: Session, known: Known, moment: datetime) -> str | None:
    """Why the phone's answers go first; None if they don't."""
    if known.submission_id is not None:
        return "submitted"
    newer = sa.select(Answer.id).where(
        Answer.assessment_id == known.id,
        Answer.standing.in_(COUNTED),
        Answer.answered_at >= moment,
    )
    return None if session.scalar(newer.limit(1)) is None else "newer_answers"


# --- what all share -----------------------------------------------------------------------------


def _hold(session: Session, public_id: str) -> tuple[Transcription, Known]:
    """A transcription as it is now, and its assessment; both held until the transaction ends."""
    row = find(session, public_id)
    if row is None:
        raise TranscriptionError("there is no such transcription", "unknown")
    assessment = session.get_one(Assessment, row.assessment_id)
    known = assessments.hold_own(session, assessment.public_id, assessment.participant_id)
    assert known is not None  # noqa: S101 (assessments are never removed)
    session.refresh(row)
    return row, known


def _only_first(row: Transcription, staff_id: int) -> None:
    if row.state not in ENTERING:
        raise TranscriptionError(f"nothing can be entered any more: it is {row.state}", "state")
    if row.entered_by != staff_id:
        raise TranscriptionError("somebody else has begun to enter it", "somebody_elses")


def _only_second(row: Transcription, staff_id: int) -> None:
    if row.state != "to_check":
        raise TranscriptionError(f"there is nothing to check: it is {row.state}", "state")
    if row.entered_by == staff_id:
        raise TranscriptionError("who has entered it cannot check it", "own")


def _needed(text: str) -> str:
    found = free_text(text, TranscriptionError)
    if not found:
        raise TranscriptionError("a reason is needed", "remark")
    return found


def _record(
    session: Session,
    row: Transcription,
    known: Known,
    staff_id: int,
    action: str,
    now: datetime,
    detail: Mapping[str, Any],
) -> None:
    entry = audit.Entry(
        actor_of(staff_id), action, f"transcription/{row.public_id}", new=row.state, detail=detail
    )
    audit.record(session, audit.participant_stream(known.participant_id), now, [entry])
