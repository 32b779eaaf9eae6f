"""Scores of questionnaires: the definitions of a scoring, and the one function that applies them.

Scale values are exact fractions until the end and become a float once. Norm-based values and
summaries are float64 with a fixed order of operations, so that every way through the code (one
submission, a row of a file, a column) gives the same bits. Nothing here knows an instrument.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

TOO_FEW_ANSWERED = "too_few_answered"
NEEDS_ALL_SCALES = "needs_all_scales"

Finals = Mapping[str, Mapping[int, Fraction]]  # item -> answered code -> final value


@dataclass(frozen=True, slots=True)
class PairException:
    """When both items of a pair have exactly these codes, `item` gets `final` instead."""

    when: Mapping[str, int]
    item: str
    final: Fraction


@dataclass(frozen=True, slots=True)
class Pair:
    """Two items whose final values depend on each other.

    Both answered: `both`, unless an exception fits. Only one answered: its value in `alone`, and
    the unanswered item takes the same value.
    """

    both: Finals
    exceptions: tuple[PairException, ...]
    alone: Finals


@dataclass(frozen=True, slots=True)
class Norm:
    """Mean and standard deviation of a scale in the population of reference (0-100 points)."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Scale:
    """A score made of items.

    `raw` is "mean" (of the answered final values) or "sum" (the same mean stands for the missing
    ones: mean x number of items). With fewer than `minimum` answered there is no score. `reported`
    is "0-100", 100 (raw - lowest) / (highest - lowest), or "raw". `finals` has each item's recode,
    unless `pair` has them. `direction` tells a reader whether a higher score is better.
    """

    code: str
    name: str
    items: tuple[str, ...]
    raw: str
    reported: str
    minimum: int
    lowest: Fraction
    highest: Fraction
    direction: str
    finals: Finals
    pair: Pair | None
    norm: Norm | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A weighted sum of norm-based scales: 50 + 10 x sum of coefficient x z; needs every scale."""

    code: str
    name: str
    direction: str
    source: str
    coefficients: Mapping[str, float]  # in scale order


@dataclass(frozen=True, slots=True)
class Scoring:
    """A named algorithm of an instrument.

    `options` holds the allowed codes of every item of the instrument, scored or not. `algorithm`
    is the name, "@", and 12 hex digits that change with any figure and with nothing else.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    scales: tuple[Scale, ...]
    summaries: tuple[Summary, ...]
    norm_source: str | None
    options: Mapping[str, tuple[int, ...]]
    algorithm: str

    def outputs(self) -> tuple[str, ...]:
        """The codes of scales and summaries, in output order."""
        return tuple(scale.code for scale in self.scales) + tuple(
            summary.code for summary in self.summaries
        )

    def names(self) -> dict[str, str]:
        """The names of scales and summaries by code, in output order."""
        scales = {scale.code: scale.name for scale in self.scales}
        return scales | {summary.code: summary.name for summary in self.summaries}


@dataclass(frozen=True, slots=True)
class ScoreInput:
    """What one item (or, for a summary, one scale) brought into a score.

    `code` is the answered code, None when unanswered; `final` the value that was used; `imputed`
    says that it stands for a missing answer. `z` and `coefficient` are there for summaries.
    """

    name: str
    code: int | None
    final: float | None
    imputed: bool = False
    z: float | None = None
    coefficient: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One scale or summary of one set of answers.

    `value` is unrounded, None when there is no score, and then `reason` tells why. `answered` of
    `of` items were answered (both None for a summary). `norm_based` is 50 + 10 z where the scoring
    has norms. `rule` names the way taken, `figures` the numbers in it.
    """

    scoring: str
    algorithm: str
    scale: str
    value: float | None
    norm_based: float | None
    answered: int | None
    of: int | None
    reason: str | None
    inputs: tuple[ScoreInput, ...]
    rule: str
    figures: Mapping[str, float | None] = field(default_factory=dict)

    def receipt(self) -> dict[str, object]:
        """All that is needed to work the score out again by hand, ready for JSON."""
        summary = self.answered is None
        return {
            "scoring": self.scoring,
            "algorithm": self.algorithm,
            "scale": self.scale,
            "value": self.value,
            "norm_based": self.norm_based,
            "answered": self.answered,
            "of": self.of,
            "reason": self.reason,
            "rule": self.rule,
            "figures": dict(self.figures),
            "inputs": [_input_receipt(one, summary) for one in self.inputs],
        }


def _input_receipt(one: ScoreInput, summary: bool) -> dict[str, object]:
    if summary:
        return {
            "scale": one.name,
            "value": one.final,
            "z": one.z,
            "coefficient": one.coefficient,
        }
    return {"item": one.name, "code": one.code, "final": one.final, "imputed": one.imputed}


def scale_value(scale: Scale, answered: int, total: Fraction) -> Fraction | None:
    """The score of a scale from the number of items answered and the sum of their final values.

    The only place where a scale's arithmetic is done; None below the minimum. For a pair the
    unanswered item has already taken its value, so that `answered` is the number of items.
    """
    if answered < scale.minimum or answered == 0:
        return None
    raw = raw_value(scale, answered, total)
    if scale.reported == "raw":
        return raw
    return 100 * (raw - scale.lowest) / (scale.highest - scale.lowest)


def raw_value(scale: Scale, answered: int, total: Fraction) -> Fraction:
    """Mean of the answered final values, or the sum in which that mean stands for the missing."""
    mean = total / answered
    return mean if scale.raw == "mean" else mean * len(scale.items)


def pair_finals(pair: Pair, codes: Mapping[str, int]) -> tuple[str, dict[str, Fraction]]:
    """The rule that fits and the final values of both items, given one or two answered codes."""
    if len(codes) == 1:
        ((item, code),) = codes.items()
        return f"pair_alone:{item}", dict.fromkeys(pair.alone, pair.alone[item][code])
    finals = {item: pair.both[item][code] for item, code in codes.items()}
    rule = "pair_both"
    for exception in pair.exceptions:
        if exception.when == codes:
            finals[exception.item] = exception.final
            rule = "pair_exception"
    return rule, finals


def z_value(norm: Norm, value: float) -> float:
    """(value - mean) / sd, in float64."""
    return (value - norm.mean) / norm.sd


def contribution(coefficient: float, norm: Norm, value: float) -> float:
    """What a scale adds to a summary: coefficient x z, in this order of operations."""
    return coefficient * z_value(norm, value)


def summary_value(contributions: Sequence[float]) -> float:
    """50 + 10 x the sum of the contributions, added from the first scale to the last.

    A plain loop on purpose: `sum` of floats rounds differently from Python 3.12 on.
    """
    total = 0.0
    for one in contributions:
        total += one
    return 50 + 10 * total


def score(scoring: Scoring, answers: Mapping[str, int | None]) -> tuple[Score, ...]:
    """The scores of one set of answers, scales first, then summaries, in output order.

    A key that is absent, or None, is an item without answer (skipped, not applicable, not
    reached). `ValueError` for an item that the instrument does not have and for a code that the
    item does not have.
    """
    given = _checked(scoring, answers)
    scales = tuple(_scale_score(scoring, scale, given) for scale in scoring.scales)
    values = {one.scale: one.value for one in scales}
    norms = {scale.code: scale.norm for scale in scoring.scales}
    return scales + tuple(
        _summary_score(scoring, summary, values, norms) for summary in scoring.summaries
    )


def _checked(scoring: Scoring, answers: Mapping[str, int | None]) -> dict[str, int]:
    given: dict[str, int] = {}
    for item, code in answers.items():
        allowed = scoring.options.get(item)
        if allowed is None:
            raise ValueError(f"{item} is not an item of this instrument")
        if code is None:
            continue
        if isinstance(code, bool) or not isinstance(code, int) or code not in allowed:
            raise ValueError(f"{item}: {code!r} is not one of {', '.join(map(str, allowed))}")
        given[item] = code
    return given


def norm_based(z: float) -> float:
    """The norm-based score of a z-score: mean 50, standard deviation 10."""
    return 50 + 10 * z


def _scale_score(scoring: Scoring, scale: Scale, given: Mapping[str, int]) -> Score:
    codes = {item: given[item] for item in scale.items if item in given}
    rule, finals = _finals(scale, codes)
    used = len(finals)
    total = sum(finals.values(), Fraction(0))
    enough = len(codes) >= scale.minimum
    exact = scale_value(scale, used, total) if enough else None
    raw = None if exact is None else raw_value(scale, used, total)
    fill = None if exact is None or used == len(scale.items) else total / used
    value = None if exact is None else float(exact)
    z = None if value is None or scale.norm is None else z_value(scale.norm, value)
    return Score(
        scoring=scoring.name,
        algorithm=scoring.algorithm,
        scale=scale.code,
        value=value,
        norm_based=None if z is None else norm_based(z),
        answered=len(codes),
        of=len(scale.items),
        reason=None if exact is not None else TOO_FEW_ANSWERED,
        inputs=tuple(_item_input(scale, item, codes, finals, fill) for item in scale.items),
        rule=rule,
        figures=_figures(scale, raw, z),
    )


def _finals(scale: Scale, codes: Mapping[str, int]) -> tuple[str, dict[str, Fraction]]:
    """The way the scale is made, and the final values known before any mean stands in."""
    how = "mean" if scale.raw == "mean" else "prorated_sum"
    if scale.pair is not None and len(codes) >= max(scale.minimum, 1):
        how, finals = pair_finals(scale.pair, codes)
        return f"{how}/{scale.reported}", finals
    if scale.pair is not None:
        return f"pair/{scale.reported}", {}
    return f"{how}/{scale.reported}", {
        item: scale.finals[item][code] for item, code in codes.items()
    }


def _item_input(
    scale: Scale,
    item: str,
    codes: Mapping[str, int],
    finals: Mapping[str, Fraction],
    fill: Fraction | None,
) -> ScoreInput:
    final = finals.get(item)
    # In a mean the missing items are left out; in a sum the person's mean stands for them.
    if final is None and scale.raw == "sum":
        final = fill
    return ScoreInput(
        name=item,
        code=codes.get(item),
        final=None if final is None else float(final),
        imputed=final is not None and item not in codes,
    )


def _figures(scale: Scale, raw: Fraction | None, z: float | None) -> dict[str, float | None]:
    figures: dict[str, float | None] = {
        "minimum": scale.minimum,
        "raw": None if raw is None else float(raw),
        "lowest": float(scale.lowest),
        "highest": float(scale.highest),
    }
    if scale.norm is not None:
        figures |= {"norm_mean": scale.norm.mean, "norm_sd": scale.norm.sd, "z": z}
    return figures


def _summary_score(
    scoring: Scoring,
    summary: Summary,
    values: Mapping[str, float | None],
    norms: Mapping[str, Norm | None],
) -> Score:
    inputs = []
    contributions = []
    for scale, coefficient in summary.coefficients.items():
        value, norm = values[scale], norms[scale]
        z = None if value is None or norm is None else z_value(norm, value)
        inputs.append(ScoreInput(scale, None, value, z=z, coefficient=coefficient))
        if value is not None and norm is not None:
            contributions.append(contribution(coefficient, norm, value))
    complete = len(contributions) == len(summary.coefficients)
    value = summary_value(contributions) if complete else None
    return Score(
        scoring=scoring.name,
        algorithm=scoring.algorithm,
        scale=summary.code,
        value=value,
        norm_based=value,
        answered=None,
        of=None,
        reason=None if complete else NEEDS_ALL_SCALES,
        inputs=tuple(inputs),
        rule="weighted_z_sum/50+10",
        figures={"centre": 50.0, "spread": 10.0},
    )


def half_up(value: float, places: int = 1) -> str:
    """The value with a fixed number of decimals, halves away from zero: 6.25 gives "6.3".

    Published scores are rounded so; Python's own `round` gives 6.2. Works on the shortest text of
    the float, so that a displayed 0.05 counts as a half. `ValueError` for NaN and infinities.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be shown as a number")
    step = Decimal(1).scaleb(-places)
    rounded = Decimal(repr(float(value))).quantize(step, rounding=ROUND_HALF_UP)
    return str(abs(rounded) if rounded == 0 else rounded)
