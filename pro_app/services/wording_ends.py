"""Who is affected where a licence ends, and who cannot read a questionnaire now.

Of a live study alone: any other shows the demonstration wording instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import licence_state
from pro_app.core.licence import MIDNIGHT, Gap
from pro_app.core.licence_state import Ending
from pro_app.core.schedule import local
from pro_app.models import Assessment, Participant, Site
from pro_app.services import participants
from pro_app.services.status import begun
from pro_app.services.studies import CurrentStudy

SOON = timedelta(days=90)
LISTED = 200  # study numbers of one list


@dataclass(frozen=True, slots=True)
class Affected:
    """Of one site: how many people read the language and have something to answer then, the first
    of their study numbers, how many assessments, and the first day (of the study's zone)."""

    site: str
    people: int
    numbers: tuple[str, ...]
    assessments: int
    first: date


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends, and who is affected, by site. Whoever has begun by then may finish."""

    ending: Ending
    affected: tuple[Affected, ...]

    @property
    def people(self) -> int:
        """How many people, at all the sites."""
        return sum(one.people for one in self.affected)


@dataclass(frozen=True, slots=True)
class Unread:
    """An instrument that cannot be read in a language now, at some sites, and who would."""

    instrument: str
    language: str
    affected: tuple[Affected, ...]


@dataclass(frozen=True, slots=True)
class _Span:
    """A time in which an instrument cannot be read in a language at some sites (None: all)."""

    instrument: str
    language: str
    sites: frozenset[int] | None
    since: datetime
    until: datetime | None


def ending(
    session: Session,
    study: CurrentStudy,
    now: datetime,
    covered: frozenset[int] | None = None,
    within: timedelta = SOON,
) -> list[Ends]:
    """What licences permit now and soon will no more, at the sites that are covered (None: all),
    and whose assessments, not begun or done yet, reach into the time without."""
    if study.definition.status != "live":
        return []
    zone = study.definition.zone
    found = []
    for one in licence_state.endings(study.wordings, now.astimezone(zone).date(), within):
        sites = frozenset(site for site in one.sites if site is not None)
        own = sites if covered is None else sites & covered
        if not own:
            continue
        span = _Span(
            one.licence.instrument,
            one.licence.language,
            own,
            local(one.on, MIDNIGHT, zone),
            None if one.back is None else local(one.back, MIDNIGHT, zone),
        )
        found.append(Ends(one, _affected(session, study, span)))
    return found


def unread(
    session: Session, study: CurrentStudy, now: datetime, covered: frozenset[int] | None = None
) -> list[Unread]:
    """What nobody can read now in any way, at the sites that are covered (None: all), with the
    people who would have to; what concerns nobody is not listed."""
    if study.definition.status != "live":
        return []
    held = study.wordings.withheld
    gaps = [Gap(*pair) for pair in sorted(held.always)]
    gaps += [one for one in held.gaps if one.holds(now, now) and now != one.until]
    found: dict[tuple[str, str], list[Affected]] = {}
    for gap in gaps:
        sites = covered
        if gap.site is not None:
            sites = frozenset({gap.site}) if covered is None else covered & {gap.site}
        span = _Span(gap.instrument, gap.language, sites, now, gap.until)
        found.setdefault((gap.instrument, gap.language), []).extend(_affected(session, study, span))
    return [Unread(*pair, tuple(affected)) for pair, affected in found.items() if affected]


def _affected(session: Session, study: CurrentStudy, span: _Span) -> tuple[Affected, ...]:
    """By site, who has an assessment that reaches into the span."""
    where = _reaching(study, span)
    rows = session.execute(
        sa.select(
            Site.code,
            sa.func.count(Participant.id.distinct()),
            sa.func.count(),
            sa.func.min(Assessment.opens_at),
        )
        .select_from(Assessment)
        .join(Participant, Participant.id == Assessment.participant_id)
        .join(Site, Site.id == Participant.site_id)
        .where(*where)
        .group_by(Site.code)
        .order_by(Site.code)
    ).all()
    numbers = session.execute(
        sa.select(Site.code, Participant.number)
        .select_from(Participant)
        .join(Site, Site.id == Participant.site_id)
        .join(Assessment, Assessment.participant_id == Participant.id)
        .where(*where)
        .distinct()
        .order_by(Site.code, Participant.number)
        .limit(LISTED)
    ).all()
    zone = study.definition.zone
    return tuple(
        Affected(
            site,
            people,
            tuple(number for of, number in numbers if of == site),
            count,
            max(opens, span.since).astimezone(zone).date(),
        )
        for site, people, count, opens in rows
    )


def _reaching(study: CurrentStudy, span: _Span) -> Sequence[sa.ColumnElement[bool]]:
    """That an assessment of the study is to be answered in the span and is not begun."""
    found = [
        participants.among(study, span.sites),
        Participant.language == span.language,
        Participant.died_at.is_(None),
        Participant.withdrawn_at.is_(None),
        Assessment.instrument == span.instrument,
        Assessment.sealed_late.is_(None),
        Assessment.cancelled_at.is_(None),
        Assessment.closes_at > span.since,
        ~begun,
    ]
    if span.until is not None:
        found.append(Assessment.opens_at < span.until)
    return found
