"""Tables made by Hypothesis, of every kind of column, with every cell that may be in one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import polars as pl
from hypothesis import strategies as st

from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, Column, Table

COLUMNS = (
    Column("words", "text", "ஒன்று"),
    Column("whole", "integer", "二"),
    Column("item", "integer", "tiga", {0: "கௌ", 1: "一"}, {SKIPPED: "எ", NOT_REACHED: "不"}),
    Column("other", "integer", "4", {7: "x"}, {NOT_APPLICABLE: "n", SKIPPED: "s"}),
    Column("score", "number", "5"),
    Column("tapped_at", "moment", "6"),
    Column("due_on", "day", "7"),
)
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300
) | st.sampled_from(["=1+1", "க்ஷௌ" * 200, "一" * 85, "x" * 255, "x" * 256, " ", "a\r\nb", "''\""])
numbers = st.just(0.0) | st.floats(1e-70, 1e70) | st.floats(-1e70, -1e-70)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001
    lambda one: one.replace(tzinfo=UTC)
)
rows = st.tuples(
    texts,
    st.integers(-(2**53), 2**53) | st.integers(-9, 9),
    st.sampled_from([0, 1, SKIPPED, NOT_REACHED]),
    st.sampled_from([7, NOT_APPLICABLE, SKIPPED]),
    numbers,
    moments,
    st.dates(date(1900, 1, 1), date(2200, 1, 1)),
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A table of up to nine rows, any of whose cells may be missing."""
    made: list[tuple[object, ...]] = [
        tuple(cell if draw(st.integers(0, 4)) else None for cell in row)
        for row in draw(st.lists(rows, max_size=9))
    ]
    return table(made, COLUMNS, draw(st.integers(1, 4)))


def table(
    made: list[tuple[object, ...]], columns: tuple[Column, ...], at_once: int = 5000
) -> Table:
    """A table of these rows and columns, in frames of so many rows."""

    def frames() -> Iterator[pl.DataFrame]:
        for start in range(0, len(made), at_once):
            yield pl.DataFrame(made[start : start + at_once], schema=result.schema(), orient="row")

    result = Table("made", "மாதிரி", "trial", "ta", "Asia/Kolkata", columns, frames)
    return result
