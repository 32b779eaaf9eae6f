"""The trail: whole after a full life, and naming whatever was done to it or to the data."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import AuditEntry, Database
from pro_app.services import audit, studies
from pro_app.services.audit import Entry, Fault
from tests.conftest import MORNING, PIN, Site
from tests.services.tampering import (
    Tampering,
    add_score,
    change,
    cut_tail,
    drop_first,
    drop_triggers,
    edit,
    entries_of,
    live,
    rehash,
    remove,
    swap,
)  # fmt: skip


@pytest.fixture
def lived(site: Site) -> Site:
    return live(site)


def faults(database: Database) -> list[Fault]:
    with database.reading() as session:
        return list(audit.verify(session))


def test_a_full_life_leaves_a_trail_without_fault(lived: Site) -> None:
    assert faults(lived.database) == []
    with lived.database.reading() as session:
        assert audit.count(session) == session.scalar(
            sa.select(sa.func.count()).select_from(AuditEntry)
        )
        actions = set(session.scalars(sa.select(AuditEntry.action)))
    assert actions == {
        "load_study", "enrol", "issue_code", "join", "accept_notice", "set_pin", "wrong_pin",
        "unlock", "change_setting", "lock", "open_assessment", "answer", "submit", "score",
        "request_code", "withdraw", "readmit", "export",
    }  # fmt: skip


def test_the_record_says_who_did_it_and_nothing_secret(lived: Site) -> None:
    with lived.database.reading() as session:
        entries = session.scalars(sa.select(AuditEntry)).all()
    actors = {entry.actor for entry in entries}
    assert actors == {
        "site", "system", "participant", "participant/device 1", "participant/device None",
    }  # fmt: skip
    text = json.dumps([[entry.old, entry.new, entry.detail] for entry in entries])
    assert PIN not in text
    assert all(entry.at == MORNING for entry in entries)


def test_each_stream_counts_from_one_without_a_gap(lived: Site) -> None:
    with lived.database.reading() as session:
        rows = session.execute(
            sa.select(AuditEntry.stream, AuditEntry.seq).order_by(AuditEntry.id)
        ).all()
    streams: dict[str, list[int]] = {}
    for stream, seq in rows:
        streams.setdefault(stream, []).append(seq)
    assert set(streams) == {"study/1", "participant/1", "participant/2"}
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in streams.values())


UNTOLD = "is not as the trail tells it"
GONE = "tells of data that are gone or were changed"
CHANGED = "was changed after it was written"
BROKEN = "does not follow the entry before it"
# what is done, and the faults that name it: by what they are at (an entry's action, the entry
# after the wrong PIN, or the data themselves) and reason
TAMPERINGS: dict[str, tuple[Tampering, list[tuple[str, str]]]] = {
    "one byte of an entry": (
        lambda s: change(s, entries_of(s, "wrong_pin")[0], object="device/2"),
        [("wrong_pin", CHANGED)],
    ),
    "the moment of an entry": (
        lambda s: change(s, entries_of(s, "join")[0], at=MORNING - timedelta(days=1)),
        [("join", CHANGED)],
    ),
    "the old value of an entry": (
        lambda s: change(s, entries_of(s, "change_setting")[0], old="ta"),
        [("change_setting", CHANGED)],
    ),
    "the detail of an entry": (
        lambda s: change(s, entries_of(s, "open_assessment")[0], detail={}),
        [("open_assessment", CHANGED)],
    ),
    "an entry removed from the middle": (
        lambda s: remove(s, entries_of(s, "wrong_pin")[0]),
        [("after", "is missing"), ("after", BROKEN)],
    ),
    "an entry changed and hashed anew": (
        lambda s: rehash(s, entries_of(s, "wrong_pin")[0], action="unlock"),
        [("after", BROKEN)],
    ),
    "two entries swapped": (
        lambda s: swap(s, entries_of(s, "wrong_pin")[0], entries_of(s, "unlock")[0]),
        [("wrong_pin", CHANGED), ("after", BROKEN), ("after", CHANGED), ("after that", BROKEN)],
    ),
    "the end of the trail cut off": (
        cut_tail,
        [("data", UNTOLD)] * 3,
    ),
    "an answer's code": (
        lambda s: edit(s, "answer", code=2),
        [("data", UNTOLD), ("answer", GONE)],
    ),
    "an answer's moment": (
        lambda s: edit(s, "answer", answered_at=MORNING - timedelta(hours=1)),
        [("data", UNTOLD), ("answer", GONE)],
    ),
    "an answer removed": (lambda s: drop_first(s, "answer"), [("answer", GONE)]),
    "answers moved to another person": (
        lambda s: edit(s, "assessment", participant_id=2, occurrence=9),
        [(f"answer + {n}", GONE) for n in range(4)] + [("data of another", UNTOLD)] * 4,
    ),
    "a score's value": (
        lambda s: edit(s, "score", value=99.0),
        [("data", UNTOLD), ("score", GONE)],
    ),
    "a score under another name": (
        lambda s: edit(s, "score", scoring="mos_us1990"),
        [("data", UNTOLD), ("score", GONE)],
    ),
    "one score removed": (
        lambda s: drop_first(s, "score"),
        [("data", UNTOLD), ("score", GONE)],
    ),
    "a score added": (add_score, [("data", UNTOLD)]),
    "a submission's answers": (
        lambda s: edit(s, "submission", answers={}),
        [("data", UNTOLD), ("submit", GONE)],
    ),
    "a submission's moment": (
        lambda s: edit(s, "submission", submitted_at=MORNING - timedelta(days=3)),
        [("data", UNTOLD), ("submit", GONE)],
    ),
    "a submission's receipt": (
        lambda s: edit(s, "submission", receipt="f" * 64),
        [("data", UNTOLD), ("submit", GONE)],
    ),
}


def test_tampering_is_found_and_named(lived: Site, subtests: pytest.Subtests) -> None:
    """Each alone: it is taken back before the next."""
    for done, (tamper, expected) in TAMPERINGS.items():
        with subtests.test(done), lived.database.reading() as session:
            drop_triggers(session)
            wrong_pin = entries_of(session, "wrong_pin")[0].seq
            places = {entry.action: entry.seq for entry in reversed(first_stream(session))}
            places |= {"after": wrong_pin + 1, "after that": wrong_pin + 2}
            places |= {f"answer + {n}": places["answer"] + n for n in range(4)}
            session.expunge_all()
            tamper(session)
            session.flush()
            session.expunge_all()
            told = [
                (
                    "participant/2" if place == "data of another" else "participant/1",
                    places.get(place),
                    reason,
                )
                for place, reason in expected
            ]
            found = list(audit.verify(session))
            assert [(one.stream, one.seq) for one in found] == [one[:2] for one in told]
            assert all(
                one.reason.endswith(reason) for one, (_, _, reason) in zip(found, told, strict=True)
            )
    assert faults(lived.database) == []


def first_stream(session: Session) -> list[AuditEntry]:
    query = sa.select(AuditEntry).where(AuditEntry.stream == "participant/1")
    return list(session.scalars(query.order_by(AuditEntry.seq)))


def test_a_missing_stretch_is_named_by_its_numbers(lived: Site) -> None:
    with lived.database.reading() as session:
        drop_triggers(session)
        for entry in first_stream(session)[3:6]:
            remove(session, entry)
        found = list(audit.verify(session))
    assert found[0] == Fault("participant/1", 7, "entries 4 to 6 are missing")


def test_a_fault_names_the_answer(lived: Site) -> None:
    with lived.database.reading() as session:
        drop_triggers(session)
        operation = session.scalar(sa.text("SELECT operation FROM answer ORDER BY id LIMIT 1"))
        edit(session, "answer", code=2)
        found = list(audit.verify(session))
    assert found[0].reason == f"answer {operation} to LQ01 is not as the trail tells it"


# --- hashes -------------------------------------------------------------------------------------

ROW: dict[str, Any] = {
    "stream": "participant/1",
    "seq": 3,
    "at": datetime(2026, 11, 23, 1, 0, tzinfo=UTC),
    "actor": "site",
    "action": "enrol",
    "object": "participant",
    "field": None,
    "old": None,
    "new": "é",
    "detail": {"b": 1, "a": "é"},
    "previous_hash": audit.GENESIS,
}


def test_a_hash_never_changes_between_releases() -> None:
    """Recorded trails must verify for decades: this very hash is what the rule gives."""
    expected = "c08d2ffc09ad214167727d19094a3dc365ad30b35804a010ab4b852211f541b5"
    assert audit.entry_hash(ROW) == expected


@pytest.mark.parametrize("name", sorted(ROW))
def test_every_part_of_an_entry_is_under_its_hash(name: str) -> None:
    other: dict[str, Any] = {"seq": 4, "at": MORNING + timedelta(microseconds=1), "detail": {}}
    assert audit.entry_hash(ROW | {name: other.get(name, "other")}) != audit.entry_hash(ROW)


def test_the_same_moment_and_text_give_the_same_hash() -> None:
    elsewhere = ROW["at"].astimezone(timezone(timedelta(hours=8)))
    decomposed = {"at": elsewhere, "new": "e\u0301", "detail": {"a": "e\u0301", "b": 1}}
    assert audit.entry_hash(ROW | decomposed) == audit.entry_hash(ROW)


def test_recording_returns_the_head_and_goes_on_from_it(site: Site) -> None:
    with site.database.writing() as session:
        first = audit.record(session, "study/1", site.clock(), [Entry("site", "try", "study")])
        second = audit.record(session, "study/1", site.clock(), [Entry("site", "try", "study")] * 2)
        rows = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "try").order_by(AuditEntry.seq)
        ).all()
        assert [one.hash for one in rows][0::2] == [first, second]
        assert [one.previous_hash for one in rows][1:] == [one.hash for one in rows][:-1]
    assert faults(site.database) == []


def test_a_study_that_is_loaded_again_stays_verifiable(site: Site) -> None:
    with site.database.writing() as session:
        content = session.scalar(sa.text("SELECT definition FROM study_version"))
        content = json.loads(content) if isinstance(content, str) else content
        studies.load(session, site.library, content | {"grace_minutes": 5}, site.clock())
    assert faults(site.database) == []
