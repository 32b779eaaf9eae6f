"""The ZIP for R, loaded by R itself, with haven and without."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from pro_app.export import csv, r
from pro_app.export.table import (
    NOT_APPLICABLE,
    NOT_REACHED,
    SKIPPED,
    Column,
    Table,
    TableError,
)  # fmt: skip
from tests.export import samples
from tests.export.readers import ABSENT, AWKWARD, rows, run_r, texts

TAGS = {SKIPPED: "s", NOT_APPLICABLE: "n", NOT_REACHED: "r"}
# Prints every object of the global environment: a line is a path and a value, both as the code
# points of their letters, so that no letter is special. Base R alone.
DUMP = """
source(commandArgs(TRUE)[1], encoding = "UTF-8")
points <- function(x) if (is.na(x)) "NA" else paste(utf8ToInt(enc2utf8(x)), collapse = " ")
say <- function(...) {
  path <- c(...)
  cat(paste(vapply(path, points, ""), collapse = "\\t"), "\\n", sep = "")
}
told <- function(x) {
  if (inherits(x, "POSIXct")) return(ifelse(is.na(x), NA, sprintf("%.6f", as.numeric(x))))
  if (inherits(x, "Date")) return(format(x, "%Y-%m-%d"))
  if (is.factor(x) || is.character(x)) return(as.character(x))
  tags <- if (is.double(x) && isNamespaceLoaded("haven")) haven::na_tag(x) else rep(NA, length(x))
  ifelse(is.na(x), ifelse(is.na(tags), NA, paste0("NA(", tags, ")")),
         if (is.integer(x)) as.character(x) else sprintf("%a", as.double(unclass(x))))
}
for (name in grep("^answers", ls(), value = TRUE)) {
  data <- get(name)
  say(name, "", "rows", as.character(nrow(data)))
  for (text in attr(data, "label")) say(name, "", "label", text)
  for (text in attr(data, "notes")) say(name, "", "note", text)
  for (column in names(data)) {
    x <- data[[column]]
    say(name, column, "class", class(x)[1])
    say(name, column, "type", typeof(x))
    say(name, column, "label", attr(x, "label"))
    if (inherits(x, "POSIXct")) say(name, column, "zone", attr(x, "tzone"))
    if (is.factor(x)) for (level in levels(x)) say(name, column, "level", level)
    codes <- attr(x, "labels")
    for (place in seq_along(codes))
      say(name, column, "code", paste0(told(codes[place]), "=", names(codes)[place]))
    for (value in told(x)) say(name, column, "value", value)
  }
}
"""


@dataclass
class Loaded:
    """What R has: by data frame, column and aspect, the texts in order."""

    told: dict[tuple[str, str, str], list[str | None]]

    def one(self, frame: str, column: str, aspect: str) -> str | None:
        (found,) = self.told[frame, column, aspect]
        return found

    def values(self, column: str, frame: str = "answers") -> list[str | None]:
        return self.told.get((frame, column, "value"), [])


def load(table: Table, folder: Path, haven: bool = True, locale: str = "C.UTF-8") -> Loaded:
    """The table, written, unpacked and loaded by R."""
    r.write(table, folder / "r.zip")
    with zipfile.ZipFile(folder / "r.zip") as archive:
        archive.extractall(folder)
    lines = run_r(DUMP, folder / "load.R", packages=haven, locale=locale).splitlines()
    told = [tuple(_text(one) for one in line.split("\t")) for line in lines]
    groups = groupby(told, lambda line: line[:3])
    return Loaded({path: [line[3] for line in group] for path, group in groups})  # type: ignore[misc]


def _text(points: str) -> str | None:
    return None if points == "NA" else "".join(chr(int(one)) for one in points.split())


def plain(column: Column, value: Any) -> str | None:
    """A cell without codes, as the script above says it."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return f"{value.timestamp():.6f}"
    return str(value)


@pytest.fixture(scope="module")
def with_haven(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(samples.table(), tmp_path_factory.mktemp("haven"))


@pytest.fixture(scope="module")
def without_haven(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load(samples.table(), tmp_path_factory.mktemp("base"), haven=False)


def test_haven_is_hidden_where_it_should_be() -> None:
    asked = 'cat(requireNamespace("haven", quietly = TRUE))'
    assert (run_r(asked), run_r(asked, packages=False)) == ("TRUE", "FALSE")


@pytest.mark.parametrize("fixture", ["with_haven", "without_haven"])
def test_every_column_has_its_class_label_and_values(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    loaded: Loaded = request.getfixturevalue(fixture)
    classes = {
        "text": "character", "integer": "integer", "number": "numeric", "moment": "POSIXct",
        "day": "Date",
    }  # fmt: skip
    assert loaded.one("answers", "", "rows") == "4"
    assert loaded.one("answers", "", "label") == "பதில்கள்"
    assert loaded.told["answers", "", "note"] == list(samples.NOTES)
    for place, column in enumerate(samples.COLUMNS):
        assert loaded.one("answers", column.name, "label") == column.label
        if column.codes:
            continue
        assert loaded.one("answers", column.name, "class") == classes[column.kind]
        values = [row[place] for row in samples.ROWS]
        found = loaded.values(column.name)
        if column.kind == "number":
            assert [None if one is None else float.fromhex(one) for one in found] == values
        else:
            assert found == [plain(column, value) for value in values], column.name
    assert loaded.one("answers", "completed_at", "zone") == "Asia/Kuala_Lumpur"


@pytest.mark.parametrize("fixture", ["with_haven", "without_haven"])
def test_why_there_is_no_answer_is_in_a_frame_of_its_own(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    loaded: Loaded = request.getfixturevalue(fixture)
    assert {column for frame, column, _ in loaded.told if frame == "answers_absent"} == {
        "", "LQ01", "LQ02"
    }  # fmt: skip
    for name in ("LQ01", "LQ02"):
        place = [one.name for one in samples.COLUMNS].index(name)
        assert loaded.told["answers_absent", name, "level"] == list(samples.MISSING.values())
        assert loaded.values(name, "answers_absent") == [
            samples.MISSING.get(row[place])  # type: ignore[call-overload]
            for row in samples.ROWS
        ]


def test_with_haven_codes_are_labelled_and_absences_tagged(with_haven: Loaded) -> None:
    for place, column in enumerate(samples.COLUMNS):
        if not column.codes:
            continue
        assert with_haven.one("answers", column.name, "class") == "haven_labelled"
        kind = "double" if column.missing else {"text": "character"}.get(column.kind, "integer")
        assert with_haven.one("answers", column.name, "type") == kind

        def told(value: Any, kind: str = kind) -> str | None:
            if value in ABSENT:
                return f"NA({TAGS[value]})"
            if value is None:
                return None
            return exact_hex(value) if kind == "double" else str(value)

        codes = {**column.codes, **column.missing}
        assert with_haven.told["answers", column.name, "code"] == [
            f"{told(code)}={label}" for code, label in codes.items()
        ]
        assert with_haven.values(column.name) == [told(row[place]) for row in samples.ROWS]


def exact_hex(value: int) -> str:
    """The number as C's `%a` has it."""
    return {0: "0x0p+0", 1: "0x1p+0", 2: "0x1p+1", 3: "0x1.8p+1", 4: "0x1p+2"}[value]


def test_without_haven_codes_are_factors_and_absences_na(without_haven: Loaded) -> None:
    for place, column in enumerate(samples.COLUMNS):
        if column.codes:
            assert without_haven.one("answers", column.name, "class") == "factor"
            assert without_haven.told["answers", column.name, "level"] == list(
                column.codes.values()
            )
            assert without_haven.values(column.name) == [
                column.codes.get(row[place])  # type: ignore[call-overload]
                for row in samples.ROWS
            ]


def test_labels_that_two_codes_share_stay_two_levels(tmp_path: Path) -> None:
    columns = (
        Column("participant", "text", "Study number"),
        Column("LQ01", "integer", "Stairs", {0: "often", 1: "often", 2: "never"}),
    )
    made = replace(samples.table(), columns=columns, notes=())
    (frame,) = samples.table(at_once=9).frames()
    rows_of = frame.select("participant", frame["late"].alias("LQ01"))
    loaded = load(replace(made, frames=lambda: iter([rows_of])), tmp_path, haven=False)
    assert loaded.told["answers", "LQ01", "level"] == ["often (0)", "often (1)", "never"]
    assert loaded.values("LQ01") == ["often (0)", "often (1)", None, "often (0)"]
    assert ("answers_absent", "", "rows") not in loaded.told, "no code says why"


@pytest.mark.parametrize("haven", [True, False])
def test_a_machine_that_does_not_speak_utf_8_loads_the_same(haven: bool, tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    other.mkdir()
    assert load(samples.table(), ours, haven) == load(samples.table(), other, haven, locale="C")


@pytest.mark.parametrize("haven", [True, False])
def test_an_empty_table_has_its_columns(haven: bool, tmp_path: Path) -> None:
    loaded = load(samples.nothing(), tmp_path, haven)
    assert loaded.one("answers", "", "rows") == "0"
    for column in samples.COLUMNS:
        assert loaded.one("answers", column.name, "label") == column.label


def test_awkward_texts_are_loaded_as_they_were(tmp_path: Path) -> None:
    some = tuple(("trial", text, 1, *samples.ROWS[0][3:-1], text) for text in AWKWARD)
    read_as_lf = [text.replace("\r\n", "\n") or None for text in AWKWARD]
    loaded = load(samples.table(some), tmp_path)
    assert loaded.values("participant") == loaded.values("comment") == read_as_lf


def test_only_the_first_cell_loses_a_byte_order_mark(tmp_path: Path) -> None:
    marked = "\ufefftrial"
    some = tuple((marked, marked, 1, *samples.ROWS[0][3:-1], marked) for _ in range(2))
    loaded = load(samples.table(some), tmp_path)
    assert loaded.values("study") == ["trial", marked]
    assert loaded.values("participant") == loaded.values("comment") == [marked, marked]


@settings(max_examples=4, deadline=None)  # R takes a second each time
@given(some=rows(texts(banned="\x00\r\ufeff")))
def test_anything_is_loaded_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, some: tuple[tuple[Any, ...], ...]
) -> None:
    loaded = load(samples.table(some), tmp_path_factory.mktemp("any"))
    for place, column in enumerate(samples.COLUMNS):
        if column.kind in ("text", "moment", "day") and not column.codes:
            values = [row[place] for row in some]
            assert loaded.values(column.name) == [plain(column, one) for one in values], column


def test_the_files_of_the_zip(tmp_path: Path) -> None:
    r.write(samples.table(), tmp_path / "r.zip")
    csv.write_exact(samples.table(), tmp_path / "answers.csv")
    with zipfile.ZipFile(tmp_path / "r.zip") as archive:
        assert archive.namelist() == ["data.csv", "codebook.csv", "load.R"]
        assert archive.testzip() is None
        archive.read("load.R").decode("ascii")
        kept = archive.read("data.csv").decode()
    assert ",0,4,-7,6.25," in kept
    blanked = kept.replace(",-7,", ",,").replace(",-8,", ",,").replace(",-9,-9,", ",,,")
    assert blanked.encode() == (tmp_path / "answers.csv").read_bytes()


def test_the_same_bytes_whatever_the_frames(tmp_path: Path) -> None:
    for at_once in (1, 3, 100):
        r.write(samples.table(at_once=at_once), tmp_path / f"{at_once}.zip")
    first, *others = (path.read_bytes() for path in sorted(tmp_path.glob("*.zip")))
    assert others == [first, first]


def test_a_code_of_absence_without_a_tag_is_refused(tmp_path: Path) -> None:
    columns = (*samples.COLUMNS[:-1], Column("x", "integer", "", missing={-6: "lost"}))
    with pytest.raises(TableError, match="x has a code of absence that R has no tag for"):
        r.write(replace(samples.table(), columns=columns), tmp_path / "r.zip")
