"""Licences: under which permission the wordings of a study are read, where, how and how long.

Everything here is of one study; `at` is a moment, the days are those of the study's zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from pro_app.core.library import Library
from pro_app.core.schedule import local
from pro_app.core.study import LANGUAGES, StudyDefinition
from pro_app.core.wording import SHORT, Wording, fits

# how a wording is read: on one's own phone, at the site's tablet, printed, by telephone or in
# person, and read aloud by the phone or a recording
PHONE, TABLET, PAPER, INTERVIEW, ALOUD = MODES = ("phone", "tablet", "paper", "interview", "aloud")
MIDNIGHT = 0  # minutes
DAY = timedelta(days=1)
EARLIEST = date.min + DAY  # the first day has no moment in a zone that is ahead of UTC
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Licence:
    """The permission to read a wording, by its fingerprint: from a day until its last day.

    `site` is the id of the only site that it is for, if it is not for all. Without modes it ends
    what was permitted before. `id` tells which came later; whatever its day, nobody read by it
    before the moment when it was stored.
    """

    id: int
    wording: str
    instrument: str
    language: str
    version: str
    holder: str
    number: str
    modes: frozenset[str]
    site: int | None
    from_on: date
    until: date
    stored_at: datetime = LONG_AGO


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which an instrument cannot be read in a language in any mode: at a site, or,
    without one, at any; from its first moment until its end, or, without them, for ever."""

    instrument: str
    language: str
    site: int | None = None
    from_at: datetime | None = None
    until: datetime | None = None

    def holds(self, opens_at: datetime, closes_at: datetime) -> bool:
        """Whether all of a window lies in it."""
        begun = self.from_at is None or self.from_at <= opens_at
        return begun and (self.until is None or closes_at <= self.until)


@dataclass(frozen=True, slots=True)
class Withheld:
    """What cannot be shown: pairs of instrument and language at any time and site, and `gaps`."""

    always: frozenset[tuple[str, str]] = frozenset()
    gaps: tuple[Gap, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.always or self.gaps)

    def covers(
        self, instrument: str, language: str, site: int, opens_at: datetime, closes_at: datetime
    ) -> bool:
        """Whether an assessment could not be read at any moment of its window."""
        if (instrument, language) in self.always:
            return True
        return any(
            (one.instrument, one.language) == (instrument, language)
            and one.site in {None, site}
            and one.holds(opens_at, closes_at)
            for one in self.gaps
        )


@dataclass(frozen=True, eq=False, slots=True)
class Wordings:
    """The wordings of a study: those shipped, and those stored with their licences.

    `stored` is by fingerprint; `sites` are the ids of the study's sites; `recordings` are the
    SHA-256, in hex, of what was recorded of a wording, by fingerprint and item.
    """

    study: StudyDefinition
    library: Library
    stored: Mapping[str, Wording] = field(default_factory=dict)
    licences: Sequence[Licence] = ()
    sites: Sequence[int] = ()
    recordings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    withheld: Withheld = field(init=False)

    def __post_init__(self) -> None:
        always, gaps = set(), []
        for one in self.study.instruments:
            for language in LANGUAGES:  # also one that an amendment has taken away
                found = list(self._gaps(one.code, language))
                always |= {(one.code, language) for gap in found if gap == _ever(gap)}
                gaps += [gap for gap in found if gap != _ever(gap)]
        object.__setattr__(self, "withheld", Withheld(frozenset(always), tuple(gaps)))

    def offered(
        self, instrument: str, language: str, mode: str, at: datetime, site: int | None
    ) -> Wording | None:
        """The wording in which the study may show an instrument in this mode at a site; never
        another language instead.

        In a live study it is licensed, valid and for this mode; in a test study that or the
        demonstration wording; in a demonstration study the demonstration wording alone.
        """
        if language not in self.study.languages:
            return None
        licence = self.in_force(instrument, language, at, site)
        if licence is not None and mode in licence.modes:
            return self.fitting(licence)
        return None if self.study.status == "live" else self._shipped(instrument, language)

    def offered_for(
        self,
        instrument: str,
        language: str,
        mode: str,
        now: datetime,
        site: int | None,
        started_at: datetime | None,
    ) -> Wording | None:
        """The same for an assessment: one that was begun goes on in the wording of its beginning,
        whatever came since."""
        if started_at is not None:
            found = self.offered(instrument, language, mode, started_at, site)
            if found is not None:
                return found
        return self.offered(instrument, language, mode, now, site)

    def is_read_aloud(
        self, wording: Wording, now: datetime, site: int | None, started_at: datetime | None
    ) -> bool:
        """Whether what an assessment is shown in may be read aloud, too, by the phone's voice or a
        recording: where the study lets it, and the licence if the wording has one."""
        if not self.study.read_aloud:
            return False
        language = wording.language
        found = self.offered_for(wording.instrument, language, ALOUD, now, site, started_at)
        return found is not None and found.fingerprint == wording.fingerprint

    def in_force(
        self, instrument: str, language: str, at: datetime, site: int | None
    ) -> Licence | None:
        """The licence that is valid at a moment. The one that began last decides, also when it
        has ended: what it replaced does not come back."""
        newest = max(self._begun(instrument, language, at, site), key=_order, default=None)
        day = at.astimezone(self.study.zone).date()
        return newest if newest is not None and day <= newest.until else None

    def reading(self, instrument: str, language: str, at: datetime | None = None) -> Wording | None:
        """The wording that staff and labels read: the newest licensed one that has begun by the
        moment (or at all), at whatever site, whether or not it is still valid; else, but for a live
        study, where nobody reads a demonstration, the shipped one."""
        licensed = [one for one in self.of(instrument, language) if one.modes]
        begun = [one for one in licensed if at is None or self._has_begun(one, at)]
        if begun:
            return self.stored[max(begun, key=_order).wording]
        if self.study.status != "live":
            return self._shipped(instrument, language)
        return self.stored[min(licensed, key=_order).wording] if licensed else None

    def by_fingerprint(self, fingerprint: str) -> Wording | None:
        """The wording that has this fingerprint, whatever became of it."""
        found = self.stored.get(fingerprint)
        if found is not None:
            return found
        shipped = self.library.wordings.values()
        return next((one for one in shipped if one.fingerprint == fingerprint), None)

    def read_as(
        self, instrument: str, language: str, fingerprint: str | None, at: datetime
    ) -> Wording | None:
        """What a person read: the wording of this instrument whose fingerprint begins so, else
        the one of the language. Where a live study has none, the shipped one: the sheet was open
        before it went live, and no answer is lost for want of a text."""
        if fingerprint and len(fingerprint) >= SHORT:
            for one in self.every():
                if one.instrument == instrument and one.fingerprint.startswith(fingerprint):
                    return one
        return self.reading(instrument, language, at) or self._shipped(instrument, language)

    def every(self) -> Iterator[Wording]:
        """Every wording that may have been read, the shipped ones first."""
        codes = {one.code for one in self.study.instruments}
        yield from (one for (code, _), one in self.library.wordings.items() if code in codes)
        yield from self.stored.values()

    def of(self, instrument: str, language: str) -> Iterator[Licence]:
        """The licences of an instrument in a language; a demonstration has none."""
        for one in self.licences if self.study.status != "demonstration" else ():
            if (one.instrument, one.language) == (instrument, language):
                yield one

    def _begun(
        self, instrument: str, language: str, at: datetime, site: int | None
    ) -> Iterator[Licence]:
        """The licences for a site that have begun by a moment."""
        for one in self.of(instrument, language):
            if one.site in {None, site} and self._has_begun(one, at):
                yield one

    def _has_begun(self, licence: Licence, at: datetime) -> bool:
        return self._beginning(licence) <= at

    def _beginning(self, licence: Licence) -> datetime:
        day = max(licence.from_on, EARLIEST)
        return max(local(day, MIDNIGHT, self.study.zone), licence.stored_at)

    def _shipped(self, instrument: str, language: str) -> Wording | None:
        return self.library.wording(instrument, language)

    def fitting(self, licence: Licence) -> Wording | None:
        """The licence's wording, unless the definition of the instrument has changed under it."""
        found = self.stored[licence.wording]
        instrument = self.library.instruments.get(licence.instrument)
        return found if instrument is not None and fits(found, instrument) else None

    def _gaps(self, instrument: str, language: str) -> Iterator[Gap]:
        if language not in self.study.languages:
            yield Gap(instrument, language)
            return
        if self.study.status != "live" and self._shipped(instrument, language) is not None:
            return
        own = any(one.site is not None for one in self.of(instrument, language))
        for site in self.sites if own else (None,):
            yield from self._unlicensed(instrument, language, site)

    def _unlicensed(self, instrument: str, language: str, site: int | None) -> Iterator[Gap]:
        """What lies before, between and after the licences of a site, in order."""
        found = list(self.of(instrument, language))
        moments = {self._beginning(one) for one in found}
        ends = {one.until + DAY for one in found if one.until < date.max}  # that day has no next
        moments |= {local(day, MIDNIGHT, self.study.zone) for day in ends}
        since: datetime | None = None
        lacking = True  # before the first of them
        for moment in sorted(moments):
            licence = self.in_force(instrument, language, moment, site)
            has = licence is not None and bool(licence.modes - {ALOUD} and self.fitting(licence))
            if lacking and has:
                yield Gap(instrument, language, site, since, moment)
            elif not lacking and not has:
                since = moment
            lacking = not has
        if lacking:
            yield Gap(instrument, language, site, since)


def _order(licence: Licence) -> tuple[date, int]:
    return licence.from_on, licence.id


def _ever(gap: Gap) -> Gap:
    return Gap(gap.instrument, gap.language)


def nothing_stored(study: StudyDefinition, library: Library, sites: Iterable[int]) -> Wordings:
    """The wordings of a study for which none is stored."""
    return Wordings(study, library, sites=tuple(sites))
