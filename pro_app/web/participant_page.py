"""One participant's page, and what is done there."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.schedule import ENROLMENT, LocalDay
from pro_app.core.study import LANGUAGES
from pro_app.models import Participant
from pro_app.services import (
    answer_alerts,
    audit,
    consents,
    enrolment,
    phones,
    reachability,
    reminders,
    schedule,
    timeline,
)
from pro_app.services.consents import Consent
from pro_app.services.enrolment import EnrolmentError
from pro_app.services.reminders import PauseError
from pro_app.services.schedule import ScheduleError
from pro_app.web import alerts, participant_frame, staff_access, staff_forms, staff_words
from pro_app.web.enrol import card_page
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Page, staff_only

blueprint = Blueprint(
    "participant_page", __name__, url_prefix="/staff/<study>/participants/<number>"
)
blueprint.url_value_preprocessor(staff_access.take_study)


def _to(number: str) -> BaseResponse:
    """Back to a participant's page after something was done there."""
    study = staff_access.post().study.definition.code
    return redirect(url_for("participant_page.overview", study=study, number=number), 303)


@blueprint.get("")
@staff_only(*PEOPLE)
def overview(number: str) -> str:
    """Everything that was and will be with one participant: status, never an answer."""
    return _page(staff_access.participant(number, *PEOPLE))


def _page(person: Participant, fault: tuple[str, str] | None = None) -> str:
    """`fault` is the action that could not be done, and why."""
    here, now = staff_access.post(), house().clock()
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        values = {
            "found": timeline.timeline(database, here.study, person, now),
            "reach": reachability.reachability(database, person.id, now),
            "phones": phones.joined(database, person.id, now),
            "alerts": answer_alerts.waiting(database, here.study, alerts.whose(here), person.id),
            **participant_frame.frame(person, "participant_page.overview"),
        }
    rules = here.study.definition.reminders
    return render_template(
        "participant_page/overview.html",
        fault=fault,
        given=request.form,
        hours={minute: staff_forms.clock_time(minute) for minute in rules.hours()},
        usual=staff_forms.clock_time(rules.usual),
        anchors=here.study.definition.anchors,
        today=now.astimezone(here.study.definition.zone).date(),
        may=here.may("coordinator"),
        **values,
    )


def _act(number: str, act: Callable[[Session, Participant], None]) -> Page:
    """Do something with a participant of one's own site, in one transaction."""
    person = staff_access.participant(number, "coordinator")
    try:
        with house().database.writing() as database:
            act(database, database.get_one(Participant, person.id))
    except (EnrolmentError, PauseError, ScheduleError):
        action = (request.endpoint or "").rpartition(".")[2]
        fault = _("This cannot be done as it was asked for. Please look at what you have entered.")
        return _page(person, (action, fault)), 422
    return _to(number)


@blueprint.post("/code")
@staff_only("coordinator")
def new_code(number: str) -> Page:
    """A new joining code or recovery card; older ones are dead."""
    staff_access.participant(number, "coordinator")
    kind = "recovery" if request.form.get("kind") == "recovery" else "joining"
    try:
        return card_page(number, kind, request.form.get("phone_lost") == "yes")
    except EnrolmentError:
        abort(409)


@blueprint.post("/anchor")
@staff_only("coordinator")
def look_at_anchor(number: str) -> Page:
    """What another day would change, before it is set."""
    here, person = staff_access.post(), staff_access.participant(number, "coordinator")
    anchor, text = request.form.get("anchor", ""), request.form.get("day", "").strip()
    day = staff_forms.day(text)
    if text and day is None:
        return _page(person, ("look_at_anchor", _("This is not a day."))), 422
    try:
        with house().database.reading() as database:
            diff = schedule.preview(
                database, here.study, house().library.instruments, person.id, anchor, day
            )
    except ScheduleError:
        fault = ("look_at_anchor", _("This day cannot be set. Please check the year."))
        return _page(person, fault), 422
    return render_template(
        "participant_page/anchor.html",
        known=person,
        diff=diff,
        words=staff_words,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="coordinator.matrix",
    )


@blueprint.post("/anchor/set")
@staff_only("coordinator")
def set_anchor(number: str) -> Page:
    """Set, correct or take back the day of an anchor."""
    here, day = staff_access.post(), staff_forms.day(request.form.get("day", ""))
    anchor = request.form.get("anchor", "")
    if day is None and anchor == ENROLMENT:
        abort(422)
    return _act(
        number,
        lambda database, person: _ignore(
            schedule.set_anchor(
                database,
                here.study,
                house().library.instruments,
                person.id,
                anchor,
                day,
                house().clock(),
                here.person.actor,
            )
        ),
    )


def _ignore(_result: object) -> None:
    """What was done shows on the page."""


@blueprint.post("/language")
@staff_only("coordinator")
def set_language(number: str) -> Page:
    """Another language for the participant's pages, reminders and card."""
    here, wish = staff_access.post(), request.form.get("language", "")
    staff_access.participant(number, "coordinator")
    if wish not in here.study.definition.languages or wish not in LANGUAGES:
        abort(422)
    return _act(
        number,
        lambda database, person: enrolment.change(
            database,
            audit.lock_participant(database, person.id),
            "language",
            wish,
            here.person.actor,
            house().clock(),
        ),
    )


@blueprint.post("/hour")
@staff_only("coordinator")
def choose_hour(number: str) -> Page:
    """Another hour for reminders, as the participant wishes; within the study's own."""
    here, text = staff_access.post(), request.form.get("minute", "")
    person = staff_access.participant(number, "coordinator")
    hours = {str(minute): minute for minute in here.study.definition.reminders.hours()}
    if text and text not in hours:
        return _page(person, ("minute", _("Please choose one of these times."))), 422
    return _act(
        number,
        lambda database, person: reminders.choose_hour(
            database,
            here.study,
            person.id,
            hours.get(text),
            here.person.actor,
            house().clock(),
        ),
    )


@blueprint.post("/consent")
@staff_only("coordinator")
def record_consent(number: str) -> Page:
    """The version and day of a consent that was signed in the clinic."""
    here, person = staff_access.post(), staff_access.participant(number, "coordinator")
    today = house().clock().astimezone(here.study.definition.zone).date()
    version = request.form.get("consent_version", "").strip()
    day = staff_forms.day(request.form.get("consent_on", ""))
    if Consent(version, today).fault(today) is not None:
        text = _("Please enter the version that stands on the consent form.")
        return _page(person, ("consent_version", text)), 422
    if day is None or Consent(version, day).fault(today) is not None:
        text = _("Please enter the day on which the consent form was signed.")
        return _page(person, ("consent_on", text)), 422
    consent = Consent(version, day)
    return _act(
        number,
        lambda database, person: consents.record(
            database, here.study, person.id, consent, house().clock(), here.person.actor
        ),
    )


@blueprint.post("/pause")
@staff_only("coordinator")
def pause(number: str) -> Page:
    """Send nothing for a while."""
    here, until = staff_access.post(), staff_forms.day(request.form.get("until", ""))
    zone = here.study.definition.zone
    return _act(
        number,
        lambda database, person: reminders.pause(
            database,
            person.id,
            house().clock(),
            reason=request.form.get("reason"),
            until=None if until is None else LocalDay(until, zone),
            actor=here.person.actor,
        ),
    )


@blueprint.post("/resume")
@staff_only("coordinator")
def resume(number: str) -> Page:
    """Send reminders again."""
    here = staff_access.post()
    return _act(
        number,
        lambda database, person: reminders.resume(
            database, here.study, person.id, house().clock(), here.person.actor
        ),
    )


@blueprint.post("/phone-lost")
@staff_only("coordinator", fresh=True)
def revoke_phone(number: str) -> Page:
    """Let one phone open nothing any more."""
    here, device = staff_access.post(), request.form.get("device", "")
    staff_access.participant(number, "coordinator")
    if not device.isascii() or not device.isdigit():
        abort(422)
    return _act(
        number,
        lambda database, person: phones.revoke(
            database, person.id, int(device), house().clock(), here.person.actor
        ),
    )


@blueprint.post("/end")
@staff_only("coordinator", fresh=True)
def end(number: str) -> Page:
    """Withdrawal from the questionnaires or the study, or death: nothing goes out any more."""
    here, what = staff_access.post(), request.form.get("what", "")
    day = staff_forms.day(request.form.get("day", ""))
    on = None if day is None else LocalDay(day, here.study.definition.zone)
    if what not in {"questionnaires", "study", "death"} or request.form.get("sure") != "yes":
        person = staff_access.participant(number, "coordinator")
        fault = ("end", _("Please choose what has happened, and tick the box."))
        return _page(person, fault), 422

    def act(database: Session, person: Participant) -> None:
        now, actor = house().clock(), here.person.actor
        if what == "death":
            enrolment.record_death(database, person.id, now, actor, on=on)
        else:
            reason = request.form.get("reason", "")
            enrolment.withdraw(database, person.id, now, actor, scope=what, reason=reason, on=on)

    return _act(number, act)
