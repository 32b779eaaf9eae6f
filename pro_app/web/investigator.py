"""What an investigator sees of one participant: every answer, correction and score."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template

from pro_app.core.corrections import value_of
from pro_app.core.scoring import half_up
from pro_app.models import Participant
from pro_app.services.answer_record import Sheet
from pro_app.web import (
    correction_words,
    layout,
    locale,
    participant_frame,
    reading_answers,
    staff_access,
)
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
    reworded: bool  # some of what was read is not at hand: it is shown in another wording


def _shown(sheet: Sheet) -> Shown:
    sealed = [one.sealed for one in sheet.items if one.sealed is not None]
    read = {str(one["language"]): str(one["wording"]) for one in sealed}
    wordings = staff_access.post().study.wordings
    words = AnswerWords(wordings, sheet.instrument, layout.language(), read)
    languages = tuple(dict.fromkeys(str(one["language"]) for one in sealed))
    return Shown(
        sheet,
        words,
        languages,
        words.is_demonstration(*languages),
        not all(words.is_kept(one["wording"]) for one in sealed),
    )


@blueprint.get("/answers")
@staff_only("investigator")
def answers(number: str) -> str:
    """Everything that was submitted, with corrections and scores. The trail is told who read it
    before it is shown."""
    person = staff_access.participant(number, "investigator")
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        values = participant_frame.frame(person, "investigator.answers")
    record = reading_answers.record_of(person)
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
