"""Dataset-JSON: by the specification's rules, and read by pandas and R."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest

from pro_app.export import csv
from pro_app.export.adam import KEYS as ADQS_KEYS
from pro_app.export.adam import adqs
from pro_app.export.dataset_json import Made, write, write_lines
from pro_app.export.sdtm import QS_KEYS, qs
from pro_app.export.sdtm_supplement import KEYS as SUPPQS_KEYS
from pro_app.export.sdtm_supplement import suppqs
from pro_app.export.table import Table
from tests.export import samples
from tests.export.cdisc_study import Hand, rows_of
from tests.export.dataset_json_rules import SCHEMA, faults

MADE = Made(datetime(2027, 6, 1, 4, 30, tzinfo=UTC), "A hospital", "0.1.0")
DATASETS = {"QS": (qs, QS_KEYS), "SUPPQS": (suppqs, SUPPQS_KEYS), "ADQS": (adqs, ADQS_KEYS)}


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    """Two people, one of whom answers in Tamil; a score without an end, a missed visit."""
    made = Hand(tmp_path / "toy")
    made.person("01-001")
    made.sheet("baseline", date(2027, 3, 2), {"Q1": 1, "Q2": "skipped", "Q3": 2}, language="ta",
               scores={"TWO": 100 / 3, "SUM": None})  # fmt: skip
    made.sheet("day_28", date(2027, 4, 5), status="missed", missed_reason="not_started")
    made.person("01-002")
    made.sheet("baseline", date(2027, 3, 8), {"Q1": 3, "Q2": 3, "Q3": 1}, scores={"TWO": 0.1 + 0.2})
    return made


def document(table: Table, folder: Path, made: Made = MADE) -> dict[str, Any]:
    """The file of a table, checked."""
    path = folder / "written.json"
    write(table, path, made)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(found, SCHEMA)
    assert list(faults(found)) == []
    return found


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_keeps_the_rules_and_every_value(
    hand: Hand, tmp_path: Path, name: str
) -> None:
    make, keys = DATASETS[name]
    table = make(hand.source())
    found = document(table, tmp_path, Made(MADE.at, "A hospital", "0.1.0", keys))
    wanted = [
        tuple(cell.isoformat() if isinstance(cell, date) else cell for cell in row)
        for row in rows_of(table)
    ]
    assert len(wanted) > 3
    assert [tuple(row) for row in found["rows"]] == wanted
    assert [(column["name"], column["label"]) for column in found["columns"]] == [
        (column.name, column.label) for column in table.columns
    ]
    ordered = [one for one in found["columns"] if "keySequence" in one]
    ordered.sort(key=lambda one: one["keySequence"])
    assert tuple(one["name"] for one in ordered) == tuple(keys)
    names = [column["name"] for column in found["columns"]]
    named = [tuple(row[names.index(key)] for key in keys) for row in found["rows"]]
    assert len(set(named)) == len(named), "the keys name each row"


def test_the_head_says_what_it_is(hand: Hand, tmp_path: Path) -> None:
    found = document(qs(hand.source()), tmp_path)
    del found["columns"], found["rows"]
    assert found == {
        "datasetJSONCreationDateTime": "2027-06-01T12:30:00+08:00",
        "datasetJSONVersion": "1.1.0",
        "fileOID": "trial.QS.20270601T043000Z",
        "originator": "A hospital",
        "sourceSystem": {"name": "pro-app", "version": "0.1.0"},
        "studyOID": "trial",
        "metaDataVersionOID": "MDV.trial",
        "itemGroupOID": "IG.QS",
        "records": 9,
        "name": "QS",
        "label": "Questionnaires, demonstration wording",
    }


def test_columns_say_their_type(hand: Hand, tmp_path: Path) -> None:
    by_name = {one["name"]: one for one in document(qs(hand.source()), tmp_path)["columns"]}
    assert by_name["QSDTC"] == {
        "itemOID": "IT.QS.QSDTC", "name": "QSDTC", "label": "Date/Time of Finding",
        "dataType": "datetime",
    }  # fmt: skip
    assert by_name["QSSEQ"]["dataType"] == "integer"
    assert by_name["QSSTRESN"]["dataType"] == "double"
    assert (by_name["QSORRES"]["dataType"], by_name["QSORRES"]["length"]) == ("string", 19)
    by_name = {one["name"]: one for one in document(adqs(hand.source()), tmp_path)["columns"]}
    assert by_name["ADT"] == {
        "itemOID": "IT.ADQS.ADT", "name": "ADT", "label": "Analysis Date", "dataType": "date",
        "targetDataType": "integer", "displayFormat": "E8601DA.",
    }  # fmt: skip
    assert by_name["DTYPE"]["length"] == 1, "a column without a text, too"


def test_any_table_can_be_written(tmp_path: Path) -> None:
    """Absences are blank; moments have the zone's offset and a fraction where there is one."""
    found = document(samples.table(), tmp_path)
    rows = {
        column["name"]: [row[n] for row in found["rows"]]
        for n, column in enumerate(found["columns"])
    }
    assert rows["LQ01"] == [4, None, None, 2]
    assert rows["LQ02"] == [None, 0, None, 3]
    assert rows["completed_at"] == [
        "2027-03-01T00:30:00+08:00", "2027-03-01T08:00:00.123456+08:00", None,
        "2029-12-31T23:59:59+08:00",
    ]  # fmt: skip
    assert rows["due_on"][2] == "2028-02-29"
    assert rows["lupusqol_LQPH"] == [6.25, 100 / 3, None, -8.812345678901234]
    assert rows["comment"] == ["=1+1", "@தமிழ்", 'a,b;"c"\nநான்கு 四', ""], "exact: for programs"
    moment = next(one for one in found["columns"] if one["name"] == "completed_at")
    assert (moment["dataType"], moment["targetDataType"]) == ("datetime", "integer")


def test_a_table_without_rows_is_a_file(hand: Hand, tmp_path: Path) -> None:
    for table in (samples.nothing(), qs(Hand(tmp_path / "nobody").source())):
        found = document(table, tmp_path)
        assert (found["records"], found["rows"]) == (0, [])
        path = tmp_path / "nothing.ndjson"
        write_lines(table, path, MADE)
        assert len(path.read_text(encoding="utf-8").splitlines()) == 1


def test_no_reader_takes_it_for_lines(hand: Hand, tmp_path: Path) -> None:
    """Some look whether the first line is JSON by itself."""
    path = tmp_path / "qs.json"
    write(qs(hand.source()), path, MADE)
    assert path.read_bytes().splitlines()[0] == b"{"


@pytest.mark.parametrize("name", DATASETS)
def test_lines_hold_the_same(hand: Hand, tmp_path: Path, name: str) -> None:
    table = DATASETS[name][0](hand.source())
    whole = document(table, tmp_path)
    path = tmp_path / "written.ndjson"
    write_lines(table, path, MADE)
    head, *rows = path.read_text(encoding="utf-8").split("\n")
    assert rows.pop() == "", "the last line ends"
    assert json.loads(head) | {"rows": [json.loads(row) for row in rows]} == whole


def test_the_same_data_give_the_same_bytes(hand: Hand, tmp_path: Path) -> None:
    contents = set()
    for n in range(2):
        path = tmp_path / f"{n}.json"
        write(qs(hand.source()), path, MADE)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["0.json", "1.json", "toy"]


def test_frames_make_no_difference(tmp_path: Path) -> None:
    contents = set()
    for at_once in (1, 3, 100):
        path = tmp_path / "table.json"
        write(samples.table(at_once=at_once), path, MADE)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_pandas_reads_it_value_by_value(hand: Hand, tmp_path: Path) -> None:
    table = qs(hand.source())
    path = tmp_path / "qs.ndjson"
    write_lines(table, path, MADE)
    with path.open(encoding="utf-8") as file:
        names = [column["name"] for column in json.loads(next(file))["columns"]]
        frame = pd.DataFrame(map(json.loads, file), columns=names)
    wanted = rows_of(table, "QSTESTCD", "QSORRES", "QSSTRESN", "QSDTC")
    for row, cells in zip(frame.itertuples(), wanted, strict=True):
        told = (row.QSTESTCD, row.QSORRES, row.QSSTRESN, row.QSDTC)
        assert tuple(None if pd.isna(one) else one for one in told) == cells
    first = frame.iloc[0]
    assert first["QSORRES"] == "எப்போதும்"
    assert pd.Timestamp(first["QSDTC"]) == pd.Timestamp("2027-03-02T01:00:00Z")


R_TELLS = """
told <- function(cell) {
  if (is.null(cell) || is.na(cell)) NA_character_ else
    if (is.numeric(cell)) sprintf("%.17g", cell) else cell
}
"""
R_READS_JSON = """
found <- jsonlite::fromJSON(commandArgs(TRUE)[1], simplifyVector = FALSE)
names <- vapply(found$columns, function(column) column$name, "")
labels <- vapply(found$columns, function(column) column$label, "")
cells <- function(name) lapply(found$rows, function(row) row[[match(name, names)]])
report <- list(labels = labels, records = found$records)
for (name in names) report[[name]] <- vapply(cells(name), told, NA_character_)
cat(jsonlite::toJSON(report, na = "null"))
"""
R_READS_CSV = """
found <- read.csv(commandArgs(TRUE)[1], encoding = "UTF-8", na.strings = "",
                  numerals = "no.loss", colClasses = c(SITEID = "character"))
report <- lapply(found, function(column) vapply(column, told, NA_character_))
cat(jsonlite::toJSON(report, na = "null"))
"""


def by_r(script: str, path: Path) -> Any:
    """What a script of R reports of a file."""
    file = path.with_suffix(".R")
    file.write_text(R_TELLS + script, encoding="utf-8")
    run = subprocess.run(
        ["Rscript", "--encoding=UTF-8", str(file), str(path)],
        capture_output=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    return json.loads(run.stdout)


def compare(table: Table, told: dict[str, list[str | None]]) -> None:
    """Every cell as R tells it."""
    for column in table.columns:
        for (cell,), read in zip(rows_of(table, column.name), told[column.name], strict=True):
            if isinstance(cell, (int, float)):
                assert float(str(read)) == cell
            else:
                assert read == (cell.isoformat() if isinstance(cell, date) else cell)


@pytest.mark.parametrize("name", DATASETS)
def test_r_reads_it_value_by_value(hand: Hand, tmp_path: Path, name: str) -> None:
    table = DATASETS[name][0](hand.source())
    path = tmp_path / "written.json"
    write(table, path, MADE)
    told = by_r(R_READS_JSON, path)
    assert told["labels"] == [column.label for column in table.columns]
    assert told["records"] == [len(rows_of(table))]
    compare(table, told)


@pytest.mark.parametrize("name", DATASETS)
def test_r_and_pandas_read_the_csv_value_by_value(hand: Hand, tmp_path: Path, name: str) -> None:
    table = DATASETS[name][0](hand.source())
    path = tmp_path / "written.csv"
    csv.write_exact(table, path)
    compare(table, by_r(R_READS_CSV, path))
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert list(frame.columns) == [column.name for column in table.columns]
    for row, cells in zip(frame.itertuples(index=False), rows_of(table), strict=True):
        for read, cell in zip(row, cells, strict=True):
            if isinstance(cell, (int, float)):
                assert float(read) == cell
            elif isinstance(cell, date):
                assert read == cell.isoformat()
            else:
                assert read == (cell or "")
