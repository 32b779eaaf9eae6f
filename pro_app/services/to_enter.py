"""What the staff may enter in a participant's place, and which sheets wait for a second person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.models import Assessment, MissedReason, Participant, Staff, Transcription
from pro_app.services import assessments, missed, participants
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy
from pro_app.services.transcription import ENTERING, UNDONE

LIMIT = 100  # sheets that are listed at once


@dataclass(frozen=True, slots=True)
class Line:
    """An assessment that is not submitted and whose window has opened: its status, the sheet that
    is being entered or checked, and why it was missed, if the site has said so."""

    known: Known
    status: Status
    sheet: Transcription | None
    reason: MissedReason | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sheet that is not done: whose, of which assessment, by whom entered and when.

    `compared`: a second person has entered it, and what differs is to be settled; `conflict` says
    why it could not be accepted, see `Transcription`.
    """

    public_id: str
    number: str
    site: str
    timepoint: str
    occurrence: int
    instrument: str
    mode: str
    state: str
    completed_on: date
    entered_by: int
    entered_by_name: str
    entered_at: datetime
    compared: bool
    conflict: str | None
    remark: str | None


def lines(
    session: Session, study: CurrentStudy, participant_id: int, now: datetime
) -> tuple[Line, ...]:
    """What can be entered of a participant, in the order of opening.

    Also what was missed, and what is not expected any more: its paper may be of before that.
    """
    undone = {
        row.assessment_id: row
        for row in session.scalars(
            sa.select(Transcription)
            .join(Assessment, Assessment.id == Transcription.assessment_id)
            .where(Assessment.participant_id == participant_id, Transcription.state.in_(UNDONE))
        )
    }
    found = [
        known
        for known in assessments.of_participant(session, participant_id)
        if known.id in undone
        or (
            known.submission_id is None
            and known.facts.cancelled_at is None
            and known.facts.opens_at <= now
        )
    ]
    reasons = missed.newest(session, [known.id for known in found])
    grace = study.definition.grace
    return tuple(
        Line(known, known.status(now, grace), undone.get(known.id), reasons.get(known.id))
        for known in found
    )


def to_check(
    session: Session, study: CurrentStudy, site_ids: frozenset[int] | None, limit: int = LIMIT
) -> Sequence[Waiting]:
    """The sheets of these sites, or of all, that wait for a second person, the oldest first."""
    found = _waiting(study, site_ids).where(Transcription.state == "to_check")
    return _read(session, found.limit(limit))


def of_mine(
    session: Session, study: CurrentStudy, site_ids: frozenset[int] | None, staff_id: int
) -> Sequence[Waiting]:
    """The sheets that this person has begun or was given back, the oldest first."""
    found = _waiting(study, site_ids).where(
        Transcription.state.in_(ENTERING), Transcription.entered_by == staff_id
    )
    return _read(session, found.limit(LIMIT))


def count_to_check(
    session: Session, study: CurrentStudy, site_ids: frozenset[int] | None, staff_id: int
) -> int:
    """How many sheets of these sites this person can check: those of other people."""
    found = _waiting(study, site_ids).where(
        Transcription.state == "to_check", Transcription.entered_by != staff_id
    )
    return session.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0


def _waiting(
    study: CurrentStudy, site_ids: frozenset[int] | None
) -> sa.Select[Transcription, Assessment, Participant, Staff]:
    return (
        sa.select(Transcription, Assessment, Participant, Staff)
        .join(Assessment, Assessment.id == Transcription.assessment_id)
        .join(Participant, Participant.id == Assessment.participant_id)
        .join(Staff, Staff.id == Transcription.entered_by)
        .where(participants.among(study, site_ids), Transcription.state.in_(UNDONE))
        .order_by(Transcription.entered_at, Transcription.id)
    )


def _read(
    session: Session, found: sa.Select[Transcription, Assessment, Participant, Staff]
) -> Sequence[Waiting]:
    return [
        Waiting(
            sheet.public_id,
            person.number,
            person.site.code,
            about.timepoint,
            about.occurrence,
            about.instrument,
            sheet.mode,
            sheet.state,
            sheet.completed_on,
            sheet.entered_by,
            first.name,
            sheet.entered_at,
            sheet.second_values is not None,
            sheet.conflict,
            sheet.remark,
        )
        for sheet, about, person, first in session.execute(found)
    ]
