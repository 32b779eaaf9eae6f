"""Status as SQL says it, and as Python says it: the same, whatever the facts."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pro_app.core.assessment import Facts, Status, status
from pro_app.core.licence import Gap, Withheld
from pro_app.models import Answer, Assessment, Participant, Submission
from pro_app.services import assessments
from pro_app.services.status import NOTHING, expected, expression, undone
from tests.conftest import MORNING, Site

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
GRACE = 2 * HOUR
LANGUAGES = ("en", "ta")
INSTRUMENTS = ("lupusqol", "sf36v1")
PAIRS = list(itertools.product(INSTRUMENTS, LANGUAGES))
numbers = itertools.count()

# few moments, so that they often fall together, and the neighbours of each
moments = st.builds(
    lambda hours, ticks: MORNING + hours * HOUR + ticks * TICK,
    st.integers(-4, 8),
    st.sampled_from([0, 0, 0, -1, 1]),
)
Case = tuple[str, str, Facts]  # instrument, language, facts


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """The facts of an assessment, not only those that usually come together."""
    opens_at = draw(moments)
    facts = Facts(
        opens_at,
        opens_at + draw(st.sampled_from([TICK, HOUR, 2 * HOUR, 5 * HOUR])),
        draw(st.none() | moments),
        draw(st.none() | st.none() | moments),
        withdrawn_at=draw(st.none() | moments),
        died_at=draw(st.none() | st.none() | moments),
        cancelled_at=draw(st.none() | st.none() | moments),
        placed_at=draw(st.none() | moments),
    )
    late = facts.submitted_at is not None and draw(st.booleans())
    instrument, language = draw(st.sampled_from(PAIRS))
    return instrument, language, replace(facts, late=late)


def insert(site: Site, found: list[Case]) -> dict[int, Facts]:
    """A person with one assessment for each case: the facts by assessment id."""
    with site.database.writing() as session:
        site_id = session.scalar(sa.text("SELECT min(id) FROM site"))
        people = [person(site, site_id, language, facts) for _, language, facts in found]
        session.add_all(people)
        session.flush()
        rows = [
            assessment(one.id, instrument, facts)
            for one, (instrument, _, facts) in zip(people, found, strict=True)
        ]
        session.add_all(rows)
        session.flush()
        known = {row.id: facts for row, (_, _, facts) in zip(rows, found, strict=True)}
        answers = [row for key, facts in known.items() for row in operations(key, facts)]
        session.execute(sa.insert(Answer), answers)
        session.add_all(
            submission(key, facts) for key, facts in known.items() if facts.submitted_at
        )
    return known


def person(site: Site, site_id: Any, language: str, facts: Facts) -> Participant:
    return Participant(
        study_id=site.study.id,
        site_id=site_id,
        number=f"01-{next(numbers):06}",
        language=language,
        created_at=MORNING,
        withdrawn_at=facts.withdrawn_at,
        died_at=facts.died_at,
    )


def assessment(participant_id: int, instrument: str, facts: Facts) -> Assessment:
    return Assessment(
        public_id=f"status{next(numbers)}",
        participant_id=participant_id,
        timepoint="baseline",
        instrument=instrument,
        place=1,
        opens_at=facts.opens_at,
        due_at=facts.opens_at,
        closes_at=facts.closes_at,
        created_at=MORNING,
        scheduled=True,
        placed_at=facts.placed_at,
        cancelled_at=facts.cancelled_at,
        sealed_late=None if facts.submitted_at is None else facts.late,
    )


def operations(assessment_id: int, facts: Facts) -> list[dict[str, Any]]:
    """What began an assessment, and an answer that did not, since it came after closing."""
    taps = [(facts.closes_at, "after_closing")]
    if facts.started_at is not None:
        taps += [(facts.started_at, "in_time"), (facts.started_at + HOUR, "late")]
    return [
        {
            "operation": f"status{next(numbers)}",
            "assessment_id": assessment_id,
            "item": "Q1",
            "state": "skipped",
            "code": None,
            "standing": standing,
            "prompted": True,
            "answered_at": at,
            "received_at": at,
            "language": "en",
            "wording": "w",
            "mode": "own_phone",
            "originator": "participant",
        }
        for at, standing in taps
    ]


def submission(assessment_id: int, facts: Facts) -> Submission:
    assert facts.submitted_at is not None
    return Submission(
        assessment_id=assessment_id,
        receipt="r",
        started_at=facts.submitted_at,
        completed_at=facts.submitted_at,
        submitted_at=facts.submitted_at,
        late=facts.late,
        answers={},
        instrument_fingerprint="f",
        study_version=1,
        mode="own_phone",
    )


def as_sql_says(
    site: Site, ids: list[int], now: datetime, grace: timedelta, withheld: Withheld
) -> dict[int, str]:
    query = (
        sa.select(Assessment.id, expression(now, grace, withheld))
        .join(Participant, Participant.id == Assessment.participant_id)
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .where(Assessment.id.in_(ids))
        .order_by(Assessment.id)  # a test compares the list
    )
    with site.database.reading() as session:
        said = {row[0]: row[1] for row in session.execute(query)}
    return {key: said[key] for key in ids}


@st.composite
def gaps(draw: st.DrawFn) -> Gap:
    """A time without wording, at the people's own site (0), another one or all."""
    from_at, until = draw(st.none() | moments), draw(st.none() | moments)
    if from_at is not None and until is not None:
        from_at, until = min(from_at, until), max(from_at, until)
    return Gap(*draw(st.sampled_from(PAIRS)), draw(st.sampled_from([None, 0, -1])), from_at, until)


def home(site: Site) -> int:
    """The site that everybody here is enrolled at."""
    with site.database.reading() as session:
        found = set(session.scalars(sa.select(Participant.site_id)))
    return found.pop() if len(found) == 1 else -2


CLOSES = MORNING + HOUR
EDGE = ("lupusqol", "en", Facts(MORNING, CLOSES, MORNING, withdrawn_at=CLOSES))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    found=st.lists(cases(), min_size=1, max_size=30),
    nows=st.lists(moments, min_size=1, max_size=4),
    grace=st.sampled_from([timedelta(), HOUR, GRACE]),
    always=st.frozensets(st.sampled_from(PAIRS), max_size=3),
    gaps=st.lists(gaps(), max_size=4),
)
@example([EDGE], [CLOSES, CLOSES + GRACE - TICK, CLOSES + GRACE], GRACE, frozenset(), [])
def test_sql_and_python_say_the_same(
    site: Site,
    found: list[Case],
    nows: list[datetime],
    grace: timedelta,
    always: frozenset[tuple[str, str]],
    gaps: list[Gap],
) -> None:
    known, here = insert(site, found), home(site)
    own = tuple(replace(one, site=here if one.site == 0 else one.site) for one in gaps)
    withheld = Withheld(always, own)
    expected_facts = {
        key: replace(
            facts,
            withheld=withheld.covers(instrument, language, here, facts.opens_at, facts.closes_at),
        )
        for (key, facts), (instrument, language, _) in zip(known.items(), found, strict=True)
    }
    for now in nows:
        said = as_sql_says(site, list(known), now, grace, withheld)
        assert said == {key: status(one, now, grace) for key, one in expected_facts.items()}
        waits = {key for key, word in said.items() if word in {Status.OPEN, Status.IN_PROGRESS}}
        assert among(site, list(known), undone(now, grace, withheld)) == waits
        counts = {key for key, word in said.items() if word in COUNTED}
        opened = {
            key for key, (_, _, facts) in zip(known, found, strict=True) if facts.opens_at <= now
        }
        assert among(site, list(known), expected(now, withheld)) == counts & opened


COUNTED = set(Status) - {Status.NOT_EXPECTED, Status.NOT_DUE}


def among(site: Site, ids: list[int], condition: sa.ColumnElement[bool]) -> set[int]:
    """Those of these assessments of which a condition of a study's counts holds."""
    query = (
        sa.select(Assessment.id)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(Assessment.id.in_(ids), condition)
    )
    with site.database.reading() as session:
        return set(session.scalars(query))


ALL: list[tuple[Facts, Status]] = [
    (Facts(MORNING + TICK, CLOSES), Status.NOT_DUE),
    (Facts(MORNING, CLOSES), Status.OPEN),
    (Facts(MORNING, CLOSES, MORNING), Status.IN_PROGRESS),
    (Facts(MORNING, CLOSES, MORNING, MORNING), Status.COMPLETED),
    (Facts(MORNING, CLOSES, MORNING, CLOSES, late=True), Status.COMPLETED_LATE),
    (Facts(MORNING - HOUR, MORNING), Status.MISSED),
    (Facts(MORNING - HOUR, MORNING, withdrawn_at=MORNING), Status.MISSED),
    (Facts(MORNING - HOUR, MORNING, MORNING - HOUR, died_at=MORNING), Status.IN_PROGRESS),
    (Facts(MORNING - HOUR, MORNING, withdrawn_at=MORNING - TICK), Status.NOT_EXPECTED),
    (Facts(MORNING, CLOSES, died_at=MORNING), Status.NOT_EXPECTED),
    (Facts(MORNING, CLOSES, MORNING, cancelled_at=MORNING), Status.NOT_EXPECTED),
]


def test_every_status_as_the_record_of_a_participant_shows_it(site: Site) -> None:
    """Three ways to the same word: SQL, Python on the facts, Python on what was read."""
    known = insert(site, [("lupusqol", "en", facts) for facts, _ in ALL])
    said = as_sql_says(site, list(known), MORNING, GRACE, NOTHING)
    assert [said[key] for key in known] == [state for _, state in ALL]
    assert set(said.values()) == set(Status)
    with site.database.reading() as session:
        for key, facts in known.items():
            row = session.get_one(Assessment, key)
            (one,) = assessments.of_participant(session, row.participant_id)
            assert one.facts == replace(facts, placed_at=facts.placed_at or MORNING)
            assert one.status(MORNING, GRACE) == said[key]


@pytest.mark.parametrize("started_at", [None, MORNING])
def test_what_cannot_be_shown_in_a_language_is_expected_of_those_alone_who_began(
    site: Site, started_at: datetime | None
) -> None:
    facts = Facts(MORNING, CLOSES, started_at)
    known = insert(site, [(*pair, facts) for pair in PAIRS])
    withheld = Withheld(frozenset({("lupusqol", "ta")}))
    said = as_sql_says(site, list(known), MORNING, GRACE, withheld)
    shown = Status.OPEN if started_at is None else Status.IN_PROGRESS
    hidden = Status.NOT_EXPECTED if started_at is None else Status.IN_PROGRESS
    assert list(said.values()) == [shown, hidden, shown, shown]
    with site.database.reading() as session:
        for key, pair in zip(known, PAIRS, strict=True):
            row = session.get_one(Assessment, key)
            (one,) = assessments.of_participant(session, row.participant_id, withheld)
            assert one.facts.withheld == (pair == ("lupusqol", "ta"))
            assert one.status(MORNING, GRACE) == said[key]
