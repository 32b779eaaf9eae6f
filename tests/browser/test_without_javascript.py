"""The same way without JavaScript: one page an item, plain forms."""

from __future__ import annotations

import pytest

from tests.browser import answering, record
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Watch
from tests.browser.people import expect
from tests.conftest import Site

PROMPTED = "status of 422"  # what the browser says of the page that asks about skipping


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_way_without_a_script(
    phones: Phones, web_site: Site, watch: Watch, language: str
) -> None:
    watch.expect(PROMPTED)
    person = web_site.enrol(language=language)
    lupusqol, _ = web_site.open(person)
    phone = phones.new(language, javascript=False)
    phone.join(person)
    phone.sees("P2")
    phone.reads(language)
    phone.start(1)
    given = answering.answer_lupusqol(phone, language)
    phone.submit()
    phone.receipt()
    answering.check_lupusqol(web_site, lupusqol, given, language)


def test_the_sf36_without_a_script(phones: Phones, web_site: Site, watch: Watch) -> None:
    watch.expect(PROMPTED)
    person = web_site.enrol(language="ta")
    _, sf36 = web_site.open(person)
    phone = phones.of(person, javascript=False)
    phone.open("/today")
    phone.start(2)
    codes = answering.answer_sf36(web_site, phone, sf36)
    phone.submit()
    phone.receipt()
    answering.check_sf36(web_site, sf36, codes)


def test_the_question_about_skipping_shows_and_a_choice_answers_it(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    watch.expect(PROMPTED)
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, javascript=False)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    expect(phone.prompt).to_be_hidden()
    phone.next()
    phone.at(1)
    expect(phone.prompt).to_be_visible()
    phone.choose(3)
    expect(phone.prompt).to_be_hidden()
    phone.next()
    phone.at(2)
    (tap,) = record.taps(web_site, lupusqol)
    assert (tap.state, tap.code, tap.prompted) == ("answered", 3, True)


def test_what_was_left_unanswered_is_said_when_coming_back(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer(lupusqol, {"LQ01": "skipped"})
    phone = phones.of(person, javascript=False)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    expect(phone.page.locator(".left")).to_be_visible()
    phone.next()  # it was confirmed once, and is not asked again
    phone.at(2)
    expect(phone.page.locator(".left")).to_be_hidden()


@pytest.mark.parametrize("chosen", [None, 2])
def test_language_and_size_change_on_the_item_whether_answered_or_not(
    phones: Phones, web_site: Site, chosen: int | None
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, javascript=False)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/9")
    if chosen is not None:
        phone.choose(chosen)
    phone.switch_language("zh_Hans")
    phone.at(9)
    phone.has_chosen(chosen)
    phone.text_size(2)
    phone.at(9)
    phone.has_chosen(chosen)
    expect(phone.prompt).to_be_hidden()
    assert record.values(web_site, lupusqol) == ({} if chosen is None else {"LQ09": chosen})


def test_close_keeps_the_choice_and_today_leads_back(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer(lupusqol, {f"LQ{n:02}": 1 for n in range(1, 10)})
    phone = phones.of(person, javascript=False)
    phone.open("/today")
    phone.start(1)
    phone.at(10)
    phone.choose(4)
    phone.close()
    phone.sees("P2")
    assert record.values(web_site, lupusqol)["LQ10"] == 4
    phone.start(1)
    phone.at(11)


def test_from_review_to_an_item_and_back(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer_all(lupusqol, place=1)
    phone = phones.of(person, javascript=False)
    phone.open(f"/questionnaires/{lupusqol.public_id}/review")
    phone.change(12)
    phone.has_chosen(1)
    phone.choose(0)
    phone.switch_language("ms")
    phone.at(12)
    phone.next()
    phone.sees("Q90")
    assert record.values(web_site, lupusqol)["LQ12"] == 0
    phone.submit()
    phone.receipt()


def test_clear_takes_an_answer_back(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer(lupusqol, {"LQ15": "not_applicable"})
    phone = phones.of(person, javascript=False)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/15")
    phone.has_chosen(5)
    phone.clear()
    phone.has_chosen(None)
    assert record.values(web_site, lupusqol) == {}
