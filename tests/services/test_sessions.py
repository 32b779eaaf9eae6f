"""PINs and sessions: how a joined phone is opened, and how long it stays open."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pro_app.models import AuditEntry, Database, Device, DeviceSession
from pro_app.services import phones, secrets, sessions
from pro_app.services.enrolment import EnrolmentError
from pro_app.services.sessions import Person, PinResult
from tests.conftest import MORNING, PIN, Site
from tests.services.test_enrolment import TICK, WRONG, joined, record, who

# --- PINs ---------------------------------------------------------------------------------------


def give(site: Site, device: int, pin: str) -> PinResult:
    """Give a PIN, as over a fresh connection, so that counts have to survive."""
    database = Database(site.database.engine.url.render_as_string(hide_password=False))
    with database.writing() as session:
        result = sessions.check_pin(session, device, pin, site.clock()).result
    database.close()
    return result


def test_five_wrong_pins_wait_and_ten_need_the_site(site: Site) -> None:
    _, device = joined(site, site.enrol())
    results = [give(site, device, WRONG) for _ in range(5)]
    assert results == [PinResult.WRONG] * 4 + [PinResult.WAIT]
    assert give(site, device, PIN) is PinResult.WAIT, "not even the right one"
    site.clock.now += timedelta(minutes=15) - TICK
    assert give(site, device, PIN) is PinResult.WAIT
    site.clock.now += TICK
    results = [give(site, device, WRONG) for _ in range(5)]
    assert results == [PinResult.WRONG] * 4 + [PinResult.SITE]
    site.clock.forward(days=400)
    assert give(site, device, PIN) is PinResult.SITE
    with site.database.reading() as session:
        assert session.get_one(Device, device).pin_failures == 10


def test_waiting_says_until_when(site: Site) -> None:
    _, device = joined(site, site.enrol())
    for _ in range(5):
        with site.database.writing() as session:
            check = sessions.check_pin(session, device, WRONG, site.clock())
    assert check.wait_until == MORNING + timedelta(minutes=15)


def test_the_right_pin_begins_the_count_anew(site: Site) -> None:
    person = site.enrol()
    _, device = joined(site, person)
    for _ in range(3):
        assert [give(site, device, WRONG) for _ in range(4)] == [PinResult.WRONG] * 4
        assert give(site, device, PIN) is PinResult.RIGHT
    assert record(site, person.id).count("wrong_pin") == 12
    assert record(site, person.id).count("unlock") == 3


def test_wrong_pins_on_one_phone_do_not_lock_another(site: Site) -> None:
    person = site.enrol()
    _, first = joined(site, person)
    _, second = joined(site, replace(person, code=site.new_code(person)))
    for _ in range(5):
        give(site, first, WRONG)
    assert give(site, second, PIN) is PinResult.RIGHT


def test_a_pin_is_set_once_and_not_before_joining(site: Site) -> None:
    _, device = joined(site, site.enrol(), pin=None)
    assert give(site, device, PIN) is PinResult.SITE
    with site.database.writing() as session:
        sessions.set_pin(session, device, PIN, site.clock())
    with (
        pytest.raises(EnrolmentError, match="the device has a PIN"),
        site.database.writing() as session,
    ):
        sessions.set_pin(session, device, "135792", site.clock())
    assert give(site, device, PIN) is PinResult.RIGHT


# --- sessions -----------------------------------------------------------------------------------


@pytest.fixture
def opened(site: Site) -> tuple[Site, str]:
    """A site, and the token of an open session."""
    _, device = joined(site, site.enrol())
    with site.database.writing() as session:
        return site, sessions.start(session, device, site.clock())


def session_of(site: Site, token: str) -> Person | None:
    with site.database.reading() as session:
        return sessions.person_of_session(session, token, site.clock())


def test_a_session_ends_after_half_an_hour_of_nothing(opened: tuple[Site, str]) -> None:
    site, token = opened
    site.clock.forward(minutes=30)
    found = session_of(site, token)
    assert found is not None
    assert found.unlocked
    site.clock.now += TICK
    assert session_of(site, token) is None


def test_a_session_in_use_ends_after_twelve_hours(opened: tuple[Site, str]) -> None:
    site, token = opened
    for _ in range(36):
        site.clock.forward(minutes=20)
        assert session_of(site, token) is not None
        with site.database.writing() as session:
            sessions.touch(session, token, site.clock())
    site.clock.now += TICK
    assert session_of(site, token) is None


def test_an_ended_session_opens_nothing(opened: tuple[Site, str]) -> None:
    site, token = opened
    for _ in range(2):
        with site.database.writing() as session:
            sessions.end(session, token, site.clock())
    assert session_of(site, token) is None
    assert record(site, 1).count("lock") == 1
    with site.database.writing() as session:
        sessions.end(session, "unknown", site.clock())


def test_no_token_stands_in_the_database(opened: tuple[Site, str]) -> None:
    site, token = opened
    with site.database.reading() as session:
        (kept,) = session.scalars(sa.select(DeviceSession))
        assert kept.token_hash == secrets.token_hash(token)
        assert token not in str([kept.token_hash, session.scalars(sa.select(Device)).one()])


def test_what_a_person_sets_is_kept_and_on_the_record(site: Site) -> None:
    token, _ = joined(site, site.enrol())
    person = who(site, token)
    assert person is not None
    for field, value in (("language", "ta"), ("text_size", "2"), ("text_size", "2")):
        with site.database.writing() as session:
            phones.change_setting(session, person, field, value, site.clock())
    found = who(site, token)
    assert found is not None
    assert (found.language, found.text_size) == ("ta", 2)
    with site.database.reading() as session:
        changes = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "change_setting")
        ).all()
    assert [(one.field, one.old, one.new) for one in changes] == [
        ("language", "en", "ta"),
        ("text_size", "0", "2"),
    ]
