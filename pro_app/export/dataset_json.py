"""CDISC's Dataset-JSON 1.1 (final of 2024-12-05), as JSON and as NDJSON.

Both hold the same: a head that describes the dataset and its columns, and a row after the other
as arrays. The head tells the number of rows and the longest text of each column, which are known
at the end: rows are written beside first. Memory does not grow with them. The files are exact and
meant for programs; that a wording is a demonstration stands in the dataset's label.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from zoneinfo import ZoneInfo

import polars as pl

from pro_app.export import texts
from pro_app.export.table import Column, Kind, Table

VERSION = "1.1.0"
SYSTEM = "pro-app"
TYPES: Mapping[Kind, str] = {
    "text": "string",
    "integer": "integer",
    "number": "double",
    "moment": "datetime",
    "day": "date",
}
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Made:
    """What a file says of its making. `at` is the moment that the data are of: the same data give
    the same bytes. `originator` is the organization; `version` the system's own; `keys` the
    columns that name a row, in order."""

    at: datetime
    originator: str
    version: str
    keys: Sequence[str] = ()


def write(table: Table, path: Path, made: Made) -> None:
    """Write a table as Dataset-JSON (.json)."""
    with TemporaryFile(dir=path.parent) as rows, path.open("wb") as file:
        head = _encode(_rows_beside(table, made, rows, b",\n"))
        # the first line is no JSON by itself: readers that guess take the file for NDJSON else
        file.write(b"{\n" + head[1:-1].encode() + b',"rows":[\n')
        shutil.copyfileobj(rows, file)
        file.write(b"\n]}\n")


def write_lines(table: Table, path: Path, made: Made) -> None:
    """Write a table as Dataset-JSON in NDJSON (.ndjson): the head, then a row a line."""
    with TemporaryFile(dir=path.parent) as rows, path.open("wb") as file:
        file.write(_encode(_rows_beside(table, made, rows, b"\n")).encode() + b"\n")
        shutil.copyfileobj(rows, file)
        if rows.tell():
            file.write(b"\n")


def _rows_beside(table: Table, made: Made, rows: IO[bytes], between: bytes) -> dict[str, Any]:
    """Write the rows to `rows`, `between` them; the head that belongs to them."""
    count, longest = 0, dict.fromkeys((one.name for one in table.columns), 1)
    for frame in texts.frames(table):
        told = texts.moments(table, table.blanked(frame))
        if told.is_empty():
            continue
        if count:
            rows.write(between)
        rows.write(between.join(map(str.encode, map(_encode, told.iter_rows()))))
        count += told.height
        for name, length in _longest(told):
            longest[name] = max(longest[name], length)
    rows.seek(0)
    return _head(table, made, count, longest)


def _longest(told: pl.DataFrame) -> Iterator[tuple[str, int]]:
    strings = told.select(pl.col(pl.String).str.len_chars().max())
    for name, length in zip(strings.columns, strings.row(0), strict=True):
        yield name, length or 1


def _head(table: Table, made: Made, count: int, longest: Mapping[str, int]) -> dict[str, Any]:
    """The attributes in the order that the specification asks for."""
    study, name = table.study, table.name
    return {
        "datasetJSONCreationDateTime": made.at.astimezone(ZoneInfo(table.zone)).isoformat(),
        "datasetJSONVersion": VERSION,
        "fileOID": f"{study}.{name}.{made.at.astimezone(ZoneInfo('UTC')):%Y%m%dT%H%M%SZ}",
        "originator": made.originator,
        "sourceSystem": {"name": SYSTEM, "version": made.version},
        "studyOID": study,
        "metaDataVersionOID": f"MDV.{study}",
        "itemGroupOID": f"IG.{name}",
        "records": count,
        "name": name,
        "label": table.title,
        "columns": [_column(table, one, made, longest[one.name]) for one in table.columns],
    }


def _column(table: Table, column: Column, made: Made, longest: int) -> dict[str, Any]:
    """A column's description. A date of analysis is a number in SAS and R; a text of SDTM that
    holds a date or time (its name ends in DTC) says so."""
    collected = column.kind == "text" and column.name.endswith("DTC")
    told: dict[str, Any] = {
        "itemOID": f"IT.{table.name}.{column.name}",
        "name": column.name,
        "label": column.label,
        "dataType": "datetime" if collected else TYPES[column.kind],
    }
    if column.kind == "day":
        told |= {"targetDataType": "integer", "displayFormat": "E8601DA."}
    elif column.kind == "moment":
        told |= {"targetDataType": "integer", "displayFormat": "E8601DT."}
    elif column.kind == "text" and not collected:
        told["length"] = longest
    if column.name in made.keys:
        told["keySequence"] = list(made.keys).index(column.name) + 1
    return told
