"""SPSS files, as R's haven and pyreadstat read them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pyreadstat
import pytest
from hypothesis import HealthCheck, given, settings

from pro_app.export import spss
from pro_app.export.statistical import whole
from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, Column, Table, TableError
from tests.export import awkward, haven, samples
from tests.export.awkward import table

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 haven's seconds are wall time


def same(read: pl.DataFrame, made: Table) -> None:
    """Every cell as it was; a missing text is empty, blanks at its end are gone."""
    expected = whole(made, spss.TEXT)
    for one in made.columns:
        cells, wanted = read[one.name], expected[one.name]
        if one.kind == "text":
            assert cells.fill_null("").to_list() == [
                (text or "").rstrip(" ") for text in wanted.to_list()
            ]
        elif one.kind == "moment":
            apart = (cells.cast(pl.Datetime("us")) - wanted).dt.total_microseconds().abs()
            assert apart.null_count() == wanted.null_count()
            assert (apart <= 5).all()
        elif one.kind == "day":
            assert cells.cast(pl.Date).to_list() == wanted.to_list()
        else:
            assert cells.cast(pl.Float64).to_list() == wanted.cast(pl.Float64).to_list()


def read(path: Path) -> tuple[pl.DataFrame, pyreadstat.metadata_container]:
    return pyreadstat.read_sav(path, output_format="polars", user_missing=True)


def test_haven_reads_every_value_and_label(tmp_path: Path) -> None:
    made = samples.table()
    spss.write(made, tmp_path / "answers.sav")
    file, columns = haven.haven(tmp_path / "answers.sav")
    assert file["label"] == samples.NOTES[0]
    assert file["notes"] == list(samples.NOTES)
    assert list(columns) == [one.name for one in samples.COLUMNS]
    frame = whole(made, spss.TEXT)
    for one in samples.COLUMNS:
        zone = " (Asia/Kuala_Lumpur)" if one.kind == "moment" else ""
        assert columns[one.name]["label"] == one.label + zone
        assert haven.labels(columns[one.name]) == dict(one.codes) | dict(one.missing)
    for name in ("occurrence", "late", "LQ01", "LQ02", "lupusqol_LQPH"):
        assert columns[name]["values"] == frame[name].to_list()
    for name in ("study", "participant", "mode", "comment"):
        assert columns[name]["values"] == frame[name].fill_null("").to_list()
    assert columns["due_on"]["class"] == ["Date"]
    assert columns["due_on"]["values"] == frame["due_on"].to_physical().to_list()
    for seconds, wall in zip(columns["completed_at"]["values"], frame["completed_at"], strict=True):
        assert (seconds is None) == (wall is None)
        assert wall is None or abs(seconds - (wall - EPOCH).total_seconds()) < 5e-6


def test_kinds_of_absence_are_apart_and_declared_missing(tmp_path: Path) -> None:
    spss.write(samples.table(), tmp_path / "answers.sav")
    _, columns = haven.haven(tmp_path / "answers.sav")
    for name in ("LQ01", "LQ02"):
        assert columns[name]["absent"] == [SKIPPED, NOT_APPLICABLE, NOT_REACHED]
    assert columns["LQ01"]["values"] == [4, NOT_APPLICABLE, NOT_REACHED, 2]
    assert columns["late"]["absent"] == []
    frame, _ = pyreadstat.read_sav(tmp_path / "answers.sav", output_format="polars")
    assert frame["LQ01"].to_list() == [4, None, None, 2], "SPSS counts none of them"


def test_whole_numbers_show_no_decimals_and_each_column_its_measure(tmp_path: Path) -> None:
    columns = (Column("n", "integer", ""), Column("skew_ms", "integer", ""))
    spss.write(table([(1, -123456789012), (None, 5)], columns), tmp_path / "wide.sav")
    frame, about = read(tmp_path / "wide.sav")
    assert about.original_variable_types == {"n": "F8.0", "skew_ms": "F13.0"}
    assert frame["skew_ms"].to_list() == [-123456789012, 5]
    spss.write(samples.table(), tmp_path / "answers.sav")
    _, about = read(tmp_path / "answers.sav")
    assert about.original_variable_types["LQ01"] == "F8.0"
    assert about.original_variable_types["due_on"] == "DATE11"
    assert about.original_variable_types["completed_at"] == "DATETIME20"
    assert about.variable_measure["LQ01"] == "ordinal"
    assert about.variable_measure["mode"] == "nominal"
    assert about.variable_measure["lupusqol_LQPH"] == "scale"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(awkward.tables())
def test_any_cell_comes_back(tmp_path_factory: pytest.TempPathFactory, made: Table) -> None:
    path = tmp_path_factory.mktemp("sav") / "made.sav"
    spss.write(made, path)
    frame, about = read(path)
    same(frame, made)
    assert about.variable_value_labels["item"] == {0: "கௌ", 1: "一", -7: "எ", -9: "不"}
    content = path.read_bytes()
    spss.write(made, path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("width", [1, 8, 9, 252, 253, 255, 256, 257, 504, 505, 1000, 32_767])
def test_texts_of_every_length_are_whole(tmp_path: Path, width: int) -> None:
    columns = (
        Column("a", "text", ""),
        Column("b", "text", "", {"é": "x"}),
        Column("n", "integer", ""),
    )
    mixed = ("தமிழ் 一" * 2000).encode()[:width].decode(errors="ignore")
    made = table([("y" * width, "é", 1), (mixed, None, 2)], columns)
    spss.write(made, tmp_path / "long.sav")
    frame, about = read(tmp_path / "long.sav")
    same(frame, made)
    assert about.variable_value_labels["b"] == {"é": "x"}


def test_a_text_that_spss_cannot_hold_is_refused(tmp_path: Path) -> None:
    made = table([("x" * 32_768,)], (Column("detail", "text", ""),))
    with pytest.raises(TableError, match="detail has a text of 32768 bytes; this format holds"):
        spss.write(made, tmp_path / "long.sav")


def test_a_name_that_spss_keeps_for_itself_is_refused(tmp_path: Path) -> None:
    made = table([(1,)], (Column("ALL", "integer", ""),))
    with pytest.raises(TableError, match="made: "):
        spss.write(made, tmp_path / "name.sav")


def test_long_labels_are_cut_and_long_notes_are_whole(tmp_path: Path) -> None:
    column = Column("c", "integer", "கௌ" * 100, {1: "கௌ" * 100}, {SKIPPED: "一" * 100})
    made = table([(1,)], (column,))
    notes = ("示范用语，" * 20, "மாதிரி வாசகம் " * 9)
    made = Table("t", "t", "s", "ta", "UTC", made.columns, made.frames, notes)
    spss.write(made, tmp_path / "long.sav")
    file, columns = haven.haven(tmp_path / "long.sav")
    assert columns["c"]["label"] == "கௌ" * 42 + "…"
    assert haven.labels(columns["c"]) == {1: "கௌ" * 19 + "…", SKIPPED: "一" * 39 + "…"}
    assert all(len(line.encode()) <= spss.NOTE_LINE for line in file["notes"])
    assert "".join(file["notes"]).replace(" ", "") == "".join(notes).replace(" ", "")


def test_no_rows_and_columns_without_any_value(tmp_path: Path) -> None:
    spss.write(samples.nothing(), tmp_path / "nothing.sav")
    frame, about = read(tmp_path / "nothing.sav")
    assert frame.height == 0
    assert about.column_names == [one.name for one in samples.COLUMNS]
    assert about.variable_value_labels["LQ01"] == {**samples.FREQUENCY, **samples.MISSING}
    made = table([(None,) * 7] * 2, awkward.COLUMNS)
    spss.write(made, tmp_path / "null.sav")
    same(read(tmp_path / "null.sav")[0], made)


def test_the_header_tells_no_time(tmp_path: Path) -> None:
    spss.write(samples.table(), tmp_path / "answers.sav")
    _, about = read(tmp_path / "answers.sav")
    assert about.creation_time == datetime(1980, 1, 1)  # noqa: DTZ001
