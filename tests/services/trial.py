"""A trial with a calendar and reminders, the hands of its site, and a post office that records.

`trial` in conftest.py is a `Trial` whose study is `tests/trial.toml`. `office(trial)` hands
messages to a `Recorder` and a `Letterbox`, which keep them and answer as told:

    phone = Recorder()
    phone.answer = Gone(410)                      # or a function of the push
    post = office(trial, phone)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import EllipsisType
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from pro_app.config import ROOT
from pro_app.core.assessment import Status
from pro_app.core.library import Library
from pro_app.core.schedule import Window
from pro_app.core.study import LANGUAGES
from pro_app.core.study_file import read_study_file
from pro_app.delivery import (
    Accepted,
    Hosts,
    Letter,
    MailWay,
    Outcome,
    Post,
    Push,
    PushWay,
    Subscription,
)
from pro_app.delivery.vapid import VapidKey
from pro_app.models import Assessment, AuditEntry, Database, Participant, Reminder
from pro_app.services import assessments, audit, enrolment, reach, reminders, schedule, studies
from pro_app.services.assessments import Known
from pro_app.services.audit import Fault
from pro_app.services.notices import Notices
from pro_app.services.post_office import PostOffice
from pro_app.services.reminders import Planning
from pro_app.services.schedule import Diff
from pro_app.services.vault import Vault
from tests.conftest import KEY, VAPID_KEY, Enrolled, Site, TestClock
from tests.delivery.subscriber import Subscriber

ZONE = ZoneInfo("Asia/Kuala_Lumpur")
ENDPOINT = "https://fcm.googleapis.com/x1"
PUBLIC_URL = "https://answers.example.org"
TRIAL = Path(__file__).parents[1] / "trial.toml"
Key = tuple[str, int, str]  # timepoint, occurrence, instrument


# --- the site's hands ---------------------------------------------------------------------------


@dataclass
class Trial(Site):
    """A `Site` of the trial: the hands that set dates, plan reminders and look at both."""

    content: dict[str, Any] = field(default_factory=dict)

    def enrol(
        self, number: str = "01-001", language: str = "en", on: date | None = None
    ) -> Enrolled:
        """Enrol, `on` an earlier day if entered afterwards, and make a code."""
        with self.database.writing() as session:
            found = enrolment.add_participant(
                session, self.study, number[:2], number, language, self.clock(), on
            )
            code = enrolment.issue_code(session, found.id, KEY, self.clock())
            return Enrolled(found.id, number, language, code)

    def infuse(self, person: Enrolled, day: date | None, anchor: str = "infusion") -> Diff:
        """Set, correct or take back the day of the infusion, or of another anchor."""
        with self.database.writing() as session:
            return schedule.set_anchor(
                session,
                self.study,
                self.library.instruments,
                person.id,
                anchor,
                day,
                self.clock(),
            )

    def preview(self, person: Enrolled, day: date | None, anchor: str = "infusion") -> Diff:
        """What `infuse` would change."""
        with self.database.reading() as session:
            return schedule.preview(
                session, self.study, self.library.instruments, person.id, anchor, day
            )

    def plan(self) -> Planning:
        """Run the planner."""
        return reminders.plan(self.database, self.library, self.clock())

    def amend(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Load a new version of the study: `change` alters the study file's content."""
        self.content = copy.deepcopy(self.content)
        change(self.content)
        with self.database.writing() as session:
            self.study = studies.load(session, self.library, self.content, self.clock())

    def withdraw(self, person: Enrolled) -> None:
        """The participant withdraws."""
        with self.database.writing() as session:
            enrolment.withdraw(session, person.id, self.clock())

    def record_death(self, person: Enrolled) -> None:
        """The participant has died."""
        with self.database.writing() as session:
            enrolment.record_death(session, person.id, self.clock())

    def readmit(self, person: Enrolled) -> None:
        """The participant takes part again."""
        with self.database.writing() as session:
            enrolment.readmit(session, person.id, self.clock())

    def row(self, person: Enrolled) -> Participant:
        """The participant's row."""
        with self.database.reading() as session:
            return session.get_one(Participant, person.id)

    def assessments(self, person: Enrolled) -> dict[Key, Assessment]:
        """All assessments, also cancelled ones, by opening time and place."""
        with self.database.reading() as session:
            rows = session.scalars(
                sa.select(Assessment)
                .where(Assessment.participant_id == person.id)
                .order_by(Assessment.opens_at, Assessment.place)
            ).all()
            return {(one.timepoint, one.occurrence, one.instrument): one for one in rows}

    def windows(self, person: Enrolled) -> dict[Key, Window]:
        """The windows of all assessments that were not cancelled."""
        return {
            key: Window(one.opens_at, one.due_at, one.closes_at)
            for key, one in self.assessments(person).items()
            if one.cancelled_at is None
        }

    def all_known(self, person: Enrolled) -> dict[Key, Known]:
        """What the record knows of each of a person's assessments."""
        with self.database.reading() as session:
            found = assessments.of_participant(session, person.id)
        return {(one.timepoint, one.occurrence, one.instrument): one for one in found}

    def statuses(self, person: Enrolled) -> dict[Key, tuple[Status, str | None]]:
        """Every assessment's status at this moment, and why it is missed or not expected."""
        grace = self.study.definition.grace
        found = self.all_known(person)
        states = {key: one.status(self.clock(), grace) for key, one in found.items()}
        return {
            key: (state, assessments.remark_on(found[key], state)) for key, state in states.items()
        }

    def begin(self, person: Enrolled, timepoint: str, instrument: str = "lupusqol") -> Assessment:
        """Answer the first question of a questionnaire."""
        assessment = self.assessments(person)[timepoint, 1, instrument]
        first = self.library.instruments[instrument].items[0]
        self.answer(assessment, {first.code: first.options.codes[0]})
        return assessment

    def complete(
        self, person: Enrolled, timepoint: str, *instruments: str, occurrence: int = 1
    ) -> list[Assessment]:
        """Answer and submit a timepoint's questionnaires, or the named ones."""
        done = []
        for instrument in instruments or ("lupusqol", "sf36v1"):
            assessment = self.assessments(person)[timepoint, occurrence, instrument]
            self.answer_all(assessment)
            self.submit(assessment)
            done.append(assessment)
        return done

    def reminders(self, person: Enrolled | None = None, state: str | None = None) -> list[Reminder]:
        """The reminders of a person, or of everybody, in the order in which they are due."""
        query = sa.select(Reminder).order_by(Reminder.due_at, Reminder.id)
        if person is not None:
            query = query.where(Reminder.participant_id == person.id)
        if state is not None:
            query = query.where(Reminder.state == state)
        with self.database.reading() as session:
            return list(session.scalars(query))

    def entries(self, person: Enrolled, *actions: str) -> list[AuditEntry]:
        """A participant's record; of some actions alone if they are named."""
        query = sa.select(AuditEntry).where(
            AuditEntry.stream == audit.participant_stream(person.id)
        )
        if actions:
            query = query.where(AuditEntry.action.in_(actions))
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(AuditEntry.seq)))

    def faults(self) -> list[Fault]:
        """What the trail shows to be wrong: nothing, always."""
        with self.database.reading() as session:
            return list(audit.verify(session))


def load_trial(
    database: Database,
    library: Library,
    clock: TestClock,
    change: Callable[[dict[str, Any]], object] | None = None,
) -> Trial:
    """Load `tests/trial.toml`, altered by `change`, at this moment."""
    content = trial_content(library)
    if change is not None:
        change(content)
    with database.writing() as session:
        study = studies.load(session, library, content, clock())
    return Trial(database, library, study, clock, content)


_read: list[dict[str, Any]] = []


def trial_content(library: Library) -> dict[str, Any]:
    """The content of `tests/trial.toml`, to be altered at will."""
    if not _read:
        _read.append(read_study_file(TRIAL, library.instruments))
    return copy.deepcopy(_read[0])


def timepoint(content: Mapping[str, Any], code: str) -> dict[str, Any]:
    """A timepoint's table in a study file's content."""
    found: dict[str, Any] = next(one for one in content["timepoints"] if one["code"] == code)
    return found


# --- the post office ----------------------------------------------------------------------------


class Recorder:
    """Stands where the browsers' push services are: keeps pushes and answers as told.

    `answer` is an outcome for all, or a function of the push. None leaves it unanswered, as if
    the connection hung.
    """

    def __init__(self, answer: Outcome | Callable[[Push], Outcome | None] = Accepted(201)) -> None:  # noqa: B008 (it never changes)
        self.sent: list[Push] = []
        self.answer = answer

    def send(self, pushes: Iterable[Push]) -> Iterator[tuple[Any, Outcome]]:
        """Send all."""
        for push in pushes:
            self.sent.append(push)
            answer = self.answer(push) if callable(self.answer) else self.answer
            if answer is not None:
                yield push.key, answer


class Letterbox:
    """Stands where the mail server is: a `Recorder` of letters."""

    def __init__(
        self,
        answer: Outcome | Callable[[Letter], Outcome | None] = Accepted(250),  # noqa: B008 (it never changes)
    ) -> None:
        self.sent: list[Letter] = []
        self.answer = answer

    def send(self, letters: Iterable[Letter]) -> Iterator[tuple[Any, Outcome]]:
        """Send all."""
        for letter in letters:
            self.sent.append(letter)
            answer = self.answer(letter) if callable(self.answer) else self.answer
            if answer is not None:
                yield letter.key, answer


def office(
    site: Site,
    push: PushWay | None = None,
    mail: MailWay | EllipsisType | None = ...,
    *,
    secret: str = KEY,
    previous: tuple[str, ...] = (),
) -> PostOffice:
    """A post office on the site's database and clock, by default with a `Recorder` and a
    `Letterbox` (`office(site).post.push.sent`); `mail=None` has no mail server."""
    return PostOffice(
        database=site.database,
        library=site.library,
        post=Post(push or Recorder(), Letterbox() if isinstance(mail, EllipsisType) else mail),
        vault=Vault(secret, previous),
        notices=_notices(),
        hosts=Hosts(),
        public_url=PUBLIC_URL,
        application_key=_vapid_key().public_key,
        key_id=_vapid_key().key_id,
        clock=site.clock,
    )


@cache
def _notices() -> Notices:
    return Notices(ROOT / "translations", LANGUAGES)


@cache
def _vapid_key() -> VapidKey:
    return VapidKey.read(VAPID_KEY)


@cache
def browser() -> Subscriber:
    """A browser's side of web push, with real keys."""
    return Subscriber()


def subscription(endpoint: str = ENDPOINT) -> Subscription:
    """What a browser gives to be reached by: real keys."""
    return browser().subscription(endpoint)


def subscribe(site: Site, person: Enrolled, device_id: int, endpoint: str = ENDPOINT) -> None:
    """Turn reminders on for a device of a person."""
    with site.database.writing() as session:
        reach.subscribe(
            session, office(site), person.id, device_id, subscription(endpoint), site.clock()
        )


def set_email(site: Site, person: Enrolled, text: str, device_id: int | None = None) -> None:
    """Give, change or (with an empty text) remove the e-mail address."""
    with site.database.writing() as session:
        reach.set_email(session, office(site), person.id, device_id, text, site.clock())


def local(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    """A moment by the clocks of Kuala Lumpur."""
    return datetime(year, month, day, hour, minute, tzinfo=ZONE)
