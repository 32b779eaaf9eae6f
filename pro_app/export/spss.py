"""SPSS system files (`.sav`, UTF-8, rows compressed in SPSS's ordinary way).

Kinds of absence stay in their columns as the codes -7, -8, -9, labelled and declared as missing
values, so that SPSS leaves them out of every sum and still tells them apart. Value labels are
written for integers and texts. Notes are the file's documents, and the first is its label.
Texts have up to 32,767 bytes; what is longer is refused. Blanks at the end of a text are lost, as
SPSS fills texts up with blanks. Moments are good to some microseconds.

The layout is described in the developers' guide of GNU PSPP, "System File Format".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any  # pyreadstat's annotations know no labels of texts

import polars as pl
import pyreadstat

from pro_app.export.statistical import PyreadstatErrors, cut, heading, label, whole
from pro_app.export.table import Column, Table, TableError

TEXT = 32_767  # bytes of a text
LABEL = 255  # of a column's label (SPSS's own limit; the file has room for 256)
CODE_LABEL = 120  # of a value's label
FILE_LABEL = 64
NOTE_LINE = 80
DISCRETE = 3  # missing values of one column that can be named singly
CREATED = 92, b"01 Jan 8000:00:00"  # where the header has day and time, and what it has here


def write(table: Table, path: Path) -> None:
    """Write the table. Same table, same bytes. Raises `TableError` for what SPSS cannot hold."""
    frame = whole(table, TEXT)
    try:
        pyreadstat.write_sav(
            frame,
            path,
            file_label=cut(heading(table), FILE_LABEL),
            note=[line for note in table.notes for line in _lines(note)] or None,
            column_labels={one.name: label(one, table, LABEL) for one in table.columns},
            variable_value_labels={
                one.name: _codes(one, frame) for one in table.columns if one.codes or one.missing
            },
            missing_ranges={one.name: _missing(table, one) for one in table.columns if one.missing},
            variable_format=_formats(table, frame),
            variable_measure={one.name: _measure(one) for one in table.columns},
            row_compress=True,
        )
    except PyreadstatErrors as error:
        raise TableError(f"{table.name}: {error}") from error
    place, created = CREATED
    with path.open("r+b") as file:
        file.seek(place)
        file.write(created)


def _lines(note: str) -> list[str]:
    """The note in lines that fit a document's, broken between words where there are any."""
    lines = [""]
    for word in note.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer.encode()) <= NOTE_LINE:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        while len(word.encode()) > NOTE_LINE:  # Chinese has no blanks
            head = cut(word, NOTE_LINE).removesuffix("…")
            lines[-1:] = [head, ""]
            word = word[len(head) :]
        lines[-1] = word
    return lines


def _codes(column: Column, frame: pl.DataFrame) -> dict[Any, str]:
    """The labels by value. A text's value is as wide as SPSS stores the text: eights of bytes."""
    labels = {code: cut(text, CODE_LABEL) for code, text in column.codes.items()}
    if column.kind != "text":
        return labels | {code: cut(text, CODE_LABEL) for code, text in column.missing.items()}
    longest = frame[column.name].str.len_bytes().max()
    widths = [len(str(code).encode()) for code in labels]
    width = max(*widths, longest if isinstance(longest, int) else 0, 1)
    return {str(code).ljust(-(-width // 8) * 8): text for code, text in labels.items()}


def _missing(table: Table, column: Column) -> list[Any]:
    codes = sorted(column.missing, reverse=True)
    if len(codes) > DISCRETE:
        raise TableError(f"{table.name}: {column.name} has more than {DISCRETE} kinds of absence")
    return codes


def _measure(column: Column) -> str:
    if column.kind == "text":
        return "nominal"
    return "ordinal" if column.codes else "scale"


def _formats(table: Table, frame: pl.DataFrame) -> dict[str, str]:
    """Whole numbers without decimals and as wide as they are; other numbers with four shown."""
    formats = {one.name: "F12.4" for one in table.columns if one.kind == "number"}
    for one in table.columns:
        if one.kind == "integer":
            width = frame[one.name].cast(pl.String).str.len_bytes().max()
            formats[one.name] = f"F{max(8, width if isinstance(width, int) else 0)}.0"
    return formats
