"""Staff accounts: who is invited, what each may do where, and until when.

Accounts belong to persons and are never removed. Everything that happens to one is a stream of
the trail of its own.
"""

from __future__ import annotations

import secrets as randomness
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from pro_app.core.study import LANGUAGES, NATIONAL_IDENTITY
from pro_app.delivery import address_fault
from pro_app.models import (
    ROLES,
    Site,
    Staff,
    StaffInvitation,
    StaffPasskey,
    StaffRole,
    StaffSession,
    Study,
)
from pro_app.services import audit, secrets
from pro_app.services.by_staff import actor_of

INVITATION_LIFE = timedelta(hours=24)
INVITATION_LENGTH = 16  # characters of the joining codes' alphabet: 79 bits
NAME_LENGTH = 120  # characters


class StaffError(Exception):
    """Something that cannot be done with an account; `code` names the fault."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def stream(staff_id: int) -> str:
    """The name of a person's stream in the trail; also how the trail names the person."""
    return f"staff/{staff_id}"


def tidy_email(text: str) -> str:
    """An address as it is kept: sign-in names differ by more than capitals."""
    return text.strip().lower()


def lock(session: Session, staff_id: int) -> Staff:
    """A person's row, and the stream held until the transaction ends."""
    return session.execute(
        sa.select(Staff).where(Staff.id == staff_id).with_for_update(),
        execution_options={"populate_existing": True},
    ).scalar_one()


def record(
    session: Session,
    staff_id: int,
    action: str,
    actor: str,
    now: datetime,
    *,
    field: str | None = None,
    old: str | None = None,
    new: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Put on a person's stream, which the caller holds, what happened to the account."""
    session.flush()
    entry = audit.Entry(actor, action, stream(staff_id), field, old, new, detail or {})
    audit.record(session, stream(staff_id), now, [entry])


def find(session: Session, email: str) -> Staff | None:
    """Whose sign-in name this is."""
    return session.scalar(sa.select(Staff).where(Staff.email == tidy_email(email)))


def add(
    session: Session,
    email: str,
    name: str,
    language: str,
    trained_on: date | None,
    now: datetime,
    actor: str = "site",
) -> Staff:
    """A new account that opens nothing yet. Raises StaffError: `email`, `known`, `name`,
    `language`, `training`."""
    email, name = tidy_email(email), " ".join(name.split())
    if address_fault(email) is not None:
        raise StaffError("email")
    if not name or len(name) > NAME_LENGTH or NATIONAL_IDENTITY.search(name):
        raise StaffError("name")
    if language not in LANGUAGES:
        raise StaffError("language")
    if not is_training(trained_on, now):
        raise StaffError("training")
    if find(session, email) is not None:
        raise StaffError("known")
    person = Staff(
        public_id=randomness.token_urlsafe(12),
        name=name,
        email=email,
        language=language,
        trained_on=trained_on,
        created_at=now,
    )
    session.add(person)
    session.flush()
    trained = None if trained_on is None else trained_on.isoformat()
    record(session, person.id, "add_staff", actor, now, detail={"trained_on": trained})
    return person


def is_training(day: date | None, now: datetime) -> bool:
    """Whether this can be the day of a training: unknown, or begun somewhere on earth."""
    return day is None or day <= now.date() + timedelta(days=1)


def invite(
    session: Session, staff_id: int, key: str, now: datetime, invited_by: int | None = None
) -> str:
    """A code that lets the person choose a password and a second factor; an older one is dead.

    For somebody who has both already it replaces them when it is used. `invited_by` is the
    administrator who is told the code; None is the operator. Raises StaffError: `disabled`.
    """
    person = lock(session, staff_id)
    if person.disabled_at is not None:
        raise StaffError("disabled")
    kind = "invitation" if person.password_hash is None else "renewal"
    _replace_invitations(session, staff_id, now)
    code = secrets.new_code(INVITATION_LENGTH)
    session.add(
        StaffInvitation(
            staff_id=staff_id,
            kind=kind,
            invited_by=invited_by,
            token_hash=secrets.code_hash(code, key),
            created_at=now,
            expires_at=now + INVITATION_LIFE,
        )
    )
    record(session, staff_id, "invite_staff", actor_of(invited_by), now, detail={"kind": kind})
    return code


def _replace_invitations(session: Session, staff_id: int, now: datetime) -> None:
    session.execute(
        sa.update(StaffInvitation)
        .where(
            StaffInvitation.staff_id == staff_id,
            StaffInvitation.used_at.is_(None),
            StaffInvitation.replaced_at.is_(None),
        )
        .values(replaced_at=now)
    )


def find_invitation(session: Session, hashed: str, now: datetime) -> StaffInvitation | None:
    """The living invitation of this hash (`secrets.code_hash`); None for any other."""
    found = sa.select(StaffInvitation).where(StaffInvitation.token_hash == hashed, standing(now))
    invitation = session.scalar(found, execution_options={"populate_existing": True})
    if invitation is None:
        return None
    person = session.get_one(Staff, invitation.staff_id)
    return invitation if person.disabled_at is None else None


def standing(now: datetime) -> sa.ColumnElement[bool]:
    """The invitations that open an account now: in time, not used, not replaced, and made by the
    operator or by somebody who still administers all that the account may do. Who made it knows
    its code, and could open with it what others have given since."""
    made, had = aliased(StaffRole), aliased(StaffRole)
    administers = sa.select(made.id).where(
        made.staff_id == StaffInvitation.invited_by,
        made.role == "administrator",
        made.begins_at <= now,
        sa.or_(made.ends_at.is_(None), made.ends_at > now),
    )
    covering = administers.where(
        made.study_id == had.study_id, sa.or_(made.site_id.is_(None), made.site_id == had.site_id)
    )
    beyond = sa.select(had.id).where(
        had.staff_id == StaffInvitation.staff_id,
        sa.or_(had.ends_at.is_(None), had.ends_at > now),
        ~covering.correlate(StaffInvitation, had).exists(),
    )
    return sa.and_(
        StaffInvitation.used_at.is_(None),
        StaffInvitation.replaced_at.is_(None),
        StaffInvitation.expires_at > now,
        sa.or_(
            StaffInvitation.invited_by.is_(None),
            sa.and_(
                administers.correlate(StaffInvitation).exists(),
                ~beyond.correlate(StaffInvitation).exists(),
            ),
        ),
    )


def grant(
    session: Session,
    staff_id: int,
    study_id: int,
    site_id: int | None,
    role: str,
    now: datetime,
    actor: str = "site",
) -> StaffRole:
    """Let a person do something in a study, at one site or (None) at all, from now on.

    Raises StaffError: `role`, `site` (of another study), `had` (the person may already),
    `training` (no day of training is known), `disabled`.
    """
    person = lock(session, staff_id)
    if role not in ROLES:
        raise StaffError("role")
    if person.disabled_at is not None:
        raise StaffError("disabled")
    if person.trained_on is None:
        raise StaffError("training")
    site = None if site_id is None else session.get(Site, site_id)
    if site_id is not None and (site is None or site.study_id != study_id):
        raise StaffError("site")
    for one in living_roles(session, staff_id, now):
        if one.study_id == study_id and one.role == role and one.site_id in {None, site_id}:
            raise StaffError("had")
    found = StaffRole(
        staff_id=staff_id, study_id=study_id, site_id=site_id, role=role, begins_at=now
    )
    session.add(found)
    record(session, staff_id, "grant_role", actor, now, new=role, detail=_where(session, found))
    return found


def end_role(
    session: Session,
    staff_id: int,
    role_id: int,
    now: datetime,
    actor: str = "site",
    at: datetime | None = None,
) -> None:
    """Take a role away from now on, or from a later moment; the register keeps it. One that has
    ended or ends sooner stays as it is."""
    lock(session, staff_id)
    found = session.get(StaffRole, role_id, populate_existing=True)
    end = now if at is None else max(at, now)
    if found is None or found.staff_id != staff_id:
        return
    if found.ends_at is not None and found.ends_at <= end:
        return
    found.ends_at = end
    detail = _where(session, found)
    if end > now:
        detail["ends_at"] = end.astimezone(UTC).isoformat()
    record(session, staff_id, "end_role", actor, now, old=found.role, detail=detail)


def _where(session: Session, role: StaffRole) -> dict[str, Any]:
    """A role's study and site, as the trail names them."""
    site = None if role.site_id is None else session.get_one(Site, role.site_id).code
    return {"study": session.get_one(Study, role.study_id).code, "site": site}


def disable(session: Session, staff_id: int, now: datetime, actor: str = "site") -> None:
    """End an account: roles, sessions, passkeys and invitations are dead at once."""
    person = lock(session, staff_id)
    if person.disabled_at is not None:
        return
    person.disabled_at = now
    for role in living_roles(session, staff_id, now):
        end_role(session, staff_id, role.id, now, actor)
    _replace_invitations(session, staff_id, now)
    end_sessions(session, staff_id, now)
    end_passkeys(session, staff_id, now, actor)
    record(session, staff_id, "disable_staff", actor, now)


def set_training(
    session: Session, staff_id: int, trained_on: date, now: datetime, actor: str = "site"
) -> None:
    """Put on record when a person was trained, of whom that was not known."""
    person = lock(session, staff_id)
    person.trained_on = trained_on
    day = trained_on.isoformat()
    record(session, staff_id, "change_setting", actor, now, field="trained_on", new=day)


def end_sessions(session: Session, staff_id: int, now: datetime, but: int | None = None) -> None:
    """End all sessions of a person, whose row is held; but the one of this id."""
    session.execute(
        sa.update(StaffSession)
        .where(
            StaffSession.staff_id == staff_id,
            StaffSession.ended_at.is_(None),
            *(() if but is None else (StaffSession.id != but,)),
        )
        .values(ended_at=now)
    )


def end_passkeys(
    session: Session, staff_id: int, now: datetime, actor: str, only: int | None = None
) -> int:
    """Take passkeys of a person away, whose row is held; all, or the one of this id. How many."""
    found = session.scalars(
        sa.select(StaffPasskey).where(
            StaffPasskey.staff_id == staff_id,
            StaffPasskey.revoked_at.is_(None),
            *(() if only is None else (StaffPasskey.id == only,)),
        )
    ).all()
    for passkey in found:
        passkey.revoked_at = now
        detail = {"passkey": passkey.id}
        record(session, staff_id, "remove_passkey", actor, now, detail=detail)
    return len(found)


def living_roles(session: Session, staff_id: int, now: datetime) -> Sequence[StaffRole]:
    """What a person may do now."""
    mine = sa.select(StaffRole).where(StaffRole.staff_id == staff_id, living(now))
    return session.scalars(mine.order_by(StaffRole.id)).all()


def living(now: datetime) -> sa.ColumnElement[bool]:
    """The roles that have begun and not ended."""
    return sa.and_(
        StaffRole.begins_at <= now, sa.or_(StaffRole.ends_at.is_(None), StaffRole.ends_at > now)
    )


def names(session: Session, staff_ids: Collection[int | None]) -> dict[int, str]:
    """The names of these people; of nobody where none is named."""
    which = [one for one in staff_ids if one is not None]
    rows = session.execute(sa.select(Staff.id, Staff.name).where(Staff.id.in_(which)))
    return {row.id: row.name for row in rows}


def choose_language(session: Session, staff_id: int, language: str, now: datetime) -> None:
    """Another language for a person's pages, on the record."""
    person = lock(session, staff_id)
    old, person.language = person.language, language
    if old != language:
        actor = stream(staff_id)
        record(
            session, staff_id, "change_setting", actor, now, field="language", old=old, new=language
        )


def posts(
    session: Session, staff_id: int, study_id: int, now: datetime
) -> dict[str, frozenset[int] | None]:
    """By role that a person has in a study now, the ids of the sites; None: every site."""
    rows = session.execute(
        sa.select(StaffRole.role, StaffRole.site_id).where(
            StaffRole.staff_id == staff_id, StaffRole.study_id == study_id, living(now)
        )
    ).all()
    found: dict[str, set[int | None]] = {}
    for role, site_id in rows:
        found.setdefault(role, set()).add(site_id)
    return {
        role: None if None in sites else frozenset(one for one in sites if one is not None)
        for role, sites in found.items()
    }


def roles_by_study(session: Session, staff_id: int, now: datetime) -> dict[str, set[str]]:
    """By the code of each study in which a person may do anything now, the roles there."""
    rows = session.execute(
        sa.select(Study.code, StaffRole.role)
        .join(StaffRole, StaffRole.study_id == Study.id)
        .where(StaffRole.staff_id == staff_id, living(now))
        .order_by(Study.code)
    )
    found: dict[str, set[str]] = {}
    for code, role in rows:
        found.setdefault(code, set()).add(role)
    return found
