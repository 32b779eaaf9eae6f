"""The wordings that were stored for a study, as its protocol reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.core.licence import Licence, Wordings
from pro_app.core.study import StudyDefinition
from pro_app.core.wording import Wording, restored
from pro_app.models import Recording, Site, StoredLicence, StoredWording, Transaction

_read: dict[str, Wording] = {}  # by fingerprint: a stored wording never changes
_licences = (
    sa.select(
        StoredLicence.id,
        StoredWording.fingerprint.label("wording"),
        StoredWording.instrument,
        StoredWording.language,
        StoredWording.version,
        StoredLicence.holder,
        StoredLicence.number,
        StoredLicence.modes,
        StoredLicence.site_id.label("site"),
        StoredLicence.from_on,
        StoredLicence.until,
        StoredLicence.stored_at,
    )
    .join(StoredWording, StoredWording.id == StoredLicence.wording_id)
    .where(
        sa.or_(StoredLicence.study_id == sa.bindparam("study_id"), StoredLicence.study_id.is_(None))
    )
    .order_by(StoredLicence.id)
)


def wordings(
    session: Transaction, library: Library, definition: StudyDefinition, study_id: int
) -> Wordings:
    """What may be read in a study: what is shipped, and what was stored for it or for all."""
    licences = [_licence(row) for row in session.execute(_licences, {"study_id": study_id})]
    stored = read(session, {one.wording for one in licences})
    sites = session.execute(sa.select(Site.id).where(Site.study_id == study_id).order_by(Site.code))
    sounds = recordings(session, set(stored))
    return Wordings(definition, library, stored, licences, [row.id for row in sites], sounds)


def recordings(session: Transaction, fingerprints: set[str]) -> dict[str, dict[str, str]]:
    """What was recorded of these wordings: SHA-256, in hex, by fingerprint and item."""
    rows = session.execute(
        sa.select(StoredWording.fingerprint, Recording.item, Recording.sha256)
        .join(Recording, Recording.wording_id == StoredWording.id)
        .where(StoredWording.fingerprint.in_(sorted(fingerprints)))
    )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row.fingerprint, {})[row.item] = row.sha256
    return found


def _licence(row: Any) -> Licence:
    values = dict(row._mapping) | {"modes": frozenset(row.modes)}
    return Licence(**values)


def every(session: Transaction) -> Collection[Wording]:
    """All stored wordings, of whatever study."""
    return read(session, set(session.scalars(sa.select(StoredWording.fingerprint)))).values()


def read(session: Transaction, fingerprints: set[str]) -> Mapping[str, Wording]:
    """Stored wordings by fingerprint."""
    lacking = sorted(fingerprints - _read.keys())
    if lacking:
        rows = session.execute(
            sa.select(
                StoredWording.instrument,
                StoredWording.language,
                StoredWording.version,
                StoredWording.texts,
                StoredWording.fingerprint,
            ).where(StoredWording.fingerprint.in_(lacking))
        )
        for row in rows:
            found = restored(row.instrument, row.language, row.version, row.texts)
            if found.fingerprint != row.fingerprint:
                raise LookupError(f"the stored wording {row.fingerprint} was changed")
            _read[row.fingerprint] = found
    return {one: _read[one] for one in sorted(fingerprints)}
