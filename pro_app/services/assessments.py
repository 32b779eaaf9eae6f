"""Assessments: opening them, finding a participant's own, and what there is to do today."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import (
    Facts,
    Standing,
    Status,
    missed_reason,
    not_expected_reason,
    status,
)
from pro_app.core.licence import Withheld, Wordings
from pro_app.core.schedule import Window
from pro_app.core.study import StudyDefinition
from pro_app.core.wording import Wording
from pro_app.models import Answer, Assessment, Device, Participant, Submission, Transaction
from pro_app.services import audit, journals, schedule
from pro_app.services import status as status_rule
from pro_app.services.studies import CurrentStudy


class AssessmentError(Exception):
    """An assessment that cannot be opened as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Known:
    """An assessment as the record knows it, with its facts."""

    id: int
    public_id: str
    participant_id: int
    timepoint: str
    occurrence: int
    instrument: str
    place: int
    due_at: datetime
    submission_id: int | None
    facts: Facts
    site_id: int

    def status(self, now: datetime, grace: timedelta) -> Status:
        """The status at `now`, see `pro_app.core.assessment.status`."""
        return status(self.facts, now, grace)

    def wording(
        self, wordings: Wordings, language: str, mode: str, now: datetime
    ) -> Wording | None:
        """The wording in which it is shown in a mode, see `Wordings.offered_for`."""
        return wordings.offered_for(
            self.instrument, language, mode, now, self.site_id, self.facts.started_at
        )

    def is_read_aloud(self, wordings: Wordings, wording: Wording, now: datetime) -> bool:
        """Whether it may be read aloud in this wording, see `Wordings.is_read_aloud`."""
        return wordings.is_read_aloud(wording, now, self.site_id, self.facts.started_at)


def open_timepoint(
    session: Session,
    study: CurrentStudy,
    participant_id: int,
    timepoint_code: str,
    window: Window,
    now: datetime,
    occurrence: int = 1,
    actor: str = "site",
) -> list[Assessment]:
    """One assessment for each instrument of a timepoint, all with this window.

    Raises AssessmentError if the timepoint is unknown, the window runs backwards, the
    participant has withdrawn, or has these assessments already.
    """
    participant = audit.lock_participant(session, participant_id)
    try:
        timepoint = study.definition.timepoint(timepoint_code)
    except KeyError:
        known = ", ".join(entry.code for entry in study.definition.timepoints)
        raise AssessmentError(
            f"the study has no timepoint {timepoint_code!r}; it has {known}"
        ) from None
    if (
        not window.opens_at <= window.due_at <= window.closes_at
        or window.opens_at == window.closes_at
    ):
        raise AssessmentError("the window must open, be due and close in this order")
    if participant.withdrawn_at is not None:
        raise AssessmentError(f"{participant.number} has withdrawn")
    if participant.died_at is not None:
        raise AssessmentError(f"{participant.number} has died")
    schedule.place_first(session, study, participant, now)
    taken = sa.select(Assessment.id).where(
        Assessment.participant_id == participant_id,
        Assessment.timepoint == timepoint_code,
        Assessment.occurrence == occurrence,
    )
    if session.scalar(taken.limit(1)) is not None:
        raise AssessmentError(f"{participant.number} has {timepoint_code} already")
    opened = [
        Assessment(
            public_id=secrets.token_urlsafe(12),
            participant_id=participant_id,
            timepoint=timepoint_code,
            occurrence=occurrence,
            instrument=instrument,
            place=place,
            opens_at=window.opens_at,
            due_at=window.due_at,
            closes_at=window.closes_at,
            created_at=now,
            placed_at=now,
        )
        for place, instrument in enumerate(timepoint.instruments, start=1)
    ]
    session.add_all(opened)
    session.flush()
    entries = [_opening(assessment, actor) for assessment in opened]
    audit.record(session, audit.participant_stream(participant_id), now, entries)
    return opened


def _opening(assessment: Assessment, actor: str) -> audit.Entry:
    return audit.Entry(
        actor,
        "open_assessment",
        f"assessment/{assessment.public_id}",
        detail={
            "timepoint": assessment.timepoint,
            "occurrence": assessment.occurrence,
            "instrument": assessment.instrument,
            "opens_at": assessment.opens_at.isoformat(),
            "due_at": assessment.due_at.isoformat(),
            "closes_at": assessment.closes_at.isoformat(),
        },
    )


_started_at = (
    sa.select(sa.func.min(Answer.answered_at))
    .where(Answer.assessment_id == Assessment.id, Answer.standing == Standing.IN_TIME.value)
    .correlate(Assessment)
    .scalar_subquery()
)
_known = (
    sa.select(
        Assessment.id,
        Assessment.public_id,
        Assessment.participant_id,
        Assessment.timepoint,
        Assessment.occurrence,
        Assessment.instrument,
        Assessment.place,
        Assessment.due_at,
        Submission.id.label("submission_id"),
        Assessment.opens_at,
        Assessment.closes_at,
        _started_at.label("started_at"),
        Submission.submitted_at,
        sa.func.coalesce(Submission.late, sa.false()).label("late"),
        Participant.withdrawn_at,
        Participant.died_at,
        Assessment.cancelled_at,
        sa.func.coalesce(
            Assessment.placed_at, Assessment.created_at, type_=Assessment.created_at.type
        ).label("placed_at"),
        Participant.language,
        Participant.site_id,
    )
    .join(Participant, Participant.id == Assessment.participant_id)
    .outerjoin(Submission, Submission.assessment_id == Assessment.id)
)
_known_own = _known.where(
    Assessment.public_id == sa.bindparam("public_id"),
    Assessment.participant_id == sa.bindparam("participant_id"),
)
_known_by_phone = _known_own.add_columns(Device.journal, Device.unsent).join(
    Device, sa.and_(Device.id == sa.bindparam("device_id"), Device.revoked_at.is_(None))
)
_known_all = _known.order_by(Assessment.opens_at, Assessment.place, Assessment.id)


def _from_row(row: Any, withheld: Withheld = status_rule.NOTHING) -> Known:
    opens_at, closes_at, started_at, submitted_at, late, withdrawn, died, cancelled = row[9:17]
    placed_at, language, site = row[17:20]
    held = bool(withheld) and withheld.covers(row.instrument, language, site, opens_at, closes_at)
    begun = (opens_at, closes_at, started_at, submitted_at, bool(late))
    facts = Facts(*begun, withdrawn, died, cancelled, placed_at, held)
    return Known(*(*row[:9], facts, site))


def hold_own(session: Transaction, public_id: str, participant_id: int) -> Known | None:
    """`find_own` for writing: what is found stays so until the transaction ends."""
    audit.lock_stream(session, participant_id)
    return find_own(session, public_id, participant_id)


def hold_by_phone(
    session: Transaction, public_id: str, participant_id: int, device_id: int
) -> tuple[Known, journals.State] | None:
    """`hold_own`, and what is known of the phone's journal, in the same query; nothing on a phone
    that was signed out by now."""
    audit.lock_stream(session, participant_id)
    looked_up = {
        "public_id": public_id, "participant_id": participant_id, "device_id": device_id,
    }  # fmt: skip
    row: Any = session.execute(_known_by_phone, looked_up).first()
    return None if row is None else (_from_row(row), journals.State(device_id, *row[20:]))


def find_own(session: Transaction, public_id: str, participant_id: int) -> Known | None:
    """A participant's own assessment; somebody else's is as unknown as none."""
    row = session.execute(
        _known_own, {"public_id": public_id, "participant_id": participant_id}
    ).first()
    return None if row is None else _from_row(row)


def of_participant(
    session: Session, participant_id: int, withheld: Withheld = status_rule.NOTHING
) -> list[Known]:
    """All of a participant's assessments, by opening time and place.

    `withheld` (see `core.licence`) makes those not expected that cannot be shown in the
    participant's language; the participant's own pages leave it out and say so themselves.
    """
    rows = session.execute(_known_all.where(Assessment.participant_id == participant_id))
    return [_from_row(row, withheld) for row in rows]


@dataclass(frozen=True, slots=True)
class Today:
    """What a participant sees first: what is open, what comes next, how many are done, and when
    the last answer reached the study."""

    open: tuple[Known, ...]
    next: Known | None
    done: int
    received_at: datetime | None


def today(
    session: Session, definition: StudyDefinition, participant_id: int, now: datetime
) -> Today:
    """What there is to do at `now`."""
    known = of_participant(session, participant_id)
    by_status = [(one.status(now, definition.grace), one) for one in known]
    active = {Status.OPEN, Status.IN_PROGRESS}
    done = {Status.COMPLETED, Status.COMPLETED_LATE}
    return Today(
        open=tuple(one for state, one in by_status if state in active),
        next=next((one for state, one in by_status if state is Status.NOT_DUE), None),
        done=sum(state in done for state, _ in by_status),
        received_at=session.scalar(_last_received, {"participant_id": participant_id}),
    )


_last_received = (
    sa.select(sa.func.max(Answer.received_at))
    .join(Assessment, Assessment.id == Answer.assessment_id)
    .where(Assessment.participant_id == sa.bindparam("participant_id"))
)


def remark_on(known: Known, state: Status) -> str | None:
    """Why an assessment is missed or not expected; None for every other one."""
    if state is Status.MISSED:
        return missed_reason(known.facts)
    return not_expected_reason(known.facts) if state is Status.NOT_EXPECTED else None
