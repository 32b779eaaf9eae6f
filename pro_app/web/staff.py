"""Staff sign in and out, set up what opens their account, and prove again to be there."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.study import LANGUAGES
from pro_app.models import Staff
from pro_app.services import account_mail, enrolment, secrets, staff, staff_sign_in
from pro_app.services.staff_sign_in import Result
from pro_app.web import access, authenticator_app, kept, proof, staff_access
from pro_app.web.house import house
from pro_app.web.staff_access import staff_only
from pro_app.web.staff_forms import password_fault
from pro_app.web.staff_session import begin

blueprint = Blueprint("staff", __name__, url_prefix="/staff")
Page = str | tuple[str, int] | BaseResponse


@blueprint.get("/")
@staff_only()
def home() -> Page:
    """On to the person's study, or the choice between several."""
    now = house().clock()
    with house().database.reading() as database:
        roles = staff.roles_by_study(database, staff_access.person().staff_id, now)
    places = [(code, _first_room(had)) for code, had in roles.items()]
    if len(places) == 1:
        code, endpoint = places[0]
        if endpoint is not None:
            return redirect(url_for(endpoint, study=code))
    return render_template("staff/studies.html", places=places)


def _first_room(roles: set[str]) -> str | None:
    """The endpoint of the first room that these roles open."""
    return next((endpoint for endpoint, _, whose in staff_access.rooms() if roles & {*whose}), None)


@blueprint.get("/sign-in")
@staff_only(alone=True)
def sign_in() -> Page:
    """Address and password."""
    if g.staff is not None:
        return redirect(url_for("staff.home"))
    return _sign_in_page()


def _sign_in_page(fault: str | None = None) -> str:
    over, sealed = request.args.get("over") == "1", request.form.get("kept")
    return render_template("staff/sign_in.html", fault=fault, over=over, kept=sealed)


@blueprint.post("/sign-in")
@staff_only(alone=True)
def check_password() -> Page:
    """On to the second factor; the same words for an unknown address and a wrong password."""
    now = house().clock()
    email, password = request.form.get("email", ""), request.form.get("password", "")
    if not email or not password:
        return _sign_in_page(_("Please enter your e-mail address and your password.")), 422
    vault = house().post_office.vault
    check = proof.counted(
        lambda database: staff_sign_in.check_password(database, email, password, vault, now)
    )
    if check.result is not Result.RIGHT:
        wrong = _("The e-mail address and the password do not match.")
        return _sign_in_page(proof.fault_text(check, wrong)), 422
    session["staff_half"] = [check.staff_id, now.isoformat()]
    if request.form.get("kept"):  # too long for an address: it travels in the page
        return _second_page()
    return redirect(url_for("staff.second"), 303)


@blueprint.get("/sign-in/code")
@staff_only(alone=True)
def second() -> Page:
    """The code of the authenticator app, or a recovery code."""
    if _half() is None:
        return redirect(url_for("staff.sign_in"))
    return _second_page()


def _second_page(fault: str | None = None) -> str:
    sealed = request.form.get("kept")
    return render_template("staff/second.html", fault=fault, kept=sealed)


@blueprint.post("/sign-in/code")
@staff_only(alone=True)
def check_second() -> Page:
    """Begin a session under a new token."""
    now, staff_id = house().clock(), _half()
    if staff_id is None:
        return redirect(url_for("staff.sign_in"), 303)
    code, vault = request.form.get("code", ""), house().post_office.vault
    check = proof.counted(
        lambda database: staff_sign_in.check_second(database, staff_id, code, vault, now)
    )
    if check.result is not Result.RIGHT:
        wrong = _("This is not the right code. Please try again.")
        return _second_page(proof.fault_text(check, wrong)), 422
    token, to = begin(staff_id, "code")
    response = kept.go_on(staff_id) or redirect(to, 303)
    staff_access.keep(response, token)
    return response


@blueprint.post("/kept")
@staff_only()
def go_on() -> Page:
    """After signing in by passkey: on with what was sent when the desk had been signed out."""
    return kept.go_on(staff_access.person().staff_id) or redirect(url_for("staff.home"), 303)


def _half() -> int | None:
    """Who has given the right password in this browser a moment ago."""
    staff_id, moment = session.get("staff_half", (None, ""))
    if staff_id is None:
        return None
    age = house().clock() - datetime.fromisoformat(moment)
    return int(staff_id) if age <= staff_sign_in.HALF_LIFE else None


@blueprint.post("/sign-out")
@staff_only()
def sign_out() -> Page:
    """The session is dead, whoever has a copy of its cookie."""
    with house().database.writing() as database:
        staff_sign_in.sign_out(database, staff_access.person(), house().clock())
    session.clear()
    response = redirect(url_for("staff.sign_in"), 303)
    staff_access.forget(response)
    return response


@blueprint.post("/stay")
@staff_only()
def stay() -> Response:
    """Still there: `admit` has kept it."""
    with house().database.writing() as database:
        staff_sign_in.touch(database, staff_access.person(), house().clock())
    return Response(status=204)


@blueprint.post("/language")
@staff_only(alone=True)
def choose_language() -> Page:
    """Another language for this browser, and for the person who is signed in."""
    wish = request.form.get("language", "")
    back = request.form.get("back", "")
    response = redirect(back if access.is_local(back) else url_for("staff.home"), 303)
    if wish in LANGUAGES:
        if g.staff is not None:
            with house().database.writing() as database:
                staff.choose_language(database, g.staff.staff_id, wish, house().clock())
        access.keep_choice(response, "language", wish)
    return response


@blueprint.get("/invitation")
@staff_only(alone=True)
def invitation() -> str:
    """The code of an invitation; its address carries it behind the #."""
    return render_template("staff/invitation.html", fault=None)


@blueprint.post("/invitation")
@staff_only(alone=True)
def check_invitation() -> Page:
    """On to choosing a password."""
    now, key = house().clock(), house().settings.secret_key
    code = request.form.get("code", "")
    hashed = secrets.code_hash(code, key)
    source = secrets.source_hash(request.remote_addr or "", key)
    with house().database.writing() as database:
        if enrolment.too_many_tries(database, proof.TRY, source, now):
            found = None
        else:
            found = staff.find_invitation(database, hashed, now)
            if found is None and code:
                enrolment.note_try(database, proof.TRY, source, now)
    if found is None:
        fault = _("This code is wrong, used or too old. Please ask for a new invitation.")
        return render_template("staff/invitation.html", fault=fault), 422
    session["staff_invitation"] = hashed
    session.pop("staff_secret", None)
    return redirect(url_for("staff.set_up"), 303)


def _invited() -> Staff | None:
    """Who is invited by the code that was given in this browser, while it opens."""
    hashed = session.get("staff_invitation")
    if hashed is None:
        return None
    with house().database.reading() as database:
        found = staff.find_invitation(database, hashed, house().clock())
        return None if found is None else database.get_one(Staff, found.staff_id)


@blueprint.get("/set-up")
@staff_only(alone=True)
def set_up() -> Page:
    """A password, and the picture for the authenticator app."""
    person = _invited()
    if person is None:
        return redirect(url_for("staff.invitation"))
    return _set_up_page(person)


def _set_up_page(person: Staff, fault: tuple[str, str] | None = None) -> str:
    """`fault` is the field and what is wrong with it."""
    return render_template(
        "staff/set_up.html",
        known=person,
        app=authenticator_app.new(person.email),
        fault=None if fault is None else fault[1],
        field=None if fault is None else fault[0],
        shortest=staff_sign_in.SHORTEST,
    )


@blueprint.post("/set-up")
@staff_only(alone=True)
def finish_set_up() -> Page:
    """The account opens with what was chosen; the recovery codes are shown this once."""
    now, person, secret = house().clock(), _invited(), authenticator_app.secret()
    if person is None or secret is None:
        return redirect(url_for("staff.invitation"), 303)
    password = request.form.get("password", "")
    fault = password_fault(password, request.form.get("again", ""), person)
    fault = fault or authenticator_app.code_fault(request.form.get("code", ""), now)
    if fault is not None:
        return _set_up_page(person, fault), 422
    with house().database.writing() as database:
        vault, hashed = house().post_office.vault, session["staff_invitation"]
        codes = staff_sign_in.set_up(database, hashed, password, secret, vault, now)
    if person.password_hash is not None:  # it opened before, and whose invitation was this?
        account_mail.tell(house().post_office, person.id)
    token, to = begin(person.id, "invitation")
    page = Response(render_template("staff/recovery_codes.html", codes=codes, to=to))
    staff_access.keep(page, token)
    return page


@blueprint.post("/verify")
@staff_only()
def verify() -> Page:
    """The person is there: on with what was carried."""
    now, known = house().clock(), staff_access.person()
    to = request.form.get("carry_to", "")
    if not access.is_local(to):
        to = url_for("staff.home")
    fault = proof.fault()
    if fault is not None:
        return staff_access.carry(to, fault)
    with house().database.writing() as database:
        token = staff_sign_in.verify_again(database, known, now)
    fields = kept.fields()
    if request.form.get("method") == "post":
        fields = [pair for pair in fields if pair[0] != "method"]
        page = kept.once_more(to, fields)
    else:
        page = redirect(to, 303)  # type: ignore[assignment]
    staff_access.keep(page, token)
    return page
