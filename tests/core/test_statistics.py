"""The statistics behind the pictures: by hand, by their laws, and against R."""

from __future__ import annotations

import json
import math
import shutil
import statistics as standard
import subprocess
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.core import statistics

VALUES = st.lists(st.floats(0, 100), min_size=1, max_size=40)
SCORES = (62.5, 37.5, 100.0, 50.0, 43.75, 62.5, 0.0)
# six people, four items of 0 to 4; the sums are 10, 4, 13, 8, 16, 3
ANSWERS = (
    (3, 2, 3, 2),
    (1, 1, 0, 2),
    (4, 3, 3, 3),
    (2, 2, 2, 2),
    (4, 4, 4, 4),
    (1, 0, 1, 1),
)


def by_r(script: str) -> Any:
    """What R says, by jsonlite with all digits."""
    command = shutil.which("Rscript")
    assert command is not None, "make setup installs R"
    program = f"cat(jsonlite::toJSON({{{script}}}, digits = I(17), auto_unbox = TRUE, na = 'null'))"
    done = subprocess.run([command, "-e", program], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_quantiles_of_t_are_those_of_r() -> None:
    probabilities = (0.975, 0.95, 0.995, 0.75, 0.025, 0.6)
    freedoms = (1, 2, 3, 4, 5, 10, 29, 30, 100, 999, 99_999, 1_999_999)
    found = by_r(
        f"outer(c{probabilities}, c({', '.join(map(str, freedoms))}), function(p, df) qt(p, df))"
    )
    for probability, row in zip(probabilities, found, strict=True):
        for df, expected in zip(freedoms, row, strict=True):
            said = statistics.t_quantile(probability, df)
            assert math.isclose(said, expected, rel_tol=1e-9, abs_tol=1e-12), (probability, df)


def test_quantiles_of_t_in_closed_form() -> None:
    """With one degree of freedom t is Cauchy's, with two it has a formula of its own."""
    for probability in (0.6, 0.75, 0.975, 0.9995):
        cauchy = math.tan(math.pi * (probability - 0.5))
        two = (2 * probability - 1) / math.sqrt(2 * probability * (1 - probability))
        assert math.isclose(statistics.t_quantile(probability, 1), cauchy, rel_tol=1e-11)
        assert math.isclose(statistics.t_quantile(probability, 2), two, rel_tol=1e-11)
    assert statistics.t_quantile(0.5, 7) == 0.0


@pytest.mark.parametrize(("probability", "df"), [(0, 3), (1, 3), (-1, 3), (0.9, 0)])
def test_there_is_no_quantile_outside(probability: float, df: int) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        statistics.t_quantile(probability, df)


def test_an_interval_is_that_of_r() -> None:
    found = by_r(
        f"x <- c{SCORES}; t <- t.test(x); u <- t.test(x, conf.level = 0.9);"
        "c(t$estimate[[1]], sd(x), t$conf.int[1:2], u$conf.int[1:2])"
    )
    said = statistics.summary(SCORES)
    assert said is not None
    ninety = statistics.summary(SCORES, 0.9)
    assert ninety is not None
    told = (said.mean, said.sd, said.low, said.high, ninety.low, ninety.high)
    assert told == pytest.approx(found, rel=1e-10)
    assert said.n == 7


def test_an_interval_by_hand() -> None:
    """10, 20, 30: mean 20, SD 10, t(2; 0.975) = 4.302653, half a width of 24.8414."""
    found = statistics.summary([30.0, 10.0, 20.0])
    assert found is not None
    assert (found.n, found.mean, found.sd) == (3, 20.0, 10.0)
    assert found.high == pytest.approx(44.84137713)
    assert found.low == pytest.approx(-4.84137713)


def test_few_values() -> None:
    assert statistics.summary([]) is None
    assert statistics.summary([50.0]) == statistics.Interval(1, 50.0)
    assert statistics.summary([50.0, 50.0]) == statistics.Interval(2, 50.0, 0.0, 50.0, 50.0)
    with pytest.raises(ValueError, match="needs a value"):
        statistics.interval(0, 1.0, None)
    assert statistics.variance([4.0]) is None


@given(VALUES)
def test_mean_and_sd_are_those_of_exact_arithmetic(values: list[float]) -> None:
    found = statistics.summary(values)
    assert found is not None
    exact = [Fraction(one) for one in values]
    assert found.mean == pytest.approx(float(sum(exact) / len(exact)), rel=1e-12, abs=1e-300)
    if len(values) > 1:
        assert found.sd is not None
        assert found.low is not None
        assert found.high is not None
        assert found.sd == pytest.approx(standard.stdev(values), rel=1e-9, abs=1e-12)
        assert found.low <= found.mean <= found.high


@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_values_does_not_matter(values: list[float], random: Any) -> None:
    mixed = values[:]
    random.shuffle(mixed)
    assert statistics.summary(mixed) == statistics.summary(values)
    assert statistics.box(mixed, (0, 100)) == statistics.box(values, (0, 100))


@given(VALUES, st.floats(0, 1))
def test_a_quantile_lies_among_the_values(values: list[float], probability: float) -> None:
    ordered = sorted(values)
    found = statistics.quantile(ordered, probability)
    assert ordered[0] - 1e-9 <= found <= ordered[-1] + 1e-9
    assert statistics.quantile(ordered, 0) == ordered[0]
    assert statistics.quantile(ordered, 1) == ordered[-1]


def test_quantiles_are_those_of_type_7_in_r() -> None:
    found = by_r(f"as.numeric(quantile(c{SCORES}, c(0, 0.1, 0.25, 0.5, 0.75, 0.9, 1), type = 7))")
    said = [statistics.quantile(sorted(SCORES), p) for p in (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)]
    assert said == pytest.approx(found, rel=1e-14)
    for values, probability in (([], 0.5), ([1.0], 1.5)):
        with pytest.raises(ValueError, match="needs values"):
            statistics.quantile(values, probability)


def test_a_box_by_hand() -> None:
    assert statistics.box(SCORES, (0, 100)) == statistics.Box(
        7, 0.0, 40.625, 50.0, 62.5, 100.0, at_floor=1, at_ceiling=1
    )
    assert statistics.box([0.0, 100.0]) == statistics.Box(2, 0.0, 25.0, 50.0, 75.0, 100.0)
    assert statistics.box([], (0, 100)) is None


def test_alpha_by_hand() -> None:
    """The sums 10, 4, 13, 8, 16, 3 have the mean 9; the squares of their distances from it, 1, 25,
    16, 1, 49, 36, add up to 128: variance 128 / 5. The items' squares about their own means are
    47 - 15^2/6 = 9.5, 34 - 12^2/6 = 10, 39 - 13^2/6 = 65/6 and 38 - 14^2/6 = 16/3, so that their
    variances add up to 107/15. Alpha = 4/3 x (1 - 107/15 / (128/5)) = 4/3 x 277/384 = 277/288.
    """
    n, found = statistics.alpha_of(ANSWERS)
    assert n == 6
    assert found == pytest.approx(277 / 288, rel=1e-14)


def test_alpha_is_that_of_r() -> None:
    """By the covariance matrix, another way to the same: k/(k-1) (1 - trace / sum of all)."""
    told = ", ".join(str(one) for row in ANSWERS for one in row)
    found = by_r(
        f"x <- matrix(c({told}), ncol = 4, byrow = TRUE); v <- cov(x);"
        "c(4 / 3 * (1 - sum(diag(v)) / sum(v)))"
    )
    assert statistics.alpha_of(ANSWERS)[1] == pytest.approx(found, rel=1e-13)


def test_alpha_takes_who_answered_every_item() -> None:
    with_gaps = [*ANSWERS, (None, 4, 0, 1), (2, None, None, None)]
    assert statistics.alpha_of(with_gaps) == statistics.alpha_of(ANSWERS)


def test_alpha_where_there_is_none() -> None:
    assert statistics.alpha_of([]) == (0, None)
    assert statistics.alpha_of([(1, 2)]) == (1, None)
    assert statistics.alpha_of([(1, 2), (1, 2)]) == (2, None), "nobody differs"
    assert statistics.alpha_of([(1,), (2,)]) == (2, None), "one item agrees with itself"
    assert statistics.alpha_of([(0, 4), (4, 1), (1, 2)])[1] == pytest.approx(-34 / 3, rel=1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), min_size=3))
def test_alpha_is_at_most_1(rows: list[tuple[int, int, int]]) -> None:
    _, found = statistics.alpha_of(rows)
    assert found is None or found <= 1 + 1e-9


def test_items_that_say_the_same_have_alpha_1() -> None:
    assert statistics.alpha_of([(n, n, n) for n in range(5)])[1] == pytest.approx(1.0)
