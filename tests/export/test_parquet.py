"""Parquet, read by Arrow and pandas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas
import polars as pl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings

from pro_app.export import parquet
from tests.export import samples
from tests.export.readers import ABSENT, rows, texts

NAMES = [one.name for one in samples.COLUMNS]


def written(some: tuple[tuple[Any, ...], ...], folder: Path, at_once: int = 3) -> Path:
    path = folder / f"{at_once}.parquet"
    parquet.write(samples.table(some, at_once), path)
    return path


def test_every_column_has_its_type(tmp_path: Path) -> None:
    types = pyarrow.parquet.read_schema(written(samples.ROWS, tmp_path))
    assert types.names == NAMES
    for column in samples.COLUMNS:
        found = types.field(column.name).type
        assert {
            "text": pyarrow.types.is_large_string(found) or pyarrow.types.is_string_view(found),
            "integer": found == pyarrow.int64(),
            "number": found == pyarrow.float64(),
            "moment": found == pyarrow.timestamp("us", "UTC"),
            "day": found == pyarrow.date32(),
        }[column.kind], f"{column.name}: {found}"


def test_the_codebook_is_in_the_file(tmp_path: Path) -> None:
    path = written(samples.ROWS, tmp_path)
    told = json.loads(pyarrow.parquet.read_metadata(path).metadata[b"codebook"])
    assert told == json.loads(pl.read_parquet_metadata(path)["codebook"])
    columns = told.pop("columns")
    assert told == {
        "table": "answers",
        "title": "பதில்கள்",
        "study": "trial",
        "language": "ta",
        "zone": "Asia/Kuala_Lumpur",
        "notes": ["Demonstration wording, not the validated instrument."],
    }
    assert [one["name"] for one in columns] == NAMES
    for found, column in zip(columns, samples.COLUMNS, strict=True):
        assert (found["label"], found["kind"], found["group"]) == (
            column.label, column.kind, column.group
        )  # fmt: skip
        assert found["codes"] == {str(code): label for code, label in column.codes.items()}
        assert found["missing"] == {str(code): label for code, label in column.missing.items()}
    assert columns[NAMES.index("LQ01")]["missing"]["-8"] == "எனக்குப் பொருந்தாது"
    assert columns[NAMES.index("mode")]["codes"] == {"own_phone": "手机", "paper": "தாள்"}


@settings(deadline=None)
@given(some=rows(texts()))
def test_anything_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, some: tuple[tuple[Any, ...], ...]
) -> None:
    path = written(some, tmp_path_factory.mktemp("parquet"))
    found = pyarrow.parquet.read_table(path).to_pylist()
    blanked = [[None if value in ABSENT else value for value in row] for row in some]
    assert [list(row.values()) for row in found] == blanked


def test_pandas_finds_every_value(tmp_path: Path) -> None:
    frame = pandas.read_parquet(written(samples.ROWS, tmp_path), engine="pyarrow")
    assert list(frame.columns) == NAMES
    for number, row in enumerate(samples.ROWS):
        for name, value in zip(NAMES, row, strict=True):
            found = frame[name][number]
            assert pandas.isna(found) if value is None or value in ABSENT else found == value, name


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    path = written((), tmp_path)
    read = pyarrow.parquet.read_table(path)
    assert (read.num_rows, read.column_names) == (0, NAMES)
    assert b"codebook" in pyarrow.parquet.read_metadata(path).metadata


def test_the_same_bytes_whatever_the_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROWS", 70)
    some = samples.ROWS * 50
    paths = [written(some, tmp_path, at_once) for at_once in (1, 7, 64, 1000)]
    assert {path.read_bytes() for path in paths} == {paths[0].read_bytes()}
    groups = pyarrow.parquet.ParquetFile(paths[0]).metadata
    sizes = [groups.row_group(place).num_rows for place in range(groups.num_row_groups)]
    assert sizes == [70, 70, 60]


def test_what_stops_the_reading_is_told(tmp_path: Path) -> None:
    """The rows are read in another thread; its error must still arrive here as it is."""

    def broken() -> Iterator[pl.DataFrame]:
        yield next(samples.table().frames())
        raise ConnectionError("the database is gone")

    made = replace(samples.table(), frames=broken)
    with pytest.raises(ConnectionError, match="the database is gone"):
        parquet.write(made, tmp_path / "broken.parquet")
