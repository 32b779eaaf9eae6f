"""Backups: whole whatever is written meanwhile; a spoilt file is refused; restored and verified."""

from __future__ import annotations

import logging
import sqlite3
import stat
import subprocess
import threading
import uuid
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from pro_app.models import Alarm, AuditEntry, Backup, Database
from pro_app.services import audit, backups, dump_programs, dumps
from pro_app.services.dump_programs import BackupFault
from pro_app.services.dumps import Facts
from tests.conftest import Site, TestClock, make_database, snapshot
from tests.services.backing_up import find_programs

PASSWORD = "a-password-of-the-tests"


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    find_programs(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "backups"
    found.mkdir()
    return found


@pytest.fixture
def lived(site: Site) -> Site:
    """A site with a submitted questionnaire."""
    person = site.enrol()
    device = site.join(person)
    sheet = site.open(person)[0]
    site.answer_all(sheet)
    site.submit(sheet, device)
    return site


@pytest.fixture
def new_url(database: Database, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a new database of the same kind."""
    if database.engine.dialect.name == "sqlite":
        return f"sqlite:///{tmp_path / 'new.sqlite3'}"
    server = str(request.getfixturevalue("postgresql"))
    return make_database(server, f"new_{uuid.uuid4().hex}")


def held(url: str) -> tuple[dict[str, list[tuple[object, ...]]], list[audit.Fault]]:
    """Every row of a database, and the faults of its trail."""
    database = Database(url)
    rows = snapshot(database)
    with database.snapshot() as session:
        faults = list(audit.verify(session))
    database.close()
    return rows, faults


def rows_of(database: Database) -> list[Backup]:
    with database.reading() as session:
        return list(backups.listed(session))


def test_a_backup_is_made_put_down_and_restored(lived: Site, folder: Path, new_url: str) -> None:
    before = snapshot(lived.database)
    made = backups.make(lived.database, folder, lived.clock)
    assert made.path.name.startswith("pro_app_20261123T010000Z.")
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    beside = folder / f"{made.path.name}.sha256"
    assert sorted(folder.iterdir()) == [made.path, beside]
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    subprocess.run(["sha256sum", "--check", "--quiet", beside], cwd=folder, check=True)
    (row,) = rows_of(lived.database)
    assert (row.made_at, row.verified_at, row.drill) == (lived.clock(), lived.clock(), False)
    assert (row.name, row.sha256, row.size) == (made.path.name, made.sha256, made.size)
    assert row.size == made.path.stat().st_size
    assert row.entries == len(before["audit_entry"]) > 0
    restored = backups.restore(made.path, new_url)
    assert restored == made.facts
    assert held(new_url) == (before, [])


def test_a_restored_database_goes_on_and_keeps_its_record(
    lived: Site, folder: Path, new_url: str
) -> None:
    backups.restore(backups.make(lived.database, folder, lived.clock).path, new_url)
    database = Database(new_url)
    Site(database, lived.library, lived.study, lived.clock).enrol("01-002")
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.writing() as session:
        session.execute(sa.delete(AuditEntry))
    database.close()
    assert held(new_url)[1] == []


def test_a_backup_is_of_one_moment_while_others_write(
    lived: Site, folder: Path, new_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes without pause: before, while, and after the file is written."""
    end, written, faults = threading.Event(), threading.Semaphore(0), []

    def write() -> None:
        number = 2
        try:
            while not end.wait(0.01):  # others get the lock in between, too
                lived.enrol(f"01-{number:03}")
                written.release()
                number += 1
        except Exception as error:
            faults.append(error)
            written.release()

    facts = dumps.facts

    def looked_at(connection: sa.Connection) -> Facts:
        found = facts(connection)
        for _ in range(3):  # between the look and the copy
            assert written.acquire(timeout=60)
        return found

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(dumps, "facts", looked_at)
            made = backups.make(lived.database, folder, lived.clock)
    finally:
        end.set()
        writer.join()
    assert faults == []
    with lived.database.reading() as session:
        assert audit.count(session) >= made.facts.entries + 3
    backups.restore(made.path, new_url)
    rows, found = held(new_url)
    assert (len(rows["audit_entry"]), found) == (made.facts.entries, [])


def test_a_drill_restores_and_compares(lived: Site, folder: Path, new_url: str) -> None:
    before = snapshot(lived.database)
    backups.make(lived.database, folder, lived.clock, new_url)
    assert [one.drill for one in rows_of(lived.database)] == [True]
    assert held(new_url) == (before, [])
    lived.clock.forward(minutes=1)
    with pytest.raises(BackupFault, match="the database is not empty"):
        backups.make(lived.database, folder, lived.clock, new_url)
    assert len(rows_of(lived.database)) == 1
    assert len(list(folder.iterdir())) == 2, "nothing is left behind"


@pytest.mark.parametrize("spoil", ["cut", "changed", "no checksum", "another checksum"])
def test_a_spoilt_file_is_refused(lived: Site, folder: Path, new_url: str, spoil: str) -> None:
    path = backups.make(lived.database, folder, lived.clock).path
    beside, content = path.with_name(f"{path.name}.sha256"), path.read_bytes()
    if spoil == "cut":
        path.write_bytes(content[:-100])
    elif spoil == "changed":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + b"spoilt" + content[middle + 6 :])
    elif spoil == "no checksum":
        beside.unlink()
    else:
        beside.write_text("nothing")
    with pytest.raises(BackupFault, match=r"is spoilt|cannot be read|holds no checksum"):
        backups.restore(path, new_url)
    if new_url.startswith("sqlite"):
        assert not Path(new_url.removeprefix("sqlite:///")).exists()
    dumps.refuse_if_unfit(lived.database.engine.dialect.name, new_url)  # still empty


def test_what_cannot_be_read_again_is_no_backup(
    lived: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that keeps something else than was written."""
    dump = dumps.dump

    def onto_a_bad_disk(database: Database, path: Path) -> Facts:
        found = dump(database, path)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
        return found

    monkeypatch.setattr(dumps, "dump", onto_a_bad_disk)
    with pytest.raises(BackupFault):
        backups.make(lived.database, folder, lived.clock)
    assert list(folder.iterdir()) == []
    assert rows_of(lived.database) == []


def test_what_lacks_a_row_is_no_backup(
    lived: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = dumps.read

    def less(path: Path) -> Facts:
        found = read(path)
        rows = {**found.rows, "answer": found.rows["answer"] - 1}
        return Facts(found.revision, found.newest, rows)

    monkeypatch.setattr(dumps, "read", less)
    with pytest.raises(BackupFault, match=r"the copy has \d+ rows of answer, not \d+"):
        backups.make(lived.database, folder, lived.clock)
    assert list(folder.iterdir()) == []


def test_a_database_that_lacks_a_row_is_not_restored(
    lived: Site, folder: Path, new_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a drill nor in earnest is it called restored."""
    made = backups.make(lived.database, folder, lived.clock)
    less = Facts(made.facts.revision, made.facts.newest, {**made.facts.rows, "answer": 0})
    monkeypatch.setattr(dumps, "restore", lambda *_: less)
    with pytest.raises(BackupFault, match="the copy has 0 rows of answer"):
        backups.restore(made.path, new_url)
    lived.clock.forward(minutes=1)
    before = sorted(folder.iterdir())
    with pytest.raises(BackupFault, match="the copy has 0 rows of answer"):
        backups.make(lived.database, folder, lived.clock, new_url)
    assert sorted(folder.iterdir()) == before
    assert len(rows_of(lived.database)) == 1


@pytest.mark.parametrize(
    ("copy", "told"),
    [
        (Facts("2", "a", {"audit_entry": 1}), "of version 2, not 1"),
        (Facts("1", "b", {"audit_entry": 1}), "newest audit entry"),
        (Facts("1", "a", {}), "has 0 rows of audit_entry, not 1"),
    ],
)
def test_copies_are_compared(copy: Facts, told: str) -> None:
    original = Facts("1", "a", {"audit_entry": 1})
    original.compare(original)
    with pytest.raises(BackupFault, match=told):
        original.compare(copy)


def test_only_an_empty_database_takes_a_backup(lived: Site, folder: Path) -> None:
    path = backups.make(lived.database, folder, lived.clock).path
    before = snapshot(lived.database)
    url = lived.database.engine.url.render_as_string(hide_password=False)
    with pytest.raises(BackupFault, match="the database is not empty"):
        backups.restore(path, url)
    assert snapshot(lived.database) == before


def test_a_backup_goes_into_no_other_kind(lived: Site, folder: Path, tmp_path: Path) -> None:
    path = backups.make(lived.database, folder, lived.clock).path
    sqlite = lived.database.engine.dialect.name == "sqlite"
    url = "postgresql+psycopg://h/d" if sqlite else f"sqlite:///{tmp_path / 'other.sqlite3'}"
    with pytest.raises(BackupFault, match="cannot go into another database"):
        backups.restore(path, url)


@pytest.mark.parametrize("content", [b"", b"nothing of ours", b"PGDMP", b"SQLite format 3\0"])
def test_a_file_of_something_else_is_refused(folder: Path, tmp_path: Path, content: bytes) -> None:
    path = folder / "pro_app_20261123T010000Z.sqlite3"
    path.write_bytes(content)
    (folder / f"{path.name}.sha256").write_text(f"{backups.sha256(path)}  {path.name}\n")
    with pytest.raises(BackupFault):
        dumps.read(path)
    with pytest.raises(BackupFault):
        backups.restore(path, f"sqlite:///{tmp_path / 'new.sqlite3'}")


def test_another_programs_database_is_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / "pro_app_20261123T010000Z.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE letter (id)")
    with pytest.raises(BackupFault, match="not a database of pro_app"):
        dumps.read(path)


def test_the_newest_are_kept_and_others_files_left_alone(lived: Site, folder: Path) -> None:
    others = {"pro_app_20200101T000000Z.sqlite3.bak", "notes.txt", "pro_app.sqlite3"}
    for name in others:
        (folder / name).touch()
    made = []
    for _ in range(4):
        made.append(backups.make(lived.database, folder, lived.clock).path)
        lived.clock.forward(days=1)
    assert backups.tidy(folder, 2, made[-1]) == [made[0].name, made[1].name]
    left = {one.name for one in folder.iterdir()} - others
    assert left == {f"{one.name}{end}" for one in made[2:] for end in ("", ".sha256")}
    assert others < {one.name for one in folder.iterdir()}
    assert backups.tidy(folder, 1, made[2]) == [], "never the one just made, by a clock set back"
    assert len(rows_of(lived.database)) == 4, "the rows stay"
    with pytest.raises(ValueError, match="one backup is kept"):
        backups.tidy(folder, 0, made[3])


def test_what_an_interrupted_backup_left_is_removed(lived: Site, folder: Path) -> None:
    left = folder / "pro_app_20261122T010000Z.dump.part"
    left.write_bytes(b"half")
    backups.make(lived.database, folder, lived.clock)
    assert not left.exists()


def test_what_cannot_be_put_down_is_no_backup(
    lived: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "Backup", lambda **_: Backup())
    with pytest.raises(BackupFault, match="the backup cannot be made: "):
        backups.make(lived.database, folder, lived.clock)
    assert list(folder.iterdir()) == []


def test_one_backup_at_a_time_in_a_folder(lived: Site, folder: Path) -> None:
    with (
        backups._alone(folder),
        pytest.raises(BackupFault, match="another backup is being made"),
    ):
        backups.make(lived.database, folder, lived.clock)
    backups.make(lived.database, folder, lived.clock)
    with pytest.raises(BackupFault, match="is there already"):
        backups.make(lived.database, folder, lived.clock)


def test_a_folder_that_is_not_there_is_not_made(lived: Site, folder: Path) -> None:
    with pytest.raises(BackupFault, match="there is no folder"):
        backups.make(lived.database, folder / "disk", lived.clock)
    assert list(folder.iterdir()) == []


def alarms_of(database: Database) -> list[tuple[str, str, int, bool]]:
    with database.reading() as session:
        return [
            (one.code, one.detail, one.count, one.cleared_at is None)
            for one in session.scalars(sa.select(Alarm).order_by(Alarm.id))
        ]


def test_the_days_backup_fails_with_an_alarm_that_success_closes(lived: Site, folder: Path) -> None:
    nowhere = folder / "disk"
    for _ in range(2):
        with pytest.raises(BackupFault):
            backups.daily(lived.database, nowhere, 2, lived.clock)
    told = f"there is no folder '{nowhere}'"
    assert alarms_of(lived.database) == [("backup", told[:200], 2, True)]
    for _ in range(3):
        backups.daily(lived.database, folder, 2, lived.clock)
        lived.clock.forward(days=1)
    assert alarms_of(lived.database) == [("backup", told[:200], 2, False)]
    assert len(list(folder.iterdir())) == 4


def test_what_nobody_foresaw_is_told_by_its_kind(
    lived: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumps, "dump", lambda *_: 1 / 0)
    with pytest.raises(BackupFault):
        backups.daily(lived.database, folder, 2, lived.clock)
    assert alarms_of(lived.database) == [("backup", "ZeroDivisionError", 1, True)]


def test_a_backup_is_due_a_day_after_the_newest(lived: Site, folder: Path) -> None:
    def due() -> bool:
        with lived.database.reading_rows() as session:
            return backups.is_due(session, lived.clock())

    assert due()
    backups.make(lived.database, folder, lived.clock)
    assert not due()
    lived.clock.forward(hours=23, minutes=59)
    assert not due()
    lived.clock.forward(minutes=1)
    assert due()
    lived.clock.now -= timedelta(days=3)
    assert due(), "the newest one's clock was ahead"


# --- PostgreSQL's programs ----------------------------------------------------------------------


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pg_dump that writes down how it was called, says it on stderr, and fails."""
    program, written = tmp_path / "bin" / "pg_dump", tmp_path / "said"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" >"{written}"\necho "env $PGPASSWORD" >>"{written}"\n'
        'echo "no such user, or not $PGPASSWORD" >&2\nexit 1\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return written


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql+psycopg://pro:{PASSWORD}@db.example/pro?sslmode=require",
        f"postgresql+psycopg://pro@db.example/pro?sslmode=require&password={PASSWORD}",
    ],
)
def test_no_password_is_on_the_command_line_nor_in_what_is_told(said: Path, address: str) -> None:
    with pytest.raises(BackupFault) as caught:
        dump_programs.run(sa.make_url(address), "pg_dump", "--format=custom")
    assert str(caught.value) == "pg_dump failed: no such user, or not ***"
    line, environment = said.read_text().splitlines()
    expected = "--dbname=postgresql://pro@db.example/pro?sslmode=require --format=custom"
    assert line == expected
    assert environment == f"env {PASSWORD}"


def test_a_password_of_the_environment_stays(said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with pytest.raises(BackupFault):
        dump_programs.run(sa.make_url("postgresql://db.example/pro"), "pg_dump")
    assert said.read_text().splitlines()[1] == f"env {PASSWORD}"


@pytest.mark.parametrize("address", ["postgresql+psycopg://pro@h:secret/d", "nothing"])
def test_an_address_that_cannot_be_read_is_not_repeated(address: str) -> None:
    with pytest.raises(BackupFault) as caught:
        dumps.refuse_if_unfit("postgresql", address)
    assert str(caught.value) == "the database's address cannot be read"


def test_a_client_keys_password_cannot_be_handed_on() -> None:
    address = sa.make_url(f"postgresql://db.example/pro?sslpassword={PASSWORD}")
    with pytest.raises(BackupFault, match="sslpassword") as caught:
        dump_programs.run(address, "pg_dump")
    assert PASSWORD not in str(caught.value)


def test_programs_that_are_missing_are_told_in_a_sentence(
    postgresql_url: str,
    folder: Path,
    clock: TestClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    database = Database(postgresql_url)
    with caplog.at_level(logging.DEBUG), pytest.raises(BackupFault, match="is not installed here"):
        backups.make(database, folder, clock)
    database.close()
    assert list(folder.iterdir()) == []
    with pytest.raises(BackupFault, match="pg_restore is not installed here"):
        list(dump_programs.reading("pg_restore", "--file=-").__enter__())


def test_a_server_that_does_not_answer_is_told_without_its_password(
    folder: Path, clock: TestClock, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(f"postgresql+psycopg://pro:{PASSWORD}@127.0.0.1:1/pro")
    with caplog.at_level(logging.DEBUG), pytest.raises(BackupFault) as caught:
        backups.make(database, folder, clock)
    database.close()
    assert "the backup cannot be made: " in str(caught.value)
    assert PASSWORD not in str(caught.value) + caplog.text
    assert list(folder.iterdir()) == []
