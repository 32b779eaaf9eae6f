"""The site's tablet: from the participant's page through the questions to the staff's sign-in."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask, template_rendered

from pro_app.config import ROOT
from pro_app.models import (
    Answer,
    Assessment,
    AuditEntry,
    Device,
    Participant,
    Submission,
    TabletSession,
)
from pro_app.services import reachability, tablet
from pro_app.web.tablet_access import PLAYED, WAY_OUT
from tests.conftest import PIN, Enrolled, Site, TestClock, snapshot
from tests.pages import Browser
from tests.services.table_rows import rows
from tests.web.test_access import AUDIENCES, address, rules
from tests.web.test_demo import demonstration
from tests.web.test_staff import Desk, at, desk, invite

__all__ = ["demonstration", "desk"]

NUMBER, END = "01-246", "46"
LIST = "/tablet/questionnaires"


def start_page(site: Site, number: str = NUMBER) -> str:
    return at(site, f"/participants/{number}/tablet")


def hand_over(desk: Desk, site: Site, number: str = NUMBER) -> None:
    """Sign in if need be, and hand the tablet to this participant."""
    desk.sign_in()
    desk.get(start_page(site, number))
    desk.post(start_page(site, number))
    assert desk.path == "/tablet/"


def confirm(desk: Browser, given: str = END, by: str = "number", status: int = 200) -> None:
    desk.get("/tablet/confirm")
    desk.post("/tablet/confirm", status, by=by, given=given)


def agree(desk: Browser) -> None:
    """Accept the privacy notice where it is asked for."""
    if desk.path == "/tablet/notice":
        desk.post("/tablet/notice", accept="yes")


def item(sheet: Assessment, n: int) -> str:
    return f"{LIST}/{sheet.public_id}/items/{n}"


def answer(desk: Browser, sheet: Assessment, n: int, choice: str, action: str = "next") -> None:
    """Choose on the page of an item, and press a button."""
    desk.get(item(sheet, n))
    given = {"choice": choice, "action": action, "shown_in": "en", "page_name": page_name(desk)}
    desk.post(item(sheet, n), **given)


def page_name(desk: Browser) -> str:
    names = [one["value"] for one in desk.page.all("input") if one.get("name") == "page_name"]
    return str(names[0])


def chosen(desk: Browser) -> list[str]:
    """The choices that the page of an item shows as chosen."""
    return [str(one["value"]) for one in desk.page.all("input") if "checked" in one]


def shown_answers(desk: Browser) -> list[str]:
    """What the review shows as answers, item by item."""
    return re.findall(r'<span class="answer[^>]*>([^<]*)<', desk.page.text)


def fill_in(desk: Browser, site: Site, sheet: Assessment) -> None:
    """Every item, and Submit."""
    for one in site.library.instruments[sheet.instrument].items:
        answer(desk, sheet, one.n, str(one.options.codes[0]))
    desk.get(f"{LIST}/{sheet.public_id}/review")
    desk.post(f"{LIST}/{sheet.public_id}/submit")


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol(NUMBER)


@pytest.fixture
def sheets(web_site: Site, person: Enrolled) -> list[Assessment]:
    return web_site.open(person)


@pytest.fixture
def handed(desk: Desk, web_site: Site, sheets: list[Assessment]) -> Desk:
    """A tablet that was handed over."""
    hand_over(desk, web_site)
    return desk


@pytest.fixture
def held(handed: Desk) -> Desk:
    """A tablet in the participant's hands, before the list."""
    confirm(handed)
    agree(handed)
    assert handed.path == LIST
    return handed


def trail(site: Site, *actions: str) -> list[tuple[str, str, str | None]]:
    """Actor, action and new value of what was put on record."""
    with site.database.reading() as session:
        found = session.execute(
            sa.select(AuditEntry.actor, AuditEntry.action, AuditEntry.new)
            .where(AuditEntry.action.in_(actions), AuditEntry.stream.like("participant/%"))
            .order_by(AuditEntry.id)
        )
        return [(actor, action, new) for actor, action, new in found]


# --- the whole way ------------------------------------------------------------------------------


def test_the_whole_way(handed: Desk, web_site: Site, sheets: list[Assessment]) -> None:
    assert NUMBER not in handed.page.text, "nothing about anybody before it is known who it is"
    handed.get("/tablet/confirm")
    assert NUMBER not in handed.page.text
    confirm(handed)
    assert handed.path == "/tablet/notice", "who never had a phone has not read it"
    handed.post("/tablet/notice", 422)
    handed.post("/tablet/notice", accept="yes")
    assert handed.path == LIST
    for sheet in sheets:
        fill_in(handed, web_site, sheet)
        if sheet is sheets[0]:
            assert handed.path == LIST
            assert "Your answers have been received" in handed.page.text
    assert handed.path == "/tablet/over"
    assert "Thank you. Please give the tablet back." in handed.page.text
    with web_site.database.reading() as session:
        answers = session.execute(
            sa.select(Answer.mode, Answer.originator, Answer.device_id).distinct()
        ).all()
        assert [tuple(one) for one in answers] == [("site_tablet", "participant", None)]
        sealed = session.execute(sa.select(Submission.mode, Submission.device_id)).all()
        assert [tuple(one) for one in sealed] == [("site_tablet", None)] * 2
    steps = ("start_tablet", "confirm_at_tablet", "accept_notice", "submit", "end_tablet")
    found = trail(web_site, *steps)
    assert [one[1] for one in found] == [*steps[:3], "submit", "submit", "end_tablet"]
    assert found[0][0] == "staff/1"
    assert {one[0] for one in found[1:]} == {"participant/tablet 1"}
    assert (found[1][2], found[-1][2]) == ("number", "submitted")
    assert {one[0] for one in trail(web_site, "answer")} == {"participant/tablet 1"}


def test_the_mode_is_in_the_export(held: Desk, web_site: Site, sheets: list[Assessment]) -> None:
    fill_in(held, web_site, sheets[0])
    answer(held, sheets[1], 1, "1")
    found = rows(web_site, "answers")
    assert [row["mode"] for row in found] == ["site_tablet", "site_tablet"], "also before Submit"
    assert [row["status"] for row in found] == ["completed", "in_progress"]
    assert {row["mode"] for row in rows(web_site, "answers_long")} == {"site_tablet", None}


# --- the staff's session ends first -------------------------------------------------------------


def test_the_staffs_session_is_dead_before_the_first_question(
    desk: Desk, web_site: Site, sheets: list[Assessment], app: Flask
) -> None:
    desk.sign_in()
    desk.get(start_page(web_site))
    copied = desk.client.get_cookie("staff")
    assert copied is not None
    desk.post(start_page(web_site))
    assert desk.client.get_cookie("staff") is None
    thief = Browser(app)
    thief.client.set_cookie("staff", copied.value)
    thief.get(at(web_site, "/completion"))
    assert thief.path == "/staff/sign-in"
    desk.client.set_cookie("staff", copied.value)
    desk.get(at(web_site, "/completion"))
    assert desk.path == "/tablet/"


def test_handing_over_needs_a_proof_of_being_there(
    desk: Desk, web_site: Site, sheets: list[Assessment], clock: TestClock
) -> None:
    clock.forward(minutes=6)
    desk.get(start_page(web_site))
    desk.post(start_page(web_site), 401)
    assert desk.client.get_cookie("tablet") is None
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(TabletSession)).all() == []


def test_an_investigator_may_hand_over_too(
    app: Flask, web_site: Site, sheets: list[Assessment], clock: TestClock
) -> None:
    found = Desk(app, clock)
    found.set_up(invite(web_site, "investigator"))
    found.get(at(web_site, f"/participants/{NUMBER}"))
    assert f'href="{start_page(web_site)}"' in found.page.text
    found.get(start_page(web_site))
    found.post(start_page(web_site))
    assert found.path == "/tablet/"


def test_nothing_is_handed_over_when_nothing_is_open(
    desk: Desk, web_site: Site, person: Enrolled
) -> None:
    desk.get(start_page(web_site))
    before = snapshot(web_site.database)
    desk.post(start_page(web_site), 422)
    assert "No questionnaire is open for this participant now." in desk.page.text
    assert snapshot(web_site.database) == before
    desk.get(at(web_site, "/completion"))
    assert desk.path == at(web_site, "/completion"), "still signed in"


def test_a_browser_that_is_somebodys_phone_is_no_tablet(
    desk: Desk, web_site: Site, sheets: list[Assessment]
) -> None:
    desk.join(web_site.enrol("01-777"))
    desk.get(start_page(web_site))
    desk.post(start_page(web_site), 422)
    assert "Somebody has joined in this browser" in desk.page.text
    assert desk.client.get_cookie("device") is not None


# --- who it is ----------------------------------------------------------------------------------


def test_who_has_a_pin_gives_it(
    app: Flask, desk: Desk, web_site: Site, person: Enrolled, sheets: list[Assessment]
) -> None:
    Browser(app).join(person)
    hand_over(desk, web_site)
    desk.get("/tablet/confirm")
    assert 'name="by" value="pin"' in desk.page.text
    confirm(desk, "864202", "pin", 422)
    confirm(desk, PIN, "pin")
    assert desk.path == LIST
    assert trail(web_site, "wrong_at_tablet", "confirm_at_tablet")[-1][2] == "pin"
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Device.pin_failures)).all() == [0]


def test_who_forgot_the_pin_takes_the_card(
    app: Flask, desk: Desk, web_site: Site, person: Enrolled, sheets: list[Assessment]
) -> None:
    Browser(app).join(person)
    hand_over(desk, web_site)
    desk.get("/tablet/confirm")
    desk.get("/tablet/confirm?by=number")
    assert 'name="by" value="number"' in desk.page.text
    confirm(desk, "01-246")
    assert desk.path == LIST
    assert trail(web_site, "confirm_at_tablet")[-1][2] == "number"


def test_the_wrong_person_does_not_get_in(
    handed: Desk, web_site: Site, sheets: list[Assessment]
) -> None:
    for given in ("", "47", "01-247", "6"):
        confirm(handed, given, status=422)
        assert 'aria-invalid="true"' in handed.page.text
        assert f'name="given" value="{given}"' in handed.page.text
    handed.get(LIST)
    assert handed.path == "/tablet/confirm"
    confirm(handed, "99")
    assert handed.path == "/tablet/over"
    assert "too many wrong tries" in handed.page.text
    confirm_after = handed.client.post("/tablet/confirm", data={"by": "number", "given": END})
    assert confirm_after.location in {"/tablet/over", "/tablet/"}
    assert trail(web_site, "end_tablet") == [("participant/tablet 1", "end_tablet", "refused")]


def test_who_knows_the_number_alone_sees_no_earlier_answer(
    desk: Desk, web_site: Site, sheets: list[Assessment], clock: TestClock
) -> None:
    sheet = sheets[0]
    items = web_site.library.instruments[sheet.instrument].items
    web_site.answer(sheet, {items[0].code: 2, items[1].code: "skipped", items[2].code: 3})
    clock.forward(minutes=1)
    hand_over(desk, web_site)
    confirm(desk)
    agree(desk)
    for one in items[:3]:
        desk.get(item(sheet, one.n))
        assert chosen(desk) == []
        assert "Answered earlier" in desk.page.text
    desk.get(f"{LIST}/{sheet.public_id}/review")
    assert shown_answers(desk)[:4] == [*["Answered earlier"] * 3, "Not answered yet"]
    desk.get(item(sheet, 1))
    desk.post(item(sheet, 1), action="next", page_name=page_name(desk))
    assert desk.path == item(sheet, 2), "what was answered need not be answered again"
    answer(desk, sheet, 1, "2")
    answer(desk, sheet, 3, "4")
    for n, code in ((1, "2"), (3, "4")):
        desk.get(item(sheet, n))
        assert chosen(desk) == [code], "the own choice is shown, whether or not it was the same"
    desk.get(f"{LIST}/{sheet.public_id}/review")
    assert [one == "Answered earlier" for one in shown_answers(desk)[:3]] == [False, True, False]


def test_who_knows_the_pin_goes_on_with_the_earlier_answers(
    app: Flask, desk: Desk, web_site: Site, person: Enrolled, sheets: list[Assessment]
) -> None:
    Browser(app).join(person)
    web_site.answer(sheets[0], {"LQ01": 2})
    web_site.clock.forward(minutes=1)
    hand_over(desk, web_site)
    confirm(desk, PIN, "pin")
    desk.get(item(sheets[0], 1))
    assert chosen(desk) == ["2"]
    desk.get(f"{LIST}/{sheets[0].public_id}/review")
    assert "Answered earlier" not in desk.page.text


def test_the_page_and_the_text_are_the_participants(desk: Desk, web_site: Site) -> None:
    person = web_site.enrol("01-333", "ms")
    sheet = web_site.open(person)[0]
    with web_site.database.writing() as session:
        session.get_one(Participant, person.id).text_size = 2
    hand_over(desk, web_site, "01-333")
    assert desk.page.all("html")[0]["lang"] == "en", "the staff read it"
    desk.get("/tablet/confirm")
    assert desk.page.all("html")[0]["lang"] == "ms"
    assert desk.page.all("html")[0]["class"] == "size-2"
    confirm(desk, "33")
    agree(desk)
    desk.get(item(sheet, 1))
    desk.post(item(sheet, 1), choice="1", language="ta", shown_in="ms", page_name="spoilt")
    assert desk.path == item(sheet, 1)
    assert desk.page.all("html")[0]["lang"] == "ta"
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Answer.language)).all() == ["ms"], "what was read"
        assert session.get_one(Participant, person.id).language == "ta"
    assert desk.client.get_cookie("language") is None, "the browser keeps nothing of it"


# --- nothing else -------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["handed", "held", "over"])
def test_every_other_address_leads_back(
    desk: Desk,
    web_site: Site,
    sheets: list[Assessment],
    app: Flask,
    stage: str,
    subtests: pytest.Subtests,
) -> None:
    hand_over(desk, web_site)
    if stage != "handed":
        confirm(desk)
        agree(desk)
    if stage == "over":
        desk.get("/tablet/stop")
        desk.post("/tablet/stop")
    desk.get("/tablet/confirm")
    checked = 0
    for rule in rules(app):
        if AUDIENCES[rule.endpoint] == "tablet" or rule.endpoint in WAY_OUT | PLAYED | {"static"}:
            continue
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            with subtests.test(rule.endpoint, method=method):
                path = address(rule, sheets[0], app)
                response = desk.client.open(path, method=method)
                if rule.endpoint == "offline.plan":  # read by a script
                    assert (response.status_code, response.json) == (401, {"error": "device"})
                else:
                    assert (response.status_code, response.location) == (303, "/tablet/")
                checked += 1
    assert checked > 70
    assert desk.client.get("/nothing/at/all").location == "/tablet/"
    told = desk.client.post("/journal", json={})
    assert (told.status_code, told.json) == (401, {"error": "device"})


def test_somebody_elses_questionnaire_is_not_there(
    held: Desk, web_site: Site, sheets: list[Assessment], app: Flask
) -> None:
    other = web_site.open(web_site.enrol("01-555"))[0]
    before = snapshot(web_site.database)
    for rule in rules(app):
        if AUDIENCES[rule.endpoint] != "tablet" or "public_id" not in rule.arguments:
            continue
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            data = {"csrf_token": held.page.token(), "choice": "1"}
            path = address(rule, other, app)
            response = held.client.open(path, method=method, data=data)
            assert response.status_code == 404
            assert "/today" not in response.text
            assert "/phone" not in response.text
    assert snapshot(web_site.database) == before


def test_what_is_done_is_not_shown(held: Desk, web_site: Site, sheets: list[Assessment]) -> None:
    fill_in(held, web_site, sheets[0])
    for path in ("", "/review", "/items/1"):
        held.get(f"{LIST}/{sheets[0].public_id}{path}")
        assert held.path == LIST
    assert sheets[0].public_id not in held.page.text


def test_no_page_of_the_tablet_offers_what_binds_it(held: Desk, sheets: list[Assessment]) -> None:
    pages = [LIST, f"{LIST}/{sheets[0].public_id}", item(sheets[0], 1), "/tablet/stop"]
    for path in [*pages, f"{LIST}/{sheets[0].public_id}/review", "/tablet/notice"]:
        held.get(path)
        links = [str(one.get("href")) for one in held.page.all("a") if one.get("href")]
        actions = [str(one.get("action")) for one in held.page.all("form")]
        inside = [one for one in links + actions if not one.startswith("#")]
        assert all(one.startswith("/tablet/") for one in inside), inside
        scripts = [str(one.get("src")) for one in held.page.all("script")]
        assert [one.rpartition("/")[2] for one in scripts] == ["tablet.js"]
        assert "manifest" not in held.page.text


def test_nothing_is_taken_without_a_token(
    held: Desk, web_site: Site, sheets: list[Assessment], app: Flask
) -> None:
    held.get(item(sheets[0], 1))
    before = snapshot(web_site.database)
    for rule in rules(app):
        if AUDIENCES[rule.endpoint] == "tablet" and "POST" in (rule.methods or ()):
            once = rule.endpoint in {"tablet.check", "tablet.accept_notice"}  # over: led on, unread
            response = held.client.post(address(rule, sheets[0], app), data={"choice": "1"})
            assert response.status_code == (303 if once else 400)
    assert snapshot(web_site.database) == before
    held.response = held.client.post(item(sheets[0], 1), data={"choice": "4"})
    page = held._see(400)
    assert "/phone" not in page.text
    carried = {one["name"]: one["value"] for one in page.all("input") if one["type"] == "hidden"}
    assert carried["choice"] == "4", "nothing that was chosen is lost"


# --- the end ------------------------------------------------------------------------------------


def is_closed(desk: Desk, sheets: list[Assessment]) -> None:
    """Back, reload and typed addresses show the neutral page."""
    for path in (LIST, item(sheets[0], 1), "/tablet/confirm", "/tablet/stop", "/today", "/join/"):
        desk.get(path)
        assert desk.path == "/tablet/over", path
        assert sheets[0].public_id not in desk.page.text


def test_stopping_keeps_the_answers(held: Desk, web_site: Site, sheets: list[Assessment]) -> None:
    answer(held, sheets[0], 1, "2", action="stop")
    assert held.path == "/tablet/stop"
    held.post("/tablet/stop")
    assert "Your answers are kept. Please give the tablet back." in held.page.text
    is_closed(held, sheets)
    assert trail(web_site, "end_tablet") == [("participant/tablet 1", "end_tablet", "stopped")]
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Answer.code)).all() == [2]


def test_a_tablet_that_was_put_down_shows_nothing(
    held: Desk, web_site: Site, sheets: list[Assessment], clock: TestClock
) -> None:
    clock.forward(minutes=9)
    held.get(item(sheets[0], 1))
    assert held.path == item(sheets[0], 1)
    clock.forward(minutes=10)
    is_closed(held, sheets)
    with web_site.database.writing() as session:
        assert tablet.end_idle(session, clock()) == 1
    with web_site.database.writing() as session:
        assert tablet.end_idle(session, clock()) == 0
    assert trail(web_site, "end_tablet") == [("system", "end_tablet", "idle")]


def test_the_page_itself_says_when_nobody_is_there(
    held: Desk, web_site: Site, sheets: list[Assessment]
) -> None:
    held.get(item(sheets[0], 1))
    held.post("/tablet/idle")
    assert "Nobody is using it now." in held.page.text
    is_closed(held, sheets)
    assert trail(web_site, "end_tablet") == [("participant/tablet 1", "end_tablet", "idle")]


def test_who_is_at_work_is_not_thrown_out(
    held: Desk, sheets: list[Assessment], clock: TestClock
) -> None:
    held.get(item(sheets[0], 1))
    token = held.page.token()
    for _ in range(5):
        clock.forward(minutes=4)
        assert held.client.post("/tablet/stay", data={"csrf_token": token}).status_code == 204
    held.get(item(sheets[0], 1))
    assert held.path == item(sheets[0], 1)


def test_the_demonstrations_staff_get_out_without_a_password(demonstration: Flask) -> None:
    browser = Browser(demonstration)
    browser.get("/demo/")
    browser.post("/demo/staff/coordinator")
    browser.get("/staff/demonstration/completion")
    numbers = re.findall(r"/participants/([\w-]+)", browser.page.text)
    for number in numbers:
        browser.get(f"/staff/demonstration/participants/{number}/tablet")
        if "are open for this participant" in browser.page.text:
            browser.post(f"/staff/demonstration/participants/{number}/tablet")
            break
    assert browser.path == "/tablet/"
    browser.get("/today")
    assert browser.path == "/tablet/"
    browser.get("/demo/")
    browser.post("/demo/staff/investigator")
    assert browser.path == "/staff/demonstration/today"


def test_only_the_staff_get_out(held: Desk, web_site: Site, sheets: list[Assessment]) -> None:
    held.sign_in()
    assert held.path == at(web_site, "/today")
    assert held.client.get_cookie("tablet") is None
    held.get(LIST)
    assert held.path == "/join/", "it is no tablet any more"
    assert trail(web_site, "end_tablet") == [("staff/1", "end_tablet", "staff")]


def test_two_participants_after_one_another_see_nothing_of_each_other(
    held: Desk, web_site: Site, sheets: list[Assessment]
) -> None:
    answer(held, sheets[0], 1, "2", action="stop")
    held.post("/tablet/stop")
    second = web_site.enrol("01-468", "ms")
    theirs = web_site.open(second)
    hand_over(held, web_site, "01-468")
    confirm(held, END, status=422)
    confirm(held, "68")
    agree(held)
    for sheet in sheets:
        assert held.client.get(item(sheet, 1)).status_code == 404
    held.get(LIST)
    assert not any(sheet.public_id in held.page.text for sheet in sheets)
    answer(held, theirs[0], 1, "3")
    with web_site.database.reading() as session:
        given = session.execute(sa.select(Answer.assessment_id, Answer.code)).all()
        assert {tuple(one) for one in given} == {(sheets[0].id, 2), (theirs[0].id, 3)}


def test_another_tablet_of_the_same_person_is_dead(
    held: Desk, web_site: Site, sheets: list[Assessment], app: Flask, clock: TestClock
) -> None:
    other = Desk(app, clock)
    other.secret = held.secret
    hand_over(other, web_site)
    is_closed(held, sheets)
    assert [one[2] for one in trail(web_site, "end_tablet")] == ["replaced"]


# --- answers ------------------------------------------------------------------------------------


def test_what_is_sent_twice_counts_once(
    held: Desk, web_site: Site, sheets: list[Assessment]
) -> None:
    """The answer arrived, its response did not; meanwhile the person's phone has another one."""
    held.get(item(sheets[0], 1))
    sent = {"choice": "2", "action": "next", "page_name": page_name(held)}
    held.post(item(sheets[0], 1), **sent)
    web_site.clock.forward(seconds=5)
    web_site.answer(sheets[0], {"LQ01": 4})
    held.post(item(sheets[0], 1), **sent)
    held.get(item(sheets[0], 1))
    assert 'value="4" checked' in held.page.text
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Answer.code).order_by(Answer.id)).all() == [2, 4]


def test_phone_and_tablet_are_open_at_once(
    app: Flask, desk: Desk, web_site: Site, person: Enrolled, sheets: list[Assessment]
) -> None:
    phone = Browser(app)
    phone.join(person)
    path = f"/questionnaires/{sheets[0].public_id}/items"
    hand_over(desk, web_site)
    confirm(desk, PIN, "pin")
    phone.get(f"{path}/1")
    phone.post(f"{path}/1", choice="1", action="next")
    web_site.clock.forward(seconds=5)
    answer(desk, sheets[0], 2, "3")
    desk.get(item(sheets[0], 1))
    assert 'value="1" checked' in desk.page.text
    phone.get(f"{path}/2")
    assert 'value="3" checked' in phone.page.text
    with web_site.database.reading() as session:
        modes = session.execute(sa.select(Answer.item, Answer.mode).order_by(Answer.id)).all()
        assert [tuple(one) for one in modes] == [("LQ01", "own_phone"), ("LQ02", "site_tablet")]
        assert len(session.scalars(sa.select(Device)).all()) == 1, "the tablet is no phone"


def test_a_tablet_is_no_way_to_reach_anybody(held: Desk, web_site: Site, person: Enrolled) -> None:
    with web_site.database.reading() as session:
        reach = reachability.reachability(session, person.id, web_site.clock())
        assert session.scalars(sa.select(Device)).all() == []
    assert reach.push == "no_phone"


def offline(held: Desk, sheets: list[Assessment], tapped: datetime, n: int = 1) -> dict[str, str]:
    """What the page's script sends of a tap that waited for the network."""
    held.get(item(sheets[0], n))
    return {
        "csrf_token": held.page.token(), "choice": "2", "action": "next", "shown_in": "en",
        "page_name": page_name(held), "device_time": tapped.isoformat(),
    }  # fmt: skip


def test_an_answer_that_waited_for_the_network_stands_at_its_tap(
    held: Desk, web_site: Site, sheets: list[Assessment], clock: TestClock
) -> None:
    tapped = clock()
    sent = offline(held, sheets, tapped)
    clock.forward(minutes=5)
    held.client.post(item(sheets[0], 1), data=sent | {"sent_at": clock().isoformat()})
    with web_site.database.reading() as session:
        row = session.execute(sa.select(Answer.answered_at, Answer.received_at)).one()
        assert tuple(row) == (tapped, clock())


@pytest.mark.parametrize("swept", [False, True])
def test_an_answer_that_waited_longer_than_the_session_is_not_lost(
    held: Desk, web_site: Site, sheets: list[Assessment], clock: TestClock, swept: bool
) -> None:
    sent = offline(held, sheets, clock())
    clock.forward(hours=2)
    if swept:
        with web_site.database.writing() as session:
            tablet.end_idle(session, clock())
    sent["sent_at"] = clock().isoformat()
    response = held.client.post(item(sheets[0], 1), data=sent)
    assert response.location.startswith("/tablet/over"), "kept, and nothing shown"
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Answer.code)).all() == [2]
    is_closed(held, sheets)


def test_after_a_day_or_a_proper_end_nothing_more_is_taken(
    held: Desk, web_site: Site, sheets: list[Assessment], clock: TestClock
) -> None:
    sent = offline(held, sheets, clock())
    clock.forward(hours=13)
    assert held.client.post(item(sheets[0], 1), data=sent).location == "/tablet/over"
    hand_over(held, web_site)
    confirm(held)
    sent = offline(held, sheets, clock())
    held.get("/tablet/stop")
    held.post("/tablet/stop")
    assert held.client.post(item(sheets[0], 1), data=sent).location == "/tablet/over"
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Answer.code)).all() == []


def test_a_question_may_be_left_unanswered(held: Desk, sheets: list[Assessment]) -> None:
    held.get(item(sheets[0], 1))
    held.post(item(sheets[0], 1), 422, action="next", page_name=page_name(held))
    assert "You have not chosen an answer." in held.page.text
    held.post(item(sheets[0], 1), action="skip", prompted="yes", page_name=page_name(held))
    assert held.path == item(sheets[0], 2)
    held.post(item(sheets[0], 2), 422, choice="99", page_name=page_name(held))


def test_submitting_with_questions_open_says_how_many(held: Desk, sheets: list[Assessment]) -> None:
    held.get(f"{LIST}/{sheets[0].public_id}/review")
    held.post(f"{LIST}/{sheets[0].public_id}/submit", 422)
    assert "34 questions still wait for you." in held.page.text


def test_a_window_that_closes_meanwhile_is_told(
    desk: Desk, web_site: Site, person: Enrolled, clock: TestClock
) -> None:
    sheet = web_site.open(person, closes=timedelta(minutes=5))[0]
    hand_over(desk, web_site)
    confirm(desk)
    agree(desk)
    desk.get(item(sheet, 1))
    sent = {"choice": "2", "page_name": page_name(desk)}
    clock.forward(minutes=6)
    desk.post(item(sheet, 1), **sent)
    assert desk.path == LIST
    assert "The time for that questionnaire is over." in desk.page.text
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Answer.standing)).all() == ["after_closing"], "kept"
    desk.get(f"{LIST}/{sheet.public_id}/review")
    assert "The time for that questionnaire is over." in desk.page.text


def test_what_the_phone_has_submitted_meanwhile_is_done(
    held: Desk, web_site: Site, sheets: list[Assessment]
) -> None:
    held.get(item(sheets[0], 1))
    sent = {"choice": "2", "page_name": page_name(held)}
    for sheet in sheets:
        web_site.answer_all(sheet)
        web_site.submit(sheet)
    held.post(item(sheets[0], 1), **sent)
    assert held.path == LIST
    assert "There is nothing more to do" in held.page.text
    held.get("/tablet/stop")
    held.post("/tablet/stop")
    assert held.path == "/tablet/over"


# --- every page ---------------------------------------------------------------------------------


def walk(desk: Desk, site: Site) -> None:
    """Every page of the tablet, in the language of the desk, and every fault on the way."""
    desk.sign_in()
    language = desk.page.all("html")[0]["lang"]
    language = "zh_Hans" if language == "zh-Hans" else str(language)
    person = site.enrol("01-912", language)
    desk.get(start_page(site, person.number))
    desk.post(start_page(site, person.number), 422)
    sheets = site.open(person)
    closing = site.open(person, "month_3", closes=timedelta(minutes=5))[0]
    phone = Browser(desk.client.application, language)
    phone.join(person)
    with site.database.writing() as session:
        row = session.get_one(Participant, person.id)
        row.notice_version = row.notice_at = None  # as if there were a new one
    hand_over(desk, site, person.number)
    desk.get("/tablet/confirm")
    confirm(desk, "864202", "pin", 422)
    desk.get("/tablet/confirm?by=number")
    confirm(desk, "00", status=422)
    confirm(desk, "12")
    desk.get("/tablet/notice")
    desk.post("/tablet/notice", 422)
    desk.post("/tablet/notice", accept="yes")
    path = f"{LIST}/{sheets[0].public_id}"
    desk.get(path)
    desk.get(item(sheets[0], 1))
    desk.post(item(sheets[0], 1), 422, action="next")
    answer(desk, sheets[0], 1, "1")
    desk.get(item(sheets[0], 1))
    desk.get(f"{path}/review")
    desk.post(f"{path}/submit", 422)
    desk.response = desk.client.post(item(sheets[0], 2), data={"choice": "1"}, headers=desk.accept)
    desk._see(400)
    desk.get(f"{LIST}/{'A' * 16}", 404)
    site.clock.forward(minutes=6)
    desk.get(f"{LIST}/{closing.public_id}")
    site.answer_all(sheets[0])
    desk.get(f"{path}/review")
    desk.post(f"{path}/submit")
    desk.get("/tablet/stop")
    desk.post("/tablet/stop")
    hand_over(desk, site, person.number)
    desk.get("/tablet/confirm?by=number")
    for _ in range(4):
        desk.post("/tablet/confirm", 422, by="number", given="00")
    desk.post("/tablet/confirm", by="number", given="00")
    hand_over(desk, site, person.number)
    confirm(desk, "12")
    site.clock.forward(minutes=11)
    desk.get(LIST)
    hand_over(desk, site, person.number)
    confirm(desk, "12")
    site.answer_all(sheets[1])
    desk.get(f"{LIST}/{sheets[1].public_id}/review")
    desk.post(f"{LIST}/{sheets[1].public_id}/submit")
    desk.sign_in()


def test_every_page_and_every_fault(desk: Desk, web_site: Site, app: Flask) -> None:
    found: set[str] = set()
    template_rendered.connect(lambda _app, template, **_: found.add(template.name), app, weak=False)
    walk(desk, web_site)
    assert {one.name for one in (ROOT / "templates/tablet").glob("*.html")} - {"base.html"} == {
        name.removeprefix("tablet/") for name in found if name.startswith("tablet/")
    } - {"base.html"}
