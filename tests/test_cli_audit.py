"""The commands of the audit trail, as an operator types them."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from pro_app.models import AuditEntry, Database
from pro_app.services.audit_key import AuditKey
from tests.conftest import AUDIT_KEY, Run

KEY = AuditKey.read(AUDIT_KEY)


@pytest.fixture
def peopled(loaded: Run) -> Run:
    """Two people are enrolled."""
    for number in ("01-001", "01-002"):
        loaded("participant add", number, "--language", "en")
    return loaded


def fields(text: str) -> dict[str, str]:
    """What a command printed, by its lines' first words."""
    return dict(line.split(" ", 1) for line in text.splitlines())


def test_the_public_key_is_told_and_the_private_one_is_not(run: Run) -> None:
    told = run("audit key").output
    assert fields(told) == {"key": KEY.key_id, "public": KEY.public.hex()}
    assert AUDIT_KEY not in told


def test_a_checkpoint_is_made_by_hand_and_told(peopled: Run) -> None:
    first = fields(peopled("audit checkpoint").stdout)
    assert first["checkpoint"].startswith("1:")
    assert (first["key"], first["public"]) == (KEY.key_id, KEY.public.hex())
    assert len(first["root"]) == 64
    again = peopled("audit checkpoint")
    assert fields(again.stdout) == first
    assert "nothing is new" in again.stderr
    peopled("participant withdraw 01-002")
    assert fields(peopled("audit checkpoint").stdout)["checkpoint"].startswith("2:")


def test_an_empty_trail_has_nothing_to_seal(run: Run) -> None:
    assert "the trail holds nothing yet" in run("audit checkpoint", code=1).output


def test_an_export_is_sealed_first_noted_and_verified(
    peopled: Run, sqlite_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "trail.zip"
    digest = fields(peopled("audit export", path).output)["SHA-256"]
    witness = fields(peopled("audit checkpoint").output)["checkpoint"]  # the export is new
    told = peopled("audit verify", path, "--key", KEY.public.hex())
    assert "in 3 streams, 1 checkpoints: the whole database" in told.output
    assert told.output.endswith("no fault\n")
    behind = peopled("audit verify", path, "--checkpoint", witness, code=1).output
    assert behind.startswith("checkpoint 2: is known from outside, and the export ends with 1")
    other = peopled("audit verify", path, "--key", AuditKey.new().public.hex(), code=1).output
    assert "and not one that was given" in other
    assert "cannot be read" in peopled("audit verify", __file__, code=2).output
    database = Database(sqlite_url)
    with database.reading() as session:
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "export")).one()
    database.close()
    assert (entry.stream, entry.actor, entry.new) == ("study/1", "site", "audit")
    assert entry.detail == {"study": None, "participant": None, "sha256": digest}
    assert "no fault" in peopled("verify-audit").output


def test_a_study_s_and_a_participant_s_trail_are_exported(peopled: Run, tmp_path: Path) -> None:
    study, person = tmp_path / "study.zip", tmp_path / "person.zip"
    peopled("audit export", study, "--study", "test")
    peopled("audit export", person, "--participant", "01-002")
    assert "in 3 streams, 1 checkpoints: study test\n" in peopled("audit verify", study).output
    told = peopled("audit verify", person).output
    assert "in 2 streams, 2 checkpoints: participant 01-002, study test\n" in told


def test_an_export_of_what_is_not_there_is_refused(peopled: Run, tmp_path: Path) -> None:
    path = tmp_path / "trail.zip"
    assert "no study 'no'" in peopled("audit export", path, "--study", "no", code=1).output
    wrong = peopled("audit export", path, "--participant", "09-009", code=1).output
    assert "no participant '09-009'" in wrong
    nowhere = peopled("audit export", tmp_path / "none" / "trail.zip", code=2).output
    assert "there is no folder" in nowhere
    assert not path.exists()


def test_a_trail_that_lost_entries_is_not_sealed_and_exported_all_the_same(
    peopled: Run, sqlite_url: str, tmp_path: Path
) -> None:
    peopled("audit checkpoint")
    database = Database(sqlite_url)
    with database.writing() as session:
        session.execute(sa.text("DROP TRIGGER append_only_delete_audit_entry"))
        session.execute(sa.text("DELETE FROM audit_entry WHERE stream = 'participant/2'"))
    database.close()
    told = peopled("audit checkpoint", code=1).output
    assert told.startswith("Error: participant/2 entry 2 is gone or another one")
    assert told.count("\n") == 1
    missing = "participant/2 entry 1: entries 1 to 2 are missing at the end: checkpoint 1 holds"
    assert missing in peopled("verify-audit", code=1).output
    path = tmp_path / "trail.zip"
    assert "warning: participant/2 entry 2 is gone" in peopled("audit export", path).stderr
    assert missing in peopled("audit verify", path, code=1).output


def test_faults_of_checkpoints_are_told_of_the_database_too(peopled: Run, sqlite_url: str) -> None:
    peopled("audit checkpoint")
    database = Database(sqlite_url)
    with database.writing() as session:
        session.execute(sa.text("DROP TRIGGER append_only_update_audit_checkpoint"))
        session.execute(sa.text("UPDATE audit_checkpoint SET entries = 9"))
    database.close()
    assert peopled("verify-audit", code=1).stdout.splitlines() == [
        "checkpoint 1: was changed after it was made: its hash does not fit",
        "checkpoint 1: its signature is not that of its key",
        "checkpoint 1: states 3 streams and 9 entries; its heads are 3 and 5",
    ]
