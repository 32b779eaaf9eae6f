"""Alerts on answers: raised with the submission, acknowledged, escalated; by default nothing."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
import sqlalchemy as sa

from pro_app.models import Alarm, AlertLetter, AnswerAlert
from pro_app.services import alert_answers, answer_alerts, audit, transcription
from pro_app.services.alert_answers import Cause
from pro_app.services.answer_alerts import AlertError, NoteError, Whose
from pro_app.services.paper import Paper, Value
from tests.conftest import Site
from tests.services.correcting import ADMINISTRATIVE, REJECTED, hire
from tests.services.watching import (
    AS_COORDINATOR,
    EVERYTHING,
    acknowledge,
    alerts_of,
    desk_of,
    entries_of,
    letters_of,
    seen_by,
    submit,
    unwatch,
    watch,
)

ACTIONS = (
    "raise_alert", "raise_alert_again", "lift_alert", "escalate_alert", "acknowledge_alert",
    "read_answers",
)  # fmt: skip


@pytest.fixture
def watched(site: Site) -> Site:
    """The site in a study in which answers are watched, with a coordinator and an investigator."""
    watch(site)
    hire(site, "Aminah", "coordinator")
    hire(site, "Dr Tan", "investigator")
    hire(site, "Dr Far", "investigator", at="02")
    hire(site, "Researcher", "researcher", at=None)
    return site


def count(site: Site, table: type[AnswerAlert] | type[AlertLetter]) -> int:
    with site.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


# --- by default ---------------------------------------------------------------------------------


def test_by_default_nothing_is_ever_raised_or_shown(site: Site) -> None:
    hire(site, "Dr Tan", "investigator")
    answered = submit(site, first=0, pain=0)
    assert not site.study.watched
    assert count(site, AnswerAlert) == count(site, AlertLetter) == 0
    assert entries_of(site, answered.person, *ACTIONS) == []
    assert seen_by(site, EVERYTHING) == []
    assert answer_alerts.escalate(site.database, site.clock()) == 0


# --- raised -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "pain", "raised"),
    [
        (4, 4, set()),
        (2, 1, set()),
        (0, 4, {"first_answer"}),
        (1, 4, {"first_answer"}),
        (4, 0, {"pain"}),
        (0, 0, {"first_answer", "pain"}),
        ("skipped", "skipped", set()),
    ],
)
def test_a_submission_raises_what_the_protocol_says(
    watched: Site, first: int | str, pain: int | str, raised: set[str]
) -> None:
    answered = submit(watched, first=first, pain=pain)
    assert set(alerts_of(watched)) == raised
    told = entries_of(watched, answered.person, *ACTIONS)
    assert {one.new for one in told} == raised


def test_an_alert_says_by_when_and_who_is_told_and_its_entry_tells_no_answer(
    watched: Site,
) -> None:
    answered = submit(watched, first=0, pain=0)
    found = alerts_of(watched)
    first, pain = found["first_answer"], found["pain"]
    now = watched.clock()
    assert (first.raised_at, first.for_coordinators) == (now, True)
    assert (first.due_at - now).total_seconds() == 24 * 3600
    assert (pain.for_coordinators, pain.escalate_to) == (False, "coordinator")
    assert letters_of(watched) == [
        ("Aminah", "raised", "planned"),
        ("Dr Tan", "raised", "planned"),
        ("Dr Tan", "raised", "planned"),
    ]
    entry, _ = entries_of(watched, answered.person, "raise_alert")
    assert (entry.actor, entry.field, entry.old, entry.new) == (
        "system", None, None, "first_answer",
    )  # fmt: skip
    assert entry.detail == {"alert": first.public_id, "told": ["investigator", "coordinator"]}
    with watched.database.reading() as session:
        assert list(audit.verify(session)) == []


def test_submitting_twice_raises_once(watched: Site) -> None:
    answered = submit(watched, first=0)
    watched.submit(answered.assessment)
    assert count(watched, AnswerAlert) == 1
    assert len(entries_of(watched, answered.person, "raise_alert")) == 1


def test_an_interview_raises_it_too(watched: Site) -> None:
    person, interviewer = watched.enrol(), hire(watched, "Siti", "coordinator")
    assessment = watched.open(person, opens=timedelta(hours=-2))[0]
    given = Paper(watched.clock().date(), "en", time(8, 30), "note 7")
    values: dict[str, Value] = {
        one.code: 0 for one in watched.library.instruments["lupusqol"].items
    }
    with watched.database.writing() as session:
        common = (session, watched.study, watched.library)
        row = transcription.begin(
            session,
            watched.study,
            person.id,
            assessment.public_id,
            "interview",
            given,
            interviewer,
            watched.clock(),
        )
        transcription.enter(*common, row.public_id, values, interviewer, watched.clock())
        done = transcription.finish(*common, row.public_id, interviewer, watched.clock())
    assert done is not None
    assert set(alerts_of(watched)) == {"first_answer", "pain"}


def test_a_role_that_nobody_has_at_the_site_is_the_operators_alarm(site: Site) -> None:
    watch(site)
    hire(site, "Dr Far", "investigator", at="02")
    submit(site, pain=0)
    assert letters_of(site) == []
    with site.database.reading() as session:
        alarm = session.scalars(sa.select(Alarm)).one()
    assert alarm.code == "alert_untold"
    assert "site 01" in alarm.detail
    assert "investigator" in alarm.detail


def test_the_version_at_submission_decides(watched: Site) -> None:
    before = submit(watched, "01-001", first=0)
    unwatch(watched)
    submit(watched, "01-002", first=0)
    assert count(watched, AnswerAlert) == 1, "no version with rules was in force"
    assert watched.study.watched, "what was raised stays to be acknowledged"
    listed = seen_by(watched, EVERYTHING)
    assert [one.number for one in listed] == [before.person.number]
    assert listed[0].names["en"] == "The first answer"


# --- after a correction -------------------------------------------------------------------------


def test_a_correction_lifts_an_alert_which_stays_and_says_so(watched: Site) -> None:
    answered = submit(watched, first=0)
    desk = desk_of(watched, answered)
    watched.clock.forward(hours=1)
    desk.correct(item="LQ01", new="3")
    alert = alerts_of(watched)["first_answer"]
    assert alert.lifted_at == watched.clock()
    assert alert.acknowledged_at is None, "somebody is to look at it all the same"
    assert [one.new for one in entries_of(watched, answered.person, "lift_alert")] == [
        "first_answer"
    ]
    with watched.database.reading() as session:
        assert list(audit.verify(session)) == []


def test_a_correction_raises_a_new_alert(watched: Site) -> None:
    answered = submit(watched, first=4)
    desk = desk_of(watched, answered)
    desk.decide(desk.request(item="LQ01", new="0"), REJECTED)
    assert alerts_of(watched) == {}
    desk.correct(item="LQ01", new="0")
    assert alerts_of(watched)["first_answer"].raised_at == watched.clock()


def test_what_is_corrected_there_and_back_waits_anew_unless_somebody_saw_it(watched: Site) -> None:
    answered = submit(watched, first=0)
    desk = desk_of(watched, answered)
    desk.correct(item="LQ01", new="3")
    watched.clock.forward(hours=30)
    answer_alerts.escalate(watched.database, watched.clock())
    desk.correct(item="LQ01", new="1")
    alert = alerts_of(watched)["first_answer"]
    assert (alert.lifted_at, alert.escalated_at) == (None, None)
    assert alert.raised_at == watched.clock() < alert.due_at
    assert letters_of(watched)[-1][1] == "raised"
    acknowledge(watched, answered, "first_answer", desk.investigator)
    before = letters_of(watched)
    desk.correct(item="LQ01", new="4")
    desk.correct(item="LQ01", new="0")
    again = alerts_of(watched)["first_answer"]
    assert again.acknowledged_at == alert.raised_at
    assert letters_of(watched) == before
    assert len(entries_of(watched, answered.person, "raise_alert_again")) == 2


def test_a_correction_of_another_answer_changes_no_alert(watched: Site) -> None:
    answered = submit(watched, first=0)
    before = alerts_of(watched)["first_answer"]
    desk_of(watched, answered).correct(item="LQ30", new="1")
    after = alerts_of(watched)["first_answer"]
    assert (after.raised_at, after.lifted_at) == (before.raised_at, None)
    assert entries_of(watched, answered.person, "lift_alert", "raise_alert_again") == []


def test_an_alert_says_when_its_questionnaire_turns_out_to_belong_elsewhere(
    watched: Site,
) -> None:
    answered = submit(watched, first=0)
    assert not seen_by(watched, EVERYTHING)[0].misplaced
    desk = desk_of(watched, answered)
    request = desk.request(ADMINISTRATIVE, kind="wrong_participant", new="void")
    assert not seen_by(watched, EVERYTHING)[0].misplaced, "nobody has decided"
    desk.decide(request)
    found = seen_by(watched, EVERYTHING)[0]
    assert found.misplaced
    assert found.acknowledged_at is None


def test_a_correction_goes_by_the_version_that_the_submission_was_made_under(
    watched: Site,
) -> None:
    answered = submit(watched, first=4)
    unwatch(watched)
    desk_of(watched, answered).correct(item="LQ01", new="0")
    assert set(alerts_of(watched)) == {"first_answer"}


# --- escalated ----------------------------------------------------------------------------------


def test_what_nobody_acknowledges_in_time_is_escalated_once(watched: Site) -> None:
    answered = submit(watched, pain=0)
    watched.clock.forward(hours=47, minutes=59)
    assert answer_alerts.escalate(watched.database, watched.clock()) == 0
    watched.clock.forward(minutes=1)
    assert seen_by(watched, AS_COORDINATOR) == [], "coordinators are not told yet"
    assert answer_alerts.escalate(watched.database, watched.clock()) == 1
    assert answer_alerts.escalate(watched.database, watched.clock()) == 0
    assert letters_of(watched) == [
        ("Dr Tan", "raised", "planned"),
        ("Aminah", "escalated", "planned"),
    ]
    (listed,) = seen_by(watched, AS_COORDINATOR)
    assert listed.escalated_at == watched.clock()
    (entry,) = entries_of(watched, answered.person, "escalate_alert")
    assert (entry.actor, entry.new, entry.detail["told"]) == ("system", "pain", ["coordinator"])
    with watched.database.reading() as session:
        assert list(audit.verify(session)) == []


def test_what_was_acknowledged_is_not_escalated(watched: Site) -> None:
    answered = submit(watched, pain=0)
    acknowledge(watched, answered, "pain", hire(watched, "Dr Devi", "investigator"))
    watched.clock.forward(hours=100)
    assert answer_alerts.escalate(watched.database, watched.clock()) == 0


# --- acknowledged -------------------------------------------------------------------------------


def test_who_has_seen_it_when_and_what_was_done_is_on_record(watched: Site) -> None:
    answered = submit(watched, first=0)
    coordinator = hire(watched, "Siti", "coordinator")
    watched.clock.forward(hours=2)
    acknowledge(watched, answered, "first_answer", coordinator, "  Called, comes tomorrow ")
    (listed,) = seen_by(watched, EVERYTHING)
    assert listed.acknowledged_by == "Siti"
    assert listed.acknowledged_at == watched.clock()
    assert listed.note == "Called, comes tomorrow"
    (entry,) = entries_of(watched, answered.person, "acknowledge_alert")
    assert entry.actor == f"staff/{coordinator}"
    assert "tomorrow" not in str(entry.detail), "free text is not for the trail"
    with watched.database.reading() as session:
        assert answer_alerts.waiting(session, watched.study, EVERYTHING) == 0


@pytest.mark.parametrize("note", ["", "   ", "x" * 2001, "IC 900101-14-5678", "900101145678"])
def test_a_note_is_needed_and_holds_no_identity_number(watched: Site, note: str) -> None:
    answered = submit(watched, first=0)
    with pytest.raises(NoteError):
        acknowledge(watched, answered, "first_answer", hire(watched, "Siti", "coordinator"), note)
    assert alerts_of(watched)["first_answer"].acknowledged_at is None


def test_the_second_to_acknowledge_changes_nothing(watched: Site) -> None:
    answered = submit(watched, first=0)
    acknowledge(watched, answered, "first_answer", hire(watched, "Siti", "coordinator"))
    with pytest.raises(AlertError, match="somebody has acknowledged"):
        acknowledge(watched, answered, "first_answer", hire(watched, "Dr Devi", "investigator"))
    assert seen_by(watched, EVERYTHING)[0].acknowledged_by == "Siti"


@pytest.mark.parametrize(
    ("rule", "role", "at", "may"),
    [
        ("first_answer", "coordinator", "01", True),
        ("first_answer", "coordinator", None, True),
        ("first_answer", "coordinator", "02", False),
        ("first_answer", "investigator", "02", False),
        ("first_answer", "researcher", "01", False),
        ("first_answer", "administrator", None, False),
        ("pain", "investigator", "01", True),
        ("pain", "coordinator", "01", False),
    ],
)
def test_only_who_is_told_of_it_acknowledges_it(
    watched: Site, rule: str, role: str, at: str | None, may: bool
) -> None:
    answered = submit(watched, first=0, pain=0)
    person = hire(watched, "Somebody", role, at=at)
    if may:
        acknowledge(watched, answered, rule, person)
    else:
        with pytest.raises(AlertError):
            acknowledge(watched, answered, rule, person)
    assert (alerts_of(watched)[rule].acknowledged_at is not None) is may


def test_another_participants_alert_is_not_there(watched: Site) -> None:
    submit(watched, "01-001", first=0)
    other = submit(watched, "01-002")
    with pytest.raises(AlertError, match="no such alert"):
        acknowledge(watched, other, "first_answer", hire(watched, "Siti", "coordinator"))


# --- seen ---------------------------------------------------------------------------------------


def test_each_reader_sees_the_own_sites_and_coordinators_only_what_they_are_told(
    watched: Site,
) -> None:
    submit(watched, "01-001", first=0, pain=0)
    with watched.database.reading() as session:
        here = session.scalar(sa.text("SELECT id FROM site WHERE code = '01'"))
        there = session.scalar(sa.text("SELECT id FROM site WHERE code = '02'"))
    assert here is not None
    assert there is not None
    nowhere: frozenset[int] = frozenset()
    both = {"first_answer", "pain"}
    for whose, rules in (
        (EVERYTHING, both),
        (Whose(frozenset({here}), nowhere), both),
        (Whose(nowhere, frozenset({here})), {"first_answer"}),
        (Whose(frozenset({there}), frozenset({there})), set()),
        (Whose(frozenset({there}), frozenset({here})), {"first_answer"}),
        (Whose(nowhere, nowhere), set()),
    ):
        assert {one.rule for one in seen_by(watched, whose)} == rules
        with watched.database.reading() as session:
            assert answer_alerts.waiting(session, watched.study, whose) == len(rules)


def test_what_waits_longest_comes_first_and_what_is_done_last(watched: Site) -> None:
    people = []
    for n in (1, 2, 3):
        people.append(submit(watched, f"01-00{n}", pain=0))
        watched.clock.forward(hours=1)
    coordinator = hire(watched, "Dr Devi", "investigator")
    with watched.database.writing() as session:
        row = session.scalars(sa.select(AnswerAlert).order_by(AnswerAlert.id)).first()
        assert row is not None
        answer_alerts.acknowledge(
            session, people[0].person.id, row.public_id, "Called", coordinator, watched.clock()
        )
    assert [one.number for one in seen_by(watched, EVERYTHING)] == ["01-002", "01-003", "01-001"]
    with watched.database.reading() as session:
        mine = answer_alerts.listed(
            session, watched.study, watched.library, EVERYTHING, people[1].person.id
        )
    assert [one.number for one in mine] == ["01-002"]


def test_reading_what_raised_an_alert_is_on_record(watched: Site) -> None:
    answered = submit(watched, first=0, pain=0)
    found = alerts_of(watched)
    desk_of(watched, answered).correct(item="LQ01", new="3")
    with watched.database.writing() as session:
        causes = alert_answers.read(
            session, watched.study, watched.library, answered.person.id, "staff/7",
            watched.clock(),
        )  # fmt: skip
    assert causes == {
        found["first_answer"].public_id: Cause("lupusqol", 0, 3, item="LQ01"),
        found["pain"].public_id: Cause(
            "lupusqol", 0.0, 0.0, scoring="lupusqol", scale="LQPAIN", below=25.0
        ),
    }
    (entry,) = entries_of(watched, answered.person, "read_answers")
    assert entry.actor == "staff/7"
    assert entry.detail == {"alerts": [one.public_id for one in found.values()]}


def test_where_there_is_nothing_to_read_nothing_is_put_on_record(watched: Site) -> None:
    answered = submit(watched)
    with watched.database.writing() as session:
        causes = alert_answers.read(
            session, watched.study, watched.library, answered.person.id, "staff/7",
            watched.clock(),
        )  # fmt: skip
    assert causes == {}
    assert entries_of(watched, answered.person, "read_answers") == []
