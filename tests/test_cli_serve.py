"""What `serve` and `worker` refuse to start with, and `check` that says so beforehand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pro_app.config import Settings
from pro_app.core.library import Library
from pro_app.models import Database
from tests.conftest import Run, TestClock
from tests.services.trial import TRIAL, load_trial, subscribe

WELL = "nothing stands in the way of a start\n"


def test_a_sound_installation_may_start(loaded: Run) -> None:
    assert loaded("check").output == WELL


def test_a_live_study_does_not_start_with_a_placeholder(
    loaded: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRO_PUBLIC_URL", "http://localhost:5000")
    monkeypatch.delenv("PRO_VAPID_SUBJECT")
    assert loaded("check").output == WELL, "the demonstration and tests may"
    live = tmp_path / "live.toml"
    text = TRIAL.read_text(encoding="utf-8")
    live.write_text(text.replace('status = "test"', 'status = "live"'), encoding="utf-8")
    loaded("study load", live)
    for command in ("serve --port 1", "worker", "check"):
        told = loaded(command, code=1).output
        assert told.startswith("Error: PRO_VAPID_SUBJECT is a placeholder")
        assert "mailto:you@your-hospital" in told
        assert told.count("\n") == 1


def test_nothing_starts_with_a_clock_behind_the_record(
    run: Run, sqlite_url: str, library: Library, clock: TestClock
) -> None:
    clock.now = datetime.now(UTC) + timedelta(hours=2)
    database = Database(sqlite_url)
    load_trial(database, library, clock).enrol()
    database.close()
    for command in ("serve --port 1", "worker", "check"):
        told = run(command, code=1).output
        assert told.startswith("Error: the newest entry on record was written at")
    assert run("check --clock-is-right").output == WELL
    assert run("check").output == WELL
    assert "no fault" in run("verify-audit").output


def test_phones_of_another_key_are_told_but_stop_nothing(
    run: Run, sqlite_url: str, library: Library, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(sqlite_url)
    site = load_trial(database, library, clock)
    person = site.enrol()
    subscribe(site, person, site.join(person))
    database.close()
    assert run("check").output == WELL
    monkeypatch.delenv("PRO_VAPID_KEY")
    told = run("check")
    assert told.stdout == WELL
    assert "warning: 1 phones subscribed with another VAPID key" in told.stderr
    assert "ALARM vapid_key: 1 phones" in run("reminders status", code=1).output


def test_a_queue_that_cannot_be_opened_is_told_without_its_address(
    loaded: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRO_QUEUE_URL", f"sqlite:///{tmp_path}/none/queue.sqlite3")
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    told = loaded("worker", code=1).output
    assert told == "Error: PRO_QUEUE_URL: the queue cannot be opened: OperationalError\n"
    monkeypatch.setenv("PRO_QUEUE_URL", "sqlite://")
    assert "is for one worker alone" in loaded("worker --workers 2", code=1).output


@pytest.mark.parametrize("options", ["", "--no-worker"])
def test_the_server_has_a_worker_unless_told_otherwise(
    loaded: Run, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    seen: list[str] = []

    class Worker:
        def __init__(self, _settings: Settings) -> None:
            pass

        def __enter__(self) -> None:
            seen.append("worker begins")

        def __exit__(self, *_: object) -> None:
            seen.append("worker ends")

    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("pro_app.worker.EmbeddedWorker", Worker)
    monkeypatch.setattr("waitress.serve", lambda *_, **__: seen.append("serves"))
    loaded(f"serve {options}")
    assert seen == (["serves"] if options else ["worker begins", "serves", "worker ends"])
