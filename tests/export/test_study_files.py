"""Every table of a study in every format of this folder that takes any table, read by others."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pandas
import polars as pl
import pyarrow.parquet
import pytest

from pro_app import catalogues
from pro_app.export import codebook, codebook_page, csv, jsonl, parquet, r, xlsx
from pro_app.export.table import Table
from pro_app.services import enrolment, tables
from pro_app.services.tables import NAMES, Request
from tests.conftest import Site
from tests.export.readers import run_r

FORMATS = {
    "people.csv": csv.write,
    "exact.csv": csv.write_exact,
    "jsonl": jsonl.write,
    "parquet": parquet.write,
    "xlsx": xlsx.write,
    "zip": r.write,
    "codebook.people.csv": codebook.write,
    "codebook.exact.csv": codebook.write_exact,
    "codebook.xlsx": xlsx.write_codebook,
    "codebook.html": codebook_page.write,
}


@contextmanager
def taken(site: Site, name: str, **parts: Any) -> Iterator[Table]:
    """A table of the study, in Tamil."""
    catalogues.compile_catalogues()
    words = catalogues.words("ta")
    request = Request(site.study, site.library, "ta", site.clock(), words, **parts)
    with site.database.snapshot() as session:
        yield tables.table(session, name, request)


def written(made: Table, folder: Path) -> dict[str, Path]:
    paths = {ending: folder / f"{made.name}.{ending}" for ending in FORMATS}
    for ending, write in FORMATS.items():
        write(made, paths[ending])
    return paths


@pytest.fixture
def lived(site: Site) -> Site:
    """Two people: one submitted, half done and repeated, one withdrawn."""
    first = site.enrol("01-002")
    lupusqol, sf36 = site.open(first)
    site.answer_all(lupusqol, place=2)
    site.answer(lupusqol, {"LQ02": "skipped", "LQ15": "not_applicable"}, language="ta")
    site.submit(lupusqol, site.join(first))
    site.answer(sf36, {"GH01": 1})
    site.open(first, occurrence=2)
    other = site.enrol("01-001")
    site.open(other)
    with site.database.writing() as session:
        enrolment.withdraw(session, other.id, site.clock())
    return site


def read_all(made: Table, paths: dict[str, Path]) -> dict[str, pandas.DataFrame]:
    """What pandas has of each format, as texts."""
    texts: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": [""]}
    return {
        "people.csv": pandas.read_csv(paths["people.csv"], encoding="utf-8-sig", **texts),
        "exact.csv": pandas.read_csv(paths["exact.csv"], **texts),
        "jsonl": pandas.read_json(io.BytesIO(paths["jsonl"].read_bytes()), lines=True, dtype=False),
        "parquet": pandas.read_parquet(paths["parquet"]),
        "xlsx": pandas.read_excel(paths["xlsx"], **texts),
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_format_has_every_row_and_column(lived: Site, name: str, tmp_path: Path) -> None:
    with taken(lived, name) as made:
        paths = written(made, tmp_path)
        frame = pl.concat([made.empty(), *made.frames()])
    blanked = made.blanked(frame)
    absent = {column: blanked[column].null_count() for column in blanked.columns}
    empty_texts = {
        one.name: (blanked[one.name] == "").sum() for one in made.columns if one.kind == "text"
    }
    for ending, found in read_all(made, paths).items():
        if frame.is_empty() and ending == "jsonl":
            continue
        assert list(found.columns) == frame.columns, ending
        assert len(found) == frame.height, ending
        for column in frame.columns:
            nothing = absent[column]
            if ending in ("people.csv", "exact.csv", "xlsx"):
                nothing += empty_texts.get(column, 0)  # which pandas takes for nothing
            assert found[column].isna().sum() == nothing, f"{ending}: {column}"


@pytest.mark.parametrize("name", NAMES)
def test_every_codebook_has_every_label_in_tamil(lived: Site, name: str, tmp_path: Path) -> None:
    with taken(lived, name) as made:
        paths = written(made, tmp_path)
    lines = pandas.read_csv(paths["codebook.exact.csv"], dtype=str, keep_default_na=False)
    columns = lines[(lines["column"] != "") & (lines["kind"] != "")]
    assert list(columns["label"]) == [one.label for one in made.columns]
    sheet = openpyxl.load_workbook(paths["codebook.xlsx"])["codebook"]
    assert [row[1].value for row in sheet.iter_rows(min_row=2)] == list(columns["label"])
    metadata = pyarrow.parquet.read_metadata(paths["parquet"]).metadata[b"codebook"].decode()
    page = paths["codebook.html"].read_text(encoding="utf-8")
    for note in made.notes:
        assert note in metadata
        assert note in page
        assert note in list(lines["label"])
    assert page.startswith('<!doctype html>\n<html lang="ta">')


def test_r_loads_every_table(lived: Site, tmp_path: Path) -> None:
    expected = []
    for name in NAMES:
        with taken(lived, name) as made:
            r.write(made, tmp_path / f"{name}.zip")
            rows = sum(frame.height for frame in made.frames())
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            archive.extractall(tmp_path / name)
        expected.append(f"{name} {rows} {len(made.columns)}")
    printed = run_r(
        'for (name in commandArgs(TRUE)) { source(file.path(name, "load.R"));'
        " data <- get(basename(name));"
        ' cat(basename(name), nrow(data), ncol(data), "\\n") };'
        ' cat(paste(answers$LQ01, haven::na_tag(answers$LQ02)), sep = "\\n")',
        *(tmp_path / name for name in NAMES),
    ).splitlines()
    assert [line.strip() for line in printed[: len(NAMES)]] == expected
    assert "2 s" in printed[len(NAMES) :], "answered, and skipped after confirming"


def test_the_same_study_gives_the_same_bytes(lived: Site, tmp_path: Path) -> None:
    for folder in ("once", "again"):
        (tmp_path / folder).mkdir()
    for name in NAMES:
        with taken(lived, name) as made:
            once = written(made, tmp_path / "once")
        with taken(lived, name) as made:
            again = written(made, tmp_path / "again")
        for ending in FORMATS:
            assert once[ending].read_bytes() == again[ending].read_bytes(), f"{name}.{ending}"


def test_study_days_leave_no_date_in_any_file(lived: Site, tmp_path: Path) -> None:
    anchor = lived.study.definition.anchors[0].code
    for name in NAMES:
        if name == "audit":
            continue
        with taken(lived, name, days_from=anchor) as made:
            assert not [one.name for one in made.columns if one.kind in ("moment", "day")]
            paths = written(made, tmp_path)
        found = read_all(made, paths)["exact.csv"]
        dated = [column for column in found if found[column].str.contains(r"20\d\d-\d\d").any()]
        assert dated == [], name
