"""Keeping a participant's assessments as the protocol expects them.

The pure rules are in `pro_app.core.schedule`. Here anchors are set, the difference is shown, and
applied in the transaction that records it. Running any of this twice changes nothing more.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import schedule
from pro_app.core.instruments import Instrument
from pro_app.core.schedule import Change, Expected, Key, Kind, Placed, Window
from pro_app.core.study import StudyDefinition
from pro_app.models import AnchorDate, Assessment, Participant, Submission
from pro_app.services import audit, reminders, status
from pro_app.services.studies import CurrentStudy


class ScheduleError(Exception):
    """An anchor that cannot be set as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What setting an anchor changes: windows, planned messages, and what else to know.

    `messages` counts the planned reminders that are replaced; `overlaps` are pairs of one
    instrument due closer than its recall period; `waiting` what still waits for another anchor.
    """

    anchor: str
    before: date | None
    after: date | None
    changes: tuple[Change, ...]
    messages: int
    overlaps: tuple[tuple[Expected, Expected], ...]
    waiting: Mapping[str, Sequence[str]]


def anchors(session: Session, participant_id: int) -> dict[str, date]:
    """The anchor dates of a participant that are known."""
    return anchors_of(session, [participant_id]).get(participant_id, {})


def anchors_of(session: Session, participant_ids: Sequence[int]) -> dict[int, dict[str, date]]:
    """The same of many, by participant."""
    found: dict[int, dict[str, date]] = {}
    rows = session.execute(
        sa.select(AnchorDate.participant_id, AnchorDate.anchor, AnchorDate.day).where(
            AnchorDate.participant_id.in_(participant_ids)
        )
    )
    for participant_id, anchor, day in rows:
        found.setdefault(participant_id, {})[anchor] = day
    return found


def calendar(session: Session, study: CurrentStudy, participant_id: int) -> dict[Key, date]:
    """The due day of everything that the calendar expects of a participant now."""
    expected = _expected(study.definition, anchors(session, participant_id))
    return {one.key: one.due_on for one in expected}


def preview(
    session: Session,
    study: CurrentStudy,
    instruments: Mapping[str, Instrument],
    participant_id: int,
    anchor: str,
    day: date | None,
) -> Diff:
    """What `set_anchor` would change; changes nothing itself. Raises ScheduleError."""
    definition = study.definition
    if anchor not in {one.code for one in definition.anchors}:
        known = ", ".join(one.code for one in definition.anchors)
        raise ScheduleError(f"the study has no anchor {anchor!r}; it has {known}")
    if day is not None and day.year not in schedule.YEARS:
        raise ScheduleError(f"{day} is not a day of a study")
    if anchor == schedule.ENROLMENT and day is None:
        raise ScheduleError("the day of enrolment can be corrected, not removed")
    known_days = anchors(session, participant_id)
    before = known_days.get(anchor)
    days = {code: known for code, known in known_days.items() if code != anchor}
    if day is not None:
        days[anchor] = day
    expected = _expected(definition, days)
    there = _there(session, [participant_id]).get(participant_id, {})
    changes = [] if day == before else _counted_changes(study, anchor, expected, there)
    moved = [there[one.key].id for one in changes if one.kind in {Kind.MOVED, Kind.CANCELLED}]
    return Diff(
        anchor,
        before,
        day,
        tuple(changes),
        reminders.count_planned(session, moved),
        tuple(schedule.overlaps(expected, recalls(instruments))),
        schedule.waiting(definition.timepoints, days),
    )


def _counted_changes(
    study: CurrentStudy, anchor: str, expected: Sequence[Expected], there: Mapping[Key, _There]
) -> list[Change]:
    """What changes about the timepoints that count from an anchor; no other one moves with it,
    so that what an amendment left as it was stays so."""
    codes = {one.code for one in study.definition.timepoints if one.anchor == anchor}
    placed = {key: one.placed for key, one in there.items() if key[0] in codes}
    return schedule.reconcile(
        [one for one in expected if one.timepoint in codes], placed, study.since
    )


def recalls(instruments: Mapping[str, Instrument]) -> dict[str, int]:
    """The recall period of each instrument, in days."""
    return {code: one.recall_days for code, one in instruments.items()}


def set_anchor(
    session: Session,
    study: CurrentStudy,
    instruments: Mapping[str, Instrument],
    participant_id: int,
    anchor: str,
    day: date | None,
    now: datetime,
    actor: str = "site",
) -> Diff:
    """Set, correct or (with None) take back an anchor's day, and move what nobody has begun.

    Raises ScheduleError for an unknown anchor or a participant who has withdrawn from the study
    or died.
    """
    participant = audit.lock_participant(session, participant_id)
    withdrawn = participant.withdrawn_at is not None
    staying = participant.withdrew_from == "questionnaires"  # but expected to answer nothing
    if participant.died_at is not None or (withdrawn and not staying):
        ended = "has withdrawn" if withdrawn else "has died"
        raise ScheduleError(f"{participant.number} {ended}")
    place_first(session, study, participant, now)
    diff = preview(session, study, instruments, participant_id, anchor, day)
    if diff.before == day:
        return diff
    row = session.scalar(
        sa.select(AnchorDate).where(
            AnchorDate.participant_id == participant_id, AnchorDate.anchor == anchor
        )
    )
    if day is None:
        session.delete(row)
    elif row is None:
        session.add(AnchorDate(participant_id=participant_id, anchor=anchor, day=day))
    else:
        row.day = day
    session.flush()
    entry = audit.Entry(actor, "set_anchor", "participant", anchor, _text(diff.before), _text(day))
    audit.record(session, audit.participant_stream(participant_id), now, [entry])
    there = _there(session, [participant_id]).get(participant_id, {})
    _apply(session, now, {participant_id: list(diff.changes)}, {participant_id: there})
    reminders.plan_for(session, study, [participant_id], now)
    return diff


def place_first(
    session: Session, study: CurrentStudy, participant: Participant, now: datetime
) -> None:
    """Place whom a file enrolled and `enter` has not come to yet, before anything else is placed:
    whoever has something is taken for placed. The stream is held."""
    own = [participant.id]
    dated = schedule.ENROLMENT in anchors_of(session, own).get(participant.id, {})
    if participant.scheduled_version is None and dated and not _there(session, own):
        enter(session, study, own, now)


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def enter(
    session: Session, study: CurrentStudy, participant_ids: Sequence[int], now: datetime
) -> None:
    """Place new participants' assessments: what has closed by now was never offered. Reminders
    are the planner's."""
    days = anchors_of(session, participant_ids)
    changes = {
        one: schedule.reconcile(_expected(study.definition, days[one]), {}, study.since)
        for one in participant_ids
    }
    _apply(session, now, changes, {})
    session.execute(
        sa.update(Participant)
        .where(Participant.id.in_(participant_ids))
        .values(scheduled_version=study.version)
        .execution_options(synchronize_session=False)
    )


def follow(
    session: Session, study: CurrentStudy, participant_ids: Sequence[int], now: datetime
) -> int:
    """Bring participants' assessments to the study version in force: how many changes it took.

    The caller holds their streams. Whatever has closed by now stays as it is; whom a file
    enrolled and `enter` has not come to yet gets what `enter` would have placed.
    """
    days = anchors_of(session, participant_ids)
    undated = [one for one in participant_ids if schedule.ENROLMENT not in days.get(one, {})]
    if undated:
        _date_enrolments(session, study, undated, now)
        days = anchors_of(session, participant_ids)
    there = _there(session, participant_ids)
    new = set(unplaced(session, participant_ids)) - there.keys() - set(undated)
    changes: dict[int, list[Change]] = {}
    for participant_id in participant_ids:
        expected = _expected(study.definition, days.get(participant_id, {}))
        placed = {key: one.placed for key, one in there.get(participant_id, {}).items()}
        closed_before = None if participant_id in new else now
        changes[participant_id] = schedule.reconcile(expected, placed, study.since, closed_before)
    _apply(session, now, changes, there)
    session.execute(
        sa.update(Participant)
        .where(Participant.id.in_(participant_ids))
        .values(scheduled_version=study.version)
        .execution_options(synchronize_session=False)
    )
    return sum(len(found) for found in changes.values())


def unplaced(session: Session, participant_ids: Sequence[int]) -> list[int]:
    """Those of these participants for whom nothing has been placed yet; their streams are held
    until the transaction ends."""
    found = session.scalars(
        sa.select(Participant.id)
        .where(Participant.id.in_(participant_ids), Participant.scheduled_version.is_(None))
        .order_by(Participant.id)
        .with_for_update()
    )
    return list(found)


def _date_enrolments(
    session: Session, study: CurrentStudy, participant_ids: Sequence[int], now: datetime
) -> None:
    """Give people who came before there were anchors the day of their enrolment."""
    zone = study.definition.zone
    rows: list[dict[str, Any]] = []
    told: dict[str, list[audit.Entry]] = {}
    for participant_id, created_at in session.execute(
        sa.select(Participant.id, Participant.created_at).where(Participant.id.in_(participant_ids))
    ):
        day = created_at.astimezone(zone).date()
        rows.append({"participant_id": participant_id, "anchor": schedule.ENROLMENT, "day": day})
        told[audit.participant_stream(participant_id)] = [
            audit.Entry("system", "set_anchor", "participant", schedule.ENROLMENT, None, _text(day))
        ]
    session.execute(sa.insert(AnchorDate), rows)
    audit.record_many(session, now, told)


def _expected(definition: StudyDefinition, days: Mapping[str, date]) -> list[Expected]:
    return schedule.expected(definition.timepoints, days, definition.zone)


@dataclass(frozen=True, slots=True)
class _There:
    """An assessment that exists: its row id, how it is placed, and when its window was set."""

    id: int
    placed: Placed
    placed_at: datetime
    cancelled_at: datetime | None
    public_id: str


def _there(session: Session, participant_ids: Sequence[int]) -> dict[int, dict[Key, _There]]:
    """The assessments of participants."""
    rows = session.execute(
        sa.select(
            Assessment.participant_id,
            Assessment.timepoint,
            Assessment.occurrence,
            Assessment.instrument,
            Assessment.id,
            Assessment.opens_at,
            Assessment.due_at,
            Assessment.closes_at,
            Assessment.scheduled,
            sa.func.coalesce(Assessment.placed_at, Assessment.created_at, type_=_instant),
            Assessment.cancelled_at,
            Submission.id,
            status.begun,
            Assessment.public_id,
        )
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .where(Assessment.participant_id.in_(participant_ids))
        .order_by(Assessment.id)
    )
    found: dict[int, dict[Key, _There]] = {}
    for row in rows:
        window = Window(row[5], row[6], row[7])
        held = not row[8] or row[11] is not None or bool(row[12])
        placed = Placed(window, held, cancelled=row[10] is not None)
        key = (row[1], row[2], row[3])
        found.setdefault(row[0], {})[key] = _There(row[4], placed, row[9], row[10], row[13])
    return found


_instant = Assessment.created_at.type


def _apply(
    session: Session,
    now: datetime,
    changes: Mapping[int, Iterable[Change]],
    there: Mapping[int, Mapping[Key, _There]],
) -> None:
    new: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []
    told: dict[str, list[audit.Entry]] = {}
    for participant_id, found in changes.items():
        entries = told.setdefault(audit.participant_stream(participant_id), [])
        added = [_row(participant_id, one, now) for one in found if one.kind is Kind.NEW]
        if added:
            entries.append(_placed_entry(added))
            new += added
        for one in found:
            if one.kind in {Kind.MOVED, Kind.RESTORED, Kind.CANCELLED}:
                earlier = there[participant_id][one.key]
                updates.append(_update(one, earlier, now))
                entries.append(_moved_entry(one, earlier))
    if new:
        session.connection().execute(sa.insert(Assessment.__table__), new)  # type: ignore[arg-type]
    if updates:
        session.execute(sa.update(Assessment), updates)
        reminders.withdraw_plan(session, [row["id"] for row in updates])
    audit.record_many(session, now, told)


def _row(participant_id: int, change: Change, now: datetime) -> dict[str, Any]:
    assert change.window is not None  # noqa: S101 (a new one has a window)
    timepoint, occurrence, instrument = change.key
    return {
        "public_id": secrets.token_urlsafe(12),
        "participant_id": participant_id,
        "timepoint": timepoint,
        "occurrence": occurrence,
        "instrument": instrument,
        "place": change.place,
        "opens_at": change.window.opens_at,
        "due_at": change.window.due_at,
        "closes_at": change.window.closes_at,
        "created_at": now,
        "scheduled": True,
        "placed_at": now,
    }


def _update(change: Change, earlier: _There, now: datetime) -> dict[str, Any]:
    if change.window is None:
        return {"id": earlier.id, "cancelled_at": now, "planned_at": None}
    before = earlier.placed.window
    until = earlier.cancelled_at or now
    offered = earlier.placed_at < before.closes_at and before.opens_at <= until
    return {
        "id": earlier.id,
        "opens_at": change.window.opens_at,
        "due_at": change.window.due_at,
        "closes_at": change.window.closes_at,
        "placed_at": earlier.placed_at if offered else now,
        "cancelled_at": None,
        "planned_at": None,
    }


def _placed_entry(rows: Sequence[Mapping[str, Any]]) -> audit.Entry:
    windows = [
        [row["public_id"], row["timepoint"], row["occurrence"], row["instrument"],
         row["opens_at"].isoformat(), row["due_at"].isoformat(), row["closes_at"].isoformat()]
        for row in rows
    ]  # fmt: skip
    return audit.Entry("system", "schedule", "participant", detail={"windows": windows})


def _moved_entry(change: Change, earlier: _There) -> audit.Entry:
    return audit.Entry(
        "system",
        f"{change.kind.value}_assessment",
        f"assessment/{earlier.public_id}",
        "window",
        _span(earlier.placed.window),
        None if change.window is None else _span(change.window),
    )


def _span(window: Window) -> str:
    return f"{window.opens_at.isoformat()}/{window.closes_at.isoformat()}"


def lagging(session: Session, study: CurrentStudy, limit: int) -> list[int]:
    """Participants whose assessments follow an older version of the study; their streams are held
    until the transaction ends."""
    behind = sa.or_(
        Participant.scheduled_version.is_(None), Participant.scheduled_version != study.version
    )
    found = session.scalars(
        sa.select(Participant.id)
        .where(Participant.study_id == study.id, behind, Participant.withdrawn_at.is_(None))
        .where(Participant.died_at.is_(None))
        .order_by(Participant.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(found)
