"""What a worker holds between claiming due reminders and writing down what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pro_app.core.reminders import Channel, next_channel
from pro_app.core.study import StudyDefinition
from pro_app.delivery import Letter, Push
from pro_app.models import Reminder
from pro_app.services.post_office import Address


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
    """Reminders that this worker holds until the lease ends."""

    lease: str
    ids: tuple[int, ...]


@dataclass(slots=True)
class Outgoing:
    """A message to be sent, with the reminders that it stands for."""

    id: int
    public_id: str
    participant_id: int
    channel: Channel
    rows: list[Any]
    minute: int
    definition: StudyDefinition
    addresses: tuple[Address, ...] = ()


@dataclass(slots=True)
class Work:
    """What looking again left to be sent, and what it settled at once."""

    outgoing: dict[str, Outgoing] = field(default_factory=dict)  # by public id
    pushes: list[Push] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


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


_reminder = Reminder.__table__
finish = (
    sa.update(_reminder)  # type: ignore[arg-type]
    .where(_reminder.c.id == sa.bindparam("row"))
    .values(
        {
            name: sa.bindparam(name)
            for name in (
                "state", "reason", "due_at", "message_id", "sent_at", "attempts", "lease",
                "lease_until",
            )
        }
    )
)  # fmt: skip
finish_own = finish.where(_reminder.c.lease == sa.bindparam("held"), _reminder.c.state == "planned")
hold = (
    sa.update(_reminder)  # type: ignore[arg-type]
    .where(_reminder.c.id == sa.bindparam("row"))
    .values(message_id=sa.bindparam("message_id"))
)
