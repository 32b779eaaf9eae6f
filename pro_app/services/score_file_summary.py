"""What came out of a scored file, scale by scale: how many scores, why others are missing, and
their mean and spread. Read from the scored file itself, so that it tells what that file says."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from pro_app.core.scoring import NEEDS_ALL_SCALES, TOO_FEW_ANSWERED, Scoring

Figure = float | None


@dataclass(frozen=True, slots=True)
class ScaleSummary:
    """A scale over the rows of a file: `missing` of them have no score, and `reason` says why, see
    `core.scoring`.

    Without a score all figures are None; `sd`, with the divisor n - 1, also with one alone.
    """

    code: str
    name: str
    scored: int
    missing: int
    reason: str
    mean: Figure
    sd: Figure
    lowest: Figure
    highest: Figure


@dataclass(frozen=True, slots=True)
class FileSummary:
    """How many rows were scored, how many of them have values that counted as missing, and the
    scales in the scoring's order."""

    rows: int
    with_problems: int
    scales: tuple[ScaleSummary, ...]


def summarize(scoring: Scoring, scored: TextIO) -> FileSummary:
    """The summary of a file that `score_data` wrote for this scoring."""
    reader = csv.reader(scored)
    header = next(reader)
    outputs = scoring.outputs()
    columns = [header.index(code) for code in outputs]
    values = [array("d") for _ in outputs]
    rows = with_problems = 0
    for cells in reader:
        rows += 1
        with_problems += bool(cells[-1])
        for found, column in zip(values, columns, strict=True):
            if cells[column]:
                found.append(float(cells[column]))
    names = scoring.names()
    summaries = {one.code for one in scoring.summaries}
    return FileSummary(
        rows,
        with_problems,
        tuple(
            ScaleSummary(
                code,
                names[code],
                len(found),
                rows - len(found),
                NEEDS_ALL_SCALES if code in summaries else TOO_FEW_ANSWERED,
                *_spread(found),
            )
            for code, found in zip(outputs, values, strict=True)
        ),
    )


def _spread(
    values: Sequence[float],
) -> tuple[float | None, float | None, float | None, float | None]:
    """Mean, standard deviation, lowest and highest."""
    count = len(values)
    if not count:
        return None, None, None, None
    mean = math.fsum(values) / count
    squares = math.fsum((value - mean) ** 2 for value in values)
    sd = math.sqrt(squares / (count - 1)) if count > 1 else None
    return mean, sd, min(values), max(values)
