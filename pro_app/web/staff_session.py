"""Beginning a session of the staff, by whichever way: the person is told what happened to the
account since."""

from __future__ import annotations

from flask import session, url_for

from pro_app.services import account, staff_sign_in
from pro_app.web import kept
from pro_app.web.house import house

HALF_WAY = ("staff_half", "staff_invitation", "staff_secret", "staff_next", "staff_news")


def begin(staff_id: int, how: str) -> tuple[str, str]:
    """Begin a session: the token for its cookie, and where the person was going.

    `how` is `code`, `passkey` or `invitation`; who has just set up the account needs no news.
    """
    with house().database.writing() as database:
        token = staff_sign_in.start(database, staff_id, house().clock(), how)
        found = [] if how == "invitation" else account.news(database, staff_id)
    to = str(session.get("staff_next") or url_for("staff.home"))
    for name in HALF_WAY:
        session.pop(name, None)
    kept.own_pages(staff_id, renew=True)
    if found:
        session["staff_news"] = [[one.action, one.at.isoformat()] for one in found]
    return token, to
