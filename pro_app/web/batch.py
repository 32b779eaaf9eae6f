"""Reading what a phone sends of its journal: a JSON body, checked in full before it is used."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pro_app.core.assessment import Contact
from pro_app.core.licence import Wordings
from pro_app.core.study import LANGUAGES
from pro_app.services.answers import Operation, Origin
from pro_app.services.assessments import Known
from pro_app.services.batches import SUBMITTED, is_press

MOST_OPERATIONS = 500  # in one request; a sheet has 36 items
LARGEST = 2**63 - 1  # whole number that a database takes
MOST_ENTRIES = 2**31 - 1  # number of entries, or of one entry, in a journal
LONGEST_RUN = 10 * 366 * 24 * 3_600_000  # milliseconds; no page lives ten years


class Sent(NamedTuple):
    """An operation, and the language and the wording that it was read in if it names them."""

    operation: Operation
    language: str | None
    wording: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """A body of `take_operations`; every part may be missing but the operations."""

    operations: tuple[Sent, ...]
    journal: str | None
    left: int | None
    sent_at: datetime | None
    run: str | None
    monotonic: timedelta | None
    seen: int
    language: str | None

    @property
    def presses(self) -> bool:
        """Whether Submit was pressed."""
        return any(is_press(sent.operation) for sent in self.operations)

    def origin(self, device_id: int, locked: bool) -> Origin:
        """Where the operations come from."""
        return Origin(
            device_id,
            None,
            self.sent_at,
            run=self.run,
            monotonic=self.monotonic,
            journal=self.journal,
            locked=locked,
        )

    def worded(
        self, wordings: Wordings, assessment: Known, language: str, now: datetime
    ) -> list[Operation]:
        """The operations, each with the wording that the person read: what was seen is what is
        recorded. `language` is for those that name none."""
        usual, code = self.language or language, assessment.instrument
        at = assessment.facts.started_at or now
        return [
            replace(
                sent.operation,
                wording=wordings.read_as(code, sent.language or usual, sent.wording, at),
            )
            for sent in self.operations
        ]


def read(body: Any) -> Batch:
    """A posted batch. Raises KeyError, TypeError or ValueError for a body of another shape.

    `operations` is a list of `id` and `state`, with `item` and `code` where they apply. Older
    pages and phones without a clock leave out the rest: of an operation `sequence`, `prompted`,
    `language`, `wording` (the beginning of its fingerprint), `aloud`, `device_time` (ISO 8601
    with offset), `run` and `monotonic` (milliseconds since the run began), `contact` (`at`,
    `device_time`); of the batch `journal`, `left`, `sent_at`, `run`, `monotonic`, `seen`,
    `language`.
    """
    operations = body["operations"]
    if not isinstance(operations, list) or len(operations) > MOST_OPERATIONS:
        raise ValueError(f"no list of at most {MOST_OPERATIONS} operations")
    left = body.get("left")
    return Batch(
        operations=tuple(
            Sent(_operation(one), _language(one), _wording(one)) for one in operations
        ),
        journal=name(body.get("journal")),
        left=None if left is None else count(left),
        sent_at=_moment(body.get("sent_at")),
        run=name(body.get("run")),
        monotonic=_span(body.get("monotonic")),
        seen=_whole(body.get("seen", 0)),
        language=_language(body),
    )


def _operation(one: Any) -> Operation:
    state = str(one["state"])
    sequence, contact = one.get("sequence"), one.get("contact")
    return Operation(
        id=str(uuid.UUID(str(one["id"]))),
        item="" if state == SUBMITTED else str(one["item"]),
        state=state,
        code=None if one.get("code") is None else _whole(one["code"]),
        prompted=one.get("prompted") is True,
        device_time=_moment(one.get("device_time")),
        run=name(one.get("run")),
        monotonic=_span(one.get("monotonic")),
        contact=None if contact is None else _contact(contact),
        sequence=None if sequence is None else count(sequence),
        aloud=one.get("aloud") is True,
    )


def _contact(told: Any) -> Contact | None:
    at, device_time = _moment(told["at"]), _moment(told["device_time"])
    if at is None or device_time is None:
        return None
    try:
        return Contact(at.astimezone(UTC), device_time)
    except OverflowError:
        raise ValueError("no moment of ours") from None


def name(text: Any) -> str | None:
    """The name of a journal or of a run: a UUID, or nothing."""
    return None if text is None else str(uuid.UUID(str(text)))


def count(value: Any) -> int:
    """A number of entries."""
    number = _whole(value)
    if not 0 <= number <= MOST_ENTRIES:
        raise ValueError("not a number of entries")
    return number


def _whole(value: Any) -> int:
    """A whole number as it was sent: 2.9 is not 2."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST:
        raise ValueError("not a whole number")
    return value


def _span(value: Any) -> timedelta | None:
    """Milliseconds of a run, with or without a fraction."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("not a number of milliseconds")
    if not math.isfinite(value) or not 0 <= value <= LONGEST_RUN:
        raise ValueError("not a run's age")
    return timedelta(milliseconds=value)


def _moment(text: Any) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a device time without its offset")
    return moment


def _wording(told: Any) -> str | None:
    name = told.get("wording")
    return str(name) if name else None


def _language(told: Any) -> str | None:
    language = told.get("language")
    if language is not None and language not in LANGUAGES:
        raise ValueError("no language of ours")
    return None if language is None else str(language)
