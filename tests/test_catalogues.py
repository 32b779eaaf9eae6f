"""The interface's strings: whole in four languages, with the same places for values, up to date."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from pro_app.config import ROOT
from pro_app.core.study import LANGUAGES

PLURALS = {"ms": 1, "zh_Hans": 1, "en": 2, "ta": 2}  # CLDR's numbers of forms
SCRIPTS = {"ta": "TAMIL", "zh_Hans": "CJK UNIFIED"}
NAMES = frozenset({  # of programs, formats and units, which no language translates
    "%(number)s MB", "%(number)s kB", "CDISC, CSV", "CDISC, Dataset-JSON", "Excel", "FHIR",
    "JSON Lines", "Parquet", "R", "REDCap", "SAS", "SPSS", "Stata",
})  # fmt: skip
SAME_AS_ENGLISH = NAMES | {"Status", "Median", "format", "item"}  # Malay has these words, too
PLACE = re.compile(r"%\(\w+\)[sd]|\{\w+\}|%%")


@cache
def catalogue(language: str) -> Catalog:
    path = ROOT / "translations" / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def pairs(message: Message) -> Iterator[tuple[str, str]]:
    """English and translation, for every form of a string."""
    english = message.id if isinstance(message.id, tuple) else (message.id,)
    other = message.string if isinstance(message.string, tuple) else (message.string,)
    for place, form in enumerate(other):
        yield english[-1 if len(other) == 1 else place], str(form or "")


def strings(language: str) -> list[Message]:
    return [message for message in catalogue(language) if message.id]


def test_the_four_languages_are_there_and_no_other() -> None:
    found = {path.parents[1].name for path in (ROOT / "translations").glob("*/*/messages.po")}
    assert found == set(LANGUAGES)
    assert all({one.id for one in strings(language)} == {one.id for one in strings("en")}
               for language in LANGUAGES)  # fmt: skip
    assert len(strings("en")) > 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_string_is_translated_and_none_is_in_doubt(language: str) -> None:
    for message in strings(language):
        assert not message.fuzzy, message.id
        assert all(text.strip() for _, text in pairs(message)), message.id
        assert not isinstance(message.id, tuple) or len(message.string) == PLURALS[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_same_places_for_values(language: str) -> None:
    for message in strings(language):
        for english, text in pairs(message):
            assert Counter(PLACE.findall(english)) == Counter(PLACE.findall(text)), message.id
            rest = PLACE.sub("", text)
            assert "%" not in rest, f"a lone percent sign in {message.id}"
            assert not set("{}") & set(rest), message.id


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_a_translation_is_not_the_english_sentence(language: str) -> None:
    for message in strings(language):
        for english, text in pairs(message):
            assert text != english or english in SAME_AS_ENGLISH


@pytest.mark.parametrize("language", sorted(SCRIPTS))
def test_a_translation_is_in_its_own_script(language: str) -> None:
    for message in strings(language):
        for english, text in pairs(message):
            if english in NAMES:
                continue
            names = [unicodedata.name(letter, "") for letter in text if letter.isalpha()]
            assert any(name.startswith(SCRIPTS[language]) for name in names), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_composed_and_tidy(language: str) -> None:
    for message in strings(language):
        for english, text in pairs(message):
            assert unicodedata.is_normalized("NFC", text), text
            assert text == text.strip()
            assert "  " not in text
            assert not any(unicodedata.category(letter) in {"Cc", "Cf"} for letter in text) or (
                language == "ta" and "\u200c" in text
            ), f"an invisible character in {english!r}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_english_stands_for_itself_and_plurals_follow_cldr(language: str) -> None:
    assert catalogue(language).num_plurals == PLURALS[language]
    if language == "en":
        for message in strings("en"):
            assert message.string == message.id


def test_the_catalogues_are_up_to_date_with_the_code() -> None:
    command = [sys.executable, "translations/update.py", "--check"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
