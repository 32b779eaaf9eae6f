"""Reminders: when each step is due, in whose hours, and what becomes of it when it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pro_app.core.assessment import Facts, Status, not_expected_reason, status
from pro_app.core.reminders import (
    HOUR,
    LADDER,
    Act,
    Channel,
    Decision,
    Due,
    Planned,
    Rules,
    Step,
    decide,
    faults,
    next_channel,
    plan,
)
from pro_app.core.schedule import DAY, Offset, Timepoint, Window, local
from tests.core.zones import APIA, BERLIN, KUALA_LUMPUR, at, shows, zones, zones_and_days

NINE = 9 * HOUR
PUSH, EMAIL, COORDINATOR = LADDER
FIRST = Step("first", PUSH, after_days=0)
THIRD = Step("third", PUSH, after_days=2)
MAIL = Step("mail", EMAIL, after_days=2)
LAST = Step("last", PUSH, before_days=0)
CALL = Step("call", COORDINATOR, before_days=1)
USUAL = Rules((FIRST, THIRD, MAIL, LAST, CALL))


def week(due: date, zone: ZoneInfo, days: int = 7, opens: int = 0, closes: int = DAY) -> Window:
    """A window of so many days that begins on the due day."""
    visit = Timepoint("v", {}, ("q",), "a", Offset(0, "days"), 0, days - 1, opens, closes)
    return visit.window(due, zone)


def walls(planned: Iterable[Planned], zone: ZoneInfo) -> list[str]:
    return [f"{one.step} {shows(one.due_at, zone):%d %H:%M}" for one in planned]


# Steps


@pytest.mark.parametrize(
    ("when", "day"),
    [
        ({"after_days": 0}, 1),
        ({"after_days": 3}, 4),
        ({"before_days": 0}, 11),
        ({"before_days": 2}, 9),
        ({"share": 0}, 1),
        ({"share": 0.5}, 6),
        ({"share": 0.59}, 6),
        ({"share": 1}, 11),
    ],
)
def test_the_day_of_a_step(when: dict[str, float], day: int) -> None:
    step = Step("s", PUSH, **when)  # type: ignore[arg-type]
    assert step.day(date(2026, 11, 1), date(2026, 11, 11)) == date(2026, 11, day)


def test_a_share_of_a_hundred_days_is_as_many_days() -> None:
    """Also 0.29 and 0.57, a hundredfold of which is less than 29 and 57 to a computer."""
    opens = date(2026, 1, 1)
    for percent in range(101):
        found = Step("s", PUSH, share=percent / 100).day(opens, opens + timedelta(days=100))
        assert (found - opens).days == percent


def test_each_channel_has_the_next_to_stand_in_for_it() -> None:
    assert [next_channel(one) for one in LADDER] == [EMAIL, COORDINATOR, None]


# Hours


def test_a_person_may_choose_any_full_hour_of_the_studys() -> None:
    assert Rules(first=9 * HOUR, last=12 * HOUR).hours() == (9 * HOUR, 10 * HOUR, 11 * HOUR)
    assert Rules(first=9 * HOUR + 1, last=11 * HOUR + 1).hours() == (10 * HOUR, 11 * HOUR)
    assert Rules(first=9 * HOUR, last=11 * HOUR, spread=60).hours() == (9 * HOUR, 10 * HOUR)
    assert Rules(first=9 * HOUR, last=11 * HOUR, spread=61).hours() == (9 * HOUR,)
    assert Rules(first=NINE + 1, last=10 * HOUR).hours() == ()


def test_the_chosen_hour_counts_while_the_study_has_it() -> None:
    rules = Rules(first=9 * HOUR, last=20 * HOUR, usual=10 * HOUR)
    assert rules.minute_of(None, 1) == 10 * HOUR
    assert rules.minute_of(19 * HOUR, 1) == 19 * HOUR
    assert rules.minute_of(20 * HOUR, 1) == 10 * HOUR, "an hour that an amendment took away"


rules_of_studies = st.builds(
    lambda first, length, spread, usual: Rules(
        (), first, min(first + length, DAY), min(-(-first // HOUR) + usual, 23) * HOUR, spread
    ),
    first=st.integers(0, 22 * HOUR) | st.just(NINE),
    length=st.integers(1, DAY),
    spread=st.sampled_from([0, 0, 1, 30, 60, 90, 600]),
    usual=st.integers(0, 14),
).filter(lambda rules: not list(faults(rules)))


@settings(max_examples=100, deadline=None)
@given(rules_of_studies, st.none() | st.integers(-10, DAY + 10), st.integers(1, 200_000))
def test_everybodys_minute_is_within_the_hours(
    rules: Rules, chosen: int | None, person: int
) -> None:
    minute = rules.minute_of(chosen, person)
    assert rules.first <= minute < rules.last
    hour = chosen if chosen in rules.hours() else rules.usual
    assert hour is not None
    assert 0 <= minute - hour < max(rules.spread, 1)


def test_the_people_of_a_large_study_are_spread_evenly() -> None:
    rules = Rules(spread=60)
    counts = dict.fromkeys(range(NINE, NINE + 60), 0)
    for person in range(1, 100_001):
        counts[rules.minute_of(None, person)] += 1
    assert max(counts.values()) - min(counts.values()) <= 1


def test_quiet_hours_begin_and_end_at_their_minutes() -> None:
    rules = Rules(first=NINE, last=20 * HOUR)
    for clock, quiet in [((8, 59), True), ((9, 0), False), ((19, 59), False), ((20, 0), True)]:
        assert rules.quiet(at(KUALA_LUMPUR, 2026, 11, 23, *clock), KUALA_LUMPUR) is quiet


def test_a_quiet_moment_waits_for_the_persons_next_minute() -> None:
    rules, minute = Rules(), 10 * HOUR
    for day, clock, waits in [
        (23, (12, 0), "23 12:00"), (23, (22, 0), "24 10:00"), (23, (3, 0), "23 10:00"),
    ]:  # fmt: skip
        moment = at(KUALA_LUMPUR, 2026, 11, day, *clock)
        found = rules.not_quiet(moment, minute, KUALA_LUMPUR)
        assert f"{shows(found, KUALA_LUMPUR):%d %H:%M}" == waits


@settings(max_examples=120, deadline=None)
@given(rules_of_studies, zones_and_days, st.integers(0, DAY - 1), st.integers(1, 99))
def test_slots_come_later_and_never_in_quiet_hours(
    rules: Rules, where: tuple[ZoneInfo, date], clock: int, person: int
) -> None:
    zone, day = where
    now, minute = local(day, clock, zone), rules.minute_of(None, person)
    slot, tomorrow = rules.next_slot(now, minute, zone), rules.tomorrow(now, minute, zone)
    for one in (slot, tomorrow):
        assert one > now
        assert not rules.quiet(one, zone)
    assert tomorrow.astimezone(zone).date() > now.astimezone(zone).date()
    assert slot <= tomorrow
    assert tomorrow - now < timedelta(days=5), "at the worst the clock skips a slot or a day"
    waits = rules.not_quiet(now, minute, zone)
    assert waits == (slot if rules.quiet(now, zone) else now)


def test_an_hour_that_the_clock_skips_out_of_the_allowed_ones_waits_a_day() -> None:
    rules = Rules(first=2 * HOUR, last=3 * HOUR, usual=2 * HOUR)
    found = rules.next_slot(at(BERLIN, 2026, 3, 28, 12), 2 * HOUR, BERLIN)
    assert shows(found, BERLIN) == datetime(2026, 3, 30, 2)  # noqa: DTZ001 (on the wall)


def test_tomorrow_in_samoa_was_the_day_after_tomorrow() -> None:
    found = Rules().tomorrow(at(APIA, 2011, 12, 29, 8), NINE, APIA)
    assert f"{shows(found, APIA):%d %H:%M}" == "31 09:00"


# Plans


@pytest.mark.parametrize("first", [date(2026, 3, 26), date(2026, 10, 22)], ids=["spring", "autumn"])
def test_every_day_at_nine_has_exactly_one_send_while_clocks_change(first: date) -> None:
    """Berlin: the clocks change in the middle of this week."""
    daily = Rules(tuple(Step(f"day_{n}", PUSH, after_days=n) for n in range(7)))
    planned = plan(week(first, BERLIN), daily, NINE, BERLIN)
    found = [shows(one.due_at, BERLIN) for one in planned]
    assert [one.date() for one in found] == [first + timedelta(days=n) for n in range(7)]
    assert {(one.hour, one.minute) for one in found} == {(9, 0)}
    assert len({one.due_at.hour for one in planned}) == 2, "not the same hour in UTC"


def test_the_usual_steps_of_a_week() -> None:
    planned = plan(week(date(2026, 11, 2), KUALA_LUMPUR), USUAL, NINE, KUALA_LUMPUR)
    assert walls(planned, KUALA_LUMPUR) == [
        "first 02 09:00", "third 04 09:00", "mail 04 09:00", "last 08 09:00", "call 07 09:00",
    ]  # fmt: skip
    assert {one.expires_at for one in planned} == {at(KUALA_LUMPUR, 2026, 11, 9)}
    assert [one.channel for one in planned] == [PUSH, PUSH, EMAIL, PUSH, COORDINATOR]


@pytest.mark.parametrize(
    ("opens", "closes", "minute", "found"),
    [
        (0, DAY, NINE, ["first 02 09:00", "last 02 09:00"]),
        (12 * HOUR, 20 * HOUR, NINE, ["first 02 12:00", "last 02 12:00"]),
        (12 * HOUR, 20 * HOUR, NINE + 37, ["first 02 12:37", "last 02 12:37"]),
        (12 * HOUR, 12 * HOUR + 30, NINE + 37, ["first 02 12:00", "last 02 12:00"]),
        (0, 12 * HOUR, 19 * HOUR, ["first 02 09:00", "last 02 09:00"]),
        (11 * HOUR, 12 * HOUR, 19 * HOUR, ["first 02 11:00", "last 02 11:00"]),
        (20 * HOUR, DAY, NINE, []),
        (0, NINE, NINE, []),
    ],
)
def test_the_steps_of_a_single_day(opens: int, closes: int, minute: int, found: list[str]) -> None:
    """At the person's hour, or at the opening; whose hour comes after closing is told before."""
    window = week(date(2026, 11, 2), KUALA_LUMPUR, 1, opens, closes)
    planned = plan(window, Rules((FIRST, THIRD, LAST), spread=60), minute, KUALA_LUMPUR)
    assert walls(planned, KUALA_LUMPUR) == found


def test_a_window_that_opens_at_night_is_told_of_in_the_morning() -> None:
    window = week(date(2026, 11, 2), KUALA_LUMPUR, 3, opens=22 * HOUR)
    planned = plan(window, Rules((FIRST,)), 10 * HOUR, KUALA_LUMPUR)
    assert walls(planned, KUALA_LUMPUR) == ["first 03 10:00"]


@st.composite
def studies(draw: st.DrawFn) -> Rules:
    """Rules with steps of every kind."""
    whens = st.one_of(
        st.fixed_dictionaries({"after_days": st.integers(0, 9)}),
        st.fixed_dictionaries({"before_days": st.integers(0, 9)}),
        st.fixed_dictionaries({"share": st.floats(0, 1)}),
    )
    channels = st.sampled_from([PUSH, PUSH, EMAIL, COORDINATOR])
    given_steps = draw(st.lists(st.tuples(channels, whens, st.booleans()), max_size=6))
    made = tuple(
        Step(f"step_{n}", channel, unless_opened=unless, **when)
        for n, (channel, when, unless) in enumerate(given_steps)
    )
    return replace(draw(rules_of_studies), steps=made)


@st.composite
def windows(draw: st.DrawFn) -> tuple[ZoneInfo, Window]:
    """A window somewhere, of hours or days."""
    zone, day = draw(zones_and_days)
    days = draw(st.integers(1, 12))
    opens = draw(st.sampled_from([0, 0, NINE, 12 * HOUR, 22 * HOUR]))
    closes = draw(st.sampled_from([DAY, DAY, 12 * HOUR + 20, 20 * HOUR]))
    closes = DAY if days == 1 and closes <= opens else closes
    return zone, week(day, zone, days, opens, closes)


@settings(max_examples=120, deadline=None)
@given(windows(), studies(), st.none() | st.integers(0, 23), st.integers(1, 999))
def test_a_plan_keeps_to_the_window_and_the_hours(
    where: tuple[ZoneInfo, Window], rules: Rules, hour: int | None, person: int
) -> None:
    zone, window = where
    minute = rules.minute_of(None if hour is None else hour * HOUR, person)
    planned = plan(window, rules, minute, zone)
    codes = [one.step for one in planned]
    assert len(set(codes)) == len(codes)
    for one in planned:
        assert window.opens_at <= one.due_at < window.closes_at == one.expires_at
        assert not rules.quiet(one.due_at, zone)
    opens = window.opens_at.astimezone(zone).date()
    closes = (window.closes_at - timedelta(microseconds=1)).astimezone(zone).date()
    due = {one.step: one.due_at for one in planned}
    for step in rules.steps:
        slot = local(step.day(opens, closes), minute, zone)
        if window.opens_at <= slot < window.closes_at and not rules.quiet(slot, zone):
            assert due[step.code] == slot, "at the person's minute whenever that is possible"
        moved = rules.next_slot(max(slot, window.opens_at), minute, zone)
        assert step.code in due or moved >= window.closes_at, "moved, not dropped"
    assert planned == plan(window, rules, minute, zone)


# What becomes of one that is due

NOON = at(KUALA_LUMPUR, 2026, 11, 23, 12)
NIGHT = at(KUALA_LUMPUR, 2026, 11, 23, 23)
OPEN = Due(PUSH, Status.OPEN, NOON + timedelta(days=3))
NEXT_NINE = at(KUALA_LUMPUR, 2026, 11, 24, 9)


@pytest.mark.parametrize(
    ("due", "now", "act", "reason"),
    [
        (OPEN, NOON, Act.SEND, ""),
        (replace(OPEN, status=Status.IN_PROGRESS), NOON, Act.SEND, ""),
        (replace(OPEN, status=Status.COMPLETED), NOON, Act.CANCEL, "completed"),
        (replace(OPEN, status=Status.COMPLETED_LATE), NIGHT, Act.CANCEL, "completed"),
        (replace(OPEN, status=Status.NOT_EXPECTED, ended="died"), NOON, Act.CANCEL, "died"),
        (replace(OPEN, status=Status.NOT_EXPECTED), NOON, Act.CANCEL, "not_expected"),
        (replace(OPEN, status=Status.MISSED), NOON, Act.EXPIRE, "closed"),
        (replace(OPEN, expires_at=NOON), NOON, Act.EXPIRE, "closed"),
        (replace(OPEN, status=Status.IN_PROGRESS, expires_at=NOON), NOON, Act.EXPIRE, "closed"),
        (replace(OPEN, paused=True), NOON, Act.CANCEL, "paused"),
        (replace(OPEN, later_due=True), NOON, Act.CANCEL, "superseded"),
        (replace(OPEN, later_due=True), NIGHT, Act.CANCEL, "superseded"),
        (replace(OPEN, unless_opened=True, opened=True), NOON, Act.CANCEL, "opened"),
        (replace(OPEN, unless_opened=True), NOON, Act.SEND, ""),
        (replace(OPEN, opened=True), NOON, Act.SEND, ""),
        (OPEN, NIGHT, Act.MOVE, "quiet_hours"),
        (replace(OPEN, messaged_today=True), NOON, Act.MOVE, "one_a_day"),
        (replace(OPEN, offered=False), NOON, Act.MOVE, "not_offered"),
        (replace(OPEN, status=Status.NOT_DUE), NOON, Act.MOVE, "not_open"),
        (replace(OPEN, expires_at=NEXT_NINE), NIGHT, Act.EXPIRE, "quiet_hours"),
        (replace(OPEN, expires_at=NEXT_NINE, messaged_today=True), NOON, Act.EXPIRE, "one_a_day"),
        (replace(OPEN, channel=COORDINATOR), NIGHT, Act.SEND, ""),
        (replace(OPEN, channel=COORDINATOR, messaged_today=True), NOON, Act.SEND, ""),
        (replace(OPEN, channel=COORDINATOR, paused=True), NOON, Act.CANCEL, "paused"),
        (
            replace(OPEN, channel=COORDINATOR, status=Status.NOT_DUE),
            NOON, Act.MOVE, "not_open",
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_a_reminder_that_is_due(
    due: Due, now: datetime, act: Act, reason: str
) -> None:
    until = NEXT_NINE if act is Act.MOVE else None
    assert decide(due, USUAL, NINE, KUALA_LUMPUR, now) == Decision(act, reason, until)


@pytest.mark.parametrize("due", [replace(OPEN, messaged_today=True), replace(OPEN, offered=False)])
def test_who_heard_from_us_today_hears_again_tomorrow_not_this_evening(due: Due) -> None:
    found = decide(due, USUAL, 19 * HOUR, KUALA_LUMPUR, NOON)
    assert found.until == at(KUALA_LUMPUR, 2026, 11, 24, 19)


def test_whose_hour_comes_after_closing_is_told_at_the_usual_one() -> None:
    due = replace(OPEN, expires_at=at(KUALA_LUMPUR, 2026, 11, 24, 12))
    found = decide(due, USUAL, 19 * HOUR, KUALA_LUMPUR, NIGHT)
    assert found == Decision(Act.MOVE, "quiet_hours", NEXT_NINE)


@settings(max_examples=150, deadline=None)
@given(
    due=st.builds(
        Due,
        st.sampled_from(Channel),
        st.sampled_from(Status),
        st.timedeltas(timedelta(hours=-2), timedelta(days=4)).map(lambda later: NOON + later),
        st.sampled_from(["", "withdrawn", "died", "cancelled"]),
        *[st.booleans()] * 6,
    ),
    rules=rules_of_studies,
    zone=zones,
    hours=st.integers(0, 23),
)
def test_there_is_always_one_decision_and_it_keeps_the_rules(
    due: Due, rules: Rules, zone: ZoneInfo, hours: int
) -> None:
    now = NOON + timedelta(hours=hours)
    found = decide(due, rules, rules.minute_of(None, 7), zone, now)
    assert (found.until is not None) == (found.act is Act.MOVE)
    assert bool(found.reason) == (found.act is not Act.SEND)
    if found.act is Act.SEND:
        assert due.status in {Status.OPEN, Status.IN_PROGRESS}
        assert now < due.expires_at
        assert not any([due.paused, due.later_due, due.opened and due.unless_opened])
        if due.channel is not COORDINATOR:
            assert due.offered
            assert not due.messaged_today
            assert not rules.quiet(now, zone)
    if found.until is not None:
        assert now < found.until < due.expires_at
        assert not rules.quiet(found.until, zone)
        if found.reason == "one_a_day":
            assert found.until.astimezone(zone).date() > now.astimezone(zone).date()


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (Rules(first=NINE, last=NINE), "begin before they end"),
        (Rules(first=20 * HOUR, last=NINE), "begin before they end"),
        (Rules(last=DAY + 1), "begin before they end"),
        (Rules(first=NINE + 1, last=10 * HOUR), "hold no full hour"),
        (Rules(spread=661), "hold no full hour"),
        (Rules(usual=8 * HOUR), "usual hour must be a full hour"),
        (Rules(usual=NINE + 30), "usual hour must be a full hour"),
        (Rules(usual=19 * HOUR, spread=61), "usual hour must be a full hour"),
    ],
)
def test_rules_that_contradict_themselves(rules: Rules, reason: str) -> None:
    assert reason in " ".join(faults(rules))


def test_sound_rules_have_no_faults() -> None:
    for rules in (Rules(), Rules((), 0, DAY, 0), Rules(usual=19 * HOUR, spread=60)):
        assert list(faults(rules)) == []


# A worker that goes down, over whole windows


NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class Row:
    """A planned reminder in the story."""

    of: int
    planned: Planned
    due_at: datetime
    settled: Decision | None = None
    settled_at: datetime = NEVER


@dataclass
class Worker:
    """The drainer in small: what is due is looked at again, whenever the worker is up."""

    zone: ZoneInfo
    rules: Rules
    minute: int
    windows: list[Window]
    down: list[tuple[datetime, datetime]]
    submitted: dict[int, datetime]
    withdrawn_at: datetime | None
    opened_at: datetime | None
    rows: list[Row] = field(default_factory=list)
    days: dict[date, set[Channel]] = field(default_factory=dict)

    def run(self) -> None:
        for of, window in enumerate(self.windows):
            planned = plan(window, self.rules, self.minute, self.zone)
            self.rows += [Row(of, one, one.due_at) for one in planned]
        while waiting := [row.due_at for row in self.rows if row.settled is None]:
            now = min(waiting)
            for start, end in sorted(self.down):
                now = end if start <= now < end else now
            self.drain(now)

    def drain(self, now: datetime) -> None:
        due = [row for row in self.rows if row.settled is None and row.due_at <= now]
        before = {day: set(channels) for day, channels in self.days.items()}
        for row in sorted(due, key=lambda one: LADDER.index(one.planned.channel)):
            decision = self.decide(row, due, now, before)
            if decision.act is Act.MOVE:
                assert decision.until is not None
                assert decision.until > now
                row.due_at = decision.until
                continue
            row.settled, row.settled_at = decision, now
            if decision.act is Act.SEND and row.planned.channel is not COORDINATOR:
                day = now.astimezone(self.zone).date()
                self.days.setdefault(day, set()).add(row.planned.channel)

    def decide(
        self, row: Row, due: list[Row], now: datetime, before: dict[date, set[Channel]]
    ) -> Decision:
        facts = self.facts(row.of, now)
        today = now.astimezone(self.zone).date()
        other_channel = self.days.get(today, set()) - {row.planned.channel}
        step = next(one for one in self.rules.steps if one.code == row.planned.step)
        found = Due(
            row.planned.channel,
            status(facts, now, timedelta()),
            row.planned.expires_at,
            not_expected_reason(facts) or "",
            later_due=any(self.supersedes(other, row) for other in due),
            unless_opened=step.unless_opened,
            opened=self.opened_at is not None and self.opened_at <= now,
            messaged_today=bool(before.get(today)) or bool(other_channel),
        )
        return decide(found, self.rules, self.minute, self.zone, now)

    def facts(self, of: int, now: datetime) -> Facts:
        """What the record knows of an assessment by now."""
        window, submitted_at = self.windows[of], self.submitted.get(of)
        return Facts(
            window.opens_at,
            window.closes_at,
            submitted_at=submitted_at if submitted_at and submitted_at <= now else None,
            withdrawn_at=self.withdrawn_at
            if self.withdrawn_at and self.withdrawn_at <= now
            else None,
        )

    def supersedes(self, other: Row, row: Row) -> bool:
        return (
            (other.of, other.planned.channel) == (row.of, row.planned.channel)
            and other.planned.due_at > row.planned.due_at
        )  # fmt: skip

    def sent(self) -> list[Row]:
        return [row for row in self.rows if row.settled and row.settled.act is Act.SEND]


@st.composite
def workers(draw: st.DrawFn) -> Worker:
    """Any study, one or two open questionnaires, and any down-times."""
    zone, window = draw(windows())
    rules = draw(studies())
    found = [window]
    if draw(st.booleans()):
        shift = timedelta(days=draw(st.integers(0, 3)))
        found.append(
            Window(window.opens_at + shift, window.due_at + shift, window.closes_at + shift)
        )
    length = timedelta(days=14)
    moments = st.timedeltas(timedelta(), length).map(lambda past: window.opens_at + past)
    outage = st.builds(
        lambda start, hours: (start, start + timedelta(hours=hours)), moments, st.integers(1, 60)
    )
    return Worker(
        zone,
        rules,
        rules.minute_of(None, draw(st.integers(1, 99))),
        found,
        draw(st.lists(outage, max_size=3)),
        draw(st.dictionaries(st.integers(0, 1), moments, max_size=2)),
        draw(st.none() | st.none() | moments),
        draw(st.none() | moments),
    )


def example_worker(minute: int = NINE, hours: int = 20) -> Worker:
    """Kuala Lumpur, the usual steps, and workers that are down for `hours` from the opening."""
    window = week(date(2026, 11, 2), KUALA_LUMPUR)
    down = [(window.opens_at, window.opens_at + timedelta(hours=hours))]
    return Worker(KUALA_LUMPUR, USUAL, minute, [window], down, {}, None, None)


@settings(max_examples=100, deadline=None)
@given(workers())
@example(example_worker())
def test_whatever_happens_to_the_worker(worker: Worker) -> None:
    """At most one message a day, nothing stale or after the end, nothing left that could go."""
    worker.run()
    zone, rules = worker.zone, worker.rules
    assert all(len(channels) == 1 for channels in worker.days.values()), "one a local day"
    for row in worker.sent():
        now, window = row.settled_at, worker.windows[row.of]
        assert row.due_at <= now
        assert window.opens_at <= now < window.closes_at
        assert status(worker.facts(row.of, now), now, timedelta()) is Status.OPEN
        assert row.planned.channel is COORDINATOR or not rules.quiet(now, zone)
        for other in worker.rows:
            if worker.supersedes(other, row) and other.due_at <= now:
                assert other.settled_at < now, "a later step that was due goes instead"
    for row in worker.rows:
        assert row.settled is not None
        if row.settled.act is Act.EXPIRE and row.settled.reason != "closed":
            assert no_slot_was_left(worker, row), "it could have been sent"


def no_slot_was_left(worker: Worker, row: Row) -> bool:
    """Whether after the decision no minute of the person's came, on a day without a message."""
    slot = row.settled_at
    while slot < row.planned.expires_at:
        slot = worker.rules.next_slot(slot, worker.minute, worker.zone)
        free = slot.astimezone(worker.zone).date() not in worker.days
        if free and slot < row.planned.expires_at:
            return False
    return True


@settings(max_examples=40, deadline=None)
@given(workers())
def test_a_worker_that_is_always_up_sends_every_step_when_it_is_due(worker: Worker) -> None:
    worker.windows, worker.down = worker.windows[:1], []
    worker.submitted, worker.withdrawn_at, worker.opened_at = {}, None, None
    worker.run()
    days = [row.planned.due_at.astimezone(worker.zone).date() for row in worker.rows]
    for row, day in zip(worker.rows, days, strict=True):
        if days.count(day) == 1 and worker.days.get(day) in (None, {row.planned.channel}):
            alone = all(
                other.due_at == other.planned.due_at for other in worker.rows if other is not row
            )
            if alone:
                assert row in worker.sent()
                assert row.settled_at == row.planned.due_at


def told(worker: Worker) -> list[str]:
    return [
        f"{row.planned.step} {shows(row.settled_at, worker.zone):%d %H:%M}"
        for row in sorted(worker.sent(), key=lambda one: one.settled_at)
    ]


def test_a_week_with_a_worker_that_is_up() -> None:
    """The e-mail of the third day waits for the fourth, since the push went on the third."""
    worker = example_worker(hours=0)
    worker.run()
    assert told(worker) == [
        "first 02 09:00", "third 04 09:00", "mail 05 09:00", "call 07 09:00", "last 08 09:00",
    ]  # fmt: skip


def test_workers_that_were_down_for_twenty_hours_send_what_still_holds_once() -> None:
    worker = example_worker()
    worker.run()
    assert told(worker)[0] == "first 03 09:00", "up again at 20:00, which is quiet"
    assert len(told(worker)) == 5


def test_workers_that_were_down_for_days_send_the_latest_step_alone() -> None:
    worker = example_worker(hours=58)  # until ten o'clock on the fourth
    worker.run()
    assert told(worker)[:2] == ["third 04 10:00", "mail 05 09:00"]
    (first,) = (row for row in worker.rows if row.planned.step == "first")
    assert first.settled == Decision(Act.CANCEL, "superseded")


def test_workers_that_were_down_for_the_whole_window_send_nothing() -> None:
    worker = example_worker(hours=7 * 24)
    worker.run()
    assert told(worker) == []
    assert {row.settled for row in worker.rows} == {Decision(Act.EXPIRE, "closed")}


def test_who_is_done_hears_no_more() -> None:
    worker = example_worker(hours=0)
    worker.submitted = {0: at(KUALA_LUMPUR, 2026, 11, 4, 8, 59)}
    worker.run()
    assert told(worker) == ["first 02 09:00"]


def test_two_questionnaires_of_a_visit_make_one_message_a_day() -> None:
    worker = example_worker(hours=0)
    worker.windows = worker.windows * 2
    worker.run()
    assert sorted(worker.days) == [date(2026, 11, day) for day in (2, 4, 5, 8)]
    assert len(worker.sent()) == 10
