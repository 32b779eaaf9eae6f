"""What became of every assessment, by visit: the numbers that a report of a trial asks for.

After the CONSORT-PRO extension (Calvert M et al. JAMA 2013;309:814-822): at each visit how many
were expected, how many completed, and why the others are missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from pro_app.core.assessment import Status
from pro_app.core.study import StudyDefinition
from pro_app.services.picture_frames import Frames
from pro_app.services.picture_numbers import Choice
from pro_app.services.rates import Rate, Visit


@dataclass(frozen=True, slots=True)
class Counts:
    """The assessments of a visit that has opened. `missed` is by what the record knows, `told` by
    what the site knows of these, `ended` by why they are not expected. `set_aside` are submitted
    ones that a correction has declared void; `later` are not open yet."""

    rate: Rate
    open: int = 0
    in_progress: int = 0
    missed: Mapping[str, int] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)
    set_aside: int = 0
    later: int = 0


@dataclass(frozen=True, slots=True)
class People:
    """How many were enrolled, of these withdrew, and died."""

    enrolled: int
    withdrawn: int
    died: int


def people(frames: Frames, choice: Choice) -> People:
    """Of the sites and the language that are meant."""
    found = _people(frames, choice)
    return People(
        found.height,
        found["withdrawn_on"].count(),
        found["died_on"].count(),
    )


def _people(frames: Frames, choice: Choice) -> pl.DataFrame:
    wanted = [pl.lit(True)]
    if choice.sites is not None:
        wanted.append(pl.col("site").cast(pl.String).is_in(sorted(choice.sites)))
    if choice.language is not None:
        wanted.append(pl.col("language").cast(pl.String) == choice.language)
    return frames.people.filter(*wanted)


def counts(
    frames: Frames, definition: StudyDefinition, instruments: Sequence[str], choice: Choice
) -> dict[Visit, Counts]:
    """By visit, in the protocol's order, of these instruments together.

    The rates are those of `services.rates`. Of a choice of days the fixed population is not known,
    and is 0.
    """
    by = ["visit", "status", "missed", "told", "ended", "opened", "void"]
    found = [choice.rows(frames.rows[code]).group_by(by).len().collect() for code in instruments]
    every: dict[Visit, Counter[tuple[str, str]]] = {}
    for frame in found:
        for row in frame.iter_rows(named=True):
            tally = every.setdefault(frames.visits[row["visit"]], Counter())
            for key in _keys(row):
                tally[key] += row["len"]
    tallies = {
        visit: tally for visit, tally in every.items() if any(kind == "status" for kind, _ in tally)
    }
    asked = _asked(definition, instruments, tallies)
    size = 0 if choice.first or choice.last else _people(frames, choice).height
    places = [one.code for one in definition.timepoints]
    order = sorted({*tallies, *asked}, key=lambda one: (_place(places, one.timepoint), one))
    return {
        one: _counts(every.get(one, Counter()), one in asked, size * asked.get(one, 0))
        for one in order
    }


def _place(order: list[str], timepoint: str) -> int:
    return order.index(timepoint) if timepoint in order else len(order)


def _keys(row: Mapping[str, object]) -> list[tuple[str, str]]:
    """What an assessment of this kind counts as."""
    if not row["opened"]:
        return [("later", "")]
    keys = [("status", str(row["status"]))]
    keys += [(of, str(row[of])) for of in ("missed", "told", "ended") if row[of] is not None]
    if row["void"]:
        keys.append(("void", ""))
    return keys


def _asked(
    definition: StudyDefinition,
    instruments: Sequence[str],
    tallies: Mapping[Visit, Counter[tuple[str, str]]],
) -> dict[Visit, int]:
    """How many of the instruments each visit of the calendar asks; as in `services.rates`, a later
    occurrence of a repeated one is a visit once anybody's has opened."""
    calendar = {
        one.code: sum(code in instruments for code in one.instruments)
        for one in definition.timepoints
        if one.anchor is not None
    }
    visits = {Visit(code, 1) for code in calendar} | set(tallies)
    return {one: calendar[one.timepoint] for one in visits if calendar.get(one.timepoint)}


def _counts(tally: Counter[tuple[str, str]], on_calendar: bool, population: int) -> Counts:
    by_status = {one: tally["status", one.value] for one in Status}
    late = by_status[Status.COMPLETED_LATE]
    submitted = by_status[Status.COMPLETED] + late
    undone = by_status[Status.OPEN] + by_status[Status.IN_PROGRESS]
    rate = Rate(
        submitted,
        late,
        submitted + undone + by_status[Status.MISSED],
        undone,
        submitted if on_calendar else 0,
        population,
    )
    parts = {
        of: {name: n for (kind, name), n in sorted(tally.items()) if kind == of}
        for of in ("missed", "told", "ended")
    }
    return Counts(
        rate,
        by_status[Status.OPEN],
        by_status[Status.IN_PROGRESS],
        **parts,
        set_aside=tally["void", ""],
        later=tally["later", ""],
    )
