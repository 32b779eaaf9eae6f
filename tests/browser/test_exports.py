"""A researcher takes data out on a desk: the form, how far it is, the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from pro_app.models import ExportJob
from pro_app.services import staff, staff_sign_in
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Server
from tests.browser.people import Phone
from tests.browser.test_accessibility import AXE, CHECK, COLOURS, TAGS
from tests.browser.test_admin import calendar, lengthen
from tests.browser.test_coordinator import DESK, SIDEWAYS, press
from tests.conftest import Site, TestClock
from tests.services.exporting import REASON, Shop
from tests.web.test_exports import newest, second_site

EMAIL = "researcher@hospital.example"
EXPORTS = "/staff/test/exports"


@pytest.fixture
def server(sqlite_url: str, web_site: Site, clock: TestClock, tmp_path: Path) -> Iterator[Server]:
    """The application on the site's database, with a folder for exports."""
    found = Server(sqlite_url, clock, exports=tmp_path / "exports")
    yield found
    found.close()


@pytest.fixture
def shop(web_site: Site, tmp_path: Path) -> Shop:
    """Two sites, and a worker that comes when it is called."""
    calendar(web_site)
    second_site(web_site)
    for number in ("01-101", "02-202"):
        web_site.enrol(number)
    return Shop(web_site, tmp_path / "exports")


def researcher(phones: Phones, site: Site, language: str = "en", **options: object) -> Phone:
    """The browser of somebody who may take everything out."""
    desk = phones.new(language, **{"viewport": DESK, "has_touch": False, **options})
    now = site.clock()
    with site.database.writing() as session:
        person = staff.add(session, EMAIL, "Researcher", language, date(2026, 1, 5), now)
        staff.grant(session, person.id, site.study.id, None, "researcher", now)
        token = staff_sign_in.start(session, person.id, now, "code")
    cookie = {"name": "staff", "value": token, "url": desk.url, "httpOnly": True}
    desk.page.context.add_cookies([cookie])  # type: ignore[list-item]
    return desk


def run_on(site: Site, percent: int) -> None:
    """A worker has the newest job, and is so far."""
    with site.database.writing() as session:
        session.execute(
            sa.update(ExportJob).values(
                state="running", lease="x", lease_until=site.clock() - timedelta(seconds=1),
                percent=percent, rows_done=100 * percent,
            )
        )  # fmt: skip


def fill_in(page: Page) -> None:
    page.get_by_text("More tables").click()
    page.get_by_role("radio", name="Participants Study numbers").check()
    page.get_by_text("Files for programs").click()
    page.get_by_role("radio", name="CSV for programs").check()
    page.get_by_label("Why do you need this file?").fill(REASON)
    press(page, "Make the export")


def test_from_the_form_over_the_progress_to_the_file(
    phones: Phones, web_site: Site, shop: Shop, tmp_path: Path
) -> None:
    desk = researcher(phones, web_site)
    page = desk.page
    desk.open(EXPORTS)
    fill_in(page)
    expect(page.get_by_text("waits for its turn")).to_be_visible()
    page.get_by_label("Why do you need this file?").fill("half a sentence")
    for percent in (10, 60):
        run_on(web_site, percent)
        expect(page.locator(f"progress[value='{percent}']")).to_be_visible()
    shop.make()
    expect(page.get_by_text("An export is ready.")).to_be_attached()
    typed = page.get_by_label("Why do you need this file?")
    expect(typed).to_have_value("half a sentence")  # the page was not loaded anew
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "taken")
    taken = (tmp_path / "taken").read_bytes()
    assert hashlib.sha256(taken).hexdigest() == newest(web_site).sha256
    assert download.value.suggested_filename == "test-participants.zip"


def test_without_javascript_the_page_says_the_same_when_it_is_loaded_anew(
    phones: Phones, web_site: Site, shop: Shop
) -> None:
    desk = researcher(phones, web_site, javascript=False)
    desk.open(EXPORTS)
    fill_in(desk.page)
    run_on(web_site, 40)
    desk.page.reload()
    expect(desk.page.get_by_text("40 per cent")).to_be_visible()
    shop.make()
    desk.page.reload()
    expect(desk.page.get_by_role("link", name="Download")).to_be_visible()


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_accessible_and_fit_a_phone(
    phones: Phones, web_site: Site, shop: Shop, language: str
) -> None:
    desk, found = researcher(phones, web_site, language), []
    page = desk.page
    page.context.add_init_script(path=AXE)
    desk.open(EXPORTS)
    page.locator("input[name=what][value=answers]").check()
    page.locator("#reason").fill(REASON)
    page.locator("form.box button").click()
    expect(page.locator(".job")).to_be_visible()
    shop.make()
    for path in (EXPORTS, f"{EXPORTS}/codebook?what=answers&language=ta"):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            desk.open(path)
            for one in page.locator("details").all():
                one.evaluate("(one) => { one.open = true; }")
            page.set_viewport_size(DESK)
            found += page.evaluate(CHECK, TAGS if scheme == "light" else COLOURS)
        for width in (320, 360):
            page.set_viewport_size({"width": width, "height": 740})
            desk.open(path)
            expect(page.locator(".staff > nav [aria-current]")).to_be_in_viewport(ratio=0.99)
            assert page.evaluate(SIDEWAYS) == 0, (path, width)
            lengthen(page)
            assert page.evaluate(SIDEWAYS) == 0, (path, width, "with long words")
    assert found == []
