"""The site's tablet: handing over, saying who it is, answering, and every way in which it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from pro_app.models import Answer, Assessment, AuditEntry, Device, StaffSession, TabletSession
from pro_app.services import (
    answers,
    assessments,
    audit,
    enrolment,
    sessions,
    staff,
    staff_sign_in,
    tablet,
)
from pro_app.services.answers import Operation
from pro_app.services.staff_sign_in import Person
from pro_app.services.tablet import IDLE, LATE, Confirmation, Guest, TabletError
from tests.conftest import PIN, Enrolled, Site


@dataclass
class Nurse:
    """A coordinator with a tablet of the site."""

    site: Site
    staff_id: int
    token: str = ""

    def sign_in(self) -> Person:
        """Begin a session."""
        with self.site.database.writing() as session:
            token = staff_sign_in.start(session, self.staff_id, self.site.clock(), "code")
            found = staff_sign_in.person_of(session, token, self.site.clock())
            assert found is not None
            self.token = token
            return found

    def hand_over(self, person: Enrolled) -> str:
        """Give the tablet to a participant: its token."""
        found = self.sign_in()
        with self.site.database.writing() as session:
            return tablet.start(session, self.site.study, person.id, found, self.site.clock())


@pytest.fixture
def nurse(site: Site) -> Nurse:
    with site.database.writing() as session:
        person = staff.add(
            session, "nurse@hospital.example", "Aminah", "en", date(2026, 1, 5), site.clock()
        )
        return Nurse(site, person.id)


@pytest.fixture
def person(site: Site) -> Enrolled:
    return site.enrol("01-246")


@pytest.fixture
def sheets(site: Site, person: Enrolled) -> list[Assessment]:
    return site.open(person)


def guest_of(site: Site, token: str) -> Guest:
    with site.database.reading() as session:
        found = tablet.find(session, token)
    assert found is not None
    return found


def confirm(site: Site, token: str, by: str = "number", given: str = "46") -> Confirmation:
    with site.database.writing() as session:
        return tablet.confirm(session, guest_of(site, token), by, given, site.clock())


def steps(site: Site) -> list[tuple[str, str, str | None]]:
    """What was put on record of tablets."""
    with site.database.reading() as session:
        rows = session.execute(
            sa.select(AuditEntry.actor, AuditEntry.action, AuditEntry.new)
            .where(AuditEntry.object.like("tablet/%"))
            .order_by(AuditEntry.id)
        )
        return [(actor, action, new) for actor, action, new in rows]


def test_the_session_of_the_staff_ends_with_the_handing_over(
    site: Site, nurse: Nurse, person: Enrolled, sheets: list[Assessment]
) -> None:
    token = nurse.hand_over(person)
    with site.database.reading() as session:
        assert staff_sign_in.person_of(session, nurse.token, site.clock()) is None
        assert session.scalars(sa.select(StaffSession.ended_at)).all() == [site.clock()]
        row = session.scalars(sa.select(TabletSession)).one()
        assert token not in str(row.token_hash)
        assert list(audit.verify(session)) == []
    assert steps(site) == [(f"staff/{nurse.staff_id}", "start_tablet", None)]
    guest = guest_of(site, token)
    assert (guest.participant_id, guest.confirmed, guest.lives(site.clock())) == (
        person.id, False, True,
    )  # fmt: skip


def test_where_nothing_is_open_the_staff_stay_signed_in(
    site: Site, nurse: Nurse, person: Enrolled
) -> None:
    with pytest.raises(TabletError) as error:
        nurse.hand_over(person)
    assert error.value.code == "nothing_open"
    site.open(person)
    with site.database.writing() as session:
        enrolment.withdraw(session, person.id, site.clock())
    with pytest.raises(TabletError) as error:
        nurse.hand_over(person)
    assert error.value.code == "ended"
    with site.database.reading() as session:
        assert staff_sign_in.person_of(session, nurse.token, site.clock()) is not None
    assert steps(site) == []


def test_the_pin_of_a_phone_or_the_end_of_the_number(
    site: Site, nurse: Nurse, person: Enrolled, sheets: list[Assessment]
) -> None:
    device_id = site.join(person)
    with site.database.writing() as session:
        sessions.set_pin(session, device_id, PIN, site.clock())
        assert tablet.has_pin(session, person.id)
    for by, given in (("pin", PIN), ("number", "46"), ("number", "01-246"), ("number", " 01 246 ")):
        token = nurse.hand_over(person)
        assert confirm(site, token, by, given) is Confirmation.RIGHT
        assert guest_of(site, token).confirmed
        assert confirm(site, token, by, given) is Confirmation.RIGHT, "a second tap"
    said = [new for _, action, new in steps(site) if action == "confirm_at_tablet"]
    assert said == ["pin", "number", "number", "number"]
    ended = [new for _, action, new in steps(site) if action == "end_tablet"]
    assert ended == ["replaced"] * 3


def test_a_revoked_phones_pin_is_none(
    site: Site, nurse: Nurse, person: Enrolled, sheets: list[Assessment]
) -> None:
    device_id = site.join(person)
    with site.database.writing() as session:
        sessions.set_pin(session, device_id, PIN, site.clock())
        enrolment.revoke_devices(session, Device.id == device_id, site.clock(), "site")
    token = nurse.hand_over(person)
    with site.database.reading() as session:
        assert not tablet.has_pin(session, person.id)
    assert confirm(site, token, "pin", PIN) is Confirmation.WRONG


def test_five_wrong_ones_end_it_and_lock_no_phone(
    site: Site, nurse: Nurse, person: Enrolled, sheets: list[Assessment]
) -> None:
    device_id = site.join(person)
    with site.database.writing() as session:
        sessions.set_pin(session, device_id, PIN, site.clock())
    token = nurse.hand_over(person)
    tries = [("pin", "864202"), ("number", "47"), ("number", ""), ("pin", "")]
    assert {confirm(site, token, *one) for one in tries} == {Confirmation.WRONG}
    assert confirm(site, token, "number", "6") is Confirmation.OVER
    assert confirm(site, token, "pin", PIN) is Confirmation.OVER
    guest = guest_of(site, token)
    assert (guest.lives(site.clock()), guest.takes_late(site.clock())) == (False, False)
    assert steps(site)[-1] == (f"participant/tablet {guest.tablet_id}", "end_tablet", "refused")
    with site.database.reading() as session:
        assert session.get_one(Device, device_id).pin_failures == 0


def give(site: Site, guest: Guest, sheet: Assessment, item: str, code: int) -> None:
    """Answer at the tablet."""
    with site.database.writing() as session:
        known = assessments.hold_own(session, sheet.public_id, guest.participant_id)
        assert known is not None
        operation = Operation(f"{sheet.id}-{item}", item, "answered", code)
        wording = site.library.wording(sheet.instrument, "en")
        answers.save(
            session, known, site.library.instruments[sheet.instrument], [operation],
            guest.origin(wording), site.study.definition.grace, site.clock(),
        )  # fmt: skip


def submit(site: Site, guest: Guest, sheet: Assessment) -> bool:
    with site.database.writing() as session:
        known = assessments.hold_own(session, sheet.public_id, guest.participant_id)
        assert known is not None
        instrument = site.library.instruments[sheet.instrument]
        now = site.clock()
        return tablet.submit(session, site.study, known, instrument, guest, now, now)


def test_the_last_submission_ends_it(
    site: Site, nurse: Nurse, person: Enrolled, sheets: list[Assessment]
) -> None:
    token = nurse.hand_over(person)
    confirm(site, token)
    guest = guest_of(site, token)
    for sheet in sheets:
        for one in site.library.instruments[sheet.instrument].items:
            give(site, guest, sheet, one.code, one.options.codes[0])
    assert [submit(site, guest, sheet) for sheet in sheets] == [False, True]
    assert submit(site, guest, sheets[0]), "a second press changes nothing"
    assert [one[2] for one in steps(site) if one[1] == "end_tablet"] == ["submitted"]
    with site.database.reading() as session:
        rows = session.execute(
            sa.select(Answer.mode, Answer.originator, Answer.device_id).distinct()
        )
        assert [tuple(row) for row in rows] == [("site_tablet", "participant", None)]
        actors = set(
            session.scalars(
                sa.select(AuditEntry.actor).where(AuditEntry.action.in_(["answer", "submit"]))
            )
        )
        assert actors == {guest.actor}
        assert list(audit.verify(session)) == []
        assert session.scalars(sa.select(Device)).all() == [], "it is nobody's phone"


def test_what_waits_on_a_tablet_counts_although_another_one_took_over(
    site: Site, nurse: Nurse, person: Enrolled, sheets: list[Assessment]
) -> None:
    first = nurse.hand_over(person)
    confirm(site, first)
    nurse.hand_over(person)
    assert not guest_of(site, first).lives(site.clock())
    assert guest_of(site, first).takes_late(site.clock())
    site.clock.forward(seconds=LATE.total_seconds())
    assert not guest_of(site, first).takes_late(site.clock())


def test_idleness_is_known_at_once_and_put_on_record_once(
    site: Site, nurse: Nurse, person: Enrolled, sheets: list[Assessment]
) -> None:
    token = nurse.hand_over(person)
    confirm(site, token)
    site.clock.forward(seconds=IDLE.total_seconds() - 1)
    assert guest_of(site, token).lives(site.clock())
    with site.database.writing() as session:
        assert tablet.end_idle(session, site.clock()) == 0
        tablet.touch(session, guest_of(site, token), site.clock())
    site.clock.forward(seconds=IDLE.total_seconds())
    assert not guest_of(site, token).lives(site.clock())
    assert guest_of(site, token).takes_late(site.clock()), "what had been tapped in time"
    for count in (1, 0):
        with site.database.writing() as session:
            assert tablet.end_idle(session, site.clock()) == count
    assert guest_of(site, token).takes_late(site.clock())
    assert steps(site)[-1] == ("system", "end_tablet", "idle")
    site.clock.forward(seconds=LATE.total_seconds())
    assert not guest_of(site, token).takes_late(site.clock())


def test_an_end_stays_as_it_was(
    site: Site, nurse: Nurse, person: Enrolled, sheets: list[Assessment]
) -> None:
    token = nurse.hand_over(person)
    guest = guest_of(site, token)
    with site.database.writing() as session:
        tablet.end(session, guest, "stopped", site.clock())
        site.clock.forward(minutes=1)
        tablet.end(session, guest, "staff", site.clock(), nurse.staff_id)
    assert [one[1:] for one in steps(site)] == [("start_tablet", None), ("end_tablet", "stopped")]
    with site.database.reading() as session:
        row = session.scalars(sa.select(TabletSession)).one()
        assert row.ended_at == site.clock() - timedelta(minutes=1)


def test_settings_and_notice_are_the_participants_own_doing(
    site: Site, nurse: Nurse, person: Enrolled, sheets: list[Assessment]
) -> None:
    token = nurse.hand_over(person)
    guest = guest_of(site, token)
    with site.database.writing() as session:
        tablet.change_setting(session, guest, "language", "ta", site.clock())
        tablet.change_setting(session, guest, "text_size", "2", site.clock())
        tablet.accept_notice(session, guest, "1", "ta", site.clock())
        tablet.change_setting(session, guest, "text_size", "2", site.clock())
    now = guest_of(site, token)
    assert (now.language, now.text_size, now.notice_version) == ("ta", 2, "1")
    with site.database.reading() as session:
        found = session.scalars(
            sa.select(AuditEntry.action).where(AuditEntry.actor == guest.actor)
        ).all()
    assert found == ["change_setting", "change_setting", "accept_notice"]


def test_a_token_that_is_none_finds_nobody(site: Site) -> None:
    with site.database.reading() as session:
        assert tablet.find(session, "over") is None
