"""A study file, read strictly: every refusal names the file, the place in it and the reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pro_app.core import reminders, schedule
from pro_app.core.instruments import DefinitionError, Instrument
from pro_app.core.reminders import Channel, Rules, Step
from pro_app.core.schedule import DAY, ENROLMENT, Anchor, Offset, Repeat, Timepoint
from pro_app.core.study import (
    LANGUAGES,
    STATUSES,
    Notice,
    Site,
    StudyDefinition,
    StudyInstrument,
)
from pro_app.core.study_monitoring import MonitoringReader
from pro_app.core.study_tables import Tables

MOST_DAYS = 366  # of a window before or after the due day, and of a reminder's distance
FARTHEST = 10_000  # days or months from an anchor, also of the last of a repeated timepoint
# what places a timepoint in the calendar
TIMED = {
    "anchor", "offset", "before_days", "after_days", "opens", "closes", "repeat", "precedes",
    "retroactive",
}  # fmt: skip
_DAY = re.compile(r"20\d{2}-\d{2}-\d{2}")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


def read_study_file(path: Path, instruments: Mapping[str, Instrument]) -> dict[str, Any]:
    """The content of a study file, validated. Raises DefinitionError with file, place, reason."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(str(path), "file", str(error)) from error
    parse_study(content, instruments, file=str(path))
    return content


def parse_study(
    content: Mapping[str, Any], instruments: Mapping[str, Instrument], file: str = "study"
) -> StudyDefinition:
    """A study definition from a study file's content.

    Raises DefinitionError naming the file, the place in it and the reason.
    """
    return _Reader(file, instruments).study(content)


class _Reader(Tables):
    """Reads the tables of one file; every refusal says where."""

    def __init__(self, file: str, instruments: Mapping[str, Instrument]) -> None:
        super().__init__(file)
        self.known = instruments

    def study(self, content: Mapping[str, Any]) -> StudyDefinition:
        keys = {
            "code", "status", "zone", "languages", "name", "number_pattern", "grace_minutes",
            "skipping", "contact", "sites", "instruments", "timepoints", "notice",
        }  # fmt: skip
        self.table(content, "", keys, {"anchors", "reminders", "read_aloud", "monitoring"})
        languages = self.languages(content)
        status = self.value(content, "status", str)
        if status not in STATUSES:
            raise self.refuse("status", f"must be one of {', '.join(STATUSES)}")
        grace = self.value(content, "grace_minutes", int)
        if not 0 <= grace <= 7 * 24 * 60:
            raise self.refuse("grace_minutes", "must be between 0 and 10080, a week")
        contact = self.table(content["contact"], "contact", {"telephone", "emergency"}, set())
        instruments = self.instruments(content)
        anchors = self.anchors(content, languages)
        zone = self.zone(content)
        return StudyDefinition(
            code=self.code(content, ""),
            status=status,
            zone=zone,
            languages=languages,
            names=self.texts(content["name"], languages, "name"),
            number_pattern=self.number_pattern(content, ""),
            grace=timedelta(minutes=grace),
            skipping=self.value(content, "skipping", bool),
            read_aloud="read_aloud" in content and self.value(content, "read_aloud", bool),
            telephone=self.value(contact, "telephone", str, "contact"),
            emergency=self.value(contact, "emergency", str, "contact"),
            sites=self.sites(content),
            instruments=instruments,
            anchors=anchors,
            timepoints=self.timepoints(content, languages, instruments, anchors),
            reminders=self.reminders(content),
            notice=self.notice(content["notice"], languages),
            monitoring=MonitoringReader(self.file, self.known, instruments, languages).monitoring(
                content
            ),
        )

    def languages(self, content: Mapping[str, Any]) -> tuple[str, ...]:
        found = self.codes(content, "languages")
        for language in found:
            if language not in LANGUAGES:
                raise self.refuse("languages", f"{language!r} is not one of {', '.join(LANGUAGES)}")
        if not found or len(set(found)) != len(found):
            raise self.refuse("languages", "needs at least one language, each once")
        return tuple(found)

    def zone(self, content: Mapping[str, Any]) -> ZoneInfo:
        name = self.value(content, "zone", str)
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # "Asia" is a folder
            raise self.refuse("zone", f"{name!r} is not a time zone") from error

    def number_pattern(self, table: Mapping[str, Any], place: str) -> re.Pattern[str]:
        text = self.value(table, "number_pattern", str, place)
        try:
            return re.compile(text)
        except re.error as error:
            where = f"{place}.number_pattern".lstrip(".")
            raise self.refuse(where, f"is not a pattern: {error}") from error

    def sites(self, content: Mapping[str, Any]) -> tuple[Site, ...]:
        sites = []
        for place, entry in self.entries(content, "sites"):
            table = self.table(entry, place, {"code", "name"}, {"number_pattern"})
            own = self.number_pattern(table, place) if "number_pattern" in table else None
            sites.append(Site(self.code(table, place), self.value(table, "name", str, place), own))
        return tuple(sites)

    def instruments(self, content: Mapping[str, Any]) -> tuple[StudyInstrument, ...]:
        found = []
        for place, entry in self.entries(content, "instruments"):
            table = self.table(entry, place, {"code", "scorings"}, set())
            code = self.code(table, place)
            if code not in self.known:
                raise self.refuse(f"{place}.code", f"there is no instrument {code!r}")
            scorings = self.codes(table, "scorings", place)
            for scoring in scorings:
                if scoring not in self.known[code].scorings:
                    raise self.refuse(f"{place}.scorings", f"{code} has no scoring {scoring!r}")
            if not scorings or len(set(scorings)) != len(scorings):
                raise self.refuse(f"{place}.scorings", "needs at least one scoring, each once")
            found.append(StudyInstrument(code, tuple(scorings)))
        return tuple(found)

    def anchors(self, content: Mapping[str, Any], languages: tuple[str, ...]) -> tuple[Anchor, ...]:
        """The anchors that the site dates, and before them enrolment, which dates itself."""
        found = []
        for place, entry in self.entries(content, "anchors") if "anchors" in content else []:
            table = self.table(entry, place, {"code", "label"}, {"first_day"})
            first_day = self.number(table, "first_day", place, 0, 1, default=0)
            labels = self.texts(table["label"], languages, f"{place}.label")
            found.append(Anchor(self.code(table, place), labels, first_day))
        if not any(anchor.code == ENROLMENT for anchor in found):
            found.insert(0, Anchor(ENROLMENT, dict.fromkeys(languages, ENROLMENT)))
        return tuple(found)

    def timepoints(
        self,
        content: Mapping[str, Any],
        languages: tuple[str, ...],
        instruments: tuple[StudyInstrument, ...],
        anchors: tuple[Anchor, ...],
    ) -> tuple[Timepoint, ...]:
        codes = {entry.code for entry in instruments}
        found = []
        for place, entry in self.entries(content, "timepoints"):
            table = self.table(entry, place, {"code", "label", "instruments"}, TIMED)
            wanted = self.codes(table, "instruments", place)
            for code in wanted:
                if code not in codes:
                    raise self.refuse(
                        f"{place}.instruments", f"{code!r} is not an instrument of the study"
                    )
            if not wanted or len(set(wanted)) != len(wanted):
                raise self.refuse(f"{place}.instruments", "needs at least one, each once")
            labels = self.texts(table["label"], languages, f"{place}.label")
            timepoint = Timepoint(self.code(table, place), labels, tuple(wanted))
            timepoint = self.timed(timepoint, table, place, {one.code: one for one in anchors})
            self.counted(timepoint, f"{place}.label")
            found.append(timepoint)
        return tuple(found)

    def timed(
        self,
        timepoint: Timepoint,
        table: Mapping[str, Any],
        place: str,
        anchors: Mapping[str, Anchor],
    ) -> Timepoint:
        """The timepoint with its place in the calendar; an unscheduled one has none."""
        if "anchor" not in table:
            for key in sorted(TIMED & table.keys()):
                raise self.refuse(f"{place}.{key}", "means nothing without an anchor")
            return timepoint
        for key in ("anchor", "precedes"):
            if key in table and self.value(table, key, str, place) not in anchors:
                raise self.refuse(f"{place}.{key}", f"there is no anchor {table[key]!r}")
        if "offset" not in table:
            raise self.refuse(f"{place}.offset", "is missing")
        opens = self.minute(table, "opens", place, 0)
        closes = self.minute(table, "closes", place, DAY)
        timed = replace(
            timepoint,
            anchor=table["anchor"],
            offset=self.offset(table["offset"], f"{place}.offset"),
            before=self.number(table, "before_days", place, 0, MOST_DAYS, default=0),
            after=self.number(table, "after_days", place, 0, MOST_DAYS, default=0),
            opens=opens,
            closes=closes,
            first_day=anchors[table["anchor"]].first_day,
            repeat=self.repeat(table["repeat"], f"{place}.repeat") if "repeat" in table else None,
            precedes=table.get("precedes"),
            retroactive=self.value(table, "retroactive", bool, place)
            if "retroactive" in table
            else False,
        )
        if opens == DAY:
            raise self.refuse(f"{place}.opens", "must be earlier than 24:00")
        if timed.after * DAY + closes <= opens:
            raise self.refuse(f"{place}.closes", "must be later than opens")
        if timed.first_day == 1 and timed.offset == Offset(0, "days"):
            raise self.refuse(f"{place}.offset.days", f"there is no day 0 of {timed.anchor}")
        return timed

    def counted(self, timepoint: Timepoint, place: str) -> None:
        """`{count}` in a label needs one count of days or months for every occurrence."""
        repeat, unit = timepoint.repeat, timepoint.offset.unit
        for language, text in timepoint.labels.items():
            if "{count}" in text and (repeat is None or repeat.every.unit != unit):
                raise self.refuse(
                    f"{place}.{language}", "{count} needs a repeat in the offset's own unit"
                )

    def offset(self, content: Any, place: str, least: int = -FARTHEST) -> Offset:
        """`{ days = 28 }` or `{ months = 3 }`."""
        table = self.table(content, place, set(), {"days", "months"})
        if len(table) != 1:
            raise self.refuse(place, "needs either days or months")
        (unit,) = table
        return Offset(self.number(table, unit, place, least, FARTHEST), unit)

    def repeat(self, content: Any, place: str) -> Repeat:
        table = self.table(content, place, {"every"}, {"until", "times"})
        if len(table) != 2:
            raise self.refuse(place, "needs either until or times")
        every = self.offset(table["every"], f"{place}.every", least=1)
        if "times" in table:
            most = min(schedule.MOST_OCCURRENCES, FARTHEST // every.count)
            return Repeat(every, times=self.number(table, "times", place, 1, most))
        until = self.value(table, "until", str, place)
        try:
            if not _DAY.fullmatch(until):
                raise ValueError(until)
            return Repeat(every, until=date.fromisoformat(until))
        except ValueError as error:
            raise self.refuse(f"{place}.until", 'must be a day like "2029-12-31"') from error

    def minute(self, table: Mapping[str, Any], key: str, place: str, default: int) -> int:
        """A time of day as minutes after midnight."""
        return self.clock(table[key], f"{place}.{key}") if key in table else default

    def clock(self, text: Any, place: str) -> int:
        if not isinstance(text, str) or not _TIME.fullmatch(text):
            raise self.refuse(place, 'must be a time like "08:00", at most "24:00"')
        return int(text[:2]) * 60 + int(text[3:])

    def reminders(self, content: Mapping[str, Any]) -> Rules:
        """The reminders; a study without the table sends none."""
        if "reminders" not in content:
            return Rules()
        keys = {"hours", "usual", "steps"}
        table = self.table(content["reminders"], "reminders", keys, {"spread_minutes"})
        hours = self.value(table, "hours", list, "reminders")
        if len(hours) != 2:
            raise self.refuse("reminders.hours", "needs two times: from and until")
        first, last = (self.clock(hour, "reminders.hours") for hour in hours)
        steps = tuple(
            self.step(entry, place) for place, entry in self.entries(table, "steps", "reminders")
        )
        rules = Rules(
            steps=steps,
            first=first,
            last=last,
            usual=self.minute(table, "usual", "reminders", 0),
            spread=self.number(table, "spread_minutes", "reminders", 0, 600, default=0),
        )
        for fault in reminders.faults(rules):
            raise self.refuse("reminders", fault)
        return rules

    def step(self, content: Any, place: str) -> Step:
        when = {"after_days", "before_days", "share"}
        options = when | {"unless_opened", "urgent"}
        table = self.table(content, place, {"code", "channel"}, options)
        channel = self.value(table, "channel", str, place)
        if channel not in set(Channel):
            raise self.refuse(f"{place}.channel", f"must be one of {', '.join(Channel)}")
        if len(when & table.keys()) != 1:
            raise self.refuse(place, "needs exactly one of after_days, before_days, share")
        share = table.get("share")
        if share is not None and not (
            isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1
        ):
            raise self.refuse(f"{place}.share", "must be a number from 0 to 1")
        days = {
            key: self.number(table, key, place, 0, MOST_DAYS)
            for key in ("after_days", "before_days")
            if key in table
        }
        flags = {
            key: self.value(table, key, bool, place)
            for key in ("unless_opened", "urgent")
            if key in table
        }
        return Step(
            code=self.code(table, place),
            channel=Channel(channel),
            after_days=days.get("after_days"),
            before_days=days.get("before_days"),
            share=share,
            **flags,
        )

    def notice(self, content: Any, languages: tuple[str, ...]) -> Notice:
        """Malay and English stand in every notice, beside the study's languages."""
        wanted = {"ms", "en", *languages}
        table = self.table(content, "notice", {"version", *wanted}, {"approval"})
        sections: dict[str, tuple[tuple[str, str], ...]] = {}
        for language in sorted(wanted):
            place = f"notice.{language}"
            pairs = []
            for n, entry in enumerate(self.value(table, language, list, "notice"), 1):
                part = self.table(entry, f"{place}[{n}]", {"heading", "text"}, set())
                pairs.append(
                    (
                        self.value(part, "heading", str, f"{place}[{n}]"),
                        self.value(part, "text", str, f"{place}[{n}]"),
                    )
                )
            if not pairs:
                raise self.refuse(place, "needs at least one section")
            sections[language] = tuple(pairs)
        approval = self.value(table, "approval", str, "notice") if "approval" in table else ""
        return Notice(self.value(table, "version", str, "notice"), sections, approval)
