"""The log of reminders as an export: one row per reminder, with what became of its message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Assessment, Message, Participant, Reminder, Site
from pro_app.services.studies import CurrentStudy

COLUMNS = {
    "study": "study code",
    "site": "site code",
    "participant": "study number",
    "timepoint": "timepoint of the protocol",
    "occurrence": "1, or 2 and more for a repeated timepoint",
    "instrument": "instrument code",
    "step": "step of the protocol's reminders",
    "channel": "push, email, or coordinator (the site's list of people to call)",
    "state": "planned, sent, listed, failed, cancelled, expired",
    "reason": "why it was moved, cancelled, failed or expired",
    "planned_for": "when the protocol has it; study zone with offset",
    "due_at": "when it is or was due, moved out of quiet hours; study zone with offset",
    "attempts": "attempts that failed before",
    "sent_at": "accepted by the push or mail service, or listed; not delivered",
    "shown_at": "the phone's own word that it showed the message",
    "opened_at": "the participant opened the message",
    "message": "the same for reminders that went as one message",
}

_rows = (
    sa.select(
        Site.code.label("site"),
        Participant.number.label("participant"),
        Assessment.timepoint,
        Assessment.occurrence,
        Assessment.instrument,
        Reminder.step,
        Reminder.channel,
        Reminder.state,
        Reminder.reason,
        Reminder.planned_for,
        Reminder.due_at,
        Reminder.attempts,
        Reminder.sent_at,
        Message.shown_at,
        Message.opened_at,
        Message.id.label("message"),
    )
    .join(Assessment, Assessment.id == Reminder.assessment_id)
    .join(Participant, Participant.id == Reminder.participant_id)
    .join(Site, Site.id == Participant.site_id)
    .outerjoin(Message, Message.id == Reminder.message_id)
    .order_by(Participant.number, Reminder.planned_for, Reminder.id)
)


def rows(session: Session, study: CurrentStudy) -> Iterator[dict[str, Any]]:
    """Every reminder of a study, by participant and time; moments still in UTC."""
    wanted = _rows.where(Participant.study_id == study.id)
    for row in session.execute(wanted.execution_options(yield_per=1_000)).mappings():
        yield {"study": study.definition.code, **row}
