"""What people of the staff type into forms, as values, and values as they read them."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from pro_app.core.schedule import local
from pro_app.models import Staff
from pro_app.services import staff_sign_in


def clock_time(minute: int) -> str:
    """A time of day, given in minutes after midnight, as clocks show it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def day(text: str) -> date | None:
    """A day as a browser writes it; None for anything else."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        return None


def time_of_day(text: str) -> time | None:
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


def password_fault(password: str, again: str, person: Staff) -> tuple[str, str] | None:
    """The field, and why a new password cannot be taken; None if it can."""
    faults = {
        "short": _("Please choose at least %(count)d characters.", count=staff_sign_in.SHORTEST),
        "long": _("Please choose at most %(count)d characters.", count=staff_sign_in.LONGEST),
        "easy": _("This password is easy to guess. Please choose another one."),
    }
    fault = staff_sign_in.password_fault(password, person)
    if fault is not None:
        return "password", faults[fault]
    if password != again:
        return "again", _("The two passwords differ. Please type the same one twice.")
    return None
