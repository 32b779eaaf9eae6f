"""Paper entered by one person and checked by another, interviews, and what the phone did first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import pytest
import sqlalchemy as sa

from pro_app.core.assessment import Status
from pro_app.core.schedule import LocalDay
from pro_app.models import Answer, Assessment, AuditEntry, Score, Submission, Transcription
from pro_app.services import enrolment, studies, transcription
from pro_app.services.paper import Paper, TranscriptionError, Value
from pro_app.services.transcription import Checked, Difference, Outcome
from tests.conftest import Enrolled
from tests.services.licensing import license_one
from tests.services.people import staff
from tests.services.table_rows import one, rows
from tests.services.trial import ZONE, Trial, local

MYKAD = "900101-14-5678"
TODAY = date(2026, 11, 23)


@dataclass
class Desk:
    """Two people of the site, Ana who enters and Ben who checks, and one questionnaire."""

    trial: Trial
    person: Enrolled
    assessment: Assessment
    ana: int
    ben: int
    cleo: int
    values: dict[str, Value] = field(default_factory=dict)

    def begin(self, mode: str = "paper", given: Paper | None = None, by: int | None = None) -> str:
        """Begin; the transcription's public id."""
        with self.trial.database.writing() as session:
            return transcription.begin(
                session, self.trial.study, self.person.id,
                self.assessment.public_id, mode, given or Paper(TODAY, "ta", time(8, 30), "box 7"),
                by or self.ana, self.trial.clock(),
            ).public_id  # fmt: skip

    def enter(
        self, one: str, values: dict[str, Value], by: int | None = None, given: Paper | None = None
    ) -> None:
        with self.trial.database.writing() as session:
            transcription.enter(
                session, self.trial.study, self.trial.library, one, values, by or self.ana,
                self.trial.clock(), given,
            )  # fmt: skip

    def finish(self, one: str, by: int | None = None) -> Checked | None:
        with self.trial.database.writing() as session:
            return transcription.finish(
                session, self.trial.study, self.trial.library, one, by or self.ana,
                self.trial.clock(),
            )  # fmt: skip

    def handed_over(self, mode: str = "paper", given: Paper | None = None) -> str:
        """Entered as a whole, and waiting to be checked."""
        one = self.begin(mode, given)
        self.enter(one, self.values)
        assert self.finish(one) is None
        return one

    def check(self, one: str, values: dict[str, Value], by: int | None = None) -> Checked:
        with self.trial.database.writing() as session:
            return transcription.check(
                session, self.trial.study, self.trial.library, one, values, by or self.ben,
                self.trial.clock(),
            )  # fmt: skip

    def settle(self, one: str, values: dict[str, Value], by: int | None = None) -> Checked:
        with self.trial.database.writing() as session:
            return transcription.settle(
                session, self.trial.study, self.trial.library, one, values, by or self.ben,
                self.trial.clock(),
            )  # fmt: skip

    def give_back(self, one: str, remark: str = "page 2", by: int | None = None) -> None:
        with self.trial.database.writing() as session:
            transcription.give_back(session, one, remark, by or self.ben, self.trial.clock())

    def discard(self, one: str, reason: str = "wrong person", by: int | None = None) -> None:
        with self.trial.database.writing() as session:
            transcription.discard(session, one, reason, by or self.ana, self.trial.clock())

    def row(self, one: str) -> Transcription:
        with self.trial.database.reading() as session:
            found = transcription.find(session, one)
            assert found is not None
            return found

    def submission(self) -> Submission | None:
        with self.trial.database.reading() as session:
            return session.scalar(
                sa.select(Submission).where(Submission.assessment_id == self.assessment.id)
            )

    def answers(self) -> list[Answer]:
        with self.trial.database.reading() as session:
            rows = session.scalars(
                sa.select(Answer).where(Answer.assessment_id == self.assessment.id)
            )
            return list(rows.all())

    def status(self) -> Status:
        known = self.trial.known(self.assessment)
        return known.status(self.trial.clock(), self.trial.study.definition.grace)


@pytest.fixture
def desk(trial: Trial) -> Desk:
    """A questionnaire whose window is open from 6 on the 23rd till 23 on 6 December."""
    person = trial.enrol()
    assessment = trial.assessments(person)["baseline", 1, "lupusqol"]
    ana, ben, cleo = staff(trial.database, "ana", "ben", "cleo")
    found = Desk(trial, person, assessment, ana, ben, cleo)
    items = trial.library.instruments["lupusqol"].items
    found.values = {item.code: item.options.codes[item.n % 3] for item in items}
    found.values[items[3].code] = "skipped"
    optional = next(item for item in items if item.not_applicable)
    found.values[optional.code] = "not_applicable"
    return found


def changed(desk: Desk, *places: int) -> dict[str, Value]:
    """The values with other codes at these items, counted from 0."""
    values = dict(desk.values)
    items = desk.trial.library.instruments["lupusqol"].items
    for place in places:
        item = items[place]
        values[item.code] = next(one for one in item.options.codes if one != values[item.code])
    return values


def test_two_who_read_the_same(desk: Desk) -> None:
    """Recorded and submitted with mode, moment and language of the paper, scored, on the trail."""
    trial = desk.trial
    trial.plan()
    one = desk.handed_over()
    assert (desk.submission(), desk.answers()) == (None, [])
    assert desk.check(one, desk.values) == Checked(Outcome.ACCEPTED)
    on_paper = local(2026, 11, 23, 8, 30)
    made = desk.submission()
    assert made is not None
    assert (made.mode, made.completed_at, made.submitted_at, made.late, made.device_id) == (
        "paper", on_paper, trial.clock(), False, None,
    )  # fmt: skip
    sealed = {
        item: told["code"] if told["state"] == "answered" else told["state"]
        for item, told in made.answers.items()
    }
    assert sealed == desk.values
    for answer in desk.answers():
        assert (answer.mode, answer.originator, answer.language) == ("paper", "participant", "ta")
        assert (answer.answered_at, answer.received_at) == (on_paper, trial.clock())
        assert (answer.standing, answer.doubt, answer.prompted) == ("in_time", None, False)
    assert desk.status() is Status.COMPLETED
    with trial.database.reading() as session:
        assert session.scalars(sa.select(Score)).all()
    row = desk.row(one)
    assert (row.state, row.entered_by, row.checked_by) == ("accepted", desk.ana, desk.ben)
    told = trial.entries(desk.person, "answer")[0]
    assert told.actor == f"staff/{desk.ben}"
    assert told.detail["originator"] == "participant"
    assert told.detail["originator_reason"] == (
        f"paper, entered by staff/{desk.ana}, checked by staff/{desk.ben}"
    )
    assert trial.entries(desk.person, "submit")[0].actor == f"staff/{desk.ben}"
    assert trial.faults() == []
    own = [one for one in trial.reminders(desk.person) if one.assessment_id == desk.assessment.id]
    assert {one.state for one in own} == {"cancelled"}


def test_scores_and_answers_are_those_of_a_phone(desk: Desk) -> None:
    """The same values on a phone give the same scores."""
    other = desk.trial.enrol("01-002")
    twin = desk.trial.assessments(other)["baseline", 1, "lupusqol"]
    desk.trial.answer(twin, desk.values)
    desk.trial.submit(twin)
    desk.check(desk.handed_over(), desk.values)
    with desk.trial.database.reading() as session:
        scores = session.execute(
            sa.select(Submission.assessment_id, Score.scale, Score.value, Score.reason).join(
                Submission, Submission.id == Score.submission_id
            )
        ).all()
    by_whom = {
        which.id: {tuple(row[1:]) for row in scores if row[0] == which.id}
        for which in (twin, desk.assessment)
    }
    assert by_whom[twin.id] == by_whom[desk.assessment.id] != set()


def test_differences_are_settled_and_both_values_stay(desk: Desk) -> None:
    one = desk.handed_over()
    second = changed(desk, 0, 5)
    items = [item.code for item in desk.trial.library.instruments["lupusqol"].items]
    found = desk.check(one, second)
    assert found.outcome is Outcome.DIFFERENCES
    assert found.differences == tuple(
        Difference(items[place], desk.values[items[place]], second[items[place]])
        for place in (0, 5)
    )
    assert desk.submission() is None
    with pytest.raises(TranscriptionError, match=f"exactly the items that differ: see {items[5]}"):
        desk.settle(one, {items[0]: second[items[0]]})
    with pytest.raises(TranscriptionError, match=f"see {items[1]}"):
        desk.settle(one, {items[n]: second[items[n]] for n in (0, 1, 5)})
    settled = {items[0]: second[items[0]], items[5]: desk.values[items[5]]}
    assert desk.settle(one, settled, by=desk.cleo).outcome is Outcome.ACCEPTED
    row = desk.row(one)
    assert row.settled == {
        item: {"first": desk.values[item], "second": second[item], "settled": settled[item]}
        for item in (items[0], items[5])
    }
    made = desk.submission()
    assert made is not None
    assert made.answers[items[0]]["code"] == second[items[0]]
    assert made.answers[items[5]]["code"] == desk.values[items[5]]
    told = desk.trial.entries(desk.person, "settle_transcription")[0]
    assert (told.actor, told.detail["settled"]) == (f"staff/{desk.cleo}", row.settled)
    assert desk.trial.faults() == []


def test_the_one_who_entered_checks_nothing(desk: Desk) -> None:
    one = desk.handed_over()
    acts: list[Callable[[], object]] = [
        lambda: desk.check(one, desk.values, by=desk.ana),
        lambda: desk.settle(one, {}, by=desk.ana),
        lambda: desk.give_back(one, by=desk.ana),
    ]
    for act in acts:
        with pytest.raises(TranscriptionError, match="who has entered it cannot check it"):
            act()
    with (
        pytest.raises(sa.exc.IntegrityError, match="four_eyes"),
        desk.trial.database.writing() as session,
    ):
        session.execute(
            sa.update(Transcription).values(checked_by=desk.ana, checked_at=desk.trial.clock())
        )
    assert desk.submission() is None


def test_only_the_first_enters(desk: Desk) -> None:
    one = desk.begin()
    with pytest.raises(TranscriptionError, match="somebody else has begun"):
        desk.enter(one, desk.values, by=desk.ben)
    with pytest.raises(TranscriptionError, match="somebody else has begun"):
        desk.finish(one, by=desk.ben)
    with pytest.raises(TranscriptionError, match="nothing to check: it is draft"):
        desk.check(one, desk.values)


def test_what_is_incomplete_waits(desk: Desk) -> None:
    one = desk.begin()
    missing = dict(desk.values)
    del missing["LQ02"]
    desk.enter(one, missing)
    with pytest.raises(TranscriptionError, match="items without a value: LQ02"):
        desk.finish(one)
    desk.enter(one, desk.values)
    desk.finish(one)
    with pytest.raises(TranscriptionError, match="items without a value: LQ02"):
        desk.check(one, missing)
    with pytest.raises(TranscriptionError, match="any more: it is to_check"):
        desk.enter(one, desk.values)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"LQ99": 1}, "there is no item LQ99"),
        ({"LQ01": 99}, "LQ01 has no option 99"),
        ({"LQ01": True}, "LQ01 has no option True"),
        ({"LQ01": "cleared"}, "LQ01 has no option cleared"),
        ({"LQ01": "not_applicable"}, "LQ01 always applies"),
    ],
)
def test_values_that_cannot_be(desk: Desk, values: dict[str, Value], reason: str) -> None:
    one = desk.begin()
    with pytest.raises(TranscriptionError, match=reason):
        desk.enter(one, values)
    assert desk.row(one).values == {}


def test_given_back_and_corrected(desk: Desk) -> None:
    """The check begins anew; the day may have been wrong, too."""
    one = desk.handed_over()
    desk.check(one, changed(desk, 2))
    with pytest.raises(TranscriptionError, match="compared already"):
        desk.check(one, desk.values)
    with pytest.raises(TranscriptionError, match="a reason is needed"):
        desk.give_back(one, " ")
    with pytest.raises(TranscriptionError, match="national identity"):
        desk.give_back(one, MYKAD)
    desk.give_back(one, "page 2 is another person's")
    row = desk.row(one)
    assert (row.state, row.remark, row.second_values, row.checked_by) == (
        "returned", "page 2 is another person's", None, None,
    )  # fmt: skip
    desk.enter(one, changed(desk, 2), given=Paper(TODAY, "ms"))
    desk.finish(one)
    assert desk.check(one, changed(desk, 2)).outcome is Outcome.ACCEPTED
    assert {answer.language for answer in desk.answers()} == {"ms"}
    actions = [
        entry.action
        for entry in desk.trial.entries(desk.person)
        if entry.object == f"transcription/{one}"
    ]
    assert actions == [
        "begin_transcription", "enter_transcription", "finish_transcription",
        "check_transcription", "return_transcription", "enter_transcription",
        "finish_transcription", "check_transcription", "accept_transcription",
    ]  # fmt: skip
    assert desk.trial.faults() == []


def test_an_interview_needs_no_second_person(desk: Desk) -> None:
    one = desk.begin("interview")
    desk.enter(one, desk.values)
    assert desk.finish(one) == Checked(Outcome.ACCEPTED)
    made = desk.submission()
    assert made is not None
    assert made.mode == "interview"
    assert {(one.mode, one.originator) for one in desk.answers()} == {("interview", "participant")}
    told = desk.trial.entries(desk.person, "answer")[0]
    assert told.detail["originator_reason"] == f"interview, entered by staff/{desk.ana}"
    assert desk.row(one).checked_by is None
    assert desk.trial.faults() == []


def test_the_mode_is_exported(desk: Desk) -> None:
    desk.check(desk.handed_over(), desk.values)
    row = one(rows(desk.trial, "answers"), timepoint="baseline", instrument="lupusqol")
    assert (row["mode"], row["status"]) == ("paper", "completed")
    assert row["completed_at"] == datetime(2026, 11, 23, 0, 30, tzinfo=UTC)


# --- the phone was there first ------------------------------------------------------------------


def test_what_the_phone_has_submitted_stands(desk: Desk) -> None:
    """The transcription is kept as it is, and shown; it can be put aside."""
    one = desk.handed_over()
    desk.trial.answer_all(desk.assessment)
    receipt = desk.trial.submit(desk.assessment)
    answers = len(desk.answers())
    assert desk.check(one, desk.values) == Checked(Outcome.CONFLICT, conflict="submitted")
    row = desk.row(one)
    assert (row.state, row.conflict, row.conflict_at) == (
        "to_check", "submitted", desk.trial.clock(),
    )  # fmt: skip
    assert (row.values, row.second_values) == (desk.values, desk.values)
    made = desk.submission()
    assert made is not None
    assert (made.mode, made.submitted_at) == ("own_phone", receipt.submitted_at)
    assert len(desk.answers()) == answers
    assert desk.trial.entries(desk.person, "keep_conflict")[0].detail == {"conflict": "submitted"}
    with pytest.raises(TranscriptionError, match="submitted already"):
        desk.begin()
    desk.discard(one, "submitted on the phone")
    assert desk.row(one).values == desk.values
    assert desk.trial.faults() == []


def test_newer_answers_of_the_phone_are_not_mixed_in(desk: Desk) -> None:
    """Until the time on the paper shows which came first."""
    desk.trial.answer(desk.assessment, {"LQ01": 0})  # at nine; the paper says half past eight
    one = desk.handed_over()
    found = desk.check(one, desk.values)
    assert (found.outcome, found.conflict) == (Outcome.CONFLICT, "newer_answers")
    assert (desk.submission(), len(desk.answers())) == (None, 1)
    desk.trial.clock.forward(hours=2)
    desk.give_back(one, "it was half past nine")
    desk.enter(one, desk.values, given=Paper(TODAY, "ta", time(9, 30)))
    desk.finish(one)
    assert desk.check(one, desk.values).outcome is Outcome.ACCEPTED
    made = desk.submission()
    assert made is not None
    assert made.answers["LQ01"]["code"] == desk.values["LQ01"]
    assert (made.mode, made.started_at) == ("paper", local(2026, 11, 23, 9))
    assert desk.row(one).conflict is None
    assert desk.trial.faults() == []


def test_a_conflict_can_be_tried_again(desk: Desk) -> None:
    one = desk.handed_over()
    desk.trial.answer_all(desk.assessment)
    desk.trial.submit(desk.assessment)
    assert desk.check(one, desk.values).outcome is Outcome.CONFLICT
    assert desk.settle(one, {}).outcome is Outcome.CONFLICT


def test_a_tap_after_the_paper_is_kept_and_not_counted(desk: Desk) -> None:
    desk.check(desk.handed_over(), desk.values)
    desk.trial.clock.forward(minutes=5)
    saved = desk.trial.answer(desk.assessment, {"LQ01": 0})
    assert list(saved.not_counted.values()) == ["after_submission"]
    assert desk.trial.faults() == []


# --- the day on the paper -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "at", "completed_at", "late"),
    [
        (date(2026, 11, 23), time(5, 0), local(2026, 11, 23, 6), False),  # the day decides
        (date(2026, 11, 25), None, local(2026, 11, 25, 12), False),
        (date(2026, 12, 6), time(22, 59), local(2026, 12, 6, 22, 59), False),
        (
            date(2026, 12, 6), time(23, 30),
            local(2026, 12, 6, 23) - timedelta(microseconds=1), False,
        ),
        (date(2026, 12, 7), None, local(2026, 12, 7, 12), True),
        (date(2026, 12, 9), time(7, 15), local(2026, 12, 9, 7, 15), True),
    ],
)  # fmt: skip
def test_window_and_lateness_go_by_the_day_on_the_paper(
    desk: Desk, day: date, at: time | None, completed_at: datetime, late: bool
) -> None:
    desk.trial.clock.now = local(2026, 12, 10, 9)  # the window closed four days ago
    one = desk.handed_over(given=Paper(day, "en", at))
    assert desk.check(one, desk.values).outcome is Outcome.ACCEPTED
    made = desk.submission()
    assert made is not None
    assert (made.completed_at, made.late) == (completed_at, late)
    assert made.submitted_at == desk.trial.clock()
    assert {row.standing for row in desk.answers()} == {"late" if late else "in_time"}
    assert desk.status() is (Status.COMPLETED_LATE if late else Status.COMPLETED)
    row = desk.row(one)
    assert (row.completed_on, row.completed_time) == (day, at)  # as on paper
    assert desk.trial.faults() == []


@pytest.mark.parametrize(
    ("mode", "given", "reason"),
    [
        ("paper", Paper(date(2026, 11, 22), "en"), "before the questionnaire opened"),
        ("paper", Paper(date(2026, 11, 24), "en"), "lies in the future"),
        ("paper", Paper(TODAY, "en", time(9, 1)), "lies in the future"),
        ("paper", Paper(TODAY, "fr"), "no wording in fr"),
        ("paper", Paper(TODAY, "en", None, f"scan {MYKAD}"), "national identity"),
        ("paper", Paper(TODAY, "en", None, "x" * 121), "more than 120"),
        ("own_phone", Paper(TODAY, "en"), "the mode must be one of paper, interview"),
    ],
)
def test_what_cannot_be_begun(desk: Desk, mode: str, given: Paper, reason: str) -> None:
    with pytest.raises(TranscriptionError, match=reason):
        desk.begin(mode, given)
    assert desk.trial.entries(desk.person, "begin_transcription") == []


def test_no_paper_of_a_live_study_is_in_the_demonstration_wording(desk: Desk) -> None:
    desk.trial.amend(lambda content: content.update(status="live"))
    with pytest.raises(TranscriptionError, match="no wording in en") as refused:
        desk.begin("paper", Paper(TODAY, "en"))
    assert refused.value.code == "language"
    with desk.trial.database.writing() as session:
        trial = desk.trial
        made = license_one(session, trial.study, trial.library, "lupusqol", "en", trial.clock())
        session.flush()
        trial.study = studies.current(session, trial.library, trial.study.id)
    assert desk.row(desk.begin("paper", Paper(TODAY, "en"))).wording == made.fingerprint


def test_an_interview_of_a_live_study_is_licensed(desk: Desk) -> None:
    trial = desk.trial

    def permit(version: str, *modes: str) -> None:
        with trial.database.writing() as session:
            license_one(
                session, trial.study, trial.library, "lupusqol", "en", trial.clock(), version,
                modes=frozenset(modes),
            )  # fmt: skip
            session.flush()
            trial.study = studies.current(session, trial.library, trial.study.id)

    trial.amend(lambda content: content.update(status="live"))
    permit("1", "phone", "paper")
    with pytest.raises(TranscriptionError, match="nothing may be read out in en") as refused:
        desk.begin("interview", Paper(TODAY, "en"))
    assert refused.value.code == "language"
    permit("2", "interview")
    assert desk.row(desk.begin("interview", Paper(TODAY, "en"))).mode == "interview"


def test_one_at_a_time(desk: Desk) -> None:
    one = desk.begin()
    with pytest.raises(TranscriptionError, match="being entered already"):
        desk.begin(by=desk.ben)
    desk.discard(one)
    with pytest.raises(TranscriptionError, match="it is discarded"):
        desk.discard(one)
    two = desk.begin(by=desk.ben)
    with desk.trial.database.reading() as session:
        found = transcription.of_participant(session, desk.person.id)
    assert [row.public_id for row in found] == [two, one]


def test_the_database_allows_one_at_a_time(desk: Desk) -> None:
    row = desk.row(desk.begin())
    names = [column.key for column in Transcription.__table__.columns if column.key != "id"]
    copy = {name: getattr(row, name) for name in names} | {"public_id": "other"}
    with pytest.raises(sa.exc.IntegrityError), desk.trial.database.writing() as session:
        session.execute(sa.insert(Transcription).values(**copy))


def test_somebody_elses_questionnaire_is_none(desk: Desk) -> None:
    stranger = desk.trial.enrol("01-002")
    with (
        pytest.raises(TranscriptionError, match="no such questionnaire"),
        desk.trial.database.writing() as session,
    ):
        transcription.begin(
            session, desk.trial.study, stranger.id,
            desk.assessment.public_id, "paper", Paper(TODAY, "en"), desk.ana, desk.trial.clock(),
        )  # fmt: skip
    with pytest.raises(TranscriptionError, match="no such transcription"):
        desk.enter("nothing", {})


def test_paper_from_before_a_withdrawal_counts(desk: Desk) -> None:
    desk.trial.clock.forward(days=5)
    with desk.trial.database.writing() as session:
        day = LocalDay(date(2026, 11, 26), ZONE)
        enrolment.withdraw(session, desk.person.id, desk.trial.clock(), on=day)
    with pytest.raises(TranscriptionError, match="had withdrawn by that day"):
        desk.begin(given=Paper(date(2026, 11, 27), "en"))
    one = desk.handed_over(given=Paper(date(2026, 11, 26), "en"))
    assert desk.check(one, desk.values).outcome is Outcome.ACCEPTED
    assert desk.status() is Status.COMPLETED


def test_who_dies_meanwhile(desk: Desk) -> None:
    """What was completed before counts; a questionnaire that the calendar took back does not."""
    one = desk.handed_over()
    desk.trial.record_death(desk.person)
    assert desk.check(one, desk.values).outcome is Outcome.ACCEPTED


def test_a_questionnaire_that_the_calendar_took_back(desk: Desk) -> None:
    one = desk.handed_over()
    with desk.trial.database.writing() as session:
        session.execute(sa.update(Assessment).values(cancelled_at=desk.trial.clock()))
    with pytest.raises(TranscriptionError, match="the calendar has taken"):
        desk.check(one, desk.values)
    row = desk.row(one)
    assert (row.state, row.second_values) == ("to_check", None)


def test_the_trail_tells_every_value_that_was_entered(desk: Desk) -> None:
    one = desk.handed_over()
    desk.check(one, changed(desk, 1))
    with desk.trial.database.reading() as session:
        told = {
            entry.action: entry
            for entry in session.scalars(
                sa.select(AuditEntry).where(AuditEntry.object == f"transcription/{one}")
            )
        }
    assert told["enter_transcription"].detail["values"] == desk.values
    assert told["check_transcription"].detail["values"] == changed(desk, 1)
    assert told["check_transcription"].detail["differences"] == ["LQ02"]
    assert told["begin_transcription"].detail["completed_time"] == "08:30:00"
    assert told["begin_transcription"].detail["reference"] == "box 7"
