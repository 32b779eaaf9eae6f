"""The table in which a site fills in the wording it is licensed for: one line a text.

Pure: `pro_app.export.wording_template` writes it, `pro_app.core.wording_check` checks it filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pro_app.core.instruments import RECALLS, Instrument, Item, OptionSet
from pro_app.core.wording import Wording, places

COLUMNS = ("key", "kind", "item", "topic", "hint", "text")
TEXT = COLUMNS.index("text")
FIXED = ("kind", "item", "topic")  # columns that a filled file repeats as they were
TABLE_SHEET, ABOUT_SHEET = "wording", "about"
ABOUT = ("instrument", "version", "language", "fingerprint")  # names in the first column of "about"
KINDS = {
    "instruction": "instruction",
    "leads": "lead",
    "recalls": "recall",
    "options": "option",
    "items": "item",
}


@dataclass(frozen=True, slots=True)
class Line:
    """What the template says of one text: `key` is its place, `hint` the demonstration wording."""

    key: str
    kind: str
    item: str
    topic: str
    hint: str


def lines(instrument: Instrument, wording: Wording | None) -> tuple[Line, ...]:
    """The template's lines in their order; without a wording there are no hints."""
    hints: Mapping[str, str] = {} if wording is None else dict(wording.texts())
    return tuple(_line(instrument, place, hints.get(place, "")) for place in places(instrument))


def _line(instrument: Instrument, place: str, hint: str) -> Line:
    part, _, code = place.partition(".")
    kind = KINDS[part]
    if part == "items":
        return Line(place, kind, code, instrument.item(code).topic, hint)
    if part == "options":
        name, _, option = code.rpartition(".")
        topic = _option_topic(instrument, instrument.option_sets[name], int(option))
        return Line(place, kind, f"{name} {option}", topic, hint)
    if part == "instruction":
        return Line(place, kind, "", "before the first question", hint)
    asked = tuple(item for item in instrument.items if item.section.code == code)
    if part == "leads":
        return Line(place, kind, _codes(asked), "begins each of these questions", hint)
    days = RECALLS[asked[0].section.recall]
    return Line(place, kind, _codes(asked), f"the time they ask about: {days} days", hint)


def _option_topic(instrument: Instrument, options: OptionSet, option: int) -> str:
    items = options_items(instrument, options.code)
    of = "all items" if len(items) == len(instrument.items) else ", ".join(items)
    if option == options.codes[0]:
        return f"{options.first}; of {of}"
    if option == options.codes[-1]:
        return f"{options.last}; of {of}"
    return f"between {options.first} and {options.last}; of {of}"


def options_items(instrument: Instrument, option_set: str) -> tuple[str, ...]:
    """The codes of the items that are answered by an option set."""
    return tuple(item.code for item in instrument.items if item.options.code == option_set)


def _codes(items: Iterable[Item]) -> str:
    return ", ".join(item.code for item in items)


def about(instrument: Instrument, language: str) -> dict[str, str]:
    """What a file says of itself, by the names in ABOUT."""
    told = (instrument.code, instrument.version, language, instrument.fingerprint)
    return dict(zip(ABOUT, told, strict=True))


def file_name(instrument: Instrument, language: str) -> str:
    """The template's name without its ending."""
    return f"{instrument.code}-{language}-template"
