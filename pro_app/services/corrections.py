"""Corrections: asked for with reason and evidence, decided and signed by an investigator.

A submission never changes. What counts now are its sealed answers with the approved corrections
applied, in the order in which they were decided; both values stay for ever, and so do the scores
of both.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import corrections as rules
from pro_app.core.corrections import ANSWER, APPROVED, REJECTED, RETRACTED
from pro_app.core.library import Library
from pro_app.core.scoring import score
from pro_app.models import (
    Assessment,
    Correction,
    CorrectionDecision,
    Staff,
    Submission,
)
from pro_app.services import (
    answer_alerts,
    audit,
    corrected,
    correction_checks,
    score_rows,
    signed_record,
    signing,
    studies,
)
from pro_app.services.corrected import effective
from pro_app.services.correction_checks import Held, Wanted, own_place
from pro_app.services.signing import NotAllowed, Refused
from pro_app.services.studies import CurrentStudy

__all__ = [
    "Decided",
    "NotAllowed",
    "Refused",
    "Same",
    "Stale",
    "Verdict",
    "Wanted",
    "decide",
    "effective",
    "is_stale",
    "request",
    "retract",
    "signature_holds",
    "value_now",
]

REQUESTERS = ("coordinator", "investigator")
DECIDERS = ("investigator",)


class Same(Refused):
    """What was asked for is the value in force already."""


class Stale(Refused):
    """Since the request was made, an approved correction has moved the value it starts from."""


class Decided(Refused):
    """Somebody has decided on the request, or it was retracted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An investigator's decision: `meaning` is what the signature was said to mean."""

    approved: bool
    meaning: str
    comment: str


def request(
    session: Session,
    study: CurrentStudy,
    library: Library,
    submission_id: int,
    wanted: Wanted,
    staff_id: int,
    now: datetime,
) -> Correction:
    """Put a request on record; pressed twice, it is the one that waits already. Raises Refused, or
    NotAllowed, naming what is wrong."""
    held = _hold(session, study, submission_id)
    staff = signing.allowed(session, staff_id, REQUESTERS, held.participant, now)
    field = correction_checks.checked_field(session, study, library, held, wanted)
    confirmation, confirmed_on = correction_checks.confirmation(
        study.definition, held.submission, wanted, now
    )
    old = value_now(session, held.submission, wanted.kind, field)
    if old == wanted.new:
        raise Same(f"{field} is {old} already")
    reason = signing.text("the reason", wanted.reason)
    twice = _asked_twice(session, held, staff, wanted, field, reason)
    if twice is not None:
        return twice
    correction = Correction(
        public_id=f"c{secrets.token_hex(10)}",  # to a spreadsheet neither a number nor a formula
        submission=held.submission,
        kind=wanted.kind,
        field=field,
        old=old,
        new=wanted.new,
        originator=wanted.originator,
        requester=staff,
        reason_code=wanted.reason_code,
        reason=reason,
        evidence=signing.text("the evidence", wanted.evidence),
        confirmation=confirmation,
        confirmed_on=confirmed_on,
        requested_at=now,
    )
    session.add(correction)
    session.flush()
    detail = {
        "kind": correction.kind,
        "reason_code": correction.reason_code,
        "reason": correction.reason,
        "digest": signed_record.digest_of(correction),
    }
    _tell(session, held, now, [_entry(held, staff, "request_correction", correction, detail)])
    return correction


def _asked_twice(
    session: Session, held: Held, staff: Staff, wanted: Wanted, field: str, reason: str
) -> Correction | None:
    """The same person's same request, if it waits for a decision."""
    return session.scalar(
        sa.select(Correction)
        .outerjoin(Correction.decision)
        .where(
            CorrectionDecision.id.is_(None),
            Correction.submission_id == held.submission.id,
            Correction.requester_id == staff.id,
            Correction.kind == wanted.kind,
            Correction.field == field,
            Correction.new == wanted.new,
            Correction.reason == reason,
        )
        .limit(1)
    )


def _hold(session: Session, study: CurrentStudy, submission_id: int) -> Held:
    """A submission of the study, with its participant's stream held."""
    row = session.execute(
        sa.select(Submission, Assessment)
        .join(Assessment, Assessment.id == Submission.assessment_id)
        .where(Submission.id == submission_id)
    ).one_or_none()
    if row is not None:
        participant = audit.lock_participant(session, row[1].participant_id)
        if participant.study_id == study.id:
            return Held(row[0], row[1], participant)
    raise Refused("the study has no such submission")


def retract(
    session: Session,
    study: CurrentStudy,
    correction_id: int,
    staff_id: int,
    now: datetime,
    comment: str = "",
) -> CorrectionDecision:
    """Take back a request that nobody has decided on. Raises NotAllowed but for who made it, and
    Decided."""
    correction, held = _hold_open(session, study, correction_id)
    staff = signing.allowed(session, staff_id, REQUESTERS, held.participant, now)
    if staff.id != correction.requester_id:
        raise NotAllowed("only who made a request takes it back")
    decision = _decision(correction, RETRACTED, staff, now)
    decision.comment = signing.text("the comment", comment, needed=False)
    _keep(session, held, staff, decision, "retract_correction")
    return decision


def decide(
    session: Session,
    study: CurrentStudy,
    library: Library,
    correction_id: int,
    verdict: Verdict,
    staff_id: int,
    now: datetime,
) -> CorrectionDecision:
    """Approve or reject a request with the investigator's signature; approving a new answer
    scores the answers anew, and looks for alerts where answers are watched.

    The caller has made sure that the person is there and means it. Raises NotAllowed (also for
    who made the request: four eyes), Decided, Stale (only when approving), or Refused for a text.
    """
    correction, held = _hold_open(session, study, correction_id)
    staff = signing.allowed(session, staff_id, DECIDERS, held.participant, now)
    if staff.id == correction.requester_id:
        raise NotAllowed("who made a request does not decide on it")
    if verdict.approved:
        found = value_now(session, held.submission, correction.kind, correction.field)
        if found != correction.old:
            raise Stale(
                f"{correction.field} was {correction.old} when this was asked for and is {found} "
                "now: it can only be rejected"
            )
    outcome = APPROVED if verdict.approved else REJECTED
    decision = _decision(correction, outcome, staff, now)
    decision.meaning = signing.text("the meaning of the signature", verdict.meaning)
    decision.comment = signing.text("the comment", verdict.comment)
    decision.signature = _signature(held.submission, correction, decision, staff)
    _keep(session, held, staff, decision, "correct" if verdict.approved else "reject_correction")
    if verdict.approved and correction.kind == ANSWER:
        _score_anew(session, study, library, held, correction, now)
    return decision


def _hold_open(
    session: Session, study: CurrentStudy, correction_id: int
) -> tuple[Correction, Held]:
    """A request without a decision, with its participant's stream held."""
    correction = session.get(Correction, correction_id)
    if correction is None:
        raise Refused("there is no such correction")
    held = _hold(session, study, correction.submission_id)
    outcome = session.scalar(
        sa.select(CorrectionDecision.outcome).where(
            CorrectionDecision.correction_id == correction_id
        )
    )
    if outcome is not None:
        raise Decided(f"this correction is {outcome} already")
    return correction, held


def _decision(
    correction: Correction, outcome: str, staff: Staff, now: datetime
) -> CorrectionDecision:
    return CorrectionDecision(
        correction_id=correction.id,
        outcome=outcome,
        staff_id=staff.id,
        name=staff.name,
        comment="",
        decided_at=now,
    )


def _keep(
    session: Session, held: Held, staff: Staff, decision: CorrectionDecision, action: str
) -> None:
    """Store a decision, and the audit entry that tells of it."""
    session.add(decision)
    session.flush()
    correction = decision.correction
    session.refresh(correction, ["decision"])
    detail = {
        "reason": correction.reason,
        "comment": decision.comment,
        "signature": decision.signature,
        "digest": signed_record.digest_of(decision),
    }
    _tell(session, held, decision.decided_at, [_entry(held, staff, action, correction, detail)])


def _signature(
    submission: Submission, correction: Correction, decision: CorrectionDecision, staff: Staff
) -> str:
    """The hash that binds a decision's signature to all that was signed."""
    columns = Correction.__table__.columns
    own = {"id", "submission_id", "requester_id"}
    content = {
        "receipt": submission.receipt,
        "correction": {
            one.key: getattr(correction, one.key) for one in columns if one.key not in own
        },
        "requester": correction.requester.public_id,
        "outcome": decision.outcome,
        "comment": decision.comment,
    }
    meaning = decision.meaning or ""
    return signing.signature(staff, decision.name, meaning, decision.decided_at, content)


def signature_holds(session: Session, decision: CorrectionDecision) -> bool:
    """Whether a decision still says what was signed, of a correction that does."""
    staff = session.get_one(Staff, decision.staff_id)
    correction = decision.correction
    found = _signature(correction.submission, correction, decision, staff)
    return found == decision.signature


def _score_anew(
    session: Session,
    study: CurrentStudy,
    library: Library,
    held: Held,
    correction: Correction,
    now: datetime,
) -> None:
    """Score the answers as they are after a correction, beside all earlier scores, and look
    whether they raise an alert, or one no more."""
    instrument = library.instruments[held.assessment.instrument]
    codes = {item: one["code"] for item, one in effective(session, held.submission).items()}
    entries = []
    for name in study.scorings(instrument.code):
        scores = score(instrument.scorings[name], codes)
        public_id = held.assessment.public_id
        entries.append(score_rows.keep_corrected(session, public_id, correction, scores))
    version = studies.definition_of(session, library, study, held.submission.study_version)
    entries += answer_alerts.look(session, version, instrument, held.submission, codes, now)
    if entries:
        _tell(session, held, now, entries)


def _entry(
    held: Held, staff: Staff, action: str, correction: Correction, detail: Mapping[str, Any]
) -> audit.Entry:
    return audit.Entry(
        signing.actor(staff),
        action,
        f"assessment/{held.assessment.public_id}",
        correction.field,
        correction.old,
        correction.new,
        {"correction": correction.public_id, **detail},
    )


def _tell(session: Session, held: Held, now: datetime, entries: Sequence[audit.Entry]) -> None:
    audit.record(session, audit.participant_stream(held.participant.id), now, entries)


def value_now(session: Session, submission: Submission, kind: str, field: str) -> str:
    """The value in force of an item, or of where a submission belongs."""
    if kind == ANSWER:
        return rules.value_of(effective(session, submission)[field])
    moved = corrected.place(corrected.of_submission(session, submission.id), field)
    return moved or own_place(submission.assessment, submission.assessment.participant, kind)


def is_stale(session: Session, correction: Correction) -> bool:
    """Whether an approved correction has moved the value that a request starts from."""
    found = value_now(session, correction.submission, correction.kind, correction.field)
    return found != correction.old
