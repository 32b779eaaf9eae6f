"""pro_app: questionnaires of clinical trials on participants' phones, in four languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from pro_app.config import Settings
    from pro_app.web.house import Clock


def create_app(settings: Settings, clock: Clock | None = None) -> Flask:
    """The web application. `clock` gives the moment in UTC; the system's if left out.

    The web layer is imported here, so that the command line starts without it.
    """
    from pro_app.web.app import build

    return build(settings, clock)
