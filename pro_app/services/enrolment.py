"""Enrolling participants, the codes that let them join, and how participation ends.

A code made by the site binds a browser once (`joining`); a PIN opens it afterwards (`sessions`).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.schedule import ENROLMENT, LocalDay
from pro_app.core.study import NATIONAL_IDENTITY, StudyDefinition
from pro_app.models import (
    AnchorDate,
    Attempt,
    CodeRequest,
    Device,
    JoiningCode,
    Participant,
    Reminder,
    Site,
    StudyVersion,
)
from pro_app.services import audit, passkeys, reach, reminders, schedule, secrets
from pro_app.services.by_staff import free_text
from pro_app.services.consents import Consent, consent_of
from pro_app.services.studies import CurrentStudy

SCOPES = ("study", "questionnaires")  # what one withdraws from
LONGEST_NUMBER = 40  # characters
CODE_LIFE = timedelta(hours=72)  # a printed card is used within days, or made anew
RECOVERY_LIFE = timedelta(days=396)  # thirteen months: a card in a drawer outlives a yearly visit
RETRY = timedelta(minutes=15)  # a code whose answer never reached the phone works again so long
TRIES = 100  # failed codes from one network address within TRY_PERIOD
TRY_PERIOD = timedelta(hours=1)
NOTICE_LIFE = timedelta(days=365)  # then the privacy notice is shown again


class EnrolmentError(Exception):
    """Something the site asked for that cannot be done; the message says why."""


def add_participant(
    session: Session,
    study: CurrentStudy,
    site_code: str,
    number: str,
    language: str,
    now: datetime,
    enrolled_on: date | None = None,
    consent: Consent | None = None,
    actor: str = "site",
    is_test: bool = False,
) -> Participant:
    """Enrol a participant, on an earlier day if entered afterwards, and place the assessments.

    `is_test`: no person of the study, but somebody who tries it, see `studies.counted`; in a study
    that is not live everybody is. It is never changed: who was enrolled as a test by mistake is
    enrolled anew. A live study enrols nobody else without a consent; where there is none the trail
    says so. Raises EnrolmentError naming what is wrong.
    """
    definition = study.definition
    fault = number_fault(definition, site_code, number) or language_fault(definition, language)
    if fault is not None:
        raise EnrolmentError(fault)
    is_test = is_test or not study.is_live
    if consent is None and not is_test:
        raise EnrolmentError("a live study needs the version and the day of the consent")
    site = session.scalar(sa.select(Site).where(Site.study_id == study.id, Site.code == site_code))
    if site is None:
        raise EnrolmentError(f"the study has no site {site_code!r}")
    today = now.astimezone(definition.zone).date()
    day = enrolled_on or today
    if day > today:
        raise EnrolmentError("the day of enrolment lies in the future")
    fault = None if consent is None else consent.fault(today)
    if fault is not None:
        raise EnrolmentError(fault)
    taken = sa.select(Participant.id).where(
        Participant.study_id == study.id, Participant.number == number
    )
    if session.scalar(taken) is not None:
        raise EnrolmentError(f"the study number {number} is taken")
    participant = Participant(
        study_id=study.id, site_id=site.id, number=number, language=language, created_at=now,
        is_test=is_test,
    )  # fmt: skip
    if consent is not None:
        participant.consent_version, participant.consent_on = consent.version, consent.on
    session.add(participant)
    session.flush()
    session.add(AnchorDate(participant_id=participant.id, anchor=ENROLMENT, day=day))
    session.flush()
    entry = enrolled_entry(number, language, day, consent, actor, is_test)
    audit.record(session, audit.participant_stream(participant.id), now, [entry])
    schedule.enter(session, study, [participant.id], now)
    reminders.plan_for(session, study, [participant.id], now)
    return participant


def number_fault(definition: StudyDefinition, site_code: str, number: str) -> str | None:
    """What is wrong with a study number at a site; None if nothing is."""
    if NATIONAL_IDENTITY.search(number):
        return "the study number has the shape of a national identity number"
    if len(number) > LONGEST_NUMBER:
        return f"the study number has more than {LONGEST_NUMBER} characters"
    pattern = definition.number_pattern_of(site_code)
    if not pattern.fullmatch(number):
        return f"the study number {number!r} does not fit the pattern {pattern.pattern}"
    return None


def language_fault(definition: StudyDefinition, language: str) -> str | None:
    """What is wrong with a participant's language; None if the study has it."""
    if language in definition.languages:
        return None
    return f"the study has no language {language!r}; it has {', '.join(definition.languages)}"


def enrolled_entry(
    number: str, language: str, day: date, consent: Consent | None, actor: str, is_test: bool
) -> audit.Entry:
    """What the trail tells of an enrolment."""
    told = "not recorded" if consent is None else consent.told()
    detail = {
        "number": number, "language": language, ENROLMENT: day.isoformat(), "consent": told,
        "test": is_test,
    }  # fmt: skip
    return audit.Entry(actor, "enrol", "participant", detail=detail)


def issue_code(
    session: Session,
    participant_id: int,
    key: str,
    now: datetime,
    phone_lost: bool = False,
    *,
    kind: str = "joining",
    maker_id: int | None = None,
    life: timedelta | None = None,
    actor: str = "site",
    made: secrets.Code | None = None,
) -> str:
    """A new code; every older one of its kind is dead, and with `phone_lost` every phone and
    passkey.

    The site makes it (`actor`), or the participant on the device `maker_id`. A `recovery` code is
    longer and lives for long; `life` is for one that lives otherwise; `made` is a code made
    before. Raises EnrolmentError, before anything is written, for who takes no part any more, and
    in a live study for who has no consent on record and is no test.
    """
    participant = audit.lock_participant(session, participant_id)
    if participant.died_at is not None:
        raise EnrolmentError(f"{participant.number} has died")
    if participant.withdrawn_at is not None:
        raise EnrolmentError(f"{participant.number} has withdrawn; readmit first")
    consented = participant.is_test or consent_of(participant) is not None
    if not consented and _is_live(session, participant.study_id):
        raise EnrolmentError(f"{participant.number} has no consent on record")
    recovery = kind == "recovery"
    _replace_codes(session, participant_id, now, kind)
    if phone_lost:
        revoke_devices(session, Device.participant_id == participant_id, now, actor)
        passkeys.revoke(session, participant_id, now, actor)
    session.execute(
        sa.update(CodeRequest)
        .where(CodeRequest.participant_id == participant_id, CodeRequest.handled_at.is_(None))
        .values(handled_at=now)
    )
    length = secrets.RECOVERY_LENGTH if recovery else secrets.CODE_LENGTH
    code = made or secrets.hashed_code(key, length)
    session.add(
        JoiningCode(
            participant_id=participant_id,
            kind=kind,
            code_hash=code.hashed,
            created_at=now,
            expires_at=now + (life or (RECOVERY_LIFE if recovery else CODE_LIFE)),
            maker_id=maker_id,
        )
    )
    session.flush()
    if maker_id is not None:
        actor = f"participant/device {maker_id}"
    detail = {"kind": kind} if recovery else {}
    entry = audit.Entry(actor, "issue_code", "participant", detail=detail)
    audit.record(session, audit.participant_stream(participant_id), now, [entry])
    return code.text


def _is_live(session: Session, study_id: int) -> bool:
    newest = sa.select(StudyVersion.definition).where(StudyVersion.study_id == study_id)
    definition = session.scalar(newest.order_by(StudyVersion.number.desc()).limit(1))
    return definition is not None and definition["status"] == "live"


def _replace_codes(
    session: Session, participant_id: int, now: datetime, kind: str | None = None
) -> None:
    """Let no code that was made so far open anything; of all kinds, or one."""
    session.execute(
        sa.update(JoiningCode)
        .where(
            JoiningCode.participant_id == participant_id,
            sa.or_(JoiningCode.used_at.is_(None), JoiningCode.used_at > now - RETRY),
            JoiningCode.replaced_at.is_(None),
            *(() if kind is None else (JoiningCode.kind == kind,)),
        )
        .values(replaced_at=now)
    )


def revoke_devices(
    session: Session, which: sa.ColumnElement[bool], now: datetime, actor: str
) -> None:
    """Revoke devices, each on the record of the participant it belonged to."""
    for device in session.scalars(
        sa.select(Device).where(which, Device.revoked_at.is_(None))
    ).all():
        audit.lock_participant(session, device.participant_id)
        device.revoked_at = now
        session.flush()
        reach.forget_device(session, device.id)
        entry = audit.Entry(actor, "revoke_device", f"device/{device.id}")
        audit.record(session, audit.participant_stream(device.participant_id), now, [entry])


def withdraw(
    session: Session,
    participant_id: int,
    now: datetime,
    actor: str = "site",
    *,
    scope: str = "study",
    reason: str = "",
    on: LocalDay | None = None,
) -> None:
    """End participation: devices, sessions and codes are dead at once; the data stay.

    Of scope `questionnaires` nothing is sent or expected any more, but the person stays in the
    study and may still withdraw from that. `on` is the day of withdrawal, if that was
    earlier than today. Raises EnrolmentError.
    """
    if scope not in SCOPES:
        raise EnrolmentError(f"one withdraws from {' or '.join(SCOPES)}, not from {scope!r}")
    told = free_text(reason, EnrolmentError)
    participant = audit.lock_participant(session, participant_id)
    before = participant.withdrew_from
    if participant.withdrawn_at is not None and (before, scope) != ("questionnaires", "study"):
        return
    moment = _moment(session, participant_id, on, now)
    participant.withdrawn_at = participant.withdrawn_at or moment  # nothing was expected since
    participant.withdrew_from = scope
    participant.withdrawal_reason = told or None
    detail = {"from": scope, "since": moment.isoformat()} | ({"reason": told} if told else {})
    entry = audit.Entry(actor, "withdraw", "participant", "withdrew_from", before, scope, detail)
    _end(session, participant_id, "withdrawn", entry, now)


def record_death(
    session: Session,
    participant_id: int,
    now: datetime,
    actor: str = "site",
    *,
    on: LocalDay | None = None,
) -> None:
    """A participant has died: nothing is sent or expected any more, phones and codes are dead.

    `on` is the day of death, if that was earlier than today. Raises EnrolmentError.
    """
    participant = audit.lock_participant(session, participant_id)
    if participant.died_at is None:
        participant.died_at = _moment(session, participant_id, on, now)
        detail = {"since": participant.died_at.isoformat()}
        entry = audit.Entry(actor, "record_death", "participant", detail=detail)
        _end(session, participant_id, "died", entry, now)


def _moment(session: Session, participant_id: int, on: LocalDay | None, now: datetime) -> datetime:
    """From when on participation has ended: the first moment of an earlier day, else now.

    Raises EnrolmentError for a day in the future or before enrolment.
    """
    if on is None or on.day == now.astimezone(on.zone).date():
        return now
    if on.begins_at > now:
        raise EnrolmentError("the day lies in the future")
    enrolled_on = session.scalar(
        sa.select(AnchorDate.day).where(
            AnchorDate.participant_id == participant_id, AnchorDate.anchor == ENROLMENT
        )
    )
    if enrolled_on is not None and on.day < enrolled_on:
        raise EnrolmentError(f"the day lies before enrolment on {enrolled_on}")
    return on.begins_at


def _end(
    session: Session, participant_id: int, reason: str, entry: audit.Entry, now: datetime
) -> None:
    """Let in and reach nobody of this participant any more, and put it on record."""
    _replace_codes(session, participant_id, now)
    session.execute(
        sa.update(Device)
        .where(Device.participant_id == participant_id, Device.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    session.flush()
    passkeys.revoke(session, participant_id, now, entry.actor)
    reminders.cancel(session, Reminder.participant_id == participant_id, reason)
    reach.forget(session, participant_id)
    audit.record(session, audit.participant_stream(participant_id), now, [entry])


def readmit(session: Session, participant_id: int, now: datetime, actor: str = "site") -> None:
    """Take a withdrawn participant in again, or undo a death that was recorded for the wrong
    person; a new code is needed. Who had withdrawn from the study needs a new consent on record,
    too."""
    participant = audit.lock_participant(session, participant_id)
    if participant.withdrawn_at is None and participant.died_at is None:
        raise EnrolmentError(f"{participant.number} has not withdrawn")
    undone = "readmit" if participant.died_at is None else "undo_death"
    if participant.withdrew_from == "study":
        participant.consent_version = participant.consent_on = None
    participant.withdrawn_at = participant.died_at = None
    participant.withdrew_from = participant.withdrawal_reason = None
    participant.scheduled_version = None  # the planner follows the study again
    session.flush()
    entry = audit.Entry(actor, undone, "participant")
    audit.record(session, audit.participant_stream(participant_id), now, [entry])


def too_many_tries(session: Session, kind: str, source: str, now: datetime) -> bool:
    """Whether this source has failed too often lately."""
    count = session.scalar(
        sa.select(sa.func.count())
        .select_from(Attempt)
        .where(Attempt.kind == kind, Attempt.source == source, Attempt.at > now - TRY_PERIOD)
    )
    return (count or 0) >= TRIES


def note_try(session: Session, kind: str, source: str, now: datetime) -> None:
    """Count a failed try, and forget those that no longer matter."""
    session.execute(sa.delete(Attempt).where(Attempt.at <= now - TRY_PERIOD))
    session.add(Attempt(kind=kind, source=source, at=now))


def find_code(session: Session, hashed: str, now: datetime) -> JoiningCode | None:
    """The living code of this hash (`secrets.code_hash`, which takes its time for each alike);
    None for an unknown, used, expired or replaced one."""
    found = session.scalar(sa.select(JoiningCode).where(JoiningCode.code_hash == hashed))
    return found if found is not None and opens(session, found, now) else None


def opens(session: Session, code: JoiningCode, now: datetime) -> bool:
    """Whether a code lets a browser in now.

    Once, and again for a while as long as the device that it joined has no PIN: the answer that
    should have told the browser of it may have been lost on the way.
    """
    if code.replaced_at is not None:
        return False
    if code.used_at is None:
        return now < code.expires_at
    if code.device_id is None or now >= code.used_at + RETRY:
        return False
    return is_unused(session.get_one(Device, code.device_id))


def is_unused(device: Device) -> bool:
    """Whether nobody has ever opened this device, and it may be taken back."""
    return device.pin_hash is None and device.revoked_at is None


def request_code(session: Session, study_id: int | None, number: str, now: datetime) -> None:
    """Note for the site that a participant asks for a new code; says nothing to the asker.

    Where the study is not known, whoever has this number in any study is noted.
    """
    found = sa.select(Participant.id).where(
        Participant.number == number, Participant.withdrawn_at.is_(None)
    )
    if study_id is not None:
        found = found.where(Participant.study_id == study_id)
    for participant_id in session.scalars(found.order_by(Participant.id)).all():
        _note_request(session, participant_id, now)


def _note_request(session: Session, participant_id: int, now: datetime) -> None:
    audit.lock_participant(session, participant_id)
    waiting = sa.select(CodeRequest.id).where(
        CodeRequest.participant_id == participant_id, CodeRequest.handled_at.is_(None)
    )
    if session.scalar(waiting) is None:
        session.add(CodeRequest(participant_id=participant_id, requested_at=now))
        entry = audit.Entry("participant", "request_code", "participant")
        audit.record(session, audit.participant_stream(participant_id), now, [entry])


def accept_notice(
    session: Session,
    participant: Participant,
    version: str,
    language: str,
    actor: str,
    now: datetime,
) -> None:
    """Record that the participant has read and accepted the privacy notice."""
    entry = audit.Entry(
        actor,
        "accept_notice",
        "participant",
        "notice_version",
        participant.notice_version,
        version,
        {"language": language},
    )
    participant.notice_version = version
    participant.notice_language = language
    participant.notice_at = now
    session.flush()
    audit.record(session, audit.participant_stream(participant.id), now, [entry])


def change(
    session: Session, participant: Participant, field: str, value: str, actor: str, now: datetime
) -> None:
    """Set `language` or `text_size` of a participant whose stream is held, on the record."""
    old = str(getattr(participant, field))
    if old == value:
        return
    setattr(participant, field, int(value) if field == "text_size" else value)
    session.flush()
    entry = audit.Entry(actor, "change_setting", "participant", field, old, value)
    audit.record(session, audit.participant_stream(participant.id), now, [entry])
