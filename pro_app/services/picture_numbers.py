"""The numbers of the pictures: means and changes by visit, spread, alpha, what items miss.

polars brings counts, means and variances; `core.statistics` has the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import polars as pl

from pro_app.core import statistics
from pro_app.core.instruments import Instrument
from pro_app.core.scoring import Scale, Scoring
from pro_app.core.statistics import Box, Interval
from pro_app.export.table import NOT_APPLICABLE, SKIPPED
from pro_app.services.picture_frames import SEVERAL
from pro_app.services.rates import Visit

FEW = 12  # so many people, and each of them has a dot of their own


@dataclass(frozen=True, slots=True)
class Choice:
    """Whom and what a picture is of. `sites` None: all; `language` is the one that participants
    read now; `first` and `last` bound the days on which visits are due."""

    instrument: str
    scoring: str
    sites: frozenset[str] | None = None
    language: str | None = None
    first: date | None = None
    last: date | None = None

    def rows(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Those of an instrument's rows that are meant."""
        wanted = []
        if self.sites is not None:
            wanted.append(pl.col("site").cast(pl.String).is_in(sorted(self.sites)))
        if self.language is not None:
            wanted.append(pl.col("language").cast(pl.String) == self.language)
        if self.first is not None:
            wanted.append(pl.col("due") >= self.first)
        if self.last is not None:
            wanted.append(pl.col("due") <= self.last)
        return rows.filter(*wanted) if wanted else rows


@dataclass(frozen=True, slots=True)
class Point:
    """A group at a visit: the mean with its interval, and each value where there are few."""

    visit: Visit
    interval: Interval
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """A scale over the visits, those alone at which it has a value."""

    scale: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """How a scale's values are spread at a visit, and each value where there are few."""

    visit: Visit
    box: Box
    values: tuple[float, ...] = ()


Kind = Literal["score", "change"]


def series(
    rows: pl.LazyFrame, visits: Sequence[Visit], scoring: Scoring, choice: Choice, kind: Kind
) -> tuple[Series, ...]:
    """Every scale's means by visit: of the scores, or of their changes from baseline."""
    scales = scoring.outputs()
    values = _values(rows, scoring, choice, kind)
    grouped = (
        values.group_by("visit")
        .agg(
            *(pl.col(one).count().alias(f"{one}/n") for one in scales),
            *(pl.col(one).mean().alias(f"{one}/mean") for one in scales),
            *(pl.col(one).std().alias(f"{one}/sd") for one in scales),
        )
        .sort("visit")
        .collect()
    )
    dots = _dots(values, scales, grouped)
    return tuple(
        Series(
            one,
            tuple(
                Point(
                    visits[row["visit"]],
                    statistics.interval(row[f"{one}/n"], row[f"{one}/mean"], row[f"{one}/sd"]),
                    dots.get((row["visit"], one), ()),
                )
                for row in grouped.iter_rows(named=True)
                if row[f"{one}/n"]
            ),
        )
        for one in scales
    )


def _values(rows: pl.LazyFrame, scoring: Scoring, choice: Choice, kind: Kind) -> pl.LazyFrame:
    """`visit` and each scale's values."""
    columns = []
    for scale in scoring.outputs():
        value = pl.col(f"{scoring.name}_{scale}")
        if kind == "change":
            value = value - value.gather(pl.col("base"))
        columns.append(value.alias(scale))
    needed = pl.col("base").is_not_null() if kind == "change" else pl.col("counts")
    wanted = rows.with_columns(columns)
    return choice.rows(wanted.filter(needed)).select("visit", "person", *scoring.outputs())


def _dots(
    values: pl.LazyFrame, scales: Sequence[str], grouped: pl.DataFrame
) -> dict[tuple[int, str], tuple[float, ...]]:
    """By visit and scale each value, sorted, where there are few of them."""
    most = pl.max_horizontal(f"{one}/n" for one in scales)
    small = grouped.filter(most <= FEW)["visit"].to_list()
    if not small:
        return {}
    found: dict[tuple[int, str], tuple[float, ...]] = {}
    told = values.filter(pl.col("visit").is_in(small)).sort("visit", "person").collect()
    for (visit,), group in told.group_by("visit", maintain_order=True):
        for one in scales:
            found[int(visit), one] = tuple(sorted(group[one].drop_nulls().to_list()))
    return found


def bounds(scale: Scale) -> tuple[float, float]:
    """The lowest and the highest score that a scale can have."""
    if scale.reported == "raw":
        return float(scale.lowest), float(scale.highest)
    return 0.0, 100.0


def spreads(
    rows: pl.LazyFrame, visits: Sequence[Visit], scoring: Scoring, choice: Choice
) -> dict[str, tuple[Spread, ...]]:
    """By scale how its values are spread at each visit. A summary has no floor and no ceiling."""
    values = _values(rows, scoring, choice, "score")
    limits = {one.code: bounds(one) for one in scoring.scales}
    scales = scoring.outputs()
    grouped = values.group_by("visit").agg(
        named
        for one in scales
        for named in _spread(one, limits.get(one))
    ).sort("visit").collect()  # fmt: skip
    dots = _dots(values, scales, grouped)
    return {
        one: tuple(
            Spread(
                visits[row["visit"]],
                Box(*(row[f"{one}/{part}"] for part in SPREAD)),
                dots.get((row["visit"], one), ()),
            )
            for row in grouped.iter_rows(named=True)
            if row[f"{one}/n"]
        )
        for one in scales
    }


SPREAD = ("n", "lowest", "first", "median", "third", "highest", "floor", "ceiling")


def _spread(scale: str, limits: tuple[float, float] | None) -> Iterator[pl.Expr]:
    """The parts of a scale's `Box`."""
    value = pl.col(scale)
    floor, ceiling = (pl.lit(0), pl.lit(0)) if limits is None else (
        (value == limits[0]).sum(), (value == limits[1]).sum()
    )  # fmt: skip
    parts = (
        value.count(),
        value.min(),
        value.quantile(0.25, "linear"),
        value.median(),
        value.quantile(0.75, "linear"),
        value.max(),
        floor,
        ceiling,
    )
    for name, part in zip(SPREAD, parts, strict=True):
        yield part.alias(f"{scale}/{name}")


@dataclass(frozen=True, slots=True)
class Reliability:
    """Cronbach's alpha of a scale among `n` people who answered all its `items`; None where there
    is none."""

    n: int
    items: int
    alpha: float | None


@dataclass(frozen=True, slots=True)
class Lacking:
    """Of `n` submitted questionnaires, how many have an item left out, and as not applicable."""

    n: int
    skipped: int
    not_applicable: int


def of_visit(rows: pl.LazyFrame, place: int | None, choice: Choice) -> pl.LazyFrame:
    """What counts at a visit, by its place; None: at all of them."""
    counted = choice.rows(rows.filter(pl.col("counts")))
    return counted if place is None else counted.filter(pl.col("visit") == place)


def reliability(
    rows: pl.LazyFrame, place: int, scoring: Scoring, choice: Choice, languages: Iterable[str]
) -> dict[str, dict[str, Reliability]]:
    """Alpha by scale, then by the language in which the questionnaire was answered; under "" for
    all of them together. At one visit alone: a person's visits are not independent."""
    wanted = of_visit(rows, place, choice)
    found: dict[str, dict[str, Reliability]] = {}
    for scale in scoring.scales:
        finals = wanted.select("read_in", *_finals(scale)).drop_nulls(list(scale.items))
        grouped = finals.group_by("read_in").agg(_variances(scale)).collect()
        together = finals.select(_variances(scale)).collect()
        by_language = {str(row["read_in"]): row for row in grouped.iter_rows(named=True)}
        rows_of: dict[str, Mapping[str, Any]] = {"": together.row(0, named=True)}
        rows_of |= {one: by_language.get(one, {"n": 0}) for one in languages}
        found[scale.code] = {one: _reliability(scale, row) for one, row in rows_of.items()}
    return found


def _variances(scale: Scale) -> list[pl.Expr]:
    return [
        pl.len().alias("n"),
        *(pl.col(item).var() for item in scale.items),
        pl.sum_horizontal(scale.items).var().alias("total"),
    ]


def _reliability(scale: Scale, row: Mapping[str, Any]) -> Reliability:
    if row["n"] < 2:
        return Reliability(row["n"], len(scale.items), None)
    alpha = statistics.alpha([row[item] for item in scale.items], row["total"])
    return Reliability(row["n"], len(scale.items), alpha)


def _finals(scale: Scale) -> list[pl.Expr]:
    """The final values of a scale's items, which all point the same way; null where unanswered."""
    if scale.pair is None:
        return [_recoded(item, scale.finals[item]) for item in scale.items]
    made = {item: _recoded(item, scale.pair.both[item]) for item in scale.items}
    for exception in scale.pair.exceptions:
        fits = pl.all_horizontal(pl.col(item) == code for item, code in exception.when.items())
        given = pl.when(fits).then(float(exception.final)).otherwise(made[exception.item])
        made[exception.item] = given.alias(exception.item)
    return list(made.values())


def _recoded(item: str, finals: Mapping[int, Any]) -> pl.Expr:
    codes, values = list(finals), [float(one) for one in finals.values()]
    return pl.col(item).replace_strict(codes, values, default=None, return_dtype=pl.Float64)


def lacking(
    rows: pl.LazyFrame, place: int | None, instrument: Instrument, choice: Choice
) -> dict[str, dict[str, Lacking]]:
    """By the language in which it was answered (several: `several`), then by item."""
    codes = [one.code for one in instrument.items]
    grouped = (
        of_visit(rows, place, choice)
        .group_by(pl.col("read_in").cast(pl.String).fill_null(SEVERAL))
        .agg(
            pl.len().alias("n"),
            *((pl.col(one) == SKIPPED).sum().alias(f"{one}/skipped") for one in codes),
            *((pl.col(one) == NOT_APPLICABLE).sum().alias(f"{one}/na") for one in codes),
        )
        .sort("read_in")
        .collect()
    )
    return {
        row["read_in"]: {
            one: Lacking(row["n"], row[f"{one}/skipped"], row[f"{one}/na"]) for one in codes
        }
        for row in grouped.iter_rows(named=True)
    }


def visits_that_count(rows: pl.LazyFrame, choice: Choice) -> list[int]:
    """The places of the visits at which anything counts, in order."""
    found = of_visit(rows, None, choice).select(pl.col("visit").unique()).collect()
    return sorted(found["visit"].to_list())
