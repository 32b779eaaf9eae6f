"""JSON Lines, read by Python's own reader, pandas and R's jsonlite."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas
import pytest
from hypothesis import given, settings

from pro_app.export import jsonl
from tests.export import samples
from tests.export.readers import ABSENT, rows, run_r, texts

NAMES = [one.name for one in samples.COLUMNS]
ZONE = ZoneInfo("Asia/Kuala_Lumpur")


def told(value: Any) -> Any:
    """A cell as JSON has it."""
    if value in ABSENT:
        return None
    if isinstance(value, datetime):
        return value.astimezone(ZONE).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def read(path: Path) -> list[dict[str, Any]]:
    lines = path.read_bytes().decode().split("\n")
    assert lines.pop() == "", "every row ends its line"
    return [json.loads(line) for line in lines]


def test_a_row_to_the_byte(tmp_path: Path) -> None:
    jsonl.write(samples.table(samples.ROWS[1:2]), tmp_path / "answers.jsonl")
    assert (tmp_path / "answers.jsonl").read_bytes().decode() == (
        '{"study":"trial","participant":"01-001","occurrence":2,"mode":"paper",'
        '"completed_at":"2027-03-01T08:00:00.123456+08:00","due_on":"2027-03-08","late":1,'
        '"LQ01":null,"LQ02":0,"lupusqol_LQPH":33.333333333333336,"comment":"@தமிழ்"}\n'
    )


@settings(deadline=None)
@given(some=rows(texts()))
def test_anything_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, some: tuple[tuple[Any, ...], ...]
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "any.jsonl"
    jsonl.write(samples.table(some), path)
    found = read(path)
    assert [list(row) for row in found] == [NAMES] * len(some), "in the table's order"
    assert [list(row.values()) for row in found] == [[told(one) for one in row] for row in some]


def test_pandas_finds_every_value(tmp_path: Path) -> None:
    jsonl.write(samples.table(), tmp_path / "answers.jsonl")
    frame = pandas.read_json(
        tmp_path / "answers.jsonl", lines=True, dtype=False, precise_float=True
    )
    assert list(frame.columns) == NAMES
    for number, row in enumerate(samples.ROWS):
        for name, value in zip(NAMES, row, strict=True):
            found = frame[name][number]
            assert pandas.isna(found) if told(value) is None else found == told(value), name


def test_jsonlite_finds_every_value(tmp_path: Path) -> None:
    jsonl.write(samples.table(), tmp_path / "answers.jsonl")
    printed = run_r(
        "data <- jsonlite::stream_in(file(commandArgs(TRUE), encoding = 'UTF-8'), verbose = FALSE);"
        ' data$lupusqol_LQPH <- sprintf("%a", data$lupusqol_LQPH);'
        ' cat(jsonlite::toJSON(data, dataframe = "columns", na = "null"))',
        tmp_path / "answers.jsonl",
    )
    found = json.loads(printed)
    assert list(found) == NAMES
    for place, name in enumerate(NAMES):
        values = [told(row[place]) for row in samples.ROWS]
        if name == "lupusqol_LQPH":
            found[name] = [None if one == "NA" else float.fromhex(one) for one in found[name]]
        assert found[name] == values, name


def test_an_empty_table_is_an_empty_file(tmp_path: Path) -> None:
    jsonl.write(samples.nothing(), tmp_path / "none.jsonl")
    assert (tmp_path / "none.jsonl").read_bytes() == b""


def test_the_same_bytes_whatever_the_frames(tmp_path: Path) -> None:
    for at_once in (1, 3, 100):
        jsonl.write(samples.table(at_once=at_once), tmp_path / f"{at_once}.jsonl")
    first, *others = (path.read_bytes() for path in sorted(tmp_path.glob("*.jsonl")))
    assert others == [first, first]
