"""The tables: made, removed and made again on both databases; the record refuses change."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from pro_app.migrations import configuration, downgrade, is_current, upgrade
from pro_app.models import Base, Database
from tests.conftest import BOTH, Site, make_database

APPEND_ONLY = ("answer", "audit_entry", "delivery", "score", "study_version", "submission")


@pytest.fixture(params=BOTH)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without a single table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'bare.sqlite3'}"
    else:
        server = str(request.getfixturevalue("postgresql"))
        url = make_database(server, f"bare_{uuid.uuid4().hex}")
    found = Database(url)
    yield found
    found.close()


def tables(database: Database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names())


def test_up_down_and_up_again(bare: Database) -> None:
    assert not is_current(bare)
    upgrade(bare)
    first = tables(bare)
    assert first == {*Base.metadata.tables, "alembic_version"}
    assert is_current(bare)
    downgrade(bare, "base")
    assert tables(bare) == {"alembic_version"}
    assert not is_current(bare)
    upgrade(bare)
    assert tables(bare) == first


def test_the_migrations_make_what_the_models_say(bare: Database) -> None:
    upgrade(bare)
    command.check(configuration(bare))  # raises for any difference


def test_upgrading_twice_changes_nothing(site: Site) -> None:
    person = site.enrol()
    upgrade(site.database)
    with site.database.reading() as session:
        found = session.scalar(sa.text("SELECT number FROM participant"))
    assert found == person.number


def test_foreign_keys_have_an_index_or_a_reason() -> None:
    """A foreign key that is looked up has an index; those that are not are named here."""
    never_looked_up = {
        ("answer", "device_id"),
        ("submission", "device_id"),
        ("participant", "study_id"),  # first of the unique (study_id, number)
        ("assessment", "participant_id"),  # first of a unique constraint
        ("answer", "assessment_id"),  # first of an index
        ("score", "submission_id"),  # first of a unique constraint
        ("site", "study_id"),
        ("study_version", "study_id"),
        ("anchor_date", "participant_id"),  # first of a unique constraint
        ("message", "participant_id"),  # first of a unique constraint
        ("reminder", "assessment_id"),  # first of a unique constraint
    }
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if column.foreign_keys and not (column.index or column.unique):
                assert (table.name, column.name) in never_looked_up


@pytest.fixture
def full(site: Site) -> Site:
    """A site with a row in every append-only table."""
    assessment = site.open(site.enrol())[0]
    site.answer_all(assessment)
    site.submit(assessment)
    rows = [
        (
            "message",
            {
                "public_id": "m",
                "participant_id": assessment.participant_id,
                "channel": "push",
                "created_at": site.clock(),
            },
        ),
        ("delivery", {"message_id": 1, "at": site.clock(), "outcome": "accepted"}),
    ]
    with site.database.writing() as session:
        for table, row in rows:
            session.execute(sa.insert(Base.metadata.tables[table]).values(**row))
    return site


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_the_record_refuses_change_and_removal(full: Site, table: str) -> None:
    rows = Base.metadata.tables[table]
    statements = [sa.update(rows).values(id=rows.c.id), sa.delete(rows)]
    if full.database.engine.dialect.name == "postgresql":
        statements.append(sa.text(f"TRUNCATE {table} CASCADE"))
    before = count(full.database, table)
    assert before
    for statement in statements:
        with (
            pytest.raises(sa.exc.DBAPIError, match=f"{table} is append-only"),
            full.database.writing() as session,
        ):
            session.execute(statement)
    assert count(full.database, table) == before


def count(database: Database, table: str) -> int:
    with database.reading() as session:
        found = sa.select(sa.func.count()).select_from(Base.metadata.tables[table])
        return session.scalar(found) or 0


def test_a_replacing_insert_is_no_way_round(full: Site) -> None:
    """SQLite's INSERT OR REPLACE removes rows without a trigger, unless it is told not to."""
    statement = "INSERT OR REPLACE INTO answer SELECT * FROM answer LIMIT 1"
    if full.database.engine.dialect.name == "postgresql":
        statement = "INSERT INTO answer SELECT * FROM answer ON CONFLICT (id) DO UPDATE SET code=1"
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), full.database.writing() as session:
        session.execute(sa.text(statement))


def test_the_copied_template_is_a_whole_database(sqlite_template: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    shutil.copy(sqlite_template, copy)
    database = Database(f"sqlite:///{copy}")
    assert is_current(database)
    database.close()
