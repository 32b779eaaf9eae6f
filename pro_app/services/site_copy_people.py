"""What a site's copy has to read about each participant: questionnaires, answers, scores,
corrections. In the reader's language: what was answered in it from the wording that was read, all
else from the one in force."""

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
from pro_app.models import Correction, Participant, ScaleResult, Submission
from pro_app.services import answers, assessments, corrected, submissions
from pro_app.services.assessments import Known
from pro_app.services.site_copy import Copy
from pro_app.services.studies import CurrentStudy, counted

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
    """The site's participants by number; after them its test participants, if the study is live."""
    for study, _place in copy.studies():
        yield from _people(session, copy, study)


def _people(session: Session, copy: Copy, study: CurrentStudy) -> Iterator[Person]:
    ids = session.scalars(
        sa.select(Participant.id)
        .where(counted(study), Participant.site_id == copy.site_id)
        .order_by(Participant.number)
    )
    withheld = copy.study.wordings.withheld
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
        given = now = {
            item: {"state": one.state, "code": one.code, "wording": one.wording}
            for item, one in current.items()
        }
    else:
        given, now = submission.answers, corrected.answers(submission.answers, own)
    return Sheet(
        known=known,
        status=known.status(copy.now, copy.study.definition.grace),
        mode=None if submission is None else submission.mode,
        receipt=None if submission is None else submissions.short(submission.receipt),
        submitted_at=None if submission is None else submission.submitted_at,
        items=list(_items(copy, instrument, now, given)) if given else [],
        scores=[] if submission is None else _scores(session, instrument, submission, own),
        corrections=_corrections(session, submission),
    )


def _items(
    copy: Copy,
    instrument: Instrument,
    now: Mapping[str, Any],
    given: Mapping[str, Any],
) -> Iterator[Item]:
    wordings = copy.study.wordings
    usual = wordings.reading(instrument.code, copy.language, copy.now)
    for item in instrument.items:
        wording = _read(copy, given.get(item.code)) or usual
        labels = {} if wording is None else wording.options[item.options.code]
        text = None if wording is None else wording.items[item.code]
        both = (_value(one.get(item.code), labels) for one in (now, given))
        yield Item(item.code, text, *both)


def _read(copy: Copy, answer: Mapping[str, Any] | None) -> Wording | None:
    """The wording in which an answer was given, if it is in the reader's language."""
    if answer is None:
        return None
    found = copy.study.wordings.by_fingerprint(answer.get("wording", ""))
    return found if found is not None and found.language == copy.language else None


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
    now: Sequence[ScaleResult] = given
    if last is not None:
        now = corrected.scores_after(session, last)
    before = {(one.algorithm, one.scale): one.value for one in given}
    versions = {one.scoring: one.algorithm for one in now}  # the newest of each
    return [
        ScaleRow(
            scoring=_version_name(instrument, one, versions[one.scoring]),
            name=_scale_name(instrument, one.scoring, one.scale),
            now=one.value,
            given=before.get((one.algorithm, one.scale)),
            norm_based=one.norm_based,
            reason=one.reason,
        )
        for one in now
    ]


def _version_name(instrument: Instrument, one: ScaleResult, newest: str) -> str:
    """The scoring, with its version where a newer one stands beside it."""
    title = instrument.scorings[one.scoring].title
    return title if one.algorithm == newest else f"{title} ({one.algorithm})"


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
