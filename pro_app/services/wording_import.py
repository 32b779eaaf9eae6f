"""A site's file of licensed wording, from its bytes to what is stored, and what it changes.

Nothing is stored unless the whole file is without fault. No message holds any of its text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from pro_app.core import json_file, licence_state
from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.licence import DAY, Licence, Wordings
from pro_app.core.study import LANGUAGES
from pro_app.core.wording import Wording
from pro_app.core.wording_check import Cell, Row, Wanted, check
from pro_app.core.wording_faults import Fault
from pro_app.core.wording_template import COLUMNS, TEXT, lines
from pro_app.models import StoredWording, Transaction
from pro_app.services import fhir_wording, stored_wordings, wording_file, wording_workbook
from pro_app.services.wordings import Terms

MOST_BYTES = wording_file.MOST_BYTES
AnyFault = Fault | json_file.Fault  # of a table's row, or of a path in a JSON file


class ImportRefused(Exception):
    """The file has faults, and nothing of it was taken. The message holds nothing of the file."""

    def __init__(self, faults: Collection[AnyFault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The texts of a file without faults, by place; the file's SHA-256, in hex; at which places a
    doubtful text was compared with the owner's, and how many comments of cells were not read."""

    texts: Mapping[str, str] = field(repr=False)  # licensed: no message may hold it
    sha256: str
    confirmed: tuple[str, ...]
    comments: int


def is_json(data: bytes) -> bool:
    """Whether a file is to be read as FHIR: it begins as a JSON object does."""
    return data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def named(data: bytes, library: Library) -> tuple[str | None, str | None]:
    """The instrument and the language that a file says it is of; None where it does not say, or
    is none that can be read."""
    if len(data) > MOST_BYTES:
        return None, None
    if is_json(data):
        try:
            found = fhir_wording.read_fhir(data, library.instruments)
        except json_file.Refused:
            return None, None
        return found.instrument, next(iter(found.texts)) if len(found.texts) == 1 else None
    if not data.startswith(wording_file.PACKED):
        return None, None
    book, _unreadable = wording_workbook.read_workbook(data)
    if book is None:
        return None, None
    try:
        told = wording_workbook.about_values(book)
    except KeyError:  # no such sheet
        return None, None
    finally:
        book.close()
    instrument, language = told.get("instrument"), told.get("language")
    return (
        instrument if instrument in library.instruments else None,
        language if language in LANGUAGES else None,
    )


def read(data: bytes, wanted: Wanted, confirmed: Collection[str] = ()) -> ReadFile:
    """The wording of a file, XLSX, CSV or FHIR in JSON. Raises ImportRefused with all faults.

    At the places `confirmed` a person has compared a doubtful text with the owner's.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    if is_json(data):
        texts, settled = _of_fhir(data, wanted, confirmed)
        return ReadFile(texts, sha256, settled, 0)
    try:
        found = wording_file.read(data, wanted, confirmed)
    except wording_file.FileRefused as refused:
        raise ImportRefused(refused.faults) from None
    settled = tuple(dict.fromkeys(key for key, _code in found.confirmed))
    return ReadFile(found.texts, sha256, settled, found.comments)


def _of_fhir(
    data: bytes, wanted: Wanted, confirmed: Collection[str]
) -> tuple[Mapping[str, str], tuple[str, ...]]:
    instrument, language = wanted.instrument, wanted.language
    try:
        found = fhir_wording.read_fhir(data, {instrument.code: instrument}, instrument.code)
    except json_file.Refused as refused:
        raise ImportRefused(refused.faults) from None
    if language not in found.texts:
        raise ImportRefused([json_file.fault("", "", "translation_missing", language=language)])
    paths = found.paths[language]
    checked = check(_rows(instrument, found.texts[language]), wanted, "", confirmed)
    if checked.faults:
        # a table's row says nothing here: the path does
        raise ImportRefused(
            [one._replace(sheet=paths.get(one.key or "", ""), row=None) for one in checked.faults]
        )
    return checked.texts, tuple(dict.fromkeys(key for key, _code in checked.confirmed))


def _rows(instrument: Instrument, texts: Mapping[str, str]) -> list[Row]:
    """The texts as the rows of a filled template."""
    return [
        Row(
            number,
            tuple(
                Cell(texts[line.key] if place == TEXT else str(getattr(line, column)))
                for place, column in enumerate(COLUMNS)
            ),
        )
        for number, line in enumerate(lines(instrument, None), 1)
    ]


def stored(session: Transaction, instrument: str) -> list[Wording]:
    """Every licensed wording of an instrument that is stored, of whatever study."""
    rows = session.execute(
        sa.select(StoredWording.fingerprint).where(StoredWording.instrument == instrument)
    )
    return list(stored_wordings.read(session, {row.fingerprint for row in rows}).values())


def in_place(
    wordings: Wordings, instrument: str, language: str, day: date, site: int | None
) -> Licence | None:
    """The licence in force or ended that one from this day on would take the place of: at a site
    or, without one, at the first site where there is any."""
    sites = licence_state.sites_of(wordings) if site is None else (site,)
    found = (
        licence_state.deciding(wordings.licences, instrument, language, day, one) for one in sites
    )
    return next((one for one in found if one is not None and one.modes), None)


def earliest(
    wordings: Wordings, instrument: str, language: str, text: str | None, terms: Terms, today: date
) -> date | None:
    """The first day from which a text, by its fingerprint, may be read under these terms; None if
    any may be.

    What was begun is read in the wording of its beginning, so no other text begins on a day on
    which somebody may have begun: not before tomorrow. The same text may go on from today, and
    so may any where what was read has ended on an earlier day: from before, it would not decide.
    """
    sites = licence_state.sites_of(wordings) if terms.site_id is None else (terms.site_id,)
    before = [
        one
        for site in sites
        if (one := licence_state.deciding(wordings.licences, instrument, language, today, site))
    ]
    if not before:
        return None
    read = [one for one in before if (one.until >= today if one.modes else one.from_on == today)]
    return today if all(one.wording == text for one in read) else today + DAY


@dataclass(frozen=True, slots=True)
class Compared:
    """A text of a file beside the English one and beside the one in force, each "" if there is
    none; `changed`: it is not what is in force."""

    place: str
    text: str = field(repr=False)
    source: str = field(repr=False)
    before: str = field(repr=False)
    changed: bool


def compared(
    texts: Mapping[str, str], source: Wording | None, before: Wording | None
) -> list[Compared]:
    """Each text of a file, in order, beside its source and what it would take the place of."""
    english = {} if source is None else dict(source.texts())
    old = {} if before is None else dict(before.texts())
    return [
        Compared(place, text, english.get(place, ""), old.get(place, ""), text != old.get(place))
        for place, text in texts.items()
    ]
