"""The participant's reminders: this phone, hour, e-mail, calendar, what a tap opens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from icalendar import Calendar

from pro_app.core.library import Library
from pro_app.delivery import Accepted, Gone, Misconfigured, Outcome, Post, Retry
from pro_app.models import (
    AuditEntry,
    CodeRequest,
    Database,
    Device,
    Message,
    Reminder,
    Subscription,
)
from pro_app.services import reach, reachability, sending
from pro_app.services.reach import Phone
from pro_app.web.house import House
from tests.conftest import PIN, Enrolled, TestClock, make_app, snapshot
from tests.pages import LANGUAGES, Browser, Page
from tests.services.trial import Letterbox, Recorder, Trial, load_trial, local, subscription
from tests.web.test_languages import translations

ENDPOINT = "https://fcm.googleapis.com/fcm/send/secret-of-this-phone"
HERE = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Rig:
    """The application on a trial, its pushes and letters kept, and a person's joined phone."""

    app: Flask
    trial: Trial
    pushes: Recorder
    letters: Letterbox
    person: Enrolled
    phone: Browser

    @property
    def device(self) -> int:
        """The phone's device."""
        with self.trial.database.reading() as session:
            found = session.scalars(
                sa.select(Device.id).where(Device.participant_id == self.person.id)
            )
            return next(iter(found))

    def known(self) -> Phone:
        """What the record knows of the phone."""
        with self.trial.database.reading() as session:
            return reach.phone(session, self.person.id, self.device)

    def push_state(self) -> str:
        """What the site sees."""
        with self.trial.database.reading() as session:
            return reachability.reachability(session, self.person.id, self.trial.clock()).push

    def turn_on(self, endpoint: str = ENDPOINT) -> None:
        """As the page's script does, after the browser's question was answered."""
        self.phone.get("/reminders/")
        self.phone.send("/reminders/report", {"permission": "granted", "installed": False})
        answer = self.phone.send("/reminders/subscription", browser_json(endpoint))
        assert answer.status_code == 200

    def remind(self) -> str:
        """Send what is due: the address that a tap opens."""
        self.trial.plan()
        before = len(self.pushes.sent)
        sending.drain(self.app.extensions["pro_app"].post_office)
        (push,) = self.pushes.sent[before:]
        address = json.loads(push.payload)["notification"]["navigate"]
        return str(address).removeprefix("http://localhost")

    def message(self, tap: str) -> Message:
        """The message behind an address."""
        with self.trial.database.reading() as session:
            public_id = tap.removeprefix("/r/")
            return session.scalars(sa.select(Message).where(Message.public_id == public_id)).one()


def browser_json(endpoint: str = ENDPOINT) -> dict[str, Any]:
    """What `PushSubscription.toJSON` gives."""
    given = subscription(endpoint)
    keys = {"p256dh": given.p256dh, "auth": given.auth}
    return {"endpoint": given.endpoint, "expirationTime": None, "keys": keys}


@pytest.fixture
def trial(sqlite_url: str, library: Library, clock: TestClock) -> Iterator[Trial]:
    database = Database(sqlite_url)
    yield load_trial(database, library, clock)
    database.close()


@pytest.fixture
def rig(trial: Trial, sqlite_url: str, clock: TestClock) -> Iterator[Rig]:
    app = make_app(sqlite_url, clock)
    pushes, letters = Recorder(), Letterbox()
    equip(app, Post(pushes, letters))
    person = trial.enrol()
    phone = Browser(app)
    phone.join(person)
    yield Rig(app, trial, pushes, letters, person, phone)
    app.extensions["pro_app"].database.close()


def equip(app: Flask, post: Post) -> None:
    """Give the application other ways out of the house."""
    house: House = app.extensions["pro_app"]
    app.extensions["pro_app"] = replace(house, post_office=replace(house.post_office, post=post))


def shown(page: Page) -> str:
    """The part about this phone that is not hidden."""
    parts = [one for _, one in page.tags if "data-state" in one]
    (found,) = [str(one["data-state"]) for one in parts if "hidden" not in one]
    assert len(parts) == 7
    return found


def facts(page: Page) -> dict[str, str | None]:
    """What the page's script is told."""
    (place,) = [one for _, one in page.tags if "data-reminders" in one]
    return {name[5:]: value for name, value in place.items() if name.startswith("data-")}


def links(page: Page) -> list[str]:
    return [str(one.get("href")) for one in page.all("a")]


# --- the page, and what it knows of this phone --------------------------------------------------


def test_the_page_explains_before_anybody_is_asked(rig: Rig) -> None:
    page = rig.phone.get("/reminders/")
    assert shown(page) == "off"
    assert "Some questions are waiting for you" in page.text
    assert "Please answer by Thursday, 26 November." in page.text
    assert "Nobody who sees your phone learns anything." in page.text
    (button,) = [one for one in page.all("button") if "data-turn-on" in one][:1]
    assert "hidden" in button, "it needs JavaScript, which shows it"
    assert "<noscript>" in page.text


@pytest.mark.parametrize(
    ("permission", "state"),
    [
        ("default", "off"),
        ("granted", "off"),
        ("denied", "denied"),
        ("unsupported", "unsupported"),
        ("install", "install"),
    ],
)
def test_what_the_browser_says_is_kept_and_shown(rig: Rig, permission: str, state: str) -> None:
    rig.phone.get("/reminders/")
    answer = rig.phone.send("/reminders/report", {"permission": permission, "installed": True})
    assert answer.json == {"taken": True}
    page = rig.phone.get("/reminders/")
    assert shown(page) == state
    known = facts(page)
    assert (known["permission"], known["installed"]) == (permission, "yes")
    names = {"install": "not_installed", "default": "off", "granted": "off"}
    assert rig.push_state() == names.get(permission, permission), "the site sees the reason"


@pytest.mark.parametrize("body", [{}, [], {"permission": "maybe"}, {"permission": None}, "x"])
def test_what_no_browser_says_is_refused(rig: Rig, body: Any) -> None:
    rig.phone.get("/reminders/")
    before = snapshot(rig.trial.database)
    assert rig.phone.send("/reminders/report", body).status_code == 422
    assert snapshot(rig.trial.database) == before


def test_reminders_are_turned_on_and_off(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    rig.turn_on()
    page = rig.phone.get("/reminders/")
    assert shown(page) == "on"
    assert "Monday, 23 Nov 2026" in page.text
    assert facts(page)["subscribed"] == reach.endpoint_hash(ENDPOINT)
    assert rig.push_state() == "on"
    kept = str(snapshot(rig.trial.database))
    assert "secret-of-this-phone" not in kept + caplog.text + page.text, "it is personal data"
    page = rig.phone.post("/reminders/off")
    assert "Reminders on this phone are off." in page.text
    assert shown(page) == "off"
    assert facts(page)["wanted"] == "", "the script takes the browser's own part back"
    assert rig.push_state() == "off"
    assert "Reminders on this phone are off." not in rig.phone.get("/reminders/").text
    with rig.trial.database.reading() as session:
        assert session.scalars(sa.select(Subscription.secret)).all() == [b""]
        actions = session.scalars(sa.select(AuditEntry.action)).all()
    assert {"subscribe", "unsubscribe"} <= set(actions)


def test_a_subscription_sent_twice_is_one(rig: Rig) -> None:
    for _ in range(2):
        rig.turn_on()
    rig.turn_on(f"{ENDPOINT}-made-anew")
    with rig.trial.database.reading() as session:
        states = session.scalars(sa.select(Subscription.state).order_by(Subscription.id)).all()
    assert states == ["off", "active"], "the phone has one, its newest"


BROKEN: tuple[Any, ...] = (
    [], "x", 7, {}, {"endpoint": ENDPOINT}, {"endpoint": ENDPOINT, "keys": []},
    {"endpoint": 7, "keys": {"p256dh": "x", "auth": "y"}},
    {"endpoint": "https://evil.example/x", "keys": browser_json()["keys"]},
    {"endpoint": "http://127.0.0.1/x", "keys": browser_json()["keys"]},
    {"endpoint": "https://10.0.0.7/x", "keys": browser_json()["keys"]},
    {"endpoint": ENDPOINT + "x" * 1000, "keys": browser_json()["keys"]},
    {"endpoint": ENDPOINT, "keys": {"p256dh": "AAAA", "auth": browser_json()["keys"]["auth"]}},
    {"endpoint": ENDPOINT, "keys": {"p256dh": browser_json()["keys"]["p256dh"], "auth": "AA"}},
)  # fmt: skip


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_subscription_is_refused(rig: Rig, body: Any) -> None:
    rig.phone.get("/reminders/")
    before = snapshot(rig.trial.database)
    answer = rig.phone.send("/reminders/subscription", body)
    assert answer.status_code == 422
    assert set(answer.json or ()) == {"error"}
    assert snapshot(rig.trial.database) == before


def test_a_browser_that_changes_hands_reminds_its_new_owner_alone(rig: Rig) -> None:
    rig.turn_on()
    other = rig.trial.enrol("01-002")
    phone = Browser(rig.app)
    phone.join(other)
    phone.get("/reminders/")
    phone.send("/reminders/subscription", browser_json())
    assert shown(phone.get("/reminders/")) == "on"
    assert shown(rig.phone.get("/reminders/")) == "off"


def test_a_lost_phone_is_told_so(rig: Rig) -> None:
    rig.turn_on()
    rig.pushes.answer = Gone(410)
    rig.phone.get("/reminders/")
    page = rig.phone.post("/reminders/test")
    assert "This phone cannot be reached any more." in page.text
    assert shown(page) == "lost"
    assert (facts(page)["wanted"], facts(page)["subscribed"]) == ("yes", "")
    assert "lost – please turn on again" in rig.phone.get("/today").text
    rig.turn_on(f"{ENDPOINT}-made-anew")
    assert shown(rig.phone.get("/reminders/")) == "on"


def test_taking_the_permission_away_ends_the_subscription(rig: Rig) -> None:
    """The site must not read `on` of a phone that shows nothing."""
    rig.turn_on()
    rig.phone.send("/reminders/report", {"permission": "denied", "installed": False})
    assert rig.push_state() == "denied"
    page = rig.phone.get("/reminders/")
    assert shown(page) == "denied"
    assert facts(page)["wanted"] == "yes", "allowed again, it comes back by itself"
    rig.phone.send("/reminders/report", {"permission": "granted", "installed": False})
    assert rig.push_state() == "lost"
    assert shown(rig.phone.get("/reminders/")) == "lost"


def test_a_subscription_with_another_key_counts_as_none(rig: Rig) -> None:
    rig.turn_on()
    with rig.trial.database.writing() as session:
        session.execute(sa.update(Subscription).values(vapid_key="an-older-key"))
    for path in ("/reminders/", "/today"):
        known = facts(rig.phone.get(path))
        assert (known["wanted"], known["subscribed"]) == ("yes", "")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Accepted(201), "The test is on its way."),
        (Gone(404), "This phone cannot be reached any more."),
        (Retry(503, None, "server"), "The message service is busy."),
        (Misconfigured(403, "authorization"), "The test could not be sent. The fault is ours."),
    ],
)
def test_the_test_says_what_became_of_it(rig: Rig, answer: Outcome, words: str) -> None:
    rig.turn_on()
    rig.pushes.answer = answer
    rig.phone.get("/reminders/")
    page = rig.phone.post("/reminders/test")
    assert words in page.text
    assert ("Error: " in page.text) is (not isinstance(answer, Accepted))
    assert words not in rig.phone.get("/reminders/").text, "it is said once"


def test_a_second_test_at_once_and_a_test_of_nothing(rig: Rig) -> None:
    rig.phone.get("/reminders/")
    page = rig.phone.post("/reminders/test")
    assert "Please turn them on first." in page.text
    rig.turn_on()
    rig.phone.post("/reminders/test")
    assert "Please wait half a minute." in rig.phone.post("/reminders/test").text
    rig.trial.clock.forward(seconds=31)
    assert "The test is on its way." in rig.phone.post("/reminders/test").text
    assert len(rig.pushes.sent) == 2


def test_the_person_sees_what_was_sent_and_opened_last(rig: Rig) -> None:
    rig.turn_on()
    rig.phone.get("/reminders/")
    page = rig.phone.post("/reminders/test")
    assert "Last one sent" in page.text
    assert "Last one opened" not in page.text
    tap = json.loads(rig.pushes.sent[0].payload)["notification"]["navigate"]
    page = rig.phone.get(str(tap).removeprefix("http://localhost"))
    assert rig.phone.path == "/reminders/"
    assert "The test has reached you." in page.text
    assert "Last one opened" in page.text


def test_a_code_for_another_browser_is_made_by_the_person(rig: Rig) -> None:
    page = rig.phone.get("/reminders/")
    assert [one["href"] for one in page.all("a")].count("/phone/code") == 2
    page = rig.phone.get("/phone/code")
    page = rig.phone.post("/phone/code")
    assert page.all("strong")[-1] == {"lang": "zxx", "data-code": None}
    with rig.trial.database.reading() as session:
        assert session.scalars(sa.select(CodeRequest.participant_id)).all() == []


def test_a_phone_that_is_not_ones_own_is_never_reminded(rig: Rig) -> None:
    rig.phone.get("/reminders/")
    with rig.trial.database.writing() as session:
        session.execute(sa.update(Device).values(shared=True))
    answer = rig.phone.send("/reminders/subscription", browser_json())
    assert (answer.status_code, answer.json) == (422, {"error": "shared"})
    rig.phone.get("/reminders/")
    assert rig.phone.path == "/phone/"


# --- the worker's own requests ------------------------------------------------------------------


def renewal(rig: Rig, endpoint: str, **headers: str) -> int:
    """The worker sends the subscription that the browser made by itself."""
    return rig.phone.client.post(
        "/reminders/renewal", json=browser_json(endpoint), headers=headers or HERE
    ).status_code


def test_a_locked_phone_renews_its_subscription(rig: Rig) -> None:
    rig.turn_on()
    rig.phone.post("/lock")
    assert renewal(rig, f"{ENDPOINT}-next") == 200
    assert rig.known().subscribed == reach.endpoint_hash(f"{ENDPOINT}-next")


def test_a_lost_phone_comes_back_by_itself(rig: Rig) -> None:
    rig.turn_on()
    with rig.trial.database.writing() as session:
        session.execute(sa.update(Subscription).values(state="gone"))
    assert renewal(rig, f"{ENDPOINT}-next") == 200
    assert rig.push_state() == "on"


def test_renewing_turns_nothing_on_that_was_off(rig: Rig) -> None:
    assert renewal(rig, ENDPOINT) == 422
    rig.turn_on()
    rig.phone.post("/reminders/off")
    assert renewal(rig, ENDPOINT) == 422
    assert rig.push_state() == "off"


def test_another_site_renews_nothing(rig: Rig) -> None:
    rig.turn_on()
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert renewal(rig, f"{ENDPOINT}-evil", **headers) == 400
    assert rig.known().subscribed == reach.endpoint_hash(ENDPOINT)


def test_the_worker_notes_what_was_shown_and_tapped(rig: Rig) -> None:
    rig.turn_on()
    tap = rig.remind()
    rig.phone.post("/lock")
    assert rig.phone.client.post(f"{tap}/shown", headers=HERE).status_code == 204
    assert rig.message(tap).shown_at == rig.trial.clock()
    assert rig.message(tap).opened_at is None
    assert rig.phone.client.post(f"{tap}/opened", headers=HERE).status_code == 204
    assert rig.message(tap).opened_at == rig.trial.clock()
    assert rig.phone.client.post(f"{tap}/other", headers=HERE).status_code == 404


def test_nobody_notes_anything_of_other_peoples_messages(rig: Rig) -> None:
    rig.turn_on()
    tap = rig.remind()
    phone = Browser(rig.app)
    phone.join(rig.trial.enrol("01-002"))
    for what in ("shown", "opened"):
        for path in (tap, "/r/none-at-all"):
            assert phone.client.post(f"{path}/{what}", headers=HERE).status_code == 204
    assert (rig.message(tap).shown_at, rig.message(tap).opened_at) == (None, None)


# --- Today --------------------------------------------------------------------------------------


def invites(page: Page) -> bool:
    """Whether Today asks, prominently."""
    return bool(page.tags_of("invitation"))


def test_today_asks_until_the_phone_has_decided(rig: Rig) -> None:
    page = rig.phone.get("/today")
    assert invites(page)
    assert page.text.index('class="card"') < page.text.index("invitation"), "questions come first"
    for permission in ("default", "install"):
        rig.phone.send("/reminders/report", {"permission": permission, "installed": False})
        assert invites(rig.phone.get("/today"))
    for permission in ("unsupported", "denied", "granted"):
        rig.phone.send("/reminders/report", {"permission": permission, "installed": False})
        page = rig.phone.get("/today")
        assert not invites(page)
        assert ">off</a>" in page.text
    rig.turn_on()
    page = rig.phone.get("/today")
    assert not invites(page)
    assert ">on this phone</a>" in page.text


def test_not_now_is_an_answer_of_this_phone_alone(rig: Rig) -> None:
    rig.phone.get("/reminders/")
    page = rig.phone.post("/reminders/later")
    assert rig.phone.path == "/today"
    assert not invites(page)
    assert "Not now" not in rig.phone.get("/reminders/").text
    other = Browser(rig.app)
    code = rig.trial.new_code(rig.person)
    other.join(rig.person, code)
    assert invites(other.get("/today"))


def test_an_e_mail_address_is_an_answer(rig: Rig) -> None:
    rig.phone.get("/reminders/")
    rig.phone.post("/reminders/email", email="me@example.org")
    page = rig.phone.get("/today")
    assert not invites(page)
    assert ">by e-mail</a>" in page.text


def test_today_tells_the_script_what_is_open(rig: Rig) -> None:
    assert facts(rig.phone.get("/today"))["open"] == "2"
    rig.trial.complete(rig.person, "baseline")
    known = facts(rig.phone.get("/today"))
    assert known["open"] == "0"
    assert known["key"] == rig.app.extensions["pro_app"].post_office.application_key
    assert known["language"] == "en"


def test_a_study_without_reminders_offers_none(rig: Rig) -> None:
    rig.trial.amend(lambda content: content.pop("reminders"))
    page = rig.phone.get("/today")
    assert not invites(page)
    assert "/reminders/" not in links(page)


# --- hour, e-mail, calendar: plain forms --------------------------------------------------------


def test_the_hour_is_chosen_among_the_studys(rig: Rig) -> None:
    page = rig.phone.get("/reminders/")
    options = [str(one["value"]) for one in page.all("option")]
    assert options == ["", *(str(hour * 60) for hour in range(8, 20))]
    assert "09:00 (usual)" in page.text
    assert "(time in Kuala Lumpur)" in page.text
    rig.trial.clock.now = local(2026, 11, 23, 8, 30)
    page = rig.phone.post("/reminders/hour", hour="1140")
    assert "The time is saved." in page.text
    (chosen,) = [one["value"] for one in page.all("option") if "selected" in one]
    assert chosen == "1140"
    rig.trial.plan()
    due = [one.due_at for one in rig.trial.reminders(rig.person, "planned")]
    assert due[0] == local(2026, 11, 23, 19, 0), "what was planned moves there"
    page = rig.phone.post("/reminders/hour", hour="")
    assert [one for one in page.all("option") if "selected" in one] == []


@pytest.mark.parametrize("hour", ["420", "1200", "541", "x", "-60", "540 "])
def test_an_hour_that_is_none_changes_nothing(rig: Rig, hour: str) -> None:
    rig.phone.get("/reminders/")
    before = snapshot(rig.trial.database)
    page = rig.phone.post("/reminders/hour", status=422, hour=hour)
    assert "Please choose one of the times." in page.text
    assert "<title>Error: " in page.text
    assert snapshot(rig.trial.database) == before


def test_an_e_mail_address_is_kept_locked_away(rig: Rig) -> None:
    rig.phone.get("/reminders/")
    page = rig.phone.post("/reminders/email", email=" siti@example.org ")
    assert "Your e-mail address is saved." in page.text
    (field,) = [one for one in page.all("input") if one.get("id") == "email"]
    assert field["value"] == "siti@example.org"
    assert "siti@example.org" not in str(snapshot(rig.trial.database))
    page = rig.phone.post("/reminders/email", email="siti@example.org", action="remove")
    assert "Your e-mail address is removed." in page.text
    (field,) = [one for one in page.all("input") if one.get("id") == "email"]
    assert field["value"] == ""


@pytest.mark.parametrize(
    "typed", ["siti", "siti@", "siti@example", "a b@example.org", "900101-14-5678@example.org"]
)
def test_a_wrong_e_mail_address_is_told_and_stays_to_be_mended(rig: Rig, typed: str) -> None:
    rig.phone.get("/reminders/")
    before = snapshot(rig.trial.database)
    page = rig.phone.post("/reminders/email", status=422, email=typed)
    assert page.text.count("This is not an e-mail address.") == 2, "on top and at the field"
    (field,) = [one for one in page.all("input") if one.get("id") == "email"]
    assert (field["value"], field["aria-invalid"]) == (typed, "true")
    assert field["aria-describedby"] == "email-fault"
    assert "#email" in links(page)
    assert snapshot(rig.trial.database) == before


def test_no_e_mail_address_at_all_is_told_too(rig: Rig) -> None:
    rig.phone.get("/reminders/")
    page = rig.phone.post("/reminders/email", status=422, email="  ")
    assert "Please type your e-mail address." in page.text


def test_where_no_mail_goes_none_is_promised(rig: Rig) -> None:
    rig.phone.get("/reminders/")
    rig.phone.post("/reminders/email", email="siti@example.org")
    equip(rig.app, Post(rig.pushes, None))
    page = rig.phone.get("/reminders/")
    assert "Remove my e-mail address" in page.text, "an address that is kept can be removed"
    page = rig.phone.post("/reminders/email", action="remove")
    assert "/reminders/email" not in [one.get("action") for one in page.all("form")]


def test_the_calendar_opens_by_its_address_alone(rig: Rig) -> None:
    page = rig.phone.get("/reminders/")
    assert "webcal" not in page.text
    page = rig.phone.post("/reminders/calendar")
    (field,) = [one for one in page.all("input") if one.get("id") == "feed"]
    address = str(field["value"])
    assert f"webcal://{address.partition('://')[2]}" in links(page)
    path = address.removeprefix("http://localhost")
    stranger = rig.app.test_client()
    answer = stranger.get(path)
    assert answer.mimetype == "text/calendar"
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "private, max-age=3600"
    (entry,) = Calendar.from_ical(answer.data).walk("VEVENT")
    assert entry["summary"] == "Some questions are waiting for you"
    assert entry["dtstart"].dt == local(2026, 11, 23, 9, 0)
    page = rig.phone.post("/reminders/calendar")
    assert address not in page.text
    assert stranger.get(path).status_code == 404, "the old address is dead"


def test_a_calendar_of_nobody_is_not_there(rig: Rig) -> None:
    page = rig.phone.get("/reminders/")
    page = rig.phone.post("/reminders/calendar")
    (field,) = [one for one in page.all("input") if one.get("id") == "feed"]
    path = str(field["value"]).removeprefix("http://localhost")
    rig.trial.withdraw(rig.person)
    for gone in (path, "/calendar/none-at-all.ics", "/calendar/.ics"):
        answer = rig.app.test_client().get(gone)
        assert answer.status_code == 404
        assert "Set-Cookie" not in answer.headers or gone == "/calendar/.ics"


# --- what a tap opens ---------------------------------------------------------------------------


def test_a_tap_opens_the_very_questionnaire(rig: Rig) -> None:
    rig.turn_on()
    tap = rig.remind()
    first, second = rig.trial.assessments(rig.person).values()
    assert rig.message(tap).opened_at is None
    rig.phone.get(tap)
    assert rig.phone.path == f"/questionnaires/{first.public_id}"
    assert rig.message(tap).opened_at == rig.trial.clock()
    rig.trial.complete(rig.person, "baseline", "lupusqol")
    rig.phone.get(tap)
    assert rig.phone.path == f"/questionnaires/{second.public_id}", "done ones are passed over"


def test_a_tap_on_a_locked_phone_asks_for_the_pin_first(rig: Rig) -> None:
    rig.turn_on()
    tap = rig.remind()
    rig.phone.post("/lock")
    first, _ = rig.trial.assessments(rig.person).values()
    rig.trial.clock.forward(minutes=7)
    page = rig.phone.get(tap)
    assert rig.phone.path == "/unlock"
    assert first.public_id not in page.text
    assert rig.message(tap).opened_at == rig.trial.clock(), "the tap itself is certain"
    rig.trial.clock.forward(minutes=3)
    rig.phone.unlock()
    assert rig.phone.path == f"/questionnaires/{first.public_id}"
    assert rig.message(tap).opened_at == rig.trial.clock() - timedelta(minutes=3)


def test_a_tap_where_nobody_has_joined_leads_to_the_code_and_then_on(rig: Rig) -> None:
    rig.turn_on()
    tap = rig.remind()
    first, _ = rig.trial.assessments(rig.person).values()
    phone = Browser(rig.app)
    phone.get(tap)
    assert phone.path == "/join/"
    assert rig.message(tap).opened_at is None
    code = rig.trial.new_code(rig.person)
    phone.post("/join/", code=code)
    phone.post("/join/notice", accept="yes")
    phone.post("/join/pin", pin=PIN, again=PIN)
    assert phone.path == f"/questionnaires/{first.public_id}"


def test_somebody_elses_reminder_tells_nothing_of_either(rig: Rig) -> None:
    rig.turn_on()
    tap = rig.remind()
    phone = Browser(rig.app)
    phone.join(rig.trial.enrol("01-002"))
    before = snapshot(rig.trial.database)
    pages = []
    for path in (tap, "/r/none-at-all"):
        answer = phone.client.get(path)
        assert (answer.status_code, answer.location) == (302, "/today")
        page = phone.get(path)
        pages.append(page.text.replace(page.token(), "TOKEN"))  # it tells the second
        assert phone.path == "/today"
    assert pages[0] == pages[1]
    assert rig.person.number not in pages[0]
    assert snapshot(rig.trial.database) == before
    phone.post("/lock")
    phone.get(tap)
    assert phone.path == "/unlock"
    phone.unlock()
    assert phone.path == "/today"
    assert rig.message(tap).opened_at is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_tap_after_the_end_says_so_and_what_is_open_now(rig: Rig, language: str) -> None:
    rig.turn_on()
    tap = rig.remind()
    rig.phone.post("/settings", back="/today", language=language)
    rig.trial.clock.now = local(2026, 12, 8, 12, 0)
    other = rig.trial.open(rig.person, "unscheduled")
    rig.phone.get(tap)
    page = rig.phone.unlock()
    assert rig.phone.path == tap
    assert page.all("html")[0]["lang"] == LANGUAGES[language]
    heading = translations(language)["These questions are closed"]
    assert f"<h1>{heading}</h1>" in page.text
    assert "23:00" in page.text, "when it ended"
    for one in other:
        assert f"/questionnaires/{one.public_id}" in links(page)
    assert "/today" in links(page)


def test_a_tap_when_all_is_answered_says_so(rig: Rig) -> None:
    rig.turn_on()
    tap = rig.remind()
    rig.trial.complete(rig.person, "baseline")
    page = rig.phone.get(tap)
    assert "<h1>You have answered these questions already</h1>" in page.text
    assert "Nothing else is open for you now." in page.text


def test_a_tap_on_a_message_that_a_later_one_took_over_leads_to_today(rig: Rig) -> None:
    rig.turn_on()
    tap = rig.remind()
    with rig.trial.database.writing() as session:
        session.execute(sa.update(Reminder).values(message_id=None))
    rig.phone.get(tap)
    assert rig.phone.path == "/today"
    assert rig.message(tap).opened_at is not None


def test_a_program_that_looks_at_links_opens_nothing(rig: Rig) -> None:
    rig.turn_on()
    tap = rig.remind()
    assert rig.phone.client.head(tap).status_code == 200
    assert rig.message(tap).opened_at is None


# --- what browsers fetch ------------------------------------------------------------------------


def worker_words(app: Flask, language: str) -> dict[str, str]:
    """What the server puts in front of the worker."""
    text = app.test_client().get(f"/service-worker.js?language={language}").text
    found: dict[str, str] = json.loads(
        text.partition("const house = ")[2].partition("\n")[0].removesuffix(";")
    )
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_worker_comes_from_the_root_and_speaks_the_language(app: Flask, language: str) -> None:
    answer = app.test_client().get(f"/service-worker.js?language={language}")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "Set-Cookie" not in answer.headers
    words = worker_words(app, language)
    assert words["language"] == LANGUAGES[language]
    assert words["key"] == app.extensions["pro_app"].post_office.application_key
    assert words["title"] == app.extensions["pro_app"].post_office.notices.fallback(language).title
    for name in ("icon", "badge"):
        assert app.test_client().get(words[name]).mimetype == "image/png"
    assert len(answer.text.splitlines()) <= 90, "a worker is read in one go"


def test_a_language_that_is_none_is_english(app: Flask) -> None:
    for query in ("", "?language=fr", "?language=../x"):
        assert '"en"' in app.test_client().get(f"/service-worker.js{query}").text


def test_the_manifest_is_linked_where_the_app_may_be_installed(rig: Rig) -> None:
    linked = {}
    first, _ = rig.trial.assessments(rig.person).values()
    for path in ("/today", "/reminders/", f"/questionnaires/{first.public_id}/items/1"):
        rels = [one.get("rel") for one in rig.phone.get(path).all("link")]
        linked[path] = "manifest" in rels and "apple-touch-icon" in rels
    assert list(linked.values()) == [True, True, False], "an item's page loads nothing for it"


# --- nothing that anybody may not see -----------------------------------------------------------


TELLING = re.compile(
    "lupus|sle|car-?t|cd19|zorpo|infus|输注|உட்செலுத்தல்|qol|sf-?36|rand|"
    "questionnaire|soal selidik|问卷|வினாத்தாள்|study|kajian|研究|ஆய்வு|trial|percubaan|"
    "health|kesihatan|健康|உடல்நல|hospital|clinic|klinik|医院|மருத்துவ|patient|pesakit|病人|"
    "visit|lawatan|访视|வருகை|baseline|permulaan|month|bulan ke|第.{1,3}个月|மாதம்|"
    r"day.?28|hari ke|第28天|நாள் 28|01-\d{3}",
    re.IGNORECASE,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_that_others_may_see_tells_anything(rig: Rig, language: str) -> None:
    """Lock screens, mail lists, calendars and home screens: no disease, drug, study,
    questionnaire, visit or person."""
    rig.phone.get("/today")
    rig.phone.post("/settings", back="/today", language=language)
    rig.turn_on()
    rig.phone.post("/reminders/email", email="siti@example.org")
    page = rig.phone.post("/reminders/calendar")
    rig.phone.post("/reminders/test")
    rig.remind()  # two questionnaires
    rig.trial.complete(rig.person, "baseline", "lupusqol")
    rig.trial.clock.forward(days=1)
    sending.drain(rig.app.extensions["pro_app"].post_office)
    rig.trial.clock.forward(days=1)
    sending.drain(rig.app.extensions["pro_app"].post_office)  # one is left
    (letter,) = rig.letters.sent
    texts = {"letter": f"{letter.subject}\n{letter.text}"}
    for n, push in enumerate(rig.pushes.sent):
        content = json.loads(push.payload)["notification"]
        assert re.fullmatch(r"http://localhost/r/[\w-]{16}", content["navigate"])
        assert re.fullmatch(r"[\w-]{22}", push.topic)
        texts[f"push {n}"] = f"{content['title']}\n{content['body']}\n{content['tag']}"
    assert len(texts) == 4
    (field,) = [one for one in page.all("input") if one.get("id") == "feed"]
    feed = rig.app.test_client().get(str(field["value"]).removeprefix("http://localhost"))
    texts["calendar"] = re.sub(r"(?m)^UID:.*(\r\n .*)*", "", feed.text)
    manifest = json.loads(
        rig.app.test_client().get(f"/manifest.webmanifest?language={language}").text
    )
    texts["manifest"] = f"{manifest['name']}\n{manifest['short_name']}"
    words = worker_words(rig.app, language)
    texts["worker"] = f"{words['title']}\n{words['text']}"
    for where, text in texts.items():
        assert TELLING.search(text) is None, f"{where}: {text}"
        for name in rig.trial.study.definition.names.values():
            assert name not in text
    page = rig.phone.get("/reminders/")
    assert "http://localhost/r/" not in page.text
