"""What can be wrong with an uploaded file, in the page's language and without what stood there."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from pro_app.core.file_table import Fault
from pro_app.web.staff_words import Words

REASONS: Words = {  # by the codes of core.file_table.REASONS
    "empty": _l("The file is empty."),
    "no_lines": _l("The file has a header, and no line below it."),
    "too_large": _l("The file is too large. Please enrol in several files."),
    "encoding": _l("The file cannot be read. Please save it as “CSV UTF-8”."),
    "no_text": _l("The file is not text. Please save it as “CSV UTF-8”."),
    "unreadable": _l("From here on the file cannot be read. Is a quotation mark missing?"),
    "unnamed": _l("This column has no name."),
    "column_twice": _l("A column is there twice."),
    "no_column": _l("A column has an unknown name. The names are listed below."),
    "column_missing": _l("This column is missing."),
    "cells": _l("This line has %(found)s cells, the header has %(wanted)s."),
    "missing": _l("Something must stand here."),
    "identity": _l("This looks like a national identity number. It must not be in the file."),
    "number_twice": _l("This study number is in the file twice, first in line %(first)s."),
    "taken": _l("This study number is taken."),
    "long_number": _l("This study number has more than %(most)s characters."),
    "pattern": _l("This is not a study number of this site."),
    "no_site": _l("The study has no such site, or it is not yours. The codes are listed below."),
    "foreign_site": _l("This is not a site of yours."),
    "no_language": _l("The study has no such language. The codes are listed below."),
    "version": _l("A version of the consent form has 1 to %(most)s characters."),
    "no_day": _l("This is not a day. Days are written like 2026-11-22."),
    "future": _l("This day lies in the future."),
    "email": _l("This is not an e-mail address we can write to."),
    "yes_no": _l("Only yes or no may stand here, or nothing."),
    "meanwhile": _l("Somebody has enrolled one of these study numbers meanwhile."),
}


def reason(fault: Fault) -> str:
    """What is wrong, without the value that stands there."""
    return str(REASONS[fault.code]) % dict(fault.about)


def place(fault: Fault) -> str:
    """The line of the file, from 1."""
    return _("the whole file") if fault.line is None else str(fault.line)
