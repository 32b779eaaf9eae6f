"""The language of a page: by language and script, never by region alone."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from pro_app.catalogues import CATALOGUES, compile_catalogues
from pro_app.core.study import LANGUAGES
from pro_app.web import locale
from tests.conftest import Site
from tests.pages import LANGUAGES as HTML_LANGUAGES
from tests.pages import Browser


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["zh-CN"], "zh_Hans"),
        (["zh-SG"], "zh_Hans"),
        (["zh-MY"], "zh_Hans"),
        (["zh"], "zh_Hans"),
        (["zh-Hans-MY"], "zh_Hans"),
        (["zh-TW"], None),
        (["zh-Hant"], None),
        (["zh-Hant-MY"], None),
        (["zh-HK", "ms"], "ms"),
        (["ms-MY"], "ms"),
        (["ms-Arab-MY"], None),
        (["ta-IN"], "ta"),
        (["ta-MY"], "ta"),
        (["en-GB"], "en"),
        (["fr", "de-AT"], None),
        (["fr", "ta"], "ta"),
        (["*", "not a tag", "x", ""], None),
    ],
)
def test_language_and_script_decide(wanted: list[str], found: str | None) -> None:
    assert locale.match(wanted, LANGUAGES) == found


@given(st.lists(st.text(max_size=20) | st.from_regex(r"[a-zA-Z*]{0,9}(-[a-zA-Z0-9]{0,9}){0,4}")))
def test_whatever_a_phone_says_it_is_answered(wanted: list[str]) -> None:
    assert locale.match(wanted, LANGUAGES) in {*LANGUAGES, None}


@pytest.mark.parametrize(
    "header", ["", ";;;", "q=1", "zh-CN;q=x", "*;q=0", "en;q=0", "a" * 5_000, "ms_MY.UTF-8"]
)
def test_a_malformed_header_gets_the_first_language(
    app: Flask, web_site: Site, header: str
) -> None:
    page = app.test_client().get("/join/", headers={"Accept-Language": header})
    assert page.status_code == 200
    assert '<html lang="ms"' in page.text


def test_a_catalogue_is_compiled_when_its_text_is_newer(tmp_path: Path) -> None:
    for language in LANGUAGES:
        folder = tmp_path / language / "LC_MESSAGES"
        shutil.copytree(CATALOGUES / language / "LC_MESSAGES", folder)
        (folder / "messages.mo").unlink(missing_ok=True)
    compile_catalogues(tmp_path)
    machine = tmp_path / "ta" / "LC_MESSAGES" / "messages.mo"
    text = machine.with_suffix(".po")
    first = machine.read_bytes()
    assert "இன்று".encode() in first
    machine.write_bytes(b"kept")
    os.utime(machine, ns=(text.stat().st_mtime_ns, text.stat().st_mtime_ns + 1))
    compile_catalogues(tmp_path)
    assert machine.read_bytes() == b"kept"
    os.utime(machine, (0, 0))
    compile_catalogues(tmp_path)
    assert machine.read_bytes() == first
    assert {one.suffix for one in machine.parent.iterdir()} == {".po", ".mo"}


def test_only_what_is_offered_is_found() -> None:
    assert locale.match(["ta", "en"], ["ms", "en"]) == "en"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_phone_decides_before_anybody_is_known(
    app: Flask, web_site: Site, language: str
) -> None:
    browser = Browser(app, language)
    page = browser.get("/join/")
    assert page.all("html")[0]["lang"] == HTML_LANGUAGES[language]


def test_the_first_language_of_the_house_serves_everybody_else(app: Flask, web_site: Site) -> None:
    browser = Browser(app, "fr")
    assert browser.get("/join/").all("html")[0]["lang"] == "ms"


def test_the_card_decides_over_the_phone_and_a_choice_over_the_card(
    app: Flask, web_site: Site
) -> None:
    browser = Browser(app, "en")
    browser.get("/join/?language=ta")
    assert browser.get("/join/").all("html")[0]["lang"] == "ta"
    browser.post("/settings", language="ms", back="/join/")
    assert browser.path == "/join/"
    assert browser.page.all("html")[0]["lang"] == "ms"


def test_the_participants_setting_decides_over_all(app: Flask, web_site: Site) -> None:
    person = web_site.enrol(language="zh_Hans")
    browser = Browser(app, "zh_Hans")
    browser.join(person)
    browser.accept = {"Accept-Language": "ta"}
    assert browser.get("/today").all("html")[0]["lang"] == "zh-Hans"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ms", "Rabu, 25 Nov 2026, 23:59 (Kuala Lumpur)"),
        ("en", "Wednesday, 25 Nov 2026, 23:59 (Kuala Lumpur)"),
        ("zh_Hans", "2026年11月25日星期三 23:59（吉隆坡）"),
        ("ta", "புதன், 25 நவ. 2026, 23:59 (கோலாலம்பூர்)"),
    ],
)
def test_a_moment_is_told_in_the_studys_zone(language: str, text: str) -> None:
    moment = datetime(2026, 11, 25, 15, 59, tzinfo=UTC)
    assert locale.moment_text(moment, ZoneInfo("Asia/Kuala_Lumpur"), language) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Wednesday, 25 Nov 2026, 24:00 (Kuala Lumpur)"),
        ("zh_Hans", "2026年11月25日星期三 24:00（吉隆坡）"),
    ],
)
def test_what_ends_at_midnight_ends_with_the_day(language: str, text: str) -> None:
    zone = ZoneInfo("Asia/Kuala_Lumpur")
    midnight = datetime(2026, 11, 25, 16, 0, tzinfo=UTC)
    assert locale.end_text(midnight, zone, language) == text
    earlier = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
    assert locale.end_text(earlier, zone, language) == locale.moment_text(earlier, zone, language)


def test_half_past_midnight_is_the_local_day() -> None:
    moment = datetime(2027, 2, 28, 16, 30, tzinfo=UTC)  # 1 March 00:30 in Kuala Lumpur
    zone = ZoneInfo("Asia/Kuala_Lumpur")
    assert locale.day_text(moment, zone, "en") == "Monday, 1 Mar 2027"
