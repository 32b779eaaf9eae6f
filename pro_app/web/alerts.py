"""Alerts on answers, where the study's protocol has them: the list, and one participant's.

Coordinators see that there is an alert and since when; investigators also the answers that raised
it, and every look at those is put on record.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pro_app.models import Participant
from pro_app.services import alert_answers, answer_alerts
from pro_app.services.alert_answers import Cause
from pro_app.services.answer_alerts import AlertError, NoteError, Whose
from pro_app.web import participant_frame, staff_access, staff_words
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Page, Post, staff_only

blueprint = Blueprint("alerts", __name__, url_prefix="/staff/<study>")
blueprint.url_value_preprocessor(staff_access.take_study)


def whose(here: Post) -> Whose:
    """Which alerts somebody at work may know of."""
    return Whose(here.covers("investigator"), here.covers("coordinator"))


@blueprint.get("/alerts")
@staff_only(*PEOPLE)
def index() -> str:
    """The alerts of the own sites: those that wait, the oldest first, then the others."""
    here = staff_access.post()
    with house().database.reading() as database:
        found = answer_alerts.listed(database, here.study, house().library, whose(here))
    return render_template(
        "alerts/index.html",
        waiting=[one for one in found if one.acknowledged_at is None],
        acknowledged=[one for one in found if one.acknowledged_at is not None],
        watched=here.study.watched,
        now=house().clock(),
        words=staff_words,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="alerts.index",
    )


@blueprint.get("/participants/<number>/alerts")
@staff_only(*PEOPLE)
def of_participant(number: str) -> str:
    """One participant's alerts, to be acknowledged; for an investigator with what raised them."""
    return _page(staff_access.participant(number, *PEOPLE))


@blueprint.post("/participants/<number>/alerts")
@staff_only(*PEOPLE)
def acknowledge(number: str) -> Page:
    """Somebody has seen an alert and says what was done."""
    here, person = staff_access.post(), staff_access.participant(number, *PEOPLE)
    alert, note = request.form.get("alert", ""), request.form.get("note", "")
    try:
        with house().database.writing() as database:
            answer_alerts.acknowledge(
                database, person.id, alert, note, here.person.staff_id, house().clock()
            )
    except NoteError:
        fault = _(
            "Please write what was done, in at most 2000 characters and without an identity card "
            "number."
        )
        return _page(person, fault, alert, note), 422
    except AlertError:
        fault = _("This alert is not there to be acknowledged. Somebody may have been faster.")
        return _page(person, fault), 422
    return redirect(
        url_for(".of_participant", study=here.study.definition.code, number=number), 303
    )


def _page(
    person: Participant, fault: str | None = None, faulty: str | None = None, note: str = ""
) -> str:
    """`faulty` is the alert that `fault` and what was typed belong to, if to one."""
    here = staff_access.post()
    causes = _causes(here, person)
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        found = answer_alerts.listed(database, here.study, house().library, whose(here), person.id)
        frame = participant_frame.frame(person, "alerts.of_participant")
    return render_template(
        "alerts/of_participant.html",
        found=found,
        causes=causes,
        library=house().library,
        watched=here.study.watched,
        now=house().clock(),
        fault=fault,
        faulty=faulty,
        note=note,
        **frame,
    )


def _causes(here: Post, person: Participant) -> Mapping[str, Cause]:
    """For an investigator of the participant's site, what raised each alert."""
    sites = here.covers("investigator")
    if not here.study.watched or (sites is not None and person.site_id not in sites):
        return {}
    with house().database.writing() as database:
        return alert_answers.read(
            database,
            here.study,
            house().library,
            person.id,
            here.person.actor,
            house().clock(),
        )
