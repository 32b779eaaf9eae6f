"""Enrolling many people by a file: it is checked as a whole, and then all or nobody is enrolled.

One line a person; the columns are `number`, `site`, `language`, `consent_version`, `consent_on`,
and if wanted the days of anchors by the anchor's code (`enrolment`, `infusion`), `email`, and
`test`: `yes` for who is no person of the study but tries it, and needs no consent.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.file_table import Fault, Line, fault, read_table
from pro_app.core.schedule import ENROLMENT, YEARS
from pro_app.core.study import NATIONAL_IDENTITY
from pro_app.models import AnchorDate, Contact, Database, Participant, Site, Study
from pro_app.models.participant import new_public_id
from pro_app.services import audit, enrolment, reach, schedule
from pro_app.services.consents import LONGEST as LONGEST_VERSION
from pro_app.services.consents import Consent
from pro_app.services.studies import CurrentStudy
from pro_app.services.vault import Vault

NEEDED = ("number", "site", "language", "consent_version", "consent_on")
EMAIL = "email"
TEST = "test"
CONSENT = frozenset({"consent_version", "consent_on"})
YES_OR_NO = ("yes", "no", "")
ENROLLED = "enrol_file"  # what the study's trail calls it
CHUNK = 500  # people written by one statement, and placed in one transaction
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Thing = TypeVar("Thing")


class FileRefused(Exception):
    """The file has faults, and nobody was enrolled."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Entrant:
    """Somebody to be enrolled."""

    number: str
    site_id: int
    language: str
    consent: Consent | None
    days: dict[str, date]  # of the anchors, that of enrolment among them
    email: str
    is_test: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file would do: whom it enrols, or every fault, in the order of the lines."""

    entrants: tuple[Entrant, ...]
    faults: tuple[Fault, ...]


def check(
    session: Session,
    study: CurrentStudy,
    data: bytes,
    now: datetime,
    sites: Collection[str] | None = None,
) -> Checked:
    """Read a file and look for every fault; changes nothing.

    `sites` are the codes of those where the person who asks may enrol; None: at all.
    """
    anchors = [one.code for one in study.definition.anchors]
    table = read_table(data, NEEDED, [*anchors, EMAIL, TEST])
    faults = list(table.faults)
    entrants = []
    if set(NEEDED) <= set(table.columns):
        checking = _Checking(session, study, table.lines, now, sites)
        for line in table.lines:
            found = list(checking.faults(line))
            faults += found
            if not found and not table.faults:
                entrants.append(checking.entrant(line))
    faults.sort(key=lambda one: one.line or 0)  # those of one line stay in the columns' order
    return Checked(() if faults else tuple(entrants), tuple(faults))


class _Checking:
    """One look at the lines of one file."""

    def __init__(
        self,
        session: Session,
        study: CurrentStudy,
        lines: Sequence[Line],
        now: datetime,
        allowed: Collection[str] | None,
    ) -> None:
        self.definition = study.definition
        self.is_live = study.is_live
        self.today = now.astimezone(self.definition.zone).date()
        self.anchors = [one.code for one in self.definition.anchors]
        rows = session.execute(sa.select(Site.code, Site.id).where(Site.study_id == study.id))
        self.sites = {code: site_id for code, site_id in rows}  # noqa: C416 (rows are no pairs to dict)
        self.allowed = allowed
        self.taken = _taken(session, study.id, [line.cells["number"] for line in lines])
        self.first_lines: dict[str, int] = {}

    def faults(self, line: Line) -> Iterator[Fault]:
        """Everything that is wrong with a line."""
        for column, value in line.cells.items():
            if NATIONAL_IDENTITY.search(value):
                yield fault(line.number, column, value, "identity")
            else:
                yield from self._of_cell(line, column, value)

    def _of_cell(self, line: Line, column: str, value: str) -> Iterator[Fault]:
        """What is wrong with a cell, once at most."""

        def wrong(code: str, **about: str | int) -> Iterator[Fault]:
            yield fault(line.number, column, value, code, **about)

        if not value:
            if column in NEEDED and not (column in CONSENT and _needs_no_consent(line)):
                yield from wrong("missing")
        elif column == "number":
            yield from self._of_number(line, value, wrong)
        elif column == "site":
            if value not in self.sites:
                yield from wrong("no_site", known=", ".join(sorted(self.sites)))
            elif self.allowed is not None and value not in self.allowed:
                yield from wrong("foreign_site")
        elif column == "language":
            if value not in self.definition.languages:
                yield from wrong("no_language", known=", ".join(self.definition.languages))
        elif column == "consent_version":
            if Consent(value, self.today).fault(self.today) is not None:
                yield from wrong("version", most=LONGEST_VERSION)
        elif column == "consent_on" or column in self.anchors:
            day = _day(value)
            if day is None:
                yield from wrong("no_day")
            elif day > self.today:
                yield from wrong("future")
        elif column == EMAIL and reach.email_fault(value):
            yield from wrong("email")
        elif column == TEST and value not in YES_OR_NO:
            yield from wrong("yes_no")

    def _of_number(
        self, line: Line, number: str, wrong: Callable[..., Iterator[Fault]]
    ) -> Iterator[Fault]:
        first = self.first_lines.setdefault(number, line.number)
        pattern = self.definition.number_pattern_of(line.cells["site"])
        if first != line.number:
            yield from wrong("number_twice", first=first)
        elif number in self.taken:
            yield from wrong("taken")
        elif len(number) > enrolment.LONGEST_NUMBER:
            yield from wrong("long_number", most=enrolment.LONGEST_NUMBER)
        elif not pattern.fullmatch(number):
            yield from wrong("pattern", pattern=pattern.pattern)

    def entrant(self, line: Line) -> Entrant:
        """The person of a line without faults."""
        cells = line.cells
        days = {code: date.fromisoformat(cells[code]) for code in self.anchors if cells.get(code)}
        signed = all(cells[name] for name in CONSENT)
        on = cells["consent_on"]
        return Entrant(
            number=cells["number"],
            site_id=self.sites[cells["site"]],
            language=cells["language"],
            consent=Consent(cells["consent_version"], date.fromisoformat(on)) if signed else None,
            days={ENROLMENT: self.today} | days,
            email=cells.get(EMAIL, ""),
            is_test=_says_test(line) or not self.is_live,
        )


def _says_test(line: Line) -> bool:
    return line.cells.get(TEST) == "yes"


def _needs_no_consent(line: Line) -> bool:
    """Whether both columns of the consent may be empty; one alone may not."""
    return _says_test(line) and not any(line.cells[name] for name in CONSENT)


def _day(text: str) -> date | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year in YEARS else None


def _taken(session: Session, study_id: int, numbers: Sequence[str]) -> set[str]:
    """Which of these study numbers somebody has."""
    found: set[str] = set()
    for some in _chunks(numbers):
        of_study = sa.select(Participant.number).where(Participant.study_id == study_id)
        found |= set(session.scalars(of_study.where(Participant.number.in_(some))))
    return found


def _chunks(things: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    return (things[start : start + CHUNK] for start in range(0, len(things), CHUNK))


def enrol(
    database: Database,
    study: CurrentStudy,
    vault: Vault,
    data: bytes,
    now: datetime,
    actor: str = "site",
    sites: Collection[str] | None = None,
) -> int:
    """Enrol everybody of a file: how many they are.

    The people, their anchors, addresses and trail are one transaction, all of them or nobody; the
    file is read before it. Their assessments are placed afterwards, CHUNK people at a time, so
    that SQLite's other writers wait for seconds and not for all of it. Whom this process does not
    come to, the planner places likewise. Reminders are the planner's. Raises FileRefused.
    """
    with database.reading() as session:
        checked = check(session, study, data, now, sites)
    if checked.faults:
        raise FileRefused(checked.faults)
    people: list[int] = []
    try:
        with database.writing() as session:
            session.execute(sa.select(Study.id).where(Study.id == study.id).with_for_update())
            for some in _chunks(checked.entrants):
                people += _write(session, study, vault, some, now, actor)
            entry = audit.Entry(
                actor,
                ENROLLED,
                f"study/{study.definition.code}",
                new=str(len(people)),
                detail={"sha256": hashlib.sha256(data).hexdigest()},
            )
            audit.record(session, audit.study_stream(study.id), now, [entry])
    except sa.exc.IntegrityError as error:
        raise FileRefused([fault(None, None, "", "meanwhile")]) from error
    for some_ids in _chunks(people):
        with database.writing() as session:
            waiting = schedule.unplaced(session, some_ids)
            schedule.enter(session, study, waiting, now)
    return len(people)


def _write(
    session: Session,
    study: CurrentStudy,
    vault: Vault,
    entrants: Sequence[Entrant],
    now: datetime,
    actor: str,
) -> list[int]:
    """Enrol these people by a handful of statements: their row ids. Their assessments wait."""
    session.execute(sa.insert(Participant), [_row(study, one, now) for one in entrants])
    of_study = sa.select(Participant.number, Participant.id).where(
        Participant.study_id == study.id, Participant.number.in_([one.number for one in entrants])
    )
    ids = {number: participant_id for number, participant_id in session.execute(of_study)}  # noqa: C416 (rows are no pairs to dict)
    session.execute(
        sa.insert(AnchorDate),
        [
            {"participant_id": ids[one.number], "anchor": anchor, "day": day}
            for one in entrants
            for anchor, day in one.days.items()
        ],
    )
    contacts = [
        {"participant_id": ids[one.number], "email": vault.lock(one.email), "created_at": now}
        for one in entrants
        if one.email
    ]
    if contacts:
        session.execute(sa.insert(Contact), contacts)
    told = {
        audit.participant_stream(ids[one.number]): list(_entries(one, actor)) for one in entrants
    }
    audit.record_many(session, now, told)
    return list(ids.values())


def _row(study: CurrentStudy, one: Entrant, now: datetime) -> dict[str, Any]:
    return {
        "public_id": new_public_id(),
        "study_id": study.id,
        "site_id": one.site_id,
        "number": one.number,
        "language": one.language,
        "consent_version": None if one.consent is None else one.consent.version,
        "consent_on": None if one.consent is None else one.consent.on,
        "is_test": one.is_test,
        "created_at": now,
    }


def _entries(one: Entrant, actor: str) -> Iterator[audit.Entry]:
    day = one.days[ENROLMENT]
    yield enrolment.enrolled_entry(one.number, one.language, day, one.consent, actor, one.is_test)
    for anchor, known in one.days.items():
        if anchor != ENROLMENT:
            new = known.isoformat()
            yield audit.Entry(actor, "set_anchor", "participant", anchor, None, new)
    if one.email:
        yield audit.Entry(actor, "set_email", "participant")
