"""Calls, visits and notes: kept, told of, and shown on the list of people to call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pro_app.models import Call
from pro_app.services import calls
from pro_app.services.calls import CallError
from tests.conftest import Enrolled
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
