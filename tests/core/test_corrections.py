"""What a correction changes, on a toy's answers, and which values an item can have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pro_app.core.corrections import Change, apply, fault, value_of
from pro_app.core.instruments import Item, OptionSet, Section

ITEM = Item(
    code="A1",
    n=1,
    topic="toy",
    section=Section("main", "none", lead=False),
    options=OptionSet("three", (0, 1, 10), "no", "yes"),
    not_applicable=False,
    scored=True,
    paper="1",
)


def sealed(state: str, code: int | None) -> dict[str, Any]:
    return {"state": state, "code": code, "language": "ta"}


ANSWERS = {"A1": sealed("answered", 1), "A2": sealed("skipped", None)}


def test_changes_apply_one_after_another_and_leave_the_rest() -> None:
    changes = [Change("A1", "1", "skipped"), Change("A2", "skipped", "10"), Change("A1", "", "0")]
    assert apply(ANSWERS, changes) == {"A1": sealed("answered", 0), "A2": sealed("answered", 10)}
    assert apply(ANSWERS, changes[:1])["A1"] == sealed("skipped", None)
    assert ANSWERS["A1"] == sealed("answered", 1), "what was sealed stays"


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (sealed("answered", 0), "0"),
        (sealed("skipped", None), "skipped"),
        (sealed("not_applicable", None), "not_applicable"),
    ],
)
def test_a_value_is_the_code_or_the_state(answer: dict[str, Any], value: str) -> None:
    assert value_of(answer) == value


@pytest.mark.parametrize("value", ["0", "1", "10", "skipped"])
def test_what_an_item_can_be(value: str) -> None:
    assert fault(ITEM, value, skipping=True) is None


@pytest.mark.parametrize("value", ["2", "01", "-0", "1.0", " 1", "", "answered", "not_applicable"])
def test_what_an_item_cannot_be(value: str) -> None:
    assert fault(ITEM, value, skipping=True)


def test_absences_go_by_the_item_and_by_the_study() -> None:
    assert fault(replace(ITEM, not_applicable=True), "not_applicable", skipping=True) is None
    assert fault(ITEM, "skipped", skipping=False) == "the study does not allow skipping"
