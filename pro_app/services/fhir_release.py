"""Of which release of FHIR a Questionnaire is, by the marks that only others than R4 have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# R4B (4.3) has changed nothing about Questionnaire
OURS = ("4.0", "4.0.0", "4.0.1", "4.3", "4.3.0")
CORE = re.compile(
    r"http://hl7\.org/fhir/(?:(?P<folder>\d\.\d)/)?StructureDefinition/Questionnaire"
    r"(?:\|(?P<pinned>[0-9.]+))?"
)
R5 = ("copyrightLabel", "versionAlgorithmCoding", "versionAlgorithmString")
R5_ITEM = ("answerConstraint", "disabledDisplay")
STU3_ITEM = ("option", "options")


def release(resource: Mapping[str, Any]) -> str | None:
    """The release that the resource is of, if it is surely not R4; else None."""
    if "group" in resource:
        return "DSTU2"
    for stated in _stated(resource):
        if stated not in OURS:
            return stated if re.fullmatch(r"[0-9.]{1,12}", stated) else "another release"
    if any(field in resource for field in R5):
        return "R5"
    for item in _items(resource.get("item")):
        if item.get("type") == "coding" or any(field in item for field in R5_ITEM):
            return "R5"
        if any(field in item for field in STU3_ITEM):
            return "STU3"
    return None


def _stated(resource: Mapping[str, Any]) -> Iterator[str]:
    """The releases that it names itself: in profiles of FHIR's own, or as some tools add it."""
    if "fhirVersion" in resource:
        yield str(resource["fhirVersion"])
    meta = resource.get("meta")
    profiles = meta.get("profile") if isinstance(meta, dict) else None
    for one in profiles if isinstance(profiles, list) else ():
        found = CORE.fullmatch(str(one))
        for part in found.groups() if found else ():
            if part is not None:
                yield part


def _items(found: object) -> Iterator[Mapping[str, Any]]:
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict):
            yield one
            yield from _items(one.get("item"))
