"""Rows as a text file has them: checked frames, moments and days as texts, cells made harmless."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from pro_app.export.table import Table, TableError

# A spreadsheet may run a cell that begins with one of these (OWASP, "CSV Injection"); a whole
# number runs nothing, whatever its sign.
_RUNS = r"^[=+\-@\t\r\n＝＋－＠]"
_NUMBER = r"^[+-]?[0-9]+$"


def frames(table: Table, at_once: int | None = None) -> Iterator[pl.DataFrame]:
    """The table's rows, and at least one frame, for an empty table too.

    With `at_once` every frame but the last has exactly so many rows, however the table cuts its
    own: what a format writes by the frame must not depend on that. Raises `TableError` when a
    frame is not as the columns say.
    """
    read = _checked(table)
    yield from read if at_once is None else _even(table, read, at_once)


def _checked(table: Table) -> Iterator[pl.DataFrame]:
    schema = pl.Schema(table.schema())
    given = False
    for frame in table.frames():
        if frame.schema != schema:
            raise TableError(f"{table.name}: a frame is not as the columns say: {frame.schema}")
        given = True
        yield frame
    if not given:
        yield table.empty()


def _even(table: Table, read: Iterator[pl.DataFrame], at_once: int) -> Iterator[pl.DataFrame]:
    waiting, given = table.empty(), False
    for frame in read:
        waiting = waiting.vstack(frame)
        while waiting.height >= at_once:
            yield waiting.head(at_once).rechunk()
            waiting, given = waiting.slice(at_once), True
    if waiting.height or not given:
        yield waiting.rechunk()


def moments(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its moments and days as ISO 8601 texts.

    A moment is in the table's zone with the offset, `2027-03-01T00:30:00+08:00`, and has six
    digits of a second's fraction only where that is not zero: what Python's `isoformat` gives.
    """
    return frame.with_columns(
        _moment(one.name, table.zone)
        if one.kind == "moment"
        else pl.col(one.name).dt.to_string("%Y-%m-%d")
        for one in table.columns
        if one.kind in ("moment", "day")
    )


def _moment(name: str, zone: str) -> pl.Expr:
    local = pl.col(name).dt.convert_time_zone(zone)
    return local.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f%:z").str.replace(".000000", "", literal=True)


def harmless_text(text: str) -> str:
    """`harmless` for one text."""
    return f"'{text}" if re.match(_RUNS, text) and not re.match(_NUMBER, text) else text


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before each text that a spreadsheet would run.

    This changes cells: it is for files that people open, never for those that programs read.
    """
    text = pl.selectors.string()
    runs = text.str.contains(_RUNS) & ~text.str.contains(_NUMBER)
    return frame.with_columns(pl.when(runs).then("'" + text).otherwise(text).name.keep())
