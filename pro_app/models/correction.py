"""Corrections of submitted answers: what was asked for, what was decided, and the scores after.

All three tables are append-only, and the submission itself never changes: what counts now follows
from the approved corrections in the order of their decisions.
"""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pro_app.core.corrections import KINDS, ORIGINATORS, OUTCOMES, REASONS, REQUESTED
from pro_app.models.assessment import ScaleResult, Submission, one_of
from pro_app.models.database import Base
from pro_app.models.staff import Staff


class Correction(Base):
    """A request to change one thing of a submission, from the value in force to another.

    `field` is the item of an `answer`; of an administrative kind it is `timepoint` or
    `participant`, and the values say where the submission belongs (see `core.corrections`).
    `originator` says whose wish it is; `requester_id` is the person of staff who wrote it down.
    `evidence` refers to the source record. `confirmation` states that, and how, the participant
    confirmed the new value, on `confirmed_on`.
    """

    __tablename__ = "correction"
    __table_args__ = (
        sa.CheckConstraint(one_of("kind", KINDS), name="kind"),
        sa.CheckConstraint(one_of("originator", ORIGINATORS), name="originator"),
        sa.CheckConstraint(one_of("reason_code", REASONS), name="reason_code"),
        sa.CheckConstraint("old <> new", name="new"),
        sa.CheckConstraint(
            "(kind = 'answer') = (confirmation IS NOT NULL AND confirmed_on IS NOT NULL)",
            name="confirmation",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(sa.String(22), unique=True)
    submission_id: Mapped[int] = mapped_column(sa.ForeignKey("submission.id"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    field: Mapped[str] = mapped_column(sa.String(20))
    old: Mapped[str] = mapped_column(sa.String(60))
    new: Mapped[str] = mapped_column(sa.String(60))
    originator: Mapped[str] = mapped_column(sa.String(20))
    requester_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"))
    reason_code: Mapped[str] = mapped_column(sa.String(20))
    reason: Mapped[str] = mapped_column(sa.Text)
    evidence: Mapped[str] = mapped_column(sa.Text)
    confirmation: Mapped[str | None] = mapped_column(sa.Text)
    confirmed_on: Mapped[date | None]
    requested_at: Mapped[datetime]

    submission: Mapped[Submission] = relationship()
    requester: Mapped[Staff] = relationship()
    decision: Mapped[CorrectionDecision | None] = relationship(back_populates="correction")

    @property
    def state(self) -> str:
        """`requested`, until a decision gives the outcome."""
        return REQUESTED if self.decision is None else self.decision.outcome


class CorrectionDecision(Base):
    """What became of a request, once and for all.

    An investigator approves or rejects and signs: `name` and `meaning` as they were shown,
    `decided_at`, and `signature`, the SHA-256 over all that was signed. Who asked may retract
    instead, which needs no signature.
    """

    __tablename__ = "correction_decision"
    __table_args__ = (
        sa.CheckConstraint(one_of("outcome", OUTCOMES), name="outcome"),
        sa.CheckConstraint(
            "(outcome = 'retracted') = (signature IS NULL) "
            "AND (signature IS NULL) = (meaning IS NULL)",
            name="signature",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    correction_id: Mapped[int] = mapped_column(sa.ForeignKey("correction.id"), unique=True)
    outcome: Mapped[str] = mapped_column(sa.String(20))
    staff_id: Mapped[int] = mapped_column(sa.ForeignKey("staff.id"))
    name: Mapped[str] = mapped_column(sa.String(120))
    meaning: Mapped[str | None] = mapped_column(sa.Text)
    comment: Mapped[str] = mapped_column(sa.Text)
    decided_at: Mapped[datetime]
    signature: Mapped[str | None] = mapped_column(sa.String(64))

    correction: Mapped[Correction] = relationship(back_populates="decision")


class CorrectedScore(ScaleResult, Base):
    """One scale of a submission's answers as they are after an approved correction."""

    __tablename__ = "corrected_score"
    __table_args__ = (
        sa.UniqueConstraint("correction_id", "algorithm", "scale"),
        sa.CheckConstraint("(value IS NULL) = (reason IS NOT NULL)", name="reason"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    correction_id: Mapped[int] = mapped_column(sa.ForeignKey("correction.id"))
