"""What CDISC's datasets of a study are made of: its tables, taken apart some people at a time.

`sdtm` and `adam` make the datasets. All of a participant's rows are needed at once (for sequence
numbers and baselines), those of all participants never.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import polars as pl

from pro_app.core.instruments import Instrument
from pro_app.core.schedule import ENROLMENT
from pro_app.core.study import StudyDefinition, StudyInstrument
from pro_app.core.wording import Wording
from pro_app.export.table import Column, Table, TableError

PEOPLE = 25  # participants at a time; one of them has some thousand rows of items
AT_ONCE = 10_000  # rows of a frame that goes out
KEY = ("participant", "timepoint", "occurrence", "instrument")


@dataclass(frozen=True, slots=True)
class Source:
    """A study's tables and what is known of it besides.

    `participants`, `assessments`, `answers` (`answers_long`) and `scores` (`scores_long`) are
    tables of one moment, all with the same participants in the same order. `asked` are the
    instruments with their scorings, of all versions of the study. `reference` is the anchor that
    study days count from and that a baseline comes before: the first that is not enrolment, unless
    given. With `days_from` the tables hold study days for dates, counted from that anchor, which
    then is the reference too.
    """

    definition: StudyDefinition
    asked: Sequence[StudyInstrument]
    instruments: Mapping[str, Instrument]
    wordings: Collection[Wording]
    participants: Table
    assessments: Table
    answers: Table
    scores: Table
    reference: str | None = None
    days_from: str | None = None

    def __post_init__(self) -> None:
        if self.days_from is not None and self.reference not in (None, self.days_from):
            raise TableError(
                f"days count from {self.days_from!r} and cannot be told from {self.reference!r}"
            )
        codes = [one.code for one in self.definition.anchors]
        if self.anchor not in codes:
            raise TableError(f"the study has no anchor {self.anchor!r}; it has {', '.join(codes)}")

    @property
    def anchor(self) -> str:
        """The code of the anchor of reference."""
        given = self.days_from or self.reference
        others = [one.code for one in self.definition.anchors if one.code != ENROLMENT]
        return given or next(iter(others), ENROLMENT)

    @property
    def dated(self) -> bool:
        """Whether dates may leave."""
        return self.days_from is None

    @property
    def demonstration(self) -> bool:
        """Whether people may have read a wording that is not the validated one."""
        codes = {one.code for one in self.asked}
        return self.definition.status != "live" and any(
            one.kind == "demonstration" and one.instrument in codes for one in self.wordings
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Some participants with all of their rows, in the tables' order.

    `people` has participant, SITEID, USUBJID and the date of `reference` (null with study days).
    """

    people: pl.DataFrame
    assessments: pl.DataFrame
    answers: pl.DataFrame
    scores: pl.DataFrame


class _Stream:
    """The rows of a table, taken in its order."""

    def __init__(self, table: Table) -> None:
        self.name = table.name
        self.frames = table.frames()
        self.rest = table.empty()

    def take(self, people: pl.Series) -> pl.DataFrame:
        """The next rows, as far as they are of these participants."""
        parts = [self.rest.clear()]
        while self.rest.height or self._more():
            own = self.rest["participant"].is_in(people.implode())
            count = self.rest.height if own.all() else int(own.arg_min() or 0)
            parts.append(self.rest.head(count))
            self.rest = self.rest.slice(count)
            if self.rest.height:
                break
        return pl.concat(parts)

    def check_done(self) -> None:
        """Refuse rows that nobody took: their participants came in another order."""
        if self.rest.height or self._more():
            left = self.rest["participant"][0]
            raise TableError(f"{self.name}: participant {left!r} is out of order")

    def _more(self) -> bool:
        self.rest = next((one for one in self.frames if one.height), self.rest.clear())
        return self.rest.height > 0


def batches(source: Source) -> Iterator[Batch]:
    """All participants with their rows; TableError if the tables do not fit together."""
    streams = [_Stream(one) for one in (source.assessments, source.answers, source.scores)]
    seen: set[str] = set()
    for frame in source.participants.frames():
        for some in frame.iter_slices(PEOPLE):
            people = _people(source, some)
            own = set(people["USUBJID"])
            if len(own) < people.height or seen & own:
                raise TableError("two participants would have the same USUBJID")
            seen |= own
            yield Batch(people, *(one.take(people["participant"]) for one in streams))
    for one in streams:
        one.check_done()


def _people(source: Source, frame: pl.DataFrame) -> pl.DataFrame:
    """USUBJID is study, site and number; the site once, where the number begins with it."""
    site, number = pl.col("site"), pl.col("participant")
    own = number.str.starts_with(pl.concat_str(site, pl.lit("-")))
    within = pl.when(own).then(number).otherwise(pl.concat_str(site, number, separator="-"))
    anchor = f"anchor_{source.anchor.replace('-', '_')}"
    reference = pl.col(anchor) if source.dated else pl.lit(None, pl.Date)
    return frame.select(
        "participant",
        site.alias("SITEID"),
        pl.concat_str(pl.lit(source.definition.code), within, separator="-").alias("USUBJID"),
        reference.alias("reference"),
    )


def dataset(
    source: Source,
    name: str,
    titles: tuple[str, str],
    columns: tuple[Column, ...],
    rows: Callable[[Batch], pl.DataFrame],
) -> Table:
    """A dataset as a table, English as CDISC asks. `titles` are CDISC's label for it and one that
    leaves room to say that wording is a demonstration: a label has 40 characters."""
    label, short = titles
    title = f"{short}, demonstration wording" if source.demonstration else label

    def frames() -> Iterator[pl.DataFrame]:
        found = (rows(one).iter_slices(AT_ONCE) for one in batches(source))
        for frame in chain.from_iterable(found):
            yield frame.select(pl.col(key).cast(kind) for key, kind in made.schema().items())

    notes = source.assessments.notes
    zone, study = str(source.definition.zone), source.definition.code
    made = Table(name, title, study, "en", zone, columns, frames, notes, source.assessments.words)
    return made
