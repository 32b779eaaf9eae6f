"""Studies: loading a study file as a new version, and the definition in force."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.definition import DefinitionError
from pro_app.core.library import Library
from pro_app.core.licence import Wordings
from pro_app.core.schedule import Asked
from pro_app.core.study import StudyDefinition, StudyInstrument
from pro_app.core.study_file import parse_study
from pro_app.models import (
    Participant,
    Recording,
    Site,
    StoredLicence,
    Study,
    StudyVersion,
    Transaction,
)
from pro_app.services import audit, stored_wordings, wordings


@dataclass(frozen=True, slots=True)
class CurrentStudy:
    """A study with the version of its definition that is in force.

    `instruments` are those that any of its versions names, with every scoring that any of them
    names, in the order in which they came: what was asked once is scored and exported for ever.
    `since` tells of what an amendment asks, at a timepoint by an instrument, when it was loaded.
    `watched` says whether any version has answers watched for care: the alerts of that time stay.
    `wordings` are what may be read in it.
    `tests` says of whom it is read: in a live study of the test participants alone, see `counted`.
    """

    id: int
    version: int
    definition: StudyDefinition
    instruments: tuple[StudyInstrument, ...]
    wordings: Wordings
    since: Mapping[Asked, datetime] = field(default_factory=dict)
    watched: bool = False
    tests: bool = False

    @property
    def is_live(self) -> bool:
        """Whether people of the trial take part; in any other study all participants are tests."""
        return self.definition.status == "live"

    def of_tests(self) -> CurrentStudy:
        """The same study, read of its test participants alone."""
        return replace(self, tests=True)

    def of_people(self) -> CurrentStudy:
        """The same study, read of everybody else."""
        return replace(self, tests=False)

    def scorings(self, instrument: str) -> tuple[str, ...]:
        """The scorings of an instrument of any version; KeyError if none names it."""
        return {entry.code: entry.scorings for entry in self.instruments}[instrument]


def counted(study: CurrentStudy) -> sa.ColumnElement[bool]:
    """Of a participant: whether whatever counts, lists or exports the study takes them in.

    A live study's test participants are apart from its people: a study `of_tests` has them alone,
    any other reading has none of them. A study that is not live has test participants only.
    """
    of_study = Participant.study_id == study.id
    return of_study & Participant.is_test.is_(study.tests) if study.is_live else of_study


def of_kind(study: CurrentStudy) -> sa.ColumnElement[bool]:
    """`counted` beside a condition that names the study, for queries that go by other indexes.

    The cast, which PostgreSQL leaves out, keeps SQLite from going by the one of `counted`: it
    takes whichever matches more columns, and so would read a study where a site is asked for.
    """
    return sa.cast(Participant.is_test, sa.Boolean).is_(study.tests) if study.is_live else sa.true()


def load(
    session: Session, library: Library, content: Mapping[str, Any], now: datetime
) -> CurrentStudy:
    """Take a study file's content as the newest version; unchanged content makes no new one.

    Sites are added and renamed, never removed. Raises DefinitionError for a faulty content, and
    for a status that the study cannot take any more, see `_check_status`.
    """
    definition = parse_study(content, library.instruments)
    study = session.scalar(sa.select(Study).where(Study.code == definition.code).with_for_update())
    if study is None:
        study = Study(code=definition.code, created_at=now)
        session.add(study)
        session.flush()
    newest = study.versions[-1] if study.versions else None
    if newest is not None and newest.definition == content:
        return current(session, library, study.id)
    if newest is not None:
        _check_status(session, study.id, str(newest.definition["status"]), definition.status)
    fingerprint = _fingerprint(content, now, newest.fingerprint if newest is not None else None)
    number = newest.number + 1 if newest is not None else 1
    version = StudyVersion(
        number=number, definition=dict(content), fingerprint=fingerprint, loaded_at=now
    )
    study.versions.append(version)
    _keep_sites(study, definition)
    session.flush()
    entry = audit.Entry(
        actor="site",
        action="load_study",
        object=f"study/{definition.code}",
        field="version",
        old=str(newest.number) if newest is not None else None,
        new=str(number),
        detail={"fingerprint": fingerprint},
    )
    audit.record(session, audit.study_stream(study.id), now, [entry])
    if newest is None:
        wordings.record_standing(session, study.id, now)
    return current(session, library, study.id)


def _check_status(session: Session, study_id: int, before: str, after: str) -> None:
    """Raise DefinitionError where answers of people and of tests would be taken for each other."""
    if before == "live" and after != "live":
        raise DefinitionError("study", "status", f"is {after!r}, but a live study stays live")
    if before == "demonstration" and after != before:
        people = sa.select(Participant.id).where(Participant.study_id == study_id)
        if session.scalar(people.limit(1)) is not None:
            raise DefinitionError(
                "study",
                "status",
                f"is {after!r}, but the study has made-up participants of a demonstration: "
                "load it under another code",
            )


def _keep_sites(study: Study, definition: StudyDefinition) -> None:
    known = {site.code: site for site in study.sites}
    for site in definition.sites:
        if site.code in known:
            known[site.code].name = site.name
        else:
            study.sites.append(Site(code=site.code, name=site.name))


def _fingerprint(content: Mapping[str, Any], now: datetime, before: str | None) -> str:
    """A hash of a version's content and of all versions before it, and of when each amendment
    was loaded: what is expected of people depends on that."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    history = "" if before is None else f"{before} {now.astimezone(UTC).isoformat()}"
    return hashlib.sha256(f"{history}\n{text}".encode()).hexdigest()


def _how_many(table: type[StoredLicence] | type[Recording]) -> sa.ColumnElement[str]:
    """As text. Not the newest id: of two that are stored at once, the one with the lower id may be
    seen last, and nobody would read it. They are some hundreds at most."""
    return sa.cast(sa.select(sa.func.count(table.id)).scalar_subquery(), sa.String)


# What is in force: the newest version's fingerprint, which covers the versions before it, and how
# many licences and recordings there are. Nothing of any of them ever changes or goes.
in_force = StudyVersion.fingerprint + ":" + _how_many(StoredLicence) + ":" + _how_many(Recording)
_newest = (
    sa.select(StudyVersion.number, in_force)
    .where(StudyVersion.study_id == sa.bindparam("study_id"))
    .order_by(StudyVersion.number.desc())
    .limit(1)
)
_Parsed = tuple[
    StudyDefinition, tuple[StudyInstrument, ...], Wordings, Mapping[Asked, datetime], bool
]
# by what is in force, of each database: another one may have the same protocol, and other licences
_parsed: WeakKeyDictionary[sa.Engine, dict[tuple[Library, str], _Parsed]] = WeakKeyDictionary()
_earlier: dict[str, StudyDefinition] = {}  # versions that are no longer in force, likewise


def current(session: Transaction, library: Library, study_id: int) -> CurrentStudy:
    """The definition in force."""
    number, fingerprint = session.execute(_newest, {"study_id": study_id}).one()
    known = _parsed.setdefault(_engine(session), {})
    if (library, fingerprint) not in known:
        versions = session.execute(
            sa.select(StudyVersion.definition, StudyVersion.loaded_at)
            .where(StudyVersion.study_id == study_id)
            .order_by(StudyVersion.number)
        ).all()
        contents = [content for content, _ in versions]
        definition = parse_study(contents[-1], library.instruments)
        since = _since(definition, [(content, loaded_at) for content, loaded_at in versions])
        wordings = stored_wordings.wordings(session, library, definition, study_id)
        known[library, fingerprint] = (
            definition, _instruments(contents), wordings, since, _watched(contents)
        )  # fmt: skip
    return CurrentStudy(study_id, number, *known[library, fingerprint])


def _engine(session: Transaction) -> sa.Engine:
    bind = session.get_bind() if isinstance(session, Session) else session
    return bind.engine


def _instruments(contents: Sequence[Mapping[str, Any]]) -> tuple[StudyInstrument, ...]:
    found: dict[str, dict[str, None]] = {}
    for content in contents:
        for entry in content["instruments"]:
            found.setdefault(entry["code"], {}).update(dict.fromkeys(entry["scorings"]))
    return tuple(StudyInstrument(code, tuple(scorings)) for code, scorings in found.items())


def _watched(contents: Sequence[Mapping[str, Any]]) -> bool:
    return any(content.get("monitoring", {}).get("watched", False) for content in contents)


def _since(
    definition: StudyDefinition, versions: Sequence[tuple[Mapping[str, Any], datetime]]
) -> dict[Asked, datetime]:
    """Since when the calendar asks what an earlier version's did not, by timepoint and
    instrument; but for retroactive timepoints."""
    found: dict[Asked, datetime] = {}
    before = _asked(versions[0][0])
    for content, loaded_at in versions[1:]:
        asked = _asked(content)
        found |= dict.fromkeys(asked - before, loaded_at)
        before = asked
    retroactive = {one.code for one in definition.timepoints if one.retroactive}
    return {one: moment for one, moment in found.items() if one[0] not in retroactive}


def _asked(content: Mapping[str, Any]) -> set[Asked]:
    """What a version's calendar asks."""
    return {
        (entry["code"], instrument)
        for entry in content["timepoints"]
        if "anchor" in entry
        for instrument in entry["instruments"]
    }


@dataclass(frozen=True, slots=True)
class Version:
    """A study file as it was loaded: when, and what it said of its status and privacy notice."""

    number: int
    loaded_at: datetime
    status: str
    notice: str
    fingerprint: str


def versions(session: Session, study_id: int) -> list[Version]:
    """Every version of a study, the newest first."""
    rows = session.scalars(
        sa.select(StudyVersion)
        .where(StudyVersion.study_id == study_id)
        .order_by(StudyVersion.number.desc())
    )
    return [
        Version(
            one.number,
            one.loaded_at,
            str(one.definition["status"]),
            str(one.definition["notice"]["version"]),
            one.fingerprint,
        )
        for one in rows
    ]


def parsed(
    engine: sa.Engine, library: Library, study_id: int, version: int, fingerprint: str
) -> CurrentStudy | None:
    """A version whose `in_force` was just read, if this process has parsed the same content."""
    found = _parsed.get(engine, {}).get((library, fingerprint))
    return None if found is None else CurrentStudy(study_id, version, *found)


def definition_of(
    session: Session, library: Library, study: CurrentStudy, number: int
) -> StudyDefinition:
    """The definition of any version of a study, as it was loaded."""
    if number == study.version:
        return study.definition
    fingerprint, content = session.execute(
        sa.select(StudyVersion.fingerprint, StudyVersion.definition).where(
            StudyVersion.study_id == study.id, StudyVersion.number == number
        )
    ).one()
    if fingerprint not in _earlier:
        _earlier[fingerprint] = parse_study(content, library.instruments)
    return _earlier[fingerprint]


def find(session: Session, code: str | None) -> Study | None:
    """The study with this code; without a code, the only study there is."""
    query = sa.select(Study)
    if code is not None:
        return session.scalar(query.where(Study.code == code))
    studies = session.scalars(query.limit(2)).all()
    return studies[0] if len(studies) == 1 else None
