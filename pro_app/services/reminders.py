"""Planning reminders: the rows that say which message is due when. `sending` works them off.

Reminders are planned when their assessment opens within HORIZON, so that a study of years holds
few rows, and anew whenever its window or the person's hour moved. One row per assessment, step
and channel is all there ever is: planning twice changes nothing, and a step that was sent is
never planned again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from pro_app.core import reminders
from pro_app.core.library import Library
from pro_app.core.schedule import LocalDay, Window
from pro_app.models import Assessment, Base, Database, Participant, Reminder, Study, Submission
from pro_app.services import audit, schedule, studies
from pro_app.services.studies import CurrentStudy

HORIZON = timedelta(days=2)  # how long before its opening an assessment's reminders are planned
CHUNK = 1_000  # participants or assessments in one transaction
REVIVED = ("moved", "paused", "withdrawn", "died")  # a cancelled reminder that planning brings back


@dataclass(frozen=True, slots=True)
class Planning:
    """What a run of the planner did: participants brought to the newest study version, and
    assessments whose reminders were planned."""

    followed: int
    planned: int


def plan(database: Database, library: Library, now: datetime) -> Planning:
    """Everything that planning has to do at `now`, in transactions of at most CHUNK rows."""
    followed = planned = 0
    with database.reading() as session:
        study_ids = session.scalars(sa.select(Study.id).order_by(Study.id)).all()
    for study_id in study_ids:
        while found := _follow_some(database, library, study_id, now):
            followed += found
        while found := _plan_some(database, library, study_id, now):
            planned += found
    return Planning(followed, planned)


def _follow_some(database: Database, library: Library, study_id: int, now: datetime) -> int:
    with database.writing() as session:
        study = studies.current(session, library, study_id)
        behind = schedule.lagging(session, study, CHUNK)
        if behind:
            schedule.follow(session, study, behind, now)
            replan(session, behind, now)
        return len(behind)


def _plan_some(database: Database, library: Library, study_id: int, now: datetime) -> int:
    with database.writing() as session:
        study = studies.current(session, library, study_id)
        return _plan(session, study, now, Participant.study_id == study_id)


def plan_for(
    session: Session, study: CurrentStudy, participant_ids: Sequence[int], now: datetime
) -> None:
    """Plan what these participants lack, in the caller's transaction."""
    while _plan(session, study, now, Participant.id.in_(participant_ids)):
        pass


_unplanned = (
    sa.select(
        Assessment.id,
        Assessment.opens_at,
        Assessment.due_at,
        Assessment.closes_at,
        Participant.id.label("participant_id"),
        Participant.reminder_minute,
        Participant.paused_until,
        sa.or_(
            Participant.withdrawn_at.is_not(None),
            Participant.died_at.is_not(None),
            sa.and_(Participant.paused_at.is_not(None), Participant.paused_until.is_(None)),
            Submission.id.is_not(None),
        ).label("ended"),
    )
    .join(Participant, Participant.id == Assessment.participant_id)
    .outerjoin(Submission, Submission.assessment_id == Assessment.id)
    .where(Assessment.planned_at.is_(None), Assessment.cancelled_at.is_(None))
    .order_by(Assessment.opens_at, Assessment.id)
    # as they are, not as they were: whoever moves windows or stops reminders holds the
    # participant, and what they hold is left to them or to the next run
    .with_for_update(of=(Participant, Assessment), key_share=True, skip_locked=True)
)


def _plan(
    session: Session, study: CurrentStudy, now: datetime, whose: sa.ColumnElement[bool]
) -> int:
    """Plan the reminders of up to CHUNK assessments that open soon: how many there were."""
    rules, zone = study.definition.reminders, study.definition.zone
    soon = _unplanned.where(Assessment.opens_at <= now + HORIZON, whose)
    found = session.execute(soon.limit(CHUNK)).all()
    fallen = _fallen(session, [one.id for one in found])
    rows: list[dict[str, Any]] = []
    for one in found:
        since = max(now, one.paused_until or now)  # as if a pause with an end were over
        if one.ended or one.closes_at <= since:
            continue
        window = Window(one.opens_at, one.due_at, one.closes_at)
        minute = rules.minute_of(one.reminder_minute, one.participant_id)
        for planned in reminders.plan(window, rules, minute, zone):
            due: datetime | None = planned.due_at
            if planned.due_at < since:  # entered late: nothing goes for a past time
                due = rules.slot_before(planned.expires_at, since, minute, zone)
            if due is None:
                continue
            for channel in (planned.channel.value, *fallen.get((one.id, planned.step), ())):
                rows.append(_row(one.id, one.participant_id, planned, channel, due, now))
    if rows:
        _upsert(session, rows)
    if found:
        session.execute(
            sa.update(Assessment)
            .where(Assessment.id.in_([one.id for one in found]))
            .values(planned_at=now)
            .execution_options(synchronize_session=False)
        )
    return len(found)


def _fallen(session: Session, assessment_ids: Sequence[int]) -> dict[tuple[int, str], list[str]]:
    """The channels that stood in for one which failed, of reminders that planning brings back,
    by assessment and step."""
    failed = aliased(Reminder)
    stood_in = sa.exists().where(
        failed.assessment_id == Reminder.assessment_id,
        failed.step == Reminder.step,
        failed.state == "failed",
    )
    found: dict[tuple[int, str], list[str]] = {}
    for assessment_id, step, channel in session.execute(
        sa.select(Reminder.assessment_id, Reminder.step, Reminder.channel).where(
            Reminder.assessment_id.in_(assessment_ids), _revivable, stood_in
        )
    ):
        found.setdefault((assessment_id, step), []).append(channel)
    return found


def _row(
    assessment_id: int,
    participant_id: int,
    planned: reminders.Planned,
    channel: str,
    due_at: datetime,
    now: datetime,
) -> dict[str, Any]:
    return {
        "assessment_id": assessment_id,
        "participant_id": participant_id,
        "step": planned.step,
        "channel": channel,
        "state": "planned",
        "reason": None,
        "planned_for": planned.due_at,
        "due_at": due_at,
        "expires_at": planned.expires_at,
        "attempts": 0,
        "lease": None,
        "lease_until": None,
        "created_at": now,
    }


_MOVED = (
    "state", "reason", "planned_for", "due_at", "expires_at", "attempts", "lease", "lease_until",
)  # fmt: skip


_revivable = sa.and_(
    Reminder.state == "cancelled", sa.or_(*(Reminder.reason == reason for reason in REVIVED))
)


def _upsert(session: Session, rows: list[dict[str, Any]]) -> None:
    """Insert reminders; of those that exist, move the ones still planned and revive the ones
    cancelled for a reason that has passed."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert(Reminder) if dialect == "postgresql" else sqlite.insert(Reminder)
    statement = insert.on_conflict_do_update(
        index_elements=["assessment_id", "step", "channel"],
        set_={name: insert.excluded[name] for name in _MOVED},
        where=sa.or_(Reminder.state == "planned", _revivable),
    )
    session.connection().execute(statement, rows)


def insert_or_leave(session: sa.Connection, table: type[Base], rows: list[dict[str, Any]]) -> None:
    """Insert rows; those whose unique key exists already stay as they are."""
    if not rows:
        return
    dialect = session.dialect.name
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    session.execute(insert.on_conflict_do_nothing(), rows)


def add_fallback(session: sa.Connection, rows: list[dict[str, Any]]) -> None:
    """Insert reminders on the next channel; those that exist already stay as they are."""
    insert_or_leave(session, Reminder, rows)


def replan(
    session: Session, participant_ids: Sequence[int], now: datetime, reason: str = "moved"
) -> None:
    """Have the reminders of participants planned anew: cancelled now, revived by planning."""
    session.execute(
        sa.update(Assessment)
        .where(Assessment.participant_id.in_(participant_ids), Assessment.closes_at > now)
        .values(planned_at=None)
        .execution_options(synchronize_session=False)
    )
    cancel(session, Reminder.participant_id.in_(participant_ids), reason)


def withdraw_plan(session: Session, assessment_ids: Sequence[int]) -> None:
    """Take back the reminders of assessments whose windows move or end; planning brings back
    what no message went for, calls for the old window among it."""
    unsent = ("planned", "listed", "expired")
    session.execute(
        sa.update(Reminder)
        .where(Reminder.assessment_id.in_(assessment_ids), Reminder.state.in_(unsent))
        .values(state="cancelled", reason="moved", lease=None, lease_until=None, sent_at=None)
        .execution_options(synchronize_session=False)
    )


def cancel(session: Session, which: sa.ColumnElement[bool], reason: str) -> None:
    """Cancel planned reminders at once, also those that a worker holds to send."""
    session.execute(
        sa.update(Reminder)
        .where(Reminder.state == "planned", which)
        .values(state="cancelled", reason=reason, lease=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )


def count_planned(session: Session, assessment_ids: Sequence[int]) -> int:
    """How many reminders of these assessments wait to be sent."""
    found = sa.select(sa.func.count()).where(
        Reminder.state == "planned", Reminder.assessment_id.in_(assessment_ids)
    )
    return session.scalar(found) or 0


class PauseError(Exception):
    """A pause that cannot be; the message says why."""


PAUSE_REASONS = ("hospital", "travel", "other")


def is_paused(paused_at: datetime | None, until: datetime | None, now: datetime) -> bool:
    """Whether a pause lasts at `now`: one with an end is over by itself from then on."""
    return paused_at is not None and (until is None or now < until)


def pause(
    session: Session,
    participant_id: int,
    now: datetime,
    *,
    reason: str | None = None,
    until: LocalDay | None = None,
    actor: str = "site",
) -> None:
    """Send this participant nothing from now on; the windows stay as they are.

    On the day `until` reminders go again by themselves: the planner plans them for then. Pausing
    again changes reason and end. Raises PauseError.
    """
    if reason is not None and reason not in PAUSE_REASONS:
        raise PauseError(f"the reason must be one of {', '.join(PAUSE_REASONS)}")
    ends_at = None if until is None else until.begins_at
    if ends_at is not None and ends_at <= now:
        raise PauseError("the day on which the pause ends must come after today")
    participant = audit.lock_participant(session, participant_id)
    lasting = is_paused(participant.paused_at, participant.paused_until, now)
    if lasting and (participant.pause_reason, participant.paused_until) == (reason, ends_at):
        return
    if not lasting:
        participant.paused_at = now
    participant.pause_reason, participant.paused_until = reason, ends_at
    session.flush()
    if until is None:
        cancel(session, Reminder.participant_id == participant_id, "paused")
    else:
        replan(session, [participant_id], now, "paused")
    detail = {"reason": reason, "until": None if until is None else until.day.isoformat()}
    told = {name: value for name, value in detail.items() if value is not None}
    _record(session, participant_id, "pause_reminders", now, actor, told)


def resume(
    session: Session, study: CurrentStudy, participant_id: int, now: datetime, actor: str = "site"
) -> None:
    """Send reminders again: those of today and later, none of the time between twice."""
    participant = audit.lock_participant(session, participant_id)
    if participant.paused_at is not None:
        participant.paused_at = participant.paused_until = participant.pause_reason = None
        session.flush()
        replan(session, [participant_id], now)
        plan_for(session, study, [participant_id], now)
        _record(session, participant_id, "resume_reminders", now, actor, {})


def _record(
    session: Session,
    participant_id: int,
    action: str,
    now: datetime,
    actor: str,
    detail: Mapping[str, Any],
) -> None:
    entry = audit.Entry(actor, action, "participant", detail=detail)
    audit.record(session, audit.participant_stream(participant_id), now, [entry])


def choose_hour(
    session: Session,
    study: CurrentStudy,
    participant_id: int,
    minute: int | None,
    actor: str,
    now: datetime,
) -> None:
    """Take the hour that a participant wants reminders at; what is planned moves there.

    Raises ValueError for an hour outside the study's.
    """
    if minute is not None and minute not in study.definition.reminders.hours():
        raise ValueError(f"{minute} is not an hour of the study's")
    participant = audit.lock_participant(session, participant_id)
    if participant.reminder_minute == minute:
        return
    before, after = _text(participant.reminder_minute), _text(minute)
    participant.reminder_minute = minute
    session.flush()
    replan(session, [participant_id], now)
    plan_for(session, study, [participant_id], now)
    entry = audit.Entry(actor, "change", "participant", "reminder_minute", before, after)
    audit.record(session, audit.participant_stream(participant_id), now, [entry])


def _text(minute: int | None) -> str | None:
    return None if minute is None else str(minute)
