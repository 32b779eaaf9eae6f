"""Wordings as documents: all items with nothing chosen, the same for everybody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from flask import render_template
from flask_babel import force_locale
from flask_babel import gettext as _

from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording
from pro_app.web.house import house


@dataclass(frozen=True, slots=True)
class Rendered:
    """A wording's items as everybody sees them, and the address part that names this very text."""

    items: tuple[str, ...]
    titles: tuple[str, ...]
    sheet: bytes
    version: str


_rendered: dict[tuple[str, str, bool], Rendered] = {}


def rendered(instrument: Instrument, wording: Wording, skipping: bool) -> Rendered:
    """All items of a wording with nothing chosen; rendered once, since wordings never change."""
    key = (instrument.fingerprint, wording.fingerprint, skipping)
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
                )
                for shown, title in zip(instrument.items, titles, strict=True)
            )
            words = render_template("questionnaire/_words.html")
        sheet = "".join((*items, words)).encode()
        version = hashlib.sha256(sheet).hexdigest()[:12]
        _rendered[key] = Rendered(items, titles, sheet, version)
    return _rendered[key]


def find(version: str) -> Rendered | None:
    """The sheet of this version, also one whose address was given before this process began."""
    for texts in (_rendered.values, _all):
        for found in list(texts()):
            if found.version == version:
                return found
    return None


def _all() -> Iterator[Rendered]:
    library = house().library
    for (code, _language), wording in library.wordings.items():
        for skipping in (True, False):
            yield rendered(library.instruments[code], wording, skipping)
