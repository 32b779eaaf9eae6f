"""With the script: moving needs no network, and the browser's own buttons lose nothing."""

from __future__ import annotations

import pytest

from tests.browser import record
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Server
from tests.browser.people import expect
from tests.conftest import Site


def test_only_answers_are_sent(phones: Phones, web_site: Site, server: Server) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    base = f"/questionnaires/{lupusqol.public_id}"
    phone.open(f"{base}/items/1")
    phone.at(1)
    server.asked.clear()
    for n in range(1, 12):
        phone.at(n)
        phone.choose(n % 5)
        phone.saved()
        phone.next()
    for n in range(12, 3, -1):
        phone.at(n)
        phone.back()
    phone.at(3)
    phone.has_chosen(3)
    phone.choose(0)
    phone.saved()  # what moving had asked for would have arrived before
    own = ("/icon.svg", " /journal")  # the browser's, and the journal's name once
    asked = [one for one in server.asked if not one.endswith(own)]
    assert asked == [f"POST {base}/answers"] * 12


def test_choosing_does_not_go_on_by_itself(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, own_time=True)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    for place in (0, 4, 2):
        phone.choose(place)
        phone.saved()
        phone.page.clock.fast_forward(60_000)
        phone.at(1)
        phone.has_chosen(place)
        assert phone.path.endswith("/items/1")


def test_the_browsers_back_and_forward_move_between_items(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.start(1)
    phone.answer({1: 1, 2: 2, 3: 3})
    phone.at(4)
    for n in (3, 2, 1):
        phone.page.go_back()
        phone.at(n)
        phone.has_chosen(n)
        assert phone.path.endswith(f"/items/{n}")
        expect(phone.page.locator("[data-page-code]")).to_have_text(f"Q{n}")
    for n in (2, 3, 4):
        phone.page.go_forward()
        phone.at(n)
        phone.has_chosen(n if n < 4 else None)
    phone.nothing_waits()
    assert record.values(web_site, lupusqol) == {"LQ01": 1, "LQ02": 2, "LQ03": 3}


def test_reload_resumes(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.start(1)
    phone.answer({1: 1, 2: 2})
    phone.at(3)
    phone.choose(4)
    phone.saved()
    phone.page.reload()
    phone.at(3)
    phone.has_chosen(4)
    phone.back()
    phone.at(2)
    phone.has_chosen(2)
    phone.close()
    phone.sees("P2")
    phone.start(1)
    phone.at(4)


def test_the_back_button_from_today_shows_what_was_answered(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.start(1)
    phone.answer({1: 3})
    phone.at(2)
    phone.choose(0)
    phone.close()
    phone.sees("P2")
    phone.page.go_back()
    phone.at(2)
    phone.has_chosen(0)
    phone.page.go_back()
    phone.at(1)
    phone.has_chosen(3)


def test_from_review_to_an_item_and_back_with_the_browsers_button(
    phones: Phones, web_site: Site
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer_all(lupusqol, place=1)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/review")
    phone.change(7)
    phone.has_chosen(1)
    phone.choose(4)
    phone.next()
    phone.sees("Q90")
    phone.change(8)
    phone.choose(0)
    phone.saved()
    phone.page.go_back()
    phone.sees("Q90")
    answers = phone.page.locator(".review .answer")
    options = web_site.library.wordings["lupusqol", "en"].options["frequency"]
    expect(answers.nth(6)).to_have_text(options[4])
    expect(answers.nth(7)).to_have_text(options[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_changes_on_an_item_that_is_not_answered(
    phones: Phones, web_site: Site, language: str
) -> None:
    person = web_site.enrol(language="en")
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/17")
    phone.at(17)
    phone.switch_language(language)
    phone.at(17)
    phone.has_chosen(None)
    expect(phone.prompt).to_be_hidden()
    wording = web_site.library.wordings["lupusqol", language]
    expect(phone.page.locator("h1")).to_have_text(wording.items["LQ17"])
    assert record.values(web_site, lupusqol) == {}


def test_the_question_about_skipping_is_asked_once_and_said_again(
    phones: Phones, web_site: Site
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.at(1)
    phone.skip()
    phone.at(2)
    phone.back()
    phone.at(1)
    expect(phone.page.locator(".left")).to_be_visible()
    phone.next()
    phone.at(2)
    phone.back()
    phone.at(1)
    phone.choose(2)
    expect(phone.page.locator(".left")).to_be_hidden()
    phone.saved()
    assert record.values(web_site, lupusqol) == {"LQ01": 2}
    assert [row.prompted for row in record.taps(web_site, lupusqol)] == [True, True]


def test_a_code_with_a_stray_sign_is_not_a_page_error(phones: Phones) -> None:
    phone = phones.new()
    phone.open("/join/#%")
    phone.sees("J1")
    assert phone.path == "/join/"
