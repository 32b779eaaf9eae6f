"""Digests of corrections, their decisions, the scores after them, and sign-offs, for the trail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.canonical import sha256
from pro_app.models import (
    Assessment,
    Base,
    CorrectedScore,
    Correction,
    CorrectionDecision,
    SignOff,
    Submission,
)

DOMAIN = "pro_app record 1"
Row = Mapping[Any, Any]  # a table's row by column name


def digest(row: Base) -> str:
    """A hash over everything that a row says, except its key."""
    columns = row.__table__.columns
    said = {one.key: getattr(row, one.key) for one in columns if one.key != "id"}
    return sha256(DOMAIN, [row.__tablename__, said])


def scores_digest(correction: str, scores: Iterable[Row]) -> str:
    """A hash over the scores after a correction (its public id), under one algorithm."""
    said = [{name: one[name] for name in SCORE_FIELDS} for one in scores]
    return sha256(DOMAIN, ["corrected_score", correction, said])


SCORE_FIELDS = (
    "scoring", "algorithm", "scale", "value", "norm_based", "answered", "reason", "receipt",
)  # fmt: skip


def digests(session: Session) -> Iterator[tuple[int, str, str]]:
    """Participant, description and digest of every correction, decision, set of scores after a
    correction, and sign-off: each of them is told once in the trail."""
    of_submission = (
        sa.select(Correction, CorrectionDecision, Assessment.participant_id)
        .join(Submission, Submission.id == Correction.submission_id)
        .join(Assessment, Assessment.id == Submission.assessment_id)
        .outerjoin(CorrectionDecision, CorrectionDecision.correction_id == Correction.id)
        .execution_options(yield_per=500)
    )
    for correction, decision, participant_id in session.execute(of_submission):
        name = f"correction {correction.public_id}"
        yield participant_id, name, digest(correction)
        if decision is not None:
            yield participant_id, f"decision on {name}", digest(decision)
    yield from _score_digests(session)
    for signed in session.scalars(sa.select(SignOff).execution_options(yield_per=500)):
        yield signed.participant_id, f"sign-off {signed.public_id}", digest(signed)


def _score_digests(session: Session) -> Iterator[tuple[int, str, str]]:
    rows = session.execute(
        sa.select(
            *CorrectedScore.__table__.columns, Correction.public_id, Assessment.participant_id
        )
        .join(Correction, Correction.id == CorrectedScore.correction_id)
        .join(Submission, Submission.id == Correction.submission_id)
        .join(Assessment, Assessment.id == Submission.assessment_id)
        .order_by(CorrectedScore.correction_id, CorrectedScore.algorithm, CorrectedScore.id)
        .execution_options(yield_per=500)
    ).mappings()
    for (participant_id, correction, algorithm), scores in groupby(
        rows, key=lambda row: (row["participant_id"], row["public_id"], row["algorithm"])
    ):
        label = f"scores after correction {correction} by {algorithm}"
        yield participant_id, label, scores_digest(correction, scores)
