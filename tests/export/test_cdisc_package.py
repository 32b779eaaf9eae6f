"""The CDISC datasets as files."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from pro_app.export.cdisc_package import DATASETS, FORMS, write
from pro_app.export.dataset_json import Made
from tests.export.cdisc_study import NOTES, Hand, rows_of
from tests.export.dataset_json_rules import faults

MADE = Made(datetime(2027, 6, 1, 4, 30, tzinfo=UTC), "A hospital", "0.1.0")


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    made = Hand(tmp_path / "toy")
    made.person("01-001")
    made.sheet("baseline", date(2027, 3, 2), {"Q1": 1, "Q2": 2}, language="ta",
               scores={"TWO": 100 / 3})  # fmt: skip
    return made


def written(hand: Hand, folder: Path, form: str, **parts: str) -> dict[str, bytes]:
    folder.mkdir()
    return {
        path.name: path.read_bytes() for path in write(hand.source(**parts), folder, form, MADE)
    }


@pytest.mark.parametrize("form", FORMS)
def test_all_datasets_are_written_and_the_same_again(hand: Hand, tmp_path: Path, form: str) -> None:
    first = written(hand, tmp_path / "first", form)
    assert first == written(hand, tmp_path / "second", form)
    assert {f"{name.lower()}.{form}" for name in DATASETS} | {"readme.txt"} <= first.keys()


def test_dataset_json_has_its_keys(hand: Hand, tmp_path: Path) -> None:
    files = written(hand, tmp_path / "files", "json")
    for name, dataset in DATASETS.items():
        found = json.loads(files[f"{name.lower()}.json"])
        assert list(faults(found)) == []
        assert found["name"] == name
        keys = [one for one in found["columns"] if "keySequence" in one]
        assert len(keys) == len(dataset.keys)


def test_csv_has_its_labels_beside_it(hand: Hand, tmp_path: Path) -> None:
    files = written(hand, tmp_path / "files", "csv")
    for name, dataset in DATASETS.items():
        table = dataset.make(hand.source())
        lines = list(csv.reader(files[f"{name.lower()}.csv"].decode().splitlines()))
        assert lines[0] == [column.name for column in table.columns]
        assert len(lines) == 1 + len(rows_of(table))
        labels = files[f"{name.lower()}_codebook.csv"].decode()
        assert all(column.label in labels for column in table.columns)


def test_sas_transport_has_every_value(hand: Hand, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    written(hand, folder, "xpt")
    for name, dataset in DATASETS.items():
        table = dataset.make(hand.source())
        frame, told = pyreadstat.read_xport(folder / f"{name.lower()}.xpt")
        assert told.table_name == name
        assert told.column_labels == [column.label for column in table.columns]
        for column in table.columns:
            for (cell,), read in zip(rows_of(table, column.name), frame[column.name], strict=True):
                missing = "" if column.kind == "text" else None
                assert (None if pd.isna(read) else read) == (missing if cell is None else cell)


def test_the_page_says_how_to_read_them(hand: Hand, tmp_path: Path) -> None:
    page = written(hand, tmp_path / "dated", "json")["readme.txt"].decode()
    assert "study trial, data as of 2027-06-01T12:30:00+08:00" in page
    assert NOTES[0] in page
    assert 'dates and study days, counted from the anchor "infusion"' in page
    counted = written(hand, tmp_path / "counted", "json", days_from="enrolment")
    assert 'without dates, counted from the anchor "enrolment"' in counted["readme.txt"].decode()
