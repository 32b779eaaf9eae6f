"""The answers that raised alerts, for an investigator's eyes: every look at them is on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager

from pro_app.core.alerts import Codes, ItemTrigger, Rule
from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.models import AnswerAlert, Assessment, Submission
from pro_app.services import audit, corrected, studies
from pro_app.services.answer_alerts import values_of
from pro_app.services.studies import CurrentStudy


@dataclass(frozen=True, slots=True)
class Cause:
    """What a rule looked at: an item, or a scale of a scoring with the value beyond which it is
    raised. `given` is its code or score as it was submitted, `corrected` as it counts now; the two
    differ only after a correction."""

    instrument: str
    given: float | None
    corrected: float | None
    item: str | None = None
    scoring: str | None = None
    scale: str | None = None
    below: float | None = None
    above: float | None = None


def read(
    session: Session,
    study: CurrentStudy,
    library: Library,
    participant_id: int,
    actor: str,
    now: datetime,
) -> dict[str, Cause]:
    """By public id of each of a participant's alerts, what raised it; the reading is put on the
    trail. The caller has made sure that `actor` is an investigator of the site."""
    audit.lock_participant(session, participant_id)
    alerts = session.scalars(
        sa.select(AnswerAlert)
        .join(AnswerAlert.submission)
        .join(Submission.assessment)
        .where(Assessment.participant_id == participant_id)
        .options(contains_eager(AnswerAlert.submission).contains_eager(Submission.assessment))
        .order_by(AnswerAlert.id)
    ).all()
    changes = corrected.of_participant(session, participant_id)
    found: dict[str, Cause] = {}
    for alert in alerts:
        submission = alert.submission
        definition = studies.definition_of(session, library, study, submission.study_version)
        rule = definition.monitoring.rule(alert.rule)
        if rule is not None:
            instrument = library.instruments[submission.assessment.instrument]
            counting = corrected.answers(submission.answers, changes.get(submission.id, ()))
            given, now_given = (
                {item: one["code"] for item, one in answers.items()}
                for answers in (submission.answers, counting)
            )
            found[alert.public_id] = _cause(instrument, rule, given, now_given)
    if found:
        detail = {"alerts": list(found)}
        entry = audit.Entry(actor, "read_answers", "participant", detail=detail)
        audit.record(session, audit.participant_stream(participant_id), now, [entry])
    return found


def _cause(instrument: Instrument, rule: Rule, given: Codes, counting: Codes) -> Cause:
    trigger = rule.trigger
    if isinstance(trigger, ItemTrigger):
        item = trigger.item
        return Cause(instrument.code, given.get(item), counting.get(item), item=item)
    key = (trigger.scoring, trigger.scale)
    before, after = (values_of(instrument, (rule,), codes)[key] for codes in (given, counting))
    return Cause(
        instrument.code,
        before,
        after,
        scoring=trigger.scoring,
        scale=trigger.scale,
        below=trigger.below,
        above=trigger.above,
    )
