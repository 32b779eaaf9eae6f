"""What every format relies on."""

from __future__ import annotations

import polars as pl
import pytest

from pro_app.export.table import Column, Table, TableError
from tests.export import samples


def test_frames_have_the_tables_columns_and_types() -> None:
    made = samples.table()
    frames = list(made.frames())
    assert [frame.height for frame in frames] == [3, 1]
    assert all(frame.schema == pl.Schema(made.schema()) for frame in frames)
    assert next(made.frames()).equals(frames[0]), "the rows can be read again"
    assert made.empty().schema == pl.Schema(made.schema())


def test_codes_of_absences_are_blanked_and_nothing_else() -> None:
    made = samples.table(at_once=10)
    (frame,) = made.frames()
    blanked = made.blanked(frame)
    assert blanked["LQ01"].to_list() == [4, None, None, 2]
    assert blanked["LQ02"].to_list() == [None, 0, None, 3]
    assert blanked.drop("LQ01", "LQ02").equals(frame.drop("LQ01", "LQ02"))


@pytest.mark.parametrize("name", ["1st", "a b", "a-b", "", "x" * 33, "நாள்"])
def test_a_name_that_some_format_cannot_take_is_refused(name: str) -> None:
    with pytest.raises(TableError, match="no name that every format takes"):
        Table("t", "t", "s", "en", "UTC", (Column(name, "text", ""),), lambda: iter(()))


def test_two_names_that_differ_by_case_alone_are_refused() -> None:
    columns = (Column("PF", "text", ""), Column("pf", "text", ""))
    with pytest.raises(TableError, match="'pf' is there twice"):
        Table("t", "t", "s", "en", "UTC", columns, lambda: iter(()))
