"""Working off the reminders that are due: claim, look again, send, record.

Each of the four is a transaction of its own, or none for the sending. Any number of workers may
do this at once, and any of them may die anywhere: a claim is a lease that ends by itself, and the
message's row is made before it is sent. Only who dies between the sending and the recording has
a message sent again, with the same topic and tag, so that a phone shows it once.
"""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from pro_app.models import Reminder
from pro_app.services.outgoing import Claim, Tally
from pro_app.services.post_office import LEASE, PostOffice
from pro_app.services.recheck import look_again
from pro_app.services.recording import record

BATCH = 200  # reminders claimed at once: what goes out in a few seconds


def drain(office: PostOffice) -> Tally:
    """Work off everything that is due now."""
    tally = Tally()
    while (claimed := claim(office)).ids:
        work = look_again(office, claimed)
        answers = office.send(work.pushes, work.letters)
        tally.add(work.tally)
        tally.add(record(office, claimed, work, answers))
    return tally


def claim(office: PostOffice, limit: int = BATCH) -> Claim:
    """Lease up to `limit` due reminders, the longest waiting first."""
    now, lease = office.clock(), secrets.token_urlsafe(12)
    due = (
        sa.select(Reminder.id)
        .where(
            Reminder.state == "planned",
            Reminder.due_at <= now,
            sa.or_(Reminder.lease_until.is_(None), Reminder.lease_until <= now),
        )
        .order_by(Reminder.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        sa.update(Reminder.__table__)  # type: ignore[arg-type]
        .where(Reminder.id.in_(due))
        .values(lease=lease, lease_until=now + LEASE)
        .returning(Reminder.id)
    )
    with office.database.writing_rows() as session:
        return Claim(lease, tuple(session.scalars(statement)))
