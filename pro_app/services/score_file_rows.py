"""Scoring a CSV file row by row: the reader that decides what a file means and names its faults.

It reads with the csv module and needs nothing but the core. `score_file_fast` gives the same
bytes for regular files, faster, and leaves every other file to this one.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pro_app.core.instruments import Instrument, Item
from pro_app.core.scoring import Scoring
from pro_app.core.tables import RowScorer, Tables, build_tables

ID = "id"
NOT_APPLICABLE = "NA"
PROBLEMS_SHOWN = 50
NUMBER = re.compile(r"\+?0*(\d+)(\.0*)?")


class Problem(NamedTuple):
    """One fault: its physical line (None for the whole file), its column, and what is wrong."""

    line: int | None
    column: str | None
    text: str

    def __str__(self) -> str:
        if self.line is None:
            return self.text
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}: {self.text}"


@dataclass
class Problems:
    """The faults of a file: the first ones to show, and how many there are."""

    first: list[Problem] = field(default_factory=list)
    total: int = 0

    def add(self, line: int | None, column: str | None, text: str) -> None:
        """Note a fault; beyond the first ones only the number grows."""
        self.total += 1
        if len(self.first) < PROBLEMS_SHOWN:
            self.first.append(Problem(line, column, text))


class FileRefused(Exception):
    """The file has faults and was not scored; `problems` has them."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(f"{problems.total} problems")
        self.problems = problems


class Form:
    """What a file of one instrument and scoring looks like, going in and coming out."""

    def __init__(self, instrument: Instrument, scoring: Scoring) -> None:
        self.items: tuple[Item, ...] = instrument.items
        self.codes = tuple(item.code for item in instrument.items)
        self.tables: Tables = build_tables(scoring)
        self.places = tuple(
            {"": 0, NOT_APPLICABLE: 0}
            | {str(code): place for place, code in enumerate(item.options.codes, 1)}
            for item in instrument.items
        )
        # By scale and place in its table: score and number answered, as they stand in the output.
        self.texts = tuple(
            tuple(f"{_number(entry.value)},{entry.answered}" for entry in table.entries)
            for table in self.tables.scales
        )

    def header(self) -> str:
        """The first line of the output, without its end."""
        scales = [f"{table.code},{table.code}_answered" for table in self.tables.scales]
        return ",".join([ID, *scales, *self.tables.summaries, "problems"])


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def score_rows(data: bytes, form: Form, write: Callable[[str], object], lenient: bool) -> None:
    """Score a file's bytes and write the output, piece by piece.

    With `lenient` a value that its item does not have counts as unanswered and is named in the
    output. `FileRefused` for all other faults, at the end, when part of the output is written: it
    must then be thrown away.
    """
    problems = Problems()
    if fault := not_utf8(data):
        problems.add(*fault)
        raise FileRefused(problems)
    records = _records(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), problems)
    header = next(records, None)
    if header is None:
        if not problems.total:
            problems.add(None, None, "the file is empty; it needs a header: id and the item codes")
        raise FileRefused(problems)
    line, cells = header
    columns = read_header(cells, form.codes, line, problems)
    if columns is not None:
        write(form.header() + "\n")
        _score_records(records, len(cells), columns, form, write, lenient, problems)
    if problems.total:
        raise FileRefused(problems)


def not_utf8(data: bytes) -> Problem | None:
    """The fault of a file that is not UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem(None, None, "the file is UTF-16; save it as UTF-8")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = data[error.start]
        return Problem(line, None, f"byte 0x{byte:02X} is not UTF-8; save the file as UTF-8")
    return None


def _records(stream: io.TextIOBase, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """The records that are not wholly blank, each with its first physical line."""
    reader = csv.reader(stream, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.add(line, None, _quote_fault(error))
            return
        if cells and not (len(cells) == 1 and cells[0].isspace()):
            yield line, cells


def _quote_fault(error: csv.Error) -> str:
    if "unexpected end" in str(error) or "field limit" in str(error):
        return "a quote is opened and not closed"
    return "a quote is closed before the end of its cell"


# --- the header ---------------------------------------------------------------------------------


class Columns(NamedTuple):
    """Where in a row the id and each item stand; None for an item without a column."""

    id: int | None
    items: tuple[int | None, ...]


def read_header(
    cells: Sequence[str], codes: Sequence[str], line: int, problems: Problems
) -> Columns | None:
    """The places of the columns; faults go to `problems`. None when the line is no header."""
    names = [cell.strip() for cell in cells]
    expected = (ID, *codes)
    if not set(names) & set(expected):
        problems.add(line, None, _no_header(names))
        return None
    for n, name in enumerate(names):
        if name not in expected:
            hint = f"; is it {name.upper()}?" if name.upper() in codes else ""
            problems.add(line, name or f"{n + 1}", f'"{name}" is not id or an item{hint}')
        elif name in names[:n]:
            problems.add(line, name, "is there twice")
    for name in expected:
        if name not in names:
            problems.add(line, name, "is missing")
    return Columns(_place(names, ID), tuple(_place(names, code) for code in codes))


def _place(names: Sequence[str], name: str) -> int | None:
    return names.index(name) if name in names else None


def _no_header(names: Sequence[str]) -> str:
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and separator in names[0]:
            return f"cells are separated by {word}; save the file with commas"
    return "is no header; the first line must hold id and the item codes"


# --- the rows -----------------------------------------------------------------------------------


def _score_records(
    records: Iterator[tuple[int, list[str]]],
    width: int,
    columns: Columns,
    form: Form,
    write: Callable[[str], object],
    lenient: bool,
    problems: Problems,
) -> None:
    scorer = RowScorer(form.tables, form.codes)
    lookups = [
        (n, column, form.places[n]) for n, column in enumerate(columns.items) if column is not None
    ]
    row = [0] * len(form.codes)
    seen: dict[str, int] = {}
    for line, cells in records:
        if len(cells) != width:
            problems.add(line, None, f"{len(cells)} cells, but the header has {width}")
            continue
        person = "" if columns.id is None else cells[columns.id]
        if columns.id is not None:
            _check_id(person, line, seen, problems)
        invalid = []
        for n, column, places in lookups:
            place = places.get(cells[column])
            if place is None:
                place = places.get(cells[column].strip())
            if place is None:
                invalid.append((form.items[n], cells[column].strip()))
                place = 0
            row[n] = place
        if invalid and not lenient:
            for item, value in invalid:
                problems.add(line, item.code, value_fault(item, value))
        if not problems.total:
            write(_line(person, scorer, row, form, invalid))


def _check_id(person: str, line: int, seen: dict[str, int], problems: Problems) -> None:
    plain = person.strip()
    if not plain:
        problems.add(line, ID, "is empty")
        return
    before = seen.setdefault(plain, line)
    if before != line:
        problems.add(line, ID, f'"{plain}" is on line {before} already')


def value_fault(item: Item, value: str) -> str:
    """What is wrong with a value of an item, with a hint where the meaning is plain."""
    codes = [str(code) for code in item.options.codes]
    fault = f'"{value}" is not one of {", ".join(codes)}'
    number = NUMBER.fullmatch(value)
    if number and number[1] in codes:
        return f"{fault}; write {number[1]}"
    if value.lower() in ("na", "n/a", "nan", "null", ".", "-"):
        return f"{fault}; leave it empty, or write {NOT_APPLICABLE}"
    return fault


def _line(
    person: str,
    scorer: RowScorer,
    row: Sequence[int],
    form: Form,
    invalid: Sequence[tuple[Item, str]],
) -> str:
    places = scorer.places(row)
    scales = [texts[place] for texts, place in zip(form.texts, places, strict=True)]
    summaries = map(_number, scorer.summaries(scorer.entries(places)))
    named = "; ".join(f"{item.code}={value}" for item, value in invalid)
    return ",".join([_cell(person), *scales, *summaries, _cell(named)]) + "\n"


def _cell(text: str) -> str:
    """The text as a CSV cell, quoted only where it must be."""
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
