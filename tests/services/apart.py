"""Two live studies in which one person lives through the same: one of them has a test participant,
too, who does everything alike. Whatever is read of the other is what must be read of this one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pro_app.core.library import Library
from pro_app.models import CodeRequest, Database
from pro_app.services import enrolment, missed, sending, studies, transcription
from pro_app.services.consents import Consent
from pro_app.services.paper import Paper, Value
from tests.conftest import KEY, Enrolled, TestClock
from tests.services.correcting import Desk, hire, submission_of
from tests.services.licensing import license_all
from tests.services.trial import Trial, office, trial_content
from tests.services.watching import MONITORING

REAL, TEST = "01-001", "01-009"
TODAY = date(2026, 11, 23)


@dataclass
class Apart:
    """The study `mixed` has the person and the test participant, `alone` has the person."""

    mixed: Trial
    alone: Trial


def live_through(database: Database, library: Library, clock: TestClock) -> Apart:
    """Ten days in which everything happens that is counted or listed anywhere."""
    found = Apart(
        _trial(database, library, clock, "mixed"), _trial(database, library, clock, "alone")
    )
    with database.writing() as session:  # for every study
        found.mixed.study = license_all(session, found.mixed.study, library, clock(), study_id=None)
        found.alone.study = studies.current(session, library, found.alone.study.id)
    people = [
        (found.mixed, _enrol(found.mixed, REAL)),
        (found.mixed, _enrol(found.mixed, TEST, is_test=True)),
        (found.alone, _enrol(found.alone, REAL)),
    ]
    for trial, person in people:
        _first_day(trial, person)
    found.mixed.plan()  # of both studies
    clock.forward(days=10)
    sending.drain(office(found.mixed))
    for trial, person in people:
        _last_day(trial, person)
    return found


def _trial(database: Database, library: Library, clock: TestClock, code: str) -> Trial:
    content: dict[str, Any] = trial_content(library) | MONITORING | {"code": code, "status": "live"}
    with database.writing() as session:
        study = studies.load(session, library, content, clock())
    return Trial(database, library, study, clock, content)


def _enrol(trial: Trial, number: str, is_test: bool = False) -> Enrolled:
    with trial.database.writing() as session:
        row = enrolment.add_participant(
            session, trial.study, "01", number, "en", trial.clock(),
            consent=None if is_test else Consent("1", TODAY), is_test=is_test,
        )  # fmt: skip
        code = enrolment.issue_code(session, row.id, KEY, trial.clock())
        return Enrolled(row.id, number, "en", code)


def _first_day(trial: Trial, person: Enrolled) -> None:
    """A questionnaire is submitted, and so answered that alerts are raised; one is begun; two are
    open for a day, and one of them is on paper."""
    (sheet,) = trial.complete(person, "baseline", "lupusqol")
    trial.begin(person, "baseline", "sf36v1")
    trial.open(person, "unscheduled", closes=timedelta(days=1))
    name = f"{person.number} of {trial.study.definition.code}"
    desk = Desk(
        trial,
        sheet,
        submission_of(trial, sheet),
        coordinator=hire(trial, f"Coordinator {name}", "coordinator"),
        investigator=hire(trial, f"Investigator {name}", "investigator"),
        second=0,
    )
    desk.correct(item="LQ01", new="3")
    desk.request(item="LQ03", new="2")
    _on_paper(trial, person, desk.coordinator)


def _on_paper(trial: Trial, person: Enrolled, by: int) -> None:
    about = trial.assessments(person)["unscheduled", 1, "lupusqol"]
    items = trial.library.instruments["lupusqol"].items
    values: dict[str, Value] = {one.code: one.options.codes[0] for one in items}
    with trial.database.writing() as session:
        sheet = transcription.begin(
            session, trial.study, person.id, about.public_id, "paper",
            Paper(TODAY, "en"), by, trial.clock(),
        ).public_id  # fmt: skip
        given = (session, trial.study, trial.library, sheet)
        transcription.enter(*given, values, by, trial.clock())
        transcription.finish(*given, by, trial.clock())


def _last_day(trial: Trial, person: Enrolled) -> None:
    """Why one was missed becomes known, a new code is wished for, and a visit can be answered."""
    about = trial.assessments(person)["unscheduled", 1, "sf36v1"]
    with trial.database.writing() as session:
        missed.record(
            session, trial.study, person.id, about.public_id, "too_ill", "", None, trial.clock()
        )
        session.add(CodeRequest(participant_id=person.id, requested_at=trial.clock()))
    trial.open(person, "unscheduled", occurrence=2)
