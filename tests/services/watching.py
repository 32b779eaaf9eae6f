"""A study in which answers are watched, and the questions that tests ask of its alerts."""

from __future__ import annotations

import copy
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from pro_app.core.study_file import read_study_file
from pro_app.models import AlertLetter, AnswerAlert, Assessment, AuditEntry, Staff, Submission
from pro_app.services import answer_alerts, audit, studies
from pro_app.services.answer_alerts import Listed, Whose
from tests.conftest import Enrolled, Site
from tests.services.correcting import Desk, hire, submission_of

TESTS = Path(__file__).parents[1]
MONITORING: dict[str, Any] = tomllib.loads((TESTS / "monitoring.toml").read_text(encoding="utf-8"))
EVERYTHING = Whose(investigator=None, coordinator=None)
AS_COORDINATOR = Whose(investigator=frozenset(), coordinator=None)


def watched_content(site: Site) -> dict[str, Any]:
    """The content of `tests/study.toml` with `tests/monitoring.toml`, to be altered at will."""
    content = read_study_file(TESTS / "study.toml", site.library.instruments)
    return content | copy.deepcopy(MONITORING)


def watch(site: Site, content: dict[str, Any] | None = None) -> None:
    """Load a version of the study in which answers are watched."""
    with site.database.writing() as session:
        site.study = studies.load(
            session, site.library, content or watched_content(site), site.clock()
        )


def unwatch(site: Site) -> None:
    """Load a version in which they are no longer."""
    content = watched_content(site)
    del content["monitoring"]
    watch(site, content)


@dataclass
class Answered:
    """Somebody who has just submitted a LupusQoL."""

    person: Enrolled
    assessment: Assessment


def submit(
    site: Site,
    number: str = "01-001",
    first: int | str = 4,
    pain: int | str = 4,
    timepoint: str = "baseline",
) -> Answered:
    """Enrol somebody who answers everything well, but the first question and the three about
    pain as told, and submits."""
    person = site.enrol(number)
    assessment = site.open(person, timepoint)[0]
    site.answer_all(assessment, place=4)
    site.answer(assessment, {"LQ01": first, "LQ09": pain, "LQ10": pain, "LQ11": pain})
    site.submit(assessment)
    return Answered(person, assessment)


def alerts_of(site: Site) -> dict[str, AnswerAlert]:
    """All alerts, by rule: a test has one of each at most."""
    query = sa.select(AnswerAlert).options(
        joinedload(AnswerAlert.submission).joinedload(Submission.assessment)
    )
    with site.database.reading() as session:
        found = session.scalars(query.order_by(AnswerAlert.id)).all()
    assert len({one.rule for one in found}) == len(found)
    return {one.rule: one for one in found}


def seen_by(site: Site, whose: Whose) -> list[Listed]:
    """The list as somebody sees it."""
    with site.database.reading() as session:
        return answer_alerts.listed(session, site.study, site.library, whose)


def letters_of(site: Site) -> list[tuple[str, str, str]]:
    """Every letter: to whom, at which step, and its state, in order."""
    query = (
        sa.select(Staff.name, AlertLetter.step, AlertLetter.state)
        .join(Staff, Staff.id == AlertLetter.staff_id)
        .order_by(AlertLetter.id)
    )
    with site.database.reading() as session:
        return [tuple(row) for row in session.execute(query)]


def entries_of(site: Site, person: Enrolled, *actions: str) -> list[AuditEntry]:
    """What a participant's stream tells of these actions."""
    query = sa.select(AuditEntry).where(
        AuditEntry.stream == audit.participant_stream(person.id), AuditEntry.action.in_(actions)
    )
    with site.database.reading() as session:
        return list(session.scalars(query.order_by(AuditEntry.seq)))


def acknowledge(
    site: Site, answered: Answered, rule: str, by: int, note: str = "Called, all is well"
) -> None:
    """Say that somebody has seen an alert."""
    with site.database.writing() as session:
        answer_alerts.acknowledge(
            session,
            answered.person.id,
            alerts_of(site)[rule].public_id,
            note,
            by,
            site.clock(),
        )


def desk_of(site: Site, answered: Answered) -> Desk:
    """A desk with two of the staff, to correct what somebody has submitted."""
    return Desk(
        site,
        answered.assessment,
        submission_of(site, answered.assessment),
        coordinator=hire(site, "Desk Coordinator", "coordinator"),
        investigator=hire(site, "Desk Investigator", "investigator"),
        second=0,
    )
