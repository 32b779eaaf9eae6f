"""Scoring a CSV file row by row: the reader that decides what a file means and names its faults.

It reads with the csv module and needs nothing but the core. `score_file_fast` gives the same
bytes for regular files, faster, and leaves every other file to this one.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pro_app.core.instruments import Instrument, Item
from pro_app.core.scoring import Norm, Scoring, norm_based, z_value
from pro_app.core.tables import Entry, RowScorer, Tables, build_tables
from pro_app.services.score_file_faults import FileRefused, Problem, Problems, problem

__all__ = ["FileRefused", "Form", "Problems", "read_header", "score_rows"]

ID = "id"
NOT_APPLICABLE = "NA"
NUMBER = re.compile(r"\+?0*(\d+)(\.0*)?")


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
        norms = {scale.code: scale.norm for scale in scoring.scales}
        self.normed = frozenset(code for code, norm in norms.items() if norm is not None)
        # By scale and place in its table: its cells, as they stand in the output.
        self.texts = tuple(
            tuple(_cells(entry, norms[table.code]) for entry in table.entries)
            for table in self.tables.scales
        )

    def header(self) -> str:
        """The first line of the output, without its end: of each scale the score, the number of
        items answered, and, where the scoring has norms, the norm-based score."""
        columns = [ID]
        for table in self.tables.scales:
            columns += [table.code, f"{table.code}_answered"]
            columns += [f"{table.code}_norm"] if table.code in self.normed else []
        return ",".join([*columns, *self.tables.summaries, "problems"])


def _cells(entry: Entry, norm: Norm | None) -> str:
    cells = f"{_number(entry.value)},{entry.answered}"
    if norm is None:
        return cells
    based = None if entry.value is None else norm_based(z_value(norm, entry.value))
    return f"{cells},{_number(based)}"


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
        problems.add(fault)
        raise FileRefused(problems)
    records = _records(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), problems)
    header = next(records, None)
    if header is None:
        if not problems.total:
            problems.add(problem(None, None, "empty"))
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
        return problem(None, None, "utf16")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return problem(line, None, "not_utf8", f"{data[error.start]:02X}")
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
            problems.add(problem(line, None, _quote_fault(error)))
            return
        if cells and not (len(cells) == 1 and cells[0].isspace()):
            yield line, cells


def _quote_fault(error: csv.Error) -> str:
    if "unexpected end" in str(error) or "field limit" in str(error):
        return "quote_open"
    return "quote_closed"


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
        problems.add(problem(line, None, _no_header(names)))
        return None
    for n, name in enumerate(names):
        if name not in expected:
            problems.add(_no_column(line, n, name, codes))
        elif name in names[:n]:
            problems.add(problem(line, name, "column_twice"))
    for name in expected:
        if name not in names:
            problems.add(problem(line, name, "column_missing"))
    return Columns(_place(names, ID), tuple(_place(names, code) for code in codes))


def _no_column(line: int, n: int, name: str, codes: Sequence[str]) -> Problem:
    """The fault of a column's name, with a hint where only its case is wrong."""
    column = name or f"{n + 1}"
    if name.upper() in codes:
        return problem(line, column, "no_column_but", name, item=name.upper())
    return problem(line, column, "no_column", name)


def _place(names: Sequence[str], name: str) -> int | None:
    return names.index(name) if name in names else None


def _no_header(names: Sequence[str]) -> str:
    for separator, fault in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and separator in names[0]:
            return fault
    return "no_header"


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
            problems.add(problem(line, None, "cells", found=len(cells), wanted=width))
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
                problems.add(_no_code(line, item, value))
        if not problems.total:
            write(_line(person, scorer, row, form, invalid))


def _check_id(person: str, line: int, seen: dict[str, int], problems: Problems) -> None:
    plain = person.strip()
    if not plain:
        problems.add(problem(line, ID, "no_id"))
        return
    before = seen.setdefault(plain, line)
    if before != line:
        problems.add(problem(line, ID, "id_twice", plain, first=before))


def _no_code(line: int, item: Item, value: str) -> Problem:
    """The fault of a value of an item, with a hint where the meaning is plain."""
    codes = [str(code) for code in item.options.codes]
    told, number = ", ".join(codes), NUMBER.fullmatch(value)
    if number and number[1] in codes:
        return problem(line, item.code, "no_code_but", value, codes=told, meant=number[1])
    if value.lower() in ("na", "n/a", "nan", "null", ".", "-"):
        missing = NOT_APPLICABLE
        return problem(line, item.code, "no_code_missing", value, codes=told, missing=missing)
    return problem(line, item.code, "no_code", value, codes=told)


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
