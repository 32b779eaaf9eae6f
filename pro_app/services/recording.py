"""Writing down what the push and mail services answered."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pro_app.delivery import Accepted, Gone, Misconfigured, Outcome, Retry, backoff
from pro_app.models import (
    Contact,
    Delivery,
    Message,
    PushHost,
    Subscription,
)
from pro_app.services import alarms, reminders
from pro_app.services.outgoing import (
    Claim,
    Outgoing,
    Tally,
    Work,
    fallback,
    finish_own,
)
from pro_app.services.post_office import Address, PostOffice

MISCONFIGURED_WAIT = timedelta(hours=1)  # the operator has been told
FAILURES = 5  # of a host, one after another, until it is left alone
HOST_PAUSE = timedelta(minutes=5)


def record(
    office: PostOffice,
    claimed: Claim,
    work: Work,
    answers: Mapping[tuple[str, int | None], Outcome],
) -> Tally:
    """Write down what the services answered; who has lost the lease writes no reminder."""
    if not work.outgoing:
        return Tally()
    with office.database.writing_rows() as session:
        return _Recording(session, claimed, office.clock()).record(work, answers)


class _Recording:
    """One batch's answers."""

    def __init__(self, session: sa.Connection, claimed: Claim, now: datetime) -> None:
        self.session, self.claimed, self.now = session, claimed, now
        self.updates: list[dict[str, Any]] = []
        self.deliveries: list[dict[str, Any]] = []
        self.fallbacks: list[dict[str, Any]] = []
        self.accepted: list[int] = []  # subscriptions
        self.gone: list[int] = []
        self.bounced: list[int] = []  # participants
        self.messages: list[int] = []
        self.hosts: dict[str, list[Outcome]] = {}
        self.tally = Tally()

    def record(self, work: Work, answers: Mapping[tuple[str, int | None], Outcome]) -> Tally:
        for outgoing in work.outgoing.values():
            self._note(outgoing, self._answers(outgoing, answers))
        execute = self.session.execute
        if self.deliveries:
            execute(sa.insert(Delivery.__table__), self.deliveries)  # type: ignore[arg-type]
        if self.messages:
            execute(
                sa.update(Message).where(Message.id.in_(self.messages)).values(accepted_at=self.now)
            )
        if self.accepted:
            execute(
                sa.update(Subscription)
                .where(Subscription.id.in_(self.accepted))
                .values(accepted_at=self.now)
            )
        if self.gone:
            execute(
                sa.update(Subscription)
                .where(Subscription.id.in_(self.gone))
                .values(state="gone", gone_at=self.now)
            )
        if self.bounced:
            execute(
                sa.update(Contact)
                .where(Contact.participant_id.in_(self.bounced))
                .values(bounced_at=self.now)
            )
        if self.updates:
            execute(finish_own, self.updates)
        reminders.add_fallback(self.session, self.fallbacks)
        for host, outcomes in self.hosts.items():
            _judge(self.session, host, outcomes, self.now)
        return self.tally

    def _answers(
        self, outgoing: Outgoing, answers: Mapping[tuple[str, int | None], Outcome]
    ) -> list[Outcome]:
        """A message's outcomes, each written down with what it says of its way."""
        found = []
        ways: Sequence[Address | None] = outgoing.addresses or (None,)
        for way in ways:
            key = (outgoing.public_id, None if way is None else way.subscription_id)
            outcome = answers.get(key, Retry(None, None, "no_answer"))
            found.append(outcome)
            self.deliveries.append(_delivery(outgoing.id, way, outcome, self.now))
            if way is None:
                if isinstance(outcome, Gone):
                    self.bounced.append(outgoing.participant_id)
                continue
            self.hosts.setdefault(way.host, []).append(outcome)
            if isinstance(outcome, Accepted):
                self.accepted.append(way.subscription_id)
            elif isinstance(outcome, Gone):
                self.gone.append(way.subscription_id)
        return found

    def _note(self, outgoing: Outgoing, outcomes: Sequence[Outcome]) -> None:
        """What a message's outcomes mean for its reminders: the best of them counts."""
        rows = outgoing.rows
        if any(isinstance(one, Accepted) for one in outcomes):
            self.messages.append(outgoing.id)
            for row in rows:
                self._update(row, outgoing, state="sent", sent_at=self.now)
            self.tally.sent += len(rows)
            return
        retry = next((one for one in outcomes if isinstance(one, Retry)), None)
        wrong = next((one for one in outcomes if isinstance(one, Misconfigured)), None)
        if wrong is not None:
            alarms.sound(
                self.session,
                f"{outgoing.channel.value}_misconfigured",
                f"status {wrong.status}: {wrong.reason}",
                self.now,
            )
        for row in rows:
            if retry is not None:
                wait = retry.after or backoff(row.attempts + 1, secrets.randbelow(1_000) / 1_000)
                self._again(row, outgoing, wait, retry.reason)
            elif wrong is not None:
                self._again(row, outgoing, MISCONFIGURED_WAIT, "misconfigured")
            else:
                self._update(row, outgoing, state="failed", reason="gone")
                self.fallbacks += fallback(row, outgoing.channel, self.now)
                self.tally.failed += 1

    def _again(self, row: Any, outgoing: Outgoing, wait: timedelta, reason: str) -> None:
        """Try again later, out of quiet hours; after closing no more."""
        definition = outgoing.definition
        due = definition.reminders.not_quiet(self.now + wait, outgoing.minute, definition.zone)
        if due < row.expires_at:
            self._update(row, outgoing, due_at=due, reason=reason, attempts=row.attempts + 1)
            self.tally.retried += 1
        else:
            self._update(row, outgoing, state="expired", reason=reason)
            self.tally.expired += 1

    def _update(self, row: Any, outgoing: Outgoing, **values: Any) -> None:
        self.updates.append(
            {
                "row": row.id,
                "held": self.claimed.lease,
                "state": "planned",
                "reason": None,
                "due_at": row.due_at,
                "message_id": outgoing.id,
                "sent_at": None,
                "attempts": row.attempts,
                "lease": None,
                "lease_until": None,
                **values,
            }
        )


_OUTCOMES = {Accepted: "accepted", Gone: "gone", Retry: "retry", Misconfigured: "misconfigured"}


def _delivery(
    message_id: int, way: Address | None, outcome: Outcome, now: datetime
) -> dict[str, Any]:
    return {
        "message_id": message_id,
        "subscription_id": None if way is None else way.subscription_id,
        "at": now,
        "outcome": _OUTCOMES[type(outcome)],
        "status": outcome.status,
        "reason": getattr(outcome, "reason", None),
    }


def _judge(session: sa.Connection, host: str, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Count a host's failures one after another; enough of them, or its own wish, pause it."""
    known = session.execute(
        sa.select(PushHost.failures).where(PushHost.host == host)
    ).scalar_one_or_none()
    failures, wish = known or 0, timedelta()
    for outcome in outcomes:
        failures = failures + 1 if isinstance(outcome, Retry) else 0
        if isinstance(outcome, Retry) and outcome.after is not None:
            wish = max(wish, outcome.after)
    if failures >= FAILURES:
        wish = max(wish, HOST_PAUSE)
    if failures == (known or 0) and not wish:
        return
    if known is None:
        reminders.insert_or_leave(session, PushHost, [{"host": host, "failures": 0}])
    session.execute(
        sa.update(PushHost)
        .where(PushHost.host == host)
        .values(failures=failures, blocked_until=now + wish if wish else None)
    )
