"""What the exports' pages call things, in the page's language."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from pro_app.web.staff_words import Words

Said = Mapping[str, tuple[LazyString, LazyString]]  # a name, and a sentence on it

WHAT: Said = {  # see services.export_formats.TABLES
    "answers": (_l("Answers"), _l("One row for each questionnaire, one column for each question.")),
    "scores": (_l("Scores"), _l("One row for each questionnaire, one column for each scale.")),
    "assessments": (
        _l("Questionnaires"),
        _l("What was expected and when, and what became of it, without answers."),
    ),
    "answers_long": (
        _l("Answers, one by one"),
        _l("One row for each question, with the value before a correction, times and wording."),
    ),
    "scores_long": (
        _l("Scores, one by one"),
        _l("One row for each scale, with the reason where there is no score."),
    ),
    "participants": (
        _l("Participants"),
        _l("Study numbers with their dates; no names, telephone numbers or addresses."),
    ),
    "reminders": (_l("Reminders"), _l("Every reminder, and what became of it.")),
    "corrections": (_l("Corrections"), _l("With both values, decisions and signatures.")),
    "audit": (_l("Record"), _l("Every entry about the participants.")),
}
FORMAT: Said = {  # see services.export_formats.FORMATS
    "sav": (_l("SPSS"), _l("With labels. Why an answer is missing stays apart.")),
    "dta": (_l("Stata"), _l("With labels. Why an answer is missing stays apart.")),
    "xpt": (_l("SAS"), _l("A transport file, with a program that gives it its labels.")),
    "r": (_l("R"), _l("The data with a script that loads and labels them.")),
    "xlsx": (_l("Excel"), _l("With sheets that explain every column. Up to a million rows.")),
    "csv": (
        _l("CSV for people"),
        _l(
            "Opens in any spreadsheet. Texts that a spreadsheet would run begin with an apostrophe."
        ),
    ),
    "csv_exact": (
        _l("CSV for programs"),
        _l("Every cell exactly as it is. Not for opening in a spreadsheet."),
    ),
    "parquet": (
        _l("Parquet"),
        _l("Small and fast, for Python, R and databases. Exact, with types and labels inside."),
    ),
    "jsonl": (_l("JSON Lines"), _l("One object for each row, for programs. Exact.")),
}
PACKAGE: Said = {  # see services.export_formats.PACKAGES: what, and in which format
    "cdisc/json": (
        _l("CDISC, Dataset-JSON"),
        _l("SDTM QS with its qualifiers, and ADaM ADQS. Exact."),
    ),
    "cdisc/ndjson": (
        _l("CDISC, Dataset-JSON by lines"),
        _l("The same for very large studies."),
    ),
    "cdisc/csv": (_l("CDISC, CSV"), _l("The same as plain tables with a codebook. Exact.")),
    "fhir/ndjson": (
        _l("FHIR"),
        _l("Questionnaires and answers for health record systems, release 4. Exact."),
    ),
    "redcap/csv": (
        _l("REDCap"),
        _l("Data dictionary, events, and answers and scores to import."),
    ),
}
STATE: Words = {  # see models.export_job.EXPORT_STATES
    "waiting": _l("waits for its turn"),
    "running": _l("is being made"),
    "done": _l("ready"),
    "failed": _l("could not be made"),
    "expired": _l("removed after seven days"),
}
ERROR: Words = {  # see services.export_jobs
    "format": _l("This format cannot hold these data. Please choose another one, such as CSV."),
    "role": _l("Your role did not cover all these sites any more."),
    "disk": _l("There was no room for the file on the server. Please tell the operator."),
    "browser": _l("The server has no browser to make it with. Please tell the operator."),
    "wording": _l("The study has this wording no longer. Please choose another one."),
    "fault": _l("Something went wrong on the server. Please try again, or tell the operator."),
}
KIND: Words = {  # see export.table.Kind
    "text": _l("text"),
    "integer": _l("whole number"),
    "number": _l("numeric"),
    "moment": _l("date and time"),
    "day": _l("day"),
}


def name(what: str, form: str) -> str:
    """What was asked for, in few words."""
    if what in WHAT:
        return f"{WHAT[what][0]} · {FORMAT[form][0]}"
    return str(PACKAGE[f"{what}/{form}"][0])


def error(code: str) -> str:
    """Why an export failed; what has no words of its own went wrong on the server."""
    return str(ERROR.get(code, ERROR["fault"]))


def size(count: int) -> str:
    """A number of bytes, as people tell it."""
    if count < 1_000_000:
        kilobytes = format_decimal(max(round(count / 1_000, 1), 0.1))
        return str(_("%(number)s kB", number=kilobytes))
    return str(_("%(number)s MB", number=format_decimal(round(count / 1_000_000, 1))))
