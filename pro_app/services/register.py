"""The register of a study's staff as a delegation log: who may do what, where, since when.

Nobody leaves it: what has ended stands there with its end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Site, Staff, StaffInvitation, StaffRole, StaffSession
from pro_app.services import staff

PAGE = 50  # people


@dataclass(frozen=True, slots=True)
class Delegation:
    """A role: where (None: every site), since and until when. `living`: it holds now; `own`: the
    reader may end it."""

    id: int
    role: str
    site: str | None
    begins_at: datetime
    ends_at: datetime | None
    living: bool
    own: bool


@dataclass(frozen=True, slots=True)
class Account:
    """A person with the roles that the reader may know of.

    `state` is `active`, `invited`, `expired` (never opened, and the invitation is dead) or
    `ended`; `invited_until` the end of an invitation that opens the account still or anew.
    """

    id: int
    public_id: str
    name: str
    email: str
    language: str
    trained_on: date | None
    state: str
    invited_until: datetime | None
    signed_in_at: datetime | None
    roles: tuple[Delegation, ...]


@dataclass(frozen=True, slots=True)
class Register:
    """One page of the register, and how many people and pages there are."""

    accounts: tuple[Account, ...]
    total: int
    page: int
    pages: int


def register(
    session: Session,
    study_id: int,
    sites: frozenset[int] | None,
    now: datetime,
    search: str = "",
    page: int = 1,
    living: bool = False,
) -> Register:
    """Everybody who has or had a role at these sites (None: all) or at every site, by name.

    `search` is part of a name or an address; `living` leaves out who may do nothing now.
    """
    which = _visible(study_id, sites)
    if living:
        which = sa.and_(which, staff.living(now), Staff.disabled_at.is_(None))
    people = (
        sa.select(Staff)
        .where(Staff.id.in_(sa.select(StaffRole.staff_id).join(Staff).where(which)))
        .order_by(Staff.name, Staff.id)
    )
    if search:
        people = people.where(
            sa.or_(
                Staff.name.icontains(search, autoescape=True),
                Staff.email.icontains(search, autoescape=True),
            )
        )
    total = session.scalar(sa.select(sa.func.count()).select_from(people.subquery())) or 0
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    found = session.scalars(people.limit(PAGE).offset((page - 1) * PAGE)).all()
    return Register(_accounts(session, study_id, sites, now, found), total, page, pages)


def account(
    session: Session,
    study_id: int,
    sites: frozenset[int] | None,
    public_id: str,
    now: datetime,
) -> Account | None:
    """One person of the register; None for somebody who is not in it."""
    person = session.scalar(sa.select(Staff).where(Staff.public_id == public_id))
    if person is None:
        return None
    found = _accounts(session, study_id, sites, now, [person])[0]
    return found if found.roles else None


def _visible(study_id: int, sites: frozenset[int] | None) -> sa.ColumnElement[bool]:
    """The roles of which an administrator of these sites may know."""
    of_study = StaffRole.study_id == study_id
    if sites is None:
        return of_study
    return sa.and_(
        of_study, sa.or_(StaffRole.site_id.is_(None), StaffRole.site_id.in_(sorted(sites)))
    )


def _accounts(
    session: Session,
    study_id: int,
    sites: frozenset[int] | None,
    now: datetime,
    people: Sequence[Staff],
) -> tuple[Account, ...]:
    ids = [person.id for person in people]
    roles = _roles(session, study_id, sites, now, ids)
    invited = _invited(session, now, ids)
    signed_in = _signed_in(session, ids)
    return tuple(
        Account(
            id=one.id,
            public_id=one.public_id,
            name=one.name,
            email=one.email,
            language=one.language,
            trained_on=one.trained_on,
            state=_state(one, one.id in invited),
            invited_until=None if one.disabled_at is not None else invited.get(one.id),
            signed_in_at=signed_in.get(one.id),
            roles=tuple(roles[one.id]),
        )
        for one in people
    )


def _state(person: Staff, invited: bool) -> str:
    if person.disabled_at is not None:
        return "ended"
    if person.password_hash is not None:
        return "active"
    return "invited" if invited else "expired"


def _roles(
    session: Session,
    study_id: int,
    sites: frozenset[int] | None,
    now: datetime,
    ids: Sequence[int],
) -> Mapping[int, list[Delegation]]:
    """By person, the roles; those that hold first."""
    rows = session.execute(
        sa.select(StaffRole, Site.code)
        .outerjoin(Site, Site.id == StaffRole.site_id)
        .where(_visible(study_id, sites), StaffRole.staff_id.in_(ids))
        .order_by(StaffRole.id)
    )
    found: dict[int, list[Delegation]] = defaultdict(list)
    for role, site in rows:
        living = role.begins_at <= now and (role.ends_at is None or role.ends_at > now)
        own = sites is None or role.site_id in sites
        found[role.staff_id].append(
            Delegation(role.id, role.role, site, role.begins_at, role.ends_at, living, own)
        )
    for each in found.values():
        each.sort(key=lambda one: not one.living)
    return found


def _invited(session: Session, now: datetime, ids: Sequence[int]) -> Mapping[int, datetime]:
    """By person, when the living invitation ends."""
    rows = session.execute(
        sa.select(StaffInvitation.staff_id, StaffInvitation.expires_at).where(
            StaffInvitation.staff_id.in_(ids), staff.standing(now)
        )
    )
    return {row.staff_id: row.expires_at for row in rows}


def _signed_in(session: Session, ids: Sequence[int]) -> Mapping[int, datetime]:
    """By person, the last sign-in."""
    latest = sa.func.max(StaffSession.created_at, type_=StaffSession.created_at.type)
    rows = session.execute(
        sa.select(StaffSession.staff_id, latest.label("latest"))
        .where(StaffSession.staff_id.in_(ids))
        .group_by(StaffSession.staff_id)
    )
    return {row.staff_id: row.latest for row in rows}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the whole register: a person, a role, where, from when until when."""

    public_id: str
    name: str
    email: str
    trained_on: date | None
    disabled_at: datetime | None
    role_id: int
    role: str
    site: str | None
    begins_at: datetime
    ends_at: datetime | None


def lines(session: Session, study_id: int) -> list[Line]:
    """Everybody who has or had a role in a study."""
    rows = session.execute(
        sa.select(
            Staff.public_id,
            Staff.name,
            Staff.email,
            Staff.trained_on,
            Staff.disabled_at,
            StaffRole.id.label("role_id"),
            StaffRole.role,
            Site.code.label("site"),
            StaffRole.begins_at,
            StaffRole.ends_at,
        )
        .join(StaffRole, StaffRole.staff_id == Staff.id)
        .outerjoin(Site, Site.id == StaffRole.site_id)
        .where(StaffRole.study_id == study_id)
        .order_by(Staff.name, Staff.id, StaffRole.id)
    )
    return [Line(**row) for row in rows.mappings()]
