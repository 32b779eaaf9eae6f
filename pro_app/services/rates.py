"""Rates of completion: by what was expected so far, and by the fixed population.

Both are counted by the database: once by visit, once by site and language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.study import StudyDefinition
from pro_app.models import Assessment, Participant, Site
from pro_app.services import participants, status
from pro_app.services.studies import CurrentStudy

Key = TypeVar("Key", bound=Hashable)


class Visit(NamedTuple):
    """A timepoint and its occurrence, from 1."""

    timepoint: str
    occurrence: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Completion, with the numbers it is made of. What is counted are assessments: a participant,
    a visit, an instrument.

    Of expected: `submitted`, of which `late` came after closing, by `expected` so far: what was
    submitted, missed, or can be answered now; `undone` are the latter.

    Of the fixed population: `on_calendar`, the submissions at visits of the calendar, by
    `population`: one for everybody ever enrolled and each instrument of each such visit, whatever
    became of them since, and whether it is due or not.
    """

    submitted: int = 0
    late: int = 0
    expected: int = 0
    undone: int = 0
    on_calendar: int = 0
    population: int = 0

    @property
    def of_expected(self) -> float | None:
        """From 0 to 1; None where nothing was expected."""
        return self.submitted / self.expected if self.expected else None

    @property
    def of_population(self) -> float | None:
        """From 0 to 1; None where nobody is enrolled, or for a visit that is opened by hand."""
        return self.on_calendar / self.population if self.population else None


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of a study, or of some of its sites: all together, by visit in the protocol's
    order, by site code, and by the language that participants read now."""

    whole: Rate
    visits: dict[Visit, Rate]
    sites: dict[str, Rate]
    languages: dict[str, Rate]


def rates(
    session: Session,
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    now: datetime,
) -> Rates:
    """The rates of the participants at `site_ids`, or at all sites."""
    definition = study.definition
    enrolled = session.execute(
        sa.select(Site.id, Site.code, Participant.language, sa.func.count())
        .join(Site, Site.id == Participant.site_id)
        .where(participants.among(study, site_ids))
        .group_by(Site.id, Site.code, Participant.language)
    ).all()
    people = sum(count for *_, count in enrolled)
    opened = _opened(study, site_ids, now)
    visit = (Assessment.timepoint, Assessment.occurrence, Assessment.instrument)
    place = (Participant.site_id, Participant.language)
    of_visits = session.execute(opened.add_columns(*visit).group_by(*visit)).all()
    of_places = session.execute(opened.add_columns(*place).group_by(*place)).all()
    asked = _asked(definition, of_visits)
    per_person = sum(asked.values())
    of_visit = {visit: people * count for visit, count in asked.items()}
    of_site, of_language = Counter[str](), Counter[str]()
    for _, code, language, count in enrolled:
        of_site[code] += count * per_person
        of_language[language] += count * per_person
    codes = {site_id: code for site_id, code, *_ in enrolled}
    by_visit = [(Visit(row.timepoint, row.occurrence), row) for row in of_visits]
    return Rates(
        _summed((row for _, row in by_visit), people * per_person),
        _grouped(by_visit, of_visit, _protocol_order(definition, by_visit, of_visit)),
        _grouped(((codes[row.site_id], row) for row in of_places), of_site, sorted(of_site)),
        _grouped(((row.language, row) for row in of_places), of_language, sorted(of_language)),
    )


def progress(
    session: Session,
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    now: datetime,
) -> tuple[int, int]:
    """How many assessments were submitted, and how many were expected so far; see `Rate`."""
    opened = _opened(study, site_ids, now)
    submitted, expected = session.execute(
        opened.with_only_columns(
            opened.selected_columns.submitted, opened.selected_columns.expected
        )
    ).one()
    return submitted or 0, expected or 0


def _opened(
    study: CurrentStudy, site_ids: frozenset[int] | None, now: datetime
) -> sa.Select[*tuple[Any, ...]]:
    """The counts of all assessments that have opened, to be grouped."""
    definition = study.definition
    withheld = study.wordings.withheld
    submitted = Assessment.sealed_late.is_not(None)
    calendar = Assessment.timepoint.in_(_calendar(definition))
    return (
        sa.select(
            _count(submitted).label("submitted"),
            _count(Assessment.sealed_late.is_(True)).label("late"),
            _count(status.expected(now, withheld)).label("expected"),
            _count(status.undone(now, definition.grace, withheld)).label("undone"),
            _count(submitted & calendar).label("on_calendar"),
        )
        .select_from(Assessment)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(participants.among(study, site_ids), Assessment.opens_at <= now)
    )


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _calendar(definition: StudyDefinition) -> list[str]:
    return [one.code for one in definition.timepoints if one.anchor is not None]


def _asked(definition: StudyDefinition, rows: Iterable[Any]) -> dict[Visit, int]:
    """How many instruments each visit of the calendar has. A later occurrence of a repeated
    timepoint is a visit once anybody's has opened."""
    instruments = {
        one.code: len(one.instruments) for one in definition.timepoints if one.anchor is not None
    }
    visits = {Visit(code, 1) for code in instruments}
    visits |= {Visit(row.timepoint, row.occurrence) for row in rows}
    return {one: instruments[one.timepoint] for one in visits if one.timepoint in instruments}


def _protocol_order(
    definition: StudyDefinition, by_visit: Iterable[tuple[Visit, Any]], of_visit: Iterable[Visit]
) -> list[Visit]:
    """All visits that are expected or were made; those that the protocol names no more last."""
    order = [one.code for one in definition.timepoints]

    def place(visit: Visit) -> tuple[int, Visit]:
        named = visit.timepoint in order
        return order.index(visit.timepoint) if named else len(order), visit

    return sorted({*of_visit, *(visit for visit, _ in by_visit)}, key=place)


def _grouped(
    rows: Iterable[tuple[Key, Any]], population: Mapping[Key, int], keys: Iterable[Key]
) -> dict[Key, Rate]:
    by_key: dict[Key, list[Any]] = {key: [] for key in keys}
    for key, row in rows:
        by_key[key].append(row)
    return {key: _summed(several, population.get(key, 0)) for key, several in by_key.items()}


def _summed(rows: Iterable[Any], population: int) -> Rate:
    several = list(rows)
    return Rate(
        sum(int(row.submitted) for row in several),
        sum(int(row.late) for row in several),
        sum(int(row.expected) for row in several),
        sum(int(row.undone) for row in several),
        sum(int(row.on_calendar) for row in several),
        population,
    )
