"""SAS transport files, as R's haven and pyreadstat read them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import polars as pl
import pyreadstat
import pytest
from hypothesis import HealthCheck, given, settings

from pro_app.export import sas
from pro_app.export.statistical import KINDS, whole
from pro_app.export.table import SKIPPED, Column, Table, TableError
from tests.export import awkward, haven, samples
from tests.export.awkward import table


def cells(made: Table) -> pl.DataFrame:
    """What the file is to hold: no blanks at a text's end, a letter's absence as nothing."""
    frame = made.blanked(whole(made, sas.TEXT))
    return frame.with_columns(pl.col(pl.String).fill_null("").str.strip_chars_end(" "))


def tags(made: Table, column: Column) -> list[str | None]:
    """The letters of absences; R writes SAS's in lower case."""
    return [KINDS.get(code) for code in whole(made, sas.TEXT)[column.name]]


def compare(path: Path, made: Table) -> None:
    """Every value and letter as haven reads them."""
    lettered = {one.name: tags(made, one) for one in made.columns if one.missing}
    haven.compare(path, cells(made), lettered)


def test_haven_reads_every_value_label_and_letter(tmp_path: Path) -> None:
    made = samples.table()
    sas.write(made, tmp_path / "answers.xpt")
    compare(tmp_path / "answers.xpt", made)
    file, columns = haven.haven(tmp_path / "answers.xpt")
    assert file["label"] == "Demonstration wording, not the valida…"
    for one in samples.COLUMNS:
        zone = " (Asia/Kuala_Lumpur)" if one.kind == "moment" else ""
        assert columns[one.name]["label"] == one.label + zone
    assert columns["LQ01"]["tags"] == [None, "b", "c", None]


def test_pandas_reads_the_rows_when_told_it_is_version_5(tmp_path: Path) -> None:
    """A reader of other make knows version 5 alone; where no label is long, only headers differ."""
    columns = tuple(replace(one, label=one.name) for one in samples.COLUMNS)
    made = table(list(samples.ROWS), columns)
    sas.write(made, tmp_path / "answers.xpt")
    content = (tmp_path / "answers.xpt").read_bytes()
    for ours, older in (
        ("LIBV8   ", "LIBRARY "), ("MEMBV8  ", "MEMBER  "), ("DSCPTV8 ", "DSCRPTR "),
        ("NAMSTV8 ", "NAMESTR "), (f"OBSV8   HEADER RECORD!!!!!!!{4:15}{'':17}",
                                   f"OBS     HEADER RECORD!!!!!!!{'0' * 30}  "),
    ):  # fmt: skip
        assert content.count(ours.encode()) == 1
        content = content.replace(ours.encode(), older.encode())
    (tmp_path / "older.xpt").write_bytes(content)
    frame = pd.read_sas(tmp_path / "older.xpt", format="xport", encoding="utf-8")
    expected = cells(made)
    assert len(frame) == expected.height
    for one in made.columns:
        read, wanted = frame[one.name[:8]], expected[one.name]
        if one.kind == "text":
            assert read.fillna("").tolist() == wanted.to_list()
        elif one.kind in ("integer", "number"):
            read = read.where(~(read.abs() < 1e-70), 0)  # pandas' zero is the smallest number
            assert [None if pd.isna(cell) else cell for cell in read] == wanted.to_list()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(awkward.tables())
def test_any_cell_comes_back(tmp_path_factory: pytest.TempPathFactory, made: Table) -> None:
    path = tmp_path_factory.mktemp("xpt") / "made.xpt"
    sas.write(made, path)
    frame, about = pyreadstat.read_xport(path, output_format="polars")
    assert about.table_name == "made"
    expected = cells(made)
    assert frame.height == expected.height
    for one in made.columns:
        read, wanted = frame[one.name], expected[one.name]
        if one.kind == "text":
            assert read.fill_null("").to_list() == wanted.to_list()
        elif one.kind == "moment":
            apart = (read.cast(pl.Datetime("us")) - wanted).dt.total_microseconds().abs()
            assert apart.null_count() == wanted.null_count()
            assert (apart <= 2).all()
        elif one.kind == "day":
            assert read.cast(pl.Date).to_list() == wanted.to_list()
        else:
            assert read.cast(pl.Float64).to_list() == wanted.cast(pl.Float64).to_list()
    content = path.read_bytes()
    sas.write(made, path)
    assert path.read_bytes() == content


def test_letters_are_right_in_a_file_of_many_rows(tmp_path: Path) -> None:
    codes = (0, SKIPPED, None, -9, 1)
    rows: list[tuple[object, ...]] = [
        ("x" * (number % 7), number, codes[number % 5], None, 0.5, None, None)
        for number in range(30_000)
    ]
    made = table(rows, awkward.COLUMNS)
    sas.write(made, tmp_path / "many.xpt")
    compare(tmp_path / "many.xpt", made)


@pytest.mark.parametrize("width", [1, 200, 201, 5000, 32_767])
def test_texts_of_every_length_are_whole(tmp_path: Path, width: int) -> None:
    columns = (Column("a", "text", ""), Column("b", "text", ""), Column("n", "integer", ""))
    mixed = ("தமிழ் 一" * 2000).encode()[:width].decode(errors="ignore")
    made = table([("y" * width, mixed, 1), (mixed, None, 2)], columns)
    sas.write(made, tmp_path / "long.xpt")
    compare(tmp_path / "long.xpt", made)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        (Column("c", "text", ""), "x" * 32_768, "c has a text of 32768 bytes"),
        (Column("c", "number", ""), 1e76, "c has a number too large or too small"),
        (Column("c", "number", ""), -1e-80, "c has a number too large or too small"),
    ],
)
def test_what_sas_cannot_hold_is_refused(
    tmp_path: Path, column: Column, cell: object, said: str
) -> None:
    with pytest.raises(TableError, match=said):
        sas.write(table([(cell,)], (column,)), tmp_path / "c.xpt")


def test_labels_are_cut_between_letters_in_both_places(tmp_path: Path) -> None:
    columns = (
        Column("first", "integer", "கௌ" * 50),
        Column("plain", "integer", "short"),
        Column("third", "text", "一半的时间" * 5),
    )
    made = table([(1, 2, "x")], columns)
    sas.write(made, tmp_path / "long.xpt")
    _, read = haven.haven(tmp_path / "long.xpt")
    assert [one["label"] for one in read.values()] == ["கௌ" * 42 + "…", "short", "一半的时间" * 5]
    content = (tmp_path / "long.xpt").read_bytes()
    short = [content[640 + 16 + 140 * number :][:40].decode().rstrip() for number in range(3)]
    assert short == ["கௌ" * 6 + "…", "short", "一半的时间" * 2 + "一半…"]
    assert b"HEADER RECORD*******LABELV8 HEADER RECORD!!!!!!!2 " in content


def test_the_header_says_how_many_rows_and_tells_no_time(tmp_path: Path) -> None:
    """SAS 9.4 takes a file of version 8 for empty when the number is not there."""
    sas.write(samples.table(), tmp_path / "answers.xpt")
    content = (tmp_path / "answers.xpt").read_bytes()
    assert len(content) % 80 == 0
    assert re.search(rb"OBSV8   HEADER RECORD!{7} {14}4 {17}", content)
    assert content.count(b"01JAN80:00:00:00") == 4
    assert len(re.findall(rb"[0-9]{2}[A-Z]{3}[0-9]{2}:[0-9:]{8}", content)) == 4


def test_no_rows_and_columns_without_any_value(tmp_path: Path) -> None:
    sas.write(samples.nothing(), tmp_path / "nothing.xpt")
    frame, about = pyreadstat.read_xport(tmp_path / "nothing.xpt")
    assert len(frame) == 0
    assert about.column_names == [one.name for one in samples.COLUMNS]
    made = table([(None,) * 7] * 2, awkward.COLUMNS)
    sas.write(made, tmp_path / "null.xpt")
    compare(tmp_path / "null.xpt", made)


def test_the_program_attaches_every_value_label(tmp_path: Path) -> None:
    sas.write_formats(samples.table(), tmp_path / "answers.sas")
    program = (tmp_path / "answers.sas").read_text(encoding="utf-8")
    assert f"/* {samples.NOTES[0]} */" in program
    assert "filespec='answers.xpt'" in program
    assert "  value $mode_4_\n    'own_phone' = '手机'\n    'paper' = 'தாள்'\n  ;" in program
    assert "    .A = 'பதில் தரவில்லை'\n    .B = 'எனக்குப் பொருந்தாது'" in program
    assert "    mode $mode_4_.\n    late late_7_.\n    LQ01 LQ01_8_." in program


def test_nothing_in_a_label_runs_in_the_program(tmp_path: Path) -> None:
    column = Column("c" * 32, "text", "", {"it's": "a'; %run\nx &y"})
    made = table([], (column, Column("n", "integer", "")))
    made = Table("t", "*/ x 'i", "s", "en", "UTC", made.columns, made.frames)
    sas.write_formats(made, tmp_path / "t.sas")
    program = (tmp_path / "t.sas").read_text(encoding="utf-8")
    assert "    'it''s' = 'a''; %run x &y'\n" in program
    assert program.startswith("/* * / x 'i */\n")
    for name in re.findall(r"value \$(\w+)", program):
        assert len(name) < 32
        assert not name[-1].isdigit()
