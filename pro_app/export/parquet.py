"""Parquet: typed columns, moments as UTC instants, and the codebook within the file.

The file's key-value metadata have, under the key `codebook`, a JSON object with `table`, `title`,
`study`, `language`, `zone` (the study's: moments themselves are UTC), `notes`, and `columns`: of
each its `name`, `kind`, `label`, `codes`, `missing` and `group` as in `table.Column`, codes as
texts. Arrow shows it as `pyarrow.parquet.read_metadata(path).metadata`, polars as
`read_parquet_metadata(path)`, DuckDB as `parquet_kv_metadata(path)`.

Codes that stand for a kind of absence are null: the format knows one absence alone. The answers'
columns `skipped` and `not_applicable` tell the kinds apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from pro_app.export import texts
from pro_app.export.table import Table

ROWS = 25_000  # of a row group: what is held in memory, and part of the file's bytes


def write(table: Table, path: Path) -> None:
    """Write the table; in memory are a few row groups at most.

    The rows are read in a thread of polars' while this one waits. What stops the reading is
    raised here as it is, what stops the writing as a `polars.exceptions.PolarsError`.
    """

    def source(
        _columns: list[str] | None, _only: pl.Expr | None, _most: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        return (table.blanked(frame) for frame in texts.frames(table, ROWS))

    register_io_source(source, schema=table.schema()).sink_parquet(
        path,
        compression="zstd",
        row_group_size=ROWS,
        maintain_order=True,
        metadata={"codebook": codebook(table)},
    )


def codebook(table: Table) -> str:
    """What the file says of its columns: a JSON object, the same bytes for the same table."""
    told = {
        "table": table.name,
        "title": table.title,
        "study": table.study,
        "language": table.language,
        "zone": table.zone,
        "notes": table.notes,
        "columns": [
            {
                "name": one.name,
                "kind": one.kind,
                "label": one.label,
                "codes": {str(code): label for code, label in one.codes.items()},
                "missing": {str(code): label for code, label in one.missing.items()},
                "group": one.group,
            }
            for one in table.columns
        ],
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))
