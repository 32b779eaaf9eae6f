"""Finding participants, and the site's list of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import (
    Assessment,
    CodeRequest,
    Device,
    JoiningCode,
    Participant,
    Site,
    Submission,
    SubmitOperation,
)
from pro_app.services import assessments, phone_remarks, sessions
from pro_app.services.reminders import is_paused
from pro_app.services.studies import CurrentStudy, counted, of_kind
from pro_app.services.submissions import Outcome

PRESSED = {  # what became of a press on Submit that sealed nothing
    Outcome.INCOMPLETE: "Submit was pressed, items were missing",
    Outcome.CLOSED: "Submit was pressed after the time was over",
}


def find(session: Session, study_id: int, number: str) -> Participant | None:
    """The participant with this study number."""
    return session.scalar(
        sa.select(Participant).where(Participant.study_id == study_id, Participant.number == number)
    )


def among(study: CurrentStudy, site_ids: frozenset[int] | None) -> sa.ColumnElement[bool]:
    """The study's participants at these sites, of those who count; None: at all of them."""
    if site_ids is None:
        return counted(study)
    return everybody(study, site_ids) & of_kind(study)


def everybody(study: CurrentStudy, site_ids: frozenset[int] | None) -> sa.ColumnElement[bool]:
    """The study's participants at these sites, people and test participants: for what tells each
    of them apart, and never for counts."""
    own = Participant.study_id == study.id
    return own if site_ids is None else own & Participant.site_id.in_(sorted(site_ids))


def numbers(
    session: Session, study: CurrentStudy, site_ids: frozenset[int] | None
) -> Sequence[str]:
    """The study numbers of these sites' participants, in order."""
    found = sa.select(Participant.number).where(among(study, site_ids))
    return session.scalars(found.order_by(Participant.number)).all()


def count(session: Session, study: CurrentStudy, site_ids: frozenset[int] | None) -> int:
    """How many participants there are at these sites; None: at all of them."""
    counted = sa.select(sa.func.count()).select_from(Participant).where(among(study, site_ids))
    return session.scalar(counted) or 0


class Ends(Protocol):
    """What ends or pauses somebody's taking part: a participant, or a row with these columns."""

    @property
    def died_at(self) -> datetime | None: ...
    @property
    def withdrawn_at(self) -> datetime | None: ...
    @property
    def withdrew_from(self) -> str | None: ...
    @property
    def paused_at(self) -> datetime | None: ...
    @property
    def paused_until(self) -> datetime | None: ...


def standing(participant: Ends, now: datetime) -> str | None:
    """What the site must know first: `died`, `withdrawn` from the study, `no_questionnaires`
    (withdrawn from them alone), or `paused` reminders; None: takes part."""
    if participant.died_at is not None:
        return "died"
    if participant.withdrawn_at is not None:
        return "no_questionnaires" if participant.withdrew_from == "questionnaires" else "withdrawn"
    paused = is_paused(participant.paused_at, participant.paused_until, now)
    return "paused" if paused else None


def sites(session: Session, study_id: int, covered: frozenset[int] | None) -> Sequence[Site]:
    """A study's sites by code; those alone that are covered, unless all (None) are."""
    found = sa.select(Site).where(Site.study_id == study_id).order_by(Site.code)
    if covered is not None:
        found = found.where(Site.id.in_(covered))
    return session.scalars(found).all()


def counts(
    session: Session, study: CurrentStudy, covered: frozenset[int] | None
) -> Mapping[str, int]:
    """How many people were ever enrolled, by the code of each site that is covered."""
    found = (
        sa.select(Site.code, sa.func.count(Participant.id).label("people"))
        .outerjoin(Participant, (Participant.site_id == Site.id) & counted(study))
        .where(Site.study_id == study.id)
        .group_by(Site.code)
    )
    if covered is not None:
        found = found.where(Site.id.in_(sorted(covered)))
    return {row.code: row.people for row in session.execute(found)}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the site's list: who, and what the site should know."""

    number: str
    language: str
    remarks: tuple[str, ...]


def lines(session: Session, study: CurrentStudy, now: datetime) -> Iterator[Line]:
    """Every participant of a study by number, with what needs the site's attention."""
    found = session.scalars(
        sa.select(Participant).where(counted(study)).order_by(Participant.number)
    )
    of_phones = phone_remarks.of_study(session, study)
    pressed = _pressed(session, study)
    for participant in found.all():
        remarks = [
            *_access_remarks(session, participant, now),
            *of_phones.get(participant.id, ()),
            *_assessment_remarks(session, study, participant, pressed, now),
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
        Device.participant_id == participant.id, sessions.opening(now - sessions.SHARED_IDLE)
    )
    if session.scalar(device.limit(1)) is not None:
        return
    expires_at = _unused_until(session, participant, "joining")
    if expires_at is None:
        yield "not joined, no code"
    else:
        yield "code not used" if now < expires_at else "code expired unused"
    card = _unused_until(session, participant, "recovery")
    if card is not None and now < card:
        yield "has a recovery card"


def _unused_until(session: Session, participant: Participant, kind: str) -> datetime | None:
    """When the newest code of this kind that nobody has used ends, or has ended."""
    return session.scalar(
        sa.select(JoiningCode.expires_at)
        .where(
            JoiningCode.participant_id == participant.id,
            JoiningCode.kind == kind,
            JoiningCode.used_at.is_(None),
            JoiningCode.replaced_at.is_(None),
        )
        .order_by(JoiningCode.id.desc())
        .limit(1)
    )


def _pressed(session: Session, study: CurrentStudy) -> Mapping[int, str]:
    """What the last press on Submit met, by assessment, where nothing is submitted."""
    rows = session.execute(
        sa.select(SubmitOperation.assessment_id, SubmitOperation.outcome)
        .join(Assessment, Assessment.id == SubmitOperation.assessment_id)
        .join(Participant, Participant.id == Assessment.participant_id)
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .where(
            counted(study),
            Submission.id.is_(None),
            SubmitOperation.outcome.in_([one.value for one in PRESSED]),
        )
        .order_by(SubmitOperation.tapped_at, SubmitOperation.id)
    )
    return {assessment_id: PRESSED[Outcome(outcome)] for assessment_id, outcome in rows}


def _assessment_remarks(
    session: Session,
    study: CurrentStudy,
    participant: Participant,
    pressed: Mapping[int, str],
    now: datetime,
) -> Iterator[str]:
    withheld = study.wordings.withheld
    for known in assessments.of_participant(session, participant.id, withheld):
        state = known.status(now, study.definition.grace)
        remark = f"{known.timepoint} {known.instrument}: {state.value.replace('_', ' ')}"
        reason = assessments.remark_on(known, state)
        reasons = [one for one in (reason, pressed.get(known.id)) if one]
        yield f"{remark} ({'; '.join(reasons)})" if reasons else remark
