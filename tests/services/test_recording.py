"""What the services' answers mean: what waits, what is tried again, whom the operator hears of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.delivery import Accepted, Gone, Letter, Misconfigured, Outcome, Push, Retry
from pro_app.models import Alarm, Database, Delivery
from pro_app.services import alarms, recording, sending
from pro_app.services.outgoing import Tally
from pro_app.services.recheck import look_again
from tests.conftest import MORNING, TestClock
from tests.services.mailroom import APPLE, GOOGLE, MOZILLA, Mailroom
from tests.services.trial import Trial, load_trial, local, office, set_email

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SENT = {("sent", None)}
DOWN = Retry(503, None, "server")


@pytest.fixture
def mailroom(trial: Trial) -> Mailroom:
    return Mailroom(trial)


@pytest.fixture
def one_step(database: Database, library: Library, clock: TestClock) -> Mailroom:
    """A mailroom whose study has a push at the opening and nothing else."""

    def change(content: dict[str, Any]) -> None:
        content["reminders"]["steps"] = content["reminders"]["steps"][:1]

    return Mailroom(load_trial(database, library, clock, change))


@pytest.fixture
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance gives the longest waits that it may."""
    monkeypatch.setattr("pro_app.services.recording.secrets.randbelow", lambda below: below - 1)


def at_host(host: str, answer: Outcome) -> Callable[[Push], Outcome]:
    """One service answers so, all others accept."""
    return lambda push: answer if f"//{host}/" in push.subscription.endpoint else Accepted(201)


# --- busy services ------------------------------------------------------------------------------


def test_a_wish_to_be_left_alone_is_granted_for_everybody_there(mailroom: Mailroom) -> None:
    first = mailroom.person(MOZILLA)
    mailroom.phones.answer = at_host(MOZILLA, Retry(429, timedelta(minutes=30), "busy"))
    mailroom.tick()
    assert mailroom.told(first)["opening", "push"] == {("planned", "busy")}
    assert mailroom.due(first, "opening") == {MORNING + 30 * MINUTE}
    mailroom.trial.clock.forward(minutes=10)
    second, elsewhere = mailroom.due_now(MOZILLA), mailroom.due_now(GOOGLE)
    mailroom.phones.answer = Accepted(201)
    mailroom.tick()
    assert mailroom.told(second)["opening", "push"] == {("planned", "host_pause")}
    assert mailroom.due(second, "opening") == {MORNING + 30 * MINUTE}
    assert mailroom.told(elsewhere)["opening", "push"] == SENT
    mailroom.at(MORNING + 30 * MINUTE)
    assert mailroom.told(first)["opening", "push"] == SENT
    assert mailroom.told(second)["opening", "push"] == SENT
    assert len(mailroom.phones.sent) == 4


def test_an_earlier_wish_is_kept_though_a_message_came_through(mailroom: Mailroom) -> None:
    """Two workers: one hears 429, the other's message was accepted a moment before."""
    mailroom.person(MOZILLA)
    answers = [Accepted(201), Retry(429, timedelta(minutes=30), "busy")]
    mailroom.phones.answer = lambda _push: answers.pop()
    mailroom.tick()
    other = mailroom.person(GOOGLE, MOZILLA)
    later = mailroom.person(MOZILLA)
    mailroom.phones.answer = Accepted(201)
    mailroom.tick()
    assert mailroom.told(other)["opening", "push"] == SENT, "by the device that is not concerned"
    assert mailroom.told(later)["opening", "push"] == {("planned", "host_pause")}


def test_a_service_that_fails_five_times_is_left_alone_for_five_minutes(
    mailroom: Mailroom, longest_waits: None
) -> None:
    mailroom.phones.answer = at_host(MOZILLA, DOWN)
    for _ in range(4):
        mailroom.person(MOZILLA)
    mailroom.tick()
    mailroom.trial.clock.forward(seconds=5)
    fifth = mailroom.due_now(MOZILLA)
    mailroom.tick()
    assert mailroom.told(fifth)["opening", "push"] == {("planned", "server")}, "was still tried"
    mailroom.trial.clock.forward(seconds=5)
    sixth, elsewhere = mailroom.due_now(MOZILLA), mailroom.due_now(GOOGLE)
    mailroom.tick()
    assert mailroom.told(sixth)["opening", "push"] == {("planned", "host_pause")}
    assert mailroom.told(elsewhere)["opening", "push"] == SENT
    mailroom.phones.answer = Accepted(201)
    mailroom.after(minutes=5)
    mailroom.after(minutes=5)
    assert mailroom.told(fifth)["opening", "push"] == SENT
    assert mailroom.told(sixth)["opening", "push"] == SENT


def test_one_that_comes_through_ends_the_counting(mailroom: Mailroom, longest_waits: None) -> None:
    outcomes: list[Outcome] = [*[DOWN] * 4, Accepted(201), *[DOWN] * 4]
    mailroom.phones.answer = lambda _push: outcomes.pop()
    for _ in range(9):
        mailroom.person(MOZILLA)
    mailroom.tick()
    assert outcomes == []
    after = mailroom.person(MOZILLA)
    mailroom.phones.answer = Accepted(201)
    mailroom.tick()
    assert mailroom.told(after)["opening", "push"] == SENT


def test_waits_grow_keep_out_of_quiet_hours_and_end_at_closing(
    one_step: Mailroom, longest_waits: None
) -> None:
    mailroom = one_step
    person = mailroom.due_now(GOOGLE, closes=timedelta(hours=30))
    mailroom.phones.answer = Retry(None, None, "timeout")
    tries = [mailroom.trial.clock.now]
    while mailroom.tick().retried:
        (mailroom.trial.clock.now,) = mailroom.due(person, "opening")
        tries.append(mailroom.trial.clock.now)
    waits = [round((later - earlier) / MINUTE, 1) for earlier, later in pairwise(tries)]
    assert waits[:5] == [0.5, 2.0, 10.0, 59.9, 359.6]
    assert tries[6] == local(2026, 11, 24, 9), "and not at ten in the evening"
    assert mailroom.told(person)["opening", "push"] == {("expired", "timeout")}
    assert {one.attempts for one in mailroom.trial.reminders(person)} == {len(tries)}
    with mailroom.trial.database.reading() as session:
        found = session.scalars(sa.select(Delivery.reason)).all()
    assert list(found) == ["timeout"] * len(tries)


def test_who_chose_a_late_hour_is_not_lost_over_a_closing_before_it(one_step: Mailroom) -> None:
    """Seven in the evening, for a questionnaire that closes tomorrow at five."""
    mailroom = one_step
    mailroom.trial.clock.now = local(2026, 11, 23, 19, 50)
    person = mailroom.due_now(GOOGLE, closes=timedelta(hours=21, minutes=10))
    mailroom.choose_hour(person, 19 * 60)
    mailroom.phones.answer = Retry(429, timedelta(minutes=20), "busy")
    mailroom.tick()
    assert mailroom.due(person, "opening") == {local(2026, 11, 24, 9)}


# --- what only the operator can mend ------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_raises_an_alarm_and_costs_nobody_the_subscription(
    mailroom: Mailroom, status: int
) -> None:
    person, other = mailroom.person(APPLE), mailroom.person(APPLE, GOOGLE)
    mailroom.phones.answer = at_host(APPLE, Misconfigured(status, "authorization"))
    mailroom.tick()
    told = f"status {status} of {APPLE}: authorization"
    assert mailroom.alarms() == {("push_misconfigured", told): 2}
    assert {one.state for one in mailroom.endpoints(person)} == {"active"}
    assert mailroom.told(person)["opening", "push"] == {("planned", "misconfigured")}
    assert mailroom.told(other)["opening", "push"] == SENT
    mailroom.phones.answer = Accepted(201)
    mailroom.after(hours=1)
    assert mailroom.told(person)["opening", "push"] == SENT


def test_contact_data_of_a_lost_key_hold_nobody_else_up(trial: Trial) -> None:
    """A backup was restored beside a new secret key: the operator hears of it, others do not."""
    mailroom = Mailroom(trial)
    lost = mailroom.person(GOOGLE)
    by_mail = mailroom.person(email="a@example.org")
    mailroom.office = office(trial, mailroom.phones, mailroom.letters, secret="another" * 5)
    mailroom.tick()
    assert mailroom.alarms() == {
        ("push_misconfigured", f"no answer of {GOOGLE}: secret_key"): 1,
        ("email_misconfigured", "no answer: secret_key"): 1,
    }
    assert mailroom.told(lost)["opening", "push"] == {("planned", "misconfigured")}
    assert mailroom.told(by_mail)["opening", "email"] == {("planned", "misconfigured")}
    mailroom.office = office(trial, mailroom.phones, mailroom.letters)
    well = mailroom.person(GOOGLE)
    mailroom.after(hours=1)
    assert [mailroom.told(one)["opening", "push"] for one in (lost, well)] == [SENT, SENT]
    assert mailroom.told(by_mail)["opening", "email"] == SENT


def test_an_alarm_is_one_line_however_often_it_comes(database: Database) -> None:
    long = "x" * 300
    for n in range(3):
        with database.writing() as session:
            alarms.sound(session, "push_misconfigured", long, MORNING + n * DAY, times=2)
    with database.reading() as session:
        ((code, detail, count, first, last),) = alarms.open_ones(session)
    assert (code, detail, count) == ("push_misconfigured", "x" * 200, 6)
    assert (first, last) == (MORNING, MORNING + 2 * DAY)
    with database.writing() as session:
        alarms.clear(session, "push_misconfigured", MORNING + 3 * DAY)
        alarms.sound(session, "push_misconfigured", "again", MORNING + 4 * DAY)
    with database.reading() as session:
        assert [one.detail for one in alarms.open_ones(session)] == ["again"]
        assert session.scalar(sa.select(sa.func.count()).select_from(Alarm)) == 2


# --- letters ------------------------------------------------------------------------------------


def test_a_bad_address_is_marked_and_the_coordinator_hears_of_it(mailroom: Mailroom) -> None:
    person = mailroom.person(email="wrong@example.org")
    mailroom.letters.answer = Gone(550)
    assert mailroom.tick() == Tally(failed=4, listed=2)
    assert mailroom.told(person)["opening", "email"] == {("failed", "gone")}
    assert mailroom.told(person)["opening", "coordinator"] == {("listed", None)}
    assert mailroom.reachability(person).email == "bounced"
    mailroom.after(days=1)
    assert len(mailroom.letters.sent) == 1, "nothing more goes there"
    assert mailroom.told(person)["letter", "email"] == {("failed", "no_address")}


def test_an_address_given_while_the_letter_was_on_its_way_is_not_blamed(
    mailroom: Mailroom,
) -> None:
    person = mailroom.person(email="wrong@example.org")

    def meanwhile(_letter: Letter) -> Outcome:
        set_email(mailroom.trial, person, "right@example.org")
        return Gone(550)

    mailroom.letters.answer = meanwhile
    mailroom.tick()
    assert mailroom.reachability(person).email == "on"


def test_letters_that_a_slow_server_holds_up_wait_for_another_lease(mailroom: Mailroom) -> None:
    people = [mailroom.person(email=f"a{n}@example.org") for n in range(12)]

    def slowly(_letter: Letter) -> Outcome:
        mailroom.trial.clock.forward(seconds=5)
        return Accepted(250)

    mailroom.letters.answer = slowly
    mailroom.tick()
    assert len(mailroom.letters.sent) == 10
    mailroom.after(minutes=1)
    assert sorted(one.to for one in mailroom.letters.sent) == sorted(
        f"a{n}@example.org" for n in range(12)
    )
    assert all(mailroom.told(one)["opening", "email"] == SENT for one in people)


# --- what is not recorded -----------------------------------------------------------------------


def test_a_database_that_is_away_for_a_moment_costs_nobody_a_second_push(
    mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, failures = mailroom.person(GOOGLE), [1, 2, 3]

    def record(*given: Any) -> Tally:
        if failures:
            failures.pop()
            raise sa.exc.OperationalError("UPDATE", {}, ConnectionError())
        return recording.record(*given)

    monkeypatch.setattr(sending, "record", record)
    monkeypatch.setattr(sending, "RECORD_WAITS", (0, 0, 0))
    mailroom.tick()
    mailroom.after(minutes=2)
    assert len(mailroom.phones.sent) == 1
    assert mailroom.told(person)["opening", "push"] == SENT


def test_what_nobody_ever_records_is_sent_again_less_and_less_often(mailroom: Mailroom) -> None:
    """A fault that ends every worker between sending and recording must not ring all day."""
    person, waits = mailroom.person(GOOGLE), []
    for _ in range(5):
        assert look_again(mailroom.office, sending.claim(mailroom.office)).pushes
        (due,) = mailroom.due(person, "opening")
        waits.append((due - mailroom.trial.clock.now) / MINUTE)
        mailroom.trial.clock.now = due
    assert waits == [1.5, 1.8, 9.0, 54.0, 324.0]
