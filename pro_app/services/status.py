"""The status of assessments as SQL says it: the same rule as `pro_app.core.assessment.status`."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from pro_app.core.assessment import Standing, Status
from pro_app.core.licence import Gap, Withheld
from pro_app.models import Answer, Assessment, Participant, Submission

NOTHING = Withheld()
begun = (
    sa.select(sa.literal(1))
    .where(Answer.assessment_id == Assessment.id, Answer.standing == Standing.IN_TIME.value)
    .correlate(Assessment)
    .exists()
)


def undone(now: datetime, grace: timedelta, withheld: Withheld = NOTHING) -> sa.ColumnElement[bool]:
    """Whether the `expression` is open or in progress: what can be answered now and is not.

    For a query over assessment and participant that may read a whole study: the window comes
    first, for an index, and what was answered is asked for only where it decides. Without `grace`
    it is what has not closed yet.
    """
    in_grace = [sa.or_(Assessment.closes_at > now, begun)] if grace else []
    return sa.and_(
        Assessment.sealed_late.is_(None),
        Assessment.cancelled_at.is_(None),
        Assessment.closes_at > now - grace,
        Assessment.opens_at <= now,
        ~_ended,
        *in_grace,
        *_shown(withheld),
    )


def expected(now: datetime, withheld: Withheld = NOTHING) -> sa.ColumnElement[bool]:
    """Whether the `expression` of an assessment that has opened is anything but not expected:
    completed, missed, or undone; for a query as of `undone`."""
    kept = sa.and_(Assessment.cancelled_at.is_(None), ~_ended, *_shown(withheld))
    return sa.and_(Assessment.opens_at <= now, sa.or_(Assessment.sealed_late.is_not(None), kept))


_ended = sa.or_(
    sa.func.coalesce(Participant.died_at < Assessment.closes_at, sa.false()),
    sa.func.coalesce(Participant.withdrawn_at < Assessment.closes_at, sa.false()),
)


def _shown(withheld: Withheld) -> list[sa.ColumnElement[bool]]:
    """That an assessment can be shown, or was begun while it could: a condition, or none where
    everything can be."""
    return [sa.or_(~_cannot_be_shown(withheld), begun)] if withheld else []


def _cannot_be_shown(withheld: Withheld) -> sa.ColumnElement[bool]:
    """See `Withheld.covers`."""
    pairs = sa.tuple_(Assessment.instrument, Participant.language)
    return sa.or_(pairs.in_(sorted(withheld.always)), *map(_within, withheld.gaps))


def _within(gap: Gap) -> sa.ColumnElement[bool]:
    held = [Assessment.instrument == gap.instrument, Participant.language == gap.language]
    if gap.site is not None:
        held.append(Participant.site_id == gap.site)
    if gap.from_at is not None:
        held.append(Assessment.opens_at >= gap.from_at)
    if gap.until is not None:
        held.append(Assessment.closes_at <= gap.until)
    return sa.and_(*held)


def expression(
    now: datetime, grace: timedelta, withheld: Withheld = NOTHING
) -> sa.ColumnElement[str]:
    """The status at `now`, for a query over assessment, its participant and its outer-joined
    submission. `withheld` is what cannot be shown."""
    return sa.case(
        (Submission.late.is_(True), Status.COMPLETED_LATE.value),
        (Submission.id.is_not(None), Status.COMPLETED.value),
        (Assessment.cancelled_at.is_not(None), Status.NOT_EXPECTED.value),
        (Participant.died_at < Assessment.closes_at, Status.NOT_EXPECTED.value),
        (Participant.withdrawn_at < Assessment.closes_at, Status.NOT_EXPECTED.value),
        (sa.and_(_cannot_be_shown(withheld), ~begun), Status.NOT_EXPECTED.value),
        (Assessment.opens_at > now, Status.NOT_DUE.value),
        (sa.and_(Assessment.closes_at > now, ~begun), Status.OPEN.value),
        (sa.and_(Assessment.closes_at > now - grace, begun), Status.IN_PROGRESS.value),
        else_=Status.MISSED.value,
    )
