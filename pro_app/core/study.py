"""A study: what its protocol says. `pro_app.core.study_file` reads and validates one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from pro_app.core.alerts import Monitoring
from pro_app.core.reminders import Rules
from pro_app.core.schedule import Anchor, Timepoint

LANGUAGES = ("ms", "en", "zh_Hans", "ta")
STATUSES = ("demonstration", "test", "live")
EXAMPLE_TELEPHONE = "03-5550 0100"  # the demonstration's, which nobody answers
NATIONAL_IDENTITY = re.compile(r"\d{6}-?\d{2}-?\d{4}")  # the shape of a MyKad number


@dataclass(frozen=True, slots=True)
class Site:
    """A place that enrols; `number_pattern` is of its own study numbers, if not the study's."""

    code: str
    name: str
    number_pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class StudyInstrument:
    """An instrument of the protocol and the scorings it is scored by."""

    code: str
    scorings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """The privacy notice: a version, and per language pairs of heading and text. `approval` is
    the reference under which an ethics committee approved it; a live study has one."""

    version: str
    sections: Mapping[str, tuple[tuple[str, str], ...]]
    approval: str = ""


@dataclass(frozen=True, slots=True)
class StudyDefinition:
    """A protocol. `names` are public and neutral; `zone` is an IANA zone; `grace` is how long
    after closing a questionnaire that was begun in time may be finished. `read_aloud` lets phones
    read items aloud, which is a mode of its own: only where protocol and licence allow it.
    `monitoring` says whether answers are watched for care: not, unless the protocol says so."""

    code: str
    status: str
    zone: ZoneInfo
    languages: tuple[str, ...]
    names: Mapping[str, str]
    number_pattern: re.Pattern[str]
    grace: timedelta
    skipping: bool
    read_aloud: bool
    telephone: str
    emergency: str
    sites: tuple[Site, ...]
    instruments: tuple[StudyInstrument, ...]
    anchors: tuple[Anchor, ...]
    timepoints: tuple[Timepoint, ...]
    reminders: Rules
    notice: Notice
    monitoring: Monitoring

    def number_pattern_of(self, site_code: str) -> re.Pattern[str]:
        """The pattern that study numbers of a site fit as a whole."""
        own = [site.number_pattern for site in self.sites if site.code == site_code]
        return next((one for one in own if one is not None), self.number_pattern)

    def timepoint(self, code: str) -> Timepoint:
        """The timepoint with this code; KeyError if the protocol has none."""
        return _by_code(self.timepoints, code)

    def anchor(self, code: str) -> Anchor:
        """The anchor with this code; KeyError if the protocol has none."""
        return _by_code(self.anchors, code)

    def instrument(self, code: str) -> StudyInstrument:
        """The protocol's entry of an instrument; KeyError if it has none."""
        return _by_code(self.instruments, code)


Coded = TypeVar("Coded", Anchor, Timepoint, StudyInstrument)


def _by_code(things: tuple[Coded, ...], code: str) -> Coded:
    for thing in things:
        if thing.code == code:
            return thing
    raise KeyError(code)
