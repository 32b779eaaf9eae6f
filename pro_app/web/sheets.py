"""Wordings as documents: all items with nothing chosen, the same for everybody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from flask import render_template
from flask_babel import force_locale
from flask_babel import gettext as _

from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording, fits
from pro_app.services import stored_wordings
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy
from pro_app.web import sounds
from pro_app.web.house import house


@dataclass(frozen=True, slots=True)
class Rendered:
    """A wording's items as everybody sees them, and the address part that names this very text."""

    items: tuple[str, ...]
    titles: tuple[str, ...]
    sheet: bytes
    version: str


Recordings = Mapping[str, str]  # SHA-256, in hex, by item; of the instruction by ""
SILENT: Recordings = MappingProxyType({})
_Key = tuple[str, str, bool, frozenset[tuple[str, str]]]
_rendered: dict[_Key, Rendered] = {}


def recordings(study: CurrentStudy, assessment: Known, wording: Wording) -> Recordings | None:
    """What was recorded of the wording in which an assessment is shown now; None where it may not
    be read aloud, not by the phone's own voice either."""
    if not assessment.is_read_aloud(study.wordings, wording, house().clock()):
        return None
    return study.wordings.recordings.get(wording.fingerprint, SILENT)


def instruction(voices: Recordings | None) -> str | None:
    """The address of the recorded instruction, if there is one."""
    return _address(voices or SILENT, "")


def rendered(
    instrument: Instrument, wording: Wording, skipping: bool, voices: Recordings = SILENT
) -> Rendered:
    """All items of a wording with nothing chosen, and the addresses of its recordings; rendered
    once, since neither ever changes."""
    key = (instrument.fingerprint, wording.fingerprint, skipping, frozenset(voices.items()))
    if key not in _rendered:
        of = len(instrument.items)
        with force_locale(wording.language):
            titles = tuple(
                _("Question %(n)d of %(of)d", n=shown.n, of=of) for shown in instrument.items
            )
            items = tuple(
                render_template(
                    "questionnaire/_item.html",
                    wording=wording,
                    item=shown,
                    title=title,
                    skipping=skipping,
                    of=of,
                    sound=_address(voices, shown.code),
                )
                for shown, title in zip(instrument.items, titles, strict=True)
            )
            words = render_template("questionnaire/_words.html")
        sheet = "".join((*items, words)).encode()
        version = hashlib.sha256(sheet).hexdigest()[:12]
        _rendered[key] = Rendered(items, titles, sheet, version)
    return _rendered[key]


def _address(voices: Recordings, item: str) -> str | None:
    return sounds.address(voices[item]) if item in voices else None


def find(version: str) -> Rendered | None:
    """The sheet of this version, also one whose address was given before this process began."""
    for texts in (_rendered.values, _all):
        for found in list(texts()):
            if found.version == version:
                return found
    return None


def _all() -> Iterator[Rendered]:
    library = house().library
    with house().database.reading() as database:
        stored = stored_wordings.every(database)
        voices = stored_wordings.recordings(database, {one.fingerprint for one in stored})
    for wording in (*library.wordings.values(), *stored):
        instrument = library.instruments.get(wording.instrument)
        if instrument is None or not fits(wording, instrument):
            continue
        for heard in (SILENT, voices.get(wording.fingerprint, SILENT)):
            for skipping in (True, False):
                yield rendered(instrument, wording, skipping, heard)
