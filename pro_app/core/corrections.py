"""What a correction changes: pure functions of sealed answers and the changes to them.

A value is written as a text: an answer's code, `skipped` or `not_applicable`; where a submission
belongs is a timepoint and its occurrence (`month_3/1`), a study number, or `void`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pro_app.core.instruments import Item

ANSWER, WRONG_TIMEPOINT, WRONG_PARTICIPANT = "answer", "wrong_timepoint", "wrong_participant"
KINDS = (ANSWER, WRONG_TIMEPOINT, WRONG_PARTICIPANT)
# of a correction of each administrative kind, what it changes
PLACES = {WRONG_TIMEPOINT: "timepoint", WRONG_PARTICIPANT: "participant"}
VOID = "void"  # belongs nowhere: to be left out
REASONS = ("mistaken_tap", "misunderstood", "transcription", "technical", "mix_up", "other")
ORIGINATORS = ("participant", "site")  # whose wish it is
REQUESTED, APPROVED, REJECTED, RETRACTED = "requested", "approved", "rejected", "retracted"
OUTCOMES = (APPROVED, REJECTED, RETRACTED)
STATES_AS_VALUES = ("skipped", "not_applicable")

Sealed = Mapping[str, Mapping[str, Any]]  # item -> its sealed answer, see models.Submission


@dataclass(frozen=True, slots=True)
class Change:
    """One item's value, from `old` to `new`."""

    item: str
    old: str
    new: str


def value_of(answer: Mapping[str, Any]) -> str:
    """A sealed answer's value: its code as text, or its state where it has no code."""
    return str(answer["state"] if answer["code"] is None else answer["code"])


def apply(answers: Sealed, changes: Iterable[Change]) -> dict[str, dict[str, Any]]:
    """The answers after the changes, one after another; everything else of them stays."""
    found = {item: dict(answer) for item, answer in answers.items()}
    for change in changes:
        answered = change.new not in STATES_AS_VALUES
        told = found.setdefault(change.item, {})
        told["state"] = "answered" if answered else change.new
        told["code"] = int(change.new) if answered else None
    return found


def fault(item: Item, value: str, skipping: bool) -> str | None:
    """Why an item cannot have this value; None if it can."""
    if value == "skipped":
        return None if skipping else "the study does not allow skipping"
    if value == "not_applicable":
        return None if item.not_applicable else f"{item.code} cannot be marked as not applicable"
    if value not in map(str, item.options.codes):
        return f"{item.code} has no option {value!r}"
    return None
