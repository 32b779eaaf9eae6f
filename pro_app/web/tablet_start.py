"""Handing the site's tablet to a participant, on the participant's page."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.licence import TABLET
from pro_app.models import Participant
from pro_app.services import assessments, sessions, tablet
from pro_app.services.tablet import TabletError
from pro_app.web import access, layout, participant_frame, staff_access, tablet_access
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Page, staff_only

blueprint = Blueprint(
    "tablet_start", __name__, url_prefix="/staff/<study>/participants/<number>/tablet"
)
blueprint.url_value_preprocessor(staff_access.take_study)


@blueprint.get("")
@staff_only(*PEOPLE)
def ask(number: str) -> str:
    """What happens when the participant answers on this tablet."""
    return _page(staff_access.participant(number, *PEOPLE))


def _page(person: Participant, fault: str | None = None) -> str:
    now, study = house().clock(), staff_access.post().study
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        found = assessments.today(database, study.definition, person.id, now)
        readable = [
            one
            for one in found.open
            if one.wording(study.wordings, person.language, TABLET, now) is not None
        ]
        values = {
            "has_pin": tablet.has_pin(database, person.id),
            **participant_frame.frame(person, "tablet_start.ask"),
        }
    return render_template("tablet/start.html", fault=fault, open_now=len(readable), **values)


@blueprint.post("")
@staff_only(*PEOPLE, fresh=True)
def start(number: str) -> Page:
    """End the session of the staff in this browser, and begin the participant's."""
    here, person = staff_access.post(), staff_access.participant(number, *PEOPLE)
    if _is_joined():
        fault = _(
            "Somebody has joined in this browser as on their own phone. Please sign that person "
            "out first, or use another browser."
        )
        return _page(person, fault), 422
    try:
        with house().database.writing() as database:
            token = tablet.start(database, here.study, person.id, here.person, house().clock())
    except TabletError as error:
        return _page(person, _fault(error)), 422
    response: BaseResponse = redirect(url_for("tablet.hand_over", language=layout.language()), 303)
    staff_access.forget(response)
    tablet_access.keep(response, token)
    return response


def _is_joined() -> bool:
    """Whether this browser is somebody's phone: what waits in it must not be lost or seen."""
    token = request.cookies.get(access.device_cookie())
    if token is None:
        return False
    with house().database.reading_rows() as database:
        return sessions.person_of_device(database, token, house().clock()) is not None


def _fault(error: TabletError) -> str:
    texts: dict[str, str] = {
        "ended": _("This person is no longer in the study."),
        "nothing_open": _("No questionnaire is open for this participant now."),
    }
    return texts[error.code]
