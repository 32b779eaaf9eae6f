"""Scoring a file as a researcher does it: faults, counting them as missing, the downloaded scores;
and the pages in every language, by axe, and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Watch
from tests.browser.people import Phone
from tests.browser.test_accessibility import CHECK, COLOURS, TAGS
from tests.browser.test_coordinator import DESK, SIDEWAYS, looked_through, press, signed_in
from tests.conftest import Site
from tests.services.csv_files import exactly, row, table

PATH, MOS = "/staff/test/scoring", "sf36v1/mos_us1990"
WRONG = table(row("P1", PF01="9"), row("ஆறு", RP1="", RP2="", RP3=""), row("P3", MH1="x" * 70))


def researcher(phones: Phones, site: Site, language: str) -> Phone:
    return signed_in(phones, site, language, role="researcher")


def choose(desk: Phone, data: bytes) -> None:
    """Algorithm and file."""
    desk.open(PATH)
    desk.page.locator(f"[value='{MOS}']").check()
    file = {"name": "answers.csv", "mimeType": "text/csv", "buffer": data}
    desk.page.locator("#file").set_input_files(file)  # type: ignore[arg-type]


def test_a_file_with_faults_is_scored_all_the_same(
    phones: Phones, web_site: Site, watch: Watch, tmp_path: Path
) -> None:
    watch.expect("status of 422")
    desk = researcher(phones, web_site, "en")
    page = desk.page
    choose(desk, WRONG)
    press(page, "Score the file")
    expect(page.get_by_text("There are 2 faults in the file.")).to_be_visible()
    expect(page.locator(f"[value='{MOS}']:checked")).to_have_count(1)
    press(page, "Count these values as missing and score the file")
    expect(page.get_by_role("heading", level=1)).to_have_text("The scores of your file")
    with page.expect_download() as waiting:
        press(page, "Download the scores")
    waiting.value.save_as(tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text("utf-8") == exactly(WRONG, lenient=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_are_accessible_and_fit_a_phone(
    phones: Phones, web_site: Site, watch: Watch, language: str
) -> None:
    watch.expect("status of 422")
    desk = researcher(phones, web_site, language)
    assert looked_through(desk, [PATH]) == []
    choose(desk, WRONG)
    desk.page.locator("main .sheet .btn").click()
    assert look(desk, "faults") == []
    desk.page.locator("main .btn.second").click()
    assert look(desk, "scores") == []


def look(desk: Phone, name: str) -> list[str]:
    """What axe finds on the page that is shown, and whether it scrolls sideways on a phone."""
    found = []
    desk.page.set_viewport_size(DESK)  # type: ignore[arg-type]
    for scheme in ("light", "dark"):
        desk.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        rules = TAGS if scheme == "light" else COLOURS
        found += [f"{name}, {scheme}: {one}" for one in desk.page.evaluate(CHECK, rules)]
    for width in (360, 320):
        desk.page.set_viewport_size({"width": width, "height": 740})
        if desk.page.evaluate(SIDEWAYS) > 0:
            found.append(f"{name} scrolls sideways at {width}")
    return found
