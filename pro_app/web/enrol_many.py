"""Enrolling many people by a file: look for faults, enrol exactly that file, print the cards.

The file is kept nowhere: between the look and the enrolment it waits in the page, packed, and its
SHA-256 says that it is the one that was looked at. All is checked again before anybody is enrolled.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pro_app.core.file_table import MOST_BYTES, Fault
from pro_app.services import enrolled_files, enrolment_file, participants, secrets
from pro_app.services.enrolled_files import CodesMade, EnrolledFile, Entered
from pro_app.services.enrolment_file import Checked, FileRefused
from pro_app.web import carried, file_words, staff_access
from pro_app.web.enrol import card
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only

blueprint = Blueprint("enrol_many", __name__, url_prefix="/staff/<study>/enrol/many")
blueprint.url_value_preprocessor(staff_access.take_study)

SHOWN = 200  # faults on one page
CARDS = 50  # on one page: each code takes its time to hash


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
        more=[
            *(one.code for one in here.study.definition.anchors),
            enrolment_file.EMAIL,
            enrolment_file.TEST,
        ],
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
        packed=carried.packed(data),
        sha256=hashlib.sha256(data).hexdigest(),
        room="enrol.form",
    )


@blueprint.post("/enrol")
@staff_only("coordinator")
def enrol() -> Page:
    """Enrol exactly the file that was looked at: everybody or nobody."""
    here, now = staff_access.post(), house().clock()
    data = carried.unpacked(request.form.get("packed", ""), MOST_BYTES)
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
        newest_code=enrolled_files.newest_code,
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
    here, now, sha256 = staff_access.post(), house().clock(), request.form.get("file", "")
    file, waiting = _part(sha256, request.form.get("part", ""))
    if file is None or not waiting:
        return _cards_page(sha256, _("There is no card to make here.")), 422
    # hashing takes its time: before the transaction, in which others would wait
    codes = [secrets.hashed_code(house().settings.secret_key) for _one in waiting]
    try:
        with house().database.writing() as database:
            given = enrolled_files.make_codes(
                database, waiting, codes, _known(), now, here.person.actor
            )
    except CodesMade:
        meanwhile = _(
            "Cards of these participants were made since this page was opened. If nobody has "
            "them, make new ones."
        )
        return _cards_page(sha256, meanwhile), 422
    made = [
        (one.number, card(one.number, one.language, "joining", code, now)) for one, code in given
    ]
    return render_template("enrol_many/print.html", file=file, cards=made, room="enrol.form")


def _part(sha256: str, place: str) -> tuple[EnrolledFile | None, list[Entered]]:
    """The file, and those of a part of its people who wait for a card."""
    here = staff_access.post()
    covered = here.covers("coordinator")
    with house().database.reading() as database:
        file = _chosen(enrolled_files.files(database, here.study, covered), sha256)
        people = [] if file is None else enrolled_files.people(database, here.study, file, covered)
    known = {str(place): part for place, part in enumerate(_parts(people), start=1)}
    return file, [one for one in known.get(place, ()) if one.waits]


def _known() -> int:
    """The newest code that the page knew; none if it does not say."""
    given = request.form.get("known", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
