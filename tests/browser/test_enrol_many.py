"""Many people by one file, as a coordinator does it: faults, the right file, the printed cards."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Phones, Watch
from tests.browser.test_coordinator import DESK, SIDEWAYS, filled, press, signed_in
from tests.conftest import Site
from tests.web.test_enrol_many import GOOD, HEADER


def table(*lines: str) -> dict[str, object]:
    """A file as a spreadsheet saves it."""
    text = "\r\n".join([HEADER, *lines])
    return {"name": "people.csv", "mimeType": "text/csv", "buffer": text.encode("utf-8-sig")}


@pytest.mark.parametrize("size", [DESK, {"width": 360, "height": 740}])
def test_a_file_with_faults_then_the_right_one_then_its_cards(
    phones: Phones, web_site: Site, watch: Watch, size: dict[str, int]
) -> None:
    watch.expect("status of 422")
    desk = signed_in(phones, web_site, "en")
    page = desk.page
    page.set_viewport_size(size)  # type: ignore[arg-type]
    desk.open("/staff/test/enrol")
    page.get_by_role("link", name="Enrol many participants from a file").click()
    page.get_by_label("The file, saved as CSV").set_input_files(
        table("1-1,01,fr,1.2,2026-11-99,,", *GOOD)  # type: ignore[arg-type]
    )
    press(page, "Look for faults")
    expect(page.get_by_text("There are 3 faults in the file.")).to_be_visible()
    assert page.locator("tbody tr").count() == 3
    assert page.evaluate(SIDEWAYS) <= 0
    page.get_by_label("The file, saved as CSV").set_input_files(table(*GOOD))  # type: ignore[arg-type]
    press(page, "Look for faults")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing is wrong with the file")
    assert page.evaluate(SIDEWAYS) <= 0
    press(page, "Enrol 3 participants")
    expect(page.get_by_text("3 cards to make")).to_be_visible()
    assert page.evaluate(SIDEWAYS) <= 0
    page.get_by_role("button", name=re.compile("Make these cards")).click()
    cards = page.locator(".joining-card")
    expect(cards).to_have_count(3)
    assert page.evaluate(SIDEWAYS) <= 0
    assert [one.get_attribute("lang") for one in cards.all()] == ["ms", "ta", "zh-Hans"]
    page.emulate_media(media="print")
    sheet = page.locator(".sheet-of-one").first
    expect(sheet).to_contain_text("01-401")
    assert sheet.evaluate("one => getComputedStyle(one).breakAfter") == "page"
    code = cards.first.locator(".big").inner_text()

    phone = phones.new("ms")
    phone.open("/join/?language=ms")
    phone.type_code(code)
    phone.accept_notice()
    phone.choose_pin()
    phone.sees("P2")


def test_a_reason_on_the_board_leads_to_what_mends_it(phones: Phones, web_site: Site) -> None:
    filled(web_site)
    desk = signed_in(phones, web_site, "en")
    page = desk.page
    desk.open("/staff/test/today")
    page.get_by_role("link", name="Make a joining card 01-301").click()
    expect(page.get_by_role("button", name="New joining card")).to_be_in_viewport()
    assert page.url.endswith("/participants/01-301#way-in")
    page.get_by_role("button", name="Enter an e-mail address").click()
    page.get_by_label("E-mail address").fill("somebody@mail.example")
    press(page, "Save the address")
    expect(page.get_by_role("button", name="See or change the e-mail address")).to_be_visible()
