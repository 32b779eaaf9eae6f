"""Which wordings of a study are proved: the one that is asked for in each language, and English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.licence import Licence
from pro_app.core.wording import Wording
from pro_app.models import StudyVersion
from pro_app.services.pack_jobs import provable
from pro_app.services.studies import CurrentStudy

SOURCE = "en"  # the language beside which every other one is shown
LEAST = 8  # characters of a fingerprint that name a wording


class NoWording(Exception):
    """What cannot be proved, because the study has no such wording; the message says which."""


def chosen(
    study: CurrentStudy, instrument: str, languages: Sequence[str], wanted: str | None = None
) -> tuple[Wording, ...]:
    """The wordings to prove, English first where the study has it. `wanted` is a version, or a
    fingerprint or its beginning; without it, the newest that the study has, also one that is not in
    force yet. Raises NoWording."""
    known = [one for one in provable(study) if one.instrument == instrument]
    if not known:
        raise NoWording(f"the study has no wording of {instrument!r}")
    found = {}
    for language in languages:
        wording = _find(study, known, language, wanted)
        if wording is None:
            named = "" if wanted is None else f" {wanted!r}"
            raise NoWording(f"{instrument} has no wording{named} in {language!r} in this study")
        found[language] = wording
    versions = {one.version for one in found.values() if one.version}
    for version in (*versions, None):  # the source of the very version, if there is one
        source = _find(study, known, SOURCE, version)
        if source is not None:
            found.setdefault(SOURCE, source)
    return tuple(sorted(found.values(), key=lambda one: one.language != SOURCE))


def _find(
    study: CurrentStudy, known: Sequence[Wording], language: str, wanted: str | None
) -> Wording | None:
    fitting = [one for one in known if one.language == language]
    if wanted is not None:
        return next((one for one in reversed(fitting) if _is(one, wanted)), None)
    newest = fitting and study.wordings.reading(fitting[0].instrument, language)
    return newest if newest in fitting else None


def _is(wording: Wording, wanted: str) -> bool:
    begins = len(wanted) >= LEAST and wording.fingerprint.startswith(wanted.lower())
    return begins or (wanted != "" and wording.version == wanted)


def permissions(study: CurrentStudy, wordings: Sequence[Wording]) -> dict[str, Licence]:
    """By fingerprint the newest licence of each of these wordings that has one."""
    proved = {one.fingerprint for one in wordings}
    licences = [one for one in study.wordings.licences if one.wording in proved and one.modes]
    return {one.wording: one for one in sorted(licences, key=lambda one: (one.from_on, one.id))}


def content(session: Session, study: CurrentStudy) -> dict[str, Any]:
    """The content of the study's file that is in force."""
    found = sa.select(StudyVersion.definition).where(
        StudyVersion.study_id == study.id, StudyVersion.number == study.version
    )
    return dict(session.scalars(found).one())
