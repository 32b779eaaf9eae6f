"""The coordinator's board: what is open, whom to help and why, whom to call, who cannot get in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.models import (
    Assessment,
    CodeRequest,
    Device,
    JoiningCode,
    Participant,
    Site,
)
from pro_app.models import Call as LoggedCall
from pro_app.services import calls, hindrances, participants, rates, reachability, sessions, status
from pro_app.services.completion import merged
from pro_app.services.hindrances import Facts, Hindrance
from pro_app.services.reachability import Call
from pro_app.services.studies import CurrentStudy

CLOSING = timedelta(hours=48)
LIMIT = 50  # lines of each list that are read at once
COUNTABLE = 5_000  # participants whose completed and expected assessments are counted in passing


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers on top. Visits (a participant's timepoint, whatever its instruments) that can
    be answered now: `open`, of which `closing` within 48 hours, and `overdue` were due before
    now. Assessments: `completed` ones of those `expected` so far, see `rates.Rate`; None where
    they were not asked for."""

    open: int
    closing: int
    overdue: int
    completed: int | None
    expected: int | None


@dataclass(frozen=True, slots=True)
class PersonToHelp:
    """A visit that can be answered now and is not, and the main reason that is known for it.

    `instruments` are those still to be answered, in their order, each with its own status;
    `status` is theirs merged (`completion.merged`). It closes for good at `closes_at`, but for
    the grace time of what was begun. `assessment` is the public name of the first of them, `last`
    the last call to this person, about whatever.
    """

    participant_id: int
    number: str
    site: str
    timepoint: str
    occurrence: int
    instruments: tuple[tuple[str, Status], ...]
    status: Status
    due_at: datetime
    closes_at: datetime
    reason: Hindrance
    since: datetime | None
    facts: Facts
    assessment: str
    last: LoggedCall | None


@dataclass(frozen=True, slots=True)
class UnusedCode:
    """A joining code of the site's that nobody has used, of somebody who has no phone that opens
    the app. `expired`: it does not work any more."""

    participant_id: int
    number: str
    site: str
    made_at: datetime
    expires_at: datetime
    expired: bool


@dataclass(frozen=True, slots=True)
class RequestedCode:
    """A participant who asked for a new code, and has none yet."""

    participant_id: int
    number: str
    site: str
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Board:
    """What the board shows: the beginning of each list, and how long all of it is."""

    counts: Counts
    people: tuple[PersonToHelp, ...]
    people_total: int
    calls: tuple[Call, ...]
    calls_total: int
    codes: tuple[UnusedCode, ...]
    codes_total: int
    requests: tuple[RequestedCode, ...]
    requests_total: int


def board(
    session: Session,
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    now: datetime,
    limit: int = LIMIT,
    progress: bool = True,
) -> Board:
    """The board of a study for those who may see `site_ids`, or (None) all of its sites.

    Counting what was completed of what was expected looks at every assessment that has ever
    opened, which of a very large study takes longer than all else together: without `progress`
    it is left out, and `rates.progress` tells it later.
    """
    lines = _visits(session, study, site_ids, now, limit, 0)
    first = lines[0] if lines else None
    completed = expected = None
    if progress:
        completed, expected = rates.progress(session, study, site_ids, now)
    called, called_total = reachability.counted_calls(session, study, now, site_ids, limit)
    codes, codes_total = unused_codes(session, study, site_ids, now, limit)
    requests, requests_total = requested_codes(session, study, site_ids, limit)
    return Board(
        Counts(
            first.total if first else 0,
            first.closing if first else 0,
            first.overdue if first else 0,
            completed,
            expected,
        ),
        _helped(session, study, lines, now),
        first.total if first else 0,
        tuple(called),
        called_total,
        codes,
        codes_total,
        requests,
        requests_total,
    )


def people_to_help(
    session: Session,
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    now: datetime,
    limit: int = LIMIT,
    offset: int = 0,
) -> tuple[PersonToHelp, ...]:
    """Who can answer now and has not: whoever has the least time left comes first."""
    return counted_people(session, study, site_ids, now, limit, offset)[0]


def counted_people(
    session: Session,
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    now: datetime,
    limit: int = LIMIT,
    offset: int = 0,
) -> tuple[tuple[PersonToHelp, ...], int]:
    """`people_to_help`, and how many there are without a limit."""
    lines = _visits(session, study, site_ids, now, limit, offset)
    first = lines or (_visits(session, study, site_ids, now, 1, 0) if offset else ())
    return _helped(session, study, lines, now), first[0].total if first else 0


def _undone(
    study: CurrentStudy, site_ids: frozenset[int] | None, now: datetime
) -> sa.Select[*tuple[Any, ...]]:
    """The assessments that can be answered now and are not."""
    return (
        sa.select(
            Assessment.id,
            Assessment.public_id,
            Participant.id.label("participant_id"),  # SQLite groups by it after narrowing
            Assessment.timepoint,
            Assessment.occurrence,
            Assessment.instrument,
            Assessment.opens_at,
            Assessment.due_at,
            Assessment.closes_at,
        )
        .select_from(Assessment)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(reachability.undone(study, site_ids, now, study.definition.grace))
    )


def _visits(
    session: Session,
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    now: datetime,
    limit: int,
    offset: int,
) -> Sequence[Any]:
    """The visits that can be answered now, the most urgent first; each also says of all of them
    how many there are (`total`), close soon (`closing`) and were due (`overdue`)."""
    undone = _undone(study, site_ids, now).subquery()
    visit = (undone.c.participant_id, undone.c.timepoint, undone.c.occurrence)
    opens_at, due_at, closes_at = (
        sa.func.min(undone.c[name], type_=undone.c[name].type).label(name)
        for name in ("opens_at", "due_at", "closes_at")
    )
    visits = sa.select(*visit, opens_at, due_at, closes_at).group_by(*visit).subquery()

    def of_all(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((condition, 1), else_=0)).over()

    page = (
        sa.select(
            visits,
            sa.func.count().over().label("total"),
            of_all(visits.c.closes_at <= now + CLOSING).label("closing"),
            of_all(visits.c.due_at < now).label("overdue"),
        )
        .order_by(
            visits.c.closes_at, visits.c.participant_id, visits.c.timepoint, visits.c.occurrence
        )
        .limit(limit)
        .offset(offset)
        .subquery()
    )
    return session.execute(
        sa.select(page, Participant.number, Participant.site_id, Site.code.label("site"))
        .join(Participant, Participant.id == page.c.participant_id)
        .join(Site, Site.id == Participant.site_id)
        .order_by(page.c.closes_at, page.c.participant_id, page.c.timepoint, page.c.occurrence)
    ).all()


def _helped(
    session: Session,
    study: CurrentStudy,
    visits: Sequence[Any],
    now: datetime,
) -> tuple[PersonToHelp, ...]:
    """These visits, each with what is to be answered and the reason that it was not."""
    ids = {one.participant_id for one in visits}
    undone: dict[tuple[int, str, int], list[Any]] = defaultdict(list)
    sites = frozenset(one.site_id for one in visits)
    rows = _of_people(session, study, ids, sites, now)
    for row in rows:
        undone[row.participant_id, row.timepoint, row.occurrence].append(row)
    told = hindrances.gather(session, ids, [row.id for row in rows], now)
    last = calls.last_of(session, ids)
    found = []
    for visit in visits:
        several = undone[visit.participant_id, visit.timepoint, visit.occurrence]
        states = tuple((row.instrument, Status(row.status)) for row in several)
        begun = any(state is Status.IN_PROGRESS for _, state in states)
        facts = told.facts(visit.participant_id, [row.id for row in several], visit.opens_at)
        reason, since = hindrances.main(facts, begun)
        found.append(
            PersonToHelp(
                visit.participant_id,
                visit.number,
                visit.site,
                visit.timepoint,
                visit.occurrence,
                states,
                merged(state for _, state in states),
                visit.due_at,
                visit.closes_at,
                reason,
                since,
                facts,
                several[0].public_id,
                last.get(visit.participant_id),
            )
        )
    return tuple(found)


def _of_people(
    session: Session,
    study: CurrentStudy,
    participant_ids: Collection[int],
    site_ids: frozenset[int],
    now: datetime,
) -> Sequence[Any]:
    """What these participants, who are at these sites, can answer now, in the order of asking."""
    state = sa.case((status.begun, Status.IN_PROGRESS.value), else_=Status.OPEN.value)
    return session.execute(
        _undone(study, site_ids, now)
        .add_columns(state.label("status"))
        .where(Assessment.participant_id.in_(participant_ids))
        .order_by(Assessment.place, Assessment.id)
    ).all()


def unused_codes(
    session: Session,
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    now: datetime,
    limit: int = LIMIT,
    offset: int = 0,
) -> tuple[tuple[UnusedCode, ...], int]:
    """The site's joining codes that wait to be used or have expired, the oldest first, and how
    many there are. Whoever has a phone that opens the app needs none."""
    phone = sa.select(Device.id).where(
        Device.participant_id == Participant.id, sessions.opening(now - sessions.SHARED_IDLE)
    )
    which = (
        JoiningCode.kind == "joining",
        JoiningCode.used_at.is_(None),
        JoiningCode.replaced_at.is_(None),
        JoiningCode.maker_id.is_(None),
        ~phone.exists(),
    )
    moments = (JoiningCode.created_at, JoiningCode.expires_at)
    rows, total = _listed(session, study, site_ids, JoiningCode, moments, which, limit, offset)
    codes = [
        UnusedCode(
            row.id, row.number, row.site, row.created_at, row.expires_at, row.expires_at <= now
        )
        for row in rows
    ]
    return tuple(codes), total


def requested_codes(
    session: Session,
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    limit: int = LIMIT,
    offset: int = 0,
) -> tuple[tuple[RequestedCode, ...], int]:
    """Who asked for a new code and has none yet, the oldest first, and how many there are."""
    moments, which = (CodeRequest.requested_at,), (CodeRequest.handled_at.is_(None),)
    rows, total = _listed(session, study, site_ids, CodeRequest, moments, which, limit, offset)
    return tuple(RequestedCode(*row[:4]) for row in rows), total


def _listed(
    session: Session,
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    model: type[JoiningCode] | type[CodeRequest],
    moments: Sequence[sa.ColumnElement[datetime] | Any],
    which: Sequence[sa.ColumnElement[bool]],
    limit: int,
    offset: int,
) -> tuple[Sequence[Any], int]:
    """Rows of a table that belong to participants who still take part, by the first moment."""
    listed = (
        sa.select(Participant.id, Participant.number, Site.code.label("site"), *moments)
        .select_from(model)
        .join(Participant, Participant.id == model.participant_id)
        .join(Site, Site.id == Participant.site_id)
        .where(participants.among(study, site_ids), *which)
        .where(Participant.withdrawn_at.is_(None), Participant.died_at.is_(None))
    )
    page = listed.add_columns(sa.func.count().over().label("total"))
    rows = session.execute(
        page.order_by(moments[0], Participant.number).limit(limit).offset(offset)
    ).all()
    if rows:
        return rows, rows[0].total
    counted = sa.select(sa.func.count()).select_from(listed.subquery())
    return rows, (session.scalar(counted) or 0) if offset else 0
