"""Scoring in arrays and row by row, each beside its reference, for every scoring.

Reference for arrays: the limit of the memory, which is to read every input array (its maximum)
and to write every output array, and nothing else. It is measured twice: into new arrays, as a
plain call makes them, and into arrays that are used again.
Reference for rows: 8,800 rows/s, the public R package on the machine of the goals.

    python benchmarks/scoring.py [ROWS]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pro_app.core.columns import Columns, ColumnScorer, Places
from pro_app.core.instruments import Instrument, load_instruments
from pro_app.core.scoring import Scoring, score
from pro_app.core.tables import RowScorer, build_tables

ROOT = Path(__file__).parents[1] / "questionnaires"
R_PACKAGE = 8_800  # rows/s
BLOCK = 65_536  # rows the reference reads and writes at once
REPEATS = 9
MISSING = 0.05


def best_of(*runs: Callable[[], object]) -> list[float]:
    """The shortest time of each, in seconds; they take turns, so that noise meets all alike."""
    best = [float("inf")] * len(runs)
    for _ in range(REPEATS):
        for n, run in enumerate(runs):
            start = time.perf_counter()
            run()
            best[n] = min(best[n], time.perf_counter() - start)
    return best


def random_answers(instrument: Instrument, rows: int) -> dict[str, Places]:
    generator = np.random.default_rng(20250325)
    answers = {}
    for item in instrument.items:
        places = generator.integers(1, len(item.options.codes) + 1, rows, np.uint8)
        places[generator.random(rows) < MISSING] = 0
        answers[item.code] = places
    return answers


def read_and_write(inputs: list[Places], output: Columns, rows: int) -> None:
    for start in range(0, rows, BLOCK):
        part = slice(start, start + BLOCK)
        for array in inputs:
            array[part].max()
        for values in output.values.values():
            values[part].fill(1.0)


def arrays(scoring: Scoring, answers: dict[str, Places], rows: int) -> None:
    scorer = ColumnScorer(build_tables(scoring))
    used = {item for scale in scoring.scales for item in scale.items}
    inputs = [answers[item] for item in used]
    kept = scorer.empty(rows)
    scorer.score(answers, kept)
    limit_new, own_new, limit_kept, own_kept = best_of(
        lambda: read_and_write(inputs, scorer.empty(rows), rows),
        lambda: scorer.score(answers),
        lambda: read_and_write(inputs, kept, rows),
        lambda: scorer.score(answers, kept),
    )
    for name, limit, own in (("new", limit_new, own_new), ("reused", limit_kept, own_kept)):
        print(
            f"{scoring.name:10} arrays, {name:6}: limit {rows / limit / 1e6:6.1f} M rows/s, "
            f"own {rows / own / 1e6:5.1f} M rows/s, {own / limit:.2f} x the limit's time"
        )


def rows_one_by_one(scoring: Scoring, answers: dict[str, Places], rows: int) -> None:
    scorer = RowScorer(build_tables(scoring), list(answers))
    table = np.stack(list(answers.values()), axis=1)[:rows].tolist()
    given = [
        {
            item: codes[place - 1] if place else None
            for (item, codes), place in zip(scoring.options.items(), row, strict=True)
        }
        for row in table[: rows // 50]
    ]
    own, receipts = best_of(
        lambda: [scorer.score(row) for row in table],
        lambda: [score(scoring, one) for one in given],
    )
    print(
        f"{scoring.name:10} rows: R package {R_PACKAGE:,} rows/s, own {rows / own:,.0f} rows/s, "
        f"{rows / own / R_PACKAGE:.1f} x; with receipts {len(given) / receipts:,.0f} rows/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    print(f"{rows:,} rows, {MISSING:.0%} of the answers missing, best of {REPEATS}")
    for instrument in load_instruments(ROOT).values():
        answers = random_answers(instrument, rows)
        for scoring in instrument.scorings.values():
            arrays(scoring, answers, rows)
            rows_one_by_one(scoring, answers, min(rows, 50_000))


if __name__ == "__main__":
    main()
