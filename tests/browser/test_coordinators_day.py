"""One whole day of a coordinator: from enrolling to a withdrawal, with everybody who takes part."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from pro_app.models import Assessment
from pro_app.services import staff
from tests.browser.conftest import Phones, Watch
from tests.browser.test_coordinator import DESK, press
from tests.browser.test_corrections import SECRET, ask, at_work
from tests.browser.test_entry import begin, type_all
from tests.browser.test_tablet import Tablet, nearly_done
from tests.conftest import Enrolled, Site
from tests.services.table_rows import one, rows
from tests.services.test_staff_sign_in import PASSWORD, code_at, set_up
from tests.web.test_protocol import calendar

PEOPLE = "/staff/test/participants"


def first_sheet(site: Site, person: Enrolled) -> Assessment:
    """The first questionnaire that the calendar has opened."""
    with site.database.reading() as session:
        own = sa.select(Assessment).where(Assessment.participant_id == person.id)
        return session.scalars(own.order_by(Assessment.opens_at, Assessment.place)).first() or (
            pytest.fail("the calendar has nothing")
        )


def at_the_desk(phones: Phones, site: Site) -> Tablet:
    """The coordinator signs in at eight."""
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        session.flush()
        staff.grant(session, staff_id, site.study.id, None, "coordinator", site.clock())
        staff.choose_language(session, staff_id, "en", site.clock())
    desk = Tablet(phones, site, viewport=DESK, has_touch=False)
    desk.open("/staff/sign-in")
    desk.sign_in()
    return desk


def enrol_and_join(phones: Phones, desk: Tablet) -> None:
    """Enrol; the participant joins with the printed code on another browser."""
    page = desk.page
    page.get_by_role("link", name="Enrol", exact=True).click()
    page.locator("#number").fill("01-310")
    page.get_by_label("Bahasa Melayu").check()
    page.locator("#consent_version").fill("2.0")
    page.locator("#consent_on").fill("2026-11-20")
    press(page, "Enrol, and show the joining card")
    printed = page.locator(".joining-card .big").inner_text()
    phone = phones.new("fr")
    phone.open("/join/?language=ms")
    phone.type_code(printed)
    phone.accept_notice()
    phone.choose_pin()
    phone.sees("P2")


def date_the_infusion(desk: Tablet) -> None:
    """Set, then corrected; what moves is shown before it does."""
    page = desk.page
    page.get_by_role("link", name="To the participant's page").click()
    for day, shown in (("2026-12-04", "new"), ("2026-12-07", "moves")):
        page.get_by_label("Infusion", exact=True).fill(day)
        page.locator("form:has(#day-infusion) .btn").click()
        expect(page.locator("tbody td", has_text=shown).first).to_be_visible()
        press(page, "Save this day")
        expect(page.get_by_label("Infusion", exact=True)).to_have_value(day)


def call_who_is_overdue(desk: Tablet) -> None:
    """Found on the board, with the reason, and called."""
    page = desk.page
    desk.open("/staff/test/today")
    line = page.locator(".row", has_text="01-302").first
    expect(line).to_contain_text("no phone is joined")
    line.get_by_role("link", name="Log a call").click()
    page.get_by_label("will answer the questionnaire").check()
    press(page, "Save")
    expect(line).to_contain_text("will answer the questionnaire")


def answer_on_the_tablet(desk: Tablet, site: Site) -> None:
    """This very browser becomes the tablet, and takes the coordinator back only with a sign-in."""
    person = site.enrol("01-303", "ms")
    nearly_done(site, first_sheet(site, person))
    desk.hand_over(person)
    desk.take("03")
    desk.begin()
    for n in (33, 34):
        desk.shows(n)
        desk.page.locator(".opt").first.click()
        desk.press("Seterusnya")
    desk.page.locator(".review").wait_for()
    desk.press_main()
    desk.sees("T4")
    desk.open("/staff/test/today")
    desk.sees("T4")
    desk.page.get_by_role("link", name="Berhenti di sini").click()
    desk.press("Berhenti dan pulangkan tablet")
    desk.is_over()
    desk.page.locator("a[href*='sign-in']").click()
    desk.sign_in()
    desk.open(f"{PEOPLE}/01-303")
    expect(desk.page.locator("tbody tr").first).to_contain_text("on the site's tablet")


def enter_paper(phones: Phones, desk: Tablet, site: Site) -> None:
    """Entered by the coordinator, entered again by a colleague."""
    site.enrol("01-304", "ms")
    desk.open(f"{PEOPLE}/01-304")
    begin(desk.page, "Enter from paper")
    type_all(desk.page, "2")
    press(desk.page, "Finish, and hand over to be checked")
    expect(desk.page.get_by_text("Somebody else has to check it")).to_be_visible()
    colleague = at_work(phones, site, "Siti Aishah", "coordinator")
    colleague.open("/staff/test/today")
    colleague.page.get_by_role("link", name="Sheets to check").click()
    colleague.page.get_by_role("link", name="Check this sheet").click()
    type_all(colleague.page, "2")
    press(colleague.page, "Compare")
    expect(colleague.page.get_by_role("heading", name="This sheet is accepted")).to_be_visible()


def correct_an_answer(phones: Phones, desk: Tablet, site: Site) -> None:
    """Asked for by the coordinator, decided by the investigator, seen in the export."""
    sheet = first_sheet(site, site.enrol("01-305"))
    site.answer_all(sheet, place=1)
    site.submit(sheet)
    desk.open(f"{PEOPLE}/01-305")
    ask(desk.page)
    doctor = at_work(phones, site, "Tan Wei Ming", "investigator")
    doctor.open("/staff/test/corrections")
    doctor.page.get_by_role("link", name="Look and decide").click()
    doctor.page.get_by_label("I approve this correction").check()
    doctor.page.locator("#comment").fill("Seen in the visit note")
    doctor.page.locator("#password").fill(PASSWORD)
    site.clock.forward(seconds=60)
    doctor.page.locator("#code").fill(code_at(site.clock(), SECRET))
    press(doctor.page, "Sign this decision")
    expect(doctor.page.get_by_text("The signature holds")).to_be_visible()
    row = one(rows(site, "answers_long"), participant="01-305", item="LQ01")
    assert (row["code"], row["original_code"]) == (3, 1)


def put_a_withdrawal_on_record(desk: Tablet) -> None:
    """The step that weighs asks for password and code again; nothing that was entered is lost."""
    page = desk.page
    desk.site.clock.forward(minutes=6)
    desk.open(f"{PEOPLE}/01-302")
    page.get_by_label("Has withdrawn from the study").check()
    page.get_by_label(re.compile("Yes. All phones")).check()
    press(page, "Put on record")
    page.locator("#password").fill(PASSWORD)
    page.locator("#code").fill(code_at(desk.site.clock(), SECRET))
    page.locator("main form .btn").last.click()
    page.get_by_role("heading", name="Thank you").wait_for()
    press(page, "Continue")
    expect(page.get_by_text("withdrawn", exact=True)).to_be_visible()
    desk.open("/staff/test/today")
    expect(page.locator(".row", has_text="01-302")).to_have_count(0)


def test_a_whole_day(phones: Phones, web_site: Site, watch: Watch) -> None:
    watch.expect("status of 401")  # the page that asks for password and code again
    calendar(web_site)
    web_site.open(web_site.enrol("01-302"), "unscheduled", opens=timedelta(days=-2))
    desk = at_the_desk(phones, web_site)
    enrol_and_join(phones, desk)
    date_the_infusion(desk)
    call_who_is_overdue(desk)
    answer_on_the_tablet(desk, web_site)
    enter_paper(phones, desk, web_site)
    correct_an_answer(phones, desk, web_site)
    put_a_withdrawal_on_record(desk)
