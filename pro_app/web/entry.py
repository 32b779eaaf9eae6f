"""Questionnaires on paper and interviews: entered by one person, checked by a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording
from pro_app.models import TRANSCRIBED_MODES, Assessment, Participant, Transcription
from pro_app.services import assessments, paper, staff, submissions, to_enter, transcription
from pro_app.services.by_staff import Refusal
from pro_app.services.printing import FOOT
from pro_app.services.transcription import ENTERING, UNDONE
from pro_app.web import (
    entry_forms,
    locale,
    participant_frame,
    staff_access,
    staff_words,
)
from pro_app.web.entry_forms import Fault, Form
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Page, staff_only

blueprint = Blueprint("entry", __name__, url_prefix="/staff/<study>")
blueprint.url_value_preprocessor(staff_access.take_study)


@blueprint.get("/to-check")
@staff_only(*PEOPLE)
def to_check() -> str:
    """The sheets of the own sites that wait for a second person, and those one has begun."""
    here = staff_access.post()
    covered, me = here.covers(*PEOPLE), here.person.staff_id
    with house().database.reading() as database:
        waiting = to_enter.to_check(database, here.study, covered)
        mine = to_enter.of_mine(database, here.study, covered, me)
    return render_template(
        "entry/to_check.html",
        waiting=waiting,
        mine=mine,
        limit=to_enter.LIMIT,
        me=me,
        words=staff_words,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="entry.to_check",
    )


@blueprint.get("/participants/<number>/paper")
@staff_only(*PEOPLE)
def index(number: str) -> str:
    """What can be entered of one participant, and what was."""
    here, now = staff_access.post(), house().clock()
    person = staff_access.participant(number, *PEOPLE)
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        lines = to_enter.lines(database, here.study, person.id, now)
        sheets = transcription.of_participant(database, person.id)
        about = {one.id: one for one in assessments.of_participant(database, person.id)}
        names = staff.names(database, {one.entered_by for one in sheets})
        values = participant_frame.frame(person, "entry.index")
    return render_template(
        "entry/index.html",
        lines=lines,
        done=[one for one in sheets if one.state not in UNDONE],
        by_id=about,
        names=names,
        now=now,
        me=here.person.staff_id,
        **values,
    )


# --- beginning ----------------------------------------------------------------------------------


@blueprint.get("/participants/<number>/paper/new/<assessment>")
@staff_only(*PEOPLE)
def begin_form(number: str, assessment: str) -> str:
    """What stands on the paper beside the answers, or when the interview is."""
    person = staff_access.participant(number, *PEOPLE)
    now = house().clock().astimezone(staff_access.post().study.definition.zone)
    given = {"mode": request.args.get("mode", "paper"), "language": person.language}
    if given["mode"] == "interview":
        given |= {"completed_on": now.date().isoformat(), "completed_time": f"{now:%H:%M}"}
    return _begin_page(person, assessment, given, None)


def _begin_page(person: Participant, assessment: str, given: Form, fault: Fault | None) -> str:
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        about = assessments.find_own(database, assessment, person.id)
        if about is None:
            abort(404)
        values = participant_frame.frame(person, "entry.index")
    return render_template(
        "entry/begin.html",
        about=about,
        given=given,
        fault=fault,
        mode=given.get("mode") if given.get("mode") in TRANSCRIBED_MODES else "paper",
        spoken=_spoken(about.instrument),
        versions=_versions(about.instrument),
        foot=FOOT,
        today=_today(),
        **values,
    )


def _versions(instrument: str) -> list[Wording]:
    """The wordings that a paper can be in, where any language has several; else none."""
    found = paper.versions(staff_access.post().study, instrument)
    return found if len({one.language for one in found}) < len(found) else []


def _spoken(instrument: str) -> dict[str, str]:
    """The languages that the instrument has words in, by code."""
    return {
        code: name for code, name in locale.NAMES.items() if _wording(instrument, code) is not None
    }


def _wording(instrument: str, language: str) -> Wording | None:
    return staff_access.post().study.wordings.reading(instrument, language, house().clock())


def _shown_wording(sheet: _Sheet, language: str) -> Wording | None:
    """What stands on the sheet; where another language was typed, that of today."""
    on_paper = staff_access.post().study.wordings.by_fingerprint(sheet.row.wording)
    if on_paper is not None and on_paper.language == language:
        return on_paper
    return _wording(sheet.instrument.code, language) or on_paper


def _today() -> str:
    zone = staff_access.post().study.definition.zone
    return house().clock().astimezone(zone).date().isoformat()


@blueprint.post("/participants/<number>/paper/new/<assessment>")
@staff_only(*PEOPLE)
def begin(number: str, assessment: str) -> Page:
    """Begin a sheet."""
    here, form = staff_access.post(), request.form
    person = staff_access.participant(number, *PEOPLE)
    try:
        given = entry_forms.paper(form)
        with house().database.writing() as database:
            made = transcription.begin(
                database,
                here.study,
                person.id,
                assessment,
                form.get("mode", ""),
                given,
                here.person.staff_id,
                house().clock(),
            )
            sheet = made.public_id
    except Refusal as error:
        fault = entry_forms.fault_of(error)
        return _begin_page(person, assessment, form, fault), 422
    return _to_sheet(number, sheet)


def _to_sheet(number: str, sheet: str) -> BaseResponse:
    study = staff_access.post().study.definition.code
    return redirect(url_for(".sheet", study=study, number=number, sheet=sheet), 303)


def _to_list(number: str) -> BaseResponse:
    study = staff_access.post().study.definition.code
    return redirect(url_for(".index", study=study, number=number), 303)


# --- one sheet ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet of a participant whom the person at work may see, as it stands now."""

    row: Transcription
    about: Assessment
    instrument: Instrument

    @property
    def step(self) -> str:
        """What the person at work may do with it: `enter`, `check`, `settle`, or only look at its
        `status`."""
        mine = self.row.entered_by == staff_access.post().person.staff_id
        if self.row.state in ENTERING and mine:
            return "enter"
        if self.row.state == "to_check" and not mine:
            return "check" if self.row.second_values is None else "settle"
        return "status"


def _find(database: Session, person: Participant, sheet: str) -> _Sheet:
    row = transcription.find(database, sheet)
    about = None if row is None else database.get_one(Assessment, row.assessment_id)
    if row is None or about is None or about.participant_id != person.id:
        abort(404)
    return _Sheet(row, about, house().library.instruments[about.instrument])


@blueprint.get("/participants/<number>/paper/<sheet>")
@staff_only(*PEOPLE)
def sheet(number: str, sheet: str) -> str:
    """A sheet, for what is to be done with it by who looks at it."""
    return _sheet_page(staff_access.participant(number, *PEOPLE), sheet, None, None)


def _sheet_page(person: Participant, sheet: str, typed: Form | None, fault: Fault | None) -> str:
    """`typed` is what was sent and could not be taken, because of the `fault`."""
    _note_reading(person, sheet)
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        found = _find(database, person, sheet)
        row, step = found.row, found.step
        receipt = None
        if row.state == "accepted":
            receipt = submissions.receipt_of(database, row.assessment_id)
        values = participant_frame.frame(person, "entry.index")
        names = staff.names(database, {row.entered_by, row.checked_by})
    given, chosen = _shown(found, typed)
    return render_template(
        f"entry/{step}.html",
        sheet=row,
        about=found.about,
        instrument=found.instrument,
        wording=_shown_wording(found, given["language"]),
        given=given,
        chosen=chosen,
        remark="" if typed is None else typed.get("remark", ""),
        differences=transcription.differences(row),
        fault=fault,
        names=names,
        receipt=receipt,
        spoken=_spoken(found.instrument.code),
        versions=_versions(found.instrument.code),
        foot=FOOT,
        today=_today(),
        mine=row.entered_by == staff_access.post().person.staff_id,
        undone=row.state in UNDONE,
        **values,
    )


def _note_reading(person: Participant, sheet: str) -> None:
    """Put on record that somebody reads what two others have entered, to settle it for them."""
    me = staff_access.post().person.staff_id
    with house().database.reading() as database:
        found = _find(database, person, sheet)
    if found.step == "settle" and found.row.checked_by != me:
        with house().database.writing() as database:
            transcription.note_reading(database, sheet, me, house().clock())


def _shown(found: _Sheet, typed: Form | None) -> tuple[dict[str, str], Mapping[str, Any]]:
    """What the page's fields hold: what stands on the paper, and the items' values.

    The second person sees nothing of what the first one entered.
    """
    row = found.row
    at = "" if row.completed_time is None else f"{row.completed_time:%H:%M}"
    given = {
        "completed_on": row.completed_on.isoformat(),
        "completed_time": at,
        "language": row.language,
        "reference": row.reference,
        "wording": row.wording[:FOOT],
    }
    entering = found.step == "enter"
    if typed is None or (entering and "completed_on" not in typed):
        return given, row.values if entering else {}
    if entering:
        given |= {name: typed.get(name, "") for name in given}
    return given, entry_forms.values(typed, found.instrument)


def _act(
    number: str, sheet: str, act: Callable[[Session, _Sheet], object], remark: bool = False
) -> Page | None:
    """Do something with a sheet, in one transaction; the page with the fault if it cannot be."""
    person = staff_access.participant(number, *PEOPLE)
    try:
        with house().database.writing() as database:
            act(database, _find(database, person, sheet))
    except Refusal as error:
        fault = entry_forms.fault_of(error, remark)
        return _sheet_page(person, sheet, request.form, fault), 422
    return None


@blueprint.post("/participants/<number>/paper/<sheet>")
@staff_only(*PEOPLE)
def save(number: str, sheet: str) -> Page:
    """Keep what the first person has entered so far; and, if they say so, finish it."""
    here, now, form = staff_access.post(), house().clock(), request.form
    me, library = here.person.staff_id, house().library

    def enter(database: Session, found: _Sheet) -> None:
        entered = entry_forms.values(form, found.instrument)
        given = entry_forms.paper(form)
        transcription.enter(database, here.study, library, sheet, entered, me, now, given)

    def finish(database: Session, _found: _Sheet) -> None:
        transcription.finish(database, here.study, library, sheet, me, now)

    finishing = form.get("action") == "finish"
    refused = _act(number, sheet, enter)
    if refused is None and finishing:
        refused = _act(number, sheet, finish)
    if refused is not None:
        return refused
    return _to_sheet(number, sheet) if finishing else _to_list(number)


@blueprint.post("/participants/<number>/paper/<sheet>/check")
@staff_only(*PEOPLE)
def check(number: str, sheet: str) -> Page:
    """Compare what the second person has entered with what the first one has."""
    here, now = staff_access.post(), house().clock()

    def act(database: Session, found: _Sheet) -> None:
        entered = entry_forms.values(request.form, found.instrument)
        me = here.person.staff_id
        transcription.check(database, here.study, house().library, sheet, entered, me, now)

    return _act(number, sheet, act) or _to_sheet(number, sheet)


@blueprint.post("/participants/<number>/paper/<sheet>/settle")
@staff_only(*PEOPLE)
def settle(number: str, sheet: str) -> Page:
    """Settle where two people differ."""
    here, now = staff_access.post(), house().clock()

    def act(database: Session, found: _Sheet) -> None:
        settled = entry_forms.values(request.form, found.instrument)
        me = here.person.staff_id
        transcription.settle(database, here.study, house().library, sheet, settled, me, now)

    return _act(number, sheet, act) or _to_sheet(number, sheet)


@blueprint.post("/participants/<number>/paper/<sheet>/give-back")
@staff_only(*PEOPLE)
def give_back(number: str, sheet: str) -> Page:
    """Give a sheet back to who entered it."""
    me, now, remark = staff_access.post().person.staff_id, house().clock(), request.form

    def act(database: Session, _found: _Sheet) -> None:
        transcription.give_back(database, sheet, remark.get("remark", ""), me, now)

    return _act(number, sheet, act, remark=True) or _to_sheet(number, sheet)


@blueprint.post("/participants/<number>/paper/<sheet>/discard")
@staff_only(*PEOPLE)
def discard(number: str, sheet: str) -> Page:
    """Put a sheet aside; everything of it stays on record."""
    me, now, reason = staff_access.post().person.staff_id, house().clock(), request.form

    def act(database: Session, _found: _Sheet) -> None:
        transcription.discard(database, sheet, reason.get("remark", ""), me, now)

    return _act(number, sheet, act, remark=True) or _to_list(number)
