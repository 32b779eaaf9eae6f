"""Passkeys: a phone's fingerprint, face or screen lock instead of the PIN, and on a new phone.

What the authenticator shows names nobody: the app's neutral name and the end of the study number.
A challenge lives five minutes and opens once: whatever was asked for before a passkey's last use
opens nothing any more. A count that does not rise tells of a copied key: it is refused, on the
record. Passkeys that synchronize between a person's devices do not count, and always say 0.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
import webauthn
from sqlalchemy.orm import Session
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authenticator_data
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorAttachment,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from pro_app.models import Device, Participant, Passkey
from pro_app.services import audit

CHALLENGE_LIFE = timedelta(minutes=5)
OPENED_LIFE = timedelta(minutes=15)  # from opening to joining: a notice may be read between
MOST = 10  # living ones of one person
LONGEST = 1_400  # characters of a credential's id: 1023 bytes at most
CREDENTIAL = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST}}}")  # no other name is in the database
WRONG_SHAPE = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError)


class PasskeyError(Exception):
    """A passkey that cannot be made."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where passkeys of this installation work: the site's host, its origin, its neutral name."""

    host: str
    origin: str
    name: str


def place(public_url: str, name: str) -> Place:
    """The place of the address that participants open."""
    address = urlsplit(public_url)
    return Place(address.hostname or "", f"{address.scheme}://{address.netloc}", name)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a browser has to sign, and when that was asked of it."""

    value: str  # base64url
    at: datetime

    def lives(self, now: datetime) -> bool:
        """Whether an answer to it is still taken."""
        return self.at <= now < self.at + CHALLENGE_LIFE


def new_challenge(now: datetime) -> Challenge:
    """256 random bits."""
    return Challenge(bytes_to_base64url(secrets.token_bytes(32)), now)


def living(session: Session, participant_id: int) -> Sequence[Passkey]:
    """A participant's passkeys that open, the oldest first."""
    return session.scalars(
        sa.select(Passkey)
        .where(Passkey.participant_id == participant_id, Passkey.revoked_at.is_(None))
        .order_by(Passkey.id)
    ).all()


def _descriptors(passkeys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    known = {one.value: one for one in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.credential_id),
            transports=[known[way] for way in one.transports if way in known] or None,
        )
        for one in passkeys
    ]


def making(
    session: Session, participant_id: int, where: Place, challenge: Challenge
) -> dict[str, Any]:
    """What the browser is asked to make a passkey from (`PublicKeyCredentialCreationOptions`)."""
    participant = session.get_one(Participant, participant_id)
    options = webauthn.generate_registration_options(
        rp_id=where.host,
        rp_name=where.name,
        user_id=participant.public_id.encode(),
        user_name=f"{where.name} {participant.number[-2:]}",
        user_display_name=where.name,
        challenge=base64url_to_bytes(challenge.value),
        timeout=int(CHALLENGE_LIFE.total_seconds() * 1000),
        authenticator_selection=AuthenticatorSelectionCriteria(
            authenticator_attachment=AuthenticatorAttachment.PLATFORM,
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(living(session, participant_id)),
    )
    found: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return found


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
    if not challenge.lives(now):
        raise PasskeyError("the challenge is too old")
    verified = _verified_making(credential, where, challenge)
    known = bytes_to_base64url(verified.credential_id)
    taken = sa.select(Passkey.id).where(Passkey.credential_id == known)
    if len(known) > LONGEST or session.scalar(taken) is not None:
        raise PasskeyError("the passkey is known already")
    if len(living(session, participant_id)) >= MOST:
        raise PasskeyError("there are too many passkeys")
    passkey = Passkey(
        participant_id=participant_id,
        device_id=device_id,
        used_device_id=device_id,
        credential_id=known,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        transports=_transports(credential),
        backed_up=verified.credential_backed_up,
        created_at=now,
    )
    session.add(passkey)
    session.flush()
    _record(session, passkey, f"participant/device {device_id}", "make_passkey", now)
    return passkey


def _verified_making(credential: Any, where: Place, challenge: Challenge) -> VerifiedRegistration:
    try:
        return webauthn.verify_registration_response(
            credential=dict(credential),
            expected_challenge=base64url_to_bytes(challenge.value),
            expected_rp_id=where.host,
            expected_origin=where.origin,
            require_user_verification=True,
        )
    except WRONG_SHAPE as error:
        raise PasskeyError("the passkey is not as asked for") from error


def _transports(credential: Any) -> list[str]:
    response = credential.get("response")
    given = response.get("transports") if isinstance(response, Mapping) else None
    known = {one.value for one in AuthenticatorTransport}
    return [way for way in given if way in known] if isinstance(given, list) else []


def opening(where: Place, challenge: Challenge, allowed: Sequence[Passkey]) -> dict[str, Any]:
    """What the browser is asked to open with (`PublicKeyCredentialRequestOptions`): one of these
    passkeys, or if there are none here, whichever it has for this site."""
    options = webauthn.generate_authentication_options(
        rp_id=where.host,
        challenge=base64url_to_bytes(challenge.value),
        timeout=int(CHALLENGE_LIFE.total_seconds() * 1000),
        allow_credentials=_descriptors(allowed),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    found: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return found


class Refusal(StrEnum):
    """Why a passkey opens nothing. People are told the same of all; the record knows."""

    UNKNOWN = "unknown"  # not ours, taken away, or not answering what was asked
    OTHER = "other"  # another participant's than the phone's
    COUNT = "count"  # its count does not rise: there is a copy


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
    known = credential.get("id") if isinstance(credential, Mapping) else None
    named = isinstance(known, str) and CREDENTIAL.fullmatch(known) is not None
    passkey = _find(session, str(known)) if named else None
    if passkey is None or not challenge.lives(now):
        return Refusal.UNKNOWN
    if passkey.used_at is not None and challenge.at < passkey.used_at:  # sent a second time
        return Refusal.UNKNOWN
    refusal = _fault(session, passkey, credential, where, challenge)
    if refusal is None and owner_id not in {None, passkey.participant_id}:
        refusal = Refusal.OTHER
    actor = "participant" if device_id is None else f"participant/device {device_id}"
    if refusal is not None:
        _record(session, passkey, actor, "refuse_passkey", now, {"reason": refusal.value})
        return refusal
    data = parse_authenticator_data(base64url_to_bytes(credential["response"]["authenticatorData"]))
    passkey.sign_count, passkey.backed_up = data.sign_count, data.flags.bs
    passkey.used_at = now
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


def _fault(
    session: Session, passkey: Passkey, credential: Any, where: Place, challenge: Challenge
) -> Refusal | None:
    """What is wrong with an answer. Its count is looked at last, and by us: only where the
    signature is right does it tell of a copy."""
    owner = session.get_one(Participant, passkey.participant_id)
    try:
        verified = webauthn.verify_authentication_response(
            credential=dict(credential),
            expected_challenge=base64url_to_bytes(challenge.value),
            expected_rp_id=where.host,
            expected_origin=where.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=-1,
            require_user_verification=True,
        )
        handle = credential["response"].get("userHandle")
        if handle and base64url_to_bytes(handle) != owner.public_id.encode():
            return Refusal.UNKNOWN
    except WRONG_SHAPE:
        return Refusal.UNKNOWN
    return Refusal.COUNT if 0 < passkey.sign_count >= verified.new_sign_count else None


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
