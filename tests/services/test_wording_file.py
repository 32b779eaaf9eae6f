"""Filled templates: the good ones are taken exactly, each faulty one is refused with its reason."""

from __future__ import annotations

import codecs
import csv
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.comments import Comment
from openpyxl.workbook import Workbook

from pro_app.config import ROOT
from pro_app.core.library import Library, load_library
from pro_app.core.study import LANGUAGES
from pro_app.core.wording import made
from pro_app.core.wording_check import Wanted
from pro_app.core.wording_faults import Fault
from pro_app.core.wording_scripts import TRADITIONAL
from pro_app.services.wording_file import FileRefused, read, wanted_of
from tests.conftest import kept_library
from tests.core.toy import write_toy
from tests.services.wording_files import cell, csv_file, row_of, sentences, workbook

SF36 = kept_library(ROOT / "questionnaires").instruments["sf36v1"]
ENGLISH = sentences(SF36, "en")
Expected = Sequence[tuple[str, int | None, str | None]]  # code, row, key


def refused(data: bytes, wanted: Wanted, confirmed: Sequence[str] = ()) -> tuple[Fault, ...]:
    """The faults of a file."""
    with pytest.raises(FileRefused) as caught:
        read(data, wanted, confirmed)
    assert str(caught.value) == f"{len(caught.value.faults)} faults"
    return caught.value.faults


def told(faults: Sequence[Fault]) -> list[tuple[str, int | None, str | None]]:
    return [(one.code, one.row, one.key) for one in faults]


def keeps_secret(faults: Sequence[Fault], texts: Sequence[object]) -> None:
    """No fault tells anything that stands in the file's own column, or any longer part of it."""
    for one in faults:
        for text in map(str, texts):
            parts = [text[start : start + 12] for start in range(max(1, len(text) - 11))]
            assert not any(part in str(one) for part in parts if len(part.strip()) > 5), one.code


# --- what is taken -------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", ["lupusqol", "sf36v1", "sf36v2"])
def test_a_filled_template_is_taken_exactly(library: Library, code: str, language: str) -> None:
    instrument, wording = library.instruments[code], library.wording(code, language)
    texts = sentences(instrument, language)
    wanted = wanted_of(library, code, language)
    commas = csv_file(instrument, wording, texts).encode("utf-8-sig")
    for data in (
        workbook(instrument, language, wording, texts),
        commas,
        commas.removeprefix(codecs.BOM_UTF8),
        commas.replace(b"\r\n", b"\n"),
        csv_file(instrument, wording, texts, ";").encode(),
        csv_file(instrument, wording, texts, "\t").encode(),
    ):
        found = read(data, wanted)
        assert list(found.texts.items()) == list(texts.items())
        made(instrument, language, "licensed", "a file", "1", found.texts)
        assert (found.instrument, found.language) == (code, language)
        assert (found.confirmed, found.comments) == ((), 0)


def test_an_instrument_of_another_shape_without_shipped_wording(tmp_path: Path) -> None:
    folder = write_toy(tmp_path)
    (folder / "wording/en.toml").unlink()
    library = load_library(tmp_path)
    toy = library.instruments["toy"]
    for language in LANGUAGES:
        texts = sentences(toy, language)
        wanted = wanted_of(library, "toy", language)
        assert read(workbook(toy, language, None, texts), wanted).texts == texts
        assert read(csv_file(toy, None, texts).encode(), wanted).texts == texts
    short = csv_file(toy, None, texts, change=lambda rows: rows.pop())
    assert told(refused(short.encode(), wanted)) == [("key_gone", None, "items.Q3")]


def test_comments_are_not_read_and_counted(library: Library) -> None:
    def comment(book: Workbook) -> None:
        book["wording"]["F3"].comment = Comment("please check", "us")

    data = workbook(SF36, "en", library.wording("sf36v1", "en"), ENGLISH, comment)
    assert read(data, wanted_of(library, "sf36v1", "en")).comments == 1


ALPHABETS = {
    "en": "abceghjklmnopqrtuvwyzéABC0123456789'-,.()/;\"",
    "ms": "abcdefghijklmnopqrstuvwyzABC0123456789'’-,.()/",
    "zh_Hans": "".join(chr(one) for one in range(0x4E00, 0x5000) if chr(one) not in TRADITIONAL),
    "ta": "அஆஇஈகஙசஞடணதநபமயரலவழளறனாிீுூெேைொோௌ்",
}
BEGINNINGS = {"en": "this is the", "ms": "saya rasa ini", "zh_Hans": "我今天", "ta": "நான் இன்று"}


def free(language: str) -> st.SearchStrategy[str]:
    """Texts that a wording in this language may have, besides natural ones."""
    words = st.lists(st.text(ALPHABETS[language], min_size=1, max_size=12), min_size=1, max_size=9)
    return words.map(lambda some: unicodedata.normalize("NFC", " ".join(some)))


@settings(max_examples=20, deadline=None)
@given(st.data(), st.sampled_from(LANGUAGES))
def test_any_allowed_texts_come_back(data: st.DataObject, language: str) -> None:
    library = kept_library(ROOT / "questionnaires")
    instrument = library.instruments["lupusqol"]
    texts = sentences(instrument, language)
    drawn = st.dictionaries(st.sampled_from(sorted(texts)), free(language), max_size=5)
    for n, (place, text) in enumerate(data.draw(drawn).items()):
        texts[place] = f"{BEGINNINGS[language]} {n} {text}"
    wording = library.wording("lupusqol", language)
    wanted = wanted_of(library, "lupusqol", language)
    assert read(workbook(instrument, language, wording, texts), wanted).texts == texts
    assert read(csv_file(instrument, wording, texts).encode(), wanted).texts == texts
    assert dict(made(instrument, language, "licensed", "a file", "1", texts).texts()) == texts


# --- faulty tables, as a workbook and as CSV -----------------------------------------------------


def rows_of(change: Callable[[list[list[str]]], object]) -> list[list[str]]:
    """The filled template's rows, damaged."""
    text = csv_file(SF36, None, ENGLISH, change=change)
    return list(csv.reader(text.splitlines()))


def at(key: str) -> int:
    """The index of a place among the rows."""
    return row_of(SF36, key) - 1


SF2_6 = ["options.time5.6", "option", "time5 6", "?", "", "Nearly never at any time"]
TABLES: list[tuple[str, Callable[[list[list[str]]], object], Expected]] = [
    (
        "six options for SF2",
        lambda rows: rows.insert(at("options.time5.5") + 1, SF2_6),
        [("options", row_of(SF36, "options.time5.5") + 1, "options.time5.6")],
    ),
    (
        "four options for SF2",
        lambda rows: rows.pop(at("options.time5.5")),
        [("options", None, "options.time5.5")],
    ),
    (
        "an option with another code",
        lambda rows: rows[at("options.time5.5")].__setitem__(0, "options.time5.6"),
        [
            ("key_gone", None, "options.time5.5"),
            ("key_unknown", row_of(SF36, "options.time5.5"), None),
        ],
    ),
    (
        "swapped rows",
        lambda rows: rows.insert(at("items.PF02"), rows.pop(at("items.PF03"))),
        [
            ("order", row_of(SF36, "items.PF02"), "items.PF03"),
            ("order", row_of(SF36, "items.PF03"), "items.PF02"),
        ],
    ),
    (
        "a doubled key",
        lambda rows: rows.append(rows[at("items.GH5")]),
        [("key_twice", row_of(SF36, "items.GH5") + 1, "items.GH5")],
    ),
    (
        "a key that is none",
        lambda rows: rows.append(["items.GH6", "item", "GH6", "more", "", "And one more"]),
        [("key_unknown", row_of(SF36, "items.GH5") + 1, None)],
    ),
    (
        "a text in the place of the key",
        lambda rows: rows.append(["Today I like to drink tea", "", "", "", "", ""]),
        [("key_unknown", row_of(SF36, "items.GH5") + 1, None)],
    ),
    (
        "no key",
        lambda rows: rows.append([" ", "item", "GH6", "more", "", "And one more"]),
        [("key_blank", row_of(SF36, "items.GH5") + 1, None)],
    ),
    ("a missing item", lambda rows: rows.pop(at("items.BP1")), [("key_gone", None, "items.BP1")]),
    (
        "a missing lead",
        lambda rows: rows.pop(at("leads.beliefs")),
        [("key_gone", None, "leads.beliefs")],
    ),
    (
        "another kind",
        lambda rows: rows[at("items.BP1")].__setitem__(1, "option"),
        [("changed", row_of(SF36, "items.BP1"), "items.BP1")],
    ),
    (
        "another item",
        lambda rows: rows[at("items.BP1")].__setitem__(2, "BP2"),
        [("changed", row_of(SF36, "items.BP1"), "items.BP1")],
    ),
    (
        "another topic",
        lambda rows: rows[at("options.limits.1")].__setitem__(3, "not limited"),
        [("changed", row_of(SF36, "options.limits.1"), "options.limits.1")],
    ),
    (
        "a header in another order",
        lambda rows: rows[0].__setitem__(slice(3, 5), ["hint", "topic"]),
        [("header", 1, None), ("header", 1, None)],
    ),
    ("a header without text", lambda rows: rows[0].pop(), [("header", 1, None)]),
    ("only a header", lambda rows: rows.__delitem__(slice(1, None)), [("no_rows", None, None)]),
    (
        "something beside the table",
        lambda rows: rows[at("items.BP1")].append("checked"),
        [("beside", row_of(SF36, "items.BP1"), None)],
    ),
    (
        "an empty text and one of spaces",
        lambda rows: (
            rows[at("items.BP1")].__setitem__(5, ""),
            rows[at("items.BP2")].__setitem__(5, " \u00a0 "),
        ),
        [
            ("empty", row_of(SF36, "items.BP1"), "items.BP1"),
            ("empty", row_of(SF36, "items.BP2"), "items.BP2"),
        ],
    ),
    (
        "a formula written as text",
        lambda rows: rows[at("items.BP1")].__setitem__(5, "=A1"),
        [("formula", row_of(SF36, "items.BP1"), "items.BP1")],
    ),
]


@pytest.mark.parametrize(
    ("change", "expected"), [one[1:] for one in TABLES], ids=[n for n, *_ in TABLES]
)
def test_a_faulty_table_is_refused(
    library: Library, change: Callable[[list[list[str]]], object], expected: Expected
) -> None:
    wanted = wanted_of(library, "sf36v1", "en")
    of_csv = refused(csv_file(SF36, None, ENGLISH, change=change).encode(), wanted)
    assert sorted(told(of_csv), key=str) == sorted(expected, key=str)

    def replace(book: Workbook) -> None:
        sheet = book["wording"]
        sheet.delete_rows(1, sheet.max_row)
        for row in rows_of(change):
            sheet.append([None if one == "" else one for one in row])

    of_book = refused(workbook(SF36, "en", None, ENGLISH, replace), wanted)
    assert sorted(told(of_book), key=str) == sorted(expected, key=str)
    assert {one.sheet for one in of_book} == {"wording"}
    keeps_secret([*of_csv, *of_book], [*ENGLISH.values(), *SF2_6[3:], "And one more", "items.GH6"])


def test_the_count_of_options_is_told_with_its_items(library: Library) -> None:
    more = csv_file(SF36, None, ENGLISH, change=TABLES[0][1]).encode()
    fewer = csv_file(SF36, None, ENGLISH, change=TABLES[1][1]).encode()
    wanted = wanted_of(library, "sf36v1", "en")
    [six], [four] = refused(more, wanted), refused(fewer, wanted)
    assert six.reason == "SF2 has 6 options in the file, the definition 5"
    assert four.reason == "SF2 has 4 options in the file, the definition 5"
    assert str(six).startswith(f"row {six.row}, options.time5.6: SF2")


# --- faulty cells of a workbook ------------------------------------------------------------------

BP1 = cell(SF36, "items.BP1")
BP1_ROW = row_of(SF36, "items.BP1")


def put(value: object, name: str = BP1) -> Callable[[Workbook], None]:
    def change(book: Workbook) -> None:
        book["wording"][name] = value

    return change


AT_BP1 = (BP1_ROW, "items.BP1")
CELLS: list[tuple[str, Callable[[Workbook], object], Expected]] = [
    ("a formula", put("=CONCAT(A1,B1)"), [("formula", *AT_BP1)]),
    ("a formula in a hint", put("=A1", f"E{BP1_ROW}"), [("formula", *AT_BP1)]),
    ("a number", put(12), [("number", *AT_BP1)]),
    ("a date", put(date(2026, 11, 22)), [("date", *AT_BP1)]),
    ("a logical value", put(True), [("boolean", *AT_BP1)]),
    ("an error", put("#REF!"), [("error_cell", *AT_BP1)]),
    ("a number as kind", put(1, f"B{BP1_ROW}"), [("number", *AT_BP1)]),
    (
        "merged cells",
        lambda book: book["wording"].merge_cells(f"F{BP1_ROW}:F{BP1_ROW + 2}"),
        [("merged", BP1_ROW, None)],
    ),
    (
        "a hidden row",
        lambda book: setattr(book["wording"].row_dimensions[BP1_ROW], "hidden", True),
        [("hidden_row", BP1_ROW, None)],
    ),
    (
        "a hidden column",
        lambda book: setattr(book["wording"].column_dimensions["D"], "hidden", True),
        [("hidden_column", None, None)],
    ),
    (
        "a hidden sheet that holds something",
        lambda book: (
            book.create_sheet("old").append(["Today I like to drink tea"]),
            setattr(book["old"], "sheet_state", "veryHidden"),
        ),
        [("sheet_hidden", None, None)],
    ),
    (
        "one more sheet",
        lambda book: book.create_sheet("notes of ours").append(["Today I like to drink tea"]),
        [("sheet_more", None, None)],
    ),
    (
        "the table is hidden",
        lambda book: setattr(book["wording"], "sheet_state", "hidden"),
        [("sheet_hidden", None, None)],
    ),
    ("no table", lambda book: book.remove(book["wording"]), [("sheet_missing", None, None)]),
    ("no sheet about", lambda book: book.remove(book["about"]), [("sheet_missing", None, None)]),
    (
        "another name of the table",
        lambda book: setattr(book["wording"], "title", "Sheet1"),
        [("sheet_missing", None, None), ("sheet_more", None, None)],
    ),
    (
        "the template of another instrument",
        lambda book: book["about"].__setitem__("B1", "sf36v2"),
        [("instrument", None, None)],
    ),
    (
        "the template of another version",
        lambda book: book["about"].__setitem__("B2", "0.9"),
        [("version", None, None)],
    ),
    (
        "the template of another language",
        lambda book: book["about"].__setitem__("B3", "ms"),
        [("language", None, None)],
    ),
    (
        "nothing in the table",
        lambda book: book["wording"].delete_rows(1, 200),
        [("no_rows", None, None)],
    ),
]


@pytest.mark.parametrize(
    ("change", "expected"), [one[1:] for one in CELLS], ids=[n for n, *_ in CELLS]
)
def test_a_faulty_workbook_is_refused(
    library: Library, change: Callable[[Workbook], object], expected: Expected
) -> None:
    data = workbook(SF36, "en", library.wording("sf36v1", "en"), ENGLISH, change)
    faults = refused(data, wanted_of(library, "sf36v1", "en"))
    assert told(faults) == list(expected)
    keeps_secret(faults, [*ENGLISH.values(), "notes of ours", "Sheet1", "=CONCAT(A1,B1)"])


def test_empty_sheets_and_hidden_columns_beside_the_table_do_no_harm(library: Library) -> None:
    def change(book: Workbook) -> None:
        book.create_sheet("Sheet2")
        book["wording"].column_dimensions["H"].hidden = True

    data = workbook(SF36, "en", library.wording("sf36v1", "en"), ENGLISH, change)
    assert read(data, wanted_of(library, "sf36v1", "en")).texts == ENGLISH


# --- texts ---------------------------------------------------------------------------------------


def test_a_confirmed_doubt_is_taken_and_told(library: Library) -> None:
    texts = {**ENGLISH, "items.BP1": "How much [pain] did you have?", "items.BP2": "Two  spaces"}
    data = csv_file(SF36, None, texts).encode()
    wanted = wanted_of(library, "sf36v1", "en")
    both = refused(data, wanted)
    assert [one.code for one in both] == ["placeholder", "double_space"]
    [left] = refused(data, wanted, ["items.BP2"])
    assert (left.code, left.key) == ("placeholder", "items.BP1")
    found = read(data, wanted, ["items.BP1", "items.BP2", "items.MH1"])
    assert found.texts == texts
    assert found.confirmed == (("items.BP1", "placeholder"), ("items.BP2", "double_space"))


def test_what_no_page_can_show_cannot_be_confirmed(library: Library) -> None:
    data = csv_file(SF36, None, {**ENGLISH, "items.BP1": "How\u200bmuch?"}).encode()
    [fault] = refused(data, wanted_of(library, "sf36v1", "en"), ["items.BP1"])
    assert (fault.code, fault.reason) == (
        "invisible",
        "there is the invisible character U+200B",
    )


@pytest.mark.parametrize("language", ["ms", "zh_Hans", "ta"])
def test_the_csv_template_of_another_language_is_known_by_its_hints(
    library: Library, language: str
) -> None:
    data = csv_file(SF36, library.wording("sf36v1", language), ENGLISH).encode()
    assert told(refused(data, wanted_of(library, "sf36v1", "en"))) == [("language", None, None)]


def test_the_file_of_another_instrument_is_told_once(library: Library) -> None:
    lupus = library.instruments["lupusqol"]
    data = csv_file(lupus, None, sentences(lupus, "en")).encode()
    [fault] = refused(data, wanted_of(library, "sf36v1", "en"))
    assert fault.reason == "the file is not the template of sf36v1"
