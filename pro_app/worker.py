"""The worker: once a minute it plans and sends what is due, hands on alerts on answers that nobody
acknowledged, and once an hour it makes a checkpoint of the audit trail. Beside that, in threads of
their own, each process makes one export at a time, and the day's backup. huey only wakes it.

A task carries nothing, so that a lost one costs a minute and a double one nothing: the queues
that matter are the tables `reminder`, `alert_letter` and `export_job`. Where the database is
PostgreSQL, a tick that finds more than a batch of reminders wakes the other workers, on as many
machines as there are.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from huey import Huey, MemoryHuey, PostgresHuey, RedisHuey, SqliteHuey, crontab  # type: ignore[import-untyped]
from huey.consumer import Consumer  # type: ignore[import-untyped]
from huey.registry import Message  # type: ignore[import-untyped]
from huey.serializer import Serializer  # type: ignore[import-untyped]

from pro_app.config import ROOT, Settings
from pro_app.core.library import load_library
from pro_app.models import Database, Reminder
from pro_app.services import (
    alarms,
    alert_letters,
    answer_alerts,
    backups,
    checkpoints,
    export_making,
    picture_data,
    reminders,
    sending,
    tablet,
)
from pro_app.services.audit_key import AuditKey
from pro_app.services.dump_programs import BackupFault
from pro_app.services.outgoing import Tally
from pro_app.services.post_office import PostOffice
from pro_app.wiring import post_office, workshop

JUMP = timedelta(minutes=5)  # of the clock against the machine's running time: it was set
CLOCK_WAIT = timedelta(minutes=15)  # then a clock that stays where it was set is believed
STALE = 600  # seconds; ticks that waited longer than this are dropped unrun
MOST_HELPERS = 32  # workers that a tick wakes
FAILURES = 3  # ticks one after another, until there is an alarm
BACKUP_AGAIN = timedelta(hours=1)  # after one that failed
EXPORT = "export"  # the task that wakes a worker for exports
POLL = 2.0  # seconds at most between two looks at a queue in SQLite

log = logging.getLogger(__name__)


def running_seconds() -> float:
    """How long the machine has been running, asleep or awake; nobody can set this clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ClockGuard:
    """Tells when the wall clock jumped against the machine's running time since the start.

    Until it is right again, or has stayed where it jumped to for CLOCK_WAIT, it is not believed.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        running: Callable[[], float] = running_seconds,
    ) -> None:
        self._wall, self._running = wall, running
        self._offset = self._seen = wall() - running()
        self._since: float | None = None

    def jump(self) -> timedelta | None:
        """By how much the clock has jumped; None while it can be believed."""
        running = self._running()
        offset = self._wall() - running
        limit = JUMP.total_seconds()
        if abs(offset - self._offset) <= limit:
            self._since = None
            return None
        if self._since is None or abs(offset - self._seen) > limit:
            self._since, self._seen = running, offset
        if running - self._since >= CLOCK_WAIT.total_seconds():
            self._offset, self._since = offset, None
            return None
        return timedelta(seconds=round(offset - self._offset))


class Ticker:
    """What a worker does each minute. It opens what it works with at its first tick, so that
    each of several processes has its own.

    `going` is asked between two batches; `wake` gets the number of other workers to wake.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], datetime] | None = None,
        guard: ClockGuard | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock or (lambda: datetime.now(UTC))
        self._guard = guard or ClockGuard()
        self._busy = threading.Lock()
        self._office: PostOffice | None = None
        self._opening, self._exporting = threading.Lock(), threading.Lock()
        self._exporter: threading.Thread | None = None
        self._failures = 0
        self._looked_at: datetime | None = None  # for what a checkpoint does not hold yet
        self._pictures: threading.Thread | None = None
        self._backup: threading.Thread | None = None
        self._backup_begun: datetime | None = None
        self.going: Callable[[], bool] = lambda: True
        self.wake: Callable[[int], None] = lambda _count: None

    def tick(self) -> None:
        """Plan and send what is due, and make the hour's checkpoint; whatever goes wrong is logged,
        and the next tick goes on."""
        self._alone(self._plan_send_and_seal)

    def drain(self) -> None:
        """Help to send what is due."""
        self._alone(lambda office: self._send(office))

    def export(self) -> None:
        """Begin to make the exports that wait, unless that was begun already; no reminder waits
        for them."""
        with self._exporting:
            if self._exporter is not None and self._exporter.is_alive():
                return
            self._exporter = threading.Thread(target=self._make_exports, name="exports")
            self._exporter.start()

    def close(self) -> None:
        """Close the database, when the export at hand has been put back or is done, and the
        columns of pictures and the backup likewise."""
        for thread in (self._exporter, self._pictures, self._backup):
            if thread is not None:
                thread.join()
        if self._office is not None:
            self._office.database.close()
            self._office = None

    def _make_exports(self) -> None:
        try:
            office = self._opened()
            shop = workshop(self._settings, office.database, office.library, self._clock)
            made, removed = export_making.drain(shop, self.going), export_making.tidy(shop)
            if made or removed:
                log.info("exports: %s taken on, %s removed", made, removed)
        except Exception as error:  # not what it says: that may hold answers
            log.error("exports failed, and are tried again: %s", type(error).__name__)

    def _alone(self, work: Callable[[PostOffice], None]) -> None:
        if not self._busy.acquire(blocking=False):
            log.info("the last tick is still at work")
            return
        try:
            office = self._opened()
            if self._believed(office):
                work(office)
            self._failures = 0
        except Exception as error:
            log.exception("this tick failed; the next one tries again")
            self._count(error)
        finally:
            self._busy.release()

    def _opened(self) -> PostOffice:
        with self._opening:
            if self._office is None:
                database = Database(self._settings.database_url)
                library = load_library(ROOT / "questionnaires")
                self._office = post_office(self._settings, database, library, self._clock)
            return self._office

    def _believed(self, office: PostOffice) -> bool:
        jump = self._guard.jump()
        if jump is None:
            return True
        sign = "forward" if jump > timedelta() else "back"
        told = (
            f"the clock jumped {sign} by {abs(jump)}; nothing is planned or sent until it is right"
        )
        with office.database.writing_rows() as session:
            alarms.sound(session, "clock", told, office.clock())
        return False

    def _plan_send_and_seal(self, office: PostOffice) -> None:
        try:
            self._tell_of_alerts(office)
        finally:  # none waits for another
            try:
                self._plan_and_send(office)
            finally:  # the record is sealed also where no reminder can go
                self._make_checkpoint(office)
                self._end_tablets(office)
                if export_making.is_due(office.database, office.clock()):
                    self.export()
                self._make_pictures(office)
                self._make_backup(office)

    def _make_pictures(self, office: PostOffice) -> None:
        """The columns of large studies' pictures, in a thread of their own: they take minutes, and
        no reminder waits for them."""
        folder = self._settings.instance / "pictures"
        at_work = self._pictures is not None and self._pictures.is_alive()
        if at_work or not picture_data.is_wanted(folder):
            return

        def work() -> None:
            database, library, now = office.database, office.library, office.clock()
            try:
                picture_data.make_wanted(database, library, folder, now, self.going)
            except Exception:
                log.exception("the columns of pictures could not be made; asked again, they are")

        self._pictures = threading.Thread(target=work, name="pictures")
        self._pictures.start()

    def _make_backup(self, office: PostOffice) -> None:
        """The day's backup, in a thread of its own, too."""
        folder, now = self._settings.backup_folder, office.clock()
        begun = self._backup_begun
        if folder is None or (self._backup is not None and self._backup.is_alive()):
            return
        if begun is not None and timedelta() <= now - begun < BACKUP_AGAIN:
            return
        with office.database.reading_rows() as session:
            if not backups.is_due(session, now):
                return
        self._backup_begun = now

        def work() -> None:
            try:
                made = backups.daily(
                    office.database, folder, self._settings.backup_keep, office.clock
                )
                log.info("backup %s, %s bytes", made.path.name, made.size)
            except BackupFault:
                log.info("a backup is tried again in an hour")  # its alarm is in the log
            except Exception as error:
                log.error("the backup failed: %s", type(error).__name__)

        self._backup = threading.Thread(target=work, name="backup")
        self._backup.start()

    def _tell_of_alerts(self, office: PostOffice) -> None:
        """Hand on the alerts on answers that nobody has acknowledged in time, and write to those
        for whom one waits."""
        escalated = answer_alerts.escalate(office.database, office.clock())
        if escalated:
            log.info("%s alerts on answers escalated", escalated)
        tally = alert_letters.drain(office, self.going)
        if tally != alert_letters.Tally():
            log.info("%s", tally)

    def _end_tablets(self, office: PostOffice) -> None:
        """A tablet that was put down may tell nobody of it."""
        now = office.clock()
        with office.database.reading() as session:
            if not tablet.idle(session, now):
                return
        with office.database.writing() as session:
            ended = tablet.end_idle(session, now)
        log.info("%s sessions at a tablet ended", ended)

    def _make_checkpoint(self, office: PostOffice) -> None:
        """The hour's checkpoint. To look for news takes reading every stream's newest entry, so
        that where there are none, the next look is an hour later too."""
        now = office.clock()
        if self._looked_at and timedelta() <= now - self._looked_at < checkpoints.INTERVAL:
            return
        with office.database.reading_rows() as connection:
            if not checkpoints.is_due(connection, now):
                return
        self._looked_at = now
        try:
            with office.database.writing() as session:
                key = AuditKey.read(self._settings.audit_key)
                made = checkpoints.make(session, key, now)
        except checkpoints.TrailBehind as error:
            with office.database.writing_rows() as connection:
                alarms.sound(connection, "audit", str(error), now)
        else:
            if made is not None:
                log.info("checkpoint %s of the audit trail", made.number)

    def _plan_and_send(self, office: PostOffice) -> None:
        try:
            planned = reminders.plan(office.database, office.library, office.clock())
            if planned.followed or planned.planned:
                log.info("%s", planned)
        finally:  # what is planned already goes out all the same
            self._wake_others(office)
            self._send(office)

    def _send(self, office: PostOffice) -> None:
        tally = sending.drain(office, self.going)
        if tally != Tally():
            log.info("%s", tally)

    def _wake_others(self, office: PostOffice) -> None:
        if office.database.engine.dialect.name == "sqlite":
            return  # which takes one writer at a time
        with office.database.reading_rows() as session:
            due = session.scalar(
                sa.select(sa.func.count())
                .select_from(Reminder)
                .where(Reminder.state == "planned", Reminder.due_at <= office.clock())
            )
        helpers = min((due or 0) // sending.BATCH, MOST_HELPERS)
        if helpers:
            self.wake(helpers)

    def _count(self, error: Exception) -> None:
        """Once is nothing (a database that restarts); every time is an alarm."""
        self._failures += 1
        if self._failures < FAILURES or self._office is None:
            return
        try:
            with self._office.database.writing_rows() as session:
                told = f"{self._failures} ticks failed one after another: {type(error).__name__}"
                alarms.sound(session, "worker", told, self._clock())
        except Exception:
            log.exception("the alarm could not be raised")


class _NameOnly(Serializer):  # type: ignore[misc]
    """Keeps of a task its id, name and end. Nothing read from the queue can run code, as it could
    with huey's own pickles, and no task can carry data."""

    def _serialize(self, data: Any) -> bytes:
        if not isinstance(data, Message) or data.args or data.kwargs:
            raise TypeError("a task carries nothing")
        until = data.expires_resolved
        kept = [data.id, data.name, None if until is None else until.isoformat()]
        return json.dumps(kept).encode()

    def _deserialize(self, data: Any) -> Any:
        number, name, until = json.loads(bytes(data))
        resolved = None if until is None else datetime.fromisoformat(until)
        return Message(id=number, name=name, expires_resolved=resolved)


def make_queue(url: str) -> Huey:
    """The queue that an address names: `sqlite:///file`, `sqlite://` (in memory, of this process
    alone), `postgresql://` or `redis://`."""
    scheme, _, rest = url.partition("://")
    kept = {"name": "pro_app", "results": False, "serializer": _NameOnly()}
    if scheme == "sqlite":
        path = rest.partition("?")[0][1:]
        return SqliteHuey(filename=path, **kept) if path else MemoryHuey(**kept)
    if scheme == "postgresql":
        return PostgresHuey(dsn=url, **kept)
    return RedisHuey(url=url, **kept)


def in_memory(url: str) -> bool:
    """Whether a queue is of one process alone."""
    return not url.removeprefix("sqlite://").strip("/")


def register(queue: Huey, ticker: Ticker) -> None:
    """Make the ticker's work the queue's tasks."""

    @queue.periodic_task(crontab(), name="tick", expires=STALE)  # type: ignore[untyped-decorator]
    def tick() -> None:
        ticker.tick()

    @queue.task(name="drain", expires=STALE)  # type: ignore[untyped-decorator]
    def drain() -> None:
        ticker.drain()

    @queue.task(name=EXPORT, expires=STALE)  # type: ignore[untyped-decorator]
    def export() -> None:
        ticker.export()

    def wake(count: int) -> None:
        for _ in range(count):
            drain()

    ticker.wake = wake
    # each thread of a worker may hold a connection of its own
    queue.on_shutdown(name="close")(queue.storage.close)


def wake_for_exports(url: str) -> None:
    """Put down for the workers of a queue that an export waits; a queue in memory has none but its
    own. Raises what the store raises."""
    if in_memory(url):
        return
    queue = make_queue(url)

    @queue.task(name=EXPORT, expires=STALE)  # type: ignore[untyped-decorator]
    def export() -> None:
        """As the workers know it, see `register`."""

    try:
        export()
    finally:
        queue.storage.close()


class _Embedded(Consumer):  # type: ignore[misc]
    """A consumer in a thread of another program, whose signals are that program's."""

    def _set_signal_handlers(self) -> None:
        pass


def make_consumer(
    settings: Settings, workers: int = 1, clock: bool = True, embedded: bool = False
) -> tuple[Consumer, Ticker]:
    """A consumer, not yet running: one worker is a thread, several are processes.

    `clock` tells whether it makes the ticks too. On SIGTERM it ends after the batch at hand.
    """
    queue = make_queue(settings.queue_url)
    ticker = Ticker(settings)
    register(queue, ticker)
    consumer = (_Embedded if embedded else Consumer)(
        queue,
        workers=workers,
        periodic=clock,
        worker_type="thread" if workers == 1 else "process",
        max_delay=POLL,
        graceful_signal="TERM",
    )
    ticker.going = lambda: not consumer.stop_flag.is_set()
    return consumer, ticker


def run(consumer: Consumer, ticker: Ticker) -> None:
    """Work until SIGTERM, which waits for the batch at hand, or SIGINT, which does not."""
    try:
        consumer.run()
    finally:
        ticker.close()


class EmbeddedWorker:
    """A worker in a thread of the web server's process."""

    def __init__(self, settings: Settings) -> None:
        self._consumer, self._ticker = make_consumer(settings, embedded=True)
        self._thread = threading.Thread(target=self._consumer.run, name="worker", daemon=True)

    def __enter__(self) -> EmbeddedWorker:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End after the batch at hand."""
        self._consumer.stop(graceful=True)
        self._thread.join()
        self._ticker.close()
        self._consumer.huey.storage.close()
