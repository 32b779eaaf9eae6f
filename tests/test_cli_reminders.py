"""The commands of `reminders`, as an operator and a coordinator type them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.models import Database, PushHost, Reminder
from pro_app.services import alarms
from tests.conftest import Run, TestClock
from tests.services.trial import Trial, load_trial, local


@pytest.fixture
def site(trial_loaded: Run, sqlite_url: str, library: Library, clock: TestClock) -> Trial:
    """The hands of the participants, on the database of the commands."""
    return load_trial(Database(sqlite_url), library, clock)


def test_run_once_plans_and_sends_and_says_so(trial_loaded: Run, site: Trial) -> None:
    person = site.enrol("01-001")
    site.open(person, "unscheduled")
    told = trial_loaded("reminders run-once").output.splitlines()
    assert told[0] == "2 questionnaires planned"
    assert "failed" in told[-1], "there is neither phone nor mail server"
    for _ in range(2):
        trial_loaded("reminders run-once")
    assert {one.state for one in site.reminders(person) if one.step == "opening"} == {
        "failed", "listed",
    }  # fmt: skip


def test_who_cannot_be_reached_is_on_the_list_to_call(
    trial_loaded: Run, site: Trial, clock: TestClock
) -> None:
    assert trial_loaded("reminders calls").output == "nobody to call\n"
    person = site.enrol("01-001")
    site.enrol("01-002")
    trial_loaded("reminders run-once")
    told = trial_loaded("reminders calls").output.splitlines()
    assert told[0] == "01-001  push: no phone has joined; e-mail: none"
    assert told[1] == (
        "        baseline lupusqol: open until 2026-12-06 23:00 (13 d 14 h left), on this list "
        "since 2026-11-23 09:00"
    )
    assert [line[:6] for line in told if not line.startswith(" ")] == ["01-001", "01-002"]
    site.complete(person, "baseline")
    assert "01-001" not in trial_loaded("reminders calls").output
    clock.now = local(2026, 12, 7, 9)
    assert trial_loaded("reminders calls").output == "nobody to call\n"


def test_status_is_well_while_nothing_waits_too_long(
    trial_loaded: Run, site: Trial, clock: TestClock
) -> None:
    site.enrol("01-001")
    told = trial_loaded("reminders status").output
    assert "due now: 2, the oldest for less than a minute\n" in told
    assert "all: 8 planned\n" in told
    assert "2026-11-23  0         0       0\n" in told
    clock.forward(minutes=15)
    trial_loaded("reminders status")
    clock.forward(minutes=1)
    assert "due now: 2, the oldest for 16 min\n" in trial_loaded("reminders status", code=1).output
    trial_loaded("reminders run-once")
    assert "due now: 0\n" in trial_loaded("reminders status").output


def test_status_counts_days_and_hosts(trial_loaded: Run, site: Trial, clock: TestClock) -> None:
    person = site.enrol("01-001")
    site.complete(person, "baseline", "lupusqol")
    with site.database.writing() as session:
        until = clock() + timedelta(minutes=5)
        session.add(PushHost(host="push.example.org", failures=5, blocked_until=until))
        session.add(PushHost(host="well.example.org", failures=0, blocked_until=None))
        session.execute(sa.update(Reminder).where(Reminder.state == "planned").values(due_at=until))
    told = trial_loaded("reminders status").output
    assert "2026-11-23  0         0       1\n" in told
    assert "left alone until 2026-11-23 01:05 UTC: push.example.org\n" in told
    assert "well.example.org" not in told
    assert len([line for line in told.splitlines() if line.startswith("2026-")]) == 7


def test_an_alarm_is_told_until_it_is_cleared(trial_loaded: Run, site: Trial) -> None:
    with site.database.writing() as session:
        for _ in range(2):
            alarms.sound(session, "push_misconfigured", "status 403: forbidden", site.clock())
    told = trial_loaded("reminders status", code=1).output
    assert "ALARM push_misconfigured: status 403: forbidden (2 times, last 2026-11-23 01:00" in told
    refused = trial_loaded("reminders clear-alarm clock", code=1).output
    assert refused == "Error: there is no open alarm 'clock'; open are push_misconfigured\n"
    assert trial_loaded("reminders clear-alarm push_misconfigured").output == (
        "alarm push_misconfigured cleared\n"
    )
    trial_loaded("reminders status")
