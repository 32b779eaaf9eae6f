"""Status, standing and the moment of a tap, at the exact edges of windows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.core.assessment import (
    Facts,
    Standing,
    Status,
    missed_reason,
    not_expected_reason,
    standing,
    status,
    tapped_at,
)

OPENS = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
CLOSES = OPENS + timedelta(days=3)
GRACE = timedelta(hours=2)
TICK = timedelta(microseconds=1)
STARTED = OPENS + timedelta(hours=1)
NEW = Facts(OPENS, CLOSES)
BEGUN = Facts(OPENS, CLOSES, started_at=STARTED)


@pytest.mark.parametrize(
    ("facts", "now", "expected"),
    [
        (NEW, OPENS - TICK, Status.NOT_DUE),
        (NEW, OPENS, Status.OPEN),
        (NEW, CLOSES - TICK, Status.OPEN),
        (NEW, CLOSES, Status.MISSED),
        (BEGUN, STARTED, Status.IN_PROGRESS),
        (BEGUN, CLOSES, Status.IN_PROGRESS),
        (BEGUN, CLOSES + GRACE - TICK, Status.IN_PROGRESS),
        (BEGUN, CLOSES + GRACE, Status.MISSED),
    ],
)
def test_a_window_opens_and_closes_at_its_very_moments(
    facts: Facts, now: datetime, expected: Status
) -> None:
    assert status(facts, now, GRACE) is expected


@pytest.mark.parametrize(("late", "expected"), [(False, "completed"), (True, "completed_late")])
@pytest.mark.parametrize("now", [OPENS, CLOSES, CLOSES + timedelta(days=900)])
def test_a_submission_settles_the_status_for_good(now: datetime, late: bool, expected: str) -> None:
    facts = Facts(OPENS, CLOSES, STARTED, STARTED, late, withdrawn_at=STARTED + TICK)
    assert status(facts, now, GRACE) == expected


@pytest.mark.parametrize(
    ("started_at", "withdrawn_at", "expected"),
    [
        (None, OPENS - timedelta(days=1), Status.NOT_EXPECTED),
        (None, CLOSES - TICK, Status.NOT_EXPECTED),
        (None, CLOSES, Status.MISSED),
        (STARTED, CLOSES - TICK, Status.NOT_EXPECTED),
        (STARTED, CLOSES, Status.MISSED),
        (STARTED, CLOSES + GRACE - TICK, Status.MISSED),
    ],
)
@pytest.mark.parametrize("how", ["withdrawn", "died"])
def test_nothing_is_expected_of_a_window_that_withdrawal_or_death_cut_off(
    started_at: datetime | None, withdrawn_at: datetime, expected: Status, how: str
) -> None:
    """A window that was over by then stays missed, also if the grace time still ran."""
    ended: dict[str, Any] = {f"{how}_at": withdrawn_at}
    facts = replace(Facts(OPENS, CLOSES, started_at), **ended)
    assert status(facts, CLOSES + timedelta(days=30), GRACE) is expected
    assert not_expected_reason(facts) == (how if expected is Status.NOT_EXPECTED else None)


def test_who_withdrew_and_died_later_died() -> None:
    facts = Facts(OPENS, CLOSES, withdrawn_at=OPENS, died_at=STARTED)
    assert not_expected_reason(facts) == "died"
    assert not_expected_reason(replace(facts, died_at=CLOSES)) == "withdrawn"


@pytest.mark.parametrize("begun", [NEW, BEGUN])
@pytest.mark.parametrize("now", [OPENS - TICK, OPENS, CLOSES + GRACE])
def test_what_the_schedule_took_back_is_not_expected(begun: Facts, now: datetime) -> None:
    facts = replace(begun, cancelled_at=CLOSES + timedelta(days=9), died_at=OPENS)
    assert status(facts, now, GRACE) is Status.NOT_EXPECTED
    assert not_expected_reason(facts) == "cancelled"


def test_nothing_is_expected_in_a_language_without_wording() -> None:
    facts = replace(NEW, withheld=True)
    for now in (OPENS - TICK, OPENS, CLOSES):
        assert status(facts, now, GRACE) is Status.NOT_EXPECTED
    assert not_expected_reason(facts) == "no_wording"
    begun = replace(BEGUN, withheld=True)
    assert status(begun, STARTED, GRACE) is Status.IN_PROGRESS, "begun while it could be shown"
    assert not_expected_reason(replace(begun, started_at=None, died_at=OPENS)) == "died"


@pytest.mark.parametrize(
    ("placed_at", "reason"),
    [
        (None, "not_started"),
        (OPENS, "not_started"),
        (CLOSES - TICK, "not_started"),
        (CLOSES, "not_offered"),
        (CLOSES + timedelta(days=100), "not_offered"),
    ],
)
def test_why_a_missed_one_is_missing(placed_at: datetime | None, reason: str) -> None:
    assert missed_reason(replace(NEW, placed_at=placed_at)) == reason
    assert missed_reason(replace(BEGUN, placed_at=placed_at)) == "partial"


@pytest.mark.parametrize(
    "ended", [{"died_at": OPENS}, {"withdrawn_at": OPENS}, {"cancelled_at": OPENS}, {"withheld": 1}]
)
def test_what_was_submitted_stays_completed_whatever_ends(ended: dict[str, Any]) -> None:
    facts = Facts(OPENS, CLOSES, STARTED, STARTED, **ended)
    assert status(facts, CLOSES, GRACE) is Status.COMPLETED


@pytest.mark.parametrize(
    ("facts", "answered_at", "expected"),
    [
        (NEW, OPENS, Standing.IN_TIME),
        (NEW, CLOSES - TICK, Standing.IN_TIME),
        (NEW, CLOSES, Standing.AFTER_CLOSING),
        (BEGUN, CLOSES - TICK, Standing.IN_TIME),
        (BEGUN, CLOSES, Standing.LATE),
        (BEGUN, CLOSES + GRACE - TICK, Standing.LATE),
        (BEGUN, CLOSES + GRACE, Standing.AFTER_CLOSING),
        (Facts(OPENS, CLOSES, STARTED, STARTED), STARTED - TICK, Standing.AFTER_SUBMISSION),
    ],
)
def test_how_an_answer_stands(facts: Facts, answered_at: datetime, expected: Standing) -> None:
    assert standing(facts, answered_at, GRACE) is expected


def test_without_grace_time_the_window_simply_ends() -> None:
    assert standing(BEGUN, CLOSES, timedelta()) is Standing.AFTER_CLOSING
    assert status(BEGUN, CLOSES, timedelta()) is Status.MISSED


def test_only_answers_in_time_or_late_count() -> None:
    assert {one for one in Standing if one.counts} == {Standing.IN_TIME, Standing.LATE}


MOMENTS = st.timedeltas(timedelta(days=-20), timedelta(days=30)).map(lambda past: OPENS + past)


@given(
    now=MOMENTS,
    started_at=st.none() | MOMENTS,
    submitted_at=st.none() | MOMENTS,
    late=st.booleans(),
    withdrawn_at=st.none() | MOMENTS,
)
def test_a_status_never_turns_back(
    now: datetime,
    started_at: datetime | None,
    submitted_at: datetime | None,
    late: bool,
    withdrawn_at: datetime | None,
) -> None:
    """With the same facts, time alone leads only onward: not due, open, missed."""
    facts = Facts(OPENS, CLOSES, started_at, submitted_at, late, withdrawn_at)
    order = [Status.NOT_DUE, Status.OPEN, Status.IN_PROGRESS, Status.MISSED]
    before, after = (status(facts, moment, GRACE) for moment in (now, now + timedelta(days=1)))
    assert before == after or order.index(before) < order.index(after)


RECEIVED = OPENS + timedelta(hours=5)


@pytest.mark.parametrize("hours", [-30_000, -9, 0, 9, 30_000])
def test_a_wrong_clock_does_not_move_a_tap(hours: int) -> None:
    """The device's clock is `hours` wrong; it tapped ten minutes before it sent."""
    sent = RECEIVED + timedelta(hours=hours)
    moment, skew = tapped_at(sent - timedelta(minutes=10), sent, RECEIVED, OPENS)
    assert moment == RECEIVED - timedelta(minutes=10)
    assert skew == timedelta(hours=hours)


def test_a_device_zone_does_not_move_a_tap() -> None:
    tapped = RECEIVED - timedelta(minutes=10)
    in_london = tapped.astimezone(timezone(timedelta(hours=1)))
    assert tapped_at(in_london, RECEIVED, RECEIVED, OPENS)[0] == tapped


def test_a_tap_is_never_after_its_receipt() -> None:
    """The clock was set back between tap and sending."""
    moment, _ = tapped_at(RECEIVED + timedelta(hours=3), RECEIVED, RECEIVED, OPENS)
    assert moment == RECEIVED


def test_a_tap_at_the_very_opening_keeps_its_moment() -> None:
    assert tapped_at(OPENS, RECEIVED, RECEIVED, OPENS)[0] == OPENS


@pytest.mark.parametrize("tapped", [OPENS - TICK, datetime.min.replace(tzinfo=UTC)])
@pytest.mark.parametrize("sent", [RECEIVED, datetime.max.replace(tzinfo=UTC)])
def test_a_tap_cannot_be_before_the_opening(tapped: datetime, sent: datetime) -> None:
    """The clock was set forward after the tap, by however much: the receipt stands for it."""
    assert tapped_at(tapped, sent, RECEIVED, OPENS) == (RECEIVED, sent - RECEIVED)


def test_without_device_times_the_receipt_stands_for_the_tap() -> None:
    assert tapped_at(None, RECEIVED, RECEIVED, OPENS) == (RECEIVED, None)
    assert tapped_at(RECEIVED, None, RECEIVED, OPENS) == (RECEIVED, None)
