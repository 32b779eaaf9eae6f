"""Enrolling many people by a file: it is checked as a whole, and then all or nobody is enrolled.

One line a person; the columns are `number`, `site`, `language`, `consent_version`, `consent_on`,
and if wanted the days of anchors by the anchor's code (`enrolment`, `infusion`) and `email`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.file_table import Fault, Line, fault, read_table
from pro_app.core.schedule import ENROLMENT, YEARS
from pro_app.core.study import NATIONAL_IDENTITY
from pro_app.models import AnchorDate, Contact, Participant, Site, Study
from pro_app.models.participant import new_public_id
from pro_app.services import audit, enrolment, reach, schedule
from pro_app.services.consents import Consent
from pro_app.services.studies import CurrentStudy
from pro_app.services.vault import Vault

NEEDED = ("number", "site", "language", "consent_version", "consent_on")
EMAIL = "email"
CHUNK = 1_000  # people written by one statement
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
    consent: Consent
    days: dict[str, date]  # of the anchors, that of enrolment among them
    email: str


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
    table = read_table(data, NEEDED, [*anchors, EMAIL])
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
                reason = "has the shape of a national identity number"
            else:
                reason = self._reason(line, column, value) or ""
            if reason:
                yield fault(line.number, column, value, reason)

    def _reason(self, line: Line, column: str, value: str) -> str | None:
        """What is wrong with a cell; None if nothing is."""
        if not value:
            return "is missing" if column in NEEDED else None
        if column == "number":
            return self._number_reason(line, value)
        if column == "site":
            return self._site_reason(value)
        if column == "language":
            return enrolment.language_fault(self.definition, value)
        if column == "consent_version":
            return Consent(value, self.today).fault(self.today)
        if column == "consent_on" or column in self.anchors:
            return self._day_reason(value)
        if column == EMAIL and reach.email_fault(value):
            return "is no e-mail address that can be written to"
        return None  # of a column that is no column, which is told of the header

    def _number_reason(self, line: Line, number: str) -> str | None:
        first = self.first_lines.setdefault(number, line.number)
        if first != line.number:
            return f"is there twice, first in line {first}"
        if number in self.taken:
            return "is taken in the study"
        return enrolment.number_fault(self.definition, line.cells["site"], number)

    def _site_reason(self, site: str) -> str | None:
        if site not in self.sites:
            return f"the study has no such site; it has {', '.join(sorted(self.sites))}"
        if self.allowed is not None and site not in self.allowed:
            return "is not a site of yours"
        return None

    def _day_reason(self, value: str) -> str | None:
        day = _day(value)
        if day is None:
            return "is no day like 2026-11-22"
        return "lies in the future" if day > self.today else None

    def entrant(self, line: Line) -> Entrant:
        """The person of a line without faults."""
        cells = line.cells
        days = {code: date.fromisoformat(cells[code]) for code in self.anchors if cells.get(code)}
        return Entrant(
            number=cells["number"],
            site_id=self.sites[cells["site"]],
            language=cells["language"],
            consent=Consent(cells["consent_version"], date.fromisoformat(cells["consent_on"])),
            days={ENROLMENT: self.today} | days,
            email=cells.get(EMAIL, ""),
        )


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
    session: Session,
    study: CurrentStudy,
    vault: Vault,
    data: bytes,
    now: datetime,
    actor: str = "site",
    sites: Collection[str] | None = None,
) -> int:
    """Enrol everybody of a file, in the caller's transaction: how many they are.

    Their assessments are placed; reminders are left to the planner. Ten thousand people take
    some twenty seconds, for which SQLite lets nobody else write. Raises FileRefused.
    """
    session.execute(sa.select(Study.id).where(Study.id == study.id).with_for_update())
    checked = check(session, study, data, now, sites)
    if checked.faults:
        raise FileRefused(checked.faults)
    try:
        for some in _chunks(checked.entrants):
            _write(session, study, vault, some, now, actor)
    except sa.exc.IntegrityError as error:
        reason = "somebody with one of its numbers was enrolled meanwhile; check it again"
        raise FileRefused([Fault(None, None, "", reason)]) from error
    count = len(checked.entrants)
    detail = {"sha256": hashlib.sha256(data).hexdigest()}
    entry = audit.Entry(
        actor, "enrol_file", f"study/{study.definition.code}", new=str(count), detail=detail
    )
    audit.record(session, audit.study_stream(study.id), now, [entry])
    return count


def _write(
    session: Session,
    study: CurrentStudy,
    vault: Vault,
    entrants: Sequence[Entrant],
    now: datetime,
    actor: str,
) -> None:
    """Enrol these people by a handful of statements."""
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
    schedule.enter(session, study, list(ids.values()), now)


def _row(study: CurrentStudy, one: Entrant, now: datetime) -> dict[str, Any]:
    return {
        "public_id": new_public_id(),
        "study_id": study.id,
        "site_id": one.site_id,
        "number": one.number,
        "language": one.language,
        "consent_version": one.consent.version,
        "consent_on": one.consent.on,
        "created_at": now,
    }


def _entries(one: Entrant, actor: str) -> Iterator[audit.Entry]:
    day = one.days[ENROLMENT]
    yield enrolment.enrolled_entry(one.number, one.language, day, one.consent, actor)
    for anchor, known in one.days.items():
        if anchor != ENROLMENT:
            new = known.isoformat()
            yield audit.Entry(actor, "set_anchor", "participant", anchor, None, new)
    if one.email:
        yield audit.Entry(actor, "set_email", "participant")
