"""This phone: fingerprint, face or screen lock; a code for another place; signing out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, g, jsonify, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response as BaseResponse

from pro_app.services import assessments, credentials, enrolment, passkeys, phones, secrets
from pro_app.services.credentials import Refusal
from pro_app.services.sessions import Person
from pro_app.web import access, join, layout, passkey_talk
from pro_app.web.house import house

blueprint = Blueprint("device", __name__, url_prefix="/phone")
Page = str | BaseResponse | tuple[str, int]


@blueprint.app_context_processor
def known() -> dict[str, Any]:
    """What the PIN page wants to know."""

    def has_passkey() -> bool:
        """Whether this phone's participant has a passkey, here or elsewhere."""
        owner = g.person or g.locked
        if owner is None or owner.shared:
            return False
        with house().database.reading() as database:
            return bool(passkeys.living(database, owner.participant_id))

    def is_shared() -> bool:
        """Whether this phone is not the participant's own."""
        owner = g.person or g.locked
        return owner is not None and owner.shared

    return {"has_passkey": has_passkey, "is_shared": is_shared}


@blueprint.get("/")
@access.audience("participant")
def index() -> Page:
    """What this phone can do, and how to leave it."""
    study, person = layout.study(), access.person()
    assert study is not None  # noqa: S101 (a participant has a study)
    with house().database.reading() as database:
        found = assessments.today(
            database, study.definition, person.participant_id, house().clock()
        )
        own = passkeys.living(database, person.participant_id)
        return render_template(
            "device/index.html",
            passkeys=[(one.id, one.created_at) for one in own],
            said=session.pop("phone_said", None),
            done=found.done,
            open=len(found.open),
            always=True,
        )


def _own_phone() -> None:
    """Some things are not for somebody else's phone."""
    if access.person().shared:
        abort(403)


# --- passkeys -----------------------------------------------------------------------------------


@blueprint.post("/passkey/options")
@access.audience("participant")
def making() -> BaseResponse:
    """What the browser makes a passkey from."""
    _own_phone()
    challenge = passkey_talk.ask("make")
    with house().database.reading() as database:
        owner = access.person().participant_id
        return jsonify(passkeys.making(database, owner, passkey_talk.place(), challenge))


@blueprint.post("/passkey")
@access.audience("participant")
def make() -> BaseResponse:
    """Keep the passkey that the browser has made."""
    _own_phone()
    person, now, challenge = access.person(), house().clock(), passkey_talk.asked("make")
    fault = _("That did not work. Please try again.")
    if challenge is None:
        return passkey_talk.refused(fault)
    try:
        with house().database.writing() as database:
            passkeys.make(
                database,
                person.participant_id,
                person.device_id,
                passkey_talk.body().get("credential"),
                passkey_talk.place(),
                challenge,
                now,
            )
    except credentials.PasskeyError:
        return passkey_talk.refused(fault)
    session["phone_said"] = "made"
    return jsonify(to=url_for("device.index"))


@blueprint.post("/passkey/remove")
@access.audience("participant")
def remove() -> BaseResponse:
    """Take one of the participant's own passkeys away."""
    person, given = access.person(), request.form.get("passkey", "")
    wanted = int(given) if given.isascii() and given.isdigit() else 0
    with house().database.writing() as database:
        actor = f"participant/device {person.device_id}"
        passkeys.remove(database, person.participant_id, wanted, house().clock(), actor)
    session["phone_said"] = "removed"
    return redirect(url_for("device.index"), 303)


@blueprint.post("/opening")
@access.audience("public")
def opening() -> BaseResponse:
    """What the browser opens with: on a locked phone its participant's passkeys, else any."""
    owner = g.person or g.locked
    challenge = passkey_talk.ask("open")
    allowed: list[Any] = []
    if owner is not None and passkey_talk.body().get("use") == "unlock":
        with house().database.reading() as database:
            allowed = list(passkeys.living(database, owner.participant_id))
    return jsonify(credentials.opening(passkey_talk.place(), challenge, allowed))


@blueprint.post("/open")
@access.audience("public")
def open_with() -> BaseResponse:
    """A passkey has signed: unlock this phone, or join it.

    Whatever is wrong gets the same sentence, which tells nothing of anybody.
    """
    now, owner, challenge = house().clock(), g.person or g.locked, passkey_talk.asked("open")
    unlocks = owner is not None and passkey_talk.body().get("use") == "unlock"
    fault = _("That did not open anything here. Please use your PIN or a code.")
    if challenge is None:
        return passkey_talk.refused(fault)
    source = secrets.source_hash(request.remote_addr or "", house().settings.secret_key)
    with house().database.writing() as database:
        if enrolment.too_many_tries(database, "passkey", source, now):
            abort(429)
        found = passkeys.open_with(
            database,
            passkey_talk.body().get("credential"),
            passkey_talk.place(),
            challenge,
            None if owner is None else owner.participant_id,
            owner.device_id if unlocks and owner is not None else None,
            now,
        )
        if isinstance(found, Refusal):
            enrolment.note_try(database, "passkey", source, now)
            return passkey_talk.refused(fault)
        passkey_id = found.id
    if owner is None or not unlocks:
        return jsonify(to=join.join_by_passkey(passkey_id, now))
    return _unlocked(owner)


def _unlocked(owner: Person) -> BaseResponse:
    """Begin the session, as the right PIN does."""
    if not owner.has_pin:
        return jsonify(to=url_for("join.pin"))
    access.begin_session(owner.device_id, owner.shared)
    response = jsonify(to=access.next_page(), csrf=generate_csrf())
    token = request.cookies.get(access.device_cookie())
    if token is not None:
        access.keep_device(response, token, owner.shared)
    return response


# --- another place ------------------------------------------------------------------------------


@blueprint.get("/code")
@access.audience("participant")
def code() -> Page:
    """Offer a code for another browser, or the icon on the Home Screen."""
    _own_phone()
    return render_template("device/code.html", made=None, enough=False)


@blueprint.post("/code")
@access.audience("participant")
def make_code() -> Page:
    """Make the code. It is shown once and stands nowhere; another press makes another one."""
    _own_phone()
    try:
        with house().database.writing() as database:
            key = house().settings.secret_key
            made = phones.own_code(database, access.person(), key, house().clock())
    except enrolment.EnrolmentError:  # signed out in this very moment
        abort(403)
    page = render_template("device/code.html", made=made, enough=made is None)
    return page if made else (page, 429)


# --- signing out --------------------------------------------------------------------------------


@blueprint.get("/sign-out")
@access.audience("device")
def ask_sign_out() -> Page:
    """What signing out does, before it is done. Right after locking a phone that is not the
    person's own, the page's script does it at once; no link can ask for that."""
    owner = access.owner()
    now = bool(session.pop("leaving", False)) and owner.shared
    return render_template("device/sign_out.html", owner=owner, now=now)


@blueprint.post("/sign-out")
@access.audience("device")
def sign_out() -> Page:
    """Let this phone open nothing any more."""
    return access.sign_out()


@blueprint.get("/signed-out")
@access.audience("public")
def signed_out() -> Page:
    """It is done: how to come back."""
    if (g.person or g.locked) is not None:
        return redirect(url_for("participant.today"))
    return render_template("device/signed_out.html")
