"""Anchors and amendments: what is placed, moved, kept and taken back, and that the trail tells."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.core.assessment import Status
from pro_app.core.library import Library
from pro_app.core.schedule import Kind, Window
from pro_app.models import AnchorDate, Database, Participant
from pro_app.services import assessments, schedule, sending
from pro_app.services.schedule import ScheduleError
from tests.conftest import MORNING, Enrolled, TestClock, empty, snapshot
from tests.services.trial import (
    Key,
    Letterbox,
    Recorder,
    Trial,
    load_trial,
    local,
    office,
    set_email,
    subscribe,
    timepoint,
    trial_content,
)

INSTRUMENTS = ("lupusqol", "sf36v1")
LATER = ("day_28", "month_3", "month_6", "yearly")


def both(code: str, occurrence: int = 1) -> set[Key]:
    """A timepoint's two questionnaires."""
    return {(code, occurrence, instrument) for instrument in INSTRUMENTS}


def window(opens: date, due: date, closes: date) -> Window:
    """A window of the trial: from six o'clock until eleven at night."""
    return Window(
        local(opens.year, opens.month, opens.day, 6),
        local(due.year, due.month, due.day, 6),
        local(closes.year, closes.month, closes.day, 23),
    )


def anchors(trial: Trial, person: Enrolled) -> dict[str, date]:
    with trial.database.reading() as session:
        return schedule.anchors(session, person.id)


def changes(trial: Trial, person: Enrolled, *actions: str) -> list[tuple[str | None, str | None]]:
    """Old and new value of entries on a participant's record."""
    return [(one.old, one.new) for one in trial.entries(person, *actions)]


def states(trial: Trial, person: Enrolled) -> dict[str, Any]:
    """The status and remark of each timepoint's first questionnaire."""
    return {
        key[0]: state for key, state in trial.statuses(person).items() if key[1:] == (1, "lupusqol")
    }


# --- setting dates ------------------------------------------------------------------------------


def test_enrolling_places_the_baseline_by_the_studys_calendar(trial: Trial) -> None:
    trial.clock.now = datetime(2026, 2, 28, 16, 30, tzinfo=UTC)  # half past midnight on 1 March
    person = trial.enrol()
    first = window(date(2026, 3, 1), date(2026, 3, 1), date(2026, 3, 14))
    assert trial.windows(person) == dict.fromkeys(both("baseline"), first)
    assert anchors(trial, person) == {"enrolment": date(2026, 3, 1)}
    assert trial.preview(person, None).waiting == {"infusion": list(LATER)}
    assert set(trial.statuses(person).values()) == {(Status.NOT_DUE, None)}
    assert trial.row(person).scheduled_version == 1
    enrolled, placed = trial.entries(person, "enrol", "schedule")
    assert enrolled.detail["enrolment"] == "2026-03-01"
    assert [one[4] for one in placed.detail["windows"]] == ["2026-02-28T22:00:00+00:00"] * 2
    trial.clock.forward(hours=5.5)
    assert set(trial.statuses(person).values()) == {(Status.OPEN, None)}
    trial.clock.now = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)  # in Kuala Lumpur the 3rd
    trial.infuse(person, date(2026, 3, 3))
    assert trial.windows(person)["day_28", 1, "lupusqol"] == window(
        date(2026, 3, 28), date(2026, 3, 31), date(2026, 4, 3)
    )
    assert trial.faults() == []


def test_the_infusion_places_the_rest_as_the_preview_says(trial: Trial) -> None:
    person = trial.enrol()
    baseline = trial.windows(person)
    before = snapshot(trial.database)
    shown = trial.preview(person, date(2026, 12, 1))
    assert snapshot(trial.database) == before
    assert trial.infuse(person, date(2026, 12, 1)) == shown
    assert {one.kind for one in shown.changes} == {Kind.NEW}
    assert (shown.before, shown.after) == (None, date(2026, 12, 1))
    assert (shown.messages, shown.overlaps, shown.waiting) == (0, (), {})
    windows = trial.windows(person)
    assert {one.key: one.window for one in shown.changes} == {
        key: one for key, one in windows.items() if key not in baseline
    }
    assert {key[0]: one for key, one in windows.items() if key[1] == 1} == {
        "baseline": window(date(2026, 11, 23), date(2026, 11, 23), date(2026, 12, 6)),
        "day_28": window(date(2026, 12, 26), date(2026, 12, 29), date(2027, 1, 1)),
        "month_3": window(date(2027, 2, 22), date(2027, 3, 1), date(2027, 3, 8)),
        "month_6": window(date(2027, 5, 18), date(2027, 6, 1), date(2027, 6, 15)),
        "yearly": window(date(2027, 11, 1), date(2027, 12, 1), date(2027, 12, 31)),
    }
    assert [key[1] for key in windows if key[::2] == ("yearly", "sf36v1")] == [1, 2, 3]
    assert windows["yearly", 3, "sf36v1"].due_at == local(2029, 12, 1, 6)
    assert changes(trial, person, "set_anchor") == [(None, "2026-12-01")]

    before = snapshot(trial.database)
    again = trial.infuse(person, date(2026, 12, 1))
    assert (again.changes, again.messages) == ((), 0)
    assert snapshot(trial.database) == before
    assert trial.plan().followed == 0
    assert trial.faults() == []


def test_what_cannot_be_set_is_told_why(trial: Trial) -> None:
    person, gone, dead = (trial.enrol(f"01-00{n}") for n in (1, 2, 3))
    trial.infuse(gone, date(2026, 12, 1))
    trial.withdraw(gone)
    trial.record_death(dead)
    before = snapshot(trial.database)
    cases: list[tuple[Enrolled, str, date | None, str]] = [
        (person, "surgery", MORNING.date(), "no anchor 'surgery'; it has enrolment, infusion"),
        (person, "enrolment", None, "corrected, not removed"),
        (gone, "infusion", MORNING.date(), "01-002 has withdrawn"),
        (gone, "infusion", None, "01-002 has withdrawn"),
        (dead, "infusion", MORNING.date(), "01-003 has died"),
    ]
    for one, anchor, day, reason in cases:
        with pytest.raises(ScheduleError, match=reason):
            trial.infuse(one, day, anchor)
    assert snapshot(trial.database) == before
    assert states(trial, gone) == dict.fromkeys(
        ("baseline", *LATER), (Status.NOT_EXPECTED, "withdrawn")
    )
    assert states(trial, dead) == {"baseline": (Status.NOT_EXPECTED, "died")}


# --- correcting them ----------------------------------------------------------------------------


def test_a_corrected_date_moves_what_nobody_began(trial: Trial) -> None:
    person = trial.enrol()
    trial.complete(person, "baseline")
    trial.infuse(person, date(2026, 12, 12))
    trial.clock.now = local(2027, 1, 8, 10)
    trial.complete(person, "day_28", "lupusqol")
    trial.begin(person, "day_28", "sf36v1")
    by_hand = trial.open(person, "unscheduled")
    before = trial.windows(person)
    shown = trial.preview(person, date(2026, 12, 15))
    assert trial.infuse(person, date(2026, 12, 15)) == shown
    kinds = {one.key: one.kind for one in shown.changes}
    assert {key for key, kind in kinds.items() if kind is Kind.STAYS} == both("day_28")
    assert {key for key, kind in kinds.items() if kind is Kind.MOVED} == {
        key for key in before if key[0] in LATER[1:]
    }
    after = trial.windows(person)
    for key, one in before.items():
        moves = timedelta(days=3) if key[:2] in {("month_3", 1), ("month_6", 1)} else timedelta()
        if key[0] != "yearly":
            assert after[key].due_at - one.due_at == moves
            assert after[key].closes_at - one.closes_at == moves
    assert after["yearly", 1, "lupusqol"].due_at == local(2027, 12, 15, 6)
    assert {one.window for one in shown.changes if one.kind is Kind.STAYS} == {
        window(date(2027, 1, 9), date(2027, 1, 12), date(2027, 1, 15))
    }
    assert trial.statuses(person)["day_28", 1, "lupusqol"] == (Status.COMPLETED, None)
    assert trial.statuses(person)["day_28", 1, "sf36v1"] == (Status.IN_PROGRESS, None)
    assert trial.statuses(person)["unscheduled", 1, by_hand[0].instrument] == (Status.OPEN, None)

    assert changes(trial, person, "set_anchor") == [
        (None, "2026-12-12"),
        ("2026-12-12", "2026-12-15"),
    ]
    moved = trial.entries(person, "moved_assessment")
    assert len(moved) == 10
    month_3 = trial.assessments(person)["month_3", 1, "lupusqol"].public_id
    assert [(one.old, one.new) for one in moved if one.object == f"assessment/{month_3}"] == [
        (
            "2027-03-04T22:00:00+00:00/2027-03-19T15:00:00+00:00",
            "2027-03-07T22:00:00+00:00/2027-03-22T15:00:00+00:00",
        )
    ]
    assert trial.faults() == []


def test_planned_messages_move_with_their_window(trial: Trial) -> None:
    person = trial.enrol(on=date(2026, 10, 20))
    trial.infuse(person, date(2026, 10, 30))  # so that day 28 opens tomorrow
    first = trial.reminders(person)
    assert [(one.step, one.due_at) for one in first[::2]] == [
        ("opening", local(2026, 11, 24, 9)),
        ("letter", local(2026, 11, 25, 9)),
        ("again", local(2026, 11, 26, 9)),
        ("call", local(2026, 11, 27, 9)),
    ]
    assert trial.preview(person, date(2026, 11, 2)).messages == 8
    assert trial.infuse(person, date(2026, 11, 2)).messages == 8
    assert {(one.state, one.reason) for one in trial.reminders(person)} == {("cancelled", "moved")}
    trial.plan()
    assert trial.reminders(person, "planned") == []  # it opens in four days
    trial.clock.now = local(2026, 11, 25, 9)
    trial.plan()
    moved = trial.reminders(person)
    assert {one.id for one in moved} == {one.id for one in first}
    for before, after in zip(first, moved, strict=True):
        assert (after.state, after.reason) == ("planned", None)
        assert after.due_at - before.due_at == timedelta(days=3)
        assert after.planned_for - before.planned_for == timedelta(days=3)
        assert after.expires_at - before.expires_at == timedelta(days=3)
    trial.infuse(person, date(2026, 10, 31))  # open by now: at once, and nothing in the past
    assert {(one.step, one.due_at) for one in trial.reminders(person, "planned")} == {
        ("opening", local(2026, 11, 25, 9)),
        ("letter", local(2026, 11, 26, 9)),
        ("again", local(2026, 11, 27, 9)),
        ("call", local(2026, 11, 28, 9)),
    }


def test_a_date_taken_back_and_set_again(trial: Trial) -> None:
    person = trial.enrol()
    trial.infuse(person, date(2026, 11, 1))
    trial.clock.now = local(2026, 11, 27, 10)
    trial.complete(person, "day_28", "lupusqol")
    trial.clock.now = local(2026, 12, 3, 10)  # the other one of day 28 was missed
    rows, windows = trial.assessments(person), trial.windows(person)
    taken = trial.infuse(person, None)
    kinds = {one.key: one.kind for one in taken.changes}
    assert kinds.pop(("day_28", 1, "lupusqol")) is Kind.STAYS
    assert set(kinds.values()) == {Kind.CANCELLED}
    assert {key for key in windows if key[0] in LATER} - {("day_28", 1, "lupusqol")} == set(kinds)
    assert taken.waiting == {"infusion": list(LATER)}
    assert {trial.statuses(person)[key] for key in kinds} == {(Status.NOT_EXPECTED, "cancelled")}
    with trial.database.reading() as session:
        today = assessments.today(session, trial.study.definition, person.id, trial.clock())
        assert (len(today.open), today.next, today.done) == (2, None, 1)
    trial.clock.forward(days=1)
    restored = trial.infuse(person, date(2026, 11, 1))
    assert {one.kind for one in restored.changes} == {Kind.RESTORED}
    assert trial.windows(person) == windows
    assert {key: one.id for key, one in trial.assessments(person).items()} == {
        key: one.id for key, one in rows.items()
    }
    assert trial.statuses(person)["day_28", 1, "sf36v1"] == (Status.MISSED, "not_started")
    assert changes(trial, person, "set_anchor") == [
        (None, "2026-11-01"),
        ("2026-11-01", None),
        (None, "2026-11-01"),
    ]
    assert len(trial.entries(person, "cancelled_assessment")) == len(kinds)
    assert len(trial.entries(person, "restored_assessment")) == len(kinds)
    assert trial.faults() == []


def test_the_day_of_enrolment_can_be_corrected(trial: Trial) -> None:
    person = trial.enrol()
    diff = trial.infuse(person, date(2026, 11, 20), "enrolment")
    assert {one.key for one in diff.changes} == both("baseline")
    assert set(trial.windows(person).values()) == {
        window(date(2026, 11, 20), date(2026, 11, 20), date(2026, 12, 3))
    }
    assert set(trial.statuses(person).values()) == {(Status.OPEN, None)}


def test_two_of_one_questionnaire_too_close_are_told(trial: Trial) -> None:
    person = trial.enrol()
    assert trial.preview(person, date(2026, 11, 23)).overlaps == ()
    close = trial.preview(person, date(2026, 11, 22)).overlaps
    assert [(one.timepoint, other.timepoint, one.instrument) for one, other in close] == [
        ("baseline", "day_28", "lupusqol"),
        ("baseline", "day_28", "sf36v1"),
    ]


# --- entered afterwards -------------------------------------------------------------------------


def test_a_participant_entered_at_month_six_is_not_flooded(trial: Trial) -> None:
    trial.clock.forward(hours=1)
    person = trial.enrol(on=date(2026, 5, 10))
    trial.infuse(person, date(2026, 5, 23))  # six months ago today
    assert states(trial, person) == {
        "baseline": (Status.MISSED, "not_offered"),
        "day_28": (Status.MISSED, "not_offered"),
        "month_3": (Status.MISSED, "not_offered"),
        "month_6": (Status.OPEN, None),
        "yearly": (Status.NOT_DUE, None),
    }
    with trial.database.reading() as session:
        today = assessments.today(session, trial.study.definition, person.id, trial.clock())
        assert {one.timepoint for one in today.open} == {"month_6"}
        assert today.next is not None
        assert today.next.timepoint == "yearly"
    month_6 = {one.id for key, one in trial.assessments(person).items() if key in both("month_6")}
    planned = trial.reminders(person)
    assert {one.assessment_id for one in planned} == month_6
    assert {one.due_at for one in planned} == {local(2026, 11, 24, 9)}
    assert {one.planned_for for one in planned if one.step == "opening"} == {local(2026, 11, 9, 9)}

    subscribe(trial, person, trial.join(person))
    set_email(trial, person, "somebody@example.org")
    phone, letters = Recorder(), Letterbox()
    post = office(trial, phone, letters)
    for day, pushes, mails in ((23, 0, 0), (24, 1, 0), (25, 1, 1), (26, 1, 1), (30, 1, 1)):
        trial.clock.now = max(trial.clock(), local(2026, 11, day, 9))
        trial.plan()
        sending.drain(post)
        assert (day, len(phone.sent), len(letters.sent)) == (day, pushes, mails)
    assert trial.reminders(person, "planned") == []


# --- amendments ---------------------------------------------------------------------------------


def added(code: str = "day_14", days: int = 14, **more: Any) -> Callable[[dict[str, Any]], object]:
    """An amendment that adds a timepoint after the infusion."""

    def change(content: dict[str, Any]) -> None:
        copied = dict(timepoint(content, "day_28"), code=code, offset={"days": days}, **more)
        content["timepoints"].insert(2, {**copied, "before_days": 2, "after_days": 2})

    return change


def test_an_added_timepoint_makes_nobody_late_for_the_past(trial: Trial) -> None:
    past, open_now, ahead = (trial.enrol(f"01-00{n}", on=date(2026, 11, 1)) for n in (1, 2, 3))
    trial.infuse(past, date(2026, 11, 6))  # its day 14 would have closed on the 22nd
    trial.infuse(open_now, date(2026, 11, 10))
    trial.infuse(ahead, date(2026, 11, 20))
    trial.amend(added())
    assert trial.study.version == 2
    for one in (past, open_now, ahead):
        assert "day_14" not in states(trial, one)
    assert trial.preview(ahead, date(2026, 11, 20)).changes == ()  # it is the planner's to follow
    trial.clock.forward(minutes=5)
    assert trial.plan().followed == 3
    assert trial.row(past).scheduled_version == 2
    assert "day_14" not in states(trial, past)
    assert states(trial, open_now)["day_14"] == (Status.OPEN, None)
    assert states(trial, ahead)["day_14"] == (Status.NOT_DUE, None)
    mine = trial.assessments(open_now)["day_14", 1, "lupusqol"]
    planned = [one for one in trial.reminders(open_now) if one.assessment_id == mine.id]
    assert len(planned) == 4
    assert all(one.due_at >= trial.clock() for one in planned)

    before = snapshot(trial.database)
    assert (trial.plan().followed, trial.plan().planned) == (0, 0)
    assert snapshot(trial.database) == before
    trial.infuse(past, date(2026, 11, 5))  # a correction is no way to become late either
    late = trial.enrol("01-004", on=date(2026, 11, 1))
    trial.infuse(late, date(2026, 11, 6))
    assert "day_14" not in states(trial, past)
    assert "day_14" not in states(trial, late)
    trial.infuse(past, date(2026, 11, 9))
    assert states(trial, past)["day_14"] == (Status.OPEN, None)
    assert trial.faults() == []


def test_a_retroactive_timepoint_is_expected_of_everybody(trial: Trial) -> None:
    person = trial.enrol(on=date(2026, 11, 1))
    trial.infuse(person, date(2026, 11, 1))
    trial.amend(added(retroactive=True))
    trial.plan()
    assert states(trial, person)["day_14"] == (Status.MISSED, "not_offered")
    assert trial.faults() == []


def test_an_instrument_added_to_a_timepoint_makes_nobody_late(trial: Trial) -> None:
    trial.amend(lambda content: timepoint(content, "day_28").update(instruments=["lupusqol"]))
    trial.clock.forward(days=1)
    person = trial.enrol(on=date(2026, 9, 1))
    trial.infuse(person, date(2026, 10, 1))
    trial.amend(lambda content: timepoint(content, "day_28").update(instruments=[*INSTRUMENTS]))
    trial.plan()
    assert ("day_28", 1, "sf36v1") not in trial.windows(person)
    trial.infuse(person, date(2026, 10, 2))
    assert ("day_28", 1, "sf36v1") not in trial.windows(person)


def test_an_amendment_moves_and_removes_what_is_still_to_come(trial: Trial) -> None:
    done, missed, waits = (trial.enrol(f"01-00{n}", on=date(2026, 10, 25)) for n in (1, 2, 3))
    for person, day in ((done, 26), (missed, 20), (waits, 26)):
        trial.infuse(person, date(2026, 10, day))  # day 28 is open, closed, open
    trial.complete(done, "day_28")
    before = {one: trial.windows(one) for one in (done, missed, waits)}

    def change(content: dict[str, Any]) -> None:
        timepoint(content, "day_28")["after_days"] = 10
        content["timepoints"].remove(timepoint(content, "month_3"))
        content["timepoints"].remove(timepoint(content, "baseline"))

    trial.amend(change)
    trial.plan()
    for person in (done, missed):
        assert (
            trial.windows(person)["day_28", 1, "lupusqol"]
            == before[person]["day_28", 1, "lupusqol"]
        )
    assert trial.windows(waits)["day_28", 1, "lupusqol"].closes_at == local(2026, 12, 3, 23)
    rows = [one for one in trial.reminders(waits) if one.step == "opening"]
    assert {one.expires_at for one in rows} == {local(2026, 12, 3, 23)}
    assert states(trial, done)["day_28"] == (Status.COMPLETED, None)
    for person in (done, missed, waits):
        assert states(trial, person)["month_3"] == (Status.NOT_EXPECTED, "cancelled")
        assert states(trial, person)["baseline"] == (Status.MISSED, "not_offered")
    assert {one.action for one in trial.entries(waits)} >= {
        "moved_assessment",
        "cancelled_assessment",
    }
    trial.infuse(missed, date(2026, 10, 19))  # moves what counts from it, and nothing else
    assert states(trial, missed)["baseline"] == (Status.MISSED, "not_offered")
    assert states(trial, missed)["month_3"] == (Status.NOT_EXPECTED, "cancelled")
    assert trial.faults() == []


def test_people_who_came_before_the_calendar_are_followed(
    database: Database, library: Library, clock: TestClock
) -> None:
    def without_calendar(content: dict[str, Any]) -> None:
        del content["anchors"], content["reminders"]
        content["timepoints"] = [
            {key: entry[key] for key in ("code", "label", "instruments")}
            for entry in content["timepoints"]
            if "repeat" not in entry
        ]

    trial = load_trial(database, library, clock, without_calendar)
    clock.now = MORNING - timedelta(days=60)
    old = trial.enrol("01-001")
    clock.now = MORNING - timedelta(days=3)
    new, by_hand = trial.enrol("01-002"), trial.enrol("01-003")
    opened = {one.id for one in trial.open(by_hand, "baseline")}
    with database.writing() as session:  # as the migration finds them
        session.execute(sa.delete(AnchorDate))
        session.execute(sa.update(Participant).values(scheduled_version=None))
    clock.now = MORNING
    assert trial.plan().followed == 3
    assert trial.row(old).scheduled_version == 1
    trial.amend(lambda content: content.update(trial_content(library)))
    assert trial.plan().followed == 3
    assert trial.windows(old) == {}  # nobody had offered it
    assert states(trial, new) == {"baseline": (Status.OPEN, None)}
    assert {one.id for one in trial.assessments(by_hand).values()} == opened
    assert anchors(trial, new) == {"enrolment": date(2026, 11, 20)}
    assert changes(trial, new, "set_anchor") == [(None, "2026-11-20")]
    due = [one.due_at for one in trial.reminders(new)]  # tomorrow what was due before
    assert due == [local(2026, 11, 24, 9)] * 6 + [local(2026, 11, 26, 9)] * 2
    trial.infuse(old, date(2026, 10, 1))
    assert states(trial, old)["month_3"] == (Status.NOT_DUE, None)
    assert trial.faults() == []


def test_two_databases_of_one_process_know_each_its_own_amendments(
    sqlite_template: Path, tmp_path: Path, library: Library
) -> None:
    since = []
    for days in (0, 7):
        copied = shutil.copy(sqlite_template, tmp_path / f"{days}.sqlite3")
        database, clock = Database(f"sqlite:///{copied}"), TestClock()
        trial = load_trial(database, library, clock)
        clock.forward(days=days)
        trial.amend(added())
        since.append(trial.study.since)
        database.close()
    both = [("day_14", one) for one in INSTRUMENTS]
    assert since == [dict.fromkeys(both, MORNING), dict.fromkeys(both, MORNING + timedelta(days=7))]


# --- at once ------------------------------------------------------------------------------------


def test_two_who_set_a_date_at_once_come_one_after_the_other(trial: Trial) -> None:
    person = trial.enrol()
    days = [date(2026, 12, 1), date(2026, 12, 5), date(2026, 12, 9)]
    barrier = threading.Barrier(len(days))

    def set_date(day: date) -> None:
        barrier.wait()
        trial.infuse(person, day)

    threads = [threading.Thread(target=set_date, args=(day,)) for day in days]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    told = changes(trial, person, "set_anchor")
    assert [old for old, _ in told] == [None, *(new for _, new in told[:-1])]
    assert {new for _, new in told} == {day.isoformat() for day in days}
    last = anchors(trial, person)["infusion"]
    assert told[-1][1] == last.isoformat()
    assert trial.windows(person)["day_28", 1, "lupusqol"].due_at == local(
        2026, 12, last.day, 6
    ) + timedelta(days=28)
    assert trial.faults() == []


def test_the_planner_leaves_whoever_is_being_moved_to_the_next_run(
    postgresql_url: str, library: Library, clock: TestClock
) -> None:
    empty(postgresql_url)
    database = Database(postgresql_url)
    trial = load_trial(database, library, clock)
    moved, other = (trial.enrol(f"01-00{n}", on=date(2026, 10, 20)) for n in (1, 2))
    for person in (moved, other):
        trial.infuse(person, date(2026, 11, 20))
    clock.now = local(2026, 12, 14, 9)  # a day before day 28 opens
    planner = threading.Thread(target=trial.plan)
    with database.writing() as session:
        instruments = library.instruments
        day = date(2026, 11, 26)
        schedule.set_anchor(session, trial.study, instruments, moved.id, "infusion", day, clock())
        planner.start()
        planner.join(timeout=10)
        assert not planner.is_alive()
        assert trial.reminders(moved, "planned") == []
        assert len(trial.reminders(other, "planned")) == 8
    trial.plan()
    assert trial.reminders(moved, "planned") == []
    clock.now = local(2026, 12, 20, 9)
    trial.plan()
    assert {one.due_at for one in trial.reminders(moved, "planned") if one.step == "opening"} == {
        local(2026, 12, 21, 9)
    }
    database.close()
