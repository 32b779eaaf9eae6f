"""The people of the demonstration study: every stage, all four languages, nothing real."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.study import read_study_file
from pro_app.services import answers, assessments, enrolment, studies, submissions
from pro_app.services.answers import Operation, Origin
from pro_app.services.assessments import Window
from pro_app.services.studies import CurrentStudy


def N_(text: str) -> str:
    """Mark a string that is translated where it is shown."""
    return text


STUDY_FILE = Path(__file__).parent / "study.toml"


@dataclass(frozen=True, slots=True)
class Visit:
    """A timepoint of a person: the window in days from now, and how far each instrument got.

    `answered` is the share of items answered, per instrument in order; 1.0 is submitted.
    """

    timepoint: str
    opens: float
    closes: float
    answered: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Character:
    """A person: joined or not, and the visits."""

    number: str
    language: str
    stage: str
    joined: bool = True
    visits: tuple[Visit, ...] = ()


PEOPLE = (
    Character(
        "01-001", "ms", N_("not joined yet"), joined=False, visits=(Visit("baseline", -1, 6),)
    ),
    Character(
        "01-002",
        "ta",
        N_("half way through the first questionnaire"),
        visits=(
            Visit("baseline", -40, -33, (1.0, 1.0)),
            Visit("day_28", -2, 4, (0.33, 0.0)),
            Visit("month_2", 25, 39),
        ),
    ),
    Character(
        "01-003",
        "zh_Hans",
        N_("two questionnaires to start"),
        visits=(Visit("baseline", -1, 6), Visit("day_28", 29, 35)),
    ),
    Character(
        "01-004",
        "en",
        N_("one done, one to go"),
        visits=(
            Visit("baseline", -100, -93, (1.0, 1.0)),
            Visit("day_28", -60, -54, (1.0, 0.5)),
            Visit("month_2", -30, -16),
            Visit("month_3", -3, 3, (1.0, 0.0)),
        ),
    ),
    Character(
        "01-005",
        "ms",
        N_("nothing to do today"),
        visits=(Visit("baseline", -9, -2, (1.0, 1.0)), Visit("day_28", 20, 26)),
    ),
    Character(
        "01-006",
        "zh_Hans",
        N_("all answered, to be checked and submitted"),
        visits=(Visit("baseline", -2, 5, (0.99, 1.0)),),
    ),
    Character(
        "01-007",
        "ta",
        N_("the time is over, a little is left to finish"),
        visits=(Visit("baseline", -3, -0.03, (0.9, 1.0)),),
    ),
)


def build(session: Session, library: Library, key: str, now: datetime) -> dict[str, str]:
    """Make the study and its people; for those not joined, study number -> joining code."""
    content = read_study_file(STUDY_FILE, library.instruments)
    study = studies.load(session, library, content, now)
    codes: dict[str, str] = {}
    for character in PEOPLE:
        participant = enrolment.add_participant(
            session, study, "01", character.number, character.language, now
        )
        code = enrolment.issue_code(session, participant.id, key, now)
        device_id = None
        if character.joined:
            device_id = _join(session, study, code, key, character.language, now)
        else:
            codes[character.number] = code
        for visit in character.visits:
            _live(session, study, library, participant.id, device_id, character, visit, now)
    return codes


def _join(
    session: Session, study: CurrentStudy, code: str, key: str, language: str, now: datetime
) -> int:
    found = enrolment.find_code(session, code, key, now)
    assert found is not None  # noqa: S101 (it was just made)
    version = study.definition.notice.version
    bound = enrolment.bind_device(session, found.id, version, language, now)
    assert bound is not None  # noqa: S101
    return bound[1]


def _live(
    session: Session,
    study: CurrentStudy,
    library: Library,
    participant_id: int,
    device_id: int | None,
    character: Character,
    visit: Visit,
    now: datetime,
) -> None:
    """Open a visit's assessments, and answer and submit as far as the person got."""
    opens_at, closes_at = now + timedelta(days=visit.opens), now + timedelta(days=visit.closes)
    if abs(visit.closes) >= 1:  # days close at their end, a window that just closed does not
        closes_at = closes_at.astimezone(study.definition.zone).replace(
            hour=23, minute=59, second=0, microsecond=0
        )
    window = Window(opens_at, opens_at, closes_at)
    opened = assessments.open_timepoint(
        session, study, participant_id, visit.timepoint, window, opens_at
    )
    for assessment, share in zip(opened, visit.answered, strict=False):
        if not share:
            continue
        instrument = library.instruments[assessment.instrument]
        wording = library.wording(assessment.instrument, character.language)
        assert wording is not None  # noqa: S101 (the demonstration has all wordings)
        at = opens_at + timedelta(hours=3)
        operations = _answers(instrument, share, seed=participant_id + assessment.id)
        known = assessments.hold_own(session, assessment.public_id, participant_id)
        assert known is not None  # noqa: S101
        origin = Origin(device_id, wording)
        answers.save(session, known, instrument, operations, origin, study.definition.grace, at)
        if share == 1.0:
            known = assessments.hold_own(session, assessment.public_id, participant_id)
            assert known is not None  # noqa: S101
            end = at + timedelta(minutes=6)
            submissions.submit(session, study, known, instrument, device_id, end)


def _answers(instrument: Instrument, share: float, seed: int) -> list[Operation]:
    """Plausible answers to the first items: mild trouble, the same at every build."""
    count = round(len(instrument.items) * share)
    return [
        Operation(
            str(uuid.uuid5(uuid.NAMESPACE_OID, f"{seed} {item.code}")),
            item.code,
            "answered",
            item.options.codes[(seed * 7 + item.n * 3) % len(item.options.codes)],
        )
        for item in instrument.items[:count]
    ]
