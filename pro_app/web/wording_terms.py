"""The fields of a licence, on the page that brings a text and on the one that renews it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from flask import request

from pro_app.core.licence import MODES
from pro_app.models import Site
from pro_app.services import participants, wording_import
from pro_app.services.wordings import Terms
from pro_app.web import layout, locale, staff_access, staff_forms, wording_room_words
from pro_app.web.house import house
from pro_app.web.protocol_words import MODE

EVERY_SITE = "*"
FIELDS = ("instrument", "language", "version", "holder", "number", "from_on", "until", "site")
Faults = dict[str, str]  # by field, what is wrong with it


@dataclass(frozen=True, slots=True)
class Given:
    """What was typed, as the page shows it again."""

    fields: Mapping[str, str]
    modes: Sequence[str]
    confirmed: Sequence[str] = ()

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "")


def given() -> Given:
    """The fields of this request."""
    names = (*FIELDS, "wording", "reason")
    fields = {name: request.form.get(name, "").strip() for name in names}
    modes = [one for one in MODES if one in request.form.getlist("modes")]
    return Given(fields, modes, request.form.getlist("confirm"))


def today() -> date:
    """The day in the study."""
    return house().clock().astimezone(staff_access.post().study.definition.zone).date()


def day_text(day: date) -> str:
    """A day by itself, as tables have it."""
    return locale.short_day(day, layout.language())


def sites() -> Sequence[Site]:
    """The sites that the administrator covers."""
    here = staff_access.post()
    with house().database.reading() as database:
        return participants.sites(database, here.study.id, here.covers("administrator"))


def choices() -> dict[str, object]:
    """What the fields offer."""
    here = staff_access.post()
    names = house().library.instruments
    return {
        "sites": sites(),
        "whole": here.covers("administrator") is None,
        "every_site": EVERY_SITE,
        "modes": MODE,
        "instruments": {one.code: names[one.code].name for one in here.study.instruments},
        "spoken": {code: locale.NAMES[code] for code in here.study.definition.languages},
        "today": today(),
        "day_text": day_text,
        "room": "protocol.index",
        "words": wording_room_words,
    }


def site_of(found: Given, faults: Faults) -> int | None:
    """The id of the site that was chosen; None for every site, or with a fault."""
    offered: dict[str, int | None] = {one.code: one.id for one in sites()}
    if staff_access.post().covers("administrator") is None:
        offered[EVERY_SITE] = None
    if found["site"] not in offered:
        faults["site"] = wording_room_words.says("site")
        return None
    return offered[found["site"]]


def terms(found: Given, faults: Faults, reason: str = "") -> Terms | None:
    """The terms that were typed; None where something is missing, which `faults` then tells."""
    for name in ("holder", "number"):
        if not found[name]:
            faults[name] = wording_room_words.says(name)
    if not found.modes:
        faults["modes"] = wording_room_words.says("modes")
    first, last = staff_forms.day(found["from_on"]), staff_forms.day(found["until"])
    if first is None:
        faults["from_on"] = wording_room_words.says("day")
    if last is None:
        faults["until"] = wording_room_words.says("until")
    site = site_of(found, faults)
    if faults or first is None or last is None:
        return None
    return Terms(
        found["holder"], found["number"], frozenset(found.modes), first, last,
        staff_access.post().study.id, site, reason,
    )  # fmt: skip


def early(instrument: str, language: str, text: str | None, wanted: Terms) -> Faults:
    """What is wrong with the first day of a text, by its fingerprint if that is known."""
    wordings = staff_access.post().study.wordings
    first = wording_import.earliest(wordings, instrument, language, text, wanted, today())
    if first is None or wanted.from_on >= first:
        return {}
    code = "past" if first == today() else "early"
    return {"from_on": wording_room_words.says(code)}
