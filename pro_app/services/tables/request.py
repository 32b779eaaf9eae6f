"""What is asked of a study's tables, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.wording import Wording
from pro_app.export.table import TYPES, Column, Table
from pro_app.models import Assessment, Participant, Site
from pro_app.services.studies import CurrentStudy, counted

AT_ONCE = 10_000  # rows of a frame


class TablesError(Exception):
    """A table that cannot be had as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of a study. Statuses are as of `now`.

    `words` turns a sentence of the interface into `language`, see `pro_app.catalogues.words`.
    `sites`, `instruments` and `timepoints` are codes that alone are wanted; None: all.
    `days_from` is the code of an anchor: moments and days become study days counted from it.
    `own_words` False leaves out what people wrote, see `own_words`.
    `after` is a study number: rows of it and of those before it in the order are left out;
    `people` is how many participants from there on are wanted.
    """

    study: CurrentStudy
    library: Library
    language: str
    now: datetime
    words: Callable[[str], str] = str
    sites: frozenset[str] | None = None
    instruments: frozenset[str] | None = None
    timepoints: frozenset[str] | None = None
    days_from: str | None = None
    own_words: bool = True
    after: str | None = None
    people: int | None = None

    def wording(self, instrument: str) -> Wording | None:
        """The wording of an instrument in the language asked for, as labels have it."""
        return self.study.wordings.reading(instrument, self.language, self.now)

    def asked(self) -> Iterator[Instrument]:
        """The instruments of all versions of the study that are wanted, in their order."""
        for entry in self.study.instruments:
            if self.instruments is None or entry.code in self.instruments:
                yield self.library.instruments[entry.code]

    def check(self, session: Session) -> None:
        """Raise TablesError for something that the study has not."""
        definition = self.study.definition
        sites = session.scalars(sa.select(Site.code).where(Site.study_id == self.study.id))
        known: Mapping[str, set[str]] = {
            "site": set(sites),
            "instrument": {one.code for one in self.study.instruments},
            "timepoint": {one.code for one in definition.timepoints} | self._visited(session),
            "anchor": {one.code for one in definition.anchors},
        }
        anchor = None if self.days_from is None else frozenset({self.days_from})
        asked = {
            "site": self.sites, "instrument": self.instruments, "timepoint": self.timepoints,
            "anchor": anchor,
        }  # fmt: skip
        for kind, codes in asked.items():
            for code in sorted((codes or frozenset()) - known[kind]):
                has = ", ".join(sorted(known[kind]))
                raise TablesError(f"the study has no {kind} {code!r}; it has {has}")

    def _visited(self, session: Session) -> set[str]:
        """Timepoints that an earlier version of the study named, and somebody has."""
        if self.timepoints is None:
            return set()
        own = sa.select(Assessment.timepoint).join(Participant)
        own = own.where(counted(self.study), Assessment.timepoint.in_(self.timepoints))
        return set(session.scalars(own.distinct()))

    def among(self) -> list[sa.ColumnElement[bool]]:
        """The conditions of a query over participant and site."""
        found: list[sa.ColumnElement[bool]] = [counted(self.study)]
        if self.sites is not None:
            found.append(Site.code.in_(sorted(self.sites)))
        if self.after is not None:
            found.append(Participant.number > self.after)
        if self.people is not None:
            last = sa.select(Participant.number).join(Site, Site.id == Participant.site_id)
            last = last.where(counted(self.study))
            if self.sites is not None:
                last = last.where(Site.code.in_(sorted(self.sites)))
            if self.after is not None:
                last = last.where(Participant.number > self.after)
            last = last.order_by(Participant.number).limit(self.people)
            found.append(Participant.number.in_(last))
        return found

    def of_assessments(self) -> list[sa.ColumnElement[bool]]:
        """The conditions of a query over assessment, participant and site."""
        found = self.among()
        if self.instruments is not None:
            found.append(Assessment.instrument.in_(sorted(self.instruments)))
        if self.timepoints is not None:
            found.append(Assessment.timepoint.in_(sorted(self.timepoints)))
        return found

    def table(
        self,
        name: str,
        title: str,
        columns: Sequence[Column],
        frames: Callable[[], Iterator[pl.DataFrame]],
        notes: Sequence[str] = (),
    ) -> Table:
        """A table of this request. Whatever is made of it says if it is of test participants."""
        definition, _ = self.study.definition, self.words
        if self.study.tests:
            notes = (_("Test participants"), *notes)
        return Table(
            name, title, definition.code, self.language, str(definition.zone), tuple(columns),
            frames, tuple(notes), self.words,
        )  # fmt: skip


def chunked(session: Session, query: sa.Select[*tuple[Any, ...]]) -> Iterator[Sequence[Any]]:
    """The rows of a query of columns, some thousand at a time; without the ORM, which would take
    as long as the database."""
    with session.connection().execute(query.execution_options(yield_per=AT_ONCE)) as found:
        yield from found.partitions()


def frame(columns: Sequence[Column], values: Mapping[str, Any]) -> pl.DataFrame:
    """A frame of these columns; `values` has a sequence or series for each by name."""
    return pl.DataFrame(
        [_series(one, values[one.name]) for one in columns if one.name in values]
    ).select(one.name for one in columns)


def _series(column: Column, values: Any) -> pl.Series:
    if isinstance(values, pl.Series):
        return values.rename(column.name).cast(TYPES[column.kind])
    return pl.Series(column.name, values, dtype=TYPES[column.kind])
