"""Signing off: an investigator stands for one participant's data up to a milestone.

A milestone is a timepoint with its occurrence (`month_3/1`), and covers every assessment that
opened no later; or the `end`, which covers all. The signature is bound to submissions, answers
that count now, approved corrections and scores, so that any later change voids it: whether it
holds is worked out anew each time, never stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.models import (
    Assessment,
    Correction,
    CorrectionDecision,
    Participant,
    ScaleResult,
    SignOff,
    Staff,
    Submission,
)
from pro_app.services import assessments, audit, corrected, signed_record, signing
from pro_app.services.assessments import Known
from pro_app.services.signing import Refused
from pro_app.services.studies import CurrentStudy

END = "end"
SIGNERS = ("investigator",)
UNFINISHED = {Status.NOT_DUE, Status.OPEN, Status.IN_PROGRESS}


@dataclass(frozen=True, slots=True)
class Standing:
    """A sign-off, and whether the data are still those that were signed."""

    sign_off: SignOff
    holds: bool


@dataclass(frozen=True, slots=True)
class Milestone:
    """What a sign-off would cover, and what is in its way: what can still be answered, and how
    many corrections wait for a decision."""

    code: str
    covered: tuple[Known, ...]
    unfinished: tuple[Known, ...]
    waiting: int

    @property
    def is_ready(self) -> bool:
        """Whether it can be signed now."""
        return bool(self.covered) and not self.unfinished and not self.waiting


def milestones(session: Session, participant_id: int) -> list[str]:
    """What can be signed off of a participant, one day: the timepoints by opening, and the end."""
    return _codes(assessments.of_participant(session, participant_id))


def _codes(known: Sequence[Known]) -> list[str]:
    return [*dict.fromkeys(_milestone(one) for one in known), END]


def overview(
    session: Session, study: CurrentStudy, participant_id: int, now: datetime
) -> list[Milestone]:
    """A participant's milestones in their order, each with what is in its way at `now`."""
    withheld = study.wordings.withheld
    known = assessments.of_participant(session, participant_id, withheld)
    found = []
    for code in _codes(known):
        covered = _covered(known, code) or []
        unfinished = tuple(_unfinished(study, covered, now))
        waiting = _waiting(session, covered)
        found.append(Milestone(code, tuple(covered), unfinished, waiting))
    return found


def _unfinished(study: CurrentStudy, covered: Sequence[Known], now: datetime) -> Iterator[Known]:
    """What of this can still be answered."""
    grace = study.definition.grace
    return (one for one in covered if one.status(now, grace) in UNFINISHED)


def sign(
    session: Session,
    study: CurrentStudy,
    participant_id: int,
    milestone: str,
    meaning: str,
    staff_id: int,
    now: datetime,
) -> SignOff:
    """Sign a participant's data up to a milestone.

    The caller has made sure that the person is there and means it. Raises NotAllowed, or Refused:
    for a milestone that is none, while an assessment up to it can still be answered or a
    correction waits for its decision, and for a second signature over the same.
    """
    participant = audit.lock_participant(session, participant_id)
    if participant.study_id != study.id:
        raise Refused("the study has no such participant")
    staff = signing.allowed(session, staff_id, SIGNERS, participant, now)
    meaning = signing.text("the meaning of the signature", meaning)
    withheld = study.wordings.withheld
    known = assessments.of_participant(session, participant_id, withheld)
    covered = _covered(known, milestone)
    if covered is None:
        raise Refused(f"{participant.number} has no milestone {milestone!r}")
    if not covered:
        raise Refused(f"{participant.number} has no questionnaire to be signed off")
    for one in _unfinished(study, covered, now):
        raise Refused(f"{_milestone(one)} {one.instrument} can still be answered")
    if _waiting(session, covered):
        raise Refused("a correction waits for its decision")
    for earlier in standing(session, participant_id):
        its = earlier.sign_off
        if earlier.holds and (its.milestone, its.staff_id) == (milestone, staff.id):
            raise Refused(f"{staff.name} has signed off {milestone}, and that holds")
    signed = SignOff(
        public_id=f"s{secrets.token_hex(10)}",
        participant_id=participant_id,
        milestone=milestone,
        staff_id=staff.id,
        name=staff.name,
        meaning=meaning,
        signed_at=now,
    )
    signed.signature = _signature(session, signed, participant, staff, covered)
    session.add(signed)
    session.flush()
    detail = {
        "sign_off": signed.public_id,
        "meaning": meaning,
        "signature": signed.signature,
        "digest": signed_record.digest_of(signed),
    }
    entry = audit.Entry(
        signing.actor(staff), "sign_off", "participant", new=milestone, detail=detail
    )
    audit.record(session, audit.participant_stream(participant_id), now, [entry])
    return signed


def standing(session: Session, participant_id: int) -> list[Standing]:
    """A participant's sign-offs, the oldest first, each with whether it still holds."""
    participant = session.get_one(Participant, participant_id)
    known = assessments.of_participant(session, participant_id)
    found = session.scalars(
        sa.select(SignOff).where(SignOff.participant_id == participant_id).order_by(SignOff.id)
    ).all()
    return [Standing(one, _holds(session, one, participant, known)) for one in found]


def _holds(
    session: Session, signed: SignOff, participant: Participant, known: Sequence[Known]
) -> bool:
    covered = _covered(known, signed.milestone)
    if covered is None:
        return False
    staff = session.get_one(Staff, signed.staff_id)
    return signed.signature == _signature(session, signed, participant, staff, covered)


def _milestone(known: Known) -> str:
    return f"{known.timepoint}/{known.occurrence}"


def _covered(known: Sequence[Known], milestone: str) -> list[Known] | None:
    """The assessments up to a milestone; None if there is no such milestone."""
    if milestone == END:
        return list(known)
    opened = [one.facts.opens_at for one in known if _milestone(one) == milestone]
    return [one for one in known if one.facts.opens_at <= max(opened)] if opened else None


def _waiting(session: Session, covered: Sequence[Known]) -> int:
    """How many corrections of these assessments have no decision yet."""
    submitted = [one.submission_id for one in covered if one.submission_id is not None]
    waiting = (
        sa.select(sa.func.count(Correction.id))
        .outerjoin(CorrectionDecision, CorrectionDecision.correction_id == Correction.id)
        .where(Correction.submission_id.in_(submitted), CorrectionDecision.id.is_(None))
    )
    return session.scalar(waiting) or 0


def _signature(
    session: Session,
    signed: SignOff,
    participant: Participant,
    staff: Staff,
    covered: Sequence[Known],
) -> str:
    content = {
        "sign_off": signed.public_id,
        "participant": participant.public_id,
        "milestone": signed.milestone,
        "data": list(_content(session, participant.id, covered)),
    }
    return signing.signature(staff, signed.name, signed.meaning, signed.signed_at, content)


def _content(
    session: Session, participant_id: int, covered: Sequence[Known]
) -> Iterator[dict[str, Any]]:
    """What is signed, submission by submission, in the order in which they were made."""
    approved = corrected.of_participant(session, participant_id)
    submissions = session.scalars(
        sa.select(Submission)
        .join(Assessment, Assessment.id == Submission.assessment_id)
        .where(Assessment.id.in_([one.id for one in covered]))
        .order_by(Submission.id)
    )
    for submission in submissions:
        own = approved.get(submission.id, ())
        scores: list[ScaleResult] = [*corrected.original_scores(session, submission.id)]
        for one in own:
            scores += corrected.scores_after(session, one)
        yield {
            "receipt": submission.receipt,
            "answers": corrected.answers(submission.answers, own),
            "corrections": [
                (
                    one.public_id,
                    one.field,
                    one.old,
                    one.new,
                    one.decision and one.decision.signature,
                )
                for one in own
            ],
            "scores": [
                {name: getattr(one, name) for name in signed_record.SCORE} for one in scores
            ],
        }
