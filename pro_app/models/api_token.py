"""Tokens by which researchers' programs read a study."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pro_app.models.database import Base


class ApiToken(Base):
    """What lets a program of a person of staff read tables of a study, until when.

    Only the token's hash is kept. `scopes` are those of `services.api_tokens.SCOPES`; `sites` the
    codes of the sites that it reads, None for every site. With `days_only` moments and days are
    told as study days alone. What its maker may not see any more it does not open either: that is
    looked up at each use and not kept here.
    """

    __tablename__ = "api_token"
    __table_args__ = (sa.CheckConstraint("expires_at > created_at", name="life"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"), index=True)
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"), index=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(sa.JSON)
    sites: Mapped[list[str] | None] = mapped_column(sa.JSON(none_as_null=True))
    days_only: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
