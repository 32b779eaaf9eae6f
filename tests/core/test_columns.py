"""Rows and columns give the bits that `score` gives."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pro_app.core import columns as columns_module
from pro_app.core.columns import ColumnScorer
from pro_app.core.instruments import load_instrument, load_instruments
from pro_app.core.scoring import Scoring, score
from pro_app.core.tables import RowScorer, build_tables
from tests.core.toy import PAIR, write_toy

INSTRUMENTS = load_instruments(Path(__file__).parents[2] / "questionnaires")
SCORINGS = {
    name: scoring
    for instrument in INSTRUMENTS.values()
    for name, scoring in instrument.scorings.items()
}
Rows = list[list[int]]


def rows_of(scoring: Scoring) -> st.SearchStrategy[Rows]:
    """Some rows of places, all of an instrument's items, about a fifth unanswered."""
    place = [
        st.one_of(st.integers(1, len(codes)), st.integers(0, len(codes)))
        for codes in scoring.options.values()
    ]
    return st.lists(st.tuples(*place).map(list), min_size=1, max_size=8)


def answers_of(scoring: Scoring, row: Sequence[int]) -> dict[str, int | None]:
    return {
        item: codes[place - 1] if place else None
        for (item, codes), place in zip(scoring.options.items(), row, strict=True)
    }


def arrays_of(scoring: Scoring, rows: Rows) -> dict[str, NDArray[np.uint8]]:
    table = np.array(rows, np.uint8)
    return {item: table[:, n].copy() for n, item in enumerate(scoring.options)}


def bits(values: Sequence[float | None]) -> list[bytes | None]:
    return [None if one is None else struct.pack("<d", one) for one in values]


def column_row(values: Mapping[str, NDArray[np.float64]], n: int) -> list[float | None]:
    return [None if np.isnan(column[n]) else float(column[n]) for column in values.values()]


def assert_same(scoring: Scoring, rows: Rows) -> None:
    tables = build_tables(scoring)
    by_row = RowScorer(tables, list(scoring.options))
    by_column = ColumnScorer(tables).score(arrays_of(scoring, rows))
    assert tuple(by_column.values) == scoring.outputs()
    for n, row in enumerate(rows):
        expected = score(scoring, answers_of(scoring, row))
        values = bits([one.value for one in expected])
        answered = [one.answered for one in expected if one.answered is not None]
        assert bits(by_row.score(row)) == values
        assert [one.answered for one in by_row.entries(by_row.places(row))] == answered
        assert bits(column_row(by_column.values, n)) == values
        assert [int(column[n]) for column in by_column.answered.values()] == answered


@pytest.mark.parametrize("name", SCORINGS)
def test_rows_and_columns_are_as_score(name: str) -> None:
    scoring = SCORINGS[name]

    @settings(max_examples=40, deadline=None)
    @given(rows_of(scoring))
    def check(rows: Rows) -> None:
        assert_same(scoring, rows)

    check()


@pytest.mark.parametrize("name", SCORINGS)
def test_each_item_alone_and_each_item_missing(name: str) -> None:
    """Every code of every item beside nothing, and every item missing beside full answers."""
    scoring = SCORINGS[name]
    sizes = [len(codes) for codes in scoring.options.values()]
    rows = [[0] * len(sizes)]
    for n, size in enumerate(sizes):
        for place in range(1, size + 1):
            rows.append([place if n == m else 0 for m in range(len(sizes))])
        rows.append([0 if n == m else other for m, other in enumerate(sizes)])
        rows.append([0 if n == m else 1 for m in range(len(sizes))])
    assert_same(scoring, rows)


def test_a_pair_and_a_reported_sum(tmp_path: Path) -> None:
    folder = write_toy(
        tmp_path,
        ("instrument.toml", 'scores = { TWO = "T4", SUM = "T5" }\n', ""),
        ("instrument.toml", 'scale = "TWO"', 'scale = "RAW"'),
        scoring=PAIR,
    )
    scoring = load_instrument(folder).scorings["plain"]
    assert_same(scoring, [[a, b, c] for a in range(4) for b in range(4) for c in range(3)])


def test_uneven_steps_and_a_scale_of_one_item(tmp_path: Path) -> None:
    scoring = load_instrument(write_toy(tmp_path)).scorings["plain"]
    assert_same(scoring, [[a, b, c] for a in range(4) for b in range(4) for c in range(3)])


def test_a_scoring_of_one_item_in_all(tmp_path: Path) -> None:
    folder = write_toy(
        tmp_path,
        ("instrument.toml", 'scores = { TWO = "T4", SUM = "T5" }\n', ""),
        ("instrument.toml", 'scale = "TWO"', 'scale = "RAW"'),
        ("instrument.toml", 'topic = "first"', 'topic = "first", scored = false'),
        ("instrument.toml", 'topic = "third"', 'topic = "third", scored = false'),
        (
            "scoring.toml",
            PAIR[PAIR.index("[[plain.scales]]") : PAIR.rindex("[[plain.scales]]")],
            "",
        ),
        scoring=PAIR,
    )
    assert_same(load_instrument(folder).scorings["plain"], [[0, n, 0] for n in range(4)])


def test_chunks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    scoring = SCORINGS["mos_us1990"]
    generator = np.random.default_rng(7)
    arrays = {
        item: generator.integers(0, len(codes) + 1, 1000).astype(np.uint8)
        for item, codes in scoring.options.items()
    }
    scorer = ColumnScorer(build_tables(scoring))
    whole = scorer.score(arrays)
    monkeypatch.setattr(columns_module, "CHUNK", 64)
    parts = scorer.score(arrays, scorer.empty(1000))
    for code, values in whole.values.items():
        assert values.tobytes() == parts.values[code].tobytes()
    for code, answered in whole.answered.items():
        assert answered.tobytes() == parts.answered[code].tobytes()


def test_no_rows_are_no_trouble() -> None:
    scoring = SCORINGS["rand"]
    arrays = {item: np.empty(0, np.uint8) for item in scoring.options}
    assert len(ColumnScorer(build_tables(scoring)).score(arrays).values["PF"]) == 0


def test_arrays_that_are_no_answers_are_refused() -> None:
    scoring = SCORINGS["mos_us1990"]
    scorer = ColumnScorer(build_tables(scoring))
    good = {item: np.ones(3, np.uint8) for item in scoring.options}
    with pytest.raises(ValueError, match="RP1: a place is beyond its 2 options"):
        scorer.score(good | {"RP1": np.array([1, 3, 1], np.uint8)})
    with pytest.raises(ValueError, match="RP1: needs a one-dimensional array of uint8"):
        scorer.score(good | {"RP1": np.ones(3)})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="not of one length"):
        scorer.score(good | {"RP1": np.ones(2, np.uint8)})
    del good["RP1"]
    with pytest.raises(KeyError):
        scorer.score(good)


def test_one_submission_is_scored_without_numpy() -> None:
    code = (
        "import sys, pro_app.core.scoring, pro_app.core.tables; assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
