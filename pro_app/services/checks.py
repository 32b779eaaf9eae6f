"""What is looked at before anything starts to serve or to send."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.delivery.vapid import subject_fault
from pro_app.models import AuditEntry, Database, Study, Subscription, Transaction
from pro_app.services import alarms, audit, studies

AHEAD = timedelta(minutes=5)  # of this clock, that the newest entry on record may be
APART = timedelta(minutes=2)  # that this clock and the database server's may be
_SUBJECTS = {
    "shape": "is not one plain mailto: or https: address",
    "domain": "names a domain that cannot exist",
    "placeholder": "is a placeholder that nobody can be reached by",
}


class StartRefused(Exception):
    """Nothing may start like this; the message says why and what to do, one line a fault."""


def before_start(
    database: Database, library: Library, vapid_subject: str, key_id: str, now: datetime
) -> int:
    """Refuse to start with an unusable contact for push services in a live study, or with a
    clock that the record or the database server contradicts. Raises StartRefused.

    Subscriptions that were made with another key are an alarm only: how many phones there are.
    """
    with database.reading() as session:
        faults = [
            *_subject_faults(session, library, vapid_subject),
            *_clock_faults(session, now),
        ]
    if faults:
        raise StartRefused("\n".join(faults))
    return _note_other_keys(database, key_id, now)


def _subject_faults(session: Session, library: Library, subject: str) -> Iterator[str]:
    fault = subject_fault(subject, placeholder_allowed=False)
    if fault is None:
        return
    for study_id, code in session.execute(sa.select(Study.id, Study.code).order_by(Study.id)):
        if studies.current(session, library, study_id).definition.status == "live":
            yield (
                f"PRO_VAPID_SUBJECT {_SUBJECTS[fault]}, and the study {code} is live: push "
                "services refuse messages without a contact; set it like mailto:you@your-hospital"
            )


_newest = sa.select(AuditEntry.at).order_by(AuditEntry.id.desc()).limit(1)


def record_ahead(session: Session, now: datetime) -> datetime | None:
    """The moment of the newest entry on record, if that lies ahead of this machine's clock."""
    newest = session.scalar(_newest)
    return newest if newest is not None and newest > now + AHEAD else None


def server_apart(session: Session, now: datetime) -> datetime | None:
    """What the database server's clock shows, if that is not what this machine's does."""
    if session.get_bind().dialect.name != "postgresql":
        return None
    theirs = session.scalar(sa.select(sa.func.clock_timestamp()))
    return theirs if theirs is not None and abs(theirs - now) > APART else None


def other_keys(session: Transaction, key_id: str) -> int:
    """How many living subscriptions were made with another key than this."""
    count = session.scalar(
        sa.select(sa.func.count())
        .select_from(Subscription)
        .where(Subscription.state == "active", Subscription.vapid_key != key_id)
    )
    return count or 0


def _clock_faults(session: Session, now: datetime) -> Iterator[str]:
    newest = record_ahead(session, now)
    if newest is not None:
        yield (
            f"the newest entry on record was written at {_text(newest)}, and this machine's clock "
            f"shows {_text(now)}: put the clock right; if it is right and was wrong before, run "
            "`pro-app check --clock-is-right` once"
        )
    theirs = server_apart(session, now)
    if theirs is not None:
        yield (
            f"this machine's clock shows {_text(now)}, the database server's "
            f"{_text(theirs)}: put the wrong one right"
        )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _note_other_keys(database: Database, key_id: str, now: datetime) -> int:
    """Raise an alarm if living subscriptions were made with another key: how many there are."""
    with database.writing_rows() as session:
        count = other_keys(session, key_id)
        alarms.clear(session, "vapid_key", now)  # of an earlier start
        if count:
            detail = (
                f"{count} phones subscribed with another VAPID key: put the old key back, or ask "
                "them to open the app"
            )
            alarms.sound(session, "vapid_key", detail, now)
    return count


def confirm_clock(database: Database, now: datetime) -> None:
    """Put on record, with the clock as it is, that it is right, and up to which moment it
    was wrong: what follows goes on from here."""
    with database.writing() as session:
        newest = session.scalar(_newest)
        until = None if newest is None else newest.astimezone(UTC).isoformat()
        for study in session.scalars(sa.select(Study).order_by(Study.id).with_for_update()).all():
            entry = audit.Entry("site", "confirm_clock", f"study/{study.code}", old=until)
            audit.record(session, audit.study_stream(study.id), now, [entry])
