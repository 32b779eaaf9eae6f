"""The pictures of a study of 100,000 participants: each of them, and the columns behind them.

Ten visits of two questionnaires, LupusQoL and SF-36 with two scorings: two million assessments, of
which two in three were submitted. A picture is timed as a page is made: from the columns in their
files to its numbers and marks; `page` is the whole request, with the template. The columns of so
large a study are made here by chance, in the form in which the worker writes them; the making
itself, from the database through the export's tables, is timed on a smaller study (--built), whose
answers and scores are real ones, on both databases, and told per thousand assessments.

Reference: polars reads the same columns of scores from the file and takes their mean.

    python benchmarks/pictures.py [PARTICIPANTS] [--built PARTICIPANTS] [--only sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from _large_study import NOW, OF_SITE, fill
from _postgresql import postgresql
from flask import Flask

from pro_app import create_app
from pro_app.config import ROOT, read_settings
from pro_app.core.instruments import Instrument
from pro_app.core.library import Library, load_library
from pro_app.core.scoring import score
from pro_app.core.study import LANGUAGES
from pro_app.migrations import upgrade
from pro_app.models import Answer, Assessment, Database, Score, Submission
from pro_app.services import picture_data, staff, staff_sign_in
from pro_app.services.picture_frames import ENDED, LANGUAGE, MISSED, STATUS, TOLD, Frames
from pro_app.services.rates import Visit
from pro_app.services.studies import CurrentStudy

ROUNDS = 5
GOAL = 2_000  # milliseconds, of any picture
SUBMITTED, LATE, WITHDRAWN = 0.67, 0.05, 0.05  # shares
PAGES = ("", "changes", "completion", "distribution", "reliability", "participants/000007")
KINDS = 40  # different sets of answers in the study that is built
FIRST = date(2025, 5, 1)


def columns(
    study: CurrentStudy, library: Library, people: int, chance: np.random.Generator
) -> Frames:
    """A study's columns, made by chance."""
    sites = [one.code for one in study.definition.sites]
    languages = np.resize(np.array(LANGUAGES), people)
    gone = chance.random(people) < WITHDRAWN
    frame = pl.DataFrame(
        {
            "participant": [f"{n:06}" for n in range(people)],
            "site": pl.Series([sites[n // OF_SITE] for n in range(people)], dtype=pl.Enum(sites)),
            "language": pl.Series(languages, dtype=LANGUAGE),
            "withdrawn_on": pl.Series([FIRST if one else None for one in gone], dtype=pl.Date),
            "died_on": pl.Series([None] * people, dtype=pl.Date),
        }
    )
    visits = tuple(Visit(one.code, 1) for one in study.definition.timepoints)
    rows = {
        one.code: _rows(library.instruments[one.code], one.scorings, frame, len(visits), chance)
        for one in study.instruments
    }
    return Frames(NOW, None, visits, frame, rows)


def _rows(
    instrument: Instrument,
    scorings: tuple[str, ...],
    people: pl.DataFrame,
    visits: int,
    chance: np.random.Generator,
) -> pl.LazyFrame:
    count = people.height * visits
    person = np.tile(np.arange(people.height, dtype=np.uint32), visits)
    visit = np.repeat(np.arange(visits, dtype=np.uint16), people.height)
    counts = chance.random(count) < SUBMITTED
    status = np.where(counts, "completed", "missed")
    status = np.where(counts & (chance.random(count) < LATE), "completed_late", status)
    due = (np.datetime64(FIRST) + 60 * visit + person % 365).astype("datetime64[D]")
    first = counts[: people.height][person] & counts & (visit > 0)
    told: dict[str, Any] = {
        "person": person,
        "visit": visit,
        "site": people["site"].gather(person),
        "language": people["language"].gather(person),
        "status": pl.Series(status).cast(STATUS),
        "missed": pl.Series(["not_started"], dtype=MISSED)
        .new_from_index(0, count)
        .set(pl.Series(counts), None),
        "told": pl.Series([None], dtype=TOLD).new_from_index(0, count),
        "ended": pl.Series([None], dtype=ENDED).new_from_index(0, count),
        "opened": np.ones(count, np.bool_),
        "due": pl.Series(due),
        "void": np.zeros(count, np.bool_),
        "counts": counts,
        "base": pl.Series(person).set(pl.Series(~first), None),
        "read_in": people["language"].gather(person),
    }
    for scoring in scorings:
        for scale in instrument.scorings[scoring].outputs():
            values = np.where(counts, chance.integers(0, 41, count) * 2.5, np.nan)
            told[f"{scoring}_{scale}"] = pl.Series(values, nan_to_null=True)
    for item in instrument.items:
        codes = chance.choice([*item.options.codes] * 9 + [-7], count).astype(np.int8)
        told[item.code] = pl.Series(codes).set(pl.Series(~counts), None)
    return pl.DataFrame(told).lazy()


def timed(question: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds, the median and the slowest, after one that warms up."""
    spent = []
    for _ in range(ROUNDS + 1):
        begun = time.perf_counter()
        question()
        spent.append(1_000 * (time.perf_counter() - begun))
    return statistics.median(spent[1:]), max(spent[1:])


def peak() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(kind: str, url: str, library: Library, people: int, folder: Path) -> None:
    """Every picture of a study of so many people, whose participants are in the database."""
    database = Database(url)
    upgrade(database)
    begun = time.perf_counter()
    study = fill(database, library, people)
    print(f"{kind}, {people:,} participants (made in {time.perf_counter() - begun:.0f} s)")
    frames = columns(study, library, people, np.random.default_rng(6))
    with database.snapshot() as session:
        mark = picture_data._mark(session, library, study)
    path = picture_data._write(folder / "pictures" / str(study.id), frames, mark, is_live=False)
    size = sum(one.stat().st_size for one in path.rglob("*.arrow"))
    print(f"  columns: {size / 2**20:.0f} MiB in files")
    del frames
    rows = pl.scan_ipc(path / "rows" / "sf36v1.arrow")
    scores = pl.col("^mos_us1990_.*$")
    reference, _ = timed(lambda: rows.select(scores.mean()).collect())
    print(f"  {'reference, the means of the columns alone':44} {reference:8.1f} ms")
    client, code = signed_in(url, folder, database, study)
    for form in ("lupusqol.lupusqol", "sf36v1.mos_us1990"):
        for page in PAGES:
            address = f"/staff/{code}/pictures/{page}".rstrip("/") + f"?form={form}"
            answer = client.get(address)
            assert answer.status_code == 200, (answer.status_code, address)
            assert 'role="img"' in answer.text, address
            median, slowest = timed(lambda address=address: client.get(address))  # type: ignore[misc]
            name = f"{page.partition('/')[0] or 'means'}, {form.partition('.')[0]}"
            print(f"  {name:44} {median:8.1f} ms   slowest {slowest:.1f} ms   (goal {GOAL} ms)")
    print(f"  peak memory of the whole process {peak():.0f} MiB")
    database.close()


def signed_in(url: str, folder: Path, database: Database, study: CurrentStudy) -> tuple[Any, str]:
    """A researcher's client."""
    settings = read_settings({"PRO_DATABASE_URL": url, "PRO_INSTANCE": str(folder)})
    app: Flask = create_app(settings, lambda: NOW)
    with database.writing() as session:
        person = staff.add(session, "r@example.org", "R", "en", date(2026, 1, 5), NOW)
        staff.grant(session, person.id, study.id, None, "researcher", NOW)
        token = staff_sign_in.start(session, person.id, NOW, "code")
    client = app.test_client()
    client.set_cookie("staff", token)
    # what was just written is on the trail; the columns are older than that, and are shown so
    return client, study.definition.code


# --- the columns made from the database ---------------------------------------------------------


def build(kind: str, url: str, library: Library, people: int, folder: Path) -> None:
    """The worker's making of a study's columns, from real answers and scores."""
    database = Database(url)
    upgrade(database)
    study = fill(database, library, people)
    answer_all(database, library, study)
    with database.reading() as session:
        count = session.scalar(sa.select(sa.func.count()).select_from(Assessment)) or 0
        sealed = session.scalar(sa.select(sa.func.count()).select_from(Submission)) or 0
    before = peak()
    begun = time.perf_counter()
    assert picture_data.make(database, library, study.id, folder / "pictures", NOW)
    spent = time.perf_counter() - begun
    print(
        f"{kind}, columns of {people:,} participants: {count:,} assessments, {sealed:,} submitted\n"
        f"  {spent:.1f} s, {1_000_000 * spent / count:.0f} ms for a thousand assessments; "
        f"peak memory {peak():.0f} MiB, {before:.0f} before"
    )
    database.close()


def answer_all(database: Database, library: Library, study: CurrentStudy) -> None:
    """Real answers, of some kinds, and their scores, into every submission."""
    chance = np.random.default_rng(7)
    with database.writing_rows() as session:
        if database.engine.dialect.name == "sqlite":  # what is sealed is not changed, but here
            for table in ("answer", "submission"):
                session.execute(sa.text(f"DROP TRIGGER append_only_update_{table}"))
        else:
            session.execute(sa.text("SET LOCAL session_replication_role = replica"))
        second = sa.select(Assessment.id).where(Assessment.instrument == "sf36v1")
        of_second = Answer.assessment_id.in_(second)
        session.execute(sa.update(Answer).where(of_second).values(item="GH01"))
        for entry in study.instruments:
            instrument = library.instruments[entry.code]
            own = sa.select(Assessment.id).where(Assessment.instrument == entry.code)
            for kind in range(KINDS):
                codes = {
                    one.code: int(chance.choice(one.options.codes)) for one in instrument.items
                }
                fits = sa.and_(
                    Submission.assessment_id.in_(own), Submission.assessment_id % KINDS == kind
                )
                session.execute(sa.update(Submission).where(fits).values(answers=_sealed(codes)))
                for name in entry.scorings:
                    for one in score(instrument.scorings[name], codes):
                        told = {
                            "scoring": one.scoring, "algorithm": one.algorithm,
                            "scale": one.scale, "value": one.value, "norm_based": one.norm_based,
                            "answered": one.answered, "reason": one.reason, "receipt": {},
                        }  # fmt: skip
                        columns = [sa.literal(value, Score.__table__.c[key].type)
                                   for key, value in told.items()]  # fmt: skip
                        rows = sa.select(Submission.id, *columns).where(fits)
                        session.execute(
                            sa.insert(Score).from_select(["submission_id", *told], rows)
                        )


def _sealed(codes: dict[str, int]) -> dict[str, Any]:
    moment = (NOW - timedelta(days=1)).isoformat()
    return {
        item: {"state": "answered", "code": code, "language": "en", "wording": "w",
               "answered_at": moment}
        for item, code in codes.items()
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("participants", nargs="?", type=int, default=100_000)
    parser.add_argument("--built", type=int, default=2_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    asked = parser.parse_args()
    library = load_library(ROOT / "questionnaires")
    for work, people in ((build, asked.built), (measure, asked.participants)):
        if asked.only != "postgresql":
            with TemporaryDirectory() as name:
                work("sqlite", f"sqlite:///{name}/x.sqlite3", library, people, Path(name))
        if asked.only != "sqlite":
            with postgresql() as url, TemporaryDirectory() as name:
                work("postgresql", url, library, people, Path(name))


if __name__ == "__main__":
    main()
