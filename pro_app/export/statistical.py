"""What the files for SPSS, Stata and SAS have in common.

Each of them states its number of rows and the width of its texts before the first row, so the
whole table is held at once, unlike with CSV or Parquet: about four bytes a cell and the texts.
The files are written by pyreadstat; what differs from run to run, or what it cannot write, is put
into its bytes afterwards, at the places that the formats' public descriptions give.

All three keep numbers as IEEE doubles (SAS as IBM ones, exactly as well), have no time zone and
tell no empty text from a missing one. A moment becomes the wall time of the study's zone, which
the column's label names; where clocks are put back, an hour is there twice.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import BinaryIO

import polars as pl
from pyreadstat import PyreadstatError, ReadstatError

from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, Column, Table, TableError

__all__ = ["PyreadstatErrors", "absences", "cut", "heading", "label", "letters", "mark", "whole"]

PyreadstatErrors = (PyreadstatError, ReadstatError)
EXACT = 2**53  # beyond it a double skips whole numbers
NARROW = 2**31 - 100  # what a Stata `long` holds; the numbers above are its missing values
KINDS = {SKIPPED: "a", NOT_APPLICABLE: "b", NOT_REACHED: "c"}  # .a .b .c in Stata, .A .B .C in SAS
AT_ONCE = 1 << 22  # bytes of a file that are changed at a time
JOINERS = "\u200c\u200d"  # zero width non-joiner and joiner


def cut(text: str, octets: int, characters: int | None = None) -> str:
    """The text, shortened to so many bytes of UTF-8 (and characters), with an ellipsis at its end.

    What belongs to one letter, as a Tamil consonant and its vowel sign, is not torn apart.
    """

    def fits(some: str) -> bool:
        return len(some.encode()) <= octets and (characters is None or len(some) <= characters)

    if fits(text):
        return text
    end = min(len(text) - 1, octets)
    while end and not fits(text[:end].rstrip() + "…"):
        end -= 1
    while end and not _parts(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip() + "…" if end else ""


def _parts(before: str, after: str) -> bool:
    """Whether a new letter begins with `after`."""
    return not (
        unicodedata.category(after).startswith("M") or after in JOINERS or before == JOINERS[1]
    )


def heading(table: Table) -> str:
    """What a file is called inside: that its wording is a demonstration, or the table's title."""
    return table.notes[0] if table.notes else table.title


def label(column: Column, table: Table, octets: int, characters: int | None = None) -> str:
    """The column's label within the format's limits; a moment's names the zone."""
    if column.kind != "moment":
        return cut(column.label, octets, characters)
    zone = f" ({table.zone})"
    room = None if characters is None else characters - len(zone)
    return cut(column.label, octets - len(zone), room) + zone


def letters(column: Column) -> dict[int, str]:
    """The letter of each kind of absence of a column; always the same, whatever the column has."""
    unknown = set(column.missing) - set(KINDS)
    if unknown:
        raise TableError(f"{column.name}: no letter stands for the absence {min(unknown)}")
    return {code: KINDS[code] for code in sorted(column.missing, reverse=True)}


def whole(table: Table, longest: int) -> pl.DataFrame:
    """All rows: moments as wall times of the study's zone, integers in 32 bits where they fit.

    Columns that have codes are always narrow. `longest` is how many bytes a text may have.
    Raises `TableError`, naming the column, for what the formats cannot hold: a longer text, a
    zero byte, a number that is not finite, a whole number that a double would change.
    """
    frames = [_converted(table, frame, longest) for frame in table.frames()]
    frames.append(_converted(table, table.empty(), longest))
    return pl.concat(frames, how="vertical_relaxed")


def _converted(table: Table, frame: pl.DataFrame, longest: int) -> pl.DataFrame:
    made = []
    for one in table.columns:
        cells = frame[one.name]
        if one.kind == "text":
            _check_texts(table, cells, longest)
        elif one.kind == "number" and not cells.is_finite().all():
            raise TableError(f"{table.name}: {one.name} has a number that is not finite")
        elif one.kind == "integer":
            cells = _narrowed(table, one, cells)
        elif one.kind == "moment":
            cells = cells.dt.convert_time_zone(table.zone).dt.replace_time_zone(None)
        made.append(cells)
    return pl.DataFrame(made)


def _check_texts(table: Table, cells: pl.Series, longest: int) -> None:
    width = cells.str.len_bytes().max()
    if isinstance(width, int) and width > longest:
        raise TableError(
            f"{table.name}: {cells.name} has a text of {width} bytes; this format holds {longest}"
        )
    if cells.str.contains("\0", literal=True).any():
        raise TableError(f"{table.name}: {cells.name} has a text with a zero byte")


def _narrowed(table: Table, column: Column, cells: pl.Series) -> pl.Series:
    ends = [end for end in (cells.min(), cells.max()) if isinstance(end, int)]
    most = max((abs(end) for end in ends), default=0)
    if most < NARROW:
        return cells.cast(pl.Int32)
    if most > EXACT or column.codes or column.missing:
        raise TableError(f"{table.name}: {column.name} has {most}, too much for this format")
    return cells


def absences(table: Table, frame: pl.DataFrame) -> dict[str, dict[str, pl.Series]]:
    """Of each column with kinds of absence, in which rows each letter stands (rising numbers)."""
    return {
        one.name: {
            letter: (frame[one.name] == code).fill_null(False).arg_true()
            for code, letter in letters(one).items()
        }
        for one in table.columns
        if one.missing
    }


def mark(
    file: BinaryIO, start: int, row: int, marks: Mapping[int, Mapping[int, pl.Series]]
) -> None:
    """Change single bytes of a file's rows of `row` bytes each, from `start` on.

    `marks` says for each place in a row which byte goes into which rows (their numbers, rising).
    """
    step = max(AT_ONCE // row, 1)
    rows = 1 + max((_last(some) for at in marks.values() for some in at.values()), default=-1)
    for first in range(0, rows, step):
        file.seek(start + first * row)
        content = bytearray(file.read(step * row))
        for place, kinds in marks.items():
            for byte, numbers in kinds.items():
                low, high = numbers.search_sorted(pl.Series([first, first + step]))
                at = (numbers[low:high].cast(pl.Int64) - first) * row + place
                for one in at.to_list():
                    content[one] = byte
        file.seek(start + first * row)
        file.write(content)


def _last(numbers: pl.Series) -> int:
    """The last number, or -1 where there is none."""
    return int(numbers[-1]) if len(numbers) else -1
