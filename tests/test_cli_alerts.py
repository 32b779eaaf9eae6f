"""The command `study alerts`: the rules of a file, and how many alerts they would have raised."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from pro_app.core.library import Library
from pro_app.models import Database
from tests.conftest import Run, Site, TestClock, load_study, snapshot
from tests.services.correcting import open_desk
from tests.services.watching import TESTS, submit

RULES = [
    "first_answer lupusqol LQ01 is 0 or 1 tells investigator and coordinator within 24 h "
    "then investigator",
    "pain lupusqol lupusqol LQPAIN below 25 tells investigator within 48 h then coordinator",
    "good_days sf36v1 rand PF above 99.5 tells coordinator within 1 h then investigator",
]


def lines(told: Result) -> list[str]:
    """What a command said, whatever the width of its columns."""
    return [" ".join(line.split()) for line in told.output.splitlines()]


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    """A study file in which answers are watched, not loaded."""
    path = tmp_path / "watched.toml"
    parts = [
        (TESTS / name).read_text(encoding="utf-8") for name in ("study.toml", "monitoring.toml")
    ]
    path.write_text("\n".join(parts), encoding="utf-8")
    return path


@pytest.fixture
def site(loaded: Run, sqlite_url: str, library: Library, clock: TestClock) -> Site:
    """The hands of the site, on the database of the commands, where nothing is watched."""
    database = Database(sqlite_url)
    return Site(database, library, load_study(database, library), clock)


def test_the_rules_are_read_without_a_database(
    run: Run, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRO_DATABASE_URL", "sqlite:////nowhere/at/all.sqlite3")
    assert lines(run("study alerts", watched)) == RULES


def test_a_file_in_which_nothing_is_watched_says_so(run: Run) -> None:
    assert run("study alerts", TESTS / "study.toml").output == "answers are not watched\n"


def test_a_faulty_file_is_refused_with_its_place(run: Run, watched: Path) -> None:
    text = watched.read_text(encoding="utf-8").replace('item = "LQ01"', 'item = "LQ99"')
    watched.write_text(text, encoding="utf-8")
    told = run("study alerts", watched, code=1)
    assert "monitoring.rules[1].item: lupusqol has no item 'LQ99'" in told.output


def test_what_the_rules_would_have_raised_is_counted_by_rule_timepoint_and_week(
    loaded: Run, site: Site, watched: Path
) -> None:
    submit(site, "01-001", first=0, pain=0)
    submit(site, "01-002", first=1)
    site.clock.forward(days=7)
    submit(site, "01-003", first=0)
    submit(site, "01-004", first="skipped")
    before = snapshot(site.database)
    told = lines(loaded("study alerts", watched, "--simulate"))
    assert snapshot(site.database) == before, "it only reads"
    assert told == [
        *RULES,
        "",
        "rule timepoint week alerts",
        "first_answer baseline 2026-W48 2",
        "first_answer baseline 2026-W49 1",
        "pain baseline 2026-W48 1",
        "",
        "3 of 4 submissions raise an alert (75 %)",
        "4 alerts in all, 2.0 in a week with submissions",
    ]


def test_a_week_begins_by_the_studys_clocks(loaded: Run, site: Site, watched: Path) -> None:
    site.clock.now -= timedelta(hours=9, seconds=1)  # Sunday, a second before Monday there
    submit(site, first=0)
    assert "2026-W47" in loaded("study alerts", watched, "--simulate").output


def test_corrected_answers_count_as_they_are_now(loaded: Run, site: Site, watched: Path) -> None:
    desk = open_desk(site)
    assert "1 of 1 submissions" in loaded("study alerts", watched, "--simulate").output
    desk.correct(item="LQ01", new="4")
    told = loaded("study alerts", watched, "--simulate").output
    assert "0 of 1 submissions raise an alert (0 %)" in told
    assert "0 alerts in all, 0.0 in a week with submissions" in told


def test_without_answers_there_is_nothing_to_count(loaded: Run, watched: Path) -> None:
    assert "0 of 0 submissions" in loaded("study alerts", watched, "--simulate").output


def test_a_study_that_is_not_there_is_named(loaded: Run, watched: Path) -> None:
    text = watched.read_text(encoding="utf-8").replace('code = "test"', 'code = "other"', 1)
    watched.write_text(text, encoding="utf-8")
    told = loaded("study alerts", watched, "--simulate", code=1)
    assert "there is no study 'other'" in told.output
