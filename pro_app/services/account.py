"""A person's own account: what it is, where it is open, what opens it, and what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import (
    AuditEntry,
    Site,
    Staff,
    StaffPasskey,
    StaffRole,
    StaffSession,
    Study,
)
from pro_app.services import secrets, staff, staff_passkeys, staff_sign_in
from pro_app.services.staff_sign_in import Person
from pro_app.services.vault import Vault

WAYS = ("sign_in", "wrong_password", "wrong_code", "refuse_passkey", "use_recovery_code")
SHOWN = 20  # of the last sign-ins and failures
ALERTS = ("add_passkey", "renew_second_factor", "change_password", "renew_recovery_codes")
FAILURES = ("wrong_password", "wrong_code", "refuse_passkey")
MOST_NEWS = 10  # alerts told at a time


@dataclass(frozen=True, slots=True)
class Task:
    """What a person may do: the role, in which study, at which site (None: at all), since when."""

    role: str
    study: str
    site: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A desk that is signed in, from when, and when it was last used."""

    since: datetime
    seen_at: datetime
    is_this: bool


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to the account: what, when, and by which way (None: no way)."""

    action: str
    at: datetime
    by: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """What the page of one's own account tells."""

    name: str
    email: str
    trained_on: date | None
    tasks: Sequence[Task]
    sessions: Sequence[OpenSession]
    passkeys: Sequence[StaffPasskey]
    codes_left: int
    last: Sequence[Happening]


def look(session: Session, person: Person, now: datetime) -> Account:
    """One's own account."""
    known = session.get_one(Staff, person.staff_id)
    return Account(
        name=known.name,
        email=known.email,
        trained_on=known.trained_on,
        tasks=_tasks(session, known.id, now),
        sessions=_open_sessions(session, person, now),
        passkeys=staff_passkeys.living(session, known.id),
        codes_left=staff_sign_in.recovery_codes_left(session, known.id),
        last=_happenings(session, known.id, AuditEntry.action.in_(WAYS), SHOWN),
    )


def _tasks(session: Session, staff_id: int, now: datetime) -> list[Task]:
    rows = session.execute(
        sa.select(StaffRole.role, Study.code, Site.code, StaffRole.begins_at)
        .join(Study, Study.id == StaffRole.study_id)
        .outerjoin(Site, Site.id == StaffRole.site_id)
        .where(StaffRole.staff_id == staff_id, staff.living(now))
        .order_by(Study.code, StaffRole.id)
    )
    return [Task(*row) for row in rows]


def _open_sessions(session: Session, person: Person, now: datetime) -> list[OpenSession]:
    """Those that live, the one used last first."""
    rows = session.scalars(
        sa.select(StaffSession)
        .where(StaffSession.staff_id == person.staff_id, staff_sign_in.alive(now))
        .order_by(StaffSession.seen_at.desc(), StaffSession.id)
    )
    return [OpenSession(one.created_at, one.seen_at, one.id == person.session_id) for one in rows]


def _happenings(
    session: Session, staff_id: int, which: sa.ColumnElement[bool], most: int
) -> list[Happening]:
    """What the trail tells of the account, the newest first."""
    rows = session.scalars(
        sa.select(AuditEntry)
        .where(AuditEntry.stream == staff.stream(staff_id), which)
        .order_by(AuditEntry.seq.desc())
        .limit(most)
    )
    return [Happening(one.action, one.at, one.detail.get("by")) for one in rows]


def news(session: Session, staff_id: int) -> list[Happening]:
    """What the owner should know of and has not said to have read, the newest first: what opens
    the account is another now, or wrong tries have made it wait (`wait`, once a streak)."""
    last_read = (
        sa.select(sa.func.coalesce(sa.func.max(AuditEntry.seq), 0))
        .where(AuditEntry.stream == staff.stream(staff_id), AuditEntry.action == "read_news")
        .scalar_subquery()
    )
    rows = session.scalars(
        sa.select(AuditEntry)
        .where(
            AuditEntry.stream == staff.stream(staff_id),
            AuditEntry.seq > last_read,
            AuditEntry.action.in_((*ALERTS, *FAILURES, "set_up_sign_in")),
        )
        .order_by(AuditEntry.seq.desc())
    )
    found: list[Happening] = []
    for one in rows:
        if one.action in ALERTS or one.detail.get("by") == "renewal":
            found.append(Happening(one.action, one.at, one.detail.get("by")))
        elif one.detail.get("failures") == staff_sign_in.WAIT_AFTER:
            found.append(Happening("wait", one.at, None))
    return found[:MOST_NEWS]


def read_news(session: Session, person: Person, now: datetime) -> None:
    """The owner has read the news."""
    staff.lock(session, person.staff_id)
    staff.record(session, person.staff_id, "read_news", person.actor, now)


def end_others(session: Session, person: Person, now: datetime) -> None:
    """Sign out everywhere but here."""
    staff.lock(session, person.staff_id)
    staff.end_sessions(session, person.staff_id, now, but=person.session_id)
    staff.record(session, person.staff_id, "end_other_sessions", person.actor, now)


def change_password(session: Session, person: Person, password: str, now: datetime) -> None:
    """Another password, and signed out everywhere else. The caller has checked it with
    `password_fault`."""
    known = staff.lock(session, person.staff_id)
    known.password_hash = secrets.password_hash(password)
    staff.end_sessions(session, known.id, now, but=person.session_id)
    staff.record(session, known.id, "change_password", person.actor, now)


def renew_second_factor(
    session: Session, person: Person, secret: str, vault: Vault, now: datetime
) -> None:
    """Another authenticator app in place of the one before, and signed out everywhere else. The
    caller has checked the secret with `opens`."""
    known = staff.lock(session, person.staff_id)
    known.totp_secret = vault.lock(secret)
    known.totp_step = None
    staff.end_sessions(session, known.id, now, but=person.session_id)
    staff.record(session, known.id, "renew_second_factor", person.actor, now)


def renew_recovery_codes(session: Session, person: Person, now: datetime) -> list[str]:
    """Ten other recovery codes, told this once; the older ones are dead."""
    known = staff.lock(session, person.staff_id)
    codes = staff_sign_in.new_recovery_codes(session, known, now)
    staff.record(session, known.id, "renew_recovery_codes", person.actor, now)
    return codes
