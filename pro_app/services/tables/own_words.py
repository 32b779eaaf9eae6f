"""What people wrote in their own words, and who of the staff they are: not for everybody who reads
study numbers.

A reason why somebody withdrew, or evidence of a correction, may tell who a participant is. So it
leaves only for who may open the record itself (`Request.own_words`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from pro_app.export.table import Table

# by table the columns that are left out. The detail of an entry of the record has, by action,
# reasons, comments, names of files and of phones: there is no part of it that never has words.
COLUMNS: Mapping[str, frozenset[str]] = {
    "corrections": frozenset(
        {"requester", "reason", "evidence", "confirmation", "signer", "comment"}
    ),
    "audit": frozenset({"detail"}),
}


def left_out(table: Table) -> Table:
    """The table without them."""
    if table.name not in COLUMNS:
        return table
    names = COLUMNS[table.name]
    columns = tuple(one for one in table.columns if one.name not in names)

    def frames() -> Iterator[pl.DataFrame]:
        for frame in table.frames():
            yield frame.select(one.name for one in columns)

    return replace(table, columns=columns, frames=frames)
