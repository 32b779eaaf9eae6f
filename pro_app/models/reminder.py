"""Reminders and the ways they go: the queue is this table, nothing else remembers what is due."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pro_app.models.assessment import one_of
from pro_app.models.database import Base

REMINDER_STATES = ("planned", "sent", "listed", "failed", "cancelled", "expired")
CHANNELS = ("push", "email", "coordinator")


class Reminder(Base):
    """One planned message: an assessment, a step of the protocol, a channel. It exists before
    anything is sent, and once only.

    `planned` waits for `due_at` (or, under a lease, is being sent); `sent` was accepted by a push
    or mail service, `listed` stands on the site's list of people to call, `failed` could not go
    this way at all. `reason` says why it was cancelled, moved, failed or expired.
    """

    __tablename__ = "reminder"
    __table_args__ = (
        sa.UniqueConstraint("assessment_id", "step", "channel"),
        sa.CheckConstraint(one_of("state", REMINDER_STATES), name="state"),
        sa.CheckConstraint(one_of("channel", CHANNELS), name="channel"),
        # read by services.sending: what is due now
        sa.Index(
            "ix_reminder_due",
            "due_at",
            sqlite_where=sa.text("state = 'planned'"),
            postgresql_where=sa.text("state = 'planned'"),
        ),
        # read by services.reachability: whom to call
        sa.Index(
            "ix_reminder_listed",
            "assessment_id",
            sqlite_where=sa.text("state = 'listed'"),
            postgresql_where=sa.text("state = 'listed'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(sa.ForeignKey("assessment.id"))
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"), index=True)
    step: Mapped[str] = mapped_column(sa.String(40))
    channel: Mapped[str] = mapped_column(sa.String(20))
    state: Mapped[str] = mapped_column(sa.String(20), default="planned")
    reason: Mapped[str | None] = mapped_column(sa.String(40))
    planned_for: Mapped[datetime]  # as the protocol has it; due_at moves, this does not
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    lease: Mapped[str | None] = mapped_column(sa.String(22))
    message_id: Mapped[int | None] = mapped_column(sa.ForeignKey("message.id"), index=True)
    sent_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Message(Base):
    """What goes to one person on one channel: one a day at most, for all that is open.

    The row is made before the first attempt. `public_id` is in the address that a tap opens; it
    lets nobody in. `day` is the study's local day; a test message has none.
    """

    __tablename__ = "message"
    __table_args__ = (
        sa.UniqueConstraint("participant_id", "channel", "day"),
        sa.CheckConstraint(one_of("channel", ("push", "email")), name="channel"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"))
    channel: Mapped[str] = mapped_column(sa.String(20))
    day: Mapped[date | None]
    created_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    shown_at: Mapped[datetime | None]
    opened_at: Mapped[datetime | None]


class Delivery(Base):
    """One attempt to hand a message to a push or mail service, and what it answered.

    `outcome` is `accepted`, `gone`, `retry` or `misconfigured`; accepted is not delivered.
    """

    __tablename__ = "delivery"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(sa.ForeignKey("message.id"), index=True)
    subscription_id: Mapped[int | None]  # of a subscription that may be removed since
    at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(sa.String(20))
    status: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(sa.String(40))


class Subscription(Base):
    """One browser's push endpoint and keys, encrypted: personal data, apart from study data."""

    __tablename__ = "subscription"
    __table_args__ = (sa.CheckConstraint(one_of("state", ("active", "gone", "off")), name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"), index=True)
    device_id: Mapped[int] = mapped_column(sa.ForeignKey("device.id"), index=True)
    endpoint_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    host: Mapped[str] = mapped_column(sa.String(260))
    secret: Mapped[bytes]  # endpoint and keys, encrypted
    vapid_key: Mapped[str] = mapped_column(sa.String(16))
    state: Mapped[str] = mapped_column(sa.String(20))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    gone_at: Mapped[datetime | None]


class PushHost(Base):
    """A push service that asked to be left alone, or keeps failing: nothing goes there until
    `blocked_until`."""

    __tablename__ = "push_host"

    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(sa.String(260), unique=True)
    failures: Mapped[int] = mapped_column(default=0)  # one after another
    blocked_until: Mapped[datetime | None]


class Alarm(Base):
    """Something only the operator can mend; open until it is cleared."""

    __tablename__ = "alarm"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(40))
    detail: Mapped[str] = mapped_column(sa.String(200))
    count: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    cleared_at: Mapped[datetime | None]
