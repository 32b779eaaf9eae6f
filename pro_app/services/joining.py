"""Joining: a code or a passkey binds a browser to its participant, and the notice is accepted."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Device, JoiningCode, Participant, Passkey
from pro_app.services import audit, enrolment, passkeys, secrets


def bind_device(
    session: Session,
    code_id: int,
    notice_version: str | None,
    notice_language: str,
    now: datetime,
    replaces: int | None = None,
    shared: bool = False,
) -> tuple[str, int] | None:
    """Use up a code and bind this browser: the device's token and id.

    None when the code died in the meantime. `replaces` is the device that this browser was
    before; it is revoked, because its token is about to be overwritten. The language in which
    the notice was accepted becomes the participant's. `notice_version` is None where it was
    accepted lately and not shown again.
    """
    known = session.get(JoiningCode, code_id)
    if known is None:
        return None
    participant = _hold(session, known.participant_id, {replaces, known.device_id})
    code = session.get_one(JoiningCode, code_id, populate_existing=True)
    if not enrolment.opens(session, code, now):
        return None
    before = {replaces, code.device_id} - {None}
    way = "recovery" if code.kind == "recovery" else "code"
    token, device = _bind(session, participant, way, before, shared, now)
    code.used_at = code.used_at or now  # the time for another try is not prolonged by it
    code.device_id = device.id
    _take_over(session, participant, device, notice_version, notice_language, now)
    return token, device.id


def _hold(session: Session, participant_id: int, before: Collection[int | None]) -> Participant:
    """The participant who joins, held with everybody else whom that concerns: who had the devices
    `before`, and whose passkeys were used there.

    In the order of their ids, as all hold people: two phones that change hands between the same
    two people would else wait for each other for ever. No other can come to it meanwhile: what a
    device or a code gets, it gets for its own participant.
    """
    places = [one for one in before if one is not None]
    owners = sa.union(
        sa.select(Device.participant_id).where(Device.id.in_(places)),
        *(sa.select(Passkey.participant_id).where(passkeys.of_device(one)) for one in places),
    )
    people = {participant_id, *session.scalars(owners)}
    held = {one: audit.lock_participant(session, one) for one in sorted(people)}
    return held[participant_id]


def _bind(
    session: Session,
    participant: Participant,
    way: str,
    before: Collection[int | None],
    shared: bool,
    now: datetime,
) -> tuple[str, Device]:
    """A new device of a participant who is held, with all whom that concerns (`_hold`): its token
    and row.

    `way` is `code`, `recovery` or `passkey`; `before` are devices that this one takes the place
    of, whoever they belonged to. They open nothing any more.
    """
    token = secrets.new_token()
    device = Device(
        participant_id=participant.id,
        token_hash=secrets.token_hash(token),
        created_at=now,
        used_at=now,
        joined_by=way,
        shared=shared,
    )
    session.add(device)
    session.flush()
    actor = f"participant/device {device.id}"
    places = sorted(one for one in before if one is not None)
    for place in places:
        enrolment.revoke_devices(session, sa.and_(Device.id == place), now, actor)
        passkeys.follow(session, place, participant.id, device.id, now)
    detail: dict[str, Any] = {"shared": True} if shared else {}
    if places:
        detail["replaces"] = ", ".join(f"device/{one}" for one in places)
    action = {"code": "join", "recovery": "join_by_card", "passkey": "join_by_passkey"}[way]
    entry = audit.Entry(actor, action, f"device/{device.id}", detail=detail)
    audit.record(session, audit.participant_stream(participant.id), now, [entry])
    return token, device


def _take_over(
    session: Session,
    participant: Participant,
    device: Device,
    notice_version: str | None,
    language: str,
    now: datetime,
) -> None:
    """What was said while joining: the notice is accepted, in the participant's language."""
    if notice_version is not None:
        actor = f"participant/device {device.id}"
        enrolment.accept_notice(session, participant, notice_version, language, actor, now)
        enrolment.change(session, participant, "language", language, actor, now)


class Reader(Protocol):
    """Who has accepted a notice or has not: a participant, or one before a phone or tablet."""

    @property
    def notice_version(self) -> str | None: ...
    @property
    def notice_at(self) -> datetime | None: ...


def notice_is_accepted(participant: Reader, version: str, now: datetime) -> bool:
    """Whether this notice was accepted within the year and need not be shown."""
    if participant.notice_at is None or participant.notice_version != version:
        return False
    return now - participant.notice_at <= enrolment.NOTICE_LIFE


def bind_by_passkey(
    session: Session,
    passkey_id: int,
    opened_at: datetime,
    notice_version: str | None,
    notice_language: str,
    now: datetime,
    replaces: int | None = None,
    shared: bool = False,
) -> tuple[str, int] | None:
    """Bind this browser to whom a passkey, opened at `opened_at`, belongs: token and id.

    None when that was long ago, or has joined a device that is in use. See `bind_device`.
    """
    owner = passkeys.owner(session, passkey_id)
    if owner is None:
        return None
    participant = _hold(session, owner, {replaces})
    passkey = passkeys.opened(session, passkey_id, opened_at, now)
    if passkey is None:
        return None
    before = {replaces}
    last = session.get_one(Device, passkey.used_device_id)
    if last.created_at > opened_at:  # it has joined one already
        if not enrolment.is_unused(last):
            return None
        before.add(last.id)
    token, device = _bind(session, participant, "passkey", before, shared, now)
    passkey.used_device_id = device.id
    _take_over(session, participant, device, notice_version, notice_language, now)
    return token, device.id
