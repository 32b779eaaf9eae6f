"""What the site noted of a participant: calls, visits, and plain notes."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pro_app.models.assessment import one_of
from pro_app.models.database import Base

CHANNELS = ("telephone", "visit", "other", "note")
CALL_OUTCOMES = (
    "reached", "no_answer", "wrong_number", "message_left", "will_answer", "declined",
)  # fmt: skip


class Call(Base):
    """One try to speak with a participant, perhaps about an assessment, and what came of it.

    A `note` is no try and has no outcome, but a text. `staff_id` is the person who called; None:
    noted at the command line. Never changed, never removed.
    """

    __tablename__ = "call"
    __table_args__ = (
        sa.CheckConstraint(one_of("channel", CHANNELS), name="channel"),
        sa.CheckConstraint(
            f"outcome IS NULL OR {one_of('outcome', CALL_OUTCOMES)}", name="outcome"
        ),
        sa.CheckConstraint("(channel = 'note') = (outcome IS NULL)", name="note"),
        sa.CheckConstraint("channel <> 'note' OR text <> ''", name="text"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # read by services.calls: all of a participant, and the last one of each
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"), index=True)
    assessment_id: Mapped[int | None] = mapped_column(sa.ForeignKey("assessment.id"))
    at: Mapped[datetime]
    staff_id: Mapped[int | None] = mapped_column(sa.ForeignKey("staff.id"))
    channel: Mapped[str] = mapped_column(sa.String(20))
    outcome: Mapped[str | None] = mapped_column(sa.String(20))
    text: Mapped[str] = mapped_column(sa.String(2000))
