"""What every view reaches for: settings, database, instruments, and the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from flask import Flask, current_app

from pro_app.config import Settings
from pro_app.core.library import Library
from pro_app.models import Database
from pro_app.services.post_office import PostOffice

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class House:
    """Made once by `build`; views get it by `house()`."""

    settings: Settings
    database: Database
    library: Library
    clock: Clock
    post_office: PostOffice


def system_clock() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


def furnish(app: Flask, house: House) -> None:
    """Keep the house in the application."""
    app.extensions["pro_app"] = house


def house() -> House:
    """The house of the application that answers this request."""
    return cast(House, current_app.extensions["pro_app"])
