"""The whole way of a participant: from the card to the scores in the record."""

from __future__ import annotations

import pytest

from tests.browser import answering
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones
from tests.conftest import Site


@pytest.mark.parametrize("language", LANGUAGES)
def test_from_the_card_to_the_scores(phones: Phones, web_site: Site, language: str) -> None:
    person = web_site.enrol(language=language)
    lupusqol, sf36 = web_site.open(person)
    phone = phones.new("fr")  # the card decides, not the phone's language
    phone.scan(person)
    phone.sees("J1")
    assert phone.path == f"/join/?language={language}"
    assert phone.page.locator("#code").input_value() == person.code
    phone.reads(language)
    phone.go_on()
    phone.accept_notice()
    phone.choose_pin()
    phone.sees("P2")
    phone.reads(language)
    assert person.code not in phone.page.url

    phone.start(1)
    given = answering.answer_lupusqol(phone, language)
    phone.submit()
    phone.receipt()
    answering.check_lupusqol(web_site, lupusqol, given, language)

    phone.go_on()
    phone.sees("P2")
    phone.start(1)
    codes = answering.answer_sf36(web_site, phone, sf36)
    phone.submit()
    phone.receipt()
    answering.check_sf36(web_site, sf36, codes)
    phone.go_on()
    phone.sees("P2")
    assert phone.page.locator(".card:not(.install)").count() == 0
