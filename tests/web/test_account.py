"""The staff's own account, and signing in with a passkey, as a browser without scripts meets them.

Passkeys need scripts: their part of the conversation is spoken here, see also
tests/browser/test_staff_passkeys.py.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from pro_app.delivery import Accepted, Outcome, Retry
from pro_app.models import AuditEntry, StaffPasskey, StaffSession
from pro_app.services import alarms, credentials, staff
from tests.authenticator import PRESENT, Key
from tests.conftest import KEY, Site, TestClock, snapshot
from tests.pages import Browser
from tests.services.test_staff_sign_in import PASSWORD
from tests.services.trial import Letterbox
from tests.web.test_staff import EMAIL, Desk, at, desk, invite

__all__ = ["desk"]

NEW = "seven quiet lamps drifting home"
INDEX = "/staff/account/"


def another(desk: Desk, app: Flask) -> Desk:
    """The same person at another desk, signed in."""
    found = Desk(app, desk.clock)
    found.secret = desk.secret
    found.sign_in()
    return found


def make(desk: Desk, key: Key, name: str = "ward", **how: Any) -> TestResponse:
    """Add this key as a passkey, as the page's script does."""
    desk.get("/staff/account/passkeys/new")
    options = desk.send("/staff/account/passkeys/options", {"name": name})
    if options.status_code != 200:
        return options
    given = key.make(options.json, **how)  # type: ignore[arg-type]
    return desk.send("/staff/account/passkeys", {"name": name, "credential": given})


def open_by(desk: Browser, key: Key, use: str = "sign-in", **how: Any) -> TestResponse:
    """Sign in, or prove to be there, with this key on the page that is shown."""
    options = desk.send("/staff/passkey/opening", {})
    given = key.open(options.json, **how)  # type: ignore[arg-type]
    return desk.send(f"/staff/passkey/{use}", {"credential": given})


def actions(site: Site) -> list[str]:
    """What the trail tells of the person's account."""
    with site.database.reading() as session:
        person = staff.find(session, EMAIL)
        assert person is not None
        return list(
            session.scalars(
                sa.select(AuditEntry.action)
                .where(AuditEntry.stream == staff.stream(person.id))
                .order_by(AuditEntry.seq)
            )
        )


# --- the page -----------------------------------------------------------------------------------


def test_an_account_tells_who_what_since_when_and_what_happened(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    desk.get("/staff/")
    assert f'href="{INDEX}"' in desk.page.text, "in the menu of every page"
    desk.post("/staff/sign-out")
    desk.post("/staff/sign-in", 422, email=EMAIL, password="not this one at all")
    desk.sign_in()
    page = desk.get(INDEX)
    for word in ("Aminah", EMAIL, "2026-01-05", "coordinator", "every site", "10 codes are left"):
        assert word in page.text
    last = re.findall(r'<th scope="row">.*?</th><td[^>]*>(.*?)</td>', page.text)
    assert last == [
        "signed in with password and code", "wrong password", "set up the account, and signed in",
    ]  # fmt: skip
    assert page.text.count("this browser") == 1
    assert "Sign out everywhere else" not in page.text, "there is nowhere else"


def test_all_other_desks_are_signed_out_and_this_one_is_not(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    other = another(desk, app)
    desk.get(INDEX)
    assert desk.page.text.count("last used") == 2
    desk.post("/staff/account/sessions/end")
    assert desk.path == INDEX
    other.get(INDEX)
    assert other.path == "/staff/sign-in"
    assert "end_other_sessions" in actions(web_site)


def test_another_password_opens_and_the_older_one_does_not(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    other = another(desk, app)
    desk.get("/staff/account/password")
    for password, again, field in (
        ("short", "short", "password"), ("a" * 20, "a" * 20, "password"), (NEW, NEW + "x", "again"),
    ):  # fmt: skip
        desk.post("/staff/account/password", 422, password=password, again=again)
        assert f'id="{field}-fault"' in desk.page.text
        assert NEW not in desk.page.text
    desk.post("/staff/account/password", password=NEW, again=NEW)
    assert desk.path == INDEX
    other.get(INDEX)
    assert other.path == "/staff/sign-in", "and everywhere else it is over"
    other.post("/staff/sign-in", 422, email=EMAIL, password=PASSWORD)
    other.sign_in(password=NEW)
    assert other.path == INDEX
    assert "change_password" in actions(web_site)


@pytest.mark.parametrize("page", ["password", "second-factor", "recovery-codes", "passkeys/new"])
def test_what_opens_the_account_is_changed_after_a_proof_alone(
    desk: Desk, web_site: Site, page: str
) -> None:
    desk.clock.forward(minutes=6)
    path = f"/staff/account/{page}"
    desk.get(path, 401)
    given = {"carry_to": path, "method": "get"}
    desk.post("/staff/verify", 422, **given, password="not this one at all", code="000000")
    assert 'name="method" value="get"' in desk.page.text
    desk.clock.forward(seconds=60)
    desk.post("/staff/verify", **given, password=PASSWORD, code=desk.shown())
    assert desk.path == path


def test_a_password_that_comes_too_late_is_neither_kept_nor_carried(desk: Desk) -> None:
    desk.get("/staff/account/password")
    desk.clock.forward(minutes=6)
    desk.post("/staff/account/password", 401, password=NEW, again=NEW)
    assert NEW not in desk.page.text
    assert 'name="method" value="get"' in desk.page.text, "on to the page that asks for it"
    desk.clock.forward(minutes=16)
    desk.post("/staff/account/password", password=NEW, again=NEW)
    assert desk.path == "/staff/sign-in"
    assert 'name="kept"' not in desk.page.text


def test_another_app_takes_the_place_of_the_first(desk: Desk, web_site: Site) -> None:
    desk.get("/staff/account/second-factor")
    old = desk.secret
    desk.connect()
    assert desk.secret != old
    desk.post("/staff/account/second-factor", 422, code="000000")
    key = desk.secret
    desk.connect()
    assert desk.secret == key, "the same picture again"
    desk.post("/staff/account/second-factor", code=desk.shown())
    assert desk.path == INDEX
    desk.post("/staff/sign-out")
    desk.clock.forward(minutes=5)
    desk.get("/staff/sign-in")
    desk.post("/staff/sign-in", email=EMAIL, password=PASSWORD)
    new, desk.secret = desk.secret, old
    desk.post("/staff/sign-in/code", 422, code=desk.shown())
    desk.secret = new
    desk.post("/staff/sign-in/code", code=desk.shown())
    assert desk.path == at(web_site, "/today")


def test_new_recovery_codes_are_shown_once_and_the_older_ones_are_dead(desk: Desk) -> None:
    old = desk.recovery[0]
    desk.get("/staff/account/recovery-codes")
    desk.post("/staff/account/recovery-codes")
    new = re.findall(r"<li>(\w{4} \w{4} \w{4})</li>", desk.page.text)
    assert len({*new, *desk.recovery}) == 20
    desk.get("/staff/account/recovery-codes")
    assert new[0] not in desk.page.text
    desk.post("/staff/sign-out")
    desk.get("/staff/sign-in")
    desk.post("/staff/sign-in", email=EMAIL, password=PASSWORD)
    desk.post("/staff/sign-in/code", 422, code=old)
    desk.post("/staff/sign-in/code", code=new[0])
    desk.get(INDEX)
    assert "9 codes are left" in desk.page.text


# --- passkeys -----------------------------------------------------------------------------------


def test_a_passkey_signs_in_without_password_and_code(desk: Desk, web_site: Site) -> None:
    key = Key()
    answer = make(desk, key, "computer at the ward")
    assert answer.json == {"to": INDEX}
    desk.get(INDEX)
    assert "computer at the ward" in desk.page.text
    desk.post("/staff/sign-out")
    answer = open_by(desk, key)
    assert answer.status_code == 200
    assert answer.json is not None
    desk.get(answer.json["to"])
    assert desk.path == at(web_site, "/today")
    desk.get(INDEX)
    assert "signed in with a passkey" in desk.page.text
    assert actions(web_site)[-3:] == ["add_passkey", "sign_out", "sign_in"]


def test_it_leads_to_the_page_that_was_asked_for(desk: Desk, web_site: Site) -> None:
    key = Key()
    make(desk, key)
    desk.clock.forward(minutes=16)
    desk.get(at(web_site, "/enrol"))
    assert desk.path == "/staff/sign-in"
    answer = open_by(desk, key)
    assert answer.json is not None
    assert answer.json["to"] == at(web_site, "/enrol")


def test_it_proves_to_be_there_and_changes_the_token(desk: Desk) -> None:
    key = Key()
    make(desk, key)
    desk.clock.forward(minutes=6)
    desk.get("/staff/account/password", 401)
    assert 'data-staff-passkey="verify"' in desk.page.text
    before = desk.client.get_cookie("staff")
    assert open_by(desk, key, "verify").status_code == 200
    after = desk.client.get_cookie("staff")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    desk.get("/staff/account/password")


def test_a_step_offers_no_passkey_to_who_has_none(desk: Desk) -> None:
    desk.clock.forward(minutes=6)
    desk.get("/staff/account/password", 401)
    assert "data-staff-passkey" not in desk.page.text


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "Please give"), ("x" * 61, "at most 60"), ("900101-14-5678", "identity card")],
)
def test_a_passkey_wants_a_name(desk: Desk, name: str, words: str) -> None:
    answer = make(desk, Key(), name)
    assert answer.status_code == 422
    assert answer.json is not None
    assert words in answer.json["fault"]


def test_what_is_not_as_asked_for_is_not_kept(desk: Desk, web_site: Site) -> None:
    assert make(desk, Key(), flags=PRESENT).status_code == 422, "nobody was verified"
    assert make(desk, Key("elsewhere.example")).status_code == 422
    assert make(desk, Key(), origin="https://elsewhere.example").status_code == 422
    key = Key()
    assert make(desk, key).status_code == 200
    assert make(desk, key).status_code == 422, "once is enough"
    body: dict[str, Any] = {"name": "ward", "credential": None}
    assert desk.send("/staff/account/passkeys", body).status_code == 422, "nothing was asked"
    with web_site.database.reading() as session:
        assert len(session.scalars(sa.select(StaffPasskey)).all()) == 1


def test_more_than_the_most_are_not_taken(
    desk: Desk, web_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "MOST", 1)
    monkeypatch.setattr("pro_app.web.account.MOST", 1)
    make(desk, Key())
    assert make(desk, Key()).status_code == 422
    assert "Remove one to add another" in desk.get(INDEX).text


def test_a_passkey_that_is_removed_opens_nothing(desk: Desk, web_site: Site) -> None:
    key = Key()
    make(desk, key)
    desk.get(INDEX)
    number = next(str(one["value"]) for one in desk.page.all("button") if "value" in one
                  and one.get("name") == "passkey")  # fmt: skip
    for wrong in ("999", "x", ""):
        desk.post("/staff/account/passkeys/remove", passkey=wrong)
        assert "ward" in desk.page.text
    desk.post("/staff/account/passkeys/remove", passkey=number)
    assert "You have no passkey yet" in desk.page.text
    desk.post("/staff/sign-out")
    assert open_by(desk, key).status_code == 422
    assert "remove_passkey" in actions(web_site)


def test_nobody_removes_or_uses_another_persons_passkey(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    key = Key()
    make(desk, key)
    other = Desk(app, desk.clock)
    other.set_up(invite(web_site, email="other@hospital.example"))
    other.get(INDEX)
    other.post("/staff/account/passkeys/remove", passkey="1")
    assert "ward" in desk.get(INDEX).text
    other.get(INDEX)
    assert open_by(other, key, "verify").status_code == 422


def test_nonsense_and_answers_that_come_twice_open_nothing(desk: Desk, web_site: Site) -> None:
    key = Key()
    make(desk, key)
    desk.post("/staff/sign-out")
    for body in ({}, {"credential": 3}, {"credential": {"id": "x"}}, {"credential": {"id": None}}):
        desk.send("/staff/passkey/opening", {})
        assert desk.send("/staff/passkey/sign-in", body).status_code == 422
    given = key.open(desk.send("/staff/passkey/opening", {}).json)  # type: ignore[arg-type]
    kept = desk.client.get_cookie("session")
    assert kept is not None
    assert desk.send("/staff/passkey/sign-in", {"credential": given}).status_code == 200
    thief = Browser(desk.client.application)
    thief.client.set_cookie("session", kept.value)
    thief.page = desk.page
    thief.response = thief.send("/staff/passkey/sign-in", {"credential": given})
    assert thief.response.status_code == 422, "a challenge opens once, whoever has its cookie"


def test_wrong_passkeys_make_the_account_wait_as_wrong_passwords_do(
    desk: Desk, web_site: Site
) -> None:
    key = Key()
    make(desk, key)
    desk.post("/staff/sign-out")
    for _ in range(5):
        answer = open_by(desk, key, flags=PRESENT)
        assert answer.status_code == 422
    assert answer.json is not None
    assert "Please wait 1 minute" in answer.json["fault"]
    assert "wait" in str(open_by(desk, key).json), "not even the right one, while it waits"
    desk.clock.forward(minutes=2)
    assert open_by(desk, key).status_code == 200
    assert actions(web_site).count("refuse_passkey") == 5


def test_a_renewal_by_invitation_ends_all_passkeys(desk: Desk, web_site: Site) -> None:
    key = Key()
    make(desk, key)
    with web_site.database.writing() as session:
        person = staff.find(session, EMAIL)
        assert person is not None
        code = staff.invite(session, person.id, KEY, web_site.clock())
    desk.post("/staff/sign-out")
    desk.set_up(code)
    desk.get(INDEX)
    desk.post("/staff/sign-out")
    assert open_by(desk, key).status_code == 422


# --- what happened to the account ---------------------------------------------------------------


def test_the_owner_hears_at_the_next_sign_in_what_happened(desk: Desk, web_site: Site) -> None:
    make(desk, Key())
    desk.get("/staff/account/second-factor")
    desk.connect()
    desk.post("/staff/account/second-factor", code=desk.shown())
    assert "Since you were last here" not in desk.page.text, "who did it knows"
    desk.post("/staff/sign-out")
    for _ in range(6):
        desk.get("/staff/sign-in")
        desk.post("/staff/sign-in", 422, email=EMAIL, password="not this one at all")
        desk.clock.forward(minutes=4)
    for _ in range(2):  # unread, it comes again
        desk.sign_in()
        heard = desk.page.text
        for word in ("passkey was added", "Another authenticator app", "had to wait"):
            assert heard.count(word) == 1
        desk.get(at(web_site, "/rates"))
        assert "Since you were last here" in desk.page.text
        desk.post("/staff/sign-out")
    desk.sign_in()
    desk.post("/staff/account/news")
    assert "Since you were last here" not in desk.page.text
    desk.post("/staff/sign-out")
    desk.sign_in()
    assert "Since you were last here" not in desk.page.text


def test_a_quiet_account_has_no_news(desk: Desk) -> None:
    desk.post("/staff/sign-out")
    desk.get("/staff/sign-in")
    desk.post("/staff/sign-in", 422, email=EMAIL, password="not this one at all")
    desk.sign_in()
    assert "Since you were last here" not in desk.page.text


# --- told by e-mail -----------------------------------------------------------------------------


def with_mail(app: Flask, outcome: Outcome) -> Letterbox:
    """Let the application have a mail server."""
    found, letters = app.extensions["pro_app"], Letterbox(outcome)
    office = replace(found.post_office, post=replace(found.post_office.post, mail=letters))
    app.extensions["pro_app"] = replace(found, post_office=office)
    return letters


def test_the_owner_is_told_by_mail_of_each_change_in_neutral_words(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    letters = with_mail(app, Accepted(250))
    make(desk, Key())
    desk.get("/staff/account/password")
    desk.post("/staff/account/password", 422, password="short", again="short")
    assert len(letters.sent) == 1
    desk.post("/staff/account/password", password=NEW, again=NEW)
    desk.post("/staff/account/recovery-codes")
    desk.get("/staff/account/second-factor")
    desk.connect()
    desk.post("/staff/account/second-factor", code=desk.shown())
    desk.post("/staff/account/passkeys/remove", passkey="1")
    desk.post("/staff/account/passkeys/remove", passkey="1")
    assert len(letters.sent) == 5, "what was not there was not removed"
    assert {one.to for one in letters.sent} == {EMAIL}
    assert len({one.message_id for one in letters.sent}) == 5
    for letter in letters.sent:
        assert "http://localhost/staff/account/" in letter.text
        for telling in ("Aminah", "study", "Study", "test", "questionnaire", "lupus"):
            assert telling not in f"{letter.subject} {letter.text}"


def test_a_renewal_is_told_and_a_first_setting_up_is_not(
    app: Flask, web_site: Site, clock: TestClock
) -> None:
    letters = with_mail(app, Accepted(250))
    desk = Desk(app, clock)
    desk.set_up(invite(web_site))
    assert letters.sent == []
    with web_site.database.writing() as session:
        person = staff.find(session, EMAIL)
        assert person is not None
        code = staff.invite(session, person.id, KEY, clock())
    desk.post("/staff/sign-out", csrf_token=desk.get("/staff/").token())
    desk.set_up(code)
    assert len(letters.sent) == 1


def test_a_mail_server_that_refuses_is_the_operators_matter(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    letters = with_mail(app, Retry(None, None, "connection"))
    desk.get("/staff/account/recovery-codes")
    desk.post("/staff/account/recovery-codes")
    assert len(letters.sent) == 1
    with web_site.database.reading() as session:
        (alarm,) = alarms.open_ones(session)
    assert alarm.code == "account_mail"
    assert "@" not in alarm.detail


# --- known and unknown addresses ----------------------------------------------------------------


def told(app: Flask, clock: TestClock, email: str, waits: list[int]) -> list[tuple[int, str, Any]]:
    """What somebody hears who tries wrong passwords at an address, waiting so many minutes."""
    browser, found = Browser(app), []
    for minutes in waits:
        browser.get("/staff/sign-in")
        browser.response = browser.client.post(
            "/staff/sign-in",
            data={"csrf_token": browser.page.token(), "email": email, "password": "x" * 20},
            headers=browser.accept,
        )
        answer = browser.response
        headers = sorted(
            (name, value) for name, value in answer.headers if name != "Content-Length"
        )
        plain = re.sub(r'name="csrf_token" value="[^"]*"', "", answer.text)
        found.append((answer.status_code, plain, headers))
        clock.forward(minutes=minutes)
    return found


def test_nobody_finds_out_who_has_an_account(
    app: Flask, desk: Desk, web_site: Site, clock: TestClock
) -> None:
    """Byte by byte but for tokens, over days: waits, their growth, and when they are forgotten."""
    now = clock()
    waits = [0, 0, 0, 0, 0, 0, 1, 1, 2, 4, 9, 16, 16, 60, 0, 23 * 60, 0, 25 * 60, 0, 0, 0, 0, 0, 0]
    heard = []
    for email in (EMAIL, f" {EMAIL.upper()}", "nobody@hospital.example", "no address", "ünï"):
        with web_site.database.writing() as session:
            session.execute(sa.text("UPDATE staff SET failures=0, wait_until=NULL, failed_at=NULL"))
        clock.now = now
        heard.append(told(app, clock, email, waits))
    assert "wait" in str(heard[0])
    assert all(one == heard[0] for one in heard[1:])


def test_tries_at_unknown_addresses_are_forgotten_after_a_day(
    app: Flask, web_site: Site, clock: TestClock
) -> None:
    for day in range(3):
        told(app, clock, f"nobody{day}@hospital.example", [0] * 6 + [25 * 60])
    rows = snapshot(web_site.database)["staff_stranger"]
    assert len(rows) == 1
    assert "nobody" not in str(rows), "no address is kept"


def walk(desk: Desk, site: Site) -> None:
    """Every page of an account and every fault that it tells, for somebody who is signed in."""
    desk.get(INDEX)
    desk.get("/staff/account/password")
    for password, again in (("short", "short"), ("a" * 201, "x"), ("a" * 20, "x"), (NEW, "x")):
        desk.post("/staff/account/password", 422, password=password, again=again)
    desk.post("/staff/account/password", password=PASSWORD, again=PASSWORD)
    desk.get("/staff/account/second-factor")
    desk.connect()
    desk.post("/staff/account/second-factor", 422, code="000000")
    desk.post("/staff/account/second-factor", code=desk.shown())
    desk.get("/staff/account/recovery-codes")
    desk.post("/staff/account/recovery-codes")
    desk.get("/staff/account/passkeys/new")
    for name in ("", "x" * 61, "900101-14-5678"):
        assert make(desk, Key(), name).status_code == 422
    make(desk, Key(), "A")
    desk.get(INDEX)
    desk.post("/staff/account/passkeys/remove", passkey="1")
    desk.post("/staff/account/sessions/end")
    desk.post("/staff/sign-out")
    for _ in range(5):
        desk.get("/staff/sign-in")
        desk.post("/staff/sign-in", 422, email=EMAIL, password="not this one at all")
    desk.clock.forward(minutes=16)
    desk.sign_in()
    desk.get(INDEX)
    desk.clock.forward(minutes=6)
    desk.get("/staff/account/password", 401)
    desk.post("/staff/account/news")
    desk.get(at(site, "/enrol"))
    desk.clock.forward(minutes=16)
    desk.post(at(site, "/enrol"), 401, number="x")
    kept = next(str(one["value"]) for one in desk.page.all("input") if one["name"] == "kept")
    desk.post("/staff/sign-in", email=EMAIL, password=PASSWORD, kept=kept)
    desk.post("/staff/sign-in/code", 422, code="000000", kept=kept)
    desk.post("/staff/sign-in/code", code=desk.shown(), kept=kept)
    page = desk.get(at(site, "/enrol"))
    desk.post("/staff/sign-out")
    desk.sign_in()
    desk.page = page
    desk.post(at(site, "/enrol"), 400, number="x")


def test_the_walk_meets_every_page(
    app: Flask, desk: Desk, web_site: Site, clock: TestClock
) -> None:
    walk(desk, web_site)
    assert "Press once more" in desk.page.text
    with web_site.database.reading() as session:
        assert len(session.scalars(sa.select(StaffSession)).all()) == 4
