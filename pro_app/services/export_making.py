"""Making the exports that were asked for: the worker's side of `export_jobs`.

The table `export_job` is the queue, and the queue library only wakes workers: a claim is a lease
that ends by itself, and any worker may die anywhere. A file is written under another name and
takes its own in the transaction that puts it on record; so a job that was made twice has one file,
and no file can be fetched that the record does not know.

The files lie in one folder, which all machines of an installation share (`PRO_EXPORTS`): the one
that makes a file need not be the one that sends it.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.export.table import TableError
from pro_app.models import Database, ExportJob
from pro_app.services import alarms, exports, studies
from pro_app.services.by_staff import actor_of
from pro_app.services.export_jobs import PACK, JobRefused, asked_for, is_own
from pro_app.services.export_source import Tell
from pro_app.services.exports import ExportRefused, Made, Surroundings
from pro_app.services.studies import CurrentStudy

LEASE = timedelta(minutes=5)  # it is renewed with every frame: longer than one file takes to write
LIFE = timedelta(days=7)  # of a file
MOST_ATTEMPTS = 3  # a job that ends its worker each time is not begun for ever
MAKING = ".making-"  # folders of what is being made

log = logging.getLogger(__name__)


# makes the proof pack that a job asks for in a folder; it may raise ExportRefused
Prove = Callable[[Session, CurrentStudy, ExportJob, Path, Tell], Made]


class _Lost(Exception):
    """The lease has ended and somebody else has the job."""


class _Stopped(Exception):
    """The worker is to end."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where exports are made: what they are made of, and the folder of the files. Without `prove`
    no proof packs are made."""

    database: Database
    library: Library
    folder: Path
    words: Callable[[str], Callable[[str], str]]
    clock: Callable[[], datetime]
    address: str  # the installation's own
    prove: Prove | None = None

    def file(self, public_id: str) -> Path:
        """Where a job's file lies."""
        return self.folder / public_id


def drain(workshop: Workshop, going: Callable[[], bool] = lambda: True) -> int:
    """Make every export that waits, one after another: how many were begun. `going` is asked
    between two frames; a job that was stopped waits again."""
    count = 0
    while going() and (lease := claim(workshop)) is not None:
        count += 1
        _Making(workshop, lease, going).run()
    return count


def is_due(database: Database, now: datetime) -> bool:
    """Whether an export waits for a worker, or a file's time is over."""
    due = sa.or_(
        ExportJob.finished_at.is_(None),
        sa.and_(ExportJob.state == "done", ExportJob.expires_at <= now),
    )
    with database.reading_rows() as connection:
        return connection.scalar(sa.select(ExportJob.id).where(due).limit(1)) is not None


def claim(workshop: Workshop) -> str | None:
    """Lease the job that waits longest; None if none does. One that has ended several workers
    fails."""
    now, lease = workshop.clock(), secrets.token_urlsafe(12)
    free = sa.or_(
        ExportJob.state == "waiting",
        ExportJob.lease_until <= now,
        ExportJob.lease_until > now + LEASE,  # made under a clock that was set forward
    )
    undone = sa.and_(ExportJob.finished_at.is_(None), free)
    longest = (
        sa.select(ExportJob.id)
        .where(undone)
        .order_by(ExportJob.requested_at, ExportJob.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    table = ExportJob.__table__
    given_up = (
        sa.update(table)  # type: ignore[arg-type]
        .where(undone, ExportJob.attempts >= MOST_ATTEMPTS)
        .values(state="failed", error="abandoned", finished_at=now, lease=None, lease_until=None)
    )
    taken = (
        sa.update(table)  # type: ignore[arg-type]
        .where(ExportJob.id.in_(longest))
        .values(
            state="running", lease=lease, lease_until=now + LEASE, rows_done=0, percent=None,
            attempts=ExportJob.attempts + 1,
        )
    )  # fmt: skip
    with workshop.database.writing_rows() as connection:
        for _ in range(connection.execute(given_up).rowcount):
            alarms.sound(connection, "export", "an export ended its worker every time", now)
        claimed = connection.execute(taken).rowcount
    return lease if claimed else None


class _Making:
    """One job under a lease."""

    def __init__(self, workshop: Workshop, lease: str, going: Callable[[], bool]) -> None:
        self._workshop, self._lease, self._going = workshop, lease, going
        self._held = sa.and_(ExportJob.lease == lease, ExportJob.state == "running")

    def run(self) -> None:
        """Make the file; whatever goes wrong is written down."""
        folder = self._workshop.folder / f"{MAKING}{self._lease}"
        try:
            folder.mkdir(parents=True)
            os.chmod(self._workshop.folder, 0o700)
            self._finish(*self._make(folder))
        except _Lost:
            log.warning("an export took longer than its lease; another worker has it")
        except _Stopped:
            self._end(state="waiting", attempts=ExportJob.attempts - 1)
        except OperationalError as error:  # a database that restarts
            log.warning("an export waits again: %s", type(error).__name__)
            self._end(state="waiting")
        except TableError:
            self._fail("format")
        except (ExportRefused, JobRefused) as refused:
            self._fail(refused.code)
        except Exception as error:
            self._tell(error)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _make(self, folder: Path) -> tuple[ExportJob, CurrentStudy, Made]:
        shop = self._workshop
        with shop.database.snapshot() as session:
            job = session.scalars(sa.select(ExportJob).where(self._held)).one_or_none()
            if job is None:
                raise _Lost
            if not is_own(session, job, shop.clock()):
                raise JobRefused("the role has ended", "role")
            study = studies.current(session, shop.library, job.study_id)
            if job.what == PACK:
                if shop.prove is None:
                    raise ExportRefused("no proof packs are made here", "browser")
                return job, study, shop.prove(session, study, job, folder, self._go_on)
            around = Surroundings(study, shop.library, shop.words, job.as_of, shop.address)
            return job, study, exports.make(session, around, asked_for(job), folder, self._go_on)

    def _go_on(self, rows: int, percent: int | None) -> None:
        """Write down how far it is, which renews the lease."""
        if not self._going():
            raise _Stopped
        until = self._workshop.clock() + LEASE
        self._change(rows_done=rows, percent=percent, lease_until=until)

    def _change(self, **values: object) -> None:
        change = sa.update(ExportJob.__table__).where(self._held).values(**values)  # type: ignore[arg-type]
        with self._workshop.database.writing_rows() as connection:
            if not connection.execute(change).rowcount:
                raise _Lost

    def _finish(self, job: ExportJob, study: CurrentStudy, made: Made) -> None:
        """On record and in its place in one transaction: whose lease has ended changes nothing."""
        now = self._workshop.clock()
        values = {
            "state": "done", "lease": None, "lease_until": None, "rows_done": made.rows,
            "percent": 100, "file_name": made.name, "size": made.size, "sha256": made.sha256,
            "finished_at": now, "expires_at": now + LIFE,
        }  # fmt: skip
        with self._workshop.database.writing() as session:
            if not session.execute(  # type: ignore[attr-defined]
                sa.update(ExportJob).where(self._held).values(**values)
            ).rowcount:
                raise _Lost
            exports.note(
                session, study, asked_for(job), (made.rows, made.sha256), job.reason,
                actor_of(job.staff_id), job.as_of, now, made.told,
            )  # fmt: skip
            made.path.chmod(0o600)
            made.path.replace(self._workshop.file(job.public_id))

    def _tell(self, error: Exception) -> None:
        """Where the error arose, and not what it says: that may hold answers."""
        place = "".join(traceback.format_tb(error.__traceback__))
        log.error("an export failed: %s\n%s", type(error).__name__, place)
        with self._workshop.database.writing_rows() as connection:
            detail = f"an export failed: {type(error).__name__}"
            alarms.sound(connection, "export", detail, self._workshop.clock())
        self._fail("disk" if isinstance(error, OSError) else "fault")

    def _fail(self, code: str) -> None:
        self._end(state="failed", error=code, finished_at=self._workshop.clock())

    def _end(self, **values: object) -> None:
        try:
            self._change(lease=None, lease_until=None, **values)
        except _Lost:
            log.warning("an export that was given up has another worker by now")


def tidy(workshop: Workshop) -> int:
    """Remove the files whose time is over, and what dead workers left: how many jobs' files."""
    folder, now = workshop.folder, workshop.clock()
    names = [one.name for one in folder.iterdir()] if folder.is_dir() else []
    expired = (
        sa.update(ExportJob.__table__)  # type: ignore[arg-type]
        .where(ExportJob.state == "done", ExportJob.expires_at <= now)
        .values(state="expired")
    )
    with workshop.database.writing_rows() as connection:
        count: int = connection.execute(expired).rowcount
    if names:
        _remove(workshop, names)
    return count


def _remove(workshop: Workshop, names: Sequence[str]) -> None:
    """Of the files that were there before, those that belong to no job any more."""
    living = sa.select(ExportJob.public_id, ExportJob.lease).where(
        ExportJob.state.in_(("running", "done"))
    )
    with workshop.database.reading_rows() as connection:
        rows = connection.execute(living).all()
    kept = {row.public_id for row in rows} | {f"{MAKING}{row.lease}" for row in rows}
    for name in names:
        if name not in kept:
            path = workshop.folder / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
