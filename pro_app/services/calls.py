"""Calls to participants and what came of them, visits, and notes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import CALL_OUTCOMES, CHANNELS, Call, Participant
from pro_app.services import assessments, audit
from pro_app.services.by_staff import Refusal, actor_of, free_text

NOTE = "note"
SETTLED = ("reached", "will_answer", "declined")  # somebody spoke with the participant
LONGEST = 2000  # characters of a text
TWICE = timedelta(minutes=1)  # the same again within this is the same press


class CallError(Refusal):
    """A call that cannot be logged; the message says why."""


def log(
    session: Session,
    participant_id: int,
    channel: str,
    outcome: str | None,
    text: str,
    staff_id: int | None,
    now: datetime,
    *,
    assessment: str | None = None,
    at: datetime | None = None,
) -> Call:
    """Keep a call, `at` an earlier moment if it was one, about an assessment (its public name) if
    about one. A `note` has a text and no outcome. The trail tells of it without the text. Pressed
    twice it is kept once: the same within a minute, or of the same earlier moment, is that row.

    Raises CallError.
    """
    audit.lock_participant(session, participant_id)
    if channel not in CHANNELS:
        raise CallError(f"the channel must be one of {', '.join(CHANNELS)}", "channel")
    told = free_text(text, CallError, LONGEST)
    if channel == NOTE:
        if outcome is not None or not told:
            raise CallError("a note has a text and no outcome", "note")
    elif outcome not in CALL_OUTCOMES:
        raise CallError(f"the outcome must be one of {', '.join(CALL_OUTCOMES)}", "outcome")
    if at is not None and at > now:
        raise CallError("the call lies in the future", "future")
    known = None
    if assessment is not None:
        known = assessments.find_own(session, assessment, participant_id)
        if known is None:
            raise CallError("there is no such questionnaire", "unknown")
    row = Call(
        participant_id=participant_id,
        assessment_id=None if known is None else known.id,
        at=at or now,
        staff_id=staff_id,
        channel=channel,
        outcome=outcome,
        text=told,
    )
    before = _pressed_before(session, row, row.at if at else now - TWICE)
    if before is not None:
        return before
    session.add(row)
    session.flush()
    about = "participant" if known is None else f"assessment/{known.public_id}"
    detail = {"call": row.id, "channel": channel, "at": row.at.isoformat()}
    entry = audit.Entry(actor_of(staff_id), "log_call", about, new=outcome, detail=detail)
    audit.record(session, audit.participant_stream(participant_id), now, [entry])
    return row


def _pressed_before(session: Session, row: Call, since: datetime) -> Call | None:
    """The same call, kept since a moment; the participant's stream is held."""
    same = (
        Call.participant_id == row.participant_id,
        Call.assessment_id.is_not_distinct_from(row.assessment_id),
        Call.staff_id.is_not_distinct_from(row.staff_id),
        Call.channel == row.channel,
        Call.outcome.is_not_distinct_from(row.outcome),
        Call.text == row.text,
    )
    return session.scalars(
        sa.select(Call).where(*same, Call.at.between(since, row.at)).order_by(Call.id).limit(1)
    ).first()


def of_participant(session: Session, participant_id: int) -> list[Call]:
    """All calls and notes of a participant, newest first."""
    return list(
        session.scalars(
            sa.select(Call)
            .where(Call.participant_id == participant_id)
            .order_by(Call.at.desc(), Call.id.desc())
        )
    )


def last_of(session: Session, participant_ids: Collection[int]) -> dict[int, Call]:
    """The last call of each of these participants who was called; notes are no calls."""
    newest_first = sa.func.row_number().over(
        partition_by=Call.participant_id, order_by=(Call.at.desc(), Call.id.desc())
    )
    ranked = (
        sa.select(Call.id, newest_first.label("place"))
        .where(Call.participant_id.in_(participant_ids), Call.channel != NOTE)
        .subquery()
    )
    rows = session.scalars(
        sa.select(Call).join(ranked, ranked.c.id == Call.id).where(ranked.c.place == 1)
    )
    return {row.participant_id: row for row in rows}


def settled_since(moment: sa.ColumnElement[datetime] | Any) -> sa.ColumnElement[bool]:
    """Whether somebody has spoken with the participant of a query since this moment of it, about
    whatever: nobody is called twice for two questionnaires of one visit. A try is not enough."""
    return (
        sa.select(Call.id)
        .where(
            Call.participant_id == Participant.id,
            Call.channel != NOTE,
            Call.outcome.in_(SETTLED),
            Call.at >= moment,
        )
        .correlate_except(Call)
        .exists()
    )
