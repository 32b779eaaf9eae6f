"""A study's years under a clock that jumps: what would open, close and be sent, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from pro_app.core import schedule
from pro_app.core.instruments import DefinitionError
from pro_app.core.library import Library
from pro_app.core.study_file import parse_study
from pro_app.services.simulation import Happening, Request, Simulated, simulate
from tests.services.trial import timepoint, trial_content

FIRST, LAST = date(2026, 11, 23), date(2029, 12, 31)
STEPS = {("opening", "push"), ("letter", "email"), ("again", "push"), ("call", "coordinator")}


def simulated(library: Library, people: int = 3, **changes: Any) -> Simulated:
    return simulate(library, Request({**trial_content(library), **changes}, people, FIRST, LAST))


@pytest.fixture(scope="module", params=["Asia/Kuala_Lumpur", "Europe/Berlin"])
def years(request: pytest.FixtureRequest, library: Library) -> Simulated:
    """Three years of the trial, where clocks never change and where they do."""
    return simulated(library, zone=request.param)


def of(found: Simulated, what: str) -> list[Happening]:
    return [one for one in found.happenings if one.what == what]


def messages(found: Simulated) -> Iterator[Happening]:
    return (one for one in of(found, "reminder") if one.channel != "coordinator")


def test_everything_comes_in_order_and_within_the_days_asked_for(years: Simulated) -> None:
    moments = [one.at for one in years.happenings]
    assert moments == sorted(moments)
    days = {moment.astimezone(years.zone).date() for moment in moments}
    assert FIRST <= min(days) <= max(days) <= LAST


def test_each_person_is_sent_each_step_of_each_questionnaire_once(years: Simulated) -> None:
    seen = Counter(
        (one.participant, one.timepoint, one.instrument, one.step, one.channel)
        for one in of(years, "reminder")
    )
    assert set(seen.values()) == {1}
    closed = {(one.participant, one.timepoint, one.instrument) for one in of(years, "closes")}
    for one in closed:
        assert {key[3:] for key in seen if key[:3] == one} == STEPS, one
    assert len({one[0] for one in closed}) == 3
    assert {one[1] for one in closed} == {
        "baseline", "day_28", "month_3", "month_6", "yearly", "yearly/2",
    }  # fmt: skip


def test_nothing_is_sent_outside_its_window_or_in_quiet_hours(years: Simulated) -> None:
    opens, closes = (
        {(one.participant, one.timepoint, one.instrument): one.at for one in of(years, what)}
        for what in ("opens", "closes")
    )
    for one in of(years, "reminder"):
        key = one.participant, one.timepoint, one.instrument
        assert opens[key] <= one.at
        assert key not in closes or one.at < closes[key]
    for one in messages(years):
        assert 8 <= one.at.astimezone(years.zone).hour < 20


def test_nobody_is_disturbed_twice_a_day(years: Simulated) -> None:
    moments = {(one.participant, one.at) for one in messages(years)}
    days = Counter((person, at.astimezone(years.zone).date()) for person, at in moments)
    assert set(days.values()) == {1}
    assert years.messages == len(moments)


def test_summer_and_winter_have_the_same_hours(years: Simulated) -> None:
    local = [(one.what, one.at.astimezone(years.zone)) for one in years.happenings]
    assert {f"{at:%H:%M}" for what, at in local if what == "opens"} == {"06:00"}
    assert {f"{at:%H:%M}" for what, at in local if what == "closes"} == {"23:00"}
    assert {f"{at:%H:%M}" for what, at in local if what == "reminder"} == {"09:00"}
    changes = {at.utcoffset() for _, at in local}
    assert len(changes) == (2 if str(years.zone) == "Europe/Berlin" else 1)


def test_windows_are_those_of_the_schedule(years: Simulated, library: Library) -> None:
    """The first person is enrolled on the first day, and infused two weeks later."""
    definition = parse_study(trial_content(library), library.instruments)
    days = {"enrolment": FIRST, "infusion": FIRST + timedelta(days=14)}
    expected = {
        (one.timepoint, one.occurrence, one.instrument): one.window
        for one in schedule.expected(definition.timepoints, days, years.zone)
    }
    mine = [one for one in of(years, "opens") if one.participant == "01-001"]
    for one in mine:
        code, _, occurrence = one.timepoint.partition("/")
        assert one.at == expected[code, int(occurrence or 1), one.instrument].opens_at
    assert len(mine) == len(expected)


def test_people_come_evenly_and_the_busiest_minute_is_counted(library: Library) -> None:
    found = simulate(
        library, Request(trial_content(library), 12, FIRST, FIRST + timedelta(days=60), 4)
    )
    first = Counter(
        one.at.astimezone(found.zone).date() for one in of(found, "opens")
        if one.timepoint == "baseline" and one.instrument == "lupusqol"
    )  # fmt: skip
    assert first == {FIRST + timedelta(days=n): 3 for n in range(4)}
    sent = Counter(one.at for one in messages(found))
    assert found.busiest is not None
    most = max(sent.values())
    assert found.busiest.reminders == most
    assert found.busiest.messages == most / 2, "two questionnaires, one message"
    assert found.busiest.at == min(at for at, count in sent.items() if count == most)


def test_a_live_study_is_simulated_before_its_wording_is_licensed(library: Library) -> None:
    content = {**trial_content(library), "status": "live"}
    found = simulate(library, Request(content, 1, FIRST, FIRST + timedelta(days=20)))
    assert {(one.step, one.channel) for one in of(found, "reminder")} == STEPS


def test_a_study_without_a_calendar_is_quiet(library: Library) -> None:
    content = trial_content(library)
    content["timepoints"] = [timepoint(content, "unscheduled")]
    found = simulate(library, Request(content, 2, FIRST, LAST))
    assert (found.happenings, found.messages, found.busiest) == ((), 0, None)


def test_a_faulty_study_is_refused(library: Library) -> None:
    with pytest.raises(DefinitionError, match="zone"):
        simulated(library, zone="Mars/Olympus")
