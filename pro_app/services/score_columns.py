"""The columns of the scores export: each scale's score of the answers that count now, and beside
it the one of the answers as they were submitted.

Both are the stored ones of a submission. Of an assessment that closed half answered they are
computed here by the same engine, and are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.core.instruments import Instrument
from pro_app.core.scoring import Scoring
from pro_app.models import Correction
from pro_app.services import answers, corrected, submissions
from pro_app.services.answer_columns import Line
from pro_app.services.assessments import Known

HEAD = {
    "basis": "submission (stored scores) or partial (closed half answered)",
    "score_correction": (
        "correction after which the scores were computed; empty if no answer was corrected"
    ),
}
VERSIONS = {"": "", "_original": " of the answers as submitted"}  # column's part, and its meaning
_REASONS = {
    "too_few_answered": "fewer items answered than the scoring asks for",
    "needs_all_scales": "one of the scales that it is computed from is missing",
}


def names(scoring: Scoring) -> Iterator[str]:
    """The columns of a scoring, in its scales' order."""
    yield from (f"{scoring.name}{version}_algorithm" for version in VERSIONS)
    for scale in scoring.outputs():
        for version in VERSIONS:
            stem = f"{scoring.name}_{scale}{version}"
            yield from (stem, f"{stem}_norm", f"{stem}_answered", f"{stem}_reason")


def cells(
    session: Session,
    instrument: Instrument,
    scorings: Sequence[str],
    known: Known,
    state: Status,
    current: Mapping[str, answers.Current],
    corrections: Sequence[Correction],
) -> dict[str, Any]:
    """The cells of an assessment; `corrections` are the approved ones of its submission."""
    told: dict[str, Any] = {}
    if known.submission_id is not None:
        told["basis"] = "submission"
        original = corrected.original_scores(session, known.submission_id)
        last = corrected.last_change(corrections)
        _put(told, original, "_original")
        if last is None:
            _put(told, original, "")
        else:
            told["score_correction"] = last.public_id
            _put(told, corrected.scores_after(session, last), "")
    elif state is Status.MISSED and current:
        told["basis"] = "partial"
        for scoring in scorings:
            computed = submissions.score_answers(instrument, scoring, current)
            for version in VERSIONS:
                _put(told, computed, version)
    return told


def _put(told: dict[str, Any], scores: Sequence[Any], version: str) -> None:
    for score in scores:
        stem = f"{score.scoring}_{score.scale}{version}"
        told[f"{score.scoring}{version}_algorithm"] = score.algorithm
        told[stem] = score.value
        told[f"{stem}_norm"] = score.norm_based
        told[f"{stem}_answered"] = score.answered
        told[f"{stem}_reason"] = score.reason


def lines(instrument: Instrument, scoring: Scoring) -> Iterator[Line]:
    """The codebook's lines of a scoring's columns."""
    for version, of in VERSIONS.items():
        meaning = f"version of the scoring {scoring.title}, for the scores{of or ' now'}"
        yield (f"{scoring.name}{version}_algorithm", instrument.code, meaning, "", "")
    for scale in scoring.outputs():
        for version, of in VERSIONS.items():
            stem = f"{scoring.name}_{scale}{version}"
            name = f"{scale} by {scoring.title}{of}"
            yield (stem, instrument.code, name, "", "")
            norm = f"{name}, norm-based (mean 50, SD 10)"
            yield (f"{stem}_norm", instrument.code, norm, "", "")
            yield (f"{stem}_answered", instrument.code, f"items answered for {name}", "", "")
            for reason, meaning in _REASONS.items():
                why = f"why {name} is missing"
                yield (f"{stem}_reason", instrument.code, why, reason, meaning)
