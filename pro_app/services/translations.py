"""Translations in force whose English source was changed since, and confirming that they still
say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import licence_state
from pro_app.core import translations as core
from pro_app.core.licence import Licence
from pro_app.core.licence_state import IN_FORCE, LATER
from pro_app.core.translations import SOURCE, Changed, Version
from pro_app.models import Confirmation, StoredLicence, StoredWording, Study
from pro_app.services import audit
from pro_app.services.by_staff import Refusal
from pro_app.services.studies import CurrentStudy

CONFIRMED = "confirm_translation"


class ConfirmationRefused(Refusal):
    """A translation that cannot be confirmed; the message holds nothing of its text."""


@dataclass(frozen=True, slots=True)
class Doubted:
    """A translation that is in force or comes, its newest source, and what that changed."""

    instrument: str
    translation: Version
    source: Version
    places: tuple[Changed, ...]


def doubted(session: Session, study: CurrentStudy, now: datetime) -> list[Doubted]:
    """Every translation in force or coming of which some place's source changed since it was
    stored, and that nobody has confirmed there."""
    today = now.astimezone(study.definition.zone).date()
    standing = [
        one.licence
        for one in licence_state.standings(study.wordings, today)
        if one.state in (IN_FORCE, LATER)
    ]
    found = []
    for instrument in dict.fromkeys(one.instrument for one in standing):
        newest = _newest_source(study, instrument, today)
        if newest is None:
            continue
        versions = _versions(session, study, instrument)
        sources = [one for one in versions.values() if one.language == SOURCE]
        for fingerprint in _translations(standing, instrument):
            one = _doubted(session, versions[fingerprint], sources, versions[newest])
            if one:
                found.append(Doubted(instrument, versions[fingerprint], versions[newest], one))
    return found


def _newest_source(study: CurrentStudy, instrument: str, today: date) -> str | None:
    """The fingerprint of the English wording that is read last, of those in force or coming."""
    of = [
        one
        for one in study.wordings.licences
        if (one.instrument, one.language) == (instrument, SOURCE) and one.modes
        if one.until >= today
    ]
    return max(of, key=lambda one: (one.from_on, one.id)).wording if of else None


def _translations(standing: list[Licence], instrument: str) -> dict[str, None]:
    return dict.fromkeys(
        one.wording
        for one in standing
        if one.instrument == instrument and one.language != SOURCE and one.modes
    )


def _versions(session: Session, study: CurrentStudy, instrument: str) -> Mapping[str, Version]:
    """The instrument's stored wordings of the study, by fingerprint."""
    wanted = {one.wording for one in study.wordings.licences if one.instrument == instrument}
    rows = session.scalars(
        sa.select(StoredWording).where(StoredWording.fingerprint.in_(sorted(wanted)))
    )
    return {
        one.fingerprint: Version(
            one.id, one.fingerprint, one.language, one.version, dict(one.texts)
        )
        for one in rows
    }


def _doubted(
    session: Session, translation: Version, sources: list[Version], newest: Version
) -> tuple[Changed, ...]:
    source = core.source_of(translation, sources)
    if source is None or source.id == newest.id:
        return ()
    texts = {one.id: one.texts for one in sources}
    confirmed: dict[str, set[str]] = {}
    rows = session.execute(
        sa.select(Confirmation.place, Confirmation.source_id).where(
            Confirmation.wording_id == translation.id
        )
    )
    for place, source_id in rows:
        if source_id in texts:
            confirmed.setdefault(place, set()).add(texts[source_id].get(place, ""))
    return tuple(core.changed(translation, source, newest, confirmed))


def confirm(
    session: Session,
    study: CurrentStudy,
    fingerprint: str,
    source: str,
    place: str,
    actor: str,
    now: datetime,
) -> None:
    """Put on record that a translation still says at a place what its newest source says.

    `source` is the fingerprint of the source that the person has read. Raises ConfirmationRefused
    if that is not the newest one (`changed`), or nothing is to be confirmed there (`settled`).
    """
    # one at a time, whichever study they are of
    session.execute(
        sa.select(StoredWording.id)
        .where(StoredWording.fingerprint == fingerprint)
        .with_for_update()
    )
    one = next(
        (
            one
            for one in doubted(session, study, now)
            if one.translation.fingerprint == fingerprint
            and any(changed.place == place for changed in one.places)
        ),
        None,
    )
    if one is None:
        raise ConfirmationRefused("there is nothing to confirm at this place", "settled")
    if one.source.fingerprint != source:
        raise ConfirmationRefused("the source has changed once more", "changed")
    session.add(
        Confirmation(
            source_id=one.source.id, wording_id=one.translation.id, place=place,
            confirmed_at=now, confirmed_by=actor,
        )
    )  # fmt: skip
    session.flush()
    entry = audit.Entry(
        actor,
        CONFIRMED,
        f"wording/{one.instrument}/{one.translation.language}",
        field="wording",
        new=one.translation.version,
        detail={"fingerprint": fingerprint, "source": one.source.version, "place": place},
    )
    for study_id in _studies(session, one.translation.id):
        audit.record(session, audit.study_stream(study_id), now, [entry])


def _studies(session: Session, wording_id: int) -> list[int]:
    """The studies that read the translation: it is confirmed for all of them."""
    named = set(
        session.scalars(
            sa.select(StoredLicence.study_id).where(StoredLicence.wording_id == wording_id)
        )
    )
    query = sa.select(Study.id).order_by(Study.id).with_for_update()
    if None not in named:
        query = query.where(Study.id.in_(sorted(one for one in named if one is not None)))
    return list(session.scalars(query))
