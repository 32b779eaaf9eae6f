"""One's own account: what it tells, what is changed there, and what its owner hears of."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import StaffStranger
from pro_app.services import account, staff, staff_sign_in
from pro_app.services.staff_sign_in import FORGET, IDLE, Person, Result
from tests.conftest import KEY, MORNING, Site
from tests.services.test_staff_sign_in import EMAIL, PASSWORD, SECRET, VAULT, code_at, set_up

NEW = "seven quiet lamps drifting home"


def sign_in(session: Session, staff_id: int, now: datetime = MORNING) -> Person:
    token = staff_sign_in.start(session, staff_id, now, "code")
    found = staff_sign_in.person_of(session, token, now)
    assert found is not None
    return found


def is_open(session: Session, person: Person) -> bool:
    found = account.look(session, person, MORNING)
    return any(one.is_this for one in found.sessions)


def test_what_an_account_tells(site: Site) -> None:
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        staff.grant(session, staff_id, site.study.id, 1, "coordinator", MORNING)
        role = staff.grant(session, staff_id, site.study.id, None, "investigator", MORNING)
        staff.end_role(session, staff_id, role.id, MORNING)
        sign_in(session, staff_id, MORNING - IDLE)
        person = sign_in(session, staff_id)
        found = account.look(session, person, MORNING)
    assert (found.name, found.email, found.codes_left) == ("Aminah", EMAIL, 10)
    assert [(one.role, one.study, one.site, one.since) for one in found.tasks] == [
        ("coordinator", "test", "01", MORNING)
    ]
    assert [(one.since, one.is_this) for one in found.sessions] == [(MORNING, True)]
    assert [(one.action, one.by) for one in found.last] == [("sign_in", "code")] * 2


def test_other_desks_are_signed_out_by_hand_and_by_what_changes(site: Site) -> None:
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        person = sign_in(session, staff_id)
        for change in (
            lambda: account.end_others(session, person, MORNING),
            lambda: account.change_password(session, person, NEW, MORNING),
            lambda: account.renew_second_factor(session, person, SECRET[::-1], VAULT, MORNING),
        ):
            other = sign_in(session, staff_id)
            change()
            session.expire_all()
            assert is_open(session, person)
            assert not is_open(session, other)


def test_what_is_changed_opens_and_what_was_before_does_not(site: Site) -> None:
    with site.database.writing() as session:
        staff_id, codes = set_up(session)
        person, other = sign_in(session, staff_id), SECRET[::-1]
        account.change_password(session, person, NEW, MORNING)
        account.renew_second_factor(session, person, other, VAULT, MORNING)
        new = account.renew_recovery_codes(session, person, MORNING)

        def password(text: str) -> Result:
            return staff_sign_in.check_password(session, EMAIL, text, VAULT, MORNING).result

        def code(text: str) -> Result:
            return staff_sign_in.check_second(session, staff_id, text, VAULT, MORNING).result

        assert (password(PASSWORD), password(NEW)) == (Result.WRONG, Result.RIGHT)
        assert code(code_at(MORNING)) is Result.WRONG
        assert code(code_at(MORNING, other)) is Result.RIGHT
        assert (code(codes[0]), code(new[0])) == (Result.WRONG, Result.RIGHT)
        assert staff_sign_in.recovery_codes_left(session, staff_id) == 9


def heard(session: Session, staff_id: int) -> list[str]:
    return [one.action for one in account.news(session, staff_id)]


def test_the_owner_hears_of_it_until_it_is_read(site: Site) -> None:
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        person = sign_in(session, staff_id)
        assert heard(session, staff_id) == [], "the first setting up is no news"
        now = MORNING
        for _ in range(8):
            check = staff_sign_in.check_password(session, EMAIL, "wrong", VAULT, now)
            now = check.wait_until or now
        assert heard(session, staff_id) == ["wait"], "a streak once, however long"
        account.renew_second_factor(session, person, SECRET, VAULT, now)
        account.change_password(session, person, NEW, now)
        account.renew_recovery_codes(session, person, now)
        expected = ["renew_recovery_codes", "change_password", "renew_second_factor", "wait"]
        assert heard(session, staff_id) == expected
        sign_in(session, staff_id, now)
        assert heard(session, staff_id) == expected, "signing in reads nothing"
        account.read_news(session, person, now)
        assert heard(session, staff_id) == []


def test_a_renewal_by_invitation_is_news(site: Site) -> None:
    with site.database.writing() as session:
        staff_id, _ = set_up(session)
        code = staff.invite(session, staff_id, KEY, MORNING)
        hashed = staff_sign_in.secrets.code_hash(code, KEY)
        staff_sign_in.set_up(session, hashed, NEW, SECRET, VAULT, MORNING)
        assert heard(session, staff_id) == ["set_up_sign_in"]


@pytest.mark.parametrize("email", [EMAIL, "nobody@hospital.example"])
def test_an_address_waits_alike_whether_it_opens_an_account_or_not(site: Site, email: str) -> None:
    pauses = [0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 15, 15, 20, 60 * 23, 60 * 24, 0, 0, 0, 0]
    results, now = [], MORNING
    with site.database.writing() as session:
        set_up(session)
        for minutes in pauses:
            now += timedelta(minutes=minutes)
            check = staff_sign_in.check_password(session, email, "wrong", VAULT, now)
            until = check.wait_until
            results.append(-1 if until is None else (until - now) // timedelta(minutes=1))
    assert results == [-1, -1, -1, -1, 1, 1, 2, 4, 8, 15, 15, 15, 15, 15, -1, -1, -1, -1, 1]


def test_addresses_that_open_nothing_are_marked_not_kept_and_forgotten(site: Site) -> None:
    with site.database.writing() as session:
        for email in ("One@else.example", " one@else.example ", "two@else.example"):
            staff_sign_in.check_password(session, email, "wrong", VAULT, MORNING)
        rows = session.scalars(sa.select(StaffStranger).order_by(StaffStranger.id)).all()
        assert [one.failures for one in rows] == [2, 1]
        assert all("@" not in one.mark for one in rows)
        later = MORNING + FORGET
        staff_sign_in.check_password(session, "three@else.example", "wrong", VAULT, later)
        assert len(session.scalars(sa.select(StaffStranger)).all()) == 1
