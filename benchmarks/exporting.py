"""A million assessments of fifty columns as CSV, Parquet and SPSS files, from both databases.

Reference, in the same run: the same rows from one flat table, by COPY on PostgreSQL and by fetching
alone on SQLite. Each export is a process of its own, timed from its first query to its last byte;
its peak memory is printed with it. SPSS files need the whole table at once.

    python benchmarks/exporting.py [ASSESSMENTS] [--only sqlite|postgresql]
    python benchmarks/exporting.py --write FORMAT URL PATH
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import psycopg
from _large_study import NOW, TIMEPOINTS, fill
from _postgresql import postgresql
from _sealed import seal

from pro_app.config import ROOT
from pro_app.core.library import Library, load_library
from pro_app.export import csv, parquet, spss
from pro_app.migrations import upgrade
from pro_app.models import Database
from pro_app.services import studies, tables
from pro_app.services.tables import Request

FORMATS = {"csv": csv.write_exact, "parquet": parquet.write, "sav": spss.write}
INSTRUMENT = "lupusqol"  # 34 items, and sixteen columns of where they come from
GOALS = {"sqlite": 2.0, "postgresql": 1.3}  # CSV against the reference
MOST = 300  # MB of memory, of CSV and Parquet
WIDTH = 50


def write(form: str, url: str, path: Path) -> None:
    """One export, and what it took, as JSON on standard output."""
    library, database = load_library(ROOT / "questionnaires"), Database(url)
    with database.snapshot() as session:
        study = studies.current(session, library, 1)
        request = Request(study, library, "en", NOW, instruments=frozenset({INSTRUMENT}))
        begun = time.perf_counter()
        table = tables.table(session, "answers", request)
        FORMATS[form](table, path)
        spent = time.perf_counter() - begun
    assert len(table.columns) == WIDTH
    database.close()
    print(json.dumps({"seconds": spent, "memory": peak()}))


def peak() -> float:
    """The most memory that this process had, in MB. (`ru_maxrss` begins with its parent's.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1_024


def exported(form: str, url: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--write", form, url, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def flat_sqlite(url: str, rows: Path) -> float:
    """Seconds of fetching the rows from one table, by the standard library."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as bare:
        frames = pl.read_csv(rows, infer_schema_length=None)
        names = ", ".join(f'"{name}"' for name in frames.columns)
        bare.execute(f"CREATE TABLE flat ({names})")
        holes = ", ".join("?" * len(frames.columns))
        bare.executemany(f"INSERT INTO flat VALUES ({holes})", frames.iter_rows())  # noqa: S608
        bare.commit()
        begun = time.perf_counter()
        cursor = bare.execute("SELECT * FROM flat")
        while cursor.fetchmany(10_000):
            pass
        return time.perf_counter() - begun


def flat_postgresql(url: str, rows: Path) -> float:
    """Seconds of COPY of the rows from one table."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as bare:
        frames = pl.read_csv(rows, infer_schema_length=None)
        types = {pl.Int64: "integer", pl.Float64: "double precision"}
        names = ", ".join(
            f'"{name}" {types.get(type(kind), "text")}' for name, kind in frames.schema.items()
        )
        bare.execute(f"CREATE TABLE flat ({names})")
        with bare.cursor().copy("COPY flat FROM STDIN CSV HEADER") as into, rows.open("rb") as file:
            while piece := file.read(1 << 20):
                into.write(piece)
        bare.execute("VACUUM ANALYZE flat")
        begun = time.perf_counter()
        with bare.cursor().copy("COPY flat TO STDOUT CSV HEADER") as out:
            for _ in out:
                pass
        return time.perf_counter() - begun


def measure(kind: str, url: str, library: Library, count: int) -> None:
    database = Database(url)
    upgrade(database)
    fill(database, library, count // TIMEPOINTS)
    seal(database, library)
    if kind == "postgresql":
        with database.engine.connect() as connection:
            settled = connection.execution_options(isolation_level="AUTOCOMMIT")
            settled.exec_driver_sql("VACUUM ANALYZE")
    database.close()
    print(f"{kind}, {count:,} assessments x {WIDTH} columns")
    with TemporaryDirectory() as folder:
        rows = Path(folder) / "answers.csv"
        found = {form: exported(form, url, rows.with_suffix(f".{form}")) for form in FORMATS}
        reference = (flat_sqlite if kind == "sqlite" else flat_postgresql)(url, rows)
        size = rows.stat().st_size / 1e6
    print(f"  {'reference, one flat table':26} {reference:6.1f} s")
    for form, one in found.items():
        goal = f", goal {GOALS[kind]}" if form == "csv" else ""
        most = "" if form == "sav" else f" (goal {MOST})"
        print(
            f"  {form:26} {one['seconds']:6.1f} s   {one['seconds'] / reference:.1f} x the "
            f"reference{goal};   {one['memory']:.0f} MB{most}"
        )
    print(f"  the CSV has {size:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("assessments", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--only", choices=sorted(GOALS))
    parser.add_argument("--write", nargs=3, metavar=("FORMAT", "URL", "PATH"))
    asked = parser.parse_args()
    if asked.write:
        form, url, path = asked.write
        write(form, url, Path(path))
        return
    library = load_library(ROOT / "questionnaires")
    if asked.only != "postgresql":
        with TemporaryDirectory() as folder:
            measure("sqlite", f"sqlite:///{folder}/large.sqlite3", library, asked.assessments)
    if asked.only != "sqlite":
        with postgresql() as url:
            measure("postgresql", url, library, asked.assessments)


if __name__ == "__main__":
    main()
