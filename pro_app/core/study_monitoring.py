"""The part of a study file that says whether answers are watched for care, and by which rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pro_app.core.alerts import RECIPIENTS, ItemTrigger, Monitoring, Rule, ScaleTrigger
from pro_app.core.instruments import Instrument
from pro_app.core.study import StudyInstrument
from pro_app.core.study_tables import Tables

MOST_HOURS = 14 * 24  # until somebody is to have seen an alert
LONGEST_NAME = 80  # characters of a rule's name
LONGEST_PROMISE = 400  # characters
_PLACE = "monitoring"


class MonitoringReader(Tables):
    """Reads `[monitoring]` of one study's file; every refusal says where."""

    def __init__(
        self,
        file: str,
        known: Mapping[str, Instrument],
        asked: tuple[StudyInstrument, ...],
        languages: tuple[str, ...],
    ) -> None:
        super().__init__(file)
        self.known = known
        self.asked = {entry.code: entry.scorings for entry in asked}
        self.languages = languages

    def monitoring(self, content: Mapping[str, Any]) -> Monitoring:
        """What the file says; a study without the table has nothing watched."""
        if _PLACE not in content:
            return Monitoring()
        table = self.table(content[_PLACE], _PLACE, {"watched"}, {"promise", "rules"})
        if not self.value(table, "watched", bool, _PLACE):
            for key in sorted(table.keys() - {"watched"}):
                raise self.refuse(f"{_PLACE}.{key}", "means nothing without watched = true")
            return Monitoring()
        self.table(table, _PLACE, {"watched", "promise", "rules"}, set())
        rules = tuple(
            self.rule(entry, place) for place, entry in self.entries(table, "rules", _PLACE)
        )
        return Monitoring(True, self.short(table, "promise", _PLACE, LONGEST_PROMISE), rules)

    def short(self, table: Mapping[str, Any], key: str, place: str, longest: int) -> dict[str, str]:
        """One text for every language of the study, none of them too long for its place."""
        found = self.texts(table[key], self.languages, f"{place}.{key}")
        for language, text in found.items():
            if len(text) > longest:
                raise self.refuse(
                    f"{place}.{key}.{language}", f"has more than {longest} characters"
                )
        return found

    def rule(self, content: Any, place: str) -> Rule:
        keys = {
            "code", "name", "instrument", "recipients", "acknowledge_within_hours", "escalate_to",
        }  # fmt: skip
        triggers = {"item", "codes", "scoring", "scale", "below", "above"}
        table = self.table(content, place, keys, triggers)
        instrument = self.value(table, "instrument", str, place)
        if instrument not in self.asked:
            raise self.refuse(
                f"{place}.instrument", f"{instrument!r} is not an instrument of the study"
            )
        return Rule(
            code=self.code(table, place),
            names=self.short(table, "name", place, LONGEST_NAME),
            instrument=instrument,
            trigger=self.trigger(table, place, self.known[instrument]),
            recipients=self.recipients(table, place),
            within=timedelta(
                hours=self.number(table, "acknowledge_within_hours", place, 1, MOST_HOURS)
            ),
            escalate_to=self.role(
                self.value(table, "escalate_to", str, place), f"{place}.escalate_to"
            ),
        )

    def recipients(self, table: Mapping[str, Any], place: str) -> tuple[str, ...]:
        found = self.codes(table, "recipients", place)
        where = f"{place}.recipients"
        if not found or len(set(found)) != len(found):
            raise self.refuse(where, "needs at least one recipient, each once")
        return tuple(self.role(one, where) for one in found)

    def role(self, found: str, where: str) -> str:
        if found not in RECIPIENTS:
            raise self.refuse(where, f"{found!r} is not one of {', '.join(RECIPIENTS)}")
        return found

    def trigger(
        self, table: Mapping[str, Any], place: str, instrument: Instrument
    ) -> ItemTrigger | ScaleTrigger:
        if ("item" in table) == ("scale" in table):
            raise self.refuse(place, "needs either item or scale")
        if "item" in table:
            self.only(table, place, {"item", "codes"})
            return self.item(table, place, instrument)
        self.only(table, place, {"scoring", "scale", "below", "above"})
        return self.scale(table, place, instrument)

    def only(self, table: Mapping[str, Any], place: str, keys: set[str]) -> None:
        """Nothing of the other kind of trigger."""
        kind = "item" if "item" in keys else "scale"
        others = {"item", "codes", "scoring", "scale", "below", "above"} - keys
        for key in sorted(others & table.keys()):
            raise self.refuse(f"{place}.{key}", f"means nothing beside {kind}")

    def item(self, table: Mapping[str, Any], place: str, instrument: Instrument) -> ItemTrigger:
        code = self.value(table, "item", str, place)
        if code not in {one.code for one in instrument.items}:
            raise self.refuse(f"{place}.item", f"{instrument.code} has no item {code!r}")
        if "codes" not in table:
            raise self.refuse(f"{place}.codes", "is missing")
        codes = self.value(table, "codes", list, place)
        options = instrument.item(code).options.codes
        for one in codes:
            if type(one) is not int or one not in options:
                raise self.refuse(f"{place}.codes", f"{code} has no option {one!r}")
        if not codes or len(set(codes)) != len(codes):
            raise self.refuse(f"{place}.codes", "needs at least one option, each once")
        if len(codes) == len(options):
            raise self.refuse(f"{place}.codes", f"every answer to {code} would raise it")
        return ItemTrigger(code, frozenset(codes))

    def scale(self, table: Mapping[str, Any], place: str, instrument: Instrument) -> ScaleTrigger:
        if "scoring" not in table:
            raise self.refuse(f"{place}.scoring", "is missing")
        scoring = self.value(table, "scoring", str, place)
        if scoring not in self.asked[instrument.code]:
            raise self.refuse(
                f"{place}.scoring", f"the study does not score {instrument.code} by {scoring!r}"
            )
        scale = self.value(table, "scale", str, place)
        if scale not in instrument.scorings[scoring].outputs():
            raise self.refuse(f"{place}.scale", f"{scoring} has no scale {scale!r}")
        if ("below" in table) == ("above" in table):
            raise self.refuse(place, "needs either below or above")
        (key,) = {"below", "above"} & table.keys()
        value = table[key]
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise self.refuse(f"{place}.{key}", "must be a number")
        return ScaleTrigger(scoring, scale, **{key: float(value)})
