"""A researcher makes a token on a desk and reads with it; the pages are accessible and fit."""

from __future__ import annotations

import json
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones
from tests.browser.test_accessibility import AXE, CHECK, COLOURS, TAGS
from tests.browser.test_admin import lengthen
from tests.browser.test_coordinator import DESK, SIDEWAYS, press
from tests.browser.test_exports import researcher
from tests.conftest import Site
from tests.services.test_api_tokens import make, maker_at

TOKENS = "/staff/test/tokens"


def test_from_the_form_to_the_first_row(phones: Phones, web_site: Site) -> None:
    web_site.enrol("01-101")
    desk = researcher(phones, web_site)
    page = desk.page
    desk.open(TOKENS)
    page.get_by_label("What is it for?").fill("The analysis")
    page.get_by_label("participants: enrolment").check()
    page.get_by_label("every site of the study").check()
    page.get_by_label("Why do you need it?").fill("The first report")
    press(page, "Make the token")
    expect(page.get_by_role("heading", name="Your token")).to_be_visible()
    token = page.locator(".key").first.inner_text()
    asked = urllib.request.Request(  # noqa: S310 (the server of this test)
        f"{desk.url}/api/v1/studies/test/participants", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
        assert [row["participant"] for row in json.load(answer)["rows"]] == ["01-101"]
    page.get_by_role("link", name="To the tokens").click()
    page.get_by_text("End this token").click()
    page.get_by_label("Why is it ended?").fill("The report is done")
    press(page, "End it at once")
    expect(page.get_by_role("cell", name="ended")).to_be_visible()


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_accessible_and_fit_a_phone(
    phones: Phones, web_site: Site, language: str
) -> None:
    desk, found = researcher(phones, web_site, language), []
    page = desk.page
    page.context.add_init_script(path=AXE)
    with web_site.database.reading() as session:
        (me,) = session.connection().exec_driver_sql("SELECT id FROM staff").scalars()
    make(web_site, me, name="Monthly figures", sites=None, days_only=True)
    make(web_site, maker_at(web_site, "Omar"))
    for path in (TOKENS, "/api/v1/"):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            desk.open(path)
            for one in page.locator("main details").all():
                one.evaluate("(one) => { one.open = true; }")
            page.set_viewport_size(DESK)
            found += page.evaluate(CHECK, TAGS if scheme == "light" else COLOURS)
        for width in (320, 360):
            page.set_viewport_size({"width": width, "height": 740})
            assert page.evaluate(SIDEWAYS) == 0, (path, width)
            lengthen(page)
            assert page.evaluate(SIDEWAYS) == 0, (path, width, "with long words")
    assert found == []
