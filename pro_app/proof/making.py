"""Putting an order for a pack together out of a study, and telling of what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version

from sqlalchemy.orm import Session

from pro_app.catalogues import CATALOGUES, compile_catalogues
from pro_app.core.library import Library
from pro_app.core.study import LANGUAGES
from pro_app.proof import choice
from pro_app.proof.pack import Order, Pack
from pro_app.services.notices import Notices
from pro_app.services.studies import CurrentStudy


def order(
    session: Session,
    library: Library,
    study: CurrentStudy,
    instrument: str,
    languages: Sequence[str],
    wanted: str | None,
    now: datetime,
) -> Order:
    """What is to be proved of an instrument of the study; see `choice.chosen`, whose NoWording it
    raises."""
    wordings = choice.chosen(study, instrument, languages, wanted)
    compile_catalogues()
    return Order(
        content=choice.content(session, study),
        library=library,
        instrument=library.instruments[instrument],
        wordings=wordings,
        notices=Notices(CATALOGUES, LANGUAGES),
        asked_at=now,
        permissions=choice.permissions(study, wordings),
        release=version("pro-app"),
    )


def detail(order: Order, pack: Pack) -> dict[str, object]:
    """What a pack's entry in the study's record tells of it."""
    return {
        "format": "pdf",
        "instrument": order.instrument.code,
        "wordings": [one.fingerprint for one in order.wordings],
        "languages": [one.language for one in order.wordings],
        "screens": len(pack.screens),
        "failed": len(pack.failed),
    }
