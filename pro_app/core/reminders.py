"""Reminders: when each step of an assessment is due, and what becomes of it when it is.

Pure functions of facts and `now`. The planner (`plan`) says when; just before anything is sent
`decide` looks again. Hours are the study's: minutes after local midnight in its zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from pro_app.core.assessment import Status
from pro_app.core.schedule import DAY, Window, local

HOUR = 60  # minutes
TICK = timedelta(microseconds=1)


class Channel(StrEnum):
    """The way a reminder goes. The coordinator's is the site's list of people to call."""

    PUSH = "push"
    EMAIL = "email"
    COORDINATOR = "coordinator"


LADDER = (Channel.PUSH, Channel.EMAIL, Channel.COORDINATOR)


def next_channel(channel: Channel) -> Channel | None:
    """The way that stands in for one which does not reach the person; None after the last."""
    place = LADDER.index(channel) + 1
    return LADDER[place] if place < len(LADDER) else None


@dataclass(frozen=True, slots=True)
class Step:
    """A reminder of the protocol, for every assessment.

    Exactly one of the three says when: `after_days` after the opening day, `before_days` before
    the closing day, or `share` (0 to 1) of the window's days. `unless_opened` leaves it out when
    an earlier message was opened. `urgent` asks the push service not to wait for the phone to
    wake.
    """

    code: str
    channel: Channel
    after_days: int | None = None
    before_days: int | None = None
    share: float | None = None
    unless_opened: bool = False
    urgent: bool = False

    def day(self, opens: date, closes: date) -> date:
        """The local day on which this step is due, for a window's first and last day."""
        if self.after_days is not None:
            return opens + timedelta(days=self.after_days)
        if self.before_days is not None:
            return closes - timedelta(days=self.before_days)
        days = round((closes - opens).days * (self.share or 0), 6)  # 0.29 of 100 days are 29
        return opens + timedelta(days=int(days))


@dataclass(frozen=True, slots=True)
class Rules:
    """A study's reminders: its steps, and the hours in which messages may go.

    Messages go from `first` until before `last`; outside are quiet hours. `usual` is the hour
    of people who chose none. `spread` minutes after the hour take up the people of a large
    study, each at a minute of their own. All in minutes after local midnight.
    """

    steps: tuple[Step, ...] = ()
    first: int = 9 * HOUR
    last: int = 20 * HOUR
    usual: int = 9 * HOUR
    spread: int = 0

    def hours(self) -> tuple[int, ...]:
        """The full hours that a person may choose, as minutes."""
        start = -(-self.first // HOUR) * HOUR
        return tuple(range(start, self.last - max(self.spread - 1, 0), HOUR))

    def minute_of(self, chosen: int | None, person: int) -> int:
        """The minute of the day of a person (by row id) who chose this hour, or none."""
        hour = chosen if chosen is not None and chosen in self.hours() else self.usual
        return hour + (person * 7919 % self.spread if self.spread else 0)

    def quiet(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Whether no message may go at this moment."""
        clock = moment.astimezone(zone)
        return not self.first <= clock.hour * 60 + clock.minute < self.last

    def not_quiet(self, moment: datetime, minute: int, zone: ZoneInfo) -> datetime:
        """The moment itself, or out of quiet hours the person's next minute after it."""
        return moment if not self.quiet(moment, zone) else self.next_slot(moment, minute, zone)

    def next_slot(self, moment: datetime, minute: int, zone: ZoneInfo) -> datetime:
        """The person's minute that comes next, strictly after the moment and not quiet.

        A day on which the clock skips the minute into quiet hours is passed over.
        """
        day = moment.astimezone(zone).date()
        slot = local(day, minute, zone)
        while slot <= moment or self.quiet(slot, zone):
            day += timedelta(days=1)
            slot = local(day, minute, zone)
        return slot

    def slot_before(
        self, limit: datetime, moment: datetime, minute: int, zone: ZoneInfo
    ) -> datetime | None:
        """`next_slot` if that is before a limit; else the usual hour if that comes in time."""
        slots = (self.next_slot(moment, each, zone) for each in (minute, self._usual(minute)))
        return next((slot for slot in slots if slot < limit), None)

    def _usual(self, minute: int) -> int:
        """The usual hour, at the minute in it that is the person's own."""
        return self.usual + minute % HOUR

    def tomorrow(self, moment: datetime, minute: int, zone: ZoneInfo) -> datetime:
        """The person's minute on the next local day that has it outside quiet hours."""
        return self.next_slot(_end_of_day(moment, zone), minute, zone)


def _end_of_day(moment: datetime, zone: ZoneInfo) -> datetime:
    """The last moment of a moment's local day."""
    tomorrow = moment.astimezone(zone).date() + timedelta(days=1)
    return local(tomorrow, 0, zone) - TICK


@dataclass(frozen=True, slots=True)
class Planned:
    """One reminder as planned: step, channel, when it is due and from when on it is worth
    nothing."""

    step: str
    channel: Channel
    due_at: datetime
    expires_at: datetime


def plan(window: Window, rules: Rules, minute: int, zone: ZoneInfo) -> list[Planned]:
    """The reminders of an assessment, at the person's `minute` of the day.

    A step before the opening is moved there, one in quiet hours to the person's next minute. One
    that would come after closing comes at the usual hour, or when its day begins or the window
    opens; if that is too late or quiet too, it is left out.
    """
    opens = window.opens_at.astimezone(zone).date()
    closes = (window.closes_at - TICK).astimezone(zone).date()
    found = []
    for step in rules.steps:
        due = _step_due(step.day(opens, closes), window, rules, minute, zone)
        if due is not None:
            found.append(Planned(step.code, step.channel, due, window.closes_at))
    return found


def _step_due(
    day: date, window: Window, rules: Rules, minute: int, zone: ZoneInfo
) -> datetime | None:
    if local(day, minute, zone) < window.opens_at:
        own = window.opens_at + timedelta(minutes=minute % HOUR)  # not everybody at once
        if own < window.closes_at and not rules.quiet(own, zone):
            return own
    first = max(local(day, 0, zone), window.opens_at)
    slot = rules.slot_before(window.closes_at, first - TICK, minute, zone)
    if slot is None and first < window.closes_at and not rules.quiet(first, zone):
        return first
    return slot


class Act(StrEnum):
    """What becomes of a reminder that is due."""

    SEND = "send"
    MOVE = "move"
    CANCEL = "cancel"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a due reminder, why, and, for a moved one, until when it waits."""

    act: Act
    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What the record knows of a due reminder at the moment of looking again.

    `status` is its assessment's; `ended` why nothing is expected (`withdrawn`, `died`, ...);
    `offered` whether the questionnaire can be shown in the person's language; `later_due`
    whether a later step on the same channel is due as well; `opened` whether an earlier message
    about this assessment was opened; `messaged_today` whether the person had another message on
    this local day already.
    """

    channel: Channel
    status: Status
    expires_at: datetime
    ended: str = ""
    paused: bool = False
    offered: bool = True
    later_due: bool = False
    unless_opened: bool = False
    opened: bool = False
    messaged_today: bool = False


DONE = frozenset({Status.COMPLETED, Status.COMPLETED_LATE})


def decide(due: Due, rules: Rules, minute: int, zone: ZoneInfo, now: datetime) -> Decision:
    """What becomes of a reminder that is due at `now`.

    The coordinator's list is not a message: it knows no quiet hours and no daily limit. A message
    that has to wait goes at the person's minute, or, if closing comes first, at the usual hour.
    """
    if due.status in DONE:
        return Decision(Act.CANCEL, "completed")
    if due.status is Status.NOT_EXPECTED:
        return Decision(Act.CANCEL, due.ended or "not_expected")
    if now >= due.expires_at or due.status is Status.MISSED:
        return Decision(Act.EXPIRE, "closed")
    if due.paused:
        return Decision(Act.CANCEL, "paused")
    if due.later_due:
        return Decision(Act.CANCEL, "superseded")
    if due.unless_opened and due.opened:
        return Decision(Act.CANCEL, "opened")
    if due.status is not Status.NOT_DUE and due.channel is Channel.COORDINATOR:
        return Decision(Act.SEND)
    if due.status is Status.NOT_DUE:
        reason, after = "not_open", now
    elif not due.offered:
        reason, after = "not_offered", _end_of_day(now, zone)
    elif rules.quiet(now, zone):
        reason, after = "quiet_hours", now
    elif due.messaged_today:
        reason, after = "one_a_day", _end_of_day(now, zone)
    else:
        return Decision(Act.SEND)
    until = rules.slot_before(due.expires_at, after, minute, zone)
    return Decision(Act.EXPIRE if until is None else Act.MOVE, reason, until)


def faults(rules: Rules) -> Iterable[str]:
    """What is contradictory about a study's rules, in a few words each."""
    if not 0 <= rules.first < rules.last <= DAY:
        yield "the hours must begin before they end"
    if not rules.hours():
        yield "the hours hold no full hour that the spread still fits after"
    elif rules.usual not in rules.hours():
        yield "the usual hour must be a full hour within the hours, with the spread after it"
