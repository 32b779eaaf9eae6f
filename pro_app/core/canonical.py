"""One text for one content, so that a hash over it holds on every machine and for decades.

Keys sorted, no spaces, NFC, moments in UTC; only what JSON has, besides moments and days.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import UTC, date, datetime
from typing import Any


def canonical(content: Any) -> str:
    """The content as canonical JSON; TypeError for what has no such form."""
    text = json.dumps(
        content,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
        default=_plain,
    )
    return unicodedata.normalize("NFC", text)


def sha256(domain: str, content: Any) -> str:
    """The SHA-256, in hex, of the content under the name of what it is."""
    return hashlib.sha256(f"{domain}\n{canonical(content)}".encode()).hexdigest()


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no canonical form")
