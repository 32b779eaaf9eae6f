"""The tables: made, removed and made again on both databases; the record refuses change."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from pro_app.migrations import configuration, downgrade, is_current, upgrade
from pro_app.models import (
    Assessment,
    Backup,
    Base,
    Confirmation,
    Database,
    Device,
    Participant,
    Recording,
)
from pro_app.services import audit, checkpoints, sealed_codes, seals
from pro_app.services.audit_key import AuditKey
from tests.conftest import BOTH, Site, make_database
from tests.services.correcting import signed_rows
from tests.services.licensing import license_one

APPEND_ONLY = (
    "answer", "audit_checkpoint", "audit_entry", "audit_head", "backup", "call", "confirmation",
    "corrected_score", "correction", "correction_decision", "delivery", "licence",
    "missed_reason", "recording", "score", "sign_off", "study_version", "submission",
    "submit_operation", "wording",
)  # fmt: skip


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


def test_a_database_with_answers_goes_down_and_up_again(site: Site) -> None:
    """SQLite must not build anew a table that others point to."""
    sheet = site.open(site.enrol())[0]
    site.answer_all(sheet)
    site.submit(sheet)
    downgrade(site.database, "0013")
    upgrade(site.database)
    with site.database.reading() as session:
        found = session.get_one(Assessment, sheet.id)
        assert (found.sealed_late, list(seals.faults(session))) == (False, [])
        assert list(sealed_codes.faults(session)) == []


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


def test_rows_of_before_the_journals_get_what_is_missing(bare: Database) -> None:
    """Participants get opaque names, each another one; phones have nothing that waits."""
    upgrade(bare, "0002")
    with bare.writing() as session:
        for statement in (
            "INSERT INTO study (id, code, created_at) VALUES (1, 'old', '2026-01-01')",
            "INSERT INTO site (id, study_id, code, name) VALUES (1, 1, '01', 'Here')",
            "INSERT INTO participant (id, study_id, site_id, number, language, text_size, "
            "created_at) VALUES (1, 1, 1, '01-001', 'en', 0, '2026-01-01'), "
            "(2, 1, 1, '01-002', 'ta', 0, '2026-01-01')",
            "INSERT INTO device (id, participant_id, token_hash, pin_failures, created_at, "
            "used_at) VALUES (1, 2, 'hash', 0, '2026-01-01', '2026-01-01')",
        ):
            session.execute(sa.text(statement))
    upgrade(bare)
    with bare.reading() as session:
        people = session.scalars(sa.select(Participant).order_by(Participant.id)).all()
        assert [one.number for one in people] == ["01-001", "01-002"]
        assert len({one.public_id for one in people}) == 2
        assert all(len(one.public_id) == 22 for one in people)
        device = session.get_one(Device, 1)
        assert (device.journal, device.unsent, device.persisted) == (None, 0, None)
    downgrade(bare, "0002")
    with bare.reading() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM device")) == 1


def test_who_withdrew_before_there_were_kinds_withdrew_from_the_study(bare: Database) -> None:
    upgrade(bare, "0005")
    with bare.writing() as session:
        for statement in (
            "INSERT INTO study (id, code, created_at) VALUES (1, 'old', '2026-01-01')",
            "INSERT INTO site (id, study_id, code, name) VALUES (1, 1, '01', 'Here')",
            "INSERT INTO participant (id, public_id, study_id, site_id, number, language, "
            "text_size, created_at, withdrawn_at) VALUES "
            "(1, 'a', 1, 1, '01-001', 'en', 0, '2026-01-01', NULL), "
            "(2, 'b', 1, 1, '01-002', 'en', 0, '2026-01-01', '2026-02-01')",
        ):
            session.execute(sa.text(statement))
    upgrade(bare)
    with bare.reading() as session:
        people = session.scalars(sa.select(Participant).order_by(Participant.id)).all()
        assert [one.withdrew_from for one in people] == [None, "study"]
    downgrade(bare, "0005")
    with bare.reading() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM participant")) == 2


NOON = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ANSWER: dict[str, Any] = {
    "operation": "00000000-0000-4000-8000-000000000001", "assessment_id": 7, "item": "LQ01",
    "state": "answered", "code": 3, "standing": "in_time", "prompted": False,
    "answered_at": NOON, "received_at": NOON + timedelta(seconds=2),
    "device_time": "2026-11-23T09:00:00+08:00", "skew_ms": -250, "language": "ta",
    "wording": "f" * 64, "mode": "own_phone", "originator": "participant", "device_id": None,
}  # fmt: skip
LATER: dict[str, Any] = {  # columns that came with 0003: empty in older rows, and a value
    "journal": (None, "0" * 36), "sequence": (None, 0), "run": (None, "0" * 36),
    "monotonic_ms": (None, 0), "contact_at": (None, NOON), "contact_device_time": (None, "now"),
    "read_aloud": (False, True), "doubt": (None, "skew"),
}  # fmt: skip
SUBMISSION: dict[str, Any] = {
    "assessment_id": 7, "started_at": NOON, "completed_at": NOON,
    "submitted_at": NOON + timedelta(minutes=5), "late": False,
    "answers": {"LQ01": {"state": "answered", "code": 3}}, "instrument_fingerprint": "e" * 64,
    "study_version": 1, "mode": "own_phone", "device_id": 4,
}  # fmt: skip


def test_digests_and_receipts_of_older_rows_hold() -> None:
    """As they were made before there were these columns; but a value put there is found."""
    old = ANSWER | {name: values[0] for name, values in LATER.items()}
    digest = audit.answer_digest(old)
    assert digest == "f6d9a9bd3dd7ef491f530a20ee2ad254aa4fedcee128e37d8e9c66f36e99129b"
    changed = {audit.answer_digest(old | {name: values[1]}) for name, values in LATER.items()}
    assert len(changed - {digest}) == len(LATER)
    receipt = audit.submission_digest(SUBMISSION | {"submit_tapped_at": None})
    assert receipt == "5231d57a88a397b73e069c6f9f2f44df61aec06e397aad899aeceb2c81549d8a"
    assert audit.submission_digest(SUBMISSION | {"submit_tapped_at": NOON}) != receipt


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
        ("audit_head", "checkpoint"),  # all are read in order, or a stream's own
        ("submission", "device_id"),
        ("submit_operation", "device_id"),
        ("loss", "device_id"),  # first of a unique constraint
        ("joining_code", "device_id"),  # found from the code
        ("joining_code", "maker_id"),
        ("passkey", "device_id"),  # found among the participant's own
        ("passkey", "used_device_id"),
        ("participant", "study_id"),  # first of the unique (study_id, number)
        ("assessment", "participant_id"),  # first of a unique constraint
        ("answer", "assessment_id"),  # first of an index
        ("score", "submission_id"),  # first of a unique constraint
        ("site", "study_id"),
        ("staff_role", "site_id"),  # found among a person's own
        ("staff_invitation", "invited_by"),  # found from the person
        ("study_version", "study_id"),
        ("correction", "requester_id"),
        ("correction_decision", "staff_id"),
        ("corrected_score", "correction_id"),  # first of a unique constraint
        ("sign_off", "staff_id"),
        ("anchor_date", "participant_id"),  # first of a unique constraint
        ("message", "participant_id"),  # first of a unique constraint
        ("reminder", "assessment_id"),  # first of a unique constraint
        ("missed_reason", "staff_id"),  # found from the assessment
        ("call", "assessment_id"),  # found among the participant's own
        ("call", "staff_id"),
        ("tablet_session", "staff_id"),  # found from the participant
        ("transcription", "entered_by"),  # found from the assessment
        ("transcription", "checked_by"),
        ("answer_alert", "submission_id"),  # first of a unique constraint
        ("answer_alert", "acknowledged_by"),  # found from the participant
        ("alert_letter", "alert_id"),  # first of a unique constraint
        ("alert_letter", "staff_id"),  # found from what is due
        ("export_job", "staff_id"),  # first of an index
        ("export_job", "study_id"),  # found among the person's own
        ("sealed_codes", "submission_id"),  # the primary key
        ("recording", "wording_id"),  # first of a unique constraint
        ("confirmation", "source_id"),
    }
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if column.foreign_keys and not (column.index or column.unique):
                assert (table.name, column.name) in never_looked_up


@pytest.fixture
def full(site: Site) -> Site:
    """A site with a row in every append-only table."""
    person = site.enrol()
    device_id = site.join(person)
    assessment = site.open(person)[0]
    site.answer_all(assessment)
    site.submit(assessment)
    rows: list[tuple[str, dict[str, Any]]] = [
        (
            "missed_reason",
            {"assessment_id": assessment.id, "code": "other", "text": "", "at": site.clock()},
        ),
        (
            "call",
            {
                "participant_id": assessment.participant_id,
                "at": site.clock(),
                "channel": "note",
                "text": "came by",
            },
        ),
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
        (
            "submit_operation",
            {
                "operation": str(uuid.uuid4()),
                "assessment_id": assessment.id,
                "device_id": device_id,
                "tapped_at": site.clock(),
                "received_at": site.clock(),
                "outcome": "earlier",
            },
        ),
    ]
    with site.database.writing() as session:
        for table, row in [*rows, *signed_rows(assessment.participant_id, site.clock())]:
            session.execute(sa.insert(Base.metadata.tables[table]).values(**row))
        license_one(session, site.study, site.library, "lupusqol", "en", site.clock())
        spoken = {"media_type": "audio/mpeg", "content": b"x", "sha256": "x"}
        by = {"stored_at": site.clock(), "stored_by": "site"}
        session.add(Recording(wording_id=1, item="LQ01", **spoken, **by))
        session.add(
            Confirmation(
                source_id=1, wording_id=1, place="items.LQ01", confirmed_at=site.clock(),
                confirmed_by="site",
            )
        )  # fmt: skip
        now, of = site.clock(), {"name": "x", "sha256": "x", "size": 1, "entries": 0}
        session.add(Backup(made_at=now, verified_at=now, drill=False, **of))
        checkpoints.make(session, AuditKey.new(), site.clock())
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
