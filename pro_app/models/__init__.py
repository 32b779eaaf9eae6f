"""The tables, one module a noun."""

from pro_app.models.assessment import MODES, Answer, Assessment, Score, Submission
from pro_app.models.audit import AuditEntry
from pro_app.models.database import Base, Database, Instant, Transaction
from pro_app.models.participant import (
    Attempt,
    CodeRequest,
    Device,
    DeviceSession,
    JoiningCode,
    Participant,
)
from pro_app.models.study import Site, Study, StudyVersion

__all__ = [
    "MODES",
    "Answer",
    "Assessment",
    "Attempt",
    "AuditEntry",
    "Base",
    "CodeRequest",
    "Database",
    "Device",
    "DeviceSession",
    "Instant",
    "JoiningCode",
    "Participant",
    "Score",
    "Site",
    "Study",
    "StudyVersion",
    "Submission",
    "Transaction",
]
