"""The recovery card as it comes out of a printer: one A6 page in every language."""

from __future__ import annotations

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page

from pro_app.card import card
from tests.conftest import MORNING
from tests.pages import LANGUAGES

A6 = (298, 420)  # points: 105 mm by 148 mm
LONG = "https://my-answers.research-hospital.example.gov.my/join/"
SIZE = re.compile(rb"/MediaBox ?\[ ?0 0 ([0-9.]+) ([0-9.]+) ?\]")


@pytest.mark.parametrize("address", ["https://pro.example.org/join/", LONG], ids=["short", "long"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_is_one_page_of_its_size(page: Page, language: str, address: str) -> None:
    link, until = f"{address}?language={language}#ABCDEFGHJKLM", MORNING + timedelta(days=396)
    zone = ZoneInfo("Asia/Kuala_Lumpur")
    page.set_content(card(link, address, "ABCDEFGHJKLM", "01-007", language, until, zone))
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    sizes = [tuple(round(float(side)) for side in one) for one in SIZE.findall(printed)]
    assert sizes == [A6]
