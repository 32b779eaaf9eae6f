"""Studies, their protocol versions, and the sites that enrol."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pro_app.models.database import Base


class Study(Base):
    """A protocol. What it says stands in its versions; the newest one is in force."""

    __tablename__ = "study"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(40), unique=True)
    created_at: Mapped[datetime]

    versions: Mapped[list[StudyVersion]] = relationship(
        back_populates="study", order_by="StudyVersion.number"
    )
    sites: Mapped[list[Site]] = relationship(back_populates="study", order_by="Site.code")


class StudyVersion(Base):
    """A study file as it was loaded: never changed, followed by the next one."""

    __tablename__ = "study_version"
    __table_args__ = (sa.UniqueConstraint("study_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    number: Mapped[int]
    definition: Mapped[dict[str, Any]]
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    loaded_at: Mapped[datetime]

    study: Mapped[Study] = relationship(back_populates="versions")


class Site(Base):
    """A place that enrols participants of a study."""

    __tablename__ = "site"
    __table_args__ = (sa.UniqueConstraint("study_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(sa.ForeignKey("study.id"))
    code: Mapped[str] = mapped_column(sa.String(20))
    name: Mapped[str] = mapped_column(sa.String(200))

    study: Mapped[Study] = relationship(back_populates="sites")
