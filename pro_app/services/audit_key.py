"""The key that signs checkpoints. It is kept outside the database, see `config`."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pro_app import verify

_KEY_TEXT = re.compile(r"[A-Za-z0-9_-]{43}")


class AuditKey:
    """A private Ed25519 key, with its public key and the short name of that."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = verify.key_id(self.public)

    @classmethod
    def new(cls) -> AuditKey:
        """A key that nobody had before."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, text: str) -> AuditKey:
        """The key of the text that `text` gave. Raises ValueError, which never quotes it."""
        if not _KEY_TEXT.fullmatch(text):
            raise ValueError("an audit key is 43 letters, digits, - and _")
        return cls(Ed25519PrivateKey.from_private_bytes(urlsafe_b64decode(text + "=")))

    def text(self) -> str:
        """The secret in one line: 32 bytes as base64url without padding."""
        return urlsafe_b64encode(self._private.private_bytes_raw()).rstrip(b"=").decode("ascii")

    def sign(self, text: bytes) -> bytes:
        """The signature of a text."""
        return self._private.sign(text)
