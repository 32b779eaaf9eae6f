"""Rows by the column, past the ORM: whatever stands in a cell comes back as it was, on both
databases."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Database, Instant, Participant
from pro_app.services.tables import fast
from tests.conftest import Site
from tests.services.table_rows import rows

TEXTS = [
    "", None, "'", "O'Neil", 'a"b', '"', "a,b", "a\nb", "a\r\nb", "\n", "\\", "\\N", "\\.", "a\\'b",
    "50%", "%s", "%%", "%(x)s", ":x", "NULL", "null", " a ", "\t", "#1", "தமிழ்", "简体", "é😀",
]  # fmt: skip
MOMENTS = [
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1901, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 11, 23, 8, 0, 0, 1, tzinfo=UTC),
]


def stacked(values: Sequence[Any], kind: Any) -> sa.Select[*tuple[Any, ...]]:
    """A query whose rows have these cells, in this order."""
    lines = [
        sa.select(sa.literal(n, sa.Integer).label("n"), sa.literal(value, kind).label("cell"))
        for n, value in enumerate(values)
    ]
    together = sa.union_all(*lines).subquery()
    return sa.select(together.c.cell).order_by(together.c.n)


def cells(session: Session, query: sa.Select[*tuple[Any, ...]], at_once: int = 5) -> list[Any]:
    return [cell for part in fast.read(session, query, at_once) for cell in part["cell"]]


def test_texts_come_back_as_they_were(database: Database) -> None:
    with database.snapshot() as session:
        assert cells(session, stacked(TEXTS, sa.String)) == TEXTS


def written(database: Database, kind: Any, *texts: str) -> sa.Select[*tuple[Any, ...]]:
    """A query of cells as the database itself writes them, in this order."""
    lines = [
        sa.select(
            sa.literal(n, sa.Integer).label("n"),
            sa.type_coerce(sa.literal_column(text), kind).label("cell"),
        )
        for n, text in enumerate(texts)
    ]
    together = sa.union_all(*lines).subquery()
    return sa.select(together.c.cell).order_by(together.c.n)


def test_bytes_come_back_as_they_were(database: Database) -> None:
    texts = ["x'00ff'", "x'225c2c0a'"]
    if database.engine.dialect.name == "postgresql":
        texts = ["decode('00ff', 'hex')", "decode('225c2c0a', 'hex')"]
    with database.snapshot() as session:
        found = cells(session, written(database, sa.LargeBinary(), *texts, "null"))
    assert found == [b"\x00\xff", b'"\\,\n', None]


@pytest.mark.parametrize("text", [one for one in TEXTS if one is not None])
def test_a_text_that_is_looked_for_is_found(database: Database, text: str) -> None:
    """As study numbers and sites are, which stand in the query itself."""
    query = stacked(TEXTS, sa.String)
    with database.snapshot() as session:
        assert cells(session, query.where(query.selected_columns.cell.in_([text]))) == [text]


def test_moments_before_and_after_1970_are_exact(database: Database) -> None:
    with database.snapshot() as session:
        kind = "timestamptz " if database.engine.dialect.name == "postgresql" else ""
        texts = [f"{kind}'{one:%Y-%m-%d %H:%M:%S.%f}{'+00' if kind else ''}'" for one in MOMENTS]
        assert cells(session, written(database, Instant(), *texts)) == MOMENTS


def test_yes_and_no_are_numbers(database: Database) -> None:
    with database.snapshot() as session:
        assert cells(session, stacked([True, False, None], sa.Boolean)) == [1, 0, None]


@pytest.mark.parametrize("enough", [1, 6, 7, 8, 64, 1 << 20])
def test_no_row_is_lost_where_one_part_ends(
    database: Database, monkeypatch: pytest.MonkeyPatch, enough: int
) -> None:
    monkeypatch.setattr(fast, "ENOUGH", enough)
    texts = [f'row\n{n}, of "many"' for n in range(40)]
    with database.snapshot() as session:
        assert cells(session, stacked(texts, sa.String)) == texts


def test_a_query_without_rows_has_none(database: Database) -> None:
    query = stacked(["x"], sa.String)
    with database.snapshot() as session:
        assert cells(session, query.where(sa.false())) == []


def failing(database: Database) -> sa.Select[*tuple[Any, ...]]:
    """A query that fails at its third row, when some are read already."""
    numbers = stacked([2, 1, 0], sa.Integer).subquery().c.cell
    if database.engine.dialect.name == "postgresql":
        return sa.select((1 / numbers).label("cell"))
    overflown = sa.case((numbers == 0, sa.func.abs(sa.literal_column("-9223372036854775808"))))
    return sa.select(overflown.label("cell"))


def test_a_fault_half_way_is_one_of_the_database_and_tells_no_value(database: Database) -> None:
    with (
        pytest.raises(sa.exc.DBAPIError) as caught,
        database.snapshot() as session,
    ):
        cells(session, failing(database), at_once=1)
    assert caught.value.statement == ""
    with database.snapshot() as session:
        assert cells(session, stacked(["still there"], sa.String)) == ["still there"]


def test_who_reads_no_further_leaves_the_session_as_it_was(database: Database) -> None:
    with database.snapshot() as session:
        begun = fast.read(session, stacked(TEXTS, sa.String), 1)
        next(begun)
        begun.close()  # type: ignore[attr-defined]
        assert cells(session, stacked(["after"], sa.String)) == ["after"]


def test_threads_read_each_in_its_own_session(database: Database) -> None:
    found: dict[int, list[Any]] = {}

    def work(number: int) -> None:
        with database.snapshot() as session:
            found[number] = cells(session, stacked([f"{number}-{n}" for n in range(50)], sa.String))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == {n: [f"{n}-{place}" for place in range(50)] for n in range(3)}


@pytest.mark.parametrize("number", ["01-'7", "01-%s", "01-50%", "01-a,b", "01-\\N", "01-த", '01-"'])
def test_a_study_number_of_any_kind_pages_and_reads(site: Site, number: str) -> None:
    """A study's pattern for numbers may allow them."""
    site.open(site.enrol("01-001"))
    person = site.enrol("01-002")
    site.answer_all(site.open(person)[0], place=1)
    with site.database.writing() as session:
        for old, new in {"01-001": "01-", "01-002": number}.items():
            row = sa.update(Participant).where(Participant.number == old)
            session.execute(row.values(number=new))
    found = rows(site, "answers", after="01-")
    assert {row["participant"] for row in found} == {number}
    assert rows(site, "answers", after=number) == []
