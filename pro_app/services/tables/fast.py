"""Reading rows by the column, past the ORM and most of the driver: a study has a million of them.

PostgreSQL copies the answer out and polars reads it; SQLite's own cursor is as fast as it gets.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
from tempfile import TemporaryFile
from typing import IO, Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

ENOUGH = 2 << 20  # bytes of a copied answer that are read together
AS_STORED = "%Y-%m-%d %H:%M:%S%.6f"  # how SQLite keeps a moment, see models.Instant
Columns = Mapping[str, Sequence[Any]]


class Rows(Sequence[Any]):
    """Columns as rows, which are made when they are asked for."""

    def __init__(self, columns: Columns) -> None:
        self._columns = list(columns.values())
        self._make = namedtuple("Row", columns, rename=True)  # type: ignore[misc]

    def __len__(self) -> int:
        return len(self._columns[0]) if self._columns else 0

    def __getitem__(self, n: Any) -> Any:
        return self._make(*(one[n] for one in self._columns))

    def __iter__(self) -> Iterator[Any]:
        return (self._make(*cells) for cells in zip(*self._columns, strict=True))


def read(session: Session, query: sa.Select[*tuple[Any, ...]], at_once: int) -> Iterator[Columns]:
    """The columns of a query's rows, some thousand rows at a time, by name.

    Moments are series; everything else is what Python has for it. Raises what SQLAlchemy does
    where the database fails, such as OperationalError, without a statement: it holds values.
    """
    connection = session.connection()
    driver: Any = connection.dialect.dbapi
    try:
        if connection.dialect.name == "postgresql":
            yield from _copied(connection, query)
        else:
            yield from _fetched(connection, query, at_once)
    except driver.Error as error:
        raise DBAPIError.instance("", None, error, driver.Error) from error


def _text(connection: sa.Connection, query: sa.Select[*tuple[Any, ...]]) -> str:
    text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
    return text.replace("%%", "%")  # every % was doubled for a driver that is given parameters


def _fetched(
    connection: sa.Connection, query: sa.Select[*tuple[Any, ...]], at_once: int
) -> Iterator[Columns]:
    names = query.selected_columns.keys()
    moments = {one.name for one in query.selected_columns if _is_moment(one)}
    with connection.execute(query) as result:
        while rows := result.cursor.fetchmany(at_once):  # the driver's own
            columns: dict[str, Any] = dict(zip(names, zip(*rows, strict=True), strict=True))
            for name in moments:
                texts = pl.Series(columns[name], dtype=pl.String)
                columns[name] = texts.str.to_datetime(AS_STORED, time_zone="UTC", time_unit="us")
            yield columns


def _is_moment(column: Any) -> bool:
    return isinstance(column.type, sa.types.TypeDecorator) and isinstance(
        column.type.impl, sa.DateTime
    )


def _copied(connection: sa.Connection, query: sa.Select[*tuple[Any, ...]]) -> Iterator[Columns]:
    driver: Any = connection.connection.driver_connection
    plain: list[Any] = []
    schema: dict[str, pl.DataType] = {}
    for one in query.selected_columns:
        if _is_moment(one):
            microseconds = sa.cast(sa.extract("epoch", one) * 1_000_000, sa.BigInteger)
            plain.append(microseconds.label(one.name))
            schema[one.name] = pl.Int64()
        elif isinstance(one.type, sa.LargeBinary):
            plain.append(sa.func.encode(one, "hex").label(one.name))
            schema[one.name] = pl.String()
        else:
            number = isinstance(one.type, sa.Integer | sa.Boolean)
            plain.append(sa.cast(one, sa.Integer).label(one.name) if number else one)
            schema[one.name] = pl.Int64() if number else pl.String()
    text = _text(connection, query.with_only_columns(*plain, maintain_column_froms=True))
    with TemporaryFile() as file:
        for size in _spooled(driver, text, file):
            frame = pl.read_csv(file.read(size), has_header=False, schema=schema)
            yield {one.name: _values(frame[one.name], one) for one in query.selected_columns}


def _spooled(driver: Any, text: str, file: IO[bytes]) -> Iterator[int]:
    """Copy an answer to a file, for the connection serves nothing else meanwhile, and go back to
    its beginning; the sizes of its parts, each of which ends with a row."""
    sizes, size = [], 0
    with driver.cursor() as cursor, cursor.copy(f"COPY ({text}) TO STDOUT (FORMAT csv)") as rows:
        for row in rows:  # always whole ones
            size += file.write(row)
            if size >= ENOUGH:
                sizes.append(size)
                size = 0
    file.seek(0)
    yield from [*sizes, size] if size else sizes


def _values(series: pl.Series, column: Any) -> Sequence[Any]:
    if _is_moment(column):
        return series.cast(pl.Datetime("us", "UTC"))  # type: ignore[return-value]
    if isinstance(column.type, sa.LargeBinary):
        return series.str.decode("hex").to_list()
    return series.to_list()
