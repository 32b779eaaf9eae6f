"""One participant's data for who may see them: answers, corrections, scores, and who has looked."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from pro_app.models import AuditEntry
from pro_app.services import answer_record, audit
from pro_app.services.answer_record import AnswerRecord
from tests.conftest import Site
from tests.services.correcting import ADMINISTRATIVE, REJECTED, Desk, open_desk


@pytest.fixture
def desk(site: Site) -> Desk:
    return open_desk(site)


def record(desk: Desk) -> AnswerRecord:
    site = desk.site
    with site.database.reading() as session:
        return answer_record.answer_record(
            session, site.study, site.library, desk.assessment.participant_id, site.clock()
        )


def test_every_item_of_a_submission_is_told_with_its_state(desk: Desk) -> None:
    (sheet,) = record(desk).sheets
    assert len(sheet.items) == 34
    states = {one.code: one.sealed and one.sealed["state"] for one in sheet.items}
    assert (states["LQ01"], states["LQ02"]) == ("answered", "skipped")
    assert all(one.changes == () for one in sheet.items)
    assert sheet.receipt.count("-") == 2


def test_what_is_not_submitted_says_how_far_it_is_and_no_answer(desk: Desk) -> None:
    found = record(desk)
    (waiting,) = found.unsubmitted
    assert (waiting.known.instrument, waiting.status, waiting.answered) == ("sf36v1", "open", 0)
    other = desk.site.open(desk.site.enrol("01-002"))[1]
    desk.site.answer(other, {"GH01": 1, "HT": "skipped"})
    with desk.site.database.reading() as session:
        study, library = desk.site.study, desk.site.library
        now = desk.site.clock()
        more = answer_record.answer_record(session, study, library, other.participant_id, now)
    half = more.unsubmitted[1]
    assert (half.status, half.answered, half.of) == ("in_progress", 2, 36)


def test_approved_corrections_stand_at_their_items_with_the_scores_after_each(desk: Desk) -> None:
    first, second = desk.correct(new="3"), desk.correct(new="0")
    desk.decide(desk.request(item="LQ03"), REJECTED)
    desk.request(item="LQ04")
    mark = desk.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="month_3/1")
    (sheet,) = record(desk).sheets
    told = {one.code: [each.public_id for each in one.changes] for one in sheet.items}
    assert {code: ids for code, ids in told.items() if ids} == {
        "LQ01": [first.public_id, second.public_id]
    }
    assert [one.public_id for one in sheet.marks] == [mark.public_id]
    (table,) = sheet.scores
    values = {row.code: [one and one.value for one in row.results] for row in table.rows}
    assert all(len(row.results) == 3 for row in table.rows)
    before, after, last = (one or 0 for one in values["LQPH"])
    assert last < before < after
    assert len(set(values["LQPAIN"])) == 1


def test_a_reading_is_told_without_a_value(desk: Desk) -> None:
    participant_id = desk.assessment.participant_id
    with desk.site.database.writing() as session:
        answer_record.note_reading(
            session, participant_id, "staff/1", desk.site.clock(), "participant", receipts=["x"]
        )
    with desk.site.database.reading() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action == "read_answers")
        entry = session.scalars(query).one()
        assert entry.stream == audit.participant_stream(participant_id)
        told = (entry.actor, entry.object, entry.old, entry.new, entry.detail)
        assert told == ("staff/1", "participant", None, None, {"receipts": ["x"]})
        assert list(audit.verify(session)) == []
