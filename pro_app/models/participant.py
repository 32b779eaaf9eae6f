"""Participants, the codes they join with, their devices and sessions. No name, no contact data."""

from __future__ import annotations

import secrets
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pro_app.models.database import Base
from pro_app.models.key_pair import KeyPair
from pro_app.models.study import Site, Study

UNUSED = "used_at IS NULL AND replaced_at IS NULL AND maker_id IS NULL"


def new_public_id() -> str:
    """A random name that says nothing."""
    return secrets.token_urlsafe(16)


class Participant(Base):
    """A person in a study, known by the study number alone."""

    __tablename__ = "participant"
    __table_args__ = (
        sa.UniqueConstraint("study_id", "number"),
        sa.CheckConstraint("text_size BETWEEN 0 AND 2", name="text_size"),
        sa.CheckConstraint("(notice_version IS NULL) = (notice_at IS NULL)", name="notice"),
        sa.CheckConstraint(
            "withdrew_from IS NULL OR withdrew_from IN ('questionnaires', 'study')",
            name="withdrew_from",
        ),
        sa.CheckConstraint(
            "pause_reason IS NULL OR pause_reason IN ('hospital', 'travel', 'other')",
            name="pause_reason",
        ),
        sa.CheckConstraint("(consent_version IS NULL) = (consent_on IS NULL)", name="consent"),
        # read by services.studies.counted: a live study's people, or those who try it, by number
        sa.Index("ix_participant_counted", "study_id", "is_test", "number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # the opaque name that a phone may know its owner by
    public_id: Mapped[str] = mapped_column(
        sa.String(22), index=True, unique=True, default=new_public_id
    )
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    site_id: Mapped[int] = mapped_column(sa.ForeignKey("site.id"), index=True)
    number: Mapped[str] = mapped_column(sa.String(40))
    language: Mapped[str] = mapped_column(sa.String(10))
    # no person of the study, but somebody who tries it; a trigger keeps it as it was at enrolment
    is_test: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    text_size: Mapped[int] = mapped_column(default=0)
    notice_version: Mapped[str | None] = mapped_column(sa.String(40))
    notice_language: Mapped[str | None] = mapped_column(sa.String(10))
    notice_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    # of the consent that was taken in the clinic: its version and day, never its text
    consent_version: Mapped[str | None] = mapped_column(sa.String(40))
    consent_on: Mapped[date | None]
    # from when on nothing is expected; entered later, it is the first moment of that day
    withdrawn_at: Mapped[datetime | None]
    # `questionnaires`: nothing is sent or expected, but the person stays in the `study`
    withdrew_from: Mapped[str | None] = mapped_column(sa.String(20))
    withdrawal_reason: Mapped[str | None] = mapped_column(sa.String(500))
    died_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]  # no reminders from then on; the windows stay
    paused_until: Mapped[datetime | None]  # the pause ends by itself then; None: by hand
    pause_reason: Mapped[str | None] = mapped_column(sa.String(20))
    reminder_minute: Mapped[int | None]  # chosen hour, minutes after local midnight
    # the study version that the assessments follow; read by services.schedule: who lags behind
    scheduled_version: Mapped[int | None] = mapped_column(index=True)
    calendar_id: Mapped[str | None] = mapped_column(sa.String(22), index=True, unique=True)

    study: Mapped[Study] = relationship()
    site: Mapped[Site] = relationship()


class AnchorDate(Base):
    """The day of one of a participant's anchors, as known now; the trail has what it was before."""

    __tablename__ = "anchor_date"
    __table_args__ = (sa.UniqueConstraint("participant_id", "anchor"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"))
    anchor: Mapped[str] = mapped_column(sa.String(40))
    day: Mapped[date]


class Contact(Base):
    """How to reach a participant by e-mail: apart from study data, unreadable without the key,
    and removable."""

    __tablename__ = "contact"

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"), unique=True)
    email: Mapped[bytes]  # encrypted
    bounced_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class JoiningCode(Base):
    """A single-use code; only its slow hash is kept. A newer one of its kind replaces it.

    `joining` opens a phone within days; `recovery` stands on a card that is kept for later.
    """

    __tablename__ = "joining_code"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('joining', 'recovery')", name="kind"),
        # read by services.board: the site's codes that nobody has used, the oldest first
        sa.Index(
            "ix_joining_code_unused",
            "created_at",
            sqlite_where=sa.text(UNUSED),
            postgresql_where=sa.text(UNUSED),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(20), default="joining", server_default="joining")
    code_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    replaced_at: Mapped[datetime | None]
    # the device that it joined, and the participant's own on which it was made; None: by the site
    device_id: Mapped[int | None] = mapped_column(sa.ForeignKey("device.id"))
    maker_id: Mapped[int | None] = mapped_column(sa.ForeignKey("device.id"))


class Device(Base):
    """One browser bound to one participant, with its own PIN and count of wrong ones."""

    __tablename__ = "device"
    __table_args__ = (
        sa.CheckConstraint("pin_failures >= 0", name="pin_failures"),
        sa.CheckConstraint("joined_by IN ('code', 'recovery', 'passkey')", name="joined_by"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"), index=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    pin_hash: Mapped[str | None] = mapped_column(sa.String(200))
    pin_failures: Mapped[int] = mapped_column(default=0)
    pin_wait_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    joined_by: Mapped[str] = mapped_column(sa.String(20), default="code", server_default="code")
    # not the person's own phone: nothing stays on it, and locking signs out
    shared: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    # what the browser said of itself: granted, denied, default, unsupported or install
    permission: Mapped[str | None] = mapped_column(sa.String(20))
    installed: Mapped[bool | None]
    # the journal of its browser: its name, how many entries wait there as last told, since when
    # some do, and whether the browser promised to keep them
    journal: Mapped[str | None] = mapped_column(sa.String(36))
    unsent: Mapped[int] = mapped_column(default=0, server_default="0")
    unsent_at: Mapped[datetime | None]
    persisted: Mapped[bool | None]


class Passkey(KeyPair, Base):
    """A key pair in a person's phone or its keychain, opened by fingerprint, face or screen lock;
    here is its public half.

    `device_id` is the device it was made on, `used_device_id` the one it last opened. It is
    taken away when either is signed out.
    """

    __tablename__ = "passkey"

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"), index=True)
    device_id: Mapped[int] = mapped_column(sa.ForeignKey("device.id"))
    used_device_id: Mapped[int] = mapped_column(sa.ForeignKey("device.id"))


class Loss(Base):
    """Answers that a phone says it made, that never arrived and can't any more.

    A browser's storage was removed, and its journal with it: `journal` is the name of the one
    that is gone (None if it was never heard of), `found_by` the one that took its place. `count`
    is how many entries are known to have waited in the old one, 0 included; `arrived` how many
    of them came after all, long on their way.
    """

    __tablename__ = "loss"
    __table_args__ = (
        sa.UniqueConstraint("device_id", "found_by"),  # noted once, however often it is told
        sa.CheckConstraint("count >= 0 AND arrived >= 0", name="count"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int] = mapped_column(sa.ForeignKey("device.id"))
    journal: Mapped[str | None] = mapped_column(sa.String(36))
    found_by: Mapped[str] = mapped_column(sa.String(36))
    count: Mapped[int]
    arrived: Mapped[int] = mapped_column(default=0)
    noticed_at: Mapped[datetime]
    told_at: Mapped[datetime | None]  # when the participant had seen it


class DeviceSession(Base):
    """The time between a right PIN and locking; ends by idleness, age or the person's wish."""

    __tablename__ = "device_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int] = mapped_column(sa.ForeignKey("device.id"), index=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class CodeRequest(Base):
    """A participant asked for a new joining code; open until a code is made."""

    __tablename__ = "code_request"
    __table_args__ = (
        # read by services.board: who asks for a code, the oldest first
        sa.Index(
            "ix_code_request_open",
            "requested_at",
            sqlite_where=sa.text("handled_at IS NULL"),
            postgresql_where=sa.text("handled_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"), index=True)
    requested_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]


class Attempt(Base):
    """A failed try at something guessable, counted per source to slow guessing down."""

    __tablename__ = "attempt"
    # read by services.enrolment: failures of one kind from one source since a moment
    __table_args__ = (sa.Index(None, "kind", "source", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    source: Mapped[str] = mapped_column(sa.String(64))
    at: Mapped[datetime]
