"""Rates of completion, by hand and against the record of each participant."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from pro_app.core.assessment import Status
from pro_app.core.library import Library
from pro_app.models import Database
from pro_app.models import Site as SiteRow
from pro_app.services import assessments, rates
from pro_app.services.rates import Rate, Rates, Visit
from tests.conftest import TestClock
from tests.services.counting import statements
from tests.services.trial import Trial, load_trial, local

VISITS = 5  # of the calendar, two instruments each
POPULATION = 2 * VISITS


def rates_of(trial: Trial, *sites: str) -> Rates:
    with trial.database.reading() as session:
        codes = sa.select(SiteRow.id).where(SiteRow.code.in_(sites))
        ids = frozenset(session.scalars(codes)) if sites else None
        return rates.rates(session, trial.study, ids, trial.clock())


def test_an_empty_study(trial: Trial) -> None:
    found = rates_of(trial)
    assert found.whole == Rate()
    assert (found.whole.of_expected, found.whole.of_population) == (None, None)
    calendar = ["baseline", "day_28", "month_3", "month_6", "yearly"]
    assert found.visits == {Visit(code, 1): Rate() for code in calendar}
    assert (found.sites, found.languages) == ({}, {})


def test_numerators_and_denominators(trial: Trial) -> None:
    """Four people: both questionnaires, one of them late, none, and one who withdrew at once."""
    both, late, none = (trial.enrol(f"01-00{n}", "ms") for n in (1, 2, 3))
    gone = trial.enrol("02-001", "ta")
    trial.complete(both, "baseline")
    trial.withdraw(gone)
    assert rates_of(trial).whole == Rate(2, 0, 6, 4, 2, 4 * POPULATION)
    trial.clock.now = local(2026, 12, 6, 22, 59)
    trial.begin(late, "baseline")
    trial.clock.forward(minutes=2)
    trial.complete(late, "baseline", "lupusqol")
    found = rates_of(trial)
    assert found.whole == Rate(3, 1, 6, 0, 3, 4 * POPULATION)
    assert found.whole.of_expected == 3 / 6
    assert found.whole.of_population == 3 / 40
    assert found.visits[Visit("baseline", 1)] == Rate(3, 1, 6, 0, 3, 8)
    assert found.visits[Visit("month_3", 1)] == Rate(population=8)
    assert found.sites == {
        "01": Rate(3, 1, 6, 0, 3, 3 * POPULATION),
        "02": Rate(population=POPULATION),
    }
    assert found.languages == {
        "ms": Rate(3, 1, 6, 0, 3, 3 * POPULATION),
        "ta": Rate(population=POPULATION),
    }
    assert none.number == "01-003"


def test_visits_by_hand_have_no_population(trial: Trial) -> None:
    person = trial.enrol()
    trial.open(person, "unscheduled")
    trial.complete(person, "unscheduled")
    found = rates_of(trial)
    by_hand = found.visits[Visit("unscheduled", 1)]
    assert by_hand == Rate(submitted=2, expected=2)
    assert (by_hand.of_expected, by_hand.of_population) == (1.0, None)
    assert found.whole == Rate(2, 0, 4, 2, 0, POPULATION)
    assert found.whole.of_population == 0.0
    assert list(found.visits)[-1] == Visit("unscheduled", 1)


def test_a_repeated_visit_is_counted_once_it_has_opened(trial: Trial) -> None:
    trial.infuse(trial.enrol(on=date(2025, 1, 6)), date(2025, 1, 6))
    found = rates_of(trial)
    yearly = [one for one in found.visits if one.timepoint == "yearly"]
    assert yearly == [Visit("yearly", 1)]
    assert found.visits[yearly[0]] == Rate(expected=2, population=2)
    trial.clock.now = local(2027, 1, 6, 9)
    found = rates_of(trial)
    assert found.visits[Visit("yearly", 2)] == Rate(expected=2, undone=2, population=2)
    assert found.whole.population == 2 * (VISITS + 1)


def test_a_language_without_wording_is_not_expected(
    database: Database, library: Library, clock: TestClock
) -> None:
    """A live study without a licence can expect nothing of anybody."""
    trial = load_trial(database, library, clock)
    trial.enrol()
    trial.amend(lambda content: content.update(status="live"))
    trial.study = trial.study.of_tests()
    assert rates_of(trial).whole == Rate(population=POPULATION)


@pytest.mark.parametrize("sites", [(), ("01",), ("02",)])
def test_the_same_numbers_as_the_records_of_the_participants(
    trial: Trial, sites: tuple[str, ...]
) -> None:
    people = [
        trial.enrol(f"0{1 + n % 2}-{n:03}", ("ms", "en", "ta")[n % 3], date(2026, 11, 1 + n))
        for n in range(12)
    ]
    for place, person in enumerate(people):
        trial.infuse(person, date(2026, 11, 5 + place))
        if trial.statuses(person)["baseline", 1, "lupusqol"][0] is Status.OPEN:
            trial.complete(person, "baseline", *["lupusqol", "sf36v1"][: 1 + place % 2])
    trial.withdraw(people[3])
    trial.record_death(people[10])
    grace = trial.study.definition.grace
    for now in (trial.clock(), local(2026, 12, 9, 9), local(2027, 2, 8, 9)):
        trial.clock.now = now
        said = rates_of(trial, *sites)
        shown = [one for one in people if not sites or one.number[:2] in sites]
        with trial.database.reading() as session:
            found = [
                (one.timepoint, one.status(now, grace), person.language, person.number[:2])
                for person in shown
                for one in assessments.of_participant(session, person.id)
            ]
            ids = (
                None
                if not sites
                else frozenset(
                    session.scalars(sa.select(SiteRow.id).where(SiteRow.code.in_(sites)))
                )
            )
            progress = rates.progress(session, trial.study, ids, now)
        done = [one for one in found if one[1] in {Status.COMPLETED, Status.COMPLETED_LATE}]
        missing = {Status.MISSED, Status.OPEN, Status.IN_PROGRESS}
        expected = len(done) + sum(one[1] in missing for one in found)
        assert progress == (said.whole.submitted, said.whole.expected) == (len(done), expected)
        for language, rate in said.languages.items():
            assert rate.submitted == sum(one[2] == language for one in done)
        for code, rate in said.sites.items():
            assert rate.submitted == sum(one[3] == code for one in done)
        for visit, rate in said.visits.items():
            assert rate.population == 2 * len(shown)
            assert rate.submitted == sum(one[0] == visit.timepoint for one in done)
        for several in (said.languages, said.sites, said.visits):
            assert sum(one.expected for one in several.values()) == expected
            assert sum(one.population for one in several.values()) == said.whole.population


def test_a_site_without_anybody(trial: Trial) -> None:
    trial.enrol("01-001")
    assert rates_of(trial, "02").whole == Rate()
    with trial.database.reading() as session:
        found = rates.rates(session, trial.study, frozenset(), trial.clock())
    assert found.whole == Rate()


def test_the_number_of_statements_does_not_grow(trial: Trial) -> None:
    trial.enrol()
    with statements(trial.database) as of_one:
        rates_of(trial)
    for n in range(2, 8):
        trial.clock.now += timedelta(hours=1)
        trial.enrol(f"0{1 + n % 2}-{n:03}", ("ms", "ta")[n % 2])
    with statements(trial.database) as of_many:
        rates_of(trial)
    assert len(of_one) == len(of_many) == 3
