"""The site's tablet in a participant's hands."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pro_app.models.assessment import one_of
from pro_app.models.database import Base

CONFIRMED_BY = ("pin", "number")
ENDED_HOW = ("submitted", "stopped", "idle", "refused", "staff", "replaced")


class TabletSession(Base):
    """The time for which one participant has the site's tablet. It is no device: nothing of it
    counts as the person's phone.

    `confirmed_by` says how the person showed who they are: by the PIN of their phone, or by the
    end of the study number. `ended_how`: everything was `submitted`; the person has `stopped`;
    nobody did anything (`idle`); too many wrong tries (`refused`); `staff` have signed in there;
    or another one was begun (`replaced`).
    """

    __tablename__ = "tablet_session"
    __table_args__ = (
        sa.CheckConstraint("failures >= 0", name="failures"),
        sa.CheckConstraint(
            f"confirmed_by IS NULL OR {one_of('confirmed_by', CONFIRMED_BY)}", name="confirmed_by"
        ),
        sa.CheckConstraint("(confirmed_at IS NULL) = (confirmed_by IS NULL)", name="confirmed"),
        sa.CheckConstraint(
            f"ended_how IS NULL OR {one_of('ended_how', ENDED_HOW)}", name="ended_how"
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name="ended"),
        # read by services.tablet: who has lain idle
        sa.Index(
            "ix_tablet_session_living",
            "seen_at",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"), index=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"))  # who handed it over
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0, server_default="0")  # wrong PINs or numbers
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[str | None] = mapped_column(sa.String(20))
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[str | None] = mapped_column(sa.String(20))
