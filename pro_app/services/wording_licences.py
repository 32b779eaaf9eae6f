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
) -> list[StoredLicence]:
    """Let a wording, by its fingerprint or the beginning of it, be read no more from a day on: at
    one site, or wherever it is read then. What other sites read in its place goes on.

    The day is today or a later one: what was read before was permitted. Raises WordingRefused;
    its code is `past` or `not_read` besides those of `wordings.renew`.
    """
    today = now.astimezone(study.definition.zone).date()
    if from_on < today:
        raise WordingRefused("a licence ends today or on a later day", "past")
    found = _read(study, fingerprint, from_on, site_id)
    if not found:
        raise WordingRefused("no such wording is read in the study on this day", "not_read")
    everywhere = len(found) == len(licence_state.sites_of(study.wordings))
    last = next(reversed(found.values()))
    ended = {None: last} if site_id is None and everywhere else found
    return [
        wordings.renew(
            session,
            one.wording,
            Terms(one.holder, one.number, frozenset(), from_on, from_on, study.id, site, reason),
            actor,
            now,
        )
        for site, one in ended.items()
    ]


def _read(
    study: CurrentStudy, fingerprint: str, day: date, site_id: int | None
) -> dict[int | None, Licence]:
    """By site the licence under which the wording is read there on a day: at the site, or at
    any."""
    every = study.wordings
    sites = licence_state.sites_of(every) if site_id is None else (site_id,)
    text = next((one for one in every.licences if one.wording.startswith(fingerprint)), None)
    if text is None:
        return {}
    found = {
        site: licence_state.deciding(every.licences, text.instrument, text.language, day, site)
        for site in sites
    }
    return {
        site: one
        for site, one in found.items()
        if one is not None and one.wording == text.wording and one.modes and day <= one.until
    }
