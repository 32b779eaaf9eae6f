"""FHIR files as tests read them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from pro_app.export import fhir
from tests.export import fhir_samples as samples
from tests.export.fhir_samples import ABSENT, BASE, SHEETS, Sheet

REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
STATES = {
    "asked-declined": "skipped",
    "not-applicable": "not_applicable",
    "not-asked": "not_reached",
}
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def archive(sheets: tuple[Sheet, ...] = SHEETS) -> bytes:
    out = io.BytesIO()
    fhir.write(
        samples.assessments(sheets), samples.answers_long(sheets), samples.forms(), BASE, out
    )
    return out.getvalue()


def lines(name: str, sheets: tuple[Sheet, ...] = SHEETS) -> list[dict[str, Any]]:
    with zipfile.ZipFile(io.BytesIO(archive(sheets))) as opened:
        text = opened.read(f"{name}.ndjson").decode("utf-8")
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def flat(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield item
        yield from flat(item.get("item", []))


def elements(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a resource."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from elements(one)


def ours(element: dict[str, Any], name: str) -> list[dict[str, Any]]:
    url = f"{BASE}/fhir/StructureDefinition/{name}"
    return [one for one in element.get("extension", []) if one["url"] == url]


def response_of(sheet: Sheet) -> dict[str, Any]:
    value = f"{sheet.participant}/{sheet.timepoint}/{sheet.occurrence}/{sheet.instrument}"
    (found,) = [
        one for one in lines("QuestionnaireResponse") if one["identifier"]["value"] == value
    ]
    return found


def items_of(response: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["linkId"]: one for one in flat(response["item"]) if "item" not in one}


def codes_of(response: dict[str, Any]) -> dict[str, int]:
    """The answers table's codes by item, out of a response."""
    codes = {}
    for code, item in items_of(response).items():
        if "answer" in item:
            codes[code] = int(item["answer"][0]["valueCoding"]["code"])
        else:
            (reason,) = [one for one in item["extension"] if one["url"] == REASON]
            codes[code] = ABSENT[STATES[reason["valueCode"]]]
    return codes
