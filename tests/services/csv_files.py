"""CSV files of answers for tests, and ways to score them in memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from pro_app.core.instruments import load_instruments
from pro_app.services.score_file_fast import score_fast
from pro_app.services.score_file_rows import FileRefused, Form, score_rows

INSTRUMENTS = load_instruments(Path(__file__).parents[2] / "questionnaires")
V1 = INSTRUMENTS["sf36v1"]
ITEMS = [item.code for item in V1.items]
FORMS = {
    scoring.name: Form(instrument, scoring)
    for instrument in INSTRUMENTS.values()
    for scoring in instrument.scorings.values()
}
MOS = FORMS["mos_us1990"]
HEADER = ",".join(["id", *ITEMS])
ONES = ["1"] * len(ITEMS)


def table(*rows: Sequence[str], header: str = HEADER, end: str = "\n") -> bytes:
    return (end.join([header, *(",".join(row) for row in rows)]) + end).encode()


def row(person: str, **values: str) -> list[str]:
    """A row of ones, apart from the items named."""
    return [person, *(values.get(item, "1") for item in ITEMS)]


def exactly(data: bytes, form: Form = MOS, lenient: bool = False) -> str:
    lines: list[str] = []
    score_rows(data, form, lines.append, lenient)
    return "".join(lines)


def fast(data: bytes, form: Form = MOS) -> str | None:
    """What the fast way writes; None when it leaves the file to the exact one."""
    target = io.BytesIO()
    return target.getvalue().decode() if score_fast(data, form, target) else None


def problems(data: bytes, lenient: bool = False) -> list[str]:
    with pytest.raises(FileRefused) as caught:
        exactly(data, lenient=lenient)
    return [str(one) for one in caught.value.problems.first]


def output(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))
