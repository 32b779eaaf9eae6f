"""An administrator brings recordings of a text and hears them; the page is accessible and fits."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Phones, Watch
from tests.browser.test_accessibility import AXE, CHECK, TAGS
from tests.browser.test_admin import lengthen
from tests.browser.test_coordinator import DESK, SIDEWAYS, press
from tests.browser.test_entry import desk_of
from tests.conftest import Site
from tests.services.licensing import license_one
from tests.sounds import mp3


@pytest.mark.parametrize("script", [True, False])
def test_recordings_are_brought_and_heard(
    phones: Phones, web_site: Site, watch: Watch, script: bool
) -> None:
    watch.expect("status of 422")  # a file of no question
    with web_site.database.writing() as session:
        license_one(session, web_site.study, web_site.library, "lupusqol", "ta", web_site.clock())
    desk = desk_of(phones, web_site, "Aminah", "administrator", java_script_enabled=script)
    page = desk.page
    desk.open("/staff/test/wording")
    page.get_by_role("link", name=re.compile("Recordings")).click()
    expect(page.get_by_role("heading", name="0 of 35 recorded")).to_be_visible()
    chosen = [
        {"name": f"{one}.mp3", "mimeType": "audio/mpeg", "buffer": mp3(one)}
        for one in ("instruction", "LQ01", "LQ99")
    ]
    page.get_by_label("Files named by their question").set_input_files(chosen)  # type: ignore[arg-type]
    press(page, "Store these recordings")
    expect(page.get_by_role("alert")).to_contain_text("is called: LQ99")
    page.get_by_label("Files named by their question").set_input_files(chosen[:2])  # type: ignore[arg-type]
    press(page, "Store these recordings")
    expect(page.get_by_role("heading", name="2 of 35 recorded")).to_be_visible()
    assert page.locator("audio").count() == 2
    if not script:
        return
    length = page.locator("audio").first.evaluate(
        """(audio) => new Promise((told) => {
          audio.addEventListener("loadedmetadata", () => told(audio.duration));
          audio.addEventListener("error", () => told(0));
          audio.load();
          audio.play();
        })"""
    )
    assert 0.5 < length < 2
    page.context.add_init_script(path=AXE)
    page.reload()
    page.set_viewport_size(DESK)
    assert page.evaluate(CHECK, TAGS) == []
    for width in (320, 360):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate(SIDEWAYS) == 0, width
        lengthen(page)
        assert page.evaluate(SIDEWAYS) == 0, (width, "with long words")
