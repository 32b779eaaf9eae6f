"""A step that waits says what it is, and can be let go."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from pro_app.web import steps
from tests.conftest import Site, snapshot
from tests.pages import Browser
from tests.services.test_staff_sign_in import PASSWORD
from tests.web.test_access import rules
from tests.web.test_staff import ENROLMENT, Desk, at, desk, hidden

__all__ = ["desk"]

AUDIENCES = {"staff", "participant", "tablet"}  # of whom a form can be kept and sent on
LEAVE = "Do not go on, and discard it"
UNNAMED = {  # never sent on: settings, what a script sends, and the ways in and out
    "account.add_passkey", "account.passkey_options", "device.make", "device.making",
    "reminders.report", "reminders.subscribe", "staff.choose_language", "staff.sign_out",
    "staff.stay", "staff.verify", "staff.go_on", "staff.check_invitation", "staff.check_password",
    "staff.check_second", "staff.finish_set_up", "staff_passkeys.opening",
    "staff_passkeys.sign_in", "staff_passkeys.verify", "tablet.check", "tablet.idle",
    "tablet.settings", "tablet.stay",
}  # fmt: skip


def told(browser: Browser) -> str:
    """The step that a page names; empty if it names none."""
    found = re.search(r"<p data-step>(.*?)</p>", browser.page.text)
    return "" if found is None else re.sub(r"<[^>]+>", "", found[1])


def test_every_step_that_can_wait_has_a_name(app: Flask) -> None:
    waiting = set()
    for rule in rules(app):
        view = app.view_functions[rule.endpoint]
        weighty = getattr(view, "fresh", False) or "POST" in (rule.methods or ())
        if weighty and getattr(view, "audience", None) in AUDIENCES:
            waiting.add(rule.endpoint)
    own = {"device.sign_out"}  # of who has a phone, signed in or not
    assert (waiting | own) - UNNAMED == set(steps.STEPS)
    assert waiting >= UNNAMED
    assert {endpoint for endpoint, _field in steps.CHOICES} <= set(steps.STEPS)


@pytest.mark.parametrize(
    ("path", "fields", "method", "name"),
    [
        ("/staff/test/participants/01-301/end", [], "POST", "End of participation"),
        ("/staff/test/participants/01-301/end", [("what", "death")], "POST", "Has died"),
        (
            "/staff/test/participants/01-301/code?x=1",
            [("kind", "joining")],
            "POST",
            "New joining card",
        ),
        ("/staff/account/password", [], "GET", "Change the password"),
        ("/staff/account/passkeys", [], "GET", None),  # no page is read there
        ("/staff/language", [("language", "ms")], "POST", None),
        ("/nowhere", [], "POST", None),
        ("/phone", [], "POST", None),
    ],
)
def test_a_step_is_named_by_its_address_and_what_was_chosen(
    app: Flask, path: str, fields: list[tuple[str, str]], method: str, name: str | None
) -> None:
    with app.test_request_context(headers={"Accept-Language": "en"}):
        found = steps.step(path, fields, method)
        assert (None if found is None else str(found.name)) == name
        assert found is None or found.number == ("01-301" if "01-301" in path else None)


def test_a_proof_says_what_it_is_for_and_nothing_happens_without_it(
    desk: Desk, web_site: Site
) -> None:
    web_site.enrol("01-301")
    page = at(web_site, "/participants/01-301")
    desk.clock.forward(minutes=6)
    desk.get(page)
    given = {"what": "study", "sure": "yes"}
    desk.post(f"{page}/end", 401, **given)
    assert told(desk) == "Has withdrawn from the study · 01-301"
    assert f'<a href="/staff/">{LEAVE}</a>' in desk.page.text
    carried = {"carry_to": f"{page}/end", "method": "post", **given}
    desk.post("/staff/verify", 422, **carried, password=PASSWORD, code="000000")
    assert told(desk) == "Has withdrawn from the study · 01-301"
    desk.clock.forward(minutes=1)
    before = snapshot(web_site.database)
    desk.post("/staff/verify", **carried, password=PASSWORD, code=desk.shown())
    assert told(desk) == "Has withdrawn from the study · 01-301"
    assert snapshot(web_site.database)["participant"] == before["participant"]
    assert f'<a href="/staff/">{LEAVE}</a>' in desk.page.text


def test_a_page_that_needs_a_proof_is_named(desk: Desk) -> None:
    desk.clock.forward(minutes=6)
    desk.get("/staff/account/recovery-codes", 401)
    assert told(desk) == "Make new recovery codes"


def test_what_was_kept_says_what_it_is_and_can_be_left_at_the_door(
    desk: Desk, web_site: Site
) -> None:
    page = desk.get(at(web_site, "/enrol"))
    desk.post("/staff/sign-out")
    desk.page = page
    desk.post(at(web_site, "/enrol"), 401, **ENROLMENT)
    assert told(desk) == "", "nobody at the desk reads what it is"
    assert f'<a href="/staff/sign-in">{LEAVE}</a>' in desk.page.text
    kept = hidden(desk)["kept"]
    desk.clock.forward(minutes=1)
    desk.post("/staff/sign-in", email="nurse@hospital.example", password=PASSWORD, kept=kept)
    desk.post("/staff/sign-in/code", code=desk.shown(), kept=kept)
    assert told(desk) == "Enrol, and show the joining card"
    desk.page = page
    desk.post(at(web_site, "/enrol"), 400, **ENROLMENT)
    assert told(desk) == "Enrol, and show the joining card", "also in another tab"


@pytest.mark.parametrize(
    ("path", "fields", "name"),
    [
        ("/reminders/off", {}, "Turn off on this phone"),
        ("/phone/sign-out", {}, "Sign out of this phone"),
        ("/reminders/email", {"action": "remove"}, "Remove my e-mail address"),
        ("/settings", {"text_size": "2"}, ""),
    ],
)
def test_a_page_of_a_participant_that_comes_too_late_is_named(
    app: Flask, web_site: Site, path: str, fields: dict[str, str], name: str
) -> None:
    phone = Browser(app)
    phone.join(web_site.enrol("01-301"))
    before = snapshot(web_site.database)
    phone.response = phone.client.post(path, data=fields, headers=phone.accept)
    phone._see(400)
    assert told(phone) == name
    assert f'<a href="/">{LEAVE}</a>' in phone.page.text
    assert snapshot(web_site.database) == before
