"""A correction from the coordinator's request to both values and both scores in the export."""

from __future__ import annotations

from datetime import date

from playwright.sync_api import Page, expect

from pro_app.models import Assessment
from pro_app.services import secrets, staff, staff_sign_in
from pro_app.services.vault import Vault
from tests.browser.conftest import Phones, Watch
from tests.browser.people import Phone
from tests.browser.test_accessibility import CHECK, TAGS
from tests.browser.test_coordinator import DESK, SIDEWAYS, looked_through, press
from tests.conftest import KEY, Site
from tests.services.correcting import ADMINISTRATIVE, hire, submission_of
from tests.services.correcting import Desk as Hands
from tests.services.table_rows import one, rows
from tests.services.test_staff_sign_in import PASSWORD, code_at

PERSON = "/staff/test/participants/01-301"
SECRET = "3132333435363738393031323334353637383930"


def at_work(phones: Phones, site: Site, name: str, *roles: str) -> Phone:
    """A browser of somebody with these roles, signed in, whose account has password and code."""
    now = site.clock()
    with site.database.writing() as session:
        email = f"{name.lower().replace(' ', '.')}@hospital.example"
        person = staff.add(session, email, name, "en", date(2026, 1, 5), now)
        for role in roles:
            staff.grant(session, person.id, site.study.id, None, role, now)
        hashed = secrets.code_hash(staff.invite(session, person.id, KEY, now), KEY)
        staff_sign_in.set_up(session, hashed, PASSWORD, SECRET, Vault(KEY), now)
        token = staff_sign_in.start(session, person.id, now, "code")
    desk = phones.new("en", viewport=DESK, has_touch=False)
    cookie = {"name": "staff", "value": token, "url": desk.url, "httpOnly": True}
    desk.page.context.add_cookies([cookie])  # type: ignore[list-item]
    return desk


def submitted(site: Site) -> Assessment:
    """A LupusQoL whose every answer is 1."""
    sheet = site.open(site.enrol("01-301"))[0]
    site.answer_all(sheet, place=1)
    site.submit(sheet)
    return sheet


def ask(page: Page) -> None:
    """The coordinator's way from the participant's page to the request."""
    page.get_by_role("navigation").get_by_role("link", name="Corrections").last.click()
    page.get_by_role("link", name="Ask for a correction").click()
    page.get_by_label("An answer is wrong").check()
    press(page, "Continue")
    page.locator("#which").select_option("LQ01")
    press(page, "Continue")
    page.get_by_label("3 Rarely").check()
    page.get_by_label("It is the participant's wish").check()
    page.locator("#reason_code").select_option("mistaken_tap")
    page.locator("#reason").fill("The neighbouring answer was tapped")
    page.locator("#evidence").fill("Visit note, page 2")
    page.locator("#confirmed").check()
    page.locator("#confirmation").fill("By telephone, read back")
    page.locator("#confirmed_on").fill("2026-11-23")
    press(page, "Ask for this correction")
    expect(page.get_by_text("waits for a decision")).to_be_visible()


def test_from_the_request_to_the_export(phones: Phones, web_site: Site) -> None:
    submitted(web_site)
    nurse = at_work(phones, web_site, "Aminah Hassan", "coordinator")
    nurse.open(PERSON)
    ask(nurse.page)

    doctor = at_work(phones, web_site, "Tan Wei Ming", "investigator")
    page = doctor.page
    doctor.open("/staff/test/corrections")
    page.get_by_role("link", name="Look and decide").click()
    expect(page.get_by_role("row", name="LQPH")).to_contain_text("31.3")
    page.get_by_label("I approve this correction").check()
    page.locator("#comment").fill("Seen in the visit note")
    page.locator("#password").fill(PASSWORD)
    web_site.clock.forward(seconds=60)
    page.locator("#code").fill(code_at(web_site.clock(), SECRET))
    press(page, "Sign this decision")
    expect(page.get_by_text("The signature holds")).to_be_visible()

    page.get_by_role("link", name="Answers").click()
    row = page.locator("table.answers tr").nth(1)
    expect(row).to_contain_text("As submitted: 1 Often")
    expect(row).to_contain_text("Corrected: 3 Rarely")
    scores = page.locator("table.scores > tbody > tr").first
    expect(scores.locator("td > strong")).to_have_text(["25.0", "31.3"])
    answer = one(rows(web_site, "answers_long"), participant="01-301", item="LQ01")
    assert (answer["code"], answer["original_code"]) == (3, 1)
    score = one(rows(web_site, "scores_long"), participant="01-301", scale="LQPH")
    assert (score["value"], score["original_value"]) == (31.25, 25.0)


def test_pages_are_accessible_and_fit_a_phone(phones: Phones, web_site: Site, watch: Watch) -> None:
    watch.expect("status of 422")
    sheet = submitted(web_site)
    hands = Hands(web_site, sheet, submission_of(web_site, sheet),
                  hire(web_site, "Somebody", "coordinator"),
                  hire(web_site, "Doctor Devi", "investigator"), 0)  # fmt: skip
    hands.correct(new="3")
    hands.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="void")
    waiting = hands.request(item="LQ05")
    new = f"{PERSON}/corrections/new"
    about = f"{new}?questionnaire={sheet.public_id}"
    paths = [
        "/staff/test/corrections", f"{PERSON}/answers", f"{PERSON}/corrections",
        f"{PERSON}/corrections/{waiting.public_id}", f"{PERSON}/sign-off", new,
        f"{about}&kind=answer", f"{about}&kind=answer&item=LQ15", f"{about}&kind=wrong_participant",
    ]  # fmt: skip
    desk = at_work(phones, web_site, "Tan Wei Ming", "investigator", "coordinator")
    found = looked_through(desk, paths)
    for path in (f"{about}&kind=answer&item=LQ15", f"{PERSON}/corrections/{waiting.public_id}"):
        desk.open(path)
        form = desk.page.locator("main form")
        form.evaluate("(form) => { form.noValidate = true; }")
        form.get_by_role("button").click()
        expect(desk.page.get_by_role("alert")).to_be_focused()
        found += [f"{path}, faulty: {one}" for one in desk.page.evaluate(CHECK, TAGS)]
        if desk.page.evaluate(SIDEWAYS) > 0:
            found.append(f"{path}, faulty, scrolls sideways")
    assert found == []


def test_it_works_without_a_script(phones: Phones, web_site: Site) -> None:
    submitted(web_site)
    nurse = at_work(phones, web_site, "Aminah Hassan", "coordinator")
    plain = phones.new("en", javascript=False, viewport=DESK, has_touch=False)
    plain.page.context.add_cookies(nurse.page.context.cookies())  # type: ignore[arg-type]
    plain.open(PERSON)
    ask(plain.page)
