"""What became of each reminder, and what the calendar adds to the table of assessments."""

from __future__ import annotations

from datetime import date, timedelta

from pro_app.services import enrolment, sending
from tests.services.table_rows import one, rows
from tests.services.trial import Trial, office, subscribe


def test_each_reminder_is_a_row_with_what_became_of_it(trial: Trial) -> None:
    person = trial.enrol()
    subscribe(trial, person, trial.join(person))
    trial.clock.forward(days=1)
    trial.plan()
    sending.drain(office(trial))
    log = rows(trial, "reminders")
    opening = one(log, timepoint="baseline", instrument="lupusqol", step="opening", channel="push")
    assert (opening["state"], opening["participant"]) == ("sent", "01-001")
    assert opening["sent_at"] == trial.clock()
    assert opening["opened_at"] is None
    both = {row["message"] for row in log if row["step"] == "opening"}
    assert len(both) == 1, "one message told of both questionnaires"
    assert len(log) == len(trial.reminders())
    assert not any("fcm" in str(cell) or "@" in str(cell) for row in log for cell in row.values())


def test_the_distance_from_the_calendar_is_told(trial: Trial) -> None:
    zone = trial.study.definition.zone
    person = trial.enrol()
    trial.infuse(person, date(2026, 11, 25))
    trial.clock.forward(days=31)  # 24 December: day 28 is the 23rd
    trial.complete(person, "day_28", "lupusqol")
    trial.infuse(person, date(2026, 11, 24))  # corrected afterwards
    found = rows(trial, "assessments", timepoints=frozenset({"day_28"}))
    done = one(found, instrument="lupusqol")
    assert (done["calendar_due"], done["days_off"]) == (date(2026, 12, 22), 2)
    due = done["due_at"].astimezone(zone).date()
    assert due == date(2026, 12, 23), "the window it was answered in stays"
    open_one = one(found, instrument="sf36v1")
    assert open_one["due_at"].astimezone(zone).date() == date(2026, 12, 22)
    assert open_one["days_off"] is None


def test_why_nothing_is_expected_is_told(trial: Trial) -> None:
    person = trial.enrol()
    trial.infuse(person, date(2026, 11, 30))
    trial.infuse(person, None)
    trial.clock.forward(hours=1)
    with trial.database.writing() as session:
        enrolment.withdraw(session, person.id, trial.clock() + timedelta(minutes=1))
    found = rows(trial, "assessments", instruments=frozenset({"sf36v1"}))
    assert one(found, timepoint="month_3")["not_expected_reason"] == "cancelled"
    assert one(found, timepoint="baseline")["not_expected_reason"] == "withdrawn"
