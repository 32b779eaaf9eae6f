"""Codes, tokens and PINs: how they are made, and what of them is kept."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import itertools
import secrets
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type, hash_secret_raw

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # 31 letters and digits, none like another
CODE_LENGTH = 8  # 31 ** 8 = 8.5e11: 39 bits
RECOVERY_LENGTH = 12  # 59 bits: a recovery code lives for long
PIN_LENGTH = 6
# keys in a pattern on the pad, or pairs: what people choose that is neither a row nor a repeat
COMMON_PINS = frozenset(
    ("112233", "123321", "147258", "159357", "159753", "258369", "321654", "456123", "741852",
     "789456", "789987", "951753", "963852", "987321")
)  # fmt: skip

# argon2id at the smallest figures that OWASP's password storage guidance names
_TIME, _MEMORY, _LANES = 2, 19_456, 1
_pins = PasswordHasher(time_cost=_TIME, memory_cost=_MEMORY, parallelism=_LANES)


def new_token() -> str:
    """256 random bits for a cookie."""
    return secrets.token_urlsafe(32)


def random_key(length: int) -> bytes:
    """So many random bytes."""
    return secrets.token_bytes(length)


def token_hash(token: str) -> str:
    """What is kept of a token; it has too many bits for its hash to need to be slow."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_code(length: int = CODE_LENGTH) -> str:
    """A joining or recovery code: characters without look-alikes."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


@dataclass(frozen=True, slots=True)
class Code:
    """A code and what is kept of it (`code_hash`)."""

    text: str
    hashed: str


def hashed_code(key: str, length: int = CODE_LENGTH) -> Code:
    """A new code with its hash; slow on purpose, so that who makes many makes them before the
    transaction in which they are written."""
    text = new_code(length)
    return Code(text, code_hash(text, key))


def tidy_code(text: str) -> str:
    """A typed code as it was made: capitals, without spaces and dashes."""
    return "".join(character for character in text.upper() if character.isalnum())


def code_hash(code: str, key: str) -> str:
    """A slow hash under the installation's key, the same each time so that it can be looked up."""
    salt = hmac.digest(key.encode(), b"pro_app joining code", "sha256")[:16]
    raw = hash_secret_raw(
        tidy_code(code).encode(), salt, _TIME, _MEMORY, _LANES, hash_len=32, type=Type.ID
    )
    return raw.hex()


def source_hash(address: str, key: str) -> str:
    """A network address as it is kept for counting failures: not readable without the key.

    All addresses of an IPv6 /64 are one: so many belong to a single household or phone.
    """
    return hmac.new(key.encode(), _source(address).encode(), "sha256").hexdigest()


def _source(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:  # a socket, or a proxy's name
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.IPv6Network((known.packed, 64), strict=False))


def pin_hash(pin: str) -> str:
    """What is kept of a PIN."""
    return _pins.hash(pin)


def pin_matches(kept: str, pin: str) -> bool:
    """Whether this is the PIN."""
    try:
        return _pins.verify(kept, pin)
    except VerifyMismatchError:
        return False


def password_hash(password: str) -> str:
    """What is kept of a password of the staff: the same slow hash."""
    return _pins.hash(password)


def password_matches(kept: str, password: str) -> bool:
    """Whether this is the password."""
    return pin_matches(kept, password)


def pin_fault(pin: str, study_number: str) -> str | None:
    """Why a PIN cannot be taken: `shape` or `easy`; None if it can.

    Easy are one or two digits repeated, rows up or down, the digits of the study number, and what
    many people choose.
    """
    if len(pin) != PIN_LENGTH or not pin.isascii() or not pin.isdigit():
        return "shape"
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    own = "".join(character for character in study_number if character.isdigit())
    halves = pin[:3] == pin[3:] or pin[:2] * 3 == pin
    if len(set(pin)) <= 2 or (len(steps) == 1 and steps <= {0, 1, 9}) or halves:
        return "easy"
    if pin in COMMON_PINS:
        return "easy"
    if own and len(own) >= 4 and (own in pin or pin in own):
        return "easy"
    return None
