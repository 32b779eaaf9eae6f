"""The room where researchers make tokens for their programs, and end them; the administrator sees
and ends all of the study's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from pro_app.models import Site
from pro_app.services import api_tokens, participants, trail_export
from pro_app.services.api_tokens import READERS, TokenError, Wish
from pro_app.services.trail_export import ExportError
from pro_app.web import layout, locale, staff_access
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only
from pro_app.web.staff_words import Words
from pro_app.web.trail import reason_fault

blueprint = Blueprint("tokens", __name__, url_prefix="/staff/<study>/tokens")
blueprint.url_value_preprocessor(staff_access.take_study)
EVERYBODY = (*READERS, "administrator")
EVERY_SITE = "*"  # in the choice of sites: the whole study
Faults = dict[str, str]  # by field, what is wrong with it

SCOPE: Words = {  # see services.api_tokens.SCOPES
    "participants": _l("participants: enrolment, anchor dates, withdrawal"),
    "assessments": _l("questionnaires: what was expected, when, and what became of it"),
    "answers": _l("answers"),
    "scores": _l("scores"),
    "reminders": _l("reminders"),
    "corrections": _l("corrections"),
    "audit": _l("the record of changes, which holds answers too"),
    "codebook": _l("the codebook of every table, without data"),
}
STATE: Words = {  # see services.api_tokens.Line
    "living": _l("works"),
    "expired": _l("over"),
    "revoked": _l("ended"),
    "asleep": _l("opens nothing, because its maker may not read here now"),
}


def _says(code: str) -> tuple[str, str]:
    """The field that a refusal is about, and what to say there."""
    words = {
        "name": ("name", _("Please give the token a name of at most 80 characters.")),
        "identity": ("name", _("Please leave out what looks like an identity card number.")),
        "scopes": ("scope", _("Please choose at least one table.")),
        "dated": ("scope", _("The record tells dates in words: it cannot be had without dates.")),
        "sites": ("site", _("Please choose the sites.")),
        "days": ("days", _("Please choose for how long.")),
        "role": ("site", _("You may not read data here now.")),
        "many": ("name", _("You have too many tokens. Please end one that you do not need.")),
    }
    return words[code]


@blueprint.get("")
@staff_only(*EVERYBODY)
def index() -> str:
    """The tokens, and the form that makes one."""
    return _page({})


def _page(faults: Faults, ending: str = "") -> str:
    """`faults` says by field what is wrong; `ending` is the token that could not be ended."""
    here, now = staff_access.post(), house().clock()
    reads = here.may(*READERS)
    sees_all = here.may("administrator")
    with house().database.reading() as database:
        maker = None if sees_all else here.person.staff_id
        lines = api_tokens.listed(database, here.study.id, now, maker)
    return render_template(
        "tokens/index.html",
        lines=lines,
        reads=reads,
        sees_all=sees_all,
        sites=_sites() if reads else [],
        whole=reads and here.covers(*READERS) is None,
        every_site=EVERY_SITE,
        scopes=SCOPE,
        states=STATE,
        lives=api_tokens.LIVES,
        given=_given(),
        faults=faults,
        ending=ending,
        short_day=_day,
        room="tokens.index",
    )


def _day(moment: datetime) -> str:
    """The day of a moment in the study's zone, as tables have it."""
    zone = staff_access.post().study.definition.zone
    return locale.short_day(moment.astimezone(zone).date(), layout.language())


def _given() -> dict[str, Any]:
    """What the form was sent with, or what it begins with."""
    sent = request.method == "POST" and "days" in request.form
    return {
        "name": request.form.get("name", "").strip(),
        "scopes": request.form.getlist("scope"),
        "sites": request.form.getlist("site"),
        "days_only": request.form.get("days_only") == "yes",
        "days": request.form.get("days", "") if sent else str(api_tokens.USUAL_LIFE),
        "reason": request.form.get("reason", "").strip(),
    }


def _sites() -> list[Site]:
    """The sites that the person reads."""
    here = staff_access.post()
    with house().database.reading() as database:
        return list(participants.sites(database, here.study.id, here.covers(*READERS)))


@blueprint.post("")
@staff_only(*READERS, fresh=True)
def make() -> Page:
    """Make a token and show it this once."""
    here, now, given = staff_access.post(), house().clock(), _given()
    reason, faults = _reason()
    token = ""
    if not faults:
        wish = Wish(
            given["name"],
            frozenset(given["scopes"]),
            None if EVERY_SITE in given["sites"] else frozenset(given["sites"]),
            given["days_only"],
            int(given["days"]) if given["days"] in map(str, api_tokens.LIVES) else 0,
            reason,
        )
        try:
            with house().database.writing() as database:
                token = api_tokens.make(database, here.study, here.person.staff_id, wish, now)
        except TokenError as error:
            field, says = _says(error.code)
            faults[field] = says
    if faults:
        return _page(faults), 422
    return render_template(
        "tokens/made.html",
        token=token,
        name=given["name"],
        address=house().settings.public_url,
        room="tokens.index",
    )


def _reason() -> tuple[str, Faults]:
    """The reason of the form that was sent as it is kept, or what is wrong with it."""
    text = request.form.get("reason", "").strip()
    try:
        return trail_export.reason(text), {}
    except ExportError:
        missing = _("Please write down why.")
        return "", {"reason": reason_fault(text) if text else missing}


@blueprint.post("/end")
@staff_only(*EVERYBODY, fresh=True)
def revoke() -> Page:
    """End a token at once: one's own, or as the administrator anybody's."""
    here, now = staff_access.post(), house().clock()
    which = request.form.get("token", "")
    reason, faults = _reason()
    if not faults:
        maker = None if here.may("administrator") else here.person.staff_id
        try:
            with house().database.writing() as database:
                api_tokens.revoke(
                    database, here.study, which, reason, now, here.person.staff_id, maker
                )
        except TokenError:
            faults["token"] = _("There is no such token, or it was ended meanwhile.")
    if faults:
        return _page({f"end-{field}": says for field, says in faults.items()}, which), 422
    return redirect(url_for("tokens.index", study=here.study.definition.code), 303)
