"""The OpenAPI 3.1 document of what programs can read, made of the tables' own columns.

Without a token it says what there is; with one, also the columns of the study's tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pro_app.core.study import LANGUAGES
from pro_app.export.table import Column, Table
from pro_app.services import tables
from pro_app.services.api_tokens import PREFIX
from pro_app.web import api_request
from pro_app.web.problems import MEDIA_TYPE

Json = dict[str, Any]

ROOT = "/api/v1"
VERSION = "1.0"
TABLES: Mapping[str, str] = {
    "participants": "Participants: enrolment, dates of anchors, consent, withdrawal",
    "assessments": "Every questionnaire that the schedule knows, whatever became of it",
    "answers": "Answers, one row per questionnaire and a column per item",
    "answers_long": "Answers, one row per item, with when and how each was given",
    "scores": "Scores, one row per questionnaire and columns per scale",
    "scores_long": "Scores, one row per scale, with the reason where there is none",
    "reminders": "Reminders: planned, sent, opened",
    "corrections": "Corrections: asked for, decided, with both values",
    "audit": "The record of changes, as its chains have it",
}
PROBLEMS = {
    "400": "A parameter is at fault; `parameter` names it",
    "401": "No token, or one that opens nothing",
    "403": "The token does not read this table",
    "404": "There is no such study or table, or not for this token",
    "406": "None of the forms that Accept names can be had",
    "429": "Too much at once; `Retry-After` says after how many seconds to try again",
}
KINDS: Mapping[str, Json] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "moment": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
}
LABELS: Json = {"type": "object", "additionalProperties": {"type": "string"}}
TEXT: Json = {"type": "string"}
TEXTS: Json = {"type": "array", "items": TEXT}
NOTES: Json = {**TEXTS, "description": "Sentences for people, such as that a wording is a demo's."}
ABOUT = (
    "Read a study's tables with a token that its researchers and investigators make in their "
    "room *Tokens for programs*. Nothing can be changed. Participants are known by study numbers "
    "alone. Every page that is read is put on the study's record with its parameters and the "
    "SHA-256 of its body. Cells are exact, in CSV, too: a spreadsheet may run some of them. "
    "A code that stands for a kind of absence is null; the columns `skipped` and `not_applicable` "
    "name the items that were, and what is in neither was not reached."
)


def document(address: str, study: str | None, known: Mapping[str, Table]) -> Json:
    """The document for an installation's address. `known` are the tables of the study of a token,
    by name, whose columns are told."""
    schemas = _schemas()
    for name in tables.NAMES:
        schemas |= _schemas_of(name, known.get(name))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Studies for researchers' programs", "version": VERSION,
                 "description": ABOUT},
        "servers": [{"url": f"{address}{ROOT}"}],
        "security": [{"token": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer",
                          "description": f"A token, which begins with {PREFIX}."},
            },
            "parameters": _parameters(study),
            "responses": {f"problem_{code}": _problem(says) for code, says in PROBLEMS.items()},
            "schemas": schemas,
        },
    }  # fmt: skip


# --- paths --------------------------------------------------------------------------------------


def _paths() -> Json:
    paths: Json = {
        "/openapi.json": _get(
            "This document; with a token, with the columns of its study", "openapi",
            _json({"type": "object"}), [], {"401", "429"}, optional=True,
        ),
        "/studies": _get("The study that the token reads", "studies", _json(_ref("studies"))),
        "/studies/{study}": _get(
            "What the protocol says: sites, visits, questionnaires, scorings", "study",
            _json(_ref("study")), ["study"], {"404"},
        ),
        "/studies/{study}/codebook/{table}": _get(
            "What the columns of a table mean, in a language", "codebook",
            _json(_ref("codebook")), ["study", "table", *api_request.OF_CODEBOOK],
            {"400", "403", "404"},
        ),
    }  # fmt: skip
    for name in tables.NAMES:
        forms = {
            "application/json": {"schema": _ref(f"{name}_page")},
            "application/x-ndjson": {"schema": TEXT},
            "text/csv": {"schema": TEXT},
        }
        paths[f"/studies/{{study}}/{name}"] = _get(
            TABLES[name], name, forms, ["study", *api_request.parameters(name)],
            {"400", "403", "404", "406"}, paged=True,
        )  # fmt: skip
    return paths


def _get(
    summary: str,
    name: str,
    content: Json,
    parameters: list[str] | None = None,
    problems: set[str] | None = None,
    *,
    paged: bool = False,
    optional: bool = False,
) -> Json:
    """A path that can be read. Any of them can meet a wrong token, or one that asks too much."""
    right: Json = {"description": "What was asked for", "content": content}
    if paged:
        right["headers"] = {
            "Link": {"description": 'The next page, rel="next", unless this is the last one; '
                     'and the codebook, rel="describedby".', "schema": TEXT},
            "Notes": {"description": "With CSV and JSON Lines: the notes, percent-encoded UTF-8.",
                      "schema": TEXT},
        }  # fmt: skip
    wrong = {
        code: {"$ref": f"#/components/responses/problem_{code}"}
        for code in sorted({"401", "429"} | (problems or set()))
    }
    operation: Json = {
        "operationId": name,
        "summary": summary,
        "parameters": [{"$ref": f"#/components/parameters/{one}"} for one in parameters or []],
        "responses": {"200": right, **wrong},
    }
    if optional:
        operation["security"] = [{}, {"token": []}]
    return {"get": operation}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _problem(says: str) -> Json:
    return {"description": says, "content": {MEDIA_TYPE: {"schema": _ref("problem")}}}


def _parameters(study: str | None) -> Json:
    code = TEXT if study is None else {"type": "string", "enum": [study]}
    found: Json = {
        "study": {"name": "study", "in": "path", "required": True, "schema": code,
                  "description": "The study's code."},
        "table": {"name": "table", "in": "path", "required": True,
                  "description": "The table's name.",
                  "schema": {"type": "string", "enum": list(tables.NAMES)}},
    }  # fmt: skip
    for name, given in api_request.OF_TABLE.items():
        found[name] = {"name": name, "in": "query", **given}
    return found


# --- schemas ------------------------------------------------------------------------------------


def _object(properties: Json, optional: tuple[str, ...] = ()) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": [one for one in properties if one not in optional],
        "additionalProperties": False,
    }


def _list(schema: Json) -> Json:
    return {"type": "array", "items": schema}


def _or_null(kind: str, **more: Any) -> Json:
    return {"type": [kind, "null"], **more}


def _schemas() -> Json:
    """What does not depend on a study's columns."""
    code = {"code": TEXT, "labels": LABELS}
    offset = _object({"count": {"type": "integer"}, "unit": {"enum": ["days", "months"]}})
    timepoint = _object({
        **code,
        "anchor": _or_null("string"),
        "offset": {"oneOf": [offset, {"type": "null"}]},
        "days_before": {"type": "integer"},
        "days_after": {"type": "integer"},
        "repeats": {"type": "boolean"},
        "instruments": TEXTS,
    })  # fmt: skip
    scale = _object({"code": TEXT, "name": TEXT})
    scoring = _object({"name": TEXT, "title": TEXT, "algorithm": TEXT, "scales": _list(scale)})
    instrument = _object({
        "code": TEXT, "name": TEXT, "version": TEXT, "fingerprint": TEXT,
        "items": {"type": "integer"}, "scorings": _list(scoring),
    })  # fmt: skip
    study = {
        "code": TEXT,
        "names": LABELS,
        "status": TEXT,
        "version": {"type": "integer"},
        "zone": {"type": "string", "description": "IANA zone; moments are told in it."},
        "languages": _list({"enum": list(LANGUAGES)}),
    }
    whole = _object({
        **study,
        "sites": _list(_object({"code": TEXT, "name": TEXT})),
        "anchors": _list(_object(code)),
        "timepoints": _list(timepoint),
        "instruments": _list(instrument),
        "tables": TEXTS,
        "days_only": {"type": "boolean"},
    })  # fmt: skip
    value = {"code": {"type": ["integer", "string"]}, "label": TEXT}
    column = _object({
        "name": TEXT, "kind": {"enum": list(KINDS)}, "label": TEXT,
        "instrument": _or_null("string"),
        "codes": _list(_object(value)), "missing": _list(_object(value)),
    })  # fmt: skip
    codebook = _object({**_frame(), "title": TEXT, "columns": _list(column)})
    problem = _object(
        {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT,
         "parameter": TEXT},
        optional=("parameter",),
    )  # fmt: skip
    return {
        "problem": problem,
        "studies": _object({"studies": _list(_object({**study, "url": TEXT}))}),
        "study": whole,
        "codebook": codebook,
    }


def _frame() -> Json:
    return {
        "study": TEXT,
        "table": TEXT,
        "language": {"enum": list(LANGUAGES)},
        "zone": TEXT,
        "notes": NOTES,
    }


def _schemas_of(name: str, table: Table | None) -> Json:
    """A table's row and page; the row's columns where they are known."""
    row: Json = {"type": "object"}
    if table is not None:
        row = {**_object({one.name: _cell(one) for one in table.columns}), "title": table.title}
    page = _object({
        **_frame(),
        "as_of": {"type": "string", "format": "date-time"},
        "rows": _list(_ref(f"{name}_row")),
        "next": _or_null("string", format="uri", description="The next page; null on the last."),
    })  # fmt: skip
    return {f"{name}_row": row, f"{name}_page": page}


def _cell(column: Column) -> Json:
    """A column's cells: null, or of its kind; of its codes where it has any."""
    kind = KINDS[column.kind]
    cell: Json = {**kind, "type": [kind["type"], "null"]}
    if column.codes:
        codes = [{"const": code, "title": label} for code, label in column.codes.items()]
        cell = {"oneOf": [*codes, {"type": "null"}]}
    return {"description": column.label, **cell}
