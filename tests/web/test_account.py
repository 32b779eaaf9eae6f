"""The staff's own account, as a browser without scripts meets it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.delivery import Accepted, Outcome, Retry
from pro_app.models import StaffSession
from pro_app.services import alarms, staff
from tests.authenticator import Key
from tests.conftest import KEY, Site, TestClock
from tests.services.test_staff_sign_in import PASSWORD
from tests.services.trial import Letterbox
from tests.web.test_staff import EMAIL, Desk, at, desk, invite
from tests.web.test_staff_passkeys import INDEX, actions, make

__all__ = ["desk"]

NEW = "seven quiet lamps drifting home"


def another(desk: Desk, app: Flask) -> Desk:
    """The same person at another desk, signed in."""
    found = Desk(app, desk.clock)
    found.secret = desk.secret
    found.sign_in()
    return found


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


def test_an_invitation_to_an_open_account_is_told_before_it_is_used(
    app: Flask, web_site: Site, clock: TestClock
) -> None:
    letters = with_mail(app, Accepted(250))
    owner = Desk(app, clock)
    owner.set_up(invite(web_site))
    chief = Desk(app, clock)
    chief.set_up(invite(web_site, "administrator", "chief@hospital.example"))
    with web_site.database.reading() as session:
        person = staff.find(session, EMAIL)
        assert person is not None
        page = at(web_site, f"/register/{person.public_id}")
    chief.get(page)
    chief.post(f"{page}/invitation")
    (letter,) = letters.sent
    assert letter.to == EMAIL
    assert "An invitation to open your account anew" in letter.subject
    for telling in ("Aminah", "study", "Study", "test", "questionnaire", "lupus"):
        assert telling not in f"{letter.subject} {letter.text}"


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
