"""What is known of how participants can be reached, and whom the site should call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.models import (
    Assessment,
    Contact,
    Device,
    Message,
    Participant,
    Reminder,
    Subscription,
)
from pro_app.models import Call as LoggedCall
from pro_app.services import participants, status
from pro_app.services.calls import last_of, settled_since
from pro_app.services.reminders import is_paused
from pro_app.services.studies import CurrentStudy, of_kind


@dataclass(frozen=True, slots=True)
class Reachability:
    """What is known of how a participant can be reached; never more than that.

    `push` is `on`, `lost` (the push service knows the phone no more), `denied`, `unsupported`,
    `not_installed`, `off` or `no_phone`; `email` is `on`, `bounced` or `none`. The moments are
    the last ones: accepted by a service is not delivered, shown is the phone's own word, opened
    is certain. A pause may end by itself at `paused_until`.
    """

    push: str
    email: str
    paused: bool
    accepted_at: datetime | None
    shown_at: datetime | None
    opened_at: datetime | None
    paused_until: datetime | None = None

    @property
    def reachable(self) -> bool:
        """Whether any message can go at all."""
        return not self.paused and "on" in {self.push, self.email}


CHUNK = 1_000  # participants asked about in one statement; databases bound its parameters


def reachability(session: Session, participant_id: int, now: datetime) -> Reachability:
    """What is known at `now` of how to reach a participant."""
    return reachabilities(session, [participant_id], now)[participant_id]


def reachabilities(
    session: Session, participant_ids: Collection[int], now: datetime
) -> dict[int, Reachability]:
    """`reachability` of many, in as many statements as of one."""
    ids = sorted(set(participant_ids))
    found: dict[int, Reachability] = {}
    for start in range(0, len(ids), CHUNK):
        found |= _reachabilities(session, ids[start : start + CHUNK], now)
    return found


def _reachabilities(session: Session, ids: Sequence[int], now: datetime) -> dict[int, Reachability]:
    last = {
        row[0]: row[1:]
        for row in session.execute(
            sa.select(
                Message.participant_id,
                sa.func.max(Message.accepted_at),
                sa.func.max(Message.shown_at),
                sa.func.max(Message.opened_at),
            )
            .where(Message.participant_id.in_(ids))
            .group_by(Message.participant_id)
        )
    }
    devices = _living_devices(session, ids)
    subscriptions = _subscription_states(session, ids)
    rows = session.execute(
        sa.select(
            Participant.id,
            Participant.paused_at,
            Participant.paused_until,
            Contact.id,
            Contact.bounced_at,
        )
        .outerjoin(Contact, Contact.participant_id == Participant.id)
        .where(Participant.id.in_(ids))
    )
    found = {}
    for participant_id, paused_at, paused_until, contact_id, bounced_at in rows:
        email = "none" if contact_id is None else "on" if bounced_at is None else "bounced"
        push = _push_state(devices.get(participant_id, []), subscriptions)
        moments = last.get(participant_id, (None, None, None))
        paused = is_paused(paused_at, paused_until, now)
        until = paused_until if paused else None
        found[participant_id] = Reachability(push, email, paused, *moments, until)
    return found


def _living_devices(
    session: Session, ids: Sequence[int]
) -> dict[int, list[tuple[int, str | None]]]:
    """Each one's devices that are not signed out, the last used first: id and permission."""
    rows = session.execute(
        sa.select(Device.participant_id, Device.id, Device.permission)
        .where(Device.participant_id.in_(ids), Device.revoked_at.is_(None))
        .order_by(Device.used_at.desc(), Device.id.desc())
    )
    found: dict[int, list[tuple[int, str | None]]] = {}
    for participant_id, device_id, permission in rows:
        found.setdefault(participant_id, []).append((device_id, permission))
    return found


def _subscription_states(session: Session, ids: Sequence[int]) -> dict[int, set[str]]:
    """The states of the subscriptions of these participants' living devices, by device."""
    rows = session.execute(
        sa.select(Subscription.device_id, Subscription.state)
        .join(Device, Device.id == Subscription.device_id)
        .where(Device.participant_id.in_(ids), Device.revoked_at.is_(None))
    )
    found: dict[int, set[str]] = {}
    for device_id, state in rows:
        found.setdefault(device_id, set()).add(state)
    return found


def _push_state(
    devices: Sequence[tuple[int, str | None]], subscriptions: Mapping[int, set[str]]
) -> str:
    """How pushes reach a person with these devices, the last used first."""
    if not devices:
        return "no_phone"
    states: set[str] = set().union(*(subscriptions.get(one, set()) for one, _ in devices))
    if "active" in states:
        return "on"
    permissions = [permission for _, permission in devices]
    if "gone" in states and permissions[0] != "denied":
        return "lost"
    said = {"denied": "denied", "unsupported": "unsupported", "install": "not_installed"}
    return next((said[one] for one in permissions if one in said), "off")


@dataclass(frozen=True, slots=True)
class Call:
    """A line of the site's list of people to call: whose questionnaire, since when, and why.
    `assessment` is its public name."""

    number: str
    assessment: str
    timepoint: str
    occurrence: int
    instrument: str
    since: datetime | None
    closes_at: datetime
    status: Status
    reachability: Reachability
    last: LoggedCall | None = None  # the last call to this person, about whatever


FEW = 20  # sites whose participants are looked through one by one


def undone(
    study: CurrentStudy,
    site_ids: frozenset[int] | None,
    now: datetime,
    grace: timedelta,
) -> sa.ColumnElement[bool]:
    """Of an assessment and its participant: that it belongs to these sites, can be answered now,
    and is not; see `status.undone`."""
    among = participants.among(study, site_ids)
    if site_ids is None or len(site_ids) > FEW:
        # of many people few have something open: the casts, which PostgreSQL leaves out, keep
        # SQLite from going by the indexes of participants in place of the one of windows
        among = sa.cast(Participant.study_id, sa.Integer) == study.id
        among &= of_kind(study)
        if site_ids is not None:
            among &= sa.cast(Participant.site_id, sa.Integer).in_(sorted(site_ids))
    return among & status.undone(now, grace, study.wordings.withheld)


def calls(
    session: Session,
    study: CurrentStudy,
    now: datetime,
    site_ids: frozenset[int] | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> list[Call]:
    """Whom the site should call: the last step of the ladder, while it is still open and undone.

    Who was spoken with since then is no more on the list; a try without that leaves it there.
    Those of `site_ids`, or of all sites; `limit` of them from `offset` on.
    """
    return counted_calls(session, study, now, site_ids, limit, offset)[0]


def counted_calls(
    session: Session,
    study: CurrentStudy,
    now: datetime,
    site_ids: frozenset[int] | None,
    limit: int | None,
    offset: int = 0,
) -> tuple[list[Call], int]:
    """`calls`, and how many there are without a limit."""
    listed = _listed(study, now, site_ids)
    page = listed.add_columns(sa.func.count().over().label("total"))
    rows = session.execute(
        page.order_by(Participant.number, Assessment.opens_at, Assessment.place, Assessment.id)
        .limit(limit)
        .offset(offset)
    ).all()
    total = rows[0].total if rows else 0
    if offset and not rows:
        counted = sa.select(sa.func.count()).select_from(listed.subquery())
        total = session.scalar(counted) or 0
    known = reachabilities(session, [row.id for row in rows], now)
    last = last_of(session, known)
    found = [
        Call(
            row.number,
            row.public_id,
            row.timepoint,
            row.occurrence,
            row.instrument,
            row.since,
            row.closes_at,
            Status(row.status),
            known[row.id],
            last.get(row.id),
        )
        for row in rows
    ]
    return found, total


def _listed(
    study: CurrentStudy, now: datetime, site_ids: frozenset[int] | None
) -> sa.Select[*tuple[Any, ...]]:
    listed = sa.select(Reminder.assessment_id).where(Reminder.state == "listed")
    waiting = (
        sa.select(sa.func.min(Reminder.sent_at, type_=Assessment.opens_at.type))
        .where(Reminder.assessment_id == Assessment.id, Reminder.state == "listed")
        .where(~settled_since(Reminder.sent_at))
        .correlate(Assessment, Participant)
    )
    return (
        sa.select(
            Participant.number,
            Assessment.public_id,
            Assessment.timepoint,
            Assessment.occurrence,
            Assessment.instrument,
            waiting.scalar_subquery().label("since"),
            Assessment.closes_at,
            sa.case((status.begun, Status.IN_PROGRESS.value), else_=Status.OPEN.value).label(
                "status"
            ),
            Participant.id,
        )
        .select_from(Assessment)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(undone(study, site_ids, now, timedelta()))
        .where(Assessment.id.in_(listed), waiting.with_only_columns(Reminder.id).exists())
    )
