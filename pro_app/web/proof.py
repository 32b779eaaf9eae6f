"""Proving who one is by password and code: at the door, before a weighty step, and to sign.

Wrong tries are counted, for the account and for the network address, and many make one wait.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import request
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from pro_app.models import Staff
from pro_app.services import enrolment, secrets, staff_sign_in
from pro_app.services.staff_sign_in import Check, Result
from pro_app.web import staff_access
from pro_app.web.house import house

TRY = "staff"  # the kind under which failed tries are counted by network address


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


def fault() -> str | None:
    """Why the password and code of the form that was sent do not prove that the person who is
    signed in is there; None if they do. A code proves it once."""
    check = counted(_of_person)
    if check.result is Result.RIGHT:
        return None
    return fault_text(check, _("The password or the code is wrong."))


def _of_person(database: Session) -> Check:
    now, staff_id = house().clock(), staff_access.person().staff_id
    person = database.get_one(Staff, staff_id)
    password, code = request.form.get("password", ""), request.form.get("code", "")
    vault = house().post_office.vault
    check = staff_sign_in.check_password(database, person.email, password, vault, now)
    if check.result is not Result.RIGHT:
        return check
    return staff_sign_in.check_second(database, staff_id, code, vault, now)
