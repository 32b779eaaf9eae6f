"""Paper entered by one and checked by another on another browser; and calls from the board."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from pro_app.services import staff, staff_sign_in
from tests.browser.conftest import Phones, Watch
from tests.browser.people import Phone
from tests.browser.test_accessibility import AXE, CHECK, COLOURS, TAGS
from tests.browser.test_coordinator import DESK, SIDEWAYS, press
from tests.conftest import Site

NUMBER = "01-301"
REFUSED = "status of 422"
PAPER = "/staff/test/participants/01-301/paper"


def desk_of(phones: Phones, site: Site, name: str, role: str, **options: object) -> Phone:
    """A browser of somebody of the staff, without the way there."""
    now = site.clock()
    with site.database.writing() as session:
        email = f"{name.lower()}@hospital.example"
        person = staff.add(session, email, name, "en", date(2026, 1, 5), now)
        staff.grant(session, person.id, site.study.id, None, role, now)
        token = staff_sign_in.start(session, person.id, now, "code")
    found = phones.new("en", **{"viewport": DESK, "has_touch": False, **options})
    cookie = {"name": "staff", "value": token, "url": found.url, "httpOnly": True}
    found.page.context.add_cookies([cookie])  # type: ignore[list-item]
    return found


def begin(page: Page, mode: str) -> None:
    """From the participant's page to the questions of the first questionnaire."""
    page.get_by_role("link", name="On paper").click()
    page.get_by_role("link", name=mode).first.click()
    page.locator("#completed_on").fill("2026-11-23")
    page.get_by_label("Language of the").select_option("ms")
    press(page, "On to the questions")


def questions(page: Page) -> Locator:
    return page.locator("[data-typed]")


def type_all(page: Page, key: str) -> None:
    """Every question by the keyboard alone, once the page has said that keys count."""
    expect(page.locator("[data-keys]")).to_be_visible()
    count = questions(page).count()
    questions(page).first.locator("input").first.focus()
    for _ in range(count):
        page.keyboard.press(key)


def test_paper_is_entered_by_two_and_a_difference_is_settled(
    phones: Phones, web_site: Site
) -> None:
    web_site.open(web_site.enrol(NUMBER, "ms"))
    ana = desk_of(phones, web_site, "Ana", "coordinator")
    ana.open(f"/staff/test/participants/{NUMBER}")
    begin(ana.page, "Enter from paper")
    expect(questions(ana.page).first.locator("legend [lang]")).to_have_attribute("lang", "ms")
    type_all(ana.page, "2")
    third = questions(ana.page).nth(2)
    third.locator("input").first.focus()
    ana.page.keyboard.press("-")
    expect(third.get_by_label("left empty")).to_be_checked()
    expect(questions(ana.page).nth(3).locator("input:focus")).to_have_value("2")
    ana.page.keyboard.press("/")
    expect(questions(ana.page).nth(3).locator("input:checked")).to_have_value("2")
    ana.page.keyboard.press("Backspace")
    expect(third.locator("input:focus")).to_have_value("skipped")
    ana.page.locator("#LQ15").focus()
    ana.page.keyboard.press("/")
    expect(questions(ana.page).nth(14).get_by_label("does not apply")).to_be_checked()
    questions(ana.page).last.locator("input:checked").focus()
    ana.page.keyboard.press("2")
    expect(ana.page.locator("button[value=finish]")).to_be_focused()
    press(ana.page, "Finish, and hand over to be checked")
    expect(ana.page.get_by_text("Somebody else has to check it")).to_be_visible()

    ben = desk_of(phones, web_site, "Ben", "investigator")
    ben.open("/staff/test/today")
    ben.page.get_by_role("link", name="Sheets to check").click()
    ben.page.get_by_role("link", name="Check this sheet").click()
    expect(ben.page.locator("[data-typed] input:checked")).to_have_count(0)
    type_all(ben.page, "2")
    ben.page.locator("#LQ05").check()
    press(ben.page, "Compare")
    expect(ben.page.get_by_text("At 3 questions two people")).to_be_visible()
    assert [one.locator("input").count() for one in questions(ben.page).all()] == [6, 6, 7]
    expect(ben.page.get_by_text("Entered by Ana")).to_have_count(3)
    questions(ben.page).nth(0).get_by_label("left empty").check()
    questions(ben.page).nth(1).locator("input[value='2']").check()
    questions(ben.page).nth(2).get_by_label("does not apply").check()
    press(ben.page, "Settle and submit")
    expect(ben.page.get_by_role("heading", name="This sheet is accepted")).to_be_visible()
    ben.page.get_by_role("link", name="To the participant's page").click()
    first = ben.page.locator("tbody tr").first
    expect(first).to_contain_text("done in time")
    expect(first).to_contain_text("on paper")


def test_without_javascript_a_sheet_is_entered_by_hand(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    watch.expect(REFUSED)
    web_site.open(web_site.enrol(NUMBER, "ms"))
    desk = desk_of(phones, web_site, "Ana", "coordinator", java_script_enabled=False)
    desk.open(f"/staff/test/participants/{NUMBER}")
    begin(desk.page, "Enter as an interview")
    expect(desk.page.locator("[data-keys]")).to_be_hidden()
    for question in questions(desk.page).all()[1:]:
        question.locator("input").nth(1).check()
    press(desk.page, "Finish and submit")
    desk.page.get_by_role("link", name="LQ01", exact=True).click()
    expect(desk.page.locator("#LQ01")).to_be_focused()
    desk.page.locator("#LQ01").check()
    press(desk.page, "Finish and submit")
    expect(desk.page.get_by_role("heading", name="This sheet is accepted")).to_be_visible()


def test_an_overdue_person_is_found_on_the_board_and_called(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    watch.expect(REFUSED)
    web_site.open(web_site.enrol(NUMBER, "ms"), opens=timedelta(days=-2))
    desk = desk_of(phones, web_site, "Ana", "coordinator")
    desk.open("/staff/test/today")
    line = desk.page.locator(".row", has_text=NUMBER).first
    line.get_by_role("link", name="Log a call").click()
    expect(desk.page.locator("#about option:checked")).to_contain_text("LupusQoL")
    desk.page.get_by_label("will answer the questionnaire").check()
    desk.page.locator("#text").fill("900101-14-5678 told me")
    press(desk.page, "Save")
    expect(desk.page.locator("#text")).to_have_value("900101-14-5678 told me")
    desk.page.locator("#text").fill("this evening")
    press(desk.page, "Save")
    expect(desk.page).to_have_url(f"{desk.url}/staff/test/today")
    expect(line).to_contain_text("will answer the questionnaire")
    desk.page.get_by_role("link", name=NUMBER).first.click()
    desk.page.get_by_role("link", name="Calls and notes").click()
    expect(desk.page.get_by_text("this evening")).to_be_visible()


def sheets(site: Site, phones: Phones) -> dict[str, str]:
    """A sheet at every step, by step, as Ben may see it: its address."""
    person = site.enrol(NUMBER, "ms")
    first, second = site.open(person)
    ana, found = desk_of(phones, site, "Ana", "coordinator"), {}
    found["begin"] = f"{PAPER}/new/{first.public_id}"
    for about, mode in ((first, "Enter from paper"), (second, "Enter as an interview")):
        ana.open(f"/staff/test/participants/{NUMBER}")
        begin(ana.page, mode)
        found[about.instrument] = ana.path
        if about is first:
            type_all(ana.page, "2")
            press(ana.page, "Finish, and hand over to be checked")
            expect(ana.page.get_by_text("Somebody else has to check it")).to_be_visible()
    return found


@pytest.mark.parametrize("width", [1280, 360, 320])
def test_pages_are_accessible_and_fit(
    phones: Phones, web_site: Site, watch: Watch, width: int
) -> None:
    watch.expect(REFUSED)
    addresses = sheets(web_site, phones)
    lost = web_site.open(web_site.enrol("01-302"), "month_3", timedelta(-3), timedelta(-1))[0]
    view = {"width": width, "height": 800 if width == DESK["width"] else 740}
    desk = desk_of(phones, web_site, "Ben", "coordinator", viewport=view)
    page, found = desk.page, []
    page.context.add_init_script(path=AXE)

    def look(name: str) -> None:
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        found.extend(f"{name}: {one}" for one in page.evaluate(CHECK, TAGS))
        page.emulate_media(color_scheme="dark")
        found.extend(f"{name}, dark: {one}" for one in page.evaluate(CHECK, COLOURS))
        if page.evaluate(SIDEWAYS) > 0:
            found.append(f"{name} scrolls sideways")

    for path in (
        "/staff/test/today", "/staff/test/to-check", PAPER, *addresses.values(),
        f"/staff/test/participants/{NUMBER}/calls",
        f"/staff/test/participants/01-302/missed/{lost.public_id}",
    ):  # fmt: skip
        desk.open(path)
        look(path)
    press(page, "Save the reason")
    look("a fault at the reason")
    desk.open(addresses["lupusqol"])
    press(page, "Compare")
    look("what has no value")
    type_all(page, "2")
    page.locator("#LQ05").check()
    press(page, "Compare")
    expect(page.get_by_text("Settle the differences")).to_be_visible()
    look("differences")
    assert found == []
