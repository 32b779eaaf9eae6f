"""A database's content in one file, and back: SQLite by its online backup, PostgreSQL by its own
programs `pg_dump` and `pg_restore`, which must be of the server's version or newer.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pro_app.models import AuditEntry, Database
from pro_app.services import dump_programs
from pro_app.services.dump_programs import BackupFault

SUFFIXES = {"sqlite": ".sqlite3", "postgresql": ".dump"}
LOCK_WAIT = "60000"  # milliseconds that a dump waits for a table that a migration holds
LONGEST_REASON = 150  # characters of what SQLite finds
_MAGIC = {b"SQLite format 3\0": "sqlite", b"PGDMP": "postgresql"}
_COPY = re.compile(rb"COPY (?:\S+\.)?(\S+) \((.*)\) FROM stdin;")
_RELATIONS = sa.text(
    "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    "WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_toast%'"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What two copies of a database are compared by: the version of its tables, the hash of the
    newest audit entry (empty if there is none), and how many rows each table has."""

    revision: str
    newest: str
    rows: Mapping[str, int]

    @property
    def entries(self) -> int:
        """How many entries the audit trail has."""
        return self.rows["audit_entry"]

    def compare(self, copy: Facts) -> None:
        """Raises BackupFault if a copy lacks something or has something else."""
        if copy.revision != self.revision:
            raise BackupFault(f"the tables of the copy are of version {copy.revision}, "
                              f"not {self.revision}")  # fmt: skip
        for table, count in self.rows.items():
            found = copy.rows.get(table)
            if found != count:
                raise BackupFault(f"the copy has {found or 0} rows of {table}, not {count}")
        if copy.newest != self.newest:
            raise BackupFault("the newest audit entry of the copy is another one")


def dump(database: Database, path: Path) -> Facts:
    """Write what the database holds at one moment, whatever others write meanwhile, to `path`, an
    empty file: the facts of that moment.

    Raises BackupFault, and what the disk and the database raise.
    """
    with database.snapshot() as session:
        connection = session.connection()
        found = facts(connection)
        if connection.dialect.name == "sqlite":
            _dump_sqlite(connection.connection.driver_connection, path)
        else:
            snapshot = str(connection.scalar(sa.text("SELECT pg_export_snapshot()")))
            dump_programs.run(
                database.engine.url, "pg_dump", "--format=custom", f"--snapshot={snapshot}",
                f"--lock-wait-timeout={LOCK_WAIT}", "--no-password", f"--file={path}",
            )  # fmt: skip
    return found


def facts(connection: sa.Connection) -> Facts:
    """The facts of a database. Raises BackupFault if it is none of ours."""
    names = sorted(sa.inspect(connection).get_table_names())
    if not {"audit_entry", "alembic_version"} <= set(names):
        raise BackupFault("this is not a database of pro_app")
    rows = {
        name: connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0
        for name in names
    }
    revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    newest = sa.select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)
    return Facts(str(revision), connection.scalar(newest) or "", rows)


def read(path: Path) -> Facts:
    """The facts of a file, all of which is read. Raises BackupFault if it is not whole."""
    return _read_sqlite(path) if kind(path) == "sqlite" else _read_dump(path)


def kind(path: Path) -> str:
    """`sqlite` or `postgresql`, by how the file begins. Raises BackupFault if it is neither."""
    with path.open("rb") as file:
        start = file.read(max(map(len, _MAGIC)))
    for magic, found in _MAGIC.items():
        if start.startswith(magic):
            return found
    raise BackupFault(f"{path.name} is not a backup")


def restore(path: Path, url: str) -> Facts:
    """Put a file's content into the empty or new database at `url`: the facts found there.

    Raises BackupFault if the database is not empty, or of the other kind; it is then as before.
    """
    address = _address(url)
    refuse_if_unfit(kind(path), url)
    if address.get_backend_name() == "sqlite":
        _restore_sqlite(path, Path(address.database or ""))
    else:
        dump_programs.run(
            address, "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner",
            "--no-privileges", "--no-password", str(path),
        )  # fmt: skip
    target = Database(url)
    try:
        with target.snapshot() as session:
            return facts(session.connection())
    finally:
        target.close()


def refuse_if_unfit(of: str, url: str) -> None:
    """Raises BackupFault unless the database at `url` is of this kind, and empty or not there."""
    address = _address(url)
    if address.get_backend_name() != of:
        raise BackupFault(f"this backup is of {of}, and cannot go into another database")
    if of == "sqlite":
        if not address.database or address.database == ":memory:":
            raise BackupFault("the address names no file")
        count = _sqlite_objects(Path(address.database))
    else:
        engine = sa.create_engine(address, hide_parameters=True)
        try:
            with engine.connect() as connection:
                count = connection.scalar(_RELATIONS) or 0
        finally:
            engine.dispose()
    if count:
        raise BackupFault("the database is not empty: name a new one")


def _address(url: str) -> sa.URL:
    """What cannot be read is not repeated: part of it may be a password."""
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise BackupFault("the database's address cannot be read") from None


def _dump_sqlite(source: Any, path: Path) -> None:
    """Within the source's transaction, whose moment the copy is of."""
    with closing(sqlite3.connect(path)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE").close()  # one file, none beside it


def _read_sqlite(path: Path) -> Facts:
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(address, uri=True),
        poolclass=sa.NullPool,
        hide_parameters=True,
    )
    try:
        with engine.connect() as connection:
            told = connection.scalar(sa.text("PRAGMA integrity_check"))
            if told != "ok":
                raise BackupFault(f"{path.name} is spoilt: {str(told)[:LONGEST_REASON]}")
            return facts(connection)
    except sa.exc.DatabaseError as error:
        raise BackupFault(f"{path.name} is spoilt: {error.orig}") from error


def _sqlite_objects(path: Path) -> int:
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _restore_sqlite(path: Path, target: Path) -> None:
    if not target.parent.is_dir():
        raise BackupFault(f"there is no folder {str(target.parent)!r}")
    target.touch(mode=0o600)  # the mode counts where it is new
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with (
        closing(sqlite3.connect(address, uri=True)) as source,
        closing(sqlite3.connect(target)) as into,
    ):
        source.backup(into)  # one transaction of the target


def _read_dump(path: Path) -> Facts:
    """The facts of a dump, from all the data in it; no server is needed."""
    rows: dict[str, int] = {}
    revision, newest = "", (0, "")
    with dump_programs.reading("pg_restore", "--data-only", "--file=-", str(path)) as lines:
        for line in lines:
            head = _COPY.fullmatch(line.rstrip(b"\n"))
            if head is None:
                continue
            table, columns = _word(head[1]), [_word(one) for one in head[2].split(b", ")]
            rows[table] = 0
            for row in _copied(lines):
                rows[table] += 1
                if table == "alembic_version":
                    revision = row.decode().strip()
                elif table == "audit_entry":
                    said = dict(zip(columns, row.rstrip(b"\n").split(b"\t"), strict=False))
                    entry = int(said.get("id", b"0")), said.get("hash", b"").decode()
                    newest = max(newest, entry)
    if not {"audit_entry", "alembic_version"} <= rows.keys():
        raise BackupFault(f"{path.name} is not a backup of pro_app")
    return Facts(revision, newest[1], rows)


def _word(name: bytes) -> str:
    return name.decode().strip('"')


def _copied(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The rows until the mark of their end, which no row can be: a backslash is doubled in them."""
    for line in lines:
        if line == b"\\.\n":
            return
        yield line
