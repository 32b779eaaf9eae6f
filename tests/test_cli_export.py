"""`pro-app export`: the same as from the web, to a file or to standard output."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.config import ROOT
from pro_app.core.library import Library
from pro_app.models import AuditEntry, Database
from pro_app.services import enrolment, export_formats, studies
from tests.conftest import Run, Site, TestClock
from tests.services.correcting import open_desk
from tests.services.csv_files import INSTRUMENTS

WINDOW = ("--opens", "2026-11-22T08:00", "--closes", "2026-11-30T08:00")
AS_OF = "2026-11-23T08:00+08:00"


@pytest.fixture
def lived(loaded: Run) -> Run:
    """Somebody with an open visit."""
    loaded("participant add 01-001 --language en")
    loaded("assessment open 01-001 baseline", *WINDOW)
    return loaded


def entries(url: str) -> list[AuditEntry]:
    database = Database(url)
    with database.reading() as session:
        wanted = sa.select(AuditEntry).where(AuditEntry.action == "export")
        found = list(session.scalars(wanted.order_by(AuditEntry.id)))
    database.close()
    return found


@pytest.mark.parametrize("what", export_formats.TABLES)
def test_every_table_goes_to_standard_output(lived: Run, what: str) -> None:
    told = lived(f"export {what} --as-of {AS_OF}")
    header = told.stdout.splitlines()[0]
    assert not header.startswith("\ufeff"), "what reads there is a program"
    assert next(csv.reader([header]))[0] in {"study", "stream"}
    assert told.stderr == ""


def test_a_file_has_its_codebook_beside_it_and_is_on_record(
    lived: Run, tmp_path: Path, sqlite_url: str
) -> None:
    path = tmp_path / "scores.csv"
    told = lived(f"export scores --exact --language ta --as-of {AS_OF} --output", path)
    assert told.output == ""
    assert path.read_text(encoding="utf-8").startswith("study,site,participant,")
    assert "participant" in (tmp_path / "scores_codebook.csv").read_text(encoding="utf-8")
    (entry,) = entries(sqlite_url)
    assert (entry.actor, entry.new) == ("site", "scores")
    assert entry.detail == {
        "as_of": "2026-11-23T00:00:00+00:00", "filter": {}, "format": "csv_exact",
        "language": "ta", "reason": "", "rows": 0,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }  # fmt: skip


@pytest.mark.parametrize("form", export_formats.FORMATS)
def test_the_same_moment_gives_the_same_bytes(lived: Run, tmp_path: Path, form: str) -> None:
    seen = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        path = tmp_path / name / f"answers{export_formats.find('answers', form).suffix}"
        lived(f"export answers --format {form} --as-of {AS_OF} --output", path)
        seen.append({one.name: one.read_bytes() for one in (tmp_path / name).iterdir()})
    assert seen[0] == seen[1] != {}


def test_what_is_left_out_is_left_out(lived: Run, sqlite_url: str) -> None:
    lived("participant add 02-001 --language en")
    told = lived(
        f"export assessments --as-of {AS_OF} --site 01 --instrument lupusqol "
        "--timepoint baseline --study-days-from enrolment"
    )
    (row,) = csv.DictReader(told.stdout.splitlines())
    assert (row["participant"], row["instrument"]) == ("01-001", "lupusqol")
    assert "opens_at" not in row
    assert "opens_day" in row
    assert entries(sqlite_url)[0].detail["filter"] == {
        "sites": "01", "instruments": "lupusqol", "timepoints": "baseline",
        "days_from": "enrolment",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("export contacts", 2, "'contacts' is not one of"),
        ("export answers --format doc", 2, "'doc' is not one of"),
        ("export answers --language fr", 2, "'fr' is not one of"),
        ("export answers --format xpt2", 2, "'xpt2' is not one of"),
        ("export redcap --format sav", 2, "redcap can be had as csv"),
        ("export redcap --exact", 2, "csv is exact as it is"),
        ("export redcap", 2, "csv needs a file"),
        ("export answers --format parquet", 2, "parquet needs a file"),
        ("export answers --format parquet --exact", 2, "parquet is exact as it is"),
        ("export answers --as-of yesterday", 2, "not a moment like"),
        ("export answers --as-of 2026-11-23T08:00", 2, "not a moment like"),
        ("export answers --output nowhere/a.csv", 2, "there is no folder 'nowhere'"),
        ("export answers --site 99", 1, "the study has no site '99'"),
        ("export answers --instrument eq5d", 1, "the study has no instrument 'eq5d'"),
        ("export answers --timepoint never", 1, "the study has no timepoint 'never'"),
        ("export answers --study-days-from never", 1, "the study has no anchor 'never'"),
    ],
)
def test_what_cannot_be_is_refused(
    loaded: Run, sqlite_url: str, command: str, code: int, told: str
) -> None:
    assert told in loaded(command, code=code).output
    assert entries(sqlite_url) == []


def test_a_failure_leaves_what_was_there_before(
    lived: Run, tmp_path: Path, sqlite_url: str
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("before", encoding="ascii")
    lived("export answers --site 99 --output", path, code=1)
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".csv"] == ["answers.csv"]
    assert path.read_text(encoding="ascii") == "before"


def test_whoever_sits_at_a_terminal_sees_how_far_it_is(
    lived: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _self: True)
    told = lived(f"export participants --as-of {AS_OF}")
    assert "1 rows" in told.stderr
    assert "01-001" in told.stdout


def test_corrections_are_exported_with_their_codebook(
    loaded: Run, sqlite_url: str, library: Library, clock: TestClock, tmp_path: Path
) -> None:
    database = Database(sqlite_url)
    with database.reading() as session:
        study = studies.current(session, library, 1)
    correction = open_desk(Site(database, library, study, clock)).correct()
    database.close()
    path = tmp_path / "corrections.csv"
    loaded("export corrections --exact --output", path)
    (row,) = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    told: Any = (row["correction"], row["field"], row["old"], row["new"], row["state"])
    assert told == (correction.public_id, "LQ01", "1", "3", "approved")
    codebook = (tmp_path / "corrections_codebook.csv").read_text(encoding="utf-8")
    assert all(name in codebook for name in row)


SCORINGS = (("lupusqol", "lupusqol"), ("sf36v1", "rand"), ("sf36v1", "mos_us1990"),
            ("sf36v2", "us1998"))  # fmt: skip
CLOSED = "2026-12-05T08:00+08:00"  # of what was open, everything is over
KEYS = ("participant", "timepoint", "occurrence", "instrument")


@pytest.fixture
def trial_lived(loaded: Run, sqlite_url: str, library: Library, clock: TestClock) -> Run:
    """Corrected, skipped, in two languages, half a form, a repeated visit, nothing, withdrawn."""
    database = Database(sqlite_url)
    with database.reading() as session:
        study = studies.current(session, library, 1)
    site = Site(database, library, study, clock)
    open_desk(site).correct()  # 01-001
    for number, place in (("01-002", 2), ("01-003", 4), ("01-004", 1)):
        person = site.enrol(number)
        again = site.open(person, occurrence=2) if number == "01-002" else []
        for sheet in [*site.open(person), *site.open(person, "month_3"), *again]:
            items = library.instruments[sheet.instrument].items
            if number == "01-004":
                half = {one.code: one.options.codes[0] for one in items[: len(items) // 2]}
                site.answer(sheet, half, language="ms")
                continue
            site.answer_all(sheet, place + sheet.occurrence)
            odd = {items[1].code: "skipped"}
            if sheet.instrument == "lupusqol":
                odd |= {"LQ15": "not_applicable", "LQ16": "skipped"}
            site.answer(sheet, odd, language="ta")
            site.submit(sheet)
    site.open(site.enrol("01-005"))
    gone = site.enrol("01-006")
    (first, _second) = site.open(gone)
    site.answer_all(first)
    with database.writing() as session:
        enrolment.withdraw(session, gone.id, clock())
    database.close()
    return loaded


def of_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize(("instrument", "scoring"), SCORINGS)
def test_exported_answers_scored_again_give_the_exported_scores_bit_for_bit(
    trial_lived: Run, tmp_path: Path, instrument: str, scoring: str
) -> None:
    """`pro-app export`, `pro-app score`, as a statistician types them; texts are compared."""
    asked = f"--exact --instrument {instrument} --as-of {CLOSED} --output"
    for what in ("answers", "scores"):
        trial_lived(f"export {what} {asked}", tmp_path / f"{what}.csv")
    answers, scores = (of_csv(tmp_path / f"{what}.csv") for what in ("answers", "scores"))
    exported = {"/".join(row[one] for one in KEYS): row for row in scores}
    with (tmp_path / "input.csv").open("w", encoding="utf-8", newline="") as file:
        items = [one.code for one in INSTRUMENTS[instrument].items]
        names = {one: one if one in answers[0] else f"{one}_{instrument}" for one in items}
        told = csv.writer(file)
        told.writerow(["id", *items])
        for row in answers:
            key = "/".join(row[one] for one in KEYS)
            if key in exported:
                told.writerow([key, *(row[names[one]] for one in items)])
    trial_lived(
        f"score {instrument} --scoring {scoring}", tmp_path / "input.csv",
        "--output", tmp_path / "again.csv",
    )  # fmt: skip
    again = of_csv(tmp_path / "again.csv")
    assert [row["id"] for row in again] == list(exported)
    endings = {"": "", "_answered": "_n", "_norm": "_norm"}
    compared, seen = 0, set()
    for row in again:
        for name, text in row.items():
            if name in ("id", "problems"):
                continue
            ending = next(one for one in sorted(endings, reverse=True) if name.endswith(one))
            column = f"{scoring}_{name.removesuffix(ending)}{endings[ending]}"
            assert text == exported[row["id"]][column], (row["id"], name)
            seen.add(column)
            compared += bool(text)
    of_scoring = {one for one in scores[0] if one.startswith(f"{scoring}_")}
    more = {f"{scoring}_{one}" for one in ("algorithm", "PCS_n", "MCS_n")}  # not in score's file
    assert seen == of_scoring - more
    assert compared > 20
    assert {row["basis"] for row in scores} == {"submission", "partial"}


EVERYTHING = """
import sys
from pathlib import Path
from click.testing import CliRunner
from pro_app.cli import main
from pro_app.services.export_formats import ALL, find, offered

folder, as_of = Path(sys.argv[1]), sys.argv[2]
for what in ALL:
    for form in offered(what) if what in ("scores", "corrections", "cdisc", "fhir", "redcap") else (
        "jsonl",
    ):
        place = folder / f"{what}-{form}"
        place.mkdir()
        name = place / f"{what}{getattr(find(what, form), 'suffix', '.zip')}"
        typed = ["export", what, "--format", form, "--as-of", as_of, "--output", str(name)]
        done = CliRunner().invoke(main, typed)
        assert done.exit_code == 0, (typed, done.output)
"""


def test_another_process_at_another_hour_writes_the_same_bytes(
    trial_lived: Run, tmp_path: Path
) -> None:
    """Every format, whatever order sets and dictionaries happen to have, and in another zone. The
    record alone tells of exports, but of none is there an entry about a participant."""
    seen = []
    for seed, zone in (("1", "UTC"), ("2", "Pacific/Auckland")):
        folder = tmp_path / seed
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-c", EVERYTHING, folder, CLOSED],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(ROOT)},
            check=True,
            timeout=120,
        )
        files = [one for one in folder.rglob("*") if one.is_file()]
        seen.append({one.relative_to(folder): one.read_bytes() for one in files})
    assert seen[0].keys() == seen[1].keys()
    assert [str(name) for name, data in seen[0].items() if seen[1][name] != data] == []
    assert len(seen[0]) > 30


def texts_of(path: Path) -> Iterator[str]:
    """The texts of a file, and of those that it packs."""
    if not zipfile.is_zipfile(path):
        yield path.read_text(encoding="utf-8", errors="replace")
        return
    with zipfile.ZipFile(path) as packed:
        for name in packed.namelist():
            inner = path.parent / f"{path.stem}-{Path(name).name}"
            inner.write_bytes(packed.read(name))
            yield from texts_of(inner)


@pytest.mark.parametrize("what", [one for one in export_formats.ALL if one != "audit"])
def test_with_study_days_no_format_of_anything_has_a_date(
    trial_lived: Run, tmp_path: Path, what: str
) -> None:
    """Also not in a text, a name or a property; the moment of the export itself is no secret."""
    for form in export_formats.offered(what):
        ending = getattr(export_formats.find(what, form), "suffix", ".zip")
        path = tmp_path / f"{what}-{form}{ending}"
        trial_lived(
            f"export {what} --format {form} --study-days-from enrolment "
            "--as-of 2031-01-01T08:00+08:00 --output", path,
        )  # fmt: skip
        for text in texts_of(path):
            assert re.findall(r"2026-\d\d|\b2026\d{4}\b|\d\d[./]\d\d[./]2026|NOV2026", text) == []
