"""Studies: loading a study file as a new version, and the definition in force."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.core.study import StudyDefinition, parse_study
from pro_app.models import Site, Study, StudyVersion
from pro_app.services import audit


@dataclass(frozen=True, slots=True)
class CurrentStudy:
    """A study with the version of its definition that is in force."""

    id: int
    version: int
    definition: StudyDefinition


def load(
    session: Session, library: Library, content: Mapping[str, Any], now: datetime
) -> CurrentStudy:
    """Take a study file's content as the newest version; unchanged content makes no new one.

    Sites are added and renamed, never removed. Raises DefinitionError for a faulty content.
    """
    definition = parse_study(content, library.instruments)
    study = session.scalar(sa.select(Study).where(Study.code == definition.code).with_for_update())
    if study is None:
        study = Study(code=definition.code, created_at=now)
        session.add(study)
        session.flush()
    fingerprint = _fingerprint(content)
    newest = study.versions[-1] if study.versions else None
    if newest is not None and newest.fingerprint == fingerprint:
        return CurrentStudy(study.id, newest.number, definition)
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
    return CurrentStudy(study.id, number, definition)


def _keep_sites(study: Study, definition: StudyDefinition) -> None:
    known = {site.code: site for site in study.sites}
    for site in definition.sites:
        if site.code in known:
            known[site.code].name = site.name
        else:
            study.sites.append(Site(code=site.code, name=site.name))


def _fingerprint(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


_newest = (
    sa.select(StudyVersion.id, StudyVersion.number, StudyVersion.fingerprint)
    .where(StudyVersion.study_id == sa.bindparam("study_id"))
    .order_by(StudyVersion.number.desc())
    .limit(1)
)
_parsed: dict[str, StudyDefinition] = {}  # by fingerprint: the same content says the same


def current(session: Session, library: Library, study_id: int) -> CurrentStudy:
    """The definition in force."""
    version_id, number, fingerprint = session.execute(_newest, {"study_id": study_id}).one()
    definition = _parsed.get(fingerprint)
    if definition is None:
        content = session.scalars(
            sa.select(StudyVersion.definition).where(StudyVersion.id == version_id)
        ).one()
        definition = _parsed[fingerprint] = parse_study(content, library.instruments)
    return CurrentStudy(study_id, number, definition)


def find(session: Session, code: str | None) -> Study | None:
    """The study with this code; without a code, the only study there is."""
    query = sa.select(Study)
    if code is not None:
        return session.scalar(query.where(Study.code == code))
    studies = session.scalars(query.limit(2)).all()
    return studies[0] if len(studies) == 1 else None
