"""Passkeys of the staff: made, used, refused, and what the trail tells of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import AuditEntry
from pro_app.services import credentials, staff, staff_passkeys, staff_sign_in
from pro_app.services.credentials import CHALLENGE_LIFE, Challenge, PasskeyError, Place
from pro_app.services.staff_sign_in import Check, Result
from tests.authenticator import PRESENT, Key
from tests.conftest import MORNING, Site
from tests.services.test_staff_sign_in import EMAIL, VAULT, set_up

HERE = Place("localhost", "http://localhost", "My answers")


def add(session: Session, staff_id: int, key: Key, name: str = "ward") -> int:
    """Make this key a passkey of the person: its row's id."""
    asked = credentials.new_challenge(MORNING)
    given = key.make(staff_passkeys.making(session, staff_id, HERE, asked))
    return staff_passkeys.add(session, staff_id, name, given, HERE, asked, MORNING).id


def sign(key: Key, asked: Challenge, **how: Any) -> dict[str, Any]:
    """What a browser sends after opening with the key."""
    return key.open(credentials.opening(HERE, asked, []), **how)


def check(session: Session, key: Key, owner: int | None = None, **how: Any) -> Check:
    asked = credentials.new_challenge(MORNING)
    given = sign(key, asked, **how)
    return staff_passkeys.open_with(session, given, HERE, asked, owner, MORNING)


def test_a_passkey_opens_its_persons_account(site: Site) -> None:
    key = Key()
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        add(session, staff_id, key, "  the computer \n at the ward ")
        staff_sign_in.check_password(session, EMAIL, "wrong", VAULT, MORNING)
        assert check(session, key) == Check(Result.RIGHT, staff_id)
        assert check(session, key, staff_id).result is Result.RIGHT
        (kept,) = staff_passkeys.living(session, staff_id)
        assert (kept.name, kept.sign_count, kept.used_at) == (
            "the computer at the ward", 2, MORNING,
        )  # fmt: skip
        person = staff.lock(session, staff_id)
        assert (person.failures, person.failed_at) == (0, None), "a right try ends the count"
        options = staff_passkeys.making(session, staff_id, HERE, credentials.new_challenge(MORNING))
        assert len(options["excludeCredentials"]) == 1, "none twice on one device"
        assert options["authenticatorSelection"]["userVerification"] == "required"
        assert "authenticatorAttachment" not in options["authenticatorSelection"]


def test_what_opens_nothing(site: Site) -> None:
    key, other = Key(), Key()
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        second = staff.add(session, "other@hospital.example", "Other", "en", None, MORNING)
        row = add(session, staff_id, key)
        add(session, second.id, other)
        stranger = Key()
        stranger.user = key.user
        assert check(session, stranger).result is Result.WRONG
        assert staff.lock(session, staff_id).failures == 0, "a stranger's key is nobody's try"
        for how in ({"flags": PRESENT}, {"origin": "https://elsewhere.example"}):
            assert check(session, key, **how).result is Result.WRONG
        assert check(session, other, staff_id).result is Result.WRONG, "of somebody else"
        assert staff.lock(session, staff_id).failures == 2
        assert staff.lock(session, second.id).failures == 1
        asked = credentials.new_challenge(MORNING)
        late = MORNING + CHALLENGE_LIFE
        given = sign(key, asked)
        found = staff_passkeys.open_with(session, given, HERE, asked, None, late)
        assert found.result is Result.WRONG
        staff_passkeys.remove(session, second.id, row, MORNING)
        assert check(session, key).result is Result.RIGHT, "nobody removes another's"
        staff_passkeys.remove(session, staff_id, row, MORNING)
        assert check(session, key).result is Result.WRONG


def test_a_copy_is_found_by_its_count(site: Site) -> None:
    key = Key()
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        add(session, staff_id, key)
        check(session, key)
        key.count = 0
        assert check(session, key).result is Result.WRONG
        reasons = session.scalars(
            sa.select(AuditEntry.detail).where(AuditEntry.action == "refuse_passkey")
        ).all()
        assert [one["reason"] for one in reasons] == ["count"]


def test_a_keychain_that_does_not_count_is_no_copy(site: Site) -> None:
    key = Key(synced=True)
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        add(session, staff_id, key)
        for _ in range(3):
            assert check(session, key).result is Result.RIGHT


def test_an_answer_counts_once(site: Site) -> None:
    key = Key(synced=True)
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        add(session, staff_id, key)
        asked = credentials.new_challenge(MORNING)
        given, soon = sign(key, asked), MORNING + timedelta(seconds=9)
        for expected in (Result.RIGHT, Result.WRONG):
            found = staff_passkeys.open_with(session, given, HERE, asked, None, soon)
            assert found.result is expected


def test_the_wait_is_the_accounts_whatever_was_tried(site: Site) -> None:
    key = Key()
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        add(session, staff_id, key)
        for _ in range(4):
            staff_sign_in.check_password(session, EMAIL, "wrong", VAULT, MORNING)
        assert check(session, key, flags=PRESENT).result is Result.WAIT
        waiting = check(session, key)
        assert (waiting.result, waiting.staff_id) == (Result.WAIT, None)


def test_an_ended_account_has_no_passkeys(site: Site) -> None:
    key = Key()
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        add(session, staff_id, key)
        staff.disable(session, staff_id, MORNING)
        assert staff_passkeys.living(session, staff_id) == []
        assert check(session, key).result is Result.WRONG
        with pytest.raises(PasskeyError, match="ended"):
            add(session, staff_id, Key())


def test_what_cannot_be_added(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    key = Key()
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        add(session, staff_id, key)
        with pytest.raises(PasskeyError, match="known"):
            add(session, staff_id, key)
        monkeypatch.setattr(credentials, "MOST", 1)
        with pytest.raises(PasskeyError, match="too many"):
            add(session, staff_id, Key())


@pytest.mark.parametrize(
    ("name", "fault"),
    [(" ", "none"), ("x" * 61, "long"), ("900101-14-5678", "identity"), ("x" * 60, None)],
)
def test_names(name: str, fault: str | None) -> None:
    assert staff_passkeys.name_fault(name) == fault
