"""Readers that are not ours, and rows that are hard to write."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED

ABSENT = (SKIPPED, NOT_APPLICABLE, NOT_REACHED)
AWKWARD = (
    "=1+1", "+60123", "-1", "-1+1", "@SUM(A1)", "\t=1", "\r\n", "\n", '"', '""', "'", ",", ";",
    " a ", "NA", "null", "NaN", "#N/A", "TRUE", "1e5", "007", "2027-03-01", "\ufeff", "\\", "\\n",
    "_x0041_", "<b>&amp;</b>", "]]>", "{}", "தமிழ், நான்கு", "走路\n四", "e\u0301", "\u2028", "\x85",
    "🙂", "\x01\x1b", "x" * 5000,
)  # fmt: skip
_FIRST, _LAST = datetime(1990, 1, 1), datetime(2090, 1, 1)  # noqa: DTZ001 hypothesis wants them so


def run_r(
    script: str, *arguments: str | Path, packages: bool = True, locale: str = "C.UTF-8"
) -> str:
    """What an R script prints; the arguments are its `commandArgs(TRUE)`.

    Without `packages` R finds only those that come with it.
    """
    environment = os.environ | {"LC_ALL": locale}
    if not packages:
        environment |= dict.fromkeys(("R_LIBS", "R_LIBS_SITE", "R_LIBS_USER"), "nowhere")
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", script, *map(str, arguments)],
        capture_output=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def texts(banned: str = "\x00") -> st.SearchStrategy[str]:
    """Any text without these characters, and often an awkward one."""
    known = [one for one in AWKWARD if not set(banned) & set(one)]
    letters = st.characters(exclude_categories=["Cs"], exclude_characters=banned)
    return st.sampled_from(known) | st.text(letters, max_size=20)


def rows(text: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[tuple[Any, ...], ...]]:
    """Rows of the samples' columns: any texts, numbers, moments and absences."""
    absent = st.none()
    codes = st.sampled_from([0, 1, 2, 3, 4, *ABSENT]) | absent
    moments = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))
    days = st.dates(_FIRST.date(), _LAST.date())
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    # a code of absence is a number like others here, but the tests know it by its value alone
    counts = st.integers(-(2**53), 2**53).filter(lambda one: one not in ABSENT)
    row = st.tuples(
        text, text, counts, st.sampled_from(["own_phone", "paper"]) | absent,
        moments | absent, days | absent, st.sampled_from([0, 1]) | absent, codes, codes,
        numbers | absent, text | absent,
    )  # fmt: skip
    return st.lists(row, max_size=8).map(tuple)
