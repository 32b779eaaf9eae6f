"""Proof packs: every screen of an instrument as a PDF, for its owner and for ethics boards.

A pack is asked for here, made by a worker beside the exports, and fetched by the person who asked.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pro_app import wiring
from pro_app.core.wording import Wording
from pro_app.models import ExportJob
from pro_app.services import export_jobs, pack_jobs
from pro_app.services.export_jobs import JobRefused
from pro_app.services.studies import CurrentStudy
from pro_app.web import export_words, protocol_words, staff_access
from pro_app.web.exports import gone, handed_out, progress
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only

blueprint = Blueprint("proof_pack", __name__, url_prefix="/staff/<study>/proof")
blueprint.url_value_preprocessor(staff_access.take_study)

MAKERS = export_jobs.MAKERS


@blueprint.get("")
@staff_only(*MAKERS)
def index() -> str:
    """The form that asks for a pack, and the person's own."""
    return _page({})


def _page(faults: dict[str, str]) -> str:
    """`faults` says by field of the form what is wrong."""
    with house().database.reading() as database:
        jobs = _own(database)
    return render_template(
        "proof_pack/index.html",
        wordings=_in_order(staff_access.post().study),
        chosen=request.form.get("wording"),
        hindered=wiring.proof_hindrance() is not None,
        faults=faults,
        room="protocol.index",
        **_terms(jobs),
    )


def _in_order(study: CurrentStudy) -> list[Wording]:
    """By questionnaire and language as the study has them, what is licensed before what is ours."""
    codes = [one.code for one in study.instruments]
    languages = study.definition.languages
    return sorted(
        pack_jobs.provable(study),
        key=lambda one: (
            codes.index(one.instrument), languages.index(one.language),
            one.kind == "demonstration", one.version,
        ),
    )  # fmt: skip


def _own(database: Session) -> list[ExportJob]:
    here, now = staff_access.post(), house().clock()
    return export_jobs.listed(database, here.study.id, here.person.staff_id, now, packs=True)


def _terms(jobs: list[ExportJob]) -> dict[str, Any]:
    """What the list of packs needs."""
    instruments = house().library.instruments
    study = staff_access.post().study
    return {
        "jobs": jobs,
        "said": export_words,
        "says": protocol_words,
        "instruments": {one.code: instruments[one.code].name for one in study.instruments},
    }


@blueprint.post("")
@staff_only(*MAKERS)
def ask() -> Page:
    """Put the pack down, and wake a worker."""
    here, now = staff_access.post(), house().clock()
    wanted = request.form.get("wording")
    wording = next(
        (one for one in pack_jobs.provable(here.study) if one.fingerprint == wanted), None
    )
    if wording is None:
        return _page({"wording": _("Please choose from the list.")}), 422
    try:
        with house().database.writing() as database:
            pack_jobs.ask(database, here.study, here.person.staff_id, wording, now)
    except JobRefused:
        return _page({"jobs": _("Several wait already. Please let them be made first.")}), 422
    wiring.wake_for_exports(house().settings)
    return redirect(url_for("proof_pack.index", study=here.study.definition.code) + "#jobs", 303)


@blueprint.get("/jobs")
@staff_only(*MAKERS, unattended=True)
def jobs() -> Response:
    """How far the person's packs are, as `exports.jobs`."""
    with house().database.reading() as database:
        found = _own(database)
    return progress(found, "proof_pack/_job.html", _terms(found))


@blueprint.get("/<job>/file")
@staff_only(*MAKERS)
def download(job: str) -> Page:
    """The PDF; on record before it leaves."""
    here, now = staff_access.post(), house().clock()
    with house().database.reading() as database:
        found = export_jobs.find(
            database, here.study.id, here.person.staff_id, job, now, packs=True
        )
    answer = handed_out(found)
    return (_page({"jobs": gone()}), 404) if answer is None else answer
