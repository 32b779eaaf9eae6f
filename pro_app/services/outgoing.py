"""What a worker holds between claiming due reminders and writing down what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pro_app.core.reminders import Channel, next_channel
from pro_app.core.study import StudyDefinition
from pro_app.delivery import Letter, Outcome, Push
from pro_app.models import Participant, Reminder
from pro_app.services.post_office import Address

LONGEST_LEASE = timedelta(hours=1)  # one that ends later was made under a clock set forward

Key = tuple[str, int | None]  # public id of a message, and subscription; None for an e-mail


@dataclass(slots=True)
class Tally:
    """What became of the reminders that were due."""

    sent: int = 0
    listed: int = 0
    moved: int = 0
    retried: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0

    def add(self, other: Tally) -> None:
        """Count another tally in."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, one.name)} {one.name}" for one in fields(self))


@dataclass(frozen=True, slots=True)
class Claim:
    """Reminders that this worker holds until the lease ends, and the people they are for."""

    lease: str
    until: datetime
    ids: tuple[int, ...]
    people: tuple[int, ...]


@dataclass(slots=True)
class Outgoing:
    """A message to be sent, with the reminders that it stands for, and where it goes: a push to
    `addresses`, a letter to `email` (encrypted)."""

    id: int
    public_id: str
    participant_id: int
    channel: Channel
    rows: Sequence[Any]
    minute: int
    definition: StudyDefinition
    addresses: tuple[Address, ...] = ()
    email: bytes | None = None


@dataclass(slots=True)
class Work:
    """What looking again left to be sent, and what it settled at once.

    `answers` holds the outcomes of what could not even be put into words.
    """

    outgoing: list[Outgoing] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    answers: dict[Key, Outcome] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)


def free(now: datetime) -> sa.ColumnElement[bool]:
    """The reminders that no worker holds."""
    return sa.or_(
        Reminder.lease_until.is_(None),
        Reminder.lease_until <= now,
        Reminder.lease_until > now + LONGEST_LEASE,
    )


def lock_people(session: sa.Connection, people: Sequence[int]) -> None:
    """Hold participants until the transaction ends, as all do who change what concerns them.

    So two workers never look at one person at a time, and nobody waits in a circle: everybody
    locks the participant first, then reminders. SQLite holds the whole database already.
    """
    if session.dialect.name != "sqlite":
        session.execute(_lock, {"people": people})


_lock = (
    sa.select(Participant.id)
    .where(Participant.id.in_(sa.bindparam("people", expanding=True)))
    .order_by(Participant.id)
    .with_for_update(key_share=True)
)


def wait_until(
    moment: datetime, row: Any, definition: StudyDefinition, minute: int
) -> datetime | None:
    """The moment, or, out of quiet hours, the person's next one; None if closing comes first."""
    rules = definition.reminders
    if rules.quiet(moment, definition.zone):
        return rules.slot_before(row.expires_at, moment, minute, definition.zone)
    return moment if moment < row.expires_at else None


def fallback(row: Any, channel: Channel, now: datetime) -> list[dict[str, Any]]:
    """The row on the next channel that stands in for one which could not go."""
    following = next_channel(channel)
    if following is None:
        return []
    return [
        {
            "assessment_id": row.assessment_id,
            "participant_id": row.participant_id,
            "step": row.step,
            "channel": following.value,
            "state": "planned",
            "reason": None,
            "planned_for": row.planned_for,
            "due_at": now,
            "expires_at": row.expires_at,
            "attempts": 0,
            "created_at": now,
        }
    ]


def finished(row: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """What `finish_held` and `finish_sent` write of a reminder; the lease ends with it."""
    return {
        "row": row.id,
        "state": "planned",
        "reason": None,
        "due_at": row.due_at,
        "message_id": row.message_id,
        "sent_at": None,
        "attempts": row.attempts,
        "lease": None,
        "lease_until": None,
        **values,
    }


_table = Reminder.__table__.c
_row = sa.update(Reminder.__table__).where(_table.id == sa.bindparam("row"))  # type: ignore[arg-type]
_finish = _row.values(
    {
        name: sa.bindparam(name)
        for name in (
            "state", "reason", "due_at", "message_id", "sent_at", "attempts", "lease",
            "lease_until",
        )
    }
)  # fmt: skip
# by the worker that holds it (`held` is its lease), and nobody else
finish_held = _finish.where(_table.lease == sa.bindparam("held"), _table.state == "planned")
# whoever holds it, and even if it was cancelled meanwhile: it has gone, and must not go again
finish_sent = _finish.where(sa.or_(_table.state == "planned", _table.state == "cancelled"))
hold = _row.values({name: sa.bindparam(name) for name in ("message_id", "attempts", "due_at")})
