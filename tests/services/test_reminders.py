"""The planner: which reminders there are, when they are due, and what becomes of planned ones."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from pro_app.core.library import Library
from pro_app.core.reminders import HOUR
from pro_app.delivery import Accepted, Outcome, Push
from pro_app.models import Assessment, Database, Participant, Reminder, Site
from pro_app.services import reachability, reminders, sending
from pro_app.services.reminders import HORIZON, Planning
from tests.conftest import MORNING, Enrolled, TestClock, snapshot
from tests.services.trial import Recorder, Trial, load_trial, local, office, subscribe, timepoint

STEPS = ("opening", "letter", "again", "call")


def table(trial: Trial) -> list[tuple[object, ...]]:
    """Every row of the table of reminders."""
    return snapshot(trial.database)["reminder"]


def due(trial: Trial, person: Enrolled, state: str = "planned") -> dict[str, datetime]:
    """When each step is due, the same for both questionnaires."""
    found = {(one.step, one.due_at) for one in trial.reminders(person, state)}
    assert len(dict(found)) == len(found)
    return dict(found)


def states(trial: Trial, person: Enrolled) -> dict[str, tuple[str, str | None]]:
    """The state and reason of each step, the same for both questionnaires."""
    found = {(one.step, (one.state, one.reason)) for one in trial.reminders(person)}
    assert len(dict(found)) == len(found)
    return dict(found)


def settle(trial: Trial, person: Enrolled, **values: Any) -> None:
    """What sending makes of steps: `settle(trial, person, opening="sent")`."""
    with trial.database.writing() as session:
        for step, state in values.items():
            session.execute(
                sa.update(Reminder)
                .where(Reminder.participant_id == person.id, Reminder.step == step)
                .values(state=state, sent_at=trial.clock() if state in {"sent", "listed"} else None)
            )


def choose_hour(trial: Trial, person: Enrolled, minute: int | None) -> None:
    with trial.database.writing() as session:
        reminders.choose_hour(
            session, trial.study, person.id, minute, "participant/device 1", trial.clock()
        )


def pause(trial: Trial, person: Enrolled) -> None:
    with trial.database.writing() as session:
        reminders.pause(session, person.id, trial.clock())


def resume(trial: Trial, person: Enrolled) -> None:
    with trial.database.writing() as session:
        reminders.resume(session, trial.study, person.id, trial.clock())


def from_the_23rd(hour: int = 9) -> dict[str, datetime]:
    """When the steps of a window are due that opens on the 23rd for two weeks."""
    days = {"opening": 23, "letter": 24, "again": 25, "call": 29}
    return {step: local(2026, 11, day, hour) for step, day in days.items()}


# --- what is planned ----------------------------------------------------------------------------


def test_the_steps_of_the_protocol_are_planned_once(trial: Trial) -> None:
    person = trial.enrol()
    assert due(trial, person) == from_the_23rd()
    assert Counter((one.step, one.channel) for one in trial.reminders(person)) == {
        ("opening", "push"): 2,
        ("letter", "email"): 2,
        ("again", "push"): 2,
        ("call", "coordinator"): 2,
    }
    assert {one.expires_at for one in trial.reminders(person)} == {local(2026, 12, 6, 23)}
    before = snapshot(trial.database)
    assert trial.plan() == Planning(0, 0)
    assert snapshot(trial.database) == before

    settle(trial, person, opening="sent", letter="failed", again="expired", call="listed")
    before = snapshot(trial.database)
    with trial.database.writing() as session:  # as if it had never been planned
        session.execute(sa.update(Assessment).values(planned_at=None))
    assert trial.plan() == Planning(0, 2)
    assert table(trial) == before["reminder"]

    first = trial.reminders(person)[0]
    names = [column.key for column in Reminder.__table__.columns if column.key != "id"]
    again = {name: getattr(first, name) for name in names}
    with trial.database.reading() as session, pytest.raises(IntegrityError):
        session.execute(sa.insert(Reminder), again)


def test_only_what_opens_soon_is_planned(trial: Trial) -> None:
    person = trial.enrol()
    trial.infuse(person, date(2026, 12, 1))
    opens = local(2026, 12, 26, 6)
    trial.clock.now = opens - HORIZON - timedelta(seconds=1)
    assert trial.plan().planned == 0
    assert len(table(trial)) == 8
    trial.clock.now = opens - HORIZON
    assert trial.plan().planned == 2
    assert len(table(trial)) == 16
    assert trial.plan().planned == 0
    trial.clock.now = local(2027, 3, 9, 0)  # the planner was down all through month 3
    assert trial.plan().planned == 2
    assert len(table(trial)) == 16


def test_the_people_of_a_large_study_are_spread_over_the_minutes(
    database: Database, library: Library, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminders, "CHUNK", 20)
    trial = load_trial(
        database, library, clock, lambda content: content["reminders"].update(spread_minutes=60)
    )
    add_people(trial, 200)
    clock.now = local(2026, 11, 23, 8, 30)
    assert trial.plan() == Planning(200, 400)
    found = trial.reminders()
    assert len(found) == 200 * 8
    assert Counter(one.participant_id for one in found).most_common()[-1][1] == 8
    opening = {one.participant_id: one.due_at for one in found if one.step == "opening"}
    minutes = Counter(opening.values())
    assert min(minutes) == local(2026, 11, 23, 9)
    assert max(minutes) == local(2026, 11, 23, 9, 59)
    assert max(minutes.values()) <= 4
    before = snapshot(database)
    assert trial.plan() == Planning(0, 0)
    assert snapshot(database) == before
    trial.enrol("01-999")
    assert trial.plan() == Planning(0, 0)
    trial.amend(lambda content: content["reminders"].update(usual="11:00"))
    assert trial.plan() == Planning(201, 402)
    found = trial.reminders()
    assert len(found) == 201 * 8
    assert min(one.due_at for one in found) == local(2026, 11, 23, 11)
    assert {one.state for one in found} == {"planned"}
    assert trial.plan() == Planning(0, 0)


def add_people(trial: Trial, count: int) -> None:
    """Many participants, whom the planner has not met yet."""
    with trial.database.writing() as session:
        site_id = session.scalar(sa.select(sa.func.min(Site.id)))
        rows = [
            {
                "study_id": trial.study.id,
                "site_id": site_id,
                "number": f"01-{n:03}",
                "language": "en",
                "created_at": trial.clock(),
            }
            for n in range(1, count + 1)
        ]
        session.execute(sa.insert(Participant), rows)


def test_two_planners_at_once_plan_everybody_once(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminders, "CHUNK", 7)
    add_people(trial, 50)
    done: list[Planning] = []
    planners = [threading.Thread(target=lambda: done.append(trial.plan())) for _ in range(2)]
    for one in planners:
        one.start()
    for one in planners:
        one.join()
    assert sum(one.followed for one in done) == 50
    assert sum(one.planned for one in done) == 100
    assert len(table(trial)) == 400
    assert trial.plan() == Planning(0, 0)
    assert trial.faults() == []


def test_a_study_may_have_no_reminders_and_get_them_later(
    database: Database, library: Library, clock: TestClock
) -> None:
    steps: dict[str, Any] = {}
    trial = load_trial(
        database, library, clock, lambda content: steps.update(content.pop("reminders"))
    )
    person = trial.enrol()
    assert trial.plan() == Planning(0, 0)
    assert table(trial) == []
    trial.clock.now = local(2026, 11, 25, 10)
    trial.amend(lambda content: content.update(reminders=steps))
    assert trial.plan() == Planning(1, 2)
    tomorrow = local(2026, 11, 26, 9)
    assert due(trial, person) == {
        "opening": tomorrow,
        "letter": tomorrow,
        "again": tomorrow,
        "call": local(2026, 11, 29, 9),
    }


# --- what moves ---------------------------------------------------------------------------------


def test_what_was_sent_for_a_window_is_not_planned_for_its_new_place(trial: Trial) -> None:
    person = trial.enrol(on=date(2026, 9, 1))
    trial.clock.now = local(2026, 11, 20, 8)
    trial.infuse(person, date(2026, 10, 26))  # day 28 opens today and closes on the 26th
    settle(trial, person, opening="sent", letter="failed", again="expired", call="listed")
    sent = [one for one in table(trial) if "sent" in one or "failed" in one]
    trial.clock.now = local(2026, 11, 25, 10)
    trial.infuse(person, date(2026, 11, 10))  # no, on 5 December
    assert states(trial, person)["again"] == ("cancelled", "moved")
    assert states(trial, person)["call"] == ("cancelled", "moved")
    trial.clock.now = local(2026, 12, 5, 7)
    trial.plan()
    assert due(trial, person) == {
        "again": local(2026, 12, 7, 9),
        "call": local(2026, 12, 8, 9),
    }
    assert [one for one in table(trial) if "sent" in one or "failed" in one] == sent
    with trial.database.reading() as session:  # whom to call is known anew, too
        assert reachability.calls(session, trial.study, trial.clock()) == []


def test_steps_changed_by_an_amendment(trial: Trial) -> None:
    person = trial.enrol()
    settle(trial, person, opening="sent")
    trial.clock.now = local(2026, 11, 23, 15)

    def change(content: dict[str, Any]) -> None:
        opening, _letter, again, call = content["reminders"]["steps"]
        last = {"code": "last", "channel": "push", "before_days": 1}
        content["reminders"]["steps"] = [opening, dict(again, after_days=4), call, last]

    trial.amend(change)
    sent = [one for one in table(trial) if "sent" in one]
    trial.plan()
    assert [one for one in table(trial) if "sent" in one] == sent
    assert due(trial, person) == {
        "again": local(2026, 11, 27, 9),
        "call": local(2026, 11, 29, 9),
        "last": local(2026, 12, 5, 9),
    }
    assert states(trial, person)["letter"] == ("cancelled", "moved")
    before = snapshot(trial.database)
    trial.plan()
    assert snapshot(trial.database) == before


def test_a_step_that_goes_another_way_after_an_amendment(trial: Trial) -> None:
    person = trial.enrol()
    trial.amend(lambda content: content["reminders"]["steps"][1].update(channel="push"))
    trial.plan()
    letter = [one for one in trial.reminders(person) if one.step == "letter"]
    assert Counter((one.channel, one.state) for one in letter) == {
        ("email", "cancelled"): 2,
        ("push", "planned"): 2,
    }


def test_a_chosen_hour(trial: Trial) -> None:
    person = trial.enrol()
    settle(trial, person, opening="sent")
    for refused in (7 * HOUR, 20 * HOUR, 9 * HOUR + 5, -1, 24 * HOUR):
        with pytest.raises(ValueError, match=f"{refused} is not an hour"):
            choose_hour(trial, person, refused)
    choose_hour(trial, person, 19 * HOUR)
    later = from_the_23rd(19)
    assert due(trial, person, "sent") == {"opening": local(2026, 11, 23, 9)}
    assert due(trial, person) == {step: later[step] for step in STEPS[1:]}
    before = snapshot(trial.database)
    choose_hour(trial, person, 19 * HOUR)
    trial.plan()
    assert snapshot(trial.database) == before
    trial.clock.now = local(2026, 11, 24, 12)
    choose_hour(trial, person, 8 * HOUR)  # of the letter's day that is over
    assert due(trial, person) == {
        "letter": local(2026, 11, 25, 8),
        "again": local(2026, 11, 25, 8),
        "call": local(2026, 11, 29, 8),
    }
    choose_hour(trial, person, None)
    assert due(trial, person)["call"] == local(2026, 11, 29, 9)
    assert [(one.old, one.new) for one in trial.entries(person, "change")] == [
        (None, "1140"),
        ("1140", "480"),
        ("480", None),
    ]
    assert trial.faults() == []


def test_what_stands_in_for_a_failed_message_moves_with_it(trial: Trial) -> None:
    person = trial.enrol()
    settle(trial, person, opening="failed")
    with trial.database.writing() as session:  # the mail server was down
        for one in trial.assessments(person).values():
            session.add(
                Reminder(
                    assessment_id=one.id,
                    participant_id=person.id,
                    step="opening",
                    channel="email",
                    planned_for=local(2026, 11, 23, 9),
                    due_at=local(2026, 11, 23, 9, 30),
                    expires_at=one.closes_at,
                    created_at=trial.clock(),
                )
            )
    choose_hour(trial, person, 11 * HOUR)
    assert due(trial, person) == from_the_23rd(11)
    pause(trial, person)
    trial.clock.now = local(2026, 11, 23, 20)
    resume(trial, person)
    assert due(trial, person) == {**from_the_23rd(11), "opening": local(2026, 11, 24, 11)}
    assert {
        (one.channel, one.state) for one in trial.reminders(person) if one.step == "opening"
    } == {
        ("push", "failed"),
        ("email", "planned"),
    }


def test_what_is_being_sent_is_not_planned_again(trial: Trial) -> None:
    person = trial.enrol()
    subscribe(trial, person, trial.join(person))

    def in_that_moment(_push: Push) -> Outcome:
        choose_hour(trial, person, 11 * HOUR)
        return Accepted(201)

    phone = Recorder(in_that_moment)
    sending.drain(office(trial, phone))
    assert len(phone.sent) == 1
    later = from_the_23rd(11)
    assert due(trial, person) == {step: later[step] for step in STEPS[1:]}
    assert states(trial, person)["opening"] == ("sent", None)


# --- what ends ----------------------------------------------------------------------------------


def test_pausing_and_resuming(trial: Trial) -> None:
    person = trial.enrol(on=date(2026, 10, 1))
    trial.infuse(person, date(2026, 10, 30))  # day 28 opens tomorrow
    assert len(table(trial)) == 8
    settle(trial, person, opening="sent")
    pause(trial, person)
    pause(trial, person)
    assert states(trial, person) == {
        "opening": ("sent", None),
        **dict.fromkeys(STEPS[1:], ("cancelled", "paused")),
    }
    trial.infuse(person, date(2026, 10, 29))  # a day earlier: today
    trial.plan()
    assert trial.reminders(person, "planned") == []
    trial.clock.now = local(2026, 11, 25, 10)
    resume(trial, person)
    resume(trial, person)
    tomorrow = local(2026, 11, 26, 9)
    assert due(trial, person) == {"letter": tomorrow, "again": tomorrow, "call": tomorrow}
    assert states(trial, person)["opening"] == ("sent", None)
    before = snapshot(trial.database)
    trial.plan()
    assert snapshot(trial.database) == before
    told = trial.entries(person, "pause_reminders", "resume_reminders")
    assert [one.action for one in told] == ["pause_reminders", "resume_reminders"]
    assert trial.faults() == []


def test_whoever_is_done_or_gone_is_sent_nothing(trial: Trial) -> None:
    done, gone, dead = (trial.enrol(f"01-00{n}") for n in (1, 2, 3))
    for person in (done, gone, dead):
        trial.infuse(person, date(2026, 12, 1))
        settle(trial, person, opening="sent")
    trial.complete(done, "baseline", "lupusqol")
    trial.withdraw(gone)
    trial.record_death(dead)
    assert Counter((one.state, one.reason) for one in trial.reminders(done)) == {
        ("sent", None): 2,
        ("cancelled", "completed"): 3,
        ("planned", None): 3,
    }
    for person, reason in ((gone, "withdrawn"), (dead, "died")):
        assert states(trial, person) == {
            "opening": ("sent", None),
            **dict.fromkeys(STEPS[1:], ("cancelled", reason)),
        }
    trial.amend(lambda content: timepoint(content, "day_28").update(after_days=4))
    assert trial.plan().followed == 1
    trial.clock.now = local(2026, 12, 26, 5)
    trial.plan()
    assert len(trial.reminders(done)) == 16
    assert len(trial.reminders(gone)) == len(trial.reminders(dead)) == 8


def test_whoever_takes_part_again_is_reminded_again(trial: Trial) -> None:
    person = trial.enrol()
    trial.infuse(person, date(2026, 12, 1))
    settle(trial, person, opening="sent")
    trial.withdraw(person)
    trial.amend(lambda content: timepoint(content, "day_28").update(after_days=4))
    trial.clock.now = local(2026, 11, 24, 15)
    trial.plan()
    assert trial.reminders(person, "planned") == []
    trial.readmit(person)
    assert trial.plan() == Planning(1, 2)
    assert due(trial, person) == {
        "letter": local(2026, 11, 25, 9),
        "again": local(2026, 11, 25, 9),
        "call": local(2026, 11, 29, 9),
    }
    assert states(trial, person)["opening"] == ("sent", None)
    assert trial.windows(person)["day_28", 1, "lupusqol"].closes_at == local(2027, 1, 2, 23)
    trial.record_death(person)  # of somebody else, as it turned out
    assert states(trial, person)["call"] == ("cancelled", "died")
    trial.readmit(person)
    trial.plan()
    assert due(trial, person)["call"] == local(2026, 11, 29, 9)
    assert trial.faults() == []


def test_what_is_entered_too_late_has_no_reminders(trial: Trial) -> None:
    day = MORNING.date() - timedelta(days=10)  # closes on the 26th
    person = trial.enrol(on=day)
    assert set(due(trial, person).values()) == {local(2026, 11, 24, 9)}
    trial.clock.now = local(2026, 11, 26, 9, 1)  # open, but the last hour for messages is over
    late = trial.enrol("01-002", on=day)
    assert trial.reminders(late) == []
    trial.clock.now = local(2026, 11, 26, 23)
    choose_hour(trial, person, 12 * HOUR)
    trial.plan()
    assert trial.reminders(person, "planned") == []


def test_a_reminder_that_is_planned_anew_begins_anew(trial: Trial) -> None:
    person = trial.enrol()
    with trial.database.writing() as session:
        session.execute(sa.update(Reminder).values(attempts=4))
        reminders.pause(session, person.id, trial.clock())
    trial.clock.forward(hours=1)
    with trial.database.writing() as session:
        reminders.resume(session, trial.study, person.id, trial.clock())
    assert {one.attempts for one in trial.reminders(person, "planned")} == {0}
