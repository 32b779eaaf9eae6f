"""Storing what a scoring says of one set of answers, and the trail's entry of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.scoring import Score as Scored
from pro_app.models import CorrectedScore, Correction, Score
from pro_app.services import audit, signed_record


def keep(
    session: Session, assessment: str, submission_id: int, scores: Iterable[Scored]
) -> audit.Entry:
    """Store one scoring's scores of a submission as it was sealed; `assessment` is its public
    id."""
    rows = _rows({"submission_id": submission_id}, scores)
    session.execute(sa.insert(Score), rows)
    return _entry(assessment, rows, {"digest": audit.scores_digest(submission_id, rows)})


def keep_corrected(
    session: Session, assessment: str, correction: Correction, scores: Iterable[Scored]
) -> audit.Entry:
    """Likewise of the answers as they are after a correction, beside all earlier scores."""
    rows = _rows({"correction_id": correction.id}, scores)
    session.execute(sa.insert(CorrectedScore), rows)
    digest = signed_record.scores_digest(correction.id, rows)
    return _entry(assessment, rows, {"correction": correction.public_id, "digest": digest})


def _rows(owner: dict[str, int], scores: Iterable[Scored]) -> list[dict[str, Any]]:
    return [
        {
            **owner,
            "scoring": one.scoring,
            "algorithm": one.algorithm,
            "scale": one.scale,
            "value": one.value,
            "norm_based": one.norm_based,
            "answered": one.answered,
            "reason": one.reason,
            "receipt": one.receipt(),
        }
        for one in scores
    ]


def _entry(assessment: str, rows: list[dict[str, Any]], detail: dict[str, Any]) -> audit.Entry:
    place, algorithm = f"assessment/{assessment}", str(rows[0]["algorithm"])
    return audit.Entry("system", "score", place, new=algorithm, detail=detail)
