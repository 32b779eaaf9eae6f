"""The log of reminders as an export: one row per reminder, with what became of its message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Assessment, Message, Participant, Reminder, Site
from pro_app.services.studies import CurrentStudy, counted


def meanings(_: Callable[[str], str]) -> dict[str, str]:
    """The columns of the log in their order, and what they mean, by the words of `_`."""
    return {
        "study": _("study code"),
        "site": _("site code"),
        "participant": _("study number"),
        "timepoint": _("timepoint of the protocol"),
        "occurrence": _("1, or 2 and more for a repeated timepoint"),
        "instrument": _("instrument code"),
        "step": _("step of the protocol's reminders"),
        "channel": _("how it goes"),
        "state": _("what became of it"),
        "reason": _("why it was moved, cancelled, failed or expired"),
        "planned_for": _("when the protocol has it; study zone with offset"),
        "due_at": _("when it is or was due, moved out of quiet hours; study zone with offset"),
        "attempts": _("attempts that failed before"),
        "sent_at": _("accepted by the push or mail service, or listed; not delivered"),
        "shown_at": _("the phone's own word that it showed the message"),
        "opened_at": _("the participant opened the message"),
        "message": _("the same for reminders that went as one message"),
    }


def codes(_: Callable[[str], str]) -> dict[str, dict[str, str]]:
    """What the codes of its columns mean, likewise."""
    return {
        "channel": {
            "push": _("message on the phone"),
            "email": _("e-mail"),
            "coordinator": _("list of calls"),
        },
        "state": {
            "planned": _("planned"),
            "sent": _("sent"),
            "listed": _("on the list"),
            "failed": _("could not go"),
            "cancelled": _("cancelled"),
            "expired": _("too late to send"),
        },
    }


AT_ONCE = 1_000
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


def chunks(
    session: Session, study: CurrentStudy, where: Sequence[sa.ColumnElement[bool]]
) -> Iterator[list[dict[str, Any]]]:
    """The reminders of a study, by participant and time, some thousand at a time; `where` are
    conditions on assessment, participant and site."""
    wanted = _rows.where(counted(study), *where)
    with session.execute(wanted.execution_options(yield_per=AT_ONCE)) as found:
        for part in found.mappings().partitions():
            yield [{"study": study.definition.code, **row} for row in part]
