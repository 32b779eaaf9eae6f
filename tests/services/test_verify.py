"""The stand-alone verifier: silent over what is whole, and naming whatever was done to a trail,
to the data or to the export. Each thing is done in a real database, exported and verified.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app import verify
from pro_app.models import AuditCheckpoint, AuditEntry, AuditHead, Participant
from pro_app.services import audit, audit_export, checkpoints, checks
from pro_app.services.audit import Entry
from pro_app.services.audit_key import AuditKey
from pro_app.services.audit_rows import WHOLE, Scope
from pro_app.verify import Tree
from tests.conftest import MORNING, Site
from tests.services.tampering import (
    Tampering,
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
    table,
)

KEY, OTHER_KEY = AuditKey.new(), AuditKey.new()
NOTHING: dict[str, str | None] = {"study": None, "participant": None}


@dataclass(frozen=True)
class Found:
    """How the verifier ended, and what it wrote: the faults, and what it says of the whole."""

    code: int
    faults: list[str]
    said: str


def verified(path: Path, *options: str) -> Found:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = verify.main([*options, str(path)])
    lines = out.getvalue().splitlines()
    begin = next((n for n, line in enumerate(lines) if " entries in " in line), len(lines))
    return Found(code, lines[:begin], "\n".join(lines[begin:]) + err.getvalue())


def exported(session: Session, path: Path, scope: Scope = WHOLE, **what: str) -> Path:
    audit_export.write(session, path, NOTHING | what, scope)
    return path


def seal(site: Site, key: AuditKey = KEY) -> checkpoints.Checkpoint:
    with site.database.writing() as session:
        made = checkpoints.make(session, key, site.clock())
    assert made is not None
    return made


def do(site: Site, stream: str, *actions: str) -> None:
    """Let something be put on a stream's record."""
    with site.database.writing() as session:
        audit.record(
            session, stream, site.clock(), [Entry("site", one, "study") for one in actions]
        )


@pytest.fixture
def sealed(site: Site) -> Site:
    """A full life with two checkpoints, an hour apart, and an hour after them something more."""
    live(site)
    seal(site)
    site.clock.forward(hours=1)
    do(site, "participant/1", "call", "call")
    do(site, "study/1", "note")
    seal(site)
    site.clock.forward(hours=1)
    do(site, "participant/2", "call")
    return site


def test_what_is_whole_is_said_to_be_whole(sealed: Site, tmp_path: Path) -> None:
    with sealed.database.snapshot() as session:
        found = verified(exported(session, tmp_path / "trail.zip"))
        count = audit.count(session)
        assert list(audit.verify(session)) == []
    assert (found.code, found.faults) == (0, [])
    assert f"{count} entries in 3 streams, 2 checkpoints: the whole database" in found.said
    assert f"checkpoints 1 to 2 are signed with key {KEY.key_id}" in found.said
    assert found.said.endswith("no fault")


def test_the_same_data_give_the_same_bytes(sealed: Site, tmp_path: Path) -> None:
    with sealed.database.snapshot() as session:
        one = exported(session, tmp_path / "one.zip").read_bytes()
        assert exported(session, tmp_path / "two.zip").read_bytes() == one
    assert not list(tmp_path.glob(".*"))


# --- what is done, and how it is named ----------------------------------------------------------


def stream_of(session: Session, stream: str = "participant/1") -> list[AuditEntry]:
    query = sa.select(AuditEntry).where(AuditEntry.stream == stream)
    return list(session.scalars(query.order_by(AuditEntry.seq)))


def chain_anew(session: Session, stream: str = "participant/1") -> None:
    """Give every entry of a stream the hash that fits."""
    session.expire_all()
    previous = audit.GENESIS
    for entry in stream_of(session, stream):
        row = {one.name: getattr(entry, one.name) for one in AuditEntry.__table__.columns}
        row["previous_hash"] = previous
        fitting = audit.entry_hash(row)
        change(session, entry, previous_hash=previous, hash=fitting)
        previous = fitting


def insert_after(session: Session, seq: int, **values: Any) -> None:
    """Put a copy of an entry behind it; the later ones move up."""
    for entry in reversed(stream_of(session)[seq:]):
        change(session, entry, seq=entry.seq + 1)
    row = dict(session.execute(sa.select(table("audit_entry")).where(
        AuditEntry.stream == "participant/1", AuditEntry.seq == seq)).mappings().one())  # fmt: skip
    del row["id"]
    session.execute(sa.insert(table("audit_entry")), {**row, "seq": seq + 1, **values})


def forge(session: Session, before: Tampering) -> None:
    """Do something to the first stream and chain it anew."""
    before(session)
    chain_anew(session)


def cut_tail_and_data(session: Session) -> None:
    """Remove the submission with everything that tells of it, and whatever came later."""
    first = entries_of(session, "submit")[0].seq
    for entry in stream_of(session)[first - 1 :]:
        remove(session, entry)
    for name in ("score", "sealed_codes", "submission"):
        session.execute(sa.delete(table(name)))


def seal_anew(session: Session, sign: Callable[[bytes], bytes], key: AuditKey) -> None:
    """Make every checkpoint fit the trail as it is now, but for what cannot be signed."""
    tree, previous = Tree(), verify.GENESIS
    hashes = {(one.stream, one.seq): one.hash for one in session.scalars(sa.select(AuditEntry))}
    for row in session.scalars(sa.select(AuditCheckpoint).order_by(AuditCheckpoint.number)).all():
        heads = session.execute(
            sa.select(AuditHead.stream, AuditHead.seq).where(AuditHead.checkpoint == row.number)
        ).all()
        tree.put({stream: (seq, hashes[stream, seq]) for stream, seq in heads})
        for stream, seq in heads:
            session.execute(
                sa.update(AuditHead)
                .where(AuditHead.stream == stream, AuditHead.checkpoint == row.number)
                .values(hash=hashes[stream, seq])
            )
        said = {
            "number": row.number, "at": row.at, "root": tree.root(), "streams": row.streams,
            "entries": row.entries, "previous": previous, "key": key.key_id,
            "algorithm": "ed25519",
        }  # fmt: skip
        previous = verify.checkpoint_hash(said)
        session.execute(
            sa.update(AuditCheckpoint)
            .where(AuditCheckpoint.number == row.number)
            .values(**said, hash=previous, public_key=key.public.hex(),
                    signature=sign(verify.checkpoint_text(said)).hex())
        )  # fmt: skip
    session.expire_all()


def rewrite_history(session: Session, key: AuditKey, sign: Callable[[bytes], bytes]) -> None:
    """What nothing inside the database can show: a word changed, all hashes and checkpoints
    made to fit."""
    change(session, entries_of(session, "wrong_pin")[0], action="unlock")
    chain_anew(session)
    seal_anew(session, sign, key)


def unsigned(session: Session) -> None:
    """By somebody without the key, who takes some signature."""
    rewrite_history(session, KEY, OTHER_KEY.sign)


def tampered(session: Session, tamper: Tampering) -> None:
    drop_triggers(session)
    tamper(session)
    session.flush()
    session.expunge_all()


def first(session: Session, action: str) -> AuditEntry:
    return entries_of(session, action)[0]


MORE = "and so on"
# the entries of participant/1: 6 is the wrong PIN, 7 the unlocking after it, 12 the first answer,
# 52 the submission, 54 what checkpoint 1 holds, 56 the last one and what checkpoint 2 holds
CASES: dict[str, tuple[Tampering, list[str]]] = {
    "one byte changed": (
        lambda s: change(s, first(s, "wrong_pin"), object="device/2"),
        ["participant/1 entry 6: was changed after it was written"],
    ),
    "a middle row deleted": (
        lambda s: remove(s, first(s, "wrong_pin")),
        [
            "participant/1 entry 7: entry 6 is missing",
            "participant/1 entry 7: does not follow the entry before it",
        ],
    ),
    "the tail cut off, with the data it told of": (
        cut_tail_and_data,
        [
            "participant/1 entry 52: entries 52 to 56 are missing at the end: "
            "checkpoint 2 holds entry 56"
        ],
    ),
    "the tail cut off, and not the data": (
        cut_tail,
        [
            "participant/1 entry 55: entries 52 to 54 are missing",
            "participant/1 entry 55: does not follow the entry before it",
            "participant/1: submission 1 is not as the trail tells it",
            MORE,
        ],
    ),
    "a whole stream deleted": (
        lambda s: s.execute(sa.delete(AuditEntry).where(AuditEntry.stream == "study/1")),
        [
            "study/1 entry 1: entries 1 to 3 are missing at the end: checkpoint 2 holds entry 3"
        ],
    ),
    "an entry inserted": (
        lambda s: insert_after(s, 6, actor="nobody"),
        [
            "participant/1 entry 7: does not follow the entry before it",
            "participant/1 entry 7: was changed after it was written",
            "participant/1 entry 8: was changed after it was written",
            MORE,
        ],
    ),
    "an entry inserted, and all chained anew": (
        lambda s: forge(s, lambda t: insert_after(t, 6, actor="nobody")),
        [
            "participant/1 entry 54: is not the entry that checkpoint 1 holds",
            "participant/1 entry 56: is not the entry that checkpoint 2 holds",
        ],
    ),
    "two entries swapped": (
        lambda s: swap(s, first(s, "wrong_pin"), first(s, "unlock")),
        [
            "participant/1 entry 6: was changed after it was written",
            "participant/1 entry 7: does not follow the entry before it",
            "participant/1 entry 7: was changed after it was written",
            "participant/1 entry 8: does not follow the entry before it",
        ],
    ),
    "an entry dated back": (
        lambda s: change(s, first(s, "submit"), at=MORNING - timedelta(days=1)),
        ["participant/1 entry 52: was changed after it was written"],
    ),
    "an entry dated back and hashed anew": (
        lambda s: rehash(s, first(s, "submit"), at=MORNING - timedelta(days=1)),
        [
            "participant/1 entry 53: does not follow the entry before it",
            "participant/1 entry 52: is dated 2026-11-22T01:00:00.000000+00:00, and the entry "
            "before it 2026-11-23T01:00:00.000000+00:00",
        ],
    ),
    "entries removed from the end that was already sealed": (
        lambda s: [remove(s, one) for one in entries_of(s, "call") if one.seq == 56],
        [
            "participant/1 entry 56: entry 56 is missing at the end: checkpoint 2 holds entry 56"
        ],
    ),
    "all chained anew by the database's administrator": (
        lambda s: forge(s, lambda t: change(t, first(t, "wrong_pin"), action="unlock")),
        [
            "participant/1 entry 54: is not the entry that checkpoint 1 holds",
            "participant/1 entry 56: is not the entry that checkpoint 2 holds",
        ],
    ),
    "all chained anew, and the checkpoints made to fit without the key": (
        unsigned,
        [
            "checkpoint 1: its signature is not that of its key",
            "checkpoint 2: its signature is not that of its key",
        ],
    ),
    "an answer edited": (
        lambda s: edit(s, "answer", code=2),
        [
            "participant/1: {answer} is not as the trail tells it",
            "participant/1 entry 12: tells of data that are gone or were changed",
        ],
    ),
    "an answer deleted": (
        lambda s: drop_first(s, "answer"),
        ["participant/1 entry 12: tells of data that are gone or were changed"],
    ),
    "a score edited": (
        lambda s: edit(s, "score", value=99.0),
        [
            "participant/1: scores of submission 1 by {algorithm} is not as the trail tells it",
            "participant/1 entry 53: tells of data that are gone or were changed",
        ],
    ),
    "a submission's receipt edited": (
        lambda s: edit(s, "submission", receipt="f" * 64),
        [
            "participant/1: submission 1 is not as the trail tells it",
            "participant/1 entry 52: tells of data that are gone or were changed",
        ],
    ),
    "a checkpoint dated back": (
        lambda s: alter(s, 1, at=MORNING - timedelta(days=1)),
        [
            "checkpoint 1: was changed after it was made: its hash does not fit",
            "checkpoint 1: its signature is not that of its key",
            MORE,
        ],
    ),
    "a checkpoint's count": (
        lambda s: alter(s, 2, entries=1),
        [
            "checkpoint 2: was changed after it was made: its hash does not fit",
            "checkpoint 2: its signature is not that of its key",
            "checkpoint 2: states 3 streams and 1 entries; its heads are 3 and 66",
        ],
    ),
    "a checkpoint's root": (
        lambda s: alter(s, 2, root="0" * 64),
        [
            "checkpoint 2: was changed after it was made: its hash does not fit",
            "checkpoint 2: its signature is not that of its key",
            "checkpoint 2: its root is not that of the heads it holds",
        ],
    ),
    "a checkpoint deleted": (
        lambda s: (
            s.execute(sa.delete(AuditHead).where(AuditHead.checkpoint == 1)),
            s.execute(sa.delete(AuditCheckpoint).where(AuditCheckpoint.number == 1)),
        ),
        [
            "checkpoint 2: checkpoint 1 is missing",
            "checkpoint 2: does not follow the checkpoint before it",
            "checkpoint 2: its root is not that of the heads it holds",
            MORE,
        ],
    ),
    "a head taken back": (
        lambda s: s.execute(
            sa.update(AuditHead)
            .where(AuditHead.stream == "participant/1", AuditHead.checkpoint == 2)
            .values(seq=9)
        ),
        ["checkpoint 2: puts participant/1 back from entry 54 to entry 9", MORE],
    ),
}  # fmt: skip


def alter(session: Session, number: int, **values: Any) -> None:
    """Change a checkpoint."""
    session.execute(
        sa.update(AuditCheckpoint).where(AuditCheckpoint.number == number).values(**values)
    )


def shortened(told: list[str], expected: list[str]) -> list[str]:
    """Faults as far as they are expected word by word."""
    return [*told[: len(expected) - 1], MORE] if expected[-1] == MORE else told


def test_whatever_is_done_is_found_and_named(
    sealed: Site, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Each alone: it is taken back before the next."""
    with sealed.database.reading() as session:
        operation = session.scalar(sa.text("SELECT operation FROM answer ORDER BY id LIMIT 1"))
        algorithm = session.scalar(sa.text("SELECT algorithm FROM score ORDER BY id LIMIT 1"))
    answer = f"answer {operation} to LQ01"
    for done, (tamper, expected) in CASES.items():
        with subtests.test(done), sealed.database.reading() as session:
            tampered(session, tamper)
            named = [one.format(answer=answer, algorithm=algorithm) for one in expected]
            found = verified(exported(session, tmp_path / "trail.zip"))
            assert found.code == 1
            assert shortened(found.faults, named) == named
            assert found.said.endswith(f"{len(found.faults)} faults")
            assert [str(one) for one in audit.verify(session)] == found.faults
    with sealed.database.reading() as session:
        assert verified(exported(session, tmp_path / "trail.zip")).code == 0


def test_an_entry_dated_behind_a_checkpoint_is_named(sealed: Site, tmp_path: Path) -> None:
    """It is chained as it should be, and dated as if it had been there for long."""
    sealed.clock.now = MORNING + timedelta(minutes=30)
    do(sealed, "study/2", "note")
    with sealed.database.reading() as session:
        found = verified(exported(session, tmp_path / "trail.zip"))
    assert found.faults == [
        "study/2 entry 1: is dated 2026-11-23T01:30:00.000000+00:00, but checkpoint 2 of "
        "2026-11-23T02:00:00.000000+00:00 does not hold it"
    ]


# --- what only a witness outside finds ----------------------------------------------------------


def rewritten(session: Session) -> None:
    """By somebody with a key of their own."""
    rewrite_history(session, OTHER_KEY, OTHER_KEY.sign)


def rewritten_with_our_key(session: Session) -> None:
    rewrite_history(session, KEY, KEY.sign)


def test_a_trail_signed_with_another_key_is_found_by_the_key(sealed: Site, tmp_path: Path) -> None:
    with sealed.database.reading() as session:
        whole = exported(session, tmp_path / "whole.zip")
        tampered(session, rewritten)
        forged = exported(session, tmp_path / "forged.zip")
    ours = f"--key={KEY.public.hex()}"
    assert verified(whole, ours).code == 0
    alone = verified(forged)
    assert (alone.code, alone.faults) == (0, []), "nothing inside it can show it"
    assert f"signed with key {OTHER_KEY.key_id}" in alone.said
    assert "the public key came with the export: compare it" in alone.said
    assert verified(forged, ours).faults == [
        f"checkpoint {n}: is signed with key {OTHER_KEY.key_id}, and not one that was given"
        for n in (1, 2)
    ]
    assert verified(forged, ours, f"--key={OTHER_KEY.public.hex()}").code == 0


def test_a_trail_signed_anew_with_our_own_key_is_found_by_a_witness(
    sealed: Site, tmp_path: Path
) -> None:
    with sealed.database.reading() as session:
        known = checkpoints.newest(session)
        assert known is not None
        witness = f"--checkpoint={known.number}:{known.hash}"
        assert verified(exported(session, tmp_path / "whole.zip"), witness).code == 0
        tampered(session, rewritten_with_our_key)
        forged = exported(session, tmp_path / "forged.zip")
        other = checkpoints.newest(session)
    assert other is not None
    assert verified(forged, f"--key={KEY.public.hex()}").code == 0
    assert verified(forged, witness).faults == [
        f"checkpoint 2: is another one than that known from outside: {other.hash}"
    ]


def test_an_old_backup_is_found_by_a_newer_checkpoint(site: Site, tmp_path: Path) -> None:
    live(site)
    seal(site)
    with site.database.snapshot() as session:
        old = exported(session, tmp_path / "old.zip")
    site.clock.forward(hours=1)
    do(site, "participant/1", "call")
    known = seal(site)
    assert verified(old).code == 0
    assert verified(old, f"--checkpoint={known.number}:{known.hash}").faults == [
        "checkpoint 2: is known from outside, and the export ends with 1: it is of an older state "
        "of the database, or checkpoints were removed"
    ]


# --- clocks and writers -------------------------------------------------------------------------


def test_a_clock_set_back_is_named(sealed: Site, tmp_path: Path) -> None:
    sealed.clock.forward(hours=-5)
    do(sealed, "participant/2", "call")
    with sealed.database.reading() as session:
        found = verified(exported(session, tmp_path / "trail.zip"))
    assert found.faults == [
        "participant/2 entry 9: is dated 2026-11-22T22:00:00.000000+00:00, and the entry before "
        "it 2026-11-23T03:00:00.000000+00:00",
        "participant/2 entry 9: is dated 2026-11-22T22:00:00.000000+00:00, but checkpoint 2 of "
        "2026-11-23T02:00:00.000000+00:00 does not hold it",
    ]


def test_a_clock_that_was_ahead_and_put_right_on_record_is_no_fault(
    sealed: Site, tmp_path: Path
) -> None:
    """But only for the time that it was ahead: the confirmation excuses nothing else."""
    right = sealed.clock()
    sealed.clock.forward(days=2)
    do(sealed, "participant/2", "call")
    seal(sealed)
    sealed.clock.now = right + timedelta(minutes=1)
    checks.confirm_clock(sealed.database, sealed.clock())
    do(sealed, "participant/2", "call")
    with sealed.database.reading() as session:
        assert verified(exported(session, tmp_path / "trail.zip")).faults == []
    sealed.clock.forward(days=30)
    do(sealed, "participant/2", "call")
    sealed.clock.forward(days=-1)
    do(sealed, "participant/2", "call")
    with sealed.database.reading() as session:
        found = verified(exported(session, tmp_path / "trail.zip"))
    assert [one.partition(":")[0] for one in found.faults] == ["participant/2 entry 12"]


def test_waiting_for_another_writer_is_no_clock_set_back(sealed: Site, tmp_path: Path) -> None:
    sealed.clock.forward(minutes=-10)
    do(sealed, "participant/2", "call")
    with sealed.database.reading() as session:
        assert verified(exported(session, tmp_path / "trail.zip")).code == 0


def test_two_writers_at_once_leave_one_chain(sealed: Site, tmp_path: Path) -> None:
    faults: list[BaseException] = []
    begin = threading.Barrier(3)

    def write(name: str) -> None:
        try:
            begin.wait()
            for _ in range(20):
                with sealed.database.writing() as session:
                    audit.lock_participant(session, 1)
                    entries = [Entry(name, "call", "study")] * 2
                    audit.record(session, "participant/1", sealed.clock(), entries)
        except BaseException as error:
            faults.append(error)

    def seal_often() -> None:
        try:
            begin.wait()
            for _ in range(10):
                with sealed.database.writing() as session:
                    checkpoints.make(session, KEY, sealed.clock())
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("one", "other")]
    threads.append(threading.Thread(target=seal_often))
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert faults == []
    with sealed.database.snapshot() as session:
        found = verified(exported(session, tmp_path / "trail.zip"))
        actors = [one.actor for one in stream_of(session)[56:]]
    assert found.faults == []
    assert sorted(actors) == ["one"] * 40 + ["other"] * 40


# --- exports of some streams --------------------------------------------------------------------


def of_participant(session: Session, path: Path, number: str = "01-001") -> Path:
    person = session.scalar(sa.select(Participant).where(Participant.number == number))
    assert person is not None
    scope = Scope(person.study_id, person.id)
    return exported(session, path, scope, study="test", participant=number)


def test_a_participant_s_trail_is_checked_alone_and_tells_of_nobody_else(
    sealed: Site, tmp_path: Path
) -> None:
    with sealed.database.snapshot() as session:
        found = verified(path := of_participant(session, tmp_path / "one.zip"))
        study = exported(session, tmp_path / "study.zip", Scope(sealed.study.id), study="test")
    assert (found.code, found.faults) == (0, [])
    assert "59 entries in 2 streams, 2 checkpoints: participant 01-001, study test" in found.said
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert b"participant/2" not in archive.read(name), name
    assert "67 entries in 3 streams" in verified(study).said


def test_a_participant_s_trail_is_held_by_the_newest_checkpoint(
    sealed: Site, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    expected = {
        "the tail cut off, with the data it told of":
            ["participant/1 entry 52: entries 52 to 56 are missing at the end: checkpoint 2 holds "
             "entry 56"],
        "all chained anew by the database's administrator":
            ["participant/1 entry 56: is not the entry that checkpoint 2 holds"],
        "a head taken back":
            ["participant/1 entry 9: the proof that checkpoint 2 holds it does not hold",
             "study/1 entry 3: the proof that checkpoint 2 holds it does not hold", MORE],
    }  # fmt: skip
    for done, faults in expected.items():
        with subtests.test(done), sealed.database.reading() as session:
            tampered(session, CASES[done][0])
            found = verified(of_participant(session, tmp_path / "one.zip"))
            assert found.code == 1
            assert shortened(found.faults, faults) == faults


def test_before_the_first_checkpoint_it_says_how_far_it_reaches(site: Site, tmp_path: Path) -> None:
    live(site)
    with site.database.snapshot() as session:
        paths = (
            exported(session, tmp_path / "all.zip"),
            of_participant(session, tmp_path / "1.zip"),
        )
    for path in paths:
        found = verified(path)
        assert (found.code, found.faults) == (0, [])
        assert "nothing shows whether the end of the trail was cut off" in found.said


# --- the file -----------------------------------------------------------------------------------


@pytest.fixture
def path(sealed: Site, tmp_path: Path) -> Path:
    with sealed.database.snapshot() as session:
        return exported(session, tmp_path / "trail.zip")


def packed_anew(path: Path, changes: dict[str, Callable[[bytes], bytes] | None]) -> Path:
    """The same export with some files changed, left out (None) or put in."""
    made = path.with_name("changed.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w") as new:
        for name in dict.fromkeys([*old.namelist(), *changes]):
            content = old.read(name) if name in old.namelist() else b""
            change_it = changes.get(name, bytes)
            if change_it is not None:
                new.writestr(name, change_it(content))
    return made


def test_a_file_that_is_not_the_manifest_s_is_named(path: Path) -> None:
    found = verified(packed_anew(path, {
        "trail.jsonl": lambda text: text.replace(b"wrong_pin", b"wrong_pim", 1),
        "verify.py": lambda text: text + b"\n",
        "more.txt": lambda _text: b"more",
    }))  # fmt: skip
    assert (found.code, found.faults) == (1, [
        "more.txt: is not in the manifest",
        "trail.jsonl: is not as the manifest has it",
        "verify.py: is not as the manifest has it",
        "participant/1 entry 6: was changed after it was written",
    ])  # fmt: skip


def test_lines_out_of_order_are_named(path: Path) -> None:
    def turned(text: bytes) -> bytes:
        lines = text.splitlines(keepends=True)
        return b"".join([lines[-1], *lines[:-1]])

    found = verified(packed_anew(path, {"trail.jsonl": turned}))
    assert found.code == 1
    assert "study/1: stands in two places, out of order" in found.faults


def test_a_line_that_stands_twice_is_named(path: Path) -> None:
    def doubled(text: bytes) -> bytes:
        lines = text.splitlines(keepends=True)
        return b"".join([*lines[:6], lines[5], *lines[6:]])

    found = verified(packed_anew(path, {"trail.jsonl": doubled}))
    assert found.faults == [
        "trail.jsonl: is not as the manifest has it",
        "participant/1 entry 6: stands twice, or after a later one",
        "participant/1 entry 6: does not follow the entry before it",
    ]


UNREADABLE: dict[str, tuple[dict[str, Callable[[bytes], bytes] | None], str]] = {
    "no trail": ({"trail.jsonl": None}, "does not hold one file trail.jsonl"),
    "no manifest": ({"manifest.json": None}, "manifest.json cannot be unpacked"),
    "another format": (
        {"manifest.json": lambda text: text.replace(b"export 1", b"export 2")}, "its format is",
    ),
    "not JSON": ({"trail.jsonl": lambda text: text[1:]}, "trail.jsonl line 1 is not JSON"),
    "a line cut off": ({"trail.jsonl": lambda text: text[:-9]}, "trail.jsonl line 67 is not JSON"),
    "a list": ({"keys.json": lambda _text: b"[]"}, "keys.json is not a JSON object"),
    "a field too many": (
        {"trail.jsonl": lambda text: text.replace(b"{", b'{"more":1,', 1)},
        "trail.jsonl line 1 lacks these fields, or should not have them: more",
    ),
    "a number that is none": (
        {"trail.jsonl": lambda text: text.replace(b'"seq":1,', b'"seq":"1",', 1)},
        "trail.jsonl line 1: seq is not of its type",
    ),
    "a moment that is none": (
        {"trail.jsonl": lambda text: text.replace(b"2026-", b"twenty-", 1)},
        "trail.jsonl line 1: ",
    ),
}  # fmt: skip


def test_what_cannot_be_read_is_said_so(path: Path, subtests: pytest.Subtests) -> None:
    for name, (changes, said) in UNREADABLE.items():
        with subtests.test(name):
            found = verified(packed_anew(path, changes))
            assert found.code == 2
            assert said in found.said
            assert "Traceback" not in found.said


def test_a_broken_zip_file_cannot_be_read(path: Path, tmp_path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    broken = tmp_path / "broken.zip"
    broken.write_bytes(content)
    for one in (broken, tmp_path / "nothing.zip", Path(__file__)):
        found = verified(one)
        assert found.code == 2
        assert f"{one} cannot be read: " in found.said


ODD = (
    None, [], {}, [{}], -1, 10**30, 1.5, True, "", "zz", "\ud800", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-01:00", {"digest": []}, {"digest": {}}, ["ä"], ["0"],
)  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_no_value_whatever_upsets_it(sealed: Site, tmp_path: Path, seed: int) -> None:
    """A file that somebody made up ends in faults or a refusal, never in a trace."""
    choose = random.Random(seed)  # noqa: S311 (nothing secret)
    with sealed.database.snapshot() as session:
        made = [
            exported(session, tmp_path / "all.zip"),
            of_participant(session, tmp_path / "one.zip"),
        ]
    for _ in range(20):
        whole = choose.choice(made)
        with zipfile.ZipFile(whole) as archive:
            names = [name for name in archive.namelist() if name.endswith("jsonl")]
            name = choose.choice([one for one in names if archive.read(one)])
            lines = [json.loads(line) for line in archive.read(name).splitlines()]
        line = choose.choice(lines)
        field = choose.choice(sorted(line))
        odd = choose.choice([one for one in ODD if one != line[field]])
        line[field] = odd
        text = "".join(json.dumps(one) + "\n" for one in lines).encode()
        found = verified(packed_anew(whole, {name: lambda _old, text=text: text}))
        assert found.code in {1, 2}, (name, field, odd)


@pytest.mark.parametrize(
    "options", [["--key=00"], ["--key=zz"], ["--checkpoint=1"], ["--checkpoint=x:00"], []]
)
def test_options_that_mean_nothing_are_refused(options: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        verify.main([*options, *(["trail.zip"] if options else [])])
    assert ended.value.code == 2


def test_it_runs_alone_from_what_it_came_with(path: Path, tmp_path: Path) -> None:
    """In an empty folder, without this project and without any package."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with zipfile.ZipFile(path) as archive:
        archive.extract("verify.py", folder)
    shutil.copy(path, folder / "trail.zip")
    alone = [sys.executable, "-I", "-S"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*alone, *arguments], cwd=folder, capture_output=True, text=True, check=False
        )

    for package in ("pro_app", "cryptography", "sqlalchemy"):
        assert "ModuleNotFoundError" in run("-c", f"import {package}").stderr
    whole = run("verify.py", "trail.zip", f"--key={KEY.public.hex()}")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout.endswith("no fault\n")
    packed_anew(folder / "trail.zip", {"trail.jsonl": lambda text: text.replace(b"call", b"c4ll")})
    broken = run("verify.py", "changed.zip")
    assert broken.returncode == 1
    assert "participant/1 entry 55: was changed after it was written" in broken.stdout
    assert run("verify.py", "verify.py").returncode == 2


def test_an_export_s_files_are_plain(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        entries = [json.loads(line) for line in archive.read("trail.jsonl").splitlines()]
        assert archive.read("verify.py") == Path(verify.__file__).read_bytes()
        manifest = json.loads(archive.read("manifest.json"))
        keys = json.loads(archive.read("keys.json"))["keys"]
        assert KEY.text().encode() not in b"".join(map(archive.read, names))
    assert set(names) == {
        "trail.jsonl", "checkpoints.jsonl", "heads.jsonl", "keys.json", "manifest.json",
        "verify.py", *(f"data/{kind}.jsonl" for kind in verify.DATA),
    }  # fmt: skip
    assert len(entries) == manifest["files"]["trail.jsonl"]["lines"] == 67
    assert keys == [{"id": KEY.key_id, "algorithm": "ed25519", "public": KEY.public.hex()}]
    places = [(one["stream"], one["seq"]) for one in entries]
    assert places == sorted(places)
