"""Recordings: how they are served, and on which pages they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.library import Library
from pro_app.core.licence import MODES
from pro_app.core.study_file import read_study_file
from pro_app.core.wording import Wording
from pro_app.models import Answer, Assessment, Database
from pro_app.services import recordings, studies
from pro_app.services.studies import CurrentStudy
from pro_app.web import sheets
from tests.conftest import MORNING, Enrolled, Site, TestClock
from tests.pages import Browser
from tests.services import licensing
from tests.sounds import mp3

VOICE = mp3("one")
HASH = hashlib.sha256(VOICE).hexdigest()
ADDRESS = f"/sounds/{HASH}"
INSTRUCTION = mp3("all")
INSTRUCTION_ADDRESS = f"/sounds/{hashlib.sha256(INSTRUCTION).hexdigest()}"
SILENT = frozenset(MODES) - {"aloud"}


@pytest.fixture
def changes() -> dict[str, Any]:
    """What the study's file says besides."""
    return {"read_aloud": True}


@pytest.fixture
def modes() -> frozenset[str]:
    """What the licence of the recorded wording permits."""
    return frozenset(MODES)


def load(database: Database, library: Library, changes: dict[str, Any]) -> CurrentStudy:
    content = read_study_file(Path(__file__).parents[1] / "study.toml", library.instruments)
    with database.writing() as session:
        return studies.load(session, library, content | changes, MORNING)


@pytest.fixture
def web_site(
    sqlite_url: str, library: Library, clock: TestClock, changes: dict[str, Any]
) -> Iterator[Site]:
    database = Database(sqlite_url)
    study = load(database, library, changes)
    yield Site(database, library, study, clock)
    database.close()


@pytest.fixture
def wording(web_site: Site, modes: frozenset[str]) -> Wording:
    """A licensed wording with two recordings."""
    with web_site.database.writing() as session:
        found = licensing.license_one(
            session, web_site.study, web_site.library, "lupusqol", "en", web_site.clock(),
            modes=modes,
        )  # fmt: skip
        files = {"LQ01": VOICE, "": INSTRUCTION}
        recordings.add(session, found.fingerprint, files, "site", web_site.clock())
        return found


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol()


@pytest.fixture
def sheet(web_site: Site, person: Enrolled, wording: Wording) -> Assessment:
    return web_site.open(person)[0]


@pytest.fixture
def phone(app: Flask, sheet: Assessment, person: Enrolled) -> Browser:
    found = Browser(app)
    found.join(person)
    return found


def test_a_recording_is_kept_for_ever_and_belongs_to_nobody(app: Flask, wording: Wording) -> None:
    client = app.test_client()
    for method in (client.get, client.head):
        response = method(ADDRESS)
        assert (response.status_code, response.mimetype) == (200, "audio/mpeg")
        assert response.data == (VOICE if method == client.get else b"")
        headers = response.headers
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert headers["Content-Length"] == str(len(VOICE))
        assert headers["Accept-Ranges"] == "bytes"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in headers
        assert "Content-Encoding" not in headers
        assert "Cookie" not in headers.get("Vary", "")
    again = client.get(ADDRESS, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-1", 0, 2),  # what an iPhone asks first
        ("bytes=0-", 0, len(VOICE)),
        ("bytes=100-199", 100, 200),
        ("bytes=-50", len(VOICE) - 50, len(VOICE)),
        (f"bytes=10-{10 * len(VOICE)}", 10, len(VOICE)),
    ],
)
def test_a_part_of_it_is_there_too(
    app: Flask, wording: Wording, asked: str, begin: int, end: int
) -> None:
    headers = {"Range": asked, "Accept-Encoding": "gzip, br"}
    response = app.test_client().get(ADDRESS, headers=headers)
    assert response.status_code == 206
    assert response.data == VOICE[begin:end]
    assert response.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(VOICE)}"
    assert response.headers["Content-Length"] == str(end - begin)


def test_a_part_behind_its_end_is_not_there(app: Flask, wording: Wording) -> None:
    headers = {"Range": f"bytes={len(VOICE)}-"}
    assert app.test_client().get(ADDRESS, headers=headers).status_code == 416


def test_what_was_never_recorded_is_not_there(app: Flask, wording: Wording) -> None:
    for name in ("0" * 64, HASH[:12], HASH.upper(), "LQ01"):
        assert app.test_client().get(f"/sounds/{name}").status_code == 404


def places(browser: Browser) -> list[str]:
    """The addresses of recordings on the page."""
    tags = browser.page.tags
    return [str(one["data-sound"]) for _, one in tags if "data-sound" in one]


def form_of(browser: Browser) -> dict[str, str | None]:
    return next(one for one in browser.page.all("form") if one.get("id") == "item")


def look(phone: Browser, sheet: Assessment) -> tuple[bool, list[str]]:
    """Whether the first question may be read aloud, and which recordings its page has."""
    phone.get(f"/questionnaires/{sheet.public_id}/items/1")
    return "data-aloud" in form_of(phone), places(phone)


def test_the_item_has_its_recording_and_the_start_the_instructions(
    phone: Browser, sheet: Assessment
) -> None:
    assert look(phone, sheet) == (True, [ADDRESS])
    kept = phone.client.get(str(form_of(phone)["data-sheet"]))
    assert kept.text.count(ADDRESS) == kept.text.count("data-sound") == 1
    phone.get(f"/questionnaires/{sheet.public_id}/items/2")
    assert places(phone) == []
    phone.get(f"/questionnaires/{sheet.public_id}")
    assert [one["src"] for one in phone.page.all("audio")] == [INSTRUCTION_ADDRESS]


def test_the_plan_tells_what_to_keep(phone: Browser, sheet: Assessment) -> None:
    first, second = phone.client.get("/plan").get_json()["questionnaires"]
    assert (first["aloud"], first["sounds"]) == (True, [ADDRESS])
    assert (second["aloud"], second["sounds"]) == (True, [])


@pytest.mark.parametrize(
    ("changes", "modes", "aloud"),
    [
        ({}, frozenset(MODES), False),  # the study does not let it
        ({"read_aloud": False}, frozenset(MODES), False),
        ({"read_aloud": True}, SILENT, False),  # the licence does not
    ],
)
def test_it_is_read_where_study_and_licence_let_it(
    phone: Browser, sheet: Assessment, aloud: bool
) -> None:
    """By the phone's voice, too: what is not licensed to be read aloud is not read at all."""
    is_read(phone, sheet, aloud)


@pytest.mark.parametrize(("modes", "aloud"), [(SILENT, False), (frozenset(MODES), True)])
def test_likewise_in_a_live_study(
    phone: Browser, web_site: Site, sheet: Assessment, changes: dict[str, Any], aloud: bool
) -> None:
    load(web_site.database, web_site.library, changes | {"status": "live"})
    is_read(phone, sheet, aloud)


def is_read(phone: Browser, sheet: Assessment, aloud: bool) -> None:
    assert look(phone, sheet) == (aloud, [ADDRESS] if aloud else [])
    assert ("aloud.js" in phone.page.text) is aloud
    plan = phone.client.get("/plan").get_json()["questionnaires"][0]
    assert (plan["aloud"], plan["sounds"]) == (aloud, [ADDRESS] if aloud else [])
    assert (ADDRESS in phone.client.get(str(form_of(phone)["data-sheet"])).text) is aloud
    phone.get(f"/questionnaires/{sheet.public_id}")
    assert len(phone.page.all("audio")) == aloud


@pytest.mark.parametrize("changes", [{"read_aloud": True, "status": "demonstration"}])
def test_the_demonstration_is_read_by_the_phone_alone(phone: Browser, sheet: Assessment) -> None:
    assert look(phone, sheet) == (True, [])


def test_a_recording_that_comes_later_is_there_at_once(
    phone: Browser, web_site: Site, sheet: Assessment, wording: Wording
) -> None:
    before = look(phone, sheet)
    path = str(form_of(phone)["data-sheet"])
    with web_site.database.writing() as session:
        later = {"LQ02": mp3("two")}
        recordings.add(session, wording.fingerprint, later, "site", web_site.clock())
    assert look(phone, sheet) == before
    assert str(form_of(phone)["data-sheet"]) != path, "another sheet"
    phone.get(f"/questionnaires/{sheet.public_id}/items/2")
    assert places(phone) == [f"/sounds/{hashlib.sha256(mp3('two')).hexdigest()}"]


@pytest.mark.parametrize("modes", [SILENT])
def test_a_licence_for_it_that_comes_later_counts_at_once(
    phone: Browser, web_site: Site, sheet: Assessment
) -> None:
    web_site.answer(sheet, {"LQ02": 1})
    assert look(phone, sheet) == (False, [])
    with web_site.database.writing() as session:
        study = studies.current(session, web_site.library, web_site.study.id)
        licensing.renew(
            session, study, web_site.library, "lupusqol", "en", web_site.clock(),
            from_on=date(2021, 1, 1),
        )  # fmt: skip
    assert look(phone, sheet) == (True, [ADDRESS])


@pytest.mark.parametrize("modes", [frozenset(MODES), SILENT])
def test_the_sheet_of_a_loaded_wording_outlives_a_restart(
    app: Flask, phone: Browser, sheet: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(phone, sheet)
    path = str(form_of(phone)["data-sheet"])
    before = app.test_client().get(path)
    monkeypatch.setattr(sheets, "_rendered", {})
    after = app.test_client().get(path)
    assert (after.status_code, after.data) == (200, before.data)


@pytest.mark.parametrize(("told", "heard"), [("LQ01", True), ("LQ02 LQ01", True), ("LQ02", False)])
def test_a_plain_form_tells_that_the_question_was_heard(
    phone: Browser, web_site: Site, sheet: Assessment, told: str, heard: bool
) -> None:
    path = f"/questionnaires/{sheet.public_id}/items/1"
    phone.get(path)
    phone.post(path, choice="1", action="next", read_aloud=told)
    taken = sa.select(Answer).where(Answer.assessment_id == sheet.id)
    with web_site.database.reading() as session:
        assert [one.read_aloud for one in session.scalars(taken)] == [heard]
