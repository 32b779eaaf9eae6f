"""The ways out of the house: plain values in, one of four outcomes out.

Nothing here knows a model, a setting or a clock (but for how long a token lives). The sender of
pushes is in `sender`, away from the plain values, for its libraries are slow to load.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pro_app.delivery.mail import Letter, address_fault
from pro_app.delivery.outcomes import Accepted, Gone, Misconfigured, Outcome, Retry, backoff
from pro_app.delivery.push import (
    Hosts,
    Push,
    Subscription,
    endpoint_origin,
    notification_payload,
    subscription_fault,
)

__all__ = [
    "Accepted", "Gone", "Hosts", "Letter", "MailWay", "Misconfigured", "Outcome", "Post", "Push",
    "PushWay", "Retry", "Subscription", "address_fault", "backoff", "endpoint_origin",
    "notification_payload", "subscription_fault",
]  # fmt: skip


class PushWay(Protocol):
    """What sends pushes: a `PushSender`, or a recorder in its place."""

    def send(self, pushes: Iterable[Push]) -> Iterator[tuple[Any, Outcome]]:
        """Send all; yield each one's key and outcome, in any order."""


class MailWay(Protocol):
    """What sends letters: an `Smtp`, a `Folder`, or a recorder in its place."""

    def send(self, letters: Iterable[Letter]) -> Iterator[tuple[Any, Outcome]]:
        """Send all; yield each one's key and outcome."""


@dataclass(frozen=True, slots=True)
class Post:
    """All ways out. `mail` is None where no letters are sent."""

    push: PushWay
    mail: MailWay | None
