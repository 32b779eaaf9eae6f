"""A study file: what a protocol says, validated before anything of it is used."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pro_app.core.instruments import DefinitionError, Instrument

LANGUAGES = ("ms", "en", "zh_Hans", "ta")
STATUSES = ("demonstration", "test", "live")
NATIONAL_IDENTITY = re.compile(r"\d{6}-?\d{2}-?\d{4}")  # the shape of a MyKad number
_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Site:
    """A place that enrols."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class StudyInstrument:
    """An instrument of the protocol and the scorings it is scored by."""

    code: str
    scorings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timepoint:
    """A named visit: its neutral label per language, and its instruments in order."""

    code: str
    labels: Mapping[str, str]
    instruments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """The privacy notice: a version, and per language pairs of heading and text."""

    version: str
    sections: Mapping[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class StudyDefinition:
    """A protocol. `names` are public and neutral; `zone` is an IANA zone; `grace` is how long
    after closing a questionnaire that was begun in time may be finished."""

    code: str
    status: str
    zone: ZoneInfo
    languages: tuple[str, ...]
    names: Mapping[str, str]
    number_pattern: re.Pattern[str]
    grace: timedelta
    skipping: bool
    telephone: str
    emergency: str
    sites: tuple[Site, ...]
    instruments: tuple[StudyInstrument, ...]
    timepoints: tuple[Timepoint, ...]
    notice: Notice

    def timepoint(self, code: str) -> Timepoint:
        """The timepoint with this code; KeyError if the protocol has none."""
        return _by_code(self.timepoints, code)

    def instrument(self, code: str) -> StudyInstrument:
        """The protocol's entry of an instrument; KeyError if it has none."""
        return _by_code(self.instruments, code)


Coded = TypeVar("Coded", Timepoint, StudyInstrument)


def _by_code(things: tuple[Coded, ...], code: str) -> Coded:
    for thing in things:
        if thing.code == code:
            return thing
    raise KeyError(code)


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


class _Reader:
    """Reads the tables of one file; every refusal says where."""

    def __init__(self, file: str, instruments: Mapping[str, Instrument]) -> None:
        self.file = file
        self.known = instruments

    def refuse(self, place: str, reason: str) -> DefinitionError:
        return DefinitionError(self.file, place, reason)

    def table(self, content: Any, place: str, keys: set[str], optional: set[str]) -> dict[str, Any]:
        if not isinstance(content, dict):
            raise self.refuse(place, "must be a table")
        for key in sorted(keys - content.keys()):
            raise self.refuse(f"{place}.{key}".lstrip("."), "is missing")
        for key in sorted(content.keys() - keys - optional):
            raise self.refuse(f"{place}.{key}".lstrip("."), "is not known")
        return content

    def value(self, table: Mapping[str, Any], key: str, kind: type, place: str = "") -> Any:
        found = table[key]
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            wanted = {str: "text", int: "a whole number", bool: "true or false", list: "a list"}
            raise self.refuse(f"{place}.{key}".lstrip("."), f"must be {wanted[kind]}")
        if found == "":
            raise self.refuse(f"{place}.{key}".lstrip("."), "is empty")
        return found

    def texts(self, content: Any, languages: tuple[str, ...], place: str) -> dict[str, str]:
        """One text for every language of the study."""
        table = self.table(content, place, set(languages), set())
        return {language: self.value(table, language, str, place) for language in languages}

    def codes(self, table: Mapping[str, Any], key: str, place: str = "") -> list[str]:
        found: list[Any] = self.value(table, key, list, place)
        if not all(isinstance(one, str) for one in found):
            raise self.refuse(f"{place}.{key}".lstrip("."), "must be a list of texts")
        return found

    def tables(self, content: Mapping[str, Any], key: str) -> list[Any]:
        found = self.value(content, key, list)
        if not found:
            raise self.refuse(key, "needs at least one")
        codes = [entry.get("code") for entry in found if isinstance(entry, dict)]
        for code in codes:
            if code is not None and codes.count(code) > 1:
                raise self.refuse(key, f"two entries have the code {code!r}")
        return list(found)

    def code(self, table: Mapping[str, Any], place: str) -> str:
        code: str = self.value(table, "code", str, place)
        if not _CODE.fullmatch(code):
            raise self.refuse(
                f"{place}.code".lstrip("."), "only small letters, digits, _ and -, at most 40"
            )
        return code

    def study(self, content: Mapping[str, Any]) -> StudyDefinition:
        keys = {
            "code", "status", "zone", "languages", "name", "number_pattern", "grace_minutes",
            "skipping", "contact", "sites", "instruments", "timepoints", "notice",
        }  # fmt: skip
        self.table(content, "", keys, set())
        languages = self.languages(content)
        status = self.value(content, "status", str)
        if status not in STATUSES:
            raise self.refuse("status", f"must be one of {', '.join(STATUSES)}")
        grace = self.value(content, "grace_minutes", int)
        if not 0 <= grace <= 7 * 24 * 60:
            raise self.refuse("grace_minutes", "must be between 0 and 10080, a week")
        contact = self.table(content["contact"], "contact", {"telephone", "emergency"}, set())
        instruments = self.instruments(content)
        return StudyDefinition(
            code=self.code(content, ""),
            status=status,
            zone=self.zone(content),
            languages=languages,
            names=self.texts(content["name"], languages, "name"),
            number_pattern=self.number_pattern(content),
            grace=timedelta(minutes=grace),
            skipping=self.value(content, "skipping", bool),
            telephone=self.value(contact, "telephone", str, "contact"),
            emergency=self.value(contact, "emergency", str, "contact"),
            sites=self.sites(content),
            instruments=instruments,
            timepoints=self.timepoints(content, languages, {entry.code for entry in instruments}),
            notice=self.notice(content["notice"], languages),
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

    def number_pattern(self, content: Mapping[str, Any]) -> re.Pattern[str]:
        text = self.value(content, "number_pattern", str)
        try:
            return re.compile(text)
        except re.error as error:
            raise self.refuse("number_pattern", f"is not a pattern: {error}") from error

    def sites(self, content: Mapping[str, Any]) -> tuple[Site, ...]:
        sites = []
        for place, entry in self.entries(content, "sites"):
            table = self.table(entry, place, {"code", "name"}, set())
            sites.append(Site(self.code(table, place), self.value(table, "name", str, place)))
        return tuple(sites)

    def entries(self, content: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
        return [(f"{key}[{n}]", entry) for n, entry in enumerate(self.tables(content, key), 1)]

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

    def timepoints(
        self, content: Mapping[str, Any], languages: tuple[str, ...], instruments: set[str]
    ) -> tuple[Timepoint, ...]:
        found = []
        for place, entry in self.entries(content, "timepoints"):
            table = self.table(entry, place, {"code", "label", "instruments"}, set())
            wanted = self.codes(table, "instruments", place)
            for code in wanted:
                if code not in instruments:
                    raise self.refuse(
                        f"{place}.instruments", f"{code!r} is not an instrument of the study"
                    )
            if not wanted or len(set(wanted)) != len(wanted):
                raise self.refuse(f"{place}.instruments", "needs at least one, each once")
            labels = self.texts(table["label"], languages, f"{place}.label")
            found.append(Timepoint(self.code(table, place), labels, tuple(wanted)))
        return tuple(found)

    def notice(self, content: Any, languages: tuple[str, ...]) -> Notice:
        """Malay and English stand in every notice, beside the study's languages."""
        wanted = {"ms", "en", *languages}
        table = self.table(content, "notice", {"version", *wanted}, set())
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
        return Notice(self.value(table, "version", str, "notice"), sections)
