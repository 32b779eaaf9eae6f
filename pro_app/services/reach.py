"""How a participant can be reached: subscriptions, e-mail, and what is known of both.

Endpoints and addresses are personal data: encrypted, never logged, and gone when they are turned
off. The trail tells that something was turned on or off, never where to.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.study import NATIONAL_IDENTITY
from pro_app.delivery import (
    Accepted,
    Gone,
    Misconfigured,
    Outcome,
    Retry,
    address_fault,
)
from pro_app.delivery import (
    Subscription as PushSubscription,
)
from pro_app.models import (
    Contact,
    Delivery,
    Device,
    Message,
    Reminder,
    Subscription,
)
from pro_app.services import alarms, assessments, audit
from pro_app.services.assessments import Known
from pro_app.services.post_office import TEST_LIFE, Address, PostOffice, subscription_text

MOST_SUBSCRIPTIONS = 5  # living ones of one person
TEST_EVERY = timedelta(seconds=30)
PERMISSIONS = ("granted", "denied", "default", "unsupported", "install")


class ReachError(Exception):
    """Something that cannot be taken; `code` names the fault."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def endpoint_hash(endpoint: str) -> str:
    """What a subscription is known by."""
    return hashlib.sha256(endpoint.encode()).hexdigest()


def subscribe(
    session: Session,
    office: PostOffice,
    participant_id: int,
    device_id: int,
    subscription: PushSubscription,
    now: datetime,
) -> None:
    """Take a browser's subscription, or hear of it again; the device has no other from now on.

    A browser that belonged to another participant is theirs no more. Raises ReachError.
    """
    fault = office.subscription_fault(subscription)
    if fault is not None:
        raise ReachError(fault)
    audit.lock_participant(session, participant_id)
    known = endpoint_hash(subscription.endpoint)
    row = session.scalar(sa.select(Subscription).where(Subscription.endpoint_hash == known))
    again = row is not None and (row.device_id, row.state) == (device_id, "active")
    if row is None:
        row = Subscription(endpoint_hash=known)
        session.add(row)
    elif row.participant_id != participant_id:
        _take_over(session, row, now)
    if not again:
        row.created_at = now
    row.participant_id, row.device_id = participant_id, device_id
    row.host = urlsplit(subscription.endpoint).netloc
    row.secret = office.vault.lock(subscription_text(subscription))
    row.vapid_key, row.state, row.seen_at, row.gone_at = office.key_id, "active", now, None
    session.flush()
    _turn_off(session, Subscription.device_id == device_id, Subscription.id != row.id)
    _keep_newest(session, participant_id)
    if not again:
        _record(session, participant_id, device_id, "subscribe", now)


def _take_over(session: Session, row: Subscription, now: datetime) -> None:
    """A browser is another participant's from now on: what was known of it was of the former."""
    if row.state == "active":
        audit.lock_participant(session, row.participant_id)
        entry = audit.Entry("system", "unsubscribe", f"device/{row.device_id}")
        audit.record(session, audit.participant_stream(row.participant_id), now, [entry])
    row.accepted_at = None


def subscribe_json(
    session: Session,
    office: PostOffice,
    participant_id: int,
    device_id: int,
    content: Any,
    now: datetime,
) -> None:
    """`subscribe` with what a browser's `PushSubscription.toJSON` gives. Raises ReachError."""
    keys = content.get("keys") if isinstance(content, Mapping) else None
    if not isinstance(keys, Mapping):
        raise ReachError("shape")
    parts = content.get("endpoint"), keys.get("p256dh"), keys.get("auth")
    endpoint, p256dh, auth = (part if isinstance(part, str) else "" for part in parts)
    if not (endpoint and p256dh and auth):
        raise ReachError("shape")
    given = PushSubscription(endpoint, p256dh, auth)
    subscribe(session, office, participant_id, device_id, given, now)


def _turn_off(session: Session, *which: sa.ColumnElement[bool]) -> int:
    """Turn subscriptions off and forget where they led."""
    found = session.execute(
        sa.update(Subscription)
        .where(Subscription.state != "off", *which)
        .values(state="off", secret=b"")
        .execution_options(synchronize_session=False)
    )
    return int(found.rowcount)  # type: ignore[attr-defined]


def _keep_newest(session: Session, participant_id: int) -> None:
    living = session.scalars(
        sa.select(Subscription.id)
        .where(Subscription.participant_id == participant_id, Subscription.state == "active")
        .order_by(Subscription.seen_at.desc(), Subscription.id.desc())
    ).all()
    if len(living) > MOST_SUBSCRIPTIONS:
        _turn_off(session, Subscription.id.in_(living[MOST_SUBSCRIPTIONS:]))


def _record(
    session: Session,
    participant_id: int,
    device_id: int | None,
    action: str,
    now: datetime,
    actor: str = "site",
) -> None:
    if device_id is not None:
        actor = f"participant/device {device_id}"
    target = "participant" if device_id is None else f"device/{device_id}"
    entry = audit.Entry(actor, action, target)
    audit.record(session, audit.participant_stream(participant_id), now, [entry])


def unsubscribe(session: Session, participant_id: int, device_id: int, now: datetime) -> None:
    """No more pushes to this device."""
    audit.lock_participant(session, participant_id)
    if _turn_off(session, Subscription.device_id == device_id):
        _record(session, participant_id, device_id, "unsubscribe", now)


def forget_device(session: Session, device_id: int) -> None:
    """Remove the ways to a device that is no longer the participant's."""
    _turn_off(session, Subscription.device_id == device_id)


def forget(session: Session, participant_id: int) -> None:
    """Remove every way to reach a participant: all endpoints and the e-mail address."""
    _turn_off(session, Subscription.participant_id == participant_id)
    session.execute(sa.delete(Contact).where(Contact.participant_id == participant_id))


def report(
    session: Session,
    participant_id: int,
    device_id: int,
    permission: str,
    installed: bool,
    now: datetime,
) -> None:
    """Keep what a browser says of itself: whether it may show reminders, and is installed.

    One that may not show any has lost its subscription, too. Raises ReachError.
    """
    if permission not in PERMISSIONS:
        raise ReachError("permission")
    audit.lock_participant(session, participant_id)
    device = session.get_one(Device, device_id)
    before = device.permission
    if (before, device.installed) == (permission, installed):
        return
    device.permission, device.installed = permission, installed
    session.flush()
    if permission != "granted":
        session.execute(
            sa.update(Subscription)
            .where(Subscription.device_id == device_id, Subscription.state == "active")
            .values(state="gone", gone_at=now)
            .execution_options(synchronize_session=False)
        )
    if before != permission:
        entry = audit.Entry(
            f"participant/device {device_id}",
            "change",
            f"device/{device_id}",
            "permission",
            before,
            permission,
        )
        audit.record(session, audit.participant_stream(participant_id), now, [entry])


def set_email(
    session: Session,
    office: PostOffice,
    participant_id: int,
    device_id: int | None,
    text: str,
    now: datetime,
    actor: str = "site",
) -> None:
    """Take an e-mail address for reminders, or with an empty text remove it. Without a device
    it is the site that does so, by `actor`. Raises ReachError."""
    address = text.strip()
    if address and email_fault(address):
        raise ReachError("email")
    audit.lock_participant(session, participant_id)
    row = session.scalar(sa.select(Contact).where(Contact.participant_id == participant_id))
    if not address:
        if row is not None:
            session.delete(row)
            _record(session, participant_id, device_id, "remove_email", now, actor)
        return
    if row is None:
        row = Contact(participant_id=participant_id)
        session.add(row)
    elif row.bounced_at is None and office.vault.unlock(row.email) == address:
        return
    row.email, row.bounced_at, row.created_at = office.vault.lock(address), None, now
    session.flush()
    _record(session, participant_id, device_id, "set_email", now, actor)


def read_email(
    session: Session, office: PostOffice, participant_id: int, actor: str, now: datetime
) -> str | None:
    """`email_of` for a person of the site: the look is on record, never the address."""
    audit.lock_participant(session, participant_id)
    entry = audit.Entry(actor, "read_contact", "participant", "email")
    audit.record(session, audit.participant_stream(participant_id), now, [entry])
    return email_of(session, office, participant_id)


def email_fault(address: str) -> bool:
    """Whether this is no address that can be written to, or one that tells who somebody is."""
    return bool(address_fault(address) or NATIONAL_IDENTITY.search(address))


def email_of(session: Session, office: PostOffice, participant_id: int) -> str | None:
    """The e-mail address; None if there is none."""
    kept = session.scalar(sa.select(Contact.email).where(Contact.participant_id == participant_id))
    return None if kept is None else office.vault.unlock(kept)


def has_email(session: Session, participant_id: int) -> bool:
    """Whether there is an e-mail address."""
    found = sa.select(Contact.id).where(Contact.participant_id == participant_id)
    return session.scalar(found) is not None


def send_test(office: PostOffice, participant_id: int, device_id: int, language: str) -> str:
    """Send a test push to this device now: `accepted`, `gone`, `retry`, `misconfigured`, `none`
    (not subscribed) or `wait` (one was sent a moment ago)."""
    now = office.clock()
    public_id = secrets.token_urlsafe(12)
    with office.database.writing() as session:
        audit.lock_stream(session, participant_id)
        found = session.execute(
            sa.select(Subscription.id, Subscription.host, Subscription.secret).where(
                Subscription.device_id == device_id,
                Subscription.participant_id == participant_id,
                Subscription.state == "active",
            )
        ).first()
        if found is None:
            return "none"
        lately = sa.select(Message.id).where(
            Message.participant_id == participant_id,
            Message.day.is_(None),
            Message.created_at > now - TEST_EVERY,
        )
        if session.scalar(lately.limit(1)) is not None:
            return "wait"
        message = Message(
            public_id=public_id, participant_id=participant_id, channel="push", created_at=now
        )
        session.add(message)
        session.flush()
        message_id = message.id
    address = Address(*found)
    words = office.notices.test(language)
    pushes = office.pushes(public_id, participant_id, [address], words, language, TEST_LIFE)
    answers = office.send(pushes, ())
    unanswered = Retry(None, None, "no_answer")
    outcome = answers.get((public_id, address.subscription_id), unanswered)
    return _note_test(office, message_id, address, outcome)


def _note_test(office: PostOffice, message_id: int, address: Address, outcome: Outcome) -> str:
    now, name = office.clock(), type(outcome).__name__.lower()
    with office.database.writing() as session:
        session.add(
            Delivery(
                message_id=message_id,
                subscription_id=address.subscription_id,
                at=now,
                outcome=name,
                status=outcome.status,
                reason=getattr(outcome, "reason", None),
            )
        )
        living = session.scalar(  # it may have been turned off meanwhile
            sa.select(Subscription).where(
                Subscription.id == address.subscription_id, Subscription.state == "active"
            )
        )
        if isinstance(outcome, Accepted):
            session.get_one(Message, message_id).accepted_at = now
            if living is not None:
                living.accepted_at = now
        elif isinstance(outcome, Misconfigured):
            alarms.sound(
                session, "push_misconfigured", f"status {outcome.status}: {outcome.reason}", now
            )
        elif isinstance(outcome, Gone) and living is not None:
            living.state, living.gone_at = "gone", now
    return name


def shown(session: Session, public_id: str, participant_id: int, now: datetime) -> None:
    """A participant's phone has shown this message (its own word, once)."""
    session.execute(
        sa.update(Message)
        .where(
            Message.public_id == public_id,
            Message.participant_id == participant_id,
            Message.shown_at.is_(None),
        )
        .values(shown_at=now)
    )


def opened(session: Session, public_id: str, participant_id: int, now: datetime) -> bool:
    """Note that a participant opened a message of their own; False if it is none."""
    message = session.scalar(
        sa.select(Message).where(
            Message.public_id == public_id, Message.participant_id == participant_id
        )
    )
    if message is None:
        return False
    if message.opened_at is None:
        message.opened_at = now
    return True


def is_test(session: Session, public_id: str) -> bool:
    """Whether a message is the test that a person asked for."""
    found = sa.select(Message.id).where(Message.public_id == public_id, Message.day.is_(None))
    return session.scalar(found) is not None


def told_of(session: Session, public_id: str, participant_id: int) -> list[Known]:
    """The assessments that a message told of, in their order."""
    ids = set(
        session.scalars(
            sa.select(Reminder.assessment_id)
            .join(Message, Message.id == Reminder.message_id)
            .where(Message.public_id == public_id, Message.participant_id == participant_id)
        )
    )
    return [one for one in assessments.of_participant(session, participant_id) if one.id in ids]


@dataclass(frozen=True, slots=True)
class Phone:
    """What is known of one device, for its own page. `subscribed` is the hash of its living
    subscription; `key_id` the key that was made with; `since` when it was made."""

    subscribed: str | None
    key_id: str | None
    since: datetime | None
    permission: str | None
    installed: bool | None
    lost: bool
    accepted_at: datetime | None
    opened_at: datetime | None


def phone(session: Session, participant_id: int, device_id: int) -> Phone:
    """What is known of this device."""
    device = session.get_one(Device, device_id)
    row = session.scalar(
        sa.select(Subscription)
        .where(
            Subscription.device_id == device_id,
            Subscription.participant_id == participant_id,
            Subscription.state != "off",
        )
        .order_by(Subscription.seen_at.desc())
        .limit(1)
    )
    opened_at = session.scalar(
        sa.select(sa.func.max(Message.opened_at)).where(Message.participant_id == participant_id)
    )
    living = row is not None and row.state == "active"
    return Phone(
        row.endpoint_hash if row is not None and living else None,
        row.vapid_key if row is not None and living else None,
        row.created_at if row is not None and living else None,
        device.permission,
        device.installed,
        row is not None and row.state == "gone",
        None if row is None else row.accepted_at,
        opened_at,
    )
