"""Questionnaires printed on paper: what is on the sheets, who may have them, what is on record."""

from __future__ import annotations

import re
from datetime import date
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.config import ROOT
from pro_app.core.wording import Wording
from pro_app.models import Answer, Assessment, AuditEntry, StudyVersion, Transcription
from pro_app.models import Site as SiteRow
from pro_app.services import audit, studies
from tests.conftest import Enrolled, Site, TestClock
from tests.pages import Browser
from tests.services.licensing import license_one
from tests.web.test_languages import rendered
from tests.web.test_staff import at, invite, signed_in

if TYPE_CHECKING:
    from tests.web.test_staff_languages import Sighted

__all__ = ["rendered"]
NUMBER = "01-381"


@pytest.fixture
def desk(app: Flask, web_site: Site, clock: TestClock) -> Browser:
    """A coordinator of the first site, signed in."""
    with web_site.database.reading() as session:
        own = session.scalars(sa.select(SiteRow.id).where(SiteRow.code == "01")).one()
    return signed_in(app, web_site, clock, "coordinator", own)


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol(NUMBER, "ta")


def entries(site: Site) -> list[AuditEntry]:
    with site.database.reading() as session:
        found = sa.select(AuditEntry).where(AuditEntry.action == "print_sheets")
        return list(session.scalars(found.order_by(AuditEntry.id)))


def make(desk: Browser, site: Site, **given: str) -> None:
    """Open the page and ask for sheets."""
    desk.get(at(site, "/print"))
    desk.post(at(site, "/print"), **given)


# --- what is on the sheets ----------------------------------------------------------------------


def test_all_questionnaires_of_a_visit_with_lines_for_whom(desk: Browser, web_site: Site) -> None:
    make(desk, web_site, visit="baseline/1", language="en", copies="1")
    timepoint = web_site.study.definition.timepoint("baseline")
    sheets = desk.page.tags_of("paper")
    assert [one["data-sheet"] for one in sheets] == list(timepoint.instruments) != []
    assert {one["lang"] for one in sheets} == {"en"}
    items = [
        item for code in timepoint.instruments for item in web_site.library.instruments[code].items
    ]
    assert [one["data-item"] for one in desk.page.tags_of("question")] == [i.code for i in items]
    boxes = sum(len(item.options.codes) + item.not_applicable for item in items)
    assert len(desk.page.tags_of("box-to-tick")) == boxes
    # study number once a sheet, in the head that each page repeats; site is the own one
    assert len(desk.page.tags_of("blank")) == 3 * len(sheets)
    for code in timepoint.instruments:
        wording = web_site.library.wordings[code, "en"]
        assert wording.fingerprint[:12] in desk.page.text
        for text in dict(wording.texts()).values():
            assert text in unescape(desk.page.text)
    said = "Demonstration wording, not the validated questionnaire"
    assert desk.page.text.count(said) == 2 * len(sheets)


def test_each_option_has_its_code_and_each_item_its_place(desk: Browser, web_site: Site) -> None:
    make(desk, web_site, instrument="sf36v2", language="zh_Hans", copies="1")
    wording = web_site.library.wordings["sf36v2", "zh_Hans"]
    rows = re.findall(r'<tr class="question" data-item="(\w+)">(.*?)</tr>', desk.page.text, re.S)
    for (code, row), item in zip(rows, web_site.library.instruments["sf36v2"].items, strict=True):
        assert (code, f">{item.code}</b>" in row) == (item.code, True)
        assert f"第{item.n}题，共36题" in row
        options = re.findall(r"<small[^>]*>(.*?)</small><span>(.*?)</span>", row)
        texts = wording.options[item.options.code]
        assert [(one, unescape(text)) for one, text in options] == [
            (str(one), texts[one]) for one in item.options.codes
        ]


def test_for_one_participant_number_site_and_visit_are_printed(
    desk: Browser, web_site: Site, person: Enrolled
) -> None:
    desk.get(at(web_site, f"/print?number={NUMBER}"))
    chosen = [one["value"] for one in desk.page.all("option") if "selected" in one]
    assert "ta" in chosen, "the participant's language"
    desk.post(
        at(web_site, "/print"), number=NUMBER, visit="month_3/1", instrument="lupusqol",
        language="ta", copies="7",
    )  # fmt: skip
    (sheet,) = desk.page.tags_of("paper")
    assert (sheet["data-sheet"], sheet["lang"]) == ("lupusqol", "ta")
    head = desk.page.text.partition("<thead>")[2].partition("</thead>")[0]
    label = web_site.study.definition.timepoint("month_3").label("ta")
    for one in (NUMBER, "01", label):
        assert f"<b>{one}</b>" in unescape(head)
    assert "ஆய்வு எண்" in head, "what is said around it is in the language of the paper"
    (entry,) = entries(web_site)
    assert entry.stream == audit.participant_stream(person.id)
    assert entry.detail["copies"] == 1


def test_copies_without_a_number(desk: Browser, web_site: Site) -> None:
    make(desk, web_site, instrument="lupusqol", language="ms", copies="3")
    assert [one["data-sheet"] for one in desk.page.tags_of("paper")] == ["lupusqol"] * 3
    assert len(entries(web_site)) == 1


# --- the record ---------------------------------------------------------------------------------


def test_what_was_printed_is_on_the_studys_record(desk: Browser, web_site: Site) -> None:
    make(desk, web_site, visit="baseline/1", instrument="lupusqol", language="ms", copies="2")
    (entry,) = entries(web_site)
    assert entry.stream == audit.study_stream(web_site.study.id)
    assert entry.actor.startswith("staff/")
    assert entry.detail == {
        "instrument": "lupusqol",
        "fingerprint": {"lupusqol": web_site.library.wordings["lupusqol", "ms"].fingerprint},
        "language": "ms",
        "copies": 2,
        "site": "01",
        "timepoint": "baseline",
        "occurrence": 1,
    }
    with web_site.database.snapshot() as session:
        assert list(audit.verify(session)) == []


FAULTS = {
    "language": {"language": "fr"},
    "number": {"number": "01-999"},
    "copies": {"copies": "21"},
    "instrument": {"instrument": ""},
}


@pytest.mark.parametrize("field", FAULTS)
@pytest.mark.parametrize("copies", ["0", "", "x", "-1", "9" * 5000])
def test_a_fault_is_told_at_its_field_and_nothing_is_printed(
    desk: Browser, web_site: Site, field: str, copies: str
) -> None:
    given = {"instrument": "lupusqol", "language": "en", "copies": "1"} | FAULTS[field]
    if field == "copies":
        given["copies"] = copies
    desk.get(at(web_site, "/print"))
    desk.post(at(web_site, "/print"), status=422, **given)
    assert [one["href"] for one in desk.page.all("a") if one.get("href") == f"#{field}"]
    assert any(one.get("id") == field for _, one in desk.page.tags)
    assert entries(web_site) == []


def test_another_sites_participant_is_not_found(desk: Browser, web_site: Site) -> None:
    web_site.enrol("02-001")
    desk.get(at(web_site, "/print?number=02-001"))
    desk.post(
        at(web_site, "/print"), status=422, number="02-001", instrument="lupusqol", language="en",
        copies="1",
    )  # fmt: skip
    assert "No participant at your sites has this study number." in desk.page.text


# --- licences -----------------------------------------------------------------------------------


def license_it(site: Site, version: str, language: str = "en", **terms: Any) -> Wording:
    with site.database.writing() as session:
        return license_one(
            session, site.study, site.library, "lupusqol", language, site.clock(), version,
            f" v{version}", **terms,
        )  # fmt: skip


def go_live(site: Site) -> None:
    with site.database.writing() as session:
        newest = session.scalars(
            sa.select(StudyVersion).order_by(StudyVersion.number.desc()).limit(1)
        ).one()
        studies.load(session, site.library, newest.definition | {"status": "live"}, site.clock())


def test_a_live_study_prints_what_is_licensed_for_paper_alone(
    desk: Browser, web_site: Site
) -> None:
    wording = license_it(web_site, "1", modes=frozenset({"phone", "paper"}))
    license_it(web_site, "1", "ms", modes=frozenset({"phone", "tablet"}))
    go_live(web_site)
    desk.get(at(web_site, "/print"))
    desk.post(at(web_site, "/print"), instrument="lupusqol", language="en", copies="1")
    assert "Demonstration" not in desk.page.text
    assert "Wording 1 · <code" in desk.page.text
    assert wording.fingerprint[:12] in desk.page.text
    for language in ("ms", "ta"):
        desk.get(at(web_site, "/print"))
        desk.post(
            at(web_site, "/print"), status=422, instrument="lupusqol", language=language,
            copies="1",
        )  # fmt: skip
        assert "there is no wording for paper now: LupusQoL" in desk.page.text
    assert len(entries(web_site)) == 1


def test_where_sites_differ_one_is_to_be_chosen(
    app: Flask, web_site: Site, clock: TestClock
) -> None:
    with web_site.database.reading() as session:
        other = session.scalars(sa.select(SiteRow.id).where(SiteRow.code == "02")).one()
    wording = license_it(web_site, "1", site_id=other)
    go_live(web_site)
    desk = signed_in(app, web_site, clock, "coordinator", None)  # of every site
    given = {"instrument": "lupusqol", "language": "en", "copies": "1"}
    desk.get(at(web_site, "/print"))
    desk.post(at(web_site, "/print"), status=422, **given)
    assert desk.page.tags_of("wrong")[0]["id"] == "site-fault"
    assert "Please choose the site." in desk.page.text
    desk.post(at(web_site, "/print"), **given, site="02")
    assert wording.fingerprint[:12] in desk.page.text


def test_a_licence_of_another_site_prints_nothing_here(desk: Browser, web_site: Site) -> None:
    with web_site.database.reading() as session:
        other = session.scalars(sa.select(SiteRow.id).where(SiteRow.code == "02")).one()
    license_it(web_site, "1", site_id=other)
    go_live(web_site)
    desk.get(at(web_site, "/print"))
    desk.post(at(web_site, "/print"), status=422, instrument="lupusqol", language="en", copies="1")
    assert entries(web_site) == []


# --- what was printed is what is entered --------------------------------------------------------


def paper_of(site: Site, about: Assessment) -> str:
    return at(site, f"/participants/{NUMBER}/paper/new/{about.public_id}")


def transcribed(site: Site) -> Transcription:
    with site.database.reading() as session:
        return session.scalars(sa.select(Transcription)).one()


PAPER = {"mode": "paper", "completed_on": "2026-11-23", "completed_time": "08:30", "reference": ""}


def test_the_code_at_the_foot_says_which_wording_was_answered(
    desk: Browser, web_site: Site, person: Enrolled
) -> None:
    about = web_site.open(person)[0]
    desk.get(paper_of(web_site, about))
    assert not [one for one in desk.page.all("select") if one.get("id") == "wording"]
    old = license_it(web_site, "1", "ta")
    new = license_it(web_site, "2", "ta", from_on=date(2026, 11, 20))
    desk.get(paper_of(web_site, about))
    codes = [str(one["value"]) for one in desk.page.all("option") if len(str(one["value"])) == 12]
    shipped = web_site.library.wordings["lupusqol", "ta"]
    assert {one.fingerprint[:12] for one in (old, new, shipped)} <= set(codes)
    desk.post(paper_of(web_site, about), **PAPER, language="ta", wording=old.fingerprint[:12])
    assert transcribed(web_site).wording == old.fingerprint
    assert f"{old.items['LQ01']}" in unescape(desk.page.text), "the texts of the paper are shown"
    assert [one["value"] for one in desk.page.all("option") if "selected" in one] == [
        "ta",
        old.fingerprint[:12],
    ]
    answers = {
        f"item-{item.code}": str(item.options.codes[0])
        for item in web_site.library.instruments["lupusqol"].items
    }
    path = desk.path
    desk.post(
        path, **PAPER, **answers, language="ta", wording=old.fingerprint[:12], action="finish"
    )
    second = signed_in(desk.client.application, web_site, web_site.clock, "investigator", None)
    second.get(path)
    assert old.fingerprint[:12] in second.page.text
    second.post(f"{path}/check", **answers)
    with web_site.database.reading() as session:
        assert set(session.scalars(sa.select(Answer.wording))) == {old.fingerprint}


def test_without_a_code_the_day_on_the_paper_decides(
    desk: Browser, web_site: Site, person: Enrolled
) -> None:
    about = web_site.open(person)[0]
    old = license_it(web_site, "1", "ta")
    license_it(web_site, "2", "ta", from_on=date(2026, 11, 24))
    web_site.clock.forward(days=2)
    desk = signed_in(desk.client.application, web_site, web_site.clock, "investigator", None)
    desk.get(paper_of(web_site, about))
    desk.post(paper_of(web_site, about), **PAPER, language="ta", wording="none")
    assert transcribed(web_site).wording == old.fingerprint


@pytest.mark.parametrize("code", ["", "0" * 12, "foreign"])
def test_a_code_of_no_wording_or_of_another_language_is_refused(
    desk: Browser, web_site: Site, person: Enrolled, code: str
) -> None:
    about = web_site.open(person)[0]
    own = license_it(web_site, "1", "ta")
    other = license_it(web_site, "1", "ms")
    told = {"": own.fingerprint[:4], "foreign": other.fingerprint[:12]}.get(code, code)
    desk.get(paper_of(web_site, about))
    desk.post(paper_of(web_site, about), status=422, **PAPER, language="ta", wording=told)
    assert 'href="#wording"' in desk.page.text
    with web_site.database.reading() as session:
        assert session.scalar(sa.select(Transcription.id)) is None


# --- the walk -----------------------------------------------------------------------------------


def walk(desk: Sighted, site: Site) -> None:
    """The page on which one chooses, its faults, the sheets, and the code asked for at entry."""
    person = site.enrol(NUMBER, desk.language)
    about = site.open(person)[0]
    whole = {"instrument": "lupusqol", "language": desk.language, "copies": "1"}
    desk.get(at(site, f"/print?number={NUMBER}&visit=baseline/1&instrument=lupusqol"))
    for fault in (*FAULTS.values(), {"copies": "0"}):
        desk.post(at(site, "/print"), 422, **whole | fault)
    desk.post(at(site, "/print"), **whole, visit="baseline/1", number=NUMBER)
    license_it(site, "1", desk.language)
    desk.get(at(site, "/print"))
    desk.post(at(site, "/print"), **whole)
    desk.get(paper_of(site, about))
    desk.post(paper_of(site, about), 422, **PAPER, language=desk.language, wording="0" * 12)
    desk.get(at(site, "/to-check"))
    desk.get(at(site, "/protocol"))


def test_the_walk_of_every_language_in_english(
    app: Flask, web_site: Site, clock: TestClock, rendered: set[str]
) -> None:
    from tests.web.test_staff_languages import Sighted

    desk = Sighted(app, clock, "en")
    desk.set_up(invite(web_site))
    walk(desk, web_site)
    pages = {f"printing/{one.name}" for one in (ROOT / "templates/printing").glob("[a-z]*.html")}
    assert pages <= rendered
