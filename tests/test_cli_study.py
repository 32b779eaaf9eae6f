"""The commands of `study`: warnings at loading, a timeline to be read, and the years simulated."""

from __future__ import annotations

import csv
import json
import re
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from pro_app.core.library import Library
from pro_app.models import Database
from tests.conftest import Run, TestClock
from tests.services.trial import TRIAL, Trial, load_trial, local

TWO_TOO_CLOSE = """
[[timepoints]]
code = "day_90"
label = { ms = "90", en = "90", zh_Hans = "90", ta = "90" }
instruments = ["lupusqol"]
anchor = "infusion"
offset = { days = 100 }

[reminders]
"""


@pytest.fixture
def site(trial_loaded: Run, sqlite_url: str, library: Library, clock: TestClock) -> Trial:
    """The hands of the participants, on the database of the commands."""
    return load_trial(Database(sqlite_url), library, clock)


def test_loading_warns_of_questions_about_the_same_days(loaded: Run, tmp_path: Path) -> None:
    assert loaded("study load", TRIAL).stderr == ""
    close = tmp_path / "close.toml"
    text = TRIAL.read_text(encoding="utf-8")
    close.write_text(text.replace("\n[reminders]\n", TWO_TOO_CLOSE), encoding="utf-8")
    told = loaded("study load", close)
    assert told.stdout == "study trial, version 2\n"
    assert told.stderr == (
        "warning: lupusqol at month_3 and day_90: due 8 days apart, but it asks about 28 days\n"
    )


def test_a_timeline_is_read_from_top_to_bottom(
    trial_loaded: Run, site: Trial, clock: TestClock
) -> None:
    person = site.enrol("01-001")
    told = trial_loaded("study timeline 01-001").output.splitlines()
    assert told[:3] == ["01-001", "times of Asia/Kuala_Lumpur", "enrolment  2026-11-23"]
    assert told[-1] == "waiting for the infusion date: day_28, month_3, month_6, yearly"
    place = told.index("baseline lupusqol: open")
    assert told[place + 1 : place + 6] == [
        "    2026-11-23 06:00 to 2026-12-06 23:00, due 2026-11-23 06:00",
        "    2026-11-23 09:00  opening  push         planned",
        "    2026-11-24 09:00  letter   email        planned",
        "    2026-11-25 09:00  again    push         planned",
        "    2026-11-29 09:00  call     coordinator  planned",
    ]
    site.infuse(person, date(2026, 11, 20))
    site.complete(person, "baseline", "sf36v1")
    clock.now = local(2026, 12, 10, 9)
    told = trial_loaded("study timeline 01-001").output.splitlines()
    assert "infusion   2026-11-20" in told or "infusion  2026-11-20" in told
    assert "baseline lupusqol: missed (not started)" in told
    assert "baseline sf36v1: completed" in told
    assert "    ! answered after the infusion date, but should precede it" in told
    assert any(line.endswith("cancelled (completed)") for line in told)
    assert "yearly/2 lupusqol: not due" in told
    assert not any(line.startswith("waiting") for line in told)


def test_a_timeline_for_programs_is_in_utc(trial_loaded: Run, site: Trial) -> None:
    site.enrol("01-001")
    told = json.loads(trial_loaded("study timeline 01-001 --format json").output)
    assert (told["participant"], told["zone"]) == ("01-001", "Asia/Kuala_Lumpur")
    first = told["assessments"][0]
    assert first["opens_at"] == "2026-11-22T22:00:00+00:00"
    assert [one["step"] for one in first["reminders"]] == ["opening", "letter", "again", "call"]
    assert told["waiting"] == {"infusion": ["day_28", "month_3", "month_6", "yearly"]}
    assert "no participant '01-009'" in trial_loaded("study timeline 01-009", code=1).output


SIMULATE = "study simulate --from 2026-11-23 --until 2027-04-30 --participants 2"


def test_a_simulation_is_one_row_a_happening(loaded: Run) -> None:
    output = loaded(f"{SIMULATE} --zone Europe/Berlin --format csv --study", TRIAL).output
    assert output.splitlines()[0] == (
        "at_utc,at_local,what,participant,timepoint,instrument,step,channel"
    )
    rows = list(csv.DictReader(output.splitlines()))
    assert {row["what"] for row in rows} == {"opens", "closes", "reminder"}
    for row in rows:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", row["at_utc"])
        offset = timedelta(hours=2 if row["at_local"][:10] >= "2027-03-28" else 1)
        at_local = datetime.fromisoformat(row["at_local"])
        assert at_local == datetime.fromisoformat(row["at_utc"])
        assert at_local.utcoffset() == offset
        assert bool(row["step"]) == bool(row["channel"]) == (row["what"] == "reminder")
    moments = [row["at_utc"] for row in rows]
    assert moments == sorted(moments)
    keys = [tuple(row.values())[2:] for row in rows]
    assert len(set(keys)) == len(keys)


def test_a_simulation_to_be_read_ends_with_the_busiest_minute(loaded: Run) -> None:
    told = loaded(SIMULATE, "--study", TRIAL).output.splitlines()
    assert told[0] == "2026-11-23 06:00  opens     01-001  baseline  lupusqol"
    assert re.fullmatch(
        r"\d+ openings, \d+ closings, \d+ reminders in \d+ messages; times of Asia/Kuala_Lumpur",
        told[-2],
    )
    assert re.fullmatch(
        r"busiest minute: \d{4}-\d\d-\d\d \d\d:\d\d with \d+ messages for \d+ reminders", told[-1]
    )


def test_the_demonstration_is_simulated_where_no_study_is_named(loaded: Run) -> None:
    told = loaded("study simulate --from 2026-11-23 --until 2026-12-31 --participants 1").output
    assert "baseline" in told
    assert "busiest minute" in told


BAD = [
    ("--until 2027-13-01 --participants 2", "--until", "'2027-13-01' is not a day like"),
    ("--until soon --participants 2", "--until", "'soon' is not a day like"),
    ("--until 2026-11-22 --participants 2 --from 2026-11-23", "--until", "lies before 2026-11-23"),
    ("--until 2027-01-01 --participants 0", "--participants", "0 is not in the range"),
    ("--until 2027-01-01 --participants 2 --zone Mars/Here", "--zone", "'Mars/Here' is not a time"),
    ("--until 2027-01-01 --participants 2 --zone Asia", "--zone", "'Asia' is not a time zone"),
    ("--until 2027-01-01 --participants 2 --study none.toml", "--study", "does not exist"),
    ("--participants 2", "--until", "Missing option"),
]


def test_what_cannot_be_simulated_names_its_option(loaded: Run, subtests: pytest.Subtests) -> None:
    for options, option, told in BAD:
        with subtests.test(options):
            output = loaded(f"study simulate {options}", code=2).output
            assert option in output
            assert told in output


def test_a_faulty_file_is_told_in_one_line(loaded: Run, tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.toml"
    faulty.write_text("code = 1", encoding="utf-8")
    told = loaded("study simulate --until 2027-01-01 --participants 1 --study", faulty, code=1)
    assert told.output.startswith(f"Error: {faulty}: ")
    assert told.output.count("\n") == 1
