"""Working off the reminders that are due: claim, look again, send, record.

Each of the four is a transaction of its own, or none for the sending. Any number of workers may
do this at once, and any of them may die anywhere: a claim is a lease that ends by itself, and the
message's row is made before it is sent.

One case sends a message twice: what was sent is not recorded, for the worker died in between, or
the database stayed away until its lease ended. The second has the first one's topic and tag
(a letter its Message-ID), so that a phone shows it once.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa

from pro_app.core.reminders import Channel
from pro_app.delivery import Outcome
from pro_app.models import Reminder
from pro_app.services.outgoing import Claim, Key, Outgoing, Tally, Work, free
from pro_app.services.post_office import LEASE, PostOffice
from pro_app.services.recheck import look_again
from pro_app.services.recording import record

BATCH = 500  # reminders claimed at once: what goes out in a few seconds
LETTERS = 10  # handed over at once: a mail server takes one after the other
MAIL_TIME = LEASE / 2  # of a lease; letters that would come later wait for the next one
RECORD_WAITS = (0.1, 0.5, 2, 5, 10)  # seconds between tries to record, while the lease holds

log = logging.getLogger(__name__)


def drain(office: PostOffice, going: Callable[[], bool] = lambda: True) -> Tally:
    """Work off everything that is due now. `going` is asked between two batches."""
    tally = Tally()
    while going() and (claimed := claim(office)).ids:
        work = look_again(office, claimed)
        tally.add(work.tally)
        tally.add(_push(office, claimed, work))
        tally.add(_mail(office, claimed, work))
    return tally


def claim(office: PostOffice, limit: int = BATCH) -> Claim:
    """Lease up to `limit` due reminders, the longest waiting first."""
    now, lease = office.clock(), secrets.token_urlsafe(12)
    due = (
        sa.select(Reminder.id)
        .where(Reminder.state == "planned", Reminder.due_at <= now, free(now))
        .order_by(Reminder.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        sa.update(Reminder.__table__)  # type: ignore[arg-type]
        .where(Reminder.id.in_(due))
        .values(lease=lease, lease_until=now + LEASE)
        .returning(Reminder.id, Reminder.participant_id)
    )
    with office.database.writing_rows() as session:
        rows = session.execute(statement).all()
    people = sorted({row.participant_id for row in rows})
    return Claim(lease, now + LEASE, tuple(row.id for row in rows), tuple(people))


def _push(office: PostOffice, claimed: Claim, work: Work) -> Tally:
    """Hand over the pushes, all at once."""
    sent = [one for one in work.outgoing if one.channel is Channel.PUSH]
    return _record(office, claimed, sent, {**work.answers, **office.send(work.pushes, ())})


def _mail(office: PostOffice, claimed: Claim, work: Work) -> Tally:
    """Hand over the letters, a few at a time, as long as the lease safely holds."""
    tally = Tally()
    letters = {one.key: one for one in work.letters}
    waiting = [one for one in work.outgoing if one.channel is Channel.EMAIL]
    for start in range(0, len(waiting), LETTERS):
        if office.clock() >= claimed.until - MAIL_TIME:
            log.warning("%s letters wait for a mail server that is slow", len(waiting) - start)
            break
        some = waiting[start : start + LETTERS]
        keys = [(one.public_id, None) for one in some]
        answers = office.send((), [letters[key] for key in keys if key in letters])
        tally.add(_record(office, claimed, some, {**work.answers, **answers}))
    return tally


def _record(
    office: PostOffice, claimed: Claim, sent: Sequence[Outgoing], answers: Mapping[Key, Outcome]
) -> Tally:
    """`record`, tried again while the database is away: what it does not know is sent twice."""
    for wait in RECORD_WAITS:
        try:
            return record(office, claimed, sent, answers)
        except sa.exc.OperationalError as error:
            log.warning("what was sent is not recorded yet: %s", type(error.orig).__name__)
            time.sleep(wait)
    return record(office, claimed, sent, answers)
