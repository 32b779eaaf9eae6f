"""What becomes of licences: which of them decides where on a day, and what soon ends.

Of a demonstration, too, which reads none of them: there they tell what would be read. Days are
those of the study's zone, sites are ids; without any site there is one, None.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pro_app.core.licence import DAY, Licence, Wordings

IN_FORCE, LATER, ENDED, TAKEN_BACK, REPLACED = STATES = (
    "in_force", "later", "ended", "taken_back", "replaced",
)  # fmt: skip
Sites = tuple[int | None, ...]
NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """A licence on a day: one of STATES, and the sites at which it decides then or, of one that
    comes later, on its first day. `everywhere`: these are all sites of the study."""

    licence: Licence
    state: str
    sites: Sites
    everywhere: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """From `on` the wording of a licence cannot be read in `modes` any more at `sites`, until
    another licence permits all of them again on the day `back`, if one does."""

    licence: Licence
    modes: frozenset[str]
    on: date
    back: date | None
    sites: Sites


def sites_of(wordings: Wordings) -> Sites:
    """The sites of the study, at least one."""
    return tuple(wordings.sites) or (None,)


def deciding(
    licences: Sequence[Licence], instrument: str, language: str, day: date, site: int | None
) -> Licence | None:
    """The licence that decides at a site on a day: the one that began last, whether or not it is
    still valid."""
    begun = [
        one
        for one in licences
        if (one.instrument, one.language) == (instrument, language)
        and one.from_on <= day
        and one.site in {None, site}
    ]
    return max(begun, key=lambda one: (one.from_on, one.id), default=None)


def standings(wordings: Wordings, day: date) -> list[Standing]:
    """Every licence that there is for the study, as it stands on a day."""
    return [_standing(wordings, one, day) for one in wordings.licences]


def _standing(wordings: Wordings, licence: Licence, day: date) -> Standing:
    on, every = max(day, licence.from_on), sites_of(wordings)
    sites = tuple(
        site
        for site in every
        if deciding(wordings.licences, licence.instrument, licence.language, on, site) == licence
    )
    if not sites:
        state = REPLACED
    elif licence.from_on > day:
        state = LATER
    elif not licence.modes:
        state = TAKEN_BACK
    else:
        state = ENDED if licence.until < day else IN_FORCE
    return Standing(licence, state, sites, sites == every)


def endings(wordings: Wordings, day: date, within: timedelta) -> list[Ending]:
    """What can be read on a day, and can no more on one that comes within a time, by that day."""
    found: dict[
        tuple[int, frozenset[str], date, date | None], tuple[Licence, list[int | None]]
    ] = {}
    pairs = dict.fromkeys((one.instrument, one.language) for one in wordings.licences)
    for instrument, language in pairs:
        for site in sites_of(wordings):
            one = _ending(wordings.licences, instrument, language, day, site)
            if one is not None and one.on <= day + within:
                key = (one.licence.id, one.modes, one.on, one.back)
                found.setdefault(key, (one.licence, []))[1].append(site)
    listed = [
        Ending(licence, modes, on, back, tuple(sites))
        for (_id, modes, on, back), (licence, sites) in found.items()
    ]
    return sorted(listed, key=lambda one: (one.on, one.licence.instrument, one.licence.language))


def _ending(
    licences: Sequence[Licence], instrument: str, language: str, day: date, site: int | None
) -> Ending | None:
    """The first that is lost at a site of what can be read there on a day."""
    now = deciding(licences, instrument, language, day, site)
    if now is None or not (before := _permitted(now, day)):
        return None
    changes = _changes(licences, instrument, language, day)
    for place, on in enumerate(changes):
        newest = deciding(licences, instrument, language, on, site)
        lost = before - _permitted(newest, on)
        if lost:
            back = next(
                (
                    later
                    for later in changes[place + 1 :]
                    if lost
                    <= _permitted(deciding(licences, instrument, language, later, site), later)
                ),
                None,
            )
            return Ending(now, lost, on, back, (site,))
        assert newest is not None  # noqa: S101 (else all would be lost)
        now, before = newest, _permitted(newest, on)
    return None


def lost_on(
    wordings: Wordings,
    instrument: str,
    language: str,
    modes: frozenset[str],
    day: date,
    site: int | None,
) -> date | None:
    """The first later day on which a site may no more read in all of those modes in which it may
    on a day: also where a licence that comes later ends, or narrows, what is permitted now."""
    before = modes & _permitted(deciding(wordings.licences, instrument, language, day, site), day)
    for on in _changes(wordings.licences, instrument, language, day):
        if before - _permitted(deciding(wordings.licences, instrument, language, on, site), on):
            return on
    return None


def _permitted(licence: Licence | None, day: date) -> frozenset[str]:
    return NONE if licence is None or licence.until < day else licence.modes


def _changes(
    licences: Sequence[Licence], instrument: str, language: str, day: date
) -> Sequence[date]:
    """The later days on which something begins or is over, in order."""
    return sorted({one for one in _days(licences, instrument, language) if one > day})


def _days(licences: Sequence[Licence], instrument: str, language: str) -> Iterator[date]:
    for one in licences:
        if (one.instrument, one.language) == (instrument, language):
            yield one.from_on
            if one.until < date.max:
                yield one.until + DAY
