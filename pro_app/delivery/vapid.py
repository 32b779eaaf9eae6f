"""How push services know us (RFC 8292): one key, one contact, one token for each of them."""

from __future__ import annotations

import hashlib
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02  # type: ignore[import-untyped]

TOKEN_LIFE = 12 * 3600  # seconds; services refuse what lives longer than 24 hours
TOKEN_RENEWAL = 11 * 3600  # seconds; no token goes out in its last hour

_KEY_TEXT = re.compile(r"[A-Za-z0-9_-]{43}")
_MAILTO = re.compile(r"mailto:[A-Za-z0-9._+-]+@(?P<domain>[^@]+)", re.IGNORECASE)
_HTTPS = re.compile(
    r"https://(?P<domain>[^/:@]+)(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/%?=&+-]*)?", re.IGNORECASE
)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}", re.IGNORECASE)
_TOP = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]+", re.IGNORECASE)
_RESERVED = frozenset({"localhost", "example", "invalid", "test", "local"})
_RESERVED_DOMAINS = ("example.com", "example.net", "example.org")


class VapidKey:
    """The private P-256 key that every subscription is tied to.

    Whoever loses it must ask all participants to subscribe again: it belongs in the backup.
    """

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._private = private
        # as browsers take it for `applicationServerKey`
        self.public_key = _plain(point)
        # tells keys apart in logs and tables
        self.key_id = hashlib.sha256(point).hexdigest()[:16]
        # py_vapid's own check lets localhost pass and refuses addresses with a path; ours is
        # `subject_fault`
        self._vapid = Vapid02(private, conf={"no-strict": True})

    @classmethod
    def new(cls) -> VapidKey:
        """A key that nobody had before."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, text: str) -> VapidKey:
        """The key of the text that `text` gave. Raises ValueError, which never quotes it."""
        if not _KEY_TEXT.fullmatch(text):
            raise ValueError("a VAPID key is 43 letters, digits, - and _")
        number = int.from_bytes(urlsafe_b64decode(text + "="), "big")
        try:
            return cls(ec.derive_private_key(number, ec.SECP256R1()))
        except ValueError:
            raise ValueError("this number is no key of the curve P-256") from None

    def text(self) -> str:
        """The secret in one line: 32 bytes as base64url without padding."""
        number: int = self._private.private_numbers().private_value
        return _plain(number.to_bytes(32, "big"))

    def authorization(self, claims: dict[str, str | int]) -> str:
        """The Authorization header that carries these claims, signed."""
        header: str = self._vapid.sign(claims)["Authorization"]
        return header


class Tokens:
    """The Authorization header for each push service, signed once in eleven hours.

    `now` gives the seconds since 1970. Raises ValueError for a subject of the wrong shape.
    """

    def __init__(self, key: VapidKey, subject: str, now: Callable[[], float] = time.time) -> None:
        fault = subject_fault(subject, placeholder_allowed=True)
        if fault is not None:
            raise ValueError(f"subject: {fault}")
        self._key = key
        self._subject = subject
        self._now = now
        self._kept: dict[str, tuple[float, str]] = {}

    def header(self, origin: str) -> str:
        """The header's value for an endpoint's origin, such as `https://push.example`."""
        now = self._now()
        made, header = self._kept.get(origin, (0.0, ""))
        if header and _fresh(made, now):
            return header
        # the claims are made anew each time: one dictionary used twice would carry the first
        # service's name to the second
        header = self._key.authorization(
            {"aud": origin, "exp": int(now) + TOKEN_LIFE, "sub": self._subject}
        )
        self._kept = {name: kept for name, kept in self._kept.items() if _fresh(kept[0], now)}
        self._kept[origin] = (now, header)
        return header


def subject_fault(subject: str, placeholder_allowed: bool) -> str | None:
    """Why a contact cannot be shown to push services: None if it can.

    `shape`: not one plain `mailto:` or `https:` address; `domain`: its domain cannot exist;
    `placeholder`: a name or number that nobody on the internet can reach, which Apple answers
    with 403 (`placeholder_allowed` is for the demonstration and the tests).
    """
    found = _MAILTO.fullmatch(subject) or _HTTPS.fullmatch(subject)
    if found is None or len(subject) > 254 or not subject.isascii():
        return "shape"
    domain = found["domain"].lower()
    if not _DOMAIN.fullmatch(domain) or len(domain) > 253:
        return "domain"
    top = domain.rpartition(".")[2]
    numeric = top.isdigit() or top.startswith("0x")
    reserved = top in _RESERVED or f".{domain}".endswith(tuple(f".{d}" for d in _RESERVED_DOMAINS))
    if numeric or reserved:
        return None if placeholder_allowed else "placeholder"
    return None if "." in domain and _TOP.fullmatch(top) else "domain"


def _fresh(made: float, now: float) -> bool:
    # a clock set back must not keep a token that now lives longer than services allow
    return 0 <= now - made < TOKEN_RENEWAL


def _plain(raw: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
