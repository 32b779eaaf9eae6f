"""Putting outgoing messages into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from pro_app.core.licence import PHONE, Wordings
from pro_app.delivery import Misconfigured
from pro_app.models import Assessment, Participant, Submission
from pro_app.services import status
from pro_app.services.notices import Words
from pro_app.services.outgoing import Outgoing, Work
from pro_app.services.post_office import Address, PostOffice

LAST_DAY = timedelta(days=1)  # so near to closing a push asks not to wait for the phone to wake

ByStudy = Mapping[int, Wordings]
Waiting = Mapping[int, tuple[int, datetime]]  # by participant: how many, and the first closing


def compose(
    office: PostOffice, session: sa.Connection, work: Work, wordings: ByStudy, now: datetime
) -> None:
    """Write the work's messages: those that cannot be written have their answer at once."""
    waiting = _waiting(session, work.outgoing, wordings, now)
    for outgoing in work.outgoing:
        row = outgoing.rows[0]
        count, closes_at = waiting.get(outgoing.participant_id, (1, row.closes_at))
        words = office.notices.reminder(row.language, count, closes_at, outgoing.definition.zone)
        ways: Sequence[Address | None] = outgoing.addresses or (None,)
        for way in ways:
            try:
                _write(office, work, outgoing, way, words, count, now)
            except LookupError:  # the vault's: locked by a key that this installation lost
                key = (outgoing.public_id, None if way is None else way.subscription_id)
                work.answers[key] = Misconfigured(None, "secret_key")


def _write(
    office: PostOffice,
    work: Work,
    outgoing: Outgoing,
    way: Address | None,
    words: Words,
    count: int,
    now: datetime,
) -> None:
    """One push or letter."""
    language = outgoing.rows[0].language
    if way is None:
        assert outgoing.email is not None  # noqa: S101 (recheck found a way)
        work.letters.append(office.letter(outgoing.public_id, outgoing.email, words, language))
        return
    left = min(row.expires_at for row in outgoing.rows) - now
    work.pushes += office.pushes(
        outgoing.public_id,
        outgoing.participant_id,
        [way],
        words,
        language,
        left,
        badge=count,
        urgent=left < LAST_DAY or _asks_urgently(outgoing),
    )


def _asks_urgently(outgoing: Outgoing) -> bool:
    urgent = {step.code for step in outgoing.definition.reminders.steps if step.urgent}
    return any(row.step in urgent for row in outgoing.rows)


def _waiting(
    session: sa.Connection, outgoing: Sequence[Outgoing], wordings: ByStudy, now: datetime
) -> Waiting:
    """How many sets of questions each person finds open, and when the first of them closes."""
    if not outgoing:
        return {}
    rows = session.execute(
        sa.select(
            Assessment.participant_id,
            Assessment.closes_at,
            Participant.study_id,
            Participant.site_id,
            Assessment.instrument,
            Participant.language,
            status.begun,
        )
        .join(Participant, Participant.id == Assessment.participant_id)
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .where(
            Assessment.participant_id.in_([one.participant_id for one in outgoing]),
            Assessment.opens_at <= now,
            Assessment.closes_at > now,
            Assessment.cancelled_at.is_(None),
            Submission.id.is_(None),
        )
    )
    found: dict[int, tuple[int, datetime]] = {}
    for participant_id, closes_at, study_id, site_id, instrument, language, begun in rows:
        if begun or wordings[study_id].offered(instrument, language, PHONE, now, site_id):
            count, first = found.get(participant_id, (0, closes_at))
            found[participant_id] = (count + 1, min(first, closes_at))
    return found
