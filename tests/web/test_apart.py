"""Test participants of a live study on the pages: apart, found by their number, and marked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import Participant
from pro_app.services import enrolment, participants, studies
from pro_app.services.consents import Consent
from tests.conftest import KEY, Enrolled, Site, TestClock
from tests.pages import Browser
from tests.web import test_copy as copies
from tests.web.test_api import program
from tests.web.test_enrol_many import enrol as enrol_file
from tests.web.test_enrol_many import rows, upload
from tests.web.test_offline import plan_of
from tests.web.test_participant import reload
from tests.web.test_staff import Desk, at, desk
from tests.web.test_staff_access import sign_in
from tests.web.test_tablet import LIST, agree, confirm, hand_over

__all__ = ["desk"]

REAL, TEST = "01-301", "01-309"
ONLY = "Test participants only"
MARK = "Test participant<"
SAID = "This is a test, not a person of the study."


def go_live(site: Site) -> None:
    reload(site, status="live")
    with site.database.reading() as session:
        site.study = studies.current(session, site.library, site.study.id)


def enrol(site: Site, number: str, is_test: bool = False) -> Enrolled:
    """Somebody with a questionnaire that can be answered now."""
    now = site.clock()
    with site.database.writing() as session:
        row = enrolment.add_participant(
            session, site.study, "01", number, "en", now, consent=Consent("1", now.date()),
            is_test=is_test,
        )  # fmt: skip
        code = enrolment.issue_code(session, row.id, KEY, now)
    found = Enrolled(row.id, number, "en", code)
    site.open(found)
    return found


@pytest.fixture
def both(web_site: Site) -> Site:
    """A live study with a person and a test participant."""
    go_live(web_site)
    enrol(web_site, REAL)
    enrol(web_site, TEST, is_test=True)
    return web_site


LISTS = ("/today", "/today/codes", "/completion", "/completion?q=01-30", "/rates", "/to-check",
         "/corrections")  # fmt: skip


def test_every_list_has_the_people_or_under_the_filter_the_tests(desk: Desk, both: Site) -> None:
    for path in LISTS:
        desk.get(at(both, path))
        assert TEST not in desk.page.text, path
        assert ONLY not in desk.page.text, path
        desk.get(at(both, path + ("&" if "?" in path else "?") + "test=1"))
        assert REAL not in desk.page.text, path
        assert ONLY in desk.page.text, path


def test_the_board_leads_to_the_tests_and_links_stay_there(desk: Desk, both: Site) -> None:
    desk.get(at(both, "/today"))
    assert REAL in desk.page.text
    assert f'href="{at(both, "/today")}?test=1">1</a>' in desk.page.text
    desk.get(at(both, "/today?test=1"))
    assert TEST in desk.page.text
    hrefs = [str(one["href"]) for one in desk.page.all("a") if "href" in one]
    of_study = [one for one in hrefs if one.startswith(at(both, "/"))]
    back = [one for one in of_study if "test=1" not in one]
    assert back == [at(both, "/today")], "the way back to the people of the study"
    desk.get(at(both, "/completion?test=1"))
    (field,) = [one for one in desk.page.all("input") if one.get("name") == "test"]
    assert field["value"] == "1", "a search keeps to them, too"


def test_where_there_are_no_tests_the_board_names_none(desk: Desk, web_site: Site) -> None:
    go_live(web_site)
    enrol(web_site, REAL)
    desk.get(at(web_site, "/today"))
    assert "Test participants" not in desk.page.text


def test_a_study_that_is_not_live_has_no_filter(desk: Desk, web_site: Site) -> None:
    web_site.open(web_site.enrol(REAL))
    for path in ("/today", "/today?test=1"):
        desk.get(at(web_site, path))
        assert REAL in desk.page.text
        assert "Test participants" not in desk.page.text
    desk.get(at(web_site, f"/participants/{REAL}"))
    assert MARK not in desk.page.text


def test_one_is_found_by_the_number_and_marked(desk: Desk, both: Site) -> None:
    desk.get(at(both, f"/completion?q={TEST}"))
    assert f'/participants/{TEST}">{TEST}</a>' in desk.page.text
    assert MARK in desk.page.text
    for number, is_test in ((TEST, True), (REAL, False)):
        desk.get(at(both, f"/participants/{number}"))
        assert (MARK in desk.page.text) is is_test


def test_nobody_of_another_site_is_found(app: Flask, both: Site) -> None:
    nurse = sign_in(app, both, "coordinator", copies.place(both, "02"))
    nurse.get(at(both, f"/completion?q={TEST}"))
    assert MARK not in nurse.page.text


def test_a_tick_enrols_a_test_without_a_consent(desk: Desk, web_site: Site) -> None:
    go_live(web_site)
    desk.get(at(web_site, "/enrol"))
    given = {"site": "01", "language": "ms", "consent_version": "", "consent_on": "", "email": ""}
    desk.post(at(web_site, "/enrol"), 422, number="01-401", **given)
    assert "the version that stands on the consent form" in desk.page.text
    half = given | {"consent_version": "1"}
    desk.post(at(web_site, "/enrol"), 422, number="01-401", test="yes", **half)
    assert "day on which the consent form was signed" in desk.page.text
    desk.post(at(web_site, "/enrol"), number="01-401", test="yes", **given)
    signed = {"consent_version": "1", "consent_on": web_site.clock().date().isoformat()}
    desk.get(at(web_site, "/enrol"))
    desk.post(at(web_site, "/enrol"), number="01-402", **given | signed)
    assert marked(web_site) == {"01-401": True, "01-402": False}


def marked(site: Site) -> dict[str, bool]:
    """Who of the participants is a test."""
    with site.database.reading() as session:
        rows = session.scalars(
            sa.select(Participant).where(participants.everybody(site.study, None))
        )
        return {one.number: one.is_test for one in rows}


def test_a_file_has_tests_and_people(desk: Desk, web_site: Site) -> None:
    go_live(web_site)
    header = "number,site,language,consent_version,consent_on,test"
    lines = ("01-401,01,ms,,,yes", "01-402,01,ta,1.2,2026-11-20,no", "01-403,01,ta,1.2,2026-11-20,")
    upload(desk, web_site, "01-401,01,ms,,,maybe", "01-402,01,ta,1,,yes", "01-403,01,ta,,,no",
           header=header, status=422)  # fmt: skip
    assert [(line, column) for line, column, _ in rows(desk.page)] == [
        ("2", "consent_version"),
        ("2", "consent_on"),
        ("2", "test"),
        ("3", "consent_on"),
        ("4", "consent_version"),
        ("4", "consent_on"),
    ]  # fmt: skip
    upload(desk, web_site, *lines, header=header)
    enrol_file(desk, web_site)
    assert marked(web_site) == {"01-401": True, "01-402": False, "01-403": False}


def test_today_says_that_it_is_a_test(app: Flask, both: Site) -> None:
    for number, is_test in ((REAL[:-1] + "2", False), (TEST[:-1] + "8", True)):
        phone = Browser(app)
        phone.join(enrol(both, number, is_test))
        phone.get("/today")
        assert (SAID in phone.page.text) is is_test


def test_what_the_phone_keeps_says_that_it_is_a_test(app: Flask, both: Site) -> None:
    for number, is_test in ((REAL[:-1] + "2", False), (TEST[:-1] + "8", True)):
        phone = Browser(app)
        phone.join(enrol(both, number, is_test))
        assert plan_of(phone)["test"] is is_test


def test_the_tablet_says_that_it_is_a_test(desk: Desk, both: Site) -> None:
    for number, is_test in ((REAL, False), (TEST, True)):
        hand_over(desk, both, number)
        confirm(desk, number[-2:])
        agree(desk)
        assert desk.path == LIST
        assert (SAID in desk.page.text) is is_test


def test_programs_read_people_or_tests(app: Flask, both: Site) -> None:
    known = program(app, both)
    study = f"/api/v1/studies/{both.study.definition.code}"
    for asked, number in (("", REAL), ("?test=0", REAL), ("?test=1", TEST)):
        for table in ("participants", "assessments", "audit"):
            found = known.read(f"{study}/{table}{asked}")
            assert {row["participant"] for row in found["rows"]} == {number}
            assert ("Test participants" in found["notes"]) is (number == TEST)
    known.refused(f"{study}/participants?test=yes", 400, "test")


def test_pages_of_programs_stay_with_the_tests(app: Flask, both: Site) -> None:
    enrol(both, "01-310", is_test=True)
    known = program(app, both)
    study = f"/api/v1/studies/{both.study.definition.code}"
    seen = []
    for page in known.pages(f"{study}/participants?test=1&limit=1"):
        assert page.json is not None
        seen += [row["participant"] for row in page.json["rows"]]
    assert seen == [TEST, "01-310"]


def test_the_room_of_exports_has_a_tick(app: Flask, both: Site) -> None:
    wise = sign_in(app, both, "researcher", None)
    wise.get(at(both, "/exports"))
    assert ONLY in wise.page.text
    wise.post(
        at(both, "/exports"), what="participants", format="csv", language="en",
        reason="A look at the tests", tests="only",
    )  # fmt: skip
    jobs = wise.page.text.partition('id="jobs"')[2]
    assert f"· {ONLY}" in jobs


def test_the_copy_has_the_tests_in_a_folder_of_their_own(
    app: Flask, both: Site, clock: TestClock, tmp_path: Path
) -> None:
    clock.forward(minutes=1)
    doctor = sign_in(app, both, "investigator", copies.place(both, "01"))
    folder = copies.unpacked(copies.make(doctor, both), tmp_path)
    assert copies.checked(folder).stdout.endswith("no fault\n")
    for place_, own, other in ((folder, REAL, TEST), (folder / "test_participants", TEST, REAL)):
        rows_ = copies.table(place_, "assessments")
        assert {row["participant"] for row in rows_} == {own}
        pages = [one.name for one in (place_ / "people").iterdir()]
        assert len(pages) == 1
        assert pages[0].startswith(own)
        page = (place_ / "people" / pages[0]).read_text(encoding="utf-8")
        assert (MARK in page) is (own == TEST)
        assert other not in page
        for link in re.findall(r'href="([^"#:]+)"', page):
            assert (place_ / "people" / link).resolve().is_file(), link
    index = (folder / "index.html").read_text(encoding="utf-8")
    people, _, tests = index.partition("<h2>Test participants</h2>")
    assert REAL in people
    assert TEST not in people
    assert TEST in tests
    assert "test_participants/tables/answers.csv" in tests


def test_a_copy_without_tests_has_no_such_folder(
    app: Flask, web_site: Site, clock: TestClock, tmp_path: Path
) -> None:
    go_live(web_site)
    enrol(web_site, REAL)
    clock.forward(minutes=1)
    doctor = sign_in(app, web_site, "investigator", copies.place(web_site, "01"))
    folder = copies.unpacked(copies.make(doctor, web_site), tmp_path)
    assert not (folder / "test_participants").exists()
