"""Reading the wording that a site is licensed for from a filled template, XLSX or CSV.

The file is looked at as a whole: it is taken, or every fault that was found is told. Its text is
licensed and comes into no message: see `pro_app.core.wording_faults`.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pro_app.core.library import Library
from pro_app.core.study import LANGUAGES
from pro_app.core.wording import Wording
from pro_app.core.wording_check import Cell, Row, Wanted, check
from pro_app.core.wording_faults import Fault, fault
from pro_app.core.wording_template import ABOUT_SHEET, COLUMNS, TABLE_SHEET, about
from pro_app.services import wording_workbook

MOST_BYTES = 2_000_000
PACKED = b"PK\x03\x04"
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # old Excel files, and encrypted new ones
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
SIGNATURES = (
    (b"%PDF", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"\x1f\x8b", "packed"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"<", "markup"),
)
DELIMITERS = (",", ";", "\t")
ERRORS = frozenset({"#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!"})


class FileRefused(Exception):
    """The file has faults, and nothing of it was taken. The message holds nothing of the file."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class WordingFile:
    """A file without faults: its texts by place, in the order of `wording.places`.

    `confirmed` are places whose text looked doubtful and was confirmed to be the owner's, each
    with the doubt's code; `comments` is how many comments of cells were not read.
    """

    instrument: str
    language: str
    texts: Mapping[str, str] = field(repr=False)  # licensed: no message may hold it
    confirmed: tuple[tuple[str, str], ...]
    comments: int


def wanted_of(
    library: Library, instrument: str, language: str, stored: Collection[Wording] = ()
) -> Wanted:
    """What a file of this instrument and language is compared with: the shipped wordings, and the
    licensed ones in `stored`. KeyError for an unknown instrument."""
    shipped = {
        one.language: dict(one.texts())
        for one in library.wordings.values()
        if one.instrument == instrument
    }
    licensed = {one.language: dict(one.texts()) for one in stored if one.instrument == instrument}
    return Wanted(library.instruments[instrument], language, shipped, licensed)


def read(data: bytes, wanted: Wanted, confirmed: Collection[str] = ()) -> WordingFile:
    """The wording of a file's bytes. Raises FileRefused with all faults, and nothing else.

    `confirmed` are places where a person has compared a doubtful text with the owner's.
    """
    rows, faults, sheet, comments = _rows(data, wanted)
    if faults and not rows:
        raise FileRefused(faults)
    checked = check(rows, wanted, sheet, confirmed)
    faults = [*faults, *checked.faults]
    if faults:
        raise FileRefused(sorted(faults, key=lambda one: one.row or 0))
    instrument = wanted.instrument.code
    return WordingFile(instrument, wanted.language, checked.texts, checked.confirmed, comments)


def _rows(data: bytes, wanted: Wanted) -> tuple[list[Row], list[Fault], str, int]:
    """The rows below the header, what is wrong with the file, the sheet's name, and the comments.

    No rows where the faults are such that looking at them would only tell of what follows.
    """
    unfit = _unfit(data)
    if unfit is not None:
        return [], [unfit], "", 0
    if data.startswith(PACKED):
        return _of_workbook(data, wanted)
    rows, faults = _of_csv(data, wanted)
    return rows, faults, "", 0


def _unfit(data: bytes) -> Fault | None:
    """What the first bytes and the size tell."""
    if len(data) > MOST_BYTES:
        return fault("too_large", most=MOST_BYTES)
    if not data.strip(codecs.BOM_UTF8 + b" \r\n\t"):
        return fault("empty_file")
    if data.startswith(COMPOUND):
        return fault("encrypted" if ENCRYPTED in data else "old_excel")
    start = data.removeprefix(codecs.BOM_UTF8).lstrip()
    for signature, kind in SIGNATURES:
        if start.startswith(signature):
            return fault("other_format", kind=kind)
    return None


# --- workbooks -----------------------------------------------------------------------------------


def _of_workbook(data: bytes, wanted: Wanted) -> tuple[list[Row], list[Fault], str, int]:
    book, unreadable = wording_workbook.read_workbook(data)
    if book is None:
        return [], list(unreadable), TABLE_SHEET, 0
    try:
        faults = list(wording_workbook.sheet_faults(book))
        if any(one.code == "sheet_missing" for one in faults):
            return [], faults, TABLE_SHEET, 0
        faults += _about_faults(wording_workbook.about_values(book), wanted)
        faults += wording_workbook.layout_faults(book)
        rows, of_header = _below_header(wording_workbook.table_rows(book), TABLE_SHEET)
        faults += of_header
        if any(one.code in ("instrument", "merged") for one in faults):
            rows = []  # nearly each would be told, or what merged cells hide
        return rows, faults, TABLE_SHEET, wording_workbook.comment_count(book)
    finally:
        book.close()


def _about_faults(told: Mapping[str, str], wanted: Wanted) -> Iterator[Fault]:
    """Whether the file is the template that was asked for."""
    expected = about(wanted.instrument, wanted.language)
    if told.get("instrument") != expected["instrument"]:
        yield fault("instrument", ABOUT_SHEET, wanted=expected["instrument"])
    elif told.get("version") != expected["version"]:
        yield fault("version", ABOUT_SHEET, wanted=expected["version"])
    if told.get("language") != expected["language"]:
        yield fault("language", ABOUT_SHEET, language=wanted.language)


def _below_header(rows: list[Row], sheet: str) -> tuple[list[Row], list[Fault]]:
    """The rows below the header; none of them if the header is not the template's."""
    if not rows:
        return [], [fault("no_rows", sheet)]
    header = [cell.text for cell in rows[0].cells]
    faults = [
        fault("header", sheet, rows[0].number, column=wording_workbook.column_letter(n), wanted=one)
        for n, (found, one) in enumerate(zip(header, COLUMNS, strict=True), 1)
        if found.strip() != one
    ]
    if not faults and len(rows) == 1:
        faults.append(fault("no_rows", sheet))
    return ([] if faults else rows[1:]), faults


# --- CSV -----------------------------------------------------------------------------------------


def _of_csv(data: bytes, wanted: Wanted) -> tuple[list[Row], list[Fault]]:
    text, undecoded = _decoded(data)
    if text is None:
        return [], [undecoded] if undecoded else []
    records, faults = _records(text)
    if faults and not records:
        return [], faults
    if len(records) > wording_workbook.MOST_ROWS:
        return [], [wording_workbook.too_many()]
    rows = []
    for number, cells in records:
        texts = [*cells, *("" for _ in COLUMNS)][: len(COLUMNS)]
        rows.append(Row(number, tuple(_csv_cell(one) for one in texts)))
        beside = next((n for n, one in enumerate(cells, 1) if n > len(COLUMNS) and one), None)
        if beside is not None:
            faults.append(fault("beside", "", number, column=_letter(beside)))
    below, of_header = _below_header(rows, "")
    faults += of_header
    if below:
        faults += _hint_faults(below, wanted)
    return below, faults


def _letter(column: int) -> str:
    return wording_workbook.column_letter(min(column, wording_workbook.MOST_COLUMNS))


def _decoded(data: bytes) -> tuple[str | None, Fault | None]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None, fault("utf16")
    if b"\0" in data[:4]:  # UTF-16 without a mark: the header's Latin letters have an empty half
        return None, fault("utf16")
    if (place := data.find(b"\0")) >= 0:
        return None, fault("nul", row=data.count(b"\n", 0, place) + 1)
    broken = None
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        broken = error.start  # the error itself holds the file's bytes
    return None, fault("not_utf8", row=data.count(b"\n", 0, broken) + 1)


def _records(text: str) -> tuple[list[tuple[int, list[str]]], list[Fault]]:
    """The records that hold any text, each with the number of the line where it begins."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[tuple[int, list[str]]] = []
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return found, []
        except csv.Error:
            break
        if any(cell.strip() for cell in cells):
            found.append((number, cells))
    return [], [fault("unreadable", row=number)]


def _csv_cell(text: str) -> Cell:
    if text.startswith("="):
        return Cell(text, "formula")
    return Cell(text, "error_cell") if text.strip() in ERRORS else Cell(text)


def _hint_faults(rows: Sequence[Row], wanted: Wanted) -> Iterator[Fault]:
    """A CSV file has no sheet "about"; its hints tell of which language it is the template."""
    hints = {row.text("key"): row.text("hint") for row in rows if row.text("hint")}
    if not hints or wanted.demonstration.get(wanted.language, {}).items() & hints.items():
        return
    for language in LANGUAGES:
        if wanted.demonstration.get(language, {}).items() & hints.items():
            yield fault("language", language=wanted.language)
            return
