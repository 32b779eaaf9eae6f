"""Writing down what the push and mail services answered."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pro_app.delivery import Accepted, Gone, Misconfigured, Outcome, Retry, backoff
from pro_app.delivery.outcomes import LONGEST_WAIT
from pro_app.models import Contact, Delivery, Message, PushHost, Reminder, Subscription
from pro_app.services import alarms, reminders
from pro_app.services.outgoing import (
    Claim,
    Key,
    Outgoing,
    Tally,
    fallback,
    finish_held,
    finish_sent,
    finished,
    lock_people,
    wait_until,
)
from pro_app.services.post_office import Address, PostOffice

MISCONFIGURED_WAIT = timedelta(hours=1)  # the operator has been told
FAILURES = 5  # of a host, one after another, until it is left alone
HOST_PAUSE = timedelta(minutes=5)

_OUTCOMES = {Accepted: "accepted", Gone: "gone", Retry: "retry", Misconfigured: "misconfigured"}


def record(
    office: PostOffice, claimed: Claim, sent: Sequence[Outgoing], answers: Mapping[Key, Outcome]
) -> Tally:
    """Write down what the services answered to these messages, in one transaction.

    What was accepted is written whatever became of the lease; else who has lost it writes no
    reminder.
    """
    if not sent:
        return Tally()
    with office.database.writing_rows() as session:
        lock_people(session, sorted({one.participant_id for one in sent}))
        recording = _Recording(session, claimed.lease, office.clock())
        for outgoing in sent:
            recording.note(outgoing, answers)
        recording.write()
        return recording.tally


class _Recording:
    """One batch's answers."""

    def __init__(self, session: sa.Connection, lease: str, now: datetime) -> None:
        self.session, self.lease, self.now = session, lease, now
        self.sent: list[dict[str, Any]] = []  # reminders
        self.unsent: list[dict[str, Any]] = []
        self.fallbacks: dict[int, list[dict[str, Any]]] = {}  # by reminder
        self.deliveries: list[dict[str, Any]] = []
        self.messages: list[int] = []  # accepted by some service
        self.accepted: list[int] = []  # subscriptions
        self.gone: list[int] = []
        self.bounced: list[dict[str, Any]] = []  # e-mail addresses
        self.hosts: dict[str, list[Outcome]] = {}
        self.alarms: Counter[tuple[str, str]] = Counter()
        self.tally = Tally()

    # --- what the answers mean ------------------------------------------------------------------

    def note(self, outgoing: Outgoing, answers: Mapping[Key, Outcome]) -> None:
        """A message's answers: what each says of its way, and all of the reminders."""
        outcomes = []
        ways: Sequence[Address | None] = outgoing.addresses or (None,)
        for way in ways:
            key = (outgoing.public_id, None if way is None else way.subscription_id)
            outcome = answers.get(key, Retry(None, None, "no_answer"))
            outcomes.append(outcome)
            self._note_way(outgoing, way, outcome)
        self._note_reminders(outgoing, outcomes)

    def _note_way(self, outgoing: Outgoing, way: Address | None, outcome: Outcome) -> None:
        self.deliveries.append(
            {
                "message_id": outgoing.id,
                "subscription_id": None if way is None else way.subscription_id,
                "at": self.now,
                "outcome": _OUTCOMES[type(outcome)],
                "status": outcome.status,
                "reason": getattr(outcome, "reason", None),
            }
        )
        if isinstance(outcome, Misconfigured):
            status = "no answer" if outcome.status is None else f"status {outcome.status}"
            where = "" if way is None else f" of {way.host}"
            code = f"{outgoing.channel.value}_misconfigured"
            self.alarms[code, f"{status}{where}: {outcome.reason}"] += 1
        if way is not None:
            self.hosts.setdefault(way.host, []).append(outcome)
            if isinstance(outcome, Accepted):
                self.accepted.append(way.subscription_id)
            elif isinstance(outcome, Gone):
                self.gone.append(way.subscription_id)
        elif isinstance(outcome, Gone):
            self.bounced.append({"whose": outgoing.participant_id, "which": outgoing.email})

    def _note_reminders(self, outgoing: Outgoing, outcomes: Sequence[Outcome]) -> None:
        """The best of a message's outcomes counts for the reminders that it stands for."""
        retry = next((one for one in outcomes if isinstance(one, Retry)), None)
        if any(isinstance(one, Accepted) for one in outcomes):
            self.messages.append(outgoing.id)
            for row in outgoing.rows:
                values = {"state": "sent", "sent_at": self.now, "message_id": outgoing.id}
                self.sent.append(finished(row, values))
            self.tally.sent += len(outgoing.rows)
        elif retry is not None:
            for row in outgoing.rows:
                wait = retry.after or backoff(row.attempts, secrets.randbelow(1_000) / 1_000)
                self._again(row, outgoing, wait, retry.reason)
        elif any(isinstance(one, Misconfigured) for one in outcomes):
            for row in outgoing.rows:
                self._again(row, outgoing, MISCONFIGURED_WAIT, "misconfigured")
        else:
            for row in outgoing.rows:
                self._unsent(row, outgoing, state="failed", reason="gone")
                self.fallbacks[row.id] = fallback(row, outgoing.channel, self.now)
            self.tally.failed += len(outgoing.rows)

    def _again(self, row: Any, outgoing: Outgoing, wait: timedelta, reason: str) -> None:
        """Try again later, out of quiet hours; after closing no more."""
        due = wait_until(self.now + wait, row, outgoing.definition, outgoing.minute)
        attempts = row.attempts + 1
        if due is not None:
            self._unsent(row, outgoing, due_at=due, reason=reason, attempts=attempts)
            self.tally.retried += 1
        else:
            self._unsent(row, outgoing, state="expired", reason=reason, attempts=attempts)
            self.tally.expired += 1

    def _unsent(self, row: Any, outgoing: Outgoing, **values: Any) -> None:
        values = {"message_id": outgoing.id, **values}
        self.unsent.append({"held": self.lease, **finished(row, values)})

    # --- writing it down ------------------------------------------------------------------------

    def write(self) -> None:
        """Write everything that was noted. Fallbacks come before the lease ends."""
        if self.fallbacks:
            self._fall_back()
        if self.sent:
            self.session.execute(finish_sent, self.sent)
        if self.unsent:
            self.session.execute(finish_held, self.unsent)
        self.session.execute(sa.insert(Delivery.__table__), self.deliveries)  # type: ignore[arg-type]
        self._set(Message, self.messages, accepted_at=self.now)
        self._set(Subscription, self.accepted, accepted_at=self.now)
        living = Subscription.state == "active"  # who turned it off meanwhile has lost nothing
        self._set(Subscription, self.gone, living, state="gone", gone_at=self.now)
        if self.bounced:
            self.session.execute(_bounce, [{"at": self.now, **one} for one in self.bounced])
        for (code, detail), times in self.alarms.items():
            alarms.sound(self.session, code, detail, self.now, times)
        for host in sorted(self.hosts):  # everybody in this order: nobody waits in a circle
            _judge(self.session, host, self.hosts[host], self.now)

    def _fall_back(self) -> None:
        """Plan the next channel, for reminders that are still ours: others may be done by now."""
        held = self.session.scalars(
            sa.select(Reminder.id).where(
                Reminder.id.in_(list(self.fallbacks)),
                Reminder.lease == self.lease,
                Reminder.state == "planned",
            )
        )
        rows = [row for one in held for row in self.fallbacks[one]]
        reminders.add_fallback(self.session, rows)

    def _set(
        self, table: Any, ids: Sequence[int], *which: sa.ColumnElement[bool], **values: Any
    ) -> None:
        if ids:
            change = sa.update(table).where(table.id.in_(ids), *which).values(**values)
            self.session.execute(change)


_contact = Contact.__table__.c
_bounce = (
    sa.update(Contact.__table__)  # type: ignore[arg-type]
    .where(
        _contact.participant_id == sa.bindparam("whose"),
        _contact.email == sa.bindparam("which"),  # and not one that was given since
    )
    .values(bounced_at=sa.bindparam("at"))
)


def _judge(session: sa.Connection, host: str, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Count a host's failures one after another; enough of them, or its own wish, pause it."""
    found = sa.select(PushHost.failures, PushHost.blocked_until).where(PushHost.host == host)
    known = session.execute(found).first()
    failed = any(isinstance(one, Retry) for one in outcomes)
    if not failed and (known is None or not known.failures):
        return
    reminders.insert_or_leave(session, PushHost, [{"host": host, "failures": 0}])
    failures, blocked = session.execute(found.with_for_update()).one()
    wish = timedelta()
    for outcome in outcomes:
        failures = failures + 1 if isinstance(outcome, Retry) else 0
        if isinstance(outcome, Retry) and outcome.after is not None:
            wish = max(wish, outcome.after)
    if failures >= FAILURES:
        wish = max(wish, HOST_PAUSE)
    if wish:  # another worker may have heard of a longer one
        blocked = min(max(blocked or now, now + wish), now + LONGEST_WAIT)
    session.execute(
        sa.update(PushHost)
        .where(PushHost.host == host)
        .values(failures=failures, blocked_until=blocked)
    )
