"""The codebook as CSV, read by Python's own reader and by R."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

from pro_app.export import codebook
from tests.export import samples
from tests.export.readers import run_r

HEADER = ["column", "kind", "label", "instrument", "code", "code_label", "absence"]


def lines(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text), strict=True))


def test_the_table_its_columns_and_their_codes_in_order(tmp_path: Path) -> None:
    codebook.write_exact(samples.table(), tmp_path / "codebook.csv")
    head, *found = lines((tmp_path / "codebook.csv").read_bytes().decode())
    assert head == HEADER
    assert found[:6] == [
        ["", "table", "answers", "", "", "", ""],
        ["", "title", "பதில்கள்", "", "", "", ""],
        ["", "study", "trial", "", "", "", ""],
        ["", "language", "ta", "", "", "", ""],
        ["", "zone", "Asia/Kuala_Lumpur", "", "", "", ""],
        ["", "note", "Demonstration wording, not the validated instrument.", "", "", "", ""],
    ]
    expected = []
    for one in samples.COLUMNS:
        expected.append([one.name, one.kind, one.label, one.group, "", "", ""])
        for absence, codes in (("0", one.codes), ("1", one.missing)):
            expected += [
                [one.name, "", "", "", str(c), label, absence] for c, label in codes.items()
            ]
    assert found[6:] == expected


def test_the_one_for_people_is_marked_and_runs_nothing(tmp_path: Path) -> None:
    first, *others = samples.COLUMNS
    made = replace(samples.table(), columns=(replace(first, label="=cmd|x"), *others))
    codebook.write(made, tmp_path / "codebook.csv")
    text = (tmp_path / "codebook.csv").read_bytes().decode()
    assert text.startswith("\ufeff")
    found = lines(text[1:])
    assert ["study", "text", "'=cmd|x", "", "", "", ""] in found
    assert ["LQ01", "", "", "", "-7", "பதில் தரவில்லை", "1"] in found, "a number runs nothing"


def test_r_reads_tamil_and_chinese_labels(tmp_path: Path) -> None:
    codebook.write_exact(samples.table(), tmp_path / "codebook.csv")
    printed = run_r(
        'book <- read.csv(commandArgs(TRUE), encoding = "UTF-8", na.strings = "");'
        ' cat(book$label[!is.na(book$column) & !is.na(book$kind)], sep = "\\n")',
        tmp_path / "codebook.csv",
    )
    assert printed.splitlines() == [one.label for one in samples.COLUMNS]


def test_remarks_tell_the_zone_and_the_absences_only_where_there_are_such_columns() -> None:
    said = list(codebook.remarks(samples.table()))
    assert said[0] == samples.NOTES[0]
    assert said[1] == "All times: Asia/Kuala_Lumpur."
    assert said[2].startswith("Some codes say why there is no answer.")
    plain = replace(samples.table(), columns=samples.COLUMNS[:2])
    assert list(codebook.remarks(plain)) == list(samples.NOTES)


def test_an_empty_table_has_the_same_codebook() -> None:
    assert codebook.exact(samples.nothing()) == codebook.exact(samples.table())
