"""Receipts: what is needed to work a score out again by hand."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from tests.core.manual import BEST_V1, LUPUSQOL, MOS, by_scale


def test_the_receipt_of_a_scale() -> None:
    answers = {**BEST_V1, "PF01": 1, "PF02": None}
    receipt = by_scale(MOS, answers)["PF"].receipt()
    assert json.loads(json.dumps(receipt)) == receipt
    assert receipt["scoring"] == "mos_us1990"
    assert receipt["algorithm"] == MOS.algorithm
    assert (receipt["answered"], receipt["of"], receipt["reason"]) == (9, 10, None)
    assert receipt["rule"] == "prorated_sum/0-100"
    inputs = receipt["inputs"]
    assert isinstance(inputs, list)
    assert inputs[:3] == [
        {"item": "PF01", "code": 1, "final": 1.0, "imputed": False},
        {"item": "PF02", "code": None, "final": float(Fraction(25, 9)), "imputed": True},
        {"item": "PF03", "code": 3, "final": 3.0, "imputed": False},
    ]
    figures = receipt["figures"]
    assert isinstance(figures, dict)
    assert (figures["minimum"], figures["lowest"], figures["highest"]) == (5, 10.0, 30.0)
    assert figures["raw"] == float(Fraction(250, 9))
    assert (figures["norm_mean"], figures["norm_sd"]) == (84.52404, 22.8949)
    # By hand from the receipt alone.
    assert receipt["value"] == pytest.approx(100 * (figures["raw"] - 10) / 20)
    assert receipt["norm_based"] == pytest.approx(50 + 10 * figures["z"])


def test_a_mean_leaves_missing_items_out() -> None:
    receipt = by_scale(LUPUSQOL, {"LQ15": 3})["LQINT"].receipt()
    assert receipt["inputs"] == [
        {"item": "LQ15", "code": 3, "final": 3.0, "imputed": False},
        {"item": "LQ16", "code": None, "final": None, "imputed": False},
    ]
    assert receipt["rule"] == "mean/0-100"
    assert receipt["norm_based"] is None


@pytest.mark.parametrize(
    ("answers", "rule", "finals", "imputed"),
    [
        ({"BP1": 1, "BP2": 1}, "pair_exception/0-100", (6.0, 6.0), (False, False)),
        ({"BP1": 1, "BP2": 2}, "pair_both/0-100", (6.0, 4.0), (False, False)),
        ({"BP1": 2}, "pair_alone:BP1/0-100", (5.4, 5.4), (False, True)),
        ({"BP2": 2}, "pair_alone:BP2/0-100", (4.75, 4.75), (True, False)),
        ({}, "pair/0-100", (None, None), (False, False)),
    ],
)
def test_the_receipt_of_a_pair(
    answers: dict[str, int],
    rule: str,
    finals: tuple[float | None, float | None],
    imputed: tuple[bool, bool],
) -> None:
    got = by_scale(MOS, answers)["BP"]
    assert got.rule == rule
    assert tuple(one.final for one in got.inputs) == finals
    assert tuple(one.imputed for one in got.inputs) == imputed


def test_the_receipt_of_a_score_that_is_missing() -> None:
    receipt = by_scale(MOS, {"PF01": 2})["PF"].receipt()
    assert (receipt["value"], receipt["reason"]) == (None, "too_few_answered")
    assert (receipt["answered"], receipt["of"]) == (1, 10)
    assert receipt["inputs"][0] == {  # type: ignore[index]
        "item": "PF01", "code": 2, "final": 2.0, "imputed": False,
    }  # fmt: skip
    assert receipt["figures"]["raw"] is None  # type: ignore[index]


NORMS_1990 = [
    (84.52404, 22.8949), (81.19907, 33.79729), (75.49196, 23.55879), (72.21316, 20.16964),
    (61.05453, 20.86942), (83.59753, 22.37642), (81.29467, 33.02717), (74.84212, 18.01189),
]  # fmt: skip


def test_the_receipt_of_a_summary() -> None:
    got = by_scale(MOS, BEST_V1)
    receipt = got["MCS"].receipt()
    assert json.loads(json.dumps(receipt)) == receipt
    inputs = receipt["inputs"]
    assert isinstance(inputs, list)
    assert [one["scale"] for one in inputs] == ["PF", "RP", "BP", "GH", "VT", "SF", "RE", "MH"]
    assert inputs[7]["coefficient"] == 0.48581
    # To the last bit: subtract, then divide.
    assert [one["z"] for one in inputs] == [(100 - mean) / sd for mean, sd in NORMS_1990]
    total = sum(one["z"] * one["coefficient"] for one in inputs)
    assert receipt["value"] == pytest.approx(50 + 10 * total)
