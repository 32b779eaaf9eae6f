"""A site's copy, on both databases: the same bytes again, whole by its own check, and its own."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from pro_app import verify
from pro_app.models import Site as SiteRow
from pro_app.services import audit_export, checkpoints, checks, site_copy, site_copy_people, studies
from pro_app.services.audit_key import AuditKey
from pro_app.services.audit_rows import Scope
from pro_app.services.site_copy import Copy
from tests.conftest import Site
from tests.services.correcting import open_desk
from tests.services.licensing import license_one

KEY = AuditKey.new()


def copy_of(site: Site, code: str = "01") -> Copy:
    with site.database.reading() as session:
        found = session.scalars(sa.select(SiteRow.id).where(SiteRow.code == code)).one()
    return Copy(site.study, site.library, found, code, "en", site.clock(), KEY)


def made(site: Site, code: str = "01") -> bytes:
    wanted, file = copy_of(site, code), io.BytesIO()
    with site.database.writing() as session:
        checkpoints.make(session, KEY, site.clock())
    with site.database.snapshot() as session:
        site_copy.write(session, file, wanted, [("index.html", "<h1>Copy</h1>")])
    return file.getvalue()


def unpacked(content: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        packed.extractall(folder)
    return folder


def faults(folder: Path) -> list[str]:
    return [str(one) for one in verify.Check(verify.Export(str(folder))).faults()]


def two(site: Site) -> None:
    """A corrected submission at the first site, and one at the second."""
    open_desk(site).correct()
    other = site.enrol("02-202")
    first, _ = site.open(other)
    site.answer_all(first)
    site.submit(first)


def test_each_sites_copy_is_whole_and_its_own(site: Site, tmp_path: Path) -> None:
    two(site)
    for code, number, other in (("01", "01-001", "02-202"), ("02", "02-202", "01-001")):
        content = made(site, code)
        assert made(site, code) == content, "the same data give the same bytes"
        folder = unpacked(content, tmp_path / code)
        assert faults(folder) == []
        texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()]
        assert any(number in text for text in texts)
        assert not any(other in text for text in texts)


def test_a_clock_that_was_put_right_is_no_fault_of_a_copy(site: Site, tmp_path: Path) -> None:
    """What excuses it stands on the study's own stream, which the copy has for that."""
    two(site)
    right = site.clock()
    site.clock.forward(days=2)
    site.open(site.enrol("01-002"))
    site.clock.now = right + timedelta(hours=1)
    checks.confirm_clock(site.database, site.clock())
    site.enrol("01-003")
    assert faults(unpacked(made(site), tmp_path / "copy")) == []


def test_a_study_entry_in_the_middle_cannot_be_left_out(site: Site, tmp_path: Path) -> None:
    two(site)
    what: dict[str, str | None] = {"study": "test"}
    for number in ("02-202", None):
        with site.database.writing() as session:
            told = what | {"participant": number}
            audit_export.note(session, told, Scope(site.study.id), "0", site.clock())
    folder = unpacked(made(site), tmp_path / "copy")
    path = folder / verify.TRAIL
    lines = path.read_text(encoding="utf-8").splitlines()
    hidden = [n for n, line in enumerate(lines) if "action" not in json.loads(line)]
    assert len(hidden) == 1
    assert faults(folder) == []
    path.write_text("\n".join(lines[: hidden[0]] + lines[hidden[0] + 1 :]) + "\n")
    assert any("entry 2 is missing" in one for one in faults(folder))


def test_what_is_read_of_people(site: Site) -> None:
    two(site)
    with site.database.reading() as session:
        (person,) = site_copy_people.people(session, copy_of(site))
        done, waiting = person.sheets
        assert (person.participant.number, len(done.corrections)) == ("01-001", 1)
        first, second = done.items[:2]
        assert (first.given.code, first.now.code) == (1, 3)
        assert first.now.label != first.given.label
        assert (second.now.state, second.now.code) == ("skipped", None)
        assert any(one.now != one.given for one in done.scores)
        assert {one.name for one in done.scores} >= {"physical health"}
        assert (waiting.items, waiting.scores, waiting.receipt) == ([], [], None)


def test_an_answer_keeps_the_words_that_were_read(site: Site) -> None:
    """Also when a newer version has come; in another language there is but that one."""
    two(site)
    read = site.library.wording("lupusqol", "en")
    assert read is not None
    with site.database.writing() as session:
        for language in ("en", "ms"):
            license_one(
                session, site.study, site.library, "lupusqol", language, site.clock(), mark=" anew"
            )
        session.flush()
        study = studies.current(session, site.library, site.study.id)
    for language, kept in (("en", True), ("ms", False)):
        copy = replace(copy_of(site), study=study, language=language)
        newest = study.wordings.reading("lupusqol", language)
        assert newest is not None
        wording = read if kept else newest
        with site.database.reading() as session:
            (person,) = site_copy_people.people(session, copy)
            items = person.sheets[0].items
        assert [one.text for one in items] == list(wording.items.values())
        labels = wording.options[site.library.instruments["lupusqol"].items[0].options.code]
        assert items[0].given.label == labels[1]
