"""The room "Pictures" in a real browser: read by axe, on a phone, in print."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pro_app.services import staff, staff_sign_in
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones
from tests.browser.people import Phone
from tests.browser.test_accessibility import AXE, CHECK, COLOURS, TAGS
from tests.browser.test_coordinator import DESK, SIDEWAYS
from tests.conftest import Site
from tests.services.picture_life import live, trial_of

PAGES = ("", "/changes", "/completion", "/distribution", "/reliability", "/participants/01-001")
CUT = """() => [...document.querySelectorAll(".score-picture text")].flatMap((one) => {
  const box = one.getBoundingClientRect();
  const picture = one.closest("svg").getBoundingClientRect();
  const out = box.left < picture.left - 1 || box.right > picture.right + 1 ||
    box.bottom > picture.bottom + 1;
  return out ? [`${one.textContent} is cut`] : [];
})"""
UNSEEN = """() => [...document.querySelectorAll("table, .score-picture")].filter(
  (one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).length"""


def researcher(phones: Phones, site: Site, language: str) -> Phone:
    """A desk with a researcher signed in, after the trial was lived through."""
    trial = trial_of(site.database, site.library, site.clock, "test")  # type: ignore[arg-type]
    live(trial)
    now = site.clock()
    with site.database.writing() as session:
        person = staff.add(session, "r@example.org", "Researcher", language, date(2026, 1, 5), now)
        staff.grant(session, person.id, trial.study.id, None, "researcher", now)
        token = staff_sign_in.start(session, person.id, now, "code")
    desk = phones.new(language, viewport=DESK, has_touch=False)
    cookie = {"name": "staff", "value": token, "url": desk.url, "httpOnly": True}
    desk.page.context.add_cookies([cookie])  # type: ignore[list-item]
    return desk


@pytest.mark.parametrize("language", LANGUAGES)
def test_pictures_are_accessible_and_fit_a_phone(
    phones: Phones, web_site: Site, language: str
) -> None:
    desk, found = researcher(phones, web_site, language), []
    page = desk.page
    page.context.add_init_script(path=AXE)
    for path in PAGES:
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        desk.open(f"/staff/test/pictures{path}")
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        found += [f"{path}: {one}" for one in page.evaluate(CHECK, TAGS)]
        found += [f"{path}: {one}" for one in page.evaluate(CUT)]
        page.emulate_media(color_scheme="dark")
        found += [f"{path}, dark: {one}" for one in page.evaluate(CHECK, COLOURS)]
        for width in (1280, 360, 320):
            page.set_viewport_size({"width": width, "height": 740})
            if page.evaluate(SIDEWAYS) > 0:
                found.append(f"{path} scrolls sideways at {width}")
    assert found == []


def test_printed_pages_hold_every_picture_and_table(
    phones: Phones, web_site: Site, tmp_path: Path
) -> None:
    desk = researcher(phones, web_site, "en")
    page = desk.page
    for path in PAGES:
        desk.open(f"/staff/test/pictures{path}")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 718, "height": 1040})  # A4 less its margins
        assert page.evaluate(UNSEEN) == 0, f"{path}: something is cut at the right"
        assert page.locator("nav").first.is_hidden()
        assert page.locator("table").last.is_visible()
        page.emulate_media(media="screen")
