"""What a study's administrator does with its staff: in the own study, at the own sites, no further.

A person may work in several studies with one account. Whoever could renew such an account's
invitation, or end it, would reach beyond the own study: that is left to whoever covers all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Staff, StaffRole, Study
from pro_app.services import staff
from pro_app.services.staff import StaffError

ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Scope:
    """Who administers, in which study, and at which sites (None: all of them)."""

    staff_id: int
    study_id: int
    sites: frozenset[int] | None

    @property
    def actor(self) -> str:
        """How the trail names the administrator."""
        return staff.stream(self.staff_id)

    def covers(self, study_id: int, site_id: int | None) -> bool:
        """Whether a role there is this administrator's to give and to take; a role at every
        site (None) is that of administrators of every site alone."""
        return study_id == self.study_id and (self.sites is None or site_id in self.sites)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What is typed of a person; of an account that is there already only the address counts."""

    email: str
    name: str
    language: str
    trained_on: date | None


@dataclass(frozen=True, slots=True)
class Added:
    """The account that has the role now. `code` is the invitation's; None where the account was
    there before and is open, or was invited by somebody else."""

    public_id: str
    name: str
    code: str | None


def add(
    session: Session,
    scope: Scope,
    newcomer: Newcomer,
    role: str,
    site_id: int | None,
    key: str,
    now: datetime,
) -> Added:
    """Give a role to the person of an address, with a new account if there is none.

    Raises StaffError as `staff.add`, `staff.grant` and `grant` do.
    """
    person = staff.find(session, newcomer.email)
    if person is None:
        person = staff.add(
            session,
            newcomer.email,
            newcomer.name,
            newcomer.language,
            newcomer.trained_on,
            now,
            scope.actor,
        )
    elif person.trained_on is None and newcomer.trained_on is not None:
        if not staff.is_training(newcomer.trained_on, now):
            raise StaffError("training")
        staff.set_training(session, person.id, newcomer.trained_on, now, scope.actor)
    grant(session, scope, person.id, role, site_id, now)
    code = None
    if person.password_hash is None and not _elsewhere(session, scope, person.id, now):
        code = staff.invite(session, person.id, key, now, scope.staff_id)
    return Added(person.public_id, person.name, code)


def grant(
    session: Session, scope: Scope, staff_id: int, role: str, site_id: int | None, now: datetime
) -> None:
    """Give a role. Raises StaffError as `staff.grant` does, `site` for one that is not the
    administrator's, and `own`: nobody lets themselves see more."""
    if not scope.covers(scope.study_id, site_id):
        raise StaffError("site")
    if staff_id == scope.staff_id:
        raise StaffError("own")
    staff.grant(session, staff_id, scope.study_id, site_id, role, now, scope.actor)


def renew(session: Session, scope: Scope, staff_id: int, key: str, now: datetime) -> str:
    """Another invitation, for an account that was never opened or whose password or second factor
    is lost: its code. Raises StaffError: `disabled`, `elsewhere`, `no_role`."""
    person = staff.lock(session, staff_id)
    if person.disabled_at is not None:
        raise StaffError("disabled")
    if _elsewhere(session, scope, staff_id, now):
        raise StaffError("elsewhere")
    if not _own(session, scope, staff_id, now):
        raise StaffError("no_role")
    return staff.invite(session, staff_id, key, now, scope.staff_id)


def end_role(
    session: Session,
    scope: Scope,
    staff_id: int,
    role_id: int,
    now: datetime,
    at: datetime | None = None,
) -> None:
    """Take a role away from now on, or from a later moment.

    Raises StaffError: `role` (there is no such role here), `last` (nobody else would administer).
    """
    _hold_study(session, scope)
    staff.lock(session, staff_id)
    found = next((one for one in _own(session, scope, staff_id, now) if one.id == role_id), None)
    if found is None:
        raise StaffError("role")
    if found.role == ADMINISTRATOR and _is_last(session, found, now, StaffRole.id != found.id):
        raise StaffError("last")
    staff.end_role(session, staff_id, role_id, now, scope.actor, at)


def end_account(session: Session, scope: Scope, staff_id: int, now: datetime) -> bool:
    """End an account, or of one that has roles elsewhere, too, the roles that are here: whether
    the account itself has ended. Raises StaffError: `own`, `last`."""
    if staff_id == scope.staff_id:
        raise StaffError("own")
    _hold_study(session, scope)
    staff.lock(session, staff_id)
    here = _own(session, scope, staff_id, now)
    if not here:
        raise StaffError("no_role")
    for role in here:
        if role.role == ADMINISTRATOR and _is_last(
            session, role, now, StaffRole.staff_id != staff_id
        ):
            raise StaffError("last")
    if not _elsewhere(session, scope, staff_id, now):
        staff.disable(session, staff_id, now, scope.actor)
        return True
    for role in here:
        staff.end_role(session, staff_id, role.id, now, scope.actor)
    return False


def reaches_beyond(session: Session, scope: Scope, staff_id: int, now: datetime) -> bool:
    """Whether a person has roles that are not this administrator's."""
    return _elsewhere(session, scope, staff_id, now)


def _hold_study(session: Session, scope: Scope) -> None:
    """One at a time: two administrators who end each other's roles must not both succeed."""
    session.execute(sa.select(Study.id).where(Study.id == scope.study_id).with_for_update())


def _own(session: Session, scope: Scope, staff_id: int, now: datetime) -> Sequence[StaffRole]:
    """A person's living roles that are this administrator's."""
    return [
        one
        for one in staff.living_roles(session, staff_id, now)
        if scope.covers(one.study_id, one.site_id)
    ]


def _elsewhere(session: Session, scope: Scope, staff_id: int, now: datetime) -> bool:
    roles = session.execute(
        sa.select(StaffRole.study_id, StaffRole.site_id).where(
            StaffRole.staff_id == staff_id,
            sa.or_(StaffRole.ends_at.is_(None), StaffRole.ends_at > now),
        )
    )
    return any(not scope.covers(study_id, site_id) for study_id, site_id in roles)


def _is_last(
    session: Session, role: StaffRole, now: datetime, others: sa.ColumnElement[bool]
) -> bool:
    """Whether of these others nobody with an open account goes on to administer the same."""
    places: sa.ColumnElement[bool] = StaffRole.site_id.is_(None)
    if role.site_id is not None:
        places = sa.or_(places, StaffRole.site_id == role.site_id)
    other = (
        sa.select(StaffRole.id)
        .join(Staff, Staff.id == StaffRole.staff_id)
        .where(
            StaffRole.study_id == role.study_id,
            StaffRole.role == ADMINISTRATOR,
            StaffRole.begins_at <= now,
            StaffRole.ends_at.is_(None),
            Staff.disabled_at.is_(None),
            Staff.password_hash.is_not(None),
            places,
            others,
        )
    )
    return session.scalar(other.limit(1)) is None
