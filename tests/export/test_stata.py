"""Stata files, as R's haven, pandas and pyreadstat read them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars as pl
import pyreadstat
import pytest
from hypothesis import HealthCheck, given, settings
from pandas.io.stata import StataMissingValue, StataReader

from pro_app.export import stata
from pro_app.export.statistical import KINDS, whole
from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, Column, Table, TableError
from tests.export import awkward, haven, samples
from tests.export.awkward import table


def cells(made: Table) -> pl.DataFrame:
    """What the file is to hold, with a letter's absence as nothing."""
    return made.blanked(whole(made, stata.TEXT)).with_columns(pl.col(pl.String).fill_null(""))


def tags(made: Table, column: Column) -> list[str | None]:
    return [KINDS.get(code) for code in whole(made, stata.TEXT)[column.name]]


def by_letter(column: Column) -> dict[int | str, str]:
    return dict(column.codes) | {KINDS[code]: text for code, text in column.missing.items()}


def compare(path: Path, made: Table) -> None:
    """Every value, label and letter as haven reads them."""
    lettered = {one.name: tags(made, one) for one in made.columns if one.missing}
    haven.compare(path, cells(made), lettered)
    _, columns = haven.haven(path)
    for one in made.columns:
        if one.kind == "integer":
            assert haven.labels(columns[one.name]) == by_letter(one)


def test_haven_reads_every_value_label_and_letter(tmp_path: Path) -> None:
    made = samples.table()
    stata.write(made, tmp_path / "answers.dta")
    compare(tmp_path / "answers.dta", made)
    file, columns = haven.haven(tmp_path / "answers.dta")
    assert file["label"] == samples.NOTES[0]
    assert file["notes"] == ["1", *samples.NOTES], "note0 counts them, as Stata has it"
    for one in samples.COLUMNS:
        zone = " (Asia/Kuala_Lumpur)" if one.kind == "moment" else ""
        assert columns[one.name]["label"] == one.label + zone


def test_pandas_reads_every_value_label_and_letter(tmp_path: Path) -> None:
    made = samples.table()
    path = tmp_path / "answers.dta"
    stata.write(made, path)
    frame = pd.read_stata(path, convert_categoricals=False)
    expected = cells(made)
    for name in ("study", "participant", "mode", "comment"):
        assert frame[name].tolist() == expected[name].to_list()
    for name in ("occurrence", "late", "LQ01", "LQ02", "lupusqol_LQPH"):
        assert [None if pd.isna(one) else one for one in frame[name]] == expected[name].to_list()
    assert [None if pd.isna(one) else one.date() for one in frame["due_on"]] == expected[
        "due_on"
    ].to_list()
    assert frame["completed_at"][0] == pd.Timestamp("2027-03-01 00:30:00")
    kinds = pd.read_stata(
        path, convert_categoricals=False, convert_dates=False, convert_missing=True
    )
    skipped, not_applicable, not_reached = (
        StataMissingValue(stata.NO_VALUE + 1 + number) for number in range(3)
    )
    assert str(skipped) == ".a"
    assert kinds["LQ01"].tolist() == [4, not_applicable, not_reached, 2]
    assert kinds["LQ02"].tolist() == [skipped, 0, not_reached, 3]
    with StataReader(path) as reader:
        labels = reader.value_labels()
        assert reader.variable_labels()["due_on"] == "到期日"
        assert reader.data_label == samples.NOTES[0]
        assert reader.time_stamp == "01 Jan 1980 00:00"
    assert set(labels) == {"late", "LQ01", "LQ02"}, "called after their columns"
    assert labels["LQ01"] == samples.FREQUENCY | {
        stata.NO_VALUE + 1: samples.MISSING[SKIPPED],
        stata.NO_VALUE + 2: samples.MISSING[NOT_APPLICABLE],
        stata.NO_VALUE + 3: samples.MISSING[NOT_REACHED],
    }


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(awkward.tables())
def test_any_cell_comes_back(tmp_path_factory: pytest.TempPathFactory, made: Table) -> None:
    path = tmp_path_factory.mktemp("dta") / "made.dta"
    stata.write(made, path)
    frame, _ = pyreadstat.read_dta(path, output_format="polars")
    lettered, about = pyreadstat.read_dta(path, output_format="dict", user_missing=True)
    expected = cells(made)
    for one in made.columns:
        read, wanted = frame[one.name], expected[one.name]
        if one.kind == "moment":
            apart = (read.cast(pl.Datetime("us")) - wanted).dt.total_microseconds().abs()
            assert apart.null_count() == wanted.null_count()
            assert (apart <= 2).all()
        elif one.kind == "day":
            assert read.cast(pl.Date).to_list() == wanted.to_list()
        elif one.kind == "text":
            assert read.to_list() == wanted.to_list()
        else:
            assert read.cast(pl.Float64).to_list() == wanted.cast(pl.Float64).to_list()
        if one.missing:
            read_tags = [cell if isinstance(cell, str) else None for cell in lettered[one.name]]
            assert read_tags == tags(made, one)
    assert about.variable_value_labels["item"] == {0: "கௌ", 1: "一", "a": "எ", "c": "不"}
    assert about.variable_value_labels["other"] == {7: "x", "a": "s", "b": "n"}
    content = path.read_bytes()
    stata.write(made, path)
    assert path.read_bytes() == content


def test_letters_are_right_in_a_file_of_many_rows(tmp_path: Path) -> None:
    codes = (0, SKIPPED, None, NOT_REACHED, 1)
    rows: list[tuple[object, ...]] = [
        ("x" * (number % 7), number, codes[number % 5], None, 0.5, None, None)
        for number in range(30_000)
    ]
    made = table(rows, awkward.COLUMNS)
    stata.write(made, tmp_path / "many.dta")
    compare(tmp_path / "many.dta", made)


@pytest.mark.parametrize("width", [1, 2044, 2045, 2046, 40_000, 1_000_000])
def test_texts_of_every_length_are_whole(tmp_path: Path, width: int) -> None:
    columns = (Column("a", "text", ""), Column("b", "text", ""), Column("n", "integer", ""))
    mixed = ("தமிழ் 一" * (width // 10)).encode()[: width - 1].decode(errors="ignore")
    rows: list[tuple[object, ...]] = [
        ("y" * width, mixed, 1), (mixed, None, 2), (None, "y" * width, 3), ("y" * width, "", 4),
    ]  # fmt: skip
    made = table(rows, columns)
    stata.write(made, tmp_path / "long.dta")
    compare(tmp_path / "long.dta", made)
    frame = pd.read_stata(tmp_path / "long.dta")
    assert frame["a"].tolist() == cells(made)["a"].to_list()
    assert frame["b"].tolist() == cells(made)["b"].to_list()


def test_labels_end_after_eighty_characters_and_notes_are_whole(tmp_path: Path) -> None:
    column = Column("c" * 32, "integer", "கௌ" * 100, {1: "கௌ" * 500}, {SKIPPED: "一" * 300})
    made = table([(1,), (SKIPPED,)], (column,))
    notes = ("示范用语，" * 200, "மாதிரி வாசகம்")
    made = Table("t", "t", "s", "ta", "UTC", made.columns, made.frames, notes)
    stata.write(made, tmp_path / "long.dta")
    compare(tmp_path / "long.dta", made)
    file, columns = haven.haven(tmp_path / "long.dta")
    assert columns[column.name]["label"] == "கௌ" * 39 + "…"
    assert file["notes"] == ["2", *notes]
    assert file["label"] == "示范用语，" * 15 + "示范用语…"
    assert pd.read_stata(tmp_path / "long.dta", convert_categoricals=False).iloc[0, 0] == 1


def test_no_rows_and_columns_without_any_value(tmp_path: Path) -> None:
    stata.write(samples.nothing(), tmp_path / "nothing.dta")
    frame, about = pyreadstat.read_dta(tmp_path / "nothing.dta")
    assert len(frame) == 0
    assert about.column_names == [one.name for one in samples.COLUMNS]
    assert about.variable_value_labels["LQ01"] == by_letter(samples.COLUMNS[7])
    assert len(pd.read_stata(tmp_path / "nothing.dta")) == 0
    made = table([(None,) * 7] * 2, awkward.COLUMNS)
    stata.write(made, tmp_path / "null.dta")
    compare(tmp_path / "null.dta", made)


@pytest.mark.parametrize("name", ["double", "str12", "using"])
def test_a_name_that_stata_keeps_for_itself_is_refused(tmp_path: Path, name: str) -> None:
    made = table([(1,)], (Column(name, "integer", ""),))
    with pytest.raises(TableError, match="made: Stata keeps the name"):
        stata.write(made, tmp_path / "name.dta")
    assert not (tmp_path / "name.dta.raw").exists()


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    stata.write(samples.table(), tmp_path / "answers.dta")
    assert [path.name for path in tmp_path.iterdir()] == ["answers.dta"]
