"""Every item in every language fits a narrow phone, and gives every answer the same chance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.browser.answering import LANGUAGES
from tests.browser.conftest import VIEWPORT, Phones, Server, Watch
from tests.browser.people import Phone, expect
from tests.browser.test_accessibility import Inspector
from tests.browser.test_coordinator import signed_in
from tests.conftest import Enrolled, Site

MEASURE = Path(__file__).with_name("measure.js")
NARROW = {"width": 320, "height": 640}
INSTRUMENTS = {"lupusqol": 34, "sf36v1": 36, "sf36v2": 36}
TWICE = 32  # pixels: a browser's own text is 16


def measured(phone: Phone) -> Phone:
    """A phone whose pages can be measured."""
    phone.page.context.add_init_script(path=MEASURE)
    return phone


def double_text(phone: Phone) -> None:
    """Set the browser's own text size to 200 %, as the phone's settings do."""
    session = phone.page.context.new_cdp_session(phone.page)
    session.send("Page.setFontSizes", {"fontSizes": {"standard": TWICE, "fixed": TWICE}})
    height = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
    assert phone.page.evaluate(height) >= TWICE


def open_all(site: Site, person: Enrolled) -> dict[str, str]:
    """Open all three instruments; the address of each by its code."""
    opened = [*site.open(person), *site.open(person, "month_3")]
    return {one.instrument: f"/questionnaires/{one.public_id}" for one in opened}


def every_item(phone: Phone, *names: str) -> dict[str, list[str]]:
    """The faults of every item of the sheet that is open, by item; empty if there are none."""
    found = phone.page.evaluate("(names) => measure.everyItem(names)", list(names))
    assert len(found) in INSTRUMENTS.values()
    return {item: faults for item, faults in found.items() if faults}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_every_item_on_a_narrow_phone(
    phones: Phones, web_site: Site, language: str, instrument: str
) -> None:
    person = web_site.enrol(language=language)
    address = open_all(web_site, person)[instrument]
    phone = measured(phones.of(person, viewport=NARROW))
    phone.open(f"{address}/items/1")
    phone.at(1)
    for size in (0, 1, 2):
        phone.page.evaluate("(size) => measure.size(size)", size)
        assert every_item(phone, "page", "rows", "reachable") == {}, f"text size {size}"
    phone.page.evaluate("measure.size(0)")
    phone.page.evaluate("measure.spaced()")
    assert every_item(phone, "page") == {}, "with wide text spacing"
    phone.page.evaluate("document.adoptedStyleSheets = []")
    double_text(phone)
    assert every_item(phone, "page", "rows") == {}, "text at 200 %"


@pytest.mark.parametrize("language", LANGUAGES)
def test_options_and_next_are_in_sight_for_nearly_every_item(
    phones: Phones, web_site: Site, language: str, record_property: Callable[[str, object], None]
) -> None:
    person = web_site.enrol(language=language)
    addresses = open_all(web_site, person)
    phone = measured(phones.of(person))
    assert phone.page.viewport_size == VIEWPORT
    scrolling: list[str] = []
    for instrument, address in addresses.items():
        phone.open(f"{address}/items/1")
        phone.at(1)
        found = phone.page.evaluate(
            "(async () => { measure.scrolls = () => measure.fits() ? [] : ['scrolls'];"
            " return await measure.everyItem(['scrolls', 'reachable']); })()"
        )
        scrolling += [f"{instrument} {item}" for item, faults in found.items() if faults]
        assert {tuple(faults) for faults in found.values()} <= {(), ("scrolls",)}
    record_property("items that scroll", ", ".join(scrolling))
    assert len(scrolling) <= sum(INSTRUMENTS.values()) // 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_other_page_on_a_narrow_phone(phones: Phones, web_site: Site, language: str) -> None:
    person = web_site.enrol(language=language)
    web_site.open(person, "month_3", timedelta(days=80), timedelta(days=90))
    lupusqol, _ = web_site.open(person)
    web_site.answer_all(lupusqol)
    web_site.answer(lupusqol, {"LQ02": "skipped", "LQ16": "not_applicable"}, language)
    joined = measured(phones.of(person, viewport=NARROW))
    base = f"/questionnaires/{lupusqol.public_id}"
    for path in (
        "/today",
        "/practice",
        "/notice",
        "/reminders/",
        "/phone/",
        f"{base}?again=1",
        f"{base}/review",
    ):
        joined.open(path)
        joined.page.locator(".menu summary").click()
        assert faults_of(joined) == [], path
    joined.open(f"{base}/items/16")
    joined.at(16)
    joined.page.locator(".menu summary").click()
    assert faults_of(joined) == []
    joined.open(f"{base}/review")
    joined.submit()
    joined.receipt()
    assert faults_of(joined) == []

    newcomer = web_site.enrol("01-002", language)
    stranger = measured(phones.new(language, viewport=NARROW))
    stranger.open(f"/join/?language={language}")
    stranger.page.locator(".menu summary").click()
    assert faults_of(stranger) == [], "code"
    stranger.open("/join/new-code")
    assert faults_of(stranger) == [], "new code"
    stranger.scan(newcomer)
    stranger.go_on()
    stranger.sees("J3")
    stranger.page.locator("details.notice summary").first.click()
    assert faults_of(stranger) == [], "notice"
    stranger.accept_notice()
    stranger.sees("J4")
    assert faults_of(stranger) == [], "PIN"
    stranger.choose_pin()
    stranger.sees("P2")
    stranger.page.locator("footer form button").click()
    stranger.sees("P1")
    assert faults_of(stranger) == [], "unlock"


def faults_of(phone: Phone) -> list[str]:
    """The faults of the page that is shown, at every text size and at 200 %."""
    found = []
    for size in (0, 1, 2):
        phone.page.evaluate("(size) => measure.size(size)", size)
        found += [f"text size {size}: {one}" for one in phone.page.evaluate("measure.page()")]
    phone.page.evaluate("measure.size(0)")
    double_text(phone)
    found += [f"200 %: {one}" for one in phone.page.evaluate("measure.page()")]
    session = phone.page.context.new_cdp_session(phone.page)
    session.send("Page.setFontSizes", {"fontSizes": {"standard": TWICE // 2, "fixed": 13}})
    phone.page.evaluate("measure.spaced()")
    found += [f"spaced: {one}" for one in phone.page.evaluate("measure.page()")]
    phone.page.evaluate("document.adoptedStyleSheets = []")
    return found


def broken(phone: Phone, *places: str) -> list[str]:
    """The words that are broken there at every text size and at 200 %."""
    found = []
    for size in (0, 1, 2):
        phone.page.evaluate("(size) => measure.size(size)", size)
        found += phone.page.evaluate("(places) => measure.words(...places)", places)
    phone.page.evaluate("measure.size(0)")
    double_text(phone)
    return found + phone.page.evaluate("(places) => measure.words(...places)", places)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_the_bar_and_of_next_is_broken(
    phones: Phones, web_site: Site, language: str
) -> None:
    person = web_site.enrol(language=language)
    lupusqol, _ = web_site.open(person)
    phone = measured(phones.of(person, viewport=NARROW))
    phone.open("/today")
    assert broken(phone, ".bar") == [], "today"
    item = phone.another_window()
    item.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    item.at(1)
    assert broken(item, ".bar", ".foot .btn") == [], "item"
    desk = measured(signed_in(phones, web_site, language, viewport=NARROW))
    desk.open("/staff/test/today")
    double_text(desk)
    assert desk.page.evaluate("measure.words('.staff > header')") == [], "staff"


def test_the_whole_row_takes_the_tap(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    for place in range(5):
        box = phone.options.nth(place).bounding_box()
        assert box is not None
        far_end = {"x": box["width"] - 6, "y": box["height"] - 16}
        phone.options.nth(place).click(position=far_end)
        phone.has_chosen(place)


def test_a_chosen_row_differs_by_more_than_colour(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    ring = "row => getComputedStyle(row.querySelector('input')).borderTopWidth"
    assert phone.options.nth(1).evaluate(ring) == "2px"
    phone.choose(1)
    assert phone.options.nth(1).evaluate(ring) == "7px"
    assert phone.options.nth(0).evaluate(ring) == "2px"


def test_the_text_size_is_kept_from_page_to_page(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    phone.choose(2)
    height = "parseFloat(getComputedStyle(document.querySelector('.opt')).fontSize)"
    assert phone.page.evaluate(height) >= 18
    phone.text_size(2)
    phone.at(1)
    phone.has_chosen(2)
    assert phone.page.evaluate(height) >= 24
    phone.close()
    phone.sees("P2")
    expect(phone.page.locator("html.size-2")).to_have_count(1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_without_network_on_a_narrow_phone(
    phones: Phones, web_site: Site, server: Server, watch: Watch, language: str
) -> None:
    watch.expect("ERR_CONNECTION_REFUSED")
    person = web_site.enrol(language=language)
    lupusqol, _ = web_site.open(person)
    web_site.answer(lupusqol, {f"LQ{n:02}": 1 for n in range(1, 33)}, language)
    phone = measured(phones.of(person, unlocked=False, viewport=NARROW))
    seen = Inspector(phone, language)
    phone.open("/today")
    phone.unlock()
    phone.is_prepared()
    server.go_away()
    base = f"/questionnaires/{lupusqol.public_id}"

    def look(name: str) -> None:
        assert faults_of(phone) == [], name
        seen.look(name)

    phone.page.evaluate("delete sessionStorage.opened")
    phone.open("/today")
    phone.sees("N2")
    look("PIN")
    phone.unlock_without_network()
    phone.sees("N3")
    look("today")
    phone.open("/reminders/")
    phone.sees("N1")
    look("elsewhere")
    phone.open(f"{base}?again=1")
    phone.sees("Q1")
    look("start")
    phone.open(f"{base}/review")
    phone.sees("Q90")
    look("review with items missing")
    phone.open(f"{base}/items/33")
    phone.at(33)
    phone.choose(1)
    phone.waiting(1)
    look("item")
    phone.next()
    phone.answer({34: 1})
    phone.sees("Q90")
    look("review")
    phone.submit()
    phone.sees("N4")
    look("complete")
    assert seen.findings == []
