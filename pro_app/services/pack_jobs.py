"""Proof packs as jobs: rows of the same queue as exports, asked for by who answers for a study.

`pro_app.proof` makes them, by way of `export_making`. A pack holds wordings and a made-up person's
answers, and nothing of any participant.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from pro_app.core.wording import Wording, places
from pro_app.models import ExportJob
from pro_app.services import export_jobs
from pro_app.services.export_jobs import PACK, JobRefused
from pro_app.services.studies import CurrentStudy

FORMAT = "pdf"


def provable(study: CurrentStudy) -> Iterator[Wording]:
    """Every wording of the study's instruments in its languages, the shipped ones first; but those
    that were stored for another definition of the instrument."""
    definition, instruments = study.definition, study.wordings.library.instruments
    codes = {one.code for one in definition.instruments}
    for wording in study.wordings.every():
        if wording.instrument in codes and wording.language in definition.languages:
            shown = tuple(place for place, _ in wording.texts())
            if shown == places(instruments[wording.instrument]):
                yield wording


def ask(
    session: Session, study: CurrentStudy, staff_id: int, wording: Wording, now: datetime
) -> ExportJob:
    """Put a pack of a wording down to be made. Raises JobRefused: `instruments` for one that is not
    the study's, `role` where the person may not, `waiting` where too much waits already."""
    if wording not in provable(study):
        raise JobRefused("no such wording in the study", "instruments")
    if not export_jobs.may_prove(session, staff_id, study.id, now):
        raise JobRefused("neither administrator nor investigator of the study", "role")
    filters: dict[str, object] = {
        "instruments": [wording.instrument], "wording": wording.fingerprint,
    }  # fmt: skip
    return export_jobs.put_down(
        session, study, staff_id, (PACK, FORMAT, wording.language), filters, "", now
    )
