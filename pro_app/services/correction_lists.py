"""Requests for corrections as lists: what waits, what was decided, what there is of a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, joinedload

from pro_app.models import (
    Assessment,
    Correction,
    CorrectionDecision,
    Participant,
    Submission,
)
from pro_app.services.studies import CurrentStudy, counted

# with all that a list tells of a request: decision, submission, assessment, participant, requester
_requests = (
    sa.select(Correction)
    .outerjoin(Correction.decision)
    .join(Correction.submission)
    .join(Submission.assessment)
    .join(Assessment.participant)
    .options(
        contains_eager(Correction.decision),
        contains_eager(Correction.submission)
        .contains_eager(Submission.assessment)
        .contains_eager(Assessment.participant),
        joinedload(Correction.requester),
    )
)


def of_submission(session: Session, submission_id: int) -> Sequence[Correction]:
    """All corrections of a submission, in the order in which they were asked for."""
    found = _requests.where(Submission.id == submission_id).order_by(Correction.id)
    return session.scalars(found).all()


def of_participant(session: Session, participant_id: int) -> Sequence[Correction]:
    """All corrections of a participant, the newest first."""
    found = _requests.where(Participant.id == participant_id).order_by(Correction.id.desc())
    return session.scalars(found).all()


def find(session: Session, participant_id: int, public_id: str) -> Correction | None:
    """A participant's correction of this name."""
    return session.scalar(
        _requests.where(Participant.id == participant_id, Correction.public_id == public_id)
    )


def open_requests(
    session: Session, study: CurrentStudy, site_ids: Collection[int] | None = None
) -> Sequence[Correction]:
    """The requests of a study that wait for a decision, the oldest first; of some sites alone if
    they are named."""
    found = _of_sites(study, site_ids).where(CorrectionDecision.id.is_(None))
    return session.scalars(found.order_by(Correction.id)).all()


def decided(
    session: Session, study: CurrentStudy, site_ids: Collection[int] | None, most: int
) -> Sequence[Correction]:
    """The last requests that were decided or retracted, the newest decision first."""
    found = _of_sites(study, site_ids).where(CorrectionDecision.id.is_not(None))
    return session.scalars(found.order_by(CorrectionDecision.id.desc()).limit(most)).all()


def _of_sites(study: CurrentStudy, site_ids: Collection[int] | None) -> sa.Select[Correction]:
    found = _requests.where(counted(study))
    return found if site_ids is None else found.where(Participant.site_id.in_(site_ids))
