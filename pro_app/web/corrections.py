"""Requests for corrections: what waits at the own sites, what became of them, and the decision.

Who sees status alone sees what was asked for and why, never the value in force or a score.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.corrections import ANSWER, APPROVED, REJECTED
from pro_app.core.scoring import half_up
from pro_app.models import Correction, Participant
from pro_app.services import (
    answer_record,
    correction_lists,
    correction_preview,
    corrections,
)
from pro_app.services.corrections import Decided, NotAllowed, Refused, Stale, Verdict
from pro_app.web import (
    correction_words,
    layout,
    participant_frame,
    proof,
    staff_access,
    staff_words,
)
from pro_app.web.answer_words import AnswerWords
from pro_app.web.correction_words import text_fault
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Page, staff_only

blueprint = Blueprint("corrections", __name__, url_prefix="/staff/<study>")
blueprint.url_value_preprocessor(staff_access.take_study)
LATELY = 20  # decided requests that the room shows
OF_PERSON = "/participants/<number>/corrections"


@blueprint.get("/corrections")
@staff_only(*PEOPLE)
def room() -> str:
    """What waits for a decision at the own sites, the oldest first, and what was decided lately."""
    here = staff_access.post()
    covered = here.covers(*PEOPLE)
    with house().database.reading() as database:
        waiting = correction_lists.open_requests(database, here.study, covered)
        decided = correction_lists.decided(database, here.study, covered, LATELY)
    return render_template(
        "corrections/room.html",
        waiting=waiting,
        decided=decided,
        own=here.person.staff_id,
        terms=correction_words,
        words=staff_words,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="corrections.room",
    )


@blueprint.get(OF_PERSON)
@staff_only(*PEOPLE)
def of_participant(number: str) -> str:
    """One participant's requests, the newest first."""
    person = staff_access.participant(number, *PEOPLE)
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        found = correction_lists.of_participant(database, person.id)
        values = participant_frame.frame(person, "corrections.of_participant")
    return render_template(
        "corrections/of_participant.html", found=found, terms=correction_words, **values
    )


@blueprint.get(f"{OF_PERSON}/<correction>")
@staff_only(*PEOPLE)
def detail(number: str, correction: str) -> str:
    """Everything about one request, as far as the person may know it."""
    return _page(staff_access.participant(number, *PEOPLE), correction, {})


def _sees_answers(person: Participant) -> bool:
    """Whether who is signed in is an investigator of the participant's site."""
    sites = staff_access.post().covers("investigator")
    return sites is None or person.site_id in sites


def _found(database: Session, person: Participant, public_id: str) -> Correction:
    found = correction_lists.find(database, person.id, public_id)
    if found is None:
        abort(404)
    return found


def _page(person: Participant, public_id: str, faults: dict[str, str]) -> str:
    """`faults` says by field of the form what is wrong. Before an investigator is shown values,
    the trail is told."""
    sees = _sees_answers(person)
    if sees:
        _note_reading(person, public_id)
    with house().database.reading() as database:
        found = _found(database, person, public_id)
        values = participant_frame.frame(
            database.get_one(Participant, person.id), "corrections.of_participant"
        )
        values |= _of_decision(database, found) if sees else {}
    instrument = house().library.instruments[found.submission.assessment.instrument]
    sealed = found.submission.answers.get(found.field) if found.kind == ANSWER else None
    words_of = AnswerWords(
        staff_access.post().study.wordings,
        instrument,
        layout.language(),
        {} if sealed is None else {sealed["language"]: sealed["wording"]},
    )
    return render_template(
        "corrections/detail.html",
        found=found,
        sees=sees,
        own=found.requester_id == staff_access.post().person.staff_id,
        words_of=words_of,
        read_in=None if sealed is None else sealed["language"],
        meanings=_meanings(),
        half_up=half_up,
        given=request.form,
        faults=faults,
        terms=correction_words,
        **values,
    )


def _note_reading(person: Participant, public_id: str) -> None:
    here = staff_access.post()
    with house().database.writing() as database:
        found = _found(database, person, public_id)
        if found.kind == ANSWER:
            answer_record.note_reading(
                database,
                person.id,
                here.person.actor,
                house().clock(),
                f"assessment/{found.submission.assessment.public_id}",
                found.field,
                correction=found.public_id,
            )


def _of_decision(database: Session, found: Correction) -> dict[str, Any]:
    """What an investigator needs to decide, or to see whether a decision holds."""
    decision = found.decision
    if decision is None:
        stale = corrections.is_stale(database, found)
        study, library = staff_access.post().study, house().library
        changes = [] if stale else correction_preview.score_changes(database, study, library, found)
        return {"stale": stale, "score_changes": changes}
    signed = decision.signature is not None
    return {"holds": signed and corrections.signature_holds(database, decision)}


def _meanings() -> dict[str, str]:
    """What a signature means, by the outcome that is chosen."""
    return {
        APPROVED: _(
            "I have looked at the evidence, and I approve this correction. "
            "The new value counts from now on."
        ),
        REJECTED: _(
            "I have looked at the evidence, and I reject this correction. "
            "The value in force stays as it is."
        ),
    }


@blueprint.post(f"{OF_PERSON}/<correction>")
@staff_only("investigator")
def decide(number: str, correction: str) -> Page:
    """Approve or reject a request; the form is signed with password and code."""
    here, now = staff_access.post(), house().clock()
    person = staff_access.participant(number, "investigator")
    with house().database.reading() as database:
        found = _found(database, person, correction)
        faults = _decision_faults(database, found)
    if not faults and (wrong := proof.fault()) is not None:
        faults = {"password": wrong}
    if faults:
        return _page(person, correction, faults), 422
    outcome = request.form["outcome"]
    verdict = Verdict(outcome == APPROVED, _meanings()[outcome], request.form["comment"].strip())
    try:
        with house().database.writing() as database:
            corrections.decide(
                database, here.study, house().library, found.id, verdict, here.person.staff_id, now
            )
    except Refused as refused:
        return _page(person, correction, {"decision": _refusal(refused)}), 422
    return _to(number, correction)


def _decision_faults(database: Session, found: Correction) -> dict[str, str]:
    """What is wrong with a decision before its signature is looked at, by field."""
    outcome = request.form.get("outcome", "")
    if found.decision is not None:
        return {"decision": _refusal(Decided())}
    if found.requester_id == staff_access.post().person.staff_id:
        return {"decision": _refusal(NotAllowed())}
    faults = {}
    if outcome not in {APPROVED, REJECTED}:
        faults["outcome"] = _("Please choose whether you approve or reject the correction.")
    elif outcome == APPROVED and corrections.is_stale(database, found):
        faults["outcome"] = _refusal(Stale())
    comment = text_fault(request.form.get("comment", ""), _("Please give the reason for it."))
    if comment is not None:
        faults["comment"] = comment
    if not request.form.get("password") or not request.form.get("code"):
        faults["password"] = _("Please sign with your password and a code.")
    return faults


def _refusal(refused: Refused) -> str:
    """Why a decision cannot be taken, in plain words."""
    if isinstance(refused, Decided):
        text: str = _("This request was decided or taken back meanwhile.")
    elif isinstance(refused, Stale):
        text = _("This request can only be rejected: the value that it starts from has changed.")
    elif isinstance(refused, NotAllowed):
        text = _("You may not decide on this request. Another investigator of the site may.")
    else:
        text = _("This cannot be done as it was asked for. Please look at what you have entered.")
    return text


@blueprint.post(f"{OF_PERSON}/<correction>/retract")
@staff_only(*PEOPLE)
def retract(number: str, correction: str) -> Page:
    """Take one's own request back while nobody has decided on it."""
    here, now = staff_access.post(), house().clock()
    person = staff_access.participant(number, *PEOPLE)
    comment = request.form.get("comment", "")
    with house().database.reading() as database:
        found = _found(database, person, correction)
    wrong = text_fault(comment, "", needed=False)
    if wrong is not None:
        return _page(person, correction, {"retracting": wrong}), 422
    try:
        with house().database.writing() as database:
            corrections.retract(database, here.study, found.id, here.person.staff_id, now, comment)
    except Decided as refused:
        return _page(person, correction, {"decision": _refusal(refused)}), 422
    except NotAllowed:
        text = _("Only who has asked for a correction can take the request back.")
        return _page(person, correction, {"decision": text}), 422
    return _to(number, correction)


def _to(number: str, correction: str) -> BaseResponse:
    study = staff_access.post().study.definition.code
    address = url_for(".detail", study=study, number=number, correction=correction)
    return redirect(address, 303)
