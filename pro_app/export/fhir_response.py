"""Answered assessments as FHIR R4 QuestionnaireResponses, one after another.

Codes and absences are those that count now; what was answered before a correction stands beside
them. Nothing tells who somebody is but the study number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from pro_app.core.instruments import Item
from pro_app.export.fhir_questionnaire import Form, demonstration_tag
from pro_app.export.fhir_terms import (
    ABSENT,
    COMPLETION_MODE,
    MODES,
    PARTICIPATION,
    REASONS,
    SECTION,
    Element,
    Terms,
    tag,
    version,
)
from pro_app.export.table import Table, TableError

KEY = ("study", "site", "participant", "timepoint", "occurrence", "instrument")
# an assessment's state, and the status of its response; all others are "stopped": begun, and over
STATUSES: Mapping[str, str] = {
    "completed": "completed",
    "completed_late": "completed",
    "in_progress": "in-progress",
    "open": "in-progress",
    "not_due": "in-progress",
}
# columns of the tables that a response is made of, besides KEY
ASSESSMENT = (
    *("status", "late", "mode", "languages", "wordings", "demonstration", "void", "corrections"),
    "instrument_fingerprint",
)
ANSWER = (
    *("item", "code", "state", "original_code", "original_state", "corrections"),
    *("language", "wording"),
)
MOMENTS = ("completed_at", "completed_day", "received_at")  # of either table, where they are there

Row = Mapping[str, Any]


def responses(
    assessments: Table, answers: Table, forms: Sequence[Form], terms: Terms
) -> Iterator[Element]:
    """A resource for every assessment with answers, in the tables' order.

    `answers` is the long table. `TableError` where the tables do not belong together, or hold an
    item that the forms do not have.
    """
    writer = _Writer(assessments, forms, terms)
    rows = _rows(assessments, (*KEY, *ASSESSMENT))
    for key, group in groupby(_rows(answers, (*KEY, *ANSWER)), _key):
        found = next((row for row in rows if _key(row) == key), None)
        if found is None:
            raise TableError(f"{answers.name}: {key} is not among the assessments, or out of order")
        yield writer.resource(found, list(group))


def _rows(table: Table, needed: Sequence[str]) -> Iterator[Row]:
    there = {one.name for one in table.columns}
    if missing := [name for name in needed if name not in there]:
        raise TableError(f"{table.name}: there is no column {', '.join(missing)}")
    kept = [*needed, *(name for name in MOMENTS if name in there)]
    for frame in table.frames():
        yield from frame.select(kept).iter_rows(named=True)


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)


class _Writer:
    """What all responses of a file have in common."""

    def __init__(self, assessments: Table, forms: Sequence[Form], terms: Terms) -> None:
        self._terms, self._zone = terms, ZoneInfo(assessments.zone)
        self._forms = {form.instrument.code: form for form in forms}
        self._language, self._words = assessments.language, assessments.words
        self._labels = {
            (one.name, str(code)): label
            for one in assessments.columns
            for code, label in one.codes.items()
        }
        # made once: a study answers the same few hundred codes millions of times
        self._codings = {form.instrument.code: self._options(form) for form in forms}
        self._sections = {
            form.instrument.code: [
                (one, [item for item in form.instrument.items if item.section == one])
                for one in form.instrument.sections
            ]
            for form in forms
        }

    def resource(self, row: Row, answers: Sequence[Row]) -> Element:
        form = self._form(row["instrument"])
        key = [str(row[name]) for name in KEY]
        made: Element = {
            "resourceType": "QuestionnaireResponse",
            "id": hashlib.sha256("\n".join(key).encode()).hexdigest()[:32],
        }
        if row["demonstration"]:
            made["meta"] = {"tag": [demonstration_tag(self._terms, self._words)]}
        fingerprint = row["instrument_fingerprint"] or form.instrument.fingerprint
        canonical = self._terms.questionnaire(form.instrument)
        made |= {
            "language": tag(form.language(self._language)),
            "extension": list(self._extensions(row)),
            "identifier": {
                "system": self._terms.numbers("assessments", row["study"]),
                "value": "/".join(key[2:]),
            },
            "questionnaire": f"{canonical}|{version(form.instrument, fingerprint)}",
            "status": _status(row),
            "subject": self._subject(row),
        }
        if moment := row.get("completed_at") or _newest(answers):
            made["authored"] = moment.astimezone(self._zone).isoformat()
        several = len((row["wordings"] or "").split()) > 1
        made["item"] = self._items(form, answers, several)
        return made

    def _form(self, instrument: str) -> Form:
        if instrument not in self._forms:
            raise TableError(f"there is no form of the instrument {instrument!r}")
        return self._forms[instrument]

    def _subject(self, row: Row) -> Element:
        """Whose answers: by study number, and no address of a record."""
        system = self._terms.numbers("participants", row["study"])
        return {
            "type": "Patient",
            "identifier": {"system": system, "value": row["participant"]},
        }

    def _extensions(self, row: Row) -> Iterator[Element]:
        if row["mode"]:
            yield {"url": COMPLETION_MODE, "valueCodeableConcept": self._mode(row["mode"])}
        yield self._terms.extension("site", valueString=row["site"])
        timepoint = {
            "system": self._terms.codes(f"{row['study']}.timepoints"),
            "code": row["timepoint"],
            "display": self._labels.get(("timepoint", row["timepoint"]), row["timepoint"]),
        }
        visit = [
            {"url": "timepoint", "valueCoding": timepoint},
            {"url": "occurrence", "valuePositiveInt": row["occurrence"]},
        ]
        yield self._terms.extension("visit", extension=visit)
        if row["late"] is not None:
            yield self._terms.extension("late", valueBoolean=bool(row["late"]))
        for language in (row["languages"] or "").split():
            yield self._terms.extension("answered-in", valueCode=tag(language))
        for fingerprint in (row["wordings"] or "").split():
            yield self._terms.extension("wording-fingerprint", valueString=fingerprint)
        if row.get("completed_day") is not None:
            yield self._terms.extension("study-day", valueInteger=row["completed_day"])

    def _mode(self, mode: str) -> Element:
        """How it was answered, by the code that R4 asks for and by ours, which tells more."""
        code, display = MODES[mode]
        ours = {
            "system": self._terms.codes("mode"),
            "code": mode,
            "display": self._labels.get(("mode", mode), mode),
        }
        return {"coding": [{"system": PARTICIPATION, "code": code, "display": display}, ours]}

    def _items(self, form: Form, answers: Sequence[Row], several: bool) -> list[Element]:
        """The answers below their sections, as the Questionnaire has them."""
        given = {row["item"]: row for row in answers}
        made = []
        for section, items in self._sections[form.instrument.code]:
            told = [
                self._item(form, item, given.pop(item.code), several)
                for item in items
                if item.code in given
            ]
            if told:
                made.append({"linkId": f"{SECTION}{section.code}", "item": told})
        if given:
            raise TableError(f"{form.instrument.code} has no item {', '.join(given)}")
        return made

    def _item(self, form: Form, item: Item, row: Row, several: bool) -> Element:
        extensions = []
        if row["state"] in REASONS:
            extensions.append({"url": ABSENT, "valueCode": REASONS[row["state"]]})
        if row["corrections"]:
            extensions.append(self._original(form, item, row))
        if several and row["language"]:
            language = self._terms.extension("answered-in", valueCode=tag(row["language"]))
            wording = self._terms.extension("wording-fingerprint", valueString=row["wording"])
            extensions += [language, wording]
        made: Element = {"linkId": item.code}
        if extensions:
            made["extension"] = extensions
        if row["state"] not in REASONS:
            made["answer"] = [{"valueCoding": self._coding(form, item, row["code"])}]
        return made

    def _original(self, form: Form, item: Item, row: Row) -> Element:
        state = row["original_state"]
        if state in REASONS:
            before: Element = {"url": "absent", "valueCode": REASONS[state]}
        else:
            code = row["original_code"]
            before = {"url": "answer", "valueCoding": self._coding(form, item, code)}
        numbers = row["corrections"].split()
        corrections = [{"url": "correction", "valueString": one} for one in numbers]
        return self._terms.extension("original", extension=[before, *corrections])

    def _coding(self, form: Form, item: Item, code: int) -> Element:
        found = self._codings[form.instrument.code].get((item.code, code))
        if found is None:
            raise TableError(f"{form.instrument.code}: {item.code} has no code {code}")
        return found

    def _options(self, form: Form) -> Mapping[tuple[str, int], Element]:
        """What is answered, by item and code."""
        wording = form.wordings[form.language(self._language)]
        return {
            (item.code, code): {
                "system": self._terms.options(form.instrument, item.options),
                "code": str(code),
                "display": wording.options[item.options.code][code],
            }
            for item in form.instrument.items
            for code in item.options.codes
        }


def _status(row: Row) -> str:
    if row["void"]:
        return "entered-in-error"  # approved: it belongs to another visit or person
    if row["corrections"]:
        return "amended"
    return STATUSES.get(row["status"], "stopped")


def _newest(answers: Sequence[Row]) -> datetime | None:
    """When the newest answer arrived; none where the tables hold no dates."""
    found = [row["received_at"] for row in answers if row.get("received_at")]
    return max(found, default=None)
