"""Storing a wording with the licence under which it is read, and what the licences leave open.

Nothing that is stored changes: a corrected text is a new version, a renewal a new licence, and a
licence that is taken back is one without modes from a day on.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pro_app.core.definition import DefinitionError
from pro_app.core.instruments import Instrument
from pro_app.core.licence import MODES
from pro_app.core.wording import Wording, made
from pro_app.models import Site, StoredLicence, StoredWording, Study, StudyVersion
from pro_app.services import audit
from pro_app.services.by_staff import LONGEST, Refusal, free_text

VERSION = re.compile(r"[\w.()+-]+(?: [\w.()+-]+)*")
NO_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})  # of characters: control signs, bytes, line ends
LAST_ZONE = timezone(timedelta(hours=-12))  # where a day ends last
LONGEST_VERSION, LONGEST_HOLDER, LONGEST_NUMBER = 40, 200, 80  # characters


class WordingRefused(Refusal):
    """A wording or licence that cannot be stored; the message says why, never with its text.
    `items` names the field that it is about where the code does not."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a licence permits: reading in these modes, from a day until its last day.

    Without a study it is for every study, without a site's id for every site. No modes: what was
    permitted before ends on the day. `reason` goes on the record, why it is renewed or ends.
    """

    holder: str
    number: str
    modes: frozenset[str]
    from_on: date
    until: date
    study_id: int | None = None
    site_id: int | None = None
    reason: str = ""


def store(
    session: Session,
    instrument: Instrument,
    language: str,
    version: str,
    texts: Mapping[str, str],
    file_hash: str,
    terms: Terms,
    actor: str,
    now: datetime,
    confirmed: Sequence[str] = (),
) -> Wording:
    """Store a wording that was checked, with its licence; both are on record.

    `texts` are by place, `file_hash` is of the file that they came in; at the places `confirmed`
    a person has compared a doubtful text with the owner's. The same text under the same version is
    stored once, and only licensed anew. Raises WordingRefused.
    """
    _check(session, terms, now)
    wording = _made(instrument, language, version, texts)
    row = StoredWording(
        instrument=instrument.code, language=language, version=wording.version,
        fingerprint=wording.fingerprint, instrument_fingerprint=instrument.fingerprint,
        texts=dict(wording.texts()), file_hash=file_hash, stored_at=now, stored_by=actor,
    )  # fmt: skip
    known = _known(session, wording) or _stored(session, row, wording)
    if known is row:
        told = {"file": file_hash, **({"compared": list(confirmed)} if confirmed else {})}
        _record(session, row, "store_wording", told, terms, actor, now)
    _permit(session, known, terms, actor, now)
    return wording


def renew(
    session: Session, fingerprint: str, terms: Terms, actor: str, now: datetime
) -> StoredLicence:
    """License a stored wording anew, or, without modes, no more. Raises WordingRefused."""
    _check(session, terms, now, ending=True)
    found = session.scalars(
        sa.select(StoredWording)
        .where(StoredWording.fingerprint.startswith(fingerprint, autoescape=True))
        .limit(2)
    ).all()
    if len(found) != 1 or len(fingerprint) < 8:
        raise WordingRefused(f"no single wording has the fingerprint {fingerprint}", "unknown")
    return _permit(session, found[0], terms, actor, now)


def record_standing(session: Session, study_id: int, now: datetime) -> None:
    """Put on a new study's record what has been licensed for every study, by whom and when."""
    found = session.scalars(
        sa.select(StoredLicence).where(StoredLicence.study_id.is_(None)).order_by(StoredLicence.id)
    ).all()
    entries = [
        _entry(
            one.wording,
            "license_wording",
            _told(one, None) | {"stored_at": one.stored_at.isoformat()},
            one.stored_by,
        )
        for one in found
    ]
    if entries:
        audit.record(session, audit.study_stream(study_id), now, entries)


def _made(instrument: Instrument, language: str, version: str, texts: Mapping[str, str]) -> Wording:
    name = version.strip()
    if not VERSION.fullmatch(name) or len(name) > LONGEST_VERSION:
        said = f"a version is a short name of at most {LONGEST_VERSION} letters, digits, . ( ) + -"
        raise WordingRefused(said, "version")
    try:
        return made(instrument, language, "licensed", "a site's file", name, texts)
    except DefinitionError as fault:
        raise WordingRefused(f"{fault.place} {fault.reason}", "text") from None


def _known(session: Session, wording: Wording) -> StoredWording | None:
    """The row of the very text; WordingRefused if its version names another one already."""
    named = session.scalars(
        sa.select(StoredWording).where(
            StoredWording.instrument == wording.instrument,
            StoredWording.language == wording.language,
            StoredWording.version == wording.version,
        )
    ).first()
    if named is not None and named.fingerprint != wording.fingerprint:
        said = f"version {wording.version} is stored already with another text: name a new version"
        raise WordingRefused(said, "version_taken")
    return named


def _stored(session: Session, row: StoredWording, wording: Wording) -> StoredWording:
    """The row, stored; or, if somebody else has stored this version meanwhile, see `_known`."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        known = _known(session, wording)
        if known is None:
            raise
        return known
    return row


def _check(session: Session, terms: Terms, now: datetime, ending: bool = False) -> None:
    for name, text, longest in (
        ("holder", terms.holder, LONGEST_HOLDER),
        ("number", terms.number, LONGEST_NUMBER),
    ):
        if not _told_text(name, text, longest):
            raise WordingRefused(f"the licence's {name} is missing", name)
        if any(unicodedata.category(one) in NO_TEXT for one in text.strip()):
            raise WordingRefused(f"the licence's {name} holds what is no text of one line", name)
    _told_text("reason", terms.reason, LONGEST)
    unknown = sorted(terms.modes - set(MODES))
    if unknown or not (terms.modes or ending):
        said = f"the modes are some of {', '.join(MODES)}, not {', '.join(unknown) or 'none'}"
        raise WordingRefused(said, "modes")
    if terms.until < terms.from_on:
        raise WordingRefused("the licence ends before it begins", "until")
    if terms.modes and terms.until < _today(session, terms, now):
        raise WordingRefused("the licence has ended already", "until")
    if terms.site_id is not None:
        site = session.get(Site, terms.site_id)
        if site is None or site.study_id != terms.study_id:
            raise WordingRefused("the site is not one of the study", "site")


def _told_text(name: str, text: str, longest: int) -> str:
    """A text as it is kept. Raises WordingRefused, of which `items` names the field."""
    try:
        return free_text(text, WordingRefused, longest)
    except WordingRefused as refused:
        raise WordingRefused(f"the licence's {name}: {refused}", refused.code, [name]) from None


def _today(session: Session, terms: Terms, now: datetime) -> date:
    """The day of the licence's study; without one, the first day that it still is anywhere."""
    if terms.study_id is None:
        return now.astimezone(LAST_ZONE).date()
    content = session.scalars(
        sa.select(StudyVersion.definition)
        .where(StudyVersion.study_id == terms.study_id)
        .order_by(StudyVersion.number.desc())
    ).first()
    return now.astimezone(LAST_ZONE if content is None else ZoneInfo(content["zone"])).date()


def _permit(
    session: Session, row: StoredWording, terms: Terms, actor: str, now: datetime
) -> StoredLicence:
    licence = StoredLicence(
        wording_id=row.id, study_id=terms.study_id, site_id=terms.site_id,
        holder=terms.holder.strip(), number=terms.number.strip(), modes=sorted(terms.modes),
        from_on=terms.from_on, until=terms.until, stored_at=now, stored_by=actor,
    )  # fmt: skip
    session.add(licence)
    session.flush()
    site = None if terms.site_id is None else session.get_one(Site, terms.site_id).code
    told = _told(licence, site)
    if terms.reason:
        told["reason"] = terms.reason.strip()
    _record(session, row, "license_wording", told, terms, actor, now)
    return licence


def _record(
    session: Session,
    row: StoredWording,
    action: str,
    told: Mapping[str, object],
    terms: Terms,
    actor: str,
    now: datetime,
) -> None:
    """Tell the trail of the study, or of every study that there is."""
    entry = _entry(row, action, told, actor)
    for study_id in _studies(session, terms):
        audit.record(session, audit.study_stream(study_id), now, [entry])


def _entry(row: StoredWording, action: str, told: Mapping[str, object], actor: str) -> audit.Entry:
    return audit.Entry(
        actor,
        action,
        f"wording/{row.instrument}/{row.language}",
        field="wording",
        new=row.version,
        detail={"fingerprint": row.fingerprint, **told},
    )


def _told(licence: StoredLicence, site: str | None) -> dict[str, object]:
    return {
        "holder": licence.holder, "number": licence.number, "modes": licence.modes, "site": site,
        "from": licence.from_on.isoformat(), "until": licence.until.isoformat(),
    }  # fmt: skip


def _studies(session: Session, terms: Terms) -> Iterable[int]:
    query = sa.select(Study.id).order_by(Study.id).with_for_update()
    if terms.study_id is not None:
        query = query.where(Study.id == terms.study_id)
    return session.scalars(query).all()
