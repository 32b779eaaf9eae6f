"""Consents: taken in the clinic, on record here by version and day alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from pro_app.core.schedule import YEARS
from pro_app.core.study import NATIONAL_IDENTITY
from pro_app.models import Participant
from pro_app.services import audit
from pro_app.services.studies import CurrentStudy

LONGEST = 40  # characters of a version


class ConsentError(Exception):
    """A consent that cannot be; the message says why."""


@dataclass(frozen=True, slots=True)
class Consent:
    """The reference of a consent that was taken in the clinic: which version, on which day."""

    version: str
    on: date

    def fault(self, today: date) -> str | None:
        """What is wrong with it; None if nothing is."""
        if not 0 < len(self.version) <= LONGEST or self.version != self.version.strip():
            return f"the version of the consent needs 1 to {LONGEST} characters"
        if NATIONAL_IDENTITY.search(self.version):
            return "the version of the consent has the shape of a national identity number"
        if self.on.year not in YEARS:
            return f"{self.on} is not a day of a study"
        return "the day of the consent lies in the future" if self.on > today else None

    def told(self) -> str:
        """As the trail has it."""
        return f"{self.version} of {self.on.isoformat()}"


def consent_of(participant: Participant) -> Consent | None:
    """The newest consent that is on record."""
    if participant.consent_version is None or participant.consent_on is None:
        return None
    return Consent(participant.consent_version, participant.consent_on)


def record(
    session: Session,
    study: CurrentStudy,
    participant_id: int,
    consent: Consent,
    now: datetime,
    actor: str = "site",
) -> None:
    """Take note of a consent: the first, or a newer version's. Raises ConsentError."""
    fault = consent.fault(now.astimezone(study.definition.zone).date())
    if fault is not None:
        raise ConsentError(fault)
    participant = audit.lock_participant(session, participant_id)
    before = consent_of(participant)
    if before == consent:
        return
    participant.consent_version, participant.consent_on = consent.version, consent.on
    session.flush()
    old = None if before is None else before.told()
    entry = audit.Entry(actor, "record_consent", "participant", "consent", old, consent.told())
    audit.record(session, audit.participant_stream(participant_id), now, [entry])
