"""Alerts on answers: which of the protocol's rules a set of answers raises. Off by default.

Only what is there raises a rule. A skipped answer, one that does not apply, and a score that is
missing never do, for nobody has said anything that calls for care.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

COORDINATOR, INVESTIGATOR = "coordinator", "investigator"
RECIPIENTS = (COORDINATOR, INVESTIGATOR)  # a coordinator is told that there is one, never of what

Codes = Mapping[str, int | None]  # item -> answered code; None: there is none
Values = Mapping[tuple[str, str], float | None]  # (scoring, scale) -> score


@dataclass(frozen=True, slots=True)
class ItemTrigger:
    """Raised by any of these answers to one item."""

    item: str
    codes: frozenset[int]


@dataclass(frozen=True, slots=True)
class ScaleTrigger:
    """Raised by a score beyond a value, in the points that the scale is reported in; the value
    itself raises nothing. Exactly one of `below` and `above` is there."""

    scoring: str
    scale: str
    below: float | None = None
    above: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What is watched in one instrument, who is told, and by when somebody is to have seen it;
    whom it goes to if nobody has. `names` are by language."""

    code: str
    names: Mapping[str, str]
    instrument: str
    trigger: ItemTrigger | ScaleTrigger
    recipients: tuple[str, ...]
    within: timedelta
    escalate_to: str


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Whether answers are watched for care, and what participants are promised then, by language.

    Where they are not watched there are neither rules nor a promise.
    """

    watched: bool = False
    promise: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def rules_of(self, instrument: str) -> tuple[Rule, ...]:
        """The rules on an instrument; none where nothing is watched."""
        return tuple(rule for rule in self.rules if self.watched and rule.instrument == instrument)

    def rule(self, code: str) -> Rule | None:
        """The rule with this code; None if there is none."""
        return next((rule for rule in self.rules if rule.code == code), None)


def scorings(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The scorings whose scores the rules look at, each once."""
    found = [one.trigger.scoring for one in rules if isinstance(one.trigger, ScaleTrigger)]
    return tuple(dict.fromkeys(found))


def raised(rules: Iterable[Rule], codes: Codes, values: Values) -> tuple[Rule, ...]:
    """The rules that these answers to their instrument raise, in the protocol's order."""
    return tuple(rule for rule in rules if _raises(rule.trigger, codes, values))


def _raises(trigger: ItemTrigger | ScaleTrigger, codes: Codes, values: Values) -> bool:
    if isinstance(trigger, ItemTrigger):
        return codes.get(trigger.item) in trigger.codes
    value = values.get((trigger.scoring, trigger.scale))
    if value is None:
        return False
    if trigger.below is not None:
        return value < trigger.below
    return trigger.above is not None and value > trigger.above
