"""Where pictures get their columns: anew for a small study, from files for a large one."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from pro_app.models import Site as SiteRow
from pro_app.services import answer_record, picture_counts, picture_data, rates
from pro_app.services.picture_data import Source
from pro_app.services.picture_numbers import Choice
from pro_app.worker import Ticker
from tests.services.picture_life import INFUSION, answer, live
from tests.services.trial import Trial, local
from tests.test_worker import settings_for

CHOICE = Choice("lupusqol", "lupusqol")
BOTH = ("lupusqol", "sf36v1")


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every study counts as large."""
    monkeypatch.setattr(picture_data, "SMALL", 0)


def find(trial: Trial, folder: Path, *sites: str) -> Source | None:
    ids = None
    if sites:
        with trial.database.reading() as session:
            codes = sa.select(SiteRow.id).where(SiteRow.code.in_(sites))
            ids = frozenset(session.scalars(codes))
    return picture_data.find(trial.database, trial.library, trial.study, folder, ids, trial.clock())


def make(trial: Trial, folder: Path) -> int:
    return picture_data.make_wanted(trial.database, trial.library, folder, trial.clock())


def made(trial: Trial, folder: Path) -> Source:
    """The columns after the worker has made what was asked for."""
    find(trial, folder)
    make(trial, folder)
    found = find(trial, folder)
    assert found is not None
    return found


def test_completion_is_what_the_rates_say(trial: Trial, tmp_path: Path) -> None:
    """Also between, when windows are open and half answered."""
    people = [trial.enrol(f"0{1 + n % 2}-{n:03}", ("ms", "ta")[n % 2]) for n in range(6)]
    for place, person in enumerate(people[:5]):
        trial.infuse(person, date(2026, 11, 28 + place % 3))
    trial.complete(people[0], "baseline")
    trial.begin(people[1], "baseline")
    trial.withdraw(people[2])
    trial.record_death(people[3])
    for now in (trial.clock(), local(2026, 12, 6, 22), local(2026, 12, 7, 0), local(2027, 6, 1, 9)):
        trial.clock.now = now
        for site in (None, "01", "02"):
            source = find(trial, tmp_path, *([site] if site else []))
            assert source is not None
            choice = Choice("", "", sites=None if site is None else frozenset({site}))
            counted = picture_counts.counts(source.frames, trial.study.definition, BOTH, choice)
            with trial.database.reading() as session:
                ids = sa.select(SiteRow.id).where(SiteRow.code == site)
                covered = None if site is None else frozenset(session.scalars(ids))
                said = rates.rates(session, trial.study, covered, now)
            assert {visit: one.rate for visit, one in counted.items()} == said.visits
            assert list(counted) == list(said.visits)


def test_what_was_lived(trial: Trial, tmp_path: Path) -> None:
    """The same as in the tests of the page, on both databases: here who counts, and from where."""
    live(trial)
    source = find(trial, tmp_path)
    assert source is not None
    assert source.fresh
    rows = source.rows("lupusqol").collect()
    people = source.frames.people["participant"].to_list()
    told = [
        (people[row["person"]], source.frames.visits[row["visit"]].timepoint,
         row["lupusqol_LQPH"], row["base"] is not None, row["read_in"])
        for row in rows.filter("counts").iter_rows(named=True)
    ]  # fmt: skip
    assert sorted(told) == [
        ("01-001", "baseline", 25.0, False, "en"),
        ("01-001", "day_28", 50.0, True, "en"),
        ("01-001", "yearly", 75.0, True, "en"),
        ("01-001", "yearly", 100.0, True, "en"),
        ("01-002", "baseline", 50.0, False, "ta"),
        ("01-002", "day_28", 50.0, True, "ta"),
        ("01-003", "baseline", 0.0, False, "ms"),
        ("02-001", "baseline", 87.5, False, "en"),
    ]
    void = rows.filter("void")
    assert [people[one] for one in void["person"]] == ["02-002"]
    assert void["lupusqol_LQPH"].null_count() == 1, "what is void has no score here"
    baseline = picture_counts.counts(source.frames, trial.study.definition, ["lupusqol"], CHOICE)[
        rates.Visit("baseline", 1)
    ]
    assert (baseline.set_aside, baseline.missed, baseline.told) == (
        1, {"partial": 1}, {"too_ill": 1},
    )  # fmt: skip
    assert picture_counts.people(source.frames, CHOICE) == picture_counts.People(6, 1, 0)


@pytest.mark.usefixtures("large")
def test_a_large_studys_columns_come_from_the_worker(trial: Trial, tmp_path: Path) -> None:
    live(trial)
    assert find(trial, tmp_path) is None
    assert picture_data.is_wanted(tmp_path)
    assert make(trial, tmp_path) == 1
    assert not picture_data.is_wanted(tmp_path)
    kept = find(trial, tmp_path)
    assert kept is not None
    assert kept.fresh
    assert kept.as_of == trial.clock()
    assert not picture_data.is_wanted(tmp_path), "nothing has changed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture_data, "SMALL", 1_000)
        anew = find(trial, tmp_path)
    assert anew is not None
    assert anew.frames.visits == kept.frames.visits
    assert anew.frames.until == kept.frames.until
    assert_frame_equal(anew.frames.people, kept.frames.people)
    for code in BOTH:
        assert_frame_equal(anew.rows(code).collect(), kept.rows(code).collect())


@pytest.mark.usefixtures("large")
def test_whatever_changes_makes_them_stale(trial: Trial, tmp_path: Path) -> None:
    person = trial.enrol()
    trial.infuse(person, INFUSION)
    changes = {
        "an answer": lambda: trial.begin(person, "baseline"),
        "a submission": lambda: answer(trial, person, "baseline", 1),
        "a date": lambda: trial.infuse(person, date(2026, 12, 5)),
        "an amendment": lambda: trial.amend(lambda content: content.update(grace_minutes=60)),
        "somebody else": lambda: trial.enrol("02-002"),
        "a withdrawal": lambda: trial.withdraw(person),
    }
    for name, change in changes.items():
        assert made(trial, tmp_path).fresh
        change()
        stale = find(trial, tmp_path)
        assert stale is not None
        assert not stale.fresh, name
        assert picture_data.is_wanted(tmp_path)
        assert make(trial, tmp_path) == 0, "not yet"
        trial.clock.now += picture_data.PAUSE
    newest = made(trial, tmp_path)
    assert newest.fresh
    assert newest.as_of == trial.clock()


@pytest.mark.usefixtures("large")
def test_to_look_at_answers_changes_nothing(trial: Trial, tmp_path: Path) -> None:
    person = trial.enrol()
    made(trial, tmp_path)
    with trial.database.writing() as session:
        answer_record.note_reading(session, person.id, "x", trial.clock(), "participant")
    found = find(trial, tmp_path)
    assert found is not None
    assert found.fresh


@pytest.mark.usefixtures("large")
def test_time_alone_makes_them_stale(trial: Trial, tmp_path: Path) -> None:
    """A window closes, and then the grace time of what was begun ends."""
    trial.begin(trial.enrol(), "baseline")
    found = made(trial, tmp_path)
    closing = local(2026, 12, 6, 23)
    assert found.frames.until == closing
    for moment in (closing, closing + trial.study.definition.grace):
        trial.clock.now = moment - timedelta(seconds=1)
        before = find(trial, tmp_path)
        assert before is not None
        assert before.fresh
        trial.clock.now = moment
        after = find(trial, tmp_path)
        assert after is not None
        assert not after.fresh
        made(trial, tmp_path)


@pytest.mark.usefixtures("large")
def test_two_snapshots_are_kept(trial: Trial, tmp_path: Path) -> None:
    """The newest one, and the one before, which somebody may be reading."""
    reading: list[pl.LazyFrame] = []
    for n in range(4):
        trial.enrol(f"01-00{n}")
        reading.append(made(trial, tmp_path).rows("lupusqol"))
        trial.clock.now += picture_data.PAUSE
        if n:
            assert reading[-2].select(pl.len()).collect().item() == n
    folders = sorted(one.name for one in (tmp_path / "1").iterdir() if one.is_dir())
    assert len(folders) == picture_data.KEPT


@pytest.mark.usefixtures("large")
def test_what_a_killed_worker_left_is_removed(trial: Trial, tmp_path: Path) -> None:
    trial.enrol()
    find(trial, tmp_path)
    old, new = (tmp_path / "1" / f"{picture_data.BUILDING}{name}" for name in ("old", "new"))
    for one in (old, new):
        (one / "rows").mkdir(parents=True)
    for one, age in ((old, timedelta(days=2)), (new, timedelta(hours=1))):
        moment = (trial.clock() - age).timestamp()
        os.utime(one, (moment, moment))
    assert made(trial, tmp_path).fresh
    assert [one.exists() for one in (old, new)] == [False, True]


@pytest.mark.usefixtures("large")
def test_files_of_another_form_are_not_read(trial: Trial, tmp_path: Path) -> None:
    trial.enrol()
    made(trial, tmp_path)
    (about,) = tmp_path.glob("1/*/about.json")
    told = json.loads(about.read_text())
    about.write_text(json.dumps(told | {"form": 0}))
    assert find(trial, tmp_path) is None


@pytest.mark.usefixtures("large")
def test_a_study_that_is_gone_is_not_made(trial: Trial, tmp_path: Path) -> None:
    (tmp_path / "99").mkdir()
    (tmp_path / "99" / picture_data.WANTED).touch()
    assert make(trial, tmp_path) == 0
    assert not picture_data.is_wanted(tmp_path)


def test_a_small_site_of_a_large_study_is_counted_anew(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("01-001", "01-002", "02-001"):
        trial.enrol(number)
    monkeypatch.setattr(picture_data, "SMALL", 3)
    assert find(trial, tmp_path) is None
    found = find(trial, tmp_path, "02")
    assert found is not None
    assert found.frames.people["participant"].to_list() == ["02-001"]


@pytest.mark.usefixtures("large")
def test_the_workers_tick_makes_what_was_asked_for(trial: Trial, tmp_path: Path) -> None:
    trial.enrol()
    url = trial.database.engine.url.render_as_string(hide_password=False)
    ticker = Ticker(replace(settings_for(url), instance=tmp_path), trial.clock)
    folder = tmp_path / "pictures"
    find(trial, folder)
    ticker.tick()
    ticker.close()  # waits until they are made
    found = find(trial, folder)
    assert found is not None
    assert found.fresh


@pytest.mark.usefixtures("large")
def test_a_worker_that_is_stopped_leaves_the_wish(trial: Trial, tmp_path: Path) -> None:
    trial.enrol()
    find(trial, tmp_path)
    asked = (trial.database, trial.library, tmp_path, trial.clock())
    assert picture_data.make_wanted(*asked, going=lambda: False) == 0
    assert picture_data.is_wanted(tmp_path)
    assert [one.name for one in (tmp_path / "1").iterdir()] == [picture_data.WANTED]
    assert picture_data.make_wanted(*asked) == 1


@pytest.mark.usefixtures("large")
def test_what_took_long_rests_long(trial: Trial, tmp_path: Path) -> None:
    trial.enrol()
    made(trial, tmp_path)
    (about,) = tmp_path.glob("1/*/about.json")
    about.write_text(json.dumps(json.loads(about.read_text()) | {"seconds": 900}))
    trial.enrol("01-002")
    find(trial, tmp_path)
    trial.clock.forward(minutes=59)
    assert make(trial, tmp_path) == 0
    trial.clock.forward(minutes=1)
    assert make(trial, tmp_path) == 1
