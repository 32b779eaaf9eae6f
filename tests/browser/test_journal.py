"""What the browser's own storage does to a page: it fails in the middle, is full for a while, is
wiped or cannot keep a key. What was tapped is there all the same, or the page says it is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from pro_app.models import Assessment
from tests.browser import record
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.people import Phone
from tests.browser.test_offline import REFUSED, answer_all, cold, network_is_back, prepared
from tests.conftest import Enrolled, Site

FAILING = """(name) => {
  const real = IDBObjectStore.prototype[name];
  self.broken = 0;
  IDBObjectStore.prototype[name] = function (...given) {
    const request = real.apply(this, given);
    if (self.broken-- > 0) this.transaction.abort();
    return request;
  };
}"""
FULL = """() => {
  const real = IDBObjectStore.prototype.add;
  self.full = true;
  IDBObjectStore.prototype.add = function (...given) {
    if (self.full) throw new DOMException('the disk is full', 'QuotaExceededError');
    return real.apply(this, given);
  };
}"""


Ready = tuple[Phone, Enrolled, list[Assessment]]


@pytest.fixture
def ready(phones: Phones, web_site: Site) -> Ready:
    """A phone that has at hand what it needs without network."""
    return prepared(phones, web_site)


@pytest.fixture
def without(watch: Watch) -> None:
    """The network will be gone."""
    watch.expect(REFUSED)


def wipe(phone: Phone) -> None:
    """The browser throws its databases away while the page is open."""
    session = phone.page.context.new_cdp_session(phone.page)
    session.send("Storage.clearDataForOrigin", {"origin": phone.url, "storageTypes": "indexeddb"})


@pytest.mark.usefixtures("without")
def test_after_a_read_that_failed_taps_are_written_as_before(
    ready: Ready, web_site: Site, server: Server
) -> None:
    """An iPhone drops the connection while the app is in the background."""
    phone, _, (lupusqol, _) = ready
    server.go_away()
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.answer({1: 1})
    phone.at(2)
    phone.waiting(1)
    phone.page.evaluate(FAILING, "getAll")
    phone.page.evaluate(
        """() => {
          self.broken = 2;
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    phone.comes_true("() => self.broken < 1")
    phone.answer({2: 2})
    phone.at(3)
    phone.waiting(2)
    phone = cold(phone, f"/questionnaires/{lupusqol.public_id}/items/2")
    phone.at(2)
    phone.has_chosen(2)
    server.come_back()
    network_is_back(phone)
    record.eventually(lambda: record.values(web_site, lupusqol), {"LQ01": 1, "LQ02": 2})


@pytest.mark.usefixtures("without")
def test_what_a_full_disk_did_not_take_is_written_once_there_is_room(
    ready: Ready, web_site: Site, server: Server
) -> None:
    phone, _, (lupusqol, _) = ready
    server.go_away()
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    phone.page.evaluate(FULL)
    phone.choose(1)
    phone.must_stay()
    phone.page.evaluate("self.full = false")
    phone.choose(3)
    phone.waiting(2)
    phone = cold(phone, f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    phone.has_chosen(3)
    server.come_back()
    network_is_back(phone)
    record.eventually(lambda: record.values(web_site, lupusqol), {"LQ01": 3})
    rows = record.taps(web_site, lupusqol)
    assert [(row.code, row.sequence) for row in rows] == [(1, 1), (3, 2)]


@pytest.mark.usefixtures("without")
def test_what_is_tapped_after_the_memory_was_wiped_is_the_newest(
    ready: Ready, web_site: Site, server: Server
) -> None:
    phone, _, (lupusqol, _) = ready
    phone.start(1)
    phone.answer({1: 1, 2: 1, 3: 1})
    phone.at(4)
    phone.nothing_waits()
    for _ in range(3):
        phone.back()
    phone.at(1)
    wipe(phone)
    server.go_away()
    phone.choose(3)
    phone.waiting(1)
    server.come_back()
    network_is_back(phone)
    phone.saved()
    assert record.values(web_site, lupusqol) == {"LQ01": 3, "LQ02": 1, "LQ03": 1}
    rows = record.taps(web_site, lupusqol)
    assert len({row.journal for row in rows}) == 2, "a journal that counts anew is another one"
    phone.open("/today")
    phone.is_prepared()
    expect(phone.page.locator("[data-lost]")).to_have_count(0)


@pytest.mark.usefixtures("without")
def test_a_browser_that_keeps_no_key_keeps_nothing_and_says_so(
    phones: Phones, web_site: Site, server: Server
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.page.add_init_script(
        """
        const real = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (value, ...where) {
          if (value instanceof CryptoKey) throw new DOMException('no keys here', 'DataCloneError');
          return real.call(this, value, ...where);
        };
        """
    )
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    server.go_away()
    for n, place in ((1, 1), (2, 2)):
        phone.at(n)
        phone.choose(place)
        phone.must_stay()
        phone.next()
    server.come_back()
    network_is_back(phone)
    record.eventually(lambda: record.values(web_site, lupusqol), {"LQ01": 1, "LQ02": 2})


@pytest.mark.usefixtures("without")
def test_a_submission_that_is_in_memory_alone_is_not_left(
    ready: Ready, web_site: Site, server: Server
) -> None:
    phone, _, (lupusqol, _) = ready
    server.go_away()
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    answer_all(phone)
    phone.sees("Q90")
    phone.page.evaluate(FULL)
    phone.submit()
    told = phone.page.locator("[data-unsent]")
    expect(told).to_be_visible()
    expect(told).to_contain_text("keep this page open")
    phone.sees("Q90")
    server.come_back()
    network_is_back(phone)
    phone.receipt()
    assert len(record.submissions(web_site, lupusqol)) == 1


def test_signing_out_removes_nothing_where_nobody_can_see_what_waits(
    phones: Phones, web_site: Site
) -> None:
    phone = phones.of(web_site.enrol())
    phone.open("/phone/sign-out")
    phone.page.locator("form[data-ready]").wait_for()
    phone.page.evaluate(FAILING, "count")
    phone.page.evaluate("self.broken = 9")
    phone.go_on()
    expect(phone.page.locator("main form [role=status]")).not_to_have_text("")
    expect(phone.page.locator("main .btn").first).to_be_enabled()
    phone.open("/today")
    phone.sees("P2")


# --- other things that hold a page up ------------------------------------------------------------


def test_what_cannot_be_sent_of_one_questionnaire_holds_up_no_other(
    ready: Ready, web_site: Site, server: Server, watch: Watch
) -> None:
    """The visit was moved while the phone had no network: the study takes its answers later."""
    watch.expect(REFUSED, "status of 409")
    phone, _, (lupusqol, sf36) = ready
    server.go_away()
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.answer({1: 1})
    phone.at(2)
    phone.waiting(1)
    with web_site.database.writing() as session:
        session.get_one(Assessment, lupusqol.id).opens_at += timedelta(days=1)
        session.get_one(Assessment, lupusqol.id).due_at += timedelta(days=1)
    server.come_back()
    phone.open(f"/questionnaires/{sf36.public_id}/items/1")
    phone.at(1)
    phone.choose(1)
    phone.saved()
    phone.close()
    phone.sees("P2")
    assert len(record.values(web_site, sf36)) == 1


def test_a_window_that_sleeps_with_the_lock_holds_up_no_other_for_long(
    phones: Phones, web_site: Site
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.page.add_init_script(
        "const real = AbortSignal.timeout; AbortSignal.timeout = (ms) => real(ms / 10)"
    )
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    other = phone.another_window()
    other.open("/notice")
    other.page.evaluate("void navigator.locks.request('journal', () => new Promise(() => {}))")
    phone.choose(1)
    phone.saved()
    assert record.values(web_site, lupusqol) == {"LQ01": 1}


def test_two_windows_show_the_same_answer(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    other = phone.another_window()
    for window in (phone, other):
        window.open(f"/questionnaires/{lupusqol.public_id}/items/1")
        window.at(1)
    other.choose(0)
    other.saved()
    phone.has_chosen(0)
    phone.choose(2)
    phone.saved()
    other.has_chosen(2)
    other.choose(0)
    other.saved()
    phone.has_chosen(0)
    assert record.values(web_site, lupusqol) == {"LQ01": 0}


# --- the lock ------------------------------------------------------------------------------------


def test_a_locked_phone_asks_for_the_pin_without_network_in_every_window(
    ready: Ready, server: Server
) -> None:
    phone, _, _ = ready
    other = phone.another_window()
    other.open("/today")
    other.sees("P2")
    other.is_prepared()
    phone.page.locator("footer form button").click()
    phone.sees("P1")
    phone.page.locator("form[data-pin][data-ready]").wait_for()
    server.go_away()
    for window in (phone, other):
        window.open("/today")
        window.sees("N2")
    phone.unlock_without_network()
    phone.sees("N3")
    phone.open("/today")
    phone.sees("N3")


def test_two_quick_presses_are_one_try_of_a_pin(ready: Ready, server: Server) -> None:
    phone, _, _ = ready
    server.go_away()
    phone = cold(phone, pin=None)
    phone.sees("N2")
    for _ in range(4):
        phone.page.locator("#offline-pin").fill("975310")
        phone.page.locator("main .btn").first.dblclick()
        expect(phone.page.locator("#offline-pin")).to_have_value("")
        expect(phone.page.locator("main .btn").first).to_be_enabled()
    phone.unlock_without_network()
    phone.sees("N3")
    expect(phone.page.locator(".card")).to_have_count(2)
    expect(phone.page.locator("h1")).to_be_focused()


def test_a_questionnaire_that_is_not_on_the_phone_hides_no_other(
    ready: Ready, server: Server, watch: Watch
) -> None:
    watch.expect("ERR_FAILED")
    phone, _, _ = ready
    forget = """async () => {
      const sheets = await caches.open('sheets');
      const [first] = await sheets.keys();
      await sheets.delete(first);
    }"""
    session = phone.page.context.new_cdp_session(phone.page)
    session.send("Network.clearBrowserCache")
    phone.page.evaluate(forget)
    server.go_away()
    phone.open("/today")
    phone.sees("N3")
    expect(phone.page.locator(".card")).to_have_count(1)
    phone.page.evaluate(forget)
    phone.open("/today")
    phone.sees("N1")
