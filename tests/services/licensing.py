"""Licensed wordings for tests: made-up texts, stored as a site stores what it is licensed for."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.core.licence import MODES
from pro_app.core.wording import Wording
from pro_app.services import studies, wordings
from pro_app.services.studies import CurrentStudy
from pro_app.services.wordings import Terms

FILE = "f" * 64  # the checksum of no file
FROM, UNTIL = date(2020, 1, 1), date(2099, 12, 31)


def license_one(
    session: Session,
    study: CurrentStudy,
    library: Library,
    instrument: str,
    language: str,
    now: datetime,
    version: str = "1",
    mark: str = "",
    **terms: Any,
) -> Wording:
    """Store the demonstration's texts as a licensed wording of this version, each with a `mark`
    behind it; `terms` are those of `Terms`."""
    shipped = library.wording(instrument, language)
    assert shipped is not None
    given = {
        "holder": "Owner", "number": "L-1", "modes": frozenset(MODES), "from_on": FROM,
        "until": UNTIL, "study_id": study.id,
    }  # fmt: skip
    return wordings.store(
        session, library.instruments[instrument], language, version,
        {place: text + mark for place, text in shipped.texts()}, FILE, Terms(**given | terms),
        "site", now,
    )  # fmt: skip


def license_all(
    session: Session, study: CurrentStudy, library: Library, now: datetime, **terms: Any
) -> CurrentStudy:
    """Every instrument of the study in each of its languages; the study with them."""
    for one in study.definition.instruments:
        for language in study.definition.languages:
            license_one(session, study, library, one.code, language, now, **terms)
    session.flush()
    return studies.current(session, library, study.id)


def renew(
    session: Session,
    study: CurrentStudy,
    library: Library,
    instrument: str,
    language: str,
    now: datetime,
    **terms: Any,
) -> CurrentStudy:
    """License the text that is read now anew, from today on; the study with it."""
    read = study.wordings.reading(instrument, language, now)
    assert read is not None
    given = {
        "holder": "Owner", "number": "L-2", "modes": frozenset(MODES), "from_on": now.date(),
        "until": UNTIL, "study_id": study.id,
    }  # fmt: skip
    wordings.renew(session, read.fingerprint, Terms(**given | terms), "site", now)
    session.flush()
    return studies.current(session, library, study.id)
