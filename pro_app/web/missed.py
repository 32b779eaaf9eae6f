"""Why a questionnaire was missed, as the site knows it."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from pro_app.core.assessment import Status
from pro_app.models import MISSED_CODES, Participant
from pro_app.services import assessments, missed, staff
from pro_app.services.missed import MissedError
from pro_app.web import participant_frame, staff_access
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Page, staff_only

blueprint = Blueprint(
    "missed", __name__, url_prefix="/staff/<study>/participants/<number>/missed/<assessment>"
)
blueprint.url_value_preprocessor(staff_access.take_study)

# by a refusal's code: the field that it is about, and the words
FAULTS: Mapping[str, tuple[str, LazyString]] = {
    "reason": ("reason", _l("Please choose the reason.")),
    "text": ("text", _l("Please write in a few words what the reason was.")),
    "text_long": ("text", _l("The text is too long. At most 500 characters are kept.")),
    "identity": (
        "text",
        _l("The text holds what looks like an identity card number. Please take it out."),
    ),
    "not_missed": ("reason", _l("This questionnaire is not missed any more. Nothing was saved.")),
}


@blueprint.get("")
@staff_only(*PEOPLE)
def form(number: str, assessment: str) -> str:
    """The reasons that were given so far, and the form for a new one."""
    person = staff_access.participant(number, *PEOPLE)
    return _page(person, assessment, {}, None)


def _page(person: Participant, assessment: str, given: Mapping[str, str], fault: str | None) -> str:
    """`fault` is a code of `FAULTS`."""
    here, now = staff_access.post(), house().clock()
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        about = assessments.find_own(database, assessment, person.id)
        if about is None:
            abort(404)
        history = [
            one for one in missed.history(database, person.id) if one.assessment_id == about.id
        ]
        names = staff.names(database, {one.staff_id for one in history})
        values = participant_frame.frame(person, "entry.index")
    return render_template(
        "missed/form.html",
        about=about,
        is_missed=about.status(now, here.study.definition.grace) is Status.MISSED,
        history=history[::-1],
        names=names,
        given=given,
        fault=None if fault is None else FAULTS[fault],
        codes=MISSED_CODES,
        **values,
    )


@blueprint.post("")
@staff_only(*PEOPLE)
def record(number: str, assessment: str) -> Page:
    """Keep a reason; an earlier one stays on record."""
    here, now = staff_access.post(), house().clock()
    person = staff_access.participant(number, *PEOPLE)
    try:
        with house().database.writing() as database:
            missed.record(
                database,
                here.study,
                person.id,
                assessment,
                request.form.get("reason", ""),
                request.form.get("text", ""),
                here.person.staff_id,
                now,
            )
    except MissedError as error:
        if error.code == "unknown":
            abort(404)
        return _page(person, assessment, request.form, error.code), 422
    study = here.study.definition.code
    return redirect(url_for("entry.index", study=study, number=number), 303)
