"""Every fault of a FHIR file has its sentence, with the values that it names."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask_babel import force_locale

from pro_app.core.json_file import REASONS, fault
from pro_app.web import fhir_words


@pytest.mark.parametrize("code", REASONS)
def test_every_fault_has_words(app: Flask, code: str) -> None:
    names = re.findall(r"{(\w+)", REASONS[code])
    told = fault(
        "item[1].text",
        "Q1",
        code,
        **{name: f"<{name}>" for name in names if name != "most"},
        most=7,
    )
    with app.test_request_context(), force_locale("en"):
        said = fhir_words.reason(told)
        assert fhir_words.place(told) == "Q1 · item[1].text"
        assert fhir_words.place(fault("", "", code)) == "the whole file"
    assert "%" not in said
    mentioned = set(re.findall(r"<(\w+)>", said))
    assert mentioned <= set(names)
