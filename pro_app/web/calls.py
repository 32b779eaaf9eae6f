"""Calls to one participant and what came of them, visits, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from werkzeug.wrappers import Response as BaseResponse

from pro_app.models import CALL_OUTCOMES, CHANNELS, Participant
from pro_app.services import assessments, calls, staff
from pro_app.services.assessments import Known
from pro_app.services.calls import CallError
from pro_app.web import participant_frame, staff_access, staff_forms, staff_words
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Page, staff_only

blueprint = Blueprint("calls", __name__, url_prefix="/staff/<study>/participants/<number>/calls")
blueprint.url_value_preprocessor(staff_access.take_study)

# by a refusal's code: the field that it is about, and the words
FAULTS: Mapping[str, tuple[str, LazyString]] = {
    "channel": ("channel", _l("Please choose how you reached out.")),
    "outcome": ("outcome", _l("Please choose what came of it.")),
    "note": ("text", _l("Please write the note.")),
    "text_long": ("text", _l("The text is too long. At most 2000 characters are kept.")),
    "identity": (
        "text",
        _l("The text holds what looks like an identity card number. Please take it out."),
    ),
    "day": ("day", _l("This is not a day.")),
    "time": ("time", _l("Please enter day and time, or leave both empty for now.")),
    "future": ("day", _l("This moment has not come yet.")),
    "unknown": ("about", _l("Please choose one of the questionnaires.")),
}


class _Unreadable(Exception):
    """A moment that cannot be read; carries the code of `FAULTS`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@blueprint.get("")
@staff_only(*PEOPLE)
def index(number: str) -> str:
    """The log, newest first, and the form for what was done just now."""
    person = staff_access.participant(number, *PEOPLE)
    given = {name: request.args.get(name, "") for name in ("about", "back")}
    return _page(person, given, None)


def _page(person: Participant, given: Mapping[str, str], fault: str | None) -> str:
    """`fault` is a code of `FAULTS`."""
    here, now = staff_access.post(), house().clock()
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        log = calls.of_participant(database, person.id)
        known = assessments.of_participant(database, person.id)
        names = staff.names(database, {one.staff_id for one in log})
        values = participant_frame.frame(person, "calls.index")
    return render_template(
        "calls/index.html",
        log=log,
        names=names,
        by_id={one.id: one for one in known},
        about=_about(known, given.get("about", ""), now),
        given=given,
        fault=None if fault is None else FAULTS[fault],
        channels=CHANNELS,
        outcomes=[one for one in staff_words.OUTCOME if one in CALL_OUTCOMES],
        today=now.astimezone(here.study.definition.zone).date(),
        may=here.may("coordinator"),
        **values,
    )


def _about(known: list[Known], chosen: str, now: datetime) -> list[Known]:
    """What a call may be about, the newest first: what has opened, and what was chosen."""
    return [one for one in reversed(known) if one.facts.opens_at <= now or one.public_id == chosen]


@blueprint.post("")
@staff_only("coordinator")
def log(number: str) -> Page:
    """Keep a call, a visit or a note."""
    here, now = staff_access.post(), house().clock()
    person = staff_access.participant(number, "coordinator")
    given = request.form
    channel, outcome = given.get("channel", ""), given.get("outcome") or None
    try:
        with house().database.writing() as database:
            calls.log(
                database,
                person.id,
                channel,
                None if channel == calls.NOTE else outcome,
                given.get("text", ""),
                here.person.staff_id,
                now,
                assessment=given.get("about") or None,
                at=_moment(given.get("day", ""), given.get("time", "")),
            )
    except (CallError, _Unreadable) as error:
        return _page(person, given, error.code), 422
    return _back(number, given.get("back", ""))


def _moment(day: str, clock: str) -> datetime | None:
    """The moment that was entered; None for now. Raises _Unreadable."""
    if not day and not clock:
        return None
    zone = staff_access.post().study.definition.zone
    on, at = staff_forms.day(day), staff_forms.time_of_day(clock)
    if day and on is None:
        raise _Unreadable("day")
    if on is None or at is None:
        raise _Unreadable("time")
    found = staff_forms.moment(on, at, zone)
    if found is None:
        raise _Unreadable("day")
    return found


def _back(number: str, wish: str) -> BaseResponse:
    """Where the person came from: today's board, or these pages."""
    study = staff_access.post().study.definition.code
    if wish == "today":
        return redirect(url_for("coordinator.board", study=study), 303)
    return redirect(url_for(".index", study=study, number=number), 303)
