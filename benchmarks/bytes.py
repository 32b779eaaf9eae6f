"""Bytes that a phone loads for a questionnaire of 36 items, headers included, in real Chromium.

Each language is a fresh browser profile. Counted are the bytes that pass between browser and
server, the service worker's too: both speak through a counting wire. What the first visit holds
is told by Chromium's network layer. The server is waitress over HTTP/1.1 with the application's
own compression; TLS and the packets' own headers are not in it.

first   the page of the first item on a phone that has never been here: HTML, style, scripts,
        icon, the sheet of all items
36      that, and all items answered one by one, each answer saved
ahead   what the phone fetches by itself, after the first look at Today, to work without network
again   the next visit of the same phone to an item's page
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from _house import LANGUAGES, Person, build, serving
from _wire import Wire
from playwright.sync_api import Browser, Page, sync_playwright

ITEMS = 36
GOALS = {"first": 15_000, "36": 25_000, "again": 5_000}
CITED = (  # JavaScript and style of a 36-item questionnaire, brotli; measured once, see README
    ("hand-written page", 3_800),
    ("Typebot", 164_000),
    ("Enketo", 228_000),
    ("SurveyJS", 300_000),
    ("Form.io", 328_000),
    ("LHC-Forms", 423_000),
)


@dataclass
class Meter:
    """What a page has received, by kind."""

    received: Counter[str] = field(default_factory=Counter)
    _kinds: dict[str, str] = field(default_factory=dict)
    _from_memory: set[str] = field(default_factory=set)

    def watch(self, page: Page) -> None:
        """Listen to the page's network layer."""
        wire = page.context.new_cdp_session(page)
        wire.on("Network.requestWillBeSent", self._asked)
        wire.on("Network.requestServedFromCache", lambda e: self._from_memory.add(e["requestId"]))
        wire.on("Network.loadingFinished", self._loaded)
        wire.send("Network.enable")

    def _asked(self, event: dict[str, Any]) -> None:
        request = event["request"]
        self._kinds[event["requestId"]] = kind_of(request["url"], request["method"])

    def _loaded(self, event: dict[str, Any]) -> None:
        if event["requestId"] not in self._from_memory:
            kind = self._kinds.get(event["requestId"], "other")
            self.received[kind] += round(event["encodedDataLength"])


def kind_of(address: str, method: str) -> str:
    """What an address is, for the table."""
    path = urlsplit(address).path
    for part, kind in ((".css", "style"), (".js", "scripts"), (".svg", "icon")):
        if path.endswith(part):
            return kind
    if path.startswith("/sheets/"):
        return "sheet"
    return "saves" if method == "POST" and path.endswith("/answers") else "HTML"


@contextmanager
def phone(browser: Browser, person: Person, origin: str) -> Iterator[tuple[Page, Meter]]:
    """A phone with nothing stored but the person's cookies."""
    context = browser.new_context(
        viewport={"width": 360, "height": 640},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
        locale=LANGUAGES[person.language],
    )
    context.add_cookies([{"name": k, "value": v, "url": origin} for k, v in person.cookies.items()])
    page, meter = context.new_page(), Meter()
    meter.watch(page)
    yield page, meter
    context.close()


def visit(page: Page, address: str) -> None:
    """Open an item's page and wait until the sheet is there and the icon, too.

    Chromium without a window does not ask for icons; a phone does.
    """
    page.goto(address)
    page.locator("form[data-ready]").wait_for()
    page.evaluate("fetch(document.querySelector('link[rel=icon]').href).then((r) => r.text())")
    page.wait_for_load_state("networkidle")


def answer_all(page: Page) -> None:
    """Choose the first option of each item and go on, as a person does."""
    for n in range(1, ITEMS + 1):
        page.locator(f".item[data-n='{n}']").wait_for()
        with page.expect_response(lambda answer: answer.url.endswith("/answers")):
            page.locator(".opt").first.click()
        page.locator(".state .saved").wait_for()
        if n < ITEMS:
            page.locator(".foot [value=next]").click()


def settle(page: Page, wire: Wire) -> None:
    """Wait until the phone has all at hand and nothing comes any more."""
    page.locator("[data-phone][data-ready]").wait_for(state="attached")
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    before = -1
    while before != wire.received:
        before = wire.received
        page.wait_for_timeout(1_000)


def measure(browser: Browser, person: Person, wire: Wire) -> dict[str, tuple[int, int]]:
    """Received and sent after each part; prints what the first visit holds."""
    found = {}
    with phone(browser, person, wire.origin) as (page, meter):
        wire.restart()
        visit(page, f"{wire.origin}/questionnaires/{person.fresh}/items/1")
        found["first"] = (wire.received, wire.sent)
        parts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(meter.received.items()))
        print(f"{person.language:8} first visit: {parts}")
        answer_all(page)
        found["36"] = (wire.received, wire.sent)
        page.goto(f"{wire.origin}/today")
        page.locator("main .card").first.wait_for()
        wire.restart()
        settle(page, wire)
        found["ahead"] = (wire.received, wire.sent)
        page.goto("about:blank")
        wire.restart()
        visit(page, f"{wire.origin}/questionnaires/{person.half}/items/19")
        found["again"] = (wire.received, wire.sent)
    return found


def main() -> int:
    good = True
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        _library, people = build(Path(name), list(LANGUAGES))
        with serving(Path(name)) as port:
            wire = Wire(port)
            results = {p.language: measure(browser, p, wire) for p in people}
        browser.close()
    print(f"\n{'':8}{'':8}{'received':>10}{'sent':>9}   goal (received)")
    for language, rows in results.items():
        for part, (received, sent) in rows.items():
            line = f"{language:8}{part:8}{received:10,}{sent:9,}"
            if part in GOALS:
                reached = received <= GOALS[part]
                good = good and reached
                line += f"   <= {GOALS[part]:,} {'reached' if reached else 'MISSED'}"
            print(line)
    worst = max(rows["first"][0] for rows in results.values())
    print("\nreference, cited (JavaScript and style alone):")
    for what, size in CITED:
        print(f"  {what:20}{size:9,}   {size / worst:6.2f} x our largest first visit")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
