"""Enrolling many people by one file, on both databases: the dry run, and the enrolment itself.

Reference: the same number of participants inserted by one statement, with nothing else. Enrolling
checks every cell, places everybody's assessments by the demonstration's calendar, encrypts the
addresses, and puts all of it on the audit trail: the people in one transaction, their assessments
in several. The longest of them is how long SQLite's other writers wait.

    python benchmarks/enrolling.py [PEOPLE]
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from _postgresql import postgresql
from sqlalchemy.orm import Session

from pro_app.config import ROOT
from pro_app.core.library import load_library
from pro_app.core.study_file import read_study_file
from pro_app.migrations import upgrade
from pro_app.models import Assessment, Database, Participant
from pro_app.services import enrolment_file, studies
from pro_app.services.vault import Vault

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
STUDY_FILE = ROOT / "pro_app" / "demo" / "study.toml"
GOAL = 60  # seconds, at 10,000 people


def people_file(count: int) -> bytes:
    """A file of people who were enrolled over the last year; every second has an address."""
    lines = ["number,site,language,consent_version,consent_on,enrolment,infusion,email"]
    for n in range(count):
        day = (NOW - timedelta(days=30 + n % 365)).date()
        infusion = day + timedelta(days=14)
        email = f"person{n}@example.org" if n % 2 else ""
        lines.append(f"01-{n:06},01,ms,1.0,{day},{day},{infusion},{email}")
    return "\n".join(lines).encode()


class Writing:
    """While it is open: how long the longest writing transaction took, in seconds."""

    def __init__(self, database: Database) -> None:
        self.database, self.longest = database, 0.0

    def __enter__(self) -> Writing:
        writing = self.database.writing

        @contextmanager
        def timed() -> Iterator[Session]:
            begun = time.perf_counter()
            with writing() as session:
                yield session
            self.longest = max(self.longest, time.perf_counter() - begun)

        self.database.writing = timed  # type: ignore[method-assign]
        return self

    def __exit__(self, *_error: object) -> None:
        del self.database.writing


def measure(kind: str, url: str, count: int) -> None:
    database = Database(url)
    upgrade(database)
    library = load_library(ROOT / "questionnaires")
    content: dict[str, Any] = copy.deepcopy(read_study_file(STUDY_FILE, library.instruments))
    content["number_pattern"] = r"01-\d{6}"
    with database.writing() as session:
        study = studies.load(session, library, content, NOW)
    bare = [
        {"study_id": study.id, "site_id": 1, "number": f"{n}", "language": "ms",
         "created_at": NOW}
        for n in range(count)
    ]  # fmt: skip
    begun = time.perf_counter()
    with database.engine.connect() as connection:
        connection.execute(sa.insert(Participant), bare)
        connection.rollback()
    reference = time.perf_counter() - begun
    data = people_file(count)
    begun = time.perf_counter()
    with database.reading() as session:
        checked = enrolment_file.check(session, study, data, NOW)
    dry = time.perf_counter() - begun
    assert len(checked.entrants) == count, checked.faults[:3]
    begun = time.perf_counter()
    with Writing(database) as held:
        assert enrolment_file.enrol(database, study, Vault("k" * 32), data, NOW) == count
    spent = time.perf_counter() - begun
    with database.reading() as session:
        placed = session.scalar(sa.select(sa.func.count()).select_from(Assessment))
    database.close()
    print(f"{kind}, {count:,} people, {placed:,} assessments")
    print(f"  reference, participants alone  {reference:6.1f} s")
    print(f"  dry run                        {dry:6.1f} s")
    print(f"  enrolled                       {spent:6.1f} s   (goal {GOAL} s)")
    print(f"  its longest transaction        {held.longest:6.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("people", nargs="?", type=int, default=10_000)
    count = parser.parse_args().people
    with TemporaryDirectory() as folder:
        measure("sqlite", f"sqlite:///{folder}/enrolling.sqlite3", count)
    with postgresql() as url:
        measure("postgresql", url, count)


if __name__ == "__main__":
    main()
