"""`pro-app score` on a file, beside Polars reading and writing the same file.

Both are whole processes, from start to exit, taking turns; the median of the times counts.

    python benchmarks/score_file.py [ROWS] [--repeats N]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from pro_app.core.instruments import Instrument, load_instrument

QUESTIONNAIRES = Path(__file__).parents[1] / "questionnaires"
COMMAND = Path(sys.executable).with_name("pro-app")
INSTRUMENT, SCORING = "sf36v1", "mos_us1990"
MISSING = 0.03
READ_AND_WRITE = "import sys, polars; polars.read_csv(sys.argv[1]).write_csv(sys.argv[2])"


def write_answers(instrument: Instrument, rows: int, path: Path) -> None:
    generator = np.random.default_rng(20250325)
    columns = {"id": pl.Series([f"P{n:07}" for n in range(rows)])}
    for item in instrument.items:
        codes = generator.choice(item.options.codes, rows)
        known = pl.Series(generator.random(rows) >= MISSING)
        columns[item.code] = pl.select(pl.when(known).then(pl.Series(codes))).to_series()
    pl.DataFrame(columns).write_csv(path)


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        answers = folder / "answers.csv"
        write_answers(load_instrument(QUESTIONNAIRES / INSTRUMENT), options.rows, answers)
        reference = [sys.executable, "-c", READ_AND_WRITE, str(answers), str(folder / "copy.csv")]
        own = [str(COMMAND), "score", INSTRUMENT, "--scoring", SCORING, str(answers)]
        own += ["--output", str(folder / "scores.csv")]
        times = [(seconds(reference), seconds(own)) for _ in range(options.repeats)]
        size, scored = answers.stat().st_size, (folder / "scores.csv").stat().st_size
    limit, mine = (statistics.median(column) for column in zip(*times, strict=True))
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{options.rows:,} rows, {size / 1e6:.0f} MB in, {scored / 1e6:.0f} MB out")
    print(f"Polars reads and writes the file: {limit:.2f} s")
    print(f"pro-app score: {mine:.2f} s, {mine / limit:.2f} x")
    print(f"most memory of any of these processes: {most:,} MB")


if __name__ == "__main__":
    main()
