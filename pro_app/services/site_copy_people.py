"""What a site's copy has to read about each participant: questionnaires, answers, scores,
corrections. In the reader's language, from the wording in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording
from pro_app.models import Correction, Participant, Submission
from pro_app.services import answers, assessments, corrected, submissions
from pro_app.services.assessments import Known
from pro_app.services.site_copy import Copy

NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class Value:
    """An answer: `answered` with the option's code and text, or another state."""

    state: str
    code: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A question with the answer that counts now, and the one that was given."""

    code: str
    text: str | None
    now: Value
    given: Value


@dataclass(frozen=True, slots=True)
class ScaleRow:
    """A scale's score of the answers that count now, and of those that were given."""

    scoring: str
    name: str
    now: float | None
    given: float | None
    norm_based: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One questionnaire of a participant."""

    known: Known
    status: Status
    mode: str | None
    receipt: str | None
    submitted_at: datetime | None
    items: list[Item]
    scores: list[ScaleRow]
    corrections: list[Correction]


@dataclass(frozen=True, slots=True)
class Person:
    """A participant with all questionnaires."""

    participant: Participant
    sheets: list[Sheet]


def people(session: Session, copy: Copy) -> Iterator[Person]:
    """The site's participants by number."""
    ids = session.scalars(
        sa.select(Participant.id)
        .where(Participant.study_id == copy.study.id, Participant.site_id == copy.site_id)
        .order_by(Participant.number)
    )
    withheld = copy.library.withheld(copy.study.definition)
    for participant_id in ids.all():
        participant = session.get_one(Participant, participant_id)
        known = assessments.of_participant(session, participant.id, withheld)
        approved = corrected.of_participant(session, participant.id)
        sheets = [_sheet(session, copy, one, approved) for one in known]
        yield Person(participant, sheets)
        session.expunge_all()  # a site may have more people than memory holds


def _sheet(
    session: Session, copy: Copy, known: Known, approved: Mapping[int, Sequence[Correction]]
) -> Sheet:
    instrument = copy.library.instruments[known.instrument]
    submission = session.get(Submission, known.submission_id) if known.submission_id else None
    own = approved.get(known.submission_id or 0, ())
    given: Mapping[str, Any]
    if submission is None:
        current, _newest = answers.current(session, known.id)
        given = now = {i: {"state": one.state, "code": one.code} for i, one in current.items()}
    else:
        given, now = submission.answers, corrected.answers(submission.answers, own)
    wording = copy.library.wording(known.instrument, copy.language)
    return Sheet(
        known=known,
        status=known.status(copy.now, copy.study.definition.grace),
        mode=None if submission is None else submission.mode,
        receipt=None if submission is None else submissions.short(submission.receipt),
        submitted_at=None if submission is None else submission.submitted_at,
        items=list(_items(instrument, wording, now, given)) if given else [],
        scores=[] if submission is None else _scores(session, instrument, submission, own),
        corrections=_corrections(session, submission),
    )


def _items(
    instrument: Instrument,
    wording: Wording | None,
    now: Mapping[str, Any],
    given: Mapping[str, Any],
) -> Iterator[Item]:
    for item in instrument.items:
        labels = {} if wording is None else wording.options[item.options.code]
        text = None if wording is None else wording.items[item.code]
        both = (_value(one.get(item.code), labels) for one in (now, given))
        yield Item(item.code, text, *both)


def _value(answer: Mapping[str, Any] | None, labels: Mapping[int, str]) -> Value:
    if answer is None:
        return Value(NOT_REACHED)
    code = answer["code"]
    return Value(answer["state"], code, None if code is None else labels.get(code))


def _scores(
    session: Session,
    instrument: Instrument,
    submission: Submission,
    approved: Sequence[Correction],
) -> list[ScaleRow]:
    given = corrected.original_scores(session, submission.id)
    last = corrected.last_change(approved)
    now = given if last is None else corrected.scores_after(session, last)
    before = {(one.scoring, one.scale): one.value for one in given}
    return [
        ScaleRow(
            scoring=instrument.scorings[one.scoring].title,
            name=_scale_name(instrument, one.scoring, one.scale),
            now=one.value,
            given=before.get((one.scoring, one.scale)),
            norm_based=one.norm_based,
            reason=one.reason,
        )
        for one in now
    ]


def _scale_name(instrument: Instrument, scoring: str, code: str) -> str:
    known = instrument.scorings[scoring]
    names = {one.code: one.name for one in known.scales}
    names |= {one.code: one.name for one in known.summaries}
    return names.get(code, code)


def _corrections(session: Session, submission: Submission | None) -> list[Correction]:
    """All that were asked for, whatever became of them."""
    if submission is None:
        return []
    wanted = sa.select(Correction).where(Correction.submission_id == submission.id)
    return list(session.scalars(wanted.order_by(Correction.id)))
