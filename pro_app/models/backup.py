"""Backups: what was made of the database, and found to be whole."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from pro_app.models.database import Base


class Backup(Base):
    """A file with everything that the database held at `made_at`. The row is written when the file
    has been read again and compared, at `verified_at`. Triggers refuse change and removal.

    `name` is the file's, without its folder; `size` is in bytes; `entries` counts the audit trail;
    `drill` tells whether it was also restored into an empty database and compared there.
    """

    __tablename__ = "backup"
    __table_args__ = (sa.CheckConstraint("size > 0 AND entries >= 0", name="counts"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    # read by services.backups: the newest one
    made_at: Mapped[datetime] = mapped_column(index=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    size: Mapped[int] = mapped_column(sa.BigInteger)
    entries: Mapped[int] = mapped_column(sa.BigInteger)
    verified_at: Mapped[datetime]
    drill: Mapped[bool]
