"""What may be entered in a participant's place, and which sheets wait for a second person."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from pro_app.core.assessment import Status
from pro_app.models import Assessment
from pro_app.models import Site as SiteRow
from pro_app.services import missed, to_enter, transcription
from pro_app.services.paper import Paper, Value
from pro_app.services.to_enter import Line, Waiting
from tests.conftest import Enrolled
from tests.services.people import staff
from tests.services.trial import Trial

TODAY = date(2026, 11, 23)


def lines(trial: Trial, person: Enrolled) -> dict[tuple[str, str], Line]:
    """By timepoint and instrument."""
    with trial.database.reading() as session:
        found = to_enter.lines(session, trial.study, person.id, trial.clock())
    return {(one.known.timepoint, one.known.instrument): one for one in found}


def begin(trial: Trial, about: Assessment, by: int, mode: str = "paper") -> str:
    with trial.database.writing() as session:
        return transcription.begin(
            session, trial.study, about.participant_id, about.public_id, mode,
            Paper(TODAY, "en"), by, trial.clock(),
        ).public_id  # fmt: skip


def hand_over(trial: Trial, about: Assessment, by: int) -> str:
    """A whole sheet that waits for a second person."""
    sheet, items = begin(trial, about, by), trial.library.instruments[about.instrument].items
    values: dict[str, Value] = {one.code: one.options.codes[0] for one in items}
    with trial.database.writing() as session:
        given = (session, trial.study, trial.library, sheet)
        transcription.enter(*given, values, by, trial.clock())
        transcription.finish(*given, by, trial.clock())
    return sheet


def waiting(trial: Trial, *sites: str) -> list[Waiting]:
    with trial.database.reading() as session:
        codes = sa.select(SiteRow.id).where(SiteRow.code.in_(sites))
        ids = frozenset(session.scalars(codes)) if sites else None
        return list(to_enter.to_check(session, trial.study, ids))


def count(trial: Trial, who: int) -> int:
    with trial.database.reading() as session:
        return to_enter.count_to_check(session, trial.study, None, who)


def test_what_has_opened_and_is_not_submitted(trial: Trial) -> None:
    person = trial.enrol()
    assert {one: line.status for one, line in lines(trial, person).items()} == {
        ("baseline", "lupusqol"): Status.OPEN, ("baseline", "sf36v1"): Status.OPEN,
    }  # fmt: skip
    trial.begin(person, "baseline")
    trial.complete(person, "baseline", "sf36v1")
    assert {one: line.status for one, line in lines(trial, person).items()} == {
        ("baseline", "lupusqol"): Status.IN_PROGRESS,
    }  # fmt: skip


def test_what_was_missed_with_the_newest_reason(trial: Trial) -> None:
    person = trial.enrol()
    about = trial.assessments(person)["baseline", 1, "lupusqol"]
    trial.clock.forward(days=20)
    for code in ("not_reached", "too_ill"):
        with trial.database.writing() as session:
            missed.record(
                session, trial.study, person.id, about.public_id, code, "", None, trial.clock()
            )
    found = lines(trial, person)["baseline", "lupusqol"]
    assert found.status is Status.MISSED
    assert found.reason is not None
    assert found.reason.code == "too_ill"


def test_paper_of_before_a_withdrawal_can_still_be_entered(trial: Trial) -> None:
    person = trial.enrol()
    trial.clock.forward(days=2)
    trial.withdraw(person)
    statuses = {one.status for one in lines(trial, person).values()}
    assert statuses == {Status.NOT_EXPECTED}


def test_a_sheet_that_is_being_entered_stays_listed_when_the_phone_submits(trial: Trial) -> None:
    (ana,) = staff(trial.database, "ana")
    person = trial.enrol()
    about = trial.assessments(person)["baseline", 1, "lupusqol"]
    sheet = begin(trial, about, ana)
    trial.complete(person, "baseline")
    found = lines(trial, person)["baseline", "lupusqol"]
    assert found.sheet is not None
    assert (found.status, found.sheet.public_id) == (Status.COMPLETED, sheet)
    assert ("baseline", "sf36v1") not in lines(trial, person)


def test_who_may_check_what(trial: Trial) -> None:
    """Sheets of the own sites, none of one's own; drafts wait for nobody."""
    ana, ben = staff(trial.database, "ana", "ben")
    here, there = trial.enrol(), trial.enrol("02-001")
    first = hand_over(trial, trial.assessments(here)["baseline", 1, "lupusqol"], ana)
    trial.clock.forward(minutes=1)
    second = hand_over(trial, trial.assessments(there)["baseline", 1, "lupusqol"], ben)
    begin(trial, trial.assessments(here)["baseline", 1, "sf36v1"], ana)
    assert [one.public_id for one in waiting(trial)] == [first, second]
    assert [one.public_id for one in waiting(trial, "02")] == [second]
    (one,) = waiting(trial, "01")
    assert (one.number, one.site, one.instrument, one.entered_by_name) == (
        "01-001", "01", "lupusqol", "ana",
    )  # fmt: skip
    assert (one.compared, one.conflict, one.completed_on) == (False, None, TODAY)
    assert (count(trial, ana), count(trial, ben), count(trial, 0)) == (1, 1, 2)
    with trial.database.reading() as session:
        mine = to_enter.of_mine(session, trial.study, None, ana)
        nobodys = to_enter.of_mine(session, trial.study, frozenset(), ana)
    assert [(one.instrument, one.state) for one in mine] == [("sf36v1", "draft")]
    assert nobodys == []
