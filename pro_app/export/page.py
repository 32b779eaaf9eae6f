"""A page of a table for programs: some participants' rows, as JSON, JSON Lines or CSV.

A page holds whole participants, so that the next one goes on after a study number, whatever was
written meanwhile. What a page of JSON Lines or CSV says of a row is to the byte what the exact
files (`jsonl`, `csv.write_exact`) say.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import polars as pl

from pro_app.export import texts
from pro_app.export.table import Table

PERSON = "participant"  # the column of study numbers that every table has


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as texts (`rows`), and the study number after which the next page begins; None on the
    last one."""

    rows: pl.DataFrame
    after: str | None

    def json_lines(self) -> bytes:
        """One object a row."""
        file = io.BytesIO()
        self.rows.write_ndjson(file)
        return file.getvalue()

    def json_array(self) -> bytes:
        """The same objects in a list."""
        return b"[" + self.json_lines().rstrip(b"\n").replace(b"}\n{", b"},\n{") + b"]"

    def csv(self) -> bytes:
        """A line of names, then one a row, exact."""
        file = io.BytesIO()
        self.rows.write_csv(file)
        return file.getvalue()


def page(table: Table, limit: int) -> Page:
    """The first rows of a table: at most `limit`, or, where the first participant alone has more,
    all of that one's. Rows are in the order of the participants."""
    kept = table.empty()
    for frame in texts.frames(table):
        kept = kept.vstack(frame)
        if kept.height > limit and _persons(kept) > 1:
            break
    else:
        return Page(_told(table, kept), None)
    last = _fitting(kept, limit)
    return Page(_told(table, kept.head(last)), str(kept[PERSON][last - 1]))


def _persons(rows: pl.DataFrame) -> int:
    return rows[PERSON].n_unique()


def _fitting(rows: pl.DataFrame, limit: int) -> int:
    """How many of the first rows are those of whole participants, at most `limit`; more only when
    they are one participant's. The rows hold another participant's after these."""
    ends = rows[PERSON].rle().struct.field("len").cum_sum()
    fitting = ends.filter(ends <= limit)
    return int(fitting[-1] if fitting.len() else ends[0])


def _told(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    return texts.moments(table, table.blanked(rows.rechunk()))
