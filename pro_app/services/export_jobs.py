"""Exports as jobs: asked for by a person, and fetched by that person alone.

`export_making` makes them. What a person may have is looked at when it is asked for, when it is
made, and again at every download.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import ExportJob, Site, Study
from pro_app.services import audit, exports, staff
from pro_app.services.by_staff import Refusal, actor_of
from pro_app.services.exports import Wanted
from pro_app.services.studies import CurrentStudy
from pro_app.services.tables.own_words import COLUMNS

TAKERS = ("investigator", "researcher")  # who may take data out
PACK = "proof"  # a job that is no export: a proof pack, see `pack_jobs`
MAKERS = ("administrator", "investigator")  # who may have one
READERS = ("investigator",)  # of them who may open the record, and so read what people wrote
MOST_WAITING = 5  # of one person
SHOWN = 20  # of a person's jobs
RESUMED = timedelta(days=1)  # a download that goes on is the one that was begun so long ago


class JobRefused(Refusal):
    """An export that is not begun; `code`: `sites` (not the person's own), `instruments`,
    `timepoints` or `days_from` (not the study's), `dated` (it cannot be had by study days),
    `waiting` (too many wait already)."""


def ask(
    session: Session, study: CurrentStudy, staff_id: int, wanted: Wanted, reason: str, now: datetime
) -> ExportJob:
    """Put an export down to be made; of the person's own sites if none are named. What people wrote
    is in it only for an investigator of all its sites.

    Raises JobRefused, and `exports.ExportRefused` for what nobody can have.
    """
    check(session, study, wanted)
    own = covered(session, staff_id, study.id, now)
    if own is not None:
        sites = own if wanted.sites is None else wanted.sites
        if not sites or not sites <= own:
            raise JobRefused("sites that are not the person's own", "sites")
        wanted = exports.wanted(
            wanted.what, wanted.format, wanted.language,
            {**wanted.filters(), "sites": sorted(sites)},
        )  # fmt: skip
    readable = covered(session, staff_id, study.id, now, READERS)
    if wanted.what in COLUMNS and not _is_covered(wanted.sites, readable):
        wanted = replace(wanted, own_words=False)
    asked = (wanted.what, wanted.format, wanted.language)
    return put_down(session, study, staff_id, asked, wanted.filters(), reason, now)


def put_down(
    session: Session,
    study: CurrentStudy,
    staff_id: int,
    asked: tuple[str, str, str],
    filters: Mapping[str, object],
    reason: str,
    now: datetime,
) -> ExportJob:
    """The row of a job that a person may have: `asked` are what, format and language. Raises
    JobRefused where too many of the person's wait already."""
    staff.lock(session, staff_id)  # so that two presses at once are counted one after the other
    undone = sa.select(sa.func.count()).where(
        ExportJob.staff_id == staff_id, ExportJob.finished_at.is_(None)
    )
    if (session.scalar(undone) or 0) >= MOST_WAITING:
        raise JobRefused(f"{MOST_WAITING} exports wait already", "waiting")
    what, form, language = asked
    job = ExportJob(
        public_id=secrets.token_urlsafe(12),
        study_id=study.id,
        staff_id=staff_id,
        what=what,
        format=form,
        language=language,
        filters=dict(filters),
        reason=reason,
        requested_at=now,
        as_of=now,
        state="waiting",
    )
    session.add(job)
    session.flush()
    return job


def check(session: Session, study: CurrentStudy, wanted: Wanted) -> None:
    """Raises JobRefused for what is not in the study, ExportRefused for what nobody can have."""
    exports.check(wanted)
    definition = study.definition
    sites = session.scalars(sa.select(Site.code).where(Site.study_id == study.id))
    known = {
        "sites": (wanted.sites, {*sites}),
        "instruments": (wanted.instruments, {one.code for one in study.instruments}),
        "timepoints": (wanted.timepoints, {one.code for one in definition.timepoints}),
        "days_from": (_alone(wanted.days_from), {one.code for one in definition.anchors}),
    }
    for code, (asked, has) in known.items():
        if not (asked or frozenset()) <= has:
            raise JobRefused(f"no such {code} in study {definition.code}", code)
    if wanted.what == "audit" and wanted.days_from is not None:
        raise JobRefused("the record tells dates in words", "dated")


def _alone(code: str | None) -> frozenset[str]:
    return frozenset() if code is None else frozenset({code})


def covered(
    session: Session,
    staff_id: int,
    study_id: int,
    now: datetime,
    roles: Sequence[str] = TAKERS,
) -> frozenset[str] | None:
    """The codes of the sites whose data a person may take out now by these roles; None: of every
    site, also of one that comes later."""
    posts = staff.posts(session, staff_id, study_id, now)
    found: set[int] = set()
    for role in roles:
        sites = posts.get(role, frozenset())
        if sites is None:
            return None
        found |= sites
    codes = sa.select(Site.code).where(Site.study_id == study_id, Site.id.in_(found))
    return frozenset(session.scalars(codes))


def is_own(session: Session, job: ExportJob, now: datetime) -> bool:
    """Whether the person who asked may still have it: the role covers all sites that are in it, and
    is the investigator's where it has what people wrote. A pack has nobody's data."""
    if job.what == PACK:
        return may_prove(session, job.staff_id, job.study_id, now)
    asked = asked_for(job)
    roles = READERS if asked.what in COLUMNS and asked.own_words else TAKERS
    return _is_covered(asked.sites, covered(session, job.staff_id, job.study_id, now, roles))


def may_prove(session: Session, staff_id: int, study_id: int, now: datetime) -> bool:
    """Whether a person may have proof packs of a study."""
    return not staff.posts(session, staff_id, study_id, now).keys().isdisjoint(MAKERS)


def _is_covered(sites: frozenset[str] | None, own: frozenset[str] | None) -> bool:
    return own is None or (sites is not None and sites <= own)


def asked_for(job: ExportJob) -> Wanted:
    """What a job's row asks for."""
    return exports.wanted(job.what, job.format, job.language, job.filters)


def listed(
    session: Session, study_id: int, staff_id: int, now: datetime, packs: bool = False
) -> list[ExportJob]:
    """A person's newest exports, or `packs`, that the person may still have."""
    mine = _of(study_id, staff_id, packs).order_by(
        ExportJob.requested_at.desc(), ExportJob.id.desc()
    )
    return [one for one in session.scalars(mine.limit(SHOWN)) if is_own(session, one, now)]


def find(
    session: Session,
    study_id: int,
    staff_id: int,
    public_id: str,
    now: datetime,
    packs: bool = False,
) -> ExportJob | None:
    """A person's own export, or one of `packs`; None for anybody else's, and for one that is not
    the person's own any more."""
    found = session.scalar(_of(study_id, staff_id, packs).where(ExportJob.public_id == public_id))
    return found if found is not None and is_own(session, found, now) else None


def _of(study_id: int, staff_id: int, packs: bool) -> sa.Select[ExportJob]:
    kind = ExportJob.what == PACK if packs else ExportJob.what != PACK
    return sa.select(ExportJob).where(
        ExportJob.staff_id == staff_id, ExportJob.study_id == study_id, kind
    )


def note_fetch(session: Session, job_id: int, now: datetime, resumed: bool) -> None:
    """Put on the study's record that a file is being downloaded. `resumed`: from its middle, which
    is told only where nothing tells of the beginning."""
    job = session.get_one(ExportJob, job_id, with_for_update=True, populate_existing=True)
    if resumed and job.fetched_at is not None and now - job.fetched_at < RESUMED:
        return
    job.fetched_at = now
    code = session.scalars(
        sa.select(Study.code).where(Study.id == job.study_id).with_for_update()
    ).one()
    detail: dict[str, object] = {"format": job.format, "sha256": job.sha256}
    sites = asked_for(job).sites
    entries = [
        audit.Entry(
            actor_of(job.staff_id), "fetch_export", f"study/{code}", new=job.what,
            detail=detail if site is None else {**detail, "site": site},
        )
        for site in ([None] if sites is None else sorted(sites))
    ]  # fmt: skip
    audit.record(session, audit.study_stream(job.study_id), now, entries)
