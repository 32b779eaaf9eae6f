"""What is known of the phone that shows a page, in the words of pages and their script."""

from __future__ import annotations

from flask import request

from pro_app.services.reach import Phone
from pro_app.web.house import house

LATER = "reminders"  # the cookie of a phone whose owner has put the question off


def facts(phone: Phone) -> dict[str, str]:
    """What the script compares with what the browser says of itself (see `reminders.js`).

    A subscription made with another key of ours counts as none.
    """
    office = house().post_office
    current = phone.subscribed if phone.key_id == office.key_id else None
    return {
        "wanted": "yes" if phone.subscribed or phone.lost else "",
        "subscribed": current or "",
        "key": office.application_key,
        "permission": phone.permission or "",
        "installed": {None: "", True: "yes", False: "no"}[phone.installed],
    }


def state(phone: Phone) -> str:
    """`on`, `lost`, `denied`, `unsupported`, `install`, or `off`: as last heard of."""
    if phone.subscribed:
        return "on"
    if phone.permission in {"denied", "unsupported", "install"}:
        return phone.permission
    return "lost" if phone.lost else "off"


def is_undecided(phone: Phone) -> bool:
    """Whether nobody has said on this phone yet if it should remind."""
    waiting = phone.permission in {None, "default", "install"}
    return waiting and not (phone.subscribed or phone.lost or LATER in request.cookies)
