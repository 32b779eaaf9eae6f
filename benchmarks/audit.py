"""Sealing, exporting and verifying a trail of 200,000 entries, an answer behind each.

Reference: hashing as many texts of an entry's size, which any check of a chain must do at least.

    python benchmarks/audit.py [ENTRIES]
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from pro_app import verify
from pro_app.migrations import upgrade
from pro_app.models import (
    Answer,
    Assessment,
    Database,
    Device,
    Participant,
    Site,
    Study,
)
from pro_app.services import audit, audit_export, checkpoints
from pro_app.services.audit_key import AuditKey
from pro_app.services.audit_rows import WHOLE

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PER_PERSON = 200  # answers of each participant
AT_ONCE = 50  # people whose answers are written between two checkpoints
WHAT: dict[str, str | None] = {"study": None, "participant": None}


def fill(database: Database, count: int, key: AuditKey) -> int:
    """So many answers with their entries, and a checkpoint now and then; how many of these."""
    people = count // PER_PERSON
    with database.writing() as session:
        session.execute(sa.insert(Study), [{"code": "trial", "created_at": NOW}])
        session.execute(sa.insert(Site), [{"study_id": 1, "code": "01", "name": "Here"}])
        numbers = range(1, people + 1)
        session.execute(sa.insert(Participant), [_person(n) for n in numbers])
        session.execute(sa.insert(Device), [_device(n) for n in numbers])
        session.execute(sa.insert(Assessment), [_assessment(n) for n in numbers])
    made = 0
    for start in range(1, people + 1, AT_ONCE):
        now = NOW + timedelta(hours=made)
        with database.writing() as session:
            for person in range(start, min(start + AT_ONCE, people + 1)):
                rows = [_answer(person, n, now) for n in range(PER_PERSON)]
                session.execute(sa.insert(Answer), rows)
                entries = [_entry(row) for row in rows]
                audit.record(session, audit.participant_stream(person), now, entries)
        with database.writing() as session:
            assert checkpoints.make(session, key, now)
        made += 1
    return made


def _person(n: int) -> dict[str, Any]:
    return {
        "study_id": 1, "site_id": 1, "number": f"{n:07}", "language": "ms", "text_size": 0,
        "created_at": NOW,
    }  # fmt: skip


def _device(n: int) -> dict[str, Any]:
    return {"participant_id": n, "token_hash": f"{n}", "created_at": NOW, "used_at": NOW}


def _assessment(n: int) -> dict[str, Any]:
    return {
        "public_id": f"{n:016}", "participant_id": n, "timepoint": "visit", "occurrence": 1,
        "instrument": "lupusqol", "place": 1, "opens_at": NOW, "due_at": NOW,
        "closes_at": NOW + timedelta(days=14), "created_at": NOW, "scheduled": True,
    }  # fmt: skip


def _answer(person: int, n: int, now: datetime) -> dict[str, Any]:
    return {
        "operation": str(uuid.uuid4()), "assessment_id": person, "item": f"LQ{n % 34 + 1:02}",
        "state": "answered", "code": n % 5, "standing": "in_time", "prompted": False,
        "answered_at": now, "received_at": now, "device_time": "2026-11-23T09:00:00.000+08:00",
        "skew_ms": n, "language": "ms", "wording": "f" * 64, "mode": "own_phone",
        "originator": "participant", "device_id": person, "journal": str(uuid.uuid4()),
        "sequence": n + 1, "run": str(uuid.uuid4()), "monotonic_ms": 1_000 * n,
        "contact_at": now, "contact_device_time": "2026-11-23T09:00:00.000+08:00",
        "read_aloud": False, "doubt": None,
    }  # fmt: skip


def _entry(row: dict[str, Any]) -> audit.Entry:
    return audit.Entry(
        actor=f"participant/device {row['device_id']}",
        action="answer",
        object=f"assessment/{row['assessment_id']:022}",
        field=row["item"],
        new=str(row["code"]),
        detail={"operation": row["operation"], "digest": audit.answer_digest(row)},
    )


@contextlib.contextmanager
def timed() -> Iterator[Callable[[], float]]:
    """The seconds that the block took, once it is over."""
    begun = time.perf_counter()
    spent = 0.0
    yield lambda: spent
    spent = time.perf_counter() - begun


def peak(work: Callable[[], object]) -> float:
    """The most memory that Python held at once beyond what it held before, in MiB."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def told(count: int, seconds: float, memory: float | None = None) -> str:
    """A measurement in words."""
    text = f"{seconds:6.1f} s  {count / seconds:9,.0f} entries a second"
    return text if memory is None else f"{text}  at most {memory:.0f} MiB of memory"


def measure(folder: Path, count: int) -> None:
    database = Database(f"sqlite:///{folder / 'audit.sqlite3'}")
    upgrade(database)
    key = AuditKey.new()
    made = fill(database, count, key)
    path = folder / "trail.zip"

    def export() -> None:
        with database.snapshot() as session:
            audit_export.write(session, path, WHAT, WHOLE)

    def check() -> None:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = verify.main([str(path), "--key", key.public.hex()])
        assert code == 0, said.getvalue()[-500:]
        assert f"{count} entries" in said.getvalue()

    with timed() as hashing:
        for _ in range(count):
            hashlib.sha256(b"x" * 400).hexdigest()
    later = NOW + timedelta(hours=made)
    with timed() as sealing, database.writing() as session:
        audit.record(session, "study/1", later, [audit.Entry("site", "note", "study/trial")])
        assert checkpoints.make(session, key, later)
        session.rollback()
    with timed() as exporting:
        export()
    with timed() as checking:
        check()
    streams, size = count // PER_PERSON, path.stat().st_size / 2**20
    print(f"{count:,} entries in {streams:,} streams, {made} checkpoints, an answer each")
    print(f"  reference, hashing as many texts  {told(count, hashing())}")
    print(f"  a checkpoint over all             {sealing():6.1f} s")
    print(f"  export, {size:4.0f} MiB                  {told(count, exporting(), peak(export))}")
    print(f"  verifying it                      {told(count, checking(), peak(check))}")
    database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("entries", nargs="?", type=int, default=200_000)
    count = parser.parse_args().entries // PER_PERSON * PER_PERSON
    with TemporaryDirectory() as folder:
        measure(Path(folder), count)


if __name__ == "__main__":
    main()
