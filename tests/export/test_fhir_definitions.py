"""What is our own in FHIR files is defined, and used as it is defined."""

from __future__ import annotations

import io
import re
import zipfile

from fhir.resources.R4B.codesystem import CodeSystem
from fhir.resources.R4B.structuredefinition import StructureDefinition

from tests.export.fhir_reading import (
    ID,
    archive,
    elements,
    lines,
)
from tests.export.fhir_samples import BASE


def test_every_extension_is_known_to_r4_or_explained() -> None:
    with zipfile.ZipFile(io.BytesIO(archive())) as opened:
        told = opened.read("README.txt").decode("utf-8")
        text = "".join(
            opened.read(f"{name}.ndjson").decode("utf-8")
            for name in ("Questionnaire", "QuestionnaireResponse")
        )
    found = set(re.findall(r'"url":"([^"]+/StructureDefinition/[^"]+)"', text))
    own = {one for one in found if one.startswith(BASE)}
    assert found - own == {
        f"http://hl7.org/fhir/StructureDefinition/{name}"
        for name in (
            "translation", "ordinalValue", "data-absent-reason",
            "questionnaireresponse-completionMode",
        )
    }  # fmt: skip
    explained = set(re.findall(rf"^({BASE}\S+): \S", told, re.MULTILINE))
    assert own == explained - {f"{BASE}/fhir/StructureDefinition/study-day"}


def test_every_extension_of_ours_is_as_its_definition_says() -> None:
    definitions = {one["url"]: one for one in lines("StructureDefinition")}
    shapes: dict[str, dict[str, str]] = {}
    for url, raw in definitions.items():
        assert StructureDefinition.model_validate(raw).type == "Extension"
        typed = [one for one in raw["differential"]["element"] if "type" in one]
        shapes[url] = {
            one["id"].removeprefix("Extension").removesuffix(".value[x]"): one["type"][0]["code"]
            for one in typed
        }
    checked = set()
    for raw in (*lines("Questionnaire"), *lines("QuestionnaireResponse")):
        for element in elements(raw):
            for one in element.get("extension", []):
                if one["url"] not in shapes:
                    continue
                parts = {f".extension:{part['url']}": part for part in one.get("extension", [])}
                for place, part in (parts or {"": one}).items():
                    kind = shapes[one["url"]][place]
                    assert set(part) == {"url", f"value{kind[0].upper()}{kind[1:]}"}
                checked.add(one["url"].rpartition("/")[2])
    assert checked == {url.rpartition("/")[2] for url in definitions} - {"study-day"}


def test_every_code_of_ours_is_in_its_code_system() -> None:
    systems = {}
    for raw in lines("CodeSystem"):
        CodeSystem.model_validate(raw)
        assert re.fullmatch(r"[A-Z]([A-Za-z0-9_]){0,254}", raw["name"])
        assert ID.fullmatch(raw["id"])
        systems[raw["url"]] = {one["code"]: one.get("display") for one in raw["concept"]}
    assert len(systems) == len(lines("CodeSystem"))
    checked = 0
    for raw in (*lines("Questionnaire"), *lines("QuestionnaireResponse")):
        for one in elements(raw):
            if str(one.get("system", "")).startswith(f"{BASE}/fhir/CodeSystem/"):
                assert systems[one["system"]][one["code"]] == one["display"]
                checked += 1
    assert checked > 400
