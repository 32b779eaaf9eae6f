"""The page about this phone: passkeys, a code for another place, somebody else's phone, leaving."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from pro_app.models import Attempt, AuditEntry, Device, Participant, Passkey, Subscription
from pro_app.services import audit, enrolment, phones
from tests.authenticator import Key, allowed
from tests.conftest import KEY, PIN, Enrolled, Site, TestClock, make_app
from tests.pages import Browser
from tests.services.trial import subscribe

SORRY = "That did not open anything here. Please use your PIN or a code."


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol("01-007")


@pytest.fixture
def phone(app: Flask, person: Enrolled) -> Browser:
    """The person's own phone, joined and open."""
    browser = Browser(app)
    browser.join(person)
    return browser


def actions(site: Site, person: Enrolled) -> list[str]:
    """The actions on a participant's record."""
    with site.database.reading() as session:
        stream = audit.participant_stream(person.id)
        found = sa.select(AuditEntry.action).where(AuditEntry.stream == stream)
        return list(session.scalars(found.order_by(AuditEntry.seq)))


def devices(site: Site) -> list[tuple[str, bool, bool]]:
    """How each device joined, whether it opens still, whether it is somebody else's phone."""
    with site.database.reading() as session:
        rows = session.scalars(sa.select(Device).order_by(Device.id))
        return [(one.joined_by, one.revoked_at is None, one.shared) for one in rows]


def make(browser: Browser, key: Key) -> TestResponse:
    """Set a passkey up on the page This phone."""
    browser.get("/phone/")
    options = browser.send("/phone/passkey/options", {}).json
    assert options is not None
    return browser.send("/phone/passkey", {"credential": key.make(options)})


def touch(browser: Browser, key: Key, use: str) -> TestResponse:
    """Open with a passkey on the page that is shown."""
    options: Any = browser.send("/phone/opening", {"use": use}).json
    return browser.send("/phone/open", {"use": use, "credential": key.open(options)})


# --- fingerprint, face or screen lock -----------------------------------------------------------


def test_a_passkey_is_set_up_used_and_removed(
    web_site: Site, person: Enrolled, phone: Browser
) -> None:
    key = Key()
    page = phone.get("/phone/")
    assert "Set up on" not in page.text
    assert make(phone, key).json == {"to": "/phone/"}
    page = phone.get("/phone/")
    assert "From now on your fingerprint, face or screen lock opens the app." in page.text
    assert "Set up on Monday, 23 Nov 2026" in page.text
    assert "From now on" not in phone.get("/phone/").text, "said once"
    phone.post("/lock")
    assert 'data-passkey="unlock"' in phone.page.text
    web_site.clock.forward(seconds=5)
    answer = touch(phone, key, "unlock")
    assert answer.json is not None
    assert answer.json["to"] == "/today"
    phone.get("/today")
    assert phone.path == "/today"
    phone.get("/phone/")
    phone.post("/phone/passkey/remove", passkey="1")
    assert "It opens nothing any more. Your PIN still does." in phone.page.text
    phone.post("/lock")
    assert "data-passkey" not in phone.page.text
    assert touch(phone, key, "unlock").status_code == 422
    phone.unlock()
    assert phone.path == "/today"


def test_the_finger_leads_where_the_person_was_going(
    web_site: Site, person: Enrolled, phone: Browser
) -> None:
    sheet, key = web_site.open(person)[0], Key()
    make(phone, key)
    phone.get("/today")
    phone.post("/lock")
    phone.get(f"/questionnaires/{sheet.public_id}")
    assert phone.path == "/unlock"
    web_site.clock.forward(seconds=5)
    answer = touch(phone, key, "unlock")
    assert answer.json is not None
    assert answer.json["to"] == f"/questionnaires/{sheet.public_id}"
    assert "Max-Age" in str(answer.headers.getlist("Set-Cookie")), "the device's cookie is renewed"


def test_a_new_browser_becomes_a_new_phone_of_the_same_person(
    app: Flask, web_site: Site, person: Enrolled, phone: Browser
) -> None:
    key, sheet = Key(synced=True), web_site.open(person)[0]
    web_site.answer(sheet, {"LQ01": 2, "LQ02": 3})
    make(phone, key)
    web_site.clock.forward(seconds=5)
    icon = Browser(app)
    icon.get(f"/questionnaires/{sheet.public_id}")
    assert icon.path == "/join/"
    assert 'data-passkey="join"' in icon.page.text
    options: Any = icon.send("/phone/opening", {"use": "join"}).json
    assert allowed(options) == [], "whichever it has"
    answer = icon.send("/phone/open", {"use": "join", "credential": key.open(options)})
    assert answer.json == {"to": "/join/notice"}
    page = icon.get("/join/notice")
    assert "Welcome back" in page.text
    assert "Your study number ends with 07" in page.text
    assert "01-007" not in page.text
    icon.post("/join/notice")
    assert icon.path == "/join/pin"
    icon.post("/join/pin", pin="135790", again="135790")
    assert icon.path == f"/questionnaires/{sheet.public_id}/items/3", "at the same question"
    phone.get("/today")
    assert phone.path == "/today", "the first phone stays joined"
    assert devices(web_site) == [("code", True, False), ("passkey", True, False)]
    assert "join_by_passkey" in actions(web_site, person)
    with web_site.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Participant)) == 1


def test_a_forgotten_pin_is_chosen_anew_with_the_finger(
    web_site: Site, person: Enrolled, phone: Browser
) -> None:
    key = Key()
    make(phone, key)
    phone.get("/today")
    phone.post("/lock")
    web_site.clock.forward(seconds=5)
    phone.get("/join/")
    answer = touch(phone, key, "join")
    assert answer.json == {"to": "/join/notice"}
    page = phone.get("/join/notice")
    assert "belongs to the new code" not in page.text, "it is the same person"
    phone.post("/join/notice")
    phone.post("/join/pin", pin="135790", again="135790")
    assert phone.path == "/today"
    assert devices(web_site) == [("code", False, False), ("passkey", True, False)]
    phone.post("/lock")
    web_site.clock.forward(seconds=5)
    assert touch(phone, key, "unlock").status_code == 200, "the passkey has come along"


@pytest.mark.parametrize("use", ["unlock", "join"])
def test_somebody_elses_finger_opens_nothing_and_learns_nothing(
    app: Flask, web_site: Site, person: Enrolled, phone: Browser, use: str
) -> None:
    other, key = web_site.enrol("02-099"), Key()
    theirs = Browser(app)
    theirs.join(other)
    make(theirs, key)
    phone.get("/today")
    phone.post("/lock")
    web_site.clock.forward(seconds=5)
    phone.get("/unlock" if use == "unlock" else "/join/")
    answer = touch(phone, key, use)
    assert (answer.status_code, answer.json) == (422, {"fault": SORRY})
    assert touch(phone, Key(), use).json == {"fault": SORRY}, "the same as of none"
    phone.get("/today")
    assert phone.path == "/unlock"
    assert "refuse_passkey" in actions(web_site, other)
    assert len(devices(web_site)) == 2


def test_an_answer_works_once_and_not_for_another_use(
    app: Flask, web_site: Site, person: Enrolled, phone: Browser
) -> None:
    key = Key()
    phone.get("/phone/")
    options: Any = phone.send("/phone/passkey/options", {}).json
    made = key.make(options)
    phone.send("/phone/opening", {"use": "unlock"})
    assert phone.send("/phone/passkey", {"credential": made}).status_code == 422
    assert make(phone, key).status_code == 200
    options = phone.send("/phone/opening", {"use": "unlock"}).json
    given = {"use": "unlock", "credential": key.open(options)}
    web_site.clock.forward(seconds=1)
    statuses = [phone.send("/phone/open", given).status_code for _ in range(2)]
    assert statuses == [200, 422]
    stranger = Browser(app)
    stranger.get("/join/")
    assert stranger.send("/phone/open", given).status_code == 422


@pytest.mark.parametrize("body", [None, [], "x", {"credential": None}, {"credential": {"id": 5}}])
def test_nonsense_is_answered_with_the_same_sentence(phone: Browser, body: Any) -> None:
    phone.get("/phone/")
    phone.send("/phone/opening", {"use": "unlock"})
    assert phone.send("/phone/open", body).json == {"fault": SORRY}
    phone.send("/phone/passkey/options", {})
    assert phone.send("/phone/passkey", body).status_code == 422


def test_many_wrong_fingers_an_hour_are_enough(
    app: Flask, web_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment, "TRIES", 3)
    browser = Browser(app)
    browser.get("/join/")
    statuses = [touch(browser, Key(), "join").status_code for _ in range(4)]
    assert statuses == [422, 422, 422, 429]
    with web_site.database.reading() as session:
        assert set(session.scalars(sa.select(Attempt.kind))) == {"passkey"}


def test_a_passkey_belongs_to_the_public_address(
    web_site: Site, sqlite_url: str, clock: TestClock
) -> None:
    """Not to whatever host a request names."""
    app = make_app(sqlite_url, clock, "https://pro.example.org")
    client, base = app.test_client(), "https://evil.example"
    page = client.get("/join/", base_url=base).text
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    headers = {"X-CSRFToken": token}
    options: Any = client.post("/phone/opening", json={}, headers=headers, base_url=base).json
    assert options["rpId"] == "pro.example.org"
    app.extensions["pro_app"].database.close()


# --- a code for another place -------------------------------------------------------------------


def code_on(browser: Browser) -> str:
    """The code that the page shows."""
    found = re.search(r"data-code>([A-Z0-9]{4}) ([A-Z0-9]{4})<", browser.page.text)
    assert found is not None
    return found[1] + found[2]


def test_a_person_makes_a_code_for_another_place(
    app: Flask, web_site: Site, person: Enrolled, phone: Browser
) -> None:
    phone.get("/phone/code")
    phone.post("/phone/code")
    code = code_on(phone)
    assert code not in phone.response.headers.get("Set-Cookie", "")
    icon = Browser(app)
    icon.get("/join/")
    page = icon.post("/join/", code=code.lower())
    assert "Welcome back" in page.text
    icon.post("/join/notice")
    icon.post("/join/pin", pin="135790", again="135790")
    assert icon.path == "/today"
    phone.get("/today")
    assert phone.path == "/today"
    with web_site.database.reading() as session:
        issued = session.scalars(
            sa.select(AuditEntry.actor).where(AuditEntry.action == "issue_code")
        )
        assert list(issued) == ["site", "participant/device 1"]


def test_an_own_code_lives_for_a_quarter_of_an_hour(
    app: Flask, web_site: Site, phone: Browser
) -> None:
    phone.get("/phone/code")
    phone.post("/phone/code")
    code, icon = code_on(phone), Browser(app)
    icon.get("/join/")
    web_site.clock.now += timedelta(minutes=15)
    icon.post("/join/", status=422, code=code)
    assert "This code does not open anything" in icon.page.text


def test_five_codes_a_day_are_enough(web_site: Site, phone: Browser) -> None:
    for _ in range(5):
        phone.get("/phone/code")
        phone.post("/phone/code")
    phone.get("/phone/code")
    page = phone.post("/phone/code", status=429)
    assert "You have made enough codes for today." in page.text
    web_site.clock.now += timedelta(days=1)
    phone.get("/unlock")
    phone.unlock()
    phone.get("/phone/code")
    phone.post("/phone/code")
    assert code_on(phone)


def test_a_locked_phone_makes_no_code(phone: Browser) -> None:
    phone.get("/phone/code")
    token = phone.page.token()
    phone.post("/lock")
    assert phone.client.post("/phone/code", data={"csrf_token": token}).status_code == 401


# --- somebody else's phone ----------------------------------------------------------------------


@pytest.fixture
def borrowed(app: Flask, person: Enrolled) -> Browser:
    return borrow(app, person)


def borrow(app: Flask, person: Enrolled) -> Browser:
    """A phone that is not the person's own, joined and open."""
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", code=person.code)
    browser.post("/join/notice", accept="yes", shared="yes")
    browser.post("/join/pin", pin=PIN, again=PIN)
    assert browser.path == "/today"
    return browser


def test_on_somebody_elses_phone_cookies_end_with_the_browser(app: Flask, person: Enrolled) -> None:
    for shared in ("", "yes"):
        browser = Browser(app)
        browser.get("/join/")
        browser.post("/join/", code=person.code)
        data = {"csrf_token": browser.page.token(), "accept": "yes", "shared": shared}
        answers = [browser.client.post("/join/notice", data=data)]
        data |= {"pin": PIN, "again": PIN, "text_size": "1"}
        answers += [browser.client.post(path, data=data) for path in ("/join/pin", "/settings")]
        answers += [browser.client.post("/unlock", data=data)]
        cookies = [one for answer in answers for one in answer.headers.getlist("Set-Cookie")]
        names = {one.partition("=")[0] for one in cookies}
        assert names == {"device", "session", "text_size"}
        lasting = {one.partition("=")[0] for one in cookies if "Max-Age" in one or "Expires" in one}
        assert lasting == (set() if shared else names)
        if not shared:
            person = Enrolled(person.id, person.number, "en", new_code(browser))


def new_code(browser: Browser) -> str:
    browser.get("/phone/code")
    browser.post("/phone/code")
    return code_on(browser)


def test_somebody_elses_phone_offers_nothing_that_stays(web_site: Site, borrowed: Browser) -> None:
    page = borrowed.get("/phone/")
    assert "data-shared" in page.all("html")[0]
    assert "Sign out of this phone" in page.text
    for gone in ("data-passkey", "/phone/code", "data-install", "/reminders/"):
        assert gone not in page.text, gone
    for path in ("/phone/passkey/options", "/phone/passkey"):
        assert borrowed.send(path, {}).status_code == 403
    borrowed.get("/phone/code", status=403)
    borrowed.get("/today")
    borrowed.post("/phone/code", status=403)


def test_locking_somebody_elses_phone_leaves_it(
    app: Flask, web_site: Site, person: Enrolled, borrowed: Browser
) -> None:
    borrowed.get("/today")
    borrowed.post("/lock")
    assert borrowed.path == "/phone/sign-out"
    assert "data-now" in borrowed.page.text, "the page signs out by itself where it has a script"
    borrowed.get("/today")
    assert borrowed.path == "/unlock", "what was open is closed at once"
    borrowed.get("/phone/sign-out")
    borrowed.post("/phone/sign-out")
    assert borrowed.path == "/phone/signed-out"
    borrowed.get("/today")
    assert borrowed.path == "/join/"
    assert devices(web_site) == [("code", False, True)]


def test_no_link_leaves_a_phone(phone: Browser, app: Flask, web_site: Site) -> None:
    """Only who has just locked somebody else's phone leaves it without another tap."""
    assert "data-now" not in phone.get("/phone/sign-out?now=yes").text
    phone.get("/today")
    phone.post("/lock")
    assert "data-now" not in phone.get("/phone/sign-out").text
    other = web_site.enrol("01-008")
    theirs = borrow(app, other)
    assert "data-now" not in theirs.get("/phone/sign-out?now=yes").text
    theirs.get("/today")
    theirs.post("/lock")
    assert "data-now" in theirs.page.text
    assert "data-now" not in theirs.get("/phone/sign-out").text, "asked for once"


@pytest.mark.parametrize("back", ["with the PIN", "as one's own phone"])
def test_who_comes_back_to_a_phone_is_not_signed_out_of_it(
    app: Flask, web_site: Site, person: Enrolled, borrowed: Browser, back: str
) -> None:
    """It was locked, and the page that would have signed out never came."""
    borrowed.get("/today")
    borrowed.client.post("/lock", data={"csrf_token": borrowed.page.token()})
    if back == "with the PIN":
        borrowed.get("/unlock")
        borrowed.unlock()
    else:
        borrowed.get("/join/")
        borrowed.post("/join/", code=web_site.new_code(person))
        borrowed.post("/join/notice")
    assert "data-now" not in borrowed.get("/phone/sign-out").text


def test_a_borrowed_phone_forgets_its_person_after_a_day(web_site: Site, borrowed: Browser) -> None:
    """A browser that restores its pages keeps the cookies that should have ended with it."""
    web_site.clock.forward(hours=23)
    borrowed.get("/today")
    assert borrowed.path == "/unlock"
    borrowed.unlock()
    assert borrowed.path == "/today"
    web_site.clock.forward(hours=24)
    borrowed.get("/today")
    assert borrowed.path == "/join/"


def test_a_session_that_ends_while_a_code_is_made_makes_none(
    web_site: Site, phone: Browser, person: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed out from elsewhere between the look at the cookie and the lock."""
    phone.get("/phone/code")
    own_code = phones.own_code

    def later(session: Any, *given: Any) -> Any:
        phones.sign_out(session, person.id, 1, web_site.clock())
        return own_code(session, *given)

    monkeypatch.setattr(phones, "own_code", later)
    phone.post("/phone/code", status=403)
    assert "issue_code" not in actions(web_site, person)[2:]


# --- leaving ------------------------------------------------------------------------------------


def test_signing_out_leaves_nothing(web_site: Site, person: Enrolled, phone: Browser) -> None:
    subscribe(web_site, person, 1)  # type: ignore[arg-type]
    make(phone, Key())
    phone.get("/phone/")
    data = {"csrf_token": phone.page.token(), "text_size": "2"}
    phone.client.post("/settings", data=data)
    kept = {one: phone.client.get_cookie(one) for one in ("device", "session")}
    phone.get("/phone/sign-out")
    answer = phone.client.post("/phone/sign-out", data={"csrf_token": phone.page.token()})
    assert answer.location == "/phone/signed-out"
    assert answer.headers["Clear-Site-Data"] == '"storage", "cache"'
    expired = {
        one.partition("=")[0]
        for one in answer.headers.getlist("Set-Cookie")
        if "Max-Age=0" in one or "1970" in one
    }
    assert expired >= {"device", "session", "text_size", "language", "unsent"}
    for name, cookie in kept.items():  # a copy of them opens nothing either
        assert cookie is not None
        phone.client.set_cookie(name, cookie.value)
    phone.get("/today")
    assert phone.path == "/join/"
    with web_site.database.reading() as session:
        assert [one.state for one in session.scalars(sa.select(Subscription))] == ["off"]
        assert [one.revoked_at is None for one in session.scalars(sa.select(Passkey))] == [False]
    assert actions(web_site, person)[-2:] == ["revoke_passkey", "sign_out"]


def test_a_locked_phone_can_be_left_too(web_site: Site, phone: Browser) -> None:
    phone.get("/today")
    phone.post("/lock")
    phone.get("/phone/sign-out")
    assert "01-007" not in phone.page.text
    phone.post("/phone/sign-out")
    assert phone.path == "/phone/signed-out"
    assert devices(web_site) == [("code", False, False)]


def test_leaving_twice_is_leaving_once(web_site: Site, person: Enrolled, phone: Browser) -> None:
    phone.get("/phone/signed-out")
    assert phone.path == "/today", "it is not"
    phone.get("/phone/sign-out")
    data = {"csrf_token": phone.page.token()}
    phone.client.post("/phone/sign-out", data=data)
    phone.get("/join/")
    again = phone.client.post("/phone/sign-out", data={"csrf_token": phone.page.token()})
    assert again.location == "/join/"
    assert actions(web_site, person).count("sign_out") == 1


def test_who_has_left_comes_back_with_a_code(
    web_site: Site, person: Enrolled, phone: Browser
) -> None:
    sheet = web_site.open(person)[0]
    web_site.answer(sheet, {"LQ01": 2})
    phone.get("/phone/sign-out")
    phone.post("/phone/sign-out")
    phone.get("/join/")
    phone.post("/join/", code=web_site.new_code(person))
    phone.post("/join/notice")
    phone.post("/join/pin", pin=PIN, again=PIN)
    assert "Continue at question 2" in phone.page.text


def test_a_card_is_a_way_back(app: Flask, web_site: Site, person: Enrolled) -> None:
    with web_site.database.writing() as session:
        now = web_site.clock()
        card = enrolment.issue_code(session, person.id, KEY, now, kind="recovery")
    web_site.join(person)
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", code=" ".join((card[:4], card[4:8], card[8:])))
    assert "Welcome back" in browser.page.text
    browser.post("/join/notice")
    browser.post("/join/pin", pin=PIN, again=PIN)
    assert browser.path == "/today"
    assert devices(web_site)[-1] == ("recovery", True, False)
    assert "join_by_card" in actions(web_site, person)
    again = Browser(app)
    again.get("/join/")
    again.post("/join/", status=422, code=card)
