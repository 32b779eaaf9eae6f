"""Alerts on the staff's pages: only where answers are watched, and for whom they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import AnswerAlert
from pro_app.models import Site as SiteRow
from pro_app.services import answer_alerts, staff
from tests.conftest import Site, TestClock, snapshot
from tests.pages import Browser
from tests.services.correcting import ADMINISTRATIVE, hire
from tests.services.watching import (
    Answered,
    acknowledge,
    alerts_of,
    desk_of,
    entries_of,
    submit,
    unwatch,
    watch,
)
from tests.web.test_staff import EMAIL, Desk, at, invite
from tests.web.test_staff_access import sign_in

UNWATCHED = "In this study answers are not watched"
NUMBER = "01-001"
PAGE = f"/participants/{NUMBER}/alerts"
MYKAD = "900101-14-5678"


def walk(desk: Desk, site: Site) -> None:
    """Every page about alerts, where nothing is watched and where it is, and every fault."""
    desk.get(at(site, "/alerts"))
    site.enrol("01-801")
    desk.get(at(site, "/participants/01-801/alerts"))
    watch(site)
    desk.get(at(site, "/alerts"))
    desk.get(at(site, "/participants/01-801/alerts"))
    answered = submit(site, "01-802", first=0, pain=0)
    later = submit(site, "01-803", first=1)
    page = at(site, "/participants/01-802/alerts")
    for path in ("/alerts", "/participants/01-802", "/participants/01-802/alerts", "/today"):
        desk.get(at(site, path))
    site.clock.forward(minutes=2)
    alert = re.findall(r'name="alert" value="([^"]+)"', desk.get(page).text)[0]
    desk.post(page, 422, alert=alert, note="")
    desk.post(page, 422, alert="nothing", note="Called")
    desk.post(page, alert=alert, note="001")
    desk.get(at(site, "/alerts"))
    with site.database.writing() as session:  # corrected, and late
        waiting = sa.update(AnswerAlert).where(AnswerAlert.acknowledged_at.is_(None))
        session.execute(waiting.values(due_at=site.clock(), lifted_at=site.clock()))
    desk.get(at(site, "/alerts"))
    answer_alerts.escalate(site.database, site.clock())
    desk.get(at(site, "/alerts"))
    desk.get(at(site, f"/participants/{later.person.number}/alerts"))
    with site.database.writing() as session:
        person = staff.find(session, EMAIL)
        assert person is not None
        staff.grant(session, person.id, site.study.id, None, "investigator", site.clock())
    corrector = desk_of(site, answered)
    corrector.correct(item="LQ01", new="skipped")
    corrector.correct(ADMINISTRATIVE, kind="wrong_participant", new="void")
    for rest in ("/alerts", "/today", "/participants/01-802", "/participants/01-802/alerts"):
        desk.get(at(site, rest))


@dataclass
class Ward:
    """A study in which answers are watched, somebody who has raised two alerts, and browsers."""

    app: Flask
    site: Site
    answered: Answered

    def browser(self, role: str, place: str | None = "01") -> Browser:
        """Somebody with a role at a site, or at all of them."""
        with self.site.database.reading() as session:
            found = session.scalar(sa.select(SiteRow.id).where(SiteRow.code == place))
        browser = sign_in(self.app, self.site, role, found)
        browser.get("/staff/")
        return browser

    def alert(self, rule: str) -> str:
        return alerts_of(self.site)[rule].public_id


@pytest.fixture
def ward(app: Flask, web_site: Site) -> Ward:
    watch(web_site)
    return Ward(app, web_site, submit(web_site, NUMBER, first=0, pain=0))


def path(ward: Ward, rest: str) -> str:
    return at(ward.site, rest)


# --- by default ---------------------------------------------------------------------------------


def test_where_nothing_is_watched_there_is_no_room_no_tab_no_figure_and_no_promise(
    app: Flask, web_site: Site
) -> None:
    submit(web_site, NUMBER, first=0, pain=0)
    browser = sign_in(app, web_site, "investigator", None)
    for rest in ("/today", "/completion", f"/participants/{NUMBER}"):
        browser.get(at(web_site, rest))
        assert "lert" not in browser.page.text, rest
    for rest in ("/alerts", PAGE):
        assert UNWATCHED in browser.get(at(web_site, rest)).text
    phone = Browser(app)
    phone.join(web_site.enrol("01-009"))
    phone.get("/today")
    assert "Nobody watches your answers as you give them" in phone.page.text


def test_where_answers_are_watched_participants_read_the_studys_promise(
    app: Flask, web_site: Site
) -> None:
    watch(web_site)
    person = web_site.enrol("01-009")
    sheet = web_site.open(person)[0]
    phone = Browser(app)
    phone.join(person)
    for rest in ("/today", f"/questionnaires/{sheet.public_id}", "/notice"):
        text = phone.get(rest).text
        assert "looks at some of your answers within two days." in text, rest
        assert "please never rely on it" in text
        assert "call 03-5550 0100" in text
        assert "In an emergency, call 999." in text
        assert "Nobody watches your answers as you give them" not in text
    plan = phone.client.get("/plan")
    assert "never rely on it" in plan.get_json()["help"]


def test_what_was_raised_stays_to_be_seen_after_the_protocol_has_changed(ward: Ward) -> None:
    unwatch(ward.site)
    browser = ward.browser("investigator")
    browser.get(path(ward, "/alerts"))
    assert NUMBER in browser.page.text
    assert "The first answer" in browser.page.text
    phone = Browser(ward.app)
    phone.get("/join/")
    assert "Nobody watches your answers as you give them" in phone.page.text


# --- for whom -----------------------------------------------------------------------------------


def test_a_coordinator_sees_that_there_is_an_alert_and_never_an_answer(ward: Ward) -> None:
    browser = ward.browser("coordinator")
    before = snapshot(ward.site.database)
    for rest in ("/alerts", PAGE):
        text = browser.get(path(ward, rest)).text
        assert "The first answer" in text
        assert "23 Nov 2026" in text
        assert "Pain" not in text, "that one is for investigators"
        assert "As it was submitted" not in text
        for wording in ward.site.library.wordings.values():
            assert wording.items.get("LQ01", "no such item") not in text
    assert snapshot(ward.site.database) == before, "nothing was read that is on record"


def test_an_investigator_sees_the_answers_and_that_is_on_record(ward: Ward) -> None:
    browser = ward.browser("investigator")
    text = browser.get(path(ward, "/alerts")).text
    assert "The first answer" in text
    assert "Pain" in text
    assert entries_of(ward.site, ward.answered.person, "read_answers") == []
    text = browser.get(path(ward, PAGE)).text
    wording = ward.site.library.wording("lupusqol", "en")
    assert wording is not None
    assert wording.items["LQ01"] in text
    assert "<strong>0.0" in text
    assert "<dd>25.0</dd>" in text
    assert "Demonstration wording" in text
    (entry,) = entries_of(ward.site, ward.answered.person, "read_answers")
    assert entry.actor.startswith("staff/")


@pytest.mark.parametrize("role", ["coordinator", "investigator"])
def test_another_site_learns_nothing(ward: Ward, role: str) -> None:
    browser = ward.browser(role, "02")
    assert NUMBER not in browser.get(path(ward, "/alerts")).text
    assert "not acknowledged" not in browser.get(path(ward, "/today")).text
    assert browser.client.get(path(ward, PAGE)).status_code == 404
    assert entries_of(ward.site, ward.answered.person, "read_answers") == []


@pytest.mark.parametrize("role", ["researcher", "administrator"])
def test_other_roles_are_turned_away(ward: Ward, role: str) -> None:
    browser = sign_in(ward.app, ward.site, role, None)
    for rest in ("/alerts", PAGE):
        assert browser.client.get(path(ward, rest)).status_code == 403


# --- the board and the participant --------------------------------------------------------------


def test_the_board_says_first_of_all_how_many_wait(ward: Ward) -> None:
    for role, count in (("coordinator", "1"), ("investigator", "2")):
        browser = ward.browser(role)
        text = browser.get(path(ward, "/today")).text
        figures = re.search(r'<dl class="figures">\s*<div><dt>([^<]+)</dt><dd><a[^>]*>(\d+)', text)
        assert figures is not None
        assert figures.groups() == ("Alerts not acknowledged", count)
    person = hire(ward.site, "Dr Devi", "investigator")
    for rule in ("first_answer", "pain"):
        acknowledge(ward.site, ward.answered, rule, person)
    assert "Alerts not acknowledged" not in browser.get(path(ward, "/today")).text


def test_a_participants_overview_has_a_line_and_a_tab(ward: Ward) -> None:
    browser = ward.browser("investigator")
    text = browser.get(path(ward, f"/participants/{NUMBER}")).text
    assert "2 alerts wait to be acknowledged" in text
    assert f'href="{path(ward, PAGE)}">Alerts</a>' in text
    ward.site.enrol("01-007")
    browser.get(path(ward, "/participants/01-007"))
    assert "to be acknowledged" not in browser.page.text


# --- acknowledging ------------------------------------------------------------------------------


def test_who_acknowledges_says_what_was_done_and_the_list_shows_it(ward: Ward) -> None:
    browser = ward.browser("coordinator")
    browser.get(path(ward, PAGE))
    browser.post(path(ward, PAGE), alert=ward.alert("first_answer"), note="Called, comes in")
    assert browser.path == path(ward, PAGE)
    assert "Called, comes in" in browser.page.text
    assert "Acknowledge this alert" not in browser.page.text
    text = browser.get(path(ward, "/alerts")).text
    assert "No alert waits for anybody." in text
    assert "Somebody</td>" in text


@pytest.mark.parametrize("note", ["", "   ", f"Has the card {MYKAD}", "x" * 2001])
def test_a_faulty_note_is_named_and_nothing_typed_is_lost(ward: Ward, note: str) -> None:
    browser = ward.browser("coordinator")
    browser.get(path(ward, PAGE))
    alert = ward.alert("first_answer")
    browser.post(path(ward, PAGE), 422, alert=alert, note=note)
    assert f'href="#note-{alert}"' in browser.page.text
    assert f'id="fault-{alert}"' in browser.page.text
    assert f">{note}</textarea>" in browser.page.text
    assert "<title>Error: " in browser.page.text
    assert alerts_of(ward.site)["first_answer"].acknowledged_at is None


def test_what_is_not_there_for_this_person_cannot_be_acknowledged(ward: Ward) -> None:
    browser = ward.browser("coordinator")
    browser.get(path(ward, PAGE))
    for alert in (ward.alert("pain"), "nothing", ""):
        browser.post(path(ward, PAGE), 422, alert=alert, note="Called")
        assert "not there to be acknowledged" in browser.page.text
    assert alerts_of(ward.site)["pain"].acknowledged_at is None


def test_the_second_person_reads_that_somebody_was_faster(ward: Ward) -> None:
    browser = ward.browser("investigator")
    browser.get(path(ward, PAGE))
    acknowledge(ward.site, ward.answered, "pain", hire(ward.site, "Dr Devi", "investigator"))
    browser.post(path(ward, PAGE), 422, alert=ward.alert("pain"), note="Called too")
    assert "Somebody may have been faster." in browser.page.text
    assert "Dr Devi" in browser.page.text


def test_how_an_alert_stands_is_said_in_words(ward: Ward, clock: TestClock) -> None:
    with ward.site.database.writing() as session:
        session.execute(sa.text("DELETE FROM staff_session"))
    browser = ward.browser("coordinator")
    assert "waits to be acknowledged" in browser.get(path(ward, "/alerts")).text
    clock.forward(hours=24)
    browser = ward.browser("coordinator", None)
    assert "not acknowledged in time<" in browser.get(path(ward, "/alerts")).text
    answer_alerts.escalate(ward.site.database, clock())
    assert "not acknowledged in time, and passed on" in browser.get(path(ward, "/alerts")).text


def test_an_answer_that_was_corrected_shows_both(ward: Ward) -> None:
    desk_of(ward.site, ward.answered).correct(item="LQ01", new="3")
    browser = ward.browser("investigator")
    text = browser.get(path(ward, PAGE)).text
    wording = ward.site.library.wording("lupusqol", "en")
    assert wording is not None
    options = next(iter(wording.options.values()))
    shown = re.findall(r"<strong>([^<]+)</strong>", text)
    assert {options[0], options[3]} <= {one.strip() for one in shown}
    assert "the corrected answers do not raise it any more" in text


def test_a_page_walk_meets_every_page_and_fault(
    app: Flask, web_site: Site, clock: TestClock
) -> None:
    desk = Desk(app, clock)
    desk.set_up(invite(web_site))
    walk(desk, web_site)
    assert desk.path == at(web_site, "/participants/01-802/alerts")
    assert "There is no answer or score any more." in desk.page.text
    assert "belongs elsewhere. Please look at the corrections." in desk.page.text


def test_the_record_tells_of_alerts_only_who_sees_answers(ward: Ward) -> None:
    record = path(ward, f"/participants/{NUMBER}/record")
    reader = ward.browser("investigator")
    reader.get(path(ward, f"/participants/{NUMBER}/alerts"))
    reader.get(f"{record}?action=raise_alert")
    coordinator = ward.browser("coordinator")
    assert "Read answers" in coordinator.get(record).text
    for one in (*(alert.public_id for alert in alerts_of(ward.site).values()), "raise_alert"):
        assert one not in coordinator.page.text
    for browser, told in ((coordinator, False), (reader, True)):
        assert ("Raised an alert" in browser.get(record).text) is told
    administrator = ward.browser("administrator", None)
    assert (
        "Raised an alert" not in administrator.get(path(ward, f"/record?participant={NUMBER}")).text
    )
