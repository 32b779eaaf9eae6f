"""One person, two phones: nothing is overwritten by what is older, and each learns of the other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import Route

from tests.browser import record
from tests.browser.conftest import Phones, Watch
from tests.browser.people import Phone
from tests.browser.test_network import time_passes
from tests.conftest import Enrolled, Site, TestClock


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol()


def second_phone(phones: Phones, site: Site, person: Enrolled) -> Phone:
    """The same person joins with another one by a new code."""
    return phones.of(replace(person, code=site.new_code(person)), own_time=True)


def test_the_other_phone_goes_on_where_the_first_one_stopped(
    phones: Phones, web_site: Site, person: Enrolled
) -> None:
    lupusqol, _ = web_site.open(person)
    old = phones.of(person)
    old.open("/today")
    old.start(1)
    old.answer({1: 0, 2: 1, 3: 2})
    old.at(4)
    old.nothing_waits()
    new = second_phone(phones, web_site, person)
    new.open("/today")
    new.start(1)
    new.at(4)
    new.has_chosen(None)
    for n in (3, 2, 1):
        new.back()
        new.at(n)
        new.has_chosen(n - 1)
    assert record.values(web_site, lupusqol) == {"LQ01": 0, "LQ02": 1, "LQ03": 2}


def test_both_answer_and_the_newer_answer_counts(
    phones: Phones, web_site: Site, person: Enrolled, clock: TestClock
) -> None:
    lupusqol, _ = web_site.open(person)
    address = f"/questionnaires/{lupusqol.public_id}/items/4"
    old, new = phones.of(person, own_time=True), second_phone(phones, web_site, person)
    for phone in (old, new):
        phone.open(address)
        phone.at(4)
    new.choose(1)
    new.saved()
    new.next()
    new.at(5)
    new.choose(2)
    new.saved()
    clock.forward(minutes=1)
    old.has_chosen(None)
    old.choose(3)  # newer than the other phone's answer to the same question
    old.saved()
    old.has_chosen(3)
    old.next()
    old.at(5)
    old.has_chosen(2)  # learnt with the last save
    clock.forward(minutes=1)
    new.choose(0)
    new.saved()
    new.back()
    new.at(4)
    new.has_chosen(3)  # and the other way round
    assert record.values(web_site, lupusqol) == {"LQ04": 3, "LQ05": 0}
    rows = record.taps(web_site, lupusqol)
    assert [(row.item, row.code) for row in rows] == [
        ("LQ04", 1), ("LQ05", 2), ("LQ04", 3), ("LQ05", 0),
    ]  # fmt: skip
    assert len({row.device_id for row in rows}) == 2


def test_an_old_tap_that_comes_late_does_not_overwrite(
    phones: Phones, web_site: Site, person: Enrolled, watch: Watch, clock: TestClock
) -> None:
    watch.expect("ERR_INTERNET_DISCONNECTED")
    lupusqol, _ = web_site.open(person)
    address = f"/questionnaires/{lupusqol.public_id}/items/4"
    old, new = phones.of(person, own_time=True), second_phone(phones, web_site, person)
    for phone in (old, new):
        phone.open(address)
        phone.at(4)
    old.page.context.set_offline(True)
    old.choose(1)
    old.waiting(1)
    time_passes(old, clock, 300)
    new.choose(4)
    new.saved()
    with old.page.expect_event("requestfailed"):  # or the network came back during a try
        time_passes(old, clock, 300)
    old.waiting(1)
    old.page.context.set_offline(False)
    old.saved()
    old.has_chosen(4)  # the page shows what counts
    assert record.values(web_site, lupusqol) == {"LQ04": 4}
    assert [row.code for row in record.taps(web_site, lupusqol, "LQ04")] == [4, 1]


def test_what_one_phone_clears_or_submits_the_other_learns(
    phones: Phones, web_site: Site, person: Enrolled, clock: TestClock, watch: Watch
) -> None:
    lupusqol, _ = web_site.open(person)
    web_site.answer_all(lupusqol, place=2)
    clock.forward(minutes=1)
    address = f"/questionnaires/{lupusqol.public_id}/items/4"
    old, new = phones.of(person), second_phone(phones, web_site, person)
    for phone in (old, new):
        phone.open(address)
        phone.at(4)
        phone.has_chosen(2)
    new.clear()
    new.nothing_waits()
    clock.forward(minutes=1)
    old.next()
    old.at(5)
    old.choose(0)
    old.saved()
    old.back()
    old.at(4)
    old.has_chosen(None)
    old.choose(1)
    old.saved()
    new.open(f"/questionnaires/{lupusqol.public_id}/review")
    new.submit()
    receipt = new.receipt()
    clock.forward(minutes=1)
    old.choose(3)
    old.is_told("closed")
    assert record.values(web_site, lupusqol)["LQ04"] == 1
    assert record.taps(web_site, lupusqol, "LQ04")[-1].standing == "after_submission"
    old.open(f"/questionnaires/{lupusqol.public_id}")
    assert old.receipt() == receipt


def test_news_of_another_phone_does_not_cover_what_was_just_tapped(
    phones: Phones, web_site: Site, person: Enrolled, clock: TestClock
) -> None:
    """The study's answer to the first tap tells of question 2; by then it is answered here, too."""
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    web_site.answer(lupusqol, {"LQ02": 0})
    clock.forward(seconds=5)
    asked: list[Route] = []

    def hold(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    phone.page.route("**/answers", hold)
    with phone.page.expect_request("**/answers"):
        phone.choose(1)
    phone.next()
    phone.at(2)
    phone.choose(3)
    asked[0].continue_()
    phone.saved()
    phone.has_chosen(3)
    assert len(asked) > 1
    assert record.values(web_site, lupusqol) == {"LQ01": 1, "LQ02": 3}
