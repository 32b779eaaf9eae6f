"""Exports: the researcher's and the investigator's way of taking data out.

An export is asked for here with a reason, made by a worker, and fetched from here by the person
who asked, for as long as the person's role covers what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from pro_app import catalogues, wiring
from pro_app.core.study import LANGUAGES
from pro_app.export import codebook as export_codebook
from pro_app.export import xlsx as export_xlsx
from pro_app.export.table import Table
from pro_app.models import ExportJob
from pro_app.services import (
    export_formats,
    export_jobs,
    exports,
    participants,
    tables,
    trail_export,
)
from pro_app.services.by_staff import Refusal
from pro_app.services.exports import ExportRefused, Wanted
from pro_app.services.trail_export import ExportError
from pro_app.web import export_words, layout, staff_access, staff_words
from pro_app.web.house import house
from pro_app.web.staff_access import ANALYSTS, Page, staff_only
from pro_app.web.trail import download as download_of
from pro_app.web.trail import reason_fault

blueprint = Blueprint("exports", __name__, url_prefix="/staff/<study>/exports")
blueprint.url_value_preprocessor(staff_access.take_study)

USUAL = "csv"  # the format that is chosen at first
CHOSEN = ("sites", "instruments", "timepoints")  # of which several can be ticked


@blueprint.get("")
@staff_only(*ANALYSTS)
def index() -> str:
    """The form that asks for an export, and the person's own."""
    return _page({})


def _page(faults: dict[str, str]) -> str:
    """`faults` says by field of the form what is wrong."""
    here = staff_access.post()
    with house().database.reading() as database:
        sites = participants.sites(database, here.study.id, here.covers(*ANALYSTS))
        jobs = _own(database)
    return render_template(
        "exports/index.html",
        sites=[(one.code, f"{one.code} · {one.name}") for one in sites],
        timepoints=[
            (one.code, staff_words.timepoint(here.study.definition, one.code, 1, layout.language()))
            for one in here.study.definition.timepoints
        ],
        given=_given(jobs),
        faults=faults,
        whats=[*export_words.WHAT.items()],
        forms=[*export_words.FORMAT.items()],
        room="exports.index",
        **_terms(jobs),
    )


def _own(database: Session) -> list[ExportJob]:
    here = staff_access.post()
    return export_jobs.listed(database, here.study.id, here.person.staff_id, house().clock())


def _terms(jobs: list[ExportJob]) -> dict[str, Any]:
    """What the list of exports needs."""
    here = staff_access.post()
    return {
        "jobs": jobs,
        "said": export_words,
        "words": staff_words,
        "instruments": {
            one.code: house().library.instruments[one.code].name for one in here.study.instruments
        },
    }


def _given(jobs: list[ExportJob]) -> Mapping[str, Any]:
    """What the form shows as chosen: what was sent, what a former export asked for, or what most
    people want."""
    if request.method == "POST":
        several = {name: request.form.getlist(name) for name in CHOSEN}
        return {**request.form, **several}
    for job in jobs:
        if job.public_id == request.args.get("like"):
            asked = {"what": job.what, "format": job.format}
            if job.what in export_formats.PACKAGES:
                asked = {"what": f"{job.what}/{job.format}", "format": USUAL}
            return {**asked, "language": job.language, "reason": job.reason, **job.filters}
    return {"what": "answers", "format": USUAL, "language": layout.language()}


@blueprint.post("")
@staff_only(*ANALYSTS, fresh=True)
def ask() -> Page:
    """Put the export down, and wake a worker."""
    here, now = staff_access.post(), house().clock()
    reason, faults = request.form.get("reason", "").strip(), {}
    try:
        reason = trail_export.reason(reason)
    except ExportError:
        faults["reason"] = reason_fault(reason)
    try:
        with house().database.writing() as database:
            if faults:
                export_jobs.check(database, here.study, _wanted())
            else:
                export_jobs.ask(database, here.study, here.person.staff_id, _wanted(), reason, now)
    except Refusal as refused:
        faults |= _fault(refused)
    if faults:
        return _page(faults), 422
    wiring.wake_for_exports(house().settings)
    return redirect(url_for("exports.index", study=here.study.definition.code) + "#jobs", 303)


def _wanted() -> Wanted:
    """What the form asks for."""
    chosen = {name: request.form.getlist(name) for name in CHOSEN}
    filters: dict[str, object] = {name: codes for name, codes in chosen.items() if codes}
    if request.form.get("tests"):
        filters["tests"] = "only"
    if request.form.get("days_from"):
        filters["days_from"] = request.form["days_from"]
    what, _slash, form = request.form.get("what", "").partition("/")  # a package names its form
    form = form or request.form.get("format", "")
    return exports.wanted(what, form, request.form.get("language", ""), filters)


def _fault(refused: Refusal) -> dict[str, str]:
    """What to say of an export that is not begun, by field."""
    if isinstance(refused, ExportRefused):
        said = {"what": _("Please choose what you need."), "format": _("Please choose a format.")}
        return {refused.code: said.get(refused.code, _("Please choose from the list."))}
    if refused.code == "dated":
        return {"days_from": _("The record tells dates in words: it cannot be had without dates.")}
    if refused.code == "waiting":
        return {"jobs": _("Several of your exports wait already. Please let them be made first.")}
    return {refused.code: _("Please choose from the list.")}


@blueprint.get("/jobs")
@staff_only(*ANALYSTS, unattended=True)
def jobs() -> Response:
    """How far the person's exports are, for the page that is open: by job its piece of the page,
    and whether any is not finished."""
    with house().database.reading() as database:
        found = _own(database)
    return progress(found, "exports/_job.html", _terms(found))


def progress(found: Sequence[ExportJob], piece: str, terms: Mapping[str, Any]) -> Response:
    """The jobs' pieces of a page, by the template of one and what it needs."""
    pieces = {one.public_id: render_template(piece, job=one, **terms) for one in found}
    return jsonify(jobs=pieces, undone=any(one.finished_at is None for one in found))


@blueprint.get("/<job>/file")
@staff_only(*ANALYSTS)
def download(job: str) -> Page:
    """The file, or a piece of it when a download goes on; on record before it leaves."""
    here, now = staff_access.post(), house().clock()
    with house().database.reading() as database:
        found = export_jobs.find(database, here.study.id, here.person.staff_id, job, now)
    answer = handed_out(found)
    if answer is None:
        return _page({"jobs": gone()}), 404
    return answer


def gone() -> str:
    """What to say where a file is not on the server any more."""
    return str(_("The file is not on the server any more. Please ask for it again."))


def handed_out(found: ExportJob | None) -> BaseResponse | None:
    """The file of a job that is the person's own, put on record before it leaves; None where it is
    not on the server any more. Anything else is not found."""
    if found is None or found.state != "done" or found.file_name is None:
        abort(404)
    path, now = house().settings.export_folder / found.public_id, house().clock()
    if not path.is_file() or path.stat().st_size != found.size:
        return None
    answer = send_file(
        path,
        exports.media_type(found.file_name),
        as_attachment=True,
        download_name=found.file_name,
        conditional=True,
        etag=str(found.sha256),
        last_modified=found.finished_at,
    )
    answer.headers["Cache-Control"] = "no-store"
    if request.method == "GET" and answer.status_code in {200, 206}:
        resumed = (answer.content_range.start or 0) > 0
        with house().database.writing() as database:
            export_jobs.note_fetch(database, found.id, now, resumed)
    return answer


@blueprint.get("/codebook")
@staff_only(*ANALYSTS)
def codebook() -> str:
    """What every column of a table means, to be read before anything is exported."""
    what = request.args.get("what", "answers")
    table = _columns(what)
    return render_template(
        "exports/codebook.html", table=table, what=what, tables=export_formats.TABLES,
        room="exports.index", **_terms([]),
    )  # fmt: skip


CODEBOOKS = {"csv": export_codebook.write, "xlsx": export_xlsx.write_codebook}


@blueprint.get("/codebook/<name>")
@staff_only(*ANALYSTS)
def codebook_file(name: str) -> Response:
    """The same as a file; it holds columns and no rows."""
    what, _dot, form = name.partition(".")
    table = _columns(what)
    if form not in CODEBOOKS:
        abort(404)
    name = f"{table.study}-{what}_codebook.{form}"
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        CODEBOOKS[form](table, path)
        content = path.read_bytes()
    return download_of(BytesIO(content), name, exports.media_type(name))


def _columns(what: str) -> Table:
    """A table, of which nothing but the columns is looked at."""
    here, language = staff_access.post(), request.args.get("language")
    if what not in export_formats.TABLES:
        abort(404)
    chosen = language if language in LANGUAGES else layout.language()
    around = exports.Surroundings(
        here.study, house().library, catalogues.words, house().clock(), house().settings.public_url
    )
    with house().database.reading() as database:
        covered = here.covers(*ANALYSTS)
        own = participants.sites(database, here.study.id, covered)
        wanted = Wanted(
            what,
            "csv",
            chosen,
            sites=None if covered is None else frozenset(one.code for one in own),
            own_words=here.may("investigator"),
        )
        return tables.table(database, what, around.request(wanted))
