"""Stata files (`.dta`, format 118: UTF-8, Stata 14 and later).

Kinds of absence become Stata's own missing values: `.a` skipped, `.b` not applicable, `.c` not
reached, with their labels; what is simply not there is `.`. Value labels are written for integers
and are called after their column. Stata has none for texts: their codes stand as they are, and the
codebook explains them. Texts of more than 2,044 bytes become `strL`, which hold any length. Notes
are notes of the data set, and the first is its label. Labels of columns end after 80 characters.
Moments are milliseconds with their fraction.

The layout is Stata's own description, "help dta". pyreadstat writes neither notes nor a fixed time,
and looks at every cell twice for missing values with letters, so these are put in afterwards.
"""

from __future__ import annotations

import re
import shutil
import struct
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyreadstat

from pro_app.export.statistical import (
    PyreadstatErrors,
    absences,
    cut,
    heading,
    label,
    letters,
    mark,
    whole,
)
from pro_app.export.table import Column, Table, TableError

TEXT = 2_000_000_000  # bytes of a strL
LABEL = 80  # characters of a column's or the file's label
LABEL_BYTES = 250  # of the file's label that pyreadstat passes on
NAME = 129  # bytes that a name has room for
NO_VALUE = 2_147_483_621  # a long's `.`; `.a` is the next number, and so on
HEADER = re.compile(
    rb"<stata_dta><header><release>118</release><byteorder>(LSF|MSF)</byteorder>"
    rb"<K>.{2}</K><N>.{8}</N><label>.{2}.{0,320}?</label>"
    rb"<timestamp>\x11(.{17})</timestamp></header><map>(.{112})</map>",
    re.DOTALL,
)
RESERVED = re.compile(r"byte|double|float|if|in|int|long|str[0-9]+|strL|using|with")
CREATED = b"01 Jan 1980 00:00"
# which places of the map these parts have
TYPES, NAMES, LABEL_NAMES, CHARACTERISTICS, DATA, LABELS = 2, 3, 6, 8, 9, 11
WIDTHS = {32768: 8, 65526: 8, 65528: 4}  # bytes of a strL, a double, a long; else of a text


def write(table: Table, path: Path) -> None:
    """Write the table. Same table, same bytes. Raises `TableError` for what Stata cannot hold.

    A file beside it, of the same size, is there meanwhile.
    """
    for one in table.columns:
        if RESERVED.fullmatch(one.name):
            raise TableError(f"{table.name}: Stata keeps the name {one.name} for itself")
    frame = whole(table, TEXT)
    raw = path.with_name(f"{path.name}.raw")
    try:
        _write_raw(table, table.blanked(frame), raw)
        with raw.open("rb") as source, path.open("w+b") as file:
            places, order = _copy(source, file, table.notes)
            _name(file, table, places, order)
            _mark_absences(file, table, frame, places, order)
    except PyreadstatErrors as error:
        raise TableError(f"{table.name}: {error}") from error
    finally:
        raw.unlink(missing_ok=True)


def _write_raw(table: Table, frame: pl.DataFrame, path: Path) -> None:
    """Write the table with short names: pyreadstat calls labels after their column and a number,
    which makes a long name too long.
    """
    short = {one.name: f"c{number}" for number, one in enumerate(table.columns)}
    formats = {short[one.name]: "%12.4f" for one in table.columns if one.kind == "number"}
    wide = {short[name]: "%18.0f" for name in frame.columns if frame[name].dtype == pl.Int64}
    pyreadstat.write_dta(
        frame.with_columns(pl.col(pl.String).fill_null("")).rename(short),
        path,
        file_label=cut(heading(table), LABEL_BYTES, LABEL),
        column_labels=[label(one, table, 4 * LABEL, LABEL) for one in table.columns],
        version=14,
        variable_value_labels={
            short[one.name]: _codes(one) for one in table.columns if _labelled(one)
        },
        variable_format=formats | wide,
    )


def _labelled(column: Column) -> bool:
    return column.kind == "integer" and bool(column.codes or column.missing)


def _codes(column: Column) -> dict[int | float, str]:
    """The labels by value; those of absences by the number that stands for their letter."""
    labels: dict[int | float, str] = {
        code: text for code, text in column.codes.items() if isinstance(code, int)
    }
    return labels | {
        NO_VALUE + 1 + ord(letter) - ord("a"): column.missing[code]
        for code, letter in letters(column).items()
    }


def _copy(source: BinaryIO, file: BinaryIO, notes: tuple[str, ...]) -> tuple[list[int], str]:
    """Copy what pyreadstat has written, with the notes and a fixed time.

    Returns the map's places in the copy and the byte order, as `struct` writes it.
    """
    found = HEADER.match(source.read(2048))
    if found is None:
        raise TableError("pyreadstat writes another Stata file than format 118 is")
    order = "<" if found[1] == b"LSF" else ">"
    places = list(struct.unpack(f"{order}14Q", found[3]))
    added = b"".join(_characteristic(order, *one) for one in _notes(notes))
    moved = [*places[: CHARACTERISTICS + 1], *(place + len(added) for place in places[DATA:])]
    source.seek(0)
    head = bytearray(source.read(places[CHARACTERISTICS] + len(b"<characteristics>")))
    head[found.start(2) : found.end(2)] = CREATED
    head[found.start(3) : found.end(3)] = struct.pack(f"{order}14Q", *moved)
    file.write(head)
    file.write(added)
    shutil.copyfileobj(source, file, 1 << 20)
    return moved, order


def _notes(notes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Stata counts the notes in note0."""
    if not notes:
        return []
    texts = [str(len(notes)), *notes]
    return [(f"note{number}", text) for number, text in enumerate(texts)]


def _characteristic(order: str, name: str, text: str) -> bytes:
    content = b"".join(word.encode().ljust(NAME, b"\0") for word in ("_dta", name))
    content += text.encode() + b"\0"
    return b"<ch>" + struct.pack(f"{order}I", len(content)) + content + b"</ch>"


def _name(file: BinaryIO, table: Table, places: list[int], order: str) -> None:
    """Give the columns their names, and each set of value labels its column's."""
    labels = places[LABELS] + len(b"<value_labels>")
    for number, one in enumerate(table.columns):
        name = one.name.encode().ljust(NAME, b"\0")
        file.seek(places[NAMES] + len(b"<varnames>") + number * NAME)
        file.write(name)
        if not _labelled(one):
            continue
        file.seek(places[LABEL_NAMES] + len(b"<value_label_names>") + number * NAME)
        file.write(name)
        file.seek(labels + len(b"<lbl>"))
        (length,) = struct.unpack(f"{order}i", file.read(4))
        file.write(name)
        labels += len(b"<lbl>") + 4 + NAME + 3 + length + len(b"</lbl>")


def _mark_absences(
    file: BinaryIO, table: Table, frame: pl.DataFrame, places: list[int], order: str
) -> None:
    """Turn the `.` of each kind of absence into its letter's missing value."""
    file.seek(places[TYPES] + len(b"<variable_types>"))
    types = struct.unpack(f"{order}{frame.width}H", file.read(2 * frame.width))
    widths = [WIDTHS.get(kind, kind) for kind in types]
    lowest = 0 if order == "<" else 3  # which of a long's bytes
    marks = {
        sum(widths[: frame.columns.index(name)]) + lowest: {
            (NO_VALUE + 1 + ord(letter) - ord("a")) & 0xFF: rows for letter, rows in kinds.items()
        }
        for name, kinds in absences(table, frame).items()
    }
    mark(file, places[DATA] + len(b"<data>"), sum(widths), marks)
