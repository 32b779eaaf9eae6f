"""Icon, links and lost cookies: the same person again, or nobody; never somebody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro_app.models import Device, Participant
from tests.browser import record
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Watch
from tests.conftest import Site


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
    watch.expect("status of 401", "status of 400")
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    phone.page.context.clear_cookies()
    phone.choose(3)
    phone.unlock_here()
    phone.dialog.locator("[role=alert]:not(:empty)").wait_for()
    assert record.values(web_site, lupusqol) == {}
    other = phone.another_window()  # joined again beside it, the page that waits goes on
    other.join(replace(person, code=web_site.new_code(person)))
    other.sees("P2")
    phone.unlock_here()
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
    assert phone.page.locator(".card").count() == 0
    assert record.values(web_site, lupusqol) == {}
