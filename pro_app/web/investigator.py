"""What an investigator sees of one participant: every answer, correction and score."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template

from pro_app.core.corrections import value_of
from pro_app.core.scoring import half_up
from pro_app.models import Participant
from pro_app.services import answer_record
from pro_app.services.answer_record import Sheet
from pro_app.web import correction_words, layout, locale, participant_frame, staff_access
from pro_app.web.answer_words import AnswerWords
from pro_app.web.house import house
from pro_app.web.staff_access import staff_only

blueprint = Blueprint("investigator", __name__, url_prefix="/staff/<study>/participants/<number>")
blueprint.url_value_preprocessor(staff_access.take_study)


@dataclass(frozen=True, slots=True)
class Shown:
    """A submitted questionnaire with the words in which it is shown."""

    sheet: Sheet
    words: AnswerWords
    languages: tuple[str, ...]  # in which it was answered
    demonstration: bool
    reworded: bool  # some of what was read has another wording by now


def _shown(sheet: Sheet) -> Shown:
    words = AnswerWords(house().library, sheet.instrument, layout.language())
    sealed = [one.sealed for one in sheet.items if one.sealed is not None]
    languages = tuple(dict.fromkeys(str(one["language"]) for one in sealed))
    return Shown(
        sheet,
        words,
        languages,
        words.is_demonstration(*languages),
        not all(words.is_now(one["language"], one["wording"]) for one in sealed),
    )


@blueprint.get("/answers")
@staff_only("investigator")
def answers(number: str) -> str:
    """Everything that was submitted, with corrections and scores. The trail is told who read it
    before it is shown."""
    here, now = staff_access.post(), house().clock()
    person = staff_access.participant(number, "investigator")
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        record = answer_record.answer_record(database, here.study, house().library, person.id, now)
        values = participant_frame.frame(person, "investigator.answers")
    with house().database.writing() as database:
        answer_record.note_reading(
            database,
            person.id,
            here.person.actor,
            now,
            "participant",
            assessments=[one.known.public_id for one in record.sheets],
        )
    return render_template(
        "investigator/answers.html",
        shown=[_shown(one) for one in record.sheets],
        unsubmitted=record.unsubmitted,
        terms=correction_words,
        value_of=value_of,
        half_up=half_up,
        language_names=locale.NAMES,
        **values,
    )
