"""The audit trail: entries written in the transaction of the change they tell of, and their check.

Each stream is a chain: the first entry follows GENESIS. What is hashed and how, and every rule of
the check, stands in `pro_app.verify`, which also checks exports without a database.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app import verify as rules
from pro_app.models import AuditEntry, Participant, Transaction
from pro_app.services import audit_rows
from pro_app.verify import (
    GENESIS,
    Fault,
    answer_digest,
    entry_hash,
    press_digest,
    scores_digest,
    submission_digest,
)

__all__ = [
    "GENESIS",
    "Entry",
    "Fault",
    "answer_digest",
    "count",
    "entry_hash",
    "lock_participant",
    "lock_stream",
    "participant_stream",
    "press_digest",
    "record",
    "record_many",
    "scores_digest",
    "study_stream",
    "submission_digest",
    "verify",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is put on record: an action on an object, of one field from `old` to `new`.

    `actor` is `participant`, `site` or `system`, with an id where there is one.
    """

    actor: str
    action: str
    object: str
    field: str | None = None
    old: str | None = None
    new: str | None = None
    detail: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def participant_stream(participant_id: int) -> str:
    """The name of a participant's stream."""
    return f"participant/{participant_id}"


def study_stream(study_id: int) -> str:
    """The name of a study's stream, for administration."""
    return f"study/{study_id}"


_head = (
    sa.select(AuditEntry.seq, AuditEntry.hash)
    .where(AuditEntry.stream == sa.bindparam("stream"))
    .order_by(AuditEntry.seq.desc())
    .limit(1)
)
_insert = sa.insert(AuditEntry.__table__)  # type: ignore[arg-type]


def record(session: Transaction, stream: str, at: datetime, entries: Sequence[Entry]) -> str:
    """Append entries to a stream within the caller's transaction; the new head's hash.

    The caller holds the stream's lock: any writer on SQLite, the participant's or study's row
    (`FOR UPDATE`) on PostgreSQL. A writer without it fails on the unique (stream, seq).
    """
    head = session.execute(_head, {"stream": stream}).first()
    rows = _chained(stream, at, entries, head)
    session.execute(_insert, rows)
    return str(rows[-1]["hash"])


def record_many(session: Transaction, at: datetime, told: Mapping[str, Sequence[Entry]]) -> None:
    """`record` for many streams at once; their locks are all held by the caller."""
    streams = [stream for stream, entries in told.items() if entries]
    newest = (
        sa.select(AuditEntry.stream, sa.func.max(AuditEntry.seq).label("seq"))
        .where(AuditEntry.stream.in_(streams))
        .group_by(AuditEntry.stream)
        .subquery()
    )
    heads = {
        stream: (seq, head)
        for stream, seq, head in session.execute(
            sa.select(AuditEntry.stream, AuditEntry.seq, AuditEntry.hash).join(
                newest,
                sa.and_(AuditEntry.stream == newest.c.stream, AuditEntry.seq == newest.c.seq),
            )
        )
    }
    rows = [row for one in streams for row in _chained(one, at, told[one], heads.get(one))]
    if rows:
        session.execute(_insert, rows)


def _chained(
    stream: str, at: datetime, entries: Sequence[Entry], head: Any
) -> list[dict[str, Any]]:
    """The rows of entries that follow a stream's head: its number and hash, or None."""
    seq, previous = head if head is not None else (0, GENESIS)
    rows = []
    for entry in entries:
        seq += 1
        row = {
            "stream": stream,
            "seq": seq,
            "at": at,
            "actor": entry.actor,
            "action": entry.action,
            "object": entry.object,
            "field": entry.field,
            "old": entry.old,
            "new": entry.new,
            "detail": dict(entry.detail),
            "previous_hash": previous,
        }
        previous = row["hash"] = entry_hash(row)
        rows.append(row)
    return rows


def verify(session: Session) -> Iterator[Fault]:
    """Every fault: of the checkpoints, of every stream, and of the data against what is told.

    The session must see one moment throughout where others write (`Database.snapshot`).
    """
    kept = list(audit_rows.checkpoints(session))
    seals = rules.Seals()
    keys = {row["key"]: bytes.fromhex(row["public_key"]) for row in kept}
    yield from rules.checkpoint_faults(kept, keys)
    yield from rules.root_faults(kept, audit_rows.heads(session), seals)
    trail = rules.Trail(seals)
    yield from trail.faults(audit_rows.entries(session), audit_rows.data(session))


def lock_stream(session: Transaction, participant_id: int) -> None:
    """Hold a participant's stream until the transaction ends, without reading the row.

    SQLite holds the whole database from `Database.writing` on; nothing is left to lock.
    """
    bind = session.get_bind() if isinstance(session, Session) else session
    if bind.dialect.name != "sqlite":
        session.execute(_lock, {"id": participant_id})


def lock_participant(session: Session, participant_id: int) -> Participant:
    """The participant's row, and its stream held until the transaction ends."""
    return session.execute(
        sa.select(Participant).where(Participant.id == participant_id).with_for_update(),
        execution_options={"populate_existing": True},  # as it is now, whatever was read before
    ).scalar_one()


_lock = sa.select(Participant.id).where(Participant.id == sa.bindparam("id")).with_for_update()


def count(session: Session) -> int:
    """How many entries there are in all streams."""
    return session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) or 0
