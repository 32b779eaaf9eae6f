"""Scoring many rows: tables filled once by the rule of `scoring`, then only looked up.

A scale's score depends on how many items were answered and on the sum of their final values; a
pair's on the two codes. Both are turned into one whole number: every answered item adds its
weight, and the total is the place in the scale's table. Nothing here knows how a score is worked
out, so that rows and columns cannot differ from `score`.

An answer is written as its place in the option set: 0 unanswered, 1 the first code, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from math import gcd, lcm
from operator import itemgetter

from pro_app.core.scoring import (
    Finals,
    Pair,
    Scale,
    Scoring,
    contribution,
    pair_finals,
    scale_value,
    summary_value,
)

LARGEST_TABLE = 1_000_000  # entries; the largest of the instruments at hand has 756


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a scale's table: its score (None: too few answered) and items answered.

    `shares` is what the score adds to each summary, in the order of the scoring's summaries; empty
    where there is no score.
    """

    value: float | None
    answered: int
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ScaleTable:
    """The table of one scale.

    `weights` has for each item, by place in the option set, what it adds to the place in `entries`;
    weight 0 is for no answer.
    """

    code: str
    items: tuple[str, ...]
    weights: tuple[tuple[int, ...], ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a scoring, in output order; `summaries` are the codes after the scales'."""

    scales: tuple[ScaleTable, ...]
    summaries: tuple[str, ...]


def build_tables(scoring: Scoring) -> Tables:
    """The tables of a scoring, worked out by its rule: some milliseconds.

    `ValueError` for a scale with so many different sums that a table is no gain.
    """
    return Tables(
        scales=tuple(_scale_table(scoring, scale) for scale in scoring.scales),
        summaries=tuple(summary.code for summary in scoring.summaries),
    )


def _scale_table(scoring: Scoring, scale: Scale) -> ScaleTable:
    if scale.pair is not None:
        return _pair_table(scoring, scale, scale.pair)
    base, unit = _units(scale.finals)
    steps = {
        item: {code: int((final - base) / unit) for code, final in finals.items()}
        for item, finals in scale.finals.items()
    }
    # Place in the table: answered x width + sum of steps.
    width = 1 + sum(max(one.values()) for one in steps.values())
    if width * (len(scale.items) + 1) > LARGEST_TABLE:
        raise ValueError(f"{scale.code} has too many different sums for a table")
    highest_step = max(max(one.values()) for one in steps.values())
    entries = []
    for answered in range(len(scale.items) + 1):
        for sum_of_steps in range(width):
            reachable = sum_of_steps <= answered * highest_step
            total = base * answered + unit * sum_of_steps
            value = scale_value(scale, answered, total) if reachable else None
            entries.append(_entry(scoring, scale, value, answered))
    weights = tuple(
        (0, *(width + steps[item][code] for code in scoring.options[item])) for item in scale.items
    )
    return ScaleTable(scale.code, scale.items, weights, tuple(entries))


def _units(finals: Finals) -> tuple[Fraction, Fraction]:
    """The least final value, and the largest step by which all others can be reached from it."""
    values = {value for one in finals.values() for value in one.values()}
    base = min(values)
    rises = [value - base for value in values if value != base]
    scale = lcm(*(rise.denominator for rise in rises))
    step = gcd(*(int(rise * scale) for rise in rises)) if rises else 1
    return base, Fraction(step, scale)


def _pair_table(scoring: Scoring, scale: Scale, pair: Pair) -> ScaleTable:
    """Place in the table: place of the first item x (options of the second + 1) + the second's."""
    first, second = scale.items
    width = len(scoring.options[second]) + 1
    entries = []
    for one in (None, *scoring.options[first]):
        for other in (None, *scoring.options[second]):
            given = {first: one, second: other}
            codes = {item: code for item, code in given.items() if code is not None}
            value = None
            if len(codes) >= max(scale.minimum, 1):
                finals = pair_finals(pair, codes)[1]
                value = scale_value(scale, len(finals), sum(finals.values(), Fraction(0)))
            entries.append(_entry(scoring, scale, value, len(codes)))
    weights = (
        tuple(range(0, width * (len(scoring.options[first]) + 1), width)),
        tuple(range(width)),
    )
    return ScaleTable(scale.code, scale.items, weights, tuple(entries))


def _entry(scoring: Scoring, scale: Scale, exact: Fraction | None, answered: int) -> Entry:
    if exact is None:
        return Entry(None, answered, ())
    value = float(exact)
    norm = scale.norm
    shares = (
        ()
        if norm is None
        else tuple(
            contribution(summary.coefficients[scale.code], norm, value)
            for summary in scoring.summaries
        )
    )
    return Entry(value, answered, shares)


class RowScorer:
    """Scores row after row in plain Python, without receipts.

    A row is a sequence of places, one for each of `items`, which may hold items of no scale.
    """

    def __init__(self, tables: Tables, items: Sequence[str]) -> None:
        positions = [items.index(item) for table in tables.scales for item in table.items]
        # itemgetter gives no tuple for a single position; the doubled one is cut off by `zip`.
        self._pick = itemgetter(*positions, positions[0])
        self._weights = [weights for table in tables.scales for weights in table.weights]
        ends = list(accumulate(len(table.items) for table in tables.scales))
        self._parts = [slice(start, end) for start, end in pairwise([0, *ends])]
        self._entries = [table.entries for table in tables.scales]
        self._without = (None,) * len(tables.summaries)

    def places(self, row: Sequence[int]) -> list[int]:
        """The row's place in the table of every scale."""
        picked = zip(self._weights, self._pick(row), strict=False)
        weights = [of_item[place] for of_item, place in picked]
        return [sum(weights[part]) for part in self._parts]

    def entries(self, places: Sequence[int]) -> list[Entry]:
        """The entries at those places."""
        return [entries[place] for entries, place in zip(self._entries, places, strict=True)]

    def summaries(self, entries: Sequence[Entry]) -> tuple[float | None, ...]:
        """The summaries that follow from the entries; None where a scale has no score."""
        if not self._without:
            return ()
        for entry in entries:
            if entry.value is None:
                return self._without
        return tuple(map(summary_value, zip(*[entry.shares for entry in entries], strict=True)))

    def score(self, row: Sequence[int]) -> tuple[float | None, ...]:
        """The row's scores in output order, None where there is none."""
        entries = self.entries(self.places(row))
        return (*[entry.value for entry in entries], *self.summaries(entries))
