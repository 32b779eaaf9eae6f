"""Bringing a licensed text: look for faults, show what changes, store exactly that file.

The file is kept nowhere: between the look and the storing it waits in the page, packed, and its
SHA-256 says that it is the one that was looked at. All is checked again before it is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pro_app.services import wording_file, wording_import, wordings
from pro_app.services.wording_import import MOST_BYTES, AnyFault, ImportRefused, ReadFile
from pro_app.services.wordings import Terms, WordingRefused
from pro_app.web import carried, staff_access, wording_room_words, wording_terms
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only
from pro_app.web.wording_terms import Faults, Given

blueprint = Blueprint("wording_upload", __name__, url_prefix="/staff/<study>/wording/new")
blueprint.url_value_preprocessor(staff_access.take_study)
SHOWN = 300  # faults on one page
# packed it goes through the page that asks for a proof of who it is, which takes no larger forms
MOST_PACKED = 400_000


@blueprint.url_value_preprocessor
def _take_files(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Files may be larger than all else that is sent here; packed they are letters and digits."""
    request.max_content_length = request.max_form_memory_size = 2 * MOST_BYTES


@blueprint.get("")
@staff_only("administrator", fresh=True)
def form() -> str:
    """The page on which the file is chosen and the licence told."""
    start = {"from_on": wording_terms.today().isoformat()}
    return _form_page(Given(start, ()), {})


def _form_page(
    given: Given, faults: Faults, found: Sequence[AnyFault] = (), packed: str = ""
) -> str:
    """`faults` are about the fields, `found` are those in the file, which is in `packed` if
    someone can confirm them all."""
    return render_template(
        "wording_upload/form.html",
        given=given,
        faults=faults,
        found=found[:SHOWN],
        total=len(found),
        packed=packed,
        **wording_terms.choices(),
    )


@blueprint.post("")
@staff_only("administrator")
def check() -> Page:
    """Every fault of the file or, without any, what it would change. Nothing is stored."""
    given, data = wording_terms.given(), _data()
    faults: Faults = {}
    terms = _wanted(given, faults)
    packed = carried.packed(data)
    if not data:
        faults["file"] = _("Please choose a file that is not empty.")
    elif len(packed) > MOST_PACKED:
        faults["file"] = _("The file is far larger than any wording.")
    if faults or terms is None:
        return _form_page(given, faults), 422
    try:
        found = _read(given, data)
    except ImportRefused as refused:
        all_doubtful = all(wording_room_words.doubtful(one) for one in refused.faults)
        return _form_page(given, {}, refused.faults, packed if all_doubtful else ""), 422
    faults = _refused(given, terms, found)
    if faults:
        return _form_page(given, faults, (), packed), 422
    return _preview(given, terms, found, packed)


class _OnlyTried(Exception):
    """Everything could be stored; nothing is."""


def _refused(given: Given, terms: Terms, found: ReadFile) -> Faults:
    """What storing the file would be refused for, by field."""
    try:
        with house().database.writing() as database:
            _put(database, given, terms, found)
            raise _OnlyTried
    except _OnlyTried:
        return {}
    except WordingRefused as refusal:
        return wording_room_words.refused(refusal)


def _put(database: Session, given: Given, terms: Terms, found: ReadFile) -> None:
    """Store the texts with their licence. Raises WordingRefused."""
    made = wordings.store(
        database, house().library.instruments[given["instrument"]], given["language"],
        given["version"], found.texts, found.sha256, terms, staff_access.post().person.actor,
        house().clock(), found.confirmed,
    )  # fmt: skip
    if wording_terms.early(made.instrument, made.language, made.fingerprint, terms):
        raise WordingRefused("another text is in force", "early")


def _data() -> bytes:
    """The file that was chosen, or that the page carried; nothing where there is none."""
    upload = request.files.get("file")
    if upload is not None and upload.filename:
        data: bytes = upload.read(MOST_BYTES + 1)
        return data
    return carried.unpacked(request.form.get("packed", ""), MOST_BYTES)


def _wanted(given: Given, faults: Faults) -> Terms | None:
    """The terms; `faults` tell what is wrong with them and with what the text is of."""
    here = staff_access.post().study
    if given["instrument"] not in {one.code for one in here.instruments}:
        faults["instrument"] = wording_room_words.says("instrument")
    if given["language"] not in here.definition.languages:
        faults["language"] = wording_room_words.says("language")
    version = given["version"]
    if not wordings.VERSION.fullmatch(version) or len(version) > wordings.LONGEST_VERSION:
        faults["version"] = wording_room_words.says("version")
    return wording_terms.terms(given, faults)


def _read(given: Given, data: bytes) -> ReadFile:
    """The texts of the file. Raises ImportRefused."""
    code, language = given["instrument"], given["language"]
    with house().database.reading() as database:
        stored = wording_import.stored(database, code)
    wanted = wording_file.wanted_of(house().library, code, language, stored)
    return wording_import.read(data, wanted, given.confirmed)


def _preview(given: Given, terms: Terms, found: ReadFile, packed: str) -> Page:
    """Each text beside its source and beside the one in force."""
    study, now = staff_access.post().study, house().clock()
    code, language = given["instrument"], given["language"]
    before = wording_import.in_place(
        study.wordings, code, language, max(terms.from_on, wording_terms.today()), terms.site_id
    )
    source = None if language == "en" else study.wordings.reading(code, "en", now)
    rows = wording_import.compared(
        found.texts, source, None if before is None else study.wordings.stored[before.wording]
    )
    return render_template(
        "wording_upload/preview.html",
        given=given,
        terms=terms,
        found=found,
        before=before,
        source=source,
        rows=rows,
        changed=sum(one.changed for one in rows),
        packed=packed,
        **wording_terms.choices(),
    )


@blueprint.post("/store")
@staff_only("administrator", fresh=True)
def store() -> Page:
    """Store exactly the file that was looked at, with its licence."""
    here, given, data = staff_access.post(), wording_terms.given(), _data()
    faults: Faults = {}
    terms = _wanted(given, faults)
    if not data or hashlib.sha256(data).hexdigest() != request.form.get("sha256"):
        faults["file"] = _("Nothing was stored. Please choose the file again.")
    if faults or terms is None:
        return _form_page(given, faults), 422
    try:
        found = _read(given, data)
        with house().database.writing() as database:
            _put(database, given, terms, found)
    except ImportRefused as refused:
        return _form_page(given, {}, refused.faults), 422
    except WordingRefused as refusal:
        return _form_page(given, wording_room_words.refused(refusal), (), carried.packed(data)), 422
    return redirect(url_for("wording.index", study=here.study.definition.code), 303)
