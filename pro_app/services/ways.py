"""The ways on which messages reach people just now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pro_app.core.reminders import Channel
from pro_app.delivery.outcomes import LONGEST_WAIT
from pro_app.models import Contact, Device, PushHost, Subscription
from pro_app.services.post_office import Address, PostOffice


@dataclass(frozen=True, slots=True)
class Ways:
    """By participant, the living subscriptions and the encrypted e-mail addresses; by push
    service, until when it is left alone."""

    addresses: Mapping[int, Sequence[Address]]
    emails: Mapping[int, bytes]
    pauses: Mapping[str, datetime]
    mail: bool

    def fault(self, participant_id: int, channel: Channel) -> str | None:
        """Why nothing can go this way; None if it can."""
        if channel is Channel.PUSH:
            return None if participant_id in self.addresses else "no_subscription"
        if not self.mail:
            return "no_mail_server"
        return None if participant_id in self.emails else "no_address"

    def free(self, participant_id: int) -> tuple[Address, ...]:
        """A person's subscriptions whose service is not left alone."""
        found = self.addresses[participant_id]
        return tuple(one for one in found if one.host not in self.pauses)

    def pause(self, participant_id: int) -> datetime:
        """When the first of a person's push services may be used again."""
        return min(self.pauses[one.host] for one in self.addresses[participant_id])


def find_ways(
    office: PostOffice,
    session: sa.Connection,
    by_push: Collection[int],
    by_email: Collection[int],
    now: datetime,
) -> Ways:
    """The ways to these people."""
    return Ways(
        _addresses(session, by_push),
        _emails(session, by_email),
        _pauses(session, now) if by_push else {},
        office.post.mail is not None,
    )


def _addresses(session: sa.Connection, people: Collection[int]) -> dict[int, list[Address]]:
    """The living subscriptions, on devices that were not revoked."""
    found: dict[int, list[Address]] = {}
    if people:
        rows = session.execute(
            sa.select(
                Subscription.participant_id,
                Subscription.id,
                Subscription.host,
                Subscription.secret,
            )
            .join(Device, Device.id == Subscription.device_id)
            .where(
                Subscription.participant_id.in_(people),
                Subscription.state == "active",
                Device.revoked_at.is_(None),
            )
        )
        for participant_id, subscription_id, host, secret in rows:
            address = Address(subscription_id, host, secret)
            found.setdefault(participant_id, []).append(address)
    return found


def _emails(session: sa.Connection, people: Collection[int]) -> dict[int, bytes]:
    """The addresses whose e-mails did not bounce."""
    if not people:
        return {}
    rows = session.execute(
        sa.select(Contact.participant_id, Contact.email).where(
            Contact.participant_id.in_(people), Contact.bounced_at.is_(None)
        )
    )
    return {row.participant_id: row.email for row in rows}


def _pauses(session: sa.Connection, now: datetime) -> dict[str, datetime]:
    """The push services that are left alone. No pause is as long as one that a clock set forward
    has left behind."""
    rows = session.execute(
        sa.select(PushHost.host, PushHost.blocked_until).where(
            PushHost.blocked_until > now, PushHost.blocked_until <= now + LONGEST_WAIT
        )
    )
    return {host: until for host, until in rows if until is not None}
