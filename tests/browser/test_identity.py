"""Icon, links and lost cookies: the same person again, or nobody; never somebody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

import pytest
from playwright.sync_api import expect

from pro_app.models import Device, Participant
from pro_app.services import enrolment
from tests.browser import record
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.people import Phone
from tests.conftest import KEY, Enrolled, Site


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phone_that_lost_its_cookies_joins_again_as_the_same_person(
    phones: Phones, web_site: Site, language: str
) -> None:
    person = web_site.enrol(language=language)
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.start(1)
    phone.answer({1: 1, 2: 2})
    phone.at(3)
    phone.nothing_waits()
    phone.page.context.clear_cookies()
    for path in ("/", "/today", f"/questionnaires/{lupusqol.public_id}/items/3"):
        phone.open(path)
        phone.sees("J1")
    assert record.count(web_site, Participant) == record.count(web_site, Device) == 1

    phone.join(replace(person, code=web_site.new_code(person)))
    phone.at(3)  # where the link had led before
    phone.reads(language)
    phone.back()
    phone.at(2)
    phone.has_chosen(2)
    assert record.count(web_site, Participant) == 1
    assert record.count(web_site, Device) == 2


def test_a_picture_scanned_while_the_page_is_open_fills_the_code_in(
    phones: Phones, web_site: Site
) -> None:
    person = web_site.enrol()
    phone = phones.new()
    phone.open(f"/join/?language={person.language}")
    phone.sees("J1")
    phone.scan(person)
    expect(phone.page.locator("#code")).to_have_value(person.code)
    assert person.code not in phone.page.url


def test_losing_the_device_cookie_alone_keeps_the_open_session(
    phones: Phones, web_site: Site
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    phone.forget("device")
    phone.choose(3)
    phone.saved()
    phone.forget("session")
    phone.open("/")
    phone.sees("J1")
    assert record.count(web_site, Participant) == 1


def test_cookies_lost_in_the_middle_are_said_and_the_answer_waits(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    watch.expect("status of 401")
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    phone.page.context.clear_cookies()
    phone.choose(3)
    phone.is_told("broken")
    assert record.values(web_site, lupusqol) == {}
    other = phone.another_window()  # joined again beside it, the page that waits goes on
    other.join(replace(person, code=web_site.new_code(person)))
    other.sees("P2")
    phone.saved()
    phone.has_chosen(3)
    assert record.values(web_site, lupusqol) == {"LQ01": 3}


def test_the_icon_opens_where_the_person_belongs(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    phone = phones.of(person, unlocked=False)
    phone.open("/")
    phone.unlock()
    phone.sees("P2")
    phone.open("/")
    phone.sees("P2")
    stranger = phones.new()
    stranger.open("/")
    stranger.sees("J1")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_a_link_to_a_locked_phone_leads_to_that_very_questionnaire(
    phones: Phones, web_site: Site, javascript: bool, language: str
) -> None:
    person = web_site.enrol(language=language)
    _, sf36 = web_site.open(person)
    web_site.answer(sf36, {"GH01": 2}, language)
    phone = phones.of(person, unlocked=False, javascript=javascript)
    phone.open(f"/questionnaires/{sf36.public_id}")
    phone.unlock()
    phone.at(2)
    phone.reads(language)
    assert phone.path == f"/questionnaires/{sf36.public_id}/items/2"


def test_somebody_elses_link_says_nothing_about_either(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    watch.expect("status of 404")
    person, other = web_site.enrol("01-001"), web_site.enrol("02-777", "ta")
    theirs, _ = web_site.open(other)
    web_site.answer(theirs, {"LQ01": 2}, "ta")
    web_site.open(person)
    phone = phones.of(person, unlocked=False)
    link = f"/questionnaires/{theirs.public_id}/items/2"
    phone.open(link)
    locked = phone.page.content()
    phone.unlock()
    phone.sees("E1")
    phone.reads("en")
    for text in (locked, phone.page.content()):
        for telling in ("01-001", "02-777", "LupusQoL", "lupusqol", "SF-36", "LQ0"):
            assert telling not in text
    stranger = phones.new()
    stranger.open(link)
    stranger.sees("J1")
    assert theirs.public_id not in stranger.page.content()


def test_a_second_person_on_a_shared_phone_takes_it_over(phones: Phones, web_site: Site) -> None:
    first, second = web_site.enrol("01-001"), web_site.enrol("01-002")
    lupusqol, _ = web_site.open(first)
    phone = phones.of(first, unlocked=False)
    phone.scan(second)
    phone.sees("J1")
    phone.go_on()
    phone.sees("J3")
    assert phone.page.locator(".remark").is_visible()
    phone.accept_notice()
    phone.choose_pin()
    phone.sees("P2")
    expect(phone.page.locator(".card a[href^='/questionnaires/']")).to_have_count(0)
    assert record.values(web_site, lupusqol) == {}


# --- leaving a phone, and what waits on it ------------------------------------------------------

STORED = """async () => {
  const journal = await new Promise((resolve) => {
    const opening = indexedDB.open("journal");
    opening.onupgradeneeded = () => opening.transaction.abort();
    opening.onerror = () => resolve(0);
    opening.onsuccess = () => {
      const counting = opening.result.transaction("entries").objectStore("entries").count();
      counting.onsuccess = () => { opening.result.close(); resolve(counting.result); };
    };
  });
  return { journal, caches: await caches.keys(), local: localStorage.length,
    session: sessionStorage.length,
    workers: (await navigator.serviceWorker.getRegistrations()).length };
}"""
NOTHING = {"journal": 0, "caches": [], "local": 0, "session": 0, "workers": 0}


def is_empty(phone: Phone) -> None:
    """Nothing of anybody is left in the browser but the session of the page that is shown."""
    assert phone.page.evaluate(STORED) == NOTHING
    assert {one["name"] for one in phone.page.context.cookies()} <= {"session"}


def answers_cannot_be_sent(server: Server) -> Callable[[], None]:
    """No answer comes through any more; a call lets them through again."""
    views, name = server.app.view_functions, "questionnaire.take_operations"
    view = views[name]
    views[name] = wraps(view)(lambda **_: ("", 503))
    return lambda: views.update({name: view})


def with_two_answers_that_wait(phones: Phones, person: Enrolled) -> Phone:
    """A phone on which two questions were answered while nothing came through."""
    phone = phones.of(person)
    phone.open("/today")
    phone.start(1)
    phone.at(1)
    phone.answer({1: 1, 2: 2})
    phone.at(3)
    phone.waiting(2)
    return phone


def sign_out(phone: Phone) -> None:
    """On the page that says what it does, sign out."""
    phone.open("/phone/sign-out")
    phone.sees("F3")
    phone.page.locator("form[data-ready]").wait_for()
    phone.go_on()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_signing_out_leaves_nothing_on_the_phone(
    phones: Phones, web_site: Site, javascript: bool
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, javascript=javascript)
    phone.open("/today")
    phone.start(1)
    phone.answer({1: 1})
    phone.at(2)
    phone.nothing_waits()
    phone.open("/today")
    phone.sees("P2")
    if javascript:
        phone.is_prepared()
    phone.page.locator("footer a[href='/phone/']").click()
    phone.sees("F1")
    phone.page.locator("a[href='/phone/sign-out']").click()
    phone.sees("F3")
    if javascript:
        phone.page.locator("form[data-ready]").wait_for()
    phone.go_on()
    phone.sees("F4")
    if javascript:
        is_empty(phone)
    phone.open("/today")
    phone.sees("J1")
    assert record.values(web_site, lupusqol) == {"LQ01": 1}


def test_signing_out_sends_first_what_waits(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect("status of 503")
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    let_through = answers_cannot_be_sent(server)
    phone = with_two_answers_that_wait(phones, person)
    assert record.values(web_site, lupusqol) == {}
    phone.open("/phone/sign-out")
    phone.page.locator("form[data-ready]").wait_for()
    let_through()
    phone.go_on()
    phone.sees("F4")
    assert record.values(web_site, lupusqol) == {"LQ01": 1, "LQ02": 2}
    is_empty(phone)


def test_what_cannot_be_sent_is_told_before_it_is_lost(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect("status of 503")
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    let_through = answers_cannot_be_sent(server)
    phone = with_two_answers_that_wait(phones, person)
    sign_out(phone)
    left = phone.page.locator("[data-left]")
    expect(left).to_contain_text(
        "2 answers have not reached the study. If you sign out now, they are lost."
    )
    left.locator("a").click()  # no, rather not
    phone.sees("P2")
    sign_out(phone)
    expect(left).to_be_visible()
    let_through()
    left.locator("[data-again]").click()
    phone.sees("F4")
    assert record.values(web_site, lupusqol) == {"LQ01": 1, "LQ02": 2}


def test_who_signs_out_anyway_loses_them_and_no_more(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect("status of 503")
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    answers_cannot_be_sent(server)
    phone = with_two_answers_that_wait(phones, person)
    sign_out(phone)
    phone.page.locator("[data-anyway]").click()
    phone.sees("F4")
    is_empty(phone)
    assert record.values(web_site, lupusqol) == {}


def test_without_any_network_nobody_is_half_signed_out(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect("ERR_CONNECTION_REFUSED")
    phone = phones.of(web_site.enrol())
    phone.open("/phone/sign-out")
    phone.sees("F3")
    phone.page.locator("form[data-ready]").wait_for()
    server.go_away()
    phone.go_on()
    expect(phone.page.locator("form [role=status]")).to_contain_text("check the network")
    server.come_back()
    phone.open("/today")
    phone.sees("P2")


# --- a phone that is not the person's own -------------------------------------------------------


def test_on_somebody_elses_phone_one_tap_leaves_nothing(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.new()
    phone.scan(person)
    phone.sees("J1")
    phone.go_on()
    phone.sees("J3")
    phone.on_somebody_elses_phone()
    phone.accept_notice()
    phone.choose_pin()
    phone.sees("P2")
    expect(phone.page.locator("html[data-shared]")).to_have_count(1)
    expect(phone.page.locator("a[href='/reminders/']")).to_have_count(0)
    ends = [one["expires"] for one in phone.page.context.cookies() if one["name"] != "unsent"]
    assert set(ends) == {-1}, "they end with the browser"
    phone.start(1)
    phone.answer({1: 1})
    phone.at(2)
    phone.nothing_waits()
    phone.close()
    phone.sees("P2")
    phone.page.locator("footer form button").click()
    phone.sees("F4")
    is_empty(phone)
    phone.open("/")
    phone.sees("J1")
    assert record.values(web_site, lupusqol) == {"LQ01": 1}


# --- a browser that belonged to somebody else ---------------------------------------------------


def takes_over(phone: Phone, person: Enrolled) -> None:
    """Scan a card on a phone that is another person's, up to the notice."""
    phone.scan(person)
    phone.sees("J1")
    phone.go_on()
    phone.sees("J3")
    phone.page.locator("form[data-ready]").wait_for()


def test_what_the_person_before_had_answered_is_sent_as_theirs(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect("status of 503")
    first, second = web_site.enrol("01-001"), web_site.enrol("01-002")
    theirs, _ = web_site.open(first)
    own, _ = web_site.open(second)
    let_through = answers_cannot_be_sent(server)
    phone = with_two_answers_that_wait(phones, first)
    takes_over(phone, second)
    let_through()
    phone.accept_notice()
    phone.choose_pin()
    phone.sees("P2")
    assert record.values(web_site, theirs) == {"LQ01": 1, "LQ02": 2}
    assert record.values(web_site, own) == {}
    phone.start(1)
    phone.at(1)
    phone.has_chosen(None)


def test_what_the_person_before_could_not_send_is_said_and_stays_theirs(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect("status of 503")
    first, second = web_site.enrol("01-001"), web_site.enrol("01-002")
    theirs, _ = web_site.open(first)
    own, _ = web_site.open(second)
    let_through = answers_cannot_be_sent(server)
    phone = with_two_answers_that_wait(phones, first)
    takes_over(phone, second)
    phone.accept_notice()
    left = phone.page.locator("[data-left]")
    expect(left).to_contain_text("2 answers of the person before have not reached the study.")
    assert record.count(web_site, Device) == 1, "nothing has happened yet"
    left.locator("[data-anyway]").click()
    phone.choose_pin()
    phone.sees("P2")
    let_through()
    phone.open("/today")
    phone.sees("P2")
    expect(phone.page.locator("[data-unsent]")).to_be_hidden()
    assert record.values(web_site, theirs) == record.values(web_site, own) == {}


# --- the card from the drawer -------------------------------------------------------------------


def test_a_card_brings_everything_back_in_five_taps(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol("01-007", "ta")
    lupusqol, _ = web_site.open(person)
    phones.of(person)
    web_site.answer(lupusqol, {"LQ01": 2, "LQ02": 3}, "ta")
    with web_site.database.writing() as session:
        now = web_site.clock()
        card = enrolment.issue_code(session, person.id, KEY, now, kind="recovery")
    phone = phones.new("fr")
    taps = phone.count_taps()
    phone.scan(replace(person, code=card))
    phone.sees("J1")
    phone.reads("ta")
    phone.go_on()
    phone.sees("J6")
    expect(phone.page.locator("main")).to_contain_text("07")
    phone.go_on()
    phone.type_pin()
    phone.sees("P2")
    assert taps() == 5
    phone.start(1)
    phone.at(3)
    phone.back()
    phone.at(2)
    phone.has_chosen(3)
    assert record.count(web_site, Participant) == 1
