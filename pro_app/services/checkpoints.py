"""Checkpoints: signed statements of what every stream of the trail holds at a moment.

Without them the end of a stream could be cut off, or the whole trail be written anew, by whoever
may do everything in the database. The key is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app import verify
from pro_app.models import AuditCheckpoint, AuditEntry, AuditHead, Transaction
from pro_app.services.audit_key import AuditKey
from pro_app.verify import Head, Tree

INTERVAL = timedelta(hours=1)  # from one checkpoint of the worker to the next


class TrailBehind(Exception):
    """The trail lacks what a checkpoint holds: nothing is signed over that."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint, as it can be printed or sent to somebody as a witness."""

    number: int
    at: datetime
    root: str
    hash: str
    key: str
    public_key: str


def is_due(session: Transaction, now: datetime) -> bool:
    """Whether the newest checkpoint is an hour old, or there is none, or its moment is yet to
    come."""
    newest = session.scalar(sa.select(AuditCheckpoint.at).where(_is_newest))
    return newest is None or not newest <= now < newest + INTERVAL


def newest(session: Session) -> Checkpoint | None:
    """The newest checkpoint."""
    row = session.scalar(sa.select(AuditCheckpoint).where(_is_newest))
    return None if row is None else _told(row)


def make(session: Session, key: AuditKey, now: datetime) -> Checkpoint | None:
    """Make a checkpoint; None if no stream has anything new, or another worker just made one.

    Raises TrailBehind if a stream no longer holds what the newest checkpoint says.
    """
    before = session.scalar(sa.select(AuditCheckpoint).where(_is_newest))
    earlier = {stream: (seq, kept) for stream, seq, kept in session.execute(_newest_heads())}
    _refuse_if_behind(session)
    current, entries = _heads_now(session)
    changed = {stream: head for stream, head in current.items() if earlier.get(stream) != head}
    if not changed:
        return None
    tree = Tree()
    tree.put(current)
    row: dict[str, Any] = {
        "number": 1 if before is None else before.number + 1,
        "at": now,
        "root": tree.root(),
        "streams": len(current),
        "entries": entries,
        "previous": verify.GENESIS if before is None else before.hash,
        "key": key.key_id,
        "algorithm": verify.ALGORITHM,
        "public_key": key.public.hex(),
    }
    row["hash"] = verify.checkpoint_hash(row)
    row["signature"] = key.sign(verify.checkpoint_text(row)).hex()
    try:
        with session.begin_nested():
            session.execute(sa.insert(AuditCheckpoint), [row])
    except sa.exc.IntegrityError:
        return None
    session.execute(
        sa.insert(AuditHead),
        [
            {"stream": stream, "checkpoint": row["number"], "seq": seq, "hash": kept}
            for stream, (seq, kept) in sorted(changed.items())
        ],
    )
    return newest(session)


_is_newest = (
    AuditCheckpoint.number == sa.select(sa.func.max(AuditCheckpoint.number)).scalar_subquery()
)


def _told(row: AuditCheckpoint) -> Checkpoint:
    return Checkpoint(row.number, row.at, row.root, row.hash, row.key, row.public_key)


def _newest_heads() -> sa.Select[str, int, str]:
    """Every stream's newest entry that a checkpoint holds."""
    last = (
        sa.select(AuditHead.stream, sa.func.max(AuditHead.checkpoint).label("checkpoint"))
        .group_by(AuditHead.stream)
        .subquery()
    )
    return sa.select(AuditHead.stream, AuditHead.seq, AuditHead.hash).join(
        last,
        sa.and_(AuditHead.stream == last.c.stream, AuditHead.checkpoint == last.c.checkpoint),
    )


def _heads_now(session: Session) -> tuple[dict[str, Head], int]:
    """Every stream's newest entry, and how many entries there are; read by one statement, so that
    both are of one moment."""
    last = (
        sa.select(
            AuditEntry.stream,
            sa.func.max(AuditEntry.seq).label("seq"),
            sa.func.count().label("entries"),
        )
        .group_by(AuditEntry.stream)
        .subquery()
    )
    rows = session.execute(
        sa.select(AuditEntry.stream, AuditEntry.seq, AuditEntry.hash, last.c.entries).join(
            last, sa.and_(AuditEntry.stream == last.c.stream, AuditEntry.seq == last.c.seq)
        )
    ).all()
    heads = {row.stream: (row.seq, row.hash) for row in rows}
    return heads, sum(row.entries for row in rows)


def _refuse_if_behind(session: Session) -> None:
    """Raise TrailBehind if an entry that a checkpoint holds is gone or another one."""
    held = _newest_heads().subquery()
    same = sa.and_(
        AuditEntry.stream == held.c.stream,
        AuditEntry.seq == held.c.seq,
        AuditEntry.hash == held.c.hash,
    )
    lost = session.execute(
        sa.select(held.c.stream, held.c.seq)
        .outerjoin(AuditEntry, same)
        .where(AuditEntry.id.is_(None))
        .order_by(held.c.stream)
        .limit(1)
    ).first()
    if lost is not None:
        raise TrailBehind(
            f"{lost.stream} entry {lost.seq} is gone or another one than at the newest "
            "checkpoint: export the trail and verify it"
        )
