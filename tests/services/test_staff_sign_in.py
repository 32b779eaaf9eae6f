"""Signing in: password and second factor, waits, recovery codes, sessions and their end."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy.orm import Session

from pro_app.models import AuditEntry, Staff
from pro_app.services import secrets, staff, staff_sign_in
from pro_app.services.staff_sign_in import FRESH, IDLE, LIFE, Result
from pro_app.services.vault import Vault
from tests.conftest import KEY, MORNING
from tests.conftest import Site as Place

EMAIL, PASSWORD = "nurse@hospital.example", "green umbrella counts slowly"
SECRET = "3132333435363738393031323334353637383930"  # RFC 6238, appendix B, in hexadecimal
VAULT = Vault(KEY)


def code_at(moment: datetime, secret: str = SECRET) -> str:
    """What an authenticator app shows."""
    totp = TOTP(bytes.fromhex(secret), 6, SHA1(), 30)  # noqa: S303 (what authenticator apps know)
    return totp.generate(int(moment.timestamp())).decode()


def set_up(session: Session) -> tuple[int, list[str]]:
    """A person whose account is ready: the id, and the recovery codes."""
    person = staff.add(session, EMAIL, "Aminah", "ms", date(2026, 1, 5), MORNING)
    hashed = secrets.code_hash(staff.invite(session, person.id, KEY, MORNING), KEY)
    codes = staff_sign_in.set_up(session, hashed, PASSWORD, SECRET, VAULT, MORNING)
    return person.id, codes


def test_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, SHA-1, the last six of eight digits."""
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        moment = datetime.fromtimestamp(seconds, tz=MORNING.tzinfo)
        assert staff_sign_in.opens(SECRET, code, moment)
        assert not staff_sign_in.opens(SECRET, code, moment + timedelta(seconds=90))


def test_password_then_code_open(site: Place) -> None:
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        first = staff_sign_in.check_password(session, f" {EMAIL.upper()}", PASSWORD, VAULT, MORNING)
        assert (first.result, first.staff_id) == (Result.RIGHT, staff_id)
        code = code_at(MORNING)
        second = staff_sign_in.check_second(session, staff_id, code, VAULT, MORNING)
        assert second.result is Result.RIGHT
        again = staff_sign_in.check_second(session, staff_id, code, VAULT, MORNING)
        assert again.result is Result.WRONG, "a code that was looked over a shoulder"


def test_what_does_not_open(site: Place) -> None:
    with site.database.writing() as session:
        staff_id, codes = set_up(session)
        for email, password in ((EMAIL, "wrong"), ("stranger@else.example", PASSWORD), ("", "")):
            check = staff_sign_in.check_password(session, email, password, VAULT, MORNING)
            assert (check.result, check.staff_id) == (Result.WRONG, None)
        for code in ("000000", "", "12345", code_at(MORNING + timedelta(minutes=5)), codes[0][:-1]):
            check = staff_sign_in.check_second(session, staff_id, code, VAULT, MORNING)
            if check.result is Result.WAIT:
                session.get_one(Staff, staff_id).wait_until = None
            assert check.result is not Result.RIGHT


def test_wrong_tries_wait_longer_and_longer_and_a_right_one_ends_it(site: Place) -> None:
    now, waits = MORNING, []
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        for _ in range(4):
            assert (
                staff_sign_in.check_password(session, EMAIL, "no", VAULT, now).result
                is Result.WRONG
            )
        for _ in range(6):
            check = staff_sign_in.check_password(session, EMAIL, "no", VAULT, now)
            assert check.result is Result.WAIT
            assert check.wait_until is not None
            meanwhile = staff_sign_in.check_password(session, EMAIL, PASSWORD, VAULT, now)
            assert meanwhile.result is Result.WAIT, "not even the right one, while it waits"
            waits.append((check.wait_until - now) // timedelta(minutes=1))
            now = check.wait_until
        assert waits == [1, 2, 4, 8, 15, 15]
        assert (
            staff_sign_in.check_password(session, EMAIL, PASSWORD, VAULT, now).result
            is Result.RIGHT
        )
        right = staff_sign_in.check_second(session, staff_id, code_at(now), VAULT, now)
        assert right.result is Result.RIGHT
        assert session.get_one(Staff, staff_id).failures == 0


def test_a_right_password_alone_forgives_nothing(site: Place) -> None:
    """Else whoever knows it could guess codes for ever."""
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        for _ in range(4):
            staff_sign_in.check_password(session, EMAIL, PASSWORD, VAULT, MORNING)
            staff_sign_in.check_second(session, staff_id, "000000", VAULT, MORNING)
        staff_sign_in.check_password(session, EMAIL, PASSWORD, VAULT, MORNING)
        last = staff_sign_in.check_second(session, staff_id, "000000", VAULT, MORNING)
        assert last.result is Result.WAIT


def test_recovery_codes_open_once_each(site: Place) -> None:
    with site.database.writing() as session:
        staff_id, codes = set_up(session)
        typed = f"{codes[0][:4].lower()} {codes[0][4:8]}-{codes[0][8:]}"
        assert len(set(codes)) == staff_sign_in.RECOVERY_CODES
        for expected in (Result.RIGHT, Result.WRONG):
            check = staff_sign_in.check_second(session, staff_id, typed, VAULT, MORNING)
            assert check.result is expected
        assert staff_sign_in.recovery_codes_left(session, staff_id) == 9


def test_an_invitation_is_used_once_and_ends_what_was_before(site: Place) -> None:
    with site.database.writing() as session:
        staff_id, codes = set_up(session)
        token = staff_sign_in.start(session, staff_id, MORNING, "code")
        hashed = secrets.code_hash(staff.invite(session, staff_id, KEY, MORNING), KEY)
        other = SECRET[::-1]
        staff_sign_in.set_up(session, hashed, PASSWORD * 2, other, VAULT, MORNING)
        with pytest.raises(staff.StaffError, match="used"):
            staff_sign_in.set_up(session, hashed, PASSWORD, SECRET, VAULT, MORNING)
        assert staff_sign_in.person_of(session, token, MORNING) is None
        old = staff_sign_in.check_password(session, EMAIL, PASSWORD, VAULT, MORNING)
        assert old.result is Result.WRONG
        for dead in (codes[3], code_at(MORNING)):
            check = staff_sign_in.check_second(session, staff_id, dead, VAULT, MORNING)
            assert check.result is Result.WRONG


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("short", "short"),
        ("x" * 201, "long"),
        ("aaaaaaaaaaaaaaaaaaaa", "easy"),
        ("abcabcabcabcabcabc", "easy"),
        ("aminahaminahaminah", "easy"),
        ("nurse.aminah.2026", "easy"),
        (PASSWORD, None),
        ("மெதுவாக எண்ணும் குடை", None),
    ],
)
def test_passwords_that_cannot_be_taken(password: str, fault: str | None) -> None:
    person = Staff(name="Aminah binti Hassan", email=EMAIL)
    assert staff_sign_in.password_fault(password, person) == fault


def test_a_session_ends_by_idleness_age_and_wish(site: Place) -> None:
    with site.database.writing() as session:
        staff_id, _ = set_up(session)

        def alive(token: str, at: datetime) -> bool:
            return staff_sign_in.person_of(session, token, at) is not None

        token = staff_sign_in.start(session, staff_id, MORNING, "code")
        assert alive(token, MORNING + IDLE - timedelta(seconds=1))
        assert not alive(token, MORNING + IDLE)
        now = MORNING
        while now < MORNING + LIFE - timedelta(minutes=10):
            person = staff_sign_in.person_of(session, token, now)
            assert person is not None
            staff_sign_in.touch(session, person, now)
            now += timedelta(minutes=10)
        assert alive(token, now)
        assert not alive(token, MORNING + LIFE), "however busy"
        fresh = staff_sign_in.start(session, staff_id, now, "code")
        person = staff_sign_in.person_of(session, fresh, now)
        assert person is not None
        staff_sign_in.sign_out(session, person, now)
        assert not alive(fresh, now)


def test_a_proof_is_fresh_for_five_minutes_and_changes_the_token(site: Place) -> None:
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        token = staff_sign_in.start(session, staff_id, MORNING, "code")
        person = staff_sign_in.person_of(session, token, MORNING)
        assert person is not None
        assert person.is_fresh(MORNING + FRESH)
        later = MORNING + FRESH + timedelta(seconds=1)
        assert not person.is_fresh(later)
        other = staff_sign_in.verify_again(session, person, later)
        session.expire_all()
        assert staff_sign_in.person_of(session, token, later) is None
        renewed = staff_sign_in.person_of(session, other, later)
        assert renewed is not None
        assert renewed.is_fresh(later)


def test_the_trail_has_every_try_and_no_secret(site: Place) -> None:
    with site.database.writing() as session:
        staff_id, codes = set_up(session)
        staff_sign_in.check_password(session, EMAIL, "wrong", VAULT, MORNING)
        staff_sign_in.check_second(session, staff_id, "000000", VAULT, MORNING)
        staff_sign_in.check_second(session, staff_id, codes[0], VAULT, MORNING)
        staff_sign_in.start(session, staff_id, MORNING, "code")
    with site.database.reading() as session:
        rows = session.scalars(
            sa.select(AuditEntry)
            .where(AuditEntry.stream == staff.stream(staff_id))
            .order_by(AuditEntry.seq)
        ).all()
    assert [row.action for row in rows][2:] == [
        "set_up_sign_in", "wrong_password", "wrong_code", "use_recovery_code", "sign_in",
    ]  # fmt: skip
    everything = "".join(f"{row.old}{row.new}{row.detail}" for row in rows)
    for secret in (PASSWORD, SECRET, *codes, EMAIL):
        assert secret not in everything
