"""A study's years in seconds: the real planner and the real sending under a clock that jumps.

Made-up participants in a database of their own are enrolled, never answer, and are sent what the
protocol has for them; a recorder stands where the push and mail services are.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import schedule
from pro_app.core.library import Library
from pro_app.core.reminders import Channel
from pro_app.core.schedule import ENROLMENT
from pro_app.core.study_file import parse_study
from pro_app.delivery import Accepted, Hosts, Letter, Outcome, Post, Push
from pro_app.delivery import Subscription as PushSubscription
from pro_app.models import (
    Assessment,
    Base,
    Contact,
    Database,
    Device,
    Message,
    Participant,
    Reminder,
    Subscription,
)
from pro_app.services import enrolment, reminders, sending, studies
from pro_app.services import schedule as scheduling
from pro_app.services.notices import Notices, Words
from pro_app.services.post_office import PostOffice, subscription_text
from pro_app.services.studies import CurrentStudy
from pro_app.services.vault import Vault

ENROLLING = 30  # days over which the made-up participants come
BETWEEN_ANCHORS = timedelta(days=14)  # from enrolment to the first dated anchor, and so on
ENROLLED_AT = time(10)  # by the study's clocks
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Request:
    """What to simulate: a study file's content, how many people, from which day to which."""

    content: Mapping[str, Any]
    participants: int
    first: date
    last: date
    enrolling: int = ENROLLING


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that would happen: `what` is opens, closes or reminder; only the last has a step
    and a channel."""

    at: datetime
    what: str
    participant: str
    timepoint: str
    instrument: str
    step: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Busiest:
    """The minute with the most messages: how many, for how many reminders."""

    at: datetime
    messages: int
    reminders: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """All that would happen, in order; how many messages that takes; and the zone it is in."""

    zone: ZoneInfo
    happenings: tuple[Happening, ...]
    messages: int
    busiest: Busiest | None


class _Clock:
    """The moment, which only the simulation moves."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class _Recorder:
    """Stands where the push and mail services are, and takes everything."""

    def send(self, messages: Iterable[Push | Letter]) -> Iterator[tuple[Any, Outcome]]:
        for message in messages:
            yield message.key, Accepted(201)


class _Wordless(Notices):
    """Messages that nobody reads need no words."""

    def __init__(self) -> None:
        pass

    def reminder(self, language: str, waiting: int, closes_at: datetime, zone: ZoneInfo) -> Words:
        return Words("-", "-")

    def letter(self, language: str, words: Words, address: str) -> str:
        return "-"


def simulate(library: Library, request: Request) -> Simulated:
    """Let the study happen. Raises DefinitionError for a faulty content."""
    content = {**request.content, "number_pattern": ".*"}
    if content.get("status") == "live":
        content["status"] = "test"  # the question is when, not whether the wording is licensed
    zone = parse_study(content, library.instruments).zone
    with TemporaryDirectory(prefix="simulation-") as folder:
        database = Database(f"sqlite:///{Path(folder) / 'simulation.sqlite3'}")
        sa.event.listen(database.engine, "connect", _hasty)
        try:
            Base.metadata.create_all(database.engine)
            run = _Run(database, library, request, content, zone)
            run.to_the_end()
            return run.result()
        finally:
            database.close()


def _hasty(connection: Any, _record: object) -> None:
    """Nothing of a simulation outlives it, so nothing is waited for."""
    connection.execute("PRAGMA synchronous = OFF").close()


class _Run:
    """One simulation under way."""

    def __init__(
        self,
        database: Database,
        library: Library,
        request: Request,
        content: Mapping[str, Any],
        zone: ZoneInfo,
    ) -> None:
        self.database, self.library, self.request, self.zone = database, library, request, zone
        self.begin = schedule.local(request.first, 0, zone)
        self.end = schedule.local(request.last + timedelta(days=1), 0, zone)
        self.clock = _Clock(self.begin)
        recorder = _Recorder()
        self.office = PostOffice(
            database=database,
            library=library,
            post=Post(recorder, recorder),
            vault=Vault(secrets.token_hex()),
            notices=_Wordless(),
            hosts=Hosts(),
            public_url="https://simulation.invalid",
            application_key="",
            key_id="simulation",
            clock=self.clock,
        )
        with database.writing() as session:
            self.study: CurrentStudy = studies.load(session, library, content, self.begin)
        self.languages = self._languages()
        self.coming = self._arrivals()

    def _languages(self) -> Sequence[str]:
        """The languages in which everything can be shown; if there is none, all."""
        definition, withheld = self.study.definition, self.study.wordings.withheld
        lacking = {language for _, language in withheld.always}
        return [one for one in definition.languages if one not in lacking] or definition.languages

    def _arrivals(self) -> list[tuple[datetime, int]]:
        """When the made-up participants are enrolled, evenly over the first days, the last to
        come first."""
        count, days = self.request.participants, max(self.request.enrolling, 1)
        found = []
        for n in range(count):
            day = self.request.first + timedelta(days=n * days // count)
            at = datetime.combine(day, ENROLLED_AT, self.zone).astimezone(UTC)
            if at < self.end:
                found.append((at, n + 1))
        return found[::-1]

    def to_the_end(self) -> None:
        """From one moment at which something is due to the next."""
        while (moment := self._next()) is not None and moment < self.end:
            # what could not be done at a moment is tried again a minute later, as by a worker
            self.clock.now = moment if moment > self.clock.now else self.clock.now + MINUTE
            now = self.clock.now
            while self.coming and self.coming[-1][0] <= now:
                self._enrol(self.coming.pop()[1])
            if (planning := self._next_planning()) is not None and planning <= now:
                reminders.plan(self.database, self.library, now)
            if (due := self._next_due()) is not None and due <= now:
                sending.drain(self.office)

    def _next(self) -> datetime | None:
        moments = (
            self.coming[-1][0] if self.coming else None, self._next_planning(), self._next_due(),
        )  # fmt: skip
        return min((one for one in moments if one is not None), default=None)

    def _next_due(self) -> datetime | None:
        with self.database.reading_rows() as session:
            return session.scalar(_first_due)

    def _next_planning(self) -> datetime | None:
        with self.database.reading_rows() as session:
            opens = session.scalar(_first_unplanned)
        return None if opens is None else opens - reminders.HORIZON

    def _enrol(self, n: int) -> None:
        """Take in a person with a phone that shows reminders and an e-mail address, whose later
        anchors are known from the start."""
        now, definition = self.clock(), self.study.definition
        site = definition.sites[(n - 1) % len(definition.sites)]
        number = f"{site.code}-{n:03}"
        language = self.languages[(n - 1) % len(self.languages)]
        with self.database.writing() as session:
            participant = enrolment.add_participant(
                session, self.study, site.code, number, language, now
            )
            device = Device(
                participant_id=participant.id, token_hash=number, created_at=now, used_at=now
            )
            session.add(device)
            session.flush()
            vault = self.office.vault
            endpoint = f"https://updates.push.services.mozilla.com/{n}"
            session.add(
                Subscription(
                    participant_id=participant.id,
                    device_id=device.id,
                    endpoint_hash=number,
                    host="updates.push.services.mozilla.com",
                    secret=vault.lock(subscription_text(PushSubscription(endpoint, "", ""))),
                    vapid_key="simulation",
                    state="active",
                    created_at=now,
                    seen_at=now,
                )
            )
            email = vault.lock(f"person-{n}@example.org")
            session.add(Contact(participant_id=participant.id, email=email, created_at=now))
            session.flush()
            day = now.astimezone(self.zone).date()
            for anchor in definition.anchors:
                if anchor.code != ENROLMENT:
                    day += BETWEEN_ANCHORS
                    scheduling.set_anchor(
                        session,
                        self.study,
                        self.library.instruments,
                        participant.id,
                        anchor.code,
                        day,
                        now,
                    )

    def result(self) -> Simulated:
        """What the record holds at the end."""
        with self.database.reading() as session:
            found = [*self._windows(session), *self._reminders(session)]
            sent = session.scalars(sa.select(Message.accepted_at).order_by(Message.accepted_at))
            messages = Counter(_minute(at) for at in sent if at is not None)
        found.sort(key=_order)
        reminded = Counter(
            _minute(one.at)
            for one in found
            if one.what == "reminder" and one.channel != Channel.COORDINATOR
        )
        busiest = max(messages, key=lambda at: (messages[at], -at.timestamp()), default=None)
        return Simulated(
            self.zone,
            tuple(found),
            messages.total(),
            None if busiest is None else Busiest(busiest, messages[busiest], reminded[busiest]),
        )

    def _windows(self, session: Session) -> Iterator[Happening]:
        rows = session.execute(
            sa.select(
                Participant.number,
                Assessment.timepoint,
                Assessment.occurrence,
                Assessment.instrument,
                Assessment.opens_at,
                Assessment.closes_at,
            )
            .join(Participant, Participant.id == Assessment.participant_id)
            .where(Assessment.cancelled_at.is_(None))
        )
        for number, timepoint, occurrence, instrument, opens_at, closes_at in rows:
            whose = (number, _name(timepoint, occurrence), instrument)
            for what, at in (("opens", opens_at), ("closes", closes_at)):
                if self.begin <= at < self.end:
                    yield Happening(at, what, *whose)

    def _reminders(self, session: Session) -> Iterator[Happening]:
        rows = session.execute(
            sa.select(
                Reminder.sent_at,
                Participant.number,
                Assessment.timepoint,
                Assessment.occurrence,
                Assessment.instrument,
                Reminder.step,
                Reminder.channel,
            )
            .join(Assessment, Assessment.id == Reminder.assessment_id)
            .join(Participant, Participant.id == Reminder.participant_id)
            .where(Reminder.state.in_(("sent", "listed")), Reminder.sent_at.is_not(None))
        )
        for at, number, timepoint, occurrence, *rest in rows:
            assert at is not None  # noqa: S101 (see the query)
            yield Happening(at, "reminder", number, _name(timepoint, occurrence), *rest)


def _name(timepoint: str, occurrence: int) -> str:
    """A timepoint's code; a repeated one's with its count from the second on."""
    return timepoint if occurrence == 1 else f"{timepoint}/{occurrence}"


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


_WHATS = ("closes", "opens", "reminder")  # of one moment, in this order


def _order(one: Happening) -> tuple[Any, ...]:
    return (
        one.at, _WHATS.index(one.what), one.participant, one.timepoint, one.instrument, one.step,
        one.channel,
    )  # fmt: skip


_first_due = sa.select(sa.func.min(Reminder.due_at, type_=Reminder.due_at.type)).where(
    Reminder.state == "planned"
)
_first_unplanned = sa.select(
    sa.func.min(Assessment.opens_at, type_=Assessment.opens_at.type)
).where(Assessment.planned_at.is_(None), Assessment.cancelled_at.is_(None))
