"""Excel workbooks, read by openpyxl and pandas."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pandas
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from openpyxl.utils.escape import unescape
from openpyxl.workbook import Workbook

from pro_app.export import xlsx
from pro_app.export.table import Column, Table, TableError
from tests.export import samples
from tests.export.readers import ABSENT, rows, texts

NAMES = [one.name for one in samples.COLUMNS]
ZONE = ZoneInfo("Asia/Kuala_Lumpur")
BOTH = pytest.mark.parametrize("write", [xlsx.write, xlsx.write_codebook])


def read(table: Table, folder: Path, write: Callable[[Table, Path], None] = xlsx.write) -> Workbook:
    write(table, folder / "table.xlsx")
    return openpyxl.load_workbook(folder / "table.xlsx")


def told(value: Any) -> Any:
    """A cell as openpyxl has it."""
    if value is None or value in ABSENT:
        return None
    if isinstance(value, datetime):
        return value.astimezone(ZONE).replace(tzinfo=None)
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, int) and abs(value) > 2**53:
        return str(value)
    return value


def same(found: Any, value: Any) -> bool:
    """Whether two cells say the same, as exactly as the module's description promises."""
    if isinstance(found, str) and isinstance(value, str):
        return unescape(found) == value  # control characters, which openpyxl leaves as Excel's
    if isinstance(value, datetime) and isinstance(found, datetime):
        return abs(found - value) <= timedelta(milliseconds=1)
    if isinstance(value, float):
        return isinstance(found, int | float) and found == float(f"{value:.16G}")
    return type(found) is type(value) and bool(found == value)


def lines(book: Workbook, sheet: str) -> list[tuple[Any, ...]]:
    return list(book[sheet].iter_rows(values_only=True))


def test_every_value_is_there(tmp_path: Path) -> None:
    book = read(samples.table(), tmp_path)
    assert book.sheetnames == ["data", "codebook", "codes", "notes"]
    names, *found = lines(book, "data")
    assert list(names) == NAMES
    assert len(found) == len(samples.ROWS)
    for cells, row in zip(found, samples.ROWS, strict=True):
        for name, cell, value in zip(NAMES, cells, row, strict=True):
            assert same(cell, told(value)), f"{name}: {cell!r}"


def test_dates_are_dates_and_texts_are_texts(tmp_path: Path) -> None:
    sheet = read(samples.table(), tmp_path)["data"]
    for cells in sheet.iter_rows(min_row=2):
        for column, cell in zip(samples.COLUMNS, cells, strict=True):
            if cell.value is not None:
                kinds = {"text": ("inlineStr", "s"), "moment": ("d",), "day": ("d",)}
                assert cell.data_type in kinds.get(column.kind, ("n",)), column.name
                assert cell.is_date == (column.kind in ("moment", "day"))
    assert sheet.cell(2, NAMES.index("completed_at") + 1).number_format == "yyyy-mm-dd hh:mm:ss"
    assert sheet.cell(2, NAMES.index("due_on") + 1).number_format == "yyyy-mm-dd"


def test_the_header_stays_and_filters(tmp_path: Path) -> None:
    for sheet in read(samples.table(), tmp_path):
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == sheet.dimensions
        assert all(cell.font.bold for cell in sheet[1])
        widths = [sheet.column_dimensions[cell.column_letter].width for cell in sheet[1]]
        assert all(8 < width < 120 for width in widths)


def test_every_label_is_there(tmp_path: Path) -> None:
    book = read(samples.table(), tmp_path)
    head, *columns = lines(book, "codebook")
    assert head == ("Column", "Meaning", "Kind", "Questionnaire")
    assert [(name, label, group or "") for name, label, _kind, group in columns] == [
        (one.name, one.label, one.group) for one in samples.COLUMNS
    ]
    kinds = {name: kind for name, _label, kind, _group in columns}
    assert (kinds["completed_at"], kinds["due_on"]) == ("Date and time", "Date")
    _head, *codes = lines(book, "codes")
    assert codes == [
        (one.name, code, label, kind)
        for one in samples.COLUMNS
        for known, kind in ((one.codes, None), (one.missing, "No answer"))
        for code, label in known.items()
    ]


def test_the_notes_name_the_zone_and_the_demonstration(tmp_path: Path) -> None:
    book = read(samples.table(), tmp_path)
    notes = [line[0] for line in lines(book, "notes")]
    assert notes[:5] == [
        "Notes", "பதில்கள்", "trial", samples.NOTES[0], "All times: Asia/Kuala_Lumpur.",
    ]  # fmt: skip
    assert book.properties.title == "பதில்கள்"
    assert book.properties.description == samples.NOTES[0]
    assert book.properties.created == datetime(1980, 1, 1)  # noqa: DTZ001 as openpyxl has it


def test_people_read_their_own_language(tmp_path: Path) -> None:
    made = replace(samples.table(), words=lambda text: {"Meaning": "பொருள்"}.get(text, f"[{text}]"))
    head = lines(read(made, tmp_path), "codebook")[0]
    assert head == ("[Column]", "பொருள்", "[Kind]", "[Questionnaire]")


@settings(max_examples=40, deadline=None, phases=set(Phase) - {Phase.shrink})
@given(some=rows(texts()))
def test_anything_comes_back_and_no_cell_is_a_formula(
    tmp_path_factory: pytest.TempPathFactory, some: tuple[tuple[Any, ...], ...]
) -> None:
    folder = tmp_path_factory.mktemp("xlsx")
    sheet = read(samples.table(some), folder)["data"]
    for cells, row in zip(sheet.iter_rows(min_row=2), some, strict=True):
        for cell, value in zip(cells, row, strict=True):
            assert cell.data_type != "f"
            assert cell.hyperlink is None
            assert same(cell.value, told(value)), repr((cell.value, value))
    with zipfile.ZipFile(folder / "table.xlsx") as archive:
        for name in archive.namelist():
            assert b"<f>" not in archive.read(name), name


def test_pandas_finds_the_rows(tmp_path: Path) -> None:
    xlsx.write(samples.table(), tmp_path / "table.xlsx")
    frame = pandas.read_excel(tmp_path / "table.xlsx", dtype={"participant": str})
    assert list(frame.columns) == NAMES
    assert list(frame["participant"]) == [row[1] for row in samples.ROWS]
    assert list(frame["lupusqol_LQPH"].dropna()) == pytest.approx([6.25, 100 / 3, -8.8123456789])


def test_the_clock_is_the_studys_whatever_the_season(tmp_path: Path) -> None:
    columns = (Column("at", "moment", "At"),)
    moments = [datetime(2027, month, 1, 12, tzinfo=UTC) for month in (1, 7)]
    frame = pl.DataFrame({"at": moments}, schema={"at": pl.Datetime("us", "UTC")})
    made = Table("t", "t", "s", "en", "Europe/London", columns, lambda: iter([frame]))
    found = [line[0].hour for line in lines(read(made, tmp_path), "data")[1:]]
    assert found == [12, 13]


def test_a_great_number_keeps_its_digits(tmp_path: Path) -> None:
    row = (*samples.ROWS[0][:2], 2**53 + 1, *samples.ROWS[0][3:])
    assert lines(read(samples.table((row,)), tmp_path), "data")[1][2] == "9007199254740993"


def test_more_rows_than_a_sheet_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert xlsx.MOST_ROWS == 1_048_575, "what Excel has, besides the header"
    monkeypatch.setattr(xlsx, "MOST_ROWS", 4)
    xlsx.write(samples.table(), tmp_path / "four.xlsx")
    with pytest.raises(TableError, match="Excel has 4 rows a sheet"):
        xlsx.write(samples.table((*samples.ROWS, samples.ROWS[0])), tmp_path / "five.xlsx")
    assert not (tmp_path / "five.xlsx").exists()


@pytest.mark.parametrize("letter", ["x", "🙂"])
def test_a_text_longer_than_a_cell_is_refused_not_cut(tmp_path: Path, letter: str) -> None:
    units = len(letter.encode("utf-16-le")) // 2
    fits = letter * (xlsx.MOST_LETTERS // units)
    row = samples.ROWS[0][:-1]
    book = read(samples.table(((*row, fits),)), tmp_path)
    assert lines(book, "data")[1][-1] == fits
    with pytest.raises(
        TableError, match="row 1 has a text of more than 32,767 letters in column 11"
    ):
        xlsx.write(samples.table(((*row, fits + letter),)), tmp_path / "long.xlsx")


@BOTH
def test_an_empty_table_has_its_columns(
    write: Callable[[Table, Path], None], tmp_path: Path
) -> None:
    book = read(samples.nothing(), tmp_path, write)
    assert [line[0] for line in lines(book, "codebook")[1:]] == NAMES
    if "data" in book.sheetnames:
        assert lines(book, "data") == [tuple(NAMES)]


def test_the_codebook_alone_has_no_rows(tmp_path: Path) -> None:
    book = read(samples.table(), tmp_path, xlsx.write_codebook)
    assert book.sheetnames == ["codebook", "codes", "notes"]


@BOTH
def test_the_same_bytes_whatever_the_frames(
    write: Callable[[Table, Path], None], tmp_path: Path
) -> None:
    for at_once in (1, 3, 100):
        write(samples.table(at_once=at_once), tmp_path / f"{at_once}.xlsx")
    first, *others = (path.read_bytes() for path in sorted(tmp_path.glob("*.xlsx")))
    assert others == [first, first]
