"""One participant's way through the visits, for a picture of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from pro_app.core.assessment import Status
from pro_app.services.picture_data import Source
from pro_app.services.picture_numbers import Choice
from pro_app.services.rates import Visit


@dataclass(frozen=True, slots=True)
class Stop:
    """A visit that has opened, of one instrument: what became of it, and the scores that count.
    `is_void`: submitted, but a correction says that it belongs elsewhere."""

    visit: Visit
    due: date
    status: Status
    is_void: bool
    scores: Mapping[str, float]


def person(source: Source, number: str, choice: Choice) -> tuple[Stop, ...]:
    """The visits of the participant with this study number, in the order of their due days. Of a
    choice the days count, and the instrument and its scoring."""
    people = source.frames.people["participant"]
    places = (people == number).arg_true()
    if not len(places):
        return ()
    rows = source.rows(choice.instrument)
    start = f"{choice.scoring}_"
    names = [one for one in rows.collect_schema().names() if one.startswith(start)]
    found = (
        Choice(choice.instrument, choice.scoring, first=choice.first, last=choice.last)
        .rows(rows.filter(pl.col("person") == places[0], pl.col("opened")))
        .select("visit", "due", "status", "void", *names)
        .sort("due", "visit")
        .collect()
    )
    return tuple(
        Stop(
            source.frames.visits[row["visit"]],
            row["due"],
            Status(row["status"]),
            row["void"],
            {one.removeprefix(start): row[one] for one in names if row[one] is not None},
        )
        for row in found.iter_rows(named=True)
    )
