"""Ending and renewing what a study may read, as its administrator asks."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from pro_app.core import licence_state
from pro_app.core.licence import Licence
from pro_app.models import StoredLicence
from pro_app.services import wordings
from pro_app.services.studies import CurrentStudy
from pro_app.services.wordings import Terms, WordingRefused


def end(
    session: Session,
    study: CurrentStudy,
    fingerprint: str,
    from_on: date,
    site_id: int | None,
    reason: str,
    actor: str,
    now: datetime,
) -> StoredLicence:
    """Let a wording, by its fingerprint or the beginning of it, be read no more from a day on: at
    one site, or at all.

    The day is today or a later one: what was read before was permitted. Raises WordingRefused;
    its code is `past` or `not_read` besides those of `wordings.renew`.
    """
    today = now.astimezone(study.definition.zone).date()
    if from_on < today:
        raise WordingRefused("a licence ends today or on a later day", "past")
    licence = _read(study, fingerprint, from_on, site_id)
    if licence is None:
        raise WordingRefused("no such wording is read in the study on this day", "not_read")
    terms = Terms(
        licence.holder, licence.number, frozenset(), from_on, from_on, study.id, site_id, reason
    )
    return wordings.renew(session, licence.wording, terms, actor, now)


def _read(study: CurrentStudy, fingerprint: str, day: date, site_id: int | None) -> Licence | None:
    """The licence under which the wording is read on a day at the site, or at any."""
    every = study.wordings
    sites = licence_state.sites_of(every) if site_id is None else (site_id,)
    for one in every.licences:
        if not one.wording.startswith(fingerprint):
            continue
        for site in sites:
            found = licence_state.deciding(every.licences, one.instrument, one.language, day, site)
            if found == one and one.modes and day <= one.until:
                return one
    return None
