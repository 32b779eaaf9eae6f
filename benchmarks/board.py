"""The board, the matrix and the rates of a study of 100,000 participants, on both databases.

Reference: reading fifty of its participants by key, in the same run. The board is timed for one
site of a hundred and for the whole study, without and with the count of all that was completed.

A smaller study is for a quick look: its figures say nothing of the goals.

    python benchmarks/board.py [PARTICIPANTS] [--only sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from _large_study import NOW, OF_SITE, TIMEPOINTS, fill
from _postgresql import postgresql
from sqlalchemy.orm import Session

from pro_app.config import ROOT
from pro_app.core.library import Library, load_library
from pro_app.migrations import upgrade
from pro_app.models import Database, Participant
from pro_app.services import board, completion, rates
from pro_app.services.studies import CurrentStudy

ROUNDS = 5
SITE = 1
GOALS = {"sqlite": 500, "postgresql": 200}  # milliseconds, of the board
Question = Callable[[Session], object]


def questions(study: CurrentStudy) -> dict[str, Question]:
    """What is timed, by name."""
    found: dict[str, Question] = {}
    for name, sites in ((f"a site of {OF_SITE}", frozenset({SITE})), ("the study", None)):
        asked = (study, sites, NOW)
        found |= {
            f"board of {name}": lambda session, asked=asked: board.board(
                session, *asked, progress=False
            ),
            f"board of {name}, all counts": lambda session, asked=asked: board.board(
                session, *asked
            ),
            f"matrix of {name}, first page": lambda session, asked=asked: completion.matrix(
                session, *asked
            ),
            f"matrix of {name}, last page": lambda session, asked=asked: completion.matrix(
                session, *asked, page=1_000_000
            ),
            f"rates of {name}": lambda session, asked=asked: rates.rates(session, *asked),
        }
    return found


def timed(database: Database, question: Question) -> tuple[float, float]:
    """Milliseconds of server time, the median and the slowest; each in a transaction of its own
    after one that warms up."""
    spent = []
    for _ in range(ROUNDS + 1):
        with database.reading() as session:
            begun = time.perf_counter()
            question(session)
            spent.append(1_000 * (time.perf_counter() - begun))
    return statistics.median(spent[1:]), max(spent[1:])


def measure(kind: str, url: str, library: Library, count: int) -> None:
    database = Database(url)
    upgrade(database)
    begun = time.perf_counter()
    study = fill(database, library, count)
    made = time.perf_counter() - begun
    keys = [1 + n * max(1, count // 50) for n in range(50)]
    people = sa.select(Participant).where(Participant.id.in_(keys))
    reference, _ = timed(database, lambda session: session.execute(people).all())
    print(
        f"{kind}, {count:,} participants x {TIMEPOINTS} timepoints x 2 instruments "
        f"(made in {made:.0f} s)"
    )
    print(f"  {'reference, fifty participants by key':42} {reference:8.1f} ms")
    for name, question in questions(study).items():
        median, slowest = timed(database, question)
        goal = f"   (goal {GOALS[kind]} ms)" if name.startswith("board") else ""
        print(f"  {name:42} {median:8.1f} ms   slowest {slowest:.1f} ms{goal}")
    database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("participants", nargs="?", type=int, default=100_000)
    parser.add_argument("--only", choices=sorted(GOALS))
    asked = parser.parse_args()
    library = load_library(ROOT / "questionnaires")
    if asked.only != "postgresql":
        with TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/board.sqlite3"
            measure("sqlite", url, library, asked.participants)
    if asked.only != "sqlite":
        with postgresql() as url:
            measure("postgresql", url, library, asked.participants)


if __name__ == "__main__":
    main()
