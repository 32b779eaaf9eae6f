"""The database: one engine, and the two ways of using it, reading and writing.

SQLite and PostgreSQL run the same code. A writing transaction on SQLite takes the write lock at
its start (`BEGIN IMMEDIATE`), because a read that turns into a write fails at once when another
writer was faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT = 5_000  # milliseconds a writer waits for another one on SQLite


class Instant(sa.TypeDecorator[datetime]):
    """A moment in UTC. Only values that know their zone go in; UTC comes out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a zone: {value!r}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[datetime | None], Any] | None:
        """On SQLite, which keeps text, both steps in one: planning writes millions of moments."""
        return super().bind_processor(dialect) if dialect.name != "sqlite" else _text

    def result_processor(
        self, dialect: sa.Dialect, coltype: object
    ) -> Callable[[Any], datetime | None] | None:
        """Likewise: a page of a questionnaire reads thirty moments."""
        return super().result_processor(dialect, coltype) if dialect.name != "sqlite" else _moment


def _text(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"a moment without a zone: {moment!r}")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


class Base(DeclarativeBase):
    """All tables; every constraint has a name, so that migrations can drop it on both databases."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Instant, dict[str, Any]: sa.JSON}  # noqa: RUF012 (read by SQLAlchemy as a class attribute)


Transaction = Session | sa.Connection  # what services run their statements in


class Database:
    """An engine for `url`, with a transaction for reading and one for writing."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(
            url,
            pool_pre_ping=not url.startswith("sqlite"),
            hide_parameters=True,  # errors end in logs, and logs hold no answers
        )
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            sa.event.listen(self.engine, "connect", _prepare_postgresql)
        self._writer = self.engine.execution_options(pro_app_begin="BEGIN IMMEDIATE")
        self._snapshot = self.engine  # SQLite: every transaction sees one moment
        if self.engine.dialect.name == "postgresql":
            self._snapshot = self.engine.execution_options(isolation_level="REPEATABLE READ")
        # the same connections without our listeners, which cost a third of a short statement
        self._rows = sa.create_engine(url, pool=self.engine.pool, hide_parameters=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads; it is rolled back at its end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that writes: all of it is kept, or, after any error, nothing."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading_rows(self) -> Iterator[sa.Connection]:
        """`reading` for rows alone, without the ORM: half the cost of a short transaction."""
        with self._rows.connect() as connection:
            self._begin_rows(connection, "BEGIN")
            yield connection

    @contextmanager
    def writing_rows(self) -> Iterator[sa.Connection]:
        """`writing` for rows alone, without the ORM."""
        with self._rows.begin() as connection:
            self._begin_rows(connection, "BEGIN IMMEDIATE")
            yield connection

    def _begin_rows(self, connection: sa.Connection, begin: str) -> None:
        if self.engine.dialect.name == "sqlite":
            _begin(connection, begin)

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """`reading` in which every statement sees the same moment, whatever others write."""
        with Session(self._snapshot, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, see _begin_sqlite
    for pragma in (
        "journal_mode = WAL",
        "foreign_keys = ON",
        "synchronous = FULL",
        "recursive_triggers = ON",  # so that REPLACE meets the triggers that refuse removal
        f"busy_timeout = {BUSY_TIMEOUT}",
        "cache_size = -32768",  # KiB; a claim of many reminders stays in memory until it is written
        "wal_autocheckpoint = 8000",  # pages; else every such claim waits for the next file, too
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _prepare_postgresql(connection: Any, _record: ConnectionPoolEntry) -> None:
    """Compiling a statement takes PostgreSQL longer than any of ours takes to run."""
    connection.execute("SET jit = off")
    connection.commit()


def _begin_sqlite(connection: sa.Connection) -> None:
    _begin(connection, connection.get_execution_options().get("pro_app_begin", "BEGIN"))


def _begin(connection: sa.Connection, begin: str) -> None:
    driver: Any = connection.connection.driver_connection
    driver.execute(begin).close()
