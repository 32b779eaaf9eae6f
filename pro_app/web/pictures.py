"""The room "Pictures": what the scores and the missing questionnaires of a study say.

Every picture is drawn by the server and has its numbers as a table below it. Who may come here
may read every answer of their sites, so that small groups are shown as they are, each person a
dot; the page says that they are small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pro_app.core import baseline
from pro_app.core.assessment import Status
from pro_app.core.study import LANGUAGES
from pro_app.models import Participant
from pro_app.services import (
    answer_record,
    participants,
    picture_counts,
    picture_data,
    picture_numbers,
    picture_person,
)
from pro_app.services.picture_data import Source
from pro_app.services.picture_frames import SEVERAL
from pro_app.services.picture_numbers import Series
from pro_app.services.rates import Visit
from pro_app.web import (
    layout,
    locale,
    picture_choice,
    picture_panels,
    picture_words,
    staff_access,
    staff_words,
)
from pro_app.web.house import house
from pro_app.web.picture_choice import Asked
from pro_app.web.staff_access import ANALYSTS, Page, staff_only

SMALL_GROUP = 5  # fewer people than this are told apart too easily to be passed on
NUMBER = 40  # characters of a study number

blueprint = Blueprint("pictures", __name__, url_prefix="/staff/<study>/pictures")
blueprint.url_value_preprocessor(staff_access.take_study)


@blueprint.get("")
@staff_only(*ANALYSTS)
def index() -> Page:
    """The means of each scale over the visits."""
    return _page("means")


@blueprint.get("/<name>")
@staff_only(*ANALYSTS)
def picture(name: str) -> Page:
    """One of the other pictures of groups."""
    if name not in DRAWN or name == "means":
        abort(404)
    return _page(name)


@blueprint.get("/participants")
@staff_only(*ANALYSTS)
def find() -> Page:
    """The form for a study number, and on to that participant's picture."""
    number = request.args.get("number", "").strip()[:NUMBER]
    here, asked = staff_access.post(), _asked()
    fault = None
    if number:
        sites = here.covers(*ANALYSTS)
        with house().database.reading() as database:
            found = participants.find(database, here.study.id, number)
        if found is not None and (sites is None or found.site_id in sites):
            return redirect(_person_address(found.number, asked), 303)
        fault = _("There is no participant with this study number at your sites.")
    page = render_template(
        "pictures/participant.html", number=number, fault=fault, source=None, **_frame(asked, "")
    )
    return (page, 422) if fault else page


@blueprint.get("/participants/<number>")
@staff_only(*ANALYSTS)
def trajectory(number: str) -> Page:
    """One participant's scores over the visits. The trail is told who has read them before they
    are shown."""
    here, now = staff_access.post(), house().clock()
    person = staff_access.participant(number, *ANALYSTS)
    asked = _asked()
    source = _source(asked)
    if source is None:
        return _wait(asked)
    found = picture_person.person(source, person.number, asked.choice())
    with house().database.writing() as database:
        answer_record.note_reading(
            database, person.id, here.person.actor, now, "participant", form=asked.form
        )
    return render_template(
        "pictures/participant.html",
        number=person.number,
        fault=None,
        source=source,
        found=found,
        panels=_person_panels(found, asked),
        person_page=_may_open(person),
        **_frame(asked, "find", person.number),
    )


def _person_address(number: str, asked: Asked) -> str:
    code = staff_access.post().study.definition.code
    return url_for("pictures.trajectory", study=code, number=number, form=asked.form)


def _may_open(person: Participant) -> bool:
    """Whether the person at work may open the answers behind the picture."""
    here = staff_access.post()
    sites = here.covers("investigator")
    return here.may("investigator") and (sites is None or person.site_id in sites)


# --- what all pages share -----------------------------------------------------------------------


def _asked() -> Asked:
    here = staff_access.post()
    covered = here.covers(*ANALYSTS)
    with house().database.reading() as database:
        sites = participants.sites(database, here.study.id, covered)
    return picture_choice.asked(here.study, sites, covered is None)


def _source(asked: Asked, name: str = "") -> Source | None:
    """The columns that a picture needs."""
    here = staff_access.post()
    scored = () if name == "completion" else (asked.instrument.code,)
    return picture_data.find(
        house().database,
        house().library,
        here.study,
        house().settings.instance / "pictures",
        here.covers(*ANALYSTS),
        house().clock(),
        scored,
        answers=name == "reliability",
    )


def _frame(asked: Asked, tab: str, number: str | None = None) -> dict[str, Any]:
    """The values of `pictures/base.html`."""
    here = staff_access.post()
    return {
        "asked": asked,
        "tab": tab,
        "tabs": picture_words.tabs(),
        "address": asked.address(),
        "forms": _forms(),
        "names": locale.NAMES,
        "languages_of": LANGUAGES,
        "says": picture_words,
        "words": staff_words,
        "small": SMALL_GROUP,
        "panel": picture_panels,
        "visit_name": _visit_name(here.study.definition),
        "of_person": number,
        "room": "pictures.index",
    }


def _forms() -> list[tuple[str, str]]:
    """Every questionnaire with every scoring: its name in an address, and for people."""
    library = house().library.instruments
    return [
        (f"{entry.code}.{name}", picture_words.form(library[entry.code], name))
        for entry in staff_access.post().study.instruments
        for name in entry.scorings
    ]


def _visit_name(definition: Any) -> Callable[[Visit], str]:
    language = layout.language()
    return lambda visit: staff_words.timepoint(definition, *visit, language)


def _wait(asked: Asked) -> Page:
    return render_template("pictures/wait.html", **_frame(asked, ""))


def _page(name: str) -> Page:
    asked = _asked()
    source = _source(asked, name)
    if source is None:
        return _wait(asked)
    values = DRAWN[name](source, asked)
    return render_template(f"pictures/{name}.html", source=source, **_frame(asked, name), **values)


# --- the pictures -------------------------------------------------------------------------------


def _means(source: Source, asked: Asked) -> dict[str, Any]:
    found = _series(source, asked, "score")
    return {"found": found, "panels": _mean_panels(found, asked, "score")}


def _changes(source: Source, asked: Asked) -> dict[str, Any]:
    found = _series(source, asked, "change")
    definition = staff_access.post().study.definition
    return {
        "found": found,
        "panels": _mean_panels(found, asked, "change"),
        "rule": picture_words.baseline(
            definition, baseline.baseline(definition, asked.instrument.code), layout.language()
        ),
        "differences": asked.instrument.differences[asked.scoring.name],
    }


def _series(source: Source, asked: Asked, kind: picture_numbers.Kind) -> tuple[Series, ...]:
    rows = source.rows(asked.instrument.code)
    return picture_numbers.series(rows, source.frames.visits, asked.scoring, asked.choice(), kind)


def _mean_panels(
    found: Sequence[Series], asked: Asked, kind: picture_numbers.Kind
) -> dict[str, picture_panels.Panel]:
    """A panel for each scale that has a value, all with the same visits; scales of 0 to 100 have
    one axis, so that they can be compared."""
    order: dict[Visit, None] = {}
    for one in found:
        order |= dict.fromkeys(point.visit for point in one.points)
    visits = picture_words.in_order(staff_access.post().study.definition, order)
    name = _visit_name(staff_access.post().study.definition)
    labels = [name(one) for one in visits]
    bounded = {one.code for one in asked.scoring.scales}
    differences = asked.instrument.differences[asked.scoring.name]
    panels = {}
    for group in (True, False):
        several = [one for one in found if (one.scale in bounded) is group and one.points]
        axis = _axis(several, kind, full=group)
        for one in several:
            points = {point.visit: (point.interval, point.values) for point in one.points}
            panels[one.scale] = picture_panels.means(
                labels,
                [points.get(visit) for visit in visits],
                axis,
                picture_words.bands(differences[one.scale], axis) if kind == "change" else (),
            )
    return {one.scale: panels[one.scale] for one in found if one.scale in panels}


def _axis(
    several: Sequence[Series], kind: picture_numbers.Kind, full: bool
) -> picture_panels.Scale:
    """Wide enough for the means, single values, and the intervals of groups that are not small."""
    if kind == "score" and full:
        return picture_panels.FULL
    values: list[float] = []
    for one in several:
        for point in one.points:
            values += [point.interval.mean, *point.values]
            if point.interval.n >= SMALL_GROUP:
                values += [
                    end for end in (point.interval.low, point.interval.high) if end is not None
                ]
    return picture_panels.fitted(values, 20, 0.0 if kind == "change" else None)


def _distribution(source: Source, asked: Asked) -> dict[str, Any]:
    found = picture_numbers.spreads(
        source.rows(asked.instrument.code), source.frames.visits, asked.scoring, asked.choice()
    )
    there = {spread.visit: None for spreads in found.values() for spread in spreads}
    definition = staff_access.post().study.definition
    visits = picture_words.in_order(definition, there)
    labels = [_visit_name(definition)(one) for one in visits]
    bounded = {one.code for one in asked.scoring.scales}
    panels = {}
    for scale, spreads in found.items():
        if not spreads:
            continue
        ends = [end for one in spreads for end in (one.box.lowest, one.box.highest)]
        axis = picture_panels.FULL if scale in bounded else picture_panels.fitted(ends)
        by_visit = {one.visit: (one.box, one.values) for one in spreads}
        panels[scale] = picture_panels.boxes(
            labels, [by_visit.get(one) for one in visits], axis, scale in bounded
        )
    return {"found": found, "panels": panels, "bounded": bounded}


def _completion(source: Source, asked: Asked) -> dict[str, Any]:
    study = staff_access.post().study
    codes = [asked.instrument.code]
    if not request.args.get("form"):
        codes = [one.code for one in study.instruments]
    found = picture_counts.counts(source.frames, study.definition, codes, asked.choice())
    name = _visit_name(study.definition)
    rows = [
        (name(visit), picture_words.parts(one), picture_panels.percent(
            one.rate.submitted, one.rate.expected))
        for visit, one in found.items()
    ]  # fmt: skip
    return {
        "found": found,
        "drawn_bars": picture_panels.bars(rows),
        "people": picture_counts.people(source.frames, asked.choice()),
        "all_forms": len(codes) > 1,
        "told": sorted({code for one in found.values() for code in one.told}),
        "ended": sorted({code for one in found.values() for code in one.ended}),
        "period": bool(asked.first or asked.last),
    }


def _reliability(source: Source, asked: Asked) -> dict[str, Any]:
    visits = source.frames.visits
    counted = picture_numbers.visits_that_count(source.rows(asked.instrument.code), asked.choice())
    there = [visits[one] for one in counted]
    visit = asked.visit if asked.visit in there else next(iter(there), None)
    if visit is None:
        return {"visits": there, "visit": None}
    place, rows = visits.index(visit), source.rows(asked.instrument.code)
    lacking = picture_numbers.lacking(rows, place, asked.instrument, asked.choice())
    read_in = [one for one in (*LANGUAGES, SEVERAL) if one in lacking]
    alphas = picture_numbers.reliability(rows, place, asked.scoring, asked.choice(), read_in)
    of_languages = ["", *read_in] if len(read_in) > 1 else read_in
    return {
        "visits": there,
        "visit": visit,
        "read_in": read_in,
        "alphas": alphas,
        "lacking": lacking,
        "alpha_tracks": {
            one: picture_panels.tracks(picture_words.alpha_rows(alphas, one))
            for one in of_languages
        },
        "lacking_tracks": picture_words.lacking_tracks(lacking, read_in),
        "topics": {one.code: one.topic for one in asked.instrument.items},
    }


DRAWN: dict[str, Callable[[Source, Asked], dict[str, Any]]] = {
    "means": _means,
    "changes": _changes,
    "completion": _completion,
    "distribution": _distribution,
    "reliability": _reliability,
}


def _person_panels(
    found: Sequence[picture_person.Stop], asked: Asked
) -> dict[str, picture_panels.Panel]:
    """A panel for each scale, with all visits that have opened."""
    name = _visit_name(staff_access.post().study.definition)
    labels = [name(one.visit) for one in found]
    signs = [
        "" if one.status in {Status.COMPLETED, Status.COMPLETED_LATE}
        else staff_words.SIGNS[one.status.value]
        for one in found
    ]  # fmt: skip
    bounded = {one.code for one in asked.scoring.scales}
    panels = {}
    for scale in asked.scoring.outputs():
        values = [one.scores.get(scale) for one in found]
        known = [one for one in values if one is not None]
        axis = picture_panels.FULL if scale in bounded else picture_panels.fitted(known)
        panels[scale] = picture_panels.line(labels, values, signs, axis)
    return panels
