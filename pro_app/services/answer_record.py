"""One participant's data as the record holds them: what was answered, what was corrected, scores.

For who may see answers, and only after `note_reading` has told the trail who saw them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from pro_app.core.assessment import Status
from pro_app.core.corrections import ANSWER
from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.models import Correction, ScaleResult, Submission
from pro_app.services import answers, assessments, audit, corrected, submissions
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """One item: its sealed answer (None: not reached), and what approved corrections changed."""

    code: str
    sealed: Mapping[str, Any] | None
    changes: tuple[Correction, ...]


@dataclass(frozen=True, slots=True)
class ScaleRecord:
    """One scale's results: as submitted, then after each correction; None where none was made."""

    code: str
    name: str
    results: tuple[ScaleResult | None, ...]


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """The results of one version of a scoring, a scale a row; `in_force` says that nothing newer
    has come since."""

    title: str
    algorithm: str
    in_force: bool
    rows: tuple[ScaleRecord, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A submitted questionnaire. `changes` are the approved corrections of answers in the order of
    their decisions, `marks` those that say where the whole submission belongs."""

    known: Known
    instrument: Instrument
    submission: Submission
    receipt: str
    items: tuple[ItemRecord, ...]
    changes: tuple[Correction, ...]
    marks: tuple[Correction, ...]
    scores: tuple[ScoreTable, ...]


@dataclass(frozen=True, slots=True)
class Unsubmitted:
    """A questionnaire without a submission, and how far it is: `answered` of `of` items."""

    known: Known
    status: Status
    answered: int
    of: int


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """Everything of a participant, by opening."""

    sheets: tuple[Sheet, ...]
    unsubmitted: tuple[Unsubmitted, ...]


def answer_record(
    session: Session, study: CurrentStudy, library: Library, participant_id: int, now: datetime
) -> AnswerRecord:
    """A participant's data at `now`."""
    withheld = study.wordings.withheld
    known = assessments.of_participant(session, participant_id, withheld)
    approved = corrected.of_participant(session, participant_id)
    wanted = [one.submission_id for one in known if one.submission_id is not None]
    found = session.scalars(
        sa.select(Submission)
        .where(Submission.id.in_(wanted))
        .options(joinedload(Submission.scores))
    ).unique()
    by_id = {one.id: one for one in found}
    sheets, unsubmitted = [], []
    for one in known:
        instrument = library.instruments[one.instrument]
        if one.submission_id is not None:
            own = approved.get(one.submission_id, ())
            sheets.append(_sheet(session, one, instrument, by_id[one.submission_id], own))
        else:
            status = one.status(now, study.definition.grace)
            begun = one.facts.started_at is not None
            answered = len(answers.current(session, one.id)[0]) if begun else 0
            unsubmitted.append(Unsubmitted(one, status, answered, len(instrument.items)))
    return AnswerRecord(tuple(sheets), tuple(unsubmitted))


def _sheet(
    session: Session,
    known: Known,
    instrument: Instrument,
    submission: Submission,
    approved: Sequence[Correction],
) -> Sheet:
    changes = tuple(one for one in approved if one.kind == ANSWER)
    codes = [one.code for one in instrument.items]
    codes += [code for code in submission.answers if code not in codes]  # of an older version
    items = tuple(
        ItemRecord(
            code,
            submission.answers.get(code),
            tuple(one for one in changes if one.field == code),
        )
        for code in codes
    )
    versions: list[Sequence[ScaleResult]] = [submission.scores]
    versions += [corrected.scores_after(session, one) for one in changes]
    return Sheet(
        known,
        instrument,
        submission,
        submissions.short(submission.receipt),
        items,
        changes,
        tuple(one for one in approved if one.kind != ANSWER),
        tuple(_tables(instrument, versions)),
    )


def _tables(
    instrument: Instrument, versions: Sequence[Sequence[ScaleResult]]
) -> Iterable[ScoreTable]:
    """A table for each version of each scoring, with what was submitted and what was corrected
    side by side."""
    by_change = [{(one.algorithm, one.scale): one for one in results} for results in versions]
    keys = list(dict.fromkeys(key for results in by_change for key in results))
    scorings = {one.algorithm: one.scoring for results in versions for one in results}
    for algorithm in dict.fromkeys(of for of, _ in keys):
        scoring = instrument.scorings.get(scorings[algorithm])
        names = {} if scoring is None else scoring.names()
        rows = (
            ScaleRecord(
                scale, names.get(scale, scale), tuple(each.get((of, scale)) for each in by_change)
            )
            for of, scale in keys
            if of == algorithm
        )
        title = scorings[algorithm] if scoring is None else scoring.title
        in_force = scoring is not None and scoring.algorithm == algorithm
        yield ScoreTable(title, algorithm, in_force, tuple(rows))


def note_reading(
    session: Session,
    participant_id: int,
    actor: str,
    now: datetime,
    about: str,
    field: str | None = None,
    **detail: Any,
) -> None:
    """Tell the trail that somebody has read answers: of what, but no value."""
    audit.lock_participant(session, participant_id)
    entry = audit.Entry(actor, "read_answers", about, field, detail=detail)
    audit.record(session, audit.participant_stream(participant_id), now, [entry])
