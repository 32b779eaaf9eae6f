"""The schedule: from a protocol's timepoints and a participant's anchors to windows.

One pure function computes what is expected (`expected`), another says what that changes about
what is there already (`reconcile`). Moments are UTC; the zone is used only in here.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

ENROLMENT = "enrolment"  # the anchor that enrolling itself sets
DAY = 24 * 60  # minutes
YEARS = range(1990, 2200)  # in which a day of a study can lie
MOST_OCCURRENCES = 400  # of one repeated timepoint; daily for a year is not this system's work


@dataclass(frozen=True, slots=True)
class Offset:
    """A distance from an anchor: a count of `days` or of calendar `months`."""

    count: int
    unit: str

    def after(self, day: date) -> date:
        """The day so far after `day`. Months keep the day of the month, clamped at its end."""
        if self.unit == "days":
            return day + timedelta(days=self.count)
        month = day.year * 12 + day.month - 1 + self.count
        year, month = month // 12, month % 12 + 1
        return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


@dataclass(frozen=True, slots=True)
class Repeat:
    """A timepoint comes again `every` so often, until a day (of being due) or so many times."""

    every: Offset
    until: date | None = None
    times: int | None = None


@dataclass(frozen=True, slots=True)
class Anchor:
    """A dated event that timepoints count from. `first_day` is the number that the protocol
    gives to the day itself: 0, or 1 where it knows no day 0 and -1 is the day before."""

    code: str
    labels: Mapping[str, str]
    first_day: int = 0


@dataclass(frozen=True, slots=True)
class Timepoint:
    """A named visit: its neutral label per language, its instruments in order, and when.

    Without an anchor it is unscheduled and opened by hand. The window runs from `opens` (minutes
    after local midnight) on the day `before` days before the due day until `closes` on the day
    `after` days after it; 1440 is the midnight that ends the day. `first_day` is its anchor's.
    `precedes` names an anchor that it should be answered before. A `retroactive` timepoint that
    an amendment adds is expected even of those whose window for it has passed.
    """

    code: str
    labels: Mapping[str, str]
    instruments: tuple[str, ...]
    anchor: str | None = None
    offset: Offset = Offset(0, "days")
    before: int = 0
    after: int = 0
    opens: int = 0
    closes: int = DAY
    first_day: int = 0
    repeat: Repeat | None = None
    precedes: str | None = None
    retroactive: bool = False

    def label(self, language: str, occurrence: int = 1) -> str | None:
        """The label in a language. `{count}` in it stands for the occurrence's own count of days
        or months; None where the protocol has no label in that language."""
        text = self.labels.get(language)
        if text is None or self.repeat is None:
            return text
        count = self._distance.count + (occurrence - 1) * self.repeat.every.count
        if self.offset.unit == "days" and count >= 0:
            count += self.first_day
        return text.replace("{count}", str(count))

    @property
    def _distance(self) -> Offset:
        """The offset as a distance: where there is no day 0, day 1 is the anchor's own."""
        count, unit = self.offset.count, self.offset.unit
        return Offset(count - self.first_day if unit == "days" and count > 0 else count, unit)

    def due_days(self, anchor: date) -> Iterator[date]:
        """The due day of each occurrence, in order."""
        distance = self._distance
        if self.repeat is None:
            yield distance.after(anchor)
            return
        most = MOST_OCCURRENCES if self.repeat.times is None else self.repeat.times
        for n in range(most):
            step = self.repeat.every.count * n
            if self.repeat.every.unit == distance.unit:  # from the anchor: no drift at month ends
                day = Offset(distance.count + step, distance.unit).after(anchor)
            else:
                day = Offset(step, self.repeat.every.unit).after(distance.after(anchor))
            if self.repeat.until is not None and day > self.repeat.until:
                return
            yield day

    def window(self, due: date, zone: ZoneInfo) -> Window:
        """The window around a due day. If the clock skips all of it, it comes after the change."""
        first, last = due - timedelta(days=self.before), due + timedelta(days=self.after)
        due_at = local(due, self.opens, zone)
        closes_at = local(last, self.closes, zone, latest=True)
        if closes_at <= due_at:
            closes_at = due_at + timedelta(days=self.after, minutes=self.closes - self.opens)
        return Window(local(first, self.opens, zone), due_at, closes_at)


@dataclass(frozen=True, slots=True)
class Window:
    """From when, by when and until when an assessment is open. Moments with a zone."""

    opens_at: datetime
    due_at: datetime
    closes_at: datetime


@lru_cache(maxsize=100_000)
def local(day: date, minute: int, zone: ZoneInfo, latest: bool = False) -> datetime:
    """The moment when clocks in a zone show this minute of this day, in UTC.

    A time that the clock skips is taken as if it had not been put forward: the same distance
    after the change. Of a time that comes twice the first is meant, or with `latest` the second;
    of midnight always the first, where the day before it ends.
    """
    midnight = datetime.combine(day, time(), tzinfo=None)
    naive = midnight + timedelta(minutes=minute)
    first = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if not latest or minute % DAY == 0:
        return first
    return max(first, naive.replace(tzinfo=zone, fold=1).astimezone(UTC))


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A day by the clocks of a study's zone."""

    day: date
    zone: ZoneInfo

    @property
    def begins_at(self) -> datetime:
        """Its first moment, in UTC."""
        return local(self.day, 0, self.zone)


Key = tuple[str, int, str]  # timepoint, occurrence, instrument
Asked = tuple[str, str]  # timepoint, instrument


@dataclass(frozen=True, slots=True)
class Expected:
    """An assessment that the protocol expects of a participant."""

    timepoint: str
    occurrence: int
    instrument: str
    place: int
    due_on: date
    window: Window
    retroactive: bool = False  # see Timepoint

    @property
    def key(self) -> Key:
        """What is unique about it within a participant."""
        return self.timepoint, self.occurrence, self.instrument


def expected(
    timepoints: Iterable[Timepoint], anchors: Mapping[str, date], zone: ZoneInfo
) -> list[Expected]:
    """Every assessment that is expected, with its window, in the protocol's order.

    Timepoints without an anchor, or whose anchor is not known yet, are left out.
    """
    return [
        Expected(timepoint.code, occurrence, instrument, place, due, window, timepoint.retroactive)
        for timepoint in timepoints
        if timepoint.anchor is not None and timepoint.anchor in anchors
        for occurrence, due, window in _occurrences(timepoint, anchors[timepoint.anchor], zone)
        for place, instrument in enumerate(timepoint.instruments, start=1)
    ]


def _occurrences(
    timepoint: Timepoint, anchor: date, zone: ZoneInfo
) -> Iterator[tuple[int, date, Window]]:
    for occurrence, due in enumerate(timepoint.due_days(anchor), start=1):
        yield occurrence, due, timepoint.window(due, zone)


def waiting(timepoints: Iterable[Timepoint], anchors: Mapping[str, date]) -> dict[str, list[str]]:
    """The timepoints that wait for a date, by the anchor that is not known yet."""
    found: dict[str, list[str]] = {}
    for timepoint in timepoints:
        if timepoint.anchor is not None and timepoint.anchor not in anchors:
            found.setdefault(timepoint.anchor, []).append(timepoint.code)
    return found


def overlaps(
    expectations: Iterable[Expected], recall_days: Mapping[str, int]
) -> list[tuple[Expected, Expected]]:
    """Pairs of the same instrument, one after the other, due closer than its recall period.

    `recall_days` gives the period of each instrument in days; a longer one than a pair's
    distance means that both ask about the same days.
    """
    found = []
    before: dict[str, Expected] = {}
    for one in sorted(expectations, key=lambda each: each.due_on):
        earlier = before.get(one.instrument)
        period = timedelta(days=recall_days.get(one.instrument, 0))
        if earlier is not None and one.due_on - earlier.due_on < period:
            found.append((earlier, one))
        before[one.instrument] = one
    return found


@dataclass(frozen=True, slots=True)
class Placed:
    """An assessment as it is there: its window; `held` where somebody began or submitted it or
    the site opened it by hand; `cancelled` where the schedule took it back."""

    window: Window
    held: bool
    cancelled: bool = False


class Kind(StrEnum):
    """What a schedule changes about one assessment."""

    NEW = "new"
    MOVED = "moved"
    STAYS = "stays"
    CANCELLED = "cancelled"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is there and what is expected now.

    STAYS means that the protocol would move or remove it, but it is held. `window` is the new
    one, None for a cancelled one and for a held one that is no longer expected.
    """

    kind: Kind
    key: Key
    before: Window | None
    window: Window | None
    place: int = 1


def reconcile(
    expectations: Sequence[Expected],
    there: Mapping[Key, Placed],
    since: Mapping[Asked, datetime],
    closed_before: datetime | None = None,
) -> list[Change]:
    """What must change so that what is there is what is expected; nothing if it is so already.

    `since` tells from when on an amendment asks an instrument at a timepoint: windows that
    closed before are expected of nobody. With `closed_before` (an amendment's moment) whatever
    had closed by then stays as it was, and no window that is over by then is added or moved to,
    unless the timepoint is retroactive; without it (a corrected anchor) closed windows move too,
    unless held.
    """
    changes = [
        change
        for one in expectations
        if (change := _change(one, there.get(one.key), since, closed_before)) is not None
    ]
    wanted = {one.key for one in expectations}
    for key, placed in there.items():
        if key in wanted or placed.cancelled:
            continue
        if placed.held:
            changes.append(Change(Kind.STAYS, key, placed.window, None))
        elif closed_before is None or placed.window.closes_at > closed_before:
            changes.append(Change(Kind.CANCELLED, key, placed.window, None))
    return changes


def _change(
    one: Expected,
    placed: Placed | None,
    since: Mapping[Asked, datetime],
    closed_before: datetime | None,
) -> Change | None:
    over = _over(one, since, closed_before)
    if placed is None:
        return None if over else Change(Kind.NEW, one.key, None, one.window, one.place)
    if placed.cancelled:
        window = placed.window if placed.held else one.window
        return None if over else Change(Kind.RESTORED, one.key, placed.window, window, one.place)
    if placed.window == one.window:
        return None
    if placed.held:
        return Change(Kind.STAYS, one.key, placed.window, one.window, one.place)
    if closed_before is not None and placed.window.closes_at <= closed_before:
        return None
    if over:
        return Change(Kind.CANCELLED, one.key, placed.window, None)
    return Change(Kind.MOVED, one.key, placed.window, one.window, one.place)


def _over(one: Expected, since: Mapping[Asked, datetime], closed_before: datetime | None) -> bool:
    """Whether a window was over before the protocol had it, so that nobody can have missed it."""
    moments = [
        since.get((one.timepoint, one.instrument)),
        None if one.retroactive else closed_before,
    ]
    return any(moment is not None and one.window.closes_at <= moment for moment in moments)
