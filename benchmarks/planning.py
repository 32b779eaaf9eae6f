"""Planning a large study from nothing, and planning it again when nothing has changed.

Reference: the same number of assessment rows, ready made, inserted by the database's driver in
transactions of the same size, into the same table. Planning places every participant's
assessments by the calendar, puts that on the audit trail, and plans the reminders of what is
open or opens soon.

    python benchmarks/planning.py [PARTICIPANTS]
"""

from __future__ import annotations

import argparse
import copy
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from pro_app.config import ROOT
from pro_app.core.library import Library, load_library
from pro_app.core.study_file import read_study_file
from pro_app.migrations import upgrade
from pro_app.models import AnchorDate, Assessment, Database, Participant, Reminder
from pro_app.services import reminders, studies
from pro_app.services.studies import CurrentStudy

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TIMEPOINTS = 10
STUDY_FILE = ROOT / "pro_app" / "demo" / "study.toml"
GOAL, AGAIN_GOAL = 60, 10  # seconds, at 100,000 participants


def study_of(database: Database, library: Library, instruments: list[str]) -> CurrentStudy:
    """The demonstration's calendar cut to ten visits, each with these instruments."""
    content: dict[str, Any] = copy.deepcopy(read_study_file(STUDY_FILE, library.instruments))
    content["timepoints"] = [one for one in content["timepoints"] if one["code"] != "unscheduled"]
    for one in content["timepoints"]:
        one["instruments"] = instruments
        if "repeat" in one:
            one["repeat"] = {"every": {"months": 12}, "times": 1}
    assert len(content["timepoints"]) == TIMEPOINTS
    content["reminders"]["spread_minutes"] = 30
    with database.writing() as session:
        return studies.load(session, library, content, NOW - timedelta(days=500))


def people(database: Database, study: CurrentStudy, count: int) -> None:
    """Participants who enrol over the next two years, the first of them this week."""
    with database.writing() as session:
        session.execute(
            sa.insert(Participant),
            [
                {"study_id": study.id, "site_id": 1, "number": f"{n:07}", "language": "ms",
                 "text_size": 0, "created_at": NOW}
                for n in range(count)
            ],
        )  # fmt: skip
        first = date(2026, 11, 20)
        anchors = [
            {
                "participant_id": n + 1,
                "anchor": anchor,
                "day": first + timedelta(days=n % 730 + 14 * place),
            }
            for n in range(count)
            for place, anchor in enumerate(("enrolment", "infusion"))
        ]
        session.execute(sa.insert(AnchorDate), anchors)


def bare(database: Database, rows: list[tuple[Any, ...]]) -> float:
    """Seconds to insert these rows by the driver alone."""
    columns = [column.name for column in Assessment.__table__.columns]
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO assessment ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
    connection: Any = database.engine.raw_connection()
    size = reminders.CHUNK * TIMEPOINTS
    begun = time.perf_counter()
    for start in range(0, len(rows), size):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, rows[start : start + size])
        connection.execute("COMMIT")
    spent = time.perf_counter() - begun
    connection.close()
    return spent


def measure(folder: Path, library: Library, count: int, instruments: list[str]) -> None:
    database = Database(f"sqlite:///{folder / 'planned.sqlite3'}")
    upgrade(database)
    people(database, study_of(database, library, instruments), count)
    begun = time.perf_counter()
    done = reminders.plan(database, library, NOW)
    first = time.perf_counter() - begun
    begun = time.perf_counter()
    again = reminders.plan(database, library, NOW)
    second = time.perf_counter() - begun
    assert (done.followed, again.followed, again.planned) == (count, 0, 0)
    with database.reading() as session:
        placed = session.scalar(sa.select(sa.func.count()).select_from(Assessment))
        planned = session.scalar(sa.select(sa.func.count()).select_from(Reminder))
    assert placed == count * TIMEPOINTS * len(instruments), (placed, planned)
    connection: Any = database.engine.raw_connection()
    rows = connection.execute("SELECT * FROM assessment").fetchall()
    connection.close()
    database.close()
    other = Database(f"sqlite:///{folder / 'bare.sqlite3'}")
    upgrade(other)
    people(other, study_of(other, library, instruments), count)
    reference = bare(other, rows)
    other.close()
    print(
        f"{count:,} participants x {TIMEPOINTS} timepoints x {len(instruments)} instruments: "
        f"{placed:,} assessments, {planned:,} reminders"
    )
    print(f"  reference, bare inserts   {reference:7.1f} s")
    print(
        f"  planned from nothing      {first:7.1f} s   {first / reference:.1f} x   (goal {GOAL} s)"
    )
    print(f"  planned again, unchanged  {second:7.2f} s   (goal {AGAIN_GOAL} s)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("participants", nargs="?", type=int, default=100_000)
    count = parser.parse_args().participants
    library = load_library(ROOT / "questionnaires")
    for instruments in (["lupusqol"], ["lupusqol", "sf36v1"]):
        with TemporaryDirectory() as folder:
            measure(Path(folder), library, count, instruments)


if __name__ == "__main__":
    main()
