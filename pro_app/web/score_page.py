"""Scoring a file that was collected elsewhere, by the engine of `pro-app score`.

The file is kept nowhere: it waits in the page, packed, until its scores are downloaded. That a
file was scored is put on record, and nothing that it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, abort, render_template, request
from flask_babel import gettext as _

from pro_app.core.scoring import half_up
from pro_app.services import score_upload
from pro_app.services.score_file_faults import FileRefused, Problem
from pro_app.services.score_file_rows import ID, NOT_APPLICABLE
from pro_app.services.score_upload import Wanted
from pro_app.web import carried, correction_words, score_words, staff_access
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only
from pro_app.web.trail import download

# some 60,000 questionnaires: seconds of work; `pro-app score` takes files of any size
MOST_BYTES = 5_000_000

blueprint = Blueprint("scoring", __name__, url_prefix="/staff/<study>/scoring")
blueprint.url_value_preprocessor(staff_access.take_study)


@blueprint.url_value_preprocessor
def _take_files(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Files may be larger than all else that is sent here; packed they are letters and digits."""
    request.max_content_length = request.max_form_memory_size = 2 * MOST_BYTES


@blueprint.get("")
@staff_only("researcher")
def form() -> str:
    """The page on which algorithm and file are chosen."""
    return _form_page({})


def _form_page(
    faults: dict[str, str], problems: Sequence[Problem] = (), total: int = 0, packed: str = ""
) -> str:
    """`faults` are about the fields; `problems`, the first of `total`, are those in the file, which
    is in `packed` if it can be scored in spite of them."""
    return render_template(
        "scoring/form.html",
        faults=faults,
        problems=problems,
        total=total,
        packed=packed,
        words=score_words,
        forms=house().library.instruments,
        given={name: request.form.get(name, "") for name in ("scoring", "invalid")},
        most=MOST_BYTES // 1_000_000,
        id=ID,
        missing=NOT_APPLICABLE,
        room="scoring.form",
    )


@blueprint.get("/template/<code>.csv")
@staff_only("researcher")
def template(code: str) -> Response:
    """An empty file with the columns that an instrument's answers have."""
    instrument = house().library.instruments.get(code)
    if instrument is None:
        abort(404)
    line = ",".join([ID, *(item.code for item in instrument.items)])
    return Response(
        f"{line}\r\n",
        mimetype="text/csv",
        headers={"Content-Disposition": f"attachment; filename={code}.csv"},
    )


@blueprint.post("")
@staff_only("researcher")
def score() -> Page:
    """What comes out of the file, or every fault in it."""
    here, now = staff_access.post(), house().clock()
    data, wanted, faults = _data(), _wanted(), {}
    if wanted is None:
        faults["scoring"] = _("Please choose the algorithm.")
    if not data:
        faults["file"] = _("Please choose a file that is not empty.")
    elif len(data) > MOST_BYTES:
        most = MOST_BYTES // 1_000_000
        faults["file"] = _("The file is too large. At most %(most)s MB can be scored.", most=most)
    if faults or wanted is None:
        return _form_page(faults), 422
    try:
        found = score_upload.summary(wanted, data)
    except FileRefused as refused:
        problems = refused.problems
        harmless = all(one.code.startswith("no_code") for one in problems.first)
        packed = carried.packed(data) if harmless else ""
        return _form_page({}, problems.first, problems.total, packed), 422
    with house().database.writing() as database:
        actor = here.person.actor
        score_upload.note(database, here.study, wanted, data, found.rows, actor, now)
    return render_template(
        "scoring/scores.html",
        wanted=wanted,
        found=found,
        packed=carried.packed(data),
        half_up=half_up,
        terms=correction_words,
        room="scoring.form",
    )


def _data() -> bytes:
    """The file that was chosen, or that the page carried; nothing where there is none."""
    upload = request.files.get("file")
    if upload is not None and upload.filename:
        data: bytes = upload.read(MOST_BYTES + 1)
        return data
    return carried.unpacked(request.form.get("packed", ""), MOST_BYTES)


def _wanted() -> Wanted | None:
    """What was chosen on the form; None where it is nothing that there is."""
    code, _slash, name = request.form.get("scoring", "").partition("/")
    instrument = house().library.instruments.get(code)
    if instrument is None or name not in instrument.scorings:
        return None
    lenient = request.form.get("invalid") == "missing"
    return Wanted(instrument, instrument.scorings[name], lenient)


@blueprint.post("/scores.csv")
@staff_only("researcher")
def scores() -> Page:
    """The scored file: the one that the page carries is scored once more."""
    wanted, data = _wanted(), _data()
    if wanted is None or not data:
        return _form_page({"file": _("Please choose the file again.")}), 422
    try:
        file = score_upload.score(wanted, data)
    except FileRefused as refused:
        return _form_page({}, refused.problems.first, refused.problems.total), 422
    name = f"{wanted.instrument.code}-{wanted.scoring.name}-scores.csv"
    return download(file, name, "text/csv")
