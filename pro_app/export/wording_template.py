"""The empty template of a licensed wording, as an Excel workbook and as a CSV file.

The workbook's sheets are called `wording` (the table) and `about`. All cells but those of the last
column are locked, without a password: what is already there has to come back as it was. The same
instrument, language and hints give the same bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording
from pro_app.core.wording_faults import LANGUAGES
from pro_app.core.wording_template import (
    ABOUT_SHEET,
    COLUMNS,
    TABLE_SHEET,
    TEXT,
    about,
    lines,
)

_CREATED = datetime(1980, 1, 1)  # noqa: DTZ001 Excel knows no zones; fixed: same data, same bytes
_WIDTHS = (24, 11, 18, 30, 48, 60)  # of COLUMNS, in characters
_AS_TEXT = "@"  # a cell's format in which Excel takes whatever is typed for text
_ALLOWED = {"format_columns": True, "format_rows": True}  # to make them wider, although locked
HELP = (
    "Please write the text that you are licensed for into the column text of the sheet wording,"
    " one text a row, exactly as its owner gave it to you.",
    "Nothing else may be changed: no row moved, added, left out or hidden, no cells merged.",
    "The column hint shows our demonstration wording. It is not the questionnaire's text, and"
    " nothing of it may be left over.",
    "An option's text is one of the answers; its topic says where on the scale it belongs.",
    "Write plain text: no formulas, no line breaks, no formatting, no placeholders.",
    "You may fill in the CSV file instead. Save it as CSV UTF-8, with commas or semicolons.",
    "Look for faults before you hand it in: pro-app wording check FILE --instrument {instrument}"
    " --language {language}",
)


def table(instrument: Instrument, wording: Wording | None) -> tuple[tuple[str, ...], ...]:
    """The template's rows, the header first; the last column is empty."""
    rows = (
        (one.key, one.kind, one.item, one.topic, one.hint, "") for one in lines(instrument, wording)
    )
    return (COLUMNS, *rows)


def csv_file(instrument: Instrument, wording: Wording | None) -> bytes:
    """The template as CSV: UTF-8 with the mark by which Excel knows it, and commas."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(table(instrument, wording))
    return text.getvalue().encode("utf-8-sig")


def workbook(instrument: Instrument, language: str, wording: Wording | None) -> bytes:
    """The template as a workbook; `wording` gives the hints, if there is one in the language."""
    target = io.BytesIO()
    plain = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = Workbook(target, plain)
    title = f"{instrument.name}: wording in {LANGUAGES.get(language, language)}"
    book.set_properties({"title": title, "created": _CREATED})
    _table_sheet(book, table(instrument, wording))
    _about_sheet(book, instrument, language)
    book.close()
    return target.getvalue()


def _table_sheet(book: Workbook, rows: Iterable[Sequence[str]]) -> None:
    sheet: Worksheet = book.add_worksheet(TABLE_SHEET)
    head = book.add_format({"bold": True, "bottom": 1, "num_format": _AS_TEXT})
    look = {"text_wrap": True, "valign": "top", "num_format": _AS_TEXT}
    given = book.add_format({**look, "bg_color": "#F1EFEA"})
    open_ = book.add_format({**look, "locked": False})
    for column, width in enumerate(_WIDTHS):
        sheet.set_column(column, column, width)
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            form = head if number == 0 else open_ if column == TEXT else given
            if text:
                sheet.write_string(number, column, text, form)
            else:
                sheet.write_blank(number, column, None, form)
    sheet.freeze_panes(1, 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.protect("", _ALLOWED)


def _about_sheet(book: Workbook, instrument: Instrument, language: str) -> None:
    sheet: Worksheet = book.add_worksheet(ABOUT_SHEET)
    wrapped = book.add_format({"text_wrap": True, "valign": "top", "num_format": _AS_TEXT})
    head = book.add_format({"bold": True, "valign": "top"})
    sheet.set_column(0, 0, 14)
    sheet.set_column(1, 1, 90)
    told = about(instrument, language)
    for number, (name, value) in enumerate(told.items()):
        sheet.write_string(number, 0, name, head)
        sheet.write_string(number, 1, value, wrapped)
    for number, sentence in enumerate(HELP, len(told) + 1):
        filled = sentence.format(instrument=instrument.code, language=language)
        sheet.write_string(number, 1, filled, wrapped)
    sheet.protect("", _ALLOWED)
