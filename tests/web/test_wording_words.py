"""The words for faults of wording files: one for each, naming what the fault tells."""

from __future__ import annotations

import re

from flask import Flask

from pro_app.core.wording_faults import FORMATS, REASONS, fault
from pro_app.web import wording_words

ENGLISH = {"Accept-Language": "en"}


def names(sentence: str) -> set[str]:
    """What an English sentence of the core names."""
    return set(re.findall(r"\{(\w+)[^}]*\}", sentence))


def test_every_fault_has_its_words(app: Flask) -> None:
    assert wording_words.REASONS.keys() | wording_words.COUNTED == REASONS.keys()
    assert not wording_words.REASONS.keys() & wording_words.COUNTED
    assert wording_words.FORMATS.keys() == FORMATS.keys()
    with app.test_request_context(headers=ENGLISH):
        for code, sentence in REASONS.items():
            values: dict[str, str | int] = dict.fromkeys(names(sentence), 7)
            found = wording_words.reason(fault(code, **values))
            assert found.endswith((".", "?", ": 7")), found
            if code in wording_words.REASONS:
                told = set(re.findall(r"%\((\w+)\)s", str(wording_words.REASONS[code])))
                assert told <= names(sentence), code


def test_languages_and_formats_have_their_names(app: Flask) -> None:
    with app.test_request_context(headers=ENGLISH):
        found = wording_words.reason(fault("reads_like", read="ms", language="ta"))
        assert found == "The text reads like Bahasa Melayu, not like தமிழ்."
        word = wording_words.reason(fault("other_format", kind="document"))
        assert word == "This is a Word document. Please bring an .xlsx file, or a CSV file."


def test_options_are_counted(app: Flask) -> None:
    with app.test_request_context(headers=ENGLISH):
        told = [
            wording_words.reason(fault("options", items="SF2", found=found, wanted=5))
            for found in (1, 6)
        ]
    assert told == [
        "SF2 has 1 option in the file; the questionnaire has 5.",
        "SF2 has 6 options in the file; the questionnaire has 5.",
    ]


def test_where_a_fault_is(app: Flask) -> None:
    with app.test_request_context(headers=ENGLISH):
        assert wording_words.place(fault("damaged")) == "the whole file"
        assert wording_words.place(fault("empty", "wording", 7, "items.BP1")) == "wording, 7"
        assert wording_words.place(fault("empty", row=7)) == "7"
        assert wording_words.place(fault("language", "about")) == "about"
