"""What participants do with their phones themselves: another place to open the app, signing out,
and what the site sees and can do of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Device, DeviceSession, JoiningCode
from pro_app.services import audit, enrolment, passkeys, reach, sessions
from pro_app.services.sessions import Person

OWN_CODE_LIFE = timedelta(minutes=15)  # to walk from one window or phone to the other
OWN_CODES = 5  # of one participant within OWN_CODE_PERIOD
OWN_CODE_PERIOD = timedelta(days=1)


def own_code(session: Session, person: Person, key: str, now: datetime) -> str | None:
    """A joining code that a participant makes on an unlocked phone; None when there were enough
    for a day. Raises EnrolmentError on a phone that is not their own, or signed out by now."""
    if person.shared or not person.unlocked:
        raise enrolment.EnrolmentError("only on a person's own phone, and unlocked")
    audit.lock_participant(session, person.participant_id)
    device = session.get_one(Device, person.device_id, populate_existing=True)
    if device.revoked_at is not None:
        raise enrolment.EnrolmentError("the phone is signed out")
    made = session.scalar(
        sa.select(sa.func.count())
        .select_from(JoiningCode)
        .where(
            JoiningCode.participant_id == person.participant_id,
            JoiningCode.maker_id.is_not(None),
            JoiningCode.created_at > now - OWN_CODE_PERIOD,
        )
    )
    if (made or 0) >= OWN_CODES:
        return None
    return enrolment.issue_code(
        session,
        person.participant_id,
        key,
        now,
        maker_id=person.device_id,
        life=OWN_CODE_LIFE,
    )


def sign_out(session: Session, participant_id: int, device_id: int, now: datetime) -> None:
    """Let this device open nothing any more: its sessions, its reminders, the passkeys made or
    last used on it. A second press changes nothing."""
    audit.lock_participant(session, participant_id)
    device = session.get_one(Device, device_id, populate_existing=True)
    if device.revoked_at is not None:
        return
    device.revoked_at = now
    session.execute(
        sa.update(DeviceSession)
        .where(DeviceSession.device_id == device.id, DeviceSession.ended_at.is_(None))
        .values(ended_at=now)
    )
    session.flush()
    actor = f"participant/device {device.id}"
    reach.forget_device(session, device.id)
    which = passkeys.of_device(device.id)
    passkeys.revoke(session, participant_id, now, actor, which)
    entry = audit.Entry(actor, "sign_out", f"device/{device.id}")
    audit.record(session, audit.participant_stream(participant_id), now, [entry])


def revoke(
    session: Session, participant_id: int, device_id: int, now: datetime, actor: str = "site"
) -> None:
    """Let one phone of a participant open nothing any more, and the passkeys made or last used on
    it; somebody else's phone, or one that opens nothing, changes nothing."""
    audit.lock_participant(session, participant_id)
    own = sa.and_(Device.id == device_id, Device.participant_id == participant_id)
    if session.scalar(sa.select(Device.id).where(own, Device.revoked_at.is_(None))) is None:
        return
    enrolment.revoke_devices(session, own, now, actor)
    passkeys.revoke(session, participant_id, now, actor, passkeys.of_device(device_id))


def joined(session: Session, participant_id: int, now: datetime) -> Sequence[Device]:
    """A participant's devices that open, in the order in which they joined."""
    since = now - sessions.SHARED_IDLE
    return session.scalars(
        sa.select(Device)
        .where(Device.participant_id == participant_id, sessions.opening(since))
        .order_by(Device.id)
    ).all()


def change_setting(session: Session, person: Person, field: str, value: str, now: datetime) -> None:
    """Set a participant's `language` or `text_size`, on the record."""
    participant = audit.lock_participant(session, person.participant_id)
    enrolment.change(
        session, participant, field, value, f"participant/device {person.device_id}", now
    )
