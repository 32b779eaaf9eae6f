"""Whether reminders flow: what is due, what became of the rest, and what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.models import (
    Assessment,
    Message,
    Participant,
    PushHost,
    Reminder,
    Study,
    Submission,
)
from pro_app.services import alarms, studies

PATIENCE = timedelta(minutes=15)  # that something may be due before it is a fault


@dataclass(frozen=True, slots=True)
class Day:
    """A day by the studies' clocks: messages that services accepted, those of them that were
    opened since, and questionnaires submitted."""

    day: date
    accepted: int
    opened: int
    completed: int


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """Something the operator must mend."""

    code: str
    detail: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Flow:
    """How reminders flow at a moment. `due` wait to be sent now, the oldest for `oldest`."""

    due: int
    oldest: timedelta
    states: Mapping[str, int]
    days: Sequence[Day]
    paused_hosts: Mapping[str, datetime]
    alarms: Sequence[OpenAlarm]

    @property
    def well(self) -> bool:
        """Whether nobody needs to look."""
        return not self.alarms and self.oldest <= PATIENCE


def flow(session: Session, library: Library, now: datetime, days: int = 7) -> Flow:
    """How reminders flow at `now`, with the last `days` days."""
    waiting = sa.and_(Reminder.state == "planned", Reminder.due_at <= now)
    due, first = session.execute(
        sa.select(sa.func.count(), sa.func.min(Reminder.due_at, type_=Reminder.due_at.type)).where(
            waiting
        )
    ).one()
    states = session.execute(
        sa.select(Reminder.state, sa.func.count()).group_by(Reminder.state).order_by(Reminder.state)
    )
    hosts = session.execute(
        sa.select(PushHost.host, PushHost.blocked_until)
        .where(PushHost.blocked_until > now)
        .order_by(PushHost.host)
    )
    return Flow(
        due,
        timedelta() if first is None else now - first,
        {row[0]: row[1] for row in states},
        _days(session, library, now, days),
        {host: until for host, until in hosts if until is not None},
        [OpenAlarm(*row) for row in alarms.open_ones(session)],
    )


def _days(session: Session, library: Library, now: datetime, days: int) -> list[Day]:
    """The last days of all studies, newest first; each study counts by its own clocks."""
    accepted: dict[date, int] = {}
    opened: dict[date, int] = {}
    completed: dict[date, int] = {}
    today = now.date()
    for study_id in session.scalars(sa.select(Study.id)).all():
        zone = studies.current(session, library, study_id).definition.zone
        today = max(today, now.astimezone(zone).date())
        since = now.astimezone(zone).date() - timedelta(days=days)
        rows = session.execute(
            sa.select(Message.day, sa.func.count(), sa.func.count(Message.opened_at))
            .join(Participant, Participant.id == Message.participant_id)
            .where(
                Participant.study_id == study_id,
                Message.day > since,
                Message.accepted_at.is_not(None),
            )
            .group_by(Message.day)
        )
        for day, sent, seen in rows:
            if day is not None:
                accepted[day] = accepted.get(day, 0) + sent
                opened[day] = opened.get(day, 0) + seen
        submitted = session.scalars(
            sa.select(Submission.submitted_at)
            .join(Assessment, Assessment.id == Submission.assessment_id)
            .join(Participant, Participant.id == Assessment.participant_id)
            .where(
                Participant.study_id == study_id,
                Submission.submitted_at > now - timedelta(days=days + 1),
            )
        )
        for moment in submitted:
            day = moment.astimezone(zone).date()
            completed[day] = completed.get(day, 0) + 1
    shown = (today - timedelta(days=n) for n in range(days))
    return [
        Day(day, accepted.get(day, 0), opened.get(day, 0), completed.get(day, 0)) for day in shown
    ]
