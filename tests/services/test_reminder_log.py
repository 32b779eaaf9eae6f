"""The log of reminders as a file; and what the calendar adds to the other exports."""

from __future__ import annotations

from datetime import date, timedelta

from pro_app.services import enrolment, sending
from tests.services.test_export import codebook, exported
from tests.services.trial import Trial, office, subscribe


def test_each_reminder_is_a_row_with_what_became_of_it(trial: Trial) -> None:
    person = trial.enrol()
    subscribe(trial, person, trial.join(person))
    trial.clock.forward(days=1)
    trial.plan()
    sending.drain(office(trial))
    log = exported(trial, "reminders")
    opening = log.row(timepoint="baseline", instrument="lupusqol", step="opening", channel="push")
    assert (opening["state"], opening["participant"]) == ("sent", "01-001")
    assert opening["sent_at"].endswith("+08:00")
    assert opening["opened_at"] == ""
    both = {row["message"] for row in log.rows if row["step"] == "opening"}
    assert len(both) == 1, "one message told of both questionnaires"
    assert len(log.rows) == len(trial.reminders())
    assert not any("fcm" in cell or "@" in cell for row in log.rows for cell in row.values())


def test_every_column_of_the_log_is_explained(trial: Trial) -> None:
    assert [line["column"] for line in codebook(trial, "reminders")] == exported(
        trial, "reminders"
    ).columns


def test_the_distance_from_the_calendar_is_exported(trial: Trial) -> None:
    person = trial.enrol()
    trial.infuse(person, date(2026, 11, 25))
    trial.clock.forward(days=31)  # 24 December: day 28 is the 23rd
    trial.complete(person, "day_28", "lupusqol")
    trial.infuse(person, date(2026, 11, 24))  # corrected afterwards
    rows = exported(trial)
    done = rows.row(timepoint="day_28", instrument="lupusqol")
    assert (done["calendar_due"], done["days_off"]) == ("2026-12-22", "2")
    assert done["due_at"].startswith("2026-12-23"), "the window it was answered in stays"
    open_one = rows.row(timepoint="day_28", instrument="sf36v1")
    assert (open_one["due_at"][:10], open_one["days_off"]) == ("2026-12-22", "")


def test_why_nothing_is_expected_is_exported(trial: Trial) -> None:
    person = trial.enrol()
    trial.infuse(person, date(2026, 11, 30))
    trial.infuse(person, None)
    trial.clock.forward(hours=1)
    with trial.database.writing() as session:
        enrolment.withdraw(session, person.id, trial.clock() + timedelta(minutes=1))
    rows = exported(trial)
    assert rows.row(timepoint="month_3", instrument="sf36v1")["not_expected_reason"] == "cancelled"
    assert rows.row(timepoint="baseline", instrument="sf36v1")["not_expected_reason"] == (
        "withdrawn"
    )
