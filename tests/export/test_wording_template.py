"""The empty templates of licensed wordings, read by openpyxl and csv."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest

from pro_app.config import ROOT
from pro_app.core.study import LANGUAGES
from pro_app.core.wording import places
from pro_app.core.wording_template import ABOUT, COLUMNS
from pro_app.export import wording_template
from tests.conftest import kept_library

LIBRARY = kept_library(ROOT / "questionnaires")
SF36 = LIBRARY.instruments["sf36v1"]
EVERY = pytest.mark.parametrize("code", sorted(LIBRARY.instruments))


@EVERY
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_has_its_row(code: str, language: str) -> None:
    instrument, wording = LIBRARY.instruments[code], LIBRARY.wordings[code, language]
    header, *rows = wording_template.table(instrument, wording)
    assert header == COLUMNS
    assert tuple(row[0] for row in rows) == places(instrument)
    assert {row[0]: row[4] for row in rows} == dict(wording.texts())
    assert {row[5] for row in rows} == {""}
    assert all(row[1] and row[3] for row in rows)
    cells = [cell for row in rows for cell in row if cell]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r"], "Excel would take it for more"


def test_what_a_row_tells_of_its_text() -> None:
    found = {row[0]: row[1:4] for row in wording_template.table(SF36, None)}
    assert found["instruction"] == ("instruction", "", "before the first question")
    assert found["items.PF03"] == ("item", "PF03", "carrying shopping")
    asked = "RE1, RE2, RE3"
    assert found["leads.role_emotional"] == ("lead", asked, "begins each of these questions")
    assert found["recalls.role_emotional"] == ("recall", asked, "the time they ask about: 28 days")
    time = "all of the time", "none of the time"
    assert found["options.time5.1"] == ("option", "time5 1", f"{time[0]}; of SF2")
    assert found["options.time5.2"] == (
        "option",
        "time5 2",
        f"between {' and '.join(time)}; of SF2",
    )
    assert found["options.time5.5"] == ("option", "time5 5", f"{time[1]}; of SF2")
    lupus = {row[0]: row for row in wording_template.table(LIBRARY.instruments["lupusqol"], None)}
    assert lupus["options.frequency.4"][3].endswith("; of all items")


def test_both_files_say_the_same_and_are_the_same_each_time() -> None:
    wording = LIBRARY.wordings["sf36v1", "ta"]
    expected = [list(row) for row in wording_template.table(SF36, wording)]
    text = wording_template.csv_file(SF36, wording)
    assert text.startswith(b"\xef\xbb\xbfkey,kind,")
    assert list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""))) == expected
    data = wording_template.workbook(SF36, "ta", wording)
    assert data == wording_template.workbook(SF36, "ta", wording)
    sheet = openpyxl.load_workbook(io.BytesIO(data))["wording"]
    assert [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)] == expected


def test_only_the_texts_can_be_written_in() -> None:
    data = wording_template.workbook(SF36, "ms", LIBRARY.wordings["sf36v1", "ms"])
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == ["wording", "about"]
    assert book.active.title == "wording"
    sheet = book["wording"]
    for row in sheet.iter_rows(min_row=2):
        *given, text = row
        assert all(cell.protection.locked for cell in given)
        assert (text.value, text.protection.locked) == (None, False)
        assert text.number_format == "@"
        assert text.alignment.wrap_text
        assert given[4].alignment.wrap_text
    assert all(cell.protection.locked for cell in sheet[1])
    assert sheet.freeze_panes == "B2"
    assert [one.protection.sheet for one in book] == [True, True]
    assert [one.protection.password for one in book] == [None, None]


def test_what_the_file_says_of_itself() -> None:
    data = wording_template.workbook(SF36, "zh_Hans", None)
    book = openpyxl.load_workbook(io.BytesIO(data))
    told = dict(book["about"].iter_rows(max_row=len(ABOUT), max_col=2, values_only=True))
    assert told == {
        "instrument": "sf36v1",
        "version": SF36.version,
        "language": "zh_Hans",
        "fingerprint": SF36.fingerprint,
    }
    help_ = [cell.value for cell in book["about"]["B"][len(ABOUT) + 1 :]]
    assert len(help_) == len(wording_template.HELP)
    assert help_[-1].endswith("check FILE --instrument sf36v1 --language zh_Hans")
    assert {row[4] for row in book["wording"].iter_rows(min_row=2, values_only=True)} == {None}
