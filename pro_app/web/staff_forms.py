"""What people of the staff type into forms, as values."""

from __future__ import annotations

import re
from datetime import date


def day(text: str) -> date | None:
    """A day as a browser writes it; None for anything else."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        return None
