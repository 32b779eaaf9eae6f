"""Every page of the staff in every language: no word of another one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask

from pro_app.config import ROOT
from pro_app.services import staff
from tests.conftest import KEY, Site, TestClock
from tests.pages import LANGUAGES
from tests.services.test_staff_sign_in import PASSWORD
from tests.web import (
    test_account,
    test_alerts,
    test_calls,
    test_contact,
    test_coordinator,
    test_copy,
    test_corrections,
    test_enrol_many,
    test_entry,
    test_exports,
    test_investigator,
    test_missed,
    test_pictures,
    test_printing,
    test_proof_pack,
    test_protocol,
    test_receipts,
    test_register,
    test_score_page,
    test_sign_off,
    test_tablet,
    test_tokens,
    test_trail,
    test_wording,
    test_wording_recordings,
)  # fmt: skip
from tests.web.test_languages import LATIN, STAFF_FOLDERS, Reader, rendered
from tests.web.test_staff import EMAIL, ENROLMENT, Desk, at, invite

__all__ = ["rendered"]


def walk_answers(desk: Sighted, site: Site) -> None:
    """The answers, and what of them was corrected."""
    test_corrections.walk(desk, site)
    test_investigator.walk(desk, site)


OWN = {"staff", "coordinator", "enrol", "participant_page"}  # walked here
EXTENDED = {
    "staff/base.html", "participant_page/base.html", "tablet/base.html", "pictures/base.html",
}  # fmt: skip
WALKS: dict[str, Callable[[Any, Site], None]] = {
    "account": test_account.walk,
    "alerts": test_alerts.walk,
    "api": test_tokens.walk_api,
    "calls": test_calls.walk,
    "contact": test_contact.walk,
    "copy": test_copy.walk,
    "correction_request": test_corrections.walk,
    "corrections": test_corrections.walk,
    "enrol_many": test_enrol_many.walk,
    "entry": test_entry.walk,
    "exports": test_exports.walk,
    "investigator": walk_answers,
    "missed": test_missed.walk,
    "pictures": test_pictures.walk,
    "printing": test_printing.walk,
    "proof_pack": test_proof_pack.walk,
    "protocol": test_protocol.walk,
    "receipts": test_receipts.walk,
    "register": test_register.walk,
    "scoring": test_score_page.walk,
    "sign_off": test_sign_off.walk,
    "tablet": test_tablet.walk,
    "tokens": test_tokens.walk,
    "trail": test_trail.walk,
    "translations": test_wording.walk,
    "wording": test_wording.walk,
    "wording_licence": test_wording.walk,
    "wording_recordings": test_wording_recordings.walk,
    "wording_upload": test_wording.walk_upload,
}


class Sighted(Reader, Desk):
    """A desk whose every page is read."""

    # names, addresses, and what the instruments are called
    names = frozenset(LATIN) | {
        "Aminah", "nurse", "hospital", "LupusQoL", "SF", "version", "Here", "There",
        "authenticator", "http", "localhost", "join", "Test", "Study", "elsewhere", "test",
        "LQ", "GH", "HT", "PF", "RP", "RE", "BP", "VT", "MH", "CSV", "UTF", "GCP", "Backspace",
        "worker", "MB", "kB", "id", "NA", "SPSS", "Stata", "SAS", "Excel", "Parquet", "Python",
        "JSON", "Lines", "REDCap", "CDISC", "Dataset", "SDTM", "QS", "ADaM", "ADQS", "FHIR",
        "Cronbach", "Student", "void", "lupusqol", "rand", "mos", "us", "SHA", "PDF", "MP", "Ogg",
        "Opus",
    }  # fmt: skip

    def __init__(self, app: Flask, clock: TestClock, language: str) -> None:
        Desk.__init__(self, app, clock, language)
        self.language, self.pages = language, 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_of_the_staff_is_in_its_language(
    app: Flask, web_site: Site, clock: TestClock, language: str, rendered: set[str]
) -> None:
    now = clock()
    with web_site.database.writing() as session:
        person = staff.add(session, EMAIL, "Aminah", language, date(2026, 1, 5), now)
        code = staff.invite(session, person.id, KEY, now)
    desk = Sighted(app, clock, language)
    way_in(desk, code)
    desk.get("/staff/")  # no task in any study
    with web_site.database.writing() as session:
        staff.grant(session, person.id, web_site.study.id, None, "coordinator", now)
    rooms(desk, web_site)
    one_person(desk, web_site)
    test_coordinator.walk(desk, web_site)
    desk.get(at(web_site, "/nothing"), 404)
    desk.post("/staff/sign-out", csrf_token=token(desk, web_site))
    assert pages_of(OWN) - rendered - EXTENDED == set()
    assert desk.pages > 25


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
@pytest.mark.parametrize("folder", WALKS)
def test_every_page_of_a_room_is_in_its_language(
    app: Flask, web_site: Site, clock: TestClock, language: str, folder: str, rendered: set[str]
) -> None:
    """Who walks may do everything; each module's own tests walk in English."""
    desk = Sighted(app, clock, language)
    desk.set_up(invite(web_site))
    with web_site.database.writing() as session:
        person = staff.find(session, EMAIL)
        assert person is not None
        staff.choose_language(session, person.id, language, clock())
        for role in ("investigator", "administrator")[folder == "alerts" :]:
            staff.grant(session, person.id, web_site.study.id, None, role, clock())
    WALKS[folder](desk, web_site)
    assert pages_of({folder}) - rendered - EXTENDED == set()


def pages_of(folders: set[str]) -> set[str]:
    """The whole pages among the templates."""
    return {
        str(path.relative_to(ROOT / "templates"))
        for folder in folders
        for path in (ROOT / "templates" / folder).glob("[a-z]*.html")
    }


def test_every_folder_is_walked() -> None:
    assert OWN | WALKS.keys() == STAFF_FOLDERS


def token(desk: Sighted, site: Site) -> str:
    """A token of a page that has a form."""
    return desk.get(at(site, "/enrol")).token()


def way_in(desk: Sighted, code: str) -> None:
    """From the invitation to the first page, and what may go wrong."""
    desk.get("/staff/sign-in")
    desk.post("/staff/sign-in", 422, email="", password="")
    desk.post("/staff/sign-in", 422, email=EMAIL, password="not this one at all")
    desk.get("/staff/invitation")
    desk.post("/staff/invitation", 422, code="ABC")
    desk.post("/staff/invitation", code=code)
    desk.connect()
    for password, again in (("short", "short"), ("a" * 20, "a" * 20), (PASSWORD, "other")):
        desk.post("/staff/set-up", 422, password=password, again=again, code=desk.shown())
    desk.post("/staff/set-up", 422, password=PASSWORD, again=PASSWORD, code="000000")
    desk.post("/staff/set-up", password=PASSWORD, again=PASSWORD, code=desk.shown())
    desk.get("/staff/")
    desk.post("/staff/sign-out")
    desk.get("/staff/sign-in")
    desk.post("/staff/sign-in", email=EMAIL, password=PASSWORD)
    desk.post("/staff/sign-in/code", 422, code="000000")
    desk.clock.forward(seconds=60)
    desk.post("/staff/sign-in/code", code=desk.shown())


def rooms(desk: Sighted, site: Site) -> None:
    """The rooms, empty and not."""
    for filled in (False, True):
        if filled:
            person = site.enrol("01-301", language="ta")
            first, second = site.open(person)
            site.answer(first, {"LQ01": 1})
            site.answer_all(second)
            site.submit(second)
        for path in ("/today", "/completion", "/completion?q=99", "/rates"):
            desk.get(at(site, path))
    desk.get(at(site, "/enrol"))
    desk.post(at(site, "/enrol"), 422, number="x", email="x")
    desk.post(at(site, "/enrol"), **ENROLMENT | {"language": desk.language})


def one_person(desk: Sighted, site: Site) -> None:
    """What is done on one participant's page."""
    page = at(site, "/participants/01-301")
    desk.get(page)
    desk.post(f"{page}/anchor", 422, anchor="enrolment", day="soon")
    desk.post(f"{page}/anchor", anchor="enrolment", day="2026-11-20")
    desk.post(f"{page}/anchor", anchor="enrolment", day="2026-11-23")
    desk.get(page)
    desk.post(f"{page}/pause", reason="hospital")
    desk.post(f"{page}/resume")
    desk.post(f"{page}/language", language=desk.language)
    desk.post(f"{page}/code", kind="recovery")
    desk.get(page)
    desk.post(f"{page}/end", 422, what="study")
    desk.clock.forward(minutes=6)
    desk.get(page)
    given = {"what": "study", "sure": "yes"}
    desk.post(f"{page}/end", 401, **given)
    carried = {"carry_to": f"{page}/end", "method": "post", **given}
    desk.post("/staff/verify", 422, **carried, password="not this one at all", code="000000")
    desk.post("/staff/verify", **carried, password=PASSWORD, code=desk.shown())
    desk.post(f"{page}/end", **given)
