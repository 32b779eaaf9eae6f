"""When to try again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.delivery.outcomes import backoff

LIMITS = [
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=6),
]


@pytest.mark.parametrize(("attempt", "limit"), list(enumerate(LIMITS)))
def test_each_attempt_may_wait_longer(attempt: int, limit: timedelta) -> None:
    assert backoff(attempt, 0.5) == limit / 2


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_the_spread_is_the_share_of_the_wait(attempt: int, spread: float) -> None:
    limit = LIMITS[min(attempt, 5)]
    assert timedelta() <= backoff(attempt, spread) <= limit
    assert backoff(attempt, 0) == timedelta()


@pytest.mark.parametrize(("attempt", "spread"), [(-1, 0.5), (0, 1.0), (0, -0.1)])
def test_anything_else_is_a_mistake(attempt: int, spread: float) -> None:
    with pytest.raises(ValueError, match="attempts count from 0"):
        backoff(attempt, spread)
