"""Answers: operations taken once each, and which answer to an item is the current one.

Every tap is an operation with an id of the device's making. It may arrive twice, late, in any
order and from several devices: it is stored once, and the newest tap of an item wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Standing, standing, tapped_at
from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording
from pro_app.models import Answer
from pro_app.services import audit
from pro_app.services.assessments import Known

Row = Mapping[Any, Any]  # a table's row by column name


@dataclass(frozen=True, slots=True)
class Operation:
    """One tap: what was done to which item. `device_time` is the device's clock at the tap."""

    id: str
    item: str
    state: str
    code: int | None = None
    prompted: bool = False
    device_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where operations come from: device, mode, who gave them, in which wording."""

    device_id: int | None
    wording: Wording
    sent_at: datetime | None = None
    mode: str = "own_phone"
    originator: str = "participant"


@dataclass(frozen=True, slots=True)
class Current:
    """The current answer to an item."""

    state: str
    code: int | None
    language: str
    wording: str
    answered_at: datetime

    @property
    def value(self) -> int | None:
        """The code for scoring; None for skipped and not applicable."""
        return self.code


@dataclass(slots=True)
class Saved:
    """What came of a batch: ids taken, ids refused with the reason, ids kept but not counted,
    the newest row seen, and what other devices have answered since the caller last looked."""

    taken: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    not_counted: dict[str, str] = field(default_factory=dict)
    seen: int = 0
    others: dict[str, tuple[str, int | None]] = field(default_factory=dict)


_rows = sa.select(
    Answer.id,
    Answer.operation,
    Answer.assessment_id,
    Answer.item,
    Answer.state,
    Answer.code,
    Answer.standing,
    Answer.answered_at,
    Answer.device_id,
)
_recent = _rows.where(
    sa.or_(
        sa.and_(
            Answer.assessment_id == sa.bindparam("assessment_id"),
            sa.or_(
                Answer.item.in_(sa.bindparam("items", expanding=True)),
                Answer.id > sa.bindparam("seen"),
            ),
        ),
        Answer.operation.in_(sa.bindparam("operations", expanding=True)),
    )
).order_by(Answer.id)
_insert = sa.insert(Answer.__table__)  # type: ignore[arg-type]


def save(
    session: Session,
    assessment: Known,
    instrument: Instrument,
    operations: Sequence[Operation],
    origin: Origin,
    grace: timedelta,
    now: datetime,
    seen: int = 0,
    skipping: bool = True,
) -> Saved:
    """Take operations on an assessment, each once however often it comes.

    None is thrown away: what comes too late is kept and named in `not_counted`. Refused is only
    what the instrument has no place for. The caller got the assessment from `hold_own`.
    """
    looked_up = {
        "assessment_id": assessment.id,
        "items": [operation.item for operation in operations],
        "operations": [operation.id for operation in operations],
        "seen": seen,
    }
    rows = session.execute(_recent, looked_up).all()
    known = {row.operation: row for row in rows}
    saved = Saved()
    new: list[dict[str, Any]] = []
    for operation in operations:
        earlier = known.get(operation.id)
        fault = _fault(operation, instrument, skipping)
        if earlier is not None and earlier.assessment_id != assessment.id:
            fault = "the operation's id is in use"
        if fault is not None:
            saved.refused[operation.id] = fault
        elif earlier is None and all(row["operation"] != operation.id for row in new):
            new.append(_row(operation, assessment, origin, grace, now))
        if fault is None:
            saved.taken.append(operation.id)
            kept = earlier.standing if earlier is not None else new[-1]["standing"]
            if not Standing(kept).counts:
                saved.not_counted[operation.id] = kept
    own = [row._mapping for row in rows if row.assessment_id == assessment.id]
    if new:
        session.execute(_insert, new)
        stream = audit.participant_stream(assessment.participant_id)
        audit.record(session, stream, now, _entries(assessment, own, new))
    _tell_others(saved, own, new, origin.device_id, seen)
    if new:
        saved.seen = session.scalar(_newest, {"assessment_id": assessment.id}) or saved.seen
    return saved


_newest = sa.select(sa.func.max(Answer.id)).where(
    Answer.assessment_id == sa.bindparam("assessment_id")
)


def _fault(operation: Operation, instrument: Instrument, skipping: bool) -> str | None:
    """Why an operation has no place in the instrument; None if it has."""
    try:
        item = instrument.item(operation.item)
    except KeyError:
        return f"there is no item {operation.item}"
    if operation.state == "answered":
        if operation.code not in item.options.codes:
            return f"{item.code} has no option {operation.code}"
    elif operation.code is not None:
        return f"{operation.state} takes no code"
    elif operation.state == "not_applicable":
        if not item.not_applicable:
            return f"{item.code} always applies"
    elif operation.state == "skipped":
        if not skipping:
            return "the study does not allow skipping"
    elif operation.state != "cleared":
        return f"there is no state {operation.state}"
    return None


def _row(
    operation: Operation, assessment: Known, origin: Origin, grace: timedelta, now: datetime
) -> dict[str, Any]:
    answered_at, skew = tapped_at(operation.device_time, origin.sent_at, now)
    device_time = operation.device_time.isoformat() if operation.device_time else None
    return {
        "operation": operation.id,
        "assessment_id": assessment.id,
        "item": operation.item,
        "state": operation.state,
        "code": operation.code,
        "standing": standing(assessment.facts, answered_at, grace).value,
        "prompted": operation.prompted,
        "answered_at": answered_at,
        "received_at": now,
        "device_time": device_time,
        "skew_ms": None if skew is None else round(skew / timedelta(milliseconds=1)),
        "language": origin.wording.language,
        "wording": origin.wording.fingerprint,
        "mode": origin.mode,
        "originator": origin.originator,
        "device_id": origin.device_id,
    }


def _entries(assessment: Known, own: Iterable[Row], new: Iterable[Row]) -> list[audit.Entry]:
    """An audit entry for each new row, with what stood before it."""
    newest = newest_by_item(own)
    entries = []
    for row in new:
        before = newest.get(row["item"])
        entries.append(
            audit.Entry(
                actor=f"{row['originator']}/device {row['device_id']}",
                action="answer",
                object=f"assessment/{assessment.public_id}",
                field=row["item"],
                old=None if before is None else _told(before),
                new=_told(row),
                detail={"operation": row["operation"], "digest": audit.answer_digest(row)},
            )
        )
        newest = newest_by_item([*newest.values(), row])
    return entries


def _told(row: Row) -> str:
    return str(row["code"]) if row["state"] == "answered" else str(row["state"])


def newest_by_item(rows: Iterable[Row]) -> dict[str, Row]:
    """Of each item the counted row with the latest tap; of equals the later stored one.

    `rows` come in the order in which they were stored.
    """
    newest: dict[str, Row] = {}
    for row in rows:
        if Standing(row["standing"]).counts:
            before = newest.get(row["item"])
            if before is None or row["answered_at"] >= before["answered_at"]:
                newest[row["item"]] = row
    return newest


def _tell_others(
    saved: Saved,
    own: Sequence[Row],
    new: Sequence[Row],
    device_id: int | None,
    seen: int,
) -> None:
    """Fill in the newest row's id and other devices' current answers since `seen`."""
    saved.seen = max([seen, *(row["id"] for row in own)])
    newest = newest_by_item([*own, *new])
    for row in own:
        if row["id"] > seen and row["device_id"] != device_id and row["item"] in newest:
            current = newest[row["item"]]
            if current["device_id"] != device_id:
                saved.others[row["item"]] = (current["state"], current["code"])


_all = (
    sa.select(
        Answer.id,
        Answer.item,
        Answer.state,
        Answer.code,
        Answer.standing,
        Answer.answered_at,
        Answer.language,
        Answer.wording,
        Answer.device_id,
    )
    .where(Answer.assessment_id == sa.bindparam("assessment_id"))
    .order_by(Answer.id)
)


def current(session: Session, assessment_id: int) -> tuple[dict[str, Current], int]:
    """The current answer of each item that has one, and the id of the newest row (0: none)."""
    rows = session.execute(_all, {"assessment_id": assessment_id}).mappings().all()
    answers = {
        item: Current(
            row["state"], row["code"], row["language"], row["wording"], row["answered_at"]
        )
        for item, row in newest_by_item(rows).items()
        if row["state"] != "cleared"
    }
    return answers, max((row["id"] for row in rows), default=0)


def first_open(instrument: Instrument, answers: Mapping[str, Current]) -> int | None:
    """The place (from 1) of the first item without an answer; None when all have one."""
    return next((item.n for item in instrument.items if item.code not in answers), None)
