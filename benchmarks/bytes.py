"""Bytes that a phone loads for a questionnaire of 36 items, headers included, in real Chromium.

Each language is a fresh browser profile. Counted is what Chromium's network layer tells: the
encoded length of every response with its headers, and the length of every request. The server is
waitress over HTTP/1.1 with the application's own compression; TLS and the packets' own headers
are not in it.

first   the page of the first item on a phone that has never been here: HTML, style, scripts,
        icon, the sheet of all items
36      that, and all items answered one by one, each answer saved
to end  that, and the review, the submission and the receipt
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

from house import LANGUAGES, Person, build, serving
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
    """Counts a page's traffic since `restart`."""

    received: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    requests: int = 0
    _kinds: dict[str, str] = field(default_factory=dict)
    _bodies: dict[str, int] = field(default_factory=dict)
    _from_memory: set[str] = field(default_factory=set)

    def watch(self, page: Page) -> None:
        """Listen to the page's network layer."""
        wire = page.context.new_cdp_session(page)
        wire.on("Network.requestWillBeSent", self._asked)
        wire.on("Network.requestWillBeSentExtraInfo", self._headed)
        wire.on("Network.requestServedFromCache", lambda e: self._from_memory.add(e["requestId"]))
        wire.on("Network.loadingFinished", self._loaded)
        wire.send("Network.enable")

    def _asked(self, event: dict[str, Any]) -> None:
        key, request = event["requestId"], event["request"]
        self._kinds[key] = kind_of(request["url"], request["method"])
        self._bodies[key] = len(request.get("postData", "").encode())
        if "redirectResponse" in event:
            self.received["redirects"] += round(event["redirectResponse"]["encodedDataLength"])

    def _headed(self, event: dict[str, Any]) -> None:
        """Only requests that leave the browser have their real headers told."""
        lines = sum(len(name) + len(value) + 4 for name, value in event["headers"].items())
        self.sent += lines + 64 + self._bodies.get(event["requestId"], 0)  # 64: first line, end
        self.requests += 1

    def _loaded(self, event: dict[str, Any]) -> None:
        if event["requestId"] not in self._from_memory:
            kind = self._kinds.get(event["requestId"], "other")
            self.received[kind] += round(event["encodedDataLength"])

    @property
    def total(self) -> int:
        """All bytes received."""
        return sum(self.received.values())

    def restart(self) -> None:
        """Count from nothing again."""
        self.received.clear()
        self.sent = self.requests = 0


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


def finish(page: Page) -> None:
    """Review, submit, receipt."""
    page.locator(".foot [value=next]").click()
    page.wait_for_url("**/review")
    page.locator(".foot button").click()
    page.wait_for_url("**/receipt")
    page.wait_for_load_state("networkidle")


def measure(browser: Browser, person: Person, origin: str) -> dict[str, tuple[int, int, int]]:
    """Received, sent and number of requests after each part; prints what the first visit holds."""
    found = {}
    with phone(browser, person, origin) as (page, meter):
        visit(page, f"{origin}/questionnaires/{person.fresh}/items/1")
        found["first"] = (meter.total, meter.sent, meter.requests)
        parts = ", ".join(f"{kind} {count:,}" for kind, count in sorted(meter.received.items()))
        print(f"{person.language:8} first visit: {parts}")
        answer_all(page)
        found["36"] = (meter.total, meter.sent, meter.requests)
        finish(page)
        found["to end"] = (meter.total, meter.sent, meter.requests)
        page.goto("about:blank")
        meter.restart()
        visit(page, f"{origin}/questionnaires/{person.half}/items/19")
        found["again"] = (meter.total, meter.sent, meter.requests)
    return found


def main() -> int:
    good = True
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        _library, people = build(Path(name), list(LANGUAGES))
        with serving(Path(name)) as port:
            origin = f"http://localhost:{port}"
            results = {p.language: measure(browser, p, origin) for p in people}
        browser.close()
    print(f"\n{'':8}{'':8}{'received':>10}{'sent':>9}{'requests':>10}   goal (received)")
    for language, rows in results.items():
        for part, (received, sent, requests) in rows.items():
            line = f"{language:8}{part:8}{received:10,}{sent:9,}{requests:10}"
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
