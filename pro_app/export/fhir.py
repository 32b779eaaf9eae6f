"""FHIR R4: a study's questionnaires and its answers as NDJSON, one resource a line.

A file for programs: UTF-8, nothing in it is changed for spreadsheets. The same data give the same
bytes.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

from pro_app.export.fhir_definitions import code_systems, extensions
from pro_app.export.fhir_questionnaire import Form, questionnaire
from pro_app.export.fhir_response import responses
from pro_app.export.fhir_terms import Element, Terms, about
from pro_app.export.table import Table

__all__ = ["Form", "one_questionnaire", "write", "write_questionnaires", "write_responses"]

QUESTIONNAIRES = "Questionnaire.ndjson"
RESPONSES = "QuestionnaireResponse.ndjson"
EXTENSIONS = "StructureDefinition.ndjson"
CODES = "CodeSystem.ndjson"
ABOUT = "README.txt"
MOMENT = (1980, 1, 1, 0, 0, 0)  # of every file in the ZIP: the format's first


def write(
    assessments: Table, answers: Table, forms: Sequence[Form], base: str, out: IO[bytes]
) -> None:
    """A ZIP of both files, of the definitions of what in them is our own, and of a page that says
    what is in them.

    `assessments` and `answers` (the long ones) are tables of one request, `forms` the study's
    instruments in its order. `base` is the installation's own address. `TableError` where they do
    not fit together; `out` then holds a broken file.
    """
    with zipfile.ZipFile(out, "w") as archive:
        with _file(archive, ABOUT) as file:
            file.write("".join(f"{line}\n" for line in _about(assessments, base)).encode())
        with _file(archive, QUESTIONNAIRES) as file:
            write_questionnaires(assessments, forms, base, file)
        with _file(archive, RESPONSES) as file:
            write_responses(assessments, answers, forms, base, file)
        with _file(archive, EXTENSIONS) as file:
            _write(extensions(Terms(base), assessments), file)
        with _file(archive, CODES) as file:
            _write(code_systems(forms, Terms(base), assessments), file)


def write_questionnaires(table: Table, forms: Sequence[Form], base: str, out: IO[bytes]) -> None:
    """A Questionnaire for each form; `table`, any of the request's, says the language."""
    terms = Terms(base)
    _write((questionnaire(form, table.language, terms, table.words) for form in forms), out)


def one_questionnaire(form: Form, language: str, base: str, words: Callable[[str], str]) -> bytes:
    """A Questionnaire as a file of its own, for people and programs: its texts in `language`, or
    in the first that there is; `words` say in a language what our own marks mean.

    `TableError` where the form has no wording.
    """
    made = questionnaire(form, language, Terms(base), words)
    text = json.dumps(made, ensure_ascii=False, indent=2, allow_nan=False)
    return f"{text}\n".encode()


def write_responses(
    assessments: Table, answers: Table, forms: Sequence[Form], base: str, out: IO[bytes]
) -> None:
    """A QuestionnaireResponse for each assessment with answers; see `write`."""
    _write(responses(assessments, answers, forms, Terms(base)), out)


def _write(resources: Iterable[Element], out: IO[bytes]) -> None:
    for resource in resources:
        line = json.dumps(resource, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        out.write(line.encode() + b"\n")


def _file(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    info = zipfile.ZipInfo(name, MOMENT)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # the same on every system
    info.external_attr = 0o100644 << 16
    return archive.open(info, "w", force_zip64=True)


def _about(table: Table, base: str) -> Iterator[str]:
    """What is in the files, for people."""
    _ = table.words
    yield f"{table.study}: FHIR R4"
    yield from table.notes
    yield ""
    yield f"{QUESTIONNAIRES}: " + _("the questionnaires, with all their wordings")
    yield f"{RESPONSES}: " + _("the answers, one line for each questionnaire that has any")
    yield f"{EXTENSIONS}, {CODES}: " + _("definitions of this installation, for validators")
    yield _(
        "These are files for programs: texts stand in them exactly, also those that a spreadsheet "
        "would take for a formula."
    )
    yield _(
        "Without an answer, an item says why: “asked-declined” if it was skipped, "
        "“not-applicable” if that was chosen, “not-asked” if it was not reached."
    )
    yield ""
    yield _("Extensions of this installation:")
    terms = Terms(base)
    for name, meaning in about(_).items():
        yield f"{terms.extension(name)['url']}: {meaning}"
