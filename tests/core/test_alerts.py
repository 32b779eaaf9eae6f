"""Which answers raise an alert, and every refusal of a study file that says so."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pro_app.config import ROOT
from pro_app.core import alerts
from pro_app.core.alerts import ItemTrigger, Monitoring, Rule, ScaleTrigger
from pro_app.core.instruments import DefinitionError
from pro_app.core.library import Library
from pro_app.core.study_file import parse_study, read_study_file
from tests.core.test_study import GOOD, Content, drop, put

TESTS = Path(__file__).parents[1]
WATCHED: Content = GOOD | tomllib.loads((TESTS / "monitoring.toml").read_text(encoding="utf-8"))
BELOW = ScaleTrigger("s", "PAIN", below=25)
ABOVE = ScaleTrigger("s", "PAIN", above=75)
ITEM = ItemTrigger("Q1", frozenset({0, 1}))


def rule(trigger: ItemTrigger | ScaleTrigger, code: str = "one", instrument: str = "toy") -> Rule:
    day = timedelta(hours=24)
    return Rule(code, {"en": "One"}, instrument, trigger, ("investigator",), day, "investigator")


@pytest.mark.parametrize(
    ("trigger", "codes", "value", "raised"),
    [
        (ITEM, {"Q1": 0}, None, True),
        (ITEM, {"Q1": 1}, None, True),
        (ITEM, {"Q1": 2}, None, False),
        (ITEM, {"Q1": None}, None, False),  # skipped, or not applicable
        (ITEM, {}, None, False),  # not reached
        (ITEM, {"Q2": 0}, 0.0, False),
        (BELOW, {}, 24.999, True),
        (BELOW, {}, 0.0, True),
        (BELOW, {}, 25.0, False),
        (BELOW, {}, 100.0, False),
        (BELOW, {}, None, False),  # too few items answered
        (ABOVE, {}, 75.001, True),
        (ABOVE, {}, 75.0, False),
        (ABOVE, {}, 0.0, False),
        (ABOVE, {}, None, False),
        (ScaleTrigger("s", "PAIN", above=0), {}, 0.5, True),
        (ScaleTrigger("s", "PAIN", below=0), {}, -0.5, True),
        (ScaleTrigger("s", "OTHER", below=25), {}, 1.0, False),
        (ScaleTrigger("t", "PAIN", below=25), {}, 1.0, False),
    ],
)
def test_a_rule_is_raised_by_what_is_there_alone(
    trigger: ItemTrigger | ScaleTrigger,
    codes: dict[str, int | None],
    value: float | None,
    raised: bool,
) -> None:
    one = rule(trigger)
    found = alerts.raised([one], codes, {("s", "PAIN"): value})
    assert found == ((one,) if raised else ())


def test_rules_come_in_the_protocols_order_and_each_by_itself() -> None:
    three = [rule(ITEM, "b"), rule(BELOW, "c"), rule(ABOVE, "a")]
    found = alerts.raised(three, {"Q1": 0}, {("s", "PAIN"): 80.0})
    assert [one.code for one in found] == ["b", "a"]
    assert alerts.scorings([*three, rule(ScaleTrigger("t", "X", below=1))]) == ("s", "t")


def test_only_the_instruments_own_rules_are_looked_at_and_only_where_answers_are_watched() -> None:
    here, there = rule(ITEM, "here"), rule(ITEM, "there", "other")
    watched = Monitoring(True, {}, (here, there))
    assert watched.rules_of("toy") == (here,)
    assert Monitoring(False, {}, (here, there)).rules_of("toy") == ()
    assert watched.rule("there") is there
    assert watched.rule("gone") is None


# --- the study file -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", [TESTS / "study.toml", TESTS / "trial.toml", ROOT / "pro_app" / "demo" / "study.toml"]
)
def test_answers_are_watched_only_where_a_study_says_so(library: Library, file: Path) -> None:
    content = read_study_file(file, library.instruments)
    assert parse_study(content, library.instruments).monitoring == Monitoring()
    content["monitoring"] = {"watched": False}
    assert parse_study(content, library.instruments).monitoring == Monitoring()


def test_rules_are_read_as_they_stand(library: Library) -> None:
    found = parse_study(WATCHED, library.instruments).monitoring
    assert found.watched
    assert found.promise["en"] == "The study team looks at some of your answers within two days."
    first, pain, good = found.rules
    assert first.trigger == ItemTrigger("LQ01", frozenset({0, 1}))
    assert first.recipients == ("investigator", "coordinator")
    assert (first.within, first.escalate_to) == (timedelta(hours=24), "investigator")
    assert pain.trigger == ScaleTrigger("lupusqol", "LQPAIN", below=25.0)
    assert pain.names["ms"] == "Kesakitan"
    assert good.trigger == ScaleTrigger("rand", "PF", above=99.5)


def edited(*edits: Callable[[Content], None]) -> Content:
    content = copy.deepcopy(WATCHED)
    for edit in edits:
        edit(content)
    return content


def ruled(n: int, **values: Any) -> Callable[[Content], None]:
    """An edit of a rule; None takes the key out."""

    def edit(content: Content) -> None:
        found = content["monitoring"]["rules"][n]
        found.update(values)
        for key in [key for key, value in values.items() if value is None]:
            del found[key]

    return edit


def twice(content: Content) -> None:
    content["monitoring"]["rules"].append(content["monitoring"]["rules"][0])


RULE = "monitoring.rules[1]"
SCALE = "monitoring.rules[2]"
REFUSED = [
    (put("monitoring", to=True), "monitoring", "must be a table"),
    (drop("monitoring", "watched"), "monitoring.watched", "is missing"),
    (put("monitoring", "watched", to="yes"), "monitoring.watched", "must be true or false"),
    (put("monitoring", "watched", to=False), "monitoring.promise",
     "means nothing without watched = true"),
    (put("monitoring", to={"watched": False, "rules": []}), "monitoring.rules",
     "means nothing without watched = true"),
    (drop("monitoring", "promise"), "monitoring.promise", "is missing"),
    (drop("monitoring", "promise", "ta"), "monitoring.promise.ta", "is missing"),
    (put("monitoring", "promise", "ms", to="x" * 401), "monitoring.promise.ms",
     "has more than 400 characters"),
    (drop("monitoring", "rules"), "monitoring.rules", "is missing"),
    (put("monitoring", "rules", to=[]), "monitoring.rules", "needs at least one"),
    (twice, "monitoring.rules", "two entries have the code 'first_answer'"),
    (ruled(0, code="First"), f"{RULE}.code", "only small letters, digits, _ and -, at most 40"),
    (drop("monitoring", "rules", 0, "name", "en"), f"{RULE}.name.en", "is missing"),
    (put("monitoring", "rules", 0, "name", "en", to="x" * 81), f"{RULE}.name.en",
     "has more than 80 characters"),
    (ruled(0, instrument="other"), f"{RULE}.instrument",
     "'other' is not an instrument of the study"),
    (ruled(0, item="LQ99"), f"{RULE}.item", "lupusqol has no item 'LQ99'"),
    (ruled(0, item=None), RULE, "needs either item or scale"),
    (ruled(0, scale="LQPAIN"), RULE, "needs either item or scale"),
    (ruled(0, below=1), f"{RULE}.below", "means nothing beside item"),
    (ruled(0, scoring="lupusqol"), f"{RULE}.scoring", "means nothing beside item"),
    (ruled(0, codes=None), f"{RULE}.codes", "is missing"),
    (ruled(0, codes=0), f"{RULE}.codes", "must be a list"),
    (ruled(0, codes=[]), f"{RULE}.codes", "needs at least one option, each once"),
    (ruled(0, codes=[1, 1]), f"{RULE}.codes", "needs at least one option, each once"),
    (ruled(0, codes=[0, 5]), f"{RULE}.codes", "LQ01 has no option 5"),
    (ruled(0, codes=["0"]), f"{RULE}.codes", "LQ01 has no option '0'"),
    (ruled(0, codes=[False]), f"{RULE}.codes", "LQ01 has no option False"),
    (ruled(0, codes=[0, 1, 2, 3, 4]), f"{RULE}.codes", "every answer to LQ01 would raise it"),
    (ruled(0, recipients=None), f"{RULE}.recipients", "is missing"),
    (ruled(0, recipients=[]), f"{RULE}.recipients", "needs at least one recipient, each once"),
    (ruled(0, recipients=["investigator"] * 2), f"{RULE}.recipients",
     "needs at least one recipient, each once"),
    (ruled(0, recipients=["researcher"]), f"{RULE}.recipients",
     "'researcher' is not one of coordinator, investigator"),
    (ruled(0, escalate_to="sponsor"), f"{RULE}.escalate_to",
     "'sponsor' is not one of coordinator, investigator"),
    (ruled(0, escalate_to=None), f"{RULE}.escalate_to", "is missing"),
    (ruled(0, acknowledge_within_hours=0), f"{RULE}.acknowledge_within_hours",
     "must be between 1 and 336"),
    (ruled(0, acknowledge_within_hours=2.5), f"{RULE}.acknowledge_within_hours",
     "must be a whole number"),
    (ruled(0, colour="red"), f"{RULE}.colour", "is not known"),
    (ruled(1, below=None), SCALE, "needs either below or above"),
    (ruled(1, above=80), SCALE, "needs either below or above"),
    (ruled(1, below="25"), f"{SCALE}.below", "must be a number"),
    (ruled(1, below=float("nan")), f"{SCALE}.below", "must be a number"),
    (ruled(1, below=True), f"{SCALE}.below", "must be a number"),
    (ruled(1, scale="PAIN"), f"{SCALE}.scale", "lupusqol has no scale 'PAIN'"),
    (ruled(1, scoring=None), f"{SCALE}.scoring", "is missing"),
    (ruled(1, scoring="rand"), f"{SCALE}.scoring", "the study does not score lupusqol by 'rand'"),
    (ruled(1, codes=[1]), f"{SCALE}.codes", "means nothing beside scale"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "place", "reason"), REFUSED)
def test_a_faulty_rule_is_refused_with_place_and_reason(
    library: Library, edit: Callable[[Content], None], place: str, reason: str
) -> None:
    with pytest.raises(DefinitionError) as refused:
        parse_study(edited(edit), library.instruments, file="watched.toml")
    assert str(refused.value) == f"watched.toml: {place}: {reason}"
