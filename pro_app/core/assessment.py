"""What an assessment is at a moment: pure functions of its facts and `now`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


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


AGREE = timedelta(minutes=2)  # estimates and clocks that differ by less agree


class Doubt(StrEnum):
    """Why somebody should look at the moment of a tap. Of several the first one is named."""

    CLOCK_CHANGED = "clock_changed"
    BEFORE_OPENING = "before_opening"
    SKEW = "skew"


class Stamp(NamedTuple):
    """What a device says of a moment.

    `device_time` is its clock. `monotonic` is the time since the page's life `run` began; that
    clock cannot be set, but it may stand still while the phone sleeps.
    """

    device_time: datetime | None = None
    run: str | None = None
    monotonic: timedelta | None = None


class Contact(NamedTuple):
    """The server's clock as it was told to the device, and the device's clock just then."""

    at: datetime
    device_time: datetime


class Tapped(NamedTuple):
    """The moment of a tap on the server's clock, the device's skew, and what is doubtful.

    Skew = device clock - server clock at receipt (it includes the time on the way).
    """

    moment: datetime
    skew: timedelta | None
    doubt: Doubt | None


def tapped_at(
    tap: Stamp,
    sending: Stamp,
    received_at: datetime,
    opens_at: datetime,
    contact: Contact | None = None,
) -> Tapped:
    """The moment of a tap, from the device's clocks at the tap, at its sending, and at the last
    contact before the tap.

    Two estimates use only differences of the device's clock, which may be wrong by years:
    backward from the receipt (sending - tap), and forward from the contact (tap - contact).
    While they agree within two minutes the clock was not set in between, and the backward one
    stands. Else it was set, which is a doubt, and the possible one stands: a tap is not after
    its receipt, not before its contact, not before the opening, and at least as old as the
    monotonic clock says. When both are possible it is the one that the monotonic clock
    confirms, else the forward one: a phone sets its clock when the network comes back, which
    is after the tap. When none is possible the monotonic clock alone tells the age, and without
    it the receipt stands.

    A skew of more than two minutes is a doubt too; it is told and changes nothing.
    """
    if contact is not None and contact.at > received_at:
        contact = None  # no clock of ours has said so
    ages = _ages(tap, sending, received_at, contact)
    since_contact = None if contact is None else received_at - contact.at
    age, doubt = _chosen(ages, received_at - opens_at, since_contact)
    skew = None if sending.device_time is None else sending.device_time - received_at
    if doubt is None and skew is not None and abs(skew) > AGREE:
        doubt = Doubt.SKEW
    return Tapped(received_at - age, skew, doubt)


class _Ages(NamedTuple):
    """How old a tap was at its receipt, by each estimate; None where the device did not say."""

    backward: timedelta | None
    forward: timedelta | None
    steady: timedelta | None  # by the monotonic clock: at least as old as that


def _ages(tap: Stamp, sending: Stamp, received_at: datetime, contact: Contact | None) -> _Ages:
    backward = forward = steady = None
    if tap.device_time is not None and sending.device_time is not None:
        backward = sending.device_time - tap.device_time
    if tap.device_time is not None and contact is not None:
        forward = (received_at - contact.at) - (tap.device_time - contact.device_time)
    same_run = tap.run is not None and tap.run == sending.run
    if same_run and tap.monotonic is not None and sending.monotonic is not None:
        steady = max(sending.monotonic - tap.monotonic, timedelta())
    return _Ages(backward, forward, steady)


def _chosen(
    ages: _Ages, since_opening: timedelta, since_contact: timedelta | None
) -> tuple[timedelta, Doubt | None]:
    """The age that stands by the rule of `tapped_at`, and the doubt in it."""
    nothing, steady = timedelta(), ages.steady
    claims = [age for age in (ages.backward, ages.forward) if age is not None]
    if not claims and steady is not None:
        claims = [steady]  # a phone without a clock
    oldest = since_opening if since_contact is None else min(since_opening, since_contact + AGREE)
    possible = [age for age in claims if (steady or nothing) - AGREE <= age <= oldest]
    doubt = None
    if len(claims) == 2 and abs(claims[0] - claims[1]) > AGREE:
        doubt = Doubt.CLOCK_CHANGED
        possible = [age for age in possible if _same(age, steady)] or possible[::-1]
    if possible:
        most = since_opening if since_contact is None else min(since_opening, since_contact)
        return max(min(possible[0], most), nothing), doubt
    if claims and doubt is None:
        early = min(claims) > since_opening
        doubt = Doubt.BEFORE_OPENING if early else Doubt.CLOCK_CHANGED
    return (steady if steady is not None and steady <= oldest else nothing), doubt


def _same(one: timedelta, other: timedelta | None) -> bool:
    return other is not None and abs(one - other) <= AGREE
