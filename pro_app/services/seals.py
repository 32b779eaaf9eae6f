"""Whether an assessment is sealed, told beside its window: `Assessment.sealed_late`.

The submission is the record. Its copy, written in the same transaction, lets a whole study be
counted without reading a submission for each assessment; `faults` and `mend` compare the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Assessment, Submission


class Fault(NamedTuple):
    """An assessment that says something else than its submission does (None: there is none)."""

    public_id: str
    says: bool | None
    late: bool | None


def note(session: Session, assessment_id: int, late: bool) -> None:
    """An assessment was sealed just now, in the caller's transaction."""
    session.execute(
        sa.update(Assessment)
        .where(Assessment.id == assessment_id)
        .values(sealed_late=late)
        .execution_options(synchronize_session=False)
    )


_differs = Assessment.sealed_late.is_distinct_from(Submission.late)


def faults(session: Session) -> Iterator[Fault]:
    """Every assessment that does not say what its submission does."""
    rows = session.execute(
        sa.select(Assessment.public_id, Assessment.sealed_late, Submission.late)
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .where(_differs)
        .order_by(Assessment.id)
    )
    for row in rows:
        yield Fault(*row)


def mend(session: Session) -> int:
    """Let every assessment say what its submission does: how many did not."""
    wrong = (
        sa.select(Assessment.id)
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .where(_differs)
    )
    late = sa.select(Submission.late).where(Submission.assessment_id == Assessment.id)
    found = session.execute(
        sa.update(Assessment)
        .where(Assessment.id.in_(wrong))
        .values(sealed_late=late.scalar_subquery())
        .execution_options(synchronize_session=False)
    )
    return int(found.rowcount)  # type: ignore[attr-defined]
