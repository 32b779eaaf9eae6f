"""CSV, read by Python's own reader, pandas, polars and R."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas
import polars as pl
import pytest
from hypothesis import given, settings

from pro_app.export import csv as written
from pro_app.export.table import Table, TableError
from tests.export import samples
from tests.export.readers import ABSENT, rows, run_r, texts

ZONE = ZoneInfo("Asia/Kuala_Lumpur")
BOTH = pytest.mark.parametrize("write", [written.write, written.write_exact])


def cell(value: Any) -> str:
    """The text of a cell, as the module's description has it; of a number, its bits."""
    if value is None or value in ABSENT:
        return ""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, datetime):
        return value.astimezone(ZONE).isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def test_the_file_to_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    written.write_exact(samples.table(), path)
    assert path.read_bytes().decode() == (
        "study,participant,occurrence,mode,completed_at,due_on,late,LQ01,LQ02,lupusqol_LQPH,comment\n"
        "trial,01-001,1,own_phone,2027-03-01T00:30:00+08:00,2027-03-01,0,4,,6.25,=1+1\n"
        "trial,01-001,2,paper,2027-03-01T08:00:00.123456+08:00,2027-03-08,1,,0,33.333333333333336,@தமிழ்\n"
        'trial,01-002,1,,,2028-02-29,,,,,"a,b;""c""\nநான்கு 四"\n'
        'trial,02-001,1,paper,2029-12-31T23:59:59+08:00,2029-12-31,0,2,3,-8.812345678901234,""\n'
    )


def test_the_file_for_people_is_marked_and_runs_nothing(tmp_path: Path) -> None:
    exact, people = tmp_path / "exact.csv", tmp_path / "people.csv"
    written.write_exact(samples.table(), exact)
    written.write(samples.table(), people)
    told = people.read_bytes().decode()
    assert told.startswith("\ufeffstudy,")
    assert told[1:].replace(",'=1+1\n", ",=1+1\n").replace(",'@", ",@").encode() == (
        exact.read_bytes()
    )
    assert pandas.read_csv(people, encoding="utf-8-sig")["comment"][0] == "'=1+1"


@pytest.mark.parametrize("text", ["=1", "+A1", "-2+3", "@x", "\t=1", "\r=1", "\n=1", "＝1", "－x"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(tmp_path: Path, text: str) -> None:
    row = (*samples.ROWS[0][:-1], text)
    written.write(samples.table((row,)), tmp_path / "people.csv")
    assert read(tmp_path / "people.csv")[1][-1] == f"'{text}"


@pytest.mark.parametrize("text", ["-7", "+60123456789", "1=1", "a@b", "'=1", "", "–"])
def test_what_runs_nothing_stays(tmp_path: Path, text: str) -> None:
    row = (*samples.ROWS[0][:-1], text)
    written.write(samples.table((row,)), tmp_path / "people.csv")
    assert read(tmp_path / "people.csv")[1][-1] == text


@settings(deadline=None)
@given(some=rows(texts()))
def test_anything_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, some: tuple[tuple[Any, ...], ...]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "any.csv"
    written.write_exact(samples.table(some), path)
    names, *found = read(path)
    assert names == [one.name for one in samples.COLUMNS]
    place = names.index("lupusqol_LQPH")
    for row in found:
        row[place] = float(row[place]).hex() if row[place] else ""
    assert found == [[cell(value) for value in row] for row in some]


def test_pandas_finds_every_value(tmp_path: Path) -> None:
    written.write_exact(samples.table(), tmp_path / "answers.csv")
    frame = pandas.read_csv(
        tmp_path / "answers.csv", dtype={"participant": str},
        keep_default_na=False, na_values={one.name: [""] for one in samples.COLUMNS[:-1]},
    )  # fmt: skip
    moments = pandas.to_datetime(frame["completed_at"], format="ISO8601", utc=True)
    for number, row in enumerate(samples.ROWS):
        for column, value in zip(samples.COLUMNS, row, strict=True):
            found = moments[number] if column.kind == "moment" else frame[column.name][number]
            if value is None or value in ABSENT:
                assert pandas.isna(found), column.name
            elif column.kind == "day":
                assert date.fromisoformat(found) == value
            else:
                assert found == value, column.name


def test_r_finds_every_value(tmp_path: Path) -> None:
    written.write_exact(samples.table(), tmp_path / "answers.csv")
    printed = run_r(
        'data <- read.csv(commandArgs(TRUE), colClasses = c(participant = "character"),'
        ' encoding = "UTF-8"); data$lupusqol_LQPH <- sprintf("%a", data$lupusqol_LQPH);'
        ' cat(jsonlite::toJSON(data, dataframe = "columns", na = "null"))',
        tmp_path / "answers.csv",
    )
    found = json.loads(printed)
    for place, column in enumerate(samples.COLUMNS):
        values = [row[place] for row in samples.ROWS]
        if column.name == "lupusqol_LQPH":
            assert [None if x == "NA" else float.fromhex(x) for x in found[column.name]] == values
        elif column.kind == "integer":
            blanked = [None if value in ABSENT else value for value in values]
            assert found[column.name] == blanked
        else:
            assert [one or "" for one in found[column.name]] == [cell(value) for value in values]


@BOTH
def test_an_empty_table_is_its_header(write: Callable[[Table, Path], None], tmp_path: Path) -> None:
    write(samples.nothing(), tmp_path / "none.csv")
    assert read(tmp_path / "none.csv")[0][-1] == "comment"
    assert len(read(tmp_path / "none.csv")) == 1
    assert pl.read_csv(tmp_path / "none.csv").shape == (0, len(samples.COLUMNS))


@BOTH
def test_the_same_bytes_whatever_the_frames(
    write: Callable[[Table, Path], None], tmp_path: Path
) -> None:
    for at_once in (1, 3, 100):
        write(samples.table(at_once=at_once), tmp_path / f"{at_once}.csv")
    first, *others = (path.read_bytes() for path in sorted(tmp_path.glob("*.csv")))
    assert others == [first, first]


def test_a_frame_that_is_not_as_the_columns_say_is_refused(tmp_path: Path) -> None:
    made = samples.table()
    odd = made.empty().select(pl.col("*").exclude("late"), late=pl.lit("no"))
    wrong = replace(made, frames=lambda: iter([odd]))
    with pytest.raises(TableError, match="not as the columns say"):
        written.write(wrong, tmp_path / "odd.csv")
