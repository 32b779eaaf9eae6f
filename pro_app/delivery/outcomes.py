"""What can come of one message, whichever way it went; and when to try again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

LONGEST_WAIT = timedelta(hours=24)  # no service may keep a reminder back longer than this
_STEPS = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service took the message. It says nothing of delivery: only opening does."""

    status: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The address is dead and is to be forgotten.

    Status 0: nothing was sent, for the address can never work (a broken key, no mail address).
    """

    status: int


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. `after` is the wait that the service asked for, None when it named none.

    `status` is None when no answer came. The reason is a short code.
    """

    status: int | None
    after: timedelta | None
    reason: str


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """We are at fault, not the address: tell the operator, and keep the address.

    The reason is a short code that holds no address and no key.
    """

    status: int | None
    reason: str


Outcome = Accepted | Gone | Retry | Misconfigured


def backoff(attempt: int, spread: float) -> timedelta:
    """How long to wait after a failed attempt; `attempt` counts those before it, so begins at 0.

    A share of 30 s, 2 min, 10 min, 1 h, then always 6 h. `spread` is that share, from 0 up to but
    not 1; drawn at random it keeps those who failed together from coming back together.
    Raises ValueError outside these.
    """
    if attempt < 0 or not 0 <= spread < 1:
        raise ValueError("attempts count from 0, and the spread is from 0 up to 1")
    return _STEPS[min(attempt, len(_STEPS) - 1)] * spread
