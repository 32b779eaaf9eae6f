"""A page of a table: whole participants, and what the exact files say of each row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pro_app.export import csv, jsonl, page
from tests.export.samples import ROWS, nothing, table


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("limit", "height", "after"),
    [(1, 2, "01-001"), (2, 2, "01-001"), (3, 3, "01-002"), (4, 4, None), (5, 4, None)],
)
def test_a_page_ends_with_a_participant(
    at_once: int, limit: int, height: int, after: str | None
) -> None:
    found = page.page(table(at_once=at_once), limit)
    assert (found.rows.height, found.after) == (height, after)


def test_one_participants_rows_stay_together() -> None:
    own = tuple(("trial", "01-001", *row[2:]) for row in ROWS) * 3
    other = ("trial", "01-002", *ROWS[0][2:])
    for rows, after in ((own, None), ((*own, other), "01-001")):
        found = page.page(table(rows, at_once=2), 5)
        assert (found.rows.height, found.after) == (len(own), after)


def test_it_says_what_the_exact_files_say(tmp_path: Path) -> None:
    found = page.page(table(), 100)
    jsonl.write(table(), tmp_path / "whole.jsonl")
    csv.write_exact(table(), tmp_path / "whole.csv")
    assert found.json_lines() == (tmp_path / "whole.jsonl").read_bytes()
    assert found.csv() == (tmp_path / "whole.csv").read_bytes()
    lines = found.json_lines().decode().splitlines()
    assert json.loads(found.json_array()) == [json.loads(one) for one in lines]
    assert found.rows["comment"].to_list() == [row[-1] for row in ROWS], "braces, lines and all"


def test_braces_and_lines_in_a_text_cut_no_row() -> None:
    rows = tuple((*row[:-1], '}\n{"a": 1}\n{') for row in ROWS)
    found = json.loads(page.page(table(rows), 100).json_array())
    assert [one["comment"] for one in found] == ['}\n{"a": 1}\n{'] * len(ROWS)


def test_nothing_is_a_page_too() -> None:
    found = page.page(nothing(), 10)
    assert (found.json_array(), found.json_lines(), found.after) == (b"[]", b"", None)
    assert found.csv().count(b"\n") == 1
