"""Scoring submissions by versions of scorings that came after them, beside what was scored before.

A scoring's version is its algorithm's name. Nothing that was scored is changed or removed: the
newest version is what counts, the older ones stay on the record and in the exports.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.corrections import ANSWER
from pro_app.core.library import Library
from pro_app.core.scoring import Scoring, score
from pro_app.models import Assessment, CorrectedScore, Participant, Score, Submission
from pro_app.services import audit, corrected, score_rows
from pro_app.services.studies import CurrentStudy


@dataclass(frozen=True, slots=True)
class Pending:
    """How many submissions of an instrument a scoring's version has not scored."""

    instrument: str
    scoring: Scoring
    count: int


def pending(session: Session, study: CurrentStudy, library: Library) -> list[Pending]:
    """What there is to score, by the study's instruments and scorings."""
    found = []
    for instrument, scoring in _versions(study, library):
        wanted = _unscored(study, instrument, scoring).with_only_columns(sa.func.count())
        if count := session.scalar(wanted.order_by(None)) or 0:
            found.append(Pending(instrument, scoring, count))
    return found


def people(session: Session, study: CurrentStudy, library: Library) -> list[int]:
    """The participants who have submissions to score, by id."""
    found: set[int] = set()
    for instrument, scoring in _versions(study, library):
        wanted = _unscored(study, instrument, scoring)
        found |= set(session.scalars(wanted.with_only_columns(Assessment.participant_id)))
    return sorted(found)


def rescore(
    session: Session, study: CurrentStudy, library: Library, participant_id: int, now: datetime
) -> int:
    """Score what a participant has submitted by the versions in force that have not scored it:
    how many sets of scores were added. The second time it adds none.

    Also the answers after each approved correction, so that what counts now has every version.
    """
    audit.lock_participant(session, participant_id)
    entries: list[audit.Entry] = []
    for instrument, scoring in _versions(study, library):
        wanted = _unscored(study, instrument, scoring)
        wanted = wanted.where(Assessment.participant_id == participant_id)
        for submission, assessment in session.execute(wanted.order_by(Submission.id)).all():
            entries += _score(session, scoring, submission, assessment)
    if entries:
        audit.record(session, audit.participant_stream(participant_id), now, entries)
    return len(entries)


def _versions(study: CurrentStudy, library: Library) -> Iterator[tuple[str, Scoring]]:
    for entry in study.instruments:
        for name in entry.scorings:
            yield entry.code, library.instruments[entry.code].scorings[name]


def _unscored(study: CurrentStudy, instrument: str, scoring: Scoring) -> sa.Select[Submission, str]:
    scored = sa.select(Score.id).where(
        Score.submission_id == Submission.id, Score.algorithm == scoring.algorithm
    )
    return (
        sa.select(Submission, Assessment.public_id)
        .join(Assessment, Assessment.id == Submission.assessment_id)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(
            Participant.study_id == study.id,
            Assessment.instrument == instrument,
            ~scored.exists(),
        )
    )


def _score(
    session: Session, scoring: Scoring, submission: Submission, assessment: str
) -> Iterator[audit.Entry]:
    first = {item: one["code"] for item, one in submission.answers.items()}
    yield score_rows.keep(session, assessment, submission.id, score(scoring, first))
    approved = corrected.of_submission(session, submission.id)
    for n, one in enumerate(approved, start=1):
        if one.kind != ANSWER or _scored(session, one.id, scoring):
            continue
        after = corrected.answers(submission.answers, approved[:n])
        codes = {item: answer["code"] for item, answer in after.items()}
        yield score_rows.keep_corrected(session, assessment, one, score(scoring, codes))


def _scored(session: Session, correction_id: int, scoring: Scoring) -> bool:
    found = sa.select(CorrectedScore.id).where(
        CorrectedScore.correction_id == correction_id,
        CorrectedScore.algorithm == scoring.algorithm,
    )
    return session.scalar(found.limit(1)) is not None
