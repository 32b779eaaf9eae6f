"""Enrolling participants, the codes that let them join, and how participation ends.

A code made by the site binds a browser once (`joining`); a PIN opens it afterwards (`sessions`).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.schedule import ENROLMENT
from pro_app.core.study import NATIONAL_IDENTITY
from pro_app.models import (
    AnchorDate,
    Attempt,
    CodeRequest,
    Device,
    JoiningCode,
    Participant,
    Reminder,
    Site,
)
from pro_app.services import audit, passkeys, reach, reminders, schedule, secrets
from pro_app.services.studies import CurrentStudy

CODE_LIFE = timedelta(hours=72)  # a printed card is used within days, or made anew
RECOVERY_LIFE = timedelta(days=396)  # thirteen months: a card in a drawer outlives a yearly visit
RETRY = timedelta(minutes=15)  # a code whose answer never reached the phone works again so long
TRIES = 100  # failed codes from one network address within TRY_PERIOD
TRY_PERIOD = timedelta(hours=1)
NOTICE_LIFE = timedelta(days=365)  # then the privacy notice is shown again


class EnrolmentError(Exception):
    """Something the site asked for that cannot be done; the message says why."""


def add_participant(
    session: Session,
    study: CurrentStudy,
    site_code: str,
    number: str,
    language: str,
    now: datetime,
    enrolled_on: date | None = None,
) -> Participant:
    """Enrol a participant, on an earlier day if entered afterwards, and place the assessments.

    Raises EnrolmentError naming what is wrong.
    """
    definition = study.definition
    if NATIONAL_IDENTITY.search(number):
        raise EnrolmentError("the study number has the shape of a national identity number")
    if not definition.number_pattern.fullmatch(number):
        pattern = definition.number_pattern.pattern
        raise EnrolmentError(f"the study number {number!r} does not fit the pattern {pattern}")
    if language not in definition.languages:
        known = ", ".join(definition.languages)
        raise EnrolmentError(f"the study has no language {language!r}; it has {known}")
    site = session.scalar(sa.select(Site).where(Site.study_id == study.id, Site.code == site_code))
    if site is None:
        raise EnrolmentError(f"the study has no site {site_code!r}")
    today = now.astimezone(definition.zone).date()
    day = enrolled_on or today
    if day > today:
        raise EnrolmentError("the day of enrolment lies in the future")
    taken = sa.select(Participant.id).where(
        Participant.study_id == study.id, Participant.number == number
    )
    if session.scalar(taken) is not None:
        raise EnrolmentError(f"the study number {number} is taken")
    participant = Participant(
        study_id=study.id, site_id=site.id, number=number, language=language, created_at=now
    )
    session.add(participant)
    session.flush()
    session.add(AnchorDate(participant_id=participant.id, anchor=ENROLMENT, day=day))
    session.flush()
    detail = {"number": number, "language": language, ENROLMENT: day.isoformat()}
    entry = audit.Entry("site", "enrol", "participant", detail=detail)
    audit.record(session, audit.participant_stream(participant.id), now, [entry])
    schedule.enter(session, study, participant.id, now)
    return participant


def issue_code(
    session: Session,
    participant_id: int,
    key: str,
    now: datetime,
    phone_lost: bool = False,
    *,
    kind: str = "joining",
    maker_id: int | None = None,
    life: timedelta | None = None,
) -> str:
    """A new code; every older one of its kind is dead, and with `phone_lost` every phone and
    passkey.

    The site makes it, or the participant on the device `maker_id`. A `recovery` code is longer
    and lives for long; `life` is for one that lives otherwise.
    """
    participant = audit.lock_participant(session, participant_id)
    if participant.died_at is not None:
        raise EnrolmentError(f"{participant.number} has died")
    if participant.withdrawn_at is not None:
        raise EnrolmentError(f"{participant.number} has withdrawn; readmit first")
    recovery = kind == "recovery"
    _replace_codes(session, participant_id, now, kind)
    if phone_lost:
        revoke_devices(session, Device.participant_id == participant_id, now, "site")
        passkeys.revoke(session, participant_id, now, "site")
    session.execute(
        sa.update(CodeRequest)
        .where(CodeRequest.participant_id == participant_id, CodeRequest.handled_at.is_(None))
        .values(handled_at=now)
    )
    code = secrets.new_code(secrets.RECOVERY_LENGTH if recovery else secrets.CODE_LENGTH)
    session.add(
        JoiningCode(
            participant_id=participant_id,
            kind=kind,
            code_hash=secrets.code_hash(code, key),
            created_at=now,
            expires_at=now + (life or (RECOVERY_LIFE if recovery else CODE_LIFE)),
            maker_id=maker_id,
        )
    )
    session.flush()
    actor = "site" if maker_id is None else f"participant/device {maker_id}"
    detail = {"kind": kind} if recovery else {}
    entry = audit.Entry(actor, "issue_code", "participant", detail=detail)
    audit.record(session, audit.participant_stream(participant_id), now, [entry])
    return code


def _replace_codes(
    session: Session, participant_id: int, now: datetime, kind: str | None = None
) -> None:
    """Let no code that was made so far open anything; of all kinds, or one."""
    session.execute(
        sa.update(JoiningCode)
        .where(
            JoiningCode.participant_id == participant_id,
            sa.or_(JoiningCode.used_at.is_(None), JoiningCode.used_at > now - RETRY),
            JoiningCode.replaced_at.is_(None),
            *(() if kind is None else (JoiningCode.kind == kind,)),
        )
        .values(replaced_at=now)
    )


def revoke_devices(
    session: Session, which: sa.ColumnElement[bool], now: datetime, actor: str
) -> None:
    """Revoke devices, each on the record of the participant it belonged to."""
    for device in session.scalars(
        sa.select(Device).where(which, Device.revoked_at.is_(None))
    ).all():
        audit.lock_participant(session, device.participant_id)
        device.revoked_at = now
        session.flush()
        reach.forget_device(session, device.id)
        entry = audit.Entry(actor, "revoke_device", f"device/{device.id}")
        audit.record(session, audit.participant_stream(device.participant_id), now, [entry])


def withdraw(session: Session, participant_id: int, now: datetime) -> None:
    """End participation: devices, sessions and codes are dead at once; the data stay."""
    participant = audit.lock_participant(session, participant_id)
    if participant.withdrawn_at is None:
        participant.withdrawn_at = now
        _end(session, participant_id, "withdrawn", "withdraw", now)


def record_death(session: Session, participant_id: int, now: datetime) -> None:
    """A participant has died: nothing is sent or expected any more, phones and codes are dead."""
    participant = audit.lock_participant(session, participant_id)
    if participant.died_at is None:
        participant.died_at = now
        _end(session, participant_id, "died", "record_death", now)


def _end(session: Session, participant_id: int, reason: str, action: str, now: datetime) -> None:
    """Let in and reach nobody of this participant any more, and put it on record."""
    _replace_codes(session, participant_id, now)
    session.execute(
        sa.update(Device)
        .where(Device.participant_id == participant_id, Device.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    session.flush()
    passkeys.revoke(session, participant_id, now, "site")
    reminders.cancel(session, Reminder.participant_id == participant_id, reason)
    reach.forget(session, participant_id)
    entry = audit.Entry("site", action, "participant")
    audit.record(session, audit.participant_stream(participant_id), now, [entry])


def readmit(session: Session, participant_id: int, now: datetime) -> None:
    """Take a withdrawn participant in again, after a new consent, or undo a death that was
    recorded for the wrong person; a new code is needed."""
    participant = audit.lock_participant(session, participant_id)
    if participant.withdrawn_at is None and participant.died_at is None:
        raise EnrolmentError(f"{participant.number} has not withdrawn")
    undone = "readmit" if participant.died_at is None else "undo_death"
    participant.withdrawn_at = participant.died_at = None
    participant.scheduled_version = None  # the planner follows the study again
    session.flush()
    entry = audit.Entry("site", undone, "participant")
    audit.record(session, audit.participant_stream(participant_id), now, [entry])


def too_many_tries(session: Session, kind: str, source: str, now: datetime) -> bool:
    """Whether this source has failed too often lately."""
    count = session.scalar(
        sa.select(sa.func.count())
        .select_from(Attempt)
        .where(Attempt.kind == kind, Attempt.source == source, Attempt.at > now - TRY_PERIOD)
    )
    return (count or 0) >= TRIES


def note_try(session: Session, kind: str, source: str, now: datetime) -> None:
    """Count a failed try, and forget those that no longer matter."""
    session.execute(sa.delete(Attempt).where(Attempt.at <= now - TRY_PERIOD))
    session.add(Attempt(kind=kind, source=source, at=now))


def find_code(session: Session, hashed: str, now: datetime) -> JoiningCode | None:
    """The living code of this hash (`secrets.code_hash`, which takes its time for each alike);
    None for an unknown, used, expired or replaced one."""
    found = session.scalar(sa.select(JoiningCode).where(JoiningCode.code_hash == hashed))
    return found if found is not None and opens(session, found, now) else None


def opens(session: Session, code: JoiningCode, now: datetime) -> bool:
    """Whether a code lets a browser in now.

    Once, and again for a while as long as the device that it joined has no PIN: the answer that
    should have told the browser of it may have been lost on the way.
    """
    if code.replaced_at is not None:
        return False
    if code.used_at is None:
        return now < code.expires_at
    if code.device_id is None or now >= code.used_at + RETRY:
        return False
    return is_unused(session.get_one(Device, code.device_id))


def is_unused(device: Device) -> bool:
    """Whether nobody has ever opened this device, and it may be taken back."""
    return device.pin_hash is None and device.revoked_at is None


def request_code(session: Session, study_id: int | None, number: str, now: datetime) -> None:
    """Note for the site that a participant asks for a new code; says nothing to the asker.

    Where the study is not known, whoever has this number in any study is noted.
    """
    found = sa.select(Participant.id).where(
        Participant.number == number, Participant.withdrawn_at.is_(None)
    )
    if study_id is not None:
        found = found.where(Participant.study_id == study_id)
    for participant_id in session.scalars(found.order_by(Participant.id)).all():
        _note_request(session, participant_id, now)


def _note_request(session: Session, participant_id: int, now: datetime) -> None:
    audit.lock_participant(session, participant_id)
    waiting = sa.select(CodeRequest.id).where(
        CodeRequest.participant_id == participant_id, CodeRequest.handled_at.is_(None)
    )
    if session.scalar(waiting) is None:
        session.add(CodeRequest(participant_id=participant_id, requested_at=now))
        entry = audit.Entry("participant", "request_code", "participant")
        audit.record(session, audit.participant_stream(participant_id), now, [entry])


def accept_notice(
    session: Session,
    participant: Participant,
    version: str,
    language: str,
    actor: str,
    now: datetime,
) -> None:
    """Record that the participant has read and accepted the privacy notice."""
    entry = audit.Entry(
        actor,
        "accept_notice",
        "participant",
        "notice_version",
        participant.notice_version,
        version,
        {"language": language},
    )
    participant.notice_version = version
    participant.notice_language = language
    participant.notice_at = now
    session.flush()
    audit.record(session, audit.participant_stream(participant.id), now, [entry])


def change(
    session: Session, participant: Participant, field: str, value: str, actor: str, now: datetime
) -> None:
    """Set `language` or `text_size` of a participant whose stream is held, on the record."""
    old = str(getattr(participant, field))
    if old == value:
        return
    setattr(participant, field, int(value) if field == "text_size" else value)
    session.flush()
    entry = audit.Entry(actor, "change_setting", "participant", field, old, value)
    audit.record(session, audit.participant_stream(participant.id), now, [entry])
