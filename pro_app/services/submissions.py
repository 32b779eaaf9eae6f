"""Submitting: the answers are sealed and scored, once, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.instruments import Instrument
from pro_app.core.scoring import Score as ScaleScore
from pro_app.core.scoring import score
from pro_app.models import Reminder, Score, Submission
from pro_app.services import answers, audit, reminders
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy


class Incomplete(Exception):
    """Items that have neither an answer nor a confirmed skip."""

    def __init__(self, items: tuple[str, ...]) -> None:
        super().__init__(", ".join(items))
        self.items = items


class Closed(Exception):
    """The assessment is not open: too early, too late, or nothing is expected any more."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the participant is told of a submission."""

    code: str
    submitted_at: datetime
    late: bool
    first: bool  # whether this call made the submission


def receipt_of(session: Session, assessment_id: int) -> Receipt | None:
    """The receipt of an assessment's submission, if there is one."""
    row = session.execute(
        sa.select(Submission.receipt, Submission.submitted_at, Submission.late).where(
            Submission.assessment_id == assessment_id
        )
    ).one_or_none()
    return None if row is None else Receipt(short(row[0]), row[1], row[2], first=False)


def short(receipt: str) -> str:
    """A receipt as it is shown: the first twelve characters in groups of four."""
    return "-".join(receipt[start : start + 4].upper() for start in (0, 4, 8))


def submit(
    session: Session,
    study: CurrentStudy,
    assessment: Known,
    instrument: Instrument,
    device_id: int | None,
    now: datetime,
    mode: str = "own_phone",
) -> Receipt:
    """Seal and score an assessment's answers; the second time, the first receipt again.

    Raises Closed outside the window and its grace time, Incomplete while items wait. The caller
    got `assessment` from `hold_own`.
    """
    earlier = receipt_of(session, assessment.id)
    if earlier is not None:
        return earlier
    facts = assessment.facts
    open_now = facts.opens_at <= now < facts.last_moment(study.definition.grace)
    ended = facts.withdrawn_at or facts.died_at or facts.cancelled_at
    if not open_now or ended is not None:
        raise Closed
    current, _ = answers.current(session, assessment.id)
    missing = tuple(item.code for item in instrument.items if item.code not in current)
    if missing:
        raise Incomplete(missing)
    moments = [answer.answered_at for answer in current.values()]
    row: dict[str, Any] = {
        "assessment_id": assessment.id,
        "started_at": facts.started_at or min(moments),
        "completed_at": max(moments),
        "submitted_at": now,
        "late": now >= facts.closes_at,
        "answers": {item.code: _sealed(current[item.code]) for item in instrument.items},
        "instrument_fingerprint": instrument.fingerprint,
        "study_version": study.version,
        "mode": mode,
        "device_id": device_id,
    }
    receipt = audit.submission_digest(row)
    submission = Submission(**row, receipt=receipt)
    session.add(submission)
    session.flush()
    reminders.cancel(session, Reminder.assessment_id == assessment.id, "completed")
    entries = [_submitted(assessment, receipt, device_id)]
    for scoring in study.scorings(instrument.code):
        scores = score_answers(instrument, scoring, current)
        entries.append(_keep_scores(session, assessment, submission.id, scores))
    session.flush()
    audit.record(session, audit.participant_stream(assessment.participant_id), now, entries)
    return Receipt(short(receipt), now, row["late"], first=True)


def score_answers(
    instrument: Instrument, scoring: str, current: Mapping[str, answers.Current]
) -> tuple[ScaleScore, ...]:
    """The scores of these answers; skipped and not applicable count as unanswered."""
    codes = {item: answer.code for item, answer in current.items()}
    return score(instrument.scorings[scoring], codes)


def _sealed(answer: answers.Current) -> dict[str, Any]:
    return {
        "state": answer.state,
        "code": answer.code,
        "language": answer.language,
        "wording": answer.wording,
        "answered_at": answer.answered_at.isoformat(),
    }


def _submitted(assessment: Known, receipt: str, device_id: int | None) -> audit.Entry:
    return audit.Entry(
        actor=f"participant/device {device_id}",
        action="submit",
        object=f"assessment/{assessment.public_id}",
        new=short(receipt),
        detail={"digest": receipt},
    )


def _keep_scores(
    session: Session, assessment: Known, submission_id: int, scores: Iterable[ScaleScore]
) -> audit.Entry:
    """Store one scoring's scores; the audit entry that tells of them."""
    rows: list[dict[str, Any]] = [
        {
            "submission_id": submission_id,
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
    session.execute(sa.insert(Score), rows)
    return audit.Entry(
        actor="system",
        action="score",
        object=f"assessment/{assessment.public_id}",
        new=str(rows[0]["algorithm"]),
        detail={"digest": audit.scores_digest(submission_id, rows)},
    )
