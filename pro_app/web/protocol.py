"""The room "Study": what the protocol says, drawn and in words, and what it lacks to go live."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from flask import Blueprint, render_template

from pro_app.core import reminders
from pro_app.core.licence import PHONE, Licence
from pro_app.core.schedule import Timepoint
from pro_app.core.study import StudyDefinition
from pro_app.core.wording import Wording
from pro_app.services import participants, readiness, studies
from pro_app.services.readiness import Missing
from pro_app.services.studies import CurrentStudy
from pro_app.web import layout, locale, protocol_picture, protocol_words, staff_access, staff_words
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, staff_only
from pro_app.wiring import equipment

blueprint = Blueprint("protocol", __name__, url_prefix="/staff/<study>/protocol")
blueprint.url_value_preprocessor(staff_access.take_study)
READERS = ("administrator", *PEOPLE)


@blueprint.get("")
@staff_only(*READERS)
def index() -> str:
    """The whole protocol on one page, from what is missing down to its numbers."""
    here, now = staff_access.post(), house().clock()
    definition = here.study.definition
    today = now.astimezone(definition.zone).date()
    names = {one.code: house().library.instruments[one.code].name for one in definition.instruments}
    with house().database.snapshot() as database:
        missing = readiness.missing(database, here.study, equipment(house().settings), now)
        sites = participants.sites(database, here.study.id, None)
        codes: dict[int | None, str] = {one.id: one.code for one in sites}
        values = {
            "versions": studies.versions(database, here.study.id),
            "people": participants.counts(database, here.study, here.covers(*READERS)),
        }
    return render_template(
        "protocol/index.html",
        version=here.study.version,
        missing=[protocol_words.ready(one, names, _since(one)) for one in missing],
        picture=protocol_picture.picture(definition, names, protocol_words.row_label, today),
        instruments=names,
        library=house().library.instruments,
        wordings=_wordings(here.study, codes),
        plans=_plans(definition, today),
        names=locale.NAMES,
        says=protocol_words,
        day_text=_day_text,
        words=staff_words,
        room="protocol.index",
        **values,
    )


def _since(one: Missing) -> Callable[[datetime], str]:
    """How the moment of what is missing is told: of a licence its last day, all of which counts."""
    return _day_of if one.code == "wording_ends" else _moment


def _day_of(moment: datetime) -> str:
    return _day_text(moment.astimezone(staff_access.post().study.definition.zone).date())


def _moment(moment: datetime) -> str:
    zone = staff_access.post().study.definition.zone
    return locale.short_text(moment, zone, layout.language())


def _day_text(day: date) -> str:
    return locale.short_day(day, layout.language())


@dataclass(frozen=True, slots=True)
class Available:
    """An instrument in a language: its wording, whether the study may show it, and the licences
    in force, each with the code of the only site that it is for, if it is not for all."""

    instrument: str
    language: str
    wording: Wording | None
    offered: bool
    licences: tuple[tuple[Licence, str | None], ...]


def _wordings(study: CurrentStudy, codes: Mapping[int | None, str]) -> list[Available]:
    """Every instrument in every language of the study."""
    now, wordings = house().clock(), study.wordings
    return [
        Available(
            one.code,
            language,
            wordings.reading(one.code, language, now),
            all(
                wordings.offered(one.code, language, PHONE, now, site) is not None
                for site in wordings.sites
            ),
            tuple(
                (licence, codes.get(licence.site))
                for licence in dict.fromkeys(
                    wordings.in_force(one.code, language, now, site) for site in wordings.sites
                )
                if licence is not None
            ),
        )
        for one in study.definition.instruments
        for language in study.definition.languages
    ]


@dataclass(frozen=True, slots=True)
class Plan:
    """A timepoint's reminders: of each step the day after the opening (1 is that day itself) and
    the time; None where it would come too late."""

    timepoint: Timepoint
    days: int
    steps: tuple[tuple[int, str] | None, ...]


def _plans(study: StudyDefinition, today: date) -> Sequence[Plan]:
    """By timepoint of the calendar, when its reminders go, as if its anchor's day were `today`."""
    rules, found = study.reminders, []
    minute = rules.minute_of(None, 0)
    for timepoint in study.timepoints:
        if timepoint.anchor is None:
            continue
        window = timepoint.window(next(timepoint.due_days(today)), study.zone)
        first = window.opens_at.astimezone(study.zone).date()
        last = (window.closes_at - reminders.TICK).astimezone(study.zone).date()
        planned = {
            one.step: one.due_at.astimezone(study.zone)
            for one in reminders.plan(window, rules, minute, study.zone)
        }
        steps = tuple(
            ((at.date() - first).days + 1, at.strftime("%H:%M"))
            if (at := planned.get(step.code)) is not None
            else None
            for step in rules.steps
        )
        found.append(Plan(timepoint, (last - first).days + 1, steps))
    return found
