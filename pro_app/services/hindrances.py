"""Why a questionnaire that can be answered is not: one main reason, and the facts behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Standing
from pro_app.models import (
    Answer,
    Contact,
    Device,
    Loss,
    Message,
    Participant,
    Reminder,
    Subscription,
)
from pro_app.services import phone_remarks, sessions
from pro_app.services.reachability import Reachability, reachabilities


class Hindrance(StrEnum):
    """The main reason, in the order in which they are looked for.

    First what a call mends at once: answers that wait on a phone (or were lost on it since the
    visit opened), nothing to answer on, reminders that the site itself has paused, a
    questionnaire begun. Then why a reminder did not arrive: what broke comes before what was
    never turned on, and a way that is off is a reason only where e-mail does not go either.
    """

    UNSYNCED = "unsynced"
    NO_DEVICE = "no_device"
    PAUSED = "paused"
    HALF_ANSWERED = "half_answered"
    PUSH_LOST = "push_lost"
    EMAIL_BOUNCED = "email_bounced"
    PUSH_DENIED = "push_denied"
    REMINDERS_OFF = "reminders_off"
    NEVER_OPENED = "never_opened"
    NONE_KNOWN = "none_known"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a participant and a visit that can be answered.

    `reachability` has the last moments of any message: accepted, shown, opened. `joined`: a phone
    opens the app; `left_at` is when the last one was signed out, else the day of enrolment.
    `used_at` is when a phone was last used. `waiting` answers wait on phones since
    `waiting_since`, by the phones' own word; `lost` were lost since the visit opened. The visit
    was begun and last answered at `answered_at`; the first of its messages was accepted at
    `reminded_at`, and one of them was `opened`.
    """

    reachability: Reachability
    joined: bool
    left_at: datetime
    used_at: datetime | None
    paused_at: datetime | None
    bounced_at: datetime | None
    gone_at: datetime | None
    waiting: int
    waiting_since: datetime | None
    lost: int
    lost_at: datetime | None
    answered_at: datetime | None
    reminded_at: datetime | None
    opened: bool


def main(facts: Facts, begun: bool) -> tuple[Hindrance, datetime | None]:
    """The main reason that a visit is undone, `begun` or not, and since when where that is known;
    see `Hindrance` for the order."""
    push, mailed = facts.reachability.push, facts.reachability.email == "on"
    since_unsynced = facts.waiting_since if facts.waiting else facts.lost_at
    found: Iterable[tuple[bool, Hindrance, datetime | None]] = (
        (bool(facts.waiting or facts.lost), Hindrance.UNSYNCED, since_unsynced),
        (not facts.joined, Hindrance.NO_DEVICE, facts.left_at),
        (facts.reachability.paused, Hindrance.PAUSED, facts.paused_at),
        (begun, Hindrance.HALF_ANSWERED, facts.answered_at),
        (push == "lost", Hindrance.PUSH_LOST, facts.gone_at),
        (
            push != "on" and facts.reachability.email == "bounced",
            Hindrance.EMAIL_BOUNCED,
            facts.bounced_at,
        ),
        (push == "denied" and not mailed, Hindrance.PUSH_DENIED, None),
        (push != "on" and not mailed, Hindrance.REMINDERS_OFF, None),
        (
            facts.reminded_at is not None and not facts.opened,
            Hindrance.NEVER_OPENED,
            facts.reminded_at,
        ),
    )
    return next(
        ((reason, since) for holds, reason, since in found if holds),
        (Hindrance.NONE_KNOWN, None),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What the record tells of some participants and some of their assessments."""

    people: Mapping[int, Any]
    reached: Mapping[int, Reachability]
    phones: Mapping[int, Sequence[Any]]
    gone: Mapping[int, datetime]
    losses: Mapping[int, Sequence[Any]]
    answered: Mapping[int, datetime]
    reminded: Mapping[int, Any]

    def facts(
        self, participant_id: int, assessment_ids: Collection[int], opens_at: datetime
    ) -> Facts:
        """The facts of one participant's visit, which has these assessments and this opening."""
        person = self.people[participant_id]
        phones = self.phones.get(participant_id, ())
        waiting = [one for one in phones if one.unsent and not one.heard_again]
        lost = [one for one in self.losses.get(participant_id, ()) if one.noticed_at >= opens_at]
        answered = [self.answered[one] for one in assessment_ids if one in self.answered]
        reminded = [self.reminded[one] for one in assessment_ids if one in self.reminded]
        left = [one.revoked_at for one in phones if one.revoked_at is not None]
        return Facts(
            self.reached[participant_id],
            any(one.opens for one in phones),
            max(left, default=person.created_at),
            max((one.used_at for one in phones), default=None),
            person.paused_at,
            person.bounced_at,
            self.gone.get(participant_id),
            sum(one.unsent for one in waiting),
            min((one.unsent_at for one in waiting if one.unsent_at is not None), default=None),
            sum(one.missing for one in lost),
            min((one.noticed_at for one in lost), default=None),
            max(answered, default=None),
            min((one.accepted_at for one in reminded), default=None),
            any(one.opened_at is not None for one in reminded),
        )


def gather(
    session: Session,
    participant_ids: Collection[int],
    assessment_ids: Collection[int],
    now: datetime,
) -> Told:
    """Read what is known of these participants and assessments, one statement a table."""
    ids = sorted(participant_ids)
    people = session.execute(
        sa.select(Participant.id, Participant.created_at, Participant.paused_at, Contact.bounced_at)
        .outerjoin(Contact, Contact.participant_id == Participant.id)
        .where(Participant.id.in_(ids))
    )
    return Told(
        {row.id: row for row in people},
        reachabilities(session, ids, now),
        _phones(session, ids, now),
        _gone(session, ids),
        _losses(session, ids),
        _answered(session, assessment_ids),
        _reminded(session, assessment_ids),
    )


def _phones(session: Session, ids: Sequence[int], now: datetime) -> dict[int, list[Any]]:
    rows = session.execute(
        sa.select(
            Device.participant_id,
            Device.id,
            Device.revoked_at,
            Device.used_at,
            Device.unsent,
            Device.unsent_at,
            phone_remarks.heard_again().label("heard_again"),
            sessions.opening(now - sessions.SHARED_IDLE).label("opens"),
        ).where(Device.participant_id.in_(ids))
    )
    return _by_participant(rows)


def _losses(session: Session, ids: Sequence[int]) -> dict[int, list[Any]]:
    missing = (Loss.count - Loss.arrived).label("missing")
    rows = session.execute(
        sa.select(Device.participant_id, missing, Loss.noticed_at)
        .join(Device, Device.id == Loss.device_id)
        .where(Device.participant_id.in_(ids), missing > 0)
    )
    return _by_participant(rows)


def _by_participant(rows: Iterable[Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.participant_id].append(row)
    return found


def _gone(session: Session, ids: Sequence[int]) -> dict[int, datetime]:
    """When the push service last said that it knows a phone of theirs no more."""
    rows = session.execute(
        sa.select(Subscription.participant_id, sa.func.max(Subscription.gone_at))
        .where(Subscription.participant_id.in_(ids), Subscription.state == "gone")
        .group_by(Subscription.participant_id)
    )
    return {row[0]: row[1] for row in rows if row[1] is not None}


def _answered(session: Session, assessment_ids: Collection[int]) -> dict[int, datetime]:
    """When something in these assessments was last answered in time."""
    rows = session.execute(
        sa.select(Answer.assessment_id, sa.func.max(Answer.answered_at))
        .where(
            Answer.assessment_id.in_(assessment_ids),
            Answer.standing == Standing.IN_TIME.value,
        )
        .group_by(Answer.assessment_id)
    )
    return {row[0]: row[1] for row in rows}


def _reminded(session: Session, assessment_ids: Collection[int]) -> dict[int, Any]:
    """When a message about these assessments was first accepted, and last opened."""
    rows = session.execute(
        sa.select(
            Reminder.assessment_id,
            sa.func.min(Message.accepted_at).label("accepted_at"),
            sa.func.max(Message.opened_at).label("opened_at"),
        )
        .join(Message, Message.id == Reminder.message_id)
        .where(Reminder.assessment_id.in_(assessment_ids), Message.accepted_at.is_not(None))
        .group_by(Reminder.assessment_id)
    )
    return {row.assessment_id: row for row in rows}
