"""What a study lacks before it may be marked live: one coded line for each thing, with its values.

A study that lacks nothing is ready while it is still marked `test`: marking it live comes last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import licence_state, schedule
from pro_app.core.licence import ALOUD, DAY, PAPER, PHONE, TABLET
from pro_app.core.study import EXAMPLE_TELEPHONE, StudyDefinition
from pro_app.delivery.vapid import subject_fault
from pro_app.models import Assessment, AuditEntry, Participant, Site, Staff, StaffRole
from pro_app.services import alarms, backups, checkpoints, checks, staff
from pro_app.services.studies import CurrentStudy

CODES = (
    "demonstration", "wording_missing", "wording_mode", "wording_ends",
    "notice_draft", "notice_unapproved", "notice_untranslated", "telephone", "emergency", "zone",
    "no_administrator", "no_coordinator", "no_investigator", "staff_closed", "staff_untrained",
    "address", "vapid_subject", "vapid_key", "mail",
    "backup_none", "backup_old", "audit_key",
    "checkpoint_none", "checkpoint_old", "clock_record", "clock_server", "alarms",
)  # fmt: skip
OLD = 2 * backups.DAILY  # since the newest backup
BEHIND = 2 * checkpoints.INTERVAL  # how old an entry may grow before a checkpoint holds it
LOOKED_AT = 1_000  # newest entries: where there are more in two hours, some of them are newer
SHORTEST_NUMBER = 7  # digits of a telephone that can be called from anywhere in a country
_DRAFT = re.compile(r"demo|draft|test|example|sample", re.IGNORECASE)
_NO_PLACE = frozenset({"UTC", "UCT", "GMT", "Zulu", "Universal", "Greenwich"})
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class Equipment:
    """How the installation is set up, as far as a live study depends on it.

    `audit_key_beside`: the key that signs checkpoints is the one that was made at first start and
    lies beside the data, where whoever can write the database may read it.
    """

    vapid_subject: str
    vapid_key_id: str
    mail: bool
    on_loopback: bool
    audit_key_beside: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that is missing: its code, one of CODES, and what it is about.

    `about` is an instrument, a site, a zone, or what is wrong with an address; `languages` those
    concerned, `mode` how they are read, `count` how many, `since` the moment that it is about.
    """

    code: str
    about: str = ""
    languages: tuple[str, ...] = ()
    count: int = 0
    since: datetime | None = None
    mode: str = ""


def missing(
    session: Session, study: CurrentStudy, equipment: Equipment, now: datetime
) -> list[Missing]:
    """Everything that is missing, in the order of CODES; nothing: the study can be marked live."""
    found = [
        *_study(study),
        *_wording(session, study, now),
        *_protocol(study.definition),
        *_staff(session, study, now),
        *_installation(session, equipment),
        *_backup(session, now),
        *_trail(session, now),
    ]
    return sorted(found, key=lambda one: CODES.index(one.code))


def _study(study: CurrentStudy) -> Iterator[Missing]:
    """Made-up people, whose answers would count as real ones. Those of a test stay apart."""
    if study.definition.status == "demonstration":
        yield Missing("demonstration")


def _wording(session: Session, study: CurrentStudy, now: datetime) -> Iterator[Missing]:
    """By instrument: languages without a licensed wording that is valid now at every site that
    enrols and fits the instrument, or not for a mode that the study uses, or not until the end of
    the follow-up."""
    definition, wordings = study.definition, study.wordings
    if definition.status == "demonstration":
        return  # it is none to go live
    codes = [one.code for one in definition.sites]
    sites = session.scalars(
        sa.select(Site.id).where(Site.study_id == study.id, Site.code.in_(codes))
    ).all()
    end = follow_up_end(session, study, now)
    today, last = (one.astimezone(definition.zone).date() for one in (now, end))
    modes = (PHONE, TABLET, PAPER, *([ALOUD] if definition.read_aloud else []))
    for instrument in definition.instruments:
        held = {
            language: [
                one for site in sites
                if (one := wordings.in_force(instrument.code, language, now, site))
                and one.modes and wordings.fitting(one)
            ]
            for language in definition.languages
        }  # fmt: skip
        missing = tuple(one for one, found in held.items() if len(found) < len(sites))
        if missing:
            yield Missing("wording_missing", instrument.code, missing)
        for mode in modes:
            lacking = tuple(
                language
                for language, found in held.items()
                if language not in missing and any(mode not in one.modes for one in found)
            )
            if lacking:
                yield Missing("wording_mode", instrument.code, lacking, mode=mode)
        for language in (one for one in held if one not in missing):
            lost = [
                licence_state.lost_on(
                    wordings, instrument.code, language, frozenset(modes), today, site
                )
                for site in sites
            ]
            until = min((on - DAY for on in lost if on is not None), default=last)
            if until < last:
                since = schedule.local(until, 0, definition.zone)
                yield Missing("wording_ends", instrument.code, (language,), since=since)


def follow_up_end(session: Session, study: CurrentStudy, now: datetime) -> datetime:
    """When the last window closes that is placed by now, or that would be of somebody enrolled
    today, whose other dates were today, too."""
    definition = study.definition
    today = now.astimezone(definition.zone).date()
    days = {schedule.ENROLMENT: today, **{one.code: today for one in definition.anchors}}
    windows = schedule.expected(definition.timepoints, days, definition.zone)
    placed = session.scalar(
        sa.select(sa.func.max(Assessment.closes_at))
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(Participant.study_id == study.id, Assessment.cancelled_at.is_(None))
    )
    moments = [one.window.closes_at for one in windows] + ([placed] if placed else [])
    return max(moments, default=now) - timedelta(microseconds=1)


def _protocol(study: StudyDefinition) -> Iterator[Missing]:
    """What the study file itself says, and nobody could be called or informed by."""
    if _DRAFT.search(study.notice.version):
        yield Missing("notice_draft", study.notice.version)
    if not study.notice.approval:
        yield Missing("notice_unapproved", study.notice.version)
    texts: dict[tuple[tuple[str, str], ...], str] = {}
    for language, sections in study.notice.sections.items():
        other = texts.setdefault(sections, language)
        if other != language:
            yield Missing("notice_untranslated", languages=(other, language))
    digits = len(_DIGIT.findall(study.telephone))
    if digits < SHORTEST_NUMBER or study.telephone == EXAMPLE_TELEPHONE:
        yield Missing("telephone", study.telephone)
    if not _DIGIT.search(study.emergency):
        yield Missing("emergency", study.emergency)
    if study.zone.key in _NO_PLACE or study.zone.key.startswith("Etc/"):
        yield Missing("zone", study.zone.key)


def _staff(session: Session, study: CurrentStudy, now: datetime) -> Iterator[Missing]:
    rows = session.execute(
        sa.select(
            Staff.id,
            StaffRole.role,
            StaffRole.site_id,
            sa.and_(Staff.password_hash.is_not(None), Staff.totp_secret.is_not(None)).label("open"),
            Staff.trained_on,
        )
        .join(StaffRole, StaffRole.staff_id == Staff.id)
        .where(StaffRole.study_id == study.id, staff.living(now), Staff.disabled_at.is_(None))
    ).all()
    if not any(row.role == "administrator" for row in rows):
        yield Missing("no_administrator")
    enrolling = [site.code for site in study.definition.sites]  # an earlier version's do no more
    for site in session.scalars(
        sa.select(Site)
        .where(Site.study_id == study.id, Site.code.in_(enrolling))
        .order_by(Site.code)
    ):
        there = {row.role for row in rows if row.site_id in {None, site.id}}
        for role in ("coordinator", "investigator"):
            if role not in there:
                yield Missing(f"no_{role}", site.code)
    closed = {row.id for row in rows if not row.open}
    if closed:
        yield Missing("staff_closed", count=len(closed))
    untrained = {row.id for row in rows if row.trained_on is None}
    if untrained:
        yield Missing("staff_untrained", count=len(untrained))


def _installation(session: Session, equipment: Equipment) -> Iterator[Missing]:
    if equipment.on_loopback:
        yield Missing("address")
    fault = subject_fault(equipment.vapid_subject, placeholder_allowed=False)
    if fault is not None:
        yield Missing("vapid_subject", fault)
    phones = checks.other_keys(session, equipment.vapid_key_id)
    if phones:
        yield Missing("vapid_key", count=phones)
    if not equipment.mail:
        yield Missing("mail")
    if equipment.audit_key_beside:
        yield Missing("audit_key")


def _backup(session: Session, now: datetime) -> Iterator[Missing]:
    made_at = backups.newest(session)
    if made_at is None:
        yield Missing("backup_none")
    elif now - made_at > OLD:
        yield Missing("backup_old", since=made_at)


def _trail(session: Session, now: datetime) -> Iterator[Missing]:
    newest = checkpoints.newest(session)
    if newest is None:
        yield Missing("checkpoint_none")
    elif _is_behind(session, newest.at, now):
        yield Missing("checkpoint_old", since=newest.at)
    ahead = checks.record_ahead(session, now)
    if ahead is not None:
        yield Missing("clock_record", since=ahead)
    theirs = checks.server_apart(session, now)
    if theirs is not None:
        yield Missing("clock_server", since=theirs)
    sounding = len(alarms.open_ones(session))
    if sounding:
        yield Missing("alarms", count=sounding)


def _is_behind(session: Session, checkpoint: datetime, now: datetime) -> bool:
    """Whether something is on record that should have been in a checkpoint by now.

    Where nothing happens no checkpoint is made: an old one alone is no fault.
    """
    if now - checkpoint <= BEHIND:
        return False
    latest = sa.select(AuditEntry.at).order_by(AuditEntry.id.desc()).limit(LOOKED_AT)
    waiting = [at for at in session.scalars(latest) if at > checkpoint]
    return len(waiting) == LOOKED_AT or any(now - at > BEHIND for at in waiting)
