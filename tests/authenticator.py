"""A phone's authenticator in software: makes passkeys and opens with them, as browsers do."""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

ORIGIN = "http://localhost"
PRESENT, VERIFIED, SYNCED, HELD = 1, 4, 8 | 16, 64


class Key:
    """One passkey. `count` is what it says next; a keychain that synchronizes always says 0."""

    def __init__(self, host: str = "localhost", synced: bool = False) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(16)
        self.host = host
        self.synced = synced
        self.count = 0
        self.user: str | None = None

    def _public(self) -> bytes:
        numbers = self._private.public_key().public_numbers()
        x, y = (one.to_bytes(32, "big") for one in (numbers.x, numbers.y))
        return bytes(cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y}))

    def _data(self, flags: int) -> bytes:
        host = hashlib.sha256(self.host.encode()).digest()
        return (
            host + bytes([flags | (SYNCED if self.synced else 0)]) + struct.pack(">I", self.count)
        )

    def _said(self, kind: str, challenge: str, origin: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        known = bytes_to_base64url(self.id)
        return {"id": known, "rawId": known, "type": "public-key", "response": response}

    def make(
        self, options: dict[str, Any], origin: str = ORIGIN, flags: int = PRESENT | VERIFIED
    ) -> dict[str, Any]:
        """What a browser sends after making this passkey."""
        self.user = options["user"]["id"]
        held = bytes(16) + struct.pack(">H", len(self.id)) + self.id + self._public()
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._data(flags | HELD) + held}
        said = self._said("webauthn.create", options["challenge"], origin)
        return self._credential(
            {
                "clientDataJSON": bytes_to_base64url(said),
                "attestationObject": bytes_to_base64url(cbor2.dumps(attestation)),
                "transports": ["internal", "carrier pigeon"],
            }
        )

    def open(
        self, options: dict[str, Any], origin: str = ORIGIN, flags: int = PRESENT | VERIFIED
    ) -> dict[str, Any]:
        """What a browser sends after opening with this passkey."""
        if not self.synced:
            self.count += 1
        data, said = self._data(flags), self._said("webauthn.get", options["challenge"], origin)
        signed = self._private.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            {
                "clientDataJSON": bytes_to_base64url(said),
                "authenticatorData": bytes_to_base64url(data),
                "signature": bytes_to_base64url(signed),
                "userHandle": self.user,
            }
        )


def allowed(options: dict[str, Any]) -> list[bytes]:
    """Which passkeys a browser may open with; none means any."""
    return [base64url_to_bytes(one["id"]) for one in options.get("allowCredentials", [])]
