"""The schedule: windows over zones and clock changes, and what new dates and protocols move."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pro_app.core.schedule import (
    DAY,
    MOST_OCCURRENCES,
    Asked,
    Change,
    Expected,
    Key,
    Kind,
    Offset,
    Placed,
    Repeat,
    Timepoint,
    Window,
    expected,
    local,
    overlaps,
    reconcile,
    waiting,
)
from tests.core.zones import (
    APIA,
    BEIRUT,
    BERLIN,
    HAVANA,
    KUALA_LUMPUR,
    at,
    exists,
    shows,
    zones_and_days,
)

EIGHT = 8 * 60
INFUSION = date(2026, 11, 2)


def visit(code: str = "day_28", count: int = 28, unit: str = "days", **parts: object) -> Timepoint:
    """A timepoint after the infusion."""
    made = Timepoint(code, {"en": code}, ("lupusqol", "sf36v1"), "infusion", Offset(count, unit))
    return replace(made, **parts)  # type: ignore[arg-type]


def dues(timepoint: Timepoint, anchor: date) -> list[str]:
    return [day.isoformat() for day in timepoint.due_days(anchor)]


# Days


@pytest.mark.parametrize(
    ("anchor", "count", "unit", "due"),
    [
        ("2026-11-02", 28, "days", "2026-11-30"),
        ("2026-11-02", 0, "days", "2026-11-02"),
        ("2026-03-01", -1, "days", "2026-02-28"),
        ("2028-03-01", -1, "days", "2028-02-29"),
        ("2026-01-31", 1, "months", "2026-02-28"),
        ("2028-01-31", 1, "months", "2028-02-29"),
        ("2026-08-31", 3, "months", "2026-11-30"),
        ("2026-11-30", 3, "months", "2027-02-28"),
        ("2028-02-29", 12, "months", "2029-02-28"),
        ("2028-02-29", 48, "months", "2032-02-29"),
        ("2026-03-31", -1, "months", "2026-02-28"),
        ("2026-01-15", -1, "months", "2025-12-15"),
        ("2026-12-15", 0, "months", "2026-12-15"),
        ("2025-11-23", 48, "months", "2029-11-23"),
    ],
)
def test_the_day_after_so_many_days_or_months(anchor: str, count: int, unit: str, due: str) -> None:
    assert Offset(count, unit).after(date.fromisoformat(anchor)).isoformat() == due


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(-600, 600))
def test_months_keep_the_day_of_the_month_or_its_last(day: date, months: int) -> None:
    found = Offset(months, "months").after(day)
    assert (found.year - day.year) * 12 + found.month - day.month == months
    assert found.day == min(day.day, monthrange(found.year, found.month)[1])


@pytest.mark.parametrize(
    ("count", "due"), [(1, "2026-11-02"), (2, "2026-11-03"), (28, "2026-11-29"), (-1, "2026-11-01")]
)
def test_where_the_protocol_knows_no_day_0(count: int, due: str) -> None:
    """Day 1 is the anchor's own day, and day -1 the day before."""
    assert dues(visit(count=count, first_day=1), INFUSION) == [due]


def test_months_count_from_the_anchor_also_without_a_day_0() -> None:
    assert dues(visit(count=1, unit="months", first_day=1), INFUSION) == ["2026-12-02"]


def test_a_repeated_timepoint_does_not_drift_at_month_ends() -> None:
    monthly = visit(count=1, unit="months", repeat=Repeat(Offset(1, "months"), times=4))
    assert dues(monthly, date(2026, 1, 31)) == [
        "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31",
    ]  # fmt: skip


def test_a_repeated_timepoint_ends_on_its_last_day() -> None:
    quarterly = visit(
        count=24, unit="months", repeat=Repeat(Offset(3, "months"), until=date(2029, 5, 2))
    )
    assert dues(quarterly, INFUSION) == ["2028-11-02", "2029-02-02", "2029-05-02"]


def test_who_comes_after_the_last_day_is_not_asked_at_all() -> None:
    late = visit(
        count=24, unit="months", repeat=Repeat(Offset(3, "months"), until=date(2028, 1, 1))
    )
    assert dues(late, INFUSION) == []


def test_months_may_repeat_from_a_day() -> None:
    mixed = visit(count=28, repeat=Repeat(Offset(1, "months"), times=3))
    assert dues(mixed, date(2026, 1, 3)) == ["2026-01-31", "2026-02-28", "2026-03-31"]


def test_a_repeat_without_an_end_in_sight_ends_all_the_same() -> None:
    daily = visit(repeat=Repeat(Offset(1, "days"), until=date(2099, 1, 1)))
    assert len(dues(daily, INFUSION)) == MOST_OCCURRENCES


@given(
    anchor=st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    offset=st.builds(Offset, st.integers(-90, 90), st.sampled_from(["days", "months"])),
    every=st.builds(Offset, st.integers(1, 40), st.sampled_from(["days", "months"])),
    times=st.integers(1, 12),
    first_day=st.integers(0, 1),
)
def test_repeats_go_forward_from_the_due_day(
    anchor: date, offset: Offset, every: Offset, times: int, first_day: int
) -> None:
    once = visit(offset=offset, first_day=first_day)
    repeated = replace(once, repeat=Repeat(every, times=times))
    found = list(repeated.due_days(anchor))
    assert found[:1] == list(once.due_days(anchor))
    assert len(found) == times
    assert found == sorted(set(found))
    until = replace(once, repeat=Repeat(every, until=found[-1]))
    assert list(until.due_days(anchor)) == found


@pytest.mark.parametrize(
    ("timepoint", "labels"),
    [
        (visit(count=3, unit="months", repeat=Repeat(Offset(3, "months"), times=2)), ("3", "6")),
        (visit(count=7, repeat=Repeat(Offset(7, "days"), times=2)), ("7", "14")),
        (visit(count=1, first_day=1, repeat=Repeat(Offset(7, "days"), times=2)), ("1", "8")),
        (visit(count=-1, first_day=1, repeat=Repeat(Offset(1, "days"), times=2)), ("-1", "1")),
    ],
)
def test_an_occurrence_is_named_after_its_own_count(
    timepoint: Timepoint, labels: tuple[str, str]
) -> None:
    named = replace(timepoint, labels={"en": "Visit {count}"})
    assert tuple(named.label("en", n) for n in (1, 2)) == tuple(f"Visit {one}" for one in labels)
    assert named.label("ta") is None


def test_a_label_without_a_repeat_is_shown_as_it_stands() -> None:
    assert visit(labels={"en": "Day 28"}).label("en") == "Day 28"


# Windows


def test_day_28_is_the_local_date() -> None:
    """At half past midnight in Kuala Lumpur it is the day before in UTC."""
    half_past = at(KUALA_LUMPUR, 2026, 3, 1, 0, 30)
    assert half_past.date() == date(2026, 2, 28)
    (due,) = visit().due_days(date(2026, 2, 1))
    window = visit().window(due, KUALA_LUMPUR)
    assert window.opens_at.astimezone(KUALA_LUMPUR).date() == date(2026, 3, 1)
    assert window.opens_at < half_past < window.closes_at
    assert window.closes_at == at(KUALA_LUMPUR, 2026, 3, 2), "24:00 is the midnight that ends it"


def test_a_window_has_days_before_and_after() -> None:
    window = visit(before=3, after=4, opens=EIGHT, closes=20 * 60).window(INFUSION, KUALA_LUMPUR)
    assert window == Window(
        at(KUALA_LUMPUR, 2026, 10, 30, 8),
        at(KUALA_LUMPUR, 2026, 11, 2, 8),
        at(KUALA_LUMPUR, 2026, 11, 6, 20),
    )


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)]
)
def test_a_day_is_as_long_as_its_clock_makes_it(day: date, hours: int) -> None:
    window = visit().window(day, BERLIN)
    assert window.closes_at - window.opens_at == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("zone", "day", "opens", "closes", "shown"),
    [
        # what the clock skips comes so much after the change
        (BERLIN, (2026, 3, 29), 150, 600, ("29 03:30", "29 10:00")),
        (BERLIN, (2026, 3, 29), 60, 150, ("29 01:00", "29 03:30")),
        # of a window that is skipped from its beginning the length stays
        (BERLIN, (2026, 3, 29), 150, 180, ("29 03:30", "29 04:00")),
        (BERLIN, (2026, 3, 29), 130, 140, ("29 03:10", "29 03:20")),
        # what comes twice counts from the first until the second
        (BERLIN, (2026, 10, 25), 150, 600, ("25 02:30", "25 10:00")),
        (BERLIN, (2026, 10, 25), 60, 150, ("25 01:00", "25 02:30")),
        (BEIRUT, (2026, 3, 29), 0, DAY, ("29 01:00", "30 00:00")),
        (BEIRUT, (2026, 3, 28), 0, DAY, ("28 00:00", "29 01:00")),
        # Havana's midnight comes twice: the first ends the day
        (HAVANA, (2026, 10, 31), 0, DAY, ("31 00:00", "01 00:00")),
        (HAVANA, (2026, 11, 1), 0, DAY, ("01 00:00", "02 00:00")),
        # Samoa went from the 29th to the 31st
        (APIA, (2011, 12, 29), 0, DAY, ("29 00:00", "31 00:00")),
        (APIA, (2011, 12, 30), EIGHT, DAY, ("31 08:00", "01 00:00")),
        (APIA, (2011, 12, 30), 0, DAY, ("31 00:00", "01 00:00")),
    ],
)
def test_a_window_where_the_clock_changes(
    zone: ZoneInfo, day: tuple[int, int, int], opens: int, closes: int, shown: tuple[str, str]
) -> None:
    window = visit(opens=opens, closes=closes).window(date(*day), zone)
    found = (shows(moment, zone) for moment in (window.opens_at, window.closes_at))
    assert tuple(f"{one:%d %H:%M}" for one in found) == shown


def test_a_time_that_comes_twice_opens_with_the_first_and_closes_with_the_second() -> None:
    day = date(2026, 10, 25)
    first, second = local(day, 150, BERLIN), local(day, 150, BERLIN, latest=True)
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert second - first == timedelta(hours=1)
    assert local(date(2026, 11, 1), 0, HAVANA, latest=True) == local(date(2026, 11, 1), 0, HAVANA)


@st.composite
def window_shapes(draw: st.DrawFn) -> Timepoint:
    """Any shape of window that a study file may ask for."""
    after = draw(st.sampled_from([0, 0, 1, 7]))
    opens = draw(st.integers(0, DAY - 1) | st.sampled_from([0, 60, 120, EIGHT]))
    closes = draw(st.integers(0, DAY) | st.sampled_from([0, 60, 180, DAY]))
    if after * DAY + closes <= opens:
        closes = DAY
    return visit(
        before=draw(st.sampled_from([0, 0, 1, 7])), after=after, opens=opens, closes=closes
    )


@settings(max_examples=300, deadline=None)
@given(window_shapes(), zones_and_days)
def test_a_window_is_in_order_and_never_empty(
    timepoint: Timepoint, where: tuple[ZoneInfo, date]
) -> None:
    zone, due = where
    window = timepoint.window(due, zone)
    assert window.opens_at <= window.due_at <= window.closes_at
    assert window.opens_at < window.closes_at
    assert all(one.tzinfo is UTC for one in (window.opens_at, window.due_at, window.closes_at))


@settings(max_examples=300, deadline=None)
@given(window_shapes(), zones_and_days)
def test_the_hours_shown_are_the_hours_enforced(
    timepoint: Timepoint, where: tuple[ZoneInfo, date]
) -> None:
    """Unless the clock skips them: then it shows no such hour that day."""
    zone, due = where
    window = timepoint.window(due, zone)
    midnight = datetime.combine(due, datetime.min.time())
    opens = midnight + timedelta(days=-timepoint.before, minutes=timepoint.opens)
    closes = midnight + timedelta(days=timepoint.after, minutes=timepoint.closes)
    if exists(opens, zone):
        assert shows(window.opens_at, zone) == opens
        assert window.opens_at.astimezone(zone).fold == 0, "the first of a repeated hour"
    else:
        assert shows(window.opens_at, zone) > opens
    if exists(closes, zone) and exists(midnight + timedelta(minutes=timepoint.opens), zone):
        assert shows(window.closes_at, zone) == closes
        again = window.closes_at + timedelta(hours=1)
        assert shows(again, zone) != closes or closes.time() == datetime.min.time()


@settings(max_examples=200, deadline=None)
@given(zones_and_days)
def test_a_whole_day_ends_where_the_next_begins(where: tuple[ZoneInfo, date]) -> None:
    zone, day = where
    whole = visit()
    today, tomorrow = (whole.window(one, zone) for one in (day, day + timedelta(days=1)))
    if exists(datetime.combine(day, datetime.min.time()) + timedelta(hours=12), zone):
        assert today.closes_at == tomorrow.opens_at
        middle = today.opens_at + (today.closes_at - today.opens_at) / 2
        assert middle.astimezone(zone).date() == day


# What is expected

PROTOCOL = (
    Timepoint("baseline", {}, ("lupusqol", "sf36v1"), "enrolment", before=1, after=2),
    Timepoint("flare", {}, ("lupusqol",)),
    visit("day_28"),
    visit("month_3", 3, "months", repeat=Repeat(Offset(3, "months"), times=2)),
)


def test_everything_expected_comes_in_the_protocols_order() -> None:
    found = expected(PROTOCOL, {"enrolment": INFUSION, "infusion": INFUSION}, KUALA_LUMPUR)
    assert [(*one.key, one.place, one.due_on.isoformat()) for one in found] == [
        ("baseline", 1, "lupusqol", 1, "2026-11-02"),
        ("baseline", 1, "sf36v1", 2, "2026-11-02"),
        ("day_28", 1, "lupusqol", 1, "2026-11-30"),
        ("day_28", 1, "sf36v1", 2, "2026-11-30"),
        ("month_3", 1, "lupusqol", 1, "2027-02-02"),
        ("month_3", 1, "sf36v1", 2, "2027-02-02"),
        ("month_3", 2, "lupusqol", 1, "2027-05-02"),
        ("month_3", 2, "sf36v1", 2, "2027-05-02"),
    ]
    assert len({one.window for one in found}) == 4, "one window for all of a visit"


def test_what_has_no_date_yet_waits_and_what_needs_none_does_not() -> None:
    known = {"enrolment": INFUSION}
    assert {one.timepoint for one in expected(PROTOCOL, known, KUALA_LUMPUR)} == {"baseline"}
    assert waiting(PROTOCOL, known) == {"infusion": ["day_28", "month_3"]}
    assert waiting(PROTOCOL, {}) == {
        "enrolment": ["baseline"], "infusion": ["day_28", "month_3"],
    }  # fmt: skip
    assert expected(PROTOCOL, {}, KUALA_LUMPUR) == []
    assert waiting(PROTOCOL, known | {"infusion": INFUSION}) == {}


def test_a_follow_up_of_years_is_all_there() -> None:
    long = visit(
        "month_3", 3, "months", repeat=Repeat(Offset(3, "months"), until=date(2029, 12, 31))
    )
    found = expected([long], {"infusion": date(2025, 3, 31)}, KUALA_LUMPUR)
    assert found[-1].due_on == date(2029, 12, 31)
    assert len(found) == 2 * 19


def named(timepoint: str, instrument: str, due: date) -> Expected:
    window = visit().window(due, KUALA_LUMPUR)
    return Expected(timepoint, 1, instrument, 1, due, window)


def test_two_lupusqol_closer_than_four_weeks_ask_about_the_same_days() -> None:
    days = {"baseline": 0, "day_27": 27, "day_55": 55, "day_82": 82}
    found = [
        named(code, instrument, INFUSION + timedelta(days=by))
        for code, by in reversed(days.items())
        for instrument in ("lupusqol", "diary")
    ]
    pairs = overlaps(found, {"lupusqol": 28})
    assert [(a.timepoint, b.timepoint, b.instrument) for a, b in pairs] == [
        ("baseline", "day_27", "lupusqol"),
        ("day_55", "day_82", "lupusqol"),
    ]
    assert overlaps(found, {}) == []


@given(st.lists(st.integers(0, 200), max_size=8), st.integers(0, 40))
def test_neighbours_overlap_exactly_when_closer_than_the_recall(
    days: list[int], recall: int
) -> None:
    found = [named(f"t{n}", "lupusqol", INFUSION + timedelta(days=by)) for n, by in enumerate(days)]
    pairs = overlaps(found, {"lupusqol": recall})
    gaps = [b - a for a, b in zip(sorted(days), sorted(days)[1:], strict=False)]
    assert len(pairs) == sum(gap < recall for gap in gaps)
    assert all((b.due_on - a.due_on).days < recall for a, b in pairs)


# What changes

NOON = at(KUALA_LUMPUR, 2026, 12, 15, 12)
TWELFTH, FIFTEENTH = date(2026, 11, 12), date(2026, 11, 15)
DAY_7, DAY_28 = visit("day_7", 7, instruments=("q",)), visit("day_28", 28, instruments=("q",))


def on(anchor: date, *timepoints: Timepoint) -> list[Expected]:
    return expected(timepoints or (DAY_7, DAY_28), {"infusion": anchor}, KUALA_LUMPUR)


def placed(found: Sequence[Expected], *held: str) -> dict[Key, Placed]:
    """All of these as they were placed; `held` are the timepoints that somebody began."""
    return {one.key: Placed(one.window, one.timepoint in held) for one in found}


def kinds(changes: Sequence[Change]) -> dict[str, Kind]:
    return {change.key[0]: change.kind for change in changes}


def test_a_first_date_places_everything() -> None:
    changes = reconcile(on(TWELFTH), {}, {})
    assert kinds(changes) == {"day_7": Kind.NEW, "day_28": Kind.NEW}
    assert [one.window for one in changes] == [one.window for one in on(TWELFTH)]


def test_a_corrected_infusion_moves_only_what_nobody_began() -> None:
    """Entered as the 12th, corrected to the 15th when day 7 was completed."""
    before, after = on(TWELFTH), on(FIFTEENTH)
    changes = reconcile(after, placed(before, "day_7"), {})
    assert kinds(changes) == {"day_7": Kind.STAYS, "day_28": Kind.MOVED}
    stays, moved = changes
    assert (stays.before, stays.window) == (before[0].window, after[0].window), "the deviation"
    assert (moved.before, moved.window) == (before[1].window, after[1].window)


def test_a_date_taken_back_cancels_and_given_again_restores() -> None:
    there = placed(on(TWELFTH), "day_7")
    taken = reconcile([], there, {})
    assert kinds(taken) == {"day_7": Kind.STAYS, "day_28": Kind.CANCELLED}
    assert [one.window for one in taken] == [None, None]
    there[DAY_28.code, 1, "q"] = replace(there[DAY_28.code, 1, "q"], cancelled=True)
    assert kinds(reconcile([], there, {})) == {"day_7": Kind.STAYS}
    given_again = reconcile(on(FIFTEENTH), there, {})
    assert kinds(given_again) == {"day_7": Kind.STAYS, "day_28": Kind.RESTORED}
    assert given_again[1].window == on(FIFTEENTH)[1].window


def test_what_somebody_began_and_was_cancelled_is_restored_where_it_was() -> None:
    before = on(TWELFTH, DAY_28)
    there = {before[0].key: Placed(before[0].window, held=True, cancelled=True)}
    (change,) = reconcile(on(FIFTEENTH, DAY_28), there, {})
    assert (change.kind, change.window) == (Kind.RESTORED, before[0].window)


def test_a_visit_that_comes_with_an_amendment_is_missed_by_nobody() -> None:
    """Day 14 was added on 15 December: expected of those alone whose day 14 is still to come."""
    day_14 = visit("day_14", 14, instruments=("q",))
    since = {("day_14", "q"): NOON}
    early, recent = date(2026, 11, 2), date(2026, 12, 8)
    for closed_before in (NOON, None):
        past = reconcile(on(early, day_14), {}, since, closed_before)
        assert past == []
        to_come = reconcile(on(recent, day_14), {}, since, closed_before)
        assert kinds(to_come) == {"day_14": Kind.NEW}
    stated = on(early, replace(day_14, retroactive=True))
    assert kinds(reconcile(stated, {}, {}, NOON)) == {"day_14": Kind.NEW}


def test_a_window_that_closes_as_the_amendment_comes_is_over() -> None:
    (one,) = on(TWELFTH, DAY_28)
    closes, tick = one.window.closes_at, timedelta(microseconds=1)
    for moment, changes in [(closes, 0), (closes - tick, 1)]:
        assert len(reconcile([one], {}, {("day_28", "q"): moment})) == changes
        assert len(reconcile([one], {}, {}, moment)) == changes


@pytest.mark.parametrize(
    "amended",
    [
        replace(DAY_28, instruments=("q", "another")),
        replace(DAY_28, offset=Offset(7, "days"), repeat=Repeat(Offset(7, "days"), times=6)),
    ],
    ids=["instrument", "repeat"],
)
def test_what_an_amendment_adds_to_an_old_visit_is_missed_by_nobody_either(
    amended: Timepoint,
) -> None:
    anchor = date(2026, 11, 1)
    there = placed(on(anchor, DAY_28))
    changes = reconcile(on(anchor, amended), there, {}, NOON)
    assert all(one.window is not None and one.window.closes_at > NOON for one in changes)


def test_an_amendment_leaves_what_had_closed() -> None:
    """Day 7 is over; day 28 moves by two days, and a visit that went is gone unless it closed."""
    day_60 = visit("day_60", 60, instruments=("q",))
    anchor = date(2026, 12, 1)
    there = placed(on(anchor, DAY_7, DAY_28, day_60))
    later = [replace(one, after=2) for one in (DAY_7, DAY_28)]
    changes = reconcile(on(anchor, *later), there, {}, NOON)
    assert kinds(changes) == {"day_28": Kind.MOVED, "day_60": Kind.CANCELLED}
    without = reconcile([], there, {}, NOON)
    assert kinds(without) == {"day_28": Kind.CANCELLED, "day_60": Kind.CANCELLED}


def test_an_amendment_moves_no_visit_into_the_past() -> None:
    """A visit to come that the amendment has earlier, where it is over: nobody missed it."""
    anchor = date(2026, 12, 1)
    there = placed(on(anchor, DAY_28))
    earlier = on(anchor, replace(DAY_28, offset=Offset(7, "days")))
    (change,) = reconcile(earlier, there, {}, NOON)
    assert (change.kind, change.window) == (Kind.CANCELLED, None)
    there[earlier[0].key] = replace(there[earlier[0].key], cancelled=True)
    assert reconcile(earlier, there, {}, NOON) == [], "nor is it restored into the past"


# Any history of dates, corrections and amendments

ONE = (replace(PROTOCOL[0], instruments=("q",)), DAY_7, DAY_28)
DAY_14 = visit("day_14", 14, before=2, after=2, instruments=("q",))
AMENDED = (
    ONE,
    (*ONE, DAY_14),
    (*ONE[:2], replace(DAY_28, offset=Offset(30, "days"), after=5)),
    (*ONE[:2], replace(DAY_28, instruments=("another", "q"))),
    ONE[:2],
    (*ONE, replace(DAY_14, retroactive=True)),
    (ONE[0], replace(DAY_7, repeat=Repeat(Offset(7, "days"), times=4))),
)
START = at(KUALA_LUMPUR, 2026, 11, 1, 10)
near = st.integers(-40, 40).map(lambda by: START.date() + timedelta(days=by))
steps = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(["enrolment", "infusion"]), near),
    st.tuples(st.just("remove"), st.just("infusion"), st.none()),
    st.tuples(st.just("amend"), st.none(), st.sampled_from(AMENDED)),
    st.tuples(st.just("begin"), st.none(), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.none(), st.integers(1, 20)),
)


def asked(version: tuple[Timepoint, ...]) -> list[Asked]:
    """What a version of the calendar asks, at which timepoint by which instrument."""
    return [(one.code, instrument) for one in version for instrument in one.instruments]


@dataclass
class Story:
    """One participant's schedule, kept as the service keeps it."""

    now: datetime = START
    versions: list[tuple[Timepoint, ...]] = field(default_factory=lambda: [ONE])
    since: dict[Asked, datetime] = field(default_factory=dict)
    days: dict[str, date] = field(default_factory=dict)
    there: dict[Key, Placed] = field(default_factory=dict)

    def take(self, kind: str, anchor: str | None, value: object) -> None:
        if kind == "wait":
            assert isinstance(value, int)
            self.now += timedelta(days=value)
        elif kind == "begin":
            self.begin(value)
        elif kind == "amend":
            assert isinstance(value, tuple)
            self.amend(value)
        else:
            assert anchor is not None
            self.days.pop(anchor, None)
            if isinstance(value, date):
                self.days[anchor] = value
            self.follow(None)

    def begin(self, which: object) -> None:
        live = [key for key, one in self.there.items() if not one.cancelled]
        if live:
            assert isinstance(which, int)
            key = live[which % len(live)]
            if self.there[key].window.opens_at <= self.now < self.there[key].window.closes_at:
                self.there[key] = replace(self.there[key], held=True)

    def amend(self, version: tuple[Timepoint, ...]) -> None:
        known = set(asked(self.versions[0])) | self.since.keys()
        self.versions.append(version)
        self.since |= {one: self.now for one in asked(version) if one not in known}
        self.follow(self.now)

    def expected(self) -> list[Expected]:
        return expected(self.versions[-1], self.days, KUALA_LUMPUR)

    def in_force(self) -> Mapping[Asked, datetime]:
        stated = {one.code for one in self.versions[-1] if one.retroactive}
        return {one: moment for one, moment in self.since.items() if one[0] not in stated}

    def follow(self, closed_before: datetime | None) -> None:
        before = dict(self.there)
        changes = reconcile(self.expected(), before, self.in_force(), closed_before)
        assert len({one.key for one in changes}) == len(changes)
        for change in changes:
            self.apply(change, before)
        again = reconcile(self.expected(), self.there, self.in_force(), closed_before)
        assert [one for one in again if one.kind is not Kind.STAYS] == []
        for key, one in before.items():
            if one.held:
                assert self.there[key] == one, "what somebody began stays"
        if closed_before is None:
            self.check_corrected()
        else:
            self.check_amended(before, closed_before)

    def apply(self, change: Change, before: Mapping[Key, Placed]) -> None:
        assert (change.kind is Kind.NEW) == (change.key not in before)
        if change.kind is Kind.NEW:
            assert change.window is not None
            self.there[change.key] = Placed(change.window, held=False)
            return
        earlier = before[change.key]
        assert change.before == earlier.window
        assert earlier.held == (change.kind is Kind.STAYS)
        assert earlier.cancelled == (change.kind is Kind.RESTORED)
        if change.kind is Kind.CANCELLED:
            self.there[change.key] = replace(earlier, cancelled=True)
        elif change.kind in {Kind.MOVED, Kind.RESTORED}:
            assert change.window is not None
            self.there[change.key] = Placed(change.window, held=False)

    def check_corrected(self) -> None:
        """After a date is set, what nobody began is exactly what the protocol expects."""
        in_force = self.in_force()
        wanted = {one.key: one.window for one in self.expected()}
        over = {
            key
            for key, window in wanted.items()
            if (key[0], key[2]) in in_force and window.closes_at <= in_force[key[0], key[2]]
        }
        live = {key: one.window for key, one in self.there.items() if not one.cancelled}
        for key, window in live.items():
            assert self.there[key].held or wanted[key] == window
        assert wanted.keys() - over <= live.keys()

    def check_amended(self, before: Mapping[Key, Placed], moment: datetime) -> None:
        """An amendment leaves what had closed, and puts nothing into the past unless stated."""
        stated = {one.code for one in self.versions[-1] if one.retroactive}
        for key, one in self.there.items():
            earlier = before.get(key)
            if earlier is not None and earlier.window.closes_at <= moment:
                assert one == earlier or earlier.cancelled
            if one != earlier and not one.cancelled and key[0] not in stated:
                assert one.window.closes_at > moment


@settings(max_examples=250, deadline=None)
@given(st.lists(steps, min_size=1, max_size=10))
def test_any_history_keeps_what_was_begun_and_repeats_nothing(
    history: list[tuple[str, str | None, object]],
) -> None:
    story = Story()
    story.take("set", "enrolment", START.date())
    for kind, anchor, value in history:
        story.take(kind, anchor, value)


@given(near, near)
def test_a_correction_taken_back_leaves_all_as_it_was(first: date, second: date) -> None:
    story = Story()
    story.take("set", "infusion", first)
    before = dict(story.there)
    for value in (second, None, first):
        story.take("set", "infusion", value)
    assert story.there == before
