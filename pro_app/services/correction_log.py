"""Corrections as an export: one row each, whatever became of it, with its signature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from pro_app.services.studies import CurrentStudy, counted


def meanings(_: Callable[[str], str]) -> dict[str, str]:
    """The columns of the log in their order, and what they mean, by the words of `_`."""
    return {
        "study": _("study code"),
        "site": _("site code"),
        "participant": _("study number"),
        "timepoint": _("timepoint of the protocol"),
        "occurrence": _("1, or 2 and more for a repeated timepoint"),
        "instrument": _("instrument code"),
        "receipt": _("receipt of the submission, as shown to the participant"),
        "correction": _("the correction's id, as in the exports of answers and scores"),
        "kind": _("what is wrong"),
        "field": _("the item, or the place that is wrong"),
        "old": _("value when it was asked for: a code, a state or a place"),
        "new": _("value asked for, likewise"),
        "originator": _("whose wish it is"),
        "requester": _("name of the person of staff who asked for it"),
        "requested_at": _("when; study zone with offset"),
        "reason_code": _("the reason"),
        "reason": _("the reason in words"),
        "evidence": _("reference to the source record"),
        "confirmation": _("that and how the participant confirmed the new answer"),
        "confirmed_on": _("day of the participant's confirmation"),
        "state": _("what became of it"),
        "signer": _("name of the investigator who signed the decision, or of who retracted"),
        "meaning": _("what the signature was said to mean"),
        "comment": _("the decision's reason"),
        "decided_at": _("when; study zone with offset"),
        "signature": _(
            "SHA-256 over request, submission, decision and signer; empty if not signed"
        ),
    }


def codes(_: Callable[[str], str]) -> dict[str, dict[str, str]]:
    """What the codes of its columns mean, likewise."""
    return {
        "kind": {
            "answer": _("An answer is wrong"),
            "wrong_timepoint": _("It was filed at the wrong timepoint"),
            "wrong_participant": _("It belongs to another participant"),
        },
        "originator": {
            "participant": _("It is the participant's wish"),
            "site": _("It is the site's wish"),
        },
        "reason_code": {
            "mistaken_tap": _("tapped by mistake"),
            "misunderstood": _("the question was misunderstood"),
            "transcription": _("copied wrongly from paper"),
            "technical": _("a technical fault"),
            "mix_up": _("people or visits were mixed up"),
            "other": _("another reason"),
        },
        "state": {
            "requested": _("waits for a decision"),
            "approved": _("approved"),
            "rejected": _("rejected"),
            "retracted": _("taken back"),
        },
    }


AT_ONCE = 1_000
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


def chunks(
    session: Session, study: CurrentStudy, where: Sequence[sa.ColumnElement[bool]]
) -> Iterator[list[dict[str, Any]]]:
    """The corrections of a study, by participant and time, some thousand at a time; `where` are
    conditions on assessment, participant and site."""
    wanted = _rows.where(counted(study), *where)
    code = study.definition.code
    with session.execute(wanted.execution_options(yield_per=AT_ONCE)) as found:
        for part in found.mappings().partitions():
            yield [
                {"study": code, **row, "receipt": submissions.short(row["receipt"])} for row in part
            ]
