"""The room "Wording": what is licensed, until when, who is affected when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, abort, render_template

from pro_app.core import licence_state
from pro_app.core.licence import MODES
from pro_app.core.licence_state import IN_FORCE, LATER, Standing
from pro_app.core.study import LANGUAGES
from pro_app.core.wording_template import file_name
from pro_app.export import wording_template
from pro_app.services import participants, translations, wording_ends
from pro_app.services.wording_ends import SOON
from pro_app.web import locale, staff_access, wording_room_words, wording_terms
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, staff_only

blueprint = Blueprint("wording", __name__, url_prefix="/staff/<study>/wording")
blueprint.url_value_preprocessor(staff_access.take_study)
READERS = ("administrator", "investigator")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Line:
    """A licence as the room shows it: as it stands, the codes of the sites where it decides (none:
    everywhere), and how many days are left if they are few."""

    standing: Standing
    sites: Sequence[str]
    days_left: int | None


@blueprint.get("")
@staff_only(*READERS)
def index() -> str:
    """What is in force, what comes later, what has ended; what needs somebody."""
    here, now, today = staff_access.post(), house().clock(), wording_terms.today()
    covered = here.covers(*READERS)
    with house().database.snapshot() as database:
        known = participants.sites(database, here.study.id, None)
        codes: dict[int | None, str] = {one.id: one.code for one in known}
        values = {
            "ends": wording_ends.ending(database, here.study, now, covered),
            "unread": wording_ends.unread(database, here.study, now, covered),
            "doubted": translations.doubted(database, here.study, now),
        }
    lines = [
        _line(one, codes, today) for one in licence_state.standings(here.study.wordings, today)
    ]
    return render_template(
        "wording/index.html",
        groups={
            IN_FORCE: _of(lines, IN_FORCE),
            LATER: _of(lines, LATER),
            "over": [one for one in lines if one.standing.state not in (IN_FORCE, LATER)],
        },
        lacking=_lacking(lines),
        changes=here.may("administrator"),
        numbers=None,
        **_words(),
        **values,
    )


def _words() -> dict[str, object]:
    known = house().library.instruments
    return {
        "instruments": {code: one.name for code, one in known.items()},
        "names": locale.NAMES,
        "day_text": wording_terms.day_text,
        "every_mode": len(MODES),
        "words": wording_room_words,
        "room": "protocol.index",
    }


def _of(lines: Sequence[Line], state: str) -> list[Line]:
    return [one for one in lines if one.standing.state == state]


def _line(standing: Standing, codes: Mapping[int | None, str], today: date) -> Line:
    licence = standing.licence
    left = licence.until - today
    sites = [] if standing.everywhere else [codes[one] for one in standing.sites if one in codes]
    if not standing.sites and licence.site is not None:
        sites = [codes[licence.site]] if licence.site in codes else []
    soon = standing.state == IN_FORCE and left < SOON
    return Line(standing, sites, left.days if soon else None)


def _lacking(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Instruments of the study and languages in which nothing is in force at all sites."""
    definition = staff_access.post().study.definition
    wordings = staff_access.post().study.wordings
    covered: dict[tuple[str, str], set[int | None]] = {}
    for one in _of(lines, IN_FORCE):
        licence = one.standing.licence
        covered.setdefault((licence.instrument, licence.language), set()).update(one.standing.sites)
    every = set(licence_state.sites_of(wordings))
    return [
        (instrument.code, language)
        for instrument in definition.instruments
        for language in definition.languages
        if covered.get((instrument.code, language), set()) < every
    ]


@blueprint.get("/ending")
@staff_only("administrator", *PEOPLE)
def ending() -> str:
    """Who is affected when a licence ends, and who cannot read something now: at own sites."""
    here, now = staff_access.post(), house().clock()
    covered = here.covers("administrator", *PEOPLE)
    with house().database.snapshot() as database:
        own = participants.sites(database, here.study.id, here.covers(*PEOPLE))
        found = wording_ends.ending(database, here.study, now, covered)
        gone = wording_ends.unread(database, here.study, now, covered)
    return render_template(
        "wording/ending.html",
        ends=found,
        unread=gone,
        # whose study numbers the reader may see; an administrator sees how many there are
        numbers=frozenset(one.code for one in own) if here.may(*PEOPLE) else frozenset(),
        **_words() | {"room": "coordinator.board" if here.may(*PEOPLE) else "protocol.index"},
    )


@blueprint.get("/template/<code>/<language>.xlsx")
@staff_only("administrator")
def template(code: str, language: str) -> Response:
    """The empty template of an instrument in a language."""
    library = house().library
    known = {one.code for one in staff_access.post().study.instruments}
    if code not in known or language not in LANGUAGES:
        abort(404)
    instrument = library.instruments[code]
    data = wording_template.workbook(instrument, language, library.wording(code, language))
    name = f"{file_name(instrument, language)}.xlsx"
    return Response(
        data, mimetype=XLSX, headers={"Content-Disposition": f"attachment; filename={name}"}
    )
