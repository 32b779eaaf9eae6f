"""SAS transport files (`.xpt`, version 8: long names, labels, texts; %xpt2loc reads them).

Kinds of absence become SAS's special missing values: `.A` skipped, `.B` not applicable, `.C` not
reached; what is simply not there is `.`. A transport file has no value labels: `write_formats`
gives them as a program beside it. Texts have up to 32,767 bytes; what is longer is refused. Blanks
at the end of a text are lost, as SAS fills texts up with blanks. The file is UTF-8, which it cannot
say: read it in a UTF-8 session. The first note is the data set's label, which has but 40 bytes.

Version 5, which some authorities ask for, would lose every name beyond 8 letters, every label
beyond 40 bytes and every text beyond 200.

The layout is SAS's own "Record Layout of a SAS Version 8 or 9 Data Set in SAS Transport Format".
"""

from __future__ import annotations

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

TEXT = 32_767  # bytes of a text
LABEL = 256  # of a column's label
SHORT_LABEL = 40  # of a column's label in its descriptor, and of the file's label
NUMBERS = 5.4e-79, 7.2e75  # what IBM's floating point reaches
CREATED = b"01JAN80:00:00:00"
RECORD = 80
CREATED_AT = (1 * RECORD + 64, 2 * RECORD, 5 * RECORD + 64, 6 * RECORD)
DESCRIPTORS = 8 * RECORD  # where the columns' descriptors begin
DESCRIPTOR = 140
WIDTH_AT, LABEL_AT, OFFSET_AT = 4, 16, 84  # in a descriptor
ROWS = b"HEADER RECORD*******OBSV8   HEADER RECORD!!!!!!!"


def write(table: Table, path: Path) -> None:
    """Write the table. Same table, same bytes. Raises `TableError` for what SAS cannot hold."""
    frame = whole(table, TEXT)
    _check_numbers(table, frame)
    labels: dict[str, str | None] = {one.name: label(one, table, LABEL) for one in table.columns}
    try:
        pyreadstat.write_xport(
            table.blanked(frame),
            path,
            file_label=cut(heading(table), SHORT_LABEL),
            column_labels=labels,
            table_name=table.name,
            variable_format={one.name: _format(one) for one in table.columns if _format(one)},
        )
    except PyreadstatErrors as error:
        raise TableError(f"{table.name}: {error}") from error
    with path.open("r+b") as file:
        for place in CREATED_AT:
            file.seek(place)
            file.write(CREATED)
        places, row = _shorten_labels(file, labels)
        marks = {
            places[name]: {ord(letter.upper()): rows for letter, rows in kinds.items()}
            for name, kinds in absences(table, frame).items()
        }
        mark(file, _first_row(file, frame.width), row, marks)


def _check_numbers(table: Table, frame: pl.DataFrame) -> None:
    for one in table.columns:
        if one.kind == "number":
            sizes = frame[one.name].abs()
            if not ((sizes == 0) | sizes.is_between(*NUMBERS)).all():
                raise TableError(f"{table.name}: {one.name} has a number too large or too small")


def _format(column: Column) -> str:
    return {"moment": "DATETIME20", "day": "DATE9"}.get(column.kind, "")


def _shorten_labels(file: BinaryIO, labels: dict[str, str | None]) -> tuple[dict[str, int], int]:
    """Cut the short labels between letters; returns where columns stand in a row, and its bytes."""
    places, row = {}, 0
    for number, (name, text) in enumerate(labels.items()):
        at = DESCRIPTORS + number * DESCRIPTOR
        file.seek(at + LABEL_AT)
        file.write(cut(text or "", SHORT_LABEL).encode().ljust(SHORT_LABEL))
        file.seek(at)
        descriptor = file.read(DESCRIPTOR)
        (width,) = struct.unpack_from(">H", descriptor, WIDTH_AT)
        (places[name],) = struct.unpack_from(">I", descriptor, OFFSET_AT)
        row = places[name] + width
    return places, row


def _first_row(file: BinaryIO, columns: int) -> int:
    """Where the rows begin: after the record that says so, behind descriptors and long labels."""
    at = DESCRIPTORS + columns * DESCRIPTOR
    at = -(-at // RECORD) * RECORD
    file.seek(at)
    while record := file.read(RECORD):
        if record.startswith(ROWS):
            return file.tell()
    raise TableError("pyreadstat writes another transport file than version 8 is")


def write_formats(table: Table, path: Path) -> None:
    """Write the SAS program that reads `<table's name>.xpt` and attaches the value labels."""
    formats = {
        one.name: (f"{one.name[:24]}_{number}_", _values(one))  # a format's name ends in no digit
        for number, one in enumerate(table.columns, start=1)
        if one.codes or one.missing
    }
    dollar = {one.name: "$" if one.kind == "text" else "" for one in table.columns}
    lines = [f"/* {one.replace('*/', '* /')} */" for one in (table.title, *table.notes)]
    lines.append(f"%xpt2loc(libref=work, memlist={table.name}, filespec='{table.name}.xpt');")
    if formats:
        lines.append("proc format;")
        for name, (called, values) in formats.items():
            lines += [f"  value {dollar[name]}{called}", *(f"    {one}" for one in values), "  ;"]
        lines += ["run;", f"data {table.name};", f"  set {table.name};", "  format"]
        lines += [f"    {name} {dollar[name]}{called}." for name, (called, _) in formats.items()]
        lines += ["  ;", "run;"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _values(column: Column) -> list[str]:
    """What a format's definition says of each value; within single quotes SAS runs nothing."""

    def quoted(text: str) -> str:
        return "'" + " ".join(text.split()).replace("'", "''") + "'"

    values = [
        f"{quoted(code) if isinstance(code, str) else code} = {quoted(text)}"
        for code, text in column.codes.items()
    ]
    return values + [
        f".{letter.upper()} = {quoted(column.missing[code])}"
        for code, letter in letters(column).items()
    ]
