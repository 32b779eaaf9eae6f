"""A page left open: the PIN is asked for, and what was answered is not lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.browser import record
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Watch
from tests.browser.people import expect
from tests.conftest import PIN, Site, TestClock

LOCKED, REFUSED = "status of 401", "status of 422"
AWAY = [timedelta(minutes=31), timedelta(hours=13)]
AWAY_NAMES = ["half an hour", "overnight"]
WRONG = "975310"


@pytest.mark.parametrize("away", AWAY, ids=AWAY_NAMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pin_is_asked_over_the_question(
    phones: Phones,
    web_site: Site,
    watch: Watch,
    clock: TestClock,
    away: timedelta,
    language: str,
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol(language=language)
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.start(1)
    phone.answer({1: 1})
    phone.at(2)
    phone.nothing_waits()
    clock.now += away
    phone.choose(2)
    expect(phone.dialog).to_be_visible()
    expect(phone.dialog.locator("#pin")).to_be_focused()
    for _ in range(3):  # some browsers close it at the second
        phone.page.keyboard.press("Escape")
        expect(phone.dialog).to_be_visible()
    phone.unlock_here(WRONG)
    expect(phone.dialog.locator("[role=alert]")).to_be_visible()
    expect(phone.dialog.locator("[role=alert]")).not_to_have_text("")
    assert record.values(web_site, lupusqol) == {"LQ01": 1, "LQ02": 2}, "taken"
    phone.unlock_here(PIN)
    expect(phone.dialog).to_have_count(0)
    phone.saved()
    phone.at(2)
    phone.has_chosen(2)
    phone.next()
    phone.at(3)
    phone.choose(3)
    phone.saved()
    assert phone.path.endswith("/items/3")
    taps = record.taps(web_site, lupusqol)
    assert [(row.item, row.code) for row in taps] == [("LQ01", 1), ("LQ02", 2), ("LQ03", 3)]


def test_going_on_after_the_pin_needs_no_second_press(
    phones: Phones, web_site: Site, clock: TestClock
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/34")
    phone.at(34)
    clock.forward(minutes=31)
    phone.page.locator(".opt").nth(2).locator("input").evaluate(
        "option => { option.click(); document.querySelector('.foot button[value=next]').click(); }"
    )
    expect(phone.dialog).to_be_visible()
    phone.unlock_here()
    phone.sees("Q90")
    assert record.values(web_site, lupusqol) == {"LQ34": 2}


@pytest.mark.parametrize("away", AWAY, ids=AWAY_NAMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_script_the_answer_is_carried_through_the_pin_page(
    phones: Phones,
    web_site: Site,
    watch: Watch,
    clock: TestClock,
    away: timedelta,
    language: str,
) -> None:
    watch.expect(LOCKED, REFUSED)
    person = web_site.enrol(language=language)
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, javascript=False)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/2")
    phone.choose(2)
    clock.now += away
    phone.next()
    phone.unlock(WRONG)
    phone.is_told_of_a_fault()
    assert record.values(web_site, lupusqol) == {}
    phone.unlock()
    phone.at(3)
    phone.reads(language)
    taps = record.taps(web_site, lupusqol)
    assert [(row.item, row.code, row.language) for row in taps] == [("LQ02", 2, language)]


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_a_lost_session_cookie_costs_no_answer(
    phones: Phones, web_site: Site, watch: Watch, javascript: bool
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, javascript=javascript)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/2")
    phone.at(2)
    phone.forget("session")
    phone.choose(2)
    if javascript:
        phone.unlock_here()
        expect(phone.dialog).to_have_count(0)
        phone.saved()
    else:
        watch.expect(LOCKED)
        phone.next()
        phone.unlock()
        phone.at(3)
    assert record.values(web_site, lupusqol) == {"LQ02": 2}


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_a_page_from_before_another_unlocking_still_saves(
    phones: Phones, web_site: Site, watch: Watch, javascript: bool
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, javascript=javascript)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/2")
    phone.at(2)
    phone.forget("session")
    other = phone.another_window()
    other.open("/today")
    other.unlock()
    other.sees("P2")
    phone.choose(2)
    if javascript:
        phone.saved()
        expect(phone.dialog).to_have_count(0)
    else:
        watch.expect("status of 400")
        phone.next()
        phone.sees("E3")
        phone.go_on()
        phone.at(3)
    assert record.values(web_site, lupusqol) == {"LQ02": 2}


def test_the_review_left_overnight_is_submitted_and_its_receipt_is_behind_the_pin(
    phones: Phones, web_site: Site, clock: TestClock
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer_all(lupusqol)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/review")
    clock.forward(hours=13)
    phone.submit()
    phone.unlock()
    phone.receipt()
    assert len(record.submissions(web_site, lupusqol)) == 1


def test_five_wrong_pins_say_how_long_to_wait_and_keep_the_answer(
    phones: Phones, web_site: Site, watch: Watch, clock: TestClock
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/2")
    phone.at(2)
    clock.forward(minutes=31)
    phone.choose(2)
    pin = phone.dialog.locator("#pin")
    for _ in range(5):
        phone.unlock_here(WRONG)
        expect(pin).to_have_value("")  # emptied by the refusal, and not later
    expect(phone.dialog.locator("[role=alert]")).to_contain_text("15")
    phone.unlock_here(PIN)
    expect(pin).to_have_value("")
    expect(phone.dialog).to_be_visible()
    clock.forward(minutes=16)
    phone.unlock_here(PIN)
    phone.saved()
    assert record.values(web_site, lupusqol) == {"LQ02": 2}


def test_locking_by_hand_asks_for_the_pin(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    phone = phones.of(person)
    phone.open("/today")
    phone.page.locator("footer form button").click()
    phone.sees("P1")
    phone.page.go_back()
    phone.sees("P1")
    phone.unlock()
    phone.sees("P2")
