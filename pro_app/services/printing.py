"""Questionnaires on paper, for when no phone can be used: what may be printed, and its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import licence_state
from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.wording import Wording
from pro_app.models import Study
from pro_app.services import audit
from pro_app.services.by_staff import Refusal
from pro_app.services.studies import CurrentStudy

MOST_COPIES = 20
FOOT = 12  # characters of a wording's fingerprint at the foot of each page


class PrintRefused(Refusal):
    """What cannot be printed; `items` are the instruments without a wording for paper."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """An instrument and the wording in which it is printed."""

    instrument: Instrument
    wording: Wording


@dataclass(frozen=True, slots=True)
class Order:
    """What is printed: which sheets, in how many copies, for whom and which visit.

    Without a participant's id the study number is left as a line, and so is the site without
    its code and the visit without its timepoint.
    """

    sheets: Sequence[Sheet]
    language: str
    copies: int = 1
    participant_id: int | None = None
    site: str | None = None
    timepoint: str | None = None
    occurrence: int = 1


def sheets(
    study: CurrentStudy,
    library: Library,
    instruments: Sequence[str],
    language: str,
    site_id: int | None,
    now: datetime,
) -> list[Sheet]:
    """The instruments in the wordings that may be printed now at a site, or, without its id, at
    every site. Raises PrintRefused if any has none, with the code `site` if not the same at all."""
    places = licence_state.sites_of(study.wordings) if site_id is None else (site_id,)
    offered: dict[str, Wording | None] = {}
    unlike = []
    for code in instruments:
        at_each = [study.wordings.offered(code, language, "paper", now, one) for one in places]
        offered[code] = at_each[0]
        if any(one != at_each[0] for one in at_each):
            unlike.append(code)
    if unlike:
        said = f"not every site has the same wording for paper in {language}: {', '.join(unlike)}"
        raise PrintRefused(said, "site", unlike)
    lacking = [code for code, wording in offered.items() if wording is None]
    if lacking or not offered:
        said = f"no wording for paper in {language}: {', '.join(lacking) or 'nothing was chosen'}"
        raise PrintRefused(said, "wording", lacking)
    return [
        Sheet(library.instruments[code], wording)
        for code, wording in offered.items()
        if wording is not None
    ]


def note(session: Session, study: CurrentStudy, order: Order, actor: str, now: datetime) -> None:
    """Put on record what was printed: the participant's, or without one the study's."""
    detail = {
        "instrument": " ".join(one.instrument.code for one in order.sheets),
        "fingerprint": {one.instrument.code: one.wording.fingerprint for one in order.sheets},
        "language": order.language,
        "copies": order.copies,
        "site": order.site,
        "timepoint": order.timepoint,
        "occurrence": order.occurrence if order.timepoint else None,
    }
    told = {name: value for name, value in detail.items() if value is not None}
    if order.participant_id is not None:
        audit.lock_stream(session, order.participant_id)
        stream, about = audit.participant_stream(order.participant_id), "participant"
    else:
        session.execute(sa.select(Study.id).where(Study.id == study.id).with_for_update())
        stream, about = audit.study_stream(study.id), f"study/{study.definition.code}"
    audit.record(session, stream, now, [audit.Entry(actor, "print_sheets", about, detail=told)])
