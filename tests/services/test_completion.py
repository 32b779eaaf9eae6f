"""The matrix of participants and timepoints: states merged, pages, search, sites."""

from __future__ import annotations

import itertools
from datetime import date

import pytest
import sqlalchemy as sa

from pro_app.core.assessment import Status
from pro_app.models import Site as SiteRow
from pro_app.services import assessments, completion, reminders
from pro_app.services.completion import URGENCY, Matrix, merged
from tests.conftest import Enrolled
from tests.services.counting import statements
from tests.services.trial import Trial, local, timepoint

BASELINE, DAY_28, MONTH_3, YEARLY, UNSCHEDULED = 0, 1, 2, 4, 5


def matrix_of(
    trial: Trial, search: str = "", page: int = 1, per_page: int = 50, sites: tuple[str, ...] = ()
) -> Matrix:
    with trial.database.reading() as session:
        codes = sa.select(SiteRow.id).where(SiteRow.code.in_(sites))
        ids = frozenset(session.scalars(codes)) if sites else None
        return completion.matrix(session, trial.study, ids, trial.clock(), search, page, per_page)


def states(trial: Trial, person: Enrolled) -> list[Status | None]:
    (row,) = [one for one in matrix_of(trial).rows if one.number == person.number]
    return [None if cell is None else cell.state for cell in row.cells]


def numbers(found: Matrix) -> list[str]:
    return [one.number for one in found.rows]


@pytest.mark.parametrize(("several", "one"), [
    ((Status.COMPLETED, Status.OPEN), Status.OPEN),
    ((Status.OPEN, Status.IN_PROGRESS), Status.IN_PROGRESS),
    ((Status.COMPLETED, Status.IN_PROGRESS), Status.IN_PROGRESS),
    ((Status.MISSED, Status.IN_PROGRESS), Status.IN_PROGRESS),
    ((Status.COMPLETED, Status.MISSED), Status.MISSED),
    ((Status.NOT_DUE, Status.COMPLETED), Status.NOT_DUE),
    ((Status.COMPLETED, Status.COMPLETED_LATE), Status.COMPLETED_LATE),
    ((Status.NOT_EXPECTED, Status.COMPLETED), Status.COMPLETED),
    ((Status.NOT_EXPECTED, Status.NOT_EXPECTED), Status.NOT_EXPECTED),
])  # fmt: skip
def test_the_state_that_is_told_of_several(several: tuple[Status, ...], one: Status) -> None:
    assert merged(several) is merged(reversed(several)) is one


def test_merging_knows_every_status() -> None:
    assert sorted(URGENCY) == sorted(Status)
    assert all(merged([one]) is one for one in Status)
    for one, other in itertools.permutations(Status, 2):
        assert merged([one, other]) in {one, other}


def test_an_empty_study(trial: Trial) -> None:
    found = matrix_of(trial)
    codes = ("baseline", "day_28", "month_3", "month_6", "yearly", "unscheduled")
    assert found == Matrix(codes, (), 0, 1, 1)


def test_a_way_through_the_protocol(trial: Trial) -> None:
    """The states of one person's timepoints, as time passes and questionnaires are answered."""
    person = trial.enrol()
    assert states(trial, person) == [Status.OPEN, None, None, None, None, None]
    trial.infuse(person, date(2026, 12, 1))
    trial.complete(person, "baseline")
    assert states(trial, person)[:3] == [Status.COMPLETED, Status.NOT_DUE, Status.NOT_DUE]
    trial.clock.now = local(2026, 12, 29, 9)
    assert states(trial, person)[DAY_28] is Status.OPEN
    trial.begin(person, "day_28")
    assert states(trial, person)[DAY_28] is Status.IN_PROGRESS
    trial.clock.now = local(2027, 1, 2, 9)
    assert states(trial, person)[DAY_28] is Status.MISSED
    trial.clock.now = local(2027, 3, 8, 22, 59)
    for instrument in ("lupusqol", "sf36v1"):
        trial.begin(person, "month_3", instrument)
    trial.clock.forward(minutes=2)
    trial.complete(person, "month_3")
    assert states(trial, person)[MONTH_3] is Status.COMPLETED_LATE


def test_instruments_that_differ_are_each_told(trial: Trial) -> None:
    person = trial.enrol()
    trial.complete(person, "baseline", "lupusqol")
    cell = matrix_of(trial).rows[0].cells[BASELINE]
    assert cell is not None
    assert (cell.state, cell.partly) == (Status.OPEN, True)
    assert cell.instruments == (("lupusqol", Status.COMPLETED), ("sf36v1", Status.OPEN))
    trial.complete(person, "baseline", "sf36v1")
    cell = matrix_of(trial).rows[0].cells[BASELINE]
    assert cell is not None
    assert (cell.state, cell.partly) == (Status.COMPLETED, False)


def test_repeated_and_unscheduled_visits_are_noted(trial: Trial) -> None:
    person = trial.enrol(on=date(2026, 11, 1))
    trial.infuse(person, date(2026, 11, 2))
    for occurrence in (1, 2):
        trial.open(person, "unscheduled", occurrence=occurrence)
    trial.complete(person, "unscheduled", occurrence=2)
    cells = matrix_of(trial).rows[0].cells
    yearly, unscheduled = cells[YEARLY], cells[UNSCHEDULED]
    assert yearly is not None
    assert unscheduled is not None
    assert (yearly.state, yearly.further) == (
        Status.NOT_DUE,
        ((2, Status.NOT_DUE), (3, Status.NOT_DUE)),
    )
    assert (unscheduled.state, unscheduled.further) == (Status.OPEN, ((2, Status.COMPLETED),))


def test_who_has_withdrawn_died_or_is_paused(trial: Trial) -> None:
    gone, dead, quiet = (trial.enrol(f"01-00{n}") for n in (1, 2, 3))
    trial.complete(gone, "baseline", "lupusqol")
    trial.withdraw(gone)
    trial.record_death(dead)
    with trial.database.writing() as session:
        reminders.pause(session, quiet.id, trial.clock())
    rows = matrix_of(trial).rows
    assert [one.standing for one in rows] == ["withdrawn", "died", "paused"]
    assert states(trial, gone)[BASELINE] is Status.COMPLETED
    assert states(trial, dead)[BASELINE] is Status.NOT_EXPECTED
    assert states(trial, quiet)[BASELINE] is Status.OPEN


def test_the_same_word_as_the_record_of_each_participant(trial: Trial) -> None:
    people = [trial.enrol(f"01-00{n}", on=date(2026, 11, 8 + n)) for n in range(1, 8)]
    for place, person in enumerate(people):
        trial.infuse(person, date(2026, 11, 16 + place))
        if place % 2:
            trial.complete(person, "baseline", *["lupusqol", "sf36v1"][: place % 3])
    trial.withdraw(people[4])
    grace = trial.study.definition.grace
    for now in (trial.clock(), local(2026, 12, 9, 9), local(2027, 2, 8, 9)):
        trial.clock.now = now
        found = matrix_of(trial)
        rows = {one.participant_id: one for one in found.rows}
        for person in people:
            with trial.database.reading() as session:
                known = assessments.of_participant(session, person.id)
            said = [
                (code, *pair)
                for code, cell in zip(
                    matrix_of(trial).timepoints, rows[person.id].cells, strict=True
                )
                if cell is not None
                for pair in cell.instruments
            ]
            first = [one for one in known if one.occurrence == 1]
            assert sorted(said) == sorted(
                (one.timepoint, one.instrument, one.status(now, grace)) for one in first
            )


def test_pages_and_search(trial: Trial) -> None:
    for site, n in itertools.product(("01", "02"), (1, 2, 10, 11, 12)):
        trial.enrol(f"{site}-{n:03}")
    whole = numbers(matrix_of(trial))
    assert whole == sorted(whole)
    pages = [matrix_of(trial, page=n, per_page=4) for n in (1, 2, 3)]
    assert [number for page in pages for number in numbers(page)] == whole
    assert {(one.total, one.pages) for one in pages} == {(10, 3)}
    beyond = matrix_of(trial, page=9, per_page=4)
    assert (beyond.page, numbers(beyond)) == (3, whole[8:])
    assert matrix_of(trial, page=0, per_page=4).page == 1
    assert numbers(matrix_of(trial, "01-01")) == ["01-010", "01-011", "01-012"]
    for nobody in ("%", "_1", "1-0", "03"):
        assert (numbers(matrix_of(trial, nobody)), matrix_of(trial, nobody).total) == ([], 0)


def test_nobody_sees_another_site(trial: Trial) -> None:
    trial.enrol("01-001")
    trial.enrol("02-001")
    for sites in (("01",), ("02",)):
        found = matrix_of(trial, sites=sites)
        assert (numbers(found), found.total) == ([f"{sites[0]}-001"], 1)
        assert {one.site for one in found.rows} == set(sites)
    assert matrix_of(trial, "02", sites=("01",)).total == 0
    with trial.database.reading() as session:
        everything = (session, trial.study)
        assert completion.matrix(*everything, frozenset(), trial.clock()).rows == ()


def test_a_timepoint_that_an_amendment_took_away_stands_last(trial: Trial) -> None:
    person = trial.enrol(on=date(2026, 11, 1))
    trial.infuse(person, date(2026, 11, 2))
    trial.amend(lambda content: content["timepoints"].remove(timepoint(content, "day_28")))
    trial.plan()
    found = matrix_of(trial)
    assert found.timepoints[-1] == "day_28"
    cell = found.rows[0].cells[-1]
    assert cell is not None
    assert cell.state is Status.NOT_EXPECTED


def test_the_number_of_statements_does_not_grow(trial: Trial) -> None:
    for n in range(1, 13):
        trial.enrol(f"01-{n:03}")
    with statements(trial.database) as of_three:
        matrix_of(trial, per_page=3)
    with statements(trial.database) as of_twelve:
        matrix_of(trial)
    assert len(of_twelve) == len(of_three) <= 4
