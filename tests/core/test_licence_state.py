"""What becomes of licences, against looking through what is offered day by day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pro_app.core import licence_state
from pro_app.core.licence import MODES, Licence, Wordings
from pro_app.core.licence_state import ENDED, IN_FORCE, LATER, REPLACED, TAKEN_BACK, Standing
from tests.core.test_licence import (
    CODE,
    EVERY,
    FIRST,
    ONE,
    SITES,
    TWO,
    at,
    licence,
    offered,
    some_licences,
    wordings,
)

LAST = 20  # days after FIRST: behind all of `some_licences`
ONE_DAY = timedelta(days=1)


def on(day: int) -> date:
    return FIRST + timedelta(days=day)


def readable(of: Wordings, day: int, site: int) -> frozenset[str]:
    """The ways in which the questionnaire can be read on a day."""
    return frozenset(mode for mode in MODES if offered(of, day, mode, site) is not None)


def standing(of: Wordings, day: int) -> list[tuple[str, tuple[int | None, ...], bool]]:
    found: list[Standing] = licence_state.standings(of, on(day))
    assert [one.licence for one in found] == list(of.licences)
    return [(one.state, one.sites, one.everywhere) for one in found]


@given(some=some_licences(), day=st.integers(-1, 16), site=st.sampled_from(SITES))
def test_the_licence_that_decides_is_in_force_until_its_last_day(
    some: list[Licence], day: int, site: int
) -> None:
    found = licence_state.deciding(some, CODE, "ta", on(day), site)
    valid = found is not None and on(day) <= found.until
    assert wordings(*some).in_force(CODE, "ta", at(day), site) == (found if valid else None)
    assert licence_state.deciding(some, CODE, "en", on(day), site) is None
    assert licence_state.deciding(some, "sf36v1", "ta", on(day), site) is None


def test_a_licence_stands_where_it_decides() -> None:
    own = wordings(licence(1, ONE, 0, 20), licence(2, TWO, 10, 30, site=2))
    assert standing(own, 5) == [(IN_FORCE, (1, 2), True), (LATER, (2,), False)]
    assert standing(own, 10) == [(IN_FORCE, (1,), False), (IN_FORCE, (2,), False)]
    assert standing(own, 20) == [(IN_FORCE, (1,), False), (IN_FORCE, (2,), False)]
    assert standing(own, 21) == [(ENDED, (1,), False), (IN_FORCE, (2,), False)]
    everywhere = wordings(licence(1), licence(2, TWO, 10), licence(3, ONE, 30, 30, frozenset()))
    assert standing(everywhere, 9) == [
        (IN_FORCE, (1, 2), True), (LATER, (1, 2), True), (LATER, (1, 2), True),
    ]  # fmt: skip
    assert [state for state, _, _ in standing(everywhere, 10)] == [REPLACED, IN_FORCE, LATER]
    assert [state for state, _, _ in standing(everywhere, 30)] == [REPLACED, REPLACED, TAKEN_BACK]
    assert standing(replace(everywhere, sites=()), 10)[1] == (IN_FORCE, (None,), True)


@given(some=some_licences(), day=st.integers(-1, 14), within=st.integers(0, 15))
def test_what_ends_is_what_can_be_read_the_day_before(
    some: list[Licence], day: int, within: int
) -> None:
    of = wordings(*some)
    found = {
        site: (one.licence, one.modes, one.on, one.back)
        for one in licence_state.endings(of, on(day), timedelta(days=within))
        for site in one.sites
    }
    for site in SITES:
        lost = _first_loss(of, day, site)
        assert found.get(site) == (lost if lost and lost[2] <= on(day + within) else None)


def _first_loss(
    of: Wordings, day: int, site: int
) -> tuple[Licence | None, frozenset[str], date, date | None] | None:
    if not readable(of, day, site):
        return None
    for later in range(day + 1, LAST):
        lost = readable(of, later - 1, site) - readable(of, later, site)
        if lost:
            again = (one for one in range(later, LAST) if lost <= readable(of, one, site))
            back = next(again, None)
            read = of.in_force(CODE, "ta", at(later - 1), site)
            return read, lost, on(later), None if back is None else on(back)
    return None


@given(
    some=some_licences(),
    modes=st.frozensets(st.sampled_from(MODES)),
    day=st.integers(-1, 14),
    site=st.sampled_from(SITES),
)
def test_the_first_day_without_all_of_some_ways(
    some: list[Licence], modes: frozenset[str], day: int, site: int
) -> None:
    of = wordings(*some)
    now = modes & readable(of, day, site)
    lost = (on(one) for one in range(day + 1, LAST) if now - readable(of, one, site))
    told = licence_state.lost_on(of, CODE, "ta", modes, on(day), site)
    assert told == next(lost, None)


def test_sites_that_lose_the_same_are_told_together() -> None:
    (both,) = licence_state.endings(wordings(licence(1, last=20)), on(5), timedelta(days=90))
    assert both.sites == SITES
    apart = wordings(licence(1, last=20), licence(2, ONE, 25, site=1))
    found = licence_state.endings(apart, on(5), timedelta(days=90))
    assert [(one.sites, one.on, one.back) for one in found] == [
        ((1,), on(21), on(25)),
        ((2,), on(21), None),
    ]


def test_what_is_narrowed_twice_is_told_of_the_first_time() -> None:
    """The next is told when this one is over."""
    less = wordings(
        licence(1), licence(2, ONE, 10, modes=EVERY - {"aloud"}),
        licence(3, ONE, 20, modes=frozenset({"paper"})),
    )  # fmt: skip
    for day, modes, when in ((5, {"aloud"}, 10), (15, EVERY - {"aloud", "paper"}, 20)):
        (one,) = licence_state.endings(less, on(day), timedelta(days=90))
        assert (one.modes, one.on, one.back) == (modes, on(when), None)


def test_a_licence_for_ever_does_not_end() -> None:
    ever = wordings(replace(licence(1), until=date.max))
    assert licence_state.endings(ever, on(5), timedelta(days=90)) == []
    assert licence_state.lost_on(ever, CODE, "ta", EVERY, on(5), 1) is None
    assert licence_state.lost_on(ever, CODE, "ta", EVERY, date.max - ONE_DAY, 1) is None
