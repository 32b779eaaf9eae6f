"""Rows as text files have them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pro_app.export import texts
from pro_app.export.table import Column, Table
from tests.export import samples

ZONES = ("Asia/Kuala_Lumpur", "Asia/Kathmandu", "America/St_Johns", "Europe/London", "UTC")
FIRST, LAST = datetime(1990, 1, 1), datetime(2090, 1, 1)  # noqa: DTZ001 hypothesis wants them so


@given(
    cuts=st.lists(st.integers(0, 9), max_size=9), at_once=st.integers(1, 12)
)  # rows of the table's own frames, and of ours
@settings(deadline=None)
def test_frames_are_cut_evenly_whatever_the_tables_own(cuts: list[int], at_once: int) -> None:
    made = Table(
        "t", "t", "s", "en", "UTC", (Column("n", "integer", ""),),
        lambda: (pl.DataFrame({"n": [place] * rows}, schema={"n": pl.Int64})
                 for place, rows in enumerate(cuts)),
    )  # fmt: skip
    found = list(texts.frames(made, at_once))
    assert [frame.height for frame in found[:-1]] == [at_once] * (len(found) - 1)
    assert found[-1].height <= at_once
    assert (found[-1].height == 0) == (sum(cuts) == 0)
    assert pl.concat(found)["n"].to_list() == [
        place for place, rows in enumerate(cuts) for _ in range(rows)
    ]


def test_an_empty_table_gives_one_frame_with_its_columns() -> None:
    for at_once in (None, 5):
        (frame,) = texts.frames(samples.nothing(), at_once)
        assert frame.equals(samples.nothing().empty())


@settings(deadline=None)
@given(moment=st.datetimes(FIRST, LAST, timezones=st.just(UTC)), zone=st.sampled_from(ZONES))
def test_a_moment_is_what_isoformat_says(moment: datetime, zone: str) -> None:
    assert _told(moment, zone) == moment.astimezone(ZoneInfo(zone)).isoformat()


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (datetime(2027, 10, 31, 0, 30, tzinfo=UTC), "2027-10-31T01:30:00+01:00"),
        (datetime(2027, 10, 31, 1, 30, tzinfo=UTC), "2027-10-31T01:30:00+00:00"),
    ],
)
def test_an_hour_that_comes_twice_is_told_apart_by_its_offset(moment: datetime, told: str) -> None:
    assert _told(moment, "Europe/London") == told


def _told(moment: datetime, zone: str) -> str:
    made = Table("t", "t", "s", "en", zone, (Column("at", "moment", ""),), lambda: iter(()))
    frame = pl.DataFrame({"at": [moment]}, schema=made.schema())
    return str(texts.moments(made, frame).item())


def test_only_texts_are_made_harmless() -> None:
    frame = pl.DataFrame({"text": ["=1", "a", None], "number": [-1.5, None, 2.0]})
    assert texts.harmless(frame).to_dict(as_series=False) == {
        "text": ["'=1", "a", None],
        "number": [-1.5, None, 2.0],
    }
