"""What the staff's pages say of the account of whoever is signed in."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import session
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from pro_app.web import layout, locale
from pro_app.web.staff_words import Words

UTC = ZoneInfo("UTC")
NEWS: Words = {  # see services.account.news
    "wait": _l("After five wrong passwords or codes in a row the account had to wait."),
    "add_passkey": _l("A passkey was added. It signs in without password and code."),
    "renew_second_factor": _l("Another authenticator app was connected."),
    "change_password": _l("The password was changed."),
    "renew_recovery_codes": _l("Ten new recovery codes were made."),
    "set_up_sign_in": _l("Password and authenticator app were set up anew with an invitation."),
}
HAPPENED: Words = {  # see services.account.WAYS
    "sign_in": _l("signed in"),
    "sign_in/code": _l("signed in with password and code"),
    "sign_in/passkey": _l("signed in with a passkey"),
    "sign_in/invitation": _l("set up the account, and signed in"),
    "wrong_password": _l("wrong password"),
    "wrong_code": _l("wrong code after the right password"),
    "refuse_passkey": _l("a passkey was refused"),
    "use_recovery_code": _l("a recovery code was used"),
}


def happened(action: str, by: str | None) -> LazyString:
    """What a line of the last sign-ins says."""
    return HAPPENED.get(f"{action}/{by}", HAPPENED[action])


def zone() -> ZoneInfo:
    """Whose time the pages of an account show: the study's, or the world's where it is in none
    or in several."""
    found = layout.study()
    return UTC if found is None else found.definition.zone


def when(moment: datetime) -> str:
    """A moment in few words, in that zone."""
    return locale.short_text(moment, zone(), layout.language())


def place() -> str:
    """Whose time it is."""
    found = zone()
    return "UTC" if found is UTC else locale.zone_name(found.key, layout.language())


def news() -> list[tuple[str, LazyString]]:
    """What happened to the account and its owner has not said to have read: when, and what."""
    return [
        (when(datetime.fromisoformat(at)), NEWS[action])
        for action, at in session.get("staff_news", [])
    ]
