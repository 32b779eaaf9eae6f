"""A batch of a phone's journal: its operations taken in their order, answers and presses alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from sqlalchemy.orm import Session

from pro_app.core.instruments import Instrument
from pro_app.models import Transaction
from pro_app.services import answers, assessments, journals, refusals, submissions
from pro_app.services.answers import Operation, Origin
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy
from pro_app.services.submissions import Outcome, Receipt

SUBMITTED = "submitted"  # the state of an operation that is a press on Submit


@dataclass(frozen=True, slots=True)
class Held:
    """What a batch is taken into: the caller has it from `assessments.hold_by_phone`."""

    study: CurrentStudy
    assessment: Known
    instrument: Instrument
    phone: journals.State


@dataclass(slots=True)
class Taken:
    """What came of a batch, see `answers.Saved`.

    `receipt` is there once the assessment is submitted; `missing` are the items that a press of
    this batch met without an answer (None: no press did); `closed` says that a press came after
    its time.
    """

    taken: list[str] = field(default_factory=list)
    new: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    not_counted: dict[str, str] = field(default_factory=dict)
    seen: int = 0
    others: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    receipt: Receipt | None = None
    missing: tuple[str, ...] | None = None
    closed: bool = False


def is_press(operation: Operation) -> bool:
    """Whether an operation is a press on Submit."""
    return operation.state == SUBMITTED


def take(
    session: Transaction,
    held: Held,
    operations: Sequence[Operation],
    origin: Origin,
    now: datetime,
    left: int | None = None,
    seen: int = 0,
) -> Taken:
    """Take a batch, each operation once however often it comes; nothing of it is thrown away:
    what has no place is put on record.

    `left` is how many entries of the journal wait besides these. A batch with a press needs an
    ORM session. The caller has seen that the assessment is open already.
    """
    taken, assessment = Taken(seen=seen), held.assessment
    if not operations or is_press(operations[0]):
        _save(session, held, assessment, (), origin, now, taken)
    for pressing, group in groupby(operations, is_press):
        if not pressing:
            _save(session, held, assessment, list(group), origin, now, taken)
            continue
        for operation in group:
            assessment = _again(session, assessment)
            _press(session, held, assessment, operation, origin, now, taken)
        assessment = _again(session, assessment)
    if taken.refused:
        refusals.record(session, assessment, operations, taken.refused, origin, now)
    if assessment.submission_id is not None:
        taken.receipt = submissions.receipt_of(session, assessment.id)
    if origin.journal is not None and left is not None:
        journals.heard(
            session, assessment.participant_id, held.phone, origin.journal, left, taken.new, now
        )
    return taken


def _again(session: Transaction, assessment: Known) -> Known:
    """The assessment as it is after what this batch has brought already."""
    found = assessments.find_own(session, assessment.public_id, assessment.participant_id)
    assert found is not None  # noqa: S101 (it is held)
    return found


def _save(
    session: Transaction,
    held: Held,
    assessment: Known,
    operations: Sequence[Operation],
    origin: Origin,
    now: datetime,
    taken: Taken,
) -> None:
    definition = held.study.definition
    saved = answers.save(
        session, assessment, held.instrument, operations, origin, definition.grace, now,
        taken.seen, definition.skipping,
    )  # fmt: skip
    taken.taken += saved.taken
    taken.new += saved.new
    taken.refused |= saved.refused
    taken.not_counted |= saved.not_counted
    for operation in operations:  # what stood before a press may not stand after it
        taken.others.pop(operation.item, None)
    taken.others |= saved.others
    taken.seen = saved.seen


def _press(
    session: Transaction,
    held: Held,
    assessment: Known,
    operation: Operation,
    origin: Origin,
    now: datetime,
    taken: Taken,
) -> None:
    if not isinstance(session, Session):
        raise TypeError("submitting needs a session")
    try:
        found = submissions.press(
            session, held.study, assessment, held.instrument, operation, origin, now
        )
    except submissions.Misplaced:
        taken.refused[operation.id] = "the operation's id is in use"
        return
    taken.taken.append(operation.id)
    taken.new += found.new
    if found.outcome is Outcome.INCOMPLETE:
        taken.missing = found.missing
    taken.closed = taken.closed or found.outcome is Outcome.CLOSED
