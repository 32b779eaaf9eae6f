"""What the specification of Dataset-JSON 1.1 asks of a file (CDISC, final of 2024-12-05).

The standard's own schema came to us without a licence, so this one is written from the published
tables of attributes ("Top-level Metadata Attributes", "Column Metadata", "Supported Column Data
Type Combinations"); `faults` adds what a schema cannot say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MOMENT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?([+-]\d{2}:\d{2}|Z)?$"
NAME = {"type": "string", "minLength": 1}
ORDER = (
    "datasetJSONCreationDateTime", "datasetJSONVersion", "fileOID", "dbLastModifiedDateTime",
    "originator", "sourceSystem", "studyOID", "metaDataVersionOID", "metaDataRef", "itemGroupOID",
    "records", "name", "label", "columns", "rows",
)  # fmt: skip
COLUMN_ORDER = (
    "itemOID", "name", "label", "dataType", "targetDataType", "length", "displayFormat",
    "keySequence",
)  # fmt: skip
DATA_TYPES = {  # the types of a cell, by the column's dataType
    "string": str, "integer": int, "decimal": str, "float": float, "double": float,
    "boolean": bool, "datetime": str, "date": str, "time": str, "URI": str,
}  # fmt: skip
COLUMN = {
    "type": "object",
    "additionalProperties": False,
    "required": ["itemOID", "name", "label", "dataType"],
    "properties": {
        "itemOID": NAME,
        "name": NAME,
        "label": {"type": "string"},
        "dataType": {"enum": list(DATA_TYPES)},
        "targetDataType": {"enum": ["integer", "decimal"]},
        "length": {"type": "integer", "minimum": 1},
        "displayFormat": {"type": "string"},
        "keySequence": {"type": "integer", "minimum": 1},
    },
}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2019-09/schema",
    "type": "object",
    "additionalProperties": False,
    "required": [
        "datasetJSONCreationDateTime", "datasetJSONVersion", "itemGroupOID", "records", "name",
        "label", "columns",
    ],
    "properties": {
        "datasetJSONCreationDateTime": {"type": "string", "pattern": MOMENT},
        "datasetJSONVersion": {"type": "string", "pattern": r"^1\.1(\.(0|[1-9]\d*))?$"},
        "fileOID": NAME,
        "dbLastModifiedDateTime": {"type": "string", "pattern": MOMENT},
        "originator": {"type": "string"},
        "sourceSystem": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "version"],
            "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
        },
        "studyOID": NAME,
        "metaDataVersionOID": NAME,
        "metaDataRef": {"type": "string"},
        "itemGroupOID": NAME,
        "records": {"type": "integer", "minimum": 0},
        "name": NAME,
        "label": {"type": "string"},
        "columns": {"type": "array", "items": COLUMN},
        "rows": {
            "type": "array",
            "items": {"type": "array", "items": {"type": ["string", "number", "boolean", "null"]}},
        },
    },
}  # fmt: skip


def faults(document: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a document that the schema passes."""
    yield from _order(document, ORDER, "the dataset")
    columns, rows = document["columns"], document.get("rows", [])
    for column in columns:
        yield from _order(column, COLUMN_ORDER, column["name"])
    if document["records"] != len(rows):
        yield f"{document['records']} records are told, there are {len(rows)}"
    for key in ("itemOID", "name"):
        if len({column[key] for column in columns}) < len(columns):
            yield f"a {key} is there twice"
    keys = sorted(column["keySequence"] for column in columns if "keySequence" in column)
    if keys != list(range(1, len(keys) + 1)):
        yield f"keys are {keys}"
    for row in rows:
        if len(row) != len(columns):
            yield f"a row has {len(row)} cells"
        for column, cell in zip(columns, row, strict=False):
            yield from _cell(column, cell)


def _order(told: dict[str, Any], order: tuple[str, ...], where: str) -> Iterator[str]:
    if list(told) != sorted(told, key=order.index):
        yield f"the attributes of {where} are out of order"


def _cell(column: dict[str, Any], cell: object) -> Iterator[str]:
    kind = DATA_TYPES[column["dataType"]]
    if cell is not None and type(cell) is not kind:
        yield f"{column['name']} is {column['dataType']} and holds {cell!r}"
    if isinstance(cell, str) and len(cell) > column.get("length", len(cell)):
        yield f"{column['name']} holds more than {column['length']} characters: {cell!r}"
