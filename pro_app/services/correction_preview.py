"""What approving a correction would do to the scores, before anybody decides."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from pro_app.core.corrections import ANSWER, Change, apply
from pro_app.core.library import Library
from pro_app.core.scoring import Score, score
from pro_app.models import Correction
from pro_app.services.corrected import effective
from pro_app.services.studies import CurrentStudy


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """A score that would become another one; `title` is the scoring's, `name` the scale's."""

    title: str
    name: str
    before: Score
    after: Score


def score_changes(
    session: Session, study: CurrentStudy, library: Library, correction: Correction
) -> list[ScoreChange]:
    """The scores that a request would change, from the answers that count now; none of a request
    that changes no answer."""
    if correction.kind != ANSWER:
        return []
    submission = correction.submission
    instrument = library.instruments[submission.assessment.instrument]
    now = effective(session, submission)
    then = apply(now, [Change(correction.field, correction.old, correction.new)])
    before, after = ({item: one["code"] for item, one in each.items()} for each in (now, then))
    found = []
    for code in study.scorings(instrument.code):
        scoring = instrument.scorings[code]
        names = scoring.names()
        pairs = zip(score(scoring, before), score(scoring, after), strict=True)
        found += [
            ScoreChange(scoring.title, names[old.scale], old, new)
            for old, new in pairs
            if (old.value, old.answered) != (new.value, new.answered)
        ]
    return found
