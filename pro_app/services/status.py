"""The status of assessments as SQL says it: the same rule as `pro_app.core.assessment.status`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa

from pro_app.core.assessment import Standing, Status
from pro_app.models import Answer, Assessment, Participant, Submission

begun = (
    sa.select(sa.literal(1))
    .where(Answer.assessment_id == Assessment.id, Answer.standing == Standing.IN_TIME.value)
    .correlate(Assessment)
    .exists()
)


def expression(
    now: datetime, grace: timedelta, withheld: Collection[tuple[str, str]] = ()
) -> sa.ColumnElement[str]:
    """The status at `now`, for a query over assessment, its participant and its outer-joined
    submission. `withheld` are the pairs of instrument and language that cannot be shown."""
    pairs = sa.tuple_(Assessment.instrument, Participant.language)
    return sa.case(
        (Submission.late.is_(True), Status.COMPLETED_LATE.value),
        (Submission.id.is_not(None), Status.COMPLETED.value),
        (Assessment.cancelled_at.is_not(None), Status.NOT_EXPECTED.value),
        (Participant.died_at < Assessment.closes_at, Status.NOT_EXPECTED.value),
        (Participant.withdrawn_at < Assessment.closes_at, Status.NOT_EXPECTED.value),
        (sa.and_(pairs.in_(list(withheld)), ~begun), Status.NOT_EXPECTED.value),
        (Assessment.opens_at > now, Status.NOT_DUE.value),
        (sa.and_(Assessment.closes_at > now, ~begun), Status.OPEN.value),
        (sa.and_(Assessment.closes_at > now - grace, begun), Status.IN_PROGRESS.value),
        else_=Status.MISSED.value,
    )
