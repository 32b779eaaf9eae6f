"""Whether a filled template is the wording of its instrument: every fault, row by row.

Pure: `pro_app.services.wording_file` reads the rows out of a file's bytes. A text is never changed,
only taken as it stands or refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pro_app.core.instruments import Instrument
from pro_app.core.wording_characters import MOST_CHARACTERS, character_faults, folded, placeholder
from pro_app.core.wording_faults import Fault, fault
from pro_app.core.wording_scripts import (
    file_reads_unlike,
    has_letters,
    reads_like,
    script_faults,
)
from pro_app.core.wording_template import COLUMNS, FIXED, TEXT, lines, options_items

Texts = Mapping[str, str]  # by place
FEWEST_OPTIONS = 3  # yes and no are yes and no in every wording
MOST_KEY = 60  # characters of a key that is told although it is not the template's
ALONE = ("instruction", "lead", "item")  # kinds of texts of which no two wordings have the same


class Cell(NamedTuple):
    """A cell: its text, and "" or the code of the fault that its kind is (`formula`, `number`)."""

    text: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table, with one cell for each of COLUMNS."""

    number: int
    cells: tuple[Cell, ...] = field(repr=False)  # licensed: no message may hold it

    def text(self, column: str) -> str:
        """What stands in a column."""
        return self.cells[COLUMNS.index(column)].text


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which instrument and language a file has to be the wording.

    `demonstration` are the shipped wordings by language, `stored` the licensed ones that are there
    already, by language.
    """

    instrument: Instrument
    language: str
    demonstration: Mapping[str, Texts] = field(default_factory=dict)
    stored: Mapping[str, Texts] = field(default_factory=dict, repr=False)

    def others(self) -> Iterator[tuple[str, Texts]]:
        """The texts in other languages."""
        for texts in (self.demonstration, self.stored):
            yield from ((one, found) for one, found in texts.items() if one != self.language)


@dataclass(frozen=True, slots=True)
class Checked:
    """The texts by place, complete only where there is no fault, and what was confirmed as it is:
    places with the codes of the doubts there."""

    texts: Texts = field(repr=False)
    faults: tuple[Fault, ...]
    confirmed: tuple[tuple[str, str], ...]


def check(
    rows: Sequence[Row], wanted: Wanted, sheet: str = "", confirmed: Collection[str] = ()
) -> Checked:
    """Every fault of a table, in the order of its rows.

    At the places `confirmed` somebody has compared the file with the owner's text: doubts there
    are no faults. `sheet` is the name that the faults tell.
    """
    checking = _Checking(wanted, sheet)
    found = [*checking.keys(rows), *checking.cells()]
    found += checking.compared()
    faults, settled = [], []
    for one in found:
        if one.doubtful and one.key in confirmed:
            settled.append((one.key or "", one.code))
        else:
            faults.append(one)
    faults.sort(key=lambda one: one.row or 0)  # those of one row stay as they were found
    return Checked(checking.texts, tuple(faults), tuple(settled))


class _Checking:
    """One look at the rows of one file."""

    def __init__(self, wanted: Wanted, sheet: str) -> None:
        self.wanted, self.sheet = wanted, sheet
        self.lines = {one.key: one for one in lines(wanted.instrument, None)}
        self.rows: dict[str, Row] = {}  # by key, the first of each
        self.texts: dict[str, str] = {}  # those that can be compared

    def fault(self, code: str, row: Row | None, key: str | None, **values: str | int) -> Fault:
        return fault(code, self.sheet, None if row is None else row.number, key, **values)

    # --- the rows --------------------------------------------------------------------------------

    def keys(self, rows: Sequence[Row]) -> Iterator[Fault]:
        """What is wrong with the rows' keys."""
        strange = []
        for row in rows:
            key = row.text("key")
            if not key.strip():
                yield self.fault("key_blank", row, None)
            elif key in self.rows:
                yield self.fault("key_twice", row, key, first=self.rows[key].number)
            elif key in self.lines:
                self.rows[key] = row
            else:
                strange.append(row)
        if len(strange) > len(rows) / 2:
            yield self.fault("instrument", None, None, wanted=self.wanted.instrument.code)
            self.rows = {}  # all else would only follow from this
            return
        yield from self._counts(strange)
        yield from self._order()

    def _counts(self, strange: list[Row]) -> Iterator[Fault]:
        """Rows that are too many or missing; an option set with another count, once."""
        gone = [key for key in self.lines if key not in self.rows]
        for code, options in self.wanted.instrument.option_sets.items():
            start = f"options.{code}."
            extra = {row.text("key"): row for row in strange if _is_option(row.text("key"), start)}
            missing = [key for key in gone if key.startswith(start)]
            if len(extra) == len(missing):
                continue
            items = ", ".join(options_items(self.wanted.instrument, code))
            wanted = len(options.codes)
            found = wanted + len(extra) - len(missing)
            key = [*extra, *missing][0]
            row = extra.get(key)
            yield self.fault("options", row, key, items=items, found=found, wanted=wanted)
            gone = [one for one in gone if one not in missing]
            strange = [row for row in strange if row.text("key") not in extra]
        for row in strange:
            yield self.fault("key_unknown", row, None)
        for key in gone:
            yield self.fault("key_gone", None, key)

    def _order(self) -> Iterator[Fault]:
        expected = [key for key in self.lines if key in self.rows]
        for key, wanted in zip(self.rows, expected, strict=True):
            if key != wanted:
                yield self.fault("order", self.rows[key], key, wanted=wanted)

    # --- the cells -------------------------------------------------------------------------------

    def cells(self) -> Iterator[Fault]:
        """What is wrong with the cells of the template's rows, each by itself."""
        for key, row in self.rows.items():
            line = self.lines[key]
            odd = [column for column, one in zip(COLUMNS, row.cells, strict=True) if one.kind]
            for column in odd:
                kind = row.cells[COLUMNS.index(column)].kind
                yield self.fault(kind, row, key, column=column)
            for column in FIXED:
                if column not in odd and row.text(column) != getattr(line, column):
                    yield self.fault("changed", row, key, column=column)
            if not row.cells[TEXT].kind:
                yield from self._text(row, key)

    def _text(self, row: Row, key: str) -> Iterator[Fault]:
        text = row.cells[TEXT].text
        if not text.strip():
            yield self.fault("empty", row, key)
            return
        if len(text) > MOST_CHARACTERS:
            yield self.fault("long", row, key, found=len(text), most=MOST_CHARACTERS)
            return
        language = self.wanted.language
        found = list(character_faults(text, language))
        if (sign := placeholder(text)) is not None:
            found.append(("placeholder", {"sign": sign}))
        self.texts[key] = text
        for code, values in found:
            yield self.fault(code, row, key, **values)

    # --- the texts, compared ---------------------------------------------------------------------

    def compared(self) -> Iterator[Fault]:
        """What is wrong with the texts beside other texts: languages, hints, twins."""
        yield from self._languages()
        yield from self._hints()
        yield from self._twins()

    def _languages(self) -> Iterator[Fault]:
        """Texts in another language; only one fault where nearly all of them are."""
        known = list(self._foreign())
        for code in ("other_language", "script"):
            of = [one for one in known if one.code == code]
            if len(of) > len(self.texts) / 2:
                yield self._whole(of)
                return
        yield from known
        told = {one.key for one in known}
        language = self.wanted.language
        if file_reads_unlike(self.texts.values(), language):
            yield self.fault("file_language", None, None, language=language)
            return
        for key, text in self.texts.items():
            if key not in told and (other := reads_like(text, language)) is not None:
                row = self.rows[key]
                yield self.fault("reads_like", row, key, read=other, language=language)

    def _whole(self, of: list[Fault]) -> Fault:
        """The fault of a file, out of those at nearly each of its rows."""
        read = Counter(dict(one.values).get("read") for one in of).most_common(1)[0][0]
        if read is None:
            return self.fault("file_language", None, None, language=self.wanted.language)
        return self.fault("file_of", None, None, read=read)

    def _foreign(self) -> Iterator[Fault]:
        """Texts that are another language's own, or in another script."""
        foreign = {
            text: language
            for language, texts in self.wanted.others()
            for key, text in texts.items()
            if self._kind(key) in ALONE
        }
        for key, text in self.texts.items():
            same = self._language_at(key, text) or foreign.get(text)
            if same is not None and self._own().get(key) != text and has_letters(text):
                yield self.fault("other_language", self.rows[key], key, read=same)
            elif placeholder(text) is None:
                for code, values in script_faults(text, self.wanted.language):
                    yield self.fault(code, self.rows[key], key, **values)

    def _language_at(self, key: str, text: str) -> str | None:
        """The other language that has this very text at this place."""
        return next((one for one, texts in self.wanted.others() if texts.get(key) == text), None)

    def _own(self) -> Texts:
        return self.wanted.demonstration.get(self.wanted.language, {})

    def _hints(self) -> Iterator[Fault]:
        """Texts of the demonstration wording, at their place or at another one.

        Recall periods and short sets of options are alike in many wordings and say nothing.
        """
        own = {folded(text): key for key, text in self._own().items() if self._kind(key) in ALONE}
        for key, text in self.texts.items():
            if self._kind(key) in ALONE and (place := own.get(folded(text))) is not None:
                yield self.fault("hint", self.rows[key], key, place=place)
        for keys in self._option_sets():
            same = [key for key in keys if self._own().get(key) == self.texts.get(key, "")]
            if len(keys) >= FEWEST_OPTIONS and len(same) == len(keys):
                yield self.fault("hint_options", self.rows[keys[0]], keys[0])

    def _kind(self, key: str) -> str:
        return self.lines[key].kind if key in self.lines else ""

    def _option_sets(self) -> Iterator[list[str]]:
        for code in self.wanted.instrument.option_sets:
            yield [key for key in self.lines if key.startswith(f"options.{code}.")]

    def _twins(self) -> Iterator[Fault]:
        """Options of one set that are nearly the same, and items: but below other lead-ins the
        same words ask another question."""
        for keys in self._option_sets():
            yield from self._alike("twin_options", keys)
        below: dict[str, list[str]] = {}
        for item in self.wanted.instrument.items:
            lead = self.texts.get(f"leads.{item.section.code}", "")
            below.setdefault(folded(lead), []).append(f"items.{item.code}")
        for keys in below.values():
            yield from self._alike("twin_items", keys)

    def _alike(self, code: str, keys: Iterable[str]) -> Iterator[Fault]:
        seen: dict[str, str] = {}
        for key in keys:
            text = folded(self.texts.get(key, ""))
            first = seen.setdefault(text, key)
            if text and first != key:
                yield self.fault(code, self.rows[key], key, other=first)


def _is_option(key: str, start: str) -> bool:
    """Whether an unknown key is an option's: then it can be told, for it holds but a number."""
    rest = key.removeprefix(start)
    return key.startswith(start) and rest.isascii() and rest.isdigit() and len(key) <= MOST_KEY
