"""The fields of a REDCap project: which column of ours becomes which field of which form.

The rules are those of REDCap's data dictionary: eighteen columns, a line a field; names of small
letters, digits and `_`, unique in the whole project; choices as `code, label | code, label`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pro_app.export.table import Column, Table

HEADER = (
    "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
    "Choices, Calculations, OR Slider Labels", "Field Note",
    "Text Validation Type OR Show Slider Number", "Text Validation Min", "Text Validation Max",
    "Identifier?", "Branching Logic (Show field only if...)", "Required Field?",
    "Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?",
    "Field Annotation",
)  # fmt: skip
LONGEST = 26  # letters of a name that REDCap recommends at most
RECORD, PARTICIPANT = "record_id", "participant"
KEY = frozenset({"study", "site", "participant", "timepoint", "occurrence", "instrument"})
OF_PARTICIPANT = ("study", "site")
VALIDATION = {
    "integer": "integer", "number": "number", "moment": "datetime_seconds_ymd", "day": "date_ymd",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name and form in REDCap, and the column it is filled from."""

    name: str
    form: str
    column: Column


@dataclass(frozen=True, slots=True)
class Form:
    """An instrument's form, and its fields from the answers and from the scores."""

    name: str
    title: str
    answers: tuple[Field, ...]
    scores: tuple[Field, ...]


class Names:
    """Gives out names, each once."""

    def __init__(self, taken: set[str], longest: int = LONGEST) -> None:
        self.taken, self.longest = taken, longest

    def new(self, *parts: str) -> str:
        """A name made of the parts that is not given out yet."""
        plain = re.sub(r"[^a-z0-9]+", "_", "_".join(parts).casefold()).strip("_")
        if not re.match(r"[a-z].", plain):
            plain = f"v_{plain}"
        name, number = plain[: self.longest].rstrip("_"), 2
        while name in self.taken:
            tail = f"_{number}"
            name, number = f"{plain[: self.longest - len(tail)].rstrip('_')}{tail}", number + 1
        self.taken.add(name)
        return name


def participant_fields(answers: Table) -> tuple[Field, ...]:
    """The fields that a participant has once."""
    columns = {one.name: one for one in answers.columns}
    return tuple(Field(name, PARTICIPANT, columns[name]) for name in OF_PARTICIPANT)


def forms(answers: Table, scores: Table) -> dict[str, Form]:
    """The form of each instrument, by its code and in the order of the table's value labels.

    What both tables have is taken from the answers.
    """
    (column,) = (one for one in answers.columns if one.name == "instrument")
    titles = {str(code): text for code, text in column.codes.items()}
    own = KEY | {one.name for one in answers.columns}
    of_scores = [one for one in scores.columns if one.name not in own]
    of_answers = [one for one in answers.columns if one.name not in KEY]
    form_names = Names({PARTICIPANT})
    called = {code: form_names.new(code) for code in titles}
    names = Names(
        {RECORD, *OF_PARTICIPANT, f"{PARTICIPANT}_complete"}
        | {f"{name}_{end}" for name in called.values() for end in ("complete", "timestamp")}
    )
    groups = {code: _groups(of_scores, code) for code in titles}
    return {
        code: Form(
            called[code],
            titles[code],
            _fields(called[code], [one for one in of_answers if one.group in ("", code)], names),
            _fields(called[code], groups[code], names),
        )
        for code in titles
    }


def _groups(columns: list[Column], code: str) -> list[Column]:
    """The columns of an instrument's scores; a scoring's version is where its scales are."""
    stems = {one.name.rpartition("_")[0]: one.group for one in columns if one.group}
    found = []
    for one in columns:
        column = one
        if one.name.endswith("_algorithm"):
            scoring = one.name.removesuffix("_algorithm")
            group = next((of for stem, of in stems.items() if _begins(stem, scoring)), "")
            column = replace(one, group=group)
        if column.group in ("", code):
            found.append(column)
    return found


def _begins(stem: str, scoring: str) -> bool:
    return stem == scoring or stem.startswith(f"{scoring}_")


def _fields(form: str, columns: list[Column], names: Names) -> tuple[Field, ...]:
    """Columns that every instrument has are called after the form, too."""
    return tuple(
        Field(names.new(one.name) if one.group else names.new(form, one.name), form, one)
        for one in columns
    )


def dictionary(answers: Table, made: dict[str, Form]) -> Iterator[dict[str, str]]:
    """The lines of the data dictionary. A form begins with the notes, such as that its wording is
    a demonstration."""
    (number,) = (one for one in answers.columns if one.name == "participant")
    yield _line(Field(RECORD, PARTICIPANT, number), answers)
    for field in participant_fields(answers):
        yield _line(field, answers)
    for form in made.values():
        for place, field in enumerate((*form.answers, *form.scores)):
            line = _line(field, answers)
            if place == 0:
                line["Section Header"] = harmless(" ".join((form.title, *answers.notes)))
            yield line


def _line(field: Field, table: Table) -> dict[str, str]:
    column = field.column
    line = dict.fromkeys(HEADER, "")
    line["Variable / Field Name"] = field.name
    line["Form Name"] = field.form
    line["Field Label"] = harmless(column.label) or field.name
    line["Field Type"] = "text"
    if column.codes:
        line["Field Type"] = "dropdown" if column.kind == "text" else "radio"
        line["Choices, Calculations, OR Slider Labels"] = " | ".join(
            f"{code}, {harmless(text) or code}" for code, text in column.codes.items()
        )
    else:
        line["Text Validation Type OR Show Slider Number"] = VALIDATION.get(column.kind, "")
    if column.kind == "moment":
        line["Field Note"] = table.zone
    return line


def harmless(text: str) -> str:
    """The text without what REDCap would act on: a bar divides choices, brackets and braces call
    for another field, angles mark up, and a line ends."""
    plain = text.translate(str.maketrans("|[]{}", "/()()"))
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(plain.split())
