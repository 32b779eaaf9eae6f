"""What the phone keeps to work without network: the page for everybody, and the plan of one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from pro_app.models import Participant
from tests.conftest import PIN, Enrolled, Site, TestClock
from tests.pages import LANGUAGES, Browser


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol()


@pytest.fixture
def phone(app: Flask, person: Enrolled) -> Browser:
    """The person's phone, joined and open."""
    found = Browser(app)
    found.join(person)
    return found


def plan_of(phone: Browser) -> dict[str, Any]:
    """What is told to the phone."""
    response = phone.client.get("/plan")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    found: dict[str, Any] = response.get_json()
    return found


def test_the_plan_holds_what_is_due(
    web_site: Site, phone: Browser, person: Enrolled, clock: TestClock
) -> None:
    lupusqol, sf36 = web_site.open(person)
    web_site.answer(lupusqol, {"LQ01": 3, "LQ02": "skipped"})
    plan = plan_of(phone)
    assert [one["id"] for one in plan["questionnaires"]] == [lupusqol.public_id, sf36.public_id]
    first = plan["questionnaires"][0]
    assert first["given"] == {"LQ01": ["answered", 3], "LQ02": ["skipped", None]}
    assert datetime.fromisoformat(first["closes_at"]) == lupusqol.closes_at
    assert datetime.fromisoformat(first["last_at"]) > lupusqol.closes_at
    assert datetime.fromisoformat(plan["at"]) == clock()
    assert phone.client.get(first["sheet"]).status_code == 200


def test_what_is_done_or_over_is_not_in_the_plan(
    web_site: Site, phone: Browser, person: Enrolled, clock: TestClock
) -> None:
    lupusqol, sf36 = web_site.open(person)
    web_site.answer_all(lupusqol)
    phone.get(f"/questionnaires/{lupusqol.public_id}/review")
    phone.post(f"/questionnaires/{lupusqol.public_id}/submit")
    assert [one["id"] for one in plan_of(phone)["questionnaires"]] == [sf36.public_id]
    clock.now = sf36.closes_at + timedelta(minutes=1)
    phone.get("/today")
    phone.unlock()
    assert plan_of(phone)["questionnaires"] == []


@pytest.mark.parametrize(("days", "told"), [(13, 2), (15, 0)])
def test_what_opens_within_two_weeks_is_told(
    web_site: Site, phone: Browser, person: Enrolled, days: int, told: int
) -> None:
    web_site.open(person, opens=timedelta(days=days), closes=timedelta(days=days + 3))
    assert len(plan_of(phone)["questionnaires"]) == told


def test_the_plan_is_for_its_person_alone(app: Flask, web_site: Site, phone: Browser) -> None:
    theirs, _ = web_site.open(web_site.enrol("01-099"))
    assert theirs.public_id not in phone.client.get("/plan").text


def test_whom_the_plan_is_not_for_gets_a_status_and_is_not_led_there_afterwards(
    app: Flask, web_site: Site, phone: Browser, person: Enrolled
) -> None:
    """A script asks for it; nobody wants to read it as a page once the PIN is given."""
    stranger = app.test_client().get("/plan")
    assert (stranger.status_code, stranger.json) == (401, {"error": "device"})
    assert "Set-Cookie" not in stranger.headers
    phone.get("/today")
    phone.post("/lock")
    locked = phone.client.get("/plan")
    assert (locked.status_code, locked.json) == (401, {"error": "locked"})
    phone.get("/unlock")
    phone.unlock()
    assert phone.path == "/today"
    with web_site.database.writing() as session:
        session.get_one(Participant, person.id).notice_version = "0"
    unread = phone.client.get("/plan")
    assert (unread.status_code, unread.json) == (401, {"error": "notice"})


def test_a_borrowed_phone_gets_no_plan(app: Flask, web_site: Site, person: Enrolled) -> None:
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", code=person.code)
    browser.post("/join/notice", accept="yes", shared="yes")
    browser.post("/join/pin", pin=PIN, again=PIN)
    assert browser.client.get("/plan").status_code == 403


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_without_network_is_the_same_for_everybody(
    app: Flask, web_site: Site, phone: Browser, person: Enrolled, language: str
) -> None:
    web_site.open(person)
    asked = f"/offline?language={language}"
    mine, theirs = phone.client.get(asked), app.test_client().get(asked)
    assert mine.text == theirs.text
    assert f'lang="{LANGUAGES[language]}"' in mine.text
    assert "csrf_token" not in mine.text
    assert person.number not in mine.text
    for response in (mine, theirs):
        assert "Set-Cookie" not in response.headers
