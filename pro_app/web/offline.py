"""What the phone keeps to work without network: a page that is the same for everybody, and, for
this person, what is due. The page holds no personal word; the plan is sealed in the journal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, url_for
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.core.instruments import Instrument
from pro_app.core.licence import PHONE
from pro_app.core.wording import short
from pro_app.services import answers, assessments
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy
from pro_app.web import access, layout, locale, sheets, sounds
from pro_app.web.house import house

blueprint = Blueprint("offline", __name__)

AHEAD = timedelta(days=14)  # how long before its opening a questionnaire goes to the phone
SHOWN = {Status.NOT_DUE, Status.OPEN, Status.IN_PROGRESS}


@blueprint.get("/offline")
@access.audience("public")
def shell() -> Response:
    """The page that the worker shows when there is no network, in the language asked for."""
    response = Response(render_template("offline/shell.html"), mimetype="text/html")
    response.headers["Cache-Control"] = "no-cache"
    return response


shell.impersonal = True  # type: ignore[attr-defined]


@blueprint.get("/plan")
@access.audience("participant")
@access.for_script
def plan() -> Response:
    """What is due to this person now and soon, with what was answered so far.

    `questionnaires` come in the order of Today; moments are ISO 8601 in UTC, `..._text` are for
    reading; `sheet` is the address of the items, null where the language has no wording; `sounds`
    are those of the recordings of the items, in their order, none where it may not be read aloud
    (`aloud`). `test`: they try a live study, and are no person of it. On a phone that is not the
    person's own nothing is to stay.
    """
    study, now, person = layout.study(), house().clock(), access.person()
    if person.shared:
        abort(403)
    assert study is not None  # noqa: S101 (a participant has a study)
    definition = study.definition
    with house().database.reading() as database:
        due = [
            _questionnaire(database, study, known)
            for known in assessments.of_participant(database, person.participant_id)
            if known.status(now, definition.grace) in SHOWN and known.facts.opens_at <= now + AHEAD
        ]
    return jsonify(
        at=now.isoformat(),
        language=layout.language(),
        text_size=person.text_size,
        test=person.is_test and study.is_live,
        study=definition.names.get(layout.language()),
        help=layout.help_text(definition),
        questionnaires=due,
    )


def _questionnaire(database: Session, study: CurrentStudy, known: Known) -> dict[str, Any]:
    language, facts, definition = layout.language(), known.facts, study.definition
    instrument = house().library.instruments[known.instrument]
    # one that opens later is read in the wording of that moment
    at = max(house().clock(), facts.opens_at)
    wording = known.wording(study.wordings, language, PHONE, at)
    given, newest = answers.current(database, known.id)
    sheet, voices = None, None
    if wording is not None:
        voices = sheets.recordings(study, known, wording)
        shown = (instrument, wording, definition.skipping, voices or sheets.SILENT)
        sheet = url_for("questionnaire.sheet", version=sheets.rendered(*shown).version)
    return {
        "id": known.public_id,
        "items": len(instrument.items),
        "minutes": instrument.minutes,
        "opens_at": facts.opens_at.isoformat(),
        "closes_at": facts.closes_at.isoformat(),
        "last_at": (facts.closes_at + definition.grace).isoformat(),
        "closes_text": locale.end_text(facts.closes_at, definition.zone, language),
        "instruction": None if wording is None else wording.instruction,
        "demonstration": wording is not None and wording.kind == "demonstration",
        "sheet": sheet,
        "wording": None if wording is None else short(wording),
        "aloud": voices is not None,
        "sounds": _sounds(instrument, voices or sheets.SILENT),
        "seen": newest,
        "given": {item: [answer.state, answer.code] for item, answer in given.items()},
    }


def _sounds(instrument: Instrument, voices: sheets.Recordings) -> list[str]:
    return [sounds.address(voices[one.code]) for one in instrument.items if one.code in voices]
