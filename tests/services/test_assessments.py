"""Opening assessments, finding a participant's own, and what there is to do today."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pro_app.core.assessment import Status
from pro_app.core.library import Library
from pro_app.core.licence import Wordings
from pro_app.core.schedule import Window
from pro_app.models import Assessment, AuditEntry
from pro_app.services import assessments, enrolment, studies
from pro_app.services.assessments import AssessmentError, Today
from tests.conftest import MORNING, Enrolled, Site

HOUR = timedelta(hours=1)


def test_a_timepoint_opens_its_instruments_in_the_protocols_order(site: Site) -> None:
    person = site.enrol()
    opened = site.open(person)
    assert [(one.instrument, one.place) for one in opened] == [("lupusqol", 1), ("sf36v1", 2)]
    assert len({one.public_id for one in opened}) == 2
    assert all(len(one.public_id) == 16 for one in opened)
    with site.database.reading() as session:
        entries = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "open_assessment")
        ).all()
        assert [one.detail["instrument"] for one in entries] == ["lupusqol", "sf36v1"]
        assert entries[0].detail["closes_at"] == (MORNING + 72 * HOUR).isoformat()
        assert [one.public_id for one in assessments.of_participant(session, person.id)] == [
            one.public_id for one in opened
        ]


def open_by(site: Site, person: Enrolled, window: Window, timepoint: str = "baseline") -> None:
    with site.database.writing() as session:
        assessments.open_timepoint(session, site.study, person.id, timepoint, window, site.clock())


def test_what_cannot_be_opened_is_told_why(site: Site, subtests: pytest.Subtests) -> None:
    person = site.enrol()
    good = Window(MORNING, MORNING, MORNING + HOUR)
    cases = [
        (replace(good, closes_at=MORNING - HOUR), "baseline", "in this order"),
        (replace(good, closes_at=MORNING), "baseline", "in this order"),
        (replace(good, due_at=MORNING - HOUR), "baseline", "in this order"),
        (replace(good, due_at=MORNING + 2 * HOUR), "baseline", "in this order"),
        (good, "day_3", "no timepoint 'day_3'; it has baseline, month_3"),
    ]
    for window, timepoint, reason in cases:
        with subtests.test(reason), pytest.raises(AssessmentError, match=reason):
            open_by(site, person, window, timepoint)
    open_by(site, person, good)
    with pytest.raises(AssessmentError, match="01-001 has baseline already"):
        open_by(site, person, good)
    with site.database.writing() as session:
        enrolment.withdraw(session, person.id, site.clock())
    with pytest.raises(AssessmentError, match="01-001 has withdrawn"):
        open_by(site, person, good, "month_3")
    with site.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Assessment)) == 2


def test_a_timepoint_can_be_repeated(site: Site) -> None:
    person = site.enrol()
    for occurrence in (1, 2, 3):
        assert site.open(person, occurrence=occurrence)[0].occurrence == occurrence


def test_the_smallest_window_is_open_for_a_moment(site: Site) -> None:
    person = site.enrol()
    tick = timedelta(microseconds=1)
    open_by(site, person, Window(MORNING, MORNING + tick, MORNING + tick))
    assert len(today(site, person).open) == 2


def today(site: Site, person: Enrolled) -> Today:
    with site.database.reading() as session:
        return assessments.today(session, site.study.definition, person.id, site.clock())


def test_today_tells_what_is_open_next_and_done(site: Site) -> None:
    person = site.enrol()
    assert today(site, person) == Today((), None, 0, None)
    lupusqol, sf36 = site.open(person)
    site.open(person, "month_3", opens=timedelta(days=90), closes=timedelta(days=97))
    first = today(site, person)
    assert [one.instrument for one in first.open] == ["lupusqol", "sf36v1"]
    assert first.next is not None
    assert (first.next.timepoint, first.done, first.received_at) == ("month_3", 0, None)
    site.clock.forward(minutes=7)
    site.answer_all(lupusqol)
    site.submit(lupusqol)
    second = today(site, person)
    assert [one.public_id for one in second.open] == [sf36.public_id]
    assert (second.done, second.received_at) == (1, MORNING + timedelta(minutes=7))
    site.clock.now = sf36.closes_at
    assert [one.instrument for one in today(site, person).open] == []


def test_what_was_begun_stays_open_for_the_grace_time(site: Site) -> None:
    person = site.enrol()
    lupusqol, _sf36 = site.open(person)
    site.answer(lupusqol, {"LQ01": 1})
    site.clock.now = lupusqol.closes_at + HOUR
    assert [one.instrument for one in today(site, person).open] == ["lupusqol"]
    site.clock.forward(hours=1)
    assert today(site, person).open == ()


def test_only_answers_given_in_time_begin_a_questionnaire(site: Site) -> None:
    person = site.enrol()
    assessment, _ = site.open(person)
    site.clock.now = assessment.closes_at
    site.answer(assessment, {"LQ01": 1})
    assert site.known(assessment).facts.started_at is None
    assert site.known(assessment).status(site.clock(), HOUR) is Status.MISSED


def test_somebody_elses_is_as_unknown_as_none(site: Site) -> None:
    mine, other = site.enrol("01-001"), site.enrol("01-002")
    assessment = site.open(mine)[0]
    for find in (assessments.find_own, assessments.hold_own):
        with site.database.writing() as session:
            assert find(session, assessment.public_id, other.id) is None
            assert find(session, "unknown", mine.id) is None
            found = find(session, assessment.public_id, mine.id)
            assert found is not None
            assert found.id == assessment.id


def test_a_questionnaire_without_its_wording_is_not_expected(site: Site) -> None:
    person = site.enrol(language="ta")
    lupusqol, _ = site.open(person)
    lacking = Library(
        site.library.instruments,
        {key: one for key, one in site.library.wordings.items() if key != ("lupusqol", "ta")},
    )

    def told() -> list[tuple[Status, str | None]]:
        with site.database.reading() as session:
            withheld = studies.current(session, lacking, site.study.id).wordings.withheld
            found = assessments.of_participant(session, person.id, withheld)
        states = [one.status(site.clock(), site.study.definition.grace) for one in found]
        remarks = map(assessments.remark_on, found, states)
        return list(zip(states, remarks, strict=True))

    assert told() == [(Status.NOT_EXPECTED, "no_wording"), (Status.OPEN, None)]
    site.answer(lupusqol, {"LQ01": 3}, "en")  # begun in a language that has it
    assert told() == [(Status.IN_PROGRESS, None), (Status.OPEN, None)]
    site.clock.forward(days=9)
    assert told() == [(Status.MISSED, "partial"), (Status.MISSED, "not_started")]


def test_a_language_that_an_amendment_took_away_is_withheld(site: Site) -> None:
    narrower = replace(site.study.definition, languages=("en", "ms"))
    assert ("lupusqol", "ta") in Wordings(narrower, site.library).withheld.always
    assert not Wordings(site.study.definition, site.library).withheld
