"""An administrator's work on a desk: from adding a coordinator to the end of the role."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pro_app.core.study_file import read_study_file
from pro_app.services import staff, staff_sign_in, studies
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Watch
from tests.browser.people import Phone
from tests.browser.test_accessibility import AXE, CHECK, COLOURS, TAGS
from tests.browser.test_coordinator import DESK, SIDEWAYS, press, set_up
from tests.conftest import Site
from tests.services.trial import TRIAL

CHIEF, NURSE = "chief@hospital.example", "nurse@hospital.example"
LONG = " word that is long"  # besides each word of a page: what a translation may need


def administrator(phones: Phones, site: Site, language: str = "en") -> Phone:
    """The browser of the study's administrator, signed in."""
    desk = phones.new(language, viewport=DESK, has_touch=False)
    now = site.clock()
    with site.database.writing() as session:
        person = staff.add(session, CHIEF, "Chief", language, date(2026, 1, 5), now)
        staff.grant(session, person.id, site.study.id, None, "administrator", now)
        token = staff_sign_in.start(session, person.id, now, "code")
    cookie = {"name": "staff", "value": token, "url": desk.url, "httpOnly": True}
    desk.page.context.add_cookies([cookie])  # type: ignore[list-item]
    return desk


def test_a_coordinator_comes_and_goes(phones: Phones, web_site: Site, watch: Watch) -> None:
    watch.expect("status of 404")
    web_site.enrol("01-301")
    web_site.enrol("02-302")
    desk = administrator(phones, web_site)
    page = desk.page
    desk.open("/staff/")
    page.get_by_role("link", name="Add a person").click()
    page.get_by_label("Full name").fill("Aminah Hassan")
    page.get_by_label("E-mail address, to sign in with").fill(NURSE)
    page.get_by_label("English").check()
    page.get_by_label(re.compile("Day of the training")).fill("2026-11-02")
    page.get_by_label("Role").select_option("coordinator")
    page.get_by_label("Site", exact=True).select_option("01")
    press(page, "Add, and show the invitation")
    expect(page.get_by_role("heading", level=1)).to_have_text("Invitation for Aminah Hassan")
    code = page.locator(".big").inner_text().replace(" ", "")
    assert page.locator(".key").first.inner_text().endswith(f"/staff/invitation#{code}")

    colleague = phones.new("en", viewport=DESK, has_touch=False)
    set_up(colleague, web_site, code)
    colleague.page.get_by_role("link", name="Participants").click()
    expect(colleague.page.get_by_role("link", name="01-301")).to_be_visible()
    expect(colleague.page.get_by_text("02-302")).to_have_count(0)
    expect(colleague.page.get_by_role("link", name="Staff")).to_have_count(0)

    page.get_by_role("link", name="To this person's page").click()
    page.get_by_text("End this role").click()
    press(page, "End the role")
    expect(page.get_by_text("End this role")).to_have_count(0)

    with colleague.page.expect_response("**/staff/test/today") as answer:
        colleague.page.get_by_role("link", name="Today").click()
    assert answer.value.status == 404


def calendar(site: Site) -> None:
    """The tests' study, with the trial's calendar and reminders."""
    content = read_study_file(TRIAL, site.library.instruments) | {"code": "test"}
    with site.database.writing() as session:
        studies.load(session, site.library, content, site.clock())


def paths(site: Site) -> list[str]:
    """The administrator's pages, with one person who has had two roles."""
    now = site.clock()
    with site.database.writing() as session:
        person = staff.add(session, NURSE, "Aminah binti Hassan", "ms", date(2026, 1, 5), now)
        first = staff.grant(session, person.id, site.study.id, None, "coordinator", now)
        staff.grant(session, person.id, site.study.id, None, "investigator", now)
        staff.end_role(session, person.id, first.id, now)
        account = person.public_id
    rooms = ("register", "register/new", f"register/{account}", "protocol")
    return [f"/staff/test/{room}" for room in rooms]


def lengthen(page: Page) -> None:
    """As if every text took far more room."""
    page.evaluate(
        """(more) => {
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          const found = [];
          while (walker.nextNode()) found.push(walker.currentNode);
          for (const one of found) {
            const length = one.data.trim().length;
            if (length < 2 || one.parentElement.closest("svg, code, [lang=zxx], option")) continue;
            one.data += more.repeat(Math.ceil((1.5 * length) / more.length));
          }
        }""",
        LONG,
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_accessible_and_fit_a_phone(
    phones: Phones, web_site: Site, language: str
) -> None:
    calendar(web_site)
    desk, found = administrator(phones, web_site, language), []
    page = desk.page
    page.context.add_init_script(path=AXE)
    for path in paths(web_site):
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        desk.open(path)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        found += [f"{path}: {one}" for one in page.evaluate(CHECK, TAGS)]
        page.emulate_media(color_scheme="dark")
        found += [f"{path}, dark: {one}" for one in page.evaluate(CHECK, COLOURS)]
        for stretched in (False, True):
            if stretched:
                lengthen(page)
            for width in (1280, 360, 320):
                page.set_viewport_size({"width": width, "height": 740})
                if page.evaluate(SIDEWAYS) > 0:
                    found.append(f"{path} scrolls sideways at {width}, stretched: {stretched}")
    assert found == []


OVERLAPS = """() => {
  const texts = [...document.querySelectorAll(".protocol-picture text")];
  const boxes = texts.map((one) => [one.textContent, one.getBoundingClientRect()]);
  const picture = document.querySelector(".protocol-picture").getBoundingClientRect();
  const found = [];
  boxes.forEach(([text, box], n) => {
    if (box.left < picture.left - 1 || box.right > picture.right + 1) found.push(`${text} is cut`);
    for (const [other, there] of boxes.slice(n + 1)) {
      const apart = box.right <= there.left || there.right <= box.left ||
        box.bottom - 4 <= there.top || there.bottom - 4 <= box.top;
      if (!apart) found.push(`${text} lies over ${other}`);
    }
  });
  return found;
}"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_the_picture_lies_over_another(
    phones: Phones, web_site: Site, language: str
) -> None:
    demonstration = Path(studies.__file__).parents[1] / "demo" / "study.toml"
    content = read_study_file(demonstration, web_site.library.instruments) | {"code": "test"}
    with web_site.database.writing() as session:
        studies.load(session, web_site.library, content, web_site.clock())
    desk = administrator(phones, web_site, language)
    desk.open("/staff/test/protocol")
    for width in (1280, 360):
        desk.page.set_viewport_size({"width": width, "height": 740})
        assert desk.page.evaluate(OVERLAPS) == []
