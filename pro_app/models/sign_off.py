"""Sign-offs: an investigator stands for one participant's data up to a milestone."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pro_app.models.database import Base


class SignOff(Base):
    """One signature over a participant's data up to `milestone`: a timepoint and its occurrence
    (`month_3/1`), or `end`. Append-only.

    `name` and `meaning` are as they were shown; `signature` is the SHA-256 over them, the moment
    and the data. Whether it still holds is worked out anew each time.
    """

    __tablename__ = "sign_off"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    participant_id: Mapped[int] = mapped_column(sa.ForeignKey("participant.id"), index=True)
    milestone: Mapped[str] = mapped_column(sa.String(60))
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"))
    name: Mapped[str] = mapped_column(sa.String(120))
    meaning: Mapped[str] = mapped_column(sa.Text)
    signed_at: Mapped[datetime]
    signature: Mapped[str] = mapped_column(sa.String(64))
