"""A trial that has been lived through, so small that every figure of its pictures can be worked
out by hand. See `live`."""

from __future__ import annotations

from datetime import date
from typing import Any

from pro_app.core.library import Library
from pro_app.models import Database
from pro_app.services import missed, studies
from tests.conftest import Enrolled, TestClock
from tests.services.correcting import ADMINISTRATIVE, Desk, hire, submission_of
from tests.services.trial import Trial, local, trial_content

INFUSION = date(2026, 12, 4)
# LQPH (LupusQoL, eight items of 0 to 4): every item 1 is 25, 2 is 50, 3 is 75, 4 is 100
AT_BASELINE = {"01-001": 25.0, "01-002": 50.0, "01-003": 0.0, "02-001": 87.5}
AT_DAY_28 = {"01-001": 50.0, "01-002": 50.0}
CORRECTED = 87.5  # seven items 4, and LQ01 corrected from 4 to 0


def trial_of(database: Database, library: Library, clock: TestClock, code: str = "trial") -> Trial:
    """The trial with its calendar, without anybody."""
    content: dict[str, Any] = trial_content(library) | {"code": code}
    with database.writing() as session:
        study = studies.load(session, library, content, clock())
    return Trial(database, library, study, clock, content)


def live(trial: Trial) -> dict[str, Enrolled]:
    """Six people at two sites, from baseline to two yearly visits; LupusQoL unless said otherwise.

    01-001 (en) answers 1 throughout at baseline, 2 at day 28, 3 at month 12, 4 at month 24.
    01-002 (ta) answers 2 at baseline, SF-36 too, but LQ02 left out and LQ15 not applicable; 2 at
    day 28. 01-003 (ms) answers 0 at baseline and withdraws the day after. 01-004 (zh_Hans) answers
    one question at baseline; the site knows why. 02-001 (en) answers 4 at baseline, and LQ01 is
    corrected to 0. 02-002 (en) answers 3 at baseline, which a correction declares void.
    """
    languages = {"01-001": "en", "01-002": "ta", "01-003": "ms", "01-004": "zh_Hans",
                 "02-001": "en", "02-002": "en"}  # fmt: skip
    people = {number: trial.enrol(number, one) for number, one in languages.items()}
    for number, place in (("01-001", 1), ("01-002", 2), ("01-003", 0), ("02-001", 4),
                          ("02-002", 3)):  # fmt: skip
        answer(trial, people[number], "baseline", place)
    trial.complete(people["01-002"], "baseline", "sf36v1")
    trial.begin(people["01-004"], "baseline")
    for person in people.values():
        trial.infuse(person, INFUSION)
    _correct(trial, people["02-001"], "answer", "0")
    _correct(trial, people["02-002"], "wrong_timepoint", "void")
    trial.clock.forward(days=1)
    trial.withdraw(people["01-003"])
    trial.clock.now = local(2026, 12, 10, 9)
    half = trial.assessments(people["01-004"])["baseline", 1, "lupusqol"].public_id
    with trial.database.writing() as session:
        missed.record(
            session, trial.study, people["01-004"].id, half, "too_ill", "In hospital", None,
            trial.clock(),
        )  # fmt: skip
    trial.clock.now = local(2027, 1, 1, 9)
    for number in ("01-001", "01-002"):
        answer(trial, people[number], "day_28", 2)
    trial.clock.now = local(2027, 12, 4, 9)
    answer(trial, people["01-001"], "yearly", 3)
    trial.clock.now = local(2028, 12, 4, 9)
    answer(trial, people["01-001"], "yearly", 4, occurrence=2)
    return people


def answer(trial: Trial, person: Enrolled, timepoint: str, place: int, occurrence: int = 1) -> None:
    """Submit a LupusQoL with the same answer to every question, in the person's language."""
    sheet = trial.assessments(person)[timepoint, occurrence, "lupusqol"]
    items = trial.library.instruments["lupusqol"].items
    given: dict[str, int | str] = {one.code: one.options.codes[place] for one in items}
    if person.number == "01-002" and timepoint == "baseline":
        given |= {"LQ02": "skipped", "LQ15": "not_applicable"}
    trial.answer(sheet, given, person.language)
    trial.submit(sheet)


def _correct(trial: Trial, person: Enrolled, kind: str, new: str) -> None:
    sheet = trial.assessments(person)["baseline", 1, "lupusqol"]
    place = person.number[:2]
    desk = Desk(
        trial,
        sheet,
        submission_of(trial, sheet),
        coordinator=hire(trial, f"Coordinator {person.number}", "coordinator", at=place),
        investigator=hire(trial, f"Investigator {person.number}", "investigator", at=place),
        second=0,
    )
    if kind == "answer":
        desk.correct(new=new)
    else:
        desk.correct(ADMINISTRATIVE, kind=kind, new=new)
