"""Enrolling many people by a file: look for faults, enrol exactly that file, print the cards.

The file is kept nowhere: between the look and the enrolment it waits in the page, packed, and its
SHA-256 says that it is the one that was looked at. All is checked again before anybody is enrolled.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pro_app.core.file_table import MOST_BYTES, Fault
from pro_app.services import enrolled_files, enrolment, enrolment_file, participants
from pro_app.services.enrolled_files import EnrolledFile, Entered
from pro_app.services.enrolment import EnrolmentError
from pro_app.services.enrolment_file import Checked, FileRefused
from pro_app.web import file_words, staff_access
from pro_app.web.enrol import card
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only

blueprint = Blueprint("enrol_many", __name__, url_prefix="/staff/<study>/enrol/many")
blueprint.url_value_preprocessor(staff_access.take_study)

SHOWN = 200  # faults on one page
CARDS = 50  # on one page: each code takes its time to make


@blueprint.url_value_preprocessor
def _take_files(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Files may be larger than all else that is sent here; packed they are letters and digits."""
    request.max_content_length = request.max_form_memory_size = 2 * MOST_BYTES


def _own_sites() -> list[str]:
    here = staff_access.post()
    with house().database.reading() as database:
        covered = here.covers("coordinator")
        return [one.code for one in participants.sites(database, here.study.id, covered)]


@blueprint.get("")
@staff_only("coordinator")
def form() -> str:
    """The page on which a file is chosen."""
    return _form_page()


def _form_page(fault: str | None = None, faults: Sequence[Fault] = ()) -> str:
    """`fault` is about the field, `faults` are those in the file."""
    here = staff_access.post()
    return render_template(
        "enrol_many/form.html",
        fault=fault,
        faults=faults[:SHOWN],
        total=len(faults),
        words=file_words,
        needed=enrolment_file.NEEDED,
        more=[*(one.code for one in here.study.definition.anchors), enrolment_file.EMAIL],
        sites=_own_sites(),
        room="enrol.form",
    )


@blueprint.get("/template.csv")
@staff_only("coordinator")
def template() -> Response:
    """An empty file with the columns and a line that shows how they are filled."""
    here = staff_access.post()
    definition = here.study.definition
    today = house().clock().astimezone(definition.zone).date().isoformat()
    anchors = [one.code for one in definition.anchors]
    columns = [*enrolment_file.NEEDED, *anchors, enrolment_file.EMAIL]
    site = next(iter(_own_sites()), "")
    line = [_("number"), site, definition.languages[0], "1.0", today, *[""] * (len(anchors) + 1)]
    text = "\r\n".join([",".join(columns), ",".join(line), ""])
    return Response(
        "\ufeff" + text,
        mimetype="text/csv",
        headers={"Content-Disposition": "attachment; filename=enrol.csv"},
    )


@blueprint.post("")
@staff_only("coordinator")
def check() -> Page:
    """Look for every fault; nobody is enrolled."""
    here, upload = staff_access.post(), request.files.get("file")
    data = b"" if upload is None else upload.read()
    if not data:
        return _form_page(_("Please choose a file that is not empty.")), 422
    with house().database.reading() as database:
        checked = enrolment_file.check(
            database, here.study, data, house().clock(), frozenset(_own_sites())
        )
    if checked.faults:
        return _form_page(faults=checked.faults), 422
    return _checked_page(data, checked)


def _checked_page(data: bytes, checked: Checked) -> str:
    here = staff_access.post()
    with house().database.reading() as database:
        sites = participants.sites(database, here.study.id, here.covers("coordinator"))
    counted = Counter(one.site_id for one in checked.entrants)
    return render_template(
        "enrol_many/checked.html",
        total=len(checked.entrants),
        sites=[(one, counted[one.id]) for one in sites if counted[one.id]],
        packed=base64.b64encode(zlib.compress(data)).decode(),
        sha256=hashlib.sha256(data).hexdigest(),
        room="enrol.form",
    )


def _unpacked(packed: str) -> bytes:
    """What a checked page carries; nothing where that is no such thing, or too large."""
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(base64.b64decode(packed, validate=True), MOST_BYTES + 1)
    except (ValueError, zlib.error):
        return b""
    return data if unpacking.eof else b""


@blueprint.post("/enrol")
@staff_only("coordinator")
def enrol() -> Page:
    """Enrol exactly the file that was looked at: everybody or nobody."""
    here, now = staff_access.post(), house().clock()
    data = _unpacked(request.form.get("packed", ""))
    sha256 = hashlib.sha256(data).hexdigest()
    if not data or sha256 != request.form.get("sha256"):
        return _form_page(_("Nobody was enrolled. Please choose the file again.")), 422
    vault, actor = house().post_office.vault, here.person.actor
    try:
        enrolment_file.enrol(
            house().database, here.study, vault, data, now, actor, frozenset(_own_sites())
        )
    except FileRefused as refused:
        with house().database.reading() as database:
            known = enrolled_files.files(database, here.study, here.covers("coordinator"))
        if _chosen(known, sha256) is None:  # else it was pressed twice
            return _form_page(faults=refused.faults), 422
    study = here.study.definition.code
    return redirect(url_for("enrol_many.cards", study=study, file=sha256), 303)


@blueprint.get("/cards")
@staff_only("coordinator")
def cards() -> str:
    """The files that were enrolled; of one, who of it still needs a card."""
    return _cards_page(request.args.get("file", ""))


def _cards_page(sha256: str, fault: str | None = None) -> str:
    here = staff_access.post()
    covered = here.covers("coordinator")
    with house().database.reading() as database:
        known = enrolled_files.files(database, here.study, covered)
        file = _chosen(known, sha256)
        people = [] if file is None else enrolled_files.people(database, here.study, file, covered)
    return render_template(
        "enrol_many/cards.html",
        files=known,
        file=file,
        parts=_parts(people),
        fault=fault,
        room="enrol.form",
    )


def _chosen(known: Sequence[EnrolledFile], sha256: str) -> EnrolledFile | None:
    return next((one for one in known if one.sha256 == sha256), None)


def _parts(people: Sequence[Entered]) -> list[Sequence[Entered]]:
    """The people of a file, as many together as are printed at once."""
    return [people[start : start + CARDS] for start in range(0, len(people), CARDS)]


@blueprint.post("/cards")
@staff_only("coordinator")
def print_cards() -> Page:
    """New cards for a part of a file's people: earlier codes of theirs are dead."""
    here, now = staff_access.post(), house().clock()
    covered, place = here.covers("coordinator"), request.form.get("part", "")
    with house().database.reading() as database:
        file = _chosen(
            enrolled_files.files(database, here.study, covered), request.form.get("file", "")
        )
        people = [] if file is None else enrolled_files.people(database, here.study, file, covered)
    known = {str(place): part for place, part in enumerate(_parts(people), start=1)}
    waiting = [one for one in known.get(place, ()) if one.waits]
    if file is None or not waiting:
        return _cards_page(request.form.get("file", ""), _("There is no card to make here.")), 422
    made = []
    for one in waiting:  # each in a transaction of its own: hashing a code takes its time
        try:
            with house().database.writing() as database:
                key, actor = house().settings.secret_key, here.person.actor
                code = enrolment.issue_code(database, one.id, key, now, actor=actor)
        except EnrolmentError:
            continue  # has left the study meanwhile: the others' cards are printed all the same
        made.append((one.number, card(one.number, one.language, "joining", code, now)))
    return render_template("enrol_many/print.html", file=file, cards=made, room="enrol.form")
