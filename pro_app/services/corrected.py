"""What counts now: sealed answers with the approved corrections applied, and their scores.

Corrections are taken in the order of their decisions; the submission itself never changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager

from pro_app.core.corrections import ANSWER, APPROVED, Change, Sealed, apply
from pro_app.models import (
    Assessment,
    CorrectedScore,
    Correction,
    CorrectionDecision,
    Participant,
    Score,
    Submission,
)

# approved ones; those of one participant are made one after another, so their ids are in order
_DECIDED = (
    sa.select(Correction)
    .join(Correction.decision)
    .where(CorrectionDecision.outcome == APPROVED)
    .options(contains_eager(Correction.decision))
    .order_by(CorrectionDecision.id)
)


def of_participant(session: Session, participant_id: int) -> dict[int, tuple[Correction, ...]]:
    """A participant's approved corrections by submission, in order."""
    return _by_submission(_approved(session, Assessment.participant_id == participant_id))


def of_study(session: Session, study_id: int) -> dict[int, tuple[Correction, ...]]:
    """A study's approved corrections by submission, in order."""
    # asked of each correction, of which there are few: SQLite would begin with all assessments
    own = (
        sa.select(Participant.id)
        .join(Assessment, Assessment.participant_id == Participant.id)
        .join(Submission, Submission.assessment_id == Assessment.id)
        .where(Submission.id == Correction.submission_id, Participant.study_id == study_id)
    )
    return _by_submission(session.scalars(_DECIDED.where(own.exists())))


def _by_submission(corrections: Iterable[Correction]) -> dict[int, tuple[Correction, ...]]:
    found: dict[int, tuple[Correction, ...]] = {}
    for one in corrections:
        found[one.submission_id] = (*found.get(one.submission_id, ()), one)
    return found


def of_submission(session: Session, submission_id: int) -> Sequence[Correction]:
    """A submission's approved corrections, in order."""
    return _approved(session, Submission.id == submission_id)


def _approved(session: Session, where: sa.ColumnElement[bool]) -> Sequence[Correction]:
    return session.scalars(
        _DECIDED.join(Submission, Submission.id == Correction.submission_id)
        .join(Assessment, Assessment.id == Submission.assessment_id)
        .where(where)
    ).all()


def effective(session: Session, submission: Submission) -> dict[str, dict[str, Any]]:
    """The answers that count now."""
    return answers(submission.answers, of_submission(session, submission.id))


def answers(sealed: Sealed, corrections: Iterable[Correction]) -> dict[str, dict[str, Any]]:
    """`effective` for corrections that are at hand."""
    changes = [Change(one.field, one.old, one.new) for one in corrections if one.kind == ANSWER]
    return apply(sealed, changes)


def place(corrections: Iterable[Correction], field: str) -> str | None:
    """Where a submission belongs by its corrections, as to `timepoint` or `participant`; None if
    none of them says so."""
    found = [one.new for one in corrections if one.kind != ANSWER and one.field == field]
    return found[-1] if found else None


def original_scores(session: Session, submission_id: int) -> Sequence[Score]:
    """The scores of the answers as they were sealed."""
    return session.scalars(
        sa.select(Score).where(Score.submission_id == submission_id).order_by(Score.id)
    ).all()


def last_change(corrections: Iterable[Correction]) -> Correction | None:
    """The correction whose scores are those of the answers that count now; None if no answer was
    changed."""
    changes = [one for one in corrections if one.kind == ANSWER]
    return changes[-1] if changes else None


def scores_after(session: Session, correction: Correction) -> Sequence[CorrectedScore]:
    """The scores of the answers as they were after a correction."""
    return session.scalars(
        sa.select(CorrectedScore)
        .where(CorrectedScore.correction_id == correction.id)
        .order_by(CorrectedScore.id)
    ).all()
