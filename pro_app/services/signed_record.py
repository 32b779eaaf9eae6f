"""Digests of corrections, their decisions, the scores after them, and sign-offs, for the trail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
# the columns under each digest: all but the key
COLUMNS = {
    "correction": (
        "public_id", "submission_id", "kind", "field", "old", "new", "originator", "requester_id",
        "reason_code", "reason", "evidence", "confirmation", "confirmed_on", "requested_at",
    ),
    "correction_decision": (
        "correction_id", "outcome", "staff_id", "name", "meaning", "comment", "decided_at",
        "signature",
    ),
    "sign_off": (
        "public_id", "participant_id", "milestone", "staff_id", "name", "meaning", "signed_at",
        "signature",
    ),
}  # fmt: skip
SCORE = ("scoring", "algorithm", "scale", "value", "norm_based", "answered", "reason", "receipt")


def digest(table: str, row: Row) -> str:
    """A hash over everything that a row of one of these tables says, except its key."""
    return sha256(DOMAIN, [table, *(row[name] for name in COLUMNS[table])])


def digest_of(one: Base) -> str:
    """`digest` of an object."""
    table = one.__tablename__
    return digest(table, {name: getattr(one, name) for name in COLUMNS[table]})


def scores_digest(correction_id: int, scores: Sequence[Row]) -> str:
    """A hash over the scores after a correction under one algorithm, in their order."""
    said = [[score[name] for name in SCORE] for score in scores]
    return sha256(DOMAIN, ["corrected_score", correction_id, *said])


_of_participant = {  # the rows of each table with their participant
    "correction": sa.select(Correction.__table__, Assessment.participant_id)
    .join(Submission, Submission.id == Correction.submission_id)
    .join(Assessment, Assessment.id == Submission.assessment_id),
    "correction_decision": sa.select(CorrectionDecision.__table__, Assessment.participant_id)
    .join(Correction, Correction.id == CorrectionDecision.correction_id)
    .join(Submission, Submission.id == Correction.submission_id)
    .join(Assessment, Assessment.id == Submission.assessment_id),
    "sign_off": sa.select(SignOff.__table__),
}
_scores = (
    sa.select(CorrectedScore.__table__, Assessment.participant_id)
    .join(Correction, Correction.id == CorrectedScore.correction_id)
    .join(Submission, Submission.id == Correction.submission_id)
    .join(Assessment, Assessment.id == Submission.assessment_id)
    .order_by(CorrectedScore.correction_id, CorrectedScore.algorithm, CorrectedScore.id)
)


def digests(session: Session) -> Iterator[tuple[int, str, str]]:
    """Participant, description and digest of every correction, decision, set of scores after a
    correction, and sign-off: each of them is told once in the trail."""
    for table, query in _of_participant.items():
        for row in _rows(session, query):
            label = f"{table.replace('_', ' ')} {row['id']}"
            yield row["participant_id"], label, digest(table, row)
    by_algorithm = groupby(
        _rows(session, _scores),
        key=lambda row: (row["participant_id"], row["correction_id"], row["algorithm"]),
    )
    for (participant_id, correction_id, algorithm), scores in by_algorithm:
        label = f"scores after correction {correction_id} by {algorithm}"
        yield participant_id, label, scores_digest(correction_id, list(scores))


def _rows(session: Session, query: sa.Select[Any]) -> Iterator[Row]:
    return iter(session.execute(query.execution_options(yield_per=1_000)).mappings())
