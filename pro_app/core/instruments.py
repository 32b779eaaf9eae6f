"""Instruments: what a questionnaire is made of, read from `questionnaires/<instrument>/`.

The structure and the arithmetic are data and exist once; the sentences are wordings, one file a
language. A definition with a fault is refused as a whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pro_app.core.definition import (
    DefinitionError,
    Table,
    fingerprint,
    frozen,
    read_toml,
    unique,
)
from pro_app.core.scoring import Scoring
from pro_app.core.scoring_definition import read_scorings

__all__ = [
    "CdiscCategory",
    "DefinitionError",
    "Difference",
    "Instrument",
    "Item",
    "OptionSet",
    "Section",
    "load_instrument",
    "load_instruments",
]

RECALLS = {"none": 0, "past_4_weeks": 28, "past_1_year": 365}  # days that items ask about
ITEM_CODE = re.compile(r"[A-Z][A-Z0-9]{0,7}")


@dataclass(frozen=True, slots=True)
class OptionSet:
    """The coded answers that items share; `first` and `last` say what the end codes mean."""

    code: str
    codes: tuple[int, ...]
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Section:
    """Neighbouring items with one recall period and, where `lead` is true, one lead-in sentence."""

    code: str
    recall: str
    lead: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A question. `n` is its place in the form, from 1; `paper` its number on the paper form."""

    code: str
    n: int
    topic: str
    section: Section
    options: OptionSet
    not_applicable: bool
    scored: bool
    paper: str


@dataclass(frozen=True, slots=True)
class CdiscCategory:
    """Codes under which CDISC's controlled terminology knows the items and scores (SDTM QS).

    `scoring` names the scoring whose scores the category carries. `scores` are 0-100 scores and
    summaries, `norm_based` the norm-based ones; both may be empty.
    """

    category: str
    scoring: str
    sponsor_defined: bool
    items: Mapping[str, str]
    scores: Mapping[str, str]
    norm_based: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """Minimal important differences of a scale, in its points; None where none is at hand."""

    mid_improve: float | None = None
    mid_deteriorate: float | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire's definition.

    `differences` is by scoring and scale and has every scale. `fingerprint` is the SHA-256, in
    hex, of the whole definition and changes with any word of it.
    """

    code: str
    name: str
    version: str
    rights: str
    sources: tuple[str, ...]
    minutes: int
    items: tuple[Item, ...]
    sections: tuple[Section, ...]
    option_sets: Mapping[str, OptionSet]
    scorings: Mapping[str, Scoring]
    cdisc: Mapping[str, CdiscCategory]
    differences: Mapping[str, Mapping[str, Difference]]
    differences_note: str | None
    fingerprint: str

    def item(self, code: str) -> Item:
        """The item of that code; `KeyError` if there is none."""
        for item in self.items:
            if item.code == code:
                return item
        raise KeyError(code)

    @property
    def recall_days(self) -> int:
        """How many days most of its items ask about; 0 for those that ask about now."""
        return Counter(RECALLS[item.section.recall] for item in self.items).most_common(1)[0][0]


def load_instruments(root: Path) -> dict[str, Instrument]:
    """Every folder of `root` that holds an instrument.toml, by code, sorted.

    `DefinitionError` on the first fault.
    """
    folders = sorted(path.parent for path in root.glob("*/instrument.toml"))
    return {folder.name: load_instrument(folder) for folder in folders}


def load_instrument(folder: Path) -> Instrument:
    """The instrument of a folder, out of instrument.toml and scoring.toml.

    `DefinitionError` on the first fault; the code must be the folder's name.
    """
    table = read_toml(folder / "instrument.toml")
    code = table.text("code")
    if code != folder.resolve().name:
        raise table.fault("code", f'"{code}" is not the name of the folder')
    option_sets = _option_sets(table.table("options"))
    entries = _item_entries(table)
    sections = _sections(table, tuple(entries))
    items = _items(entries, option_sets, sections)
    scoring_file = read_toml(folder / "scoring.toml")
    scorings = read_scorings(
        scoring_file,
        frozen({item.code: item.options.codes for item in items}),
        tuple(item.code for item in items if item.scored),
    )
    differences, note = _differences(table, scorings)
    instrument = Instrument(
        code=code,
        name=table.text("name"),
        version=table.text("version"),
        rights=table.text("rights"),
        sources=table.texts("sources"),
        minutes=_minutes(table),
        items=items,
        sections=tuple(dict.fromkeys(sections.values())),
        option_sets=frozen(option_sets),
        scorings=scorings,
        cdisc=_cdisc(table, scorings, tuple(entries)),
        differences=differences,
        differences_note=note,
        fingerprint=fingerprint([table.data, scoring_file.data]),
    )
    table.done()
    return instrument


def _minutes(table: Table) -> int:
    minutes = table.integer("minutes")
    if not 1 <= minutes <= 120:
        raise table.fault("minutes", f"{minutes} is not within 1 to 120")
    return minutes


def _option_sets(table: Table) -> dict[str, OptionSet]:
    sets = {}
    for code in table:
        one = table.table(code)
        codes = one.integers("codes")
        unique(map(str, codes), one.file, one.at("codes"))
        if len(codes) < 2:
            raise one.fault("codes", "needs at least two codes")
        if min(codes) < 0 or max(codes) > 99:
            raise one.fault("codes", "codes are whole numbers from 0 to 99")
        sets[code] = OptionSet(code, codes, one.text("first"), one.text("last"))
        one.done()
    return sets


def _item_entries(table: Table) -> dict[str, Table]:
    entries: dict[str, Table] = {}
    for entry in table.tables("items"):
        code = entry.text("code")
        if not ITEM_CODE.fullmatch(code):
            raise entry.fault("code", f'"{code}" is not a capital and up to 7 capitals or digits')
        if code in entries:
            raise entry.fault("code", f'"{code}" is there twice')
        entry.place = f"items.{code}"
        entries[code] = entry
    return entries


def _sections(table: Table, items: tuple[str, ...]) -> dict[str, Section]:
    """The section of each item, in form order."""
    found: dict[str, Section] = {}
    codes = []
    for one in table.tables("sections"):
        section = Section(
            one.text("code"), one.choice("recall", tuple(RECALLS)), one.flag("lead", False)
        )
        codes.append(section.code)
        for item in one.texts("items"):
            if item not in items:
                raise one.fault("items", f'"{item}" is not an item of the instrument')
            if item in found:
                raise one.fault("items", f'"{item}" is in a section already')
            found[item] = section
        one.done()
    unique(codes, table.file, "sections")
    if without := [item for item in items if item not in found]:
        raise table.fault("sections", f"no section for {', '.join(without)}")
    if tuple(found) != items:
        raise table.fault("sections", "do not follow the order of the items")
    return found


def _items(
    entries: Mapping[str, Table],
    option_sets: Mapping[str, OptionSet],
    sections: Mapping[str, Section],
) -> tuple[Item, ...]:
    items = []
    for n, (code, entry) in enumerate(entries.items(), 1):
        options = entry.text("options")
        if options not in option_sets:
            raise entry.fault("options", f'"{options}" is not an option set')
        items.append(
            Item(
                code=code,
                n=n,
                topic=entry.text("topic"),
                section=sections[code],
                options=option_sets[options],
                not_applicable=entry.flag("not_applicable", False),
                scored=entry.flag("scored", True),
                paper=entry.text("paper"),
            )
        )
        entry.done()
    return tuple(items)


def _cdisc(
    table: Table, scorings: Mapping[str, Scoring], items: tuple[str, ...]
) -> Mapping[str, CdiscCategory]:
    if "cdisc" not in table:
        return frozen({})
    categories = table.table("cdisc")
    found = {}
    for category in categories:
        one = categories.table(category)
        scoring = one.choice("scoring", tuple(scorings))
        outputs = scorings[scoring].outputs()
        found[category] = CdiscCategory(
            category=category,
            scoring=scoring,
            sponsor_defined=one.flag("sponsor_defined", False),
            items=_terms(one, "items", items, items),
            scores=_terms(one, "scores", outputs, ()),
            norm_based=_terms(one, "norm_based", outputs, ()),
        )
        one.done()
    return frozen(found)


def _terms(
    table: Table, key: str, allowed: tuple[str, ...], needed: tuple[str, ...]
) -> Mapping[str, str]:
    if key not in table and not needed:
        return frozen({})
    terms = table.table(key)
    for code in terms:
        if code not in allowed:
            raise terms.fault(code, "is not known to the instrument")
    if without := [code for code in needed if code not in terms]:
        raise terms.fault("", f"no code for {', '.join(without)}")
    found = {code: terms.text(code) for code in terms}
    unique(found.values(), terms.file, terms.place)
    return frozen(found)


def _differences(
    table: Table, scorings: Mapping[str, Scoring]
) -> tuple[Mapping[str, Mapping[str, Difference]], str | None]:
    found = {
        name: dict.fromkeys(scoring.outputs(), Difference()) for name, scoring in scorings.items()
    }
    note = None
    if "differences" in table:
        differences = table.table("differences")
        note = differences.text("note") if "note" in differences else None
        for one in differences.tables("scales") if "scales" in differences else ():
            scoring = one.choice("scoring", tuple(scorings))
            scale = one.choice("scale", scorings[scoring].outputs())
            if found[scoring][scale] != Difference():
                raise one.fault("scale", f'"{scale}" is there twice')
            found[scoring][scale] = Difference(
                _optional(one, "mid_improve"), _optional(one, "mid_deteriorate"), one.text("source")
            )
            one.done()
        differences.done()
    return frozen({name: frozen(scales) for name, scales in found.items()}), note


def _optional(table: Table, key: str) -> float | None:
    number: Fraction | None = table.number(key) if key in table else None
    return None if number is None else float(number)
