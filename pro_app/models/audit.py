"""The audit trail: append-only entries, chained by hash within each stream, and checkpoints."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pro_app.models.database import Base

# what a study's record shows besides the participants' own: all other streams, and who has read
WATCHED = "stream >= 'staff/' OR substr(action, 1, 5) = 'read_'"


class AuditEntry(Base):
    """Who did what to which field, from what, to what, when. Triggers refuse change and removal.

    A stream is one participant's trail (`participant/ID`) or a study's (`study/ID`); `seq` counts
    from 1 without a gap, and `hash` covers the entry and the hash before it.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        sa.UniqueConstraint("stream", "seq"),
        # read by services.trail: the few entries of a study's record among millions of answers
        sa.Index(
            "ix_audit_entry_watched",
            "id",
            sqlite_where=sa.text(WATCHED),
            postgresql_where=sa.text(WATCHED),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(sa.String(40))
    seq: Mapped[int]
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(sa.String(80))
    action: Mapped[str] = mapped_column(sa.String(40))
    object: Mapped[str] = mapped_column(sa.String(80))
    field: Mapped[str | None] = mapped_column(sa.String(40))
    old: Mapped[str | None] = mapped_column(sa.Text)
    new: Mapped[str | None] = mapped_column(sa.Text)
    detail: Mapped[dict[str, Any]]
    previous_hash: Mapped[str] = mapped_column(sa.String(64))
    hash: Mapped[str] = mapped_column(sa.String(64))


class AuditCheckpoint(Base):
    """A signed statement of what all streams held at a moment. Triggers refuse change and removal.

    `root` is the Merkle root over every stream's newest entry, `streams` and `entries` count them,
    `previous` is the hash of the checkpoint before. `hash` and `signature` are over all that; see
    `pro_app.verify`. `key` names the key, whose public half stands beside it.
    """

    __tablename__ = "audit_checkpoint"

    id: Mapped[int] = mapped_column(primary_key=True)
    # counts from 1 without a gap; of two workers that make the same one, one fails on it
    number: Mapped[int] = mapped_column(unique=True)
    at: Mapped[datetime]
    root: Mapped[str] = mapped_column(sa.String(64))
    streams: Mapped[int]
    entries: Mapped[int] = mapped_column(sa.BigInteger)
    previous: Mapped[str] = mapped_column(sa.String(64))
    key: Mapped[str] = mapped_column(sa.String(32))
    algorithm: Mapped[str] = mapped_column(sa.String(20))
    public_key: Mapped[str] = mapped_column(sa.String(64))
    hash: Mapped[str] = mapped_column(sa.String(64))
    signature: Mapped[str] = mapped_column(sa.String(128))


class AuditHead(Base):
    """A stream's newest entry at a checkpoint, if it was another one at the checkpoint before.
    Triggers refuse change and removal.

    From these the tree of every checkpoint can be built again.
    """

    __tablename__ = "audit_head"
    # read by services.checkpoints, too: the newest head of each stream
    __table_args__ = (sa.UniqueConstraint("stream", "checkpoint"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(sa.String(40))
    checkpoint: Mapped[int] = mapped_column(sa.ForeignKey("audit_checkpoint.number"))
    seq: Mapped[int]
    hash: Mapped[str] = mapped_column(sa.String(64))
