"""Answers read by staff: never shown before the trail was told who read them."""

from __future__ import annotations

from pro_app.models import Participant
from pro_app.services import answer_record
from pro_app.services.answer_record import AnswerRecord
from pro_app.web import staff_access
from pro_app.web.house import house


def record_of(person: Participant) -> AnswerRecord:
    """Everything that a participant submitted, with corrections and scores; put on record as read
    by who is signed in."""
    here, now = staff_access.post(), house().clock()
    with house().database.reading() as database:
        record = answer_record.answer_record(database, here.study, house().library, person.id, now)
    with house().database.writing() as database:
        answer_record.note_reading(
            database,
            person.id,
            here.person.actor,
            now,
            "participant",
            assessments=[one.known.public_id for one in record.sheets],
        )
    return record
