"""Questionnaires: by R4's rules, and with every word of their wordings, to be read out again."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pro_app.core.wording import load_wording
from pro_app.export import fhir
from tests.export import fhir_samples as samples
from tests.export.fhir_reading import (
    ID,
    flat,
    lines,
    ours,
)
from tests.export.fhir_samples import BASE

TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"


def test_r4s_own_rules_for_questionnaires() -> None:
    for raw in lines("Questionnaire"):
        assert ID.fullmatch(raw["id"])
        assert re.fullmatch(r"[A-Z]([A-Za-z0-9_]){0,254}", raw["name"])  # que-0
        links = [one["linkId"] for one in flat(raw["item"])]
        assert len(links) == len(set(links))  # que-2
        for one in flat(raw["item"]):
            assert one["type"] in {"group", "display", "choice"}
            assert ("item" in one) == (one["type"] == "group")  # que-1
            assert ("answerOption" in one) == (one["type"] == "choice")  # que-5
            if one["type"] == "display":
                assert not {"required", "repeats", "code"} & set(one)  # que-3, que-6
            codes = [option["valueCoding"]["code"] for option in one.get("answerOption", [])]
            assert len(codes) == len(set(codes))


def texts_in(element: dict[str, Any], name: str, base: str) -> dict[str, str]:
    """A text by language: the element's own and its translations."""
    found = {base: element[name]}
    for one in element.get(f"_{name}", {}).get("extension", []):
        assert one["url"] == TRANSLATION
        parts = {part["url"]: part for part in one["extension"]}
        found[parts["lang"]["valueCode"]] = parts["content"]["valueString"]
    return found


def wording_in(raw: dict[str, Any], language: str) -> dict[str, Any]:
    """A wording's tables out of a Questionnaire."""
    base = raw["language"]
    read: dict[str, Any] = {"leads": {}, "recalls": {}, "options": {}, "items": {}}
    for one in flat(raw["item"]):
        link = one["linkId"]
        if link == "instruction":
            read["instruction"] = texts_in(one, "text", base)[language]
        elif link.endswith((".lead", ".recall")):
            kind = "leads" if link.endswith(".lead") else "recalls"
            read[kind][link.split(".")[1]] = texts_in(one, "text", base)[language]
        elif one["type"] == "choice":
            read["items"][link] = texts_in(one, "text", base)[language]
            for option in one["answerOption"]:
                coding = option["valueCoding"]
                options = read["options"].setdefault(coding["system"].rpartition(".")[2], {})
                options[coding["code"]] = texts_in(coding, "display", base)[language]
    for one in ours(raw, "wording"):
        parts = {part["url"]: part for part in one["extension"]}
        if parts["language"]["valueCode"] == language:
            read["kind"] = parts["kind"]["valueCode"]
            read["source"] = parts["source"]["valueString"]
            read["fingerprint"] = parts["fingerprint"]["valueString"]
    return read


@pytest.mark.parametrize("instrument", samples.INSTRUMENTS)
@pytest.mark.parametrize("language", samples.LANGUAGES)
def test_wordings_can_be_read_out_again(instrument: str, language: str, tmp_path: Path) -> None:
    (raw,) = [one for one in lines("Questionnaire") if one["id"] == instrument]
    read = wording_in(raw, language.replace("_", "-"))
    head = {key: read[key] for key in ("kind", "source", "instruction")} | {"language": language}
    text = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    tables = {key: read[key] for key in ("leads", "recalls", "items")}
    tables |= {f"options.{key}": value for key, value in read["options"].items()}
    for name, table in tables.items():
        text.append(f"[{name}]")
        text += [f"{key} = {json.dumps(said, ensure_ascii=False)}" for key, said in table.items()]
    path = tmp_path / f"{language}.toml"
    path.write_text("\n".join(text), encoding="utf-8")
    found = load_wording(path, samples.library().instruments[instrument])
    assert found == samples.library().wordings[instrument, language]
    assert read["fingerprint"] == found.fingerprint


def test_codes_have_their_figures_and_items_their_places() -> None:
    (raw,) = [one for one in lines("Questionnaire") if one["id"] == "sf36v2"]
    definition = samples.library().instruments["sf36v2"]
    choices = [one for one in flat(raw["item"]) if one["type"] == "choice"]
    assert [one["linkId"] for one in choices] == [item.code for item in definition.items]
    for one, item in zip(choices, definition.items, strict=True):
        figures = [option["valueCoding"]["extension"][0] for option in one["answerOption"]]
        assert [figure["valueDecimal"] for figure in figures] == list(item.options.codes)
        assert one["prefix"] == item.paper


def test_what_offers_not_applicable_says_so() -> None:
    (raw,) = [one for one in lines("Questionnaire") if one["id"] == "lupusqol"]
    offered = [one["linkId"] for one in flat(raw["item"]) if ours(one, "not-applicable-offered")]
    items = samples.library().instruments["lupusqol"].items
    assert offered == [item.code for item in items if item.not_applicable] != []


def test_a_language_without_a_wording_is_not_passed_off_as_another() -> None:
    out = io.BytesIO()
    some = [fhir.Form(form.instrument, {"en": form.wordings["en"]}) for form in samples.forms()]
    fhir.write_questionnaires(samples.assessments(), some, BASE, out)
    raw = json.loads(out.getvalue().splitlines()[0])
    assert raw["language"] == "en"
    assert not [one for one in flat(raw["item"]) if "_text" in one]
