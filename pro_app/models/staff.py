"""Staff: named accounts, what they may do where and since when, and how they sign in."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pro_app.models.assessment import one_of
from pro_app.models.database import Base
from pro_app.models.key_pair import KeyPair
from pro_app.models.study import Site

ROLES = ("administrator", "coordinator", "investigator", "researcher")


class Streak:
    """Wrong tries in a row at one address, and until when the next one has to wait."""

    failures: Mapped[int] = mapped_column(default=0)
    wait_until: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]  # the last one


class Staff(Streak, Base):
    """A person with an account of their own. Nobody is ever removed: `disabled_at` ends it.

    `email` is the sign-in name, in lower case. `trained_on` is the day of the training that comes
    before access. The second factor is the TOTP secret.
    """

    __tablename__ = "staff"
    __table_args__ = (sa.CheckConstraint("failures >= 0", name="failures"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    language: Mapped[str] = mapped_column(sa.String(10))
    trained_on: Mapped[date | None]
    password_hash: Mapped[str | None] = mapped_column(sa.String(200))
    totp_secret: Mapped[bytes | None]  # encrypted
    totp_step: Mapped[int | None] = mapped_column(sa.BigInteger)  # the last one used: never again
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]

    roles: Mapped[list[StaffRole]] = relationship(
        back_populates="staff", foreign_keys="StaffRole.staff_id", order_by="StaffRole.id"
    )


class StaffRole(Base):
    """What a person may do in a study, at one site or (`site_id` None) at all, from when until
    when. It is ended, never changed."""

    __tablename__ = "staff_role"
    __table_args__ = (sa.CheckConstraint(one_of("role", ROLES), name="role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"), index=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"), index=True)
    site_id: Mapped[int | None] = mapped_column(sa.ForeignKey("site.id"))
    role: Mapped[str] = mapped_column(sa.String(20))
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]

    staff: Mapped[Staff] = relationship(back_populates="roles", foreign_keys=[staff_id])
    site: Mapped[Site | None] = relationship()


class StaffInvitation(Base):
    """A single-use address that lets a person choose a password and a second factor: at first
    (`invitation`), or when both are lost (`renewal`). Only its hash is kept; a newer one replaces
    it. `invited_by` is the administrator who was told its code; None is the operator."""

    __tablename__ = "staff_invitation"
    __table_args__ = (sa.CheckConstraint(one_of("kind", ("invitation", "renewal")), name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    invited_by: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    replaced_at: Mapped[datetime | None]


class StaffSession(Base):
    """The time between signing in and out; ends by idleness, age, the person's wish or an
    administrator's. `verified_at` is when the person last proved to be there."""

    __tablename__ = "staff_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"), index=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    verified_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class StaffRecoveryCode(Base):
    """One of ten codes that stand in for the second factor, once each; only its hash is kept."""

    __tablename__ = "staff_recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"), index=True)
    code_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    replaced_at: Mapped[datetime | None]


class StaffPasskey(KeyPair, Base):
    """A key pair that signs a person of the staff in, instead of password and code.

    `name` is the person's own for it: `laptop at the ward`.
    """

    __tablename__ = "staff_passkey"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(60))


class StaffStranger(Streak, Base):
    """Wrong tries at an address that opens no account: told to wait as if it were one.

    `mark` stands for the address, which nobody can read from it. Rows are removed a day after the
    last try.
    """

    __tablename__ = "staff_stranger"
    __table_args__ = (
        sa.CheckConstraint("failures >= 0", name="failures"),
        # read by services.staff_sign_in: the tries that no longer matter
        sa.Index(None, "failed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    mark: Mapped[str] = mapped_column(sa.String(22), unique=True)
