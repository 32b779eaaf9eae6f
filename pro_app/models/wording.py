"""Wordings that a site loaded, and under which licence which of them is read where and when.

None of these rows ever changes: a corrected text is a new wording, a renewal a new licence.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pro_app.models.database import Base


class StoredWording(Base):
    """The text of an instrument in one language, as it was licensed and checked.

    `texts` is by place (see `core.wording.places`). `instrument_fingerprint` is the definition
    that it was checked against, `file_hash` the SHA-256, in hex, of the file it came in.
    """

    __tablename__ = "wording"
    __table_args__ = (sa.UniqueConstraint("instrument", "language", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    instrument: Mapped[str] = mapped_column(sa.String(40))
    language: Mapped[str] = mapped_column(sa.String(10))
    version: Mapped[str] = mapped_column(sa.String(40))
    fingerprint: Mapped[str] = mapped_column(sa.String(64), unique=True)
    instrument_fingerprint: Mapped[str] = mapped_column(sa.String(64))
    texts: Mapped[dict[str, Any]]
    file_hash: Mapped[str] = mapped_column(sa.String(64))
    stored_at: Mapped[datetime]
    stored_by: Mapped[str] = mapped_column(sa.String(60))


class StoredLicence(Base):
    """The permission to read a wording: whose, in which modes, where, and from when until when.

    Without a study it is for every study, without a site for every site. Without modes it ends
    what was permitted before. Where several begin, the latest beginning decides.
    """

    __tablename__ = "licence"
    __table_args__ = (
        sa.CheckConstraint("until >= from_on", name="days"),
        sa.CheckConstraint("site_id IS NULL OR study_id IS NOT NULL", name="site"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    wording_id: Mapped[int] = mapped_column(sa.ForeignKey("wording.id"), index=True)
    study_id: Mapped[int | None] = mapped_column(sa.ForeignKey("study.id"), index=True)
    site_id: Mapped[int | None] = mapped_column(sa.ForeignKey("site.id"), index=True)
    holder: Mapped[str] = mapped_column(sa.String(200))
    number: Mapped[str] = mapped_column(sa.String(80))
    modes: Mapped[list[str]] = mapped_column(sa.JSON)
    from_on: Mapped[date]
    until: Mapped[date]
    stored_at: Mapped[datetime]
    stored_by: Mapped[str] = mapped_column(sa.String(60))

    wording: Mapped[StoredWording] = relationship()


class Recording(Base):
    """An item of a wording (or "" for its instruction), read aloud by a person."""

    __tablename__ = "recording"
    __table_args__ = (sa.UniqueConstraint("wording_id", "item"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    wording_id: Mapped[int] = mapped_column(sa.ForeignKey("wording.id"))
    item: Mapped[str] = mapped_column(sa.String(8))
    media_type: Mapped[str] = mapped_column(sa.String(40))
    content: Mapped[bytes] = mapped_column(sa.LargeBinary, deferred=True)
    sha256: Mapped[str] = mapped_column(sa.String(64), index=True)
    stored_at: Mapped[datetime]
    stored_by: Mapped[str] = mapped_column(sa.String(60))


class Confirmation(Base):
    """That a translated text still says what its source says now that the source has changed."""

    __tablename__ = "confirmation"
    __table_args__ = (sa.UniqueConstraint("source_id", "wording_id", "place"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(sa.ForeignKey("wording.id"))
    wording_id: Mapped[int] = mapped_column(sa.ForeignKey("wording.id"), index=True)
    place: Mapped[str] = mapped_column(sa.String(60))
    confirmed_at: Mapped[datetime]
    confirmed_by: Mapped[str] = mapped_column(sa.String(60))
