"""A phone as the two-device histories see it: its journal, its clocks, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pro_app.core.assessment import Contact
from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording
from pro_app.models import Database
from pro_app.services.answers import Operation, Origin
from pro_app.services.batches import SUBMITTED
from pro_app.services.studies import CurrentStudy

Given = dict[str, tuple[str, int | None]]


@dataclass(frozen=True)
class Place:
    """What all histories share."""

    database: Database
    study: CurrentStudy
    instrument: Instrument
    wording: Wording
    site_id: int


@dataclass
class Journal:
    """What a browser's storage holds; gone as a whole when it is wiped."""

    name: str
    entries: list[Operation] = field(default_factory=list)
    tapped: int = 0
    contact: Contact | None = None
    vanished: int = 0  # what the cookie says was lost before, until the server has answered
    reported: bool = False  # and answered
    heard: bool = False  # by the server, whether or not its answer came back


@dataclass(frozen=True)
class Letter:
    """A request as it goes out; it may arrive at any time, and more than once."""

    phone: Phone
    journal: Journal
    operations: tuple[Operation, ...]
    origin: Origin
    left: int
    seen: int
    sent: datetime  # by the true clock


@dataclass
class Wiped:
    """A journal that is gone: what it held, whether the cookie was left to tell of it, how much
    of it had arrived before the loss was noted, and what it had told itself without an answer."""

    phone: Phone
    held: list[str]
    witnessed: bool
    told_twice: int
    arrived: int | None = None


@dataclass(eq=False)
class Phone:
    """One browser: its clocks, its journal, and what it shows."""

    device_id: int
    journal: Journal
    run: str
    run_began: datetime
    offset: timedelta = timedelta()
    given: Given = field(default_factory=dict)  # as the server confirmed it
    seen: int = 0
    receipt: str | None = None

    def shown(self) -> Given:
        """What the person sees: the confirmed answers, and over them what waits."""
        shown = dict(self.given)
        for entry in self.journal.entries:
            put(shown, entry)
        return shown


def put(given: Given, operation: Operation) -> None:
    """Put a tap among the answers."""
    if operation.state == "cleared":
        given.pop(operation.item, None)
    elif operation.state != SUBMITTED:
        given[operation.item] = (operation.state, operation.code)


@dataclass
class Counts:
    """What all histories together were made of."""

    histories: int = 0
    operations: int = 0
    duplicates: int = 0
    delayed: int = 0
    wipes: int = 0
    losses: int = 0
    kills: int = 0
    clocks: int = 0
    submissions: int = 0
