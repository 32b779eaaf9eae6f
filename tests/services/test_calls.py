"""Calls, visits and notes: kept, told of, and shown on the list of people to call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pro_app.models import Call
from pro_app.services import calls, reachability
from pro_app.services.calls import CallError
from tests.conftest import Enrolled
from tests.services.counting import statements
from tests.services.mailroom import Mailroom
from tests.services.people import staff
from tests.services.trial import Trial, local

MYKAD = "900101-14-5678"


def log(
    trial: Trial,
    person: Enrolled,
    channel: str,
    outcome: str | None,
    text: str = "",
    by: int | None = None,
    **more: Any,
) -> Call:
    with trial.database.writing() as session:
        return calls.log(session, person.id, channel, outcome, text, by, trial.clock(), **more)


def test_calls_and_notes_newest_first(trial: Trial) -> None:
    (ana,) = staff(trial.database, "ana")
    person, other = trial.enrol(), trial.enrol("01-002")
    about = trial.assessments(person)["baseline", 1, "lupusqol"]
    log(trial, person, "telephone", "no_answer", by=ana, assessment=about.public_id)
    earlier = trial.clock() - timedelta(days=1)
    log(trial, person, "visit", "will_answer", " at the clinic ", at=earlier)
    trial.clock.forward(minutes=5)
    log(trial, person, "note", None, "prefers mornings")
    log(trial, other, "other", "declined")
    with trial.database.reading() as session:
        rows = calls.of_participant(session, person.id)
    told = [(one.channel, one.outcome, one.text, one.staff_id, one.assessment_id) for one in rows]
    assert told == [
        ("note", None, "prefers mornings", None, None),
        ("telephone", "no_answer", "", ana, about.id),
        ("visit", "will_answer", "at the clinic", None, None),
    ]  # fmt: skip
    assert rows[2].at == earlier
    entries = trial.entries(person, "log_call")
    assert [(one.actor, one.object, one.new) for one in entries] == [
        (f"staff/{ana}", f"assessment/{about.public_id}", "no_answer"),
        ("site", "participant", "will_answer"),
        ("site", "participant", None),
    ]
    assert "mornings" not in str([one.detail for one in entries])
    assert trial.faults() == []


def test_the_same_pressed_twice_is_one_call(trial: Trial) -> None:
    ana, ben = staff(trial.database, "ana", "ben")
    person, other = trial.enrol(), trial.enrol("01-002")
    about = trial.assessments(person)["baseline", 1, "lupusqol"].public_id
    first = log(trial, person, "telephone", "no_answer", by=ana)
    trial.clock.forward(seconds=59)
    assert log(trial, person, "telephone", "no_answer", by=ana).id == first.id
    others: list[tuple[Enrolled, str, str | None, str, int | None, dict[str, Any]]] = [
        (person, "telephone", "no_answer", "", ben, {}),
        (person, "telephone", "no_answer", "", None, {}),
        (person, "telephone", "reached", "", ana, {}),
        (person, "other", "no_answer", "", ana, {}),
        (person, "telephone", "no_answer", "rang out", ana, {}),
        (person, "telephone", "no_answer", "", ana, {"assessment": about}),
        (other, "telephone", "no_answer", "", ana, {}),
        (person, "note", None, "rang out", ana, {}),
    ]
    rows = {log(trial, *one[:4], by=one[4], **one[5]).id for one in others}
    assert len(rows - {first.id}) == len(others), "somebody else's, or another one"
    trial.clock.forward(minutes=1, seconds=2)
    again = log(trial, person, "telephone", "no_answer", by=ana)
    assert again.id not in rows | {first.id}, "a second try"
    assert len(trial.entries(person, "log_call")) == len(others) + 1
    assert trial.faults() == []


def test_an_earlier_moment_entered_twice_is_one_call(trial: Trial) -> None:
    person = trial.enrol()
    at = trial.clock() - timedelta(days=1)
    first = log(trial, person, "visit", "reached", at=at)
    trial.clock.forward(minutes=5)
    assert log(trial, person, "visit", "reached", at=at).id == first.id
    earlier = log(trial, person, "visit", "reached", at=at - timedelta(seconds=30))
    assert earlier.id != first.id, "another moment that somebody named"


@pytest.mark.parametrize(
    ("channel", "outcome", "text", "more", "reason"),
    [
        ("pigeon", "reached", "", {}, "must be one of telephone, visit, other, note"),
        ("telephone", None, "", {}, "must be one of reached, no_answer"),
        ("telephone", "asleep", "", {}, "must be one of reached, no_answer"),
        ("note", "reached", "x", {}, "a text and no outcome"),
        ("note", None, " ", {}, "a text and no outcome"),
        ("visit", "reached", f"her number is {MYKAD}", {}, "national identity"),
        ("visit", "reached", "x" * 2001, {}, "more than 2000"),
        ("visit", "reached", "", {"assessment": "nothing"}, "no such questionnaire"),
        ("visit", "reached", "", {"at": local(2026, 11, 24, 9)}, "lies in the future"),
    ],
)
def test_a_call_that_cannot_be(
    trial: Trial, channel: str, outcome: str | None, text: str, more: dict[str, Any], reason: str
) -> None:
    person = trial.enrol()
    with pytest.raises(CallError, match=reason):
        log(trial, person, channel, outcome, text, **more)
    assert trial.entries(person, "log_call") == []


def test_a_call_is_not_about_somebody_elses_questionnaire(trial: Trial) -> None:
    person, other = trial.enrol(), trial.enrol("01-002")
    theirs = trial.assessments(other)["baseline", 1, "lupusqol"].public_id
    with pytest.raises(CallError, match="no such questionnaire"):
        log(trial, person, "telephone", "reached", assessment=theirs)


def test_the_list_of_people_to_call_shows_the_last_call(trial: Trial) -> None:
    """Also one of before it was on the list; a later note is no call."""
    mailroom = Mailroom(trial)
    person, other = mailroom.person(), mailroom.person()
    mailroom.at(local(2026, 11, 30, 12))  # half way through the window
    log(trial, person, "telephone", "no_answer", at=trial.clock() - timedelta(hours=3))
    log(trial, person, "telephone", "message_left")
    log(trial, person, "note", None, "the son answered")
    found = {(one.number, one.last and one.last.outcome) for one in mailroom.calls()}
    assert found == {(person.number, "message_left"), (other.number, None)}


@pytest.mark.parametrize("outcome", calls.SETTLED)
def test_who_was_spoken_with_is_no_more_on_the_list(trial: Trial, outcome: str) -> None:
    """Of all that waits, whatever the call was about; and of nobody else."""
    mailroom = Mailroom(trial)
    person, other = mailroom.person(), mailroom.person()
    mailroom.at(local(2026, 11, 30, 12))
    about = trial.assessments(person)["baseline", 1, "lupusqol"]
    listed = {(one.number, one.instrument): one.assessment for one in mailroom.calls()}
    assert listed[person.number, "lupusqol"] == about.public_id
    assert {number for number, _ in listed} == {person.number, other.number}
    log(trial, person, "telephone", outcome, assessment=about.public_id)
    assert {one.number for one in mailroom.calls()} == {other.number}
    with trial.database.reading() as session:
        found, total = reachability.counted_calls(session, trial.study, trial.clock(), None, 1)
    assert (len(found), total) == (1, len(mailroom.calls()))


@pytest.mark.parametrize(
    ("channel", "outcome", "hours"),
    [
        ("telephone", "no_answer", 0),
        ("telephone", "wrong_number", 0),
        ("telephone", "message_left", 0),
        ("note", None, 0),
        ("visit", "reached", 24),  # before the reminders had led to nothing
    ],
)
def test_who_was_not_spoken_with_since_stays_on_the_list(
    trial: Trial, channel: str, outcome: str | None, hours: int
) -> None:
    mailroom = Mailroom(trial)
    person = mailroom.person()
    mailroom.at(local(2026, 11, 30, 12))
    before = trial.clock() - timedelta(hours=hours)
    log(trial, person, channel, outcome, "told", at=before)
    assert {one.number for one in mailroom.calls()} == {person.number}


def test_the_last_call_of_each_by_the_moment_of_the_call(trial: Trial) -> None:
    """Not by when it was entered; of two at one moment the one that was entered last."""
    person, other, silent = (trial.enrol(f"01-00{n}") for n in (1, 2, 3))
    now = trial.clock()
    log(trial, person, "telephone", "reached")
    log(trial, person, "telephone", "no_answer", at=now - timedelta(hours=1))
    log(trial, person, "note", None, "later")
    log(trial, other, "telephone", "no_answer")
    log(trial, other, "visit", "declined")
    with statements(trial.database) as asked, trial.database.reading() as session:
        found = calls.last_of(session, [person.id, other.id, silent.id])
    assert {one: row.outcome for one, row in found.items()} == {
        person.id: "reached", other.id: "declined",
    }  # fmt: skip
    assert len([one for one in asked if "FROM call" in one]) == 1


@pytest.mark.parametrize(
    ("channel", "outcome", "text", "code"),
    [
        ("pigeon", "reached", "", "channel"),
        ("telephone", None, "", "outcome"),
        ("note", None, "", "note"),
        ("note", None, MYKAD, "identity"),
        ("note", None, "x" * 2001, "text_long"),
    ],
)
def test_a_refusal_has_a_code(
    trial: Trial, channel: str, outcome: str | None, text: str, code: str
) -> None:
    with pytest.raises(CallError) as refused:
        log(trial, trial.enrol(), channel, outcome, text)
    assert refused.value.code == code
