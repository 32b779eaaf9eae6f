"""What SPSS, Stata and SAS files have in common."""

from __future__ import annotations

import io
import unicodedata
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.export import statistical
from pro_app.export.table import SKIPPED, Column, TableError
from tests.export.awkward import table


@pytest.mark.parametrize(
    ("text", "octets", "characters", "kept"),
    [
        ("short", 5, None, "short"),
        ("longer", 5, None, "lo…"),
        ("a longer one", 10, None, "a longe…"),
        ("a longer one", 12, None, "a longer one"),
        ("word and", 80, 6, "word…"),  # no blank before the ellipsis
        ("கௌரி", 9, None, "கௌ…"),
        ("கௌரி", 8, None, ""),  # கௌ alone has six bytes, with the ellipsis nine
        ("க்" * 20, 15, None, "க்க்…"),
        ("க்" * 20, 14, None, "க்…"),
        ("一半的时间", 12, None, "一半的…"),
        ("一半的时间", 90, 3, "一半…"),
        ("", 0, None, ""),
    ],
)
def test_labels_are_cut_between_letters(
    text: str, octets: int, characters: int | None, kept: str
) -> None:
    assert statistical.cut(text, octets, characters) == kept


@given(st.text("aகௌ்ஸ்ரீ一 \u200d", max_size=60), st.integers(0, 90), st.integers(1, 60))
def test_no_cut_tears_a_letter_or_passes_a_limit(text: str, octets: int, characters: int) -> None:
    kept = statistical.cut(text, octets, characters)
    assert len(kept.encode()) <= octets
    assert len(kept) <= characters
    if kept != text and kept:
        assert kept.endswith("…")
        assert text.startswith(kept[:-1])
        assert not unicodedata.category(text[len(kept) - 1]).startswith("M")


def test_a_moments_label_names_the_zone_however_long_it_is() -> None:
    made = table([], (Column("at", "moment", "நேரம்" * 60),))
    label = statistical.label(made.columns[0], made, 120, 80)
    assert label.endswith("… (Asia/Kolkata)")
    assert len(label.encode()) <= 120
    assert statistical.label(Column("at", "moment", "Time"), made, 120) == "Time (Asia/Kolkata)"


@pytest.mark.parametrize(
    ("kind", "cell", "said"),
    [
        ("text", "x" * 101, "c has a text of 101 bytes; this format holds 100"),
        ("text", "ab\0c", "c has a text with a zero byte"),
        ("number", float("inf"), "c has a number that is not finite"),
        ("number", float("nan"), "c has a number that is not finite"),
        ("integer", 2**53 + 1, "c has 9007199254740993, too much"),
        ("integer", -(2**53) - 1, "c has 9007199254740993, too much"),
    ],
)
def test_what_would_be_changed_is_refused_by_name(kind: str, cell: object, said: str) -> None:
    made = table([(None,), (cell,)], (Column("c", kind, "C"),))  # type: ignore[arg-type]
    with pytest.raises(TableError, match=said):
        statistical.whole(made, longest=100)


def test_a_code_that_no_narrow_number_holds_is_refused() -> None:
    made = table([(2**40,)], (Column("c", "integer", "C", {2**40: "much"}),))
    with pytest.raises(TableError, match="c has 1099511627776, too much"):
        statistical.whole(made, longest=100)


def test_an_absence_without_a_letter_is_refused() -> None:
    column = Column("c", "integer", "C", missing={SKIPPED: "s", -99: "?"})
    with pytest.raises(TableError, match="no letter stands for the absence -99"):
        statistical.letters(column)


def test_moments_are_wall_times_of_the_zone_and_integers_narrow_where_they_fit() -> None:
    columns = (Column("at", "moment", ""), Column("few", "integer", ""), Column("i", "integer", ""))
    at = datetime(2027, 2, 28, 20, 0, tzinfo=UTC)
    made = table([(at, 1, 2**40), (None, None, 5)], columns, at_once=1)
    frame = statistical.whole(made, longest=9)
    assert frame.dtypes == [pl.Datetime("us"), pl.Int32, pl.Int64]
    assert frame.rows() == [(datetime(2027, 3, 1, 1, 30), 1, 2**40), (None, None, 5)]  # noqa: DTZ001


def test_bytes_are_marked_in_every_part_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistical, "AT_ONCE", 25)  # eight rows at a time
    file = io.BytesIO(b"head" + b"..." * 30 + b"tail")
    rows = pl.Series([0, 7, 8, 29], dtype=pl.UInt32)
    nowhere = pl.Series([], dtype=pl.UInt32)
    statistical.mark(file, 4, 3, {1: {ord("A"): rows, ord("B"): nowhere}, 2: {ord("C"): rows[1:3]}})
    expected = ["..."] * 30
    for row, content in {0: ".A.", 7: ".AC", 8: ".AC", 29: ".A."}.items():
        expected[row] = content
    assert file.getvalue().decode() == "head" + "".join(expected) + "tail"
