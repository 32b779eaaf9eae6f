"""The site's tablet in a real browser: handed over, answered on, given back, handed on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from pro_app.models import Assessment, TabletSession
from pro_app.services import staff
from tests.browser import record
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.people import Phone
from tests.browser.test_accessibility import AXE, CHECK, COLOURS, TAGS
from tests.browser.test_coordinator import SIDEWAYS
from tests.conftest import Enrolled, Site, TestClock
from tests.services.test_staff_sign_in import EMAIL, PASSWORD, code_at, set_up

REFUSED = "ERR_CONNECTION_REFUSED"
SIZE = {"width": 820, "height": 1180}
OVER = "T9"
LEFT = """async () => [
  (await indexedDB.databases()).length, (await caches.keys()).length,
  (await navigator.serviceWorker.getRegistrations()).length,
  localStorage.length, sessionStorage.length,
]"""


class Tablet(Phone):
    """The site's tablet, and what people do with it."""

    def __init__(self, phones: Phones, site: Site, language: str = "en", **options: object) -> None:
        found = phones.new(language, **{"viewport": SIZE, **options})
        super().__init__(found.page, found.url, found.javascript)
        self.site = site

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def sign_in(self) -> None:
        """A coordinator signs in, as at the beginning of a day or to take the tablet back."""
        self.site.clock.forward(seconds=60)  # the last code has opened once
        self.page.locator("#email").fill(EMAIL)
        self.page.locator("#password").fill(PASSWORD)
        self.page.locator("main form .btn").last.click()
        self.page.locator("#code").fill(code_at(self.site.clock()))
        self.page.locator("main form .btn").last.click()
        self.page.locator("body.staff .menu").wait_for()
        expect(self.page.locator("#code")).to_have_count(0)

    def hand_over(self, person: Enrolled) -> None:
        """From the participant's page until the tablet asks to be handed over."""
        self.open(f"/staff/test/participants/{person.number}")
        self.page.get_by_role("link", name="Answer on this tablet").click()
        self.press("Sign out, and hand the tablet over")
        self.sees("T1")

    def take(self, end: str) -> None:
        """The participant takes it, and says who they are."""
        self.go_on()
        self.sees("T2")
        self.page.locator("#given").fill(end)
        self.press_main()
        if self.page.locator("[data-page-code]").inner_text() == "T3":
            self.page.locator("label.opt:has(#accept)").click()
            self.press_main()
        self.sees("T4")

    def press_main(self) -> None:
        """Press the page's main button, and wait until another page is there."""
        before = self.page.locator("[data-page-code]").inner_text()
        self.page.locator("main .btn").last.click()
        expect(self.page.locator("[data-page-code]")).not_to_have_text(before)

    def begin(self, card: int = 1) -> None:
        """Press a card's button, and the start page's if it comes."""
        self.page.locator(".card .btn").nth(card - 1).click()
        expect(self.page.locator("[data-page-code]")).not_to_have_text("T4")
        if self.page.locator("[data-page-code]").inner_text() == "Q1" and not self.is_at_item():
            self.page.locator("main a.btn").click()
        self.page.locator(".item, .review").wait_for()

    def is_at_item(self) -> bool:
        return self.page.locator(".item").count() > 0

    def shows(self, n: int) -> None:
        """Question n."""
        expect(self.page.locator(f"#item .item[data-n='{n}']")).to_have_count(1)

    def says(self, text: str) -> None:
        """What stands beside the buttons."""
        expect(self.page.locator(".state")).to_contain_text(text)

    def enlarge(self, size: int) -> None:
        """Choose a text size in the menu; the page stays."""
        self.page.locator(".menu summary").click()
        self.page.locator(f"button[name=text_size][value='{size}']").click()
        expect(self.page.locator(f"html.size-{size}")).to_have_count(1)

    def is_over(self) -> None:
        """Nothing of anybody."""
        self.sees(OVER)
        for words in ("01-", "Questionnaire", "items/"):
            assert words not in self.page.content()


@pytest.fixture
def tablet(phones: Phones, web_site: Site) -> Tablet:
    with web_site.database.writing() as session:
        staff_id, _ = set_up(session)
        session.flush()
        staff.grant(session, staff_id, web_site.study.id, None, "coordinator", web_site.clock())
        staff.choose_language(session, staff_id, "en", web_site.clock())
    found = Tablet(phones, web_site)
    found.open("/staff/sign-in")
    found.sign_in()
    return found


def nearly_done(site: Site, sheet: Assessment) -> None:
    """All but the last two items are answered, an hour ago, elsewhere."""
    items = site.library.instruments[sheet.instrument].items
    site.answer(sheet, {one.code: one.options.codes[0] for one in items[:-2]})


def test_the_whole_way_and_the_next_person(
    phones: Phones, web_site: Site, tablet: Tablet, watch: Watch
) -> None:
    first, second = web_site.enrol("01-246", "ms"), web_site.enrol("01-357")
    sheets = web_site.open(first)
    theirs = web_site.open(second)
    for sheet in sheets:
        nearly_done(web_site, sheet)
    tablet.hand_over(first)
    tablet.reads("en")
    tablet.take("46")
    tablet.reads("ms")
    for sheet in sheets:
        tablet.begin()
        last = len(web_site.library.instruments[sheet.instrument].items)
        for n in (last - 1, last):
            tablet.shows(n)
            tablet.has_chosen(None)
            tablet.choose(1)
            tablet.next()
        tablet.page.locator(".review").wait_for()
        tablet.press_main()
    tablet.is_over()
    assert tablet.page.evaluate(LEFT) == [0, 0, 0, 0, 0]
    for path in ("/today", "/staff/test/today", "/join/", "/", "/tablet/questionnaires",
                 f"/tablet/questionnaires/{sheets[0].public_id}/review"):  # fmt: skip
        tablet.open(path)
        tablet.is_over()
    for sheet in sheets:
        rows = record.taps(web_site, sheet)
        assert {row.mode for row in rows[-2:]} == {"site_tablet"}
        assert [one.mode for one in record.submissions(web_site, sheet)] == ["site_tablet"]

    tablet.page.locator("a[href='/staff/sign-in']").click()
    tablet.sign_in()
    tablet.hand_over(second)
    tablet.take("57")
    assert not any(sheet.public_id in tablet.page.content() for sheet in sheets)
    tablet.begin()
    tablet.shows(1)
    tablet.choose(2)
    tablet.press("Stop here")
    tablet.sees("T5")
    tablet.press("Stop, and give the tablet back")
    tablet.is_over()
    assert set(record.values(web_site, theirs[0])) == {"LQ01"}


def test_back_shows_nothing_after_the_end(web_site: Site, tablet: Tablet) -> None:
    person = web_site.enrol("01-246")
    web_site.open(person)
    tablet.hand_over(person)
    tablet.take("46")
    tablet.begin()
    for n in (1, 2, 3):
        tablet.shows(n)
        tablet.choose(0)
        tablet.next()
    tablet.shows(4)
    tablet.page.go_back()
    tablet.shows(3)
    tablet.has_chosen(0)
    tablet.press("Stop here")
    tablet.press("Stop, and give the tablet back")
    tablet.is_over()
    for _ in range(12):
        tablet.page.go_back(wait_until="commit")
        if tablet.page.url == "about:blank":
            break
        tablet.is_over()
    tablet.open("/today")
    tablet.is_over()
    tablet.page.reload()
    tablet.is_over()


def test_other_windows_of_the_browser_follow(web_site: Site, tablet: Tablet) -> None:
    person = web_site.enrol("01-246")
    web_site.open(person)
    desk = tablet.another_window()
    desk.open("/staff/test/completion")
    expect(desk.page.get_by_text("01-246")).to_be_visible()
    tablet.hand_over(person)
    desk.sees("T1")
    tablet.take("46")
    desk.open("/tablet/questionnaires")
    desk.sees("T4")
    tablet.page.get_by_role("link", name="Stop here").click()
    tablet.press("Stop, and give the tablet back")
    tablet.is_over()
    desk.sees(OVER)


def test_a_lost_network_is_told_and_nothing_is_lost(
    web_site: Site, tablet: Tablet, server: Server, watch: Watch, clock: TestClock
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol("01-246")
    sheet = web_site.open(person)[0]
    tablet.hand_over(person)
    tablet.take("46")
    tablet.begin()
    tablet.shows(1)
    server.go_away()
    tablet.choose(2)
    before = clock()
    tablet.next()
    tablet.says("Not saved yet: there is no network.")
    tablet.shows(1)
    tablet.has_chosen(2)
    clock.forward(minutes=30)  # longer than the session lives on the server
    server.come_back()
    tablet.is_over()
    (row,) = record.taps(web_site, sheet)
    assert (row.item, row.code) == ("LQ01", 2)
    assert row.received_at - before > timedelta(minutes=29)


def test_a_short_loss_is_only_a_pause(
    web_site: Site, tablet: Tablet, server: Server, watch: Watch
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol("01-246")
    sheet = web_site.open(person)[0]
    tablet.hand_over(person)
    tablet.take("46")
    tablet.begin()
    tablet.shows(1)
    server.go_away()
    tablet.choose(2)
    tablet.next()
    tablet.says("Not saved yet: there is no network.")
    server.come_back()
    tablet.shows(2)
    tablet.choose(3)
    tablet.next()
    tablet.shows(3)
    assert record.values(web_site, sheet) == {"LQ01": 2, "LQ02": 3}


def passes(tablet: Tablet, seconds: int) -> None:
    """Time on the tablet's own clock."""
    tablet.page.clock.fast_forward(seconds * 1_000)


@pytest.fixture
def slow(phones: Phones, web_site: Site, tablet: Tablet) -> tuple[Tablet, Assessment]:
    """A tablet whose time the test moves, at the first question of somebody."""
    person = web_site.enrol("01-246")
    sheet = web_site.open(person)[0]
    found = Tablet(phones, web_site, own_time=True)
    found.open("/staff/sign-in")
    found.sign_in()
    found.hand_over(person)
    found.take("46")
    found.begin()
    found.shows(1)
    return found, sheet


def test_who_puts_it_down_is_asked_and_then_it_shows_nothing(
    slow: tuple[Tablet, Assessment], web_site: Site
) -> None:
    tablet, sheet = slow
    tablet.choose(2)
    passes(tablet, 455)
    expect(tablet.dialog).to_be_visible()
    tablet.press("I am still here")
    expect(tablet.dialog).to_be_hidden()
    passes(tablet, 455)
    expect(tablet.dialog).to_be_visible()
    tablet.shows(1)
    passes(tablet, 65)
    tablet.is_over()
    assert record.values(web_site, sheet) == {"LQ01": 2}, "what was chosen last is kept"
    with web_site.database.reading() as session:
        assert session.query(TabletSession.ended_how).all() == [("idle",)]


def test_what_waits_is_kept_behind_a_page_that_shows_nothing(
    slow: tuple[Tablet, Assessment], web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect(REFUSED)
    tablet, sheet = slow
    tablet.choose(2)
    server.go_away()
    tablet.next()
    tablet.says("Not saved yet: there is no network.")
    passes(tablet, 520)
    expect(tablet.page.locator("[data-cover]")).to_be_visible()
    expect(tablet.page.locator("main")).to_be_hidden()
    server.come_back()
    for _ in range(5):
        passes(tablet, 16)
    tablet.is_over()
    assert record.values(web_site, sheet) == {"LQ01": 2}


def test_it_works_without_a_script(phones: Phones, web_site: Site, tablet: Tablet) -> None:
    person = web_site.enrol("01-246")
    for sheet in web_site.open(person):
        nearly_done(web_site, sheet)
    plain = Tablet(phones, web_site, javascript=False)
    plain.open("/staff/sign-in")
    plain.sign_in()
    plain.hand_over(person)
    plain.take("46")
    for _ in range(2):
        plain.begin()
        for _ in range(2):
            plain.choose(0)
            plain.next()
        plain.press_main()
    plain.is_over()
    plain.page.go_back()
    plain.is_over()


@pytest.mark.parametrize("size", [0, 2])
def test_pages_are_accessible_and_fit(
    web_site: Site, tablet: Tablet, watch: Watch, size: int
) -> None:
    watch.expect("status of 422")
    person = web_site.enrol("01-246")
    sheet = web_site.open(person)[0]
    page, found = tablet.page, []
    page.context.add_init_script(path=AXE)

    def look(name: str) -> None:
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        found.extend(f"{name}: {one}" for one in page.evaluate(CHECK, TAGS))
        page.emulate_media(color_scheme="dark")
        found.extend(f"{name}, dark: {one}" for one in page.evaluate(CHECK, COLOURS))
        for width in (360, 320):
            page.set_viewport_size({"width": width, "height": 740})
            if page.evaluate(SIDEWAYS) > 0:
                found.append(f"{name} scrolls sideways at {width}")
        page.set_viewport_size(SIZE)  # type: ignore[arg-type]

    tablet.open(f"/staff/test/participants/{person.number}/tablet")
    look("start")
    tablet.hand_over(person)
    look("hand over")
    tablet.go_on()
    tablet.sees("T2")
    tablet.page.locator("#given").fill("99")
    tablet.press("Continue")
    tablet.is_told_of_a_fault()
    look("confirm")
    tablet.page.locator("#given").fill("46")
    tablet.press_main()
    look("notice")
    tablet.page.locator("label.opt:has(#accept)").click()
    tablet.press_main()
    if size:
        tablet.enlarge(size)
    look("list")
    for name in ("", "/items/1", "/review"):
        tablet.open(f"/tablet/questionnaires/{sheet.public_id}{name}")
        look(f"sheet{name}")
    tablet.open("/tablet/stop")
    look("stop")
    tablet.press("Stop, and give the tablet back")
    tablet.is_over()
    look("over")
    assert found == []
