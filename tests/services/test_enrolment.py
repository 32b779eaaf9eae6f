"""Enrolling, codes, devices, withdrawing: who is let in, for how long, and who is not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.models import (
    Attempt,
    AuditEntry,
    CodeRequest,
    Device,
    DeviceSession,
    JoiningCode,
    Participant,
)
from pro_app.services import assessments, enrolment, joining, secrets, sessions
from pro_app.services.enrolment import EnrolmentError
from pro_app.services.sessions import Person
from tests.conftest import KEY, MORNING, PIN, Enrolled, Site

TICK = timedelta(microseconds=1)
WRONG = "111222"


def add(site: Site, number: str = "01-001", language: str = "en", at: str = "01") -> Participant:
    with site.database.writing() as session:
        return enrolment.add_participant(session, site.study, at, number, language, site.clock())


def finds(site: Site, code: str) -> bool:
    """Whether this code opens anything now."""
    with site.database.reading() as session:
        return enrolment.find_code(session, secrets.code_hash(code, KEY), site.clock()) is not None


def bind(site: Site, code: str, replaces: int | None = None) -> tuple[str, int] | None:
    """Join with a code: the device's token and id."""
    with site.database.writing() as session:
        found = enrolment.find_code(session, secrets.code_hash(code, KEY), site.clock())
        if found is None:
            return None
        return joining.bind_device(session, found.id, "1", "en", site.clock(), replaces)


def joined(site: Site, person: Enrolled, pin: str | None = PIN) -> tuple[str, int]:
    """Join and set a PIN: the device's token and id."""
    bound = bind(site, person.code)
    assert bound is not None
    if pin is not None:
        with site.database.writing() as session:
            sessions.set_pin(session, bound[1], pin, site.clock())
    return bound


def who(site: Site, token: str) -> Person | None:
    """The person whose device this is."""
    with site.database.reading() as session:
        return sessions.person_of_device(session, token, site.clock())


def record(site: Site, participant_id: int) -> list[str]:
    """The actions on a participant's record."""
    with site.database.reading() as session:
        stream = f"participant/{participant_id}"
        query = sa.select(AuditEntry.action).where(AuditEntry.stream == stream)
        return list(session.scalars(query.order_by(AuditEntry.seq)))


# --- enrolling ----------------------------------------------------------------------------------


def test_a_participant_is_a_number_at_a_site(site: Site) -> None:
    found = add(site, "02-017", "ta", "02")
    with site.database.reading() as session:
        kept = session.get_one(Participant, found.id)
        assert (kept.number, kept.language, kept.site.code) == ("02-017", "ta", "02")
        assert (kept.created_at, kept.withdrawn_at, kept.notice_at) == (MORNING, None, None)
    assert record(site, found.id) == ["enrol"]


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"number": "1-001"}, r"the study number '1-001' does not fit the pattern \d{2}-\d{3}"),
    ({"number": "01-0011"}, "does not fit"),
    ({"number": " 01-001"}, "does not fit"),
    ({"number": ""}, "does not fit"),
    ({"number": "900101-14-5678"}, "has the shape of a national identity number"),
    ({"number": "900101145678"}, "has the shape of a national identity number"),
    ({"language": "fr"}, "the study has no language 'fr'; it has ms, en, zh_Hans, ta"),
    ({"at": "03"}, "the study has no site '03'"),
    ({"number": "01-009"}, "the study number 01-009 is taken"),
]


def test_who_cannot_be_enrolled_is_told_why(site: Site, subtests: pytest.Subtests) -> None:
    add(site, "01-009")
    for wrong, reason in REFUSED:
        with subtests.test(**wrong):
            with pytest.raises(EnrolmentError) as refused:
                add(site, **wrong)
            assert reason in str(refused.value)
            assert "900101" not in str(refused.value), "an identity number is not repeated"
    with site.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Participant)) == 1


# --- codes --------------------------------------------------------------------------------------


def test_a_code_opens_once(site: Site) -> None:
    person = site.enrol()
    assert finds(site, person.code)
    assert finds(site, person.code.lower())
    joined(site, person)
    assert not finds(site, person.code)
    assert bind(site, person.code) is None


def test_a_code_works_again_until_the_phone_that_it_joined_has_a_pin(site: Site) -> None:
    person = site.enrol()
    lost = bind(site, person.code)
    assert lost is not None
    site.clock.now += timedelta(minutes=15) - TICK
    token, device = joined(site, person)
    assert who(site, lost[0]) is None, "the phone whose answer was lost is taken back"
    assert who(site, token) is not None
    assert not finds(site, person.code)
    assert record(site, person.id).count("join") == 2
    with site.database.reading() as session:
        (entry,) = session.scalars(
            sa.select(AuditEntry).where(
                AuditEntry.action == "join", AuditEntry.object == f"device/{device}"
            )
        )
        assert entry.detail == {"replaces": f"device/{lost[1]}"}


def test_trying_again_does_not_prolong_the_time_for_it(site: Site) -> None:
    person = site.enrol()
    for _ in range(3):
        assert bind(site, person.code) is not None
        site.clock.forward(minutes=5)
    assert bind(site, person.code) is None


def test_a_used_code_does_not_come_back_after_a_newer_one_or_withdrawal(site: Site) -> None:
    person, gone = site.enrol("01-001"), site.enrol("01-002")
    for one in (person, gone):
        bind(site, one.code)
    site.new_code(person)
    with site.database.writing() as session:
        enrolment.withdraw(session, gone.id, site.clock())
        enrolment.readmit(session, gone.id, site.clock())
    assert not finds(site, person.code)
    assert not finds(site, gone.code)


def issue(site: Site, person: Enrolled, **how: Any) -> str:
    with site.database.writing() as session:
        return enrolment.issue_code(session, person.id, KEY, site.clock(), **how)


def test_a_recovery_code_is_longer_and_lives_for_thirteen_months(site: Site) -> None:
    person = site.enrol()
    code = issue(site, person, kind="recovery")
    assert (len(person.code), len(code)) == (8, 12)
    assert finds(site, person.code), "the other kind lives on"
    site.new_code(person)
    assert finds(site, code)
    site.clock.now += timedelta(days=396) - TICK
    assert finds(site, code)
    site.clock.now += TICK
    assert not finds(site, code)


def test_a_newer_card_a_use_and_withdrawal_end_a_recovery_code(site: Site) -> None:
    person = site.enrol()
    first, second = (issue(site, person, kind="recovery") for _ in range(2))
    assert (finds(site, first), finds(site, second)) == (False, True)
    joined(site, replace(person, code=second))
    assert not finds(site, second)
    third = issue(site, person, kind="recovery")
    with site.database.writing() as session:
        enrolment.withdraw(session, person.id, site.clock())
    assert not finds(site, third)


@pytest.mark.parametrize(("after", "alive"), [(timedelta(hours=72) - TICK, True), (72, False)])
def test_a_code_lives_for_three_days(site: Site, after: Any, alive: bool) -> None:
    person = site.enrol()
    site.clock.now += after if isinstance(after, timedelta) else timedelta(hours=after)
    assert finds(site, person.code) is alive
    assert (bind(site, person.code) is not None) is alive


def test_a_code_that_dies_between_looking_and_joining_binds_nothing(site: Site) -> None:
    person = site.enrol()
    with site.database.writing() as session:
        found = enrolment.find_code(session, secrets.code_hash(person.code, KEY), site.clock())
        assert found is not None
    site.new_code(person)
    with site.database.writing() as session:
        assert joining.bind_device(session, found.id, "1", "en", site.clock()) is None
        assert joining.bind_device(session, 99_999, "1", "en", site.clock()) is None
    with site.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Device)) == 0


def test_a_new_code_kills_the_old_one(site: Site) -> None:
    person = site.enrol()
    new = site.new_code(person)
    assert not finds(site, person.code)
    assert finds(site, new)
    assert record(site, person.id) == ["enrol", "issue_code", "issue_code"]


def test_another_persons_new_code_kills_nobody_elses(site: Site) -> None:
    person, other = site.enrol("01-001"), site.enrol("01-002")
    site.new_code(other)
    assert finds(site, person.code)


def test_no_code_stands_in_the_database(site: Site) -> None:
    person = site.enrol()
    with site.database.reading() as session:
        (kept,) = session.scalars(sa.select(JoiningCode))
        assert kept.code_hash == secrets.code_hash(person.code, KEY)
        assert person.code not in kept.code_hash
        details = session.scalars(sa.select(AuditEntry.detail)).all()
        assert person.code not in str(details)


def test_a_code_of_another_installations_key_opens_nothing(site: Site) -> None:
    person = site.enrol()
    with site.database.reading() as session:
        assert (
            enrolment.find_code(session, secrets.code_hash(person.code, KEY[::-1]), site.clock())
            is None
        )


def test_joining_is_on_the_record(site: Site) -> None:
    person = site.enrol(language="ta")
    joined(site, person)
    assert record(site, person.id) == [
        "enrol", "issue_code", "join", "accept_notice", "change_setting", "set_pin",
    ]  # fmt: skip
    with site.database.reading() as session:
        kept = session.get_one(Participant, person.id)
        assert (kept.notice_version, kept.notice_language, kept.notice_at) == ("1", "en", MORNING)
        assert kept.language == "en", "the language in which the notice was accepted"


def test_a_browser_that_joins_again_gives_up_what_it_was(site: Site) -> None:
    first, second = site.enrol("01-001"), site.enrol("01-002")
    token, device = joined(site, first)
    bound = bind(site, second.code, replaces=device)
    assert bound is not None
    assert who(site, token) is None
    now_is = who(site, bound[0])
    assert now_is is not None
    assert now_is.number == "01-002"
    with site.database.reading() as session:
        (join,) = session.scalars(
            sa.select(AuditEntry).where(
                AuditEntry.action == "join", AuditEntry.stream == f"participant/{second.id}"
            )
        )
        assert join.detail == {"replaces": f"device/{device}"}


def test_a_phone_that_changes_hands_is_on_both_records(site: Site) -> None:
    first, second = site.enrol("01-001"), site.enrol("01-002")
    _, device = joined(site, first)
    bind(site, second.code, replaces=device)
    assert record(site, first.id)[-1] == "revoke_device"
    assert "join" in record(site, second.id)


def test_a_lost_phone_opens_nothing_any_more(site: Site) -> None:
    person, other = site.enrol("01-001"), site.enrol("01-002")
    lost, device = joined(site, person)
    kept, _ = joined(site, other)
    with site.database.writing() as session:
        opened = sessions.start(session, device, site.clock())
    with site.database.writing() as session:
        code = enrolment.issue_code(session, person.id, KEY, site.clock(), phone_lost=True)
    assert who(site, lost) is None
    assert who(site, kept) is not None
    with site.database.reading() as session:
        assert sessions.person_of_session(session, opened, site.clock()) is None
    assert record(site, person.id)[-2:] == ["revoke_device", "issue_code"]
    assert bind(site, code) is not None


def test_a_second_phone_leaves_the_first_one_joined(site: Site) -> None:
    person = site.enrol()
    first, _ = joined(site, person)
    second, _ = joined(site, replace(person, code=site.new_code(person)))
    assert who(site, first) is not None
    assert who(site, second) is not None


# --- withdrawing and coming back ----------------------------------------------------------------


def test_withdrawing_kills_devices_sessions_and_codes(site: Site) -> None:
    person = site.enrol()
    token, device = joined(site, person)
    with site.database.writing() as session:
        opened = sessions.start(session, device, site.clock())
    code = site.new_code(person)
    with site.database.writing() as session:
        enrolment.withdraw(session, person.id, site.clock())
    assert who(site, token) is None
    assert not finds(site, code)
    with site.database.reading() as session:
        assert sessions.person_of_session(session, opened, site.clock()) is None
    with pytest.raises(EnrolmentError, match="01-001 has withdrawn; readmit first"):
        site.new_code(person)


def test_withdrawing_twice_is_once_on_the_record(site: Site) -> None:
    person = site.enrol()
    for _ in range(2):
        with site.database.writing() as session:
            enrolment.withdraw(session, person.id, site.clock())
        site.clock.forward(days=1)
    assert record(site, person.id).count("withdraw") == 1
    with site.database.reading() as session:
        assert session.get_one(Participant, person.id).withdrawn_at == MORNING


def test_who_comes_back_joins_with_a_new_code_and_finds_everything(site: Site) -> None:
    person = site.enrol()
    old_token, _ = joined(site, person)
    assessment = site.open(person)[0]
    site.answer(assessment, {"LQ01": 2})
    with site.database.writing() as session:
        enrolment.withdraw(session, person.id, site.clock())
    with site.database.writing() as session:
        enrolment.readmit(session, person.id, site.clock())
    assert who(site, old_token) is None, "the old phone stays out"
    token, _ = joined(site, replace(person, code=site.new_code(person)))
    found = who(site, token)
    assert found is not None
    assert found.participant_id == person.id
    with site.database.reading() as session:
        open_now = assessments.today(session, site.study.definition, person.id, site.clock()).open
    assert open_now[0].public_id == assessment.public_id


def test_who_has_not_withdrawn_cannot_be_readmitted(site: Site) -> None:
    person = site.enrol()
    with (
        pytest.raises(EnrolmentError, match="01-001 has not withdrawn"),
        site.database.writing() as session,
    ):
        enrolment.readmit(session, person.id, site.clock())


# --- asking for a new code ----------------------------------------------------------------------


def ask(site: Site, number: str) -> None:
    with site.database.writing() as session:
        enrolment.request_code(session, site.study.id, number, site.clock())


def requests(site: Site) -> list[CodeRequest]:
    with site.database.reading() as session:
        return list(session.scalars(sa.select(CodeRequest)))


def test_asking_is_noted_once_and_settled_by_a_new_code(site: Site) -> None:
    person = site.enrol()
    ask(site, person.number)
    ask(site, person.number)
    (waiting,) = requests(site)
    assert (waiting.participant_id, waiting.handled_at) == (person.id, None)
    site.clock.forward(hours=1)
    site.new_code(person)
    assert requests(site)[0].handled_at == site.clock()
    ask(site, person.number)
    assert len(requests(site)) == 2
    assert record(site, person.id).count("request_code") == 2


def test_asking_for_nobody_changes_nothing(site: Site) -> None:
    gone = site.enrol()
    with site.database.writing() as session:
        enrolment.withdraw(session, gone.id, site.clock())
    for number in ("01-099", "", "' OR 1=1 --", gone.number):
        ask(site, number)
    assert requests(site) == []


def test_where_the_study_is_not_known_every_study_hears_of_it(site: Site) -> None:
    person = site.enrol()
    with site.database.writing() as session:
        enrolment.request_code(session, None, person.number, site.clock())
        enrolment.request_code(session, None, "01-999", site.clock())
        enrolment.request_code(session, site.study.id + 1, person.number, site.clock())
    assert [one.participant_id for one in requests(site)] == [person.id]


# --- guessing -----------------------------------------------------------------------------------


def too_many(site: Site, source: str = "here", kind: str = "code") -> bool:
    with site.database.reading() as session:
        return enrolment.too_many_tries(session, kind, source, site.clock())


def fail(site: Site, times: int, source: str = "here") -> None:
    with site.database.writing() as session:
        for _ in range(times):
            enrolment.note_try(session, "code", source, site.clock())


def test_many_failures_within_an_hour_are_enough(site: Site) -> None:
    fail(site, 1)
    site.clock.forward(minutes=30)
    fail(site, enrolment.TRIES - 2)
    assert not too_many(site)
    fail(site, 1)
    assert too_many(site)
    assert not too_many(site, source="elsewhere")
    assert not too_many(site, kind="number")
    site.clock.forward(minutes=30)
    assert not too_many(site), "the first of them is an hour old"


def test_failures_that_no_longer_matter_are_forgotten(site: Site) -> None:
    fail(site, 3, source="long ago")
    site.clock.forward(hours=1)
    fail(site, 1)
    with site.database.reading() as session:
        assert list(session.scalars(sa.select(Attempt.source))) == ["here"]


# --- nobody waits for somebody who waits for them -----------------------------------------------

Action = Callable[[Any, Site, Enrolled, datetime], object]
LOCKING: dict[str, Action] = {
    "issue_code": lambda s, _site, p, now: enrolment.issue_code(s, p.id, KEY, now),
    "phone_lost": lambda s, _site, p, now: enrolment.issue_code(s, p.id, KEY, now, True),
    "withdraw": lambda s, _site, p, now: enrolment.withdraw(s, p.id, now),
    "request_code": lambda s, site, p, now: enrolment.request_code(s, site.study.id, p.number, now),
    "bind_device": lambda s, _site, _p, now: joining.bind_device(s, 3, "1", "en", now, 1),
    "set_pin": lambda s, _site, _p, now: sessions.set_pin(s, 2, PIN, now),
    "check_pin": lambda s, _site, _p, now: sessions.check_pin(s, 1, WRONG, now),
    "end_session": lambda s, _site, _p, now: sessions.end(s, "token", now),
}


def test_every_writer_takes_the_participants_lock_first(
    site: Site, subtests: pytest.Subtests
) -> None:
    """Two that take the same locks in different order wait for each other for ever."""
    if site.database.engine.dialect.name == "sqlite":
        site.database.close()  # one writer at a time: BEGIN IMMEDIATE is the only lock
        return
    person = site.enrol()
    joined(site, person)
    bind(site, site.new_code(person))
    code = site.new_code(person)
    assert code
    with site.database.writing() as session:
        row = DeviceSession(device_id=1, token_hash=secrets.token_hash("token"))
        row.created_at = row.seen_at = MORNING
        session.add(row)
    statements: list[str] = []
    sa.event.listen(
        site.database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: statements.append(statement),
    )
    for name, action in LOCKING.items():
        statements.clear()
        with site.database.reading() as session, subtests.test(name):  # and takes it all back
            action(session, site, person, site.clock())
            session.flush()
            locking = [
                one for one in statements if "FOR UPDATE" in one or not one.startswith("SELECT")
            ]
            assert locking, "it writes"
            assert "FROM participant" in locking[0]
            assert "FOR UPDATE" in locking[0]


def test_two_phones_that_change_hands_crosswise_do_not_wait_for_ever(site: Site) -> None:
    """Each joins with the other's code on the phone that was the other's, at the same moment."""
    people = [site.enrol(number) for number in ("01-001", "01-002")]
    devices = [joined(site, one)[1] for one in people]
    for _ in range(4):
        codes = [site.new_code(one) for one in people]
        start = threading.Barrier(2)

        def swap(place: int, codes: list[str] = codes, start: threading.Barrier = start) -> int:
            start.wait()
            bound = bind(site, codes[place], replaces=devices[1 - place])
            assert bound is not None
            return bound[1]

        with ThreadPoolExecutor(2) as pool:
            swapped = list(pool.map(swap, range(2)))
        with site.database.reading() as session:
            found = session.scalars(sa.select(Device).where(Device.revoked_at.is_(None)))
            assert {one.id for one in found} == set(swapped)
        devices[:] = swapped


def test_who_joins_on_somebodys_phone_holds_both_in_the_order_of_their_ids(site: Site) -> None:
    if site.database.engine.dialect.name == "sqlite":
        site.database.close()  # one writer at a time
        return
    first, second = (site.enrol(number) for number in ("01-001", "01-002"))
    _, device = joined(site, first)
    held: list[int] = []

    def note(_c: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if "FROM participant" in statement and "FOR UPDATE" in statement:
            held.extend(given.values())

    sa.event.listen(site.database.engine, "before_cursor_execute", note)
    assert bind(site, second.code, replaces=device) is not None
    assert held[:2] == [first.id, second.id]
