"""Staff accounts: invitations, roles with their beginning and end, and the register."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import AuditEntry, Site, Staff, StaffSession
from pro_app.services import audit, register, secrets, staff, staff_sign_in
from pro_app.services.staff import INVITATION_LIFE, StaffError
from tests.conftest import KEY, MORNING
from tests.conftest import Site as Place

EMAIL = "nurse@hospital.example"


def add(session: Session, email: str = EMAIL, trained: date | None = date(2026, 1, 5)) -> Staff:
    return staff.add(session, email, "Aminah binti Hassan", "ms", trained, MORNING)


def site_id(session: Session) -> int:
    return session.scalars(sa.select(Site.id).order_by(Site.id)).first() or 0


@pytest.mark.parametrize(
    ("email", "name", "language", "trained", "fault"),
    [
        ("nobody", "Aminah", "ms", None, "email"),
        (EMAIL, "  ", "ms", None, "name"),
        (EMAIL, "x" * 121, "ms", None, "name"),
        (EMAIL, "Aminah 900101-14-5678", "ms", None, "name"),
        (EMAIL, "Aminah", "fr", None, "language"),
        (EMAIL, "Aminah", "ms", date(2027, 1, 1), "training"),
    ],
)
def test_an_account_needs_a_person(
    site: Place, email: str, name: str, language: str, trained: date | None, fault: str
) -> None:
    with site.database.writing() as session, pytest.raises(StaffError) as caught:
        staff.add(session, email, name, language, trained, MORNING)
    assert caught.value.code == fault
    with site.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Staff)) == 0


def test_an_address_belongs_to_one_person(site: Place) -> None:
    with site.database.writing() as session:
        known = add(session)
        with pytest.raises(StaffError, match="known"):
            add(session, f"  {EMAIL.upper()}")
        assert staff.find(session, EMAIL.upper()) is known


def test_an_invitation_opens_for_a_day_and_a_newer_one_replaces_it(site: Place) -> None:
    with site.database.writing() as session:
        person = add(session)
        first = secrets.code_hash(staff.invite(session, person.id, KEY, MORNING), KEY)
        second = secrets.code_hash(staff.invite(session, person.id, KEY, MORNING), KEY)
        end = MORNING + INVITATION_LIFE
        assert staff.find_invitation(session, first, MORNING) is None
        assert staff.find_invitation(session, second, end - timedelta(seconds=1)) is not None
        assert staff.find_invitation(session, second, end) is None
        staff.disable(session, person.id, MORNING)
        assert staff.find_invitation(session, second, MORNING) is None
        with pytest.raises(StaffError, match="disabled"):
            staff.invite(session, person.id, KEY, MORNING)


def test_roles_are_per_study_and_site_from_when_until_when(site: Place) -> None:
    later, end = MORNING + timedelta(days=1), MORNING + timedelta(days=2)
    with site.database.writing() as session:
        person, here = add(session), site_id(session)
        role = staff.grant(session, person.id, site.study.id, here, "coordinator", later)
        assert staff.posts(session, person.id, site.study.id, MORNING) == {}
        known = staff.posts(session, person.id, site.study.id, later)
        assert known == {"coordinator": frozenset({here})}
        assert staff.posts(session, person.id, site.study.id + 1, later) == {}
        staff.grant(session, person.id, site.study.id, None, "researcher", later)
        staff.end_role(session, person.id, role.id, end)
        assert staff.posts(session, person.id, site.study.id, end) == {"researcher": None}
        code = site.study.definition.code
        assert staff.roles_by_study(session, person.id, later) == {
            code: {"coordinator", "researcher"}
        }
        assert staff.roles_by_study(session, person.id, end) == {code: {"researcher"}}
        lines = register.lines(session, site.study.id)
    told = [(one.role, one.site, one.begins_at, one.ends_at) for one in lines]
    assert told == [
        ("coordinator", site.study.definition.sites[0].code, later, end),
        ("researcher", None, later, None),
    ]


def test_a_role_needs_training_a_site_of_the_study_and_to_be_new(site: Place) -> None:
    with site.database.writing() as session:
        untrained = add(session, trained=None)
        person, here = add(session, "other@hospital.example"), site_id(session)
        for staff_id, place, role, fault in (
            (untrained.id, here, "coordinator", "training"),
            (person.id, here + 1_000, "coordinator", "site"),
            (person.id, here, "king", "role"),
        ):
            with pytest.raises(StaffError, match=fault):
                staff.grant(session, staff_id, site.study.id, place, role, MORNING)
        staff.grant(session, person.id, site.study.id, None, "coordinator", MORNING)
        with pytest.raises(StaffError, match="had"):
            staff.grant(session, person.id, site.study.id, here, "coordinator", MORNING)


def test_disabling_ends_roles_and_sessions_at_once(site: Place) -> None:
    with site.database.writing() as session:
        person = add(session)
        staff.grant(session, person.id, site.study.id, None, "administrator", MORNING)
        token = staff_sign_in.start(session, person.id, MORNING, "code")
        assert staff_sign_in.person_of(session, token, MORNING) is not None
        staff.disable(session, person.id, MORNING, "staff/99")
        session.expire_all()
        assert staff_sign_in.person_of(session, token, MORNING) is None
        assert staff.posts(session, person.id, site.study.id, MORNING) == {}
        assert session.scalars(sa.select(StaffSession.ended_at)).all() == [MORNING]


def test_the_trail_tells_all_of_it_and_is_whole(site: Place) -> None:
    with site.database.writing() as session:
        person = add(session)
        role = staff.grant(
            session, person.id, site.study.id, None, "researcher", MORNING, "staff/7"
        )
        staff.invite(session, person.id, KEY, MORNING)
        staff.end_role(session, person.id, role.id, MORNING, "staff/7")
        staff.choose_language(session, person.id, "ta", MORNING)
        staff.choose_language(session, person.id, "ta", MORNING)
        staff.disable(session, person.id, MORNING, "staff/7")
    with site.database.reading() as session:
        told = session.execute(
            sa.select(AuditEntry.actor, AuditEntry.action, AuditEntry.old, AuditEntry.new)
            .where(AuditEntry.stream == staff.stream(person.id))
            .order_by(AuditEntry.seq)
        ).all()
        assert list(audit.verify(session)) == []
    assert [tuple(row) for row in told] == [
        ("site", "add_staff", None, None),
        ("staff/7", "grant_role", None, "researcher"),
        ("site", "invite_staff", None, None),
        ("staff/7", "end_role", "researcher", None),
        (staff.stream(person.id), "change_setting", "ms", "ta"),
        ("staff/7", "disable_staff", None, None),
    ]
