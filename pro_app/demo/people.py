"""The people of the demonstration study: every stage, all four languages, nothing real."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.schedule import Offset, Window
from pro_app.core.study_file import read_study_file
from pro_app.demo import site
from pro_app.services import (
    answers,
    assessments,
    enrolment,
    joining,
    schedule,
    secrets,
    studies,
    submissions,
)
from pro_app.services.answers import Operation, Origin
from pro_app.services.assessments import Known
from pro_app.services.consents import Consent
from pro_app.services.studies import CurrentStudy


def N_(text: str) -> str:
    """Mark a string that is translated where it is shown."""
    return text


STUDY_FILE = Path(__file__).parent / "study.toml"


@dataclass(frozen=True, slots=True)
class Visit:
    """A timepoint of a person, and how far each of its instruments got.

    `answered` is the share of items answered, per instrument in order; 1.0 is submitted.
    `by_hand` is the window of an unscheduled one, in days from now.
    """

    timepoint: str
    answered: tuple[float, ...] = ()
    by_hand: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Character:
    """A person: joined or not, enrolled so many days ago, the day of the infusion, the visits.

    The infusion is a distance from today in days or months; None while its day is not known. Who
    answers on `paper` has no phone and no code.
    """

    number: str
    language: str
    stage: str
    enrolled: int
    infusion: Offset | None = None
    joined: bool = True
    paper: bool = False
    visits: tuple[Visit, ...] = ()


DONE = tuple(Visit(one, (1.0, 1.0)) for one in ("baseline", "day_28", "month_2", "month_3"))
PEOPLE = (
    Character("01-001", "ms", N_("not joined yet"), enrolled=1, joined=False),
    Character(
        "01-002",
        "ta",
        N_("half way through the first questionnaire"),
        enrolled=44,
        infusion=Offset(-28, "days"),
        visits=(Visit("baseline", (1.0, 1.0)), Visit("day_28", (0.33, 0.0))),
    ),
    Character(
        "01-003",
        "zh_Hans",
        N_("two questionnaires to start"),
        enrolled=1,
        infusion=Offset(12, "days"),
    ),
    Character(
        "01-004",
        "en",
        N_("one done, one to go"),
        enrolled=110,
        infusion=Offset(-3, "months"),
        visits=(
            Visit("baseline", (1.0, 1.0)),
            Visit("day_28", (1.0, 0.5)),
            Visit("month_3", (1.0, 0.0)),
        ),
    ),
    Character(
        "01-005",
        "ms",
        N_("nothing to do today"),
        enrolled=9,
        infusion=Offset(8, "days"),
        visits=(Visit("baseline", (1.0, 1.0)),),
    ),
    Character(
        "01-006",
        "zh_Hans",
        N_("all answered, to be checked and submitted"),
        enrolled=2,
        visits=(Visit("baseline", (0.99, 1.0)),),
    ),
    Character(
        "01-007",
        "ta",
        N_("the time is over, a little is left to finish"),
        enrolled=60,
        visits=(
            Visit("baseline", (1.0, 1.0)),
            Visit("unscheduled", (0.9, 1.0), by_hand=(-3, -0.03)),
        ),
    ),
    Character("01-008", "zh_Hans", N_("answers on paper"), enrolled=16, joined=False, paper=True),
    *(  # so that the researcher's pictures have groups to show
        Character(
            f"01-{number:03}",
            language,
            N_("nothing to do today"),
            enrolled=136,
            infusion=Offset(-4, "months"),
            visits=DONE,
        )
        for number, language in enumerate(("ms", "ta", "zh_Hans", "en", "ms", "ta"), 9)
    ),
)


def build(session: Session, library: Library, key: str, now: datetime) -> dict[str, str]:
    """Make the study and its people; for those not joined, study number -> joining code."""
    content = read_study_file(STUDY_FILE, library.instruments)
    begun = now - timedelta(days=max(one.enrolled for one in PEOPLE))
    study = studies.load(session, library, content, begun)
    hired = site.hire(session, study, key, begun.date(), begun)
    codes = {
        character.number: code
        for character in PEOPLE
        if (code := _Life(session, study, library, key, now, character).live()) is not None
    }
    site.work(session, study, library, hired, now)
    return codes


class _Life:
    """One person's life in the study until now, each part of it at its own time."""

    def __init__(
        self,
        session: Session,
        study: CurrentStudy,
        library: Library,
        key: str,
        now: datetime,
        character: Character,
    ) -> None:
        self.session, self.study, self.library = session, study, library
        self.key, self.now, self.character = key, now, character
        self.device_id: int | None = None

    def live(self) -> str | None:
        """Enrol, join, be given the infusion, answer; the joining code if it was not used."""
        character, session = self.character, self.session
        enrolled_at = self.now - timedelta(days=character.enrolled)
        signed_on = enrolled_at.astimezone(self.study.definition.zone).date()
        consent = Consent("demonstration", signed_on)
        participant = enrolment.add_participant(
            session, self.study, "01", character.number, character.language, enrolled_at,
            consent=consent,
        )  # fmt: skip
        self.participant_id = participant.id
        unused = None
        if character.joined:
            code = enrolment.issue_code(session, participant.id, self.key, enrolled_at)
            self.device_id = _join(
                session, self.study, code, self.key, character.language, enrolled_at
            )
        elif not character.paper:
            unused = enrolment.issue_code(session, participant.id, self.key, self.now)
        if character.infusion is not None:
            today = self.now.astimezone(self.study.definition.zone).date()
            day = character.infusion.after(today)
            known_at = enrolled_at + timedelta(hours=2)
            schedule.set_anchor(
                session, self.study, self.library.instruments, participant.id, "infusion", day,
                known_at,
            )  # fmt: skip
        for visit in character.visits:
            self._answer(visit)
        return unused

    def _answer(self, visit: Visit) -> None:
        """Answer and submit a visit's questionnaires as far as the person got."""
        if visit.by_hand is not None:
            opens_at, closes_at = (self.now + timedelta(days=days) for days in visit.by_hand)
            window = Window(opens_at, opens_at, closes_at)
            assessments.open_timepoint(
                self.session, self.study, self.participant_id, visit.timepoint, window, opens_at
            )
        found = [
            one
            for one in assessments.of_participant(self.session, self.participant_id)
            if one.timepoint == visit.timepoint
        ]
        for known, share in zip(found, visit.answered, strict=False):
            if share:
                self._answer_one(known, share)

    def _answer_one(self, known: Known, share: float) -> None:
        language, grace = self.character.language, self.study.definition.grace
        instrument = self.library.instruments[known.instrument]
        wording = self.library.wording(known.instrument, language)
        assert wording is not None  # noqa: S101 (the demonstration has all wordings)
        enrolled_at = self.now - timedelta(days=self.character.enrolled)
        at = max(known.facts.opens_at, enrolled_at) + timedelta(hours=3)
        operations = _answers(instrument, share, seed=self.participant_id + known.id)
        held = self._hold(known)
        origin = Origin(self.device_id, wording)
        answers.save(self.session, held, instrument, operations, origin, grace, at)
        if share == 1.0:
            end = at + timedelta(minutes=6)
            submissions.submit(
                self.session, self.study, self._hold(known), instrument, self.device_id, end
            )

    def _hold(self, known: Known) -> Known:
        held = assessments.hold_own(self.session, known.public_id, self.participant_id)
        assert held is not None  # noqa: S101 (it is the person's own)
        return held


def _join(
    session: Session, study: CurrentStudy, code: str, key: str, language: str, now: datetime
) -> int:
    found = enrolment.find_code(session, secrets.code_hash(code, key), now)
    assert found is not None  # noqa: S101 (it was just made)
    version = study.definition.notice.version
    bound = joining.bind_device(session, found.id, version, language, now)
    assert bound is not None  # noqa: S101
    return bound[1]


def _answers(instrument: Instrument, share: float, seed: int) -> list[Operation]:
    """Answers to the first items: all kinds, the same at every build."""
    count = round(len(instrument.items) * share)
    operations = []
    for item in instrument.items[:count]:
        made = uuid.uuid5(uuid.NAMESPACE_OID, f"{seed} {item.code}")
        code = item.options.codes[made.int % len(item.options.codes)]
        operations.append(Operation(str(made), item.code, "answered", code))
    return operations
