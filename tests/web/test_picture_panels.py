"""Where everything stands in the pictures of scores."""

from __future__ import annotations

import pytest
from flask import Flask

from pro_app.core.instruments import Difference
from pro_app.core.statistics import Box, interval
from pro_app.web import picture_panels, picture_words
from pro_app.web.picture_panels import BAR_LEFT, BAR_WIDTH, FULL, PLOT, TOP, Scale, fitted

LABELS = ["Start", "Day 28", "a visit between the others"]


def test_the_axis_turns_values_upside_down() -> None:
    assert [FULL.y(one) for one in (100, 50, 0)] == [TOP, TOP + PLOT / 2, TOP + PLOT]
    assert (FULL.y(120), FULL.y(-5)) == (TOP, TOP + PLOT), "what is beyond stands at the end"
    assert [one.text for one in FULL.ticks()] == ["0", "25", "50", "75", "100"]


@pytest.mark.parametrize(
    ("values", "around", "expected"),
    [
        ([], None, (-10, 10)),
        ([], 0.0, (-10, 10)),
        ([41.0, 44.0], None, (30, 55)),
        ([12.0, -3.0], 0.0, (-15, 15)),
        ([75.0], 0.0, (-75, 75)),
        ([23.0, 61.0], None, (20, 70)),
    ],
)
def test_an_axis_holds_all_values(
    values: list[float], around: float | None, expected: tuple[float, float]
) -> None:
    found = fitted(values, around=around)
    assert (found.low, found.high) == expected
    assert all(found.low <= one <= found.high for one in values)
    assert 3 <= len(found.ticks()) <= 9
    assert "−" in found.ticks()[0].text or found.low >= 0


def test_means_their_intervals_and_a_gap() -> None:
    points = [(interval(4, 50.0, 5.0), (45.0, 55.0)), None, (interval(30, 60.0, 80.0), ())]
    found = picture_panels.means(LABELS, points, FULL)
    assert [one.n for one in found.columns] == [4, None, 30]
    assert [(one.x, one.y) for one in found.marks] == [
        (found.columns[0].x, FULL.y(50)), (found.columns[2].x, FULL.y(60)),
    ]  # fmt: skip
    assert [one.interval.count("h8") for one in found.marks] == [2, 2]
    assert [one.y for one in found.dots] == [FULL.y(45), FULL.y(55)]
    assert all(one.x < found.columns[0].x for one in found.dots)
    assert found.path.count("L") == 1
    assert found.zero is None
    assert len(found.columns[2].lines) > 1
    assert found.counts > found.labels > found.bottom


def test_an_interval_beyond_the_axis_has_no_cap_there() -> None:
    found = picture_panels.means(["a"], [(interval(2, 50.0, 40.0), ())], FULL)
    assert found.marks[0].interval.endswith(f"V{FULL.y(0):g}")
    single = picture_panels.means(["a"], [(interval(1, 50.0, None), ())], FULL)
    assert single.marks[0].interval == ""


def test_ground_begins_where_a_difference_matters(app: Flask) -> None:
    axis = Scale(-10, 10, 5)
    with app.test_request_context(headers={"Accept-Language": "en"}):
        found = list(picture_words.bands(Difference(2.1, -2.2, "somebody"), axis))
        assert found == [(2.1, 10, "better"), (-10, -2.2, "worse")]
        assert list(picture_words.bands(Difference(), axis)) == []
        assert list(picture_words.bands(Difference(12.0, None, "x"), axis)) == [], "beyond the axis"
        turned = list(picture_words.bands(Difference(-3.0, 4.0, "x"), axis))
        assert turned == [(-10, -3.0, "better"), (4.0, 10, "worse")], "where lower is better"
    panel = picture_panels.means(["a"], [(interval(1, 3.0, None), ())], axis, found)
    upper, lower = panel.bands
    assert (upper.y, upper.y + upper.height) == (TOP, pytest.approx(axis.y(2.1)))
    assert (lower.y, lower.y + lower.height) == (axis.y(-2.2), pytest.approx(TOP + PLOT))
    assert upper.y < upper.text_y < panel.zero < lower.text_y < lower.y + lower.height  # type: ignore[operator]
    assert panel.zero == axis.y(0)


def test_boxes_with_floor_and_ceiling() -> None:
    box = Box(8, 0.0, 25.0, 50.0, 75.0, 100.0, at_floor=2, at_ceiling=1)
    (mark,) = picture_panels.boxes(["a"], [(box, ())], FULL, ends=True).boxes
    assert mark.highest < mark.third < mark.median < mark.first < mark.lowest
    assert (mark.floor, mark.ceiling) == ("25 %", "13 %")
    (bare,) = picture_panels.boxes(["a"], [(box, ())], FULL, ends=False).boxes
    assert (bare.floor, bare.ceiling) == ("", "")


def test_one_persons_line_is_broken_where_something_is_missing() -> None:
    found = picture_panels.line(
        ["a", "b", "c", "d"], [10.0, None, 20.0, 30.0], ["", "!", "", ""], FULL
    )
    assert (found.path.count("M"), found.path.count("L")) == (2, 1)
    assert found.missing == ((found.columns[1].x, "!"),)
    assert [one.text for one in found.marks] == ["10.0", "20.0", "30.0"]


def test_the_number_of_the_lowest_mark_stays_above_the_labels() -> None:
    found = picture_panels.line(["a", "b"], [0.0, 90.0], ["", ""], FULL)
    assert found.marks[0].text_y < found.bottom < found.labels


def test_the_parts_of_a_bar_fill_it() -> None:
    parts = [("completed", 3), ("late", 0), ("missed", 1)]
    full, empty = picture_panels.bars([("Start", parts, "75 %"), ("Later", [], "–")]).bars
    assert [(one.kind, one.x, one.width) for one in full.segments] == [
        ("completed", BAR_LEFT, BAR_WIDTH * 3 / 4),
        ("missed", BAR_LEFT + BAR_WIDTH * 3 / 4, BAR_WIDTH / 4),
    ]
    assert empty.segments == ()
    assert empty.y >= full.y + full.height


def test_a_track_has_no_mark_below_0() -> None:
    rows = picture_panels.tracks(
        [("a", 0.0, "0", 0), ("b", 1.0, "1", 0), ("c", -0.2, "−0.2", 0), ("d", None, "–", 0)]
    ).rows
    assert [one.x for one in rows] == [84.0, 264.0, None, None]


@pytest.mark.parametrize(
    ("value", "text"), [(2.05, "+2.1"), (-2.25, "−2.3"), (0.0, "0.0"), (-0.01, "0.0")]
)
def test_a_difference_has_its_sign(value: float, text: str) -> None:
    assert picture_panels.signed(value) == text
    assert picture_panels.percent(1, 0) == "–"
