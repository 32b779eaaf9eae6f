"""Who did it, the consent, the kinds of withdrawal, and pauses that end by themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.core.library import Library
from pro_app.core.schedule import LocalDay, Window
from pro_app.models import Database, Device, Participant
from pro_app.services import (
    assessments,
    consents,
    enrolment,
    passkeys,
    phones,
    reach,
    reachability,
    reminders,
    schedule,
    timeline,
)
from pro_app.services.consents import Consent, ConsentError
from pro_app.services.enrolment import EnrolmentError
from pro_app.services.reminders import PauseError
from tests.conftest import KEY, Enrolled, TestClock
from tests.services.mailroom import Mailroom
from tests.services.trial import ZONE, Trial, load_trial, local, office, set_email

WHO = "staff/7"
MYKAD = "900101-14-5678"
TODAY = date(2026, 11, 23)

Act = Callable[[Session, Trial, Enrolled], Any]
VERBS: dict[str, tuple[str, Act]] = {
    "anchor": (
        "set_anchor",
        lambda s, t, p: schedule.set_anchor(
            s, t.study, t.library.instruments, p.id, "infusion", TODAY, t.clock(), WHO
        ),
    ),
    "open": (
        "open_assessment",
        lambda s, t, p: assessments.open_timepoint(
            s, t.study, p.id, "unscheduled",
            Window(t.clock(), t.clock(), t.clock() + timedelta(days=1)), t.clock(), actor=WHO,
        ),
    ),
    "pause": (
        "pause_reminders", lambda s, t, p: reminders.pause(s, p.id, t.clock(), actor=WHO)
    ),
    "withdraw": ("withdraw", lambda s, t, p: enrolment.withdraw(s, p.id, t.clock(), WHO)),
    "death": ("record_death", lambda s, t, p: enrolment.record_death(s, p.id, t.clock(), WHO)),
    "code": (
        "issue_code",
        lambda s, t, p: enrolment.issue_code(s, p.id, KEY, t.clock(), actor=WHO),
    ),
    "email": (
        "set_email",
        lambda s, t, p: reach.set_email(s, office(t), p.id, None, "a@example.org", t.clock(), WHO),
    ),
    "consent": (
        "record_consent",
        lambda s, t, p: consents.record(
            s, t.study, p.id, Consent("2.0", TODAY), t.clock(), WHO
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_the_trail_names_the_person(trial: Trial, verb: str) -> None:
    person = trial.enrol()
    action, act = VERBS[verb]
    before = len(trial.entries(person, action))
    with trial.database.writing() as session:
        act(session, trial, person)
    entries = trial.entries(person, action)[before:]
    assert entries
    assert {one.actor for one in entries} == {WHO}
    assert trial.faults() == []


def test_the_trail_names_who_undid_it(trial: Trial) -> None:
    """Resuming, taking in again, and removing an address, each by somebody else."""
    person = trial.enrol()
    set_email(trial, person, "a@example.org")
    with trial.database.writing() as session:
        reminders.pause(session, person.id, trial.clock(), actor=WHO)
        reminders.resume(session, trial.study, person.id, trial.clock(), "staff/8")
        reach.set_email(session, office(trial), person.id, None, "", trial.clock(), "staff/9")
        enrolment.withdraw(session, person.id, trial.clock(), WHO)
        enrolment.readmit(session, person.id, trial.clock(), "staff/10")
    actors = {
        one.action: one.actor
        for one in trial.entries(person, "resume_reminders", "remove_email", "readmit")
    }
    assert actors == {
        "resume_reminders": "staff/8", "remove_email": "staff/9", "readmit": "staff/10",
    }  # fmt: skip


def test_a_lost_phone_is_revoked_by_name(trial: Trial) -> None:
    """With `phone_lost`, and one phone alone; somebody else's phone is left alone."""
    person, other = trial.enrol(), trial.enrol("01-002")
    lost, stranger = trial.join(person), trial.join(other)
    with trial.database.writing() as session:
        phones.revoke(session, person.id, stranger, trial.clock(), WHO)
        assert session.get_one(Device, stranger).revoked_at is None
        phones.revoke(session, person.id, lost, trial.clock(), WHO)
        phones.revoke(session, person.id, lost, trial.clock(), "staff/8")
        assert session.get_one(Device, lost).revoked_at == trial.clock()
        enrolment.issue_code(session, other.id, KEY, trial.clock(), phone_lost=True, actor=WHO)
    assert [one.actor for one in trial.entries(person, "revoke_device")] == [WHO]
    assert [one.actor for one in trial.entries(other, "revoke_device")] == [WHO]
    with trial.database.reading() as session:
        assert passkeys.revoke(session, person.id, trial.clock(), WHO) == 0


# --- consent ------------------------------------------------------------------------------------


def live(database: Database, library: Library, clock: TestClock) -> Trial:
    return load_trial(database, library, clock, lambda content: content.update(status="live"))


def add(
    trial: Trial, consent: Consent | None, number: str = "01-009", is_test: bool = False
) -> Participant:
    with trial.database.writing() as session:
        return enrolment.add_participant(
            session, trial.study, "01", number, "en", trial.clock(), consent=consent, actor=WHO,
            is_test=is_test,
        )  # fmt: skip


def test_a_live_study_enrols_nobody_without_consent(
    database: Database, library: Library, clock: TestClock
) -> None:
    trial = live(database, library, clock)
    with pytest.raises(EnrolmentError, match="needs the version and the day of the consent"):
        add(trial, None)
    found = add(trial, Consent("1.2", TODAY))
    assert (found.consent_version, found.consent_on) == ("1.2", TODAY)
    entry = trial.entries(Enrolled(found.id, "", "", ""), "enrol")[0]
    assert (entry.actor, entry.detail["consent"]) == (WHO, "1.2 of 2026-11-23")


def test_where_no_consent_is_needed_the_trail_says_that_there_is_none(trial: Trial) -> None:
    entry = trial.entries(trial.enrol(), "enrol")[0]
    assert (entry.actor, entry.detail["consent"]) == ("site", "not recorded")


def test_nobody_gets_a_code_in_a_live_study_without_consent(
    database: Database, library: Library, clock: TestClock
) -> None:
    """Who had withdrawn from the study; a test needs none."""
    trial = live(database, library, clock)
    person = Enrolled(add(trial, Consent("1", TODAY)).id, "01-009", "", "")
    test = Enrolled(add(trial, None, "01-010", is_test=True).id, "01-010", "", "")
    assert trial.new_code(test)
    for _ in range(2):
        with trial.database.writing() as session:
            consents.record(session, trial.study, person.id, Consent("1", TODAY), clock())
        trial.new_code(person)
        trial.withdraw(person)
        trial.readmit(person)
        with pytest.raises(EnrolmentError, match="has no consent on record"):
            trial.new_code(person)


@pytest.mark.parametrize(
    ("consent", "reason"),
    [
        (Consent("1", TODAY + timedelta(days=1)), "lies in the future"),
        (Consent("", TODAY), "1 to 40 characters"),
        (Consent(" 1", TODAY), "1 to 40 characters"),
        (Consent("1" * 41, TODAY), "1 to 40 characters"),
        (Consent(MYKAD, TODAY), "national identity"),
        (Consent("1", date(1066, 10, 14)), "not a day of a study"),
    ],
)
def test_an_impossible_consent_is_refused(trial: Trial, consent: Consent, reason: str) -> None:
    with pytest.raises(EnrolmentError, match=reason):
        add(trial, consent)
    person = trial.enrol()
    with (
        pytest.raises(ConsentError, match=reason),
        trial.database.writing() as session,
    ):
        consents.record(session, trial.study, person.id, consent, trial.clock())
    assert trial.row(person).consent_version is None


def test_a_newer_consent_is_on_record_with_the_one_before(trial: Trial) -> None:
    person = trial.enrol()
    for version in ("1", "2", "2"):
        with trial.database.writing() as session:
            given = Consent(version, TODAY)
            consents.record(session, trial.study, person.id, given, trial.clock(), WHO)
    told = [(one.old, one.new) for one in trial.entries(person, "record_consent")]
    assert told == [(None, "1 of 2026-11-23"), ("1 of 2026-11-23", "2 of 2026-11-23")]


def test_a_site_has_study_numbers_of_its_own(
    database: Database, library: Library, clock: TestClock
) -> None:
    def own(content: dict[str, Any]) -> None:
        content["sites"][0]["number_pattern"] = "01-[0-4][0-9]{2}"

    trial = load_trial(database, library, clock, own)
    trial.enrol("01-499")
    trial.enrol("02-999")
    with pytest.raises(EnrolmentError, match=r"does not fit the pattern 01-\[0-4\]"):
        trial.enrol("01-500")


# --- withdrawal ---------------------------------------------------------------------------------


def test_who_withdraws_from_questionnaires_stays_in_the_study(trial: Trial) -> None:
    """Nothing is sent or expected any more, but the day of the infusion can still be known."""
    person = trial.enrol()
    trial.join(person)
    set_email(trial, person, "a@example.org")
    trial.plan()
    assert trial.reminders(person, "planned")
    with trial.database.writing() as session:
        enrolment.withdraw(
            session, person.id, trial.clock(), WHO, scope="questionnaires", reason=" too many "
        )
    assert trial.reminders(person, "planned") == []
    row = trial.row(person)
    assert (row.withdrew_from, row.withdrawal_reason) == ("questionnaires", "too many")
    trial.infuse(person, TODAY + timedelta(days=3))
    trial.plan()
    assert trial.reminders(person, "planned") == []
    assert {state for state, _ in trial.statuses(person).values()} == {Status.NOT_EXPECTED}
    with pytest.raises(EnrolmentError, match="has withdrawn"):
        trial.new_code(person)
    entry = trial.entries(person, "withdraw")[0]
    assert (entry.new, entry.detail["reason"]) == ("questionnaires", "too many")


def test_from_questionnaires_and_later_from_the_study(trial: Trial) -> None:
    person = trial.enrol()
    first = trial.clock()
    with trial.database.writing() as session:
        enrolment.withdraw(session, person.id, first, scope="questionnaires")
    trial.clock.forward(days=3)
    with trial.database.writing() as session:
        enrolment.withdraw(session, person.id, trial.clock())
        enrolment.withdraw(session, person.id, trial.clock(), scope="questionnaires")  # no way back
    row = trial.row(person)
    assert (row.withdrew_from, row.withdrawn_at) == ("study", first)
    told = [(one.old, one.new) for one in trial.entries(person, "withdraw")]
    assert told == [(None, "questionnaires"), ("questionnaires", "study")]
    with pytest.raises(schedule.ScheduleError, match="has withdrawn"):
        trial.infuse(person, TODAY)
    trial.readmit(person)
    row = trial.row(person)
    assert (row.withdrew_from, row.withdrawal_reason, row.withdrawn_at) == (None, None, None)


def test_a_withdrawal_entered_later_counts_from_its_day(trial: Trial) -> None:
    """What closed after that day was not expected, and so not missed."""
    person = trial.enrol()
    trial.clock.forward(days=20)  # the start's window closed on 6 December
    assert {reason for _, reason in trial.statuses(person).values()} == {"not_started"}
    with trial.database.writing() as session:
        day = LocalDay(date(2026, 12, 1), ZONE)
        enrolment.withdraw(session, person.id, trial.clock(), on=day)
    assert trial.row(person).withdrawn_at == local(2026, 12, 1, 0)
    assert {reason for _, reason in trial.statuses(person).values()} == {"withdrawn"}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"scope": "life"}, "one withdraws from study or questionnaires"),
        ({"reason": f"moved, {MYKAD}"}, "national identity"),
        ({"reason": "x" * 501}, "more than 500"),
        ({"on": LocalDay(TODAY + timedelta(days=1), ZONE)}, "future"),
        ({"on": LocalDay(TODAY - timedelta(days=1), ZONE)}, "before enrolment"),
    ],
)
def test_a_withdrawal_that_cannot_be(trial: Trial, how: dict[str, Any], reason: str) -> None:
    person = trial.enrol()
    with pytest.raises(EnrolmentError, match=reason), trial.database.writing() as session:
        enrolment.withdraw(session, person.id, trial.clock(), **how)
    assert trial.row(person).withdrawn_at is None
    assert trial.entries(person, "withdraw") == []


def test_the_day_of_death_may_be_earlier(trial: Trial) -> None:
    person = trial.enrol()
    trial.clock.forward(days=5)
    with trial.database.writing() as session:
        day = LocalDay(date(2026, 11, 25), ZONE)
        enrolment.record_death(session, person.id, trial.clock(), WHO, on=day)
    assert trial.row(person).died_at == local(2026, 11, 25, 0)


# --- pauses -------------------------------------------------------------------------------------


def paused(trial: Trial, person: Enrolled, until: date | None, reason: str | None = None) -> None:
    with trial.database.writing() as session:
        day = None if until is None else LocalDay(until, ZONE)
        reminders.pause(session, person.id, trial.clock(), reason=reason, until=day, actor=WHO)


def test_a_pause_ends_by_itself(trial: Trial) -> None:
    """Nothing is planned for before its end; nobody need do anything for what comes after."""
    mailroom = Mailroom(trial)
    person = mailroom.person("fcm.googleapis.com")
    paused(trial, person, date(2026, 11, 28), "hospital")
    trial.plan()
    planned = trial.reminders(person, "planned")
    assert planned
    assert min(one.due_at for one in planned) >= local(2026, 11, 28, 0)
    with trial.database.reading() as session:
        found = reachability.reachability(session, person.id, trial.clock())
        assert (found.paused, found.paused_until) == (True, local(2026, 11, 28, 0))
        told = timeline.timeline(session, trial.study, trial.row(person), trial.clock())
        assert (told.paused, told.paused_until) == (True, local(2026, 11, 28, 0))
    assert mailroom.at(local(2026, 11, 27, 23, 59)).sent == 0
    assert mailroom.at(local(2026, 11, 28, 9, 1)).sent > 0
    assert not mailroom.reachability(person).paused
    assert trial.faults() == []


def test_a_visit_within_a_pause_is_reminded_of_after_it(trial: Trial) -> None:
    """Also one whose reminders are planned while the pause lasts; one that closes in it never."""
    person = trial.enrol()
    trial.infuse(person, date(2026, 11, 1))  # day 28 is 29 November, open from the 26th
    paused(trial, person, date(2026, 11, 29))
    trial.clock.now = local(2026, 11, 26, 12)
    trial.plan()
    days = {one.due_at for one in trial.reminders(person, "planned")}
    assert days
    assert min(days) >= local(2026, 11, 29, 0)
    paused(trial, person, date(2027, 1, 10))
    trial.plan()
    assert trial.reminders(person, "planned") == []


def test_a_pause_can_be_changed_and_ended_by_hand(trial: Trial) -> None:
    person = trial.enrol()
    trial.plan()
    before = {(one.step, one.due_at) for one in trial.reminders(person, "planned")}
    paused(trial, person, date(2026, 11, 28), "travel")
    paused(trial, person, None, "hospital")
    trial.plan()
    assert trial.reminders(person, "planned") == []
    paused(trial, person, None, "hospital")  # nothing new
    with trial.database.writing() as session:
        reminders.resume(session, trial.study, person.id, trial.clock())
    assert {(one.step, one.due_at) for one in trial.reminders(person, "planned")} == before
    row = trial.row(person)
    assert (row.paused_at, row.paused_until, row.pause_reason) == (None, None, None)
    told = [one.detail for one in trial.entries(person, "pause_reminders")]
    assert told == [{"reason": "travel", "until": "2026-11-28"}, {"reason": "hospital"}]


def test_a_pause_that_cannot_be(trial: Trial) -> None:
    person = trial.enrol()
    with pytest.raises(PauseError, match="after today"):
        paused(trial, person, TODAY)
    with pytest.raises(PauseError, match="hospital, travel, other"):
        paused(trial, person, None, "tired")
    assert trial.row(person).paused_at is None
