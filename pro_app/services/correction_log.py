"""Corrections as an export: one row each, whatever became of it, with its signature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from pro_app.core.corrections import REQUESTED
from pro_app.models import (
    Assessment,
    Correction,
    CorrectionDecision,
    Participant,
    Site,
    Staff,
    Submission,
)
from pro_app.services import submissions
from pro_app.services.studies import CurrentStudy

COLUMNS = {
    "study": "study code",
    "site": "site code",
    "participant": "study number",
    "timepoint": "timepoint of the protocol",
    "occurrence": "1, or 2 and more for a repeated timepoint",
    "instrument": "instrument code",
    "receipt": "receipt of the submission, as shown to the participant",
    "correction": "the correction's id, as in the exports of answers and scores",
    "kind": "answer, or wrong_timepoint or wrong_participant for the whole submission",
    "field": "item, or timepoint or participant",
    "old": "value in force when it was asked for: a code, skipped, not_applicable, or a place",
    "new": "value asked for, likewise; void: belongs nowhere",
    "originator": "whose wish it is: participant or site",
    "requester": "name of the person of staff who asked for it",
    "requested_at": "when; study zone with offset",
    "reason_code": "mistaken_tap, misunderstood, transcription, technical, mix_up or other",
    "reason": "the reason in words",
    "evidence": "reference to the source record",
    "confirmation": "that and how the participant confirmed the new answer",
    "confirmed_on": "day of the participant's confirmation",
    "state": "requested, approved, rejected or retracted",
    "signer": "name of the investigator who signed the decision, or of who retracted",
    "meaning": "what the signature was said to mean",
    "comment": "the decision's reason",
    "decided_at": "when; study zone with offset",
    "signature": "SHA-256 over request, submission, decision and signer; empty if not signed",
}
_requester = aliased(Staff)
_rows = (
    sa.select(
        Site.code.label("site"),
        Participant.number.label("participant"),
        Assessment.timepoint,
        Assessment.occurrence,
        Assessment.instrument,
        Submission.receipt,
        Correction.public_id.label("correction"),
        Correction.kind,
        Correction.field,
        Correction.old,
        Correction.new,
        Correction.originator,
        _requester.name.label("requester"),
        Correction.requested_at,
        Correction.reason_code,
        Correction.reason,
        Correction.evidence,
        Correction.confirmation,
        Correction.confirmed_on,
        sa.func.coalesce(CorrectionDecision.outcome, REQUESTED).label("state"),
        CorrectionDecision.name.label("signer"),
        CorrectionDecision.meaning,
        CorrectionDecision.comment,
        CorrectionDecision.decided_at,
        CorrectionDecision.signature,
    )
    .join(Submission, Submission.id == Correction.submission_id)
    .join(Assessment, Assessment.id == Submission.assessment_id)
    .join(Participant, Participant.id == Assessment.participant_id)
    .join(Site, Site.id == Participant.site_id)
    .join(_requester, _requester.id == Correction.requester_id)
    .outerjoin(CorrectionDecision, CorrectionDecision.correction_id == Correction.id)
    .order_by(Participant.number, Correction.id)
)


def rows(session: Session, study: CurrentStudy) -> Iterator[dict[str, Any]]:
    """Every correction of a study, by participant and time; moments still in UTC."""
    wanted = _rows.where(Participant.study_id == study.id)
    for row in session.execute(wanted.execution_options(yield_per=1_000)).mappings():
        receipt = submissions.short(row["receipt"])
        yield {"study": study.definition.code, **row, "receipt": receipt}
