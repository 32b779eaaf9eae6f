"""What the database forbids by itself, whoever writes to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.models import Base, Database
from pro_app.services import checkpoints
from pro_app.services.audit_key import AuditKey
from tests.conftest import MORNING, PREPARE_SQLITE, Site
from tests.services.correcting import signed_rows

HOUR = timedelta(hours=1)
Row = dict[str, Any]


def insert(database: Database, table: str, rows: list[Row]) -> None:
    with database.writing() as session:
        session.execute(sa.insert(Base.metadata.tables[table]), rows)


def first(database: Database, table: str) -> Row:
    """The table's first row, without its key."""
    found = Base.metadata.tables[table]
    with database.reading() as session:
        by_key = sa.select(found).order_by(*found.primary_key)
        row = dict(session.execute(by_key).mappings().first() or {})
    row.pop("id", None)
    return row


@pytest.fixture
def lived(site: Site) -> Site:
    """A site where every table has a row: one person, joined, one questionnaire submitted."""
    person = site.enrol()
    device = site.join(person)
    assessment = site.open(person)[0]
    site.answer_all(assessment)
    site.submit(assessment, device)
    site.enrol("01-002")
    tables: list[tuple[str, Row]] = [
        ("device_session", {"device_id": device, "created_at": MORNING, "seen_at": MORNING}),
        ("attempt", {"kind": "code", "source": "x", "at": MORNING}),
        ("code_request", {"participant_id": person.id, "requested_at": MORNING}),
    ]
    tables[0][1]["token_hash"] = "t"
    tables += [
        ("contact", {"participant_id": person.id, "email": b"x", "created_at": MORNING}),
        ("message", {"public_id": "m", "participant_id": person.id, "channel": "push",
                     "created_at": MORNING}),
        ("delivery", {"message_id": 1, "at": MORNING, "outcome": "accepted"}),
        ("reminder", {"assessment_id": assessment.id, "participant_id": person.id,
                      "step": "first", "channel": "push", "state": "planned", "attempts": 0,
                      "planned_for": MORNING, "due_at": MORNING, "expires_at": MORNING,
                      "message_id": 1, "created_at": MORNING}),
        ("subscription", {"participant_id": person.id, "device_id": device, "endpoint_hash": "h",
                          "host": "push", "secret": b"x", "vapid_key": "k", "state": "active",
                          "created_at": MORNING, "seen_at": MORNING}),
        ("push_host", {"host": "push", "failures": 0}),
        ("alarm", {"code": "x", "detail": "x", "count": 1, "first_at": MORNING,
                   "last_at": MORNING}),
        ("passkey", {"participant_id": person.id, "device_id": device, "used_device_id": device,
                     "credential_id": "x", "public_key": b"x", "sign_count": 0, "transports": [],
                     "backed_up": False, "created_at": MORNING}),
        ("submit_operation", {"operation": "x", "assessment_id": assessment.id,
                              "device_id": device, "tapped_at": MORNING, "received_at": MORNING,
                              "outcome": "earlier"}),
        ("loss", {"device_id": device, "journal": "x", "found_by": "y", "count": 2, "arrived": 0,
                  "noticed_at": MORNING}),
    ]  # fmt: skip
    for table, row in [*tables, *signed_rows(person.id, MORNING), *STAFF]:
        insert(site.database, table, [row])
    with site.database.writing() as session:
        checkpoints.make(session, AuditKey.new(), MORNING)
    return site


STAFF: list[tuple[str, Row]] = [  # what belongs to a person of staff; the first one's row is there
    ("staff", {"public_id": "second", "name": "Second", "email": "second@hospital.example",
               "language": "en", "failures": 0, "created_at": MORNING}),
    ("staff_role", {"staff_id": 1, "study_id": 1, "site_id": 1, "role": "coordinator",
                    "begins_at": MORNING}),
    ("staff_invitation", {"staff_id": 1, "kind": "invitation", "token_hash": "x",
                          "created_at": MORNING, "expires_at": MORNING}),
    ("staff_session", {"staff_id": 1, "token_hash": "x", "created_at": MORNING,
                       "seen_at": MORNING, "verified_at": MORNING}),
    ("staff_recovery_code", {"staff_id": 1, "code_hash": "x", "created_at": MORNING}),
    ("staff_passkey", {"staff_id": 1, "name": "x", "credential_id": "x", "public_key": b"x",
                       "sign_count": 0, "transports": [], "backed_up": False,
                       "created_at": MORNING}),
    ("staff_stranger", {"mark": "x", "failures": 1, "failed_at": MORNING}),
    ("missed_reason", {"assessment_id": 2, "code": "too_ill", "text": "", "at": MORNING,
                       "staff_id": 1}),
    ("call", {"at": MORNING, "participant_id": 1, "assessment_id": 1, "staff_id": 1,
              "channel": "telephone", "outcome": "reached", "text": ""}),
    ("tablet_session", {"participant_id": 1, "staff_id": 1, "token_hash": "x",
                        "created_at": MORNING, "seen_at": MORNING, "failures": 0,
                        "confirmed_at": MORNING, "confirmed_by": "pin",
                        "ended_at": MORNING, "ended_how": "idle"}),
    ("transcription", {"public_id": "x", "assessment_id": 2, "mode": "paper", "state": "draft",
                       "completed_on": MORNING.date(), "reference": "x", "language": "en",
                       "wording": "x", "entered_by": 1, "values": {}, "settled": {},
                       "entered_at": MORNING, "checked_by": 2, "checked_at": MORNING}),
    ("answer_alert", {"public_id": "x", "submission_id": 1, "rule": "pain", "raised_at": MORNING,
                      "due_at": MORNING + HOUR, "for_coordinators": False,
                      "escalate_to": "investigator", "acknowledged_at": MORNING,
                      "acknowledged_by": 1, "note": "Called"}),
    ("alert_letter", {"public_id": "x", "alert_id": 1, "staff_id": 1, "step": "raised",
                      "state": "planned", "planned_for": MORNING, "due_at": MORNING,
                      "attempts": 0}),
    ("export_job", {"public_id": "x", "study_id": 1, "staff_id": 1, "what": "answers",
                    "format": "csv", "language": "en", "filters": {}, "reason": "x",
                    "requested_at": MORNING, "as_of": MORNING, "state": "done", "rows_done": 1,
                    "attempts": 1, "file_name": "x", "size": 1, "sha256": "x",
                    "finished_at": MORNING, "expires_at": MORNING}),
    ("api_token", {"public_id": "x", "study_id": 1, "staff_id": 1, "name": "x", "token_hash": "x",
                   "scopes": ["answers"], "sites": ["01"], "days_only": False,
                   "created_at": MORNING, "expires_at": MORNING + HOUR}),
    ("wording", {"instrument": "lupusqol", "language": "en", "version": "1", "fingerprint": "x",
                 "instrument_fingerprint": "x", "texts": {"instruction": "x"}, "file_hash": "x",
                 "stored_at": MORNING, "stored_by": "site"}),
    ("licence", {"wording_id": 1, "study_id": 1, "site_id": 1, "holder": "x", "number": "x",
                 "modes": ["phone"], "from_on": MORNING.date(), "until": MORNING.date(),
                 "stored_at": MORNING, "stored_by": "site"}),
    ("recording", {"wording_id": 1, "item": "LQ01", "media_type": "audio/mpeg", "content": b"x",
                   "sha256": "x", "stored_at": MORNING, "stored_by": "site"}),
    ("confirmation", {"source_id": 1, "wording_id": 1, "place": "items.LQ01",
                      "confirmed_at": MORNING, "confirmed_by": "site"}),
    ("backup", {"made_at": MORNING, "name": "x", "sha256": "x", "size": 1, "entries": 0,
                "verified_at": MORNING, "drill": False}),
]  # fmt: skip


FRESH = {  # what makes a copy of a row differ where it must
    "assessment": {"public_id": "another", "occurrence": 2},
    "answer": {"operation": "another"},
    "score": {"scale": "another"},
    "submission": {"assessment_id": 2},
    "participant": {"number": "another", "public_id": "another"},
    "submit_operation": {"operation": "another"},
    "loss": {"found_by": "another"},
    "passkey": {"credential_id": "another"},
    "device": {"token_hash": "another"},
    "audit_entry": {"stream": "another"},
    "audit_checkpoint": {"number": 2},
    "transcription": {"public_id": "another", "state": "discarded"},
    "audit_head": {"stream": "another"},
    "study_version": {"number": 2},
    "site": {"code": "another"},
    "joining_code": {"code_hash": "another"},
    "device_session": {"token_hash": "another"},
    "study": {"code": "another"},
    "anchor_date": {"anchor": "another"},
    "contact": {"participant_id": 2},
    "reminder": {"step": "another"},
    "message": {"public_id": "another"},
    "subscription": {"endpoint_hash": "another"},
    "push_host": {"host": "another"},
    "staff": {"public_id": "another", "email": "another"},
    "staff_invitation": {"token_hash": "another"},
    "staff_session": {"token_hash": "another"},
    "staff_recovery_code": {"code_hash": "another"},
    "tablet_session": {"token_hash": "another"},
    "staff_passkey": {"credential_id": "another"},
    "staff_stranger": {"mark": "another"},
    "correction": {"public_id": "another"},
    "correction_decision": {"correction_id": 2},  # the copy above
    "corrected_score": {"scale": "another"},
    "sign_off": {"public_id": "another"},
    "answer_alert": {"public_id": "another", "rule": "another"},
    "alert_letter": {"public_id": "another", "step": "escalated"},
    "export_job": {"public_id": "another"},
    "api_token": {"public_id": "another", "token_hash": "another"},
    "wording": {"fingerprint": "another", "version": "2"},
    "licence": {},
    "recording": {"item": "another"},
    "confirmation": {"place": "another"},
    "backup": {},
}


TWICE: list[tuple[str, Row]] = [
    ("assessment", {"occurrence": 1}),
    ("assessment", {"public_id": None}),
    ("answer", {"operation": None}),
    ("submission", {"assessment_id": 1}),
    ("score", {"scale": None}),
    ("audit_entry", {"stream": None}),
    ("audit_checkpoint", {"number": None}),
    ("audit_head", {"stream": None}),
    ("participant", {"number": None}),
    ("participant", {"public_id": None}),
    ("submit_operation", {"operation": None}),
    ("loss", {"found_by": None}),
    ("passkey", {"credential_id": None}),
    ("study", {"code": None}),
    ("study_version", {"number": 1}),
    ("site", {"code": None}),
    ("joining_code", {"code_hash": None}),
    ("device", {"token_hash": None}),
    ("device_session", {"token_hash": None}),
    ("anchor_date", {"anchor": None}),
    ("reminder", {"step": None}),
    ("message", {"public_id": None}),
    ("subscription", {"endpoint_hash": None}),
    ("push_host", {"host": None}),
    ("staff", {"public_id": None}),
    ("staff", {"email": None}),
    ("staff_invitation", {"token_hash": None}),
    ("staff_session", {"token_hash": None}),
    ("staff_recovery_code", {"code_hash": None}),
    ("tablet_session", {"token_hash": None}),
    ("staff_passkey", {"credential_id": None}),
    ("staff_stranger", {"mark": None}),
    ("correction", {"public_id": None}),
    ("correction_decision", {"correction_id": 1}),
    ("corrected_score", {"scale": None}),
    ("sign_off", {"public_id": None}),
    ("answer_alert", {"public_id": None}),
    ("answer_alert", {"rule": None}),
    ("alert_letter", {"public_id": None}),
    ("alert_letter", {"step": None}),
    ("export_job", {"public_id": None}),
    ("api_token", {"public_id": None}),
    ("api_token", {"token_hash": None}),
    ("wording", {"fingerprint": None}),
    ("wording", {"version": None}),
    ("recording", {"item": None}),
    ("confirmation", {"place": None}),
]
IMPOSSIBLE: list[tuple[str, Row, str]] = [
    ("assessment", {"closes_at": MORNING - HOUR}, "ck_assessment_"),
    ("assessment", {"opens_at": MORNING + 99 * HOUR}, "ck_assessment_"),
    ("assessment", {"due_at": MORNING - 99 * HOUR}, "ck_assessment_due"),
    ("assessment", {"due_at": MORNING + 99 * HOUR}, "ck_assessment_due"),
    (
        "assessment",
        dict.fromkeys(("opens_at", "due_at", "closes_at"), MORNING),
        "ck_assessment_window",
    ),
    ("assessment", {"occurrence": 0}, "ck_assessment_occurrence"),
    ("answer", {"state": "refused", "code": None}, "ck_answer_state"),
    ("answer", {"state": "answered", "code": None}, "ck_answer_code"),
    ("answer", {"state": "skipped", "code": 1}, "ck_answer_code"),
    ("answer", {"state": "not_applicable", "code": 0}, "ck_answer_code"),
    ("answer", {"state": "cleared", "code": 1}, "ck_answer_code"),
    ("answer", {"standing": "early"}, "ck_answer_standing"),
    ("answer", {"mode": "telepathy"}, "ck_answer_mode"),
    ("answer", {"doubt": "some"}, "ck_answer_doubt"),
    ("submit_operation", {"doubt": "some"}, "ck_submit_operation_doubt"),
    ("submit_operation", {"outcome": "refused"}, "ck_submit_operation_outcome"),
    ("loss", {"count": -1}, "ck_loss_count"),
    ("loss", {"arrived": -1}, "ck_loss_count"),
    ("staff_stranger", {"failures": -1}, "ck_staff_stranger_failures"),
    ("api_token", {"expires_at": MORNING}, "ck_api_token_life"),
    ("licence", {"until": date(2020, 1, 1)}, "ck_licence_days"),
    ("licence", {"study_id": None}, "ck_licence_site"),
    ("backup", {"size": 0}, "ck_backup_counts"),
    ("score", {"value": None, "reason": None}, "ck_score_reason"),
    ("score", {"value": 1.0, "reason": "too_few_answered"}, "ck_score_reason"),
    ("participant", {"text_size": 3}, "ck_participant_text_size"),
    ("participant", {"text_size": -1}, "ck_participant_text_size"),
    ("participant", {"notice_version": None}, "ck_participant_notice"),
    ("participant", {"notice_at": None}, "ck_participant_notice"),
    ("device", {"pin_failures": -1}, "ck_device_pin_failures"),
    ("reminder", {"state": "lost"}, "ck_reminder_state"),
    ("reminder", {"channel": "pigeon"}, "ck_reminder_channel"),
    ("message", {"channel": "coordinator"}, "ck_message_channel"),
    ("subscription", {"state": "maybe"}, "ck_subscription_state"),
    ("correction", {"kind": "other"}, "ck_correction_kind"),
    ("correction", {"originator": "sponsor"}, "ck_correction_originator"),
    ("correction", {"reason_code": "because"}, "ck_correction_reason_code"),
    ("correction", {"new": "baseline/1"}, "ck_correction_new"),
    ("correction", {"kind": "answer"}, "ck_correction_confirmation"),
    ("correction", {"kind": "answer", "confirmation": "x"}, "ck_correction_confirmation"),
    ("correction", {"confirmation": "x", "confirmed_on": MORNING.date()},
     "ck_correction_confirmation"),
    ("correction_decision", {"outcome": "requested"}, "ck_correction_decision_"),
    ("correction_decision", {"outcome": "approved"}, "ck_correction_decision_signature"),
    ("correction_decision", {"outcome": "approved", "signature": "x"},
     "ck_correction_decision_signature"),
    ("correction_decision", {"signature": "x", "meaning": "x"},
     "ck_correction_decision_signature"),
    ("corrected_score", {"value": None}, "ck_corrected_score_reason"),
    ("tablet_session", {"failures": -1}, "ck_tablet_session_failures"),
    ("tablet_session", {"confirmed_by": "face"}, "ck_tablet_session_confirmed_by"),
    ("tablet_session", {"confirmed_by": None}, "ck_tablet_session_confirmed"),
    ("tablet_session", {"ended_how": "stolen"}, "ck_tablet_session_ended_how"),
    ("tablet_session", {"ended_at": None}, "ck_tablet_session_ended"),
    ("answer_alert", {"escalate_to": "researcher"}, "ck_answer_alert_escalate_to"),
    ("answer_alert", {"due_at": MORNING}, "ck_answer_alert_due"),
    ("answer_alert", {"acknowledged_at": None}, "ck_answer_alert_acknowledged"),
    ("answer_alert", {"acknowledged_by": None}, "ck_answer_alert_acknowledged"),
    ("answer_alert", {"note": None}, "ck_answer_alert_acknowledged"),
    ("alert_letter", {"step": "again"}, "ck_alert_letter_step"),
    ("export_job", {"state": "waiting"}, "ck_export_job_"),
    ("export_job", {"state": "lost"}, "ck_export_job_"),
    ("export_job", {"sha256": None}, "ck_export_job_file"),
    ("export_job", {"size": None}, "ck_export_job_file"),
    ("export_job", {"error": "made"}, "ck_export_job_error"),
    ("export_job", {"finished_at": None}, "ck_export_job_finished"),
    ("export_job", {"lease": "x", "lease_until": MORNING}, "ck_export_job_lease"),
    ("export_job", {"lease_until": MORNING}, "ck_export_job_lease_until"),
    ("export_job", {"rows_done": -1}, "ck_export_job_counts"),
    ("export_job", {"percent": 101}, "ck_export_job_counts"),
    ("alert_letter", {"state": "lost"}, "ck_alert_letter_state"),
]  # fmt: skip


def test_a_copy_that_differs_where_it_must_is_taken(lived: Site, subtests: pytest.Subtests) -> None:
    """So each refusal below has the one cause that it names."""
    for table, fresh in FRESH.items():
        with subtests.test(table):
            insert(lived.database, table, [first(lived.database, table) | fresh])


def test_what_there_is_once_is_not_taken_twice(lived: Site, subtests: pytest.Subtests) -> None:
    for table, same in TWICE:
        row = first(lived.database, table)
        twice = row | FRESH[table] | {name: row[name] for name in same}
        with (
            subtests.test(table, same=same),
            pytest.raises(sa.exc.IntegrityError, match=r"(?i)unique"),
        ):
            insert(lived.database, table, [twice])


def test_what_cannot_be_is_refused(lived: Site, subtests: pytest.Subtests) -> None:
    for table, wrong, constraint in IMPOSSIBLE:
        row = first(lived.database, table) | FRESH[table] | wrong
        with (
            subtests.test(table, wrong=wrong),
            pytest.raises(sa.exc.IntegrityError, match=constraint),
        ):
            insert(lived.database, table, [row])


def test_nothing_points_to_what_is_not_there(lived: Site, subtests: pytest.Subtests) -> None:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if not column.foreign_keys:
                continue
            row = first(lived.database, table.name) | FRESH.get(table.name, {})
            with (
                subtests.test(str(table.name), column=str(column.name)),
                pytest.raises(sa.exc.IntegrityError, match=r"(?i)foreign key"),
            ):
                insert(lived.database, table.name, [row | {column.name: 99_999}])


def test_what_is_never_empty_is_so_in_the_database(
    database: Database, subtests: pytest.Subtests
) -> None:
    inspector = sa.inspect(database.engine)
    for table in Base.metadata.sorted_tables:
        found = {one["name"]: one["nullable"] for one in inspector.get_columns(table.name)}
        with subtests.test(str(table.name)):
            assert found == {column.name: column.nullable for column in table.columns}


def test_a_moment_comes_back_in_utc_whatever_zone_it_came_in(site: Site) -> None:
    kuala_lumpur = timezone(timedelta(hours=8))
    moment = datetime(2026, 11, 23, 9, 0, 0, 123_456, tzinfo=kuala_lumpur)
    insert(site.database, "attempt", [{"kind": "code", "source": "x", "at": moment}])
    found = first(site.database, "attempt")["at"]
    assert found == moment
    assert found.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(site: Site) -> None:
    moment = MORNING.replace(tzinfo=None)
    with pytest.raises(sa.exc.StatementError, match="a moment without a zone"):
        insert(site.database, "attempt", [{"kind": "code", "source": "x", "at": moment}])


def test_reading_keeps_nothing(site: Site) -> None:
    with site.database.reading() as session:
        session.execute(
            sa.insert(Base.metadata.tables["attempt"]),
            {"kind": "code", "source": "x", "at": MORNING},
        )
    assert first_or_none(site.database) is None


def test_a_snapshot_sees_one_moment_whatever_others_write(site: Site) -> None:
    site.enrol("01-001")
    count = sa.select(sa.func.count()).select_from(Base.metadata.tables["participant"])
    with site.database.snapshot() as session:
        before = session.scalar(count)
        site.enrol("01-002")
        assert session.scalar(count) == before == 1
    with site.database.snapshot() as session:
        assert session.scalar(count) == 2


def test_rows_alone_are_written_and_read_like_everything(site: Site) -> None:
    table = Base.metadata.tables["attempt"]
    row = {"kind": "code", "source": "x", "at": MORNING}
    with site.database.writing_rows() as connection:
        connection.execute(sa.insert(table), row)
    with site.database.reading_rows() as connection:
        assert connection.execute(sa.select(table.c.at)).scalar_one() == MORNING

    def fail_after_writing() -> None:
        with site.database.writing_rows() as connection:
            connection.execute(sa.delete(table))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail_after_writing()
    assert first_or_none(site.database) is not None


def test_an_error_while_writing_keeps_nothing(site: Site) -> None:
    def fail_after_writing() -> None:
        with site.database.writing() as session:
            session.execute(
                sa.insert(Base.metadata.tables["attempt"]),
                {"kind": "code", "source": "x", "at": MORNING},
            )
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail_after_writing()
    assert first_or_none(site.database) is None


def first_or_none(database: Database) -> Any:
    with database.reading() as session:
        return session.execute(sa.select(Base.metadata.tables["attempt"])).first()


def test_a_database_error_does_not_repeat_what_was_sent(site: Site) -> None:
    """Errors end in logs, and logs hold no answers."""
    canary = "canary-8f3"
    with pytest.raises(sa.exc.DBAPIError) as failed:
        insert(site.database, "attempt", [{"kind": canary, "source": canary, "at": None}])
    told = str(failed.value).partition("DETAIL")[
        0
    ]  # PostgreSQL's own words: see tests/web/test_logs
    assert canary not in told


def test_sqlite_waits_for_the_disk_outside_the_tests(tmp_path: Path) -> None:
    """What was acknowledged survives a power cut: each commit is on the disk."""
    with closing(sqlite3.connect(tmp_path / "kept.sqlite3")) as connection:
        PREPARE_SQLITE(connection, None)
        asked = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "journal_mode", "foreign_keys", "recursive_triggers")
        }
    assert asked == {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1,
                     "recursive_triggers": 1}  # fmt: skip
