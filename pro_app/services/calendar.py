"""A participant's calendar feed: neutral entries that any calendar program can show.

It needs no permission of the phone. Its address is a secret of its own that opens nothing else.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa
from icalendar import Alarm, Calendar, Event
from sqlalchemy.orm import Session

from pro_app.core.schedule import local
from pro_app.core.study import StudyDefinition
from pro_app.models import Participant
from pro_app.services import assessments, audit
from pro_app.services.post_office import PostOffice

LENGTH = timedelta(minutes=30)


def address(session: Session, participant_id: int, now: datetime, anew: bool = False) -> str:
    """The secret name of a participant's feed; made when there is none, or `anew`."""
    participant = audit.lock_participant(session, participant_id)
    if participant.calendar_id is None or anew:
        participant.calendar_id = secrets.token_urlsafe(16)
        session.flush()
        entry = audit.Entry("participant", "make_calendar", "participant")
        audit.record(session, audit.participant_stream(participant_id), now, [entry])
    return participant.calendar_id


def find(session: Session, calendar_id: str) -> Participant | None:
    """Whose feed this is; None for an unknown one and for who takes no part any more."""
    return session.scalar(
        sa.select(Participant).where(
            Participant.calendar_id == calendar_id,
            Participant.withdrawn_at.is_(None),
            Participant.died_at.is_(None),
        )
    )


def feed(
    session: Session,
    office: PostOffice,
    definition: StudyDefinition,
    participant: Participant,
    now: datetime,
) -> bytes:
    """The feed as iCalendar (RFC 5545): an entry a window, at the person's own hour, in UTC.

    Questionnaires of one window are one entry; done ones are left out.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//pro_app//calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    title = office.notices.calendar(participant.language)
    calendar.add("x-wr-calname", title)
    calendar.add("refresh-interval", timedelta(hours=12), parameters={"VALUE": "DURATION"})
    rules = definition.reminders
    minute = rules.minute_of(participant.reminder_minute, participant.id)
    seen: set[tuple[datetime, datetime]] = set()
    for known in assessments.of_participant(session, participant.id):
        facts = known.facts
        window = (facts.opens_at, facts.closes_at)
        done = facts.submitted_at is not None or facts.cancelled_at is not None
        if done or window in seen or facts.closes_at <= now - timedelta(days=31):
            continue
        seen.add(window)
        starts = local(facts.opens_at.astimezone(definition.zone).date(), minute, definition.zone)
        starts = rules.not_quiet(max(starts, facts.opens_at), minute, definition.zone)
        if starts >= facts.closes_at:  # the person's hour comes too late
            starts = facts.opens_at
        event = Event()
        event.add("uid", office.vault.mark("calendar", known.public_id))
        event.add("dtstamp", now)
        event.add("dtstart", starts)
        event.add("dtend", min(starts + LENGTH, facts.closes_at))
        event.add("summary", title)
        event.add("description", f"{office.public_url}/")
        event.add("transp", "TRANSPARENT")
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("trigger", timedelta())
        alarm.add("description", title)
        event.add_component(alarm)
        calendar.add_component(event)
    return bytes(calendar.to_ical())
