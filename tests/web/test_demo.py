"""The demonstration: its people in every stage, its entrance, and that it stays shut elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.library import Library
from pro_app.demo import site
from pro_app.demo.people import PEOPLE, build
from pro_app.models import (
    AuditEntry,
    Call,
    Correction,
    CorrectionDecision,
    Database,
    Device,
    MissedReason,
    Participant,
    SignOff,
    Transcription,
)
from pro_app.services import audit
from tests.conftest import KEY, Site, TestClock, make_app
from tests.pages import Browser


@pytest.fixture
def demonstration(sqlite_url: str, library: Library, clock: TestClock) -> Iterator[Flask]:
    """The demonstration study, served."""
    database = Database(sqlite_url)
    with database.writing() as session:
        codes = build(session, library, KEY, clock())
    database.close()
    assert set(codes) == {
        person.number for person in PEOPLE if not person.joined and not person.paper
    }
    app = make_app(sqlite_url, clock, demo=True)
    yield app
    app.extensions["pro_app"].database.close()


def test_every_person_can_be_entered(demonstration: Flask) -> None:
    browser = Browser(demonstration)
    page = browser.get("/demo/")
    for person in PEOPLE:
        shown = f"/demo/{person.number}" in page.text
        assert shown is person.joined
        if shown:
            browser.get("/demo/")
            browser.post(f"/demo/{person.number}")
            assert browser.path == "/today"
    with demonstration.extensions["pro_app"].database.reading() as session:
        assert list(audit.verify(session)) == [], "the demonstration's record is whole"
        devices = session.scalars(sa.select(Device.id)).all()
        joined = session.scalars(
            sa.select(AuditEntry.object).where(AuditEntry.action == "join")
        ).all()
        assert sorted(joined) == sorted(f"device/{one}" for one in devices)


def test_all_stages_and_languages_are_there(demonstration: Flask) -> None:
    with demonstration.extensions["pro_app"].database.reading() as session:
        languages = set(session.scalars(sa.select(Participant.language)))
    assert languages == {"ms", "en", "zh_Hans", "ta"}


def test_nobody_enters_who_is_not_of_the_demonstration(
    web_site: Site, sqlite_url: str, clock: TestClock
) -> None:
    person = web_site.enrol("01-002")
    app = make_app(sqlite_url, clock, demo=True)
    browser = Browser(app)
    browser.get("/demo/")
    browser.post(f"/demo/{person.number}", status=404)
    browser.get("/demo/")
    browser.post("/demo/01-999", status=404)
    browser.get("/demo/")
    assert browser.client.post(f"/demo/{person.number}").status_code == 400
    app.extensions["pro_app"].database.close()


def test_elsewhere_there_is_no_such_entrance(app: Flask) -> None:
    assert app.test_client().get("/demo/").status_code == 404


def test_the_staff_can_be_entered_and_sign_in_with_what_the_page_says(
    demonstration: Flask, clock: TestClock
) -> None:
    for one in site.STAFF:
        browser = Browser(demonstration)
        browser.get("/demo/")
        browser.post(f"/demo/staff/{one.account}")
        assert browser.path.startswith("/staff/")
    browser = Browser(demonstration)
    page = browser.get("/demo/")
    assert site.PASSWORD in page.text
    assert site.code_now(clock()) in page.text
    browser.get("/staff/sign-in")
    browser.post("/staff/sign-in", email=site.STAFF[0].email, password=site.PASSWORD)
    browser.post("/staff/sign-in/code", code=site.code_now(clock()))
    assert "01-002" in browser.get("/staff/demonstration/today").text


def test_the_site_has_worked(demonstration: Flask) -> None:
    with demonstration.extensions["pro_app"].database.reading() as session:
        assert session.scalars(sa.select(Transcription.state)).all() == ["to_check"]
        assert session.scalars(sa.select(CorrectionDecision.outcome)).all() == ["approved"]
        for table, count in ((Correction, 2), (Call, 2), (MissedReason, 1), (SignOff, 1)):
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == count
