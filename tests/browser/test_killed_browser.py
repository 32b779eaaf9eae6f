"""The browser is killed after each tap, as phones do: nothing tapped is lost, nothing is added."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Playwright, expect

from pro_app.models import Assessment
from tests.browser import proxy as network
from tests.browser import record
from tests.browser.conftest import PATIENCE, Server, Watch
from tests.browser.faults import presses, rows, trail
from tests.browser.killing import Chromium
from tests.browser.people import Phone
from tests.browser.proxy import Hold, Proxy
from tests.conftest import PIN, Site

APART = 5  # the place of "does not apply to me", after five options


class Tap(NamedTuple):
    """What a person does at question `n`, what then is chosen there, and what the record holds."""

    n: int
    do: Callable[[Phone], None]
    chosen: int | None
    state: str
    code: int | None = None


def choose(n: int, place: int) -> Tap:
    return Tap(n, lambda phone: phone.choose(place), place, "answered", place)


def skip(n: int) -> Tap:
    return Tap(n, Phone.skip, None, "skipped")


def not_applicable(n: int) -> Tap:
    return Tap(n, Phone.not_applicable, APART, "not_applicable")


def clear(n: int) -> Tap:
    return Tap(n, Phone.clear, None, "cleared")


TAPS = (
    choose(23, 2), choose(23, 3), clear(23), choose(23, 1), skip(24), choose(26, 0),
    not_applicable(26), not_applicable(27), choose(24, 4), skip(25), choose(28, 3),
)  # fmt: skip
EXPECTED = [(f"LQ{tap.n:02}", tap.state, tap.code) for tap in TAPS]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    found = Proxy()
    yield found
    found.close()


@pytest.fixture
def server(server: Server, proxy: Proxy) -> Server:
    """The server, as the phone finds it behind the proxy."""
    proxy.port, server.url = server.port, proxy.url
    return server


@pytest.fixture
def chromium(
    playwright: Playwright, browser_type_launch_args: dict[str, Any], tmp_path: Path
) -> Iterator[Chromium]:
    how = browser_type_launch_args
    found = Chromium(playwright, how["executable_path"], how["args"], tmp_path / "profile")
    yield found
    found.end()


@pytest.fixture
def start(chromium: Chromium, server: Server, watch: Watch) -> Callable[[], Phone]:
    """Open the browser."""

    def started() -> Phone:
        page = chromium.start()
        page.context.set_default_timeout(PATIENCE)
        watch.over(page.context)
        return Phone(page, server.url, True)

    return started


@pytest.fixture
def assessment(web_site: Site, chromium: Chromium, start: Callable[[], Phone]) -> Assessment:
    """Open for somebody who has joined in this browser; all is answered but what is tapped here."""
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    tapped = {tap.n for tap in TAPS}
    web_site.answer(lupusqol, {f"LQ{n:02}": 2 for n in range(1, 35) if n not in tapped})
    phone = start()
    phone.join(person)
    phone.sees("P2")
    phone.is_prepared()
    chromium.close()
    return lupusqol


def tapped(site: Site, assessment: Assessment) -> list[tuple[str, str, int | None]]:
    """What came from the phone, in the order in which it came; its numbers go up."""
    found = [row for row in record.taps(site, assessment) if row.device_id is not None]
    assert len({row.journal for row in found}) <= 1
    numbers = [row.sequence or 0 for row in found]
    assert numbers == sorted(set(numbers))
    return [(row.item, row.state, row.code) for row in found]


def go_to(phone: Phone, assessment: Assessment, page: str, network: bool) -> None:
    """Open a page of the questionnaire; without network the phone itself asks for the PIN."""
    phone.open(f"/questionnaires/{assessment.public_id}{page}")
    if not network:
        phone.sees("N2")
        phone.page.locator("#offline-pin").fill(PIN)
        phone.go_on()


def settled(phone: Phone) -> None:
    """All has reached the study, as far as the page can say."""
    expect(phone.page.locator(".state")).to_have_text(re.compile("^(Saved)?$"))


def check_submitted(site: Site, assessment: Assessment, receipt: str) -> None:
    """Everything is in the record once, in order, and sealed once."""
    assert tapped(site, assessment) == EXPECTED
    assert trail(site, assessment, "answer") == len(rows(site, assessment))
    (submission,) = record.submissions(site, assessment)
    assert receipt.replace("-", "").lower() == submission.receipt[:12]
    assert presses(site, assessment) == ["submitted"]
    values = record.values(site, assessment)
    assert len(values) == 34
    assert [values[f"LQ{n}"] for n in range(23, 29)] == [
        1, 4, "skipped", "not_applicable", "not_applicable", 3,
    ]  # fmt: skip


def test_without_network_each_tap_outlives_the_browser(
    start: Callable[[], Phone], chromium: Chromium, assessment: Assessment, web_site: Site,
    proxy: Proxy, watch: Watch,
) -> None:  # fmt: skip
    watch.expect("net::ERR_")
    proxy.befall(".*", network.reset)
    before: dict[int, int | None] = {}
    for count, tap in enumerate(TAPS, start=1):
        phone = start()
        go_to(phone, assessment, f"/items/{tap.n}", network=False)
        phone.at(tap.n)
        phone.has_chosen(before.get(tap.n))
        tap.do(phone)
        phone.waiting(count)
        chromium.kill()
        before[tap.n] = tap.chosen
    phone = start()
    go_to(phone, assessment, "/review", network=False)
    expect(phone.page.locator(".review a")).to_have_count(34)
    phone.submit()
    phone.sees("N4")
    chromium.kill()
    phone = start()
    go_to(phone, assessment, "", network=False)
    phone.sees("N4")
    assert tapped(web_site, assessment) == []
    proxy.heal()
    phone.page.evaluate("dispatchEvent(new Event('online'))")
    check_submitted(web_site, assessment, phone.receipt())


def test_with_network_each_tap_outlives_the_browser(
    start: Callable[[], Phone], chromium: Chromium, assessment: Assessment, web_site: Site
) -> None:
    before: dict[int, int | None] = {}
    for count, tap in enumerate(TAPS, start=1):
        phone = start()
        go_to(phone, assessment, f"/items/{tap.n}", network=True)
        phone.at(tap.n)
        phone.has_chosen(before.get(tap.n))
        tap.do(phone)
        settled(phone)
        chromium.kill()
        before[tap.n] = tap.chosen
        assert tapped(web_site, assessment) == EXPECTED[:count]
    phone = start()
    go_to(phone, assessment, "/review", network=True)
    phone.is_prepared()
    phone.submit()
    receipt = phone.receipt()
    chromium.kill()
    phone = start()
    go_to(phone, assessment, "", network=True)
    assert phone.receipt() == receipt
    check_submitted(web_site, assessment, receipt)


@pytest.mark.parametrize("answered", [False, True], ids=["request", "response"])
def test_what_is_on_its_way_when_the_browser_dies_is_taken_once(
    answered: bool, start: Callable[[], Phone], chromium: Chromium, assessment: Assessment,
    web_site: Site, proxy: Proxy,
) -> None:  # fmt: skip
    """The request is under way, or the server has done its work and its answer is."""
    answers = "POST .*/answers"
    for count, tap in enumerate(TAPS[:2], start=1):
        phone = start()
        go_to(phone, assessment, f"/items/{tap.n}", network=True)
        phone.at(tap.n)
        hold = Hold(answered)
        proxy.befall(answers, hold)
        tap.do(phone)
        hold.wait()
        chromium.kill()
        assert tapped(web_site, assessment) == EXPECTED[: count if answered else count - 1]
        hold.release()
        proxy.heal()
        phone = start()
        with phone.page.expect_response("**/answers"):  # once more, as it has not heard of it
            go_to(phone, assessment, f"/items/{tap.n}", network=True)
        phone.at(tap.n)
        phone.has_chosen(tap.chosen)
        settled(phone)
        assert tapped(web_site, assessment) == EXPECTED[:count]
        chromium.kill()


def test_what_waits_counts_although_the_study_makes_the_page_without_it(
    start: Callable[[], Phone], chromium: Chromium, assessment: Assessment, web_site: Site,
    proxy: Proxy, watch: Watch,
) -> None:  # fmt: skip
    """The page shows what the study has when the browser opens again; the phone knows better."""
    watch.expect("net::ERR_")
    first, second = TAPS[:2]
    phone = start()
    go_to(phone, assessment, f"/items/{first.n}", network=True)
    phone.at(first.n)
    first.do(phone)
    settled(phone)
    proxy.befall(".*", network.reset)
    with phone.page.expect_console_message(lambda said: "net::ERR_" in said.text):
        second.do(phone)
    phone.waiting(1)
    chromium.kill()
    proxy.heal()
    phone = start()
    go_to(phone, assessment, f"/items/{first.n}", network=True)
    phone.at(second.n)
    settled(phone)
    phone.has_chosen(second.chosen)
    record.eventually(lambda: tapped(web_site, assessment), EXPECTED[:2])  # sent by page or worker
    assert record.values(web_site, assessment)["LQ23"] == second.code
