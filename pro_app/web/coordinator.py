"""The coordinators' rooms: enrolling, one participant's page, and what is done there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import segno
from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from flask_babel import force_locale
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.schedule import ENROLMENT, LocalDay
from pro_app.core.study import LANGUAGES
from pro_app.models import Participant
from pro_app.services import (
    audit,
    completion,
    enrolment,
    participants,
    phones,
    reach,
    reachability,
    reminders,
    schedule,
    timeline,
)
from pro_app.services import board as morning
from pro_app.services import rates as completion_rates
from pro_app.services.consents import Consent
from pro_app.services.enrolment import EnrolmentError
from pro_app.services.reminders import PauseError
from pro_app.services.schedule import ScheduleError
from pro_app.web import locale, staff_access, staff_words
from pro_app.web.house import house
from pro_app.web.staff_access import staff_only

blueprint = Blueprint("coordinator", __name__, url_prefix="/staff/<study>")
Page = str | tuple[str, int] | BaseResponse
PEOPLE = ("coordinator", "investigator")  # who sees participants
PARTICIPANT = "/participants/<number>"


@blueprint.url_value_preprocessor
def _take_study(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """The study of the address is for `staff_access.admit`; views need not take it."""
    g.study_code = "" if values is None else values.pop("study", "")


def _to(number: str) -> BaseResponse:
    """Back to a participant's page after something was done there."""
    study = staff_access.post().study.definition.code
    return redirect(url_for("coordinator.participant", study=study, number=number), 303)


@blueprint.get("/today")
@staff_only(*PEOPLE)
def board() -> str:
    """What needs somebody this morning: whom to help and why, whom to call, who cannot get in."""
    here, now = staff_access.post(), house().clock()
    with house().database.reading() as database:
        covered = here.covers(*PEOPLE)
        found = morning.board(database, here.study, house().library, covered, now)
        sites = participants.sites(database, here.study.id, covered)
    return render_template(
        "coordinator/board.html",
        found=found,
        sites=sites,
        now=now,
        words=staff_words,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="coordinator.board",
    )


@blueprint.get("/rates")
@staff_only(*PEOPLE)
def rates() -> str:
    """Completion of what was expected and of everybody enrolled, as a picture and a table."""
    here, now = staff_access.post(), house().clock()
    with house().database.reading() as database:
        covered = here.covers(*PEOPLE)
        found = completion_rates.rates(database, here.study, house().library, covered, now)
    return render_template(
        "coordinator/rates.html", found=found, words=staff_words, room="coordinator.rates"
    )


@blueprint.get("/completion")
@staff_only(*PEOPLE)
def matrix() -> str:
    """Every participant by every timepoint, searched by number and turned page by page."""
    here, now = staff_access.post(), house().clock()
    search, page = request.args.get("q", "").strip(), request.args.get("page", "1")
    with house().database.reading() as database:
        covered = here.covers(*PEOPLE)
        sites = participants.sites(database, here.study.id, covered)
        chosen = [one for one in sites if one.code == request.args.get("site")]
        found = completion.matrix(
            database,
            here.study,
            house().library,
            frozenset(one.id for one in chosen) if chosen else covered,
            now,
            search,
            int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        )
    return render_template(
        "coordinator/matrix.html",
        found=found,
        sites=sites,
        site=chosen[0].code if chosen else "",
        search=search,
        words=staff_words,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="coordinator.matrix",
    )


@blueprint.get("/enrol")
@staff_only("coordinator")
def enrol() -> str:
    """The page on which a participant is enrolled."""
    return _enrol_page({}, {})


def _enrol_page(given: dict[str, str], faults: dict[str, str]) -> str:
    """`faults` says by field what is wrong."""
    here = staff_access.post()
    covered = here.covers("coordinator")
    with house().database.reading() as database:
        sites = participants.sites(database, here.study.id, covered)
    today = house().clock().astimezone(here.study.definition.zone).date()
    return render_template(
        "coordinator/enrol.html",
        sites=sites,
        given=given,
        faults=faults,
        today=today,
        room="coordinator.enrol",
    )


@blueprint.post("/enrol")
@staff_only("coordinator")
def do_enrol() -> Page:
    """Enrol, and show the card that lets the phone in."""
    here, now = staff_access.post(), house().clock()
    given = {name: value.strip() for name, value in request.form.items()}
    with house().database.reading() as database:
        sites = participants.sites(database, here.study.id, here.covers("coordinator"))
    faults = _enrolment_faults(given, [site.code for site in sites])
    if faults:
        return _enrol_page(given, faults), 422
    consent = Consent(given["consent_version"], date.fromisoformat(given["consent_on"]))
    try:
        with house().database.writing() as database:
            person = enrolment.add_participant(
                database,
                here.study,
                given["site"],
                given["number"],
                given["language"],
                now,
                None,
                consent,
                here.person.actor,
            )
            if given.get("email"):
                office = house().post_office
                reach.set_email(
                    database, office, person.id, None, given["email"], now, here.person.actor
                )
    except EnrolmentError:  # somebody was faster: everything else was looked at above
        faults = {"number": _("This study number is taken.")}
        return _enrol_page(given, faults), 422
    return _card_page(person.number, "joining", phone_lost=False)


def _enrolment_faults(given: dict[str, str], sites: list[str]) -> dict[str, str]:
    """What is wrong with an enrolment, by field."""
    here, faults = staff_access.post(), {}
    definition = here.study.definition
    today = house().clock().astimezone(definition.zone).date()
    if given.get("site") not in sites:
        faults["site"] = _("Please choose the site.")
    number = given.get("number", "")
    if "site" not in faults and enrolment.number_fault(definition, given["site"], number):
        faults["number"] = _("This is not a study number of this site.")
    with house().database.reading() as database:
        if "number" not in faults and participants.find(database, here.study.id, number):
            faults["number"] = _("This study number is taken.")
    if given.get("language") not in definition.languages:
        faults["language"] = _("Please choose the participant's language.")
    day = _day(given.get("consent_on", ""))
    if Consent(given.get("consent_version", ""), today).fault(today) is not None:
        faults["consent_version"] = _("Please enter the version that stands on the consent form.")
    if day is None or Consent("1", day).fault(today) is not None:
        faults["consent_on"] = _("Please enter the day on which the consent form was signed.")
    if given.get("email") and reach.email_fault(given["email"]):
        faults["email"] = _("This is not an e-mail address we can write to.")
    return faults


def _day(text: str) -> date | None:
    """A day as a browser writes it; None for anything else."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        return None


@blueprint.get(PARTICIPANT)
@staff_only(*PEOPLE)
def participant(number: str) -> str:
    """Everything that was and will be with one participant: status, never an answer."""
    return _participant_page(staff_access.participant(number, *PEOPLE))


def _participant_page(person: Participant, fault: tuple[str, str] | None = None) -> str:
    """`fault` is the action that could not be done, and why."""
    here, now = staff_access.post(), house().clock()
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        values = {
            "found": timeline.timeline(database, here.study, house().library, person, now),
            "reach": reachability.reachability(database, person.id, now),
            "phones": phones.joined(database, person.id, now),
            "site": person.site.code,
        }
    instruments = {code: one.name for code, one in house().library.instruments.items()}
    return render_template(
        "coordinator/participant.html",
        known=person,
        fault=fault,
        words=staff_words,
        instruments=instruments,
        anchors=here.study.definition.anchors,
        today=now.astimezone(here.study.definition.zone).date(),
        may=here.may("coordinator"),
        room="coordinator.matrix",
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
        return _participant_page(person, (action, fault)), 422
    return _to(number)


@blueprint.post(PARTICIPANT + "/code")
@staff_only("coordinator")
def new_code(number: str) -> Page:
    """A new joining code or recovery card; older ones are dead."""
    staff_access.participant(number, "coordinator")
    kind = "recovery" if request.form.get("kind") == "recovery" else "joining"
    try:
        return _card_page(number, kind, request.form.get("phone_lost") == "yes")
    except EnrolmentError:
        abort(409)


def _card_page(number: str, kind: str, phone_lost: bool) -> str:
    """The card with a new code, in the participant's language, to be printed or shown."""
    here, now, settings = staff_access.post(), house().clock(), house().settings
    person = staff_access.participant(number, "coordinator")
    with house().database.writing() as database:
        code = enrolment.issue_code(
            database,
            person.id,
            settings.secret_key,
            now,
            phone_lost,
            kind=kind,
            actor=here.person.actor,
        )
    life = enrolment.RECOVERY_LIFE if kind == "recovery" else enrolment.CODE_LIFE
    link = f"{settings.public_url}/join/?language={person.language}#{code}"
    picture = segno.make(link, error="m").svg_inline(scale=4, border=4, omitsize=True)
    with force_locale(person.language):
        until = locale.moment_text(now + life, here.study.definition.zone, person.language)
        card = render_template(
            "coordinator/_card.html",
            kind=kind,
            picture=Markup(picture),  # noqa: S704 (a drawing of squares)
            code=" ".join(re.findall(".{1,4}", code)),
            address=f"{settings.public_url}/join/",
            number_end=person.number[-2:],
            until=until,
            card_language=locale.html_language(person.language),
        )
    return render_template(
        "coordinator/card.html",
        card=Markup(card),  # noqa: S704 (a template of ours)
        known=person,
        kind=kind,
        room="coordinator.matrix",
    )


@blueprint.post(PARTICIPANT + "/anchor")
@staff_only("coordinator")
def look_at_anchor(number: str) -> Page:
    """What another day would change, before it is set."""
    here, person = staff_access.post(), staff_access.participant(number, "coordinator")
    anchor, text = request.form.get("anchor", ""), request.form.get("day", "").strip()
    day = _day(text)
    if text and day is None:
        return _participant_page(person, ("look_at_anchor", _("This is not a day."))), 422
    try:
        with house().database.reading() as database:
            diff = schedule.preview(
                database, here.study, house().library.instruments, person.id, anchor, day
            )
    except ScheduleError:
        fault = ("look_at_anchor", _("This day cannot be set. Please check the year."))
        return _participant_page(person, fault), 422
    return render_template(
        "coordinator/anchor.html",
        known=person,
        diff=diff,
        words=staff_words,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="coordinator.matrix",
    )


@blueprint.post(PARTICIPANT + "/anchor/set")
@staff_only("coordinator")
def set_anchor(number: str) -> Page:
    """Set, correct or take back the day of an anchor."""
    here, day = staff_access.post(), _day(request.form.get("day", ""))
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


@blueprint.post(PARTICIPANT + "/language")
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


@blueprint.post(PARTICIPANT + "/pause")
@staff_only("coordinator")
def pause(number: str) -> Page:
    """Send nothing for a while."""
    here, until = staff_access.post(), _day(request.form.get("until", ""))
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


@blueprint.post(PARTICIPANT + "/resume")
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


@blueprint.post(PARTICIPANT + "/phone-lost")
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


@blueprint.post(PARTICIPANT + "/end")
@staff_only("coordinator", fresh=True)
def end(number: str) -> Page:
    """Withdrawal from the questionnaires or the study, or death: nothing goes out any more."""
    here, what = staff_access.post(), request.form.get("what", "")
    day = _day(request.form.get("day", ""))
    on = None if day is None else LocalDay(day, here.study.definition.zone)
    if what not in {"questionnaires", "study", "death"} or request.form.get("sure") != "yes":
        person = staff_access.participant(number, "coordinator")
        fault = ("end", _("Please choose what has happened, and tick the box."))
        return _participant_page(person, fault), 422

    def act(database: Session, person: Participant) -> None:
        now, actor = house().clock(), here.person.actor
        if what == "death":
            enrolment.record_death(database, person.id, now, actor, on=on)
        else:
            reason = request.form.get("reason", "")
            enrolment.withdraw(database, person.id, now, actor, scope=what, reason=reason, on=on)

    return _act(number, act)
