"""Letters that tell the staff that something waits: planned with the alert, sent by the worker.

The table is the queue, as for reminders: a claim is a lease that ends by itself, the row is there
before the letter goes, and any worker may die anywhere. A letter that was sent and not recorded
goes a second time with the first one's Message-ID, so that a mail program shows it once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager

from pro_app.core.alerts import RECIPIENTS
from pro_app.delivery import Accepted, Gone, Letter, Misconfigured, Outcome, Retry, backoff
from pro_app.models import (
    AlertLetter,
    AnswerAlert,
    Assessment,
    Participant,
    Staff,
    StaffRole,
    Submission,
)
from pro_app.services import alarms, staff
from pro_app.services.post_office import LEASE, PostOffice

BATCH = 20  # letters claimed at once: what a mail server takes well before the lease ends
MISCONFIGURED_WAIT = timedelta(hours=1)  # the operator has been told


@dataclass(slots=True)
class Tally:
    """What became of the letters that were due, by people written to."""

    sent: int = 0
    retried: int = 0
    failed: int = 0
    cancelled: int = 0

    def __str__(self) -> str:
        return (
            f"letters to the staff: {self.sent} sent, {self.retried} retried, "
            f"{self.failed} failed, {self.cancelled} cancelled"
        )


def plan(
    session: Session,
    alert: AnswerAlert,
    participant: Participant,
    roles: Collection[str],
    step: str,
    now: datetime,
) -> None:
    """Put down who is to be told of an alert: who has one of the roles at the participant's site
    now. Where a role has nobody, the operator's alarm says so."""
    people: set[int] = set()
    for role in roles:
        found = _people(session, participant, (role,), now)
        if not found:
            told = f"site {participant.site.code}: nobody there is {role} and can be told of alerts"
            alarms.sound(session, "alert_untold", told, now)
        people.update(found)
    session.add_all(
        AlertLetter(
            public_id=secrets.token_urlsafe(12),
            alert=alert,
            staff_id=person,
            step=step,
            state="planned",
            planned_for=now,
            due_at=now,
        )
        for person in sorted(people)
    )


def _people(
    session: Session, participant: Participant, roles: Iterable[str], now: datetime
) -> Sequence[int]:
    """Who of the staff has one of these roles at the participant's site."""
    return session.scalars(
        sa.select(Staff.id)
        .join(StaffRole, StaffRole.staff_id == Staff.id)
        .where(
            Staff.disabled_at.is_(None),
            StaffRole.study_id == participant.study_id,
            sa.or_(StaffRole.site_id.is_(None), StaffRole.site_id == participant.site_id),
            StaffRole.role.in_(list(roles)),
            staff.living(now),
        )
        .distinct()
    ).all()


def drain(office: PostOffice, going: Callable[[], bool] = lambda: True) -> Tally:
    """Send everything that is due now: one letter to each person, however many alerts wait.
    `going` is asked between two batches."""
    tally = Tally()
    while going() and (lease := _claim(office)) is not None:
        waiting = _look_again(office, lease, tally)
        letters = [
            office.staff_letter(first.public_id, first.staff.email, first.staff.language)
            for first, *_ in waiting.values()
        ]
        _record(office, lease, waiting, _send(office, letters), tally)
    return tally


def _claim(office: PostOffice) -> str | None:
    """Lease letters that are due, the longest waiting first; None if there are none."""
    now, lease = office.clock(), secrets.token_urlsafe(12)
    free = sa.or_(
        AlertLetter.lease_until.is_(None),
        AlertLetter.lease_until <= now,
        AlertLetter.lease_until > now + LEASE,  # made under a clock that was set forward
    )
    due = (
        sa.select(AlertLetter.id)
        .where(AlertLetter.state == "planned", AlertLetter.due_at <= now, free)
        .order_by(AlertLetter.due_at, AlertLetter.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    statement = (
        sa.update(AlertLetter.__table__)  # type: ignore[arg-type]
        .where(AlertLetter.id.in_(due))
        .values(lease=lease, lease_until=now + LEASE)
    )
    with office.database.writing_rows() as connection:
        claimed = connection.execute(statement).rowcount
    return lease if claimed else None


def _look_again(office: PostOffice, lease: str, tally: Tally) -> dict[int, list[AlertLetter]]:
    """The claimed letters by person, without those that have become needless."""
    now = office.clock()
    found: dict[int, list[AlertLetter]] = {}
    with office.database.writing() as session:
        for letter in session.scalars(_held(lease)):
            participant = letter.alert.submission.assessment.participant
            still = letter.staff_id in _people(session, participant, RECIPIENTS, now)
            if letter.alert.acknowledged_at is None and still:
                found.setdefault(letter.staff_id, []).append(letter)
            else:
                letter.state, letter.lease, letter.lease_until = "cancelled", None, None
                tally.cancelled += 1
    return found


def _held(lease: str) -> sa.Select[AlertLetter]:
    """The letters under a lease, with what is asked of them."""
    return (
        sa.select(AlertLetter)
        .join(AlertLetter.staff)
        .join(AlertLetter.alert)
        .join(AnswerAlert.submission)
        .join(Submission.assessment)
        .join(Assessment.participant)
        .where(AlertLetter.lease == lease, AlertLetter.state == "planned")
        .order_by(AlertLetter.id)
        .options(
            contains_eager(AlertLetter.staff),
            contains_eager(AlertLetter.alert)
            .contains_eager(AnswerAlert.submission)
            .contains_eager(Submission.assessment)
            .contains_eager(Assessment.participant),
        )
    )


def _send(office: PostOffice, letters: Sequence[Letter]) -> Mapping[str, Outcome]:
    """What came of each letter, by public id."""
    if office.post.mail is None:
        return {one.key[0]: Misconfigured(None, "no_mail_server") for one in letters}
    return {key[0]: outcome for key, outcome in office.send((), letters).items()}


def _record(
    office: PostOffice,
    lease: str,
    waiting: Mapping[int, Sequence[AlertLetter]],
    answers: Mapping[str, Outcome],
    tally: Tally,
) -> None:
    """Write down what the mail server answered."""
    now = office.clock()
    with office.database.writing() as session:
        for staff_id, letters in waiting.items():
            first = letters[0]
            outcome = answers.get(first.public_id, Retry(None, None, "no_answer"))
            values = _values(outcome, first.attempts, now)
            if isinstance(outcome, Accepted):
                tally.sent += 1
            elif isinstance(outcome, Gone):
                tally.failed += 1
                told = f"the mail server knows no such address as that of staff/{staff_id}"
                alarms.sound(session, "alert_letter", told, now)
            else:
                tally.retried += 1
            if isinstance(outcome, Misconfigured):
                alarms.sound(session, "email_misconfigured", outcome.reason, now)
            change = sa.update(AlertLetter).where(AlertLetter.id.in_([one.id for one in letters]))
            if not isinstance(outcome, Accepted):  # what has gone is gone whoever holds the lease
                change = change.where(AlertLetter.lease == lease)
            session.execute(change.values(lease=None, lease_until=None, **values))


def _values(outcome: Outcome, attempts: int, now: datetime) -> dict[str, object]:
    """What an answer makes of the rows."""
    if isinstance(outcome, Accepted):
        return {"state": "sent", "sent_at": now}
    if isinstance(outcome, Gone):
        return {"state": "failed"}
    if isinstance(outcome, Retry):
        wait = outcome.after or backoff(attempts, secrets.randbelow(1_000) / 1_000)
    else:
        wait = MISCONFIGURED_WAIT
    return {"due_at": now + wait, "attempts": attempts + 1}
