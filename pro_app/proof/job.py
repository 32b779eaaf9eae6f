"""A pack that was asked for on a page, made by a worker: see `services.export_making`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.models import ExportJob
from pro_app.proof import browser, choice
from pro_app.services import exports
from pro_app.services.export_source import Tell
from pro_app.services.exports import ExportRefused, Made
from pro_app.services.studies import CurrentStudy

SCREENS = 95  # hundredths of the work; the rest is printing


def prove(
    session: Session,
    library: Library,
    study: CurrentStudy,
    job: ExportJob,
    folder: Path,
    tell: Tell,
    now: datetime,
) -> Made:
    """The pack of a job as a file in a folder; its rows are the screens. Raises ExportRefused:
    `browser` where there is none, `wording` where the wording is not the study's any more."""
    if browser.hindrance() is not None:
        raise ExportRefused("no browser", "browser")
    from pro_app.proof import making  # which needs Playwright
    from pro_app.proof import pack as packs

    (instrument,) = job.filters["instruments"]
    fingerprint = str(job.filters["wording"])
    try:
        order = making.order(session, library, study, instrument, [job.language], fingerprint, now)
    except choice.NoWording as gone:
        raise ExportRefused("no such wording", "wording") from gone

    def count(screens: int) -> None:
        tell(screens, min(SCREENS * screens // order.count, SCREENS))

    with browser.opened() as opened:
        pack = packs.make(order, opened, count)
    path = folder / "pack.pdf"
    path.write_bytes(pack.pdf)
    verdict = "failed" if pack.failed else "passed"
    name = f"{study.definition.code}-{instrument}-{job.language}-{verdict}.pdf"
    size, digest = len(pack.pdf), exports.digest(path)
    return Made(path, name, len(pack.screens), size, digest, making.detail(order, pack))
