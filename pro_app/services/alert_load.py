"""How many alerts the rules of a study file would have raised on the answers that are there.

To be known before answers are watched: every alert asks for somebody's time. Reads only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import alerts
from pro_app.core.alerts import Codes
from pro_app.core.library import Library
from pro_app.core.study import StudyDefinition
from pro_app.models import Assessment, Participant, Submission
from pro_app.services import corrected
from pro_app.services.answer_alerts import values_of
from pro_app.services.studies import CurrentStudy, counted

AT_ONCE = 500  # submissions read at once


@dataclass(frozen=True, slots=True)
class Place:
    """Where alerts fall: a rule, a timepoint with its occurrence, and the ISO week of the
    submission by the study's clocks (`2026-W48`)."""

    rule: str
    timepoint: str
    occurrence: int
    week: str


@dataclass(frozen=True, slots=True)
class Load:
    """All alerts by place; how many submissions have a rule on their instrument, how many of them
    would have raised any alert, and how many weeks they lie in."""

    alerts: Counter[Place]
    submissions: int
    raising: int
    weeks: int


def estimate(
    session: Session, study: CurrentStudy, library: Library, definition: StudyDefinition
) -> Load:
    """What the definition's rules would have raised on the study's submissions, as they count
    now. `definition` need not be loaded. The session sees one moment (`Database.snapshot`)."""
    found: Counter[Place] = Counter()
    weeks: set[str] = set()
    submissions = raising = 0
    for assessment, submission, codes in _submitted(session, study, definition):
        instrument = library.instruments[assessment.instrument]
        rules = definition.monitoring.rules_of(instrument.code)
        raised = alerts.raised(rules, codes, values_of(instrument, rules, codes))
        year, week, _day = submission.submitted_at.astimezone(definition.zone).isocalendar()
        in_week = f"{year}-W{week:02}"
        weeks.add(in_week)
        submissions += 1
        raising += bool(raised)
        for rule in raised:
            found[Place(rule.code, assessment.timepoint, assessment.occurrence, in_week)] += 1
    return Load(found, submissions, raising, len(weeks))


def _submitted(
    session: Session, study: CurrentStudy, definition: StudyDefinition
) -> Iterator[tuple[Assessment, Submission, Codes]]:
    """The submissions that a rule looks at, with the codes that count."""
    looked_at = {rule.instrument for rule in definition.monitoring.rules}
    changes = corrected.of_study(session, study.id)
    rows = session.execute(
        sa.select(Assessment, Submission)
        .join(Submission, Submission.assessment_id == Assessment.id)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(counted(study), Assessment.instrument.in_(looked_at))
        .order_by(Submission.id)
        .execution_options(yield_per=AT_ONCE)
    )
    for assessment, submission in rows:
        counting = corrected.answers(submission.answers, changes.get(submission.id, ()))
        yield assessment, submission, {item: one["code"] for item, one in counting.items()}
