"""What researchers' programs read: a study's tables page by page, with a token and nothing else.

Every page of a table is put on the study's record before it leaves. A body is made whole before it
is sent, so that its checksum can be: at most `api_request.MOST_ROWS` rows, or one participant's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, render_template, request
from sqlalchemy.orm import Session

from pro_app.catalogues import words
from pro_app.config import ROOT
from pro_app.export import page as pages
from pro_app.export.page import Page
from pro_app.export.table import Column, Table
from pro_app.services import api_tokens, studies, table_pages, tables
from pro_app.services.api_tokens import Holder
from pro_app.services.studies import CurrentStudy
from pro_app.services.tables import TablesError
from pro_app.web import api_document, api_request, api_study, token_access
from pro_app.web.api_request import Query
from pro_app.web.house import house
from pro_app.web.problems import Problem
from pro_app.web.staff_access import staff_only
from pro_app.web.token_access import holder, token_only

FORMS = ("application/json", "application/x-ndjson", "text/csv")
EXAMPLES = ("read_scores.py", "read_scores.R")

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
blueprint.teardown_request(token_access.leave)
translated = lru_cache(maxsize=8)(words)


# --- what there is ------------------------------------------------------------------------------


@blueprint.get("/")
@staff_only(alone=True)
def index() -> str:
    """How programs read, for people: the document as a page, and examples. It tells of no study."""
    address = house().settings.public_url
    folder = ROOT / "deploy" / "examples"
    return render_template(
        "api/index.html",
        document=api_document.document(address, None, {}),
        address=f"{address}{api_document.ROOT}",
        tables=api_tokens.SCOPES,
        examples={one: (folder / one).read_text(encoding="utf-8") for one in EXAMPLES},
        room="tokens.index",
    )


@blueprint.get("/openapi.json")
@token_only(alone=True)
def openapi() -> Response:
    """The document; with a token, with the columns of the tables that it may know."""
    known: dict[str, Table] = {}
    code = None
    if token_access.is_known():
        query, now = Query("en", None), house().clock()
        with house().database.snapshot() as database:
            study = _current(database)
            code = study.definition.code
            for name in tables.NAMES:
                if holder().explains(name):
                    known[name] = _table(database, name, study, query, now)
    return _told(api_document.document(house().settings.public_url, code, known))


@blueprint.get("/studies")
@token_only()
def listed() -> Response:
    """The study that the token reads: a list, because a token may read several one day."""
    with house().database.reading() as database:
        study = _current(database)
    _touch()
    url = f"{house().settings.public_url}{api_document.ROOT}/studies/{study.definition.code}"
    return _told({"studies": [{**api_study.head(study), "url": url}]})


@blueprint.get("/studies/<study>")
@token_only()
def protocol(study: str) -> Response:
    """What the protocol says, and which of its tables the token reads."""
    with house().database.reading() as database:
        found = _study(database, study)
    _touch()
    return _told(api_study.facts(found, house().library, holder()))


@blueprint.get("/studies/<study>/codebook/<table>")
@token_only()
def codebook(study: str, table: str) -> Response:
    """What the columns of a table mean."""
    with house().database.reading() as database:
        found = _study(database, study)
        _known(table)
        if not holder().explains(table):
            raise Problem(403, f"This token does not read the codebook of {table}.")
        query = api_request.of_codebook(table, found)
        made = _table(database, table, found, query, house().clock())
    _touch()
    columns = [_column(one) for one in made.columns]
    return _told({**_frame(made), "title": made.title, "columns": columns})


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "kind": column.kind,
        "label": column.label,
        "instrument": column.group or None,
        "codes": [{"code": code, "label": label} for code, label in column.codes.items()],
        "missing": [{"code": code, "label": label} for code, label in column.missing.items()],
    }


# --- rows ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """A page that was read, and what was asked for."""

    table: Table
    query: Query
    page: Page
    next: str | None
    as_of: datetime


@blueprint.get("/studies/<study>/<table>")
@token_only()
def rows(study: str, table: str) -> Response:
    """A page of a table, on the record before it leaves."""
    known, now = holder(), house().clock()
    with house().database.snapshot() as database:
        found = _study(database, study)
        _known(table)
        if not known.reads(table):
            raise Problem(403, f"This token does not read {table}.")
        form = _wanted_form()
        query = api_request.of_table(table, found, known, now)
        made = _table(database, table, found, query, query.as_of or now)
        page = pages.page(made, query.limit)
    answer = Answer(made, query, page, _next(found, table, query, page, now), query.as_of or now)
    response = _form(form, answer)
    detail = {
        "filter": query.told(),
        "rows": page.rows.height,
        "sha256": hashlib.sha256(response.get_data()).hexdigest(),
    }
    with house().database.writing() as database:
        api_tokens.note_reading(database, found, known, table, detail, query.sites, now)
    return response


def _wanted_form() -> str:
    """The form that Accept names, the first of them where it names none. Raises Problem."""
    if not request.accept_mimetypes:
        return FORMS[0]
    form = request.accept_mimetypes.best_match(FORMS)
    if form is None:
        raise Problem(406, f"There are {', '.join(FORMS)}.")
    return form


def _next(study: CurrentStudy, table: str, query: Query, page: Page, now: datetime) -> str | None:
    """The address of the next page."""
    if page.after is None:
        return None
    parameters = urlencode(api_request.page_parameters(query, now, page.after), doseq=True)
    return f"{_address(study.definition.code)}/{table}?{parameters}"


def _address(study: str) -> str:
    return f"{house().settings.public_url}{api_document.ROOT}/studies/{study}"


def _form(form: str, answer: Answer) -> Response:
    """The page in a form. Only JSON has a place for what else is to be said: headers say it."""
    table, page = answer.table, answer.page
    if form == "application/json":
        frame = {**_frame(table), "as_of": answer.as_of.isoformat(), "next": answer.next}
        head = json.dumps(frame, ensure_ascii=False).removesuffix("}").encode()
        body = head + b', "rows": ' + page.json_array() + b"}\n"
    else:
        body = page.csv() if form == "text/csv" else page.json_lines()
    response = Response(body, mimetype=form)
    address = f"{_address(table.study)}/codebook/{table.name}?language={table.language}"
    links = [f'<{address}>; rel="describedby"']
    if answer.next is not None:
        links.insert(0, f'<{answer.next}>; rel="next"')
    response.headers["Link"] = ", ".join(links)
    if table.notes and form != "application/json":
        response.headers["Notes"] = quote(" ".join(table.notes))
    return response


# --- what all of them need ----------------------------------------------------------------------


def _known(table: str) -> None:
    if table not in tables.NAMES:
        raise Problem(404, f"There is no table {table!r}: {', '.join(tables.NAMES)}.")


def _current(database: Session) -> CurrentStudy:
    """The study of the token."""
    return studies.current(database, house().library, holder().study_id)


def _study(database: Session, code: str) -> CurrentStudy:
    """The study of the token, under its code; any other is not there."""
    found = _current(database)
    if found.definition.code != code:
        raise Problem(404, f"There is no study {code!r} for this token.")
    return found


def _table(
    database: Session, name: str, study: CurrentStudy, query: Query, as_of: datetime
) -> Table:
    """A table as it was asked for, of the sites that the token reads."""
    known = holder()
    wanted = tables.Request(
        study=study.of_tests() if query.tests else study,
        library=house().library,
        language=query.language,
        now=as_of,
        words=translated(query.language),
        sites=known.sites if query.sites is None else query.sites,
        instruments=query.instruments,
        timepoints=query.timepoints,
        days_from=query.days_from,
        own_words=known.own_words,
        after=query.after,
    )
    try:
        return table_pages.gradually(database, name, wanted)
    except TablesError as error:  # everything else was looked at before
        raise Problem(400, f"{error}.", "timepoint") from error


def _frame(table: Table) -> dict[str, Any]:
    """What every answer about a table says first."""
    return {
        "study": table.study,
        "table": table.name,
        "language": table.language,
        "zone": table.zone,
        "notes": list(table.notes),
    }


def _touch() -> None:
    """Keep that the token was used, where no row was read."""
    known: Holder = holder()
    now = house().clock()
    if known.last_used_at is None or now - known.last_used_at >= api_tokens.USED_EVERY:
        with house().database.writing() as database:
            api_tokens.touch(database, known, now)


def _told(answer: Mapping[str, Any]) -> Response:
    return Response(json.dumps(answer, ensure_ascii=False), mimetype="application/json")
