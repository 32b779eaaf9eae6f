"""Status, standing and the moment of a tap, at the exact edges of windows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.core.assessment import (
    AGREE,
    Contact,
    Doubt,
    Facts,
    Stamp,
    Standing,
    Status,
    Tapped,
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


MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def tapped(
    tap: datetime | None,
    sent: datetime | None,
    contact: Contact | None = None,
    ran: timedelta | None = None,
) -> Tapped:
    """The rule for these device clocks; `ran` is the monotonic time from the tap to sending."""
    run = None if ran is None else "run"
    return tapped_at(
        Stamp(tap, run, None if ran is None else SECOND),
        Stamp(sent, run, None if ran is None else SECOND + ran),
        RECEIVED,
        OPENS,
        contact,
    )


@pytest.mark.parametrize("hours", [-30_000, -9, 0, 9, 30_000])
def test_a_wrong_clock_does_not_move_a_tap(hours: int) -> None:
    """The device's clock is `hours` wrong; it tapped ten minutes before it sent."""
    sent = RECEIVED + timedelta(hours=hours)
    found = tapped(sent - 10 * MINUTE, sent)
    assert found.moment == RECEIVED - 10 * MINUTE
    assert found.skew == timedelta(hours=hours)
    assert found.doubt is (Doubt.SKEW if hours else None), "told, not mended"


@pytest.mark.parametrize(("skew", "doubt"), [(120, None), (121, Doubt.SKEW), (-121, Doubt.SKEW)])
def test_a_skew_of_more_than_two_minutes_is_a_doubt(skew: int, doubt: Doubt | None) -> None:
    sent = RECEIVED + skew * SECOND
    assert tapped(sent - MINUTE, sent) == (RECEIVED - MINUTE, skew * SECOND, doubt)


def test_a_device_zone_does_not_move_a_tap() -> None:
    in_london = (RECEIVED - 10 * MINUTE).astimezone(timezone(timedelta(hours=1)))
    assert tapped(in_london, RECEIVED).moment == RECEIVED - 10 * MINUTE


def test_a_tap_is_never_after_its_receipt() -> None:
    """The clock was set back between tap and sending, and nothing else tells when it was."""
    found = tapped(RECEIVED + timedelta(hours=3), RECEIVED)
    assert (found.moment, found.doubt) == (RECEIVED, Doubt.CLOCK_CHANGED)


def test_a_tap_at_the_very_opening_keeps_its_moment() -> None:
    assert tapped(OPENS, RECEIVED) == (OPENS, timedelta(), None)


@pytest.mark.parametrize("tap", [OPENS - TICK, datetime.min.replace(tzinfo=UTC)])
@pytest.mark.parametrize("sent", [RECEIVED, datetime.max.replace(tzinfo=UTC)])
def test_a_tap_cannot_be_before_the_opening(tap: datetime, sent: datetime) -> None:
    """The clock was set forward after the tap, by however much: the receipt stands for it."""
    assert tapped(tap, sent) == (RECEIVED, sent - RECEIVED, Doubt.BEFORE_OPENING)


def test_without_device_times_the_receipt_stands_for_the_tap() -> None:
    assert tapped(None, RECEIVED) == (RECEIVED, timedelta(), None)
    assert tapped(RECEIVED, None) == (RECEIVED, None, None)


def test_a_phone_without_a_clock_tells_by_its_monotonic_one() -> None:
    assert tapped(None, None, ran=7 * MINUTE) == (RECEIVED - 7 * MINUTE, None, None)


# The tap was 30 minutes before the receipt, the last contact 60 minutes before it.
CONTACT = RECEIVED - 60 * MINUTE
TRUE = RECEIVED - 30 * MINUTE
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def lived(
    *, before_tap: timedelta = timedelta(), after_tap: timedelta = timedelta()
) -> tuple[datetime, datetime, Contact]:
    """Device clocks at tap and sending, and the contact, of a clock right at the contact that
    was set by so much between contact and tap, and between tap and sending."""
    return TRUE + before_tap, RECEIVED + before_tap + after_tap, Contact(CONTACT, CONTACT)


@pytest.mark.parametrize("change", [-DAY, -HOUR, HOUR, DAY, -30_000 * HOUR, 30_000 * HOUR])
def test_a_clock_set_after_the_tap_moves_nothing(change: timedelta) -> None:
    """The way forward from the contact knows: phones set their clocks when the network is back."""
    found = tapped(*lived(after_tap=change))
    assert (found.moment, found.skew, found.doubt) == (TRUE, change, Doubt.CLOCK_CHANGED)


@pytest.mark.parametrize("change", [-DAY, -HOUR, HOUR, DAY])
def test_a_clock_set_before_the_tap_moves_nothing(change: timedelta) -> None:
    """The way back from the receipt knows: the other one leads out of what is possible."""
    found = tapped(*lived(before_tap=change))
    assert (found.moment, found.doubt) == (TRUE, Doubt.CLOCK_CHANGED)


def test_when_both_ways_are_possible_the_way_forward_stands() -> None:
    before = tapped(*lived(before_tap=-10 * MINUTE))
    after = tapped(*lived(after_tap=-10 * MINUTE))
    assert (before.moment, before.doubt) == (TRUE - 10 * MINUTE, Doubt.CLOCK_CHANGED)
    assert (after.moment, after.doubt) == (TRUE, Doubt.CLOCK_CHANGED)


def test_when_both_ways_are_possible_the_monotonic_clock_decides() -> None:
    tap, sent, contact = lived(before_tap=-10 * MINUTE)
    found = tapped(tap, sent, contact, ran=30 * MINUTE)
    assert (found.moment, found.doubt) == (TRUE, Doubt.CLOCK_CHANGED)


def test_the_monotonic_clock_confirms_only_what_is_near_to_it() -> None:
    """The clock was set forward by half an hour before sending: the way back is that much off."""
    tap, sent, contact = lived(after_tap=30 * MINUTE)
    found = tapped(tap, sent, contact, ran=30 * MINUTE)
    assert (found.moment, found.doubt) == (TRUE, Doubt.CLOCK_CHANGED)


def test_the_monotonic_clock_may_have_slept() -> None:
    tap, sent, contact = lived()
    for ran in (timedelta(), 5 * MINUTE, 30 * MINUTE):
        assert tapped(tap, sent, contact, ran) == (TRUE, timedelta(), None)


def test_a_tap_is_at_least_as_old_as_the_monotonic_clock_says() -> None:
    """The clock was set back by 25 minutes in the page's life: five seem to have passed."""
    found = tapped(TRUE, RECEIVED - 25 * MINUTE, ran=30 * MINUTE)
    assert (found.moment, found.doubt) == (TRUE, Doubt.CLOCK_CHANGED)


def test_the_monotonic_clock_of_another_life_says_nothing() -> None:
    found = tapped_at(
        Stamp(TRUE, "one", 5 * MINUTE), Stamp(RECEIVED, "other", 55 * MINUTE), RECEIVED, OPENS
    )
    assert found == (TRUE, timedelta(), None)


def test_a_contact_after_the_receipt_is_no_contact() -> None:
    false = Contact(RECEIVED + SECOND, TRUE)
    assert tapped(TRUE, RECEIVED, false) == (TRUE, timedelta(), None)


def test_a_tap_just_after_its_contact_is_not_before_it() -> None:
    """What is told is some seconds on its way; estimates lie on both sides of the truth."""
    found = tapped(CONTACT, RECEIVED, Contact(CONTACT + SECOND, CONTACT + SECOND))
    assert (found.moment, found.doubt) == (CONTACT + SECOND, None)


ANY = st.datetimes(timezones=st.just(UTC))
NEAR = st.timedeltas(timedelta(days=-40), timedelta(days=40)).map(lambda past: RECEIVED + past)
CLOCK = st.none() | NEAR | ANY
STAMPS = st.builds(
    Stamp,
    CLOCK,
    st.sampled_from([None, "one", "other"]),
    st.none() | st.timedeltas(timedelta(), timedelta(days=400)),
)


@given(
    tap=STAMPS,
    sending=STAMPS,
    contact=st.none() | st.builds(Contact, NEAR | ANY, NEAR | ANY),
    opened=st.timedeltas(timedelta(), timedelta(days=60)),
)
def test_whatever_a_device_says_a_tap_stays_in_its_bounds(
    tap: Stamp, sending: Stamp, contact: Contact | None, opened: timedelta
) -> None:
    found = tapped_at(tap, sending, RECEIVED, RECEIVED - opened, contact)
    assert RECEIVED - opened <= found.moment <= RECEIVED
    if contact is not None and contact.at <= RECEIVED and found.moment != RECEIVED:
        assert found.moment >= contact.at - AGREE
    if found.doubt is None and found.skew is not None:
        assert abs(found.skew) <= AGREE
    told = sending.device_time
    assert found.skew == (None if told is None else told - RECEIVED)


SPANS = st.timedeltas(timedelta(), timedelta(days=20))


@given(
    wrong=st.timedeltas(timedelta(days=-9_000), timedelta(days=9_000)),
    to_tap=SPANS,
    to_sending=SPANS,
    slept=st.timedeltas(timedelta(), timedelta(days=20)),
    same_run=st.booleans(),
    known=st.booleans(),
)
def test_a_clock_that_is_not_set_in_between_never_moves_a_tap(
    wrong: timedelta,
    to_tap: timedelta,
    to_sending: timedelta,
    slept: timedelta,
    same_run: bool,
    known: bool,
) -> None:
    """However wrong it is, however long there was no network, however long the phone slept."""
    contact_at = RECEIVED - to_sending - to_tap
    run = (timedelta(), max(to_sending - slept, timedelta())) if same_run else (None, None)
    found = tapped_at(
        Stamp(contact_at + to_tap + wrong, "run", run[0]),
        Stamp(RECEIVED + wrong, "run", run[1]),
        RECEIVED,
        contact_at - HOUR,
        Contact(contact_at, contact_at + wrong) if known else None,
    )
    assert found.moment == RECEIVED - to_sending
    assert found.doubt is (Doubt.SKEW if abs(wrong) > AGREE else None)


@given(
    change=st.timedeltas(timedelta(days=-20), timedelta(days=20)),
    to_tap=SPANS,
    to_sending=SPANS,
)
def test_a_clock_set_on_the_way_back_to_the_network_never_moves_a_tap_far(
    change: timedelta, to_tap: timedelta, to_sending: timedelta
) -> None:
    """By at most the two minutes in which estimates agree, and else the doubt is told."""
    true = RECEIVED - to_sending
    contact_at = true - to_tap
    contact = Contact(contact_at, contact_at)
    found = tapped_at(Stamp(true), Stamp(RECEIVED + change), RECEIVED, contact_at - HOUR, contact)
    assert abs(found.moment - true) <= AGREE
    assert found.doubt is (Doubt.CLOCK_CHANGED if abs(change) > AGREE else None)
