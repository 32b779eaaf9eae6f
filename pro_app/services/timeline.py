"""One participant's whole way through the protocol: anchors, assessments, reminders, what waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import schedule
from pro_app.core.assessment import Status
from pro_app.core.reminders import LADDER, Channel
from pro_app.core.schedule import Window
from pro_app.core.study import StudyDefinition
from pro_app.models import Assessment, Message, Participant, Reminder, Submission
from pro_app.services import assessments, missed
from pro_app.services import schedule as scheduling
from pro_app.services.assessments import Known
from pro_app.services.reminders import is_paused
from pro_app.services.studies import CurrentStudy


@dataclass(frozen=True, slots=True)
class Reminded:
    """A reminder: its step and channel, what became of it, and when that was or will be.

    `reason` says why it was cancelled, moved, failed or expired; `opened_at` when the message
    was opened.
    """

    step: str
    channel: str
    state: str
    reason: str | None
    at: datetime
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stage:
    """An assessment of the timeline. `too_late_for` is the anchor that it should have been
    answered before, and was not. `mode` is how a submitted one was answered, `missed_code` why a
    missed one was, where the site has said so."""

    timepoint: str
    occurrence: int
    instrument: str
    window: Window
    status: Status
    reason: str | None
    by_hand: bool
    too_late_for: str | None
    mode: str | None
    missed_code: str | None
    reminders: tuple[Reminded, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that was and will be. `ended` is `withdrawn` or `died`; a pause may end by
    itself at `paused_until`."""

    number: str
    zone: ZoneInfo
    anchors: Mapping[str, date]
    ended: str | None
    paused: bool
    stages: tuple[Stage, ...]
    waiting: Mapping[str, Sequence[str]]
    paused_until: datetime | None = None


def timeline(
    session: Session, study: CurrentStudy, participant: Participant, now: datetime
) -> Timeline:
    """A participant's timeline at `now`, in the order of opening."""
    definition = study.definition
    days = scheduling.anchors(session, participant.id)
    withheld = study.wordings.withheld
    reminded = _reminders(session, participant.id)
    rows = session.execute(
        sa.select(Assessment.id, Assessment.scheduled, Submission.completed_at, Submission.mode)
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .where(Assessment.participant_id == participant.id)
    )
    more = {row.id: row for row in rows}
    reasons = missed.newest(session, list(more))
    stages = []
    for known in assessments.of_participant(session, participant.id, withheld):
        state = known.status(now, definition.grace)
        _, scheduled, completed_at, mode = more[known.id]
        told = reasons.get(known.id) if state is Status.MISSED else None
        stages.append(
            Stage(
                known.timepoint,
                known.occurrence,
                known.instrument,
                Window(known.facts.opens_at, known.due_at, known.facts.closes_at),
                state,
                assessments.remark_on(known, state),
                not scheduled,
                _too_late_for(definition, days, known, completed_at),
                mode,
                None if told is None else told.code,
                tuple(reminded.get(known.id, ())),
            )
        )
    ended = "died" if participant.died_at else "withdrawn" if participant.withdrawn_at else None
    paused = is_paused(participant.paused_at, participant.paused_until, now)
    return Timeline(
        participant.number,
        definition.zone,
        {one.code: days[one.code] for one in definition.anchors if one.code in days},
        ended,
        paused,
        tuple(stages),
        schedule.waiting(definition.timepoints, days) if ended is None else {},
        participant.paused_until if paused else None,
    )


def _too_late_for(
    definition: StudyDefinition,
    days: Mapping[str, date],
    known: Known,
    completed_at: datetime | None,
) -> str | None:
    """The anchor that an answered timepoint should precede, if it was answered on a later day."""
    precedes = next(
        (one.precedes for one in definition.timepoints if one.code == known.timepoint), None
    )
    if precedes is None or completed_at is None or precedes not in days:
        return None
    answered_on = completed_at.astimezone(definition.zone).date()
    return precedes if answered_on > days[precedes] else None


def _reminders(session: Session, participant_id: int) -> dict[int, list[Reminded]]:
    """A participant's reminders by assessment, in the order in which they come."""
    rows = session.execute(
        sa.select(
            Reminder.assessment_id,
            Reminder.step,
            Reminder.channel,
            Reminder.state,
            Reminder.reason,
            Reminder.due_at,
            Reminder.sent_at,
            Message.opened_at,
        )
        .outerjoin(Message, Message.id == Reminder.message_id)
        .where(Reminder.participant_id == participant_id)
        .order_by(Reminder.planned_for, Reminder.id)
    )
    found: dict[int, list[Reminded]] = {}
    for assessment_id, step, channel, state, reason, due_at, sent_at, opened_at in rows:
        one = Reminded(step, channel, state, reason, sent_at or due_at, opened_at)
        found.setdefault(assessment_id, []).append(one)
    for several in found.values():
        several.sort(key=lambda one: (one.at, LADDER.index(Channel(one.channel))))
    return found
