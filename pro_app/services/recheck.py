"""Looking again at claimed reminders: what still holds at this moment becomes messages.

First everything that matters is read, a query for each kind of fact and for all claimed people
at once. Then each reminder is decided: pushes before letters, for a person who is sent a push
today gets no letter. What is settled without sending is written down; the rest goes into words.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pro_app.core.assessment import Facts, Status, not_expected_reason
from pro_app.core.assessment import status as derive_status
from pro_app.core.licence import PHONE
from pro_app.core.reminders import LADDER, Act, Channel, Decision, Due, decide
from pro_app.core.study import StudyDefinition
from pro_app.delivery import backoff
from pro_app.models import Assessment, Message, Participant, Reminder, Submission
from pro_app.services import reminders, status, studies
from pro_app.services.composing import compose
from pro_app.services.outgoing import (
    Claim,
    Outgoing,
    Work,
    fallback,
    finish_held,
    finished,
    free,
    hold,
    lock_people,
    wait_until,
)
from pro_app.services.post_office import LEASE, PostOffice
from pro_app.services.ways import find_ways

BUSY = timedelta(minutes=2)  # until another worker's message to the same person is recorded
CRASHED = 0.9  # of the longest wait, before an attempt that nobody recorded is made again

_due = (
    sa.select(
        Reminder.id,
        Reminder.assessment_id,
        Reminder.participant_id,
        Reminder.step,
        Reminder.channel,
        Reminder.planned_for,
        Reminder.due_at,
        Reminder.expires_at,
        Reminder.attempts,
        Reminder.message_id,
        Assessment.created_at,
        Assessment.opens_at,
        Assessment.closes_at,
        Assessment.cancelled_at,
        Assessment.instrument,
        status.begun.label("begun"),
        Submission.submitted_at,
        Participant.study_id,
        Participant.site_id,
        Participant.language,
        Participant.reminder_minute,
        Participant.withdrawn_at,
        Participant.died_at,
        Participant.paused_at,
        Participant.paused_until,
    )
    .join(Assessment, Assessment.id == Reminder.assessment_id)
    .join(Participant, Participant.id == Reminder.participant_id)
    .outerjoin(Submission, Submission.assessment_id == Assessment.id)
    .where(
        Reminder.id.in_(sa.bindparam("ids", expanding=True)),
        Reminder.lease == sa.bindparam("lease"),
        Reminder.state == "planned",
    )
    .order_by(Reminder.participant_id, Reminder.planned_for, Reminder.id)
)


def look_again(office: PostOffice, claimed: Claim) -> Work:
    """Decide each claimed reminder by the facts of this moment, and make the messages' rows.

    What is cancelled after this, while messages are on their way, may go out all the same.
    """
    now = office.clock()
    with office.database.writing_rows() as session:
        lock_people(session, claimed.people)
        rows = session.execute(_due, {"ids": claimed.ids, "lease": claimed.lease}).all()
        return _Looking(office, session, claimed, now, rows).work() if rows else Work()


class _Looking:
    """One look at one claim."""

    def __init__(
        self,
        office: PostOffice,
        session: sa.Connection,
        claimed: Claim,
        now: datetime,
        rows: Sequence[Any],
    ) -> None:
        self.office, self.session, self.lease, self.now = office, session, claimed.lease, now
        self.rows = rows
        current = {
            study_id: studies.current(session, office.library, study_id)
            for study_id in {row.study_id for row in rows}
        }
        self.definitions = {study_id: one.definition for study_id, one in current.items()}
        self.wordings = {study_id: one.wordings for study_id, one in current.items()}
        self.days = {row.participant_id: self._day(row.study_id) for row in rows}
        assessments = {row.assessment_id for row in rows}
        self.latest = _latest(session, assessments, now)
        self.opened = _opened(session, assessments)
        self.elsewhere = _elsewhere(session, self.days, claimed.lease, now)
        self.messages = _messages(session, self.days)
        self.ways = find_ways(
            office,
            session,
            {row.participant_id for row in rows if row.channel == Channel.PUSH},
            {row.participant_id for row in rows if row.channel == Channel.EMAIL},
            now,
        )
        self.updates: list[dict[str, Any]] = []
        self.fallbacks: list[dict[str, Any]] = []
        self.going: dict[int, tuple[Channel, list[Any]]] = {}  # by participant
        self.result = Work()

    def work(self) -> Work:
        """Decide, write down what is settled, and make the messages."""
        for channel in LADDER:
            wanted: dict[int, list[Any]] = {}
            for row in self.rows:
                if row.channel == channel:
                    decision = self._decide(row)
                    if decision.act is Act.SEND:
                        wanted.setdefault(row.participant_id, []).append(row)
                    else:
                        self._settle(row, decision)
            for participant_id, rows in wanted.items():
                self._go(participant_id, channel, rows)
        if self.updates:
            self.session.execute(finish_held, self.updates)
        reminders.add_fallback(self.session, self.fallbacks)
        self._make_messages()
        compose(self.office, self.session, self.result, self.wordings, self.now)
        return self.result

    # --- deciding -------------------------------------------------------------------------------

    def _decide(self, row: Any) -> Decision:
        definition, minute = self.definitions[row.study_id], self._minute(row)
        facts = Facts(
            row.opens_at,
            row.closes_at,
            started_at=row.opens_at if row.begun else None,
            submitted_at=row.submitted_at,
            withdrawn_at=row.withdrawn_at,
            died_at=row.died_at,
            cancelled_at=row.cancelled_at,
        )
        ended = not_expected_reason(facts) or _gone(row)
        state = derive_status(facts, self.now, definition.grace)
        if ended and row.submitted_at is None:
            state = Status.NOT_EXPECTED
        shown = row.begun or self.wordings[row.study_id].offered(
            row.instrument, row.language, PHONE, self.now, row.site_id
        )
        due = Due(
            channel=Channel(row.channel),
            status=state,
            expires_at=row.expires_at,
            ended=ended,
            paused=reminders.is_paused(row.paused_at, row.paused_until, self.now),
            offered=bool(shown),
            later_due=row.planned_for < self.latest[row.assessment_id, row.channel],
            unless_opened=row.step in _unless_opened(definition),
            opened=row.assessment_id in self.opened,
            messaged_today=self._messaged_today(row),
        )
        return decide(due, definition.reminders, minute, definition.zone, self.now)

    def _minute(self, row: Any) -> int:
        rules = self.definitions[row.study_id].reminders
        return rules.minute_of(row.reminder_minute, row.participant_id)

    def _day(self, study_id: int) -> date:
        return self.now.astimezone(self.definitions[study_id].zone).date()

    def _messaged_today(self, row: Any) -> bool:
        """Whether the person has a message of today that did not tell of this assessment."""
        return row.participant_id in self.going or any(
            message.accepted_at is not None and not _tells(message, row)
            for message in self.messages.get(row.participant_id, {}).values()
        )

    # --- what follows from it -------------------------------------------------------------------

    def _update(self, row: Any, **values: Any) -> None:
        self.updates.append({"held": self.lease, **finished(row, values)})

    def _settle(self, row: Any, decision: Decision) -> None:
        tally = self.result.tally
        if decision.act is Act.MOVE:
            self._update(row, due_at=decision.until, reason=decision.reason)
            tally.moved += 1
        elif decision.act is Act.CANCEL:
            self._update(row, state="cancelled", reason=decision.reason)
            tally.cancelled += 1
        else:
            self._update(row, state="expired", reason=decision.reason)
            tally.expired += 1

    def _go(self, participant_id: int, channel: Channel, rows: list[Any]) -> None:
        """Have a person's reminders go this way, or know why they do not."""
        message = self.messages.get(participant_id, {}).get(channel)
        if channel is Channel.COORDINATOR:
            for row in rows:
                self._update(row, state="listed", sent_at=self.now)
            self.result.tally.listed += len(rows)
        elif message is not None and message.accepted_at is not None:  # it told of these, too
            for row in rows:
                self._update(row, state="sent", message_id=message.id, sent_at=self.now)
            self.result.tally.sent += len(rows)
        elif participant_id in self.elsewhere:
            self._wait(rows, self.now + BUSY, "being_sent")
        elif (fault := self.ways.fault(participant_id, channel)) is not None:
            self._fall(rows, channel, fault)
        elif channel is Channel.PUSH and not self.ways.free(participant_id):
            self._wait(rows, self.ways.pause(participant_id), "host_pause")
        else:
            self.going[participant_id] = (channel, rows)

    def _wait(self, rows: Sequence[Any], moment: datetime, reason: str) -> None:
        for row in rows:
            until = wait_until(moment, row, self.definitions[row.study_id], self._minute(row))
            self._settle(row, Decision(Act.EXPIRE if until is None else Act.MOVE, reason, until))

    def _fall(self, rows: Sequence[Any], channel: Channel, reason: str) -> None:
        for row in rows:
            self._update(row, state="failed", reason=reason)
            self.fallbacks += fallback(row, channel, self.now)
        self.result.tally.failed += len(rows)

    # --- messages -------------------------------------------------------------------------------

    def _make_messages(self) -> None:
        """A row for each message. One of today that no service has taken yet is tried again."""
        new = [
            {
                "public_id": secrets.token_urlsafe(12),
                "participant_id": participant_id,
                "channel": channel.value,
                "day": self.days[participant_id],
                "created_at": self.now,
            }
            for participant_id, (channel, _) in self.going.items()
            if channel not in self.messages.get(participant_id, {})
        ]
        if new:
            self.session.execute(sa.insert(Message.__table__), new)  # type: ignore[arg-type]
            self.messages = _messages(self.session, self.days)
        held: list[dict[str, Any]] = []
        for participant_id, (channel, rows) in self.going.items():
            message = self.messages[participant_id][channel]
            self.result.outgoing.append(self._outgoing(message, participant_id, channel, rows))
            held += [self._held(row, message.id) for row in rows]
        if held:
            self.session.execute(hold, held)

    def _outgoing(
        self, message: Any, participant_id: int, channel: Channel, rows: list[Any]
    ) -> Outgoing:
        by_push = channel is Channel.PUSH
        return Outgoing(
            message.id,
            message.public_id,
            participant_id,
            channel,
            rows,
            self._minute(rows[0]),
            self.definitions[rows[0].study_id],
            addresses=self.ways.free(participant_id) if by_push else (),
            email=None if by_push else self.ways.emails[participant_id],
        )

    def _held(self, row: Any, message_id: int) -> dict[str, Any]:
        """The attempt counts before it is made: if nobody lives to record it, the next waits."""
        wait = max(LEASE, backoff(row.attempts, CRASHED))
        return {
            "row": row.id,
            "message_id": message_id,
            "attempts": row.attempts + 1,
            "due_at": self.now + wait,
        }


def _unless_opened(definition: StudyDefinition) -> set[str]:
    """The steps that are left out when an earlier message was opened."""
    return {step.code for step in definition.reminders.steps if step.unless_opened}


def _gone(row: Any) -> str:
    """Why a person takes no part any more, whenever that was; nothing if they do."""
    if row.died_at is not None:
        return "died"
    return "withdrawn" if row.withdrawn_at is not None else ""


def _tells(message: Any, row: Any) -> bool:
    """Whether a message told of a reminder's assessment: it was made for it, or when that was
    open and this step due."""
    since = max(row.planned_for, row.opens_at, row.created_at)
    covered = message.channel == row.channel and since <= message.created_at
    return bool(covered or message.id == row.message_id)


# --- facts --------------------------------------------------------------------------------------


def _latest(
    session: sa.Connection, assessments: Collection[int], now: datetime
) -> dict[tuple[int, str], datetime]:
    """For when the latest step was planned that went or is due, by assessment and channel."""
    went = Reminder.state.in_(("sent", "listed"))
    due = sa.and_(Reminder.state == "planned", Reminder.due_at <= now)
    found = session.execute(
        sa.select(
            Reminder.assessment_id,
            Reminder.channel,
            sa.func.max(Reminder.planned_for, type_=Reminder.planned_for.type),
        )
        .where(Reminder.assessment_id.in_(assessments), sa.or_(went, due))
        .group_by(Reminder.assessment_id, Reminder.channel)
    )
    return {(assessment, channel): planned for assessment, channel, planned in found}


def _opened(session: sa.Connection, assessments: Collection[int]) -> set[int]:
    """Assessments about which a message was opened."""
    return set(
        session.scalars(
            sa.select(Reminder.assessment_id)
            .join(Message, Message.id == Reminder.message_id)
            .where(Reminder.assessment_id.in_(assessments), Message.opened_at.is_not(None))
        )
    )


def _elsewhere(
    session: sa.Connection, people: Collection[int], lease: str, now: datetime
) -> set[int]:
    """People to whom another worker is sending a message at this moment."""
    return set(
        session.scalars(
            sa.select(Reminder.participant_id)
            .join(Message, Message.id == Reminder.message_id)
            .where(
                Reminder.participant_id.in_(people),
                Reminder.state == "planned",
                Reminder.lease != lease,
                sa.not_(free(now)),
                Message.accepted_at.is_(None),
            )
        )
    )


def _messages(session: sa.Connection, days: Mapping[int, date]) -> dict[int, dict[str, Any]]:
    """The messages of today, by participant and channel; `days` is each one's day, by the clocks
    of the study."""
    rows = session.execute(
        sa.select(
            Message.participant_id,
            Message.channel,
            Message.day,
            Message.id,
            Message.public_id,
            Message.created_at,
            Message.accepted_at,
        ).where(Message.participant_id.in_(days), Message.day.in_(set(days.values())))
    )
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        if row.day == days[row.participant_id]:
            found.setdefault(row.participant_id, {})[row.channel] = row
    return found
