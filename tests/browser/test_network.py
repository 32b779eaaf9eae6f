"""The network comes and goes: answering goes on, and every tap is in the record once."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from playwright.sync_api import Dialog, Request, Route, expect

from tests.browser import record
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.people import Phone
from tests.conftest import Site, TestClock

REFUSED = "ERR_CONNECTION_REFUSED"
LONGEST_WAIT = 31  # seconds between two tries, at most, and one
TRIES = 3


def time_passes(phone: Phone, clock: TestClock, seconds: int) -> None:
    """On the phone and everywhere else."""
    clock.forward(seconds=seconds)
    phone.page.clock.fast_forward(seconds * 1000)


def comes_through(phone: Phone, clock: TestClock) -> None:
    """The network is back, and what waits is sent by itself.

    If a try had failed only just then, the next was planned after the time had passed: more passes.
    """
    for _ in range(TRIES):
        time_passes(phone, clock, LONGEST_WAIT)
        with suppress(AssertionError):
            return phone.saved()
    raise AssertionError("nothing is sent by itself")


def test_answering_goes_on_while_the_server_is_away(
    phones: Phones, web_site: Site, server: Server, watch: Watch, clock: TestClock
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol(language="ms")
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, own_time=True)
    phone.open("/today")
    phone.start(1)
    phone.at(1)
    phone.choose(1)
    phone.saved()
    server.go_away()
    tapped: list[datetime] = []
    for n in range(2, 7):
        phone.next()
        phone.at(n)
        time_passes(phone, clock, 60)
        tapped.append(clock())
        phone.choose(n % 5)
        phone.waiting(n - 1)
    phone.back()
    phone.at(5)
    phone.has_chosen(0)
    time_passes(phone, clock, 60)
    tapped.append(clock())
    phone.choose(4)
    phone.waiting(6)
    time_passes(phone, clock, 600)
    phone.waiting(6)

    server.come_back()
    comes_through(phone, clock)
    rows = record.taps(web_site, lupusqol)
    assert [row.item for row in rows] == ["LQ01", "LQ02", "LQ03", "LQ04", "LQ05", "LQ06", "LQ05"]
    assert [row.code for row in rows] == [1, 2, 3, 4, 0, 1, 4]
    for row, moment in zip(rows[1:], tapped, strict=True):
        assert row.device_time is not None
        device_time = datetime.fromisoformat(row.device_time)
        assert device_time.utcoffset() == timedelta(hours=8)
        assert abs(device_time - moment) < timedelta(seconds=30)
        assert abs(row.answered_at - moment) < timedelta(seconds=30)
        assert row.received_at - row.answered_at > timedelta(minutes=10)
    assert record.values(web_site, lupusqol)["LQ05"] == 4
    phone.page.reload()
    phone.at(5)
    phone.has_chosen(4)


def test_where_nothing_can_be_kept_the_page_is_not_left_by_accident(
    phones: Phones, web_site: Site, server: Server, watch: Watch, clock: TestClock
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, own_time=True)
    phone.keeps_nothing()
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/4")
    phone.at(4)
    server.go_away()
    phone.choose(2)
    phone.must_stay()
    with phone.page.expect_event("requestfailed"):  # it tries once more before it stays
        phone.close()
    phone.must_stay()
    phone.at(4)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    phone.page.on("dialog", stay)
    with phone.page.expect_event("dialog"):
        phone.page.evaluate("location.href = '/today'")
    phone.at(4)
    assert asked == ["beforeunload"]
    server.come_back()
    comes_through(phone, clock)
    phone.close()
    phone.sees("P2")
    assert record.values(web_site, lupusqol) == {"LQ04": 2}


def test_what_waits_outlives_the_page(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/4")
    phone.at(4)
    server.go_away()
    phone.choose(2)
    phone.waiting(1)
    phone.page.close()
    server.come_back()
    phone = Phone(phone.page.context.new_page(), phone.url, phone.javascript)
    phone.open("/today")
    record.eventually(lambda: record.values(web_site, lupusqol), {"LQ04": 2})
    expect(phone.page.locator(".card .btn").first).to_have_text("Continue at question 1")
    assert [row.code for row in record.taps(web_site, lupusqol)] == [2]


def test_the_language_waits_for_the_network_and_says_so(
    phones: Phones, web_site: Site, server: Server, watch: Watch, clock: TestClock
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, own_time=True)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/4")
    phone.at(4)
    server.go_away()
    phone.choose(2)
    phone.waiting(1)
    phone.page.locator(".menu summary").click()
    phone.page.locator("button[name=language][value=ta]").click()
    phone.is_told("language")
    phone.at(4)
    phone.has_chosen(2)
    phone.reads("en")
    server.come_back()
    comes_through(phone, clock)
    phone.page.locator("button[name=language][value=ta]").click()
    phone.reads("ta")
    phone.at(4)
    phone.has_chosen(2)


def test_a_lost_response_makes_no_second_row(
    phones: Phones, web_site: Site, watch: Watch, clock: TestClock
) -> None:
    watch.expect("ERR_FAILED")
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, own_time=True)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    lost: list[int] = []

    def lose(route: Route) -> None:
        lost.append(route.fetch().status)
        route.abort()

    def has_the_third(request: Request) -> bool:
        return "LQ03" in (request.post_data or "")

    phone.page.route("**/answers", lose)
    with phone.page.expect_event("requestfailed", has_the_third):
        for n in (1, 2, 3):
            phone.at(n)
            phone.choose(n)
            phone.next()
    phone.at(4)
    phone.waiting(3)
    phone.page.unroute_all(behavior="wait")
    assert lost
    assert set(lost) == {200}
    assert [row.item for row in record.taps(web_site, lupusqol)] == ["LQ01", "LQ02", "LQ03"]
    phone.back()
    phone.at(3)
    comes_through(phone, clock)
    rows = record.taps(web_site, lupusqol)
    assert [(row.item, row.code) for row in rows] == [("LQ01", 1), ("LQ02", 2), ("LQ03", 3)]


def test_a_quick_change_of_mind_counts_though_the_first_tap_was_long_on_its_way(
    phones: Phones, web_site: Site, clock: TestClock
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, own_time=True)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    held: list[Route] = []
    phone.page.route("**/answers", lambda route: held.append(route), times=1)
    with phone.page.expect_request("**/answers"):
        phone.choose(1)
    time_passes(phone, clock, 3)
    phone.choose(3)
    phone.has_chosen(3)
    time_passes(phone, clock, 3)
    held[0].continue_()
    phone.saved()
    assert [row.code for row in record.taps(web_site, lupusqol)] == [1, 3]
    assert record.values(web_site, lupusqol) == {"LQ01": 3}


def test_leaving_for_the_review_waits_until_all_is_saved(
    phones: Phones, web_site: Site, server: Server, watch: Watch, clock: TestClock
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer(lupusqol, {f"LQ{n:02}": 1 for n in range(1, 34)})
    phone = phones.of(person, own_time=True)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/34")
    phone.at(34)
    server.go_away()
    phone.choose(3)
    phone.waiting(1)
    with phone.page.expect_event("requestfailed"):  # it tries once more before it stays
        phone.next()
    phone.waiting(1)
    phone.at(34)
    server.come_back()
    comes_through(phone, clock)
    phone.next()
    phone.submit()
    phone.receipt()
    assert record.values(web_site, lupusqol)["LQ34"] == 3
