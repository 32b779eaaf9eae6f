"""The summary of a scored file, against the standard library's statistics over its own cells."""

from __future__ import annotations

import io
import statistics

import pytest

from pro_app.core.scoring import NEEDS_ALL_SCALES, TOO_FEW_ANSWERED
from pro_app.services.score_file_summary import FileSummary, summarize
from tests.services.csv_files import FORMS, V1, exactly, output, row, table

SCORING = V1.scorings["mos_us1990"]
ROWS = (
    row("P1"),
    row("P2", PF01="3", PF02="2", MH1="6", GH01="5"),
    row("P3", RP1="", RP2="", RP3="", PF01="2"),
    row("=P4", BP1="", BP2="", VT1="2"),
)


def summary(data: bytes, lenient: bool = False) -> tuple[FileSummary, list[dict[str, str]]]:
    text = exactly(data, FORMS["mos_us1990"], lenient)
    return summarize(SCORING, io.StringIO(text, newline="")), output(text)


def test_every_figure_is_that_of_the_scored_cells() -> None:
    found, lines = summary(table(*ROWS))
    assert (found.rows, found.with_problems) == (4, 0)
    assert [one.code for one in found.scales] == list(SCORING.outputs())
    for one in found.scales:
        values = [float(line[one.code]) for line in lines if line[one.code]]
        assert one.scored == len(values)
        assert one.scored + one.missing == 4
        assert one.mean == pytest.approx(statistics.fmean(values), rel=1e-15)
        assert one.sd == pytest.approx(statistics.stdev(values), rel=1e-12, abs=1e-12)
        assert (one.lowest, one.highest) == (min(values), max(values))


def test_missing_scores_are_counted_by_their_reason() -> None:
    found, _ = summary(table(*ROWS))
    missing = {one.code: (one.missing, one.reason) for one in found.scales}
    assert missing["RP"] == missing["BP"] == (1, TOO_FEW_ANSWERED)
    assert missing["PF"] == (0, TOO_FEW_ANSWERED)
    assert missing["PCS"] == missing["MCS"] == (2, NEEDS_ALL_SCALES)


def test_values_that_counted_as_missing_are_told_by_rows() -> None:
    found, _ = summary(table(row("P1", PF01="9", MH1="x"), row("P2")), lenient=True)
    assert (found.rows, found.with_problems) == (2, 1)


def test_a_file_without_rows_and_one_with_a_single_row() -> None:
    nothing, _ = summary(table())
    assert nothing.rows == 0
    assert {(one.scored, one.mean, one.sd, one.lowest) for one in nothing.scales} == {
        (0, None, None, None)
    }
    alone, _ = summary(table(row("P1")))
    assert {one.sd for one in alone.scales} == {None}
    assert alone.scales[0].mean == alone.scales[0].lowest == alone.scales[0].highest


def test_an_id_of_several_lines_is_one_row() -> None:
    found, _ = summary(table(row('"a\nb,c"'), row("P2")))
    assert found.rows == 2
