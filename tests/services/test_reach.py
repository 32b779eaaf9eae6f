"""How people can be reached: what is taken, what is forgotten, and what is known of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.core.assessment import Status
from pro_app.delivery import Accepted, Gone, Misconfigured, Outcome, Retry, Subscription
from pro_app.models import (
    Alarm,
    Contact,
    Delivery,
    Message,
    Reminder,
)
from pro_app.models import Subscription as Row
from pro_app.services import enrolment, reach, reachability, reminders, sending
from pro_app.services.post_office import Address
from pro_app.services.reach import ReachError
from pro_app.services.reachability import Call, Reachability
from tests.conftest import KEY, MORNING, Enrolled, snapshot
from tests.services.trial import (
    ENDPOINT,
    PUBLIC_URL,
    Letterbox,
    Recorder,
    Trial,
    browser,
    local,
    office,
    set_email,
    subscribe,
    subscription,
)

SECOND = "https://updates.push.services.mozilla.com/wpush/v2/x2"
EMAIL = "somebody@example.org"


def rows(trial: Trial) -> list[Row]:
    with trial.database.reading() as session:
        return list(session.scalars(sa.select(Row).order_by(Row.id)))


def living(trial: Trial, person: Enrolled) -> list[tuple[int, str]]:
    """The device and the endpoint's service of every living subscription of a person."""
    mine = [one for one in rows(trial) if one.participant_id == person.id]
    return [(one.device_id, one.host) for one in mine if one.state == "active"]


def actions(trial: Trial, person: Enrolled) -> list[tuple[str, str]]:
    """Who turned what on or off, on a participant's record."""
    about = ("subscribe", "unsubscribe", "set_email", "remove_email")
    return [(one.action, one.actor) for one in trial.entries(person, *about)]


def join_again(trial: Trial, person: Enrolled) -> int:
    """Another phone of the same person: its device's id."""
    return trial.join(replace(person, code=trial.new_code(person)))


def known(trial: Trial, person: Enrolled) -> Reachability:
    with trial.database.reading() as session:
        return reachability.reachability(session, person.id, trial.clock())


def report(trial: Trial, person: Enrolled, device: int, permission: str) -> None:
    with trial.database.writing() as session:
        reach.report(session, person.id, device, permission, False, trial.clock())


def unsubscribe(trial: Trial, person: Enrolled, device: int) -> None:
    with trial.database.writing() as session:
        reach.unsubscribe(session, person.id, device, trial.clock())


# --- subscriptions ------------------------------------------------------------------------------


def test_a_browser_is_taken_once_and_has_one_subscription(trial: Trial) -> None:
    person = trial.enrol()
    device = trial.join(person)
    subscribe(trial, person, device)
    trial.clock.forward(days=1)
    subscribe(trial, person, device)
    (row,) = rows(trial)
    assert (row.state, row.host, row.seen_at) == ("active", "fcm.googleapis.com", trial.clock())
    assert row.created_at == MORNING
    assert actions(trial, person) == [("subscribe", f"participant/device {device}")]

    subscribe(trial, person, device, SECOND)
    old, new = rows(trial)
    assert (old.state, old.secret, new.state) == ("off", b"", "active")
    assert living(trial, person) == [(device, "updates.push.services.mozilla.com")]
    subscribe(trial, person, device)  # and back to the first
    assert living(trial, person) == [(device, "fcm.googleapis.com")]
    assert len(rows(trial)) == 2
    assert len(actions(trial, person)) == 3
    assert trial.faults() == []


def test_a_shared_phone_belongs_to_whoever_turned_reminders_on_last(trial: Trial) -> None:
    first, second = trial.enrol("01-001"), trial.enrol("01-002")
    devices = trial.join(first), trial.join(second)
    subscribe(trial, first, devices[0])
    phone = Recorder()
    assert reach.send_test(office(trial, phone), first.id, devices[0], "en") == "accepted"
    subscribe(trial, second, devices[1])
    assert living(trial, first) == []
    assert living(trial, second) == [(devices[1], "fcm.googleapis.com")]
    assert known(trial, first).push == "off"
    with trial.database.reading() as session:
        assert reach.phone(session, first.id, devices[0]).subscribed is None
        assert reach.phone(session, second.id, devices[1]).accepted_at is None
    assert actions(trial, first)[-1] == ("unsubscribe", "system")
    assert "01-002" not in str([vars(one) for one in trial.entries(first)])
    sending.drain(office(trial, phone))
    assert len(phone.sent) == 2  # the test, and a reminder for the second person alone
    assert trial.faults() == []


def test_five_phones_at_most(trial: Trial) -> None:
    person = trial.enrol()
    devices = [trial.join(person), *(join_again(trial, person) for _ in range(5))]
    for n, device in enumerate(devices):
        trial.clock.forward(minutes=1)
        subscribe(trial, person, device, f"{ENDPOINT}{n}")
    assert [device for device, _ in living(trial, person)] == devices[1:]
    unsubscribe(trial, person, devices[1])
    assert [device for device, _ in living(trial, person)] == devices[2:]
    subscribe(trial, person, devices[0], f"{ENDPOINT}0")
    assert {device for device, _ in living(trial, person)} == {devices[0], *devices[2:]}


def test_what_is_no_subscription_is_refused_by_name(trial: Trial) -> None:
    person = trial.enrol()
    device = trial.join(person)
    before = snapshot(trial.database)
    good = subscription()
    cases = [
        (replace(good, endpoint="https://example.org/push"), "endpoint_host"),
        (replace(good, endpoint="https://fcm.googleapis.com.example.org/x"), "endpoint_host"),
        (replace(good, endpoint="http://fcm.googleapis.com/x"), "endpoint_shape"),
        (replace(good, endpoint="https://10.0.0.1/x"), "endpoint_shape"),
        (replace(good, endpoint=f"{ENDPOINT}{'x' * 1024}"), "endpoint_long"),
        (replace(good, p256dh=browser().auth), "p256dh"),
        (replace(good, auth=""), "auth"),
    ]
    for given, code in cases:
        with trial.database.writing() as session, pytest.raises(ReachError) as told:
            reach.subscribe(session, office(trial), person.id, device, given, trial.clock())
        assert told.value.code == code
    assert snapshot(trial.database) == before


def test_turning_reminders_off_forgets_where_they_went(trial: Trial) -> None:
    person = trial.enrol()
    phone, tablet = trial.join(person), join_again(trial, person)
    subscribe(trial, person, phone)
    subscribe(trial, person, tablet, SECOND)
    unsubscribe(trial, person, phone)
    unsubscribe(trial, person, phone)
    assert [(one.state, bool(one.secret)) for one in rows(trial)] == [
        ("off", False),
        ("active", True),
    ]
    assert known(trial, person).push == "on"
    unsubscribe(trial, person, tablet)
    assert known(trial, person).push == "off"
    assert [one for one, _ in actions(trial, person)] == ["subscribe"] * 2 + ["unsubscribe"] * 2


def test_who_takes_part_no_more_is_forgotten(trial: Trial) -> None:
    gone, dead, other = people = [trial.enrol(f"01-00{n}") for n in (1, 2, 3)]
    for n, one in enumerate(people):
        subscribe(trial, one, trial.join(one), f"{ENDPOINT}{n}")
        set_email(trial, one, EMAIL)
    trial.withdraw(gone)
    trial.record_death(dead)
    assert [(one.state, bool(one.secret)) for one in rows(trial)] == [
        ("off", False),
        ("off", False),
        ("active", True),
    ]
    with trial.database.reading() as session:
        assert session.scalars(sa.select(Contact.participant_id)).all() == [other.id]
        assert reach.email_of(session, office(trial), gone.id) is None
    for one in (gone, dead):
        assert known(trial, one) == Reachability("no_phone", "none", False, None, None, None)
    assert known(trial, other).reachable


def test_nothing_readable_lies_in_the_database(trial: Trial) -> None:
    person = trial.enrol()
    device = trial.join(person)
    subscribe(trial, person, device)
    set_email(trial, person, EMAIL, device)
    sending.drain(office(trial))
    reach.send_test(office(trial), person.id, device, "en")
    secrets = [ENDPOINT, ENDPOINT.rpartition("/")[2] * 2, browser().public_key, browser().auth]
    secrets += [EMAIL, EMAIL.partition("@")[0]]
    kept = b"\n".join(
        value if isinstance(value, bytes) else str(value).encode()
        for table in snapshot(trial.database).values()
        for row in table
        for value in row
    )
    file = trial.database.engine.url.database
    if trial.database.engine.dialect.name == "sqlite" and file is not None:
        kept += b"".join(one.read_bytes() for one in Path(file).parent.glob("pro_app.sqlite3*"))
    assert b"fcm.googleapis.com" in kept  # which service, but not whose phone
    for secret in secrets:
        assert secret.encode() not in kept


# --- e-mail -------------------------------------------------------------------------------------


def test_an_address_is_set_changed_and_removed(trial: Trial) -> None:
    person = trial.enrol()
    device = trial.join(person)
    for text in ("somebody", "some body@example.org", "a@b", "850101-14-5678@example.org"):
        with pytest.raises(ReachError) as told:
            set_email(trial, person, text)
        assert told.value.code == "email"
    set_email(trial, person, "")
    assert known(trial, person).email == "none"
    set_email(trial, person, f"  {EMAIL} ", device)
    set_email(trial, person, EMAIL, device)
    assert known(trial, person).email == "on"
    with trial.database.writing() as session:
        assert reach.email_of(session, office(trial), person.id) == EMAIL
        session.execute(sa.update(Contact).values(bounced_at=trial.clock()))
    assert (known(trial, person).email, known(trial, person).reachable) == ("bounced", False)
    set_email(trial, person, EMAIL)  # it was right after all
    assert (known(trial, person).email, known(trial, person).reachable) == ("on", True)
    set_email(trial, person, "other@example.org")
    with trial.database.reading() as session:
        assert reach.email_of(session, office(trial), person.id) == "other@example.org"
        assert reach.has_email(session, person.id)
    set_email(trial, person, " ")
    assert known(trial, person).email == "none"
    assert actions(trial, person) == [
        ("set_email", f"participant/device {device}"),
        ("set_email", "site"),
        ("set_email", "site"),
        ("remove_email", "site"),
    ]
    assert trial.faults() == []


def test_a_new_secret_key_opens_what_the_old_one_locked(trial: Trial) -> None:
    person = trial.enrol()
    subscribe(trial, person, trial.join(person))
    set_email(trial, person, EMAIL)
    new = "another-secret-key-of-the-tests"
    phone, letters = Recorder(), Letterbox()
    rotated = office(trial, phone, letters, secret=new, previous=(KEY,))
    with trial.database.writing() as session:
        assert reach.email_of(session, rotated, person.id) == EMAIL
        with pytest.raises(LookupError):
            reach.email_of(session, office(trial, secret=new), person.id)
        reach.set_email(session, rotated, person.id, None, "other@example.org", trial.clock())
        with pytest.raises(LookupError):
            reach.email_of(session, office(trial), person.id)
    sending.drain(rotated)
    assert [one.subscription for one in phone.sent] == [subscription()]


# --- the test that a person asks for ------------------------------------------------------------


def test_a_test_tells_what_the_push_service_said(trial: Trial) -> None:
    cases: list[tuple[Outcome | None, str]] = [
        (Accepted(201), "accepted"),
        (Gone(410), "gone"),
        (Retry(503, None, "server"), "retry"),
        (None, "retry"),
        (Misconfigured(403, "authorization"), "misconfigured"),
    ]
    for n, (answer, told) in enumerate(cases, 1):
        person = trial.enrol(f"01-00{n}", "ta")
        device = trial.join(person)
        subscribe(trial, person, device, f"{ENDPOINT}{n}")
        phone = Recorder(lambda _push, answer=answer: answer)  # type: ignore[misc]
        post = office(trial, phone)
        assert reach.send_test(post, person.id, device, "ta") == told
        (push,) = phone.sent
        message = json.loads(push.payload)["notification"]
        assert (message["lang"], message["title"]) == ("ta", post.notices.test("ta").title)
        assert message["navigate"] == f"{PUBLIC_URL}/r/{push.key[0]}"
        assert push.ttl == 600
        assert known(trial, person).push == ("lost" if told == "gone" else "on")
        assert known(trial, person).accepted_at == (MORNING if told == "accepted" else None)
    with trial.database.reading() as session:
        outcomes = session.scalars(sa.select(Delivery.outcome).order_by(Delivery.id)).all()
        assert outcomes == [told for _, told in cases]
        assert set(session.scalars(sa.select(Message.day))) == {None}
        assert session.scalars(sa.select(Alarm.code)).all() == ["push_misconfigured"]


def test_a_test_waits_half_a_minute_for_the_next(trial: Trial) -> None:
    person, other = trial.enrol("01-001"), trial.enrol("01-002")
    device, theirs = trial.join(person), trial.join(other)
    phone = Recorder()
    post = office(trial, phone)
    assert reach.send_test(post, person.id, device, "en") == "none"
    subscribe(trial, person, device)
    subscribe(trial, other, theirs, SECOND)
    assert reach.send_test(post, person.id, theirs, "en") == "none"
    assert reach.send_test(post, person.id, device, "en") == "accepted"
    trial.clock.forward(seconds=29)
    assert reach.send_test(post, person.id, device, "en") == "wait"
    assert reach.send_test(post, other.id, theirs, "en") == "accepted"
    trial.clock.forward(seconds=1)
    assert reach.send_test(post, person.id, device, "en") == "accepted"
    assert len(phone.sent) == 3
    sending.drain(post)  # tests take nobody's reminder of the day away
    assert len(phone.sent) == 5


def test_a_phone_turned_off_during_its_test_stays_off(trial: Trial) -> None:
    person = trial.enrol()
    device = trial.join(person)
    subscribe(trial, person, device)

    def in_that_moment(_push: Any) -> Outcome:
        unsubscribe(trial, person, device)
        return Gone(410)

    assert (
        reach.send_test(office(trial, Recorder(in_that_moment)), person.id, device, "en") == "gone"
    )
    assert known(trial, person).push == "off"


# --- what is known ------------------------------------------------------------------------------


def test_reachability_says_what_is_known(trial: Trial) -> None:
    person = trial.enrol()

    def push() -> str:
        return known(trial, person).push

    nothing = Reachability("no_phone", "none", False, None, None, None)
    assert known(trial, person) == nothing
    phone = trial.join(person)
    assert push() == "off"
    said = {"default": "off", "install": "not_installed", "unsupported": "unsupported"}
    for permission, state in {**said, "denied": "denied", "granted": "off"}.items():
        report(trial, person, phone, permission)
        assert (permission, push()) == (permission, state)
    with pytest.raises(ReachError), trial.database.writing() as session:
        reach.report(session, person.id, phone, "maybe", False, trial.clock())
    subscribe(trial, person, phone)
    assert known(trial, person) == replace(nothing, push="on")
    assert known(trial, person).reachable

    recorder = Recorder()
    sending.drain(office(trial, recorder))
    message = recorder.sent[0].key[0]
    told = known(trial, person)
    assert (told.accepted_at, told.shown_at, told.opened_at) == (MORNING, None, None)
    trial.clock.forward(minutes=1)
    with trial.database.writing() as session:
        reach.shown(session, message, person.id, trial.clock())
    trial.clock.forward(minutes=1)
    with trial.database.writing() as session:
        assert reach.opened(session, message, person.id, trial.clock())
    told = known(trial, person)
    assert told.shown_at == MORNING + timedelta(minutes=1)
    assert told.opened_at == MORNING + timedelta(minutes=2)

    report(trial, person, phone, "denied")  # what the person said is surer than what was
    assert push() == "denied"
    report(trial, person, phone, "granted")
    subscribe(trial, person, phone)
    trial.clock.now = local(2026, 11, 25, 9)
    sending.drain(office(trial, Recorder(Gone(410))))
    assert push() == "lost"
    assert not known(trial, person).reachable
    with trial.database.reading() as session:
        found = reach.phone(session, person.id, phone)
        assert (found.subscribed, found.lost, found.permission) == (None, True, "granted")
    subscribe(trial, person, phone)  # the next opening of the app
    assert (push(), len(rows(trial))) == ("on", 1)

    with trial.database.writing() as session:
        reminders.pause(session, person.id, trial.clock())
    assert (known(trial, person).paused, known(trial, person).reachable) == (True, False)
    with trial.database.writing() as session:
        enrolment.issue_code(session, person.id, KEY, trial.clock(), phone_lost=True)
    assert push() == "no_phone"
    assert trial.faults() == []


def test_only_its_own_person_has_shown_or_opened_a_message(trial: Trial) -> None:
    person, other = trial.enrol("01-001"), trial.enrol("01-002")
    subscribe(trial, person, trial.join(person))
    recorder = Recorder()
    sending.drain(office(trial, recorder))
    message = recorder.sent[0].key[0]
    for minutes in (1, 2):  # the first time counts
        trial.clock.now = MORNING + timedelta(minutes=minutes)
        with trial.database.writing() as session:
            now = trial.clock()
            reach.shown(session, message, other.id, now - timedelta(seconds=30))
            reach.shown(session, message, person.id, now)
            reach.shown(session, "unknown", person.id, now)
            assert not reach.opened(session, message, other.id, now)
            assert not reach.opened(session, "unknown", person.id, now)
            assert reach.opened(session, message, person.id, now)
            assert reach.told_of(session, message, other.id) == []
            told = reach.told_of(session, message, person.id)
            assert [one.instrument for one in told] == ["lupusqol", "sf36v1"]
            assert not reach.is_test(session, message)
    first = MORNING + timedelta(minutes=1)
    assert (known(trial, person).shown_at, known(trial, person).opened_at) == (first, first)
    assert known(trial, other).shown_at is None


def test_the_list_of_people_to_call(trial: Trial) -> None:
    people = [trial.enrol(f"01-00{n}") for n in (3, 1, 2, 4, 5)]
    third, first, second, done, gone = people
    with trial.database.writing() as session:
        session.execute(
            sa.update(Reminder)
            .where(Reminder.step == "call", Reminder.participant_id != second.id)
            .values(state="listed", sent_at=local(2026, 11, 29, 9))
        )
    trial.clock.now = local(2026, 11, 30, 9)
    trial.complete(done, "baseline")
    trial.complete(first, "baseline", "lupusqol")
    trial.begin(first, "baseline", "sf36v1")
    trial.withdraw(gone)

    def calls() -> list[Call]:
        with trial.database.reading() as session:
            return reachability.calls(session, trial.study, trial.clock())

    found = calls()
    assert [(one.number, one.instrument, one.status) for one in found] == [
        ("01-001", "sf36v1", Status.IN_PROGRESS),
        ("01-003", "lupusqol", Status.OPEN),
        ("01-003", "sf36v1", Status.OPEN),
    ]
    assert {(one.timepoint, one.occurrence) for one in found} == {("baseline", 1)}
    assert {one.since for one in found} == {local(2026, 11, 29, 9)}
    assert {one.closes_at for one in found} == {local(2026, 12, 6, 23)}
    assert {one.reachability.push for one in found} == {"no_phone"}
    trial.record_death(third)
    assert {one.number for one in calls()} == {"01-001"}
    trial.clock.now = local(2026, 12, 6, 23)
    assert calls() == []


def test_an_address_of_a_push_is_what_the_browser_gave(trial: Trial) -> None:
    person = trial.enrol()
    subscribe(trial, person, trial.join(person))
    (row,) = rows(trial)
    post = office(trial)
    words = post.notices.test("en")
    address = Address(row.id, row.host, row.secret)
    (push,) = post.pushes("id", person.id, [address], words, "zh_Hans", timedelta(days=9))
    assert push.subscription == Subscription(ENDPOINT, browser().public_key, browser().auth)
    assert push.ttl == 3 * 24 * 3600
    assert json.loads(push.payload)["notification"]["lang"] == "zh-Hans"
