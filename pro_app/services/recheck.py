"""Looking again at claimed reminders: what still holds at this moment becomes messages."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pro_app.core.assessment import Facts, Status, not_expected_reason
from pro_app.core.assessment import status as derive_status
from pro_app.core.reminders import Act, Channel, Decision, Due, Rules, decide
from pro_app.core.study import StudyDefinition
from pro_app.models import (
    Assessment,
    Contact,
    Device,
    Message,
    Participant,
    PushHost,
    Reminder,
    Submission,
    Subscription,
)
from pro_app.services import reminders, status, studies
from pro_app.services.outgoing import (
    Claim,
    Outgoing,
    Work,
    fallback,
    finish,
    hold,
)
from pro_app.services.post_office import LEASE, Address, PostOffice

BUSY = timedelta(minutes=2)  # until another worker's message of today is recorded


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
        Assessment.opens_at,
        Assessment.closes_at,
        Assessment.cancelled_at,
        Assessment.instrument,
        status.begun.label("begun"),
        Submission.submitted_at,
        Participant.study_id,
        Participant.language,
        Participant.reminder_minute,
        Participant.withdrawn_at,
        Participant.died_at,
        Participant.paused_at,
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
    """Decide each claimed reminder by the facts of this moment, and make the messages' rows."""
    now = office.clock()
    with office.database.writing_rows() as session:
        rows = session.execute(_due, {"ids": claimed.ids, "lease": claimed.lease}).all()
        return _Looking(office, session, now, rows).work() if rows else Work()


class _Looking:
    """One look at one claim."""

    def __init__(
        self, office: PostOffice, session: sa.Connection, now: datetime, rows: Sequence[Any]
    ) -> None:
        self.office, self.session, self.now, self.rows = office, session, now, rows
        self.definitions = {
            study_id: studies.current(session, office.library, study_id).definition
            for study_id in {row.study_id for row in rows}
        }
        self.withheld = {
            study_id: office.library.withheld(definition)
            for study_id, definition in self.definitions.items()
        }
        assessment_ids = list({row.assessment_id for row in rows})
        self.latest_due = self._latest_due(assessment_ids)
        self.opened = self._opened(assessment_ids)
        self.people = list({row.participant_id for row in rows})
        self.today = self._today()
        self.updates: list[dict[str, Any]] = []
        self.fallbacks: list[dict[str, Any]] = []
        self.result = Work()

    def _latest_due(self, assessment_ids: Sequence[int]) -> dict[tuple[int, str], datetime]:
        """When the latest step is planned that is due, by assessment and channel."""
        found = self.session.execute(
            sa.select(Reminder.assessment_id, Reminder.channel, sa.func.max(Reminder.planned_for))
            .where(
                Reminder.assessment_id.in_(assessment_ids),
                Reminder.state == "planned",
                Reminder.due_at <= self.now,
            )
            .group_by(Reminder.assessment_id, Reminder.channel)
        )
        return {(assessment, channel): planned for assessment, channel, planned in found}

    def _opened(self, assessment_ids: Sequence[int]) -> set[int]:
        """Assessments about which a message was opened."""
        return set(
            self.session.scalars(
                sa.select(Reminder.assessment_id)
                .join(Message, Message.id == Reminder.message_id)
                .where(Reminder.assessment_id.in_(assessment_ids), Message.opened_at.is_not(None))
            )
        )

    def _today(self) -> dict[int, dict[str, Any]]:
        """The messages of today, by participant and channel."""
        days = {self._day(definition) for definition in self.definitions.values()}
        found: dict[int, dict[str, Any]] = {}
        for row in self.session.execute(
            sa.select(
                Message.participant_id,
                Message.channel,
                Message.day,
                Message.id,
                Message.public_id,
                Message.created_at,
                Message.accepted_at,
            ).where(Message.participant_id.in_(self.people), Message.day.in_(days))
        ):
            found.setdefault(row.participant_id, {})[row.channel] = row
        return found

    def _day(self, definition: StudyDefinition) -> date:
        return self.now.astimezone(definition.zone).date()

    def work(self) -> Work:
        """Decide, make messages, and write down everything that is settled without sending."""
        wanted: dict[tuple[int, Channel], list[Any]] = {}
        for row in self.rows:
            decision = self._decide(row)
            if decision.act is not Act.SEND:
                self._settle(row, decision)
            elif row.channel == Channel.COORDINATOR:
                self._update(row, state="listed", sent_at=self.now)
                self.result.tally.listed += 1
            else:
                wanted.setdefault((row.participant_id, Channel(row.channel)), []).append(row)
        self._reach(wanted)
        if self.updates:
            self.session.execute(finish, self.updates)
        reminders.add_fallback(self.session, self.fallbacks)
        self._write()
        return self.result

    def _minute(self, row: Any) -> tuple[StudyDefinition, Rules, int]:
        definition = self.definitions[row.study_id]
        rules = definition.reminders
        return definition, rules, rules.minute_of(row.reminder_minute, row.participant_id)

    def _decide(self, row: Any) -> Decision:
        definition, rules, minute = self._minute(row)
        facts = Facts(
            row.opens_at,
            row.closes_at,
            row.opens_at if row.begun else None,
            row.submitted_at,
            withdrawn_at=row.withdrawn_at,
            died_at=row.died_at,
            cancelled_at=row.cancelled_at,
        )
        ended = not_expected_reason(facts) or ""
        if not ended and (row.withdrawn_at is not None or row.died_at is not None):
            ended = "withdrawn" if row.died_at is None else "died"
        step = next((one for one in rules.steps if one.code == row.step), None)
        due = Due(
            channel=Channel(row.channel),
            status=Status.NOT_EXPECTED
            if ended and row.submitted_at is None
            else derive_status(facts, self.now, definition.grace),
            expires_at=row.expires_at,
            ended=ended,
            paused=row.paused_at is not None,
            offered=(row.instrument, row.language) not in self.withheld[row.study_id],
            later_due=row.planned_for < self.latest_due[row.assessment_id, row.channel],
            unless_opened=step is not None and step.unless_opened,
            opened=row.assessment_id in self.opened,
            messaged_today=self._messaged_today(row),
        )
        return decide(due, rules, minute, definition.zone, self.now)

    def _messaged_today(self, row: Any) -> bool:
        """Whether another message reached a service today; its own attempt before is no other."""
        return any(
            message.accepted_at is not None and message.id != row.message_id
            for message in self.today.get(row.participant_id, {}).values()
            if not self._covers(message, row)
        )

    def _covers(self, message: Any, row: Any) -> bool:
        """Whether a message of today already told of this reminder's assessment."""
        return (
            message.channel == row.channel
            and message.accepted_at is not None
            and row.due_at <= message.created_at
            and row.opens_at <= message.created_at
        )

    def _update(self, row: Any, **values: Any) -> None:
        """What to write of a reminder; the lease ends with it unless it is being sent."""
        self.updates.append(
            {
                "row": row.id,
                "state": "planned",
                "reason": None,
                "due_at": row.due_at,
                "message_id": row.message_id,
                "sent_at": None,
                "attempts": row.attempts,
                "lease": None,
                "lease_until": None,
                **values,
            }
        )

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

    def _reach(self, wanted: Mapping[tuple[int, Channel], list[Any]]) -> None:
        """Find the ways to each person; who has none falls to the next channel at once."""
        addresses = _addresses(self.session, [p for p, c in wanted if c is Channel.PUSH])
        emails = _emails(self.session, [p for p, c in wanted if c is Channel.EMAIL])
        blocked = _blocked(self.session, self.now)
        pushed: set[int] = set()
        going: list[tuple[int, Channel, list[Any]]] = []
        for (participant_id, channel), rows in sorted(
            wanted.items(), key=lambda one: one[0][1] is not Channel.PUSH
        ):
            fault = self._no_way(participant_id, channel, addresses, emails)
            if fault is not None:
                self._fall(rows, channel, fault)
            elif channel is Channel.PUSH and (
                until := _all_blocked(addresses[participant_id], blocked)
            ):
                self._wait(rows, until, "host_pause")
            elif participant_id in pushed:  # by push in this very batch
                self._one_a_day(rows)
            else:
                pushed.add(participant_id)
                going.append((participant_id, channel, rows))
        self._make_messages(going)
        for outgoing in self.result.outgoing.values():
            if outgoing.channel is Channel.PUSH:
                outgoing.addresses = tuple(
                    one
                    for one in addresses[outgoing.participant_id]
                    if blocked.get(one.host) is None
                )
        self.emails = emails

    def _no_way(
        self,
        participant_id: int,
        channel: Channel,
        addresses: Mapping[int, Sequence[Address]],
        emails: Mapping[int, bytes],
    ) -> str | None:
        if channel is Channel.PUSH:
            return None if addresses.get(participant_id) else "no_subscription"
        if self.office.post.mail is None:
            return "no_mail_server"
        return None if participant_id in emails else "no_address"

    def _fall(self, rows: Sequence[Any], channel: Channel, reason: str) -> None:
        for row in rows:
            self._update(row, state="failed", reason=reason)
            self.fallbacks += fallback(row, channel, self.now)
            self.result.tally.failed += 1

    def _wait(self, rows: Sequence[Any], until: datetime, reason: str) -> None:
        for row in rows:
            definition, rules, minute = self._minute(row)
            self._later(row, rules.not_quiet(until, minute, definition.zone), reason)

    def _one_a_day(self, rows: Sequence[Any]) -> None:
        for row in rows:
            definition, rules, minute = self._minute(row)
            self._later(row, rules.tomorrow(self.now, minute, definition.zone), "one_a_day")

    def _later(self, row: Any, until: datetime, reason: str) -> None:
        act = Act.MOVE if until < row.expires_at else Act.EXPIRE
        self._settle(row, Decision(act, reason, until))

    def _make_messages(self, going: Sequence[tuple[int, Channel, list[Any]]]) -> None:
        """A row for each message, unless today's exists: then it is this one's earlier attempt,
        or has told of it already, or is another worker's at this moment."""
        fresh: dict[str, tuple[int, Channel, list[Any]]] = {}
        for participant_id, channel, rows in going:
            message = self.today.get(participant_id, {}).get(channel)
            if message is None:
                fresh[secrets.token_urlsafe(12)] = (participant_id, channel, rows)
            elif message.accepted_at is None:
                own = [row for row in rows if row.message_id == message.id]
                if own or message.created_at + LEASE <= self.now:
                    self._send(message.id, message.public_id, participant_id, channel, rows)
                else:
                    self._wait(rows, self.now + BUSY, "busy")
            else:
                for row in rows:
                    self._update(row, state="sent", message_id=message.id, sent_at=self.now)
                    self.result.tally.sent += 1
        if fresh:
            made = self._insert(fresh)
            for public_id, (participant_id, channel, rows) in fresh.items():
                if public_id in made:
                    self._send(made[public_id], public_id, participant_id, channel, rows)
                else:
                    self._wait(rows, self.now + BUSY, "busy")

    def _insert(self, fresh: Mapping[str, tuple[int, Channel, list[Any]]]) -> dict[str, int]:
        """Make message rows: those that could be made, public id to row id."""
        reminders.insert_or_leave(
            self.session,
            Message,
            [
                {
                    "public_id": public_id,
                    "participant_id": participant_id,
                    "channel": channel.value,
                    "day": self._day(self.definitions[rows[0].study_id]),
                    "created_at": self.now,
                }
                for public_id, (participant_id, channel, rows) in fresh.items()
            ],
        )
        return {
            public_id: row_id
            for row_id, public_id in self.session.execute(
                sa.select(Message.id, Message.public_id).where(Message.public_id.in_(list(fresh)))
            )
        }

    def _send(
        self,
        message_id: int,
        public_id: str,
        participant_id: int,
        channel: Channel,
        rows: list[Any],
    ) -> None:
        definition, _, minute = self._minute(rows[0])
        self.result.outgoing[public_id] = Outgoing(
            message_id, public_id, participant_id, channel, rows, minute, definition
        )
        self.session.execute(hold, [{"row": row.id, "message_id": message_id} for row in rows])

    def _write(self) -> None:
        """Put every outgoing message into words."""
        waiting = _waiting(self.session, self.now, list(self.result.outgoing.values()))
        office = self.office
        for public_id, outgoing in self.result.outgoing.items():
            count, closes_at = waiting.get(outgoing.participant_id, (0, None))
            row = outgoing.rows[0]
            closes_at = closes_at or row.closes_at
            words = office.notices.reminder(
                row.language, max(count, 1), closes_at, outgoing.definition.zone
            )
            if outgoing.channel is Channel.EMAIL:
                email = self.emails[outgoing.participant_id]
                self.result.letters.append(office.letter(public_id, email, words, row.language))
                continue
            last = min(one.expires_at for one in outgoing.rows)
            steps = {step.code: step for step in outgoing.definition.reminders.steps}
            asked = any(one.step in steps and steps[one.step].urgent for one in outgoing.rows)
            self.result.pushes += office.pushes(
                public_id,
                outgoing.participant_id,
                outgoing.addresses,
                words,
                row.language,
                last - self.now,
                badge=max(count, 1),
                urgent=asked or last - self.now < timedelta(days=1),
            )


def _addresses(session: sa.Connection, people: Sequence[int]) -> dict[int, list[Address]]:
    """The living subscriptions of people, on devices that were not revoked."""
    found: dict[int, list[Address]] = {}
    if people:
        for row in session.execute(
            sa.select(
                Subscription.participant_id,
                Subscription.id,
                Subscription.host,
                Subscription.secret,
            )
            .join(Device, Device.id == Subscription.device_id)
            .where(
                Subscription.participant_id.in_(people),
                Subscription.state == "active",
                Device.revoked_at.is_(None),
            )
        ):
            found.setdefault(row[0], []).append(Address(*row[1:]))
    return found


def _emails(session: sa.Connection, people: Sequence[int]) -> dict[int, bytes]:
    """The encrypted addresses of people whose e-mails did not bounce."""
    if not people:
        return {}
    found = session.execute(
        sa.select(Contact.participant_id, Contact.email).where(
            Contact.participant_id.in_(people), Contact.bounced_at.is_(None)
        )
    )
    return {row.participant_id: row.email for row in found}


def _blocked(session: sa.Connection, now: datetime) -> dict[str, datetime]:
    """Push services that are left alone, and until when."""
    found = session.execute(
        sa.select(PushHost.host, PushHost.blocked_until).where(PushHost.blocked_until > now)
    )
    return {host: until for host, until in found if until is not None}


def _all_blocked(addresses: Iterable[Address], blocked: Mapping[str, datetime]) -> datetime | None:
    """Until when a person cannot be reached because of pauses; None if one way is free."""
    untils = [blocked.get(one.host) for one in addresses]
    known = [until for until in untils if until is not None]
    return min(known) if known and len(known) == len(untils) else None


def _waiting(
    session: sa.Connection, now: datetime, outgoing: Sequence[Outgoing]
) -> dict[int, tuple[int, datetime]]:
    """How many sets of questions each person has open, and when the first of them closes."""
    if not outgoing:
        return {}
    found = session.execute(
        sa.select(
            Assessment.participant_id,
            sa.func.count(),
            sa.func.min(Assessment.closes_at, type_=Assessment.closes_at.type),
        )
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .where(
            Assessment.participant_id.in_([one.participant_id for one in outgoing]),
            Assessment.opens_at <= now,
            Assessment.closes_at > now,
            Assessment.cancelled_at.is_(None),
            Submission.id.is_(None),
        )
        .group_by(Assessment.participant_id)
    )
    return {participant_id: (count, closes) for participant_id, count, closes in found}
