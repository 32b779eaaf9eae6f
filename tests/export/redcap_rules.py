"""REDCap's own rules for data dictionaries and imports, as its public guides state them.

A line each of the guides: "Data Dictionary: column reference", "Data Import Tool", "Longitudinal
structure", "Missing Data Codes".
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import datetime
from itertools import pairwise
from pathlib import Path

COLUMNS = [
    "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
    "Choices, Calculations, OR Slider Labels", "Field Note",
    "Text Validation Type OR Show Slider Number", "Text Validation Min", "Text Validation Max",
    "Identifier?", "Branching Logic (Show field only if...)", "Required Field?",
    "Custom Alignment", "Question Number (surveys only)", "Matrix Group Name", "Matrix Ranking?",
    "Field Annotation",
]  # fmt: skip
TYPES = {"text", "notes", "dropdown", "radio", "checkbox", "calc", "file", "descriptive", "slider",
         "yesno", "truefalse"}  # fmt: skip
WITH_CHOICES = {"dropdown", "radio", "checkbox"}
VALIDATIONS = {
    "": r"[^\r\n]*",
    "integer": r"-?\d+",
    "number": r"-?\d+(\.\d+)?",
    "date_ymd": r"\d{4}-\d{2}-\d{2}",
    "datetime_seconds_ymd": r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}",
}
NAME = re.compile(r"[a-z][a-z0-9_]+")
CODE = re.compile(r"[A-Za-z0-9._-]+")
COORDINATES = ["record_id", "redcap_event_name", "redcap_repeat_instrument",
               "redcap_repeat_instance"]  # fmt: skip
Line = dict[str, str]


def files(path: Path) -> dict[str, str]:
    """The texts of the ZIP."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def lines(text: str) -> list[Line]:
    """A CSV by its header."""
    assert not text.startswith("\ufeff"), "a mark would become part of the first column's name"
    return list(csv.DictReader(io.StringIO(text), strict=True))


def choices(line: Line) -> dict[str, str]:
    """The choices of a field as REDCap parts them: at every bar, then at the first comma."""
    parts = line["Choices, Calculations, OR Slider Labels"].split("|")
    pairs = [part.split(",", 1) for part in parts]
    assert all(len(pair) == 2 for pair in pairs), line
    return {code.strip(): label.strip() for code, label in pairs}


def check_dictionary(text: str) -> list[Line]:
    """The lines of a data dictionary that REDCap takes."""
    assert next(csv.reader(io.StringIO(text))) == COLUMNS
    found = lines(text)
    names = [line["Variable / Field Name"] for line in found]
    assert names[0] == "record_id"
    assert found[0]["Field Type"] == "text"
    assert len(set(names)) == len(names)
    forms = [line["Form Name"] for line in found]
    changes = sum(one != other for one, other in pairwise(forms))
    assert changes == len(set(forms)) - 1, "a form's lines stand together"
    system = {f"{form}_{end}" for form in forms for end in ("complete", "timestamp")}
    for line, name in zip(found, names, strict=True):
        assert NAME.fullmatch(name)
        assert len(name) <= 26, name
        assert not name.startswith("redcap_")
        assert "___" not in name, "three lines part a checkbox from its choice"
        assert name not in system
        assert NAME.fullmatch(line["Form Name"])
        assert line["Field Type"] in TYPES
        assert line["Field Label"].strip()
        validation = line["Text Validation Type OR Show Slider Number"]
        assert validation in VALIDATIONS
        assert not validation or line["Field Type"] == "text"
        assert bool(line["Choices, Calculations, OR Slider Labels"]) == (
            line["Field Type"] in WITH_CHOICES
        )
        if line["Field Type"] in WITH_CHOICES:
            known = choices(line)
            parts = line["Choices, Calculations, OR Slider Labels"].count("|") + 1
            assert len(known) == parts, "no code twice"
            assert all(CODE.fullmatch(code) for code in known)
            assert all(known.values())
        for cell in line.values():
            assert not re.search(r"[\r\n\[\]{}<>]", cell), "no other value, mark-up or line in it"
    return found


def missing_codes(readme: str) -> dict[str, str]:
    """The missing data codes that the README asks to be set up."""
    found = dict(re.findall(r"^ {7}(\S+?), (.+)$", readme, re.MULTILINE))
    assert all(CODE.fullmatch(code) for code in found)
    return found


def check_data(text: str, dictionary: list[Line], absent: set[str], events: set[str]) -> list[Line]:
    """The rows of an import file that REDCap takes for this dictionary."""
    found = lines(text)
    forms = dict.fromkeys(line["Form Name"] for line in dictionary)
    header = next(csv.reader(io.StringIO(text)))
    fields = {line["Variable / Field Name"]: line for line in dictionary}
    assert header[:4] == COORDINATES
    assert sorted(header[4:]) == sorted(
        [*list(fields)[1:], *(f"{form}_complete" for form in forms)]
    )
    places = [tuple(line[name] for name in COORDINATES) for line in found]
    assert len(set(places)) == len(places), "one row per record, event and instance"
    for line in found:
        assert 0 < len(line["record_id"]) <= 100
        assert line["redcap_event_name"] in events
        assert not line["redcap_repeat_instrument"], "events repeat as a whole"
        assert re.fullmatch(r"([1-9]\d*)?", line["redcap_repeat_instance"])
        for name, cell in line.items():
            if name.endswith("_complete") and name.removesuffix("_complete") in forms:
                assert cell in {"", "0", "1", "2"}
            elif name in fields and cell and cell not in absent:
                check_cell(fields[name], cell)
    return found


def check_cell(field: Line, cell: str) -> None:
    """A value that the field takes."""
    if field["Field Type"] in WITH_CHOICES:
        assert cell in choices(field), (field["Variable / Field Name"], cell)
        return
    validation = field["Text Validation Type OR Show Slider Number"]
    assert re.fullmatch(VALIDATIONS[validation], cell), (field["Variable / Field Name"], cell)
    if validation.startswith("date"):
        datetime.fromisoformat(cell)


def check_structure(events: str, mappings: str, dictionary: list[Line]) -> set[str]:
    """The unique names of the events, as REDCap makes them of the names."""
    found = lines(events)
    assert list(found[0]) == ["event_name", "arm_num", "unique_event_name", "custom_event_label"]
    assert all(line["unique_event_name"] == "" for line in found), "REDCap makes them"
    unique = []
    for line in found:
        plain = re.sub(r"[^a-z0-9_ ]", "", line["event_name"].lower())[:18].strip()
        unique.append(re.sub(r" +", "_", plain) + f"_arm_{line['arm_num']}")
    assert len(set(unique)) == len(unique)
    forms = {line["Form Name"] for line in dictionary}
    for line in lines(mappings):
        assert line["unique_event_name"] in unique
        assert line["form"] in forms
    return set(unique)


def check(path: Path) -> tuple[list[Line], list[Line], dict[str, str]]:
    """The dictionary, the rows and all texts of a ZIP that REDCap takes."""
    texts = files(path)
    dictionary = check_dictionary(texts["data_dictionary.csv"])
    events = check_structure(
        texts["events.csv"], texts["instrument_event_mappings.csv"], dictionary
    )
    absent = set(missing_codes(texts["README.txt"]))
    return dictionary, check_data(texts["data.csv"], dictionary, absent, events), texts
