"""The addresses and codes that FHIR resources of a study are made of.

Where R4 has an extension or a code of its own it is used. What it has none for stands under the
installation's own address, and `about` says what each of these means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pro_app.core.instruments import Instrument, OptionSet
from pro_app.export.table import TableError

Element = dict[str, Any]

TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
COMPLETION_MODE = "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-completionMode"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"

# why an item has no answer: our state, and the code of R4's DataAbsentReason
REASONS: Mapping[str, str] = {
    "skipped": "asked-declined",
    "not_applicable": "not-applicable",
    "not_reached": "not-asked",
}
# our mode, and the code of R4's QuestionnaireResponseMode with its name
MODES: Mapping[str, tuple[str, str]] = {
    "own_phone": ("ELECTRONIC", "electronic data"),
    "site_tablet": ("ELECTRONIC", "electronic data"),
    "paper": ("WRITTEN", "written"),
    "interview": ("VERBAL", "verbal"),
}
# link ids that are no item's code: of the sentences around the items
INSTRUCTION = "instruction"
SECTION = "section."
LEAD, RECALL = ".lead", ".recall"
# extensions of our own that a wording is read by
WORDING = "wording"
OFFERED = "not-applicable-offered"
RECALLED = "recall"


@dataclass(frozen=True, slots=True)
class Terms:
    """Addresses below an installation's own (`base`, such as https://pro.example.org).

    `TableError` for a base that no FHIR resource could have.
    """

    base: str

    def __post_init__(self) -> None:
        address = urlsplit(self.base)
        if address.scheme not in ("http", "https") or not address.netloc or " " in self.base:
            raise TableError(f"{self.base!r} is no address of an installation")

    def _at(self, kind: str, name: str) -> str:
        return f"{self.base.rstrip('/')}/fhir/{kind}/{name}"

    def extension(self, name: str, **value: Any) -> Element:
        """An extension of our own: `name` is one of `about`'s, `value` its value[x]."""
        return {"url": self._at("StructureDefinition", name), **value}

    def questionnaire(self, instrument: Instrument) -> str:
        """The canonical address of an instrument's Questionnaire, without its version."""
        return self._at("Questionnaire", plain(instrument.code))

    def options(self, instrument: Instrument, options: OptionSet) -> str:
        """The code system of an option set."""
        return self._at("CodeSystem", f"{plain(instrument.code)}.{options.code}")

    def codes(self, name: str) -> str:
        """A code system of ours, such as that of the modes."""
        return self._at("CodeSystem", name)

    def numbers(self, kind: str, study: str) -> str:
        """The system of a study's identifiers, of its participants for example."""
        return self._at("NamingSystem", f"{study}.{kind}")


def plain(text: str) -> str:
    """The text as a resource's id or a version may be: letters, digits, points and hyphens."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text)


def version(instrument: Instrument, fingerprint: str) -> str:
    """The version of a Questionnaire: the instrument's, and what its definition is known by."""
    return f"{plain(instrument.version)}-{fingerprint[:12]}"


def tag(language: str) -> str:
    """One of our languages as a BCP 47 tag."""
    return language.replace("_", "-")


def about(words: Callable[[str], str]) -> dict[str, str]:
    """What each extension of our own says, in the language of `words`."""
    _ = words
    return {
        WORDING: _(
            "A wording of the questionnaire: its language, whether it is a demonstration or "
            "licensed, where it comes from, its version, and its fingerprint."
        ),
        "wording-fingerprint": _("The fingerprint of a wording in which it was answered."),
        OFFERED: _("The item may be answered with “not applicable”."),
        RECALLED: _("The time that the questions of a section ask about."),
        "site": _("The code of the site."),
        "visit": _("The visit: its code, and 1 or more where it is repeated."),
        "late": _("Whether the questionnaire was completed after its window had closed."),
        "answered-in": _("A language in which it was answered."),
        "study-day": _("The study day of completion, where days stand instead of dates."),
        "original": _(
            "What was answered before a correction was approved, and the correction's number."
        ),
    }
