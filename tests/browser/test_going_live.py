"""From an empty template to an answer in the export: a site loads the wording it is licensed for,
proves it, goes live, and a participant answers in Tamil."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Browser, BrowserContext

from pro_app.core.instruments import load_instrument
from pro_app.core.library import Library
from pro_app.models import Database
from pro_app.services import enrolment, studies
from pro_app.services.consents import Consent
from tests.browser import vigour
from tests.browser.conftest import VIEWPORT, Server
from tests.browser.people import Phone
from tests.browser.proving import pages
from tests.conftest import KEY, Enrolled, Run, TestClock

LANGUAGES = ("en", "ms", "zh_Hans", "ta")
UNTIL = "2029-12-31"


@pytest.fixture
def shelf(tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """The made-up instrument beside those that are shipped, for commands and pages."""
    instrument = load_instrument(vigour.write(tmp_path))
    made = Library({**library.instruments, vigour.CODE: instrument}, library.wordings)
    monkeypatch.setattr("pro_app.core.library.load_library", lambda _root: made)
    monkeypatch.setattr("tests.conftest.kept_library", lambda _root: made)
    return made


@pytest.fixture
def typed(run: Run, clock: TestClock, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line at the moment of the test's clock."""
    for module in ("desk", "study", "wording_store", "proof", "export"):
        monkeypatch.setattr(f"pro_app.cli_{module}.now", clock, raising=False)
    return run


def load(typed: Run, folder: Path, status: str) -> None:
    file = folder / f"{status}.toml"
    file.write_text(vigour.STUDY.format(status=status), "utf-8")
    typed("study load", file)


def fill(path: Path, texts: dict[str, str]) -> None:
    """What a program does that has the owner's text: one cell a row, by the key."""
    book = openpyxl.load_workbook(path)
    sheet = book["wording"]
    head = {cell.value: cell.column for cell in sheet[1]}
    for row in range(2, sheet.max_row + 1):
        sheet.cell(row, head["text"]).value = texts[sheet.cell(row, head["key"]).value]
    book.save(path)


def import_all(typed: Run, folder: Path) -> None:
    """A template of each language, filled and stored."""
    for language in LANGUAGES:
        typed(f"wording template vigour --language {language} --out", folder)
        (path,) = folder.glob(f"vigour-{language}-template.xlsx")
        fill(path, dict(vigour.TEXTS[language]))
        typed(
            f"wording import --instrument vigour --language {language} --licence L-77 "
            f"--modes phone,tablet,paper --version 1.0 --valid-until {UNTIL} --study vigorous "
            "--holder", "Vigour Group", path,
        )  # fmt: skip


def enrol(database: Database, shelf: Library, clock: TestClock) -> Enrolled:
    with database.writing() as session:
        row = studies.find(session, "vigorous")
        assert row is not None
        study = studies.current(session, shelf, row.id)
        consent = Consent("1.0", clock().date())
        found = enrolment.add_participant(
            session, study, "01", "01-001", "ta", clock(), consent=consent
        )
        return Enrolled(
            found.id, "01-001", "ta", enrolment.issue_code(session, found.id, KEY, clock())
        )


@pytest.fixture
def house(sqlite_url: str, shelf: Library, clock: TestClock) -> Iterator[Server]:
    found = Server(sqlite_url, clock)
    yield found
    found.close()


def test_from_the_template_to_the_export(
    typed: Run,
    shelf: Library,
    house: Server,
    sqlite_url: str,
    clock: TestClock,
    tmp_path: Path,
    new_context: Callable[..., BrowserContext],
) -> None:
    load(typed, tmp_path, "test")
    told = typed("study ready vigorous", code=1).output
    assert "vigour has no licensed wording that is valid at every site in ms, en, zh_Hans" in told
    import_all(typed, tmp_path)
    assert "vigour" not in typed("study ready vigorous", code=1).output
    listed = typed("wording list --study vigorous").output
    assert len(re.findall("Vigour Group", listed)) == len(LANGUAGES)

    load(typed, tmp_path, "live")
    database = house.app.extensions["pro_app"].database
    person = enrol(database, shelf, clock)
    context = new_context(viewport=VIEWPORT, locale="ta", has_touch=True)
    phone = Phone(context.new_page(), house.url, javascript=True)
    phone.join(person)
    phone.start(1)
    read = vigour.TEXTS["ta"]
    for n, (item, place) in enumerate((("V1", 3), ("V2", 3), ("V3", 2), ("V4", 1), ("V5", 0)), 1):
        phone.at(n)
        assert phone.page.locator("h1").inner_text() == read[f"items.{item}"]
        assert "demo" not in (phone.page.locator("body").get_attribute("class") or "")
        phone.choose(place)
        phone.next()
    phone.submit()
    phone.receipt()
    context.close()

    fingerprint = wording_of(database)
    clock.now += timedelta(minutes=5)
    row = exported(typed, tmp_path, "answers")
    assert [row[code] for code in ("V1", "V2", "V3", "V4", "V5")] == ["3", "3", "2", "1", "1"]
    assert (row["languages"], row["wordings"], row["wording_versions"]) == (
        "ta", fingerprint, "1.0"
    )  # fmt: skip
    scores = exported(typed, tmp_path, "scores")
    assert float(scores["vigour_BURDEN"]) == 3 + 0 + 2 + 1, "a sum, one item of it reversed"
    assert float(scores["vigour_MOVING"]) == 0
    assert (scores["wordings"], scores["wording_versions"]) == (fingerprint, "1.0")


def wording_of(database: Database) -> str:
    from pro_app.models import StoredWording

    with database.reading() as session:
        found = session.query(StoredWording).filter_by(language="ta", version="1.0").one()
        return found.fingerprint


def exported(typed: Run, folder: Path, table: str) -> dict[str, Any]:
    path = folder / f"{table}.csv"
    typed(f"export {table} --study vigorous --format csv --exact --output", path)
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    return row


def test_the_proof_pack_shows_every_screen(
    typed: Run,
    shelf: Library,
    browser: Browser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pro_app.proof.browser.opened", lambda: nullcontext(browser))
    load(typed, tmp_path, "test")
    import_all(typed, tmp_path)
    told = typed("proof vigour --language ta --study vigorous --out", tmp_path / "ta.pdf").output
    assert f"{pages((tmp_path / 'ta.pdf').read_bytes())} pages" in told
