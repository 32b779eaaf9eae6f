"""The site's own complete copy, made by its investigator."""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import BinaryIO

from flask import Blueprint, render_template, request
from flask_babel import gettext as _

from pro_app.catalogues import words
from pro_app.models import Site
from pro_app.services import checkpoints, participants, site_copy, trail_export
from pro_app.services.audit_key import AuditKey
from pro_app.services.checkpoints import TrailBehind
from pro_app.services.site_copy import Copy
from pro_app.services.trail_export import ExportError, Told
from pro_app.web import copy_pages, layout, staff_access
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only
from pro_app.web.trail import download, reason_fault

blueprint = Blueprint("copy", __name__, url_prefix="/staff/<study>/copy")
blueprint.url_value_preprocessor(staff_access.take_study)


@blueprint.get("")
@staff_only("investigator")
def index() -> str:
    """What the copy is, and the form that makes one."""
    return _page({})


def _sites() -> list[Site]:
    here = staff_access.post()
    with house().database.reading() as database:
        return list(participants.sites(database, here.study.id, here.covers("investigator")))


def _page(faults: dict[str, str]) -> str:
    """`faults` says by field what is wrong."""
    return render_template(
        "copy/index.html",
        sites=_sites(),
        given={name: request.form.get(name, "").strip() for name in ("site", "reason")},
        faults=faults,
        room="copy.index",
    )


@blueprint.post("")
@staff_only("investigator", fresh=True)
def make() -> Page:
    """The copy as a file, on record with its checksum before it leaves."""
    here, now = staff_access.post(), house().clock()
    chosen = [one for one in _sites() if one.code == request.form.get("site")]
    faults = {} if chosen else {"site": _("Please choose the site.")}
    reason = request.form.get("reason", "").strip()
    try:
        reason = trail_export.reason(reason)
    except ExportError:
        faults["reason"] = reason_fault(reason)
    if faults:
        return _page(faults), 422
    site, key = chosen[0], AuditKey.read(house().settings.audit_key)
    language = layout.language()
    wanted = Copy(
        here.study, house().library, site.id, site.code, language, now, key, words(language)
    )
    file, digest = _written(wanted)
    told = Told("site_copy", {"site": site.code}, reason)
    with house().database.writing() as database:
        trail_export.note(database, here.study, told, digest, here.person.actor, now)
    name = f"{here.study.definition.code}-{site.code}-{now:%Y-%m-%d}.zip"
    return download(file, name, "application/zip")


def _written(wanted: Copy) -> tuple[BinaryIO, str]:
    """The copy in a file without a name, and its checksum; under a checkpoint that holds all that
    is in it."""
    try:
        with house().database.writing() as database:
            checkpoints.make(database, wanted.key, wanted.now)
    except TrailBehind:  # the check of the copy names what is missing
        pass
    file: BinaryIO = TemporaryFile()  # noqa: SIM115 (closed with the answer)
    with house().database.snapshot() as database:
        pages = copy_pages.pages(database, wanted, staff_access.person().name)
        digest = site_copy.write(database, file, wanted, pages)
    return file, digest
