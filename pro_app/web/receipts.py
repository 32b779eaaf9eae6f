"""Scores of one participant, each down to its arithmetic: by study number, for who analyses."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pro_app.core.scoring import half_up
from pro_app.services import participants
from pro_app.services.answer_record import Sheet
from pro_app.web import correction_words, layout, reading_answers, staff_access, staff_words
from pro_app.web.answer_words import AnswerWords
from pro_app.web.house import house
from pro_app.web.staff_access import ANALYSTS, Page, staff_only

blueprint = Blueprint("receipts", __name__, url_prefix="/staff/<study>/scores")
blueprint.url_value_preprocessor(staff_access.take_study)


@blueprint.get("")
@staff_only(*ANALYSTS)
def index() -> Page:
    """Where a study number is asked for."""
    number = request.args.get("number", "").strip()
    if not number:
        return _asked({})
    here = staff_access.post()
    sites = here.covers(*ANALYSTS)
    with house().database.reading() as database:
        found = participants.find(database, here.study.id, number)
    if found is None or (sites is not None and found.site_id not in sites):
        return _asked({"number": _("No participant at your sites has this number.")}), 422
    return redirect(url_for("receipts.detail", study=here.study.definition.code, number=number))


def _asked(faults: dict[str, str]) -> str:
    """`faults` says by field what is wrong."""
    return render_template(
        "receipts/index.html",
        given={"number": request.args.get("number", "").strip()},
        faults=faults,
        room="receipts.index",
    )


@blueprint.get("/<number>")
@staff_only(*ANALYSTS)
def detail(number: str) -> str:
    """Every score of a participant with what it is made of. The trail is told who read it before
    it is shown."""
    person = staff_access.participant(number, *ANALYSTS)
    record = reading_answers.record_of(person)
    return render_template(
        "receipts/detail.html",
        number=person.number,
        sheets=[(one, _is_demonstration(one)) for one in record.sheets],
        terms=correction_words,
        words=staff_words,
        half_up=half_up,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="receipts.index",
    )


def _is_demonstration(sheet: Sheet) -> bool:
    """Whether what was read was not the validated questionnaire."""
    wordings = staff_access.post().study.wordings
    words = AnswerWords(wordings, sheet.instrument, layout.language())
    read_in = [str(one.sealed["language"]) for one in sheet.items if one.sealed is not None]
    return words.is_demonstration(*dict.fromkeys(read_in))
