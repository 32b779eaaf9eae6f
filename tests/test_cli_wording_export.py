"""`pro-app wording export`: the shipped wordings, or a study's own, as a FHIR Questionnaire."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.core.wording import Wording
from pro_app.models import AuditEntry, Database
from pro_app.services import studies
from pro_app.services.fhir_wording import read_fhir
from tests.conftest import Run
from tests.services.licensing import license_one


def entries(url: str) -> list[AuditEntry]:
    database = Database(url)
    with database.reading() as session:
        found = list(session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "export")))
    database.close()
    return found


def test_the_shipped_wordings_in_a_file(run: Run, library: Library, tmp_path: Path) -> None:
    out = tmp_path / "sf36v2.json"
    told = run("wording export sf36v2 --language ta --language en --out", out)
    assert told.output == f"{out}: sf36v2 in ta, en\n"
    assert json.loads(out.read_bytes())["language"] == "ta"
    found = read_fhir(out.read_bytes(), library.instruments)
    assert list(found.texts) == ["ta", "en"]
    for language, texts in found.texts.items():
        assert texts == dict(library.wordings["sf36v2", language].texts())


def licensed(url: str, library: Library) -> Wording:
    """A licensed wording of the study, stored."""
    database = Database(url)
    with database.writing() as session:
        study = studies.find(session, "test")
        assert study is not None
        made = license_one(
            session,
            studies.current(session, library, study.id),
            library,
            "lupusqol",
            "ta",
            datetime.now(UTC),
            "2.1",
            " அ",
        )
    database.close()
    return made


def test_a_studys_own_wordings_are_exported_on_record(
    loaded: Run, library: Library, sqlite_url: str, tmp_path: Path
) -> None:
    wording = licensed(sqlite_url, library)
    out = tmp_path / "own.json"
    loaded("wording export lupusqol --study test --language ta --out", out)
    found = read_fhir(out.read_bytes(), library.instruments)
    assert found.texts["ta"] == dict(wording.texts())
    said = found.said["ta"]
    assert (said.kind, said.version) == ("licensed", "2.1")
    assert said.fingerprint == wording.fingerprint
    (entry,) = entries(sqlite_url)
    assert (entry.new, entry.actor, entry.object) == ("wording", "site", "study/test")
    assert entry.detail["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert (entry.detail["instrument"], entry.detail["language"]) == ("lupusqol", "ta")
    assert wording.instruction not in json.dumps(entry.detail, ensure_ascii=False)


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("nothing --out {out}", 2, 'There is no instrument "nothing"'),
        ("lupusqol --language fr --out {out}", 2, "is not one of"),
        ("lupusqol --out {out}/none/x.json", 2, "there is no folder"),
        ("lupusqol --study nowhere --out {out}", 1, "there is no study"),
    ],
)
def test_what_cannot_be_exported_writes_nothing(
    loaded: Run, tmp_path: Path, command: str, code: int, said: str
) -> None:
    out = tmp_path / "out.json"
    told = loaded(f"wording export {command.format(out=out)}", code=code)
    assert said in told.output
    assert not out.exists()


def test_a_study_has_only_its_own_instruments(trial_loaded: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    told = trial_loaded("wording export sf36v2 --study trial --out", out, code=1)
    assert "the study has no instrument 'sf36v2'" in told.output
    assert not out.exists()
