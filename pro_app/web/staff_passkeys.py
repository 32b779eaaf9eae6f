"""The staff sign in, and prove again to be there, with a passkey."""

from __future__ import annotations

from flask import Blueprint, g, jsonify
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response as BaseResponse

from pro_app.services import credentials, staff_passkeys, staff_sign_in
from pro_app.services.credentials import Challenge
from pro_app.services.staff_sign_in import Check, Result
from pro_app.web import passkey_talk, staff_access
from pro_app.web.house import house
from pro_app.web.proof import counted, fault_text
from pro_app.web.staff_access import staff_only
from pro_app.web.staff_session import begin

blueprint = Blueprint("staff_passkeys", __name__, url_prefix="/staff/passkey")


@blueprint.post("/opening")
@staff_only(alone=True)
def opening() -> BaseResponse:
    """What the browser opens with: of who is signed in one's own passkeys, else any."""
    challenge = passkey_talk.ask("staff")
    with house().database.reading() as database:
        own = [] if g.staff is None else staff_passkeys.living(database, g.staff.staff_id)
        return jsonify(credentials.opening(passkey_talk.place(), challenge, own))


def _check(challenge: Challenge, owner_id: int | None) -> Check:
    credential, where, now = (
        passkey_talk.body().get("credential"),
        passkey_talk.place(),
        house().clock(),
    )
    return counted(
        lambda database: staff_passkeys.open_with(
            database, credential, where, challenge, owner_id, now
        )
    )


@blueprint.post("/sign-in")
@staff_only(alone=True)
def sign_in() -> BaseResponse:
    """Begin a session, as password and code do. Whatever is wrong gets the same sentence."""
    challenge = passkey_talk.asked("staff")
    check = Check(Result.WRONG) if challenge is None else _check(challenge, None)
    if check.result is not Result.RIGHT or check.staff_id is None:
        wrong = _("That did not open anything here. Please use your password and a code.")
        return passkey_talk.refused(fault_text(check, wrong))
    token, to = begin(check.staff_id, "passkey")
    response = jsonify(to=to, csrf=generate_csrf())
    staff_access.keep(response, token)
    return response


@blueprint.post("/verify")
@staff_only()
def verify() -> BaseResponse:
    """The person is there: the page's script goes on with what it carries."""
    known, challenge = staff_access.person(), passkey_talk.asked("staff")
    check = Check(Result.WRONG) if challenge is None else _check(challenge, known.staff_id)
    if check.result is not Result.RIGHT:
        wrong = _("That did not work. Please use your password and a code.")
        return passkey_talk.refused(fault_text(check, wrong))
    with house().database.writing() as database:
        token = staff_sign_in.verify_again(database, known, house().clock())
    response = jsonify(csrf=generate_csrf())
    staff_access.keep(response, token)
    return response
