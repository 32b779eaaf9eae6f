"""axe-core finds nothing on any page, in any language, light and dark."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pro_app.core.library import Library
from pro_app.web import access
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.people import Phone, expect
from tests.conftest import PIN, Site, TestClock

AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast"]

CHECK = """async (only) => {
  const how = { runOnly: only, resultTypes: ["violations"], preload: false };
  const found = await axe.run(document, how);
  const told = (rule, node) => `${rule}: ${node.html.slice(0, 120)} ${node.failureSummary}`;
  return found.violations.flatMap((one) => one.nodes.map((node) => told(one.id, node)));
}"""


def test_axe_is_the_file_that_was_vendored() -> None:
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256


class Inspector:
    """Looks at each page in light, and at its colours in dark too; keeps the findings."""

    def __init__(self, phone: Phone, language: str) -> None:
        self.phone = phone
        self.language = language
        self.findings: list[str] = []
        self.looked_at: list[str] = []
        phone.page.context.add_init_script(path=AXE)

    def look(self, name: str) -> None:
        """Check the page that is shown."""
        page = self.phone.page
        self.phone.reads(self.language)
        page.wait_for_load_state()
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        self.findings += [f"{name}: {one}" for one in page.evaluate(CHECK, TAGS)]
        page.emulate_media(color_scheme="dark")
        self.findings += [f"{name}, dark: {one}" for one in page.evaluate(CHECK, COLOURS)]
        self.looked_at.append(name)

    def report(self, *names: str) -> None:
        """All of these pages were looked at, and nothing was found."""
        assert self.findings == []
        assert self.looked_at == list(names)


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_way_in(phones: Phones, web_site: Site, watch: Watch, language: str) -> None:
    watch.expect("status of 422")
    person = web_site.enrol(language=language)
    phone = phones.new("fr")
    seen = Inspector(phone, language)
    phone.open(f"/join/?language={language}")
    seen.look("code")
    phone.type_code("ABC")
    phone.is_told_of_a_fault()
    seen.look("code that is too short")
    phone.type_code("ABCDEFGH")
    phone.sees("J2")
    seen.look("dead code")
    phone.page.locator("main .btn.second").click()
    phone.sees("J5")
    seen.look("new code")
    phone.page.locator("#number").fill("01-001")
    phone.go_on()
    expect(phone.page.locator("#number")).to_have_count(0)
    seen.look("new code asked for")
    phone.go_on()
    phone.type_code(person.code)
    phone.sees("J3")
    seen.look("notice")
    phone.go_on()
    phone.is_told_of_a_fault()
    seen.look("notice not accepted")
    phone.accept_notice()
    phone.sees("J4")
    seen.look("PIN")
    phone.choose_pin("111111")
    phone.is_told_of_a_fault()
    seen.look("PIN too easy")
    phone.choose_pin(PIN)
    phone.sees("P2")
    seen.look("nothing to do")
    phone.page.locator("footer form button").click()
    phone.sees("P1")
    seen.look("unlock")
    phone.unlock("135790")
    phone.is_told_of_a_fault()
    seen.look("wrong PIN")
    seen.report(
        "code", "code that is too short", "dead code", "new code", "new code asked for", "notice",
        "notice not accepted", "PIN", "PIN too easy", "nothing to do", "unlock", "wrong PIN",
    )  # fmt: skip


def test_a_questionnaire(phones: Phones, web_site: Site, watch: Watch, language: str) -> None:
    watch.expect("status of 422")
    person = web_site.enrol(language=language)
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    seen = Inspector(phone, language)
    phone.open("/today")
    seen.look("today")
    phone.page.locator(".card .btn").first.click()
    phone.page.locator(".foot a").wait_for()
    seen.look("start")
    phone.go_on()
    phone.at(1)
    seen.look("item")
    phone.next()
    expect(phone.prompt).to_be_visible()
    seen.look("prompt")
    phone.choose(2)
    phone.saved()
    seen.look("answered item")
    phone.page.locator(".menu summary").click()
    seen.look("menu")
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/15")
    phone.at(15)
    seen.look("item that may not apply")
    phone.open(f"/questionnaires/{lupusqol.public_id}/review")
    seen.look("review with items missing")
    phone.submit()
    phone.is_told_of_a_fault()
    seen.look("submitted too early")
    web_site.answer_all(lupusqol)
    web_site.answer(lupusqol, {"LQ03": "skipped", "LQ15": "not_applicable"})
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/3")
    phone.at(3)
    seen.look("item left unanswered")
    phone.open(f"/questionnaires/{lupusqol.public_id}/review")
    seen.look("review")
    phone.submit()
    phone.sees("Q91")
    seen.look("receipt")
    phone.go_on()
    phone.sees("P2")
    seen.look("today with something done")
    phone.open("/practice")
    phone.choose(1)
    seen.look("practice")
    phone.open("/notice")
    seen.look("privacy")
    seen.report(
        "today", "start", "item", "prompt", "answered item", "menu", "item that may not apply",
        "review with items missing", "submitted too early", "item left unanswered", "review",
        "receipt", "today with something done", "practice", "privacy",
    )  # fmt: skip


def test_what_is_not_open_and_what_went_wrong(
    phones: Phones, web_site: Site, server: Server, watch: Watch, clock: TestClock, language: str
) -> None:
    watch.expect(*(f"status of {status}" for status in (400, 403, 404, 410, 500)))
    server.app.add_url_rule("/fault", view_func=_fault)
    person = web_site.enrol(language=language)
    open_now, taken_out = web_site.open(person)
    (later,) = web_site.open(person, "month_3", timedelta(days=9), timedelta(days=12))
    phone = phones.of(person)
    seen = Inspector(phone, language)
    phone.open(f"/questionnaires/{later.public_id}")
    phone.sees("Q92")
    seen.look("early")
    phone.open("/questionnaires/of-somebody-else")
    phone.sees("E1")
    seen.look("not found")
    phone.open("/fault")
    phone.sees("E1")
    seen.look("a fault of ours")
    house = server.app.extensions["pro_app"]
    wordings = {
        key: value for key, value in house.library.wordings.items() if key != ("sf36v1", language)
    }
    library = Library(house.library.instruments, wordings)
    server.app.extensions["pro_app"] = replace(house, library=library)
    phone.open(f"/questionnaires/{taken_out.public_id}")
    phone.sees("Q93")
    seen.look("no wording")
    phone.open("/today")
    seen.look("today, one not offered")
    phone.open(f"/questionnaires/{open_now.public_id}/items/1")
    phone.at(1)
    clock.forward(minutes=31)
    phone.choose(1)
    expect(phone.dialog).to_be_visible()
    seen.look("PIN over the item")
    phone.unlock_here()
    expect(phone.dialog).to_have_count(0)
    phone.saved()
    clock.forward(days=4)
    phone.open("/today")
    phone.unlock()
    phone.sees("P2")
    phone.open(f"/questionnaires/{open_now.public_id}")
    phone.sees("Q92")
    seen.look("closed")
    phone.open("/join/new-code")
    phone.forget("session")
    phone.page.locator("#number").fill(person.number)
    phone.go_on()
    phone.sees("E2")
    seen.look("open for too long")
    seen.report(
        "early", "not found", "a fault of ours", "no wording", "today, one not offered",
        "PIN over the item", "closed", "open for too long",
    )  # fmt: skip


@access.audience("public")
def _fault() -> str:
    raise RuntimeError("a fault of the test")
