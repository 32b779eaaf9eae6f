"""Passkeys as browsers make and use them, whosever they are: participants' and the staff's.

A challenge lives five minutes and opens once: whatever was asked for before a passkey's last use
opens nothing any more. A count that does not rise tells of a copied key. Passkeys that synchronize
between a person's devices do not count, and always say 0.
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

import webauthn
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

from pro_app.models import KeyPair

CHALLENGE_LIFE = timedelta(minutes=5)
MOST = 10  # living ones of one person
LONGEST = 1_400  # characters of a credential's id: 1023 bytes at most
CREDENTIAL = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST}}}")  # no other name is in the database
WRONG_SHAPE = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError)


class PasskeyError(Exception):
    """A passkey that cannot be made."""


class Refusal(StrEnum):
    """Why a passkey opens nothing. People are told the same of all; the record knows."""

    UNKNOWN = "unknown"  # not ours, taken away, or not answering what was asked
    OTHER = "other"  # another person's than the one who is known here
    COUNT = "count"  # its count does not rise: there is a copy


@dataclass(frozen=True, slots=True)
class Place:
    """Where passkeys of this installation work: the site's host, its origin, its neutral name."""

    host: str
    origin: str
    name: str


def place(public_url: str, name: str) -> Place:
    """The place of the address that people open."""
    address = urlsplit(public_url)
    return Place(address.hostname or "", f"{address.scheme}://{address.netloc}", name)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a passkey is to be, as the authenticator keeps it: an opaque id, and what it shows."""

    handle: str
    name: str
    display_name: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a browser has to sign, and when that was asked of it."""

    value: str  # base64url
    at: datetime

    def lives(self, now: datetime) -> bool:
        """Whether an answer to it is still taken."""
        return self.at <= now < self.at + CHALLENGE_LIFE

    def opens(self, passkey: KeyPair, now: datetime) -> bool:
        """Whether this passkey may answer it: not if it was used since, as if sent twice."""
        return self.lives(now) and (passkey.used_at is None or self.at >= passkey.used_at)


def new_challenge(now: datetime) -> Challenge:
    """256 random bits."""
    return Challenge(bytes_to_base64url(secrets.token_bytes(32)), now)


def _descriptors(passkeys: Sequence[KeyPair]) -> list[PublicKeyCredentialDescriptor]:
    known = {one.value: one for one in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.credential_id),
            transports=[known[way] for way in one.transports if way in known] or None,
        )
        for one in passkeys
    ]


def making(
    owner: Owner,
    where: Place,
    challenge: Challenge,
    had: Sequence[KeyPair],
    attachment: AuthenticatorAttachment | None,
) -> dict[str, Any]:
    """What the browser is asked to make a passkey from (`PublicKeyCredentialCreationOptions`).

    It makes none where one of those that the owner `had` is; `attachment` PLATFORM: only in the
    device itself, None: in a security key, too.
    """
    options = webauthn.generate_registration_options(
        rp_id=where.host,
        rp_name=where.name,
        user_id=owner.handle.encode(),
        user_name=owner.name,
        user_display_name=owner.display_name,
        challenge=base64url_to_bytes(challenge.value),
        timeout=int(CHALLENGE_LIFE.total_seconds() * 1000),
        authenticator_selection=AuthenticatorSelectionCriteria(
            authenticator_attachment=attachment,
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(had),
    )
    found: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return found


def made(
    credential: Any, where: Place, challenge: Challenge, had: Sequence[KeyPair], now: datetime
) -> dict[str, Any]:
    """The columns of a new passkey (`KeyPair`) beside those that its owner `had`.

    Raises PasskeyError if it is not as asked for, or one too many.
    """
    if len(had) >= MOST:
        raise PasskeyError("there are too many passkeys")
    if not challenge.lives(now):
        raise PasskeyError("the challenge is too old")
    verified = _verified_making(credential, where, challenge)
    known = bytes_to_base64url(verified.credential_id)
    if len(known) > LONGEST:
        raise PasskeyError("the name of the passkey is too long")
    return {
        "credential_id": known,
        "public_key": verified.credential_public_key,
        "sign_count": verified.sign_count,
        "transports": _transports(credential),
        "backed_up": verified.credential_backed_up,
        "created_at": now,
    }


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


def opening(where: Place, challenge: Challenge, allowed: Sequence[KeyPair]) -> dict[str, Any]:
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


def named(credential: Any) -> str | None:
    """The id of the passkey that an answer says it is of; None for anything else."""
    known = credential.get("id") if isinstance(credential, Mapping) else None
    return known if isinstance(known, str) and CREDENTIAL.fullmatch(known) else None


def fault(
    passkey: KeyPair, handle: str, credential: Any, where: Place, challenge: Challenge
) -> Refusal | None:
    """What is wrong with the answer of a passkey whose owner is known by this handle.

    Its count is looked at last, and by us: only where the signature is right does it tell of a
    copy.
    """
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
        given = credential["response"].get("userHandle")
        if given and base64url_to_bytes(given) != handle.encode():
            return Refusal.UNKNOWN
    except WRONG_SHAPE:
        return Refusal.UNKNOWN
    return Refusal.COUNT if 0 < passkey.sign_count >= verified.new_sign_count else None


def use(passkey: KeyPair, credential: Any, now: datetime) -> None:
    """Keep what a right answer says of its passkey."""
    data = parse_authenticator_data(base64url_to_bytes(credential["response"]["authenticatorData"]))
    passkey.sign_count, passkey.backed_up = data.sign_count, data.flags.bs
    passkey.used_at = now
