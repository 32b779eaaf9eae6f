"""The commands that store licensed wording: everything or nothing, and nothing of the text told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.export.fhir import Form, one_questionnaire
from pro_app.models import AuditEntry, Database
from pro_app.services.wording_import import stored
from tests.conftest import Run, snapshot
from tests.services.wording_files import csv_file, sentences, workbook

CANARY = "Zebracanary"
TODAY = datetime.now(UTC).date()
TERMS = (
    "--holder", "The owner", "--licence", "L-1", "--modes", "phone,paper", "--version", "1",
    "--valid-until", "2099-12-31",
)  # fmt: skip


@pytest.fixture
def texts(library: Library) -> dict[str, str]:
    """A sentence for each place, one of them the canary."""
    found = sentences(library.instruments["lupusqol"], "en")
    return {**found, "instruction": f"{found['instruction']} {CANARY}."}


@pytest.fixture
def file(tmp_path: Path, library: Library, texts: dict[str, str]) -> Path:
    """A filled template."""
    path = tmp_path / "filled.xlsx"
    path.write_bytes(workbook(library.instruments["lupusqol"], "en", None, texts))
    return path


def test_a_workbook_says_what_it_is_of_and_is_stored(
    loaded: Run, file: Path, sqlite_url: str
) -> None:
    told = loaded("wording import", file, *TERMS, "--study", "test", "--site", "01").output
    assert "lupusqol en, version 1: " in told
    assert "for study test, site 01" in told
    assert CANARY not in told
    listed = loaded("wording list", "--study", "test").output
    line = listed.splitlines()[1].split("\t")
    assert line[:3] == ["lupusqol", "en", "1"]
    assert line[4:8] == ["The owner", "L-1", "paper,phone", "01"]
    assert line[9:] == ["2099-12-31", "in force"]
    database = Database(sqlite_url)
    with database.reading() as session:
        (wording,) = stored(session, "lupusqol")
        assert CANARY in wording.instruction
        details = session.scalars(sa.select(AuditEntry.detail)).all()
        assert CANARY not in json.dumps(list(details))
    database.close()


def test_without_a_study_it_is_for_every_one_and_a_csv_needs_the_names(
    loaded: Run, library: Library, texts: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "filled.csv"
    text = csv_file(library.instruments["lupusqol"], None, texts)
    path.write_text(text, encoding="utf-8", newline="")
    told = loaded("wording import", path, *TERMS, code=2).output
    assert "name --instrument and --language" in told
    named = ("--instrument", "lupusqol", "--language", "en")
    assert "for every study, every site" in loaded("wording import", path, *named, *TERMS).output


def test_a_fhir_file_is_stored_and_its_faults_have_paths(
    loaded: Run, library: Library, texts: dict[str, str], tmp_path: Path
) -> None:
    from pro_app.core.wording import made

    instrument, path = library.instruments["lupusqol"], tmp_path / "form.json"

    def write(changes: dict[str, str]) -> None:
        wording = made(instrument, "en", "licensed", "ours", "1", {**texts, **changes})
        form = Form(instrument, {"en": wording})
        path.write_bytes(one_questionnaire(form, "en", "https://pro.example.org", str))

    write({"items.LQ02": "How [much] of it?"})
    told = loaded("wording import", path, *TERMS, code=1).output
    assert "items.LQ02: there is a placeholder" in told
    assert "item[" in told
    assert "1 fault; nothing was stored" in told
    write({})
    assert "lupusqol en, version 1" in loaded("wording import", path, *TERMS).output


def test_any_fault_stores_nothing_and_tells_nothing_of_the_text(
    loaded: Run, library: Library, texts: dict[str, str], file: Path, sqlite_url: str
) -> None:
    database = Database(sqlite_url)
    before = snapshot(database)
    instrument = library.instruments["lupusqol"]
    faulty = {**texts, "items.LQ01": "", "items.LQ02": f"{CANARY} [much]?"}
    file.write_bytes(workbook(instrument, "en", None, faulty))
    told = loaded("wording import", file, *TERMS, code=1).output
    assert "items.LQ01: the text is empty" in told
    assert "2 faults; nothing was stored" in told
    assert CANARY not in told
    file.write_bytes(workbook(instrument, "en", None, texts))
    for changes, reason in (
        (("--site", "99", "--study", "test"), "the study has no site '99'"),
        (("--valid-until", "2020-01-01"), "the licence ends before it begins"),
        (("--version", "?"), "a version is a short name"),
        (("--study", "nowhere"), "there is no study 'nowhere'"),
        (("--holder", "Owner\tL-9"), "the licence's holder holds what is no text of one line"),
        (("--licence", "L\x1b[1m"), "the licence's number holds what is no text of one line"),
        (("--holder", "caf\udce9"), "the licence's holder holds what is no text of one line"),
        (("--licence", "900101-14-5678"), "the licence's number: the text holds what looks like"),
    ):
        told = loaded("wording import", file, *TERMS, *changes, code=1).output
        assert reason in told
        assert CANARY not in told
    for changes, reason in (
        (("--modes", "phone,fax"), "some of phone,tablet,paper,interview,aloud, not 'fax'"),
        (("--site", "01"), "name it with --study"),
        (("--instrument", "sf12", "--language", "en"), 'There is no instrument "sf12"'),
    ):
        assert reason in loaded("wording import", file, *TERMS, *changes, code=2).output
    assert snapshot(database) == before
    database.close()


def test_another_text_begins_tomorrow_at_the_earliest(
    loaded: Run, library: Library, texts: dict[str, str], file: Path
) -> None:
    loaded("wording import", file, *TERMS)
    changed = {**texts, "items.LQ03": "Another sentence of ours."}
    file.write_bytes(workbook(library.instruments["lupusqol"], "en", None, changed))
    two = (*TERMS, "--version", "2")
    told = loaded("wording import", file, *two, code=1).output
    assert "this one can begin on" in told
    later = (TODAY + timedelta(days=3)).isoformat()
    loaded("wording import", file, *two, "--from", later)
    lines = [line.split("\t") for line in loaded("wording list").output.splitlines()[1:3]]
    assert [(one[2], one[-1]) for one in lines] == [("1", "in force"), ("2", f"from {later}")]


def test_a_licence_is_renewed_and_ended_by_the_fingerprint(loaded: Run, file: Path) -> None:
    loaded("wording import", file, *TERMS)
    fingerprint = loaded("wording list").output.splitlines()[1].split("\t")[3]
    terms = (*TERMS[:4], "--modes", "phone", "--valid-until", "2098-01-01", "--reason", "Longer")
    assert "until 2098-01-01" in loaded("wording renew", fingerprint, *terms).output
    day = (TODAY + timedelta(days=2)).isoformat()
    given = (fingerprint, "--from", day, "--study", "test", "--reason", "Taken back")
    assert f"not read any more from {day}" in loaded("wording end", *given).output
    states = [line.split("\t")[-1] for line in loaded("wording list").output.splitlines()[1:]]
    assert states == ["replaced", "in force", f"from {day}"]
    assert "is read in the study" in loaded("wording end", "0" * 12, *given[1:], code=1).output
    assert "at least 8" in loaded("wording renew", "%%%%%%%%", *terms, code=2).output
    assert "no single wording" in loaded("wording renew", "0" * 12, *terms, code=1).output
