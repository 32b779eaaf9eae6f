"""The board: what it counts, whom it names and why, and who sees whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from pro_app.core.assessment import Status
from pro_app.delivery import Gone
from pro_app.models import Site as SiteRow
from pro_app.services import board, calls, enrolment, journals, phones, reach
from pro_app.services.board import Board, PersonToHelp
from pro_app.services.hindrances import Hindrance
from tests.conftest import KEY, MORNING, Enrolled
from tests.services.counting import statements
from tests.services.mailroom import GOOGLE, Mailroom
from tests.services.trial import Trial, local, set_email

DAY = timedelta(days=1)
EMAIL = "somebody@example.org"
OPENED = local(2026, 11, 23, 6)  # the window of those who enrol on this day
CLOSES = local(2026, 12, 6, 23)


def board_of(trial: Trial, *sites: str, limit: int = board.LIMIT) -> Board:
    """The board of these sites, or of all."""
    with trial.database.reading() as session:
        ids = site_ids(trial, *sites) if sites else None
        return board.board(session, trial.study, ids, trial.clock(), limit)


def site_ids(trial: Trial, *codes: str) -> frozenset[int]:
    with trial.database.reading() as session:
        return frozenset(session.scalars(sa.select(SiteRow.id).where(SiteRow.code.in_(codes))))


def why(trial: Trial, person: Enrolled) -> PersonToHelp:
    """The one line of a person."""
    (found,) = [one for one in board_of(trial).people if one.number == person.number]
    return found


@pytest.fixture
def mailroom(trial: Trial) -> Mailroom:
    return Mailroom(trial)


def test_a_study_without_participants(trial: Trial) -> None:
    found = board_of(trial)
    assert found.counts == board.Counts(0, 0, 0, 0, 0)
    assert (found.people, found.calls, found.codes, found.requests) == ((), (), (), ())
    totals = (found.people_total, found.calls_total, found.codes_total, found.requests_total)
    assert totals == (0, 0, 0, 0)


# --- the reasons --------------------------------------------------------------------------------


def test_who_never_joined_has_no_device_since_enrolment(trial: Trial) -> None:
    line = why(trial, trial.enrol())
    assert (line.reason, line.since) == (Hindrance.NO_DEVICE, MORNING)
    assert (line.facts.joined, line.facts.used_at) == (False, None)


def test_whose_phones_are_all_signed_out_has_no_device_since_then(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE)
    devices = [mailroom.phone(person) for _ in range(2)]
    first = mailroom.endpoints(person)[0].device_id
    for hours, device in enumerate([first, *devices], start=1):
        assert why(mailroom.trial, person).reason is not Hindrance.NO_DEVICE
        mailroom.trial.clock.now = MORNING + timedelta(hours=hours)
        with mailroom.trial.database.writing() as session:
            phones.sign_out(session, person.id, device, mailroom.trial.clock())
    line = why(mailroom.trial, person)
    assert (line.reason, line.since) == (Hindrance.NO_DEVICE, MORNING + timedelta(hours=3))


def test_a_site_tablet_that_opens_no_more_is_no_device(trial: Trial) -> None:
    person = trial.enrol()
    trial.join(person, shared=True)
    assert why(trial, person).facts.joined
    trial.clock.forward(days=1, seconds=1)
    assert why(trial, person).reason is Hindrance.NO_DEVICE


def test_reminders_that_were_never_turned_on(trial: Trial) -> None:
    person = trial.enrol()
    trial.join(person)
    line = why(trial, person)
    assert (line.reason, line.since) == (Hindrance.REMINDERS_OFF, None)
    assert line.facts.used_at == MORNING
    set_email(trial, person, EMAIL)
    assert why(trial, person).reason is Hindrance.NONE_KNOWN


def test_a_phone_that_the_push_service_has_forgotten(mailroom: Mailroom) -> None:
    person = mailroom.person(GOOGLE)
    mailroom.phones.answer = Gone(410)
    mailroom.at(local(2026, 11, 23, 9, 1))
    line = why(mailroom.trial, person)
    assert (line.reason, line.since) == (Hindrance.PUSH_LOST, local(2026, 11, 23, 9, 1))
    set_email(mailroom.trial, person, EMAIL)
    assert why(mailroom.trial, person).reason is Hindrance.PUSH_LOST


def test_a_phone_that_may_not_show_reminders(trial: Trial) -> None:
    person = trial.enrol()
    device = trial.join(person)
    with trial.database.writing() as session:
        reach.report(session, person.id, device, "denied", False, trial.clock())
    assert why(trial, person).reason is Hindrance.PUSH_DENIED
    set_email(trial, person, EMAIL)
    assert why(trial, person).reason is Hindrance.NONE_KNOWN


def test_an_address_that_took_no_letter(mailroom: Mailroom) -> None:
    trial, person = mailroom.trial, mailroom.person(email=EMAIL)
    trial.join(replace(person, code=trial.new_code(person)))
    mailroom.letters.answer = Gone(550)
    mailroom.at(local(2026, 11, 24, 9, 1))
    line = why(trial, person)
    assert (line.reason, line.since) == (Hindrance.EMAIL_BOUNCED, local(2026, 11, 24, 9, 1))
    mailroom.phone(person)
    assert why(trial, person).reason is not Hindrance.EMAIL_BOUNCED


def test_answers_that_wait_on_a_phone_come_before_all_else(mailroom: Mailroom) -> None:
    trial, person = mailroom.trial, mailroom.person(GOOGLE)
    (device,) = {one.device_id for one in mailroom.endpoints(person)}
    trial.begin(person, "baseline")
    mailroom.pause(person)
    with trial.database.writing() as session:
        journals.report(session, device, "journal", 3, 0, True, trial.clock())
    line = why(trial, person)
    assert (line.reason, line.since, line.facts.waiting) == (Hindrance.UNSYNCED, MORNING, 3)
    with trial.database.writing() as session:
        phones.sign_out(session, person.id, device, trial.clock())
    assert why(trial, person).reason is Hindrance.UNSYNCED  # they lie there all the same
    again = mailroom.phone(person)
    with trial.database.writing() as session:
        journals.report(session, again, "journal", 0, 0, True, trial.clock())
    assert why(trial, person).reason is Hindrance.PAUSED


def test_a_loss_counts_for_the_visits_that_were_open(mailroom: Mailroom) -> None:
    trial, person = mailroom.trial, mailroom.person(GOOGLE)
    (device,) = {one.device_id for one in mailroom.endpoints(person)}
    with trial.database.writing() as session:
        journals.report(session, device, "journal", 0, 4, True, trial.clock())
    line = why(trial, person)
    assert (line.reason, line.since) == (Hindrance.UNSYNCED, MORNING)
    assert (line.facts.lost, line.facts.waiting) == (4, 0)
    trial.clock.forward(hours=3)
    trial.open(person, "unscheduled", opens=timedelta(hours=-1))
    lines = {one.timepoint: one.reason for one in board_of(trial).people}
    assert lines == {"baseline": Hindrance.UNSYNCED, "unscheduled": Hindrance.NONE_KNOWN}


def test_a_questionnaire_that_was_begun(mailroom: Mailroom) -> None:
    trial, person = mailroom.trial, mailroom.person(GOOGLE)
    trial.clock.forward(hours=2)
    trial.begin(person, "baseline", "sf36v1")
    line = why(trial, person)
    assert (line.reason, line.since) == (Hindrance.HALF_ANSWERED, MORNING + timedelta(hours=2))
    assert line.status is Status.IN_PROGRESS
    assert line.instruments == (("lupusqol", Status.OPEN), ("sf36v1", Status.IN_PROGRESS))
    mailroom.pause(person)
    line = why(trial, person)
    assert (line.reason, line.since) == (Hindrance.PAUSED, MORNING + timedelta(hours=2))


def test_a_message_that_was_never_opened_and_then_was(mailroom: Mailroom) -> None:
    trial, person = mailroom.trial, mailroom.person(GOOGLE)
    assert why(trial, person).reason is Hindrance.NONE_KNOWN
    accepted = local(2026, 11, 23, 9, 1)
    mailroom.at(accepted)
    line = why(trial, person)
    assert (line.reason, line.since) == (Hindrance.NEVER_OPENED, accepted)
    assert line.facts.reachability.accepted_at == accepted
    trial.clock.forward(hours=1)
    mailroom.open_message(person)
    line = why(trial, person)
    assert (line.reason, line.since) == (Hindrance.NONE_KNOWN, None)
    assert line.facts.reachability.opened_at == accepted + timedelta(hours=1)


# --- counts and lines ---------------------------------------------------------------------------


def test_what_is_counted(trial: Trial) -> None:
    """Visits that can be answered, and assessments of what was expected."""
    done, half, _, early = (trial.enrol(f"01-00{n}") for n in range(1, 5))
    trial.complete(done, "baseline")
    trial.complete(half, "baseline", "lupusqol")
    assert board_of(trial).counts == board.Counts(3, 0, 3, 3, 8)
    trial.clock.now = CLOSES - timedelta(hours=48, seconds=1)
    assert board_of(trial).counts.closing == 0
    trial.clock.now = CLOSES - timedelta(hours=48)
    assert board_of(trial).counts.closing == 3
    trial.begin(early, "baseline")
    trial.clock.now = CLOSES
    found = board_of(trial)  # what was begun may be finished within two hours
    assert found.counts == board.Counts(1, 1, 1, 3, 8)
    (line,) = found.people
    assert (line.number, line.instruments) == ("01-004", (("lupusqol", Status.IN_PROGRESS),))
    trial.clock.forward(hours=2)
    assert board_of(trial).counts == board.Counts(0, 0, 0, 3, 8)


def test_a_visit_is_overdue_after_its_day_and_not_before(trial: Trial) -> None:
    trial.infuse(trial.enrol(on=date(2026, 11, 20)), date(2026, 11, 1))
    trial.clock.now = local(2026, 11, 27, 9)  # day 28 is due on the 29th
    found = board_of(trial)
    assert [(one.timepoint, one.due_at < trial.clock()) for one in found.people] == [
        ("day_28", False),
        ("baseline", True),
    ]
    assert (found.counts.open, found.counts.overdue) == (2, 1)


def test_whoever_has_the_least_time_left_comes_first(trial: Trial) -> None:
    later, sooner = trial.enrol("01-001"), trial.enrol("01-002", on=date(2026, 11, 14))
    trial.open(later, "unscheduled", closes=timedelta(hours=5))
    trial.open(later, "unscheduled", closes=timedelta(hours=7), occurrence=2)
    lines = board_of(trial).people
    assert [(one.number, one.timepoint, one.occurrence) for one in lines] == [
        ("01-001", "unscheduled", 1),
        ("01-001", "unscheduled", 2),
        ("01-002", "baseline", 1),
        ("01-001", "baseline", 1),
    ]
    assert [one.closes_at for one in lines] == sorted(one.closes_at for one in lines)
    assert {(one.status, len(one.instruments)) for one in lines} == {(Status.OPEN, 2)}
    assert sooner.id == lines[2].participant_id


def test_lists_are_read_in_parts_that_make_the_whole(trial: Trial) -> None:
    people = [trial.enrol(f"01-00{n}") for n in range(1, 6)]
    with trial.database.writing() as session:
        for person in people:
            enrolment.request_code(session, trial.study.id, person.number, trial.clock())
    found = board_of(trial, limit=2)
    assert (len(found.people), found.people_total, found.counts.open) == (2, 5, 5)
    assert (len(found.codes), found.codes_total) == (2, 5)
    assert (len(found.requests), found.requests_total) == (2, 5)
    site = (trial.study, None, trial.clock())
    with trial.database.reading() as session:
        parts = [board.people_to_help(session, *site, 2, offset) for offset in (0, 2, 4, 6)]
        codes = [board.unused_codes(session, trial.study, None, MORNING, 2, n) for n in (0, 2, 4)]
        asked = [board.requested_codes(session, trial.study, None, 2, n) for n in (0, 2, 4)]
    assert [len(part) for part in parts] == [2, 2, 1, 0]
    assert [one.number for part in parts for one in part] == [one.number for one in people]
    assert [one.number for part, _ in codes for one in part] == [one.number for one in people]
    assert [one.number for part, _ in asked for one in part] == [one.number for one in people]
    assert {total for _, total in (*codes, *asked)} == {5}


def test_who_takes_part_no_more_is_on_no_list(mailroom: Mailroom) -> None:
    trial = mailroom.trial
    gone, dead, there = (mailroom.person(GOOGLE) for _ in range(3))
    trial.clock.now = local(2026, 11, 30, 9)
    mailroom.tick()
    assert {one.number for one in board_of(trial).calls} == {"01-001", "01-002", "01-003"}
    trial.withdraw(gone)
    trial.record_death(dead)
    found = board_of(trial)
    assert [one.number for one in found.people] == [there.number]
    assert {one.number for one in found.calls} == {there.number}
    assert (found.calls_total, found.counts.open, found.counts.expected) == (2, 1, 2)


def test_the_list_of_calls_in_parts(mailroom: Mailroom) -> None:
    people = [mailroom.person(GOOGLE) for _ in range(3)]
    mailroom.at(local(2026, 11, 30, 9))
    found = board_of(mailroom.trial, limit=2)
    assert (len(found.calls), found.calls_total) == (2, 6)
    assert [one.number for one in found.calls] == [people[0].number] * 2
    assert found.calls[0] == mailroom.calls()[0]


# --- codes --------------------------------------------------------------------------------------


def test_codes_that_wait_have_expired_or_were_used(trial: Trial) -> None:
    waits, joins, second = (trial.enrol(f"01-00{n}") for n in range(1, 4))
    trial.join(joins)
    trial.join(second)
    trial.new_code(second)  # for another phone: nobody waits at the door
    (code,) = board_of(trial).codes
    assert (code.number, code.site, code.made_at) == (waits.number, "01", MORNING)
    assert (code.expires_at, code.expired) == (MORNING + enrolment.CODE_LIFE, False)
    trial.clock.now = code.expires_at
    assert board_of(trial).codes == (replace(code, expired=True),)
    trial.new_code(waits)
    (code,) = board_of(trial).codes
    assert (code.made_at, code.expired) == (trial.clock(), False)
    with trial.database.writing() as session:
        enrolment.issue_code(session, joins.id, KEY, trial.clock(), kind="recovery")
    assert board_of(trial).codes == (code,)
    trial.withdraw(waits)
    assert board_of(trial).codes == ()


def test_requests_for_a_code_until_one_is_made(trial: Trial) -> None:
    person = trial.enrol()
    with trial.database.writing() as session:
        enrolment.request_code(session, trial.study.id, person.number, trial.clock())
    (asked,) = board_of(trial).requests
    assert (asked.number, asked.site, asked.requested_at) == (person.number, "01", MORNING)
    trial.new_code(person)
    assert board_of(trial).requests == ()


# --- who sees whom, and at what cost ------------------------------------------------------------


def test_nobody_sees_another_site(mailroom: Mailroom) -> None:
    trial = mailroom.trial
    here, there = mailroom.person(GOOGLE), trial.enrol("02-001")
    mailroom.at(local(2026, 11, 30, 9))
    with trial.database.writing() as session:
        for person in (here, there):
            enrolment.request_code(session, trial.study.id, person.number, trial.clock())
    numbers = {"01": {here.number}, "02": {there.number}}
    for sites, seen in [
        (("01",), numbers["01"]),
        (("02",), numbers["02"]),
        ((), {*numbers["01"], *numbers["02"]}),
    ]:
        found = board_of(trial, *sites)
        assert {one.number for one in found.people} == seen
        assert {one.number for one in found.requests} == seen
        assert {one.number for one in found.calls} == seen
        assert {one.number for one in found.codes} == seen & numbers["02"]
        assert (found.counts.open, found.people_total, found.requests_total) == (len(seen),) * 3
        assert (found.calls_total, found.counts.expected) == (2 * len(seen),) * 2
    with trial.database.reading() as session:
        nothing = board.board(session, trial.study, frozenset(), trial.clock())
    assert (nothing.people, nothing.calls, nothing.codes, nothing.requests) == ((), (), (), ())
    assert nothing.counts == board.Counts(0, 0, 0, 0, 0)


def test_a_line_names_its_first_questionnaire_and_the_last_call(trial: Trial) -> None:
    person, other = trial.enrol(), trial.enrol("01-002")
    for outcome in ("no_answer", "reached"):
        with trial.database.writing() as session:
            calls.log(session, person.id, "telephone", outcome, "", None, trial.clock())
    line = why(trial, person)
    assert line.assessment == trial.assessments(person)["baseline", 1, "lupusqol"].public_id
    assert line.last is not None
    assert line.last.outcome == "reached"
    assert why(trial, other).last is None


def test_the_number_of_statements_does_not_grow(mailroom: Mailroom) -> None:
    """Twelve people ask the database no more than three, whatever there is to tell of them."""
    trial = mailroom.trial
    people = [mailroom.person(GOOGLE, email=EMAIL) for _ in range(12)]
    for person in people:
        trial.begin(person, "baseline")
    mailroom.at(local(2026, 11, 30, 9))
    with statements(trial.database) as of_twelve:
        many = board_of(trial)
    for person in people[3:]:
        trial.withdraw(person)
    with statements(trial.database) as of_three:
        few = board_of(trial)
    assert (len(many.people), len(many.calls)) == (12, 24)
    assert (len(few.people), len(few.calls)) == (3, 6)
    assert len(of_twelve) == len(of_three) <= 22
