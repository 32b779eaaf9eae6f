"""What can be wrong with a file of licensed wording: codes, places, and the English sentences.

The text is licensed: no fault repeats what stands in the file. It tells sheet, row and place,
lengths, or the number of an offending character; what a sentence names comes from the definition.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

REASONS: Mapping[str, str] = {
    # of the file
    "empty_file": "the file is empty",
    "too_large": "the file has more than {most:,} bytes",
    "unpacks_too_large": "unpacked, the file has more than {most:,} bytes",
    "too_many": "the file is far larger than any wording: at most {rows:,} rows, {columns} columns",
    "damaged": "the workbook is damaged and cannot be read; save it again",
    "encrypted": "the file is locked with a password; save it without one",
    "old_excel": "this is an old Excel file (.xls); save it as .xlsx",
    "macros": "the workbook holds macros; save it as .xlsx without them",
    "other_format": "this is {kind}; it must be .xlsx or CSV UTF-8",
    "declarations": "the workbook declares entities, which no spreadsheet program writes",
    "utf16": "the file is UTF-16; save it as CSV UTF-8",
    "not_utf8": "the file is not UTF-8, but maybe Windows-1252; save it as CSV UTF-8",
    "nul": "a NUL byte is in the file; save it as CSV UTF-8",
    "unreadable": "from here on the file cannot be read; is a quotation mark missing?",
    # of the sheets
    "sheet_missing": "there is no sheet {name}",
    "sheet_more": "sheet {number} is none of the template's, and what it holds would be lost",
    "sheet_hidden": "sheet {number} is hidden, and it holds something",
    "instrument": "the file is not the template of {wanted}",
    "version": "the template is of another version of the definition; the present one is {wanted}",
    "language": "the file is the template of another language, not of {language}",
    "header": "column {column} must be called {wanted}",
    "no_rows": "there is a header, and nothing below it",
    "beside": "something stands to the right of the table, in column {column}",
    "merged": "cells are merged: {cells}",
    "hidden_row": "the row is hidden",
    "hidden_column": "column {column} is hidden",
    # of the rows
    "key_blank": "the key is missing",
    "key_unknown": "the key is none of the template's",
    "key_twice": "the key is there twice, first in row {first}",
    "key_gone": "the template's row is missing",
    "order": "the rows are not in the template's order: here belongs {wanted}",
    "options": "{items} has {found} options in the file, the definition {wanted}",
    "changed": "the column {column} was changed",
    # of what a cell holds
    "formula": "there is a formula in the column {column}; write the text itself",
    "number": "there is a number in the column {column}; format the cell as text",
    "date": "there is a date in the column {column}; format the cell as text",
    "boolean": "there is a logical value in the column {column}; format the cell as text",
    "error_cell": "there is an error of the spreadsheet in the column {column}",
    # of a text
    "empty": "the text is empty",
    "long": "the text has {found} characters, more than {most}",
    "outer_space": "the text begins or ends with a space",
    "double_space": "two spaces follow each other",
    "line_break": "there is a line break in the text",
    "control": "there is the control character {character}",
    "invisible": "there is the invisible character {character}",
    "unusual": "there is {character}, which is no character of any text",
    "garbled": "the text was garbled by a wrong encoding, at {character}",
    "not_nfc": "the text is not in Unicode normal form NFC",
    "placeholder": "there is a placeholder: {sign}",
    "script": "the text is not in the script of {language}: {character}",
    "no_letters": "the text has no letter and no digit",
    "traditional": "there is a traditional character, {character}; the file is for Simplified",
    "reads_like": "the text reads like {read}, not like {language}",
    "hint": "the text is the demonstration wording of {place}",
    "hint_options": "all options are those of the demonstration wording",
    "other_language": "the text is the same as in {read}",
    "twin_items": "the text is the same as at {other}, or nearly",
    "twin_options": "the option is the same as {other}, or nearly",
    # of all texts together
    "file_language": "the file does not read like {language}",
    "file_of": "the file holds the texts of {read}",
}
CODES = tuple(REASONS)
LANGUAGES = {"ms": "Malay", "en": "English", "zh_Hans": "Simplified Chinese", "ta": "Tamil"}
FORMATS = {
    "pdf": "a PDF file",
    "rtf": "an RTF document",
    "picture": "a picture",
    "markup": "a web page or an XML file",
    "binary_workbook": "a binary workbook (.xlsb)",
    "document": "a Word document",
    "presentation": "a presentation",
    "open_document": "an OpenDocument file",
    "packed": "a packed file, but no workbook",
}

# What a licensed text may truly be like: a fault until a person confirms that the owner's text is
# so at this place.
DOUBTS = frozenset({
    "double_space", "hint", "hint_options", "no_letters", "other_language", "placeholder",
    "reads_like", "script", "traditional", "twin_items",
})  # fmt: skip

Values = tuple[tuple[str, str | int], ...]


class Fault(NamedTuple):
    """One fault. `sheet` is empty for a CSV file or the whole workbook, `row` is the sheet's row or
    the file's line, from 1 (None: of the whole), `key` the place in the wording.

    `code` is one of CODES; `values` are what its sentence names, never what stands in the file.
    """

    sheet: str
    row: int | None
    key: str | None
    code: str
    values: Values = ()

    @property
    def doubtful(self) -> bool:
        """Whether the owner's text may truly be like this, and somebody can confirm it."""
        return self.code in DOUBTS and self.key is not None

    @property
    def reason(self) -> str:
        """What is wrong, in English."""
        told = {name: _word(name, value) for name, value in self.values}
        return REASONS[self.code].format(**told)

    def __str__(self) -> str:
        sheet = f"sheet {self.sheet}" if self.sheet else ""
        row = "" if self.row is None else f"row {self.row}"
        place = ", ".join(one for one in (sheet, row, self.key) if one)
        return f"{place or 'the file'}: {self.reason}"


def _word(name: str, value: str | int) -> str | int:
    """A language or a format by its English name, anything else as it is."""
    words = {"language": LANGUAGES, "read": LANGUAGES, "kind": FORMATS}.get(name, {})
    return words.get(str(value), value)


def fault(
    code: str, sheet: str = "", row: int | None = None, key: str | None = None, **values: str | int
) -> Fault:
    """A fault of the file, or of a place in it."""
    return Fault(sheet, row, key, code, tuple(values.items()))


def number_of(character: str) -> str:
    """A character as it is told: U+0BB5."""
    return f"U+{ord(character):04X}"
