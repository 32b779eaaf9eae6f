"""Scoring whole columns with NumPy: the tables of `tables`, looked up in chunks that fit the cache.

The place in a scale's table is a sum of weights, one for each answered item. Where a weight grows
evenly with the answer, items with the same weights are added first and weighted together, which
NumPy does on many bytes at a time; other items are looked up one by one. The floats come out of
the tables and are added in scale order, so every bit is as from `scoring.score`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pro_app.core.tables import ScaleTable, Tables

Places = NDArray[np.uint8]  # one item's answers: 0 unanswered, n the n-th code of its option set
Floats = NDArray[np.float64]
Unsigned = NDArray[np.unsignedinteger[Any]]

CHUNK = 65_536  # rows; the arrays of a chunk stay in the second-level cache
NARROW, WIDE = np.dtype(np.uint8), np.dtype(np.uint32)
UNANSWERED = np.array(0, NARROW)  # an array of no dimension: cheaper per call than a number


@dataclass(frozen=True, slots=True)
class Columns:
    """Scores by scale and summary, NaN where there is none, and answered items by scale."""

    values: Mapping[str, Floats]
    answered: Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class _Group:
    """Items whose weight is `start` + `step` x place when answered."""

    items: tuple[str, ...]
    start: Unsigned
    step: Unsigned
    kind: np.dtype[Any]  # wide enough for the sum of the places


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to find the places in one scale's table, and the table's columns."""

    code: str
    groups: tuple[_Group, ...]
    single: tuple[tuple[str, Unsigned], ...]  # item and its weights by place
    kind: np.dtype[Any]  # wide enough for the places in the table
    values: Floats
    shares: Floats  # entries x summaries


def _plan(table: ScaleTable, summaries: int) -> _Plan:
    kind = np.min_scalar_type(len(table.entries) - 1)
    grouped: dict[tuple[int, int], list[str]] = {}
    single = []
    for item, weights in zip(table.items, table.weights, strict=True):
        steps = {after - before for before, after in pairwise(weights[1:])}
        if len(steps) == 1:
            (step,) = steps
            grouped.setdefault((weights[1] - step, step), []).append(item)
        else:
            single.append((item, np.array(weights, kind)))
    most = len(table.items) * max(len(weights) - 1 for weights in table.weights)
    modulus = np.iinfo(kind).max + 1  # negative steps wrap around; the sums come out right
    groups = tuple(
        _Group(
            items=tuple(items),
            start=np.array(start % modulus, kind),
            step=np.array(step % modulus, kind),
            kind=NARROW if most <= np.iinfo(NARROW).max else WIDE,
        )
        for (start, step), items in grouped.items()
    )
    shares = np.full((len(table.entries), summaries), np.nan)
    for n, entry in enumerate(table.entries):
        if entry.value is not None:
            shares[n] = entry.shares
    values = np.array([np.nan if one.value is None else one.value for one in table.entries])
    return _Plan(table.code, groups, tuple(single), kind, values, shares)


class _Workspace:
    """Arrays for one chunk, used again for every scale: fresh memory would cost as much as sums."""

    def __init__(self, rows: int, summaries: int) -> None:
        self.rows = rows
        self.there = np.empty(rows, np.bool_)
        self.there_as_bytes = self.there.view(np.uint8)
        self.answered = np.empty(rows, np.uint8)
        self.counted = np.empty(rows, np.uint8)
        self.wide_index = np.empty(rows, np.intp)
        self.totals = np.empty((rows, summaries))
        self.shares = np.empty((rows, summaries))
        self._arrays: dict[tuple[str, np.dtype[Any]], Unsigned] = {}

    def array(self, use: str, kind: np.dtype[Any]) -> Unsigned:
        """The array of that use and type."""
        if (use, kind) not in self._arrays:
            self._arrays[use, kind] = np.empty(self.rows, kind)
        return self._arrays[use, kind]


class ColumnScorer:
    """Scores columns of answers under one scoring. Keeps nothing between calls."""

    def __init__(self, tables: Tables) -> None:
        self._summaries = tables.summaries
        self._plans = tuple(_plan(table, len(tables.summaries)) for table in tables.scales)
        self._highest = {
            item: len(weights) - 1
            for table in tables.scales
            for item, weights in zip(table.items, table.weights, strict=True)
        }

    def empty(self, rows: int) -> Columns:
        """Arrays for the results of that many rows, to be used again and again."""
        codes = [plan.code for plan in self._plans]
        return Columns(
            {code: np.empty(rows) for code in (*codes, *self._summaries)},
            {code: np.empty(rows, np.uint8) for code in codes},
        )

    def score(self, answers: Mapping[str, Places], out: Columns | None = None) -> Columns:
        """The scores of all rows.

        `answers` has one array of equal length for every item used (others are ignored), filled
        with places. `out`, if given, is filled and returned. `ValueError` for a place beyond the
        item's option set and for arrays of other lengths or types; `KeyError` for a missing item.
        """
        rows = self._checked(answers)
        result = self.empty(rows) if out is None else out
        for part, chunk, space in self._chunks(answers, rows):
            for n, plan in enumerate(self._plans):
                answered = result.answered[plan.code][part]
                np.copyto(space.wide_index, _index(plan, chunk, space, answered))
                values = result.values[plan.code][part]
                np.take(plan.values, space.wide_index, out=values, mode="clip")
                self._add_shares(n, plan, space)
            self._summarise(space, result.values, part)
        return result

    def look_up(
        self, answers: Mapping[str, Places]
    ) -> tuple[dict[str, NDArray[np.uint32]], dict[str, Floats]]:
        """For every scale the rows' places in its table, and the summaries; errors as in `score`.

        For a reader that keeps something else than the score at those places, such as its text.
        """
        rows = self._checked(answers)
        found = {plan.code: np.empty(rows, np.uint32) for plan in self._plans}
        summaries = {code: np.empty(rows) for code in self._summaries}
        for part, chunk, space in self._chunks(answers, rows):
            for n, plan in enumerate(self._plans):
                index = _index(plan, chunk, space, space.answered)
                np.copyto(found[plan.code][part], index)
                np.copyto(space.wide_index, index)
                self._add_shares(n, plan, space)
            self._summarise(space, summaries, part)
        return found, summaries

    def _add_shares(self, n: int, plan: _Plan, space: _Workspace) -> None:
        """Add what the n-th scale brings to the summaries, after those before it."""
        if not self._summaries:
            return
        if n == 0:  # 0.0 + share is the share
            np.take(plan.shares, space.wide_index, axis=0, out=space.totals, mode="clip")
            return
        np.take(plan.shares, space.wide_index, axis=0, out=space.shares, mode="clip")
        np.add(space.totals, space.shares, out=space.totals)

    def _summarise(self, space: _Workspace, values: Mapping[str, Floats], part: slice) -> None:
        """The same operations as `scoring.summary_value`: 50 + 10 x total."""
        for n, code in enumerate(self._summaries):
            out = values[code][part]
            np.multiply(space.totals[:, n], 10.0, out=out)
            np.add(out, 50.0, out=out)

    def _chunks(
        self, answers: Mapping[str, Places], rows: int
    ) -> Iterator[tuple[slice, dict[str, Places], _Workspace]]:
        space: _Workspace | None = None
        for start in range(0, rows, CHUNK):
            part = slice(start, min(start + CHUNK, rows))
            length = part.stop - part.start
            if space is None or space.rows != length:
                space = _Workspace(length, len(self._summaries))
            yield part, {item: answers[item][part] for item in self._highest}, space

    def _checked(self, answers: Mapping[str, Places]) -> int:
        """The number of rows, when all arrays are as `score` needs them."""
        lengths = set()
        for item, highest in self._highest.items():
            array = answers[item]
            if array.dtype != np.uint8 or array.ndim != 1:
                raise ValueError(f"{item}: needs a one-dimensional array of uint8")
            if array.size and array.max() > highest:
                raise ValueError(f"{item}: a place is beyond its {highest} options")
            lengths.add(len(array))
        if len(lengths) != 1:
            raise ValueError("the arrays are not of one length")
        return lengths.pop()


def _index(
    plan: _Plan, answers: Mapping[str, Places], space: _Workspace, answered: NDArray[np.uint8]
) -> Unsigned:
    """The rows' places in the scale's table; fills `answered` with the number of items answered."""
    index = space.array("index", plan.kind)
    weighted = space.array("weighted", plan.kind)
    for n, group in enumerate(plan.groups):
        columns = [answers[item] for item in group.items]
        if n == 0:
            counted = _count(columns, space, answered)
            np.multiply(counted, group.start, out=index, casting="unsafe")
        else:
            counted = _count(columns, space, space.counted)
            np.add(answered, counted, out=answered)
            _add_product(index, counted, group.start, weighted)
        _add_product(index, _sum(columns, space.array("sum", group.kind)), group.step, weighted)
    if not plan.groups:
        index.fill(0)
        answered.fill(0)
    for item, weights in plan.single:
        np.take(weights, answers[item], out=weighted, mode="clip")
        np.add(index, weighted, out=index)
        np.add(answered, _count([answers[item]], space, space.counted), out=answered)
    return index


def _add_product(index: Unsigned, array: Unsigned, factor: Unsigned, scratch: Unsigned) -> None:
    """index += array x factor, without the needless work for 0 and 1."""
    if factor == 0:
        return
    if factor != 1:
        np.multiply(array, factor, out=scratch, casting="unsafe")
        array = scratch
    np.add(index, array, out=index, casting="unsafe")


def _count(
    columns: Sequence[Places], space: _Workspace, out: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """How many of the columns are answered, row by row, in `out`."""
    np.not_equal(columns[0], UNANSWERED, out=out.view(np.bool_))
    for column in columns[1:]:
        np.not_equal(column, UNANSWERED, out=space.there)
        np.add(out, space.there_as_bytes, out=out)
    return out


def _sum(columns: Sequence[Places], out: Unsigned) -> Unsigned:
    """The sum of the columns, row by row: in `out`, or the only column itself."""
    if len(columns) == 1:
        return columns[0]
    np.add(columns[0], columns[1], out=out)
    for column in columns[2:]:
        np.add(out, column, out=out)
    return out
