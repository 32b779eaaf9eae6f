"""A submission's answers as a byte an item, so that a whole study is read without its JSON.

The submission is the record. What is kept here is written in the same transaction and can be made
anew at any time; `faults` and `mend` compare the two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import SealedCodes, Submission

SKIPPED, NOT_APPLICABLE = 253, 254  # beside the codes of options, which are 0 to 99
BYTES = {"skipped": SKIPPED, "not_applicable": NOT_APPLICABLE}
AT_ONCE = 1_000


def layout(items: Iterable[str]) -> str:
    """The name of items in an order: 12 hex digits of a SHA-256."""
    return hashlib.sha256(" ".join(items).encode()).hexdigest()[:12]


def packed(
    answers: Mapping[str, Mapping[str, Any]], completed_at: datetime, mode: str
) -> dict[str, Any]:
    """The columns of `SealedCodes` for sealed answers."""
    values = answers.values()
    return {
        "layout": layout(answers),
        "codes": bytes(
            one["code"] if one["state"] == "answered" else BYTES[one["state"]] for one in values
        ),
        "languages": " ".join(dict.fromkeys(one["language"] for one in values)),
        "wordings": " ".join(dict.fromkeys(one["wording"] for one in values)),
        "completed_at": completed_at,
        "mode": mode,
    }


def keep(
    session: Session,
    submission_id: int,
    answers: Mapping[str, Mapping[str, Any]],
    completed_at: datetime,
    mode: str,
) -> None:
    """Keep the answers of a submission that is being sealed, in the caller's transaction."""
    row = {"submission_id": submission_id, **packed(answers, completed_at, mode)}
    session.execute(sa.insert(SealedCodes), [row])


_sealed = (Submission.id, Submission.answers, Submission.completed_at, Submission.mode)
_kept = (
    SealedCodes.layout,
    SealedCodes.codes,
    SealedCodes.languages,
    SealedCodes.wordings,
    SealedCodes.completed_at,
    SealedCodes.mode,
)


def faults(session: Session) -> Iterator[int]:
    """The ids of submissions whose answers are not kept here as they are sealed."""
    query = (
        sa.select(*_sealed, *_kept)
        .outerjoin(SealedCodes, SealedCodes.submission_id == Submission.id)
        .order_by(Submission.id)
    )
    rows = session.execute(query.execution_options(yield_per=AT_ONCE))
    for submission_id, answers, completed_at, mode, *kept in rows:
        if kept != list(packed(answers, completed_at, mode).values()):
            yield submission_id


def mend(session: Session) -> int:
    """Keep all answers as they are sealed: of how many submissions they were not."""
    wrong = list(faults(session))
    for start in range(0, len(wrong), AT_ONCE):
        ids = wrong[start : start + AT_ONCE]
        session.execute(sa.delete(SealedCodes).where(SealedCodes.submission_id.in_(ids)))
        for row in session.execute(sa.select(*_sealed).where(Submission.id.in_(ids))).all():
            keep(session, *row)
    return len(wrong)
