"""Every fault that a screen can have is found on the real page, and a whole screen has none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from pro_app.core.library import Library
from pro_app.proof import screens
from pro_app.proof.checks import CHECKS, Fault, sorted_out
from pro_app.proof.screens import Walk
from pro_app.proof.stage import stage
from tests.browser.proving import a_walk, content, made_library

LONG = "a" * 60  # letters that no phone has on one line
FITS = "b" * 20  # letters that fit on one
STYLES = [  # what is done to the page of an item, and the check that must tell of it
    (".item { width: 500px }", "sideways"),
    (
        ".item::after { content: ''; position: absolute; left: 0; width: 999px; height: 1px }",
        "sideways",
    ),
    ("legend h1 { height: 12px; overflow: hidden }", "cut"),
    ("legend h1 { max-height: 12px; overflow: clip }", "cut"),
    (
        ".opt span { width: 30px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis }",
        "cut",
    ),
    (".item { height: 90px; overflow-y: auto }", "cut"),
    ("legend h1 { margin-left: -40px }", "edge"),
    ("legend h1 { position: relative; left: 300px; white-space: nowrap }", "edge"),
    (
        ".opt { max-height: 20px; min-height: 0; padding: 0 } .opt span { line-height: 60px }",
        "edge",
    ),
    ("legend h1 { width: 2em }", "broken"),
    (".opt:nth-of-type(2) { display: none }", "options"),
    (".opt:nth-of-type(2) { visibility: hidden }", "options"),
    (".opt:nth-of-type(2) { opacity: 0 }", "options"),
    (".opt input { display: none }", "options"),
    (".opt:nth-of-type(1) { width: 60% }", "options"),
    (".opt { min-height: 0; padding-block: 0; height: 40px }", "options"),
    (".opt:nth-of-type(3) { pointer-events: none }", "options"),
    (".item::after { content: ''; position: absolute; inset: 0 }", "options"),
    (".opt:nth-of-type(3) { position: fixed; bottom: -200px }", "options"),
    (".foot .btn { display: none }", "buttons"),
    (".foot::after { content: ''; position: absolute; inset: 0 }", "buttons"),
    ("legend h1 { text-transform: uppercase }", "wording"),
    (".recall { display: none }", "wording"),
    ("legend h1 { font-size: 0 }", "wording"),
]
ADOPT = """(text) => {
  const style = new CSSStyleSheet();
  style.replaceSync(text);
  document.adoptedStyleSheets = [style];
}"""
SCRIPTS = [
    ("document.documentElement.lang = 'en'", "language"),
    ("document.querySelector('legend h1').lang = 'ta'", "language"),
    ("document.querySelector('legend h1').textContent += ' \\u{38F}\\u{378}'", "glyphs"),
    ("document.querySelector('legend h1').textContent += '.'", "wording"),
    ("document.querySelectorAll('.opt span')[1].textContent = 'x'", "wording"),
    ("document.querySelectorAll('.opt')[1].remove()", "options"),
    ("{ const [a, b] = document.querySelectorAll('.opt'); a.before(b); }", "wording"),
]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of the toy alone, in English and Malay."""
    return made_library(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def shown(browser: Browser, toy: Library) -> Iterator[tuple[Walk, Page, str]]:
    """A walk that stands before the second item, its page, and the page's address."""
    with stage(content(), toy, [toy.wordings["toy", "ms"]]) as place:
        walk = a_walk(browser, place, toy, "ms")
        guest = place.guest("ms")
        with walk._phone() as page:
            walk._join(page, guest)
            walk._open(page, guest, walk.instrument.items[1])
            yield walk, page, page.url


@pytest.fixture
def second(shown: tuple[Walk, Page, str]) -> tuple[Walk, Page]:
    """The same, with the page as it is when it comes."""
    walk, page, address = shown
    page.goto(address)
    page.locator("form[data-questionnaire][data-ready]").wait_for(state="attached")
    return walk, page


def found(walk: Walk, page: Page) -> set[str]:
    """The checks that the item's page fails."""
    expected = walk._expected_of(walk.instrument.items[1])
    return {check for check, _ in page.evaluate("(one) => proof(one)", expected.told())}


def test_a_whole_screen_passes(second: tuple[Walk, Page]) -> None:
    assert found(*second) == set()


@pytest.mark.parametrize(("style", "check"), STYLES)
def test_a_fault_of_the_style_is_found(second: tuple[Walk, Page], style: str, check: str) -> None:
    second[1].evaluate(ADOPT, style)
    assert check in found(*second)


@pytest.mark.parametrize(("script", "check"), SCRIPTS)
def test_a_fault_of_the_page_is_found(second: tuple[Walk, Page], script: str, check: str) -> None:
    second[1].evaluate(f"() => {{ {script} }}")
    assert check in found(*second)


def test_every_check_is_shown_to_catch_its_fault() -> None:
    assert {check for _, check in (*STYLES, *SCRIPTS)} == set(CHECKS)


def test_a_walk_goes_on_past_a_fault_and_tells_of_each_screen(
    browser: Browser, toy: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "checks.js"
    hide = "addEventListener('DOMContentLoaded', () => (%s)('.opt:nth-of-type(2) { opacity: 0 }'));"
    script.write_text(screens.SCRIPT.read_text(encoding="utf-8") + hide % ADOPT, encoding="utf-8")
    monkeypatch.setattr(screens, "SCRIPT", script)
    with stage(content(), toy, [toy.wordings["toy", "en"]]) as place:
        taken = a_walk(browser, place, toy, "en").take()
    assert [(one.kind, one.item) for one in taken if one.faults] == [
        ("unanswered", "Q1"),
        ("prompt", "Q1"),
        ("left", "Q1"),
        ("answered", "Q1"),
        ("unanswered", "Q2"),
        ("answered", "Q2"),
        ("unanswered", "Q3"),
        ("answered", "Q3"),
    ]
    assert taken[-1].kind == "receipt"


def test_a_word_that_no_line_can_hold_fails_and_one_that_fits_passes(
    browser: Browser, tmp_path: Path
) -> None:
    library = made_library(tmp_path, panas=LONG, sejuk=FITS)
    with stage(content(), library, [library.wordings["toy", "ms"]]) as place:
        at_100 = a_walk(browser, place, library, "ms").take()
    faults = {(one.kind, one.item): one.faults for one in at_100 if one.faults}
    assert faults == {
        ("unanswered", "Q2"): (Fault("broken", "a word of 60 characters in h1"),),
        ("answered", "Q2"): (Fault("broken", "a word of 60 characters in h1"),),
        ("missing", ""): (Fault("broken", "a word of 60 characters in span.question"),),
        ("review", ""): (Fault("broken", "a word of 60 characters in span.question"),),
    }


def test_what_is_found_more_than_once_is_told_once() -> None:
    many = [["cut", "h1"], ["broken", "a word"], ["cut", "h1"], ["edge", "p"]]
    assert sorted_out(many, 100) == (
        (Fault("cut", "h1 (2 times)"), Fault("broken", "a word"), Fault("edge", "p")),
        (),
    )
    faults, notes = sorted_out(many, 200)
    assert [one.check for one in faults] == ["cut", "edge"]
    assert notes == (Fault("broken", "a word"),)
