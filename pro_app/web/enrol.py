"""Enrolling a participant, and the card that lets the phone in."""

from __future__ import annotations

import re
from datetime import date, datetime

import segno
from flask import Blueprint, render_template, request
from flask_babel import force_locale
from flask_babel import gettext as _
from markupsafe import Markup

from pro_app.services import enrolment, participants, reach
from pro_app.services.consents import Consent
from pro_app.services.enrolment import EnrolmentError
from pro_app.web import locale, staff_access, staff_forms
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only

blueprint = Blueprint("enrol", __name__, url_prefix="/staff/<study>/enrol")
blueprint.url_value_preprocessor(staff_access.take_study)


@blueprint.get("")
@staff_only("coordinator")
def form() -> str:
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
        "enrol/form.html",
        sites=sites,
        given=given,
        faults=faults,
        today=today,
        room="enrol.form",
    )


@blueprint.post("")
@staff_only("coordinator")
def enrol() -> Page:
    """Enrol, and show the card that lets the phone in."""
    here, now = staff_access.post(), house().clock()
    given = {name: value.strip() for name, value in request.form.items()}
    with house().database.reading() as database:
        sites = participants.sites(database, here.study.id, here.covers("coordinator"))
    faults = _enrolment_faults(given, [site.code for site in sites])
    if faults:
        return _enrol_page(given, faults), 422
    is_test = bool(given.get("test"))
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
                _consent(given),
                here.person.actor,
                is_test,
            )
            if given.get("email"):
                office = house().post_office
                reach.set_email(
                    database, office, person.id, None, given["email"], now, here.person.actor
                )
    except EnrolmentError:  # somebody was faster: everything else was looked at above
        faults = {"number": _("This study number is taken.")}
        return _enrol_page(given, faults), 422
    return card_page(person.number, "joining", phone_lost=False)


def _needs_no_consent(given: dict[str, str]) -> bool:
    """Whether it is a test without one; of a consent both its version and its day are needed."""
    told = given.get("consent_version") or given.get("consent_on")
    return bool(given.get("test")) and not told


def _consent(given: dict[str, str]) -> Consent | None:
    if _needs_no_consent(given):
        return None
    return Consent(given["consent_version"], date.fromisoformat(given["consent_on"]))


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
    faults |= _consent_faults(given, today)
    if given.get("email") and reach.email_fault(given["email"]):
        faults["email"] = _("This is not an e-mail address we can write to.")
    return faults


def _consent_faults(given: dict[str, str], today: date) -> dict[str, str]:
    faults: dict[str, str] = {}
    if _needs_no_consent(given):
        return faults
    day = staff_forms.day(given.get("consent_on", ""))
    if Consent(given.get("consent_version", ""), today).fault(today) is not None:
        faults["consent_version"] = _("Please enter the version that stands on the consent form.")
    if day is None or Consent("1", day).fault(today) is not None:
        faults["consent_on"] = _("Please enter the day on which the consent form was signed.")
    return faults


def card_page(number: str, kind: str, phone_lost: bool) -> str:
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
    return render_template(
        "enrol/card.html",
        card=card(person.number, person.language, kind, code, now),
        known=person,
        kind=kind,
        room="coordinator.matrix",
    )


def card(number: str, language: str, kind: str, code: str, now: datetime) -> Markup:
    """A card with this code, in the participant's language."""
    zone, public_url = staff_access.post().study.definition.zone, house().settings.public_url
    life = enrolment.RECOVERY_LIFE if kind == "recovery" else enrolment.CODE_LIFE
    link = f"{public_url}/join/?language={language}#{code}"
    picture = segno.make(link, error="m").svg_inline(scale=4, border=4, omitsize=True)
    with force_locale(language):
        drawn = render_template(
            "enrol/_card.html",
            kind=kind,
            picture=Markup(picture),  # noqa: S704 (a drawing of squares)
            code=" ".join(re.findall(".{1,4}", code)),
            address=f"{public_url}/join/",
            number_end=number[-2:],
            until=locale.moment_text(now + life, zone, language),
            card_language=locale.html_language(language),
        )
    return Markup(drawn)  # noqa: S704 (a template of ours)
