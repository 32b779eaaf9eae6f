"""Questionnaires as they come out of a printer: pages counted, and no question over two of them."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Phones
from tests.browser.test_accessibility import AXE, CHECK, COLOURS, TAGS
from tests.browser.test_coordinator import SIDEWAYS
from tests.browser.test_entry import desk_of
from tests.conftest import Site
from tests.pages import LANGUAGES

PAGE = re.compile(rb"/Type ?/Page\b")
A4 = re.compile(rb"/MediaBox ?\[ ?0 0 59[45][0-9.]* 84[12][0-9.]* ?\]")
MM = 96 / 25.4  # CSS pixels
WIDTH, HEIGHT = 182 * MM, (297 - 14 - 16) * MM  # of what is between the margins

# the heights of head, foot and rows, as they are laid out for printing
MEASURED = """() => [...document.querySelectorAll('.paper')].map(paper => ({
  head: paper.querySelector('thead').getBoundingClientRect().height,
  foot: paper.querySelector('tfoot').getBoundingClientRect().height,
  rows: [...paper.querySelectorAll('tbody > tr')].map(row => row.getBoundingClientRect().height),
  whole: [...paper.querySelectorAll('tbody > tr')].every(
    row => getComputedStyle(row).breakInside === 'avoid'),
}))"""


class Sheet(NamedTuple):
    head: float
    foot: float
    rows: list[float]
    whole: bool

    def pages(self) -> int:
        """On how many pages it comes if no row is split."""
        room, pages, filled = HEIGHT - self.head - self.foot, 1, 0.0
        for row in self.rows:
            assert row < room, "a question is longer than a page"
            if filled + row > room:
                pages, filled = pages + 1, 0.0
            filled += row
        return pages

    def least(self) -> int:
        """On how many it would come if rows were split."""
        return -int(-sum(self.rows) // (HEIGHT - self.head - self.foot))


def measured(page: Page) -> list[Sheet]:
    """The sheets on a page, as wide as they are on A4."""
    page.set_viewport_size({"width": round(WIDTH), "height": round(HEIGHT)})
    page.emulate_media(media="print")
    return [Sheet(**one) for one in page.evaluate(MEASURED)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_question_is_split_over_two_pages(phones: Phones, web_site: Site, language: str) -> None:
    desk = desk_of(phones, web_site, "Mei", "coordinator")
    page = desk.page
    page.goto(f"{desk.url}/staff/test/print")
    page.get_by_label("Visit").select_option("baseline/1")
    page.get_by_label("Language of the paper").select_option(language)
    page.get_by_role("button", name="Make the sheets").click()
    page.get_by_role("heading", level=1, name="Sheets to print").wait_for()
    page.wait_for_load_state("load")
    printed = page.pdf(prefer_css_page_size=True)
    sheets = measured(page)
    assert len(sheets) == 2
    assert all(one.whole for one in sheets)
    assert (
        len(A4.findall(printed)) == len(PAGE.findall(printed)) == sum(one.pages() for one in sheets)
    )
    assert sum(one.pages() for one in sheets) > sum(one.least() for one in sheets)
    cut = "[...document.querySelectorAll('.paper *')].filter(e => e.scrollWidth > e.clientWidth + 1"
    assert page.evaluate(f"{cut} && getComputedStyle(e).display !== 'inline').length") == 0


def test_the_way_there_from_a_participant_on_a_phone(phones: Phones, web_site: Site) -> None:
    web_site.open(web_site.enrol("01-301", "ta"))
    narrow = {"width": 360, "height": 740}
    desk = desk_of(phones, web_site, "Mei", "coordinator", viewport=narrow)
    page = desk.page
    page.goto(f"{desk.url}/staff/test/participants/01-301/paper")
    page.get_by_role("link", name="Print on paper").first.click()
    for heading in ("Print on paper", "Sheets to print"):
        page.get_by_role("heading", level=1, name=heading).wait_for()
        assert page.evaluate(SIDEWAYS) == 0
        page.evaluate(AXE.read_text("utf-8"))
        page.emulate_media(color_scheme="light")
        assert page.evaluate(CHECK, TAGS) == []
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(CHECK, COLOURS) == []
        if heading == "Print on paper":
            page.get_by_role("button", name="Make the sheets").click()
    assert page.locator(".paper thead").get_by_text("01-301").is_visible()
    assert page.locator("[data-print]").is_visible()
