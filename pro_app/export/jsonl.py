"""JSON Lines: one object a row, UTF-8, for programs.

Every object has all columns in the table's order; what is absent is `null`, and so are codes that
stand for a kind of absence (the answers' `skipped` and `not_applicable` tell the kinds apart).
Moments and days are texts (`texts.moments`), every other cell is exact. A row has no place for
labels and notes: the codebook goes beside it (`codebook`).
"""

from __future__ import annotations

from pathlib import Path

from pro_app.export import texts
from pro_app.export.table import Table


def write(table: Table, path: Path) -> None:
    """Write the table; an empty one is an empty file."""
    with path.open("wb") as file:
        for frame in texts.frames(table):
            texts.moments(table, table.blanked(frame)).write_ndjson(file)
