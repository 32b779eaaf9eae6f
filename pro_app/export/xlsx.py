"""Excel workbooks, for people: `write` with the rows, `write_codebook` with the codebook alone.

The sheets are called `data`, `codebook` (the columns), `codes` (what codes mean) and `notes` in
every language, because scripts ask for them by name. A text is always a text: no cell is a
formula, a link or a number in disguise, so nothing needs an apostrophe. Codes that stand for a
kind of absence are left empty.

Moments are true dates on the study's clock, without the offset: Excel knows no zones; the sheet
`notes` names it. Excel keeps numbers to 16 digits and moments to the millisecond; a whole number
beyond 2^53 is written as text. `csv.write_exact` and `parquet` are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from pro_app.export import codebook, texts
from pro_app.export.table import Kind, Table, TableError

MOST_ROWS = 1_048_575  # of a sheet, besides the header
MOST_LETTERS = 32_767  # of a cell, in UTF-16 units
_CREATED = datetime(1980, 1, 1)  # noqa: DTZ001 Excel knows no zones; fixed: same data, same bytes
_FIRST_DAY = 25_569  # 1970-01-01 as Excel counts days
_DAY = 86_400_000_000  # microseconds
_SHOWN: dict[Kind, str] = {"moment": "yyyy-mm-dd hh:mm:ss", "day": "yyyy-mm-dd"}
_WIDTHS: dict[Kind, int] = {"text": 16, "integer": 10, "number": 12, "moment": 20, "day": 12}

Cell = str | int | float | None


def write(table: Table, path: Path) -> None:
    """Write the rows with their codebook.

    Raises `TableError` for more rows than a sheet has, or a text longer than a cell takes.
    """
    _write(table, path, with_rows=True)


def write_codebook(table: Table, path: Path) -> None:
    """Write the codebook alone."""
    _write(table, path, with_rows=False)


def _write(table: Table, path: Path, with_rows: bool) -> None:
    # the library leaves its own files behind when something fails, so they lie in a folder of ours
    with TemporaryDirectory() as folder:
        book = Workbook(
            path,
            {
                "constant_memory": True,
                "tmpdir": folder,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        try:
            _fill(book, table, with_rows)
        except BaseException:
            for sheet in book.worksheets():
                sheet._opt_close()
            raise
        book.close()


def _fill(book: Workbook, table: Table, with_rows: bool) -> None:
    book.set_properties(
        {
            "title": table.title,
            "subject": table.study,
            "comments": "\n".join(table.notes),
            "created": _CREATED,
        }
    )
    sheets = _Sheets(book, table)
    if with_rows:
        sheets.data()
    sheets.codebook()
    sheets.codes()
    sheets.notes()


class _Sheets:
    """The sheets of a workbook, written one after another."""

    def __init__(self, book: Workbook, table: Table) -> None:
        self.book, self.table = book, table
        self.head = book.add_format({"bold": True})
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})

    def data(self) -> None:
        columns = self.table.columns
        sheet = self.book.add_worksheet("data")
        formats: list[Format | None] = []
        for place, one in enumerate(columns):
            shown = _SHOWN.get(one.kind)
            formats.append(self.book.add_format({"num_format": shown}) if shown else None)
            width = max(_WIDTHS[one.kind], min(len(one.name) + 4, 30))
            sheet.set_column(place, place, width, formats[-1])
        self._begin(sheet, [one.name for one in columns])
        last = 0
        for frame in texts.frames(self.table):
            if last + frame.height > MOST_ROWS:
                raise TableError(
                    f"{self.table.name}: Excel has {MOST_ROWS:,} rows a sheet, and there are more;"
                    " take a CSV or Parquet file, or fewer sites, visits or questionnaires"
                )
            for row in _cells(self.table, frame).iter_rows():
                last += 1
                self._row(sheet, last, row, formats)
        sheet.autofilter(0, 0, last, max(len(columns) - 1, 0))

    def codebook(self) -> None:
        _, kinds = self.table.words, codebook.kinds(self.table.words)
        heads = (_("Column"), _("Meaning"), _("Kind"), _("Questionnaire"))
        lines = (
            (one.name, one.label, kinds[one.kind], one.group or None) for one in self.table.columns
        )
        self._list("codebook", heads, lines, (26, 80, 16, 16))

    def codes(self) -> None:
        _ = self.table.words
        lines = (
            (one.name, code, label, reason)
            for one in self.table.columns
            for codes, reason in ((one.codes, None), (one.missing, _("No answer")))
            for code, label in codes.items()
        )
        heads = (_("Column"), _("Code"), _("Meaning"), _("Kind"))
        self._list("codes", heads, lines, (26, 12, 60, 16))

    def notes(self) -> None:
        _ = self.table.words
        told = (self.table.title, self.table.study, *codebook.remarks(self.table))
        self._list("notes", (_("Notes"),), ((one,) for one in told), (100,))

    def _list(
        self,
        name: str,
        heads: Sequence[str],
        lines: Iterator[Sequence[Cell]],
        widths: Sequence[int],
    ) -> None:
        sheet = self.book.add_worksheet(name)
        for place, width in enumerate(widths):
            sheet.set_column(place, place, width, self.wrapped)
        self._begin(sheet, heads)
        last = 0
        for last, line in enumerate(lines, 1):
            self._row(sheet, last, line, [self.wrapped] * len(heads))
        sheet.autofilter(0, 0, last, len(heads) - 1)

    def _begin(self, sheet: Worksheet, heads: Sequence[str]) -> None:
        sheet.freeze_panes(1, 0)
        self._row(sheet, 0, heads, [self.head] * len(heads))

    def _row(
        self, sheet: Worksheet, row: int, cells: Sequence[Cell], formats: Sequence[Format | None]
    ) -> None:
        for place, cell in enumerate(cells):
            if isinstance(cell, str):
                if sheet.write_string(row, place, cell, formats[place]):
                    raise TableError(
                        f"{self.table.name}: row {row} has a text of more than {MOST_LETTERS:,}"
                        f" letters in column {place + 1}, and a cell of Excel takes no more;"
                        " take a CSV or Parquet file"
                    )
            elif cell is not None:
                sheet.write_number(row, place, cell, formats[place])


def _cells(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame as Excel has it: moments and days as days since 1900 on the study's clock."""
    local = pl.col(pl.Datetime).dt.convert_time_zone(table.zone).dt.replace_time_zone(None)
    great = [
        one.name
        for one in table.columns
        if one.kind == "integer" and (frame[one.name].abs() > 2**53).any()
    ]
    cells = table.blanked(frame).with_columns(
        local.dt.epoch("us"),
        pl.col(pl.Date).cast(pl.Int32) + _FIRST_DAY,
        pl.col(great).cast(pl.String),
    )
    return cells.with_columns(
        _days(cells[one.name]) for one in table.columns if one.kind == "moment"
    )


def _days(microseconds: pl.Series) -> pl.Series:
    # not polars' own division: its last digit depends on how many rows a frame has
    days = [None if one is None else one / _DAY + _FIRST_DAY for one in microseconds]
    return pl.Series(microseconds.name, days, pl.Float64)
