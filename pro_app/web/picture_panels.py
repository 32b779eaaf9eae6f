"""Where everything stands in the pictures of scores: numbers alone, for a template to draw.

A panel is a drawing of its own with one column for each visit, so wide that its labels can be
read; what is wider than the page is scrolled. Lengths are about a pixel each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pro_app.core.scoring import half_up
from pro_app.core.statistics import Box, Interval
from pro_app.web.protocol_picture import wrapped

LEFT = 44.0  # for the numbers of the axis
STEP, WIDEST_STEP = 60.0, 90.0  # of a visit; wider where there are few
SPAN = 240.0  # of all visits, if they fit: what a narrow phone shows
RIGHT = 12.0
TOP = 26.0  # room for a number above the highest mark
PLOT = 150.0
LINE = 15.0  # of a label
LETTERS = 9.0  # Latin ones that fit a step
MOST_LINES = 4
SPACE = 0.6  # of a step that dots of single people take


@dataclass(frozen=True, slots=True)
class Tick:
    """A number of the axis and where it stands."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """The upright axis: its ends and its numbers."""

    low: float
    high: float
    step: float

    def y(self, value: float) -> float:
        """Where a value stands; one beyond the ends stands at the end."""
        inside = min(max(value, self.low), self.high)
        return round(TOP + PLOT * (self.high - inside) / (self.high - self.low), 1)

    def ticks(self) -> tuple[Tick, ...]:
        """The numbers from low to high."""
        count = round((self.high - self.low) / self.step)
        found = [self.low + n * self.step for n in range(count + 1)]
        return tuple(Tick(self.y(one), f"{one:g}".replace("-", "−")) for one in found)


FULL = Scale(0, 100, 25)


def fitted(values: Iterable[float], least: float = 20, around: float | None = None) -> Scale:
    """An axis that holds all of the values and spans `least`; about `around`, if that is given,
    both ways alike."""
    found = list(values) or [0.0 if around is None else around]
    if around is not None:
        reach = max(least / 2, *(abs(one - around) for one in found))
        found = [around - reach, around + reach]
    low, high = min(found), max(found)
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    step = next(one for one in (5, 10, 20, 25, 50, 100, 1_000_000) if (high - low) / one <= 6)
    return Scale(math.floor(low / step) * step, math.ceil(high / step) * step, step)


@dataclass(frozen=True, slots=True)
class Column:
    """A visit: where it stands, its label in lines, and how many people."""

    x: float
    lines: tuple[str, ...]
    n: int | None


@dataclass(frozen=True, slots=True)
class Dot:
    """One person's value, or a mean: its number and where that stands, and its interval's path."""

    x: float
    y: float
    text: str = ""
    text_y: float = 0.0
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Band:
    """A range of differences that matter: from `y`, so high; what it is called, and where."""

    y: float
    height: float
    text: str
    text_y: float


@dataclass(frozen=True, slots=True)
class BoxMark:
    """A box: its middle, edges and whiskers; the shares at floor and ceiling in words."""

    x: float
    highest: float
    third: float
    median: float
    first: float
    lowest: float
    floor: str
    ceiling: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A drawing: its frame, and what stands in it."""

    width: float
    height: float
    right: float
    bottom: float
    labels: float  # where the labels' first line stands
    counts: float  # where the numbers of people stand
    ticks: tuple[Tick, ...]
    zero: float | None
    columns: tuple[Column, ...]
    step: float
    marks: tuple[Dot, ...] = ()
    dots: tuple[Dot, ...] = ()
    path: str = ""
    bands: tuple[Band, ...] = ()
    boxes: tuple[BoxMark, ...] = ()
    missing: tuple[tuple[float, str], ...] = ()


def _step(count: int) -> float:
    return min(max(STEP, SPAN / max(count, 1)), WIDEST_STEP)


def _x(place: int, step: float) -> float:
    return round(LEFT + step * (place + 0.5), 1)


def _frame(
    labels: Sequence[str], counts: Sequence[int | None], scale: Scale, floor_line: bool = False
) -> Panel:
    step = _step(len(labels))
    columns = tuple(
        Column(_x(place, step), wrapped(label, LETTERS * step / STEP)[:MOST_LINES], counts[place])
        for place, label in enumerate(labels)
    )
    lines = max((len(one.lines) for one in columns), default=1)
    bottom = TOP + PLOT
    first = bottom + 18 + (LINE if floor_line else 0)
    below = first + LINE * lines
    zero = scale.y(0) if scale.low < 0 < scale.high else None
    right = LEFT + step * max(len(columns), 1)
    return Panel(
        right + RIGHT, below + 8, right, bottom, first, below, scale.ticks(), zero, columns, step
    )


def _with(panel: Panel, **parts: object) -> Panel:
    values = {name: getattr(panel, name) for name in Panel.__slots__} | parts
    return Panel(**values)


def means(
    labels: Sequence[str],
    points: Sequence[tuple[Interval, Sequence[float]] | None],
    scale: Scale,
    bands: Iterable[tuple[float, float, str]] = (),
) -> Panel:
    """Means with their intervals, joined from visit to visit, and the values of few people beside
    them. `bands` are ranges of the axis, with what they are called."""
    frame = _frame(labels, [None if one is None else one[0].n for one in points], scale)
    marks, dots, path = [], [], []
    means = [None if one is None else one[0].mean for one in points]
    for place, point in enumerate(points):
        if point is None:
            continue
        interval, values = point
        x, y = _x(place, frame.step), scale.y(interval.mean)
        text = signed(interval.mean, frame.zero is not None)
        marks.append(Dot(x, y, text, _text_y(y, place, means), _interval(x, interval, scale)))
        path.append(f"{x:g} {y:g}")
        dots += [Dot(x - STEP * SPACE / 2, scale.y(one)) for one in values]
    drawn = tuple(_band(scale, *one) for one in bands)
    return _with(
        frame, marks=tuple(marks), dots=tuple(dots), path="M" + "L".join(path) if path else "",
        bands=drawn,
    )  # fmt: skip


def _band(scale: Scale, low: float, high: float, text: str) -> Band:
    """Named at the end of the axis, where there is room."""
    top, bottom = scale.y(high), scale.y(low)
    return Band(top, round(bottom - top, 1), text, top + 12 if low > 0 else bottom - 5)


def _interval(x: float, interval: Interval, scale: Scale) -> str:
    """An upright line, with a cap at each end that lies on the axis."""
    if interval.low is None or interval.high is None:
        return ""
    path = f"M{x:g} {scale.y(interval.high):g}V{scale.y(interval.low):g}"
    for end in (interval.low, interval.high):
        if scale.low <= end <= scale.high:
            path += f"M{x - 4:g} {scale.y(end):g}h8"
    return path


def _text_y(y: float, place: int, values: Sequence[float | None]) -> float:
    """Where a mark's number stands, at its right: below it where the line goes up from there, but
    never among the visits' labels."""
    value, after = values[place], values[place + 1] if place + 1 < len(values) else None
    rises = value is not None and after is not None and after > value
    return round(min(y + 15, TOP + PLOT - 3) if rises else y - 6, 1)


def signed(value: float, sign: bool = True) -> str:
    """A number with one decimal, and with its sign where it is a difference."""
    text = half_up(value)
    if sign and value > 0 and text != "0.0":
        return f"+{text}"
    return text.replace("-", "−")


def boxes(
    labels: Sequence[str],
    found: Sequence[tuple[Box, Sequence[float]] | None],
    scale: Scale,
    ends: bool,
) -> Panel:
    """A box for each visit; with `ends` the shares at floor and ceiling, below and above."""
    frame = _frame(labels, [None if one is None else one[0].n for one in found], scale, ends)
    marks, dots = [], []
    for place, one in enumerate(found):
        if one is None:
            continue
        box, values = one
        floor, ceiling = (
            (percent(box.at_floor, box.n), percent(box.at_ceiling, box.n)) if ends else ("", "")
        )
        marks.append(
            BoxMark(
                _x(place, frame.step),
                scale.y(box.highest),
                scale.y(box.third),
                scale.y(box.median),
                scale.y(box.first),
                scale.y(box.lowest),
                floor,
                ceiling,
            )
        )
        left = _x(place, frame.step) - STEP * SPACE / 2
        dots += [Dot(left, scale.y(each)) for each in values]
    return _with(frame, boxes=tuple(marks), dots=tuple(dots))


def percent(part: int, whole: int) -> str:
    """A share in per cent, whole; `–` of nothing."""
    return f"{half_up(100 * part / whole, 0)} %" if whole else "–"


def line(
    labels: Sequence[str],
    values: Sequence[float | None],
    missing: Sequence[str],
    scale: Scale,
) -> Panel:
    """One person's values; a line joins what follows one another, and a sign below the visit, where
    it is no value, says why there is none."""
    frame = _frame(labels, [None] * len(labels), scale)
    marks, path, joined = [], [], False
    signs = []
    for place, value in enumerate(values):
        x = _x(place, frame.step)
        if value is None:
            joined = False
            if missing[place]:
                signs.append((x, missing[place]))
            continue
        y = scale.y(value)
        marks.append(Dot(x, y, signed(value, sign=False), _text_y(y, place, values)))
        path.append(f"{'L' if joined else 'M'}{x:g} {y:g}")
        joined = True
    return _with(frame, marks=tuple(marks), path="".join(path), missing=tuple(signs))


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: what it counts, from `x`, so wide."""

    kind: str
    count: int
    x: float
    width: float


BAR_LEFT, BAR_WIDTH = 150.0, 420.0
ROW = 34.0
BAR_LETTERS = 20.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A visit's bar: its label in lines, its parts, and what stands behind it."""

    y: float
    height: float
    lines: tuple[str, ...]
    segments: tuple[Segment, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars one below the other."""

    width: float
    height: float
    bars: tuple[Bar, ...]


def bars(rows: Iterable[tuple[str, Sequence[tuple[str, int]], str]]) -> Bars:
    """A bar for each row: its label, its parts in order, and what stands behind it. All bars are
    equally long; a part that is there can be seen."""
    drawn, y = [], 4.0
    for label, parts, text in rows:
        whole = sum(count for _, count in parts)
        lines = wrapped(label, BAR_LETTERS)
        segments, x = [], BAR_LEFT
        for kind, count in parts:
            if count:
                width = BAR_WIDTH * count / whole
                segments.append(Segment(kind, count, round(x, 1), round(width, 1)))
                x += width
        height = max(ROW, LINE * len(lines) + 10)
        drawn.append(Bar(y, height, lines, tuple(segments), text))
        y += height
    return Bars(BAR_LEFT + BAR_WIDTH + 70, y + 4, tuple(drawn))


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a picture from 0 to 1: its label, and where its mark stands, if it has one."""

    y: float
    label: str
    x: float | None
    text: str
    second: float = 0.0  # a second part's width, behind the first


ROW_LABEL, TRACK, ROW_LINE = 84.0, 180.0, 22.0


@dataclass(frozen=True, slots=True)
class Rows:
    """Marks on tracks from 0 to 1, one below the other."""

    width: float
    height: float
    left: float
    track: float
    rows: tuple[Place, ...]


def tracks(rows: Sequence[tuple[str, float | None, str, float]], most: float = 1.0) -> Rows:
    """A track for each row: its label, how far its mark is of `most`, what stands behind it, and
    a second part. What is below 0 has no place on it and no mark."""
    drawn = []
    for place, (label, share, text, second) in enumerate(rows):
        x = None
        if share is not None and share >= 0:
            x = round(ROW_LABEL + TRACK * min(share / most, 1), 1)
        wide = round(TRACK * second / most, 1)
        drawn.append(Place(16 + ROW_LINE * (place + 0.5), label, x, text, wide))
    return Rows(ROW_LABEL + TRACK + 64, 24 + ROW_LINE * len(rows), ROW_LABEL, TRACK, tuple(drawn))
