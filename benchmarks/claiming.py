"""Claiming the thousand reminders that are due among those of 1.6 million assessments.

Reference: reading a thousand rows of the same table by their keys, in the same run. Each claim
takes another due thousand; the slowest of them counts as well as the median.

    python benchmarks/claiming.py [ASSESSMENTS]
"""

from __future__ import annotations

import argparse
import statistics
import time
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any, cast

import sqlalchemy as sa
from _postgresql import postgresql

from pro_app.migrations import upgrade
from pro_app.models import Assessment, Database, Participant, Reminder, Site, Study
from pro_app.services import sending
from pro_app.services.post_office import PostOffice

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
DUE = 1_000
ROUNDS = 9
PER_PERSON = 16
CHUNK = 20_000
GOALS = {"sqlite": 40, "postgresql": 70}  # milliseconds


class Office:
    """What claiming needs of a post office."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @staticmethod
    def clock() -> datetime:
        return NOW


def fill(database: Database, count: int) -> None:
    """`count` assessments with a planned reminder each, of which ROUNDS thousands are due."""
    tables = {model: model.__table__ for model in (Study, Site, Participant, Assessment, Reminder)}
    with database.writing_rows() as session:

        def insert(model: Any, rows: list[dict[str, Any]]) -> None:
            for start in range(0, len(rows), CHUNK):
                session.execute(sa.insert(cast(Any, tables[model])), rows[start : start + CHUNK])

        insert(Study, [{"code": "large", "created_at": NOW}])
        insert(Site, [{"study_id": 1, "code": "01", "name": "Here"}])
        insert(
            Participant,
            [
                {"study_id": 1, "site_id": 1, "number": f"{n:07}", "language": "ms",
                 "text_size": 0, "created_at": NOW}
                for n in range(count // PER_PERSON)
            ],
        )  # fmt: skip
        for start in range(0, count, CHUNK):
            numbers = range(start, min(start + CHUNK, count))
            insert(Assessment, [_assessment(n) for n in numbers])
            insert(Reminder, [_reminder(n, count) for n in numbers])


def _assessment(n: int) -> dict[str, Any]:
    opens = NOW + timedelta(days=n % PER_PERSON * 30)
    return {
        "public_id": f"{n:016}",
        "participant_id": n // PER_PERSON + 1,
        "timepoint": f"visit_{n % PER_PERSON}",
        "occurrence": 1,
        "instrument": "lupusqol",
        "place": 1,
        "opens_at": opens,
        "due_at": opens,
        "closes_at": opens + timedelta(days=14),
        "created_at": NOW,
        "scheduled": True,
        "planned_at": NOW,
    }


def _reminder(n: int, count: int) -> dict[str, Any]:
    is_due = n % (count // (DUE * ROUNDS)) == 0
    due = NOW - timedelta(seconds=n % 3_000) if is_due else NOW + timedelta(hours=1 + n % 5_000)
    return {
        "assessment_id": n + 1,
        "participant_id": n // PER_PERSON + 1,
        "step": "first",
        "channel": "push",
        "state": "planned",
        "planned_for": due,
        "due_at": due,
        "expires_at": due + timedelta(days=14),
        "attempts": 0,
        "created_at": NOW,
    }


def measure(kind: str, url: str, count: int) -> None:
    database = Database(url)
    upgrade(database)
    fill(database, count)
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("ANALYZE"))
    office = cast(PostOffice, Office(database))
    reference, claimed, seen = [], [], set[int]()
    for place in range(ROUNDS):
        keys = [1 + (place * 7 + n * (count // DUE)) % count for n in range(DUE)]
        begun = time.perf_counter()
        with database.reading_rows() as session:
            session.execute(sa.select(Reminder).where(Reminder.id.in_(keys))).all()
        reference.append(1_000 * (time.perf_counter() - begun))
        begun = time.perf_counter()
        claim = sending.claim(office, DUE)
        claimed.append(1_000 * (time.perf_counter() - begun))
        assert len(claim.ids) == DUE
        assert not seen & set(claim.ids), "claimed twice"
        seen |= set(claim.ids)
    database.close()
    known, spent = statistics.median(reference), statistics.median(claimed)
    print(f"{kind}, {count:,} assessments with a planned reminder each")
    print(f"  reference, reading a thousand by key  {known:6.1f} ms")
    print(
        f"  claiming the due thousand             {spent:6.1f} ms   {spent / known:.1f} x"
        f"   slowest {max(claimed):.1f} ms   (goal {GOALS[kind]} ms)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("assessments", nargs="?", type=int, default=1_600_000)
    count = parser.parse_args().assessments
    with TemporaryDirectory() as folder:
        measure("sqlite", f"sqlite:///{folder}/claiming.sqlite3", count)
    with postgresql() as url:
        measure("postgresql", url, count)


if __name__ == "__main__":
    main()
