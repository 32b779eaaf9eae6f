"""The record, read: a participant's own, and what else was done in the study."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from flask import Blueprint, Response, render_template, request, send_file
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.core.study import NATIONAL_IDENTITY
from pro_app.models import Participant
from pro_app.services import assessments, participants, trail, trail_export
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy
from pro_app.services.trail import Line, Search
from pro_app.services.trail_export import ExportError, Told
from pro_app.services.trail_readings import Read
from pro_app.web import (
    layout,
    participant_frame,
    staff_access,
    staff_forms,
    staff_words,
    trail_words,
)
from pro_app.web.answer_words import AnswerWords, Text
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Page, staff_only

WATCHERS = ("administrator", "investigator")  # who sees what was done in the study
LONGEST = 80  # characters of what is searched for
TYPED = ("participant", "about", "field", "action", "who")  # what can be searched for, but days

blueprint = Blueprint("trail", __name__, url_prefix="/staff/<study>")
blueprint.url_value_preprocessor(staff_access.take_study)


# --- a participant's record ---------------------------------------------------------------------


@blueprint.get("/participants/<number>/record")
@staff_only(*PEOPLE)
def participant(number: str) -> Page:
    """Everything that was done about one participant; to read answers there is itself put on
    record, the one thing that a page of ours changes by being read."""
    return _participant_page(staff_access.participant(number, *PEOPLE), None)


def _sees_answers(person: Participant) -> bool:
    """Whether the person at work is an investigator at the participant's site."""
    here = staff_access.post()
    sites = here.covers("investigator")
    return here.may("investigator") and (sites is None or person.site_id in sites)


def _participant_page(person: Participant, fault: str | None) -> Page:
    here, now, answers = staff_access.post(), house().clock(), _sees_answers(person)
    search, faults = _asked()
    zone = here.study.definition.zone
    with house().database.reading() as database:
        found = trail.of_participant(database, person.id, zone, search, answers=answers)
        known = assessments.of_participant(database, person.id)
        frame = participant_frame.frame(
            database.get_one(Participant, person.id), "trail.participant"
        )
        choices = {
            "actions": _sorted(trail.actions(database, person.id, answers=answers)),
            "people": trail.actors(database, person.id, answers=answers),
        }
    if found.shows_answers:
        with house().database.writing() as database:
            trail.note_reading(database, person.id, search, here.person.actor, now)
    page = render_template(
        "trail/participant.html",
        found=found,
        sees_answers=answers,
        address={"number": person.number},
        **table_values(known, staff_access.post().study, house().library, layout.language()),
        **_search_values(search, faults, fault),
        **choices,
        **frame,
    )
    return (page, 422) if faults or fault else page


@blueprint.post("/participants/<number>/record")
@staff_only(*PEOPLE, fresh=True)
def export_participant(number: str) -> Page:
    """What was searched of a participant's record, as a file."""
    here, person = staff_access.post(), staff_access.participant(number, *PEOPLE)
    zone, answers = here.study.definition.zone, _sees_answers(person)

    def lines(database: Session, search: Search) -> Iterable[Line]:
        return trail.participant_lines(database, person.id, zone, search, answers=answers)

    with house().database.reading() as database:
        site = database.get_one(Participant, person.id).site.code
    about: dict[str, object] = {"participant": person.number, "site": site}
    return _export([about], lines, lambda fault: _participant_page(person, fault))


# --- the study's record -------------------------------------------------------------------------


@blueprint.get("/record")
@staff_only(*WATCHERS)
def study() -> Page:
    """Who signed in, read, exported and set what; of the own sites, and never an answer."""
    return _study_page(None)


def _study_page(fault: str | None, unknown: str | None = None) -> Page:
    """`fault` is about the reason, `unknown` about the study number."""
    here, number = staff_access.post(), _given("participant")
    sites = here.covers(*WATCHERS)
    search, faults = _asked()
    if unknown is not None:
        faults.setdefault("participant", unknown)
    with house().database.reading() as database:
        found = trail.of_study(database, here.study, sites, number, search)
        person = participants.find(database, here.study.id, number) if number else None
        known = assessments.of_participant(database, person.id) if person and found.lines else []
        people = trail.people(database, here.study, sites)
    page = render_template(
        "trail/study.html",
        found=found,
        number=number,
        sees_answers=False,
        address={},
        actions=_sorted(
            trail_words.ACTION.keys() - trail.ALERTS
            if number
            else [*trail_words.OFFICE, trail.READ]
        ),
        people={"participant": None, "site": None, "system": None, **people},
        room="trail.study",
        words=staff_words,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        **table_values(known, staff_access.post().study, house().library, layout.language()),
        **_search_values(search, faults, fault),
    )
    return (page, 422) if faults or fault else page


@blueprint.post("/record")
@staff_only(*WATCHERS, fresh=True)
def export_study() -> Page:
    """What was searched of the study's record, as a file."""
    here, number = staff_access.post(), _given("participant")
    sites = here.covers(*WATCHERS)

    def lines(database: Session, search: Search) -> Iterable[Line]:
        return trail.study_lines(database, here.study, sites, number, search)

    with house().database.reading() as database:
        known = participants.sites(database, here.study.id, sites)
        if number:
            person = participants.find(database, here.study.id, number)
            at = [one.code for one in known if person is not None and one.id == person.site_id]
            if not at:
                wrong = _("No participant at your sites has this study number.")
                return _study_page(None, wrong)
            abouts: list[dict[str, object]] = [{"participant": number, "site": at[0]}]
        else:  # a line for each site, so that each finds its own
            abouts = [{}] if sites is None else [{"site": one.code} for one in known]
    return _export(abouts, lines, _study_page)


# --- what both share ----------------------------------------------------------------------------


def _given(name: str) -> str:
    return request.values.get(name, "").strip()[:LONGEST]


def _asked() -> tuple[Search, dict[str, str]]:
    """What is searched for, by the address or the form, and what is wrong with it by field. What
    is wrong is not looked for: it would stand on the record."""
    faults: dict[str, str] = {
        name: _("This text holds what looks like an identity card number. Please remove it.")
        for name in TYPED
        if NATIONAL_IDENTITY.search(request.values.get(name, ""))
    }
    given = {name: "" if name in faults else _given(name) for name in TYPED}
    days = {}
    for name in ("from", "to"):
        days[name] = staff_forms.day(_given(name))
        if _given(name) and days[name] is None:
            faults[name] = _("This is not a day.")
    before = _given("before")
    known = before.isascii() and before.isdigit() and len(before) < 16
    search = Search(
        about=given["about"],
        field=given["field"],
        action=given["action"],
        who=given["who"],
        first=days["from"],
        last=days["to"],
        before=int(before) if known else None,
    )
    return search, faults


def _search_values(search: Search, faults: dict[str, str], fault: str | None) -> dict[str, Any]:
    given = search.told() | {name: _given(name) for name in faults}
    return {
        "search": given,
        "narrowed": {name: value for name, value in given.items() if name not in faults},
        "later": search.before is not None,
        "faults": faults,
        "fault": fault,
        "reason": _given("reason"),
    }


def table_values(
    known: Iterable[Known], study: CurrentStudy, library: Library, language: str
) -> dict[str, Any]:
    """What the table of entries needs to speak of questionnaires, in a language."""
    by_object = {f"assessment/{one.public_id}": one for one in known}

    def option(line: Line, value: str | None, read: Read | None) -> list[Text]:
        """The words of the option that a value of an answer is, as `AnswerWords` has them."""
        about = by_object.get(line.object)
        if about is None or value is None or not value.isdigit():
            return []
        kept = {} if read is None else {read.language: read.wording}
        words = AnswerWords(study.wordings, library.instruments[about.instrument], language, kept)
        return words.option(line.field or "", value, None if read is None else read.language)

    wordings = (study.wordings.reading(one.instrument, language) for one in by_object.values())
    return {
        "assessments": by_object,
        "option": option,
        "demonstration": any(one and one.kind == "demonstration" for one in wordings),
        "said": trail_words,
    }


def _sorted(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Actions with their words, in the order of those."""
    return sorted(((one, trail_words.action(one)) for one in codes), key=lambda one: one[1])


def _export(
    abouts: Iterable[dict[str, object]],
    lines: Callable[[Session, Search], Iterable[Line]],
    again: Callable[[str], Page],
) -> Page:
    """The file of what was searched, on record with its checksum before it leaves; or the page
    `again`, with a fault. `abouts` say what it is about, each in an entry of its own."""
    here, now = staff_access.post(), house().clock()
    search, faults = _asked()
    search = replace(search, before=None)
    try:
        reason = trail_export.reason(_given_reason())
    except ExportError:
        return again(reason_fault(_given_reason()))
    if faults:
        return again("")
    file: BinaryIO = TemporaryFile()  # noqa: SIM115 (closed with the answer)
    with house().database.snapshot() as database:
        digest, count = trail_export.write(
            lines(database, search), here.study.definition.zone, file
        )
    with house().database.writing() as database:
        for about in abouts:
            told = Told("record", {**about, "filter": search.told(), "rows": count}, reason)
            trail_export.note(database, here.study, told, digest, here.person.actor, now)
    return download(file, f"{here.study.definition.code}-record.csv", "text/csv")


def _given_reason() -> str:
    return request.form.get("reason", "").strip()


def reason_fault(text: str) -> str:
    """What to say of a reason that cannot be taken."""
    missing = _("Please write down why you need this file.")
    wrong = _(
        "Please write a shorter reason, of at most 500 characters and without an identity card "
        "number."
    )
    return str(wrong if text else missing)


def download(file: BinaryIO, name: str, kind: str) -> Response:
    """A file that goes out piece by piece, and that no cache keeps."""
    file.seek(0)
    answer = send_file(file, kind, as_attachment=True, download_name=name)
    answer.headers["Cache-Control"] = "no-store"
    return answer
