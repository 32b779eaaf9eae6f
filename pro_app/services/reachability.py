"""What is known of how participants can be reached, and whom the site should call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.core.library import Library
from pro_app.models import (
    Assessment,
    Contact,
    Device,
    Message,
    Participant,
    Reminder,
    Submission,
    Subscription,
)
from pro_app.models import Call as LoggedCall
from pro_app.services import status
from pro_app.services.calls import last_of
from pro_app.services.reminders import is_paused
from pro_app.services.studies import CurrentStudy


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


def reachability(session: Session, participant_id: int, now: datetime) -> Reachability:
    """What is known at `now` of how to reach a participant."""
    participant = session.get_one(Participant, participant_id)
    bounced = session.execute(
        sa.select(Contact.bounced_at).where(Contact.participant_id == participant_id)
    ).first()
    email = "none" if bounced is None else "on" if bounced[0] is None else "bounced"
    last = session.execute(
        sa.select(
            sa.func.max(Message.accepted_at),
            sa.func.max(Message.shown_at),
            sa.func.max(Message.opened_at),
        ).where(Message.participant_id == participant_id)
    ).one()
    paused = is_paused(participant.paused_at, participant.paused_until, now)
    until = participant.paused_until if paused else None
    return Reachability(_push_state(session, participant_id), email, paused, *last, until)


def _push_state(session: Session, participant_id: int) -> str:
    devices = session.execute(
        sa.select(Device.id, Device.permission)
        .where(Device.participant_id == participant_id, Device.revoked_at.is_(None))
        .order_by(Device.used_at.desc(), Device.id.desc())
    ).all()
    if not devices:
        return "no_phone"
    states = set(
        session.scalars(
            sa.select(Subscription.state).where(
                Subscription.device_id.in_([one.id for one in devices])
            )
        )
    )
    if "active" in states:
        return "on"
    if "gone" in states and devices[0].permission != "denied":
        return "lost"
    said = {"denied": "denied", "unsupported": "unsupported", "install": "not_installed"}
    return next((said[one.permission] for one in devices if one.permission in said), "off")


@dataclass(frozen=True, slots=True)
class Call:
    """A line of the site's list of people to call: whose questionnaire, since when, and why."""

    number: str
    timepoint: str
    occurrence: int
    instrument: str
    since: datetime | None
    closes_at: datetime
    status: Status
    reachability: Reachability
    last: LoggedCall | None = None  # the last call to this person, about whatever


UNDONE = (Status.OPEN.value, Status.IN_PROGRESS.value)


def calls(session: Session, study: CurrentStudy, library: Library, now: datetime) -> list[Call]:
    """Whom the site should call: the last step of the ladder, while it is still open and undone."""
    definition = study.definition
    state = status.expression(now, definition.grace, library.withheld(definition))
    rows = session.execute(
        sa.select(
            Participant.number,
            Assessment.timepoint,
            Assessment.occurrence,
            Assessment.instrument,
            sa.func.min(Reminder.sent_at, type_=Assessment.opens_at.type).label("since"),
            Assessment.closes_at,
            state.label("status"),
            Participant.id,
        )
        .join(Participant, Participant.id == Reminder.participant_id)
        .join(Assessment, Assessment.id == Reminder.assessment_id)
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .where(Participant.study_id == study.id, Reminder.state == "listed")
        .where(state.in_(UNDONE), Assessment.closes_at > now)
        .group_by(Participant.id, Assessment.id, Submission.id)
        .order_by(Participant.number, Assessment.opens_at, Assessment.place)
    ).all()
    known = {row.id: reachability(session, row.id, now) for row in rows}
    last = last_of(session, known)
    return [Call(*row[:6], Status(row.status), known[row.id], last.get(row.id)) for row in rows]
