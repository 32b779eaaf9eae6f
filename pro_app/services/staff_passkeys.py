"""Passkeys of the staff: they sign in, and prove to be there, instead of password and code.

A key that verifies its owner is two factors in one. The waits after wrong tries are the account's,
whatever was tried. See `credentials` for what all passkeys have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.study import NATIONAL_IDENTITY
from pro_app.models import Staff, StaffPasskey
from pro_app.services import credentials, staff, staff_sign_in
from pro_app.services.credentials import Challenge, Owner, PasskeyError, Place, Refusal
from pro_app.services.staff_sign_in import Check, Result

LONGEST_NAME = 60  # characters


def living(session: Session, staff_id: int) -> Sequence[StaffPasskey]:
    """A person's passkeys that open, the oldest first."""
    return session.scalars(
        sa.select(StaffPasskey)
        .where(StaffPasskey.staff_id == staff_id, StaffPasskey.revoked_at.is_(None))
        .order_by(StaffPasskey.id)
    ).all()


def making(session: Session, staff_id: int, where: Place, challenge: Challenge) -> dict[str, Any]:
    """What the browser is asked to make a passkey from; a security key will do, too."""
    person = session.get_one(Staff, staff_id)
    owner = Owner(person.public_id, person.email, person.name)
    return credentials.making(owner, where, challenge, living(session, staff_id), None)


def name_fault(name: str) -> str | None:
    """What is wrong with a passkey's name: `none`, `long` or `identity`; None if nothing is."""
    tidy = " ".join(name.split())
    if not tidy:
        return "none"
    if len(tidy) > LONGEST_NAME:
        return "long"
    return "identity" if NATIONAL_IDENTITY.search(tidy) else None


def add(
    session: Session,
    staff_id: int,
    name: str,
    credential: Any,
    where: Place,
    challenge: Challenge,
    now: datetime,
) -> StaffPasskey:
    """Keep a passkey that the browser has made. The caller has checked the name with
    `name_fault`. Raises PasskeyError."""
    person = staff.lock(session, staff_id)
    if person.disabled_at is not None:
        raise PasskeyError("the account has ended")
    found = credentials.made(credential, where, challenge, living(session, staff_id), now)
    taken = sa.select(StaffPasskey.id).where(StaffPasskey.credential_id == found["credential_id"])
    if session.scalar(taken) is not None:
        raise PasskeyError("the passkey is known already")
    passkey = StaffPasskey(staff_id=staff_id, name=" ".join(name.split()), **found)
    session.add(passkey)
    session.flush()
    actor, detail = staff.stream(staff_id), {"passkey": passkey.id}
    staff.record(session, staff_id, "add_passkey", actor, now, detail=detail)
    return passkey


def open_with(
    session: Session,
    credential: Any,
    where: Place,
    challenge: Challenge,
    owner_id: int | None,
    now: datetime,
) -> Check:
    """Whose passkey has signed this challenge; wrong ones count as wrong tries at the account.

    Of somebody who is signed in, `owner_id` says whose it must be.
    """
    known = credentials.named(credential)
    found = session.scalar(sa.select(StaffPasskey).where(StaffPasskey.credential_id == known))
    if found is None:
        return Check(Result.WRONG)
    person = staff.lock(session, found.staff_id)
    passkey = session.get_one(StaffPasskey, found.id, populate_existing=True)
    dead = passkey.revoked_at is not None or person.disabled_at is not None
    if dead or not challenge.opens(passkey, now):
        return Check(Result.WRONG)
    if staff_sign_in.waits(person, now):
        return Check(Result.WAIT, wait_until=person.wait_until)
    refusal = credentials.fault(passkey, person.public_id, credential, where, challenge)
    if refusal is None and owner_id not in {None, person.id}:
        refusal = Refusal.OTHER
    if refusal is not None:
        return staff_sign_in.wrong(session, person, "refuse_passkey", now, refusal.value)
    credentials.use(passkey, credential, now)
    staff_sign_in.forgive(person)
    return Check(Result.RIGHT, person.id)


def remove(session: Session, staff_id: int, passkey_id: int, now: datetime) -> bool:
    """Take one's own passkey away; somebody else's, or none, changes nothing. Whether one was."""
    staff.lock(session, staff_id)
    return staff.end_passkeys(session, staff_id, now, staff.stream(staff_id), passkey_id) > 0
