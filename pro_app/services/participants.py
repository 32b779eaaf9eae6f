"""Finding participants, and the site's list of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.models import CodeRequest, Device, JoiningCode, Participant
from pro_app.services import assessments, phone_remarks
from pro_app.services.studies import CurrentStudy


def find(session: Session, study_id: int, number: str) -> Participant | None:
    """The participant with this study number."""
    return session.scalar(
        sa.select(Participant).where(Participant.study_id == study_id, Participant.number == number)
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the site's list: who, and what the site should know."""

    number: str
    language: str
    remarks: tuple[str, ...]


def lines(session: Session, study: CurrentStudy, library: Library, now: datetime) -> Iterator[Line]:
    """Every participant of a study by number, with what needs the site's attention."""
    found = session.scalars(
        sa.select(Participant).where(Participant.study_id == study.id).order_by(Participant.number)
    )
    of_phones = phone_remarks.of_study(session, study)
    for participant in found.all():
        remarks = [
            *_access_remarks(session, participant, now),
            *of_phones.get(participant.id, ()),
            *_assessment_remarks(session, study, library, participant, now),
        ]
        yield Line(participant.number, participant.language, tuple(remarks))


def _access_remarks(session: Session, participant: Participant, now: datetime) -> Iterator[str]:
    if participant.died_at is not None:
        yield "died"
        return
    if participant.withdrawn_at is not None:
        yield "withdrawn"
        return
    waiting = sa.select(CodeRequest.id).where(
        CodeRequest.participant_id == participant.id, CodeRequest.handled_at.is_(None)
    )
    if session.scalar(waiting) is not None:
        yield "asks for a new code"
    device = sa.select(Device.id).where(
        Device.participant_id == participant.id, Device.revoked_at.is_(None)
    )
    if session.scalar(device.limit(1)) is not None:
        return
    code = sa.select(JoiningCode.expires_at).where(
        JoiningCode.participant_id == participant.id,
        JoiningCode.used_at.is_(None),
        JoiningCode.replaced_at.is_(None),
    )
    expires_at = session.scalar(code)
    if expires_at is None:
        yield "not joined, no code"
    else:
        yield "code not used" if now < expires_at else "code expired unused"


def _assessment_remarks(
    session: Session,
    study: CurrentStudy,
    library: Library,
    participant: Participant,
    now: datetime,
) -> Iterator[str]:
    withheld = library.withheld(study.definition)
    for known in assessments.of_participant(session, participant.id, withheld):
        state = known.status(now, study.definition.grace)
        remark = f"{known.timepoint} {known.instrument}: {state.value.replace('_', ' ')}"
        reason = assessments.remark_on(known, state)
        yield f"{remark} ({reason})" if reason else remark
