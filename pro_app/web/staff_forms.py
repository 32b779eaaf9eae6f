"""What people of the staff type into forms, as values."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from pro_app.core.schedule import local


def day(text: str) -> date | None:
    """A day as a browser writes it; None for anything else."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        return None


def clock_time(text: str) -> time | None:
    """A time of the day as a browser writes it; None for anything else."""
    try:
        return time.fromisoformat(text) if re.fullmatch(r"\d{2}:\d{2}", text) else None
    except ValueError:
        return None


def moment(on: date, at: time, zone: ZoneInfo) -> datetime | None:
    """When clocks in the zone showed this; None for a day that no calendar of ours reaches."""
    try:
        return local(on, at.hour * 60 + at.minute, zone)
    except OverflowError:
        return None
