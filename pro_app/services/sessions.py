"""How a joined device is opened: its PIN, its sessions, and the person before it.

The browser's own 256-bit token and a PIN open it. A PIN is only ever checked together with that
token: five wrong ones wait a quarter of an hour, ten in all need a new code from the site. So six
digits are enough, and nobody without the device can lock a participant out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Device, DeviceSession, Participant, StudyVersion, Transaction
from pro_app.services import audit, secrets, studies
from pro_app.services.enrolment import EnrolmentError

PIN_WAIT_AFTER = 5
PIN_WAIT = timedelta(minutes=15)
PIN_LIMIT = 10
SESSION_IDLE = timedelta(minutes=30)  # a phone left on a table
SESSION_LIFE = timedelta(hours=12)  # a day's answering
SEEN_EVERY = timedelta(minutes=1)  # how exactly the last use is kept
SHARED_IDLE = timedelta(days=1)  # a browser may keep its session cookies for weeks; > SESSION_LIFE


class PinResult(StrEnum):
    """What came of a PIN."""

    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "wait"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class PinCheck:
    """The result, and until when to wait if it is WAIT."""

    result: PinResult
    wait_until: datetime | None = None


def set_pin(session: Session, device_id: int, pin: str, now: datetime) -> None:
    """Set a device's first PIN. The caller has checked it with `secrets.pin_fault`."""
    device = _lock_device(session, device_id)
    if device.pin_hash is not None:
        raise EnrolmentError("the device has a PIN")
    device.pin_hash = secrets.pin_hash(pin)
    _note(session, device, "set_pin", now)


def check_pin(session: Session, device_id: int, pin: str, now: datetime) -> PinCheck:
    """Check a PIN on its device and count the wrong ones."""
    device = _lock_device(session, device_id)
    if device.pin_failures >= PIN_LIMIT or device.pin_hash is None:
        return PinCheck(PinResult.SITE)
    if device.pin_wait_until is not None and now < device.pin_wait_until:
        return PinCheck(PinResult.WAIT, device.pin_wait_until)
    if secrets.pin_matches(device.pin_hash, pin):
        device.pin_failures = 0
        device.pin_wait_until = None
        _note(session, device, "unlock", now)
        return PinCheck(PinResult.RIGHT)
    device.pin_failures += 1
    device.pin_wait_until = None
    if device.pin_failures == PIN_WAIT_AFTER:
        device.pin_wait_until = now + PIN_WAIT
    _note(session, device, "wrong_pin", now)
    if device.pin_failures >= PIN_LIMIT:
        return PinCheck(PinResult.SITE)
    if device.pin_wait_until is not None:
        return PinCheck(PinResult.WAIT, device.pin_wait_until)
    return PinCheck(PinResult.WRONG)


def _lock_device(session: Session, device_id: int) -> Device:
    """The device, with its participant's stream held; always in this order, or two wait for each
    other for ever."""
    owner = sa.select(Device.participant_id).where(Device.id == device_id)
    audit.lock_participant(session, session.scalars(owner).one())
    return session.get_one(Device, device_id, populate_existing=True)


def _note(session: Session, device: Device, action: str, now: datetime) -> None:
    session.flush()
    entry = audit.Entry(f"participant/device {device.id}", action, f"device/{device.id}")
    audit.record(session, audit.participant_stream(device.participant_id), now, [entry])


def start(session: Session, device_id: int, now: datetime) -> str:
    """Begin a session on a device whose PIN was just given or set: the session's token."""
    token = secrets.new_token()
    session.add(
        DeviceSession(
            device_id=device_id, token_hash=secrets.token_hash(token), created_at=now, seen_at=now
        )
    )
    session.execute(sa.update(Device).where(Device.id == device_id).values(used_at=now))
    return token


def end(session: Session, token: str, now: datetime) -> None:
    """End a session; its token opens nothing from now on."""
    row = session.execute(
        sa.select(DeviceSession, Device)
        .join(Device, Device.id == DeviceSession.device_id)
        .where(
            DeviceSession.token_hash == secrets.token_hash(token), DeviceSession.ended_at.is_(None)
        )
    ).one_or_none()
    if row is not None:
        found, device = row
        audit.lock_participant(session, device.participant_id)
        found.ended_at = now
        _note(session, device, "lock", now)


@dataclass(frozen=True, slots=True)
class Person:
    """The participant before the phone: who, on which device, and whether the PIN was given.
    `public_id` is the name by which the phone knows its owner.

    `study_version` is the newest version of the study's definition, `study_fingerprint` tells
    what is in force (see `studies.in_force`).
    `shared`: the phone is not their own, nothing stays on it. `is_test`: they try the study, see
    `studies.counted`.
    """

    participant_id: int
    public_id: str
    study_id: int
    study_version: int
    study_fingerprint: str
    number: str
    language: str
    text_size: int
    notice_version: str | None
    notice_at: datetime | None
    device_id: int
    has_pin: bool
    shared: bool
    is_test: bool
    unlocked: bool
    seen_at: datetime | None = None


_person_columns = (
    Participant.id,
    Participant.public_id,
    Participant.study_id,
    StudyVersion.number,
    studies.in_force,
    Participant.number,
    Participant.language,
    Participant.text_size,
    Participant.notice_version,
    Participant.notice_at,
    Device.id,
    Device.pin_hash.is_not(None),
    Device.shared,
    Participant.is_test,
)
_newest_version = (
    sa.select(sa.func.max(StudyVersion.number))
    .where(StudyVersion.study_id == Participant.study_id)
    .correlate(Participant)
    .scalar_subquery()
)
version_in_force = sa.and_(
    StudyVersion.study_id == Participant.study_id, StudyVersion.number == _newest_version
)
_by_session = (
    sa.select(*_person_columns, DeviceSession.created_at, DeviceSession.seen_at)
    .join(Device, Device.id == DeviceSession.device_id)
    .join(Participant, Participant.id == Device.participant_id)
    .join(StudyVersion, version_in_force)
    .where(
        DeviceSession.token_hash == sa.bindparam("token"),
        DeviceSession.ended_at.is_(None),
        Device.revoked_at.is_(None),
    )
)


def opening(since: datetime | sa.BindParameter[datetime]) -> sa.ColumnElement[bool]:
    """The devices that open: not signed out, and, where they are not the person's own, joined or
    unlocked since this moment (`SHARED_IDLE` ago)."""
    return sa.and_(
        Device.revoked_at.is_(None), sa.or_(Device.shared.is_(False), Device.used_at > since)
    )


_by_device = (
    sa.select(*_person_columns)
    .join(Participant, Participant.id == Device.participant_id)
    .join(StudyVersion, version_in_force)
    .where(
        Device.token_hash == sa.bindparam("token"),
        opening(sa.bindparam("since", type_=Device.used_at.type)),
    )
)


def person_of_session(session: Transaction, token: str, now: datetime) -> Person | None:
    """The person whose session this is, if it has not ended, aged or lain idle."""
    row: Any = session.execute(_by_session, {"token": secrets.token_hash(token)}).first()
    if row is None:
        return None
    created_at, seen_at = row[-2:]
    if now - created_at > SESSION_LIFE or now - seen_at > SESSION_IDLE:
        return None
    return Person(*(*row[:-2], True, seen_at))


def person_of_device(session: Transaction, token: str, now: datetime) -> Person | None:
    """The person whose device this is, still locked."""
    looked_up = {"token": secrets.token_hash(token), "since": now - SHARED_IDLE}
    row: Any = session.execute(_by_device, looked_up).first()
    return None if row is None else Person(*(*row, False))


def touch(session: Session, token: str, now: datetime) -> None:
    """Note that a session is in use."""
    session.execute(
        sa.update(DeviceSession)
        .where(DeviceSession.token_hash == secrets.token_hash(token))
        .values(seen_at=now)
    )
