"""Alarms: what only the operator can mend. One line each, however often it comes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from pro_app.models import Alarm, Transaction

LONGEST_DETAIL = 200  # characters

log = logging.getLogger(__name__)


def sound(session: Transaction, code: str, detail: str, now: datetime, times: int = 1) -> None:
    """Raise an alarm, or count it again if it is open. It is logged every time."""
    detail = detail[:LONGEST_DETAIL]
    log.error("alarm %s: %s", code, detail)
    again = session.execute(
        sa.update(Alarm)
        .where(Alarm.code == code, Alarm.detail == detail, Alarm.cleared_at.is_(None))
        .values(count=Alarm.count + times, last_at=now)
    )
    if not again.rowcount:  # type: ignore[attr-defined]
        session.execute(
            sa.insert(Alarm).values(
                code=code, detail=detail, count=times, first_at=now, last_at=now
            )
        )


def clear(session: Transaction, code: str, now: datetime) -> None:
    """Close every open alarm of this kind."""
    session.execute(
        sa.update(Alarm)
        .where(Alarm.code == code, Alarm.cleared_at.is_(None))
        .values(cleared_at=now)
    )


def open_ones(session: Transaction) -> Sequence[sa.Row[str, str, int, datetime, datetime]]:
    """The open alarms: code, detail, count, first and last time."""
    return session.execute(
        sa.select(Alarm.code, Alarm.detail, Alarm.count, Alarm.first_at, Alarm.last_at)
        .where(Alarm.cleared_at.is_(None))
        .order_by(Alarm.first_at)
    ).all()
