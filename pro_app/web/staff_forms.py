"""What people of the staff type into forms, as values, and values as they read them."""

from __future__ import annotations

import re
from datetime import date


def clock_time(minute: int) -> str:
    """A time of day, given in minutes after midnight, as clocks show it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def day(text: str) -> date | None:
    """A day as a browser writes it; None for anything else."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        return None
