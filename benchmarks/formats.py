"""Each format on a table of 50 columns: time, the most memory, and the file's size.

Every figure is a process of its own. The reference is polars holding all rows and writing them at
once; `rows alone` makes the frames and drops them, which is in every other figure too.

    python benchmarks/formats.py [ROWS] [--only FORMAT ...]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from pro_app.export import csv, jsonl, parquet, r, xlsx
from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, TYPES, Column, Kind, Table

FRAME = 10_000
START = datetime(2027, 3, 1, tzinfo=UTC)
LABELS = {0: "always", 1: "mostly", 2: "half of the time", 3: "seldom", 4: "never"}
ABSENCES = {SKIPPED: "skipped", NOT_APPLICABLE: "not applicable", NOT_REACHED: "not reached"}
KINDS: tuple[tuple[Kind, int], ...] = (
    ("text", 6), ("moment", 6), ("day", 2), ("integer", 32), ("number", 4),
)  # fmt: skip
EXCEL = 20_000  # rows: a workbook is for people, and takes long


def columns() -> tuple[Column, ...]:
    return tuple(
        Column(f"{kind}_{n}", kind, f"{kind} {n}", LABELS, ABSENCES)
        if kind == "integer"
        else Column(f"{kind}_{n}", kind, f"{kind} {n}")
        for kind, many in KINDS
        for n in range(many)
    )


def frame(generator: np.random.Generator, rows: int) -> pl.DataFrame:
    """Rows like those of a study: codes with absences, scores, moments to the microsecond."""

    def series(one: Column) -> pl.Series:
        if one.kind == "text":
            return pl.Series(generator.integers(0, 10**6, rows)).cast(pl.String)
        if one.kind == "moment":
            return pl.lit(START) + pl.duration(microseconds=generator.integers(0, 10**14, rows))
        if one.kind == "day":
            return pl.lit(date(2027, 3, 1)) + pl.duration(days=generator.integers(0, 1000, rows))
        if one.kind == "integer":
            return pl.Series(generator.choice([0, 1, 2, 3, 4, SKIPPED], rows))
        return pl.Series(generator.random(rows) * 100)

    return pl.select(**{one.name: series(one) for one in columns()})


def table(rows: int) -> Table:
    schema = {one.name: TYPES[one.kind] for one in columns()}

    def frames() -> Iterator[pl.DataFrame]:
        generator = np.random.default_rng(20250325)
        for start in range(0, rows, FRAME):
            yield frame(generator, min(FRAME, rows - start)).cast(schema)

    return Table("answers", "Answers", "trial", "en", "Asia/Kuala_Lumpur", columns(), frames)


def rows_alone(made: Table, path: Path) -> None:
    path.write_text(str(sum(one.height for one in made.frames())))


def polars_csv(made: Table, path: Path) -> None:
    pl.concat(made.frames()).write_csv(path)


def polars_parquet(made: Table, path: Path) -> None:
    pl.concat(made.frames()).write_parquet(path)


WRITERS: dict[str, Callable[[Table, Path], None]] = {
    "rows alone": rows_alone,
    "polars csv": polars_csv,
    "polars parquet": polars_parquet,
    "csv for people": csv.write,
    "csv exact": csv.write_exact,
    "jsonl": jsonl.write,
    "parquet": parquet.write,
    "r": r.write,
    "xlsx": xlsx.write,
}


def measure(name: str, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        start = time.perf_counter()
        WRITERS[name](table(rows), path)
        seconds = time.perf_counter() - start
        size = path.stat().st_size / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{name:<15}{rows:>11,} rows{seconds:>8.1f} s{most:>7,} MB of memory{size:>8.1f} MB file")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", choices=list(WRITERS), default=list(WRITERS))
    parser.add_argument("--here", action="store_true", help="measure in this very process")
    options = parser.parse_args()
    for name in options.only:
        rows = min(options.rows, EXCEL) if name == "xlsx" else options.rows
        if options.here:
            measure(name, rows)
        else:
            again = [sys.executable, __file__, str(rows), "--here", "--only", name]
            subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
