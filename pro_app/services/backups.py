"""Backups of the database: made, read again and compared, and only then put down as made.

A file has its name from the moment that it was found to be whole; until then it is a part, which
the next backup removes. The keys are in no backup: they lie apart, or one thief has both.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Backup, Database, Transaction
from pro_app.services import alarms, dumps
from pro_app.services.dump_programs import BackupFault
from pro_app.services.dumps import Facts

KEYS = ("PRO_SECRET_KEY", "PRO_PREVIOUS_SECRET_KEYS", "PRO_VAPID_KEY", "PRO_AUDIT_KEY")
DAILY = timedelta(days=1)  # from one of the worker's to the next
ALARM = "backup"
CHECKSUM = ".sha256"
_NAME = re.compile(r"pro_app_\d{8}T\d{6}Z\.(sqlite3|dump)", re.ASCII)
_PART = re.compile(_NAME.pattern + r"(\.sha256)?\.part(-journal)?", re.ASCII)
_DIGEST = re.compile(r"([0-9a-f]{64})  (\S+)\n", re.ASCII)


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was found to be whole."""

    path: Path
    sha256: str
    size: int
    facts: Facts


def make(
    database: Database, folder: Path, clock: Callable[[], datetime], drill: str | None = None
) -> Made:
    """Write a backup into a folder, check it, and put it down.

    With `drill`, the address of an empty database, it is restored there and compared, too. Raises
    BackupFault if it cannot be made or is not whole; nothing is left behind then.
    """
    made_at = clock()
    kind = database.engine.dialect.name
    path = folder / f"pro_app_{made_at.astimezone(UTC):%Y%m%dT%H%M%SZ}{dumps.SUFFIXES[kind]}"
    try:
        with _alone(folder):
            _remove_parts(folder)
            if path.exists():
                raise BackupFault(f"{path.name} is there already")
            if drill is not None:
                dumps.refuse_if_unfit(kind, drill)
            try:
                made = _written(database, path, drill)
                row = Backup(
                    made_at=made_at, name=path.name, sha256=made.sha256, size=made.size,
                    entries=made.facts.entries, verified_at=clock(), drill=drill is not None,
                )  # fmt: skip
                with database.writing() as session:
                    session.add(row)
            except BaseException:
                _discard(path)
                raise
    except (OSError, sqlite3.Error, sa.exc.DBAPIError) as error:
        raise BackupFault(f"the backup cannot be made: {_reason(error)}") from error
    return made


def _written(database: Database, path: Path, drill: str | None) -> Made:
    """The file under its name, once it is whole."""
    part = _part(path)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    facts = dumps.dump(database, part)
    _sync(part)
    facts.compare(dumps.read(part))
    if drill is not None:
        facts.compare(dumps.restore(part, drill))
    digest = sha256(part)
    _write_checksum(path, digest)
    part.rename(path)
    _sync(path.parent)
    return Made(path, digest, path.stat().st_size, facts)


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _discard(path: Path) -> None:
    for one in (path, path.with_name(path.name + CHECKSUM)):
        one.unlink(missing_ok=True)
        _part(one).unlink(missing_ok=True)


def _write_checksum(path: Path, digest: str) -> None:
    """Before the file has its name: none of ours is ever without."""
    beside = path.with_name(path.name + CHECKSUM)
    part = _part(beside)
    part.touch(mode=0o600)
    part.write_text(f"{digest}  {path.name}\n", encoding="ascii")
    _sync(part)
    part.rename(beside)


def check(path: Path) -> str:
    """The SHA-256 of a file, which is that beside it. Raises BackupFault if it is another one."""
    beside = path.with_name(path.name + CHECKSUM)
    try:
        told = _DIGEST.fullmatch(beside.read_text(encoding="ascii", errors="replace"))
        digest = sha256(path)
    except OSError as error:
        raise BackupFault(f"{error.filename} cannot be read: {error.strerror}") from error
    if told is None:
        raise BackupFault(f"{beside.name} holds no checksum")
    if told[1] != digest:
        raise BackupFault(f"{path.name} is spoilt: its SHA-256 is not that in {beside.name}")
    return digest


def restore(path: Path, url: str) -> Facts:
    """Put a backup into the empty or new database at `url`: what is in it, which was compared.

    Raises BackupFault if the file is spoilt, or the database is not fit for it.
    """
    try:
        check(path)
        dumps.refuse_if_unfit(dumps.kind(path), url)
        facts = dumps.read(path)
        facts.compare(dumps.restore(path, url))
    except (OSError, sqlite3.Error, sa.exc.DBAPIError) as error:
        raise BackupFault(f"the backup cannot be restored: {_reason(error)}") from error
    return facts


def tidy(folder: Path, keep: int, newest: Path) -> list[str]:
    """Remove all backups in a folder but the `keep` newest by their names, and never `newest`: the
    names of what was removed. Files of any other name are left alone."""
    if keep < 1:
        raise ValueError("one backup is kept at least")
    found = sorted(one for one in folder.iterdir() if _NAME.fullmatch(one.name) and one.is_file())
    removed = []
    for one in found[:-keep]:
        if one.name != newest.name:
            one.unlink()
            one.with_name(one.name + CHECKSUM).unlink(missing_ok=True)
            removed.append(one.name)
    return removed


def newest(session: Transaction) -> datetime | None:
    """The moment that the newest backup is of."""
    return session.scalar(sa.select(sa.func.max(Backup.made_at)))


def listed(session: Session) -> Sequence[Backup]:
    """All backups that were ever made, the newest first; their files may be gone."""
    return session.scalars(
        sa.select(Backup).order_by(Backup.made_at.desc(), Backup.id.desc())
    ).all()


def is_due(session: Transaction, now: datetime) -> bool:
    """Whether the newest backup is a day old, or there is none, or its moment is yet to come."""
    made_at = newest(session)
    return made_at is None or not made_at <= now < made_at + DAILY


def daily(database: Database, folder: Path, keep: int, clock: Callable[[], datetime]) -> Made:
    """The day's backup, and older ones removed. A failure is an alarm that names the reason, and
    raises BackupFault; the next success closes it."""
    try:
        made = make(database, folder, clock)
        tidy(folder, keep, made.path)
    except Exception as error:
        told = _reason(error)
        with database.writing_rows() as session:
            alarms.sound(session, ALARM, told, clock())
        raise BackupFault(told) from error
    with database.writing_rows() as session:
        alarms.clear(session, ALARM, clock())
    return made


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One backup at a time in a folder: what another one has begun would count as left behind."""
    if not folder.is_dir():  # it may be a disk that is not mounted: it is not made
        raise BackupFault(f"there is no folder {str(folder)!r}")
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BackupFault("another backup is being made in this folder") from error
    finally:
        os.close(handle)  # which ends the lock


def _remove_parts(folder: Path) -> None:
    for one in folder.iterdir():
        if _PART.fullmatch(one.name):
            one.unlink()


def _sync(path: Path) -> None:
    """Wait until a file, or a folder's list of them, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: Exception) -> str:
    """Why, in one line; of an error that nobody foresaw its kind alone: it may hold answers."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, BackupFault | sqlite3.Error | sa.exc.DBAPIError):
        return str(getattr(error, "orig", error)).strip().partition("\n")[0]
    return type(error).__name__
