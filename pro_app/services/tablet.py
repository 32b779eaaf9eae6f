"""The site's tablet: handed to one participant, who answers what is open and gives it back.

The participant is the originator, not who handed it over: that person's session ends in the same
transaction in which the tablet's begins, and the first question comes only after the participant
has confirmed who they are. By the PIN of their phone, where they have one; by the end of the study
number, as it stands on their card, where they have none or do not remember it. That is no secret,
and need not be one: the staff have the person before them and have proved a moment ago to be
there themselves. What it keeps out is a tablet that was opened for somebody else; which of the two
it was stands on the trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording
from pro_app.models import Device, Participant, StudyVersion, TabletSession, Transaction
from pro_app.services import (
    assessments,
    audit,
    enrolment,
    secrets,
    sessions,
    staff_sign_in,
    studies,
    submissions,
)
from pro_app.services.answers import Origin
from pro_app.services.assessments import Known
from pro_app.services.by_staff import actor_of
from pro_app.services.studies import CurrentStudy

MODE = "site_tablet"
IDLE = timedelta(minutes=10)  # a tablet that was put down
SEEN_EVERY = timedelta(seconds=30)  # how exactly the last use is kept
LATE = timedelta(hours=12)  # how long after the last use an answer may come that was tapped in it
WRONG = 5  # PINs or numbers; then the staff begin again
NUMBER_END = 2  # characters of the study number that the card shows


class TabletError(Exception):
    """Why a tablet cannot be handed over: `nothing_open`, or `ended` participation."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Confirmation(StrEnum):
    """What came of a PIN or a number's end; OVER also ends the session."""

    RIGHT = "right"
    WRONG = "wrong"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Guest:
    """The participant before the tablet, and how their time with it stands. `is_test`: they try the
    study, see `studies.counted`."""

    tablet_id: int
    participant_id: int
    study_id: int
    study_version: int
    study_fingerprint: str
    number: str
    language: str
    text_size: int
    notice_version: str | None
    notice_at: datetime | None
    is_test: bool
    confirmed_by: str | None
    created_at: datetime
    seen_at: datetime
    ended_how: str | None

    @property
    def confirmed(self) -> bool:
        """Whether the participant has said who they are."""
        return self.confirmed_by is not None

    def hides(self, answered_at: datetime) -> bool:
        """Whether an answer is not shown: one from before, where the end of a number, which the
        site knows, too, was all that said who holds the tablet."""
        return self.confirmed_by == "number" and answered_at < self.created_at

    def lives(self, now: datetime) -> bool:
        """Whether the session goes on."""
        return self.ended_how is None and now - self.seen_at < IDLE

    def takes_late(self, now: datetime) -> bool:
        """Whether an answer is still taken: also one that was tapped while there was no network,
        and arrives after nobody was heard of for too long, or another tablet took over."""
        lay_idle = self.ended_how in {None, "idle", "replaced"} and now - self.seen_at < LATE
        return self.confirmed and lay_idle

    @property
    def actor(self) -> str:
        """How the trail names the participant at this tablet."""
        return f"participant/tablet {self.tablet_id}"

    def origin(
        self,
        wording: Wording | None,
        sent_at: datetime | None = None,
    ) -> Origin:
        """Where answers of this tablet come from."""
        return Origin(None, wording, sent_at, mode=MODE, actor=self.actor)


_guest = (
    sa.select(
        TabletSession.id,
        Participant.id,
        Participant.study_id,
        StudyVersion.number,
        studies.in_force,
        Participant.number,
        Participant.language,
        Participant.text_size,
        Participant.notice_version,
        Participant.notice_at,
        Participant.is_test,
        TabletSession.confirmed_by,
        TabletSession.created_at,
        TabletSession.seen_at,
        TabletSession.ended_how,
    )
    .join(Participant, Participant.id == TabletSession.participant_id)
    .join(StudyVersion, sessions.version_in_force)
    .where(TabletSession.token_hash == sa.bindparam("token"))
)


def find(session: Transaction, token: str) -> Guest | None:
    """Whose session at the tablet this token names, living or not."""
    row: Any = session.execute(_guest, {"token": secrets.token_hash(token)}).first()
    return None if row is None else Guest(*row)


def start(
    session: Session,
    study: CurrentStudy,
    participant_id: int,
    person: staff_sign_in.Person,
    now: datetime,
) -> str:
    """Hand the tablet over: the token of the session. The session of the person of staff ends with
    it. Another tablet that this participant had is dead. Raises TabletError."""
    participant = audit.lock_participant(session, participant_id)
    if participant.withdrawn_at is not None or participant.died_at is not None:
        raise TabletError("ended")
    if not assessments.today(session, study.definition, participant_id, now).open:
        raise TabletError("nothing_open")
    for earlier in session.scalars(
        sa.select(TabletSession).where(
            TabletSession.participant_id == participant_id, TabletSession.ended_at.is_(None)
        )
    ).all():
        _end(session, earlier, "replaced", now, person.actor)
    token = secrets.new_token()
    row = TabletSession(
        participant_id=participant_id,
        staff_id=person.staff_id,
        token_hash=secrets.token_hash(token),
        created_at=now,
        seen_at=now,
    )
    session.add(row)
    session.flush()
    _record(session, row, person.actor, "start_tablet", now)
    staff_sign_in.sign_out(session, person, now)
    return token


def has_pin(session: Transaction, participant_id: int) -> bool:
    """Whether the participant has a phone with a PIN."""
    return bool(_pins(session, participant_id))


def _pins(session: Transaction, participant_id: int) -> list[str]:
    """The hashes of the PINs of the participant's phones."""
    found = session.execute(
        sa.select(Device.pin_hash).where(
            Device.participant_id == participant_id,
            Device.revoked_at.is_(None),
            Device.pin_hash.is_not(None),
        )
    )
    return [str(row[0]) for row in found]


def confirm(session: Session, guest: Guest, by: str, given: str, now: datetime) -> Confirmation:
    """The participant says who they are, by `pin` or `number`; a whole number is as good as its
    end. Wrong ones are counted here and not on the phones, which nobody can lock from outside."""
    row = _hold(session, guest)
    if row.ended_at is not None:
        return Confirmation.OVER
    pins = _pins(session, guest.participant_id)
    if by == "pin":
        right = any(secrets.pin_matches(one, given) for one in pins)
    else:
        typed = _tidy(given)
        right = typed in {_tidy(guest.number), _tidy(guest.number)[-NUMBER_END:]}
    if not right:
        row.failures += 1
        _record(session, row, guest.actor, "wrong_at_tablet", now, by)
        if row.failures < WRONG:
            return Confirmation.WRONG
        _end(session, row, "refused", now, guest.actor)
        return Confirmation.OVER
    if row.confirmed_at is None:
        row.confirmed_at, row.confirmed_by = now, by
        _record(session, row, guest.actor, "confirm_at_tablet", now, by, {"has_pin": bool(pins)})
    return Confirmation.RIGHT


def _tidy(text: str) -> str:
    return "".join(sign for sign in text.upper() if sign.isalnum())


def accept_notice(
    session: Session, guest: Guest, version: str, language: str, now: datetime
) -> None:
    """The participant has read the privacy notice on the tablet and agrees."""
    participant = audit.lock_participant(session, guest.participant_id)
    enrolment.accept_notice(session, participant, version, language, guest.actor, now)


def change_setting(session: Session, guest: Guest, field: str, value: str, now: datetime) -> None:
    """Set the participant's `language` or `text_size`, on the record."""
    participant = audit.lock_participant(session, guest.participant_id)
    enrolment.change(session, participant, field, value, guest.actor, now)


def submit(
    session: Session,
    study: CurrentStudy,
    assessment: Known,
    instrument: Instrument,
    guest: Guest,
    now: datetime,
    tapped_at: datetime,
) -> bool:
    """Seal an assessment's answers, see `submissions.submit`; whether that was the last one open,
    which ends the session."""
    submissions.submit(
        session, study, assessment, instrument, None, now, MODE, tapped_at, actor=guest.actor
    )
    if assessments.today(session, study.definition, guest.participant_id, now).open:
        return False
    end(session, guest, "submitted", now)
    return True


def touch(session: Session, guest: Guest, now: datetime) -> None:
    """Note that the tablet is in use."""
    session.execute(
        sa.update(TabletSession).where(TabletSession.id == guest.tablet_id).values(seen_at=now)
    )


def end(
    session: Session, guest: Guest, how: str, now: datetime, staff_id: int | None = None
) -> None:
    """End a session, by the participant or by a person of staff; a second time changes nothing."""
    row = _hold(session, guest)
    if row.ended_at is None:
        _end(session, row, how, now, guest.actor if staff_id is None else actor_of(staff_id))


def idle(session: Session, now: datetime) -> Sequence[TabletSession]:
    """The sessions in which nobody does anything any more, by participant."""
    return session.scalars(
        sa.select(TabletSession)
        .where(TabletSession.ended_at.is_(None), TabletSession.seen_at <= now - IDLE)
        .order_by(TabletSession.participant_id)
    ).all()


def end_idle(session: Session, now: datetime) -> int:
    """End the sessions that lie idle: how many."""
    ended = 0
    for row in idle(session, now):
        audit.lock_stream(session, row.participant_id)
        session.refresh(row)
        if row.ended_at is None and row.seen_at <= now - IDLE:
            _end(session, row, "idle", now, "system")
            ended += 1
    return ended


def _hold(session: Session, guest: Guest) -> TabletSession:
    """The session as it is now, with its participant's stream held."""
    audit.lock_stream(session, guest.participant_id)
    return session.get_one(TabletSession, guest.tablet_id, populate_existing=True)


def _end(session: Session, row: TabletSession, how: str, now: datetime, actor: str) -> None:
    row.ended_at, row.ended_how = now, how
    session.flush()
    _record(session, row, actor, "end_tablet", now, how)


def _record(
    session: Session,
    row: TabletSession,
    actor: str,
    action: str,
    now: datetime,
    new: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    session.flush()
    entry = audit.Entry(actor, action, f"tablet/{row.id}", new=new, detail=detail or {})
    audit.record(session, audit.participant_stream(row.participant_id), now, [entry])
