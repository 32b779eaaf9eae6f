"""What can be wrong with a file of licensed wording, in the page's language, without its text."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from pro_app.core.wording_faults import Fault
from pro_app.web import locale
from pro_app.web.staff_words import Words

REASONS: Words = {  # by the codes of core.wording_faults.REASONS, but for COUNTED
    "empty_file": _l("The file is empty."),
    "too_large": _l("The file is too large."),
    "unpacks_too_large": _l("The file is too large."),
    "too_many": _l("The file is far larger than any wording."),
    "damaged": _l("The workbook is damaged. Please open it in Excel and save it again."),
    "encrypted": _l("The file is locked with a password. Please save it without one."),
    "old_excel": _l("This is an old Excel file. Please save it as .xlsx."),
    "macros": _l("The workbook holds macros. Please save it as .xlsx, without them."),
    "other_format": _l("This is %(kind)s. Please bring an .xlsx file, or a CSV file."),
    "declarations": _l("The workbook holds what no spreadsheet program writes."),
    "utf16": _l("The file cannot be read. Please save it as “CSV UTF-8”."),
    "not_utf8": _l("The file cannot be read. Please save it as “CSV UTF-8”."),
    "nul": _l("The file is not text. Please save it as “CSV UTF-8”."),
    "unreadable": _l("From here on the file cannot be read. Is a quotation mark missing?"),
    "sheet_missing": _l("The workbook has no sheet “%(name)s”. Please use the template."),
    "sheet_more": _l("Sheet %(number)s does not belong to the template. Please delete it."),
    "sheet_hidden": _l("Sheet %(number)s is hidden, and something stands there."),
    "instrument": _l("This is not the template of %(wanted)s."),
    "version": _l(
        "The template is of another version of the questionnaire; now it is version %(wanted)s."
        " Please download the template again."
    ),
    "language": _l("This is the template of another language, not of %(language)s."),
    "header": _l("Column %(column)s must be called “%(wanted)s”."),
    "no_rows": _l("There is a header, and nothing below it."),
    "beside": _l("Something stands to the right of the table, in column %(column)s."),
    "merged": _l("Cells are merged: %(cells)s. Please separate them."),
    "hidden_row": _l("This row is hidden. Please show it."),
    "hidden_column": _l("Column %(column)s is hidden. Please show it."),
    "key_blank": _l("This row has no key."),
    "key_unknown": _l("This key is not in the template."),
    "key_twice": _l("This key is there twice, first in row %(first)s."),
    "key_gone": _l("This row of the template is missing."),
    "order": _l("The rows are not in the template's order. Here belongs %(wanted)s."),
    "changed": _l("The column “%(column)s” was changed."),
    "formula": _l("There is a formula in the column “%(column)s”. Please write the text itself."),
    "number": _l("There is a number in the column “%(column)s”. Please format the cell as text."),
    "date": _l("There is a date in the column “%(column)s”. Please format the cell as text."),
    "boolean": _l(
        "There is a logical value in the column “%(column)s”. Please format the cell as text."
    ),
    "error_cell": _l("The spreadsheet reports an error in the column “%(column)s”."),
    "empty": _l("The text is empty."),
    "long": _l("The text is longer than %(most)s characters."),
    "outer_space": _l("The text begins or ends with a space."),
    "double_space": _l("Two spaces follow each other."),
    "line_break": _l("There is a line break in the text."),
    "control": _l("There is a control character, %(character)s."),
    "invisible": _l("There is an invisible character, %(character)s."),
    "unusual": _l("There is a character that no text has, %(character)s."),
    "garbled": _l("The text was garbled when it was saved, at %(character)s."),
    "not_nfc": _l("The text is not in the Unicode normal form NFC."),
    "placeholder": _l("A placeholder was left in the text: %(sign)s"),
    "script": _l("The text is not in the script of %(language)s: %(character)s."),
    "no_letters": _l("The text has no letter and no digit."),
    "traditional": _l("There is a traditional Chinese character, %(character)s."),
    "reads_like": _l("The text reads like %(read)s, not like %(language)s."),
    "hint": _l("This is the demonstration wording of %(place)s."),
    "hint_options": _l("All these options are those of the demonstration wording."),
    "other_language": _l("This is the same text as in %(read)s."),
    "twin_items": _l("This is the same text as at %(other)s, or nearly."),
    "twin_options": _l("This is the same option as %(other)s, or nearly."),
    "file_language": _l("The file does not read like %(language)s."),
    "file_of": _l("The file holds the texts of %(read)s."),
}
COUNTED = frozenset({"options"})  # whose sentence depends on a number
FORMATS: Words = {
    "pdf": _l("a PDF file"),
    "rtf": _l("an RTF document"),
    "picture": _l("a picture"),
    "markup": _l("a web page"),
    "binary_workbook": _l("a binary workbook"),
    "document": _l("a Word document"),
    "presentation": _l("a presentation"),
    "open_document": _l("an OpenDocument file"),
    "packed": _l("a packed file"),
}
_NAMES: Mapping[str, Mapping[str, object]] = {
    "language": locale.NAMES,
    "read": locale.NAMES,
    "kind": FORMATS,
}


def reason(fault: Fault) -> str:
    """What is wrong, without the text that stands there."""
    told = {name: _named(name, value) for name, value in fault.values}
    if fault.code == "options":
        found = int(told["found"])
        return str(
            ngettext(
                "%(items)s has %(num)d option in the file; the questionnaire has %(wanted)s.",
                "%(items)s has %(num)d options in the file; the questionnaire has %(wanted)s.",
                found,
                items=told["items"],
                wanted=told["wanted"],
            )
        )
    return str(REASONS[fault.code]) % told


def _named(name: str, value: str | int) -> str | int:
    """A language or a kind of file by its name, anything else as it is."""
    words = _NAMES.get(name, {})
    return str(words[str(value)]) if str(value) in words else value


def place(fault: Fault) -> str:
    """Where: the sheet, if the file has any, and the row, from 1."""
    if fault.row is None:
        return fault.sheet or _("the whole file")
    return f"{fault.sheet}, {fault.row}" if fault.sheet else str(fault.row)
