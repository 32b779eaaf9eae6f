"""Without network, from a cold start: open, answer, review, submit; nothing is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from pro_app.models import Assessment
from pro_app.services import journals
from tests.browser import record
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.people import Phone
from tests.conftest import PIN, Enrolled, Site, TestClock
from tests.services import going_live

REFUSED = "ERR_CONNECTION_REFUSED"
EVERYTHING = {f"LQ{n:02}": n % 5 for n in range(1, 35)}


def prepared(
    phones: Phones, site: Site, language: str = "en", **options: Any
) -> tuple[Phone, Enrolled, list[Assessment]]:
    """A phone whose person has opened it with the PIN, and what is open."""
    person = site.enrol(language=language)
    opened = list(site.open(person))
    phone = phones.of(person, unlocked=False, **options)
    phone.open("/today")
    phone.unlock()
    phone.sees("P2")
    phone.is_prepared()
    return phone, person, opened


def cold(phone: Phone, path: str = "/", pin: str | None = PIN) -> Phone:
    """The app is started anew: no page of it was open."""
    context = phone.page.context
    fresh = Phone(context.new_page(), phone.url, phone.javascript)
    phone.page.close()
    fresh.open(path)
    if pin is not None:
        fresh.unlock_without_network(pin)
    return fresh


def untold(site: Site, person: Enrolled) -> int:
    """How many answers were lost that the person does not know of yet."""
    with site.database.reading() as database:
        return journals.untold(database, person.id)


def answer_all(phone: Phone) -> None:
    """All 34 items, from the first one on."""
    phone.answer({n: n % 5 for n in range(1, 35)})


def network_is_back(phone: Phone) -> None:
    """What a browser says when it is."""
    phone.page.evaluate("dispatchEvent(new Event('online'))")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_whole_questionnaire_from_a_cold_start(
    phones: Phones, web_site: Site, server: Server, watch: Watch, language: str
) -> None:
    watch.expect(REFUSED)
    phone, _, (lupusqol, _) = prepared(phones, web_site, language)
    server.go_away()
    phone = cold(phone)
    phone.sees("N3")
    phone.reads(language)
    phone.page.locator(".card .btn").first.click()
    phone.sees("Q1")
    phone.go_on()
    answer_all(phone)
    phone.sees("Q90")
    phone.change(7)
    phone.choose(4)
    phone.next()
    phone.submit()
    phone.sees("N4")
    phone = cold(phone, "/today")
    phone.sees("N3")
    expect(phone.page.locator(".card:not(.install)")).to_have_count(1)
    phone.open(f"/questionnaires/{lupusqol.public_id}")
    phone.sees("N4")
    assert record.taps(web_site, lupusqol) == []
    server.come_back()
    network_is_back(phone)
    receipt = phone.receipt()
    (submission,) = record.submissions(web_site, lupusqol)
    assert submission.receipt.upper().startswith(receipt.replace("-", ""))
    assert record.values(web_site, lupusqol) == {**EVERYTHING, "LQ07": 4}
    taps = record.taps(web_site, lupusqol)
    assert len(taps) == 35
    assert {row.language for row in taps} == {language}
    for row in taps:
        assert row.device_time is not None
        assert row.skew_ms is not None
        assert datetime.fromisoformat(row.device_time).utcoffset() == timedelta(hours=8)
    assert [row.sequence for row in taps] == sorted({row.sequence for row in taps})
    phone.go_on()
    phone.sees("P2")
    expect(phone.page.locator(".card:not(.install)")).to_have_count(1)


def test_going_offline_in_the_middle_and_back(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect(REFUSED)
    phone, _, (lupusqol, _) = prepared(phones, web_site)
    phone.start(1)
    phone.answer({1: 1, 2: 2})
    phone.at(3)
    phone.nothing_waits()
    server.go_away()
    phone.answer({3: 3})
    phone.at(4)
    phone.close()
    phone.sees("N3")
    link = phone.page.locator(".card .btn").first
    expect(link).to_have_text("Continue at question 4")
    link.click()
    phone.at(4)
    phone.back()
    phone.at(3)
    phone.has_chosen(3)
    server.come_back()
    network_is_back(phone)
    phone.saved()
    phone.close()
    phone.sees("P2")
    assert record.values(web_site, lupusqol) == {"LQ01": 1, "LQ02": 2, "LQ03": 3}


def test_what_waits_is_sent_though_no_page_is_open(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect(REFUSED)
    phone, _, (lupusqol, _) = prepared(phones, web_site)
    server.go_away()
    phone = cold(phone, f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.answer({1: 1, 2: 2})
    phone.at(3)
    phone.waiting(2)
    empty = phone.page.context.new_page()
    phone.page.close()
    server.come_back()
    found: list[str] = []
    session = phone.page.context.new_cdp_session(empty)
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(one["registrationId"] for one in event["registrations"]),
    )
    session.send("ServiceWorker.enable")
    empty.goto("about:blank")
    assert found
    background_sync = {"origin": phone.url, "registrationId": found[0], "tag": "journal"}
    session.send("ServiceWorker.dispatchSyncEvent", {**background_sync, "lastChance": False})
    record.eventually(lambda: record.values(web_site, lupusqol), {"LQ01": 1, "LQ02": 2})


def test_the_pin_opens_without_network_and_no_other_number_does(
    phones: Phones, web_site: Site, server: Server
) -> None:
    phone, _, _ = prepared(phones, web_site)
    server.go_away()
    phone = cold(phone, pin="975310")
    expect(phone.page.locator(".fault")).to_be_visible()
    phone.unlock_without_network(PIN)
    phone.sees("N3")
    phone = cold(phone, pin="975310")
    for _ in range(4):
        expect(phone.page.locator("#offline-pin")).to_have_value("")
        phone.unlock_without_network("975310")
    phone.sees("N1")
    expect(phone.page.locator("main")).to_contain_text("There were 5 wrong PINs.")
    phone = cold(phone, pin=None)  # from now on only the study can tell, and that is said at once
    phone.sees("N1")
    expect(phone.page.locator("main")).to_contain_text("There were 5 wrong PINs.")
    server.come_back()
    phone.open("/today")
    phone.sees("P2")  # the study has let the person in, by whichever way
    phone.is_prepared()
    server.go_away()
    phone = cold(phone, pin=PIN)
    phone.sees("N3")


def test_an_idle_phone_asks_for_the_pin_again(
    phones: Phones, web_site: Site, server: Server
) -> None:
    phone, _, _ = prepared(phones, web_site)
    server.go_away()
    phone.open("/today")
    phone.sees("N3")
    phone.page.evaluate("sessionStorage.opened = Date.now() - 31 * 60_000")
    phone.open("/today")
    phone.sees("N2")


def test_what_was_done_inside_the_window_counts_days_after_it(
    phones: Phones, web_site: Site, server: Server, watch: Watch, clock: TestClock
) -> None:
    watch.expect(REFUSED)
    phone, _, (lupusqol, _) = prepared(phones, web_site, own_time=True)
    server.go_away()
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    answer_all(phone)
    phone.submit()
    phone.sees("N4")
    clock.forward(days=8)
    phone.page.clock.fast_forward(8 * 24 * 3600 * 1000)
    assert clock() > lupusqol.closes_at + timedelta(days=4)
    server.come_back()
    network_is_back(phone)
    phone.receipt()
    (submission,) = record.submissions(web_site, lupusqol)
    assert not submission.late
    assert submission.submit_tapped_at is not None
    assert submission.submit_tapped_at < lupusqol.closes_at < submission.submitted_at
    assert record.values(web_site, lupusqol) == EVERYTHING


def test_a_window_that_closed_meanwhile_is_said_to_be_closed(
    phones: Phones, web_site: Site, server: Server, clock: TestClock
) -> None:
    phone, _, (lupusqol, _) = prepared(phones, web_site, own_time=True)
    server.go_away()
    clock.forward(days=8)
    phone.page.clock.fast_forward(8 * 24 * 3600 * 1000)
    phone.page.evaluate("sessionStorage.opened = Date.now()")
    phone.open(f"/questionnaires/{lupusqol.public_id}")
    phone.sees("Q92")
    phone.open("/today")
    phone.sees("N3")
    expect(phone.page.locator(".card:not(.install)")).to_have_count(0)


def test_what_opens_while_there_is_no_network_can_be_answered(
    phones: Phones, web_site: Site, server: Server, watch: Watch, clock: TestClock
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person, opens=timedelta(days=5), closes=timedelta(days=9))
    phone = phones.of(person, own_time=True)
    phone.open("/today")
    phone.is_prepared()
    server.go_away()
    phone.open("/today")
    phone.sees("N3")
    expect(phone.page.locator(".card:not(.install)")).to_have_count(0)
    clock.forward(days=6)
    phone.page.clock.fast_forward(6 * 24 * 3600 * 1000)
    phone.page.evaluate("sessionStorage.opened = Date.now()")
    phone.open("/today")
    phone.page.locator(".card .btn").first.click()
    phone.go_on()
    phone.answer({1: 1})
    phone.waiting(1)
    server.come_back()
    network_is_back(phone)
    record.eventually(lambda: record.values(web_site, lupusqol), {"LQ01": 1})


@pytest.mark.parametrize("hours", [3, -3], ids=["fast", "slow"])
def test_a_wrong_phone_clock_is_measured_and_flagged(
    phones: Phones, web_site: Site, server: Server, watch: Watch, hours: int, clock: TestClock
) -> None:
    watch.expect(REFUSED)
    phone, _, (lupusqol, _) = prepared(phones, web_site)
    phone.page.context.clock.install(time=clock() + timedelta(hours=hours))
    phone.open("/today")
    phone.is_prepared()
    server.go_away()
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    before = clock()
    phone.answer({1: 1})
    phone.at(2)
    phone.waiting(1)
    clock.forward(minutes=20)
    phone.page.clock.fast_forward(20 * 60 * 1000)
    server.come_back()
    network_is_back(phone)
    record.eventually(lambda: len(record.taps(web_site, lupusqol)), 1)
    (row,) = record.taps(web_site, lupusqol)
    assert row.skew_ms is not None
    assert abs(timedelta(milliseconds=row.skew_ms) - timedelta(hours=hours)) < timedelta(minutes=2)
    assert row.doubt == "skew"
    assert abs(row.answered_at - before) < timedelta(minutes=2)
    assert row.standing == "in_time"


def test_a_cleared_memory_is_noticed_and_said(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect(REFUSED)
    phone, person, (lupusqol, _) = prepared(phones, web_site)
    phone.start(1)
    phone.answer({1: 1, 2: 2})
    phone.at(3)
    phone.nothing_waits()
    server.go_away()
    phone.answer({3: 3, 4: 4})
    phone.at(5)
    phone.waiting(2)
    blank = phone.page.context.new_page()
    phone.page.close()
    session = phone.page.context.new_cdp_session(blank)
    kinds = "indexeddb,cache_storage,service_workers,local_storage"
    session.send("Storage.clearDataForOrigin", {"origin": phone.url, "storageTypes": kinds})
    server.come_back()
    phone = Phone(blank, phone.url, True)
    phone.open("/today")
    notice = phone.page.locator("[data-lost]")
    expect(notice).to_contain_text("2 answers did not reach the study")
    expect(phone.page.locator(".card .btn").first).to_have_text("Continue at question 3")
    phone.page.locator(".card .btn").first.click()
    phone.at(3)
    phone.back()
    phone.has_chosen(2)
    assert record.values(web_site, lupusqol) == {"LQ01": 1, "LQ02": 2}
    phone.open("/today")
    phone.is_prepared()
    notice.locator("button").click()
    expect(notice).to_have_count(0)
    record.eventually(lambda: untold(web_site, person), 0)


def test_a_full_disk_is_said_and_costs_nothing_while_the_page_is_open(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect(REFUSED)
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    phone.page.evaluate(
        """() => {
          IDBObjectStore.prototype.add = () => {
            throw new DOMException('the disk is full', 'QuotaExceededError');
          };
        }"""
    )
    phone.choose(1)
    phone.saved()
    server.go_away()
    phone.next()
    phone.at(2)
    phone.choose(2)
    phone.must_stay()
    server.come_back()
    network_is_back(phone)
    phone.saved()
    assert record.values(web_site, lupusqol) == {"LQ01": 1, "LQ02": 2}


def test_another_person_on_the_phone_sees_nothing_of_the_first(
    phones: Phones, web_site: Site, server: Server
) -> None:
    phone, _, (lupusqol, _) = prepared(phones, web_site)
    phone.start(1)
    phone.answer({1: 1})
    phone.at(2)
    phone.nothing_waits()
    second = web_site.enrol("01-002")
    phone.join(second)
    phone.sees("P2")
    phone.is_prepared()
    server.go_away()
    phone.open("/today")
    phone.sees("N3")
    expect(phone.page.locator(".card:not(.install)")).to_have_count(0)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.sees("N1")


def test_an_entry_that_can_be_read_no_more_holds_up_nobody_and_is_told(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect(REFUSED)
    phone, _, (lupusqol, _) = prepared(phones, web_site)
    server.go_away()
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.answer({1: 1, 2: 2, 3: 3})
    phone.at(4)
    phone.waiting(3)
    phone.page.evaluate(
        """() => new Promise((done) => {
          indexedDB.open('journal').onsuccess = ({ target }) => {
            const change = target.result.transaction('entries', 'readwrite');
            const finding = change.objectStore('entries').openCursor();
            finding.onsuccess = () => {
              const box = { ...finding.result.value, iv: new Uint8Array(12) };
              finding.result.update(box).onsuccess = done;
            };
          };
        })"""
    )
    server.come_back()
    network_is_back(phone)
    record.eventually(lambda: record.values(web_site, lupusqol), {"LQ02": 2, "LQ03": 3})
    phone.open("/today")
    expect(phone.page.locator("[data-lost]")).to_contain_text("1 answer did not reach the study")


@pytest.mark.parametrize("is_test", [True, False])
def test_a_test_participant_of_a_live_study_is_marked(
    phones: Phones, web_site: Site, server: Server, is_test: bool
) -> None:
    going_live.go_live(web_site)
    person = going_live.enrol(web_site, language="en", is_test=is_test)
    web_site.open(person)
    phone = phones.of(person, unlocked=False)
    phone.open("/today")
    phone.unlock()
    phone.sees("P2")
    phone.is_prepared()
    server.go_away()
    phone = cold(phone)
    phone.sees("N3")
    expect(phone.page.locator(".card:not(.install)")).to_have_count(2)
    mark = phone.page.get_by_text("This is a test, not a person of the study.")
    expect(mark).to_be_visible(visible=is_test)
