"""Connecting an authenticator app: the picture to scan, and the first code that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import segno
from flask import session
from flask_babel import gettext as _
from markupsafe import Markup

from pro_app.services import staff_sign_in
from pro_app.web.house import house

KEPT = "staff_secret"  # in this browser's session, until the app has shown the right code


@dataclass(frozen=True, slots=True)
class NewApp:
    """What an app is told: the picture to scan, or the key to type, in groups of four."""

    picture: Markup
    key: str


def new(email: str) -> NewApp:
    """What the page shows; the same again while this browser is not done."""
    given = session.setdefault(KEPT, staff_sign_in.new_secret())
    name = house().post_office.notices.app_name("en")
    address = staff_sign_in.provisioning(given, email, name)
    picture = segno.make(address, error="m").svg_inline(scale=4, border=2, omitsize=True)
    typed = staff_sign_in.typed_secret(given)
    fours = " ".join(typed[place : place + 4] for place in range(0, len(typed), 4))
    return NewApp(Markup(picture), fours)  # noqa: S704 (a drawing of squares)


def secret() -> str | None:
    """What this browser was shown; None if nothing was."""
    found: str | None = session.get(KEPT)
    return found


def forget() -> None:
    """It is kept elsewhere now."""
    session.pop(KEPT, None)


def code_fault(code: str, now: datetime) -> tuple[str, str] | None:
    """The field, and why the app's first code is not right; None if it is."""
    given = secret()
    if given is not None and staff_sign_in.opens(given, code, now):
        return None
    wrong = _(
        "This is not the code that the app shows now. Please scan the picture, and try again."
    )
    return "code", wrong
