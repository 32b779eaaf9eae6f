"""Sending with workers that are killed, hurry each other, or lose their database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import psycopg
import pytest
import sqlalchemy as sa

from pro_app.config import ROOT
from pro_app.core.library import Library
from pro_app.models import (
    Assessment,
    Database,
    Device,
    Message,
    Participant,
    Reminder,
    Subscription,
)
from pro_app.models import Site as SiteRow
from pro_app.services.post_office import LEASE, subscription_text
from pro_app.services.vault import Vault
from tests.conftest import KEY, MORNING, TestClock, empty
from tests.services.push_sink import Answer, PushSink, eventually
from tests.services.trial import Trial, load_trial, subscription

LATER = MORNING + timedelta(hours=1)
AFTER_LEASE = LATER + LEASE + timedelta(seconds=1)
SETS = (("lupusqol", 1), ("sf36v1", 1), ("lupusqol", 2))  # instrument and occurrence


class Workers:
    """Starts workers in processes of their own, see `working`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.services.working"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, **order: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, trial: Trial, sink: PushSink, now: datetime, **more: Any) -> int:
        """A worker, under a clock that stands still: its process id."""
        url = trial.database.engine.url.render_as_string(hide_password=False)
        return self._ask(
            do="start", url=url, place=sink.place, now=now.isoformat(), secret=KEY, **more
        )

    def wait(self, pid: int) -> int:
        """How a worker ended."""
        return self._ask(do="wait", pid=pid)

    def run(self, trial: Trial, sink: PushSink, now: datetime, **more: Any) -> int:
        """Start a worker and wait for its end."""
        return self.wait(self.start(trial, sink, now, **more))

    def end(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.end()


@pytest.fixture
def sink() -> Iterator[PushSink]:
    with PushSink() as made:
        yield made


@dataclass(frozen=True)
class Crowd:
    """Many people with a phone and three open questionnaires each; of some it is due later."""

    topics: dict[str, int]  # of whom
    late: frozenset[str]


def crowd(trial: Trial, sink: PushSink, count: int, late: int = 0) -> Crowd:
    """Put a crowd into the trial, and plan."""
    vault, now = Vault(KEY), trial.clock()
    with trial.database.reading() as session:
        site_id = session.scalar(sa.select(SiteRow.id).limit(1))
    rows: dict[Any, list[dict[str, Any]]] = {}
    for n in range(1, count + 1):
        endpoint = f"http://{sink.place}/{n}"
        rows.setdefault(Participant, []).append(
            {"id": n, "study_id": trial.study.id, "site_id": site_id, "number": f"01-{n:03}",
             "text_size": 0, "language": "en", "created_at": now,
             "scheduled_version": trial.study.version,
             "reminder_minute": 600 if n > count - late else 540}
        )  # fmt: skip
        rows.setdefault(Device, []).append(
            {"id": n, "participant_id": n, "token_hash": f"{n:064}", "pin_failures": 0,
             "created_at": now, "used_at": now}
        )  # fmt: skip
        rows.setdefault(Subscription, []).append(
            {"participant_id": n, "device_id": n, "endpoint_hash": f"{n:064}", "state": "active",
             "host": sink.place, "vapid_key": "k", "created_at": now, "seen_at": now,
             "secret": vault.lock(subscription_text(subscription(endpoint)))}
        )  # fmt: skip
        for instrument, occurrence in SETS:
            rows.setdefault(Assessment, []).append(
                {"public_id": f"{n}-{instrument}-{occurrence}", "participant_id": n,
                 "timepoint": "unscheduled", "occurrence": occurrence, "instrument": instrument,
                 "place": 1, "opens_at": now - timedelta(hours=3),
                 "due_at": now - timedelta(hours=3), "closes_at": now + timedelta(days=9),
                 "created_at": now}
            )  # fmt: skip
    with trial.database.writing_rows() as session:
        for model, found in rows.items():
            session.execute(sa.insert(cast(Any, model.__table__)), found)
    trial.plan()
    topics = {vault.mark("topic", n): n for n in range(1, count + 1)}
    return Crowd(topics, frozenset(one for one, n in topics.items() if n > count - late))


def states(trial: Trial, step: str = "opening") -> Counter[str]:
    """How many reminders of a step are in each state."""
    query = sa.select(Reminder.state, sa.func.count()).where(Reminder.step == step)
    with trial.database.reading() as session:
        return Counter(dict(map(tuple, session.execute(query.group_by(Reminder.state)))))


def messages(trial: Trial) -> Counter[int]:
    """How many messages each person has, as the record says."""
    with trial.database.reading() as session:
        return Counter(session.scalars(sa.select(Message.participant_id)))


# --- kill -9 ------------------------------------------------------------------------------------


def test_a_worker_killed_between_sending_and_recording_is_the_one_case_of_two(
    trial: Trial, sink: PushSink, workers: Workers
) -> None:
    """The documented case. The service has the last batch's messages, and the worker is dead
    before it hears so: another sends these again, with the same topic, and no others."""
    people = crowd(trial, sink, 30, late=10)
    sink.answer = lambda post: Answer(hang=post.topic in people.late)
    pid = workers.start(trial, sink, LATER, limit=60)
    sink.wait_for(30)
    os.kill(pid, signal.SIGKILL)
    assert workers.wait(pid) == -signal.SIGKILL
    assert states(trial) == {"sent": 60, "planned": 30}
    sink.answer = lambda _post: Answer()
    assert workers.run(trial, sink, LATER) == 0
    assert len(sink.posts) == 30, "the lease still holds"
    assert workers.run(trial, sink, AFTER_LEASE) == 0
    assert sink.per_topic == {one: 2 if one in people.late else 1 for one in people.topics}
    assert states(trial) == {"sent": 90}
    assert set(messages(trial).values()) == {1}
    assert workers.run(trial, sink, AFTER_LEASE + LEASE) == 0
    assert len(sink.posts) == 40


def test_workers_killed_before_sending_cost_nobody_a_message(
    trial: Trial, sink: PushSink, workers: Workers
) -> None:
    people = crowd(trial, sink, 10)
    moment = MORNING
    for place in ("claim", "sent"):
        assert workers.run(trial, sink, moment, dies=place) == -signal.SIGKILL
        assert states(trial) == {"planned": 30}
        moment += LEASE
    assert sink.posts == []
    assert workers.run(trial, sink, moment) == 0
    assert sink.per_topic == dict.fromkeys(people.topics, 1)
    assert states(trial) == {"sent": 30}


# --- two at once --------------------------------------------------------------------------------


def test_two_workers_at_once_send_each_person_one_push_a_day(
    trial: Trial, sink: PushSink, workers: Workers
) -> None:
    """Batches so small that one person's reminders are often in two hands."""
    people = crowd(trial, sink, 100)
    pair = [workers.start(trial, sink, MORNING, limit=20) for _ in range(2)]
    assert [workers.wait(pid) for pid in pair] == [0, 0]
    assert workers.run(trial, sink, MORNING + timedelta(minutes=2)) == 0
    assert sink.per_topic == dict.fromkeys(people.topics, 1)
    assert states(trial) == {"sent": 300}
    assert messages(trial) == dict.fromkeys(people.topics.values(), 1)


# --- a database that comes and goes -------------------------------------------------------------


def test_a_database_that_throws_everybody_out_under_load_costs_nothing(
    postgresql_url: str, library: Library, sink: PushSink, workers: Workers
) -> None:
    """Every connection is cut again and again, as by a restart, while two workers send."""
    empty(postgresql_url)
    database = Database(postgresql_url)
    trial = load_trial(database, library, TestClock())
    people = crowd(trial, sink, 60)
    pair = [workers.start(trial, sink, MORNING, limit=10, stays=True) for _ in range(2)]
    cut = 0
    with psycopg.connect(postgresql_url.replace("+psycopg", ""), autocommit=True) as connection:
        for posts in range(1, 60, 4):
            assert eventually(lambda: len(sink.posts) >= posts or _idle(trial))  # noqa: B023
            found = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            cut += len(found.fetchall())
    assert cut >= 15
    assert eventually(lambda: _idle(trial))
    for pid in pair:
        os.kill(pid, signal.SIGTERM)
        assert workers.wait(pid) == 0, "it lived through all of it"
    assert workers.run(trial, sink, MORNING + 2 * LEASE) == 0
    assert workers.run(trial, sink, MORNING + 4 * LEASE) == 0
    assert sink.per_topic == dict.fromkeys(people.topics, 1)
    assert states(trial) == {"sent": 180}
    database.close()


def _idle(trial: Trial) -> bool:
    """Whether nothing is left that a worker could do at this moment."""
    query = sa.select(sa.func.count()).where(
        Reminder.state == "planned", Reminder.due_at <= MORNING, Reminder.lease_until.is_(None)
    )
    try:
        with trial.database.reading() as session:
            return session.scalar(query) == 0
    except sa.exc.OperationalError:  # thrown out, too
        return False
