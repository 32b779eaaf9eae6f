"""The worker: it ticks, survives what goes wrong, and ends when it is told to."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from huey.registry import Message

from pro_app import worker
from pro_app.config import ROOT, Settings
from pro_app.core.library import Library
from pro_app.models import Alarm, AuditCheckpoint, Database, Reminder, TabletSession
from pro_app.services import audit, backups, reach, sending, staff
from pro_app.services.reminders import Planning
from pro_app.wiring import post_office
from pro_app.worker import ClockGuard, Ticker, make_consumer, make_queue
from tests.conftest import AUDIT_KEY, KEY, VAPID_KEY, Enrolled, TestClock, empty, make_database
from tests.delivery.sinks import Sink, free_port
from tests.services.backing_up import find_programs
from tests.services.correcting import hire
from tests.services.trial import Trial, load_trial, subscription, timepoint
from tests.services.watching import MONITORING, alerts_of, letters_of, submit

DEADLINE = 60.0  # seconds; nothing here takes that long


def until(true: Callable[[], Any], what: str) -> None:
    """Wait until something is true."""
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


# --- the clock guard ----------------------------------------------------------------------------


class Clocks:
    """A wall clock that can be set, and the time that the machine has been running."""

    def __init__(self) -> None:
        self.wall, self.running = 1_800_000_000.0, 1_000.0

    def guard(self) -> ClockGuard:
        return ClockGuard(lambda: self.wall, lambda: self.running)

    def forward(self, minutes: float) -> None:
        self.wall += minutes * 60
        self.running += minutes * 60


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_time_that_passes_is_no_jump(clocks: Clocks) -> None:
    guard = clocks.guard()
    for _ in range(1_000):
        clocks.forward(10)
        assert guard.jump() is None


def test_a_clock_that_is_a_little_off_is_believed(clocks: Clocks) -> None:
    guard = clocks.guard()
    for seconds in (299, -299):
        clocks.wall += seconds
        assert guard.jump() is None


@pytest.mark.parametrize("minutes", [6, 600_000, -6, -600_000])
def test_a_jump_is_not_believed_until_the_clock_is_right_again(
    clocks: Clocks, minutes: int
) -> None:
    guard = clocks.guard()
    clocks.forward(10)
    clocks.wall += minutes * 60
    for _ in range(3):
        assert guard.jump() == timedelta(minutes=minutes)
        clocks.forward(1)
    clocks.wall -= minutes * 60
    assert guard.jump() is None


def test_a_clock_that_stays_where_it_jumped_is_believed_in_the_end(clocks: Clocks) -> None:
    guard = clocks.guard()
    clocks.wall += 3_600
    for minute in range(15):
        assert guard.jump() is not None, minute
        clocks.forward(1)
    assert guard.jump() is None
    clocks.forward(1)
    assert guard.jump() is None
    clocks.wall -= 3_600
    assert guard.jump() == timedelta(hours=-1), "to go back would be the jump now"


def test_a_clock_that_jumps_again_is_waited_for_anew(clocks: Clocks) -> None:
    guard = clocks.guard()
    clocks.wall += 3_600
    for _ in range(14):
        assert guard.jump() is not None
        clocks.forward(1)
    clocks.wall += 3_600
    for _ in range(15):
        assert guard.jump() is not None
        clocks.forward(1)
    assert guard.jump() is None


# --- ticks --------------------------------------------------------------------------------------


@pytest.fixture
def sink() -> Iterator[Sink]:
    found = Sink()
    yield found
    found.end()


def settings_for(url: str, sink: Sink | None = None, queue: str = "sqlite://") -> Settings:
    return Settings(
        database_url=url,
        secret_key=KEY,
        vapid_key=VAPID_KEY,
        audit_key=AUDIT_KEY,
        queue_url=queue,
        push_hosts=() if sink is None else (sink.place,),
    )


def always_open(content: dict[str, Any]) -> None:
    """So that the tests may run at any hour."""
    content["reminders"]["hours"] = ["00:00", "24:00"]
    timepoint(content, "baseline").update(opens="00:00", closes="24:00")


@pytest.fixture
def site(database: Database, library: Library, clock: TestClock) -> Trial:
    """The trial, at the moment that it is, with its messages at any hour."""
    clock.now = datetime.now(UTC)
    return load_trial(database, library, clock, always_open)


def due(site: Trial, sink: Sink, people: int = 1) -> list[Enrolled]:
    """People with a phone whose first reminder is due now."""
    url = site.database.engine.url.render_as_string(hide_password=False)
    office = post_office(settings_for(url, sink), site.database, site.library, site.clock)
    found = [site.enrol(f"01-{n:03}") for n in range(1, people + 1)]
    for person in found:
        device_id = site.join(person)
        with site.database.writing() as session:
            endpoint = subscription(sink.url(f"/{person.number}"))
            reach.subscribe(session, office, person.id, device_id, endpoint, site.clock())
    with site.database.writing() as session:
        session.execute(
            sa.update(Reminder)
            .where(Reminder.step == "opening")
            .values(due_at=site.clock() - timedelta(minutes=1))
        )
    return found


def alarms(database: Database) -> dict[str, int]:
    """Open alarms, and how often each came."""
    with database.reading() as session:
        return {one.code: one.count for one in session.scalars(sa.select(Alarm))}


@pytest.fixture
def ticker(database_url: str, sink: Sink, clock: TestClock) -> Iterator[Ticker]:
    found = Ticker(settings_for(database_url, sink), clock)
    yield found
    found.close()


def test_a_tick_sends_what_is_due_once(ticker: Ticker, site: Trial, sink: Sink) -> None:
    due(site, sink, people=3)
    for _ in range(2):
        ticker.tick()
    assert sorted(one.path for one in sink.requests) == ["/01-001", "/01-002", "/01-003"]
    assert {one.state for one in site.reminders() if one.step == "opening"} == {"sent"}
    assert alarms(site.database) == {}


def test_a_tick_plans_too(ticker: Ticker, site: Trial) -> None:
    person = site.enrol()
    site.open(person, "unscheduled")
    ticker.tick()
    opened = site.assessments(person)["unscheduled", 1, "lupusqol"]
    assert opened.planned_at is not None
    assert opened.id in {one.assessment_id for one in site.reminders(person)}


def test_a_tick_ends_a_tablet_that_was_put_down(
    ticker: Ticker, site: Trial, clock: TestClock
) -> None:
    person = site.enrol()
    now = clock()
    with site.database.writing() as session:
        nurse = staff.add(session, "nurse@hospital.example", "Aminah", "en", now.date(), now)
        row = {"token_hash": "x", "created_at": now, "seen_at": now}
        session.add(TabletSession(participant_id=person.id, staff_id=nurse.id, **row))
    ended = []
    for _ in range(3):
        ticker.tick()
        with site.database.reading() as session:
            ended.append(session.scalars(sa.select(TabletSession.ended_how)).one())
        clock.forward(minutes=5)
    assert ended == [None, None, "idle"]


def test_a_tick_that_fails_is_logged_and_the_next_goes_on(
    ticker: Ticker,
    site: Trial,
    sink: Sink,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    due(site, sink)
    with monkeypatch.context() as patch:
        patch.setattr("pro_app.services.sending.claim", lambda _office: 1 / 0)
        for failures in (1, 2):
            ticker.tick()
            assert alarms(site.database) == {}, failures
        ticker.tick()
    assert "this tick failed" in caplog.text
    assert alarms(site.database) == {"worker": 1}
    ticker.tick()
    assert len(sink.requests) == 1


def test_a_tick_hands_on_what_nobody_acknowledged_and_writes_to_whom_it_concerns(
    ticker: Ticker, site: Trial
) -> None:
    site.amend(lambda content: content.update(MONITORING))
    hire(site, "Aminah", "coordinator")
    hire(site, "Dr Tan", "investigator")
    submit(site, pain=0, timepoint="unscheduled")
    ticker.tick()
    assert letters_of(site) == [("Dr Tan", "raised", "planned")]
    assert alarms(site.database) == {"email_misconfigured": 1}, "these settings have no server"
    site.clock.forward(hours=48)
    for _ in range(2):
        ticker.tick()
    assert [step for _, step, _ in letters_of(site)] == ["raised", "escalated"]
    assert alerts_of(site)["pain"].escalated_at == site.clock()


def test_reminders_go_out_although_alerts_fail(
    ticker: Ticker, site: Trial, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(site, sink)
    monkeypatch.setattr("pro_app.services.answer_alerts.escalate", lambda *_: 1 / 0)
    ticker.tick()
    assert len(sink.requests) == 1


def test_what_is_planned_goes_out_although_planning_fails(
    ticker: Ticker, site: Trial, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(site, sink)
    monkeypatch.setattr("pro_app.services.reminders.plan", lambda *_: 1 / 0)
    ticker.tick()
    assert len(sink.requests) == 1


def sealed(database: Database) -> int:
    """How many checkpoints there are."""
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(AuditCheckpoint)) or 0


def test_a_tick_seals_the_trail_once_an_hour_where_something_is_new(
    ticker: Ticker, site: Trial, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.enrol()
    for _ in range(2):
        ticker.tick()
        assert sealed(site.database) == 1
    site.enrol("01-002")
    clock.forward(minutes=59)
    ticker.tick()
    assert sealed(site.database) == 1
    clock.forward(minutes=1)
    monkeypatch.setattr("pro_app.services.reminders.plan", lambda *_: 1 / 0)
    ticker.tick()
    assert sealed(site.database) == 2, "also where planning fails"
    for _ in range(3):
        clock.forward(hours=2)
        ticker.tick()
    assert sealed(site.database) == 2
    with site.database.snapshot() as session:
        assert list(audit.verify(session)) == []


def test_a_trail_that_lost_entries_is_an_alarm(
    sqlite_url: str, library: Library, clock: TestClock
) -> None:
    clock.now = datetime.now(UTC)
    database = Database(sqlite_url)
    site = load_trial(database, library, clock, always_open)
    ticker = Ticker(settings_for(sqlite_url), clock)
    ticker.tick()
    with database.writing() as session:
        session.execute(sa.text("DROP TRIGGER append_only_delete_audit_entry"))
        session.execute(sa.text("DELETE FROM audit_entry"))
    site.enrol()
    clock.forward(hours=1)
    for _ in range(2):
        ticker.tick()
    assert sealed(database) == 1
    assert alarms(database) == {"audit": 1}
    ticker.close()
    database.close()


def test_a_tick_makes_the_days_backup_and_tells_of_one_that_failed(
    database_url: str,
    site: Trial,
    clock: TestClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find_programs(monkeypatch)
    folder = tmp_path / "backups"
    settings = replace(settings_for(database_url), backup_folder=folder, backup_keep=2)
    ticker = Ticker(settings, clock)

    def tick(**later: float) -> int:
        """How many backups there are after a tick, so much later."""
        clock.forward(**later)
        ticker.tick()
        ticker.close()  # which waits for the backup
        return len(list(folder.glob("*.sha256")))

    assert tick() == 0, "the folder is not there"
    assert alarms(site.database)["backup"] == 1
    folder.mkdir()
    assert tick(minutes=59) == 0, "what failed is not tried every minute"
    assert tick(minutes=1) == 1
    with site.database.reading() as session:
        (alarm,) = session.scalars(sa.select(Alarm).where(Alarm.code == "backup"))
        assert (alarm.detail, alarm.cleared_at) == (f"there is no folder '{folder}'", clock())
    assert tick(hours=23, minutes=59) == 1
    assert tick(minutes=1) == 2
    assert tick(days=1) == 2, "the oldest was removed"
    with site.database.reading() as session:
        made = [one.made_at for one in backups.listed(session)]
    assert made == [clock() - timedelta(days=day) for day in range(3)]


def test_a_tick_makes_no_backup_where_no_folder_is_set(
    ticker: Ticker, site: Trial, clock: TestClock
) -> None:
    ticker.tick()
    ticker.close()
    with site.database.reading() as session:
        assert list(backups.listed(session)) == []


def test_under_a_clock_that_jumped_nothing_goes_and_the_operator_is_told(
    database_url: str, site: Trial, sink: Sink, clock: TestClock, clocks: Clocks
) -> None:
    due(site, sink)
    ticker = Ticker(settings_for(database_url, sink), clock, clocks.guard())
    clocks.wall += 7_200
    for _ in range(2):
        ticker.tick()
        ticker.drain()
    assert sink.requests == []
    with site.database.reading() as session:
        alarm = session.scalars(sa.select(Alarm)).one()
    assert (alarm.code, alarm.count) == ("clock", 4)
    assert "the clock jumped forward by 2:00:00" in alarm.detail
    clocks.wall -= 7_200
    ticker.tick()
    assert len(sink.requests) == 1
    ticker.close()


def test_who_is_told_to_end_ends_after_the_batch(
    ticker: Ticker, site: Trial, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(site, sink, people=3)
    monkeypatch.setattr(sending.claim, "__defaults__", (2,))
    ticker.going = lambda: not sink.requests
    ticker.tick()
    assert 0 < len(sink.requests) < 3
    ticker.going = lambda: True
    ticker.tick()
    assert len(sink.requests) == 3


def test_two_ticks_of_a_process_are_not_at_work_at_once(
    ticker: Ticker, site: Trial, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(site, sink)
    seen = []

    def plan(*_: object) -> Planning:
        seen.append(1)
        ticker.tick()
        return Planning(0, 0)

    monkeypatch.setattr("pro_app.services.reminders.plan", plan)
    ticker.tick()
    assert len(seen) == 1


def test_where_there_is_much_to_do_the_others_are_woken(
    ticker: Ticker, site: Trial, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(site, sink, people=2)  # of two questionnaires each
    monkeypatch.setattr(sending, "BATCH", 2)
    woken: list[int] = []
    ticker.wake = woken.append
    ticker.tick()
    assert woken == ([] if site.database.engine.dialect.name == "sqlite" else [2])


# --- the queue ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def queue_database(postgresql: str) -> str:
    return make_database(postgresql, "queue").replace("+psycopg", "")


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def queue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("queue_database"))
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'queue.sqlite3'}"


def test_every_store_brings_ticks_to_the_worker(
    queue_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticked = Event()
    monkeypatch.setattr(Ticker, "tick", lambda _self: ticked.set())
    with worker.EmbeddedWorker(settings_for(sqlite_url, queue=queue_url)):
        assert ticked.wait(DEADLINE)


def test_without_a_clock_it_waits_for_the_ticks_of_others(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticked = Event()
    monkeypatch.setattr(Ticker, "tick", lambda _self: ticked.set())
    settings = settings_for(sqlite_url, queue=f"sqlite:///{tmp_path / 'queue.sqlite3'}")
    consumer, _ = make_consumer(settings, clock=False, embedded=True)
    consumer.start()
    assert not ticked.wait(0.3)
    elsewhere, _ = make_consumer(settings)
    for task in elsewhere.huey.read_periodic(None):
        elsewhere.huey.enqueue(task)
    assert ticked.wait(DEADLINE)
    consumer.stop(graceful=True)
    for one in (consumer, elsewhere):
        one.huey.storage.close()


def test_a_queue_that_restarts_stops_nobody(
    queue_database: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[int] = []
    monkeypatch.setattr(Ticker, "tick", lambda _self: ticks.append(1))
    settings = settings_for(sqlite_url, queue=queue_database)
    consumer, _ = make_consumer(settings, clock=False, embedded=True)
    consumer.start()
    other = make_queue(queue_database)
    worker.register(other, Ticker(settings))
    for count in (1, 2):
        for task in other.read_periodic(None):
            other.enqueue(task)
        until(lambda count=count: len(ticks) == count, f"tick {count}")
        with psycopg.connect(queue_database, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(psycopg.Error):
            other.storage.queue_size()  # it hears of it
    consumer.stop(graceful=True)
    for one in (consumer.huey, other):
        one.storage.close()


def test_a_database_that_restarts_costs_a_tick_at_most(
    postgresql_url: str, library: Library, clock: TestClock, sink: Sink
) -> None:
    empty(postgresql_url)
    clock.now = datetime.now(UTC)
    database = Database(postgresql_url)
    site = load_trial(database, library, clock, always_open)
    ticker = Ticker(settings_for(postgresql_url, sink), clock)
    ticker.tick()
    due(site, sink)
    database.close()
    with psycopg.connect(postgresql_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    for _ in range(2):
        ticker.tick()
    assert len(sink.requests) == 1
    assert alarms(database) == {}
    ticker.close()
    database.close()


def test_waking_others_is_a_task_each_without_content() -> None:
    queue, ticker = make_queue("sqlite://"), Ticker(settings_for("sqlite://"))
    worker.register(queue, ticker)
    ticker.wake(2)
    assert [(task.name, task.args, task.kwargs) for task in queue.pending()] == [
        ("drain", (), {})
    ] * 2


def test_nothing_in_the_queue_can_run_code() -> None:
    queue = make_queue("sqlite://")
    worker.register(queue, Ticker(settings_for("sqlite://")))
    kept = queue.serialize_task(queue.read_periodic(None)[0])
    assert json.loads(kept)[1] == "pro_app.worker.tick"
    assert queue.deserialize_task(kept).args == ()
    with pytest.raises(ValueError, match=r"utf-8|JSON|codec"):
        queue.serializer.deserialize(pickle.dumps(Message("1", "pro_app.worker.tick")))
    with pytest.raises(TypeError, match="carries nothing"):
        queue.serializer.serialize(Message("1", "pro_app.worker.tick", args=(1,)))


# --- real processes -----------------------------------------------------------------------------


class Program:
    """`pro-app` with a command, as the operating system runs it."""

    def __init__(self, command: str, settings: Settings, folder: Path) -> None:
        self.output = folder / "output.txt"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PRO_")},
            "PRO_INSTANCE": str(folder / "instance"),
            "PRO_DATABASE_URL": settings.database_url,
            "PRO_SECRET_KEY": settings.secret_key,
            "PRO_VAPID_KEY": settings.vapid_key,
            "PRO_PUSH_HOSTS": " ".join(settings.push_hosts),
        }
        program = "from pro_app.cli import main; main()"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, *command.split()],
                cwd=ROOT, env=environment, stdout=output, stderr=output,
            )  # fmt: skip

    def told(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def end(self) -> str:
        """SIGTERM: it ends by itself, and without complaint."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(DEADLINE) == 0, self.told()
        assert "Traceback" not in self.told()
        return self.told()


@pytest.fixture
def program(sqlite_url: str, sink: Sink, tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    started: list[Program] = []

    def start(command: str) -> Program:
        started.append(Program(command, settings_for(sqlite_url, sink), tmp_path))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.fixture
def people(sqlite_url: str, library: Library, clock: TestClock, sink: Sink) -> Iterator[Trial]:
    """A person whose reminder is due, in the database of the programs."""
    clock.now = datetime.now(UTC)
    database = Database(sqlite_url)
    made = load_trial(database, library, clock, always_open)
    due(made, sink)
    yield made
    database.close()


@pytest.mark.parametrize("command", ["worker", "worker --workers 2"])
def test_a_worker_sends_what_is_due_and_ends_by_sigterm(
    command: str, program: Callable[[str], Program], people: Trial, sink: Sink
) -> None:
    started = program(command)
    until(lambda: people.reminders(state="sent") or started.process.poll() is not None, "a tick")
    told = started.end()
    assert "working\n" in told
    assert [one.path for one in sink.requests] == ["/01-001"]
    assert "sent" in told, "the log tells what was done"


def test_the_server_sends_what_is_due_too(
    program: Callable[[str], Program], people: Trial, sink: Sink
) -> None:
    port = free_port()
    started = program(f"serve --port {port}")
    until(lambda: "serving" in started.told() or started.process.poll() is not None, "serving")

    def healthy() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
                return bool(answer.read() == b"ok\n")
        except OSError:  # it does not listen yet
            return False

    until(healthy, "healthy")
    until(lambda: people.reminders(state="sent"), "a tick")
    started.end()
    assert [one.path for one in sink.requests] == ["/01-001"]
