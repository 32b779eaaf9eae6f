"""The commands of backups, as an operator types them."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from pro_app.migrations import downgrade
from pro_app.models import Database
from pro_app.services import backups, dumps
from tests.conftest import AUDIT_KEY, KEY, VAPID_KEY, Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "backups"
    found.mkdir()
    return found


def test_a_backup_is_made_listed_and_restored(loaded: Run, folder: Path, tmp_path: Path) -> None:
    loaded("participant add", "01-001", "--language", "en")
    told = loaded("backup make", folder).output.splitlines()
    path = Path(told[0])
    digest = backups.sha256(path)
    assert told[1:] == [
        f"SHA-256 {digest}",
        f"{path.stat().st_size} bytes, 3 audit entries, read again and compared",
        "the keys are not in it, keep them apart: PRO_SECRET_KEY, PRO_PREVIOUS_SECRET_KEYS, "
        "PRO_VAPID_KEY, PRO_AUDIT_KEY",
    ]
    content = path.read_bytes()
    assert not any(key.encode() in content for key in (KEY, VAPID_KEY, AUDIT_KEY))
    (line,) = loaded("backup list").output.splitlines()
    assert path.name in line
    assert f"3 audit entries  SHA-256 {digest}" in line
    new = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    told = loaded("backup restore", path, "--to", new).output.splitlines()
    assert told == ["restored and compared: 3 audit entries", "the audit trail has no fault"]
    again = loaded("backup restore", path, "--to", new, code=1).output
    assert again == "Error: the database is not empty: name a new one\n"


def test_older_ones_are_removed_and_a_drill_is_told(
    loaded: Run, folder: Path, tmp_path: Path
) -> None:
    old = folder / "pro_app_20260101T000000Z.sqlite3"
    old.touch()
    new = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    told = loaded("backup make", folder, "--keep", "1", "--drill", new).output
    assert "restored, too, and compared" in told
    assert f"removed {old.name}\n" in told
    assert "restored as a drill" in loaded("backup list").output
    loaded("backup make", folder, "--keep", "0", code=2)


def test_readiness_asks_for_a_backup(loaded: Run, folder: Path) -> None:
    assert "no backup was made: set PRO_BACKUP_FOLDER" in loaded("study ready", code=1).output
    loaded("backup make", folder)
    assert "backup" not in loaded("study ready", code=1).output


def test_a_fault_in_the_trail_is_told_after_restoring(
    loaded: Run, sqlite_url: str, folder: Path, tmp_path: Path
) -> None:
    database = Database(sqlite_url)
    with database.writing() as session:
        session.execute(sa.text("DROP TRIGGER append_only_update_audit_entry"))
        session.execute(sa.text("UPDATE audit_entry SET actor = 'somebody'"))
    database.close()
    loaded("backup make", folder)
    (path,) = folder.glob("*.sqlite3")
    new = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    told = loaded("backup restore", path, "--to", new, code=1)
    assert "was changed after it was written" in told.stdout
    assert told.stderr.startswith("Error: ")


def test_tables_of_an_earlier_version_are_restored_as_they_are(
    loaded: Run, folder: Path, tmp_path: Path
) -> None:
    loaded("backup make", folder)
    (first,) = folder.glob("*.sqlite3")
    old = f"sqlite:///{tmp_path / 'old.sqlite3'}"
    loaded("backup restore", first, "--to", old)
    database = Database(old)
    downgrade(database, "0020")
    elsewhere = tmp_path / "pro_app_20260101T000000Z.sqlite3"
    dumps.dump(database, elsewhere)
    database.close()
    checksum = elsewhere.with_name(f"{elsewhere.name}.sha256")
    checksum.write_text(f"{backups.sha256(elsewhere)}  {elsewhere.name}\n")
    new = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    told = loaded("backup restore", elsewhere, "--to", new).output
    assert "its tables are of version 0020" in told
    assert "run `pro-app db upgrade`" in told


@pytest.mark.parametrize("option", ["make --drill", "restore --to"])
def test_an_address_that_is_none_is_not_repeated(loaded: Run, folder: Path, option: str) -> None:
    verb, name = option.split()
    loaded("backup make", folder)
    place = folder if verb == "make" else next(folder.glob("*.sqlite3"))
    told = loaded(f"backup {verb}", place, name, "mysql://pro:a-password@h/d", code=1).output
    assert told == f"Error: {name}: must begin with sqlite:/// or postgresql://\n"


def test_what_is_not_there_is_refused(loaded: Run, folder: Path) -> None:
    assert "there is no folder" in loaded("backup make", folder / "disk", code=1).output
    loaded("backup restore", folder / "none", "--to", "sqlite:///x", code=2)
    assert loaded("backup list").output == ""
