"""A table that goes out: its columns with their labels, and its rows as frames, one after another.

Every format is fed by this and nothing else, so that all of them say the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

Kind = Literal["text", "integer", "number", "moment", "day"]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")  # valid in SPSS, Stata, SAS (version 8 files), R
TYPES: Mapping[Kind, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "moment": pl.Datetime("us", "UTC"),
    "day": pl.Date(),
}
# why an item has no code, in an item's own column; see `Column.missing`
SKIPPED, NOT_APPLICABLE, NOT_REACHED = -7, -8, -9


class TableError(Exception):
    """A table that no format could write; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `label` and the labels of `codes` and `missing` are in the table's language.

    `name` is a letter and up to 31 letters, digits or `_`, and unique whatever the case.
    `codes` are value labels: of every code that a `text` or `integer` column may have.
    `missing` are codes of an `integer` column that stand for a kind of absence, with labels. The
    frames hold them; a format that has missing values of several kinds declares them as such, and
    every other one writes nothing in their place (`Table.blanked`).
    `group` is the code of the instrument that the column belongs to, if it belongs to one.
    `moment` columns are UTC in the frames; texts are written in the table's zone with the offset.
    """

    name: str
    kind: Kind
    label: str
    codes: Mapping[int, str] | Mapping[str, str] = field(default_factory=dict[int, str])
    missing: Mapping[int, str] = field(default_factory=dict)
    group: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a study.

    `name` is one of `services.tables.NAMES`, `title` its name for people. `zone` is the study's
    IANA zone. `notes` are sentences for people that belong to it, such as that the wording is a
    demonstration. `frames` reads the rows anew at every call, in the table's stable order, in
    frames of at most some ten thousand rows with exactly `columns`, in their order and `TYPES`;
    an empty table gives no frame or empty ones. `words` translates a sentence of the interface
    into the table's language.
    """

    name: str
    title: str
    study: str
    language: str
    zone: str
    columns: tuple[Column, ...]
    frames: Callable[[], Iterator[pl.DataFrame]]
    notes: tuple[str, ...] = ()
    words: Callable[[str], str] = str

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for one in self.columns:
            if not NAME.fullmatch(one.name):
                raise TableError(f"{self.name}: {one.name!r} is no name that every format takes")
            if one.name.casefold() in seen:
                raise TableError(f"{self.name}: the column {one.name!r} is there twice")
            seen.add(one.name.casefold())

    def schema(self) -> dict[str, pl.DataType]:
        """The frames' schema."""
        return {one.name: TYPES[one.kind] for one in self.columns}

    def empty(self) -> pl.DataFrame:
        """A frame without rows."""
        return pl.DataFrame(schema=self.schema())

    def blanked(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame without the codes that stand for absences."""
        return frame.with_columns(
            pl.when(pl.col(one.name).is_in(list(one.missing)))
            .then(None)
            .otherwise(pl.col(one.name))
            .alias(one.name)
            for one in self.columns
            if one.missing
        )
