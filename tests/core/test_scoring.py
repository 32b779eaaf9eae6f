"""Scores of the real instruments against figures that are typed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from pro_app.core.instruments import Instrument, load_instrument
from pro_app.core.scoring import Scoring, half_up, score
from tests.core.manual import (
    BEST,
    BEST_V1,
    BEST_V2,
    EVERY_SCALE,
    LUPUSQOL,
    MOS,
    RAND,
    SCALES,
    SCORINGS,
    US1998,
    WORST,
    WORST_V1,
    WORST_V2,
    by_scale,
    finals_of,
)
from tests.core.toy import PAIR, write_toy

# --- scales -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCORINGS)
def test_order_of_the_scores(name: str) -> None:
    expected = {
        "rand": "PF RP RE EF EW SF PAIN GH",
        "mos_us1990": "PF RP BP GH VT SF RE MH PCS MCS",
        "us1998": "PF RP BP GH VT SF RE MH PCS MCS",
        "lupusqol": "LQPH LQPAIN LQPLAN LQINT LQBUR LQEMO LQBOD LQFAT",
    }
    assert [one.scale for one in score(SCORINGS[name], {})] == expected[name].split()


@pytest.mark.parametrize("name", SCORINGS)
def test_best_and_worst_answers_reach_both_ends_of_every_scale(name: str) -> None:
    best, worst = by_scale(SCORINGS[name], BEST[name]), by_scale(SCORINGS[name], WORST[name])
    scales = [one.scale for one in best.values() if one.answered is not None]
    assert len(scales) == 8
    assert [best[scale].value for scale in scales] == [100.0] * 8
    assert [worst[scale].value for scale in scales] == [0.0] * 8


@pytest.mark.parametrize(("name", "scale"), EVERY_SCALE)
def test_every_code_of_every_item(name: str, scale: str) -> None:
    """One item moves through its codes, the others stay best: its final value alone decides."""
    items, _, lowest, highest = SCALES[name][scale]
    codes = items.split()
    for item in codes:
        others = [finals_of(name, other)[BEST[name][other]] for other in codes if other != item]
        for code, final in finals_of(name, item).items():
            mean = (sum(others) + final) / len(codes)
            expected = float(100 * (mean - lowest) / (highest - lowest))
            got = by_scale(SCORINGS[name], BEST[name] | {item: code})[scale]
            assert got.value == expected, (item, code)


@pytest.mark.parametrize(("name", "scale"), EVERY_SCALE)
def test_every_number_of_answered_items(name: str, scale: str) -> None:
    """With n answered: no score below the minimum, else the mean of those answered decides."""
    items, minimum, lowest, highest = SCALES[name][scale]
    codes = items.split()
    for answered in range(len(codes) + 1):
        answers: dict[str, int | None] = {}
        finals = []
        for n, item in enumerate(codes):
            options = list(finals_of(name, item))
            answers[item] = options[n % len(options)] if n < answered else None
            if n < answered:
                finals.append(finals_of(name, item)[options[n % len(options)]])
        got = by_scale(SCORINGS[name], answers)[scale]
        assert (got.answered, got.of) == (answered, len(codes))
        if answered < minimum:
            assert (got.value, got.reason) == (None, "too_few_answered")
        else:
            mean = sum(finals) / answered
            assert got.value == float(100 * (mean - lowest) / (highest - lowest))
            assert got.reason is None


def test_lupusqol_intimate_relationships_needs_one_of_two() -> None:
    assert by_scale(LUPUSQOL, {"LQ15": 3})["LQINT"].value == 75.0
    assert by_scale(LUPUSQOL, {"LQ15": None, "LQ16": 1})["LQINT"].value == 25.0
    assert by_scale(LUPUSQOL, {})["LQINT"].value is None


def test_lupusqol_is_not_multiplied_by_ten() -> None:
    assert by_scale(LUPUSQOL, {"LQ31": 1, "LQ32": 1, "LQ33": 1, "LQ34": 2})["LQFAT"].value == 31.25


def test_rand_needs_one_answer_of_each_scale() -> None:
    one_each = {"PF03": 2, "RP4": 2, "RE1": 1, "VT3": 6, "MH1": 3, "SF2": 4, "BP2": 2, "GH01": 2}
    assert [(one.scale, one.value, one.answered) for one in score(RAND, one_each)] == [
        ("PF", 50.0, 1),
        ("RP", 100.0, 1),
        ("RE", 0.0, 1),
        ("EF", 100.0, 1),
        ("EW", 40.0, 1),
        ("SF", 75.0, 1),
        ("PAIN", 75.0, 1),
        ("GH", 75.0, 1),
    ]


def test_health_transition_is_in_no_scale() -> None:
    for name in ("rand", "mos_us1990", "us1998"):
        values = [one.value for one in score(SCORINGS[name], BEST[name] | {"HT": 5})]
        assert values == [one.value for one in score(SCORINGS[name], BEST[name] | {"HT": None})]


# --- bodily pain ----------------------------------------------------------------------------------

# Score by BP1 (rows: 1 to 6, not answered) and BP2 (columns: 1 to 5, not answered), by hand:
# 10 x (BP1 + BP2 - 2), with BP1 6 5.4 4.2 3.1 2.2 1 and BP2 5 4 3 2 1, but 6 beside a best BP1.
# Alone, twice BP1, or twice the BP2 of 6 4.75 3.5 2.25 1.
PAIN = """
  100   80   70   60   50  100
   84   74   64   54   44   88
   72   62   52   42   32   64
   61   51   41   31   21   42
   52   42   32   22   12   24
   40   30   20   10    0    0
  100   75   50   25    0    -
"""


@pytest.mark.parametrize("scoring", [MOS, US1998], ids=["mos_us1990", "us1998"])
def test_the_whole_grid_of_bodily_pain(scoring: Scoring) -> None:
    lines = [line.split() for line in PAIN.strip().splitlines()]
    for bp1, line in zip((1, 2, 3, 4, 5, 6, None), lines, strict=True):
        for bp2, expected in zip((1, 2, 3, 4, 5, None), line, strict=True):
            got = by_scale(scoring, {"BP1": bp1, "BP2": bp2})["BP"]
            assert got.value == (None if expected == "-" else float(expected)), (bp1, bp2)
            assert got.answered == (bp1 is not None) + (bp2 is not None)
            assert got.of == 2


def test_no_pain_is_100_and_not_90() -> None:
    assert by_scale(MOS, {"BP1": 1, "BP2": 1})["BP"].value == 100.0


# --- summaries ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "pcs", "mcs"),
    [
        (BEST_V1, 57.8724398213, 62.1365563706),
        (WORST_V1, 20.1360242084, 17.3372735040),
    ],
)
def test_published_check_values(answers: dict[str, int], pcs: float, mcs: float) -> None:
    got = by_scale(MOS, answers)
    assert got["PCS"].value == pytest.approx(pcs, abs=5e-11)
    assert got["MCS"].value == pytest.approx(mcs, abs=5e-11)
    assert got["PCS"].norm_based == got["PCS"].value


def test_norm_based_scale_scores() -> None:
    got = by_scale(MOS, BEST_V1)
    assert got["PF"].norm_based == pytest.approx(50 + 10 * (100 - 84.52404) / 22.8949, abs=1e-12)
    got = by_scale(US1998, WORST_V2)
    assert got["MH"].norm_based == pytest.approx(50 + 10 * (0 - 74.98685) / 17.75604, abs=1e-12)
    assert got["RE"].norm_based == pytest.approx(50 + 10 * (0 - 87.39733) / 21.43778, abs=1e-12)
    assert {one.norm_based for one in score(RAND, BEST_V1)} == {None}
    assert {one.norm_based for one in score(MOS, {})} == {None}


def test_version_2_with_its_own_norms() -> None:
    """All best and all worst answers, worked out here from the typed norms and coefficients."""
    mean = (83.29094, 82.50964, 71.32527, 70.8457, 58.31411, 84.3025, 87.39733, 74.98685)
    sd = (23.75883, 25.52028, 23.66224, 20.97821, 20.01923, 22.91921, 21.43778, 17.75604)
    coefficients = {
        "PCS": (0.42402, 0.35119, 0.31754, 0.24954, 0.02877, -0.00753, -0.19206, -0.22069),
        "MCS": (-0.22999, -0.12329, -0.09731, -0.01571, 0.23534, 0.26876, 0.43407, 0.48581),
    }
    for answers, value in ((BEST_V2, 100), (WORST_V2, 0)):
        got = by_scale(US1998, answers)
        for code, weights in coefficients.items():
            parts = zip(weights, mean, sd, strict=True)
            expected = 50 + 10 * sum(weight * (value - m) / s for weight, m, s in parts)
            assert got[code].value == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("scale", ["PF", "RP", "BP", "GH", "VT", "SF", "RE", "MH"])
@pytest.mark.parametrize("scoring", [MOS, US1998], ids=["mos_us1990", "us1998"])
def test_summaries_need_all_eight_scales(scoring: Scoring, scale: str) -> None:
    items = {one.code: one.items for one in scoring.scales}[scale]
    best = BEST["mos_us1990" if scoring is MOS else "us1998"]
    got = by_scale(scoring, {**best, **dict.fromkeys(items)})
    assert got[scale].value is None
    for code in ("PCS", "MCS"):
        assert (got[code].value, got[code].reason) == (None, "needs_all_scales")
        assert (got[code].answered, got[code].of) == (None, None)


def test_one_blank_does_not_cost_a_scale_or_a_summary() -> None:
    got = by_scale(MOS, {**BEST_V1, "PF01": None, "MH2": None})
    assert got["PF"].value == 100.0
    assert got["PCS"].value == pytest.approx(57.8724398213, abs=5e-11)


def test_summaries_are_not_cut_off_at_0_or_100() -> None:
    """Physically best and mentally worst: the least mental summary there can be."""
    mental = {
        item: code
        for item, code in WORST_V2.items()
        if item[:2] in ("VT", "SF", "RE", "MH")
    }  # fmt: skip
    assert by_scale(US1998, BEST_V2 | mental)["MCS"].value == pytest.approx(-8.8136140381, abs=1e-9)


def test_general_health_is_recalibrated() -> None:
    """The first question's second answer is worth 4.4 of 5, not 4."""
    assert by_scale(MOS, BEST_V1 | {"GH01": 2})["GH"].value == 97.0
    assert by_scale(US1998, BEST_V2 | {"GH01": 3})["GH"].value == 92.0
    assert by_scale(RAND, BEST_V1 | {"GH01": 2})["GH"].value == 95.0


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 7, -1, 1.0, True, "1"])
def test_a_code_that_the_item_does_not_have_is_refused(code: object) -> None:
    with pytest.raises(ValueError, match=r"BP1: .* is not one of 1, 2, 3, 4, 5, 6"):
        score(MOS, {"BP1": code})  # type: ignore[dict-item]


def test_an_unscored_item_is_checked_too() -> None:
    with pytest.raises(ValueError, match="HT: 6 is not one of"):
        score(MOS, {"HT": 6})


def test_an_unknown_item_is_refused() -> None:
    with pytest.raises(ValueError, match="PF1 is not an item"):
        score(MOS, {"PF1": 1})


# --- other kinds of scales, with the toy ----------------------------------------------------------


def toy(folder: Path, scoring: str) -> Instrument:
    return load_instrument(
        write_toy(
            folder,
            ("instrument.toml", 'scores = { TWO = "T4", SUM = "T5" }\n', ""),
            ("instrument.toml", 'scale = "TWO"', 'scale = "RAW"'),
            scoring=scoring,
        )
    )


def test_a_sum_may_be_reported_as_it_is(tmp_path: Path) -> None:
    """A questionnaire that reports prorated sums needs a folder and no code."""
    plain = toy(tmp_path, PAIR).scorings["plain"]
    got = by_scale(plain, {"Q2": 2})["RAW"]
    assert (got.value, got.rule) == (2.0, "prorated_sum/raw")


def test_a_reported_sum_is_prorated(tmp_path: Path) -> None:
    sums = PAIR.replace('["Q2"]', '["Q2", "Q1", "Q3"]').replace("{ 1 = 1, 2 = 2, 3 = 3 }", "{}")
    head, _, _ = sums.partition("[[plain.recodes]]")
    scoring = (
        head
        + """
[[plain.recodes]]
items = ["Q1", "Q2"]
values = { 1 = 3, 2 = 1, 3 = 0 } # a reversed item is a recode
[[plain.recodes]]
items = ["Q3"]
values = { 1 = 0, 2 = 3 }
[[plain.scales]]
code = "RAW"
name = "all"
items = ["Q1", "Q2", "Q3"]
raw = "sum"
reported = "raw"
minimum = 2
lowest = 0
highest = 9
direction = "higher_worse"
"""
    )
    plain = toy(tmp_path, scoring).scorings["plain"]
    assert by_scale(plain, {"Q1": 1, "Q2": 2, "Q3": 2})["RAW"].value == 7.0
    assert by_scale(plain, {"Q1": 1, "Q2": 2})["RAW"].value == 6.0
    assert by_scale(plain, {"Q1": 1})["RAW"].value is None


# --- rounding for display -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        (6.25, 1, "6.3"),
        (0.05, 1, "0.1"),
        (99.95, 1, "100.0"),
        (0.0, 1, "0.0"),
        (100.0, 1, "100.0"),
        (66.66666666666667, 1, "66.7"),
        (31.25, 1, "31.3"),
        (31.249999999999996, 1, "31.2"),
        (-8.813614038123738, 1, "-8.8"),
        (-6.25, 1, "-6.3"),
        (-0.04, 1, "0.0"),
        (2.5, 0, "3"),
        (57.87243982132346, 2, "57.87"),
        (1e-7, 1, "0.0"),
    ],
)
def test_halves_are_rounded_up(value: float, places: int, shown: str) -> None:
    assert half_up(value, places) == shown


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_shown(value: float) -> None:
    with pytest.raises(ValueError, match="cannot be shown"):
        half_up(value)
