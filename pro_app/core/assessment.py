"""What an assessment is at a moment: pure functions of its facts and `now`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Status(StrEnum):
    """The state of an expected assessment; always exactly one."""

    NOT_DUE = "not_due"
    OPEN = "open"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    COMPLETED_LATE = "completed_late"
    MISSED = "missed"
    NOT_EXPECTED = "not_expected"


class Standing(StrEnum):
    """Whether an answer counts, and if not, why it is kept all the same."""

    IN_TIME = "in_time"
    LATE = "late"
    AFTER_CLOSING = "after_closing"
    AFTER_SUBMISSION = "after_submission"

    @property
    def counts(self) -> bool:
        """Whether the answer is part of the assessment's current answers."""
        return self in {Standing.IN_TIME, Standing.LATE}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the record knows of an assessment. Moments are in UTC.

    `started_at` is the first answer given inside the window, `submitted_at` the submission,
    `late` whether that came after closing. `withdrawn_at` and `died_at` end what is expected;
    `cancelled_at` is when the schedule took the assessment back. `placed_at` is when its window
    was set, unless it was offered in an earlier one. `withheld` says that there is no wording
    that may be shown in the person's language.
    """

    opens_at: datetime
    closes_at: datetime
    started_at: datetime | None = None
    submitted_at: datetime | None = None
    late: bool = False
    withdrawn_at: datetime | None = None
    died_at: datetime | None = None
    cancelled_at: datetime | None = None
    placed_at: datetime | None = None
    withheld: bool = False

    def last_moment(self, grace: timedelta) -> datetime:
        """Until when answers count: closing, or, once begun, the end of the grace time."""
        return self.closes_at + grace if self.started_at is not None else self.closes_at


def status(facts: Facts, now: datetime, grace: timedelta) -> Status:
    """The status at `now`. A window is open from `opens_at` and closed from `closes_at` on.

    `pro_app.services.status.expression` says the same in SQL.
    """
    if facts.submitted_at is not None:
        return Status.COMPLETED_LATE if facts.late else Status.COMPLETED
    if not_expected_reason(facts) is not None:
        return Status.NOT_EXPECTED
    if now < facts.opens_at:
        return Status.NOT_DUE
    if now >= facts.last_moment(grace):
        return Status.MISSED
    return Status.OPEN if facts.started_at is None else Status.IN_PROGRESS


def not_expected_reason(facts: Facts) -> str | None:
    """Why an assessment that was not submitted is not expected either; None if it is expected.

    What ended before its closing moment counts; a window that was over by then stays missed.
    """
    if facts.cancelled_at is not None:
        return "cancelled"
    if facts.died_at is not None and facts.died_at < facts.closes_at:
        return "died"
    if facts.withdrawn_at is not None and facts.withdrawn_at < facts.closes_at:
        return "withdrawn"
    if facts.withheld and facts.started_at is None:
        return "no_wording"
    return None


def missed_reason(facts: Facts) -> str:
    """Why a missed assessment is missing: `partial` when some answers were given in time,
    `not_offered` when its window was over before the study knew of it, else `not_started`."""
    if facts.started_at is not None:
        return "partial"
    never = facts.placed_at is not None and facts.placed_at >= facts.closes_at
    return "not_offered" if never else "not_started"


def standing(facts: Facts, answered_at: datetime, grace: timedelta) -> Standing:
    """How an answer given at `answered_at` stands.

    The first answer must fall inside the window; later ones may use the grace time and are late.
    """
    if facts.submitted_at is not None:
        return Standing.AFTER_SUBMISSION
    if answered_at < facts.closes_at:
        return Standing.IN_TIME
    return Standing.LATE if answered_at < facts.last_moment(grace) else Standing.AFTER_CLOSING


def tapped_at(
    device_time: datetime | None,
    sent_at: datetime | None,
    received_at: datetime,
    opens_at: datetime,
) -> tuple[datetime, timedelta | None]:
    """The moment of a tap on the server's clock, and the device's skew.

    The device says when it was tapped and when it sent, both on its own clock; the difference is
    trustworthy even when that clock is wrong. Skew = device clock - server clock at receipt
    (it includes the time on the way). A tap is never later than its receipt. One that would lie
    before the opening was made under a clock that was set forward since; then, and without device
    times, the receipt stands for the tap.
    """
    if device_time is None or sent_at is None:
        return received_at, None
    age = max(sent_at - device_time, timedelta())
    possible = age <= received_at - opens_at
    return received_at - age if possible else received_at, sent_at - received_at
