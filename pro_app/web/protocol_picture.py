"""Where everything stands in the picture of a protocol: numbers alone, for a template to draw.

One panel for each anchor, one row for each timepoint. Lengths are the drawing's own units, about a
pixel each on a desk. A long calendar is drawn on a scale of square roots, as else its first weeks
would be a line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pro_app.core.schedule import DAY, Timepoint
from pro_app.core.study import StudyDefinition

WIDTH = 960.0
LABEL = 216.0  # the column of the timepoints' labels
COLUMN = 104.0  # of an instrument's marks
GAP = 16.0  # at the right of the time axis
LINE = 20.0  # of text
PADDING = 12.0  # of a row
HEADING = 58.0  # of a panel: the anchor's name, and the numbers of the axis beneath
LABEL_LETTERS, COLUMN_LETTERS = 28.0, 15.0  # Latin letters that fit
LINEAR = 120  # days that are drawn to scale
TICK_GAP = 26.0  # between the numbers of the axis
MONTH = 365.25 / 12  # days
DAY_TICKS = (*range(-56, 0, 7), 0, *range(7, LINEAR + 1, 7))
MONTH_TICKS = (-12, -6, -3, -1, 0, 1, 3, 6, 9, 12, 18, *range(24, 241, 12))
SHORTEST = 3.0  # that can be seen


@dataclass(frozen=True, slots=True)
class Bar:
    """A window: from `x`, so long; the day it is due; and how long what was begun may be finished
    after it."""

    x: float
    length: float
    due: float
    grace: float


@dataclass(frozen=True, slots=True)
class Row:
    """A timepoint: its label in lines, its windows, and of each instrument whether it is asked."""

    code: str
    y: float
    height: float
    lines: tuple[str, ...]
    bars: tuple[Bar, ...]
    asked: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A number of the axis: days or months after the anchor."""

    x: float
    count: int


@dataclass(frozen=True, slots=True)
class Panel:
    """All timepoints of an anchor (None: opened by hand); `zero` is where its day begins."""

    anchor: str | None
    y: float
    bottom: float
    zero: float
    months: bool
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """An instrument: where its marks stand, and its name in lines."""

    code: str
    x: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole drawing; the axis lies between `left` and `right`."""

    width: float
    height: float
    left: float
    right: float
    columns: tuple[Column, ...]
    panels: tuple[Panel, ...]


def letters(text: str) -> float:
    """How wide a text is, in Latin letters."""
    return sum(_letter(one) for one in text)


def _letter(one: str) -> float:
    if unicodedata.category(one) in {"Mn", "Cf"}:
        return 0.0
    if "\u0b80" <= one <= "\u0bff":  # Tamil; its vowel signs beside a letter are narrower
        return 0.8 if unicodedata.category(one) == "Mc" else 1.6
    return 2.0 if unicodedata.east_asian_width(one) in {"W", "F"} else 1.0


def wrapped(text: str, width: float) -> tuple[str, ...]:
    """A text in lines of so many Latin letters; a word that is longer is broken."""
    lines = [""]
    for word in text.split():
        for piece in _pieces(word, width):
            longer = f"{lines[-1]} {piece}".strip()
            if letters(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(piece)
    return tuple(line for line in lines if line)


def _pieces(word: str, width: float) -> Iterator[str]:
    piece = ""
    for one in word:
        sign = unicodedata.category(one) in {"Mn", "Mc"}  # belongs to the letter before it
        if not sign and letters(piece + one) > width:
            yield piece
            piece = ""
        piece += one
    yield piece


Label = Callable[[Timepoint, int], str]  # of a timepoint that comes so many times


def picture(study: StudyDefinition, names: Mapping[str, str], label: Label, today: date) -> Picture:
    """A study's protocol, as if the day of every anchor were `today`; `names` are those of its
    instruments."""
    codes = [one.code for one in study.instruments]
    right = WIDTH - COLUMN * len(codes) - GAP
    columns = tuple(
        Column(code, right + GAP + COLUMN * (n + 0.5), wrapped(names[code], COLUMN_LETTERS))
        for n, code in enumerate(codes)
    )
    y = LINE * max(len(column.lines) for column in columns) + PADDING
    panels = []
    anchors = [*(one.code for one in study.anchors), None]
    for anchor in anchors:
        timepoints = [one for one in study.timepoints if one.anchor == anchor]
        if timepoints:
            panel = _Panel(study, anchor, timepoints, codes, label, today, right).drawn(y)
            panels.append(panel)
            y = panel.bottom + PADDING
    return Picture(WIDTH, y, LABEL, right, columns, tuple(panels))


@dataclass(frozen=True, slots=True)
class _Span:
    """A window in days after the anchor's day began."""

    opens: float
    due: float
    closes: float
    ends: float


class _Panel:
    """One panel, while it is drawn."""

    def __init__(
        self,
        study: StudyDefinition,
        anchor: str | None,
        timepoints: Sequence[Timepoint],
        codes: Sequence[str],
        label: Label,
        today: date,
        right: float,
    ) -> None:
        self.study, self.anchor, self.timepoints = study, anchor, timepoints
        self.codes, self.label, self.right = codes, label, right
        self.spans = {one.code: self._spans(one, today) for one in timepoints}
        every = [span for spans in self.spans.values() for span in spans]
        self.first = min((span.opens for span in every), default=0.0)
        self.first = min(self.first, 0.0)
        self.last = max((span.ends for span in every), default=1.0)
        self.months = self.last - self.first > LINEAR

    def _spans(self, timepoint: Timepoint, today: date) -> tuple[_Span, ...]:
        if timepoint.anchor is None:
            return ()
        grace = self.study.grace.total_seconds() / 60 / DAY
        found = []
        for due in timepoint.due_days(today):
            day = (due - today).days
            closes = day + timepoint.after + timepoint.closes / DAY
            opens = day - timepoint.before + timepoint.opens / DAY
            found.append(_Span(opens, day + timepoint.opens / DAY, closes, closes + grace))
        return tuple(found)

    def _scaled(self, day: float) -> float:
        if not self.months:
            return day
        root = float(abs(day) ** 0.5)
        return -root if day < 0 else root

    def _x(self, day: float) -> float:
        """Where a day stands on the axis."""
        first, last = self._scaled(self.first), self._scaled(self.last)
        share = (self._scaled(day) - first) / (last - first)
        return round(LABEL + share * (self.right - LABEL), 1)

    def drawn(self, y: float) -> Panel:
        """The panel, from this height on."""
        rows, top = [], y + (HEADING if self.anchor is not None else LINE + PADDING)
        for one in self.timepoints:
            lines = wrapped(self.label(one, len(self.spans[one.code])), LABEL_LETTERS)
            height = LINE * len(lines) + PADDING
            bars = tuple(self._bar(span) for span in self.spans[one.code])
            asked = tuple(code in one.instruments for code in self.codes)
            rows.append(Row(one.code, top, height, lines, bars, asked))
            top += height
        ticks = () if self.anchor is None else tuple(self._ticks())
        return Panel(self.anchor, y, top, self._x(0), self.months, ticks, tuple(rows))

    def _bar(self, span: _Span) -> Bar:
        x, end = self._x(span.opens), self._x(span.closes)
        grace = max(self._x(span.ends) - end, SHORTEST) if span.ends > span.closes else 0.0
        return Bar(x, max(round(end - x, 1), SHORTEST), self._x(span.due), round(grace, 1))

    def _ticks(self) -> Iterator[Tick]:
        """The numbers of the axis, as many as stand apart; the anchor's own day always."""
        taken = [self._x(0)]
        first_day = self.study.anchor(self.anchor or "").first_day
        yield Tick(taken[0], 0 if self.months else first_day)
        for count in MONTH_TICKS if self.months else DAY_TICKS:
            day = count * MONTH if self.months else float(count)
            if not self.first <= day <= self.last:
                continue
            x = self._x(day)
            if all(abs(x - other) >= TICK_GAP for other in taken):
                taken.append(x)
                yield Tick(x, count if self.months or count < 0 else count + first_day)
