"""Reading a filled template that is an Excel workbook, with limits.

The workbook's parts are looked through by the XML parser before any is built up in memory: what is
too large, too deep or no plain workbook is refused early. Then openpyxl reads the cells.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from pro_app.core.wording_check import Cell, Row
from pro_app.core.wording_faults import Fault, fault
from pro_app.core.wording_template import ABOUT, ABOUT_SHEET, COLUMNS, TABLE_SHEET

if TYPE_CHECKING:
    from openpyxl.cell import Cell as SheetCell
    from openpyxl.workbook import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

MOST_UNPACKED = 20_000_000  # bytes of all parts together
MOST_ROWS, MOST_COLUMNS = 2_000, 40  # in which anything may stand
MOST_ELEMENTS = 100_000  # of XML in all parts; a full template has fewer than 10,000
CONTENT_TYPES = "[Content_Types].xml"
FORMATS = (  # parts that other packed formats have
    ("xl/workbook.bin", "binary_workbook"),
    ("word/document.xml", "document"),
    ("ppt/presentation.xml", "presentation"),
    ("content.xml", "open_document"),
)
KINDS = {"f": "formula", "n": "number", "d": "date", "b": "boolean", "e": "error_cell"}
VALUES = frozenset({"v", "f", "is"})  # what a cell that is not empty has
# elements of ranges that openpyxl fills with cells; a range of a few bytes can be a whole sheet
RANGES = frozenset({"mergeCell", "hyperlink", "comment"})
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_RANGE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})(?::([A-Z]{1,3})([0-9]{1,7}))?")


class _Refused(Exception):
    """The look through a part came upon a fault."""

    def __init__(self, found: Fault) -> None:
        super().__init__(found.code)
        self.found = found


def read_workbook(data: bytes) -> tuple[Workbook | None, tuple[Fault, ...]]:
    """The workbook of a packed file's bytes, or what is wrong with the file. Raises nothing."""
    found = _unfit(data)
    if found is not None:
        return None, (found,)
    book = _loaded(data)
    return (book, ()) if book is not None else (None, (fault("damaged"),))


def too_many() -> Fault:
    """That a file holds more than any wording has."""
    return fault("too_many", rows=MOST_ROWS, columns=MOST_COLUMNS)


def _loaded(data: bytes) -> Workbook | None:
    import openpyxl  # loads slowly, and few commands and pages need it

    # what the library warns of are parts that are not read here, such as pictures
    warnings.filterwarnings("ignore", module="openpyxl")
    try:
        return openpyxl.load_workbook(io.BytesIO(data), keep_links=False)
    except Exception:  # the library raises whatever a strange part makes it stumble over
        return None


def _unfit(data: bytes) -> Fault | None:
    """Why this is no workbook to be read, if it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            parts = packed.infolist()
            if any(part.flag_bits & 1 for part in parts):
                return fault("encrypted")
            if sum(part.file_size for part in parts) > MOST_UNPACKED:
                return fault("unpacks_too_large", most=MOST_UNPACKED)
            return _other_format(packed) or _looked_through(packed)
    except _Refused as refused:
        return refused.found
    except Exception:  # of the packing, the packed or the XML, whatever is damaged
        return fault("damaged")


def _other_format(packed: zipfile.ZipFile) -> Fault | None:
    names = set(packed.namelist())
    types = packed.read(CONTENT_TYPES) if CONTENT_TYPES in names else b""
    if b"macro" in types.lower() or any(one.casefold().endswith("vbaproject.bin") for one in names):
        return fault("macros")
    for part, kind in FORMATS:
        if part in names:
            return fault("other_format", kind=kind)
    if "xl/workbook.xml" not in names and b"sheet.main+xml" not in types:
        return fault("other_format", kind="packed")
    return None


def _looked_through(packed: zipfile.ZipFile) -> Fault | None:
    counted = 0
    for part in packed.infolist():
        if part.filename.endswith((".xml", ".rels")):
            looking = _Part(counted)
            with packed.open(part) as content:
                looking.parser.ParseFile(content)
            counted = looking.elements
    return None


class _Part:
    """The look through one part: counts elements, refuses declarations and cells far away."""

    def __init__(self, elements: int) -> None:
        self.elements = elements
        self.row = self.column = self.covered = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartDoctypeDeclHandler = self._declared
        self.parser.StartElementHandler = self._begun

    def _declared(self, *_about: object) -> None:
        raise _Refused(fault("declarations"))

    def _begun(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        name = name.rpartition(" ")[2]
        if name == "row":
            self.row = int(attributes.get("r", self.row + 1))
            self.column = 0
        elif name == "c":
            self.column += 1
            if match := _CELL.fullmatch(attributes.get("r", "")):
                self.column, self.row = _column_number(match[1]), int(match[2])
        elif name in RANGES:
            self.covered += _cells_of(attributes.get("ref", ""))
        far = self.row > MOST_ROWS or self.column > MOST_COLUMNS
        many = self.elements > MOST_ELEMENTS or self.covered > MOST_ROWS * MOST_COLUMNS
        if many or (far and name in VALUES):
            raise _Refused(too_many())


def _cells_of(reference: str) -> int:
    """How many cells a range has; what is no range has as many as none may have."""
    if not (match := _RANGE.fullmatch(reference)):
        return MOST_ROWS * MOST_COLUMNS + 1
    left, top, right, bottom = match.groups()
    wide = _column_number(right or left) - _column_number(left) + 1
    return abs(wide) * abs(int(bottom or top) - int(top) + 1)


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def column_letter(number: int) -> str:
    """The letter of one of a sheet's first columns, from 1."""
    before, place = divmod(number - 1, 26)
    return (chr(ord("A") + before - 1) if before else "") + chr(ord("A") + place)


# --- the sheets ----------------------------------------------------------------------------------


def sheet_faults(book: Workbook) -> Iterator[Fault]:
    """Sheets that are missing, hidden, or too many; a sheet is told by its number."""
    for name in (TABLE_SHEET, ABOUT_SHEET):
        if name not in book.sheetnames or book[name] not in book.worksheets:
            yield fault("sheet_missing", name=name)
    for number, name in enumerate(book.sheetnames, 1):
        sheet: Any = book[name]
        holds = sheet not in book.worksheets or any(_filled(sheet))
        if holds and sheet.sheet_state != "visible":
            yield fault("sheet_hidden", number=number)
        elif holds and name not in (TABLE_SHEET, ABOUT_SHEET):
            yield fault("sheet_more", number=number)


def about_values(book: Workbook) -> dict[str, str]:
    """What the sheet "about" says: the second column by the first."""
    rows = book[ABOUT_SHEET].iter_rows(max_row=len(ABOUT), max_col=2, values_only=True)
    return {str(name): str(value) for name, value in rows}


def layout_faults(book: Workbook) -> Iterator[Fault]:
    """What makes a table uncertain: merged cells, and what is hidden or beside it."""
    sheet = book[TABLE_SHEET]
    for merged in sorted(sheet.merged_cells.ranges, key=lambda one: (one.min_row, one.min_col)):
        yield fault("merged", TABLE_SHEET, merged.min_row, cells=merged.coord)
    filled = list(_filled(sheet))
    rows = {cell.row for cell in filled}
    for number, row in sorted(sheet.row_dimensions.items()):
        if number in rows and row.hidden:
            yield fault("hidden_row", TABLE_SHEET, number)
    columns = {cell.column for cell in filled}
    for dimension in sheet.column_dimensions.values():
        for number in sorted(columns):
            if dimension.hidden and (dimension.min or 0) <= number <= (dimension.max or 0):
                yield fault("hidden_column", TABLE_SHEET, column=column_letter(number))
    for cell in filled:
        if cell.column > len(COLUMNS):
            yield fault("beside", TABLE_SHEET, cell.row, column=column_letter(cell.column))


def _filled(sheet: Worksheet) -> Iterator[SheetCell]:
    """The cells in which something stands."""
    last, right = min(sheet.max_row, MOST_ROWS), min(sheet.max_column, MOST_COLUMNS)
    for row in sheet.iter_rows(max_row=last, max_col=right):
        yield from (cell for cell in row if cell.value is not None)


def table_rows(book: Workbook) -> list[Row]:
    """The rows of the table in which anything stands, the header first."""
    sheet = book[TABLE_SHEET]
    last = min(sheet.max_row, MOST_ROWS)
    found = []
    for number, row in enumerate(sheet.iter_rows(max_row=last, max_col=len(COLUMNS)), 1):
        cells = tuple(_cell(one) for one in row)
        if any(one.text.strip() or one.kind for one in cells):
            found.append(Row(number, cells))
    return found


def _cell(cell: SheetCell) -> Cell:
    if cell.value is None:
        return Cell()
    text = str(cell.value)
    if cell.data_type in ("s", "str", "inlineStr") and not text.startswith("="):
        return Cell(text)
    return Cell(text, KINDS.get(cell.data_type, "formula"))


def comment_count(book: Workbook) -> int:
    """How many cells of the table have a comment, which is not read."""
    rows = book[TABLE_SHEET].iter_rows(max_row=MOST_ROWS, max_col=len(COLUMNS))
    return sum(cell.comment is not None for row in rows for cell in row)
