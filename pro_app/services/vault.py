"""Contact data at rest: e-mail addresses and push endpoints, encrypted and authenticated."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import urlsafe_b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12  # bytes, random for every value


class Vault:
    """AES-256-GCM under a key derived from the installation's secret; older ones still open."""

    def __init__(self, secret: str, previous: tuple[str, ...] = ()) -> None:
        self._ciphers = tuple(AESGCM(_derived(one, b"contact data")) for one in (secret, *previous))
        self._marks = _derived(secret, b"marks")

    def lock(self, text: str) -> bytes:
        """The encrypted form; each time another."""
        nonce = os.urandom(NONCE)
        return nonce + self._ciphers[0].encrypt(nonce, text.encode(), None)

    def unlock(self, locked: bytes) -> str:
        """The text. Raises LookupError if no key of this installation opens it."""
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(locked[:NONCE], locked[NONCE:], None).decode()
            except InvalidTag:
                continue
        raise LookupError("contact data of another secret key")

    def mark(self, *parts: object) -> str:
        """A short name that stands for something without telling what: 22 base64url letters."""
        text = "\n".join(str(part) for part in parts).encode()
        return urlsafe_b64encode(hmac.digest(self._marks, text, "sha256"))[:22].decode()


def _derived(secret: str, purpose: bytes) -> bytes:
    return hmac.digest(hashlib.sha256(secret.encode()).digest(), b"pro_app " + purpose, "sha256")
