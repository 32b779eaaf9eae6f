"""Pages of a study's tables as programs read them, of a study of 100,000 participants, on SQLite.

Reference: the first frame of the whole table read without paging, in the same run. Timed are the
first page and one from the middle, with 1,000 rows and as JSON; also a table of which nobody has a
row, where every participant must be looked through.

A smaller study is for a quick look.

    python benchmarks/api.py [PARTICIPANTS]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

from _large_study import NOW, fill
from _sealed import seal
from sqlalchemy.orm import Session

from pro_app.config import ROOT
from pro_app.core.library import load_library
from pro_app.export import page as pages
from pro_app.migrations import upgrade
from pro_app.models import Database
from pro_app.services import table_pages, tables
from pro_app.services.tables import Request

ROWS = 1_000
GOAL = 1.0  # seconds of a page
TABLES = ("assessments", "answers", "corrections")


def timed(database: Database, act: Callable[[Session], Any]) -> tuple[float, Any]:
    """The best of three, in seconds, and what came of it."""
    best, found = float("inf"), None
    for _ in range(3):
        with database.snapshot() as session:
            start = time.perf_counter()
            found = act(session)
            best = min(best, time.perf_counter() - start)
    return best, found


def read(session: Session, name: str, request: Request) -> int:
    """A page as it is sent: its size."""
    page = pages.page(table_pages.gradually(session, name, request), ROWS)
    return len(page.json_array())


def first_frame(session: Session, name: str, request: Request) -> int:
    """Of the whole table."""
    frames = tables.table(session, name, request).frames()
    return sum(one.height for _, one in zip(range(1), frames, strict=False))


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("participants", nargs="?", type=int, default=100_000)
    count = asked.parse_args().participants
    library = load_library(ROOT / "questionnaires")
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/study.sqlite3")
        upgrade(database)
        study = fill(database, library, count)
        seal(database, library)
        request = Request(study, library, "en", NOW)
        middle = Request(study, library, "en", NOW, after=f"{count // 2:06}")
        for name in TABLES:
            reference, _ = timed(database, lambda at, n=name: first_frame(at, n, request))
            for place, wanted in (("first page", request), ("middle page", middle)):
                took, size = timed(database, lambda at, n=name, w=wanted: read(at, n, w))
                said = "" if took <= GOAL else f"  above {GOAL} s"
                print(
                    f"{name}, {place}: {took * 1000:.0f} ms, {size / 1e6:.2f} MB; the whole "
                    f"table's first frame {reference * 1000:.0f} ms{said}"
                )
        database.close()


if __name__ == "__main__":
    main()
