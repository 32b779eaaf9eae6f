"""SPSS, Stata and SAS files of a million assessments with fifty columns: time and memory.

The reference is what pyreadstat alone takes to write the same rows, without labels or kinds of
absence. `python benchmarks/statistical.py KIND FOLDER ROWS` writes one file and prints its figures.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyreadstat

from pro_app.export import sas, spss, stata
from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, Column, Table

ROWS = 1_000_000
AT_ONCE = 10_000
CODES = {code: f"option {code}" for code in range(5)}
MISSING = {SKIPPED: "skipped", NOT_APPLICABLE: "not applicable", NOT_REACHED: "not reached"}
ITEMS = [f"LQ{number:02}" for number in range(1, 35)]
COLUMNS = (
    *(Column(name, "text", name) for name in ("study", "site", "participant", "timepoint")),
    Column("instrument", "text", "instrument", {"lupusqol": "LupusQoL"}),
    Column("mode", "text", "mode", {"own_phone": "Own phone", "paper": "Paper"}),
    Column("occurrence", "integer", "occurrence"),
    Column("late", "integer", "late", {0: "no", 1: "yes"}),
    Column("completed_at", "moment", "completed"),
    Column("due_on", "day", "due"),
    *(Column(name, "integer", name, CODES, MISSING) for name in ITEMS),
    *(Column(f"lupusqol_{number}", "number", "a scale") for number in range(6)),
)


def frame(start: int, rows: int) -> pl.DataFrame:
    """Made-up rows, the same for the same `start`."""
    dice = random.Random(start)  # noqa: S311 no secret
    numbers = range(start, start + rows)
    codes = [*CODES, *CODES, *CODES, *MISSING, None]
    begin = datetime(2027, 1, 1, tzinfo=UTC)
    cells: dict[str, list[object]] = {
        "study": ["trial"] * rows,
        "site": [f"{number % 20:02}" for number in numbers],
        "participant": [f"{number % 20:02}-{number // 200:05}" for number in numbers],
        "timepoint": [f"month_{number % 10}" for number in numbers],
        "instrument": ["lupusqol"] * rows,
        "mode": ["paper" if number % 50 == 0 else "own_phone" for number in numbers],
        "occurrence": [1] * rows,
        "late": [number % 7 // 6 for number in numbers],
        "completed_at": [begin + timedelta(seconds=37 * number) for number in numbers],
        "due_on": [date(2027, 1, 1) + timedelta(days=number % 900) for number in numbers],
    }
    cells |= {name: dice.choices(codes, k=rows) for name in ITEMS}
    cells |= {
        f"lupusqol_{number}": [None if number == one % 40 else one / 7 for one in numbers]
        for number in range(6)
    }
    return pl.DataFrame(cells, schema=table(0).schema())


def table(rows: int) -> Table:
    """The made-up table."""

    def frames() -> Iterator[pl.DataFrame]:
        for start in range(0, rows, AT_ONCE):
            yield frame(start, min(AT_ONCE, rows - start))

    return Table("answers", "Answers", "trial", "en", "Asia/Kuala_Lumpur", COLUMNS, frames)


def bare(kind: str, made: Table, path: Path) -> None:
    """What pyreadstat does with the frame as it is."""
    naive = pl.concat(made.frames()).with_columns(pl.col("completed_at").dt.replace_time_zone(None))
    if kind == "sav":
        pyreadstat.write_sav(naive, path, row_compress=True)
    elif kind == "dta":
        pyreadstat.write_dta(naive, path, version=14)
    else:
        pyreadstat.write_xport(naive, path)


def measure(kind: str, folder: Path, rows: int) -> None:
    """Write one file and print CPU seconds without making the rows up, peak memory and size."""
    made = table(rows)
    began = time.process_time()
    for _ in made.frames():
        pass
    invented = time.process_time() - began
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    suffix = kind.removeprefix("bare-")
    path = folder / f"answers.{suffix}"
    began = time.process_time()
    if kind == suffix:
        {"sav": spss.write, "dta": stata.write, "xpt": sas.write}[kind](made, path)
    else:
        bare(suffix, made, path)
    seconds = time.process_time() - began - invented
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = [seconds, (peak - before) / 1024, peak / 1024, path.stat().st_size / 1e6]
    print(json.dumps(figures))


def main() -> None:
    """Measure each format beside its reference, each in a process of its own."""
    print(f"{ROWS:,} rows x {len(COLUMNS)} columns")
    for suffix in ("sav", "dta", "xpt"):
        for kind in (f"bare-{suffix}", suffix):
            with tempfile.TemporaryDirectory() as folder:
                run = subprocess.run(
                    [sys.executable, __file__, kind, folder, str(ROWS)],
                    capture_output=True, text=True, check=True,
                )  # fmt: skip
            seconds, more, peak, size = json.loads(run.stdout)
            name = "pyreadstat alone" if kind != suffix else "own"
            print(
                f"{suffix} {name}: {seconds:.1f} s CPU, peak {peak:.0f} MiB ({more:.0f} of it for"
                f" writing), file {size:.0f} MB"
            )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
