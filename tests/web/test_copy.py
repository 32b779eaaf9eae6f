"""The site's complete copy: nothing of another site, nothing missing, and every byte is watched."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app import verify
from pro_app.models import Assessment, AuditEntry, Participant
from pro_app.services import calls
from pro_app.services.audit_key import AuditKey
from pro_app.services.site_copy import TABLES
from tests.conftest import AUDIT_KEY, Enrolled, Site, TestClock
from tests.pages import Browser, Page
from tests.services.correcting import Desk as Corrections
from tests.services.correcting import hire, submission_of
from tests.web.test_staff import at
from tests.web.test_staff_access import sign_in
from tests.web.test_trail import entries, live, place

REASON = "For the site file"
OWN, OTHER = "01-101", "02-202"


@dataclass
class Lived:
    """Two sites, each with somebody who has answered, submitted, and had an answer corrected."""

    site: Site
    people: dict[str, Enrolled]
    sheets: dict[str, list[Assessment]]

    def words_of(self, number: str) -> set[str]:
        """Everything that names a participant or something of the participant's."""
        person, code = self.people[number], number[:2]
        with self.site.database.reading() as session:
            known = session.get_one(Participant, person.id)
            stream = sa.select(AuditEntry).where(AuditEntry.stream == f"participant/{person.id}")
            hashes = {one.hash for one in session.scalars(stream)}
            receipts = set(
                session.scalars(sa.text("SELECT receipt FROM submission JOIN assessment a ON "
                    "a.id = assessment_id WHERE participant_id = :id"), {"id": person.id})
            )  # fmt: skip
            operations = set(
                session.scalars(sa.text("SELECT operation FROM answer JOIN assessment a ON "
                    "a.id = assessment_id WHERE participant_id = :id"), {"id": person.id})
            )  # fmt: skip
        named = {number, known.public_id, f'participant/{person.id}"', f"Investigator {code}"}
        return (
            named | {one.public_id for one in self.sheets[number]} | receipts | operations | hashes
        )


@pytest.fixture
def lived(web_site: Site, clock: TestClock) -> Lived:
    found = Lived(web_site, {}, {})
    for number in (OWN, OTHER):
        person = web_site.enrol(number)
        device = web_site.join(person)
        lupusqol, sf36 = web_site.open(person)
        for sheet in (lupusqol, sf36):
            web_site.answer_all(sheet, place=1)
        web_site.answer(lupusqol, {"LQ02": "skipped"})
        clock.forward(minutes=10)
        web_site.submit(lupusqol, device)
        found.people[number], found.sheets[number] = person, [lupusqol, sf36]
        desk = Corrections(
            web_site,
            lupusqol,
            submission_of(web_site, lupusqol),
            coordinator=hire(web_site, f"Coordinator {number[:2]}", "coordinator", at=number[:2]),
            investigator=hire(web_site, f"Investigator {number[:2]}", "investigator",
                              at=number[:2]),
            second=0,
        )  # fmt: skip
        desk.correct()
        with web_site.database.writing() as session:
            calls.log(session, person.id, "note", None, "came with her sister", None, clock())
    return found


def make(browser: Browser, site: Site, code: str = "01", status: int = 200) -> bytes:
    browser.get(at(site, "/copy"))
    data = {"csrf_token": browser.page.token(), "site": code, "reason": REASON}
    browser.response = browser.client.post(at(site, "/copy"), data=data)
    assert browser.response.status_code == status, browser.response.text[:500]
    found = browser.response.data
    browser.response.close()
    return found


@pytest.fixture
def copy(app: Flask, lived: Lived) -> bytes:
    """The first site's copy, made by its investigator."""
    return make(sign_in(app, lived.site, "investigator", place(lived.site, "01")), lived.site)


def unpacked(content: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        packed.extractall(folder / "copy")
    return folder / "copy"


def checked(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What the program in the copy says, run as a person runs it."""
    return subprocess.run(
        [sys.executable, "-I", "verify.py", ".", *options],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, strict=True))


# --- what is in it ------------------------------------------------------------------------------


def test_it_is_whole_and_says_so(copy: bytes, tmp_path: Path) -> None:
    folder = unpacked(copy, tmp_path)
    public = AuditKey.read(AUDIT_KEY).public.hex()
    for options in ([], ["--key", public]):
        told = checked(folder, *options)
        assert (told.returncode, told.stderr) == (0, "")
        assert told.stdout.endswith("no fault\n"), told.stdout
        assert "site 01, study test" in told.stdout
    (folder / ".DS_Store").write_bytes(b"left by a computer")
    assert checked(folder).returncode == 0
    assert checked(folder, "--key", AuditKey.new().public.hex()).returncode == 1
    (tmp_path / "copy.zip").write_bytes(copy)
    assert verify.main([str(tmp_path / "copy.zip")]) == 0, "packed, too"


def test_nothing_of_another_site_is_in_it(copy: bytes, lived: Lived, tmp_path: Path) -> None:
    folder = unpacked(copy, tmp_path)
    whole = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert len(whole) > 30
    theirs, ours = lived.words_of(OTHER), lived.words_of(OWN)
    assert len(theirs) > 60
    for name, text in whole.items():
        for word in theirs:
            assert word not in text, f"{word} in {name}"
    together = "".join(whole.values())
    opaque = {one for one in ours if len(one) == 22}  # what a phone knows its owner by
    assert {word for word in ours if word not in together} == opaque
    assert "came with her sister" not in together, "notes of calls stay at the desk"
    assert f"people/{OWN}_{lived.people[OWN].id}.html" in whole
    for name in TABLES:
        assert {row["site"] for row in table(folder, name)} == {"01"}


def test_the_tables_have_everything_twice(copy: bytes, lived: Lived, tmp_path: Path) -> None:
    folder = unpacked(copy, tmp_path)
    (done,) = [one for one in table(folder, "answers") if one["status"] == "completed"]
    assert (done["LQ01"], done["LQ02"], done["skipped"]) == ("3", "", "LQ02")
    line = next(one for one in table(folder, "answers_long") if one["item"] == "LQ01")
    assert (line["code"], line["original_code"]) == ("3", "1")
    (scores,) = [one for one in table(folder, "scores") if one["status"] == "completed"]
    long = table(folder, "scores_long")
    assert any(one["value"] != one["original_value"] for one in long)
    assert [scores[f"lupusqol_{one['scale']}"] for one in long] == [one["value"] for one in long]
    (correction,) = table(folder, "corrections")
    assert (correction["old"], correction["new"], correction["state"]) == ("1", "3", "approved")
    assert len(table(folder, "assessments")) == 2
    assert "LQ01" not in table(folder, "assessments")[0]
    for name in TABLES:
        codebook = {row["column"] for row in table(folder, f"{name}_codebook")} - {""}
        assert set(table(folder, name)[0]) == codebook


def test_the_wordings_are_those_in_force(copy: bytes, lived: Lived, tmp_path: Path) -> None:
    folder = unpacked(copy, tmp_path)
    found = sorted((folder / "wording").iterdir())
    assert len(found) == 3 * 4
    for path in found:
        told = json.loads(path.read_text(encoding="utf-8"))
        wording = lived.site.library.wording(told["instrument"], told["language"])
        assert wording is not None
        assert told["fingerprint"] == wording.fingerprint
        assert told["texts"] == dict(wording.texts())
        assert told["kind"] == "demonstration"


def test_the_pages_are_read_without_a_server(copy: bytes, lived: Lived, tmp_path: Path) -> None:
    folder = unpacked(copy, tmp_path)
    first = Page((folder / "index.html").read_text(encoding="utf-8"))
    first.check()
    linked = {str(one["href"]) for one in first.all("a") if not str(one["href"]).startswith("#")}
    linked |= {str(one["href"]) for one in first.all("link")}
    for link in linked:
        assert (folder / link).is_file(), link
    (person,) = (folder / "people").iterdir()
    page = Page(person.read_text(encoding="utf-8"))
    page.check()
    assert not page.all("script")
    for one in (*page.all("link"), *page.all("a")):
        address = str(one["href"])
        assert address.startswith(("#", "../")), address
        assert address.startswith("#") or (person.parent / address).is_file()
    text = " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    wording = lived.site.library.wording("lupusqol", "en")
    assert wording is not None
    assert wording.items["LQ01"] in text
    assert "Demonstration wording, not the validated questionnaire" in text
    assert "left unanswered" in text
    assert "The neighbouring answer was tapped" in text, "the correction's reason"
    assert "Approved a correction" in text, "the record"
    assert "Investigator 01" in text


def test_it_is_on_record_with_its_checksum(copy: bytes, lived: Lived) -> None:
    (entry,) = entries(lived.site.database, "export")
    assert (entry.new, entry.actor[:6]) == ("site_copy", "staff/")
    assert entry.detail == {
        "site": "01",
        "reason": REASON,
        "sha256": hashlib.sha256(copy).hexdigest(),
    }


def test_a_second_copy_knows_of_the_first_and_not_of_another_sites(
    app: Flask, lived: Lived, tmp_path: Path
) -> None:
    site = lived.site
    make(sign_in(app, site, "investigator", place(site, "02")), site, "02")
    browser = sign_in(app, site, "investigator", place(site, "01"))
    make(browser, site)
    folder = unpacked(make(browser, site), tmp_path)
    lines = (folder / "trail.jsonl").read_text(encoding="utf-8").splitlines()
    own = [one for one in map(json.loads, lines) if one["stream"].startswith("study/")]
    assert [one.get("action") for one in own] == ["load_study", None, "export"]
    assert set(own[1]) == {"stream", "seq", "previous_hash", "hash"}
    assert own[2]["detail"]["site"] == "01"
    assert checked(folder).returncode == 0


# --- every byte is watched ----------------------------------------------------------------------


def flipped(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_changed_byte_anywhere_is_named(copy: bytes, tmp_path: Path) -> None:
    folder = unpacked(copy, tmp_path)
    names = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    for name in names:
        path = folder / name
        before = path.read_bytes()
        for spot in {len(before) // 2, len(before) - 1} if before else set():
            flipped(path, spot)
            code, said = told(folder)
            assert code in {1, 2}, f"{name} at {spot}"
            assert name in said or "manifest.json" in said, f"{name} at {spot}: {said}"
            path.write_bytes(before)
    assert told(folder)[0] == 0


def told(folder: Path) -> tuple[int, str]:
    """What the check says, in this process: starting Python a hundred times takes long."""
    try:
        export = verify.Export(str(folder))
        faults = [str(one) for one in verify.Check(export).faults()]
    except (verify.Unreadable, UnicodeError) as error:
        return 2, str(error)
    return (1 if faults else 0), "\n".join(faults)


def drop_file(folder: Path) -> str:
    (folder / "tables" / "answers.csv").unlink()
    return "tables/answers.csv"


def add_file(folder: Path) -> str:
    (folder / "people" / "made_up.html").write_text("<h1>01-999</h1>", encoding="utf-8")
    return "people/made_up.html"


def drop_signature(folder: Path) -> str:
    (folder / verify.SIGNATURE).unlink()
    return verify.SIGNATURE


def rewrite_manifest(folder: Path) -> str:
    """A table changed, and the manifest made to fit."""
    path = folder / "tables" / "answers.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("skipped", "cleared"))
    manifest = json.loads((folder / verify.MANIFEST).read_text(encoding="utf-8"))
    manifest["files"]["tables/answers.csv"]["sha256"] = hashlib.sha256(
        path.read_bytes()
    ).hexdigest()
    (folder / verify.MANIFEST).write_text(verify.canonical(manifest) + "\n", encoding="utf-8")
    return "manifest.json: its signature is not that of its key"


def hide_an_entry(folder: Path) -> str:
    """What a participant's entry says left out, as if it were another site's."""
    path = folder / verify.TRAIL
    lines = path.read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[0])
    assert row["stream"].startswith("participant/")
    lines[0] = verify.canonical({name: row[name] for name in verify.WITHHELD})
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "trail.jsonl line 1 lacks these fields"


@pytest.mark.parametrize(
    "tamper", [drop_file, add_file, drop_signature, rewrite_manifest, hide_an_entry]
)
def test_what_was_done_to_a_copy_is_named(
    copy: bytes, tmp_path: Path, tamper: Callable[[Path], str]
) -> None:
    folder = unpacked(copy, tmp_path)
    named = tamper(folder)
    code, said = told(folder)
    assert code in {1, 2}
    assert named in said


def test_an_answer_that_the_trail_does_not_tell_is_named(
    app: Flask, lived: Lived, tmp_path: Path
) -> None:
    with lived.site.database.writing() as session:
        session.execute(sa.text("DROP TRIGGER append_only_update_answer"))
        session.execute(sa.text("UPDATE answer SET code = 4 WHERE id = 1"))
    browser = sign_in(app, lived.site, "investigator", place(lived.site, "01"))
    found = checked(unpacked(make(browser, lived.site), tmp_path))
    assert found.returncode == 1
    assert "answer" in found.stdout
    assert "is not as the trail tells it" in found.stdout


# --- who may ------------------------------------------------------------------------------------


def test_another_sites_copy_is_not_made(app: Flask, lived: Lived) -> None:
    browser = sign_in(app, lived.site, "investigator", place(lived.site, "02"))
    browser.get(at(lived.site, "/copy"))
    browser.post(at(lived.site, "/copy"), 422, site="01", reason=REASON)
    assert 'href="#site"' in browser.page.text
    assert entries(lived.site.database, "export") == []


@pytest.mark.parametrize("reason", ["", "x" * 501, "for 900101-14-5678"])
def test_a_copy_needs_a_reason(app: Flask, lived: Lived, reason: str) -> None:
    browser = sign_in(app, lived.site, "investigator", None)
    browser.get(at(lived.site, "/copy"))
    browser.post(at(lived.site, "/copy"), 422, site="02", reason=reason)
    assert 'href="#reason"' in browser.page.text
    assert reason in [one.get("value") or "" for one in browser.page.all("input")]
    chosen = [one for one in browser.page.all("option") if "selected" in one]
    assert [one["value"] for one in chosen] == ["02"]
    assert entries(lived.site.database, "export") == []


def test_a_copy_asks_for_a_fresh_proof(app: Flask, lived: Lived, clock: TestClock) -> None:
    browser = sign_in(app, lived.site, "investigator", None)
    browser.get(at(lived.site, "/copy"))
    clock.forward(minutes=6)
    browser.post(at(lived.site, "/copy"), 401, site="01", reason=REASON)
    assert entries(lived.site.database, "export") == []


def walk(desk: Any, site: Site) -> None:
    """Every page of the copy, with every fault; the desk is an investigator's."""
    live(site, "01-412")
    desk.get(at(site, "/copy"))
    desk.post(at(site, "/copy"), 422, site="99", reason="")
    desk.post(at(site, "/copy"), 422, site="01", reason="900101-14-5678")
    make(desk, site)
    desk.get(at(site, "/copy"))


def test_the_walk_reaches_every_page(app: Flask, web_site: Site) -> None:
    walk(sign_in(app, web_site, "investigator", None), web_site)
