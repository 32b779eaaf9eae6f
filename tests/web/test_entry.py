"""Paper entered by one person and checked by another, interviews: as a browser meets them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.config import ROOT
from pro_app.models import Assessment, AuditEntry, Submission, Transcription
from pro_app.services import enrolment
from tests.conftest import Enrolled, Site, TestClock
from tests.pages import Browser
from tests.web.test_languages import rendered
from tests.web.test_staff import Desk, at, invite, signed_in

if TYPE_CHECKING:
    from tests.web.test_staff_languages import Sighted

__all__ = ["rendered"]
MYKAD = "900101-14-5678"
NUMBER = "01-381"
TODAY = "2026-11-23"
PAPER = {"completed_on": TODAY, "completed_time": "08:30", "language": "ta", "reference": "box 7"}


@pytest.fixture
def desk(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """A coordinator's browser, set up and signed in: who enters."""
    found = Desk(app, clock)
    found.set_up(invite(web_site))
    return found


@pytest.fixture
def second(app: Flask, web_site: Site, clock: TestClock) -> Browser:
    """An investigator's browser: who checks."""
    return signed_in(app, web_site, clock, "investigator", None)


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol(NUMBER)


@pytest.fixture
def about(web_site: Site, person: Enrolled) -> Assessment:
    """A questionnaire that has been open for an hour."""
    return web_site.open(person)[0]


def answers(site: Site, instrument: str = "lupusqol", **other: str) -> dict[str, str]:
    """A whole sheet as a form: the second option everywhere, the fourth left empty."""
    items = site.library.instruments[instrument].items
    found = {f"item-{one.code}": str(one.options.codes[1]) for one in items}
    found[f"item-{items[3].code}"] = "skipped"
    optional = next((one.code for one in items if one.not_applicable), None)
    if optional is not None:
        found[f"item-{optional}"] = "not_applicable"
    return found | {f"item-{code}": value for code, value in other.items()}


def papers(site: Site, more: str = "") -> str:
    return at(site, f"/participants/{NUMBER}/paper{more}")


def begin(browser: Browser, site: Site, about: Assessment, mode: str = "paper") -> str:
    """Begin a sheet: its address."""
    new = papers(site, f"/new/{about.public_id}")
    browser.get(f"{new}?mode={mode}")
    browser.post(new, mode=mode, **PAPER)
    return browser.path


def hand_over(browser: Browser, site: Site, about: Assessment) -> str:
    """Enter a whole sheet, and finish it: its address."""
    sheet = begin(browser, site, about)
    browser.post(sheet, action="finish", **PAPER, **answers(site))
    return sheet


def row(site: Site) -> Transcription:
    with site.database.reading() as session:
        return session.scalars(sa.select(Transcription)).one()


def submission(site: Site) -> Submission | None:
    with site.database.reading() as session:
        return session.scalar(sa.select(Submission))


def checked(browser: Browser) -> dict[str, str]:
    """The radio buttons that are chosen on the page."""
    return {
        str(one["name"]): str(one["value"])
        for one in browser.page.all("input")
        if one.get("type") == "radio" and "checked" in one
    }


def test_two_people_enter_the_same_and_it_is_submitted(
    desk: Desk, second: Browser, web_site: Site, about: Assessment
) -> None:
    desk.get(papers(web_site))
    assert "Enter from paper" in desk.page.text
    sheet = hand_over(desk, web_site, about)
    assert "waits for a second person" in desk.page.text
    second.get(at(web_site, "/to-check"))
    assert NUMBER in second.page.text
    second.get(sheet)
    assert checked(second) == {}, "the second person sees none of the first one's values"
    second.post(f"{sheet}/check", **answers(web_site))
    assert second.path == sheet
    assert re.search(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", second.page.text)
    made = submission(web_site)
    assert made is not None
    assert made.mode == "paper"
    assert made.answers["LQ04"]["state"] == "skipped"
    assert made.answers["LQ01"]["code"] == 1
    for browser in (desk, second):
        browser.get(sheet)
        assert browser.page.tags_of("pick") == [], "nobody sees the answers again"
    second.get(at(web_site, f"/participants/{NUMBER}"))
    assert "on paper" in second.page.text
    second.get(papers(web_site))
    assert "accepted" in second.page.text


def test_a_sheet_is_kept_and_gone_on_with(desk: Desk, web_site: Site, about: Assessment) -> None:
    sheet = begin(desk, web_site, about)
    desk.post(sheet, action="save", **PAPER | {"reference": "box 8"}, **{"item-LQ01": "3"})
    assert desk.path == papers(web_site)
    assert "being entered" in desk.page.text
    desk.get(at(web_site, "/to-check"))
    assert "Sheets that you have begun" in desk.page.text
    desk.get(sheet)
    assert checked(desk) == {"item-LQ01": "3"}
    assert 'value="box 8"' in desk.page.text
    assert 'lang="ta"' in desk.page.text


def test_what_has_no_value_is_named_and_nothing_is_lost(
    desk: Desk, web_site: Site, about: Assessment
) -> None:
    sheet, given = begin(desk, web_site, about), answers(web_site)
    del given["item-LQ02"], given["item-LQ07"]
    desk.post(sheet, 422, action="finish", **PAPER, **given)
    assert re.findall(r'<a href="#(LQ\d+)">', desk.page.text) == ["LQ02", "LQ07"]
    assert desk.page.text.count("This question has no value yet.") == 2
    assert checked(desk) == given
    desk.get(sheet)
    assert checked(desk) == given, "what was entered is kept"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("completed_on", ""),
        ("completed_on", "soon"),
        ("completed_on", "0001-01-01"),
        ("completed_on", "2026-11-22"),
        ("completed_on", "2026-11-24"),
        ("completed_on", "9999-12-31"),
        ("completed_time", "25:00"),
        ("language", "fr"),
        ("reference", f"scan of {MYKAD}"),
        ("reference", "x" * 121),
    ],
)
def test_a_fault_beside_the_answers_is_named_at_its_field(
    desk: Desk, web_site: Site, about: Assessment, field: str, value: str
) -> None:
    given = PAPER | {field: value}
    new = papers(web_site, f"/new/{about.public_id}")
    desk.get(new)
    desk.post(new, 422, mode="paper", **given)
    assert f'href="#{field}"' in desk.page.text
    assert f'id="{field}-fault"' in desk.page.text
    sheet = begin(desk, web_site, about)
    desk.post(sheet, 422, action="save", **given, **{"item-LQ01": "2"})
    assert f'href="#{field}"' in desk.page.text
    assert checked(desk) == {"item-LQ01": "2"}
    assert row(web_site).values == {}


@pytest.mark.parametrize("value", ["99", "x", "not_applicable"])
def test_a_forged_value_is_refused(
    desk: Desk, web_site: Site, about: Assessment, value: str
) -> None:
    sheet = begin(desk, web_site, about)
    desk.post(sheet, 422, action="save", **PAPER, **{"item-LQ01": value})
    assert 'href="#LQ01"' in desk.page.text
    assert row(web_site).values == {}


def test_an_interview_needs_nobody_else(desk: Desk, web_site: Site, about: Assessment) -> None:
    desk.get(papers(web_site, f"/new/{about.public_id}?mode=interview"))
    assert f'value="{TODAY}"' in desk.page.text, "an interview is now, if nothing else is said"
    sheet = begin(desk, web_site, about, "interview")
    desk.post(sheet, action="finish", **PAPER, **answers(web_site))
    assert "accepted" in desk.page.text
    made = submission(web_site)
    assert made is not None
    assert made.mode == "interview"
    desk.get(at(web_site, f"/participants/{NUMBER}"))
    assert "in an interview" in desk.page.text


def test_who_entered_it_cannot_check_it(desk: Desk, web_site: Site, about: Assessment) -> None:
    sheet = hand_over(desk, web_site, about)
    desk.get(at(web_site, "/to-check"))
    assert "your own: somebody else has to check it" in desk.page.text
    assert f'href="{sheet}"' not in desk.page.text
    desk.get(sheet)
    assert checked(desk) == {}
    assert "Somebody else has to check it" in desk.page.text
    desk.post(f"{sheet}/check", 422, **answers(web_site))
    assert submission(web_site) is None


def test_somebody_elses_draft_shows_no_value(
    desk: Desk, second: Browser, web_site: Site, about: Assessment
) -> None:
    sheet = begin(desk, web_site, about)
    desk.post(sheet, action="save", **PAPER, **{"item-LQ01": "3"})
    second.get(sheet)
    assert "has begun this sheet and will finish it" in second.page.text
    assert second.page.tags_of("pick") == []
    second.post(sheet, 422, action="save", **PAPER, **{"item-LQ01": "1"})
    assert row(web_site).values == {"LQ01": 3}


def test_differences_are_shown_with_both_values_and_settled(
    desk: Desk, second: Browser, web_site: Site, about: Assessment
) -> None:
    sheet = hand_over(desk, web_site, about)
    second.get(sheet)
    second.post(f"{sheet}/check", **answers(web_site, LQ02="3", LQ09="4"))
    assert second.path == sheet
    assert re.findall(r'name="(item-LQ\d+)" id', second.page.text) == ["item-LQ02", "item-LQ09"]
    assert "Entered by Aminah" in second.page.text
    assert "Checked by investigator" in second.page.text
    assert checked(second) == {}, "neither is chosen beforehand"
    second.post(f"{sheet}/settle", 422, **{"item-LQ02": "1"})
    assert re.findall(r'<a href="#(LQ\d+)">', second.page.text) == ["LQ09"]
    assert checked(second) == {"item-LQ02": "1"}
    second.post(f"{sheet}/settle", **{"item-LQ02": "1", "item-LQ09": "4"})
    made = submission(web_site)
    assert made is not None
    assert (made.answers["LQ02"]["code"], made.answers["LQ09"]["code"]) == (1, 4)


def test_a_check_that_is_not_whole_keeps_what_was_entered(
    desk: Desk, second: Browser, web_site: Site, about: Assessment
) -> None:
    sheet, given = hand_over(desk, web_site, about), answers(web_site)
    del given["item-LQ05"]
    second.get(sheet)
    second.post(f"{sheet}/check", 422, **given)
    assert re.findall(r'<a href="#(LQ\d+)">', second.page.text) == ["LQ05"]
    assert checked(second) == given


def test_giving_back_needs_a_reason_and_shows_it_to_the_first(
    desk: Desk, second: Browser, web_site: Site, about: Assessment
) -> None:
    sheet = hand_over(desk, web_site, about)
    second.get(sheet)
    for remark in ("", f"it says {MYKAD}", "x" * 501):
        second.post(f"{sheet}/give-back", 422, remark=remark, **{"item-LQ01": "2"})
        assert 'href="#remark"' in second.page.text
        assert checked(second) == {"item-LQ01": "2"}
    second.post(f"{sheet}/give-back", remark="page 2 is of another day")
    desk.get(at(web_site, "/to-check"))
    assert "page 2 is of another day" in desk.page.text
    desk.get(sheet)
    assert "page 2 is of another day" in desk.page.text
    desk.post(sheet, action="finish", **PAPER, **answers(web_site))
    assert row(web_site).state == "to_check"


def test_putting_aside_needs_a_reason(desk: Desk, web_site: Site, about: Assessment) -> None:
    sheet = begin(desk, web_site, about)
    desk.post(f"{sheet}/discard", 422, remark=" ", **PAPER | {"reference": "box 9"})
    assert 'value="box 9"' in desk.page.text
    desk.post(f"{sheet}/discard", remark="wrong person")
    assert desk.path == papers(web_site)
    assert "put aside: wrong person" in desk.page.text
    assert "Enter from paper" in desk.page.text
    desk.get(sheet)
    desk.get(papers(web_site, f"/new/{about.public_id}"))
    desk.post(f"{sheet}/discard", 422, remark="again")


@pytest.mark.parametrize("what", ["submitted", "newer_answers"])
def test_the_phone_was_there_first(
    desk: Desk, second: Browser, web_site: Site, about: Assessment, what: str
) -> None:
    sheet = hand_over(desk, web_site, about)
    if what == "submitted":
        web_site.answer_all(about)
        web_site.submit(about)
    else:
        web_site.answer(about, {"LQ01": 2})  # at nine; the paper says half past eight
    second.get(sheet)
    second.post(f"{sheet}/check", **answers(web_site))
    said = {"submitted": "The phone was there first.", "newer_answers": "newer than this sheet"}
    assert said[what] in second.page.text
    assert "put this sheet aside" in second.page.text
    second.get(at(web_site, "/to-check"))
    assert "the phone was there first" in second.page.text
    desk.get(sheet)
    assert said[what] in desk.page.text
    second.get(sheet)
    second.post(f"{sheet}/discard", remark="the phone has it")
    assert row(web_site).state == "discarded"


def test_an_interview_that_the_phone_was_before(
    desk: Desk, web_site: Site, about: Assessment
) -> None:
    web_site.answer(about, {"LQ01": 2})
    sheet = begin(desk, web_site, about, "interview")
    desk.post(sheet, action="finish", **PAPER, **answers(web_site))
    assert "newer than this sheet" in desk.page.text
    assert submission(web_site) is None
    later = PAPER | {"completed_time": "09:00"}
    desk.clock.forward(minutes=1)
    desk.post(sheet, action="finish", **later | {"completed_time": "09:01"}, **answers(web_site))
    assert "accepted" in desk.page.text


def test_one_questionnaire_has_one_sheet_at_a_time(
    desk: Desk, second: Browser, web_site: Site, about: Assessment
) -> None:
    begin(desk, web_site, about)
    new = papers(web_site, f"/new/{about.public_id}")
    second.get(new)
    second.post(new, 422, mode="paper", **PAPER)
    assert "Somebody is entering this questionnaire already." in second.page.text
    second.get(papers(web_site))
    assert "View the sheet" in second.page.text


def test_what_was_submitted_is_not_offered(desk: Desk, web_site: Site, about: Assessment) -> None:
    web_site.answer_all(about)
    web_site.submit(about)
    desk.get(papers(web_site))
    assert about.public_id not in desk.page.text
    new = papers(web_site, f"/new/{about.public_id}")
    desk.get(new)
    desk.post(new, 422, mode="paper", **PAPER)
    assert "has been submitted already" in desk.page.text


def test_a_sheet_of_somebody_else_is_not_found(
    desk: Desk, web_site: Site, about: Assessment
) -> None:
    """Not even by the number of a participant whom one may see."""
    sheet = begin(desk, web_site, about)
    web_site.enrol("01-382")
    other = at(web_site, "/participants/01-382/paper")
    name = sheet.rpartition("/")[2]
    token = desk.page.token()
    assert desk.client.get(f"{other}/{name}").status_code == 404
    assert desk.client.get(f"{other}/new/{about.public_id}").status_code == 404
    for path in (f"{other}/{name}", f"{other}/{name}/check", f"{other}/{name}/discard"):
        given = {"csrf_token": token, "remark": "mine now", **PAPER, **answers(web_site)}
        assert desk.client.post(path, data=given).status_code == 404
    assert row(web_site).state == "draft"


def test_who_settles_for_another_is_on_record(
    app: Flask, desk: Desk, second: Browser, web_site: Site, about: Assessment, clock: TestClock
) -> None:
    sheet = hand_over(desk, web_site, about)
    second.get(sheet)
    second.post(f"{sheet}/check", **answers(web_site, LQ02="3"))
    assert read(web_site) == []
    third = signed_in(app, web_site, clock, "coordinator", None)
    third.get(sheet)
    assert len(read(web_site)) == 1
    third.post(f"{sheet}/settle", **{"item-LQ02": "3"})
    assert row(web_site).state == "accepted"


def test_who_was_slower_is_shown_how_it_stands_and_that_is_on_record(
    app: Flask, desk: Desk, second: Browser, web_site: Site, about: Assessment, clock: TestClock
) -> None:
    sheet = hand_over(desk, web_site, about)
    third = signed_in(app, web_site, clock, "coordinator", None)
    third.get(sheet)
    second.get(sheet)
    second.post(f"{sheet}/check", **answers(web_site, LQ02="3"))
    assert read(web_site) == []
    third.post(f"{sheet}/check", 422, **answers(web_site))
    assert "Somebody has worked on this sheet meanwhile." in third.page.text
    assert "Settle the differences" in third.page.text
    assert len(read(web_site)) == 1


@pytest.mark.parametrize("what", ["withdrawn", "died"])
def test_paper_of_after_the_end_is_refused_and_of_before_is_taken(
    desk: Desk, web_site: Site, person: Enrolled, about: Assessment, what: str
) -> None:
    end = enrolment.withdraw if what == "withdrawn" else enrolment.record_death
    with web_site.database.writing() as session:
        end(session, person.id, web_site.clock())
    desk.clock.forward(days=1)
    desk.sign_in()
    desk.get(papers(web_site))
    new = papers(web_site, f"/new/{about.public_id}")
    assert f'href="{new}"' in desk.page.text
    desk.get(new)
    desk.post(new, 422, mode="paper", **PAPER | {"completed_on": "2026-11-24"})
    assert f"The participant had {what} by that day." in desk.page.text
    desk.post(new, mode="paper", **PAPER)
    assert desk.path.startswith(papers(web_site))
    assert row(web_site).state == "draft"


def read(site: Site) -> list[str]:
    with site.database.reading() as session:
        return list(
            session.scalars(
                sa.select(AuditEntry.actor).where(AuditEntry.action == "read_transcription")
            )
        )


def test_the_board_counts_the_sheets_that_one_can_check(
    desk: Desk, second: Browser, web_site: Site, about: Assessment
) -> None:
    hand_over(desk, web_site, about)
    second.get(at(web_site, "/today"))
    assert "Sheets to check" in second.page.text
    desk.get(at(web_site, "/today"))
    assert "Sheets to check" not in desk.page.text, "nobody checks the own sheet"


def test_paper_of_what_was_missed(
    desk: Desk, second: Browser, web_site: Site, about: Assessment, clock: TestClock
) -> None:
    clock.forward(days=5)
    desk.sign_in()
    desk.get(papers(web_site))
    assert "Why was it missed?" in desk.page.text
    sheet = hand_over(desk, web_site, about)
    again = signed_in_again(second, web_site, clock)
    again.get(sheet)
    again.post(f"{sheet}/check", **answers(web_site))
    made = submission(web_site)
    assert made is not None
    assert made.late is False, "the day on the paper decides"


def signed_in_again(browser: Browser, site: Site, clock: TestClock) -> Browser:
    """A browser whose session has ended, with a new one."""
    from pro_app.services import staff, staff_sign_in

    with site.database.writing() as session:
        known = staff.find(session, "investigatornone@hospital.example")
        assert known is not None
        token = staff_sign_in.start(session, known.id, clock(), "code")
    browser.client.set_cookie("staff", token)
    return browser


def walk(desk: Sighted, site: Site) -> None:
    """Every page of a sheet, and what may go wrong there, in one language."""
    items = {"LQ", "GH", "HT", "PF", "RP", "RE", "SF", "BP", "VT", "MH"}
    desk.names = desk.names | items
    person = site.enrol(NUMBER)
    first, other = site.open(person)
    desk.get(at(site, "/to-check"))
    desk.get(papers(site))
    walk_first(desk, site, first)
    walk_second(desk, site, other)
    desk.get(papers(site))


def walk_first(desk: Sighted, site: Site, about: Assessment) -> None:
    """Entering: paper and an interview."""
    given = PAPER | {"language": desk.language, "reference": "7"}
    for mode in ("interview", "paper"):
        new = papers(site, f"/new/{about.public_id}")
        desk.get(f"{new}?mode={mode}")
        for field, value in (
            ("completed_on", ""), ("completed_on", "2026-11-22"), ("completed_on", "2026-11-24"),
            ("completed_time", "25:00"), ("language", "fr"), ("reference", "x" * 121),
            ("reference", MYKAD),
        ):  # fmt: skip
            desk.post(new, 422, mode=mode, **given | {field: value})
        desk.post(new, mode=mode, **given)
        sheet = desk.path
        desk.post(sheet, 422, action="save", **given, **{"item-LQ01": "99"})
        desk.post(sheet, 422, action="finish", **given)
        desk.post(f"{sheet}/discard", 422, **given)
        desk.post(f"{sheet}/discard", 422, **given, remark=MYKAD)
        desk.post(f"{sheet}/discard", 422, **given, remark="x" * 501)
        desk.post(sheet, action="save", **given)
        desk.get(new)
        desk.post(new, 422, mode=mode, **given)
        if mode == "interview":
            site.answer(about, {"LQ01": 2})
            desk.post(sheet, action="finish", **given, **answers(site))
            desk.get(at(site, "/to-check"))
            desk.post(f"{sheet}/discard", remark="1")
            desk.get(sheet)
    desk.post(sheet, action="finish", **given, **answers(site))
    desk.post(f"{sheet}/check", 422)
    desk.get(at(site, "/to-check"))
    desk.get(papers(site))


def walk_second(desk: Sighted, site: Site, about: Assessment) -> None:
    """Checking what somebody else has entered."""
    sheet = entered_by_another(desk, site, about)
    for path in ("/to-check", "/today", sheet.removeprefix(at(site))):
        desk.get(at(site, path))
    whole = answers(site, about.instrument)
    desk.post(sheet, 422, action="save", **PAPER)
    desk.post(f"{sheet}/check", 422)
    desk.post(f"{sheet}/give-back", 422)
    desk.post(f"{sheet}/check", **whole)
    desk.get(at(site, "/to-check"))
    desk.post(f"{sheet}/check", 422, **whole)
    desk.post(f"{sheet}/settle", 422)
    settled = {name: value for name, value in whole.items() if name == "item-GH01"}
    site.answer_all(about)
    site.submit(about)
    desk.post(f"{sheet}/settle", **settled)
    desk.get(at(site, "/to-check"))
    desk.post(f"{sheet}/give-back", remark="1")
    desk.get(papers(site))
    month = site.open(site_person(site), "month_3")[0]
    sheet = entered_by_another(desk, site, month)
    desk.get(sheet)
    differing = {"item-GH01": "1"}
    desk.post(f"{sheet}/check", **answers(site, month.instrument) | differing)
    desk.get(sheet)


def site_person(site: Site) -> Enrolled:
    """The walk's participant."""
    from pro_app.services import participants

    with site.database.reading() as session:
        found = participants.find(session, site.study.id, NUMBER)
        assert found is not None
        return Enrolled(found.id, NUMBER, found.language, "")


def entered_by_another(desk: Sighted, site: Site, about: Assessment) -> str:
    """A whole sheet of somebody else's, which waits to be checked: its address."""
    from datetime import date

    from pro_app.services import staff, transcription
    from pro_app.services.paper import Paper, Value

    items = site.library.instruments[about.instrument].items
    values: dict[str, Value] = {one.code: one.options.codes[1] for one in items}
    values[items[3].code] = "skipped"
    values[items[0].code] = items[0].options.codes[0]
    email, now = "another@hospital.example", site.clock() + timedelta(hours=1)
    with site.database.writing() as session:
        other = staff.find(session, email) or staff.add(
            session, email, "Aminah", "en", date(2026, 1, 5), now
        )
        made = transcription.begin(
            session, site.study, about.participant_id, about.public_id, "paper",
            Paper(date.fromisoformat(TODAY), desk.language), other.id, now,
        )  # fmt: skip
        name = made.public_id
        transcription.enter(session, site.study, site.library, name, values, other.id, now)
        transcription.finish(session, site.study, site.library, name, other.id, now)
    return papers(site, f"/{name}")


def test_every_page_and_fault_is_there(
    app: Flask, web_site: Site, clock: TestClock, rendered: set[str]
) -> None:
    from tests.web.test_staff_languages import Sighted

    desk = Sighted(app, clock, "en")
    desk.set_up(invite(web_site))
    walk(desk, web_site)
    assert desk.pages > 50
    pages = {f"entry/{one.name}" for one in (ROOT / "templates/entry").glob("[a-z]*.html")}
    assert pages <= rendered
