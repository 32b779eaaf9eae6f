"""Answers: operations taken once each, and which answer to an item is the current one.

Every tap is an operation with an id of the device's making. It may arrive twice, late, in any
order and from several devices: it is stored once, and the newest tap of an item wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from pro_app.core.assessment import Contact, Facts, Stamp, Standing, Tapped, standing, tapped_at
from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording
from pro_app.models import Answer, Transaction
from pro_app.services import audit
from pro_app.services.assessments import Known
from pro_app.services.tap_order import Row, keep_order


@dataclass(frozen=True, slots=True)
class Operation:
    """One tap: what was done to which item.

    `device_time`, `run` and `monotonic` are the device's clocks at the tap, `contact` what it
    last heard of the server's (see `core.assessment`); `sequence` is its number in the device's
    journal. `wording` is what the person read, if not the batch's; `aloud` says that the device
    had read the item out.
    """

    id: str
    item: str
    state: str
    code: int | None = None
    prompted: bool = False
    device_time: datetime | None = None
    run: str | None = None
    monotonic: timedelta | None = None
    contact: Contact | None = None
    sequence: int | None = None
    wording: Wording | None = None
    aloud: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where operations come from: device, mode, who gave them, in which wording.

    `sent_at`, `run` and `monotonic` are the device's clocks when it sent them, `journal` the name
    of the journal they are kept in. `locked` says that the device alone stood for the person.

    Where no device was, `actor` is who put them in: the participant at the site's tablet, or who
    typed what is on paper. Of paper `at` is when they were given, and `reason` why who put them in
    was not the originator.
    """

    device_id: int | None
    wording: Wording | None  # None: each operation has its own
    sent_at: datetime | None = None
    mode: str = "own_phone"
    originator: str = "participant"
    run: str | None = None
    monotonic: timedelta | None = None
    journal: str | None = None
    locked: bool = False
    at: datetime | None = None
    actor: str | None = None
    reason: str | None = None

    def tapped_at(
        self,
        operation: Operation,
        received_at: datetime,
        opens_at: datetime,
    ) -> Tapped:
        """The moment of an operation, see `core.assessment.tapped_at`."""
        if self.at is not None:
            return Tapped(self.at, None, None)
        tap = Stamp(operation.device_time, operation.run, operation.monotonic)
        sending = Stamp(self.sent_at, self.run, self.monotonic)
        return tapped_at(tap, sending, received_at, opens_at, operation.contact)


class Current(NamedTuple):
    """The current answer to an item. (A page makes dozens; a named tuple is made quickest.)"""

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
    """What came of a batch: ids taken, how many of them were new, ids refused with the reason,
    ids kept but not counted, the newest row seen, and what other devices have answered since the
    caller last looked."""

    taken: list[str] = field(default_factory=list)
    new: int = 0
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
    Answer.device_time,
    Answer.skew_ms,
    Answer.journal,
    Answer.sequence,
)
_unseen = aliased(Answer)
_unseen_items = sa.select(_unseen.item).where(
    _unseen.assessment_id == sa.bindparam("assessment_id"), _unseen.id > sa.bindparam("seen")
)


def _recent(
    items: sa.ColumnElement[bool], operations: sa.ColumnElement[bool]
) -> sa.Select[*tuple[Any, ...]]:
    """Rows of these operations, of these items, and of items with a row that is not seen yet."""
    unseen = Answer.item.in_(_unseen_items)  # whole, or an old tap that came late looks new
    of_items = sa.and_(Answer.assessment_id == sa.bindparam("assessment_id"), sa.or_(items, unseen))
    return _rows.where(sa.or_(of_items, operations)).order_by(Answer.id)


_recent_many = _recent(
    Answer.item.in_(sa.bindparam("items", expanding=True)),
    Answer.operation.in_(sa.bindparam("operations", expanding=True)),
)
_recent_one = _recent(  # nearly always: one tap; a list of parameters is written anew each time
    Answer.item == sa.bindparam("item"), Answer.operation == sa.bindparam("operation")
)
_insert = sa.insert(Answer.__table__)  # type: ignore[arg-type]


def save(
    session: Transaction,
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
    rows = _look_up(session, assessment, instrument, operations, seen)
    known = {row.operation: row for row in rows}
    saved = Saved()
    new_by_id: dict[str, dict[str, Any]] = {}
    for operation in operations:
        earlier = known.get(operation.id)
        fault = _fault(operation, instrument, skipping)
        if fault is None and (operation.wording or origin.wording) is None:
            fault = "there is no wording in this language"
        if earlier is not None and earlier.assessment_id != assessment.id:
            fault = "the operation's id is in use"
        if fault is not None:
            saved.refused[operation.id] = fault
            continue
        saved.taken.append(operation.id)
        if earlier is None and operation.id not in new_by_id:
            new_by_id[operation.id] = _row(operation, assessment, origin, now)
    new = list(new_by_id.values())
    keep_order(new, [row._mapping for row in rows if row.assessment_id == assessment.id])
    facts = _begun(assessment.facts, new)
    for row in new:
        row["standing"] = standing(facts, row["answered_at"], grace).value
    for taken in saved.taken:
        kept = known[taken].standing if taken in known else new_by_id[taken]["standing"]
        if not Standing(kept).counts:
            saved.not_counted[taken] = kept
    own = [row._mapping for row in rows if row.assessment_id == assessment.id]
    if new:
        saved.new = len(new)
        saved.seen = _store(session, new)
        stream = audit.participant_stream(assessment.participant_id)
        audit.record(session, stream, now, _entries(assessment, own, new, origin))
    batch, items = {one.id for one in operations}, {one.item for one in operations}
    _tell_others(saved, own, new, batch, items, seen)
    return saved


def _look_up(
    session: Transaction,
    assessment: Known,
    instrument: Instrument,
    operations: Sequence[Operation],
    seen: int,
) -> Sequence[Any]:
    """The rows that the operations meet, in the order in which they were stored."""
    looked_up: dict[str, Any] = {"assessment_id": assessment.id, "seen": seen}
    codes = {item.code for item in instrument.items}
    if len(operations) == 1 and operations[0].item in codes:
        looked_up |= {"item": operations[0].item, "operation": operations[0].id}
        return session.execute(_recent_one, looked_up).all()
    looked_up["items"] = [operation.item for operation in operations if operation.item in codes]
    looked_up["operations"] = [operation.id for operation in operations]
    return session.execute(_recent_many, looked_up).all()


def _store(session: Transaction, new: Sequence[Row]) -> int:
    """Add the rows; the newest row's id, which is the highest of the assessment."""
    if len(new) == 1:  # nearly always: one tap, and the database tells its id
        key: Any = session.execute(_insert, new[0]).inserted_primary_key  # type: ignore[attr-defined]
        return int(key[0])
    session.execute(_insert, new)
    newest = sa.select(sa.func.max(Answer.id)).where(
        Answer.assessment_id == new[0]["assessment_id"]
    )
    return session.scalar(newest) or 0


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


def _begun(facts: Facts, new: Sequence[Row]) -> Facts:
    """The facts with the start that is among the new rows: all of a batch stand by it."""
    in_time = [row["answered_at"] for row in new if row["answered_at"] < facts.closes_at]
    if facts.started_at is not None or not in_time:
        return facts
    return replace(facts, started_at=min(in_time))


def _row(operation: Operation, assessment: Known, origin: Origin, now: datetime) -> dict[str, Any]:
    """An answer's row, all but its standing."""
    moment, skew, doubt = origin.tapped_at(operation, now, assessment.facts.opens_at)
    wording, contact = operation.wording or origin.wording, operation.contact
    assert wording is not None  # noqa: S101 (`save` has seen to it)
    return {
        "operation": operation.id,
        "assessment_id": assessment.id,
        "item": operation.item,
        "state": operation.state,
        "code": operation.code,
        "prompted": operation.prompted,
        "answered_at": moment,
        "received_at": now,
        "device_time": operation.device_time.isoformat() if operation.device_time else None,
        "skew_ms": milliseconds(skew),
        "language": wording.language,
        "wording": wording.fingerprint,
        "mode": origin.mode,
        "originator": origin.originator,
        "device_id": origin.device_id,
        "journal": origin.journal,
        "sequence": operation.sequence,
        "run": operation.run,
        "monotonic_ms": milliseconds(operation.monotonic),
        "contact_at": None if contact is None else contact.at,
        "contact_device_time": None if contact is None else contact.device_time.isoformat(),
        "read_aloud": operation.aloud,
        "doubt": None if doubt is None else doubt.value,
    }


def milliseconds(span: timedelta | None) -> int | None:
    """A span in whole milliseconds, as the record keeps it."""
    return None if span is None else round(span / timedelta(milliseconds=1))


def _entries(
    assessment: Known, own: Iterable[Row], new: Iterable[Row], origin: Origin
) -> list[audit.Entry]:
    """An audit entry for each new row, with what stood before it."""
    newest = newest_by_item(own)
    more: dict[str, Any] = {"locked": True} if origin.locked else {}
    if origin.reason is not None:
        more |= {"originator": origin.originator, "originator_reason": origin.reason}
    entries = []
    for row in new:
        before = newest.get(row["item"])
        detail = {"operation": row["operation"], "digest": audit.answer_digest(row)}
        entries.append(
            audit.Entry(
                actor=origin.actor or f"{row['originator']}/device {row['device_id']}",
                action="answer",
                object=f"assessment/{assessment.public_id}",
                field=row["item"],
                old=None if before is None else _told(before),
                new=_told(row),
                detail=detail | more,
            )
        )
        newest = newest_by_item([*newest.values(), row])
    return entries


def _told(row: Row) -> str:
    return str(row["code"]) if row["state"] == "answered" else str(row["state"])


COUNTED = frozenset(one.value for one in Standing if one.counts)


def newest_by_item(rows: Iterable[Row]) -> dict[str, Row]:
    """Of each item the counted row with the latest tap; of equals the later stored one.

    `rows` come in the order in which they were stored.
    """
    newest: dict[str, Row] = {}
    for row in rows:
        if row["standing"] in COUNTED:
            before = newest.get(row["item"])
            if before is None or row["answered_at"] >= before["answered_at"]:
                newest[row["item"]] = row
    return newest


def _tell_others(
    saved: Saved,
    own: Sequence[Row],
    new: Sequence[Row],
    batch: set[str],
    items: set[str],
    seen: int,
) -> None:
    """Fill in the newest row's id, and current answers that are not of this batch: those since
    `seen`, of other devices and of other windows of this one, and those that stand at the
    batch's own items all the same, because they are newer."""
    saved.seen = max([seen, saved.seen, *(row["id"] for row in own)])
    newest = newest_by_item([*own, *new])
    for row in own:
        asked = row["id"] > seen or row["item"] in items
        if asked and row["operation"] not in batch and row["item"] in newest:
            current = newest[row["item"]]
            if current["operation"] not in batch:
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
_all_names = tuple(_all.selected_columns.keys())


def current(session: Transaction, assessment_id: int) -> tuple[dict[str, Current], int]:
    """The current answer of each item that has one, and the id of the newest row (0: none)."""
    found = session.execute(_all, {"assessment_id": assessment_id})
    rows: list[Row] = [dict(zip(_all_names, row, strict=True)) for row in found]
    answers = {
        item: Current(
            row["state"], row["code"], row["language"], row["wording"], row["answered_at"]
        )
        for item, row in newest_by_item(rows).items()
        if row["state"] != "cleared"
    }
    return answers, max((row["id"] for row in rows), default=0)


def newest_mode(session: Session, assessment_id: int) -> str | None:
    """The mode of the newest answer that counts: where a questionnaire that is not submitted was
    last worked at."""
    newest = sa.select(Answer.mode).where(
        Answer.assessment_id == assessment_id,
        Answer.standing.in_(COUNTED),
        Answer.state != "cleared",
    )
    newest = newest.order_by(Answer.answered_at.desc(), Answer.id.desc())
    return session.scalar(newest.limit(1))


def first_open(instrument: Instrument, answers: Mapping[str, Current]) -> int | None:
    """The place (from 1) of the first item without an answer; None when all have one."""
    return next((item.n for item in instrument.items if item.code not in answers), None)
