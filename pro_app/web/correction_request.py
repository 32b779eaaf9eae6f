"""Asking for a correction: first which questionnaire and what is wrong, then the request itself.

Nobody types a code: each page offers what there is. It works without a script, a page a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pro_app.core.corrections import (
    ANSWER,
    KINDS,
    ORIGINATORS,
    PLACES,
    REASONS,
    STATES_AS_VALUES,
    VOID,
    WRONG_TIMEPOINT,
    fault,
)
from pro_app.core.instruments import Instrument, Item
from pro_app.models import Participant, Submission
from pro_app.services import (
    answer_record,
    assessments,
    correction_checks,
    corrections,
    participants,
    sign_off,
)
from pro_app.services.assessments import Known
from pro_app.services.corrections import Same, Wanted
from pro_app.web import correction_words, layout, participant_frame, staff_access, staff_forms
from pro_app.web.answer_words import AnswerWords
from pro_app.web.correction_words import text_fault
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Page, staff_only

blueprint = Blueprint(
    "correction_request",
    __name__,
    url_prefix="/staff/<study>/participants/<number>/corrections/new",
)
blueprint.url_value_preprocessor(staff_access.take_study)
Given = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request is about: the submission, the kind, of an answer its item; the values that
    can be asked for; and the days on which the participant can have confirmed them."""

    known: Known
    submission_id: int
    instrument: Instrument
    kind: str
    item: Item | None
    choices: tuple[str, ...]
    days: tuple[date, date]


@blueprint.get("")
@staff_only(*PEOPLE)
def form(number: str) -> Page:
    """The next step of asking: what it is about, the item, or the request."""
    person = staff_access.participant(number, *PEOPLE)
    return _page(person, request.args, {})


@blueprint.post("")
@staff_only(*PEOPLE)
def ask(number: str) -> Page:
    """Put a request on record."""
    here, now = staff_access.post(), house().clock()
    person = staff_access.participant(number, *PEOPLE)
    given = {name: value.strip() for name, value in request.form.items()}
    with house().database.reading() as database:
        subject = _subject(database, database.get_one(Participant, person.id), given)
    if subject is None:
        return _page(person, given, {})
    faults = _faults(subject, given)
    if faults:
        return _page(person, given, faults)
    wanted, staff_id = _wanted(subject, given), here.person.staff_id
    try:
        with house().database.writing() as database:
            corrections.request(
                database, here.study, house().library, subject.submission_id, wanted, staff_id, now
            )
    except Same:
        _note_what_was_learnt(person, subject)
        same = _("This is what the record says already. Nothing needs to be corrected.")
        return _page(person, given, {"new": same})
    study = here.study.definition.code
    return redirect(url_for("corrections.of_participant", study=study, number=number), 303)


def _note_what_was_learnt(person: Participant, subject: Subject) -> None:
    """Who is told that the record says so already has learnt an answer: that is on record, too."""
    here, now = staff_access.post(), house().clock()
    if subject.item is not None:
        about = f"assessment/{subject.known.public_id}"
        with house().database.writing() as database:
            answer_record.note_reading(
                database,
                person.id,
                here.person.actor,
                now,
                about,
                subject.item.code,
                by="request_correction",
            )


def _subject(database: Session, person: Participant, given: Given) -> Subject | None:
    """What is asked about; None while that is not wholly chosen."""
    found = [
        one
        for one in assessments.of_participant(database, person.id)
        if one.submission_id is not None and one.public_id == given.get("questionnaire")
    ]
    kind = given.get("kind", "")
    if not found or kind not in KINDS:
        return None
    submission = database.get_one(Submission, found[0].submission_id)
    instrument = house().library.instruments[found[0].instrument]
    items = {one.code: one for one in instrument.items if one.code in submission.answers}
    item = items.get(given.get("item", ""))
    if kind != ANSWER:
        choices = _places(database, person, submission, kind)
    elif item is None:
        return None
    else:
        choices = _answers(item)
    definition, now = staff_access.post().study.definition, house().clock()
    days = correction_checks.confirmation_days(definition, submission, now)
    of_answer = item if kind == ANSWER else None
    return Subject(found[0], submission.id, instrument, kind, of_answer, choices, days)


def _answers(item: Item) -> tuple[str, ...]:
    """The values that an item can have; the one in force, too, for not all may know it."""
    skipping = staff_access.post().study.definition.skipping
    values = (*map(str, item.options.codes), *STATES_AS_VALUES)
    return tuple(one for one in values if fault(item, one, skipping) is None)


def _places(
    database: Session, person: Participant, submission: Submission, kind: str
) -> tuple[str, ...]:
    """Where a submission can be said to belong: another timepoint of the participant, another
    participant of the site, or nowhere."""
    here = staff_access.post()
    now = corrections.value_now(database, submission, kind, PLACES[kind])
    if kind == WRONG_TIMEPOINT:
        found = [one for one in sign_off.milestones(database, person.id) if one != sign_off.END]
    else:
        found = [*participants.numbers(database, here.study, frozenset({person.site_id}))]
    return tuple(one for one in (*found, VOID) if one != now)


def _faults(subject: Subject, given: Given) -> dict[str, str]:
    """What is wrong with a request, by field."""
    found: dict[str, str | None] = {}
    if given.get("new") not in subject.choices:
        answer = _("Please choose the right answer.")
        found["new"] = answer if subject.item else _("Please choose where it belongs.")
    if given.get("originator") not in ORIGINATORS:
        found["originator"] = _("Please choose whose wish it is.")
    if given.get("reason_code") not in REASONS:
        found["reason_code"] = _("Please choose the reason.")
    found["reason"] = text_fault(given.get("reason", ""), _("Please describe what happened."))
    found["evidence"] = text_fault(
        given.get("evidence", ""), _("Please name the source record that shows it.")
    )
    if subject.item is not None:
        found |= _confirmation_faults(subject, given)
    return {field: text for field, text in found.items() if text is not None}


def _confirmation_faults(subject: Subject, given: Given) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    if given.get("confirmed") != "yes":
        found["confirmed"] = _("A new answer needs the participant's confirmation.")
    found["confirmation"] = text_fault(
        given.get("confirmation", ""), _("Please describe how the participant confirmed it.")
    )
    day = staff_forms.day(given.get("confirmed_on", ""))
    first, last = subject.days
    if day is None:
        found["confirmed_on"] = _("Please enter the day on which the participant confirmed it.")
    elif not first <= day <= last:
        found["confirmed_on"] = _(
            "The participant can only have confirmed it after answering, and not in the future."
        )
    return found


def _wanted(subject: Subject, given: Given) -> Wanted:
    answer = subject.item is not None
    return Wanted(
        kind=subject.kind,
        new=given["new"],
        reason_code=given["reason_code"],
        reason=given["reason"],
        evidence=given["evidence"],
        originator=given["originator"],
        item=subject.item.code if subject.item is not None else None,
        confirmation=given["confirmation"] if answer else None,
        confirmed_on=staff_forms.day(given["confirmed_on"]) if answer else None,
    )


def _page(person: Participant, given: Given, faults: Mapping[str, str]) -> Page:
    """The step that comes next for what is given, or again with what is wrong by field."""
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        known = assessments.of_participant(database, person.id)
        subject = _subject(database, person, given)
        values = participant_frame.frame(person, "corrections.of_participant")
    submitted = {one.public_id: one for one in known if one.submission_id is not None}
    values |= {"given": given, "terms": correction_words, "submitted": submitted}
    if subject is not None:
        return _request_page(subject, faults, values)
    chosen = submitted.get(given.get("questionnaire", ""))
    if chosen is not None and given.get("kind") == ANSWER:
        return _item_page(chosen, values)
    faults = {}
    if "kind" in given or "sent" in request.args or request.method == "POST":
        if chosen is None:
            faults["questionnaire"] = _("Please choose the questionnaire.")
        if given.get("kind") not in KINDS:
            faults["kind"] = _("Please choose what is wrong.")
    page = render_template("correction_request/about.html", faults=faults, kinds=KINDS, **values)
    return (page, 422) if faults else page


def _words(instrument: Instrument) -> AnswerWords:
    return AnswerWords(staff_access.post().study.wordings, instrument, layout.language())


def _item_page(chosen: Known, values: dict[str, Any]) -> Page:
    instrument = house().library.instruments[chosen.instrument]
    asked = "item" in values["given"] or request.method == "POST"
    faults = {"which": _("Please choose the question.")} if asked else {}
    page = render_template(
        "correction_request/item.html",
        chosen=chosen,
        instrument=instrument,
        words_of=_words(instrument),
        faults=faults,
        **values,
    )
    return (page, 422) if faults else page


def _request_page(subject: Subject, faults: Mapping[str, str], values: dict[str, Any]) -> Page:
    page = render_template(
        "correction_request/form.html",
        subject=subject,
        words_of=_words(subject.instrument),
        reasons=REASONS,
        originators=ORIGINATORS,
        faults=faults,
        **values,
    )
    return (page, 422) if faults else page
