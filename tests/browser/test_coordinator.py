"""A coordinator's day on a desk, and the staff's pages in every language and on a phone."""

from __future__ import annotations

import re
from base64 import b32decode
from collections.abc import Iterable
from datetime import date

import pytest
from playwright.sync_api import Page, expect

from pro_app.services import staff, staff_sign_in
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones
from tests.browser.people import Phone
from tests.browser.test_accessibility import AXE, CHECK, COLOURS, TAGS
from tests.conftest import KEY, Site
from tests.services.test_staff_sign_in import PASSWORD, code_at

DESK = {"width": 1280, "height": 800}
EMAIL = "nurse@hospital.example"


def invited(site: Site, language: str = "en", role: str = "coordinator") -> tuple[int, str]:
    """A person of the staff: the id, and the invitation's code."""
    now = site.clock()
    with site.database.writing() as session:
        person = staff.add(session, EMAIL, "Aminah Hassan", language, date(2026, 1, 5), now)
        staff.grant(session, person.id, site.study.id, None, role, now)
        return person.id, staff.invite(session, person.id, KEY, now)


def signed_in(
    phones: Phones, site: Site, language: str, *, role: str = "coordinator", **options: object
) -> Phone:
    """A browser of a coordinator, or of another role, without the way there."""
    staff_id, _ = invited(site, language, role)
    desk = phones.new(language, **{"viewport": DESK, "has_touch": False, **options})
    with site.database.writing() as session:
        token = staff_sign_in.start(session, staff_id, site.clock(), "code")
    cookie = {"name": "staff", "value": token, "url": desk.url, "httpOnly": True}
    desk.page.context.add_cookies([cookie])  # type: ignore[list-item]
    return desk


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def set_up(desk: Phone, site: Site, code: str) -> None:
    """Follow the invitation's link, as it was sent."""
    page = desk.page
    desk.open(f"/staff/invitation#{code}")
    expect(page.locator("#code")).to_have_value(code)
    press(page, "Continue")
    page.locator("#password").fill(PASSWORD)
    page.locator("#again").fill(PASSWORD)
    key = page.locator(".key").inner_text().replace(" ", "")
    page.locator("#code").fill(code_at(site.clock(), b32decode(key).hex()))
    press(page, "Continue")
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("link", name="I have kept them").click()


def test_a_day_from_the_invitation_to_a_withdrawal(phones: Phones, web_site: Site) -> None:
    _, code = invited(web_site)
    desk = phones.new("en", viewport=DESK, has_touch=False)
    page = desk.page
    set_up(desk, web_site, code)
    expect(page.get_by_text("Nobody needs help at the moment.")).to_be_visible()

    page.get_by_role("link", name="Enrol").click()
    page.locator("#number").fill("01-301")
    page.get_by_label("Bahasa Melayu").check()
    page.locator("#consent_version").fill("2.0")
    page.locator("#consent_on").fill("2026-11-20")
    press(page, "Enrol, and show the joining card")
    card = page.locator(".joining-card")
    assert card.get_attribute("lang") == "ms"
    printed = card.locator(".big").inner_text()

    phone = phones.new("fr")
    phone.open("/join/?language=ms")
    phone.type_code(printed)
    phone.accept_notice()
    phone.choose_pin()
    phone.sees("P2")

    page.get_by_role("link", name="To the participant's page").click()
    expect(page.get_by_text("in a browser")).to_be_visible()
    page.get_by_label("Day of enrolment", exact=True).fill("2026-11-21")
    press(page, "See what changes")
    expect(page.get_by_text("Nothing has been changed yet.")).to_be_visible()
    press(page, "Save this day")
    expect(page.get_by_label("Day of enrolment", exact=True)).to_have_value("2026-11-21")

    page.get_by_label("Has withdrawn from the study").check()
    page.get_by_label(re.compile("Yes. All phones")).check()
    press(page, "Put on record")
    expect(page.get_by_text("withdrawn", exact=True)).to_be_visible()
    phone.open("/today")
    phone.sees("J1")

    page.locator(".menu summary").click()
    press(page, "Sign out of your account")
    desk.open("/staff/test/today")
    assert desk.path == "/staff/sign-in"


PATHS = ("/staff/test/today", "/staff/test/completion", "/staff/test/rates", "/staff/test/enrol",
         "/staff/test/participants/01-301", "/staff/")  # fmt: skip
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def filled(site: Site) -> None:
    """Somebody half through, somebody done, somebody who has not joined."""
    person = site.enrol("01-301")
    first, second = site.open(person)
    site.answer(first, {"LQ01": 2})
    site.answer_all(second)
    site.submit(second)
    site.enrol("01-302")


def looked_through(desk: Phone, paths: Iterable[str]) -> list[str]:
    """What axe finds on these pages, in light and in dark, and which scroll sideways on a phone."""
    desk.page.context.add_init_script(path=AXE)
    found = []
    for path in paths:
        desk.page.set_viewport_size(DESK)  # type: ignore[arg-type]
        desk.open(path)
        desk.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        found += [f"{path}: {one}" for one in desk.page.evaluate(CHECK, TAGS)]
        desk.page.emulate_media(color_scheme="dark")
        found += [f"{path}, dark: {one}" for one in desk.page.evaluate(CHECK, COLOURS)]
        for width in (360, 320):
            desk.page.set_viewport_size({"width": width, "height": 740})
            if desk.page.evaluate(SIDEWAYS) > 0:
                found.append(f"{path} scrolls sideways at {width}")
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_accessible_and_fit_a_phone(
    phones: Phones, web_site: Site, language: str
) -> None:
    filled(web_site)
    desk = signed_in(phones, web_site, language)
    found = looked_through(desk, PATHS)
    assert found == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_way_in_is_accessible_and_fits_a_phone(
    phones: Phones, web_site: Site, language: str
) -> None:
    _, code = invited(web_site, language)
    desk = phones.new(language, viewport={"width": 320, "height": 740})
    desk.page.context.add_init_script(path=AXE)
    found = []

    def look(name: str) -> None:
        found.extend(f"{name}: {one}" for one in desk.page.evaluate(CHECK, TAGS))
        if desk.page.evaluate(SIDEWAYS) > 0:
            found.append(f"{name} scrolls sideways")

    desk.open("/staff/sign-in")
    look("sign in")
    desk.open(f"/staff/invitation#{code}")
    look("invitation")
    desk.page.locator("main .btn").click()
    desk.page.locator(".key").wait_for()
    look("set up")
    assert found == []


def test_who_is_still_there_stays_signed_in(phones: Phones, web_site: Site) -> None:
    desk = signed_in(phones, web_site, "en")
    desk.page.clock.install()
    desk.open("/staff/test/today")
    warning = desk.page.locator("dialog[data-stay]")
    desk.page.clock.fast_forward(13 * 60_000)
    expect(warning).to_be_hidden()
    desk.page.clock.fast_forward(70_000)
    expect(warning).to_be_visible()
    with desk.page.expect_response("**/staff/stay") as answer:
        press(desk.page, "I am still here")
    assert answer.value.status == 204
    expect(warning).to_be_hidden()
    desk.page.clock.fast_forward(13 * 60_000)
    expect(warning).to_be_hidden()
