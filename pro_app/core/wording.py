"""Wordings: the text of an instrument in one language: shipped as wording/<language>.toml, or
made out of a flat table of texts by place, as files of licensed wording have them.

A wording has exactly the sentences that the instrument asks for, and never anything about
scoring. What a participant reads must not be half translated, so any gap refuses the whole file.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pro_app.core.definition import DefinitionError, Table, fingerprint, frozen, read_toml
from pro_app.core.instruments import Instrument

DEMONSTRATION = "demonstration"
SHORT = 12  # characters of a fingerprint that tell the wordings of an instrument apart
KINDS = (DEMONSTRATION, "licensed")


@dataclass(frozen=True, slots=True)
class Wording:
    """All texts of one instrument in one language.

    `leads` is by section, for the sections with a lead-in; `recalls` by section, for those with a
    recall period; `options` by option set and code; `items` by item. `version` is the name that
    its holder gives the text, empty for what is shipped. `fingerprint` is the SHA-256, in hex, of
    instrument, language, kind, version and texts (not of `source`).
    """

    instrument: str
    language: str
    kind: str
    source: str
    instruction: str
    leads: Mapping[str, str]
    recalls: Mapping[str, str]
    options: Mapping[str, Mapping[int, str]]
    items: Mapping[str, str]
    fingerprint: str
    version: str = ""

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every text with its place in the file."""
        yield "instruction", self.instruction
        for key, mapping in (("leads", self.leads), ("recalls", self.recalls)):
            for code, text in mapping.items():
                yield f"{key}.{code}", text
        for option_set, texts in self.options.items():
            for option, text in texts.items():
                yield f"options.{option_set}.{option}", text
        for code, text in self.items.items():
            yield f"items.{code}", text


def places(instrument: Instrument) -> tuple[str, ...]:
    """The place of every text of an instrument's wording, in the order of `Wording.texts`."""
    return (
        "instruction",
        *(f"leads.{one.code}" for one in instrument.sections if one.lead),
        *(f"recalls.{one.code}" for one in instrument.sections if one.recall != "none"),
        *(
            f"options.{one.code}.{option}"
            for one in instrument.option_sets.values()
            for option in one.codes
        ),
        *(f"items.{one.code}" for one in instrument.items),
    )


def fits(wording: Wording, instrument: Instrument) -> bool:
    """Whether it has exactly the texts that the instrument's definition asks for now."""
    return tuple(place for place, _ in wording.texts()) == places(instrument)


def made(
    instrument: Instrument,
    language: str,
    kind: str,
    source: str,
    version: str,
    texts: Mapping[str, str],
) -> Wording:
    """The wording of these texts by place, checked as a file's are.

    `source` says where they come from. Raises `DefinitionError`, whose file is `source`.
    """
    data: dict[str, object] = {
        "language": language, "kind": kind, "source": source, "leads": {}, "recalls": {},
        "options": {code: {} for code in instrument.option_sets}, "items": {},
    }  # fmt: skip
    for place, text in texts.items():
        *way, key = place.split(".")
        table: Any = data
        for step in way:
            table = table.setdefault(step, {})
        table[key] = text
    return _wording(Table(source, "", data), instrument, language, version)


def short(wording: Wording) -> str:
    """The beginning of the fingerprint, by which a phone or a sheet of paper names a wording."""
    return wording.fingerprint[:SHORT]


def load_wording(path: Path, instrument: Instrument) -> Wording:
    """The wording of a file, checked against the instrument. `DefinitionError` on a fault.

    The file's name without .toml is its language.
    """
    table = read_toml(path)
    if table.text("language") != path.stem:
        raise table.fault("language", f'"{table.text("language")}" is not the name of the file')
    table.choice("kind", (DEMONSTRATION,))  # licensed text is stored, never shipped
    return _wording(table, instrument, path.stem, "")


def _wording(table: Table, instrument: Instrument, language: str, version: str) -> Wording:
    table.text("language")
    leads = tuple(one.code for one in instrument.sections if one.lead)
    recalls = tuple(one.code for one in instrument.sections if one.recall != "none")
    wording = Wording(
        instrument=instrument.code,
        language=language,
        kind=table.choice("kind", KINDS),
        source=_clean(table, "source"),
        instruction=_clean(table, "instruction"),
        leads=_texts(table, "leads", leads, "a section with a lead-in"),
        recalls=_texts(table, "recalls", recalls, "a section with a recall period"),
        options=_options(table, instrument),
        items=_texts(table, "items", tuple(item.code for item in instrument.items), "an item"),
        fingerprint="",
        version=version,
    )
    table.done()
    return _sealed(wording)


def restored(instrument: str, language: str, version: str, texts: Mapping[str, str]) -> Wording:
    """A licensed wording that was made by `made` and kept as its texts by place, in their order."""
    parts: dict[str, dict[str, str]] = {"leads": {}, "recalls": {}, "items": {}}
    options: dict[str, Mapping[int, str]] = {}
    for place, text in texts.items():
        part, _, code = place.partition(".")
        if part == "options":
            option_set, _, option = code.rpartition(".")
            options[option_set] = {**options.get(option_set, {}), int(option): text}
        elif part in parts:
            parts[part][code] = text
    return _sealed(
        Wording(
            instrument, language, "licensed", f"stored, version {version}", texts["instruction"],
            frozen(parts["leads"]), frozen(parts["recalls"]),
            frozen({code: MappingProxyType(dict(one)) for code, one in options.items()}),
            frozen(parts["items"]), "", version,
        )
    )  # fmt: skip


def _sealed(wording: Wording) -> Wording:
    content = {
        "instrument": wording.instrument,
        "language": wording.language,
        "kind": wording.kind,
        "texts": dict(wording.texts()),
    }
    if wording.version:  # what is shipped has none, and keeps the fingerprint that it always had
        content["version"] = wording.version
    values = {name: getattr(wording, name) for name in Wording.__slots__}
    return Wording(**{**values, "fingerprint": fingerprint(content)})


def _texts(table: Table, key: str, expected: tuple[str, ...], meaning: str) -> Mapping[str, str]:
    """The texts under a key, exactly the expected codes; no table is needed where none are."""
    if not expected and key not in table:
        return frozen({})
    texts = table.table(key)
    for code in texts:
        if code not in expected:
            raise texts.fault(code, f"is not {meaning} of this instrument")
    return frozen({code: _clean(texts, code) for code in expected})


def _options(table: Table, instrument: Instrument) -> Mapping[str, Mapping[int, str]]:
    options = table.table("options")
    for code in options:
        if code not in instrument.option_sets:
            raise options.fault(code, "is not an option set of this instrument")
    found: dict[str, Mapping[int, str]] = {}
    for code, option_set in instrument.option_sets.items():
        texts = options.table(code)
        known = {str(option): option for option in option_set.codes}
        for key in texts:
            if key not in known:
                raise texts.fault(key, f"is not an option of {code}")
        found[code] = {option: _clean(texts, key) for key, option in known.items()}
        _no_twins(texts, found[code])
    return frozen(found)


def _no_twins(table: Table, texts: Mapping[int, str]) -> None:
    seen: dict[str, int] = {}
    for option, text in texts.items():
        if text in seen:
            raise table.fault(str(option), f"has the same text as option {seen[text]}")
        seen[text] = option


def _clean(table: Table, key: str) -> str:
    """A text as a page may show it: NFC, one line, no control characters, no outer spaces."""
    text = table.text(key)
    if text != text.strip():
        raise table.fault(key, "begins or ends with a space")
    if not unicodedata.is_normalized("NFC", text):
        raise table.fault(key, "is not in Unicode normal form NFC")
    for character in text:
        if unicodedata.category(character) == "Cc":
            raise table.fault(key, f"holds the control character U+{ord(character):04X}")
    return text


def load_wordings(folder: Path, instrument: Instrument) -> dict[str, Wording]:
    """All languages of a folder, by language, sorted; `DefinitionError` on the first fault."""
    wordings = {path.stem: load_wording(path, instrument) for path in sorted(folder.glob("*.toml"))}
    check_languages(folder, wordings)
    return wordings


def check_languages(folder: Path, wordings: Mapping[str, Wording]) -> None:
    """Refuse a text that is the same in two languages: it was copied and not translated."""
    seen: dict[tuple[str, str], str] = {}
    for language, wording in wordings.items():
        for place, text in wording.texts():
            other = seen.setdefault((place, text), language)
            if other != language:
                raise DefinitionError(
                    str(folder / f"{language}.toml"), place, f"has the same text as {other}"
                )
