"""Proof packs: every screen of a made-up questionnaire as a PDF, and the command that makes one."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser

from pro_app.core.library import Library
from pro_app.core.study import StudyDefinition
from pro_app.core.study_file import parse_study
from pro_app.models import AuditEntry, Database
from pro_app.proof import book
from pro_app.proof import browser as own_browser
from pro_app.proof import pack as packs
from pro_app.proof.pack import Pack
from pro_app.proof.screens import SIZES
from pro_app.proof.stage import stage
from pro_app.services import studies
from tests.browser.proving import PHONE, SOON, an_order, content, made_library, pages
from tests.conftest import Run

LONG = "a" * 60  # letters that no phone has on one line
PER_LANGUAGE = 6 + 2 + 5  # two of each item, how the first is left out, and the screens around


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of the toy alone, in English and Malay."""
    return made_library(tmp_path_factory.mktemp("toy"))


@dataclass
class Watched:
    """What was seen on the disk while a pack was made: how often files were there, and which texts
    of the wordings were in them; and what stayed."""

    times: int = 0
    found: set[bytes] = field(default_factory=set)
    left: list[Path] = field(default_factory=list)


@pytest.fixture(scope="module")
def making(
    browser: Browser, toy: Library, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Pack, Watched]:
    """The pack of the toy in both languages, and what was on the disk meanwhile."""
    scratch, watched = tmp_path_factory.mktemp("scratch"), Watched()
    texts = {
        text.encode() for one in toy.wordings.values() for _, text in one.texts() if len(text) > 8
    }

    def look(_count: int) -> None:
        files = [one.read_bytes() for one in scratch.rglob("*") if one.is_file()]
        watched.times += bool(files)
        watched.found |= {one for one in texts if any(one in held for held in files)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(scratch))
        pack = packs.make(an_order(toy, "en", "ms"), browser, look)
    watched.left = list(scratch.iterdir())
    return pack, watched


@pytest.fixture
def made(making: tuple[Pack, Watched]) -> Pack:
    """The pack of the toy in both languages."""
    return making[0]


def test_no_sentence_of_a_wording_is_on_the_disk_and_nothing_stays(
    making: tuple[Pack, Watched],
) -> None:
    pack, watched = making
    assert watched == Watched(times=len(pack.screens))


def test_a_pack_has_every_screen_in_both_languages_at_both_sizes(made: Pack, toy: Library) -> None:
    assert made.failed == []
    by_place = Counter((one.language, one.size) for one in made.screens)
    assert by_place == {(one, size): PER_LANGUAGE for one in ("en", "ms") for size in SIZES}
    assert an_order(toy, "en", "ms").count == len(made.screens)
    mine = [one for one in made.screens if (one.language, one.size) == ("ms", PHONE)]
    assert [(one.kind, one.item, one.page) for one in mine] == [
        ("notice", "", "J3"),
        ("start", "", "Q1"),
        ("unanswered", "Q1", "Q1"),
        ("prompt", "Q1", "Q1"),
        ("left", "Q1", "Q1"),
        ("answered", "Q1", "Q1"),
        ("unanswered", "Q2", "Q2"),
        ("answered", "Q2", "Q2"),
        ("missing", "", "Q90"),
        ("unanswered", "Q3", "Q3"),
        ("answered", "Q3", "Q3"),
        ("review", "", "Q90"),
        ("receipt", "", "Q91"),
    ]


def test_its_pictures_are_the_phones_screen(made: Pack) -> None:
    for screen in made.screens:
        assert screen.pictures
        for picture in screen.pictures:
            wide, high = size_of(picture)
            assert wide == screen.size.width * screen.size.scale
            assert high == screen.size.height * screen.size.scale
    unlike = {one.pictures for one in made.screens}
    assert len(unlike) == len(made.screens), "no two screens are the same"


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height in dots, out of a JPEG's start of frame."""
    assert picture.startswith(b"\xff\xd8")
    frame = re.search(rb"\xff[\xc0-\xc2]..\x08(....)", picture, re.DOTALL)
    assert frame is not None
    numbers = frame.group(1)
    return int.from_bytes(numbers[2:], "big"), int.from_bytes(numbers[:2], "big")


def test_the_pdf_has_a_page_a_sheet(made: Pack) -> None:
    assert made.pdf.startswith(b"%PDF")
    assert pages(made.pdf) == made.sheets > 20
    assert len(made.pdf) < 10_000_000


def test_every_sheet_says_of_which_wordings_it_is(toy: Library, made: Pack) -> None:
    order = an_order(toy, "en", "ms")
    laid = book.lay_out(order, definition(toy), made.screens)
    parts = laid.page.split('<section class="sheet')[1:]
    assert len(parts) == made.sheets
    for number, (part, sheet) in enumerate(zip(parts, laid.sheets, strict=True), 1):
        assert f"Page {number} of {made.sheets}" in part
        for language in ("en", "ms"):
            assert toy.wordings["toy", language].fingerprint in part
        if sheet.kind == "screens":
            assert re.search(r"<h2>(Q\d|[A-Z][a-z ,]+)</h2>", part)
    front = laid.page.partition("</section>")[0]
    assert "This pack passed" in front
    assert "demonstration wording" in front
    words = order.notices.reminder("ms", 1, SOON, definition(toy).zone)
    assert words.title in laid.page


def definition(library: Library) -> StudyDefinition:
    """The tests' study with the toy."""
    return parse_study(content(), library.instruments)


def test_source_and_translation_stand_side_by_side(made: Pack, toy: Library) -> None:
    laid = book.lay_out(an_order(toy, "en", "ms"), definition(toy), made.screens)
    shown: list[bytes] = []
    for sheet in laid.sheets:
        if sheet.kind != "screens":
            continue
        left, right = sheet.values["columns"]  # type: ignore[misc]
        assert (left.wording.language, right.wording.language) == ("en", "ms")
        for mine, other in zip(left.rows, right.rows, strict=True):
            for one, two in zip(mine, other, strict=True):
                assert one.screen.place == two.screen.place
                shown += [laid.pictures[slot.picture] for slot in (one, two) if slot.picture]
    assert sorted(shown) == sorted(one for screen in made.screens for one in screen.pictures)


def test_a_stage_is_removed_whatever_happens(
    toy: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads = threading.active_count()
    ports = []

    def fail() -> None:
        with stage(content(), toy, [toy.wordings["toy", "en"]]) as place:
            ports.append(urlsplit(place.url).port or 0)
            assert list(tmp_path.iterdir())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == threads
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]))


Install = Callable[[Library], Run]


@pytest.fixture
def install(
    run: Run, browser: Browser, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> Install:
    """An installation whose questionnaires are a library's, with the tests' browser; its packs
    have one size alone."""

    def installed(library: Library) -> Run:
        monkeypatch.setattr("pro_app.core.library.load_library", lambda _root: library)
        monkeypatch.setattr(own_browser, "opened", lambda: nullcontext(browser))
        monkeypatch.setattr(packs, "SIZES", (PHONE,))
        database = Database(sqlite_url)
        with database.writing() as session:
            studies.load(session, library, content(), SOON)
        database.close()
        return run

    return installed


def on_record(url: str) -> list[AuditEntry]:
    """What the study's record tells of packs."""
    database = Database(url)
    with database.reading() as session:
        found = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "export"))
        entries = list(found)
    database.close()
    return entries


def test_the_command_writes_a_pack_and_puts_it_on_record(
    install: Install, toy: Library, tmp_path: Path, sqlite_url: str
) -> None:
    out, fingerprint = tmp_path / "pack.pdf", toy.wordings["toy", "ms"].fingerprint
    run = install(toy)
    told = run(f"proof toy --language ms --wording {fingerprint[:12]} --out", out).output
    assert "this pack passed" in told
    assert f"{pages(out.read_bytes())} pages, {2 * PER_LANGUAGE} screens" in told
    (entry,) = on_record(sqlite_url)
    assert (entry.new, entry.actor, entry.detail["failed"]) == ("proof", "site", 0)
    assert entry.detail["wordings"] == [
        toy.wordings["toy", one].fingerprint for one in ("en", "ms")
    ]
    assert entry.detail["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()


def test_a_pack_that_fails_is_written_all_the_same_and_quotes_nothing(
    install: Install, tmp_path: Path, sqlite_url: str
) -> None:
    out = tmp_path / "pack.pdf"
    run = install(made_library(tmp_path / "long", panas=LONG))
    told = run("proof toy --language ms --out", out, code=1).output
    assert "this pack failed: 4 screens have faults" in told  # the item twice, and the reviews
    assert "ms Q2 unanswered (360 × 740, text 100 %): broken: a word of 60 characters in h1" in told
    assert LONG not in told
    assert pages(out.read_bytes()) > 10
    (entry,) = on_record(sqlite_url)
    assert entry.detail["failed"] == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("proof else --language ms", "the study has no wording of 'else'"),
        ("proof toy --language ta", "toy has no wording in 'ta' in this study"),
        ("proof toy --language ms --wording 00000000", "no wording '00000000' in 'ms'"),
        ("proof toy --language ms --wording a", "no wording 'a' in 'ms'"),
    ],
)
def test_what_the_study_has_not_is_refused(
    install: Install, toy: Library, tmp_path: Path, arguments: str, said: str
) -> None:
    out = tmp_path / "pack.pdf"
    assert said in install(toy)(f"{arguments} --out", out, code=1).output
    assert not out.exists()


def test_without_a_browser_it_says_so_in_a_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    command = ("proof toy --language ms --out", tmp_path / "pack.pdf")
    assert run(*command, code=1).output == f"Error: {own_browser.NO_CHROMIUM}\n"
    monkeypatch.setattr(own_browser, "find_spec", lambda _name: None)
    assert run(*command, code=1).output == f"Error: {own_browser.NO_PLAYWRIGHT}\n"


def test_the_browser_of_this_machine_opens_pages() -> None:
    seen: list[str] = []

    def open_one() -> None:  # in a thread of its own, as a worker does
        with own_browser.opened() as opened:
            page = opened.new_page()
            page.set_content("<h1>here</h1>")
            seen.append(page.inner_text("h1"))

    thread = threading.Thread(target=open_one)
    thread.start()
    thread.join()
    assert seen == ["here"]


def test_a_browser_that_does_not_start_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho a line of its own >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    told: list[str] = []

    def fail() -> None:
        try:
            with own_browser.opened():
                pass
        except own_browser.BrowserFailed as failed:
            told.append("".join(traceback.format_exception(failed)))

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert f"{broken} does not start: " in told[0]
    assert "a line of its own" not in told[0]


def test_a_browser_that_fails_tells_nothing_that_stood_on_its_screen() -> None:
    told: list[str] = []

    def fail() -> None:
        try:
            with own_browser.opened() as opened:
                page = opened.new_page()
                page.set_content("<h1 hidden>a licensed sentence</h1>")
                page.click("h1", timeout=200)
        except own_browser.BrowserFailed as failed:
            told.append("".join(traceback.format_exception_only(failed)))
            told.append(repr((failed.__cause__, failed.__suppress_context__)))

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert told[0].endswith("BrowserFailed: the browser failed: TimeoutError\n")
    assert told[1] == "(None, True)", "nor does a traceback"
