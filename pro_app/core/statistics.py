"""The statistics behind the pictures: means with intervals, quantiles, floor and ceiling, alpha.

Pure functions of numbers, in floating point. Where the data are columns, the caller brings counts,
means and variances, and the rules are still these.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

LEVEL = 0.95  # of an interval, unless another is asked for
TINY = 1e-300  # stands for zero in a continued fraction
CLOSE = 1e-15  # relative; the fraction has converged
MOST_TERMS = 100_000
LARGE = 50.0  # from here on the series of `_gammas` is as exact as a float
WIDEST_T = 1e300  # no quantile that is asked for lies beyond


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of `n` values and, from two values on, their standard deviation and the interval
    `low` to `high` that covers the mean of the population with the confidence asked for."""

    n: int
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None


def summary(values: Iterable[float], level: float = LEVEL) -> Interval | None:
    """The mean of the values with its t interval; None where there is no value."""
    found = sorted(values)
    if not found:
        return None
    mean = math.fsum(found) / len(found)
    return interval(len(found), mean, _sd(found, mean), level)


def interval(n: int, mean: float, sd: float | None, level: float = LEVEL) -> Interval:
    """The interval of Student's t for a mean: mean -+ t(n - 1) x sd / square root of n.

    `sd` is the standard deviation with n - 1 in its denominator, None for a single value, of
    which there is no interval. `ValueError` for n below 1.
    """
    if n < 1:
        raise ValueError("an interval needs a value")
    if n == 1 or sd is None:
        return Interval(n, mean)
    reach = t_quantile(0.5 + level / 2, n - 1) * sd / math.sqrt(n)
    return Interval(n, mean, sd, mean - reach, mean + reach)


def _sd(values: Sequence[float], mean: float) -> float | None:
    if len(values) < 2:
        return None
    return math.sqrt(math.fsum((one - mean) ** 2 for one in values) / (len(values) - 1))


def variance(values: Sequence[float]) -> float | None:
    """With n - 1 in the denominator; None for fewer than two values."""
    if len(values) < 2:
        return None
    sd = _sd(values, math.fsum(values) / len(values))
    return None if sd is None else sd**2


# --- Student's t --------------------------------------------------------------------------------


@lru_cache(maxsize=10_000)
def t_quantile(probability: float, df: int) -> float:
    """The quantile of Student's t with `df` degrees of freedom, to nine significant digits for
    the probabilities that intervals use.

    Found by halving on `t_cdf`. `ValueError` outside of 0 < probability < 1 and df >= 1.
    """
    if not 0 < probability < 1 or df < 1:
        raise ValueError(f"no quantile {probability} with {df} degrees of freedom")
    if probability < 0.5:
        return -t_quantile(1 - probability, df)
    if probability == 0.5:
        return 0.0
    low, high = 0.0, 1.0
    while t_cdf(high, df) < probability and high < WIDEST_T:
        low, high = high, high * 2
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        if t_cdf(middle, df) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def t_cdf(value: float, df: int) -> float:
    """The probability that Student's t with `df` degrees of freedom is at most `value`.

    One half of the regularised incomplete beta function at df / (df + t^2) with parameters df / 2
    and 1 / 2 is the tail (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.1).
    """
    tail = 0.5 * _beta(df / 2, 0.5, df / (df + value * value))
    return 1 - tail if value > 0 else tail


def _beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction where that converges
    fast and by its symmetry elsewhere (the same handbook, 26.5.8 and 26.5.2). b is 1 / 2."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    scale = _gammas(a) - math.lgamma(b)
    front = math.exp(scale + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _gammas(a: float) -> float:
    """The logarithm of gamma(a + 1/2) / gamma(a): for a large `a` by its series, where the
    difference of two logarithms would have lost its digits (the same handbook, 6.1.47)."""
    if a < LARGE:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    return 0.5 * math.log(a) - 1 / (8 * a) + 1 / (192 * a**3) - 1 / (640 * a**5)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, evaluated from the front by the
    modified method of Lentz (Applied Optics 1976;15:668-671)."""
    c, d = 1.0, _reciprocal(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = _reciprocal(1 + term * d)
            c = 1 + term / c or TINY
            found *= c * d
        if abs(c * d - 1) < CLOSE:
            break
    return found


def _reciprocal(value: float) -> float:
    return 1 / (value or TINY)


# --- distributions ------------------------------------------------------------------------------


def quantile(values: Sequence[float], probability: float) -> float:
    """A quantile of sorted values, the one of type 7: linear between the places (n - 1) p
    (Hyndman and Fan, American Statistician 1996;50:361-365), as R and polars take it.

    `ValueError` without a value or outside of 0 <= probability <= 1.
    """
    if not values or not 0 <= probability <= 1:
        raise ValueError("a quantile needs values, and a probability")
    place = (len(values) - 1) * probability
    before = math.floor(place)
    after = min(before + 1, len(values) - 1)
    return values[before] + (place - before) * (values[after] - values[before])


@dataclass(frozen=True, slots=True)
class Box:
    """How `n` values are spread: the lowest, the quartiles (type 7), the highest, and how many are
    the lowest and the highest score that the scale can have."""

    n: int
    lowest: float
    first: float
    median: float
    third: float
    highest: float
    at_floor: int = 0
    at_ceiling: int = 0


def box(values: Iterable[float], bounds: tuple[float, float] | None = None) -> Box | None:
    """The spread of the values on a scale with these bounds, if it has any; None without values."""
    found = sorted(values)
    if not found:
        return None
    floor, ceiling = (None, None) if bounds is None else bounds
    return Box(
        len(found),
        found[0],
        quantile(found, 0.25),
        quantile(found, 0.5),
        quantile(found, 0.75),
        found[-1],
        sum(one == floor for one in found),
        sum(one == ceiling for one in found),
    )


# --- internal consistency -----------------------------------------------------------------------


def alpha(item_variances: Sequence[float], total_variance: float) -> float | None:
    """Cronbach's alpha: k / (k - 1) x (1 - sum of the items' variances / the variance of their sum)
    (Cronbach, Psychometrika 1951;16:297-334).

    All variances are over the same people, who answered every item, and of values that point the
    same way. None for fewer than two items, and where the sums do not differ.
    """
    k = len(item_variances)
    if k < 2 or total_variance <= 0:
        return None
    return k / (k - 1) * (1 - math.fsum(item_variances) / total_variance)


def alpha_of(rows: Iterable[Sequence[float | None]]) -> tuple[int, float | None]:
    """How many rows are complete, and alpha over them; a row holds one person's items in order."""
    complete = [[one for one in row if one is not None] for row in rows if None not in row]
    if len(complete) < 2:
        return len(complete), None
    items = [variance(column) or 0.0 for column in zip(*complete, strict=True)]
    return len(complete), alpha(items, variance([math.fsum(row) for row in complete]) or 0.0)
