"""Participants' passkeys: fingerprint, face or screen lock instead of the PIN, and on a new phone.

What the authenticator shows names nobody: the app's neutral name and the end of the study number.
What is refused is on the record. See `credentials` for what all passkeys have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from webauthn.helpers.structs import AuthenticatorAttachment

from pro_app.models import Device, Participant, Passkey
from pro_app.services import audit, credentials
from pro_app.services.credentials import Challenge, Owner, PasskeyError, Place, Refusal

OPENED_LIFE = timedelta(minutes=15)  # from opening to joining: a notice may be read between


def living(session: Session, participant_id: int) -> Sequence[Passkey]:
    """A participant's passkeys that open, the oldest first."""
    return session.scalars(
        sa.select(Passkey)
        .where(Passkey.participant_id == participant_id, Passkey.revoked_at.is_(None))
        .order_by(Passkey.id)
    ).all()


def making(
    session: Session, participant_id: int, where: Place, challenge: Challenge
) -> dict[str, Any]:
    """What the browser is asked to make a passkey from (`PublicKeyCredentialCreationOptions`)."""
    participant = session.get_one(Participant, participant_id)
    owner = Owner(participant.public_id, f"{where.name} {participant.number[-2:]}", where.name)
    had = living(session, participant_id)
    return credentials.making(owner, where, challenge, had, AuthenticatorAttachment.PLATFORM)


def make(
    session: Session,
    participant_id: int,
    device_id: int,
    credential: Any,
    where: Place,
    challenge: Challenge,
    now: datetime,
) -> Passkey:
    """Keep a passkey that the browser has made. Raises PasskeyError."""
    audit.lock_participant(session, participant_id)
    device = session.get_one(Device, device_id, populate_existing=True)
    if device.revoked_at is not None:  # while the finger was on the phone
        raise PasskeyError("the phone is signed out")
    found = credentials.made(credential, where, challenge, living(session, participant_id), now)
    taken = sa.select(Passkey.id).where(Passkey.credential_id == found["credential_id"])
    if session.scalar(taken) is not None:
        raise PasskeyError("the passkey is known already")
    passkey = Passkey(
        participant_id=participant_id, device_id=device_id, used_device_id=device_id, **found
    )
    session.add(passkey)
    session.flush()
    _record(session, passkey, f"participant/device {device_id}", "make_passkey", now)
    return passkey


def open_with(
    session: Session,
    credential: Any,
    where: Place,
    challenge: Challenge,
    owner_id: int | None,
    device_id: int | None,
    now: datetime,
) -> Passkey | Refusal:
    """The passkey that has signed this challenge; what was refused is on the record.

    On a phone that is joined, `owner_id` is its participant, whom the passkey must belong to, and
    `device_id` the device that is opened.
    """
    known = credentials.named(credential)
    passkey = None if known is None else _find(session, known)
    if passkey is None or not challenge.opens(passkey, now):
        return Refusal.UNKNOWN
    person = session.get_one(Participant, passkey.participant_id)
    refusal = credentials.fault(passkey, person.public_id, credential, where, challenge)
    if refusal is None and owner_id not in {None, passkey.participant_id}:
        refusal = Refusal.OTHER
    actor = "participant" if device_id is None else f"participant/device {device_id}"
    if refusal is not None:
        _record(session, passkey, actor, "refuse_passkey", now, {"reason": refusal.value})
        return refusal
    credentials.use(passkey, credential, now)
    if device_id is not None:
        passkey.used_device_id = device_id
    _record(session, passkey, actor, "open_by_passkey", now)
    return passkey


def _find(session: Session, credential_id: str) -> Passkey | None:
    """The living passkey of somebody who takes part, its participant's stream held."""
    which = sa.select(Passkey).where(Passkey.credential_id == credential_id)
    found = session.scalar(which)
    if found is None:
        return None
    participant = audit.lock_participant(session, found.participant_id)
    ended = participant.withdrawn_at is not None or participant.died_at is not None
    found = session.get_one(Passkey, found.id, populate_existing=True)
    return None if ended or found.revoked_at is not None else found


def owner(session: Session, passkey_id: int) -> int | None:
    """Whose passkey this is: the participant's id; None if there is no such passkey (any more:
    the database may be an older copy)."""
    found = session.get(Passkey, passkey_id)
    return None if found is None else found.participant_id


def opened(session: Session, passkey_id: int, at: datetime, now: datetime) -> Passkey | None:
    """The passkey if it was last opened at this moment, not long ago, and opens still."""
    found = session.get(Passkey, passkey_id, populate_existing=True)
    if found is None or found.revoked_at is not None or found.used_at != at:
        return None
    return found if at <= now < at + OPENED_LIFE else None


def revoke(
    session: Session,
    participant_id: int,
    now: datetime,
    actor: str,
    which: sa.ColumnElement[bool] | None = None,
) -> int:
    """Take passkeys of a participant away, whose stream is held; all, or some. How many."""
    query = sa.select(Passkey).where(
        Passkey.participant_id == participant_id, Passkey.revoked_at.is_(None)
    )
    found = session.scalars(query if which is None else query.where(which)).all()
    for passkey in found:
        passkey.revoked_at = now
        _record(session, passkey, actor, "revoke_passkey", now)
    return len(found)


def remove(
    session: Session, participant_id: int, passkey_id: int, now: datetime, actor: str
) -> None:
    """Take one passkey of a participant away; somebody else's, or none, changes nothing."""
    audit.lock_participant(session, participant_id)
    revoke(session, participant_id, now, actor, Passkey.id == passkey_id)


def of_device(device_id: int) -> sa.ColumnElement[bool]:
    """The passkeys that were made on a device or last opened it."""
    return sa.or_(Passkey.device_id == device_id, Passkey.used_device_id == device_id)


def follow(
    session: Session, device_id: int, participant_id: int, new_device_id: int, now: datetime
) -> None:
    """A browser that was one device is another one now. Passkeys stay with their participant, and
    are taken away where it is somebody else's from now on."""
    for passkey in session.scalars(
        sa.select(Passkey).where(of_device(device_id), Passkey.revoked_at.is_(None))
    ).all():
        if passkey.participant_id == participant_id:
            passkey.used_device_id = new_device_id
        else:
            audit.lock_participant(session, passkey.participant_id)
            passkey.revoked_at = now
            actor = f"participant/device {new_device_id}"
            _record(session, passkey, actor, "revoke_passkey", now)
    session.flush()


def _record(
    session: Session,
    passkey: Passkey,
    actor: str,
    action: str,
    now: datetime,
    detail: dict[str, Any] | None = None,
) -> None:
    session.flush()
    entry = audit.Entry(actor, action, f"passkey/{passkey.id}", detail=detail or {})
    audit.record(session, audit.participant_stream(passkey.participant_id), now, [entry])
