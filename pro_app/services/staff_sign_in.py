"""How staff sign in: a password and a second factor, and the session that follows.

Wrong tries make the account wait, ever longer up to a quarter of an hour; a right one ends it.
The wait is short enough that a stranger who knows an address keeps nobody out for long, and
long enough that a password of fifteen characters is never guessed. An address that opens no account
waits in the same way, so that nobody finds out who has one.
"""

from __future__ import annotations

import hmac
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy.orm import Session

from pro_app.models import Staff, StaffRecoveryCode, StaffSession, StaffStranger, Streak
from pro_app.services import secrets, staff
from pro_app.services.reminders import insert_or_leave
from pro_app.services.vault import Vault

SHORTEST, LONGEST = 15, 200  # characters of a password
WAIT_AFTER = 5  # wrong tries in a row; then 1, 2, 4, 8, 15 minutes
LONGEST_WAIT = timedelta(minutes=15)
FORGET = timedelta(hours=24)  # after the last wrong try a new count begins
HALF_LIFE = timedelta(minutes=5)  # between the password and the second factor
IDLE = timedelta(minutes=15)  # a desk that was left
LIFE = timedelta(hours=10)  # a working day
FRESH = timedelta(minutes=5)  # how long a proof of being there holds for a weighty step
SEEN_EVERY = timedelta(minutes=1)  # how exactly the last use is kept
STEP = 30  # seconds of a TOTP code, RFC 6238
DIGITS = 6
SECRET_BYTES = 20  # of a TOTP secret: the length of SHA-1, RFC 4226 section 4
RECOVERY_CODES = 10
RECOVERY_LENGTH = 12  # characters: 59 bits

_NOBODY = secrets.password_hash("nobody's")  # checked for unknown names: time tells as little


class Result(StrEnum):
    """What came of a try."""

    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Check:
    """The result; whose account it was if it is RIGHT, and until when to wait if it is WAIT."""

    result: Result
    staff_id: int | None = None
    wait_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, as views know the person."""

    staff_id: int
    session_id: int
    name: str
    language: str
    seen_at: datetime
    verified_at: datetime
    created_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Whether the person has proved just now to be there."""
        return now - self.verified_at <= FRESH

    @property
    def actor(self) -> str:
        """How the trail names the person."""
        return staff.stream(self.staff_id)


def password_fault(password: str, person: Staff) -> str | None:
    """Why a password cannot be taken: `short`, `long` or `easy`; None if it can.

    Easy are few different characters, and what contains the person's own name or address.
    """
    if len(password) < SHORTEST:
        return "short"
    if len(password) > LONGEST:
        return "long"
    plain = password.lower()
    own = [*person.name.lower().split(), person.email.partition("@")[0]]
    rest = plain
    for word in sorted((one for one in own if len(one) > 2), key=len, reverse=True):
        rest = rest.replace(word, "")
    if len(rest) < SHORTEST // 2 or len(set(plain)) < SHORTEST // 3 + 1:
        return "easy"
    half = plain[: len(plain) // 2]
    return "easy" if half and half * 2 == plain[: len(half) * 2] and len(half) < SHORTEST else None


def check_password(
    session: Session, email: str, password: str, vault: Vault, now: datetime
) -> Check:
    """Check a sign-in name and its password, and count the wrong ones."""
    found = staff.find(session, email)
    if found is None or found.password_hash is None or found.disabled_at is not None:
        return _check_stranger(session, email, password, vault, now)
    person = staff.lock(session, found.id)
    if waits(person, now):
        return Check(Result.WAIT, wait_until=person.wait_until)
    if person.password_hash is None or not secrets.password_matches(
        person.password_hash, password[: LONGEST + 1]
    ):
        return wrong(session, person, "wrong_password", now)
    return Check(Result.RIGHT, person.id)


def _check_stranger(
    session: Session, email: str, password: str, vault: Vault, now: datetime
) -> Check:
    """The same conversation about an address that opens nothing. Whatever was counted more than
    FORGET ago is removed, so that the rows are those of a day."""
    session.execute(sa.delete(StaffStranger).where(StaffStranger.failed_at <= now - FORGET))
    mark = vault.mark("sign-in", staff.tidy_email(email))
    row = {"mark": mark, "failures": 0, "failed_at": now}
    insert_or_leave(session.connection(), StaffStranger, [row])
    known = session.execute(
        sa.select(StaffStranger).where(StaffStranger.mark == mark).with_for_update(),
        execution_options={"populate_existing": True},
    ).scalar_one()
    if waits(known, now):
        return Check(Result.WAIT, wait_until=known.wait_until)
    secrets.password_matches(_NOBODY, password[: LONGEST + 1])
    return _count(known, now)


def waits(streak: Streak, now: datetime) -> bool:
    """Whether no try is looked at now, not even a right one."""
    return streak.wait_until is not None and now < streak.wait_until


def _count(streak: Streak, now: datetime) -> Check:
    """Count a wrong try; from the fifth on each makes the address wait longer."""
    if streak.failed_at is not None and now - streak.failed_at >= FORGET:
        streak.failures = 0
    streak.failures += 1
    streak.failed_at = now
    streak.wait_until = None
    if streak.failures >= WAIT_AFTER:
        minutes = 2 ** min(streak.failures - WAIT_AFTER, 4)
        streak.wait_until = now + min(timedelta(minutes=minutes), LONGEST_WAIT)
        return Check(Result.WAIT, wait_until=streak.wait_until)
    return Check(Result.WRONG)


def wrong(
    session: Session, person: Staff, action: str, now: datetime, reason: str | None = None
) -> Check:
    """Count a wrong try at an account, whose row is held, on the record."""
    check = _count(person, now)
    detail = {"failures": person.failures} | ({} if reason is None else {"reason": reason})
    staff.record(session, person.id, action, staff.stream(person.id), now, detail=detail)
    return check


def forgive(person: Staff) -> None:
    """A right try ends the count."""
    person.failures = 0
    person.wait_until = person.failed_at = None


def check_second(session: Session, staff_id: int, code: str, vault: Vault, now: datetime) -> Check:
    """Check a code of the authenticator app, or a recovery code, after the password."""
    person = staff.lock(session, staff_id)
    if person.disabled_at is not None:
        return Check(Result.WRONG)
    if waits(person, now):
        return Check(Result.WAIT, wait_until=person.wait_until)
    given = secrets.tidy_code(code)
    if len(given) == DIGITS and given.isascii() and given.isdigit():
        right = _totp_matches(person, given, vault, now)
    else:
        right = _use_recovery_code(session, person, given, now)
    if not right:
        return wrong(session, person, "wrong_code", now)
    forgive(person)
    return Check(Result.RIGHT, person.id)


def _totp_matches(person: Staff, given: str, vault: Vault, now: datetime) -> bool:
    """Whether this is the code of now, or of the step before or after; each opens once."""
    if person.totp_secret is None:
        return False
    key = bytes.fromhex(vault.unlock(person.totp_secret))
    step = _step_of(key, given, now)
    if step is None or (person.totp_step is not None and step <= person.totp_step):
        return False
    person.totp_step = step
    return True


def _step_of(key: bytes, given: str, now: datetime) -> int | None:
    """The time step, of those around now, whose code this is (RFC 6238 with a drift of one)."""
    totp = _totp(key)
    step = int(now.timestamp()) // STEP
    for one in (step, step - 1, step + 1):
        if hmac.compare_digest(totp.generate(one * STEP), given.encode()):
            return one
    return None


def _totp(key: bytes) -> TOTP:
    return TOTP(key, DIGITS, SHA1(), STEP)  # noqa: S303 (what authenticator apps know, RFC 6238)


def _use_recovery_code(session: Session, person: Staff, given: str, now: datetime) -> bool:
    if len(given) != RECOVERY_LENGTH:
        return False
    found = session.scalar(
        sa.select(StaffRecoveryCode).where(
            StaffRecoveryCode.staff_id == person.id,
            StaffRecoveryCode.code_hash == _recovery_hash(person, given),
            StaffRecoveryCode.used_at.is_(None),
            StaffRecoveryCode.replaced_at.is_(None),
        )
    )
    if found is None:
        return False
    found.used_at = now
    left = recovery_codes_left(session, person.id) - 1
    actor = staff.stream(person.id)
    staff.record(session, person.id, "use_recovery_code", actor, now, detail={"left": left})
    return True


def _recovery_hash(person: Staff, code: str) -> str:
    return secrets.code_hash(code, f"{person.public_id} recovery")


def recovery_codes_left(session: Session, staff_id: int) -> int:
    """How many recovery codes a person has still."""
    count = session.scalar(
        sa.select(sa.func.count())
        .select_from(StaffRecoveryCode)
        .where(
            StaffRecoveryCode.staff_id == staff_id,
            StaffRecoveryCode.used_at.is_(None),
            StaffRecoveryCode.replaced_at.is_(None),
        )
    )
    return count or 0


def new_secret() -> str:
    """A TOTP secret, hexadecimal, to be kept by `set_up`."""
    return secrets.random_key(SECRET_BYTES).hex()


def provisioning(secret: str, email: str, name: str) -> str:
    """The address behind the QR picture that an authenticator app reads."""
    return _totp(bytes.fromhex(secret)).get_provisioning_uri(email, name)


def typed_secret(secret: str) -> str:
    """The secret as an app takes it when no picture can be scanned: base32, RFC 4648."""
    return b32encode(bytes.fromhex(secret)).decode().rstrip("=")


def opens(secret: str, code: str, now: datetime) -> bool:
    """Whether the app that was just set up shows the right code."""
    return _step_of(bytes.fromhex(secret), secrets.tidy_code(code), now) is not None


def set_up(
    session: Session,
    hashed: str,
    password: str,
    secret: str,
    vault: Vault,
    now: datetime,
) -> list[str]:
    """Use an invitation: the password and authenticator that open the account from now on, and
    ten recovery codes, told this once. Whatever opened it before is dead.

    `hashed` is the invitation's (`secrets.code_hash`). The caller has checked the password with
    `password_fault` and the secret with `opens`. Raises StaffError `used` if the invitation opens
    nothing any more.
    """
    found = staff.find_invitation(session, hashed, now)
    if found is None:
        raise staff.StaffError("used")
    person = staff.lock(session, found.staff_id)
    if staff.find_invitation(session, hashed, now) is None:  # used or replaced a moment ago
        raise staff.StaffError("used")
    found.used_at = now
    person.password_hash = secrets.password_hash(password)
    person.totp_secret = vault.lock(secret)
    person.totp_step = None
    forgive(person)
    actor = staff.stream(person.id)
    staff.end_sessions(session, person.id, now)
    staff.end_passkeys(session, person.id, now, actor)
    codes = new_recovery_codes(session, person, now)
    staff.record(session, person.id, "set_up_sign_in", actor, now, detail={"by": found.kind})
    return codes


def new_recovery_codes(session: Session, person: Staff, now: datetime) -> list[str]:
    """Ten other codes; the older ones are dead."""
    session.execute(
        sa.update(StaffRecoveryCode)
        .where(
            StaffRecoveryCode.staff_id == person.id,
            StaffRecoveryCode.used_at.is_(None),
            StaffRecoveryCode.replaced_at.is_(None),
        )
        .values(replaced_at=now)
    )
    codes = [secrets.new_code(RECOVERY_LENGTH) for _ in range(RECOVERY_CODES)]
    session.add_all(
        StaffRecoveryCode(staff_id=person.id, code_hash=_recovery_hash(person, one), created_at=now)
        for one in codes
    )
    return codes


def start(session: Session, staff_id: int, now: datetime, how: str) -> str:
    """Begin a session of somebody who has just proved to be there: its token.

    `how` is `code`, `passkey` or `invitation`.
    """
    staff.lock(session, staff_id)
    token = secrets.new_token()
    session.add(
        StaffSession(
            staff_id=staff_id,
            token_hash=secrets.token_hash(token),
            created_at=now,
            seen_at=now,
            verified_at=now,
        )
    )
    staff.record(session, staff_id, "sign_in", staff.stream(staff_id), now, detail={"by": how})
    return token


def alive(now: datetime) -> sa.ColumnElement[bool]:
    """The sessions that have not ended, one way or another."""
    return sa.and_(
        StaffSession.ended_at.is_(None),
        StaffSession.seen_at > now - IDLE,
        StaffSession.created_at > now - LIFE,
    )


def person_of(session: Session, token: str, now: datetime) -> Person | None:
    """Who is signed in by this token; None when the session has ended, one way or another."""
    row = session.execute(
        sa.select(StaffSession, Staff.name, Staff.language)
        .join(Staff, Staff.id == StaffSession.staff_id)
        .where(
            StaffSession.token_hash == secrets.token_hash(token),
            alive(now),
            Staff.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None
    found, name, language = row
    return Person(
        found.staff_id, found.id, name, language, found.seen_at, found.verified_at, found.created_at
    )


def touch(session: Session, person: Person, now: datetime) -> None:
    """Keep that the session was used."""
    session.execute(
        sa.update(StaffSession).where(StaffSession.id == person.session_id).values(seen_at=now)
    )


def verify_again(session: Session, person: Person, now: datetime) -> str:
    """The person has proved again to be there: the session goes on under another token."""
    token = secrets.new_token()
    staff.lock(session, person.staff_id)
    session.execute(
        sa.update(StaffSession)
        .where(StaffSession.id == person.session_id)
        .values(verified_at=now, seen_at=now, token_hash=secrets.token_hash(token))
    )
    staff.record(session, person.staff_id, "verify_again", person.actor, now)
    return token


def sign_out(session: Session, person: Person, now: datetime) -> None:
    """End this session; its token opens nothing from now on."""
    staff.lock(session, person.staff_id)
    session.execute(
        sa.update(StaffSession).where(StaffSession.id == person.session_id).values(ended_at=now)
    )
    staff.record(session, person.staff_id, "sign_out", person.actor, now)
