"""Sending what is due: each step once, to who still has something to answer, and at its hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pro_app.core.library import Library
from pro_app.delivery import Accepted, Gone, Outcome, Push, Retry
from pro_app.models import Database
from pro_app.services import reach, sending
from pro_app.services.outgoing import Tally
from pro_app.services.recheck import look_again
from tests.conftest import MORNING, Enrolled, TestClock
from tests.services.mailroom import APPLE, GOOGLE, MOZILLA, Mailroom, notification
from tests.services.trial import PUBLIC_URL, Letterbox, Trial, load_trial, local, office

DAY = timedelta(days=1)
SENT = {("sent", None)}
PLANNED = {("planned", None)}
LANGUAGES = ("ms", "en", "zh_Hans", "ta")


@pytest.fixture
def mailroom(trial: Trial) -> Mailroom:
    return Mailroom(trial)


# --- what goes, and how often -------------------------------------------------------------------


def test_a_due_step_goes_once_in_the_persons_language(mailroom: Mailroom) -> None:
    people = [mailroom.person(GOOGLE, language=language) for language in LANGUAGES]
    assert mailroom.tick() == Tally(sent=8), "two questionnaires each"
    shown = [notification(push.payload) for push in mailroom.phones.sent]
    assert [one["lang"] for one in shown] == ["ms", "en", "zh-Hans", "ta"]
    assert len({one["title"] for one in shown}) == 4
    assert shown[1]["title"] == "Some questions are waiting for you"
    assert shown[1]["body"] == "2 sets are open, the first until Sunday, 6 December."
    messages = [mailroom.messages(person)[0] for person in people]
    assert [one["navigate"] for one in shown] == [
        f"{PUBLIC_URL}/r/{message.public_id}" for message in messages
    ]
    assert all(message.accepted_at == MORNING for message in messages)
    assert {push.ttl for push in mailroom.phones.sent} == {3 * 24 * 3600}
    assert {push.urgency for push in mailroom.phones.sent} == {"normal"}
    assert len({push.topic for push in mailroom.phones.sent}) == 4
    assert mailroom.tick() == Tally()
    assert mailroom.after(hours=3) == Tally()
    assert len(mailroom.phones.sent) == 4


def test_a_later_push_has_the_same_topic_and_takes_the_place_of_the_first(
    mailroom: Mailroom,
) -> None:
    person = mailroom.person(GOOGLE)
    for _ in range(3):
        mailroom.tick()
        mailroom.trial.clock.forward(days=1)
    first, second = mailroom.phones.sent
    assert first.topic == second.topic
    assert notification(first.payload)["tag"] == notification(second.payload)["tag"]
    assert (first.urgency, second.urgency) == ("normal", "high"), "the step `again` is urgent"
    assert len({message.public_id for message in mailroom.messages(person)}) == 2


def test_near_its_closing_a_push_is_urgent_and_lives_no_longer_than_that(
    mailroom: Mailroom,
) -> None:
    mailroom.trial.clock.forward(days=30)
    person = mailroom.trial.enrol(on=date(2026, 11, 23))
    mailroom.phone(person)
    mailroom.trial.open(person, "unscheduled", closes=timedelta(hours=2))
    mailroom.tick()
    (push,) = mailroom.phones.sent
    assert (push.ttl, push.urgency) == (7200, "high")


def test_two_open_questionnaires_are_one_push(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE)
    mailroom.tick()
    (message,) = mailroom.messages(person)
    rows = mailroom.trial.reminders(person, "sent")
    assert [(one.step, one.message_id) for one in rows] == [("opening", message.id)] * 2
    mailroom.trial.complete(person, "baseline", "sf36v1")
    mailroom.after(days=2)
    shown = notification(mailroom.phones.sent[-1].payload)
    assert shown["body"] == "Please answer by Sunday, 6 December. It takes a few minutes."
    assert shown["app_badge"] == 1


def test_one_message_a_day_and_no_letter_on_the_day_of_a_push(mailroom: Mailroom) -> None:
    """The worker slept through the first day, so that push and letter are due together."""
    person = mailroom.person(GOOGLE, email="a@example.org")
    went = []
    for _ in range(5):
        mailroom.after(days=1)
        mailroom.after(minutes=1)
        went.append((len(mailroom.phones.sent), len(mailroom.letters.sent)))
        mailroom.trial.clock.forward(minutes=-1)
    assert went == [(1, 0), (2, 0), (2, 1), (2, 1), (2, 1)]
    assert mailroom.told(person)["letter", "email"] == SENT


def test_a_questionnaire_that_opens_after_todays_push_waits_for_tomorrow(
    mailroom: Mailroom,
) -> None:
    person = mailroom.person(GOOGLE)
    mailroom.tick()
    mailroom.trial.clock.forward(hours=2)
    mailroom.trial.open(person, "unscheduled", opens=timedelta(0))
    mailroom.after(minutes=1)
    mailroom.after(hours=1)
    assert len(mailroom.phones.sent) == 1
    mailroom.at(MORNING + DAY)
    assert len(mailroom.phones.sent) == 2
    assert notification(mailroom.phones.sent[-1].payload)["app_badge"] == 4


def test_a_letter_says_the_same_and_leads_to_the_front_door(mailroom: Mailroom) -> None:
    mailroom.person(email="a@example.org")
    mailroom.tick()
    (letter,) = mailroom.letters.sent
    assert letter.to == "a@example.org"
    assert letter.subject == "Some questions are waiting for you"
    assert letter.text.startswith("2 sets are open, the first until Sunday, 6 December.")
    assert f"\n{PUBLIC_URL}/\n" in letter.text
    assert "/r/" not in letter.text


# --- hours --------------------------------------------------------------------------------------


def test_in_quiet_hours_nothing_goes_and_all_wait_for_their_hour(mailroom: Mailroom) -> None:
    usual = mailroom.person(GOOGLE)
    evening = mailroom.person(MOZILLA, minute=18 * 60)
    for hour in (20, 23):
        mailroom.at(local(2026, 11, 23, hour))
    mailroom.at(local(2026, 11, 24, 5))
    assert mailroom.phones.sent == []
    assert mailroom.told(usual)["opening", "push"] == {("planned", "quiet_hours")}
    assert mailroom.due(usual, "opening") == {local(2026, 11, 24, 9)}
    assert mailroom.due(evening, "opening") == {local(2026, 11, 24, 18)}
    mailroom.at(local(2026, 11, 24, 9))
    mailroom.at(local(2026, 11, 24, 18))
    assert [push.key[0] for push in mailroom.phones.sent] == [
        mailroom.messages(usual)[0].public_id,
        mailroom.messages(evening)[0].public_id,
    ]


@pytest.mark.parametrize("first", [date(2026, 10, 21), date(2027, 3, 24)])
def test_over_a_change_of_the_clocks_it_is_nine_every_day(
    sqlite_url: str, library: Library, clock: TestClock, first: date
) -> None:
    """Berlin, where the clocks change on 25 October 2026 and 28 March 2027: the worker looks
    every hour through nine days, each with a push of its own."""
    database = Database(sqlite_url)
    berlin = ZoneInfo("Europe/Berlin")
    clock.now = datetime(first.year, first.month, first.day, 7, tzinfo=berlin)

    def daily(content: dict[str, Any]) -> None:
        content["zone"] = "Europe/Berlin"
        content["reminders"]["steps"] = [
            {"code": f"day_{n}", "channel": "push", "after_days": n} for n in range(9)
        ]

    mailroom = Mailroom(load_trial(database, library, clock, daily))
    went: list[datetime] = []

    def note(_push: Push) -> Outcome:
        went.append(clock.now.astimezone(berlin).replace(tzinfo=None))
        return Accepted(201)

    mailroom.phones.answer = note
    mailroom.person(GOOGLE)
    for _ in range(9 * 24):
        mailroom.after(hours=1)
    database.close()
    nine = datetime(first.year, first.month, first.day, 9)  # noqa: DTZ001 (Berlin's clocks)
    assert went == [nine + n * DAY for n in range(9)]


def test_a_day_is_that_of_the_persons_own_study(mailroom: Mailroom) -> None:
    """What another study's reminder in the same batch calls today was yesterday here."""

    def elsewhere(content: dict[str, Any]) -> None:
        content.update(code="other", zone="America/New_York")

    person = mailroom.person(GOOGLE, email="a@example.org")
    mailroom.tick()
    mailroom.after(days=1)
    trial = mailroom.trial
    other = Mailroom(load_trial(trial.database, trial.library, trial.clock, elsewhere))
    other.person(GOOGLE, on=date(2026, 11, 22))
    mailroom.at(MORNING + 2 * DAY)
    assert mailroom.told(person)["again", "push"] == SENT


# --- the ladder ---------------------------------------------------------------------------------


def test_without_a_phone_the_letter_goes_in_the_same_minute(mailroom: Mailroom) -> None:
    person = mailroom.person(email="a@example.org")
    assert mailroom.tick() == Tally(failed=2, sent=2)
    assert len(mailroom.letters.sent) == 1
    told = mailroom.told(person)
    assert told["opening", "push"] == {("failed", "no_subscription")}
    assert told["opening", "email"] == SENT
    assert mailroom.calls() == []


@pytest.mark.parametrize("mail", [True, False])
def test_who_cannot_be_reached_is_on_the_list_of_calls_in_the_same_minute(
    trial: Trial, mail: bool
) -> None:
    mailroom = Mailroom(trial)
    mailroom.office = office(trial, mailroom.phones, Letterbox() if mail else None)
    person = mailroom.person(email="" if mail else "a@example.org")
    assert mailroom.tick() == Tally(failed=4, listed=2)
    told = mailroom.told(person)
    assert told["opening", "push"] == {("failed", "no_subscription")}
    assert told["opening", "email"] == {("failed", "no_address" if mail else "no_mail_server")}
    assert told["opening", "coordinator"] == {("listed", None)}
    calls = mailroom.calls()
    assert [(one.number, one.instrument) for one in calls] == [
        ("01-001", "lupusqol"),
        ("01-001", "sf36v1"),
    ]
    assert calls[0].reachability.push == "no_phone"
    trial.complete(person, "baseline")
    assert mailroom.calls() == []


@pytest.mark.parametrize("status", [404, 410])
def test_a_phone_that_is_gone_is_dead_at_once_and_the_letter_goes_the_same_day(
    mailroom: Mailroom, status: int
) -> None:
    person = mailroom.person(GOOGLE, email="a@example.org")
    mailroom.phones.answer = Gone(status)
    mailroom.tick()
    assert (len(mailroom.phones.sent), len(mailroom.letters.sent)) == (1, 1)
    assert [one.state for one in mailroom.endpoints(person)] == ["gone"]
    told = mailroom.told(person)
    assert told["opening", "push"] == {("failed", "gone")}
    assert told["opening", "email"] == SENT
    assert mailroom.reachability(person).push == "lost"
    mailroom.after(days=2)
    assert len(mailroom.phones.sent) == 1, "nothing more goes to a dead subscription"
    assert mailroom.told(person)["again", "push"] == {("failed", "no_subscription")}


def test_a_phone_that_comes_back_is_reached_again(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE)
    mailroom.phones.answer = Gone(410)
    mailroom.tick()
    mailroom.phones.answer = Accepted(201)
    mailroom.phone(person)
    assert mailroom.reachability(person).push == "on"
    mailroom.after(days=2)
    assert len(mailroom.phones.sent) == 2
    assert mailroom.told(person)["again", "push"] == SENT


@pytest.mark.parametrize("opened", [True, False])
def test_the_letter_goes_unless_the_push_was_opened(mailroom: Mailroom, opened: bool) -> None:
    person = mailroom.person(GOOGLE, email="a@example.org")
    mailroom.tick()
    if opened:
        mailroom.open_message(person)
    mailroom.after(days=1)
    assert len(mailroom.letters.sent) == (0 if opened else 1)
    expected = {("cancelled", "opened")} if opened else SENT
    assert mailroom.told(person)["letter", "email"] == expected


# --- what ends it -------------------------------------------------------------------------------


ENDS: dict[str, Callable[[Mailroom, Enrolled], object]] = {
    "completed": lambda mailroom, person: mailroom.trial.complete(person, "baseline"),
    "withdrawn": lambda mailroom, person: mailroom.trial.withdraw(person),
    "died": lambda mailroom, person: mailroom.trial.record_death(person),
    "paused": lambda mailroom, person: mailroom.pause(person),
}


def people_of_ends(mailroom: Mailroom) -> dict[str, Enrolled]:
    """A person for each way in which it ends."""
    return {end: mailroom.person(GOOGLE, email="a@example.org") for end in ENDS}


def test_what_ends_it_cancels_everything_at_once(mailroom: Mailroom) -> None:
    people = people_of_ends(mailroom)
    for end, person in people.items():
        ENDS[end](mailroom, person)
        told = {(one.state, one.reason) for one in mailroom.trial.reminders(person)}
        assert told == {("cancelled", end)}
    for _ in range(8):
        assert mailroom.tick() == Tally()
        mailroom.trial.clock.forward(days=1)
    assert mailroom.phones.sent == mailroom.letters.sent == []


def test_what_ends_it_while_a_worker_holds_the_rows_is_seen(mailroom: Mailroom) -> None:
    people = people_of_ends(mailroom)
    claimed = sending.claim(mailroom.office)
    assert len(claimed.ids) == 8
    for end, person in people.items():
        ENDS[end](mailroom, person)
    work = look_again(mailroom.office, claimed)
    assert (work.pushes, work.outgoing, work.tally) == ([], [], Tally())
    assert {one.state for one in mailroom.trial.reminders()} == {"cancelled"}


def test_what_ends_it_while_the_message_is_on_its_way_ends_all_others(mailroom: Mailroom) -> None:
    """In the seconds between looking again and sending nothing can call a message back: it goes,
    the record says so, and it is the last one."""
    people = people_of_ends(mailroom)

    def meanwhile(_push: Push) -> Outcome:
        end, person = waiting.pop()
        ENDS[end](mailroom, person)
        return Accepted(201)

    waiting = list(people.items())
    mailroom.phones.answer = meanwhile
    mailroom.tick()
    for end, person in people.items():
        assert mailroom.told(person) == {
            ("opening", "push"): SENT,
            ("letter", "email"): {("cancelled", end)},
            ("again", "push"): {("cancelled", end)},
            ("call", "coordinator"): {("cancelled", end)},
        }
    for _ in range(8):
        mailroom.after(days=1)
    assert (len(mailroom.phones.sent), len(mailroom.letters.sent)) == (4, 0)


def test_an_assessment_that_the_schedule_takes_back_is_not_reminded_of(
    mailroom: Mailroom,
) -> None:
    person = mailroom.trial.enrol(on=date(2026, 10, 20))
    mailroom.phone(person)
    mailroom.trial.infuse(person, date(2026, 10, 26))
    claimed = sending.claim(mailroom.office)
    assert len(claimed.ids) == 2
    mailroom.trial.infuse(person, None)
    assert look_again(mailroom.office, claimed).pushes == []
    assert {one.state for one in mailroom.trial.reminders(person)} == {"cancelled"}
    mailroom.after(days=1)
    assert mailroom.phones.sent == []


def test_after_closing_nothing_goes(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE, email="a@example.org")
    mailroom.at(local(2026, 12, 6, 23))
    assert (mailroom.phones.sent, mailroom.letters.sent, mailroom.calls()) == ([], [], [])
    assert {(one.state, one.reason) for one in mailroom.trial.reminders(person)} == {
        ("expired", "closed")
    }


def test_resumed_reminders_go_on_without_what_went_before(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE)
    mailroom.tick()
    mailroom.pause(person)
    mailroom.after(days=1)
    mailroom.resume(person)
    mailroom.tick()
    mailroom.at(MORNING + 2 * DAY)
    assert len(mailroom.phones.sent) == 2
    assert mailroom.told(person)["opening", "push"] == SENT
    assert mailroom.told(person)["again", "push"] == SENT


def test_an_hour_chosen_while_the_message_is_on_its_way_brings_no_second_one(
    mailroom: Mailroom,
) -> None:
    person = mailroom.person(GOOGLE)

    def meanwhile(_push: Push) -> Outcome:
        mailroom.choose_hour(person, 10 * 60)
        return Accepted(201)

    mailroom.phones.answer = meanwhile
    mailroom.tick()
    assert mailroom.told(person)["opening", "push"] == SENT
    mailroom.phones.answer = Accepted(201)
    for hours in (1, 24):
        mailroom.after(hours=hours)
    assert len(mailroom.phones.sent) == 1


# --- two devices --------------------------------------------------------------------------------


def test_both_devices_get_it_and_one_that_is_gone_does_not_silence_the_other(
    mailroom: Mailroom,
) -> None:
    person = mailroom.person(GOOGLE, APPLE, email="a@example.org")
    phone, tablet = mailroom.endpoints(person)
    mailroom.phones.answer = lambda push: (
        Gone(410) if push.subscription.endpoint.startswith(f"https://{GOOGLE}") else Accepted(201)
    )
    mailroom.tick()
    assert {push.key[1] for push in mailroom.phones.sent} == {phone.id, tablet.id}
    assert len({push.payload for push in mailroom.phones.sent}) == 1
    assert mailroom.told(person)["opening", "push"] == SENT
    assert [one.state for one in mailroom.endpoints(person)] == ["gone", "active"]
    assert mailroom.reachability(person).push == "on"
    assert mailroom.letters.sent == []
    mailroom.after(days=2)
    assert [push.key[1] for push in mailroom.phones.sent[2:]] == [tablet.id]


def test_turning_one_device_off_leaves_the_other_on(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE, APPLE)
    phone, tablet = mailroom.endpoints(person)
    with mailroom.trial.database.writing() as session:
        reach.unsubscribe(session, person.id, phone.device_id, MORNING)
    mailroom.tick()
    assert [push.key[1] for push in mailroom.phones.sent] == [tablet.id]
    assert mailroom.told(person)["opening", "push"] == SENT


# --- workers that sleep, clocks that jump -------------------------------------------------------


def test_after_twenty_hours_of_sleep_each_goes_once(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE)
    mailroom.after(hours=20)
    assert mailroom.phones.sent == [], "five in the morning"
    mailroom.at(MORNING + DAY)
    mailroom.after(hours=1)
    assert len(mailroom.phones.sent) == 1
    assert mailroom.told(person)["opening", "push"] == SENT


def test_after_three_days_of_sleep_only_what_still_matters_goes(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE, email="a@example.org")
    mailroom.after(days=3)
    assert (len(mailroom.phones.sent), len(mailroom.letters.sent)) == (1, 0)
    told = mailroom.told(person)
    assert told["opening", "push"] == {("cancelled", "superseded")}
    assert told["again", "push"] == SENT
    assert told["letter", "email"] == {("planned", "one_a_day")}
    for _ in range(3):
        mailroom.after(days=1)
    assert (len(mailroom.phones.sent), len(mailroom.letters.sent)) == (1, 1)


def test_a_step_that_waited_does_not_come_after_the_next_one(mailroom: Mailroom) -> None:
    person = mailroom.person(MOZILLA)
    mailroom.phones.answer = Retry(429, timedelta(hours=50), "busy")
    mailroom.tick()
    mailroom.phones.answer = Accepted(201)
    mailroom.at(MORNING + 2 * DAY)
    mailroom.after(hours=2)
    assert len(mailroom.phones.sent) == 2
    assert mailroom.told(person)["again", "push"] == SENT
    assert mailroom.told(person)["opening", "push"] == {("cancelled", "superseded")}


def test_a_clock_that_jumps_forward_and_back_sends_no_step_twice(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE, email="a@example.org")
    mailroom.tick()
    mailroom.at(MORNING + 2 * DAY)
    mailroom.at(MORNING + timedelta(minutes=1))
    for _ in range(6):
        mailroom.after(days=1)
    told = mailroom.told(person)
    assert told["opening", "push"] == told["again", "push"] == told["letter", "email"] == SENT
    assert (len(mailroom.phones.sent), len(mailroom.letters.sent)) == (2, 1)


def test_a_claim_made_under_a_clock_set_forward_does_not_last(mailroom: Mailroom) -> None:
    mailroom.person(GOOGLE)
    mailroom.trial.clock.forward(days=365)
    assert len(sending.claim(mailroom.office).ids) > 0  # and the worker dies
    mailroom.at(MORNING)
    assert len(mailroom.phones.sent) == 1


# --- no wording ---------------------------------------------------------------------------------


def without(library: Library, *lacking: tuple[str, str]) -> Library:
    """A library that lacks the wordings of some instruments in some languages."""
    wordings = {key: one for key, one in library.wordings.items() if key not in lacking}
    return replace(library, wordings=wordings)


def test_without_wording_it_is_not_sent_but_moved_and_says_why(trial: Trial) -> None:
    whole = trial.library
    trial.library = without(whole, ("lupusqol", "ta"), ("sf36v1", "ta"))
    mailroom = Mailroom(trial)
    tamil, malay = mailroom.person(GOOGLE, language="ta"), mailroom.person(GOOGLE, language="ms")
    mailroom.tick()
    assert [push.key[0] for push in mailroom.phones.sent] == [mailroom.messages(malay)[0].public_id]
    assert mailroom.told(tamil)["opening", "push"] == {("planned", "not_offered")}
    assert mailroom.due(tamil, "opening") == {MORNING + DAY}
    mailroom.office = office(replace(trial, library=whole), mailroom.phones, mailroom.letters)
    mailroom.at(MORNING + DAY)
    assert mailroom.told(tamil)["opening", "push"] == SENT


def test_what_cannot_be_shown_is_not_counted(trial: Trial) -> None:
    trial.library = without(trial.library, ("sf36v1", "en"))
    mailroom = Mailroom(trial)
    mailroom.person(GOOGLE)
    mailroom.tick()
    (push,) = mailroom.phones.sent
    assert notification(push.payload)["app_badge"] == 1
    assert notification(push.payload)["body"].startswith("Please answer by Sunday, 6 December.")


# --- two workers, step by step ------------------------------------------------------------------


def test_two_workers_with_a_reminder_each_send_the_person_one_push(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE)
    here, there = (sending.claim(mailroom.office, 1) for _ in range(2))
    first = look_again(mailroom.office, here)
    second = look_again(mailroom.office, there)
    assert (len(first.pushes), len(second.pushes)) == (1, 0)
    assert mailroom.told(person)["opening", "push"] == {
        ("planned", None),
        ("planned", "being_sent"),
    }
    sending._push(mailroom.office, here, first)
    mailroom.after(minutes=2)
    assert mailroom.told(person)["opening", "push"] == SENT
    assert len(mailroom.messages(person)) == len(mailroom.phones.sent) == 1


def test_no_worker_sends_a_letter_while_another_sends_a_push(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE, email="a@example.org")
    mailroom.trial.clock.forward(days=1)
    here, there = (sending.claim(mailroom.office, 2) for _ in range(2))
    assert len(look_again(mailroom.office, here).pushes) == 1
    assert look_again(mailroom.office, there).letters == []
    assert mailroom.told(person)["letter", "email"] == {("planned", "being_sent")}
