"""The tables, one module a noun."""

from pro_app.models.alert import AlertLetter, AnswerAlert
from pro_app.models.api_token import ApiToken
from pro_app.models.assessment import (
    MISSED_CODES,
    MODES,
    Answer,
    Assessment,
    MissedReason,
    ScaleResult,
    Score,
    SealedCodes,
    Submission,
    SubmitOperation,
)
from pro_app.models.audit import AuditCheckpoint, AuditEntry, AuditHead
from pro_app.models.backup import Backup
from pro_app.models.call import CALL_OUTCOMES, CHANNELS, Call
from pro_app.models.correction import CorrectedScore, Correction, CorrectionDecision
from pro_app.models.database import Base, Database, Instant, Transaction
from pro_app.models.export_job import EXPORT_STATES, ExportJob
from pro_app.models.key_pair import KeyPair
from pro_app.models.participant import (
    AnchorDate,
    Attempt,
    CodeRequest,
    Contact,
    Device,
    DeviceSession,
    JoiningCode,
    Loss,
    Participant,
    Passkey,
)
from pro_app.models.reminder import (
    Alarm,
    Delivery,
    Message,
    PushHost,
    Reminder,
    Subscription,
)
from pro_app.models.sign_off import SignOff
from pro_app.models.staff import (
    ROLES,
    Staff,
    StaffInvitation,
    StaffPasskey,
    StaffRecoveryCode,
    StaffRole,
    StaffSession,
    StaffStranger,
    Streak,
)
from pro_app.models.study import Site, Study, StudyVersion
from pro_app.models.tablet import TabletSession
from pro_app.models.transcription import TRANSCRIBED_MODES, Transcription
from pro_app.models.wording import Confirmation, Recording, StoredLicence, StoredWording

__all__ = [
    "CALL_OUTCOMES",
    "CHANNELS",
    "EXPORT_STATES",
    "MISSED_CODES",
    "MODES",
    "ROLES",
    "TRANSCRIBED_MODES",
    "Alarm",
    "AlertLetter",
    "AnchorDate",
    "Answer",
    "AnswerAlert",
    "ApiToken",
    "Assessment",
    "Attempt",
    "AuditCheckpoint",
    "AuditEntry",
    "AuditHead",
    "Backup",
    "Base",
    "Call",
    "CodeRequest",
    "Confirmation",
    "Contact",
    "CorrectedScore",
    "Correction",
    "CorrectionDecision",
    "Database",
    "Delivery",
    "Device",
    "DeviceSession",
    "ExportJob",
    "Instant",
    "JoiningCode",
    "KeyPair",
    "Loss",
    "Message",
    "MissedReason",
    "Participant",
    "Passkey",
    "PushHost",
    "Recording",
    "Reminder",
    "ScaleResult",
    "Score",
    "SealedCodes",
    "SignOff",
    "Site",
    "Staff",
    "StaffInvitation",
    "StaffPasskey",
    "StaffRecoveryCode",
    "StaffRole",
    "StaffSession",
    "StaffStranger",
    "StoredLicence",
    "StoredWording",
    "Streak",
    "Study",
    "StudyVersion",
    "Submission",
    "SubmitOperation",
    "Subscription",
    "TabletSession",
    "Transaction",
    "Transcription",
]
