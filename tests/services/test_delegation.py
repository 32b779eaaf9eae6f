"""What an administrator may do with staff, and what reaches beyond the own study or site."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Site, Staff, StaffInvitation, StaffRole, Study
from pro_app.services import audit, delegation, register, secrets, staff, staff_sign_in
from pro_app.services.delegation import Newcomer, Scope
from pro_app.services.staff import StaffError
from tests.conftest import KEY, MORNING
from tests.conftest import Site as Place
from tests.services.test_staff_sign_in import PASSWORD, SECRET, VAULT

LATER = MORNING + timedelta(hours=1)
NEWCOMER = Newcomer("nurse@hospital.example", "Aminah", "ms", date(2026, 1, 5))


def here(session: Session, code: str = "01") -> int:
    return session.scalars(sa.select(Site.id).where(Site.code == code)).one()


def administrator(
    session: Session, study_id: int, email: str, site: int | None = None, opened: bool = True
) -> Scope:
    """Somebody who administers, with an open account unless only invited."""
    person = staff.add(session, email, "Somebody", "en", date(2026, 1, 5), MORNING)
    staff.grant(session, person.id, study_id, site, "administrator", MORNING)
    if opened:
        hashed = secrets.code_hash(staff.invite(session, person.id, KEY, MORNING), KEY)
        staff_sign_in.set_up(session, hashed, PASSWORD, SECRET, VAULT, MORNING)
    return Scope(person.id, study_id, None if site is None else frozenset({site}))


def refused(code: str, act: Callable[[], object]) -> None:
    with pytest.raises(StaffError) as caught:
        act()
    assert caught.value.code == code


def test_a_newcomer_gets_account_role_and_invitation(site: Place) -> None:
    with site.database.writing() as session:
        scope = administrator(session, site.study.id, "chief@hospital.example")
        added = delegation.add(session, scope, NEWCOMER, "coordinator", here(session), KEY, LATER)
        assert added.code is not None
        hashed = secrets.code_hash(added.code, KEY)
        assert staff.find_invitation(session, hashed, LATER) is not None
        person = staff.find(session, NEWCOMER.email)
        assert person is not None
        posts = staff.posts(session, person.id, site.study.id, LATER)
        assert posts == {"coordinator": frozenset({here(session)})}
        assert list(audit.verify(session)) == []


def test_a_day_of_training_that_was_missing_is_put_on_record(site: Place) -> None:
    with site.database.writing() as session:
        scope = administrator(session, site.study.id, "chief@hospital.example")
        person = staff.add(session, NEWCOMER.email, "Aminah", "ms", None, MORNING)
        future = Newcomer(NEWCOMER.email, "", "", date(2030, 1, 1))
        refused(
            "training",
            lambda: delegation.add(session, scope, future, "researcher", None, KEY, LATER),
        )
        added = delegation.add(session, scope, NEWCOMER, "researcher", None, KEY, LATER)
        assert person.trained_on == NEWCOMER.trained_on
        assert added.code is not None, "nobody else has a say in this account"
        changed = delegation.add(
            session,
            scope,
            Newcomer(NEWCOMER.email, "Other", "ta", date(2026, 2, 2)),
            "coordinator",
            None,
            KEY,
            LATER,
        )
    assert (changed.name, person.trained_on, person.language) == (
        "Aminah",
        NEWCOMER.trained_on,
        "ms",
    )


def test_a_scope_of_one_site_reaches_no_further(site: Place) -> None:
    with site.database.writing() as session:
        whole = administrator(session, site.study.id, "chief@hospital.example")
        own, other = here(session), here(session, "02")
        scope = administrator(session, site.study.id, "site@hospital.example", own)
        for place in (other, None):
            refused(
                "site",
                lambda place=place: delegation.add(  # type: ignore[misc]
                    session, scope, NEWCOMER, "coordinator", place, KEY, LATER
                ),
            )
        both = delegation.add(session, whole, NEWCOMER, "coordinator", other, KEY, LATER)
        delegation.grant(
            session, scope, account_id(session, both.public_id), "coordinator", own, LATER
        )
        staff_id = account_id(session, both.public_id)
        refused("elsewhere", lambda: delegation.renew(session, scope, staff_id, KEY, LATER))
        refused("elsewhere", lambda: delegation.renew(session, scope, whole.staff_id, KEY, LATER))
        for role in staff.living_roles(session, staff_id, LATER):
            if role.site_id == other:
                refused(
                    "role",
                    lambda role=role: delegation.end_role(  # type: ignore[misc]
                        session, scope, staff_id, role.id, LATER
                    ),
                )
        assert delegation.end_account(session, scope, staff_id, LATER) is False
        left = staff.living_roles(session, staff_id, LATER)
        assert [one.site_id for one in left] == [other]
        assert session.get_one(Staff, staff_id).disabled_at is None
        assert delegation.end_account(session, whole, staff_id, LATER) is True
        refused("disabled", lambda: delegation.renew(session, whole, staff_id, KEY, LATER))


def account_id(session: Session, public_id: str) -> int:
    return session.scalars(sa.select(Staff.id).where(Staff.public_id == public_id)).one()


def test_an_account_of_another_study_is_not_taken_over(site: Place) -> None:
    """Whoever could renew its invitation could sign in as that person there."""
    with site.database.writing() as session:
        scope = administrator(session, site.study.id, "chief@hospital.example")
        study = Study(code="elsewhere", created_at=MORNING)
        session.add(study)
        session.flush()
        person = staff.add(session, NEWCOMER.email, "Siti", "en", date(2026, 1, 5), MORNING)
        staff.grant(session, person.id, study.id, None, "investigator", MORNING)
        added = delegation.add(session, scope, NEWCOMER, "coordinator", None, KEY, LATER)
        assert added.code is None
        refused("elsewhere", lambda: delegation.renew(session, scope, person.id, KEY, LATER))
        assert (
            session.scalars(sa.select(StaffInvitation)).all()
            == session.scalars(
                sa.select(StaffInvitation).where(StaffInvitation.staff_id == scope.staff_id)
            ).all()
        )
        theirs = session.scalars(sa.select(StaffRole).where(StaffRole.study_id == study.id)).one()
        refused("role", lambda: delegation.end_role(session, scope, person.id, theirs.id, LATER))


def test_without_a_role_there_is_no_invitation(site: Place) -> None:
    with site.database.writing() as session:
        scope = administrator(session, site.study.id, "chief@hospital.example")
        added = delegation.add(session, scope, NEWCOMER, "coordinator", None, KEY, LATER)
        staff_id = account_id(session, added.public_id)
        (role,) = staff.living_roles(session, staff_id, LATER)
        delegation.end_role(session, scope, staff_id, role.id, LATER)
        refused("no_role", lambda: delegation.renew(session, scope, staff_id, KEY, LATER))


@pytest.mark.parametrize("opened", [False, True])
def test_a_study_keeps_an_administrator_who_can_sign_in(site: Place, opened: bool) -> None:
    with site.database.writing() as session:
        first = administrator(session, site.study.id, "chief@hospital.example")
        (own,) = staff.living_roles(session, first.staff_id, LATER)

        def leave() -> None:
            delegation.end_role(session, first, first.staff_id, own.id, LATER)

        refused("last", leave)
        of_site = administrator(
            session, site.study.id, "site@hospital.example", here(session), opened=True
        )
        refused("last", leave)
        second = administrator(session, site.study.id, "second@hospital.example", opened=opened)
        if not opened:
            refused("last", leave)
            return
        (theirs,) = staff.living_roles(session, second.staff_id, LATER)
        delegation.end_role(
            session, first, second.staff_id, theirs.id, LATER, LATER + timedelta(days=1)
        )
        refused("last", leave)
        (local,) = staff.living_roles(session, of_site.staff_id, LATER)
        delegation.end_role(session, first, of_site.staff_id, local.id, LATER)
        third = administrator(session, site.study.id, "third@hospital.example")
        leave()
        refused("own", lambda: delegation.end_account(session, third, third.staff_id, LATER))
        refused("last", lambda: delegation.end_account(session, second, third.staff_id, LATER))
        assert delegation.end_account(session, third, second.staff_id, LATER) is True


def invited(session: Session, scope: Scope, site: Place) -> tuple[int, str]:
    """A newcomer at the first site: the account, and the hash of the invitation's code."""
    added = delegation.add(session, scope, NEWCOMER, "coordinator", here(session), KEY, LATER)
    assert added.code is not None
    return account_id(session, added.public_id), secrets.code_hash(added.code, KEY)


def test_an_invitation_opens_no_more_than_its_maker_administers(site: Place) -> None:
    """Whoever made it has its code, and could sign in with what others have given since."""
    with site.database.writing() as session:
        whole = administrator(session, site.study.id, "chief@hospital.example")
        local = administrator(session, site.study.id, "site@hospital.example", here(session))
        staff_id, hashed = invited(session, local, site)
        delegation.grant(session, whole, staff_id, "investigator", here(session), LATER)
        assert staff.find_invitation(session, hashed, LATER) is not None, "it is the maker's site"
        delegation.grant(session, whole, staff_id, "coordinator", here(session, "02"), LATER)
        assert staff.find_invitation(session, hashed, LATER) is None
        with pytest.raises(StaffError, match="used"):
            staff_sign_in.set_up(session, hashed, PASSWORD, SECRET, VAULT, LATER)
        found = register.register(session, site.study.id, None, LATER)
        assert {one.id: one.state for one in found.accounts}[staff_id] == "expired"
        again = delegation.renew(session, whole, staff_id, KEY, LATER)
        staff.grant(session, staff_id, site.study.id, None, "researcher", LATER)
        hashed = secrets.code_hash(again, KEY)
        assert staff.find_invitation(session, hashed, LATER) is not None


@pytest.mark.parametrize("how", ["role", "account", "site"])
def test_an_invitation_ends_with_its_makers_office(site: Place, how: str) -> None:
    with site.database.writing() as session:
        whole = administrator(session, site.study.id, "chief@hospital.example")
        maker = administrator(session, site.study.id, "second@hospital.example")
        staff_id, hashed = invited(session, maker, site)
        (role,) = staff.living_roles(session, maker.staff_id, LATER)
        if how == "account":
            delegation.end_account(session, whole, maker.staff_id, LATER)
        else:
            delegation.end_role(session, whole, maker.staff_id, role.id, LATER)
        if how == "site":
            other = here(session, "02")
            delegation.grant(session, whole, maker.staff_id, "administrator", other, LATER)
        assert staff.find_invitation(session, hashed, LATER) is None
        code = staff.invite(session, staff_id, KEY, LATER)
        assert staff.find_invitation(session, secrets.code_hash(code, KEY), LATER) is not None


def test_nobody_gives_a_role_to_themselves(site: Place) -> None:
    with site.database.writing() as session:
        scope = administrator(session, site.study.id, "chief@hospital.example")
        refused(
            "own",
            lambda: delegation.grant(session, scope, scope.staff_id, "investigator", None, LATER),
        )
