"""Renewing the licence of a text that is stored, and ending it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pro_app.core.licence import Licence
from pro_app.services import wording_licences, wordings
from pro_app.services.by_staff import LONGEST
from pro_app.services.wordings import WordingRefused
from pro_app.web import staff_access, staff_forms, wording_room_words, wording_terms
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only
from pro_app.web.wording_terms import EVERY_SITE, Faults, Given

blueprint = Blueprint("wording_licence", __name__, url_prefix="/staff/<study>/wording/licence")
blueprint.url_value_preprocessor(staff_access.take_study)


@dataclass(frozen=True, slots=True)
class Choice:
    """A stored text: the licence of it that began last."""

    licence: Licence

    @property
    def fingerprint(self) -> str:
        """The text's."""
        return self.licence.wording


def _choices() -> Sequence[Choice]:
    """The texts that are stored for the study, the newest first."""
    found: dict[str, Licence] = {}
    for one in staff_access.post().study.wordings.licences:
        if one.modes or one.wording not in found:
            found[one.wording] = one
    return [Choice(one) for one in sorted(found.values(), key=lambda one: -one.id)]


def _chosen(fingerprint: str) -> Licence | None:
    return next((one.licence for one in _choices() if one.fingerprint == fingerprint), None)


@blueprint.get("/renew")
@staff_only("administrator")
def renewal() -> str:
    """The page on which a licence is renewed; its fields are those of the last one."""
    licence = _chosen(request.args.get("of", ""))
    today = wording_terms.today().isoformat()
    if licence is None:
        return _page("renew", Given({"from_on": today}, ()), {})
    fields = {
        "wording": licence.wording, "holder": licence.holder, "number": licence.number,
        "from_on": today, "site": _site_code(licence),
    }  # fmt: skip
    return _page("renew", Given(fields, [*licence.modes]), {})


def _site_code(licence: Licence) -> str:
    if licence.site is None:
        return EVERY_SITE
    return next((one.code for one in wording_terms.sites() if one.id == licence.site), "")


def _page(what: str, given: Given, faults: Faults) -> str:
    return render_template(
        f"wording_licence/{what}.html",
        given=given,
        faults=faults,
        texts=_choices(),
        longest=LONGEST,
        **wording_terms.choices(),
    )


@blueprint.post("/renew")
@staff_only("administrator", fresh=True)
def renew() -> Page:
    """License a text anew."""
    here, given = staff_access.post(), wording_terms.given()
    faults: Faults = {}
    licence = _needed(given, faults)
    terms = wording_terms.terms(given, faults, given["reason"])
    if licence is not None and terms is not None:
        faults |= wording_terms.early(licence.instrument, licence.language, licence.wording, terms)
    if faults or licence is None or terms is None:
        return _page("renew", given, faults), 422
    try:
        with house().database.writing() as database:
            now = house().clock()
            wordings.renew(database, licence.wording, terms, here.person.actor, now)
    except WordingRefused as refusal:
        return _page("renew", given, wording_room_words.refused(refusal)), 422
    return _back()


def _needed(given: Given, faults: Faults) -> Licence | None:
    """The text that was chosen; `faults` tell whether it or the reason is missing."""
    licence = _chosen(given["wording"])
    if licence is None:
        faults["wording"] = _("Please choose the wording.")
    if not given["reason"] or len(given["reason"]) > LONGEST:
        faults["reason"] = wording_room_words.says("reason")
    return licence


def _back() -> Page:
    return redirect(url_for("wording.index", study=staff_access.post().study.definition.code), 303)


@blueprint.get("/end")
@staff_only("administrator")
def ending() -> str:
    """The page on which a text is taken back before its last day."""
    licence = _chosen(request.args.get("of", ""))
    fields = {"from_on": wording_terms.today().isoformat()}
    if licence is not None:
        fields |= {"wording": licence.wording, "site": _site_code(licence)}
    return _page("end", Given(fields, ()), {})


@blueprint.post("/end")
@staff_only("administrator", fresh=True)
def end() -> Page:
    """Let a text be read no more from a day on."""
    here, given = staff_access.post(), wording_terms.given()
    faults: Faults = {}
    licence, day = _needed(given, faults), staff_forms.day(given["from_on"])
    if day is None:
        faults["from_on"] = wording_room_words.says("day")
    site = wording_terms.site_of(given, faults)
    if faults or licence is None or day is None:
        return _page("end", given, faults), 422
    try:
        with house().database.writing() as database:
            wording_licences.end(
                database, here.study, licence.wording, day, site, given["reason"],
                here.person.actor, house().clock(),
            )  # fmt: skip
    except WordingRefused as refusal:
        return _page("end", given, wording_room_words.refused(refusal)), 422
    return _back()
