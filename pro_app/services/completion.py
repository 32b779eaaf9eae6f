"""How complete the study is: participants by timepoints, and rates with their denominators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.core.study import StudyDefinition
from pro_app.models import Assessment, Participant, Site, Submission
from pro_app.services import participants, status
from pro_app.services.studies import CurrentStudy

URGENCY = (  # of what stands in one cell, the first one is told
    Status.IN_PROGRESS,
    Status.OPEN,
    Status.MISSED,
    Status.NOT_DUE,
    Status.COMPLETED_LATE,
    Status.COMPLETED,
    Status.NOT_EXPECTED,
)


def merged(states: Iterable[Status]) -> Status:
    """One state for the instruments of a visit: what there is still time to mend comes first,
    then what is missing, then what is still to come, then what is done, and what was never
    expected only if nothing else was. ValueError for none at all."""
    return min(states, key=URGENCY.index)


# --- participants by timepoints -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cell:
    """A participant's timepoint: one state merged over its instruments by `merged`.

    `partly` says that they differ; `instruments` has each one's own, in the order in which they
    are asked. `further` has the merged states of the occurrences after the first one, by number.
    A timepoint of which only a later occurrence exists has the state of the earliest.
    """

    state: Status
    partly: bool
    instruments: tuple[tuple[str, Status], ...]
    further: tuple[tuple[int, Status], ...]


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A participant's cells, in the order of the matrix's timepoints; None where there is no
    assessment: it is opened by hand alone, or its anchor has no date yet. `standing` as
    `participants.standing` tells it."""

    participant_id: int
    number: str
    site: str
    language: str
    standing: str | None
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """One page of the matrix. Pages count from 1; `total` is the number of participants found."""

    timepoints: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    total: int
    page: int
    pages: int


class _State(NamedTuple):
    """The status of one assessment."""

    participant_id: int
    timepoint: str
    occurrence: int
    instrument: str
    status: Status


def matrix(
    session: Session,
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    now: datetime,
    search: str = "",
    page: int = 1,
    per_page: int = 50,
) -> Matrix:
    """Participants whose number begins with `search`, by number, with a cell for each timepoint.

    Those of `site_ids`, or of all sites. A page beyond the last one is the last one. Timepoints
    that the protocol does not name any more stand at the end, where somebody on the page has one.
    """
    which = [participants.among(study, site_ids)]
    if search:
        which.append(Participant.number.startswith(search, autoescape=True))
    counted = sa.select(sa.func.count()).select_from(Participant).where(*which)
    total = session.scalar(counted) or 0
    pages = max(1, -(-total // per_page))
    page = min(max(page, 1), pages)
    people = _people(session, which, (page - 1) * per_page, per_page)
    states = _states(session, study, [one.id for one in people], now)
    codes = _columns(study.definition, states)
    by_person: dict[int, dict[str, list[_State]]] = defaultdict(lambda: defaultdict(list))
    for one in states:
        by_person[one.participant_id][one.timepoint].append(one)
    rows = [_row(person, by_person[person.id], codes, now) for person in people]
    return Matrix(codes, tuple(rows), total, page, pages)


def _people(
    session: Session, which: Sequence[sa.ColumnElement[bool]], offset: int, limit: int
) -> Sequence[Any]:
    # the page first, by its index alone, and then what is told of those on it
    ids = session.scalars(
        sa.select(Participant.id)
        .where(*which)
        .order_by(Participant.number)
        .limit(limit)
        .offset(offset)
    ).all()
    return session.execute(
        sa.select(
            Participant.id,
            Participant.number,
            Site.code.label("site"),
            Participant.language,
            Participant.withdrawn_at,
            Participant.withdrew_from,
            Participant.died_at,
            Participant.paused_at,
            Participant.paused_until,
        )
        .join(Site, Site.id == Participant.site_id)
        .where(Participant.id.in_(ids))
        .order_by(Participant.number)
    ).all()


def _states(
    session: Session,
    study: CurrentStudy,
    participant_ids: Collection[int],
    now: datetime,
) -> list[_State]:
    """The status of every assessment of these participants, in the order of asking."""
    definition = study.definition
    state = status.expression(now, definition.grace, study.wordings.withheld)
    rows = session.execute(
        sa.select(
            Assessment.participant_id,
            Assessment.timepoint,
            Assessment.occurrence,
            Assessment.instrument,
            state,
        )
        .join(Participant, Participant.id == Assessment.participant_id)
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .where(Assessment.participant_id.in_(participant_ids))
        .order_by(Assessment.occurrence, Assessment.place, Assessment.id)
    )
    return [_State(*row[:4], Status(row[4])) for row in rows]


def _columns(definition: StudyDefinition, states: Iterable[_State]) -> tuple[str, ...]:
    named = [one.code for one in definition.timepoints]
    former = sorted({one.timepoint for one in states} - set(named))
    return (*named, *former)


def _row(
    person: Any, states: Mapping[str, Sequence[_State]], codes: Sequence[str], now: datetime
) -> MatrixRow:
    return MatrixRow(
        person.id,
        person.number,
        person.site,
        person.language,
        participants.standing(person, now),
        tuple(_cell(states[code]) if code in states else None for code in codes),
    )


def _cell(states: Sequence[_State]) -> Cell:
    by_occurrence: dict[int, list[_State]] = defaultdict(list)
    for one in states:
        by_occurrence[one.occurrence].append(one)
    first, *later = sorted(by_occurrence)
    shown = by_occurrence[first]
    return Cell(
        merged(one.status for one in shown),
        len({one.status for one in shown}) > 1,
        tuple((one.instrument, one.status) for one in shown),
        tuple((n, merged(one.status for one in by_occurrence[n])) for n in later),
    )
