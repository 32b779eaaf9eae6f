"""Beginning a session of the staff, by whichever way: tries are counted, and the person is told
what happened to the account since."""

from __future__ import annotations

from collections.abc import Callable

from flask import request, session, url_for
from flask_babel import ngettext
from sqlalchemy.orm import Session

from pro_app.services import account, enrolment, secrets, staff_sign_in
from pro_app.services.staff_sign_in import Check, Result
from pro_app.web import kept
from pro_app.web.house import house

TRY = "staff"  # the kind under which failed tries are counted by network address
HALF_WAY = ("staff_half", "staff_invitation", "staff_secret", "staff_next", "staff_news")


def counted(attempt: Callable[[Session], Check]) -> Check:
    """What came of a try; failed ones are counted by network address, and many are too many."""
    now = house().clock()
    source = secrets.source_hash(request.remote_addr or "", house().settings.secret_key)
    with house().database.writing() as database:
        if enrolment.too_many_tries(database, TRY, source, now):
            return Check(Result.WAIT, wait_until=now + enrolment.TRY_PERIOD)
        check = attempt(database)
        if check.result is not Result.RIGHT:
            enrolment.note_try(database, TRY, source, now)
    return check


def fault_text(check: Check, wrong: str) -> str:
    """What to say of a try that failed."""
    if check.wait_until is None:
        return wrong
    minutes = max(1, round((check.wait_until - house().clock()).total_seconds() / 60))
    text: str = ngettext(
        "There were too many wrong tries. Please wait %(num)d minute.",
        "There were too many wrong tries. Please wait %(num)d minutes.",
        minutes,
    )
    return text


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
