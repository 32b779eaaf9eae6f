"""A trial's post office with a recorder on each way out, and the questions that tests ask of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

import sqlalchemy as sa

from pro_app.models import Alarm, Message, Reminder, Subscription
from pro_app.services import reach, reachability, reminders, sending
from pro_app.services.outgoing import Tally
from pro_app.services.post_office import PostOffice
from pro_app.services.reachability import Call, Reachability
from tests.conftest import Enrolled
from tests.services.trial import Letterbox, Recorder, Trial, office, set_email, subscribe

GOOGLE = "fcm.googleapis.com"
MOZILLA = "updates.push.services.mozilla.com"
APPLE = "web.push.apple.com"
Told = dict[tuple[str, str], set[tuple[str, str | None]]]


@dataclass
class Mailroom:
    """The worker's side of a trial."""

    trial: Trial
    phones: Recorder = field(default_factory=Recorder)
    letters: Letterbox = field(default_factory=Letterbox)
    numbers: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.office: PostOffice = office(self.trial, self.phones, self.letters)

    def person(
        self,
        *hosts: str,
        email: str = "",
        language: str = "en",
        minute: int | None = None,
        on: date | None = None,
    ) -> Enrolled:
        """Enrol somebody with a phone at each of these push services, and an e-mail address."""
        person = self.trial.enrol(f"01-{next(self.numbers):03}", language, on)
        for host in hosts:
            self.phone(person, host)
        if email:
            set_email(self.trial, person, email)
        if minute is not None:
            self.choose_hour(person, minute)
        return person

    def due_now(self, *hosts: str, closes: timedelta = timedelta(days=3)) -> Enrolled:
        """Somebody long in the trial, for whom a questionnaire opens at this moment."""
        person = self.person(*hosts, on=date(2026, 10, 1))
        self.trial.open(person, "unscheduled", opens=timedelta(0), closes=closes)
        return person

    def phone(self, person: Enrolled, host: str = GOOGLE) -> int:
        """One more device of a person, with reminders turned on: its id."""
        code = self.trial.new_code(person)
        device_id = self.trial.join(replace(person, code=code))
        endpoint = f"https://{host}/{person.number}/{device_id}"
        subscribe(self.trial, person, device_id, endpoint)
        return device_id

    def choose_hour(self, person: Enrolled, minute: int | None) -> None:
        """The person chooses when reminders come."""
        with self.trial.database.writing() as session:
            reminders.choose_hour(
                session, self.trial.study, person.id, minute, "participant", self.trial.clock()
            )

    def pause(self, person: Enrolled) -> None:
        """The site stops a person's reminders."""
        with self.trial.database.writing() as session:
            reminders.pause(session, person.id, self.trial.clock())

    def resume(self, person: Enrolled) -> None:
        """The site starts them again."""
        with self.trial.database.writing() as session:
            reminders.resume(session, self.trial.study, person.id, self.trial.clock())

    def tick(self) -> Tally:
        """What a worker does each minute."""
        self.trial.plan()
        return sending.drain(self.office)

    def at(self, moment: datetime) -> Tally:
        """A tick at a moment."""
        self.trial.clock.now = moment
        return self.tick()

    def after(self, **parts: float) -> Tally:
        """A tick so much later: `after(days=1)`."""
        return self.at(self.trial.clock.now + timedelta(**parts))

    def told(self, person: Enrolled) -> Told:
        """By step and channel, states and reasons of a person's reminders."""
        found: Told = {}
        for one in self.trial.reminders(person):
            found.setdefault((one.step, one.channel), set()).add((one.state, one.reason))
        return found

    def due(self, person: Enrolled, step: str, channel: str = "push") -> set[datetime]:
        """When a step's reminders are due."""
        rows = self.trial.reminders(person)
        return {one.due_at for one in rows if (one.step, one.channel) == (step, channel)}

    def endpoints(self, person: Enrolled) -> list[Subscription]:
        """A person's subscriptions."""
        query = sa.select(Subscription).where(Subscription.participant_id == person.id)
        with self.trial.database.reading() as session:
            return list(session.scalars(query.order_by(Subscription.id)))

    def messages(self, person: Enrolled) -> list[Message]:
        """A person's messages."""
        query = sa.select(Message).where(Message.participant_id == person.id)
        with self.trial.database.reading() as session:
            return list(session.scalars(query.order_by(Message.id)))

    def open_message(self, person: Enrolled) -> None:
        """The person taps the newest message."""
        public_id = self.messages(person)[-1].public_id
        with self.trial.database.writing() as session:
            assert reach.opened(session, public_id, person.id, self.trial.clock())

    def reachability(self, person: Enrolled) -> Reachability:
        """What is known of how to reach a person."""
        with self.trial.database.reading() as session:
            return reachability.reachability(session, person.id, self.trial.clock())

    def calls(self) -> list[Call]:
        """The site's list of people to call."""
        study = self.trial.study
        with self.trial.database.reading() as session:
            return reachability.calls(session, study, self.trial.clock())

    def alarms(self) -> dict[tuple[str, str], int]:
        """How often each open alarm came."""
        with self.trial.database.reading() as session:
            found = session.scalars(sa.select(Alarm).where(Alarm.cleared_at.is_(None)))
            return {(one.code, one.detail): one.count for one in found}

    def waiting(self) -> int:
        """How many reminders are due and unsent."""
        query = sa.select(sa.func.count()).where(
            Reminder.state == "planned", Reminder.due_at <= self.trial.clock()
        )
        with self.trial.database.reading() as session:
            return session.scalar(query) or 0


def notification(payload: bytes) -> dict[str, Any]:
    """What a push shows."""
    found: dict[str, Any] = json.loads(payload)["notification"]
    return found
