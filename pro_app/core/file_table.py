"""A table that people made in a spreadsheet, read from a file's bytes; every fault is named.

Taken are CSV files with commas, semicolons or tabs, in UTF-8 (with or without a byte order mark)
or in UTF-16 with one, with any line ends. Pure: what the cells mean is the caller's.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pro_app.core.study import NATIONAL_IDENTITY

MOST_BYTES = 20_000_000
DELIMITERS = (",", ";", "\t")
HIDDEN = "(hidden)"
LONGEST_SHOWN = 60  # characters of a value


REASONS: Mapping[str, str] = {  # what can be wrong with a file, by its code
    "empty": "is empty",
    "no_lines": "has a header, and no line below it",
    "too_large": "has more than {most:,} bytes",
    "encoding": "is not {encoding}; save it as CSV UTF-8",
    "no_text": "holds characters that no text has; save it as CSV UTF-8",
    "unreadable": "cannot be read: {error}",
    "unnamed": "has no name",
    "column_twice": "is there twice",
    "no_column": "is no column; there are {known}",
    "column_missing": "the column is missing",
    "cells": "has {found} cells, the header has {wanted}",
    # of people to be enrolled, see services.enrolment_file
    "missing": "is missing",
    "identity": "has the shape of a national identity number",
    "number_twice": "is there twice, first in line {first}",
    "taken": "is taken in the study",
    "long_number": "the study number has more than {most} characters",
    "pattern": "the study number does not fit the pattern {pattern}",
    "no_site": "the study has no such site; it has {known}",
    "foreign_site": "is not a site of yours",
    "no_language": "the study has no such language; it has {known}",
    "version": "the version of the consent needs 1 to {most} characters",
    "no_day": "is no day like 2026-11-22",
    "future": "lies in the future",
    "email": "is no e-mail address that can be written to",
    "yes_no": "must be yes or no, or left empty",
    "meanwhile": "somebody with one of its numbers was enrolled meanwhile; check it again",
}


class Fault(NamedTuple):
    """What is wrong: in which line (None: of the whole file) and column, with which value.

    `code` is one of REASONS; `about` are the values that its sentence names.
    """

    line: int | None
    column: str | None
    value: str
    code: str
    about: tuple[tuple[str, str | int], ...] = ()

    @property
    def reason(self) -> str:
        """What is wrong, in English."""
        return REASONS[self.code].format(**dict(self.about))

    def __str__(self) -> str:
        place = "the file" if self.line is None else f"line {self.line}"
        column = f", {self.column}" if self.column else ""
        value = f" {self.value!r}" if self.value else ""
        return f"{place}{column}{value}: {self.reason}"


def fault(line: int | None, column: str | None, value: str, code: str, **about: str | int) -> Fault:
    """A fault whose value can be shown."""
    return Fault(line, column, shown(value), code, tuple(about.items()))


def shown(value: str) -> str:
    """A value as it can be shown: not if it tells who somebody is, and cut short if it is long."""
    if NATIONAL_IDENTITY.search(value):
        return HIDDEN
    return value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}..."


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: its number in the file, from 1, and its cells by column."""

    number: int
    cells: dict[str, str]


@dataclass(slots=True)
class Table:
    """What was read, and everything that was wrong with it."""

    columns: tuple[str, ...] = ()
    lines: list[Line] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read_table(data: bytes, needed: Collection[str], more: Collection[str]) -> Table:
    """The table in a file: its columns must be all of `needed` and may be any of `more`.

    Cells have no space around them; lines without any text are left out. What cannot be read is
    among the faults, and no bytes raise anything.
    """
    table = Table()
    text = _decoded(data, table.faults)
    if text is None:
        return table
    records = _records(text, table.faults)
    header = next(records, None)
    if header is None:
        if not table.faults:
            table.faults.append(fault(None, None, "", "empty"))
        return table
    table.columns = tuple(name.strip().casefold() for name in header[1])
    table.faults += _header_faults(header[0], table.columns, needed, more)
    for number, cells in records:
        _take(table, number, [cell.strip() for cell in cells])
    if not table.lines and not table.faults:
        table.faults.append(fault(None, None, "", "no_lines"))
    return table


def _decoded(data: bytes, faults: list[Fault]) -> str | None:
    if len(data) > MOST_BYTES:
        faults.append(fault(None, None, "", "too_large", most=MOST_BYTES))
        return None
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = None if wide else data.count(b"\n", 0, error.start) + 1
        encoding = "UTF-16" if wide else "UTF-8"
        faults.append(fault(line, None, "", "encoding", encoding=encoding))
        return None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        faults.append(fault(line, None, "", "no_text"))
        return None
    return text


def _records(text: str, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """The records that hold any text, each with the number of the line where it begins."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)  # the comma, where there is none
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.append(fault(number, None, "", "unreadable", error=str(error)))
            return
        if any(cell.strip() for cell in cells):
            yield number, cells


def _header_faults(
    line: int, columns: Sequence[str], needed: Collection[str], more: Collection[str]
) -> Iterator[Fault]:
    known = [*needed, *more]
    for place, name in enumerate(columns):
        if not name:
            yield fault(line, f"column {place + 1}", "", "unnamed")
        elif name in columns[:place]:
            yield fault(line, None, name, "column_twice")
        elif name not in known:
            yield fault(line, None, name, "no_column", known=", ".join(known))
    for name in needed:
        if name not in columns:
            yield fault(line, name, "", "column_missing")


def _take(table: Table, number: int, cells: list[str]) -> None:
    """Add a line; one with fewer or more cells than the header is a fault."""
    wanted = len(table.columns)
    while len(cells) > wanted and not cells[-1]:
        cells.pop()
    if len(cells) != wanted:
        wrong = fault(number, None, "", "cells", found=len(cells), wanted=wanted)
        table.faults.append(wrong)
        return
    table.lines.append(Line(number, dict(zip(table.columns, cells, strict=True))))
