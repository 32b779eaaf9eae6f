"""Why assessments were missed, as the site knows it: a history of which the newest entry counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.models import MISSED_CODES, Assessment, MissedReason
from pro_app.services import assessments, audit
from pro_app.services.by_staff import Refusal, actor_of, free_text
from pro_app.services.studies import CurrentStudy


class MissedError(Refusal):
    """A reason that cannot be recorded; the message says why."""


def record(
    session: Session,
    study: CurrentStudy,
    participant_id: int,
    assessment: str,
    code: str,
    text: str,
    staff_id: int | None,
    now: datetime,
) -> MissedReason:
    """Record why a participant's assessment (its public name) was missed; a later reason replaces
    an earlier one, and both stay on the record. Raises MissedError."""
    known = assessments.hold_own(session, assessment, participant_id)
    if known is None:
        raise MissedError("there is no such questionnaire", "unknown")
    if code not in MISSED_CODES:
        raise MissedError(f"the reason must be one of {', '.join(MISSED_CODES)}", "reason")
    told = free_text(text, MissedError)
    if code == "other" and not told:
        raise MissedError("another reason needs a text", "text")
    state = known.status(now, study.definition.grace)
    if state is not Status.MISSED:
        raise MissedError(f"the questionnaire is not missed: it is {state.value}", "not_missed")
    before = newest(session, [known.id]).get(known.id)
    row = MissedReason(assessment_id=known.id, code=code, text=told, at=now, staff_id=staff_id)
    session.add(row)
    session.flush()
    entry = audit.Entry(
        actor_of(staff_id),
        "record_missed_reason",
        f"assessment/{known.public_id}",
        "missed_code",
        None if before is None else before.code,
        code,
        {"text": told} if told else {},
    )
    audit.record(session, audit.participant_stream(participant_id), now, [entry])
    return row


def newest(session: Session, assessment_ids: Sequence[int]) -> dict[int, MissedReason]:
    """The reason that counts, of those of these assessments that have one."""
    rows = session.scalars(
        sa.select(MissedReason)
        .where(MissedReason.assessment_id.in_(assessment_ids))
        .order_by(MissedReason.id)
    )
    return {row.assessment_id: row for row in rows}


def history(session: Session, participant_id: int) -> list[MissedReason]:
    """All reasons of a participant's assessments, oldest first."""
    return list(
        session.scalars(
            sa.select(MissedReason)
            .join(Assessment, Assessment.id == MissedReason.assessment_id)
            .where(Assessment.participant_id == participant_id)
            .order_by(MissedReason.id)
        )
    )
