"""What can be wrong with a file of answers, in the page's language."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from pro_app.core import file_table
from pro_app.services.score_file_faults import Problem
from pro_app.web.staff_words import Words

REASONS: Words = {  # by the codes of services.score_file_faults.REASONS
    "empty": _l("The file is empty. It needs a first line with id and the item codes."),
    "utf16": _l("The file cannot be read. Please save it as “CSV UTF-8”."),
    "not_utf8": _l("The file cannot be read. Please save it as “CSV UTF-8”."),
    "quote_open": _l("A quotation mark is opened here and not closed."),
    "quote_closed": _l("A quotation mark is closed before the end of its cell."),
    "semicolons": _l("The cells are separated by semicolons. Please save the file with commas."),
    "tabs": _l("The cells are separated by tabs. Please save the file with commas."),
    "no_header": _l("The first line must hold id and the item codes."),
    "no_column": _l("This is neither id nor an item code."),
    "no_column_but": _l("This is neither id nor an item code. Is it %(item)s?"),
    "column_twice": _l("A column is there twice."),
    "column_missing": _l("This column is missing."),
    "cells": _l("This line has %(found)s cells, the header has %(wanted)s."),
    "no_id": _l("Something must stand here."),
    "id_twice": _l("This id is in the file twice, first in line %(first)s."),
    "no_code": _l("This is none of the codes %(codes)s."),
    "no_code_but": _l("This is none of the codes %(codes)s. Please write %(meant)s."),
    "no_code_missing": _l(
        "This is none of the codes %(codes)s. Please leave the cell empty, or write %(missing)s."
    ),
}


def reason(found: Problem) -> str:
    """What is wrong, without the value that stands there."""
    return str(REASONS[found.code]) % dict(found.about)


def place(found: Problem) -> str:
    """The line of the file, from 1."""
    return _("the whole file") if found.line is None else str(found.line)


def value(found: Problem) -> str:
    """What stands there, as it can be shown."""
    return file_table.shown(found.value)


def column(found: Problem) -> str | None:
    """The column, as it can be shown: its name is whatever the file says."""
    return None if found.column is None else file_table.shown(found.column)
