"""One participant's timeline: every stage with its reason, its reminders, and what waits."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa

from pro_app.core.assessment import Status
from pro_app.models import Assessment
from pro_app.services import missed, reach, sending
from pro_app.services.timeline import Stage, Timeline, timeline
from tests.conftest import Enrolled
from tests.services.trial import Trial, local, office, set_email, subscribe


def of(trial: Trial, person: Enrolled) -> Timeline:
    with trial.database.reading() as session:
        return timeline(session, trial.study, trial.row(person), trial.clock())


def stage(trial: Trial, person: Enrolled, code: str, instrument: str = "lupusqol") -> Stage:
    return next(
        one
        for one in of(trial, person).stages
        if (one.timepoint, one.instrument) == (code, instrument)
    )


def test_a_new_participant_has_a_baseline_and_waits_for_the_infusion(trial: Trial) -> None:
    person = trial.enrol()
    found = of(trial, person)
    assert (found.number, str(found.zone)) == ("01-001", "Asia/Kuala_Lumpur")
    assert found.anchors == {"enrolment": date(2026, 11, 23)}
    assert found.waiting == {"infusion": ["day_28", "month_3", "month_6", "yearly"]}
    assert [(one.timepoint, one.instrument, one.status) for one in found.stages] == [
        ("baseline", "lupusqol", Status.OPEN),
        ("baseline", "sf36v1", Status.OPEN),
    ]
    assert (found.ended, found.paused) == (None, False)


def test_reminders_are_told_with_what_became_of_them(trial: Trial) -> None:
    person = trial.enrol()
    subscribe(trial, person, trial.join(person))
    set_email(trial, person, "someone@hospital.my")
    post = office(trial)
    sent_at = local(2026, 11, 24, 9)
    trial.clock.now = sent_at
    assert sending.drain(post).sent
    with trial.database.writing() as session:
        public_id = post.post.push.sent[0].key[0]  # type: ignore[attr-defined]
        assert reach.opened(session, public_id, person.id, sent_at + timedelta(hours=1))
    trial.clock.now = local(2026, 11, 25, 9)
    sending.drain(post)
    told = {(one.step, one.channel): one for one in stage(trial, person, "baseline").reminders}
    assert list(told) == [
        ("opening", "push"), ("again", "push"), ("letter", "email"), ("call", "coordinator"),
    ], "the letter had to wait a day"  # fmt: skip
    opening = told["opening", "push"]
    assert (opening.state, opening.at, opening.opened_at) == (
        "sent", sent_at, sent_at + timedelta(hours=1),
    )  # fmt: skip
    assert told["call", "coordinator"].state == "planned"
    letter = told["letter", "email"]
    assert (letter.state, letter.reason) == ("cancelled", "opened")


def test_a_baseline_answered_after_the_infusion_is_flagged(trial: Trial) -> None:
    person = trial.enrol()
    trial.infuse(person, date(2026, 11, 23))
    trial.complete(person, "baseline", "lupusqol")
    assert stage(trial, person, "baseline").too_late_for is None, "on the very day"
    trial.clock.forward(days=1)
    trial.complete(person, "baseline", "sf36v1")
    assert stage(trial, person, "baseline", "sf36v1").too_late_for == "infusion"
    assert stage(trial, person, "baseline").too_late_for is None
    trial.infuse(person, date(2026, 11, 24))
    assert stage(trial, person, "baseline", "sf36v1").too_late_for is None
    assert stage(trial, person, "day_28").too_late_for is None, "it precedes nothing"


def test_what_was_opened_by_hand_and_what_was_never_offered(trial: Trial) -> None:
    person = trial.enrol(on=date(2026, 9, 1))
    trial.open(person, "unscheduled")
    past = stage(trial, person, "baseline")
    assert (past.status, past.reason, past.by_hand) == (Status.MISSED, "not_offered", False)
    assert past.reminders == ()
    assert stage(trial, person, "unscheduled").by_hand


def test_after_a_withdrawal_nothing_waits(trial: Trial) -> None:
    person = trial.enrol()
    trial.withdraw(person)
    found = of(trial, person)
    assert (found.ended, found.waiting) == ("withdrawn", {})
    assert {(one.status, one.reason) for one in found.stages} == {
        (Status.NOT_EXPECTED, "withdrawn")
    }
    assert {one.state for each in found.stages for one in each.reminders} == {"cancelled"}


def test_how_it_was_answered_and_why_it_was_missed(trial: Trial) -> None:
    """A reason is told only of what is missed still."""
    person = trial.enrol()
    trial.complete(person, "baseline", "lupusqol")
    assert stage(trial, person, "baseline").mode == "own_phone"
    other = trial.assessments(person)["baseline", 1, "sf36v1"]
    assert stage(trial, person, "baseline", "sf36v1").mode is None
    trial.clock.forward(days=20)
    assert stage(trial, person, "baseline", "sf36v1").missed_code is None
    for code in ("refused", "too_ill"):
        with trial.database.writing() as session:
            missed.record(
                session, trial.study, person.id, other.public_id, code, "", None, trial.clock()
            )
    assert stage(trial, person, "baseline", "sf36v1").missed_code == "too_ill"
    assert stage(trial, person, "baseline").missed_code is None
    with trial.database.writing() as session:
        later = trial.clock() + (other.closes_at - other.opens_at)
        session.execute(sa.update(Assessment).values(closes_at=later))
    assert stage(trial, person, "baseline", "sf36v1").missed_code is None
