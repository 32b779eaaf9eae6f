"""What is looked at before a start: the contact for push services, clocks, and the key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.config import PLACEHOLDER_SUBJECT
from pro_app.core.library import Library
from pro_app.models import Alarm, Database
from pro_app.services import checks
from pro_app.services.checks import StartRefused, before_start, confirm_clock
from tests.conftest import TestClock
from tests.services.trial import Trial, load_trial, office, subscribe

SUBJECT = "mailto:study@hospital.my"


@pytest.fixture(autouse=True)
def servers_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' day is not the database server's."""
    monkeypatch.setattr(checks, "APART", timedelta(days=36_500))


def start(trial: Trial, subject: str = SUBJECT, key_id: str | None = None) -> int:
    key = office(trial).key_id if key_id is None else key_id
    return before_start(trial.database, trial.library, subject, key, trial.clock())


def test_nothing_stands_in_the_way(trial: Trial) -> None:
    trial.enrol()
    assert start(trial) == 0
    assert start(trial, PLACEHOLDER_SUBJECT) == 0, "no study is live"


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        (PLACEHOLDER_SUBJECT, "is a placeholder that nobody can be reached by"),
        ("mailto:me@localhost", "is a placeholder that nobody can be reached by"),
        ("somebody", "is not one plain mailto: or https: address"),
    ],
)
def test_a_live_study_needs_a_contact(
    database: Database, library: Library, clock: TestClock, subject: str, told: str
) -> None:
    def live(content: dict[str, Any]) -> None:
        content["status"] = "live"

    trial = load_trial(database, library, clock, live)
    assert start(trial) == 0
    with pytest.raises(StartRefused, match=f"{told}, and the study trial is live"):
        start(trial, subject)


def test_a_record_ahead_of_the_clock_refuses(trial: Trial) -> None:
    trial.enrol()
    trial.clock.forward(minutes=-4)
    assert start(trial) == 0
    trial.clock.forward(minutes=-2)
    with pytest.raises(StartRefused) as refused:
        start(trial)
    assert "written at 2026-11-23 01:00:00 UTC" in str(refused.value)
    assert "clock shows 2026-11-23 00:54:00 UTC" in str(refused.value)
    assert "`pro-app check --clock-is-right`" in str(refused.value)


def test_a_clock_that_was_wrong_before_is_confirmed_once(trial: Trial) -> None:
    trial.enrol()
    trial.clock.forward(days=-3)
    confirm_clock(trial.database, trial.clock())
    assert start(trial) == 0
    assert trial.faults() == []


def test_another_clock_than_the_database_servers_refuses(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.clock.forward(days=40_000)
    if trial.database.engine.dialect.name == "postgresql":
        with pytest.raises(StartRefused, match="the database server's"):
            start(trial)
    else:
        assert start(trial) == 0
    trial.clock.forward(days=-40_000)
    assert start(trial) == 0


def test_phones_of_another_key_are_an_alarm(trial: Trial) -> None:
    for number in ("01-001", "01-002"):
        person = trial.enrol(number)
        subscribe(trial, person, trial.join(person), f"https://fcm.googleapis.com/{number}")
    assert start(trial) == 0
    assert start(trial, key_id="another") == 2
    assert start(trial, key_id="another") == 2
    with trial.database.reading() as session:
        alarm = session.scalars(sa.select(Alarm).where(Alarm.cleared_at.is_(None))).one()
    assert (alarm.code, alarm.detail.startswith("2 phones subscribed")) == ("vapid_key", True)
    assert start(trial) == 0
    with trial.database.reading() as session:
        assert session.scalars(sa.select(Alarm).where(Alarm.cleared_at.is_(None))).all() == []
