"""The record beside a data point, and the site's copy read and checked without a server."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pro_app.services import staff_sign_in
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Watch
from tests.browser.people import Phone
from tests.browser.test_accessibility import AXE, CHECK, COLOURS, TAGS
from tests.browser.test_coordinator import DESK, SIDEWAYS, invited, press
from tests.conftest import Site

RECORD = "/staff/test/participants/01-301/record"
REASON = "Query 7 of the monitor"


def lived(site: Site) -> None:
    """Somebody who has changed an answer and submitted."""
    person = site.enrol("01-301")
    first, second = site.open(person)
    site.answer(first, {"LQ01": 2})
    site.answer(first, {"LQ01": 4, "LQ02": "skipped"})
    site.answer_all(second)
    site.submit(second)


def investigator(phones: Phones, site: Site, language: str = "en") -> Phone:
    """A desk with an investigator signed in."""
    staff_id, _ = invited(site, language, "investigator")
    desk = phones.new(language, viewport=DESK, has_touch=False)
    with site.database.writing() as session:
        token = staff_sign_in.start(session, staff_id, site.clock(), "code")
    cookie = {"name": "staff", "value": token, "url": desk.url, "httpOnly": True}
    desk.page.context.add_cookies([cookie])  # type: ignore[list-item]
    return desk


def looked_at(desk: Phone, what: str) -> list[str]:
    """What axe finds in light, and of colours in the dark, and whether a phone scrolls sideways."""
    page = desk.page
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = [f"{what}: {one}" for one in page.evaluate(CHECK, TAGS)]
    page.emulate_media(color_scheme="dark")
    found += [f"{what}, dark: {one}" for one in page.evaluate(CHECK, COLOURS)]
    page.emulate_media(color_scheme="light")
    for width in (360, 320):
        page.set_viewport_size({"width": width, "height": 740})
        if page.evaluate(SIDEWAYS) > 0:
            found.append(f"{what} scrolls sideways at {width}")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    return found


def test_the_record_of_one_data_point(phones: Phones, web_site: Site, tmp_path: Path) -> None:
    lived(web_site)
    desk = investigator(phones, web_site)
    page = desk.page
    desk.open("/staff/test/participants/01-301")
    page.get_by_label("About this participant").get_by_role("link", name="Record").click()
    page.get_by_text("Search the record").click()
    page.get_by_label("Item or field").fill("LQ01")
    press(page, "Search")
    lines = page.locator("table.trail tbody tr")
    expect(lines).to_have_count(2)
    wording = web_site.library.wording("lupusqol", "en")
    assert wording is not None
    labels = wording.options[web_site.library.instruments["lupusqol"].items[0].options.code]
    cells = lines.first.locator("td")
    expect(cells.nth(3)).to_contain_text(f"2 {labels[2]}")
    expect(cells.nth(4)).to_contain_text(f"4 {labels[4]}")
    expect(lines.first).to_contain_text("+08:00")

    page.get_by_label("Why do you need this file?").fill(REASON)
    with page.expect_download() as download:
        press(page, "Download the file")
    path = tmp_path / "record.csv"
    download.value.save_as(path)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3
    page.get_by_label("Rooms").get_by_role("link", name="Record").click()
    expect(page.locator("table.trail")).to_contain_text("Exported data")
    expect(page.locator("table.trail")).to_contain_text(REASON)


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_accessible_and_fit_a_phone(
    phones: Phones, web_site: Site, watch: Watch, language: str
) -> None:
    watch.expect("status of 422", "does not conform to the required format")
    lived(web_site)
    desk = investigator(phones, web_site, language)
    desk.page.context.add_init_script(path=AXE)
    found = []
    for path in (RECORD, f"{RECORD}?from=soon", "/staff/test/record", "/staff/test/copy"):
        desk.open(path)
        found += looked_at(desk, path)
    assert found == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_copy_is_read_and_checked_without_a_server(
    phones: Phones, web_site: Site, watch: Watch, tmp_path: Path, language: str
) -> None:
    watch.expect("a request to file://")
    lived(web_site)
    desk = investigator(phones, web_site, language)
    page = desk.page
    desk.open("/staff/test/copy")
    page.locator("#reason").fill("For the site file")
    with page.expect_download() as download:
        page.locator("main .btn").click()
    packed = tmp_path / "copy.zip"
    download.value.save_as(packed)
    folder = tmp_path / "copy"
    with zipfile.ZipFile(packed) as content:
        content.extractall(folder)
    said = subprocess.run(
        [sys.executable, "-I", "verify.py", "."],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, ""), said.stdout

    page.context.set_offline(True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "index.html").as_uri())
    expect(page.locator("html")).to_have_attribute("lang", language.replace("_", "-"))
    page.add_script_tag(path=AXE)
    found = looked_at(desk, "index.html")
    page.get_by_role("link", name="01-301").click()
    expect(page.locator("h1")).to_have_text("01-301")
    wording = web_site.library.wording("sf36v1", language)
    assert wording is not None
    expect(page.get_by_text(wording.items[next(iter(wording.items))], exact=True)).to_be_visible()
    page.add_script_tag(path=AXE)
    found += looked_at(desk, "a participant's page")
    assert found == []
    assert all(one.startswith("file:") for one in asked), asked
