"""My account: what it is, where it is open, what opens it, and what happened to it."""

from __future__ import annotations

from flask import Blueprint, jsonify, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from pro_app.models import Staff
from pro_app.services import account, account_mail, staff_passkeys, staff_sign_in
from pro_app.services.credentials import MOST, PasskeyError
from pro_app.web import account_words, authenticator_app, passkey_talk
from pro_app.web.house import house
from pro_app.web.staff_access import person, staff_only
from pro_app.web.staff_forms import password_fault
from pro_app.web.staff_words import ROLE

blueprint = Blueprint("account", __name__, url_prefix="/staff/account")
Page = str | tuple[str, int] | BaseResponse


@blueprint.get("/")
@staff_only()
def index() -> Page:
    """The account of whoever is signed in."""
    now = house().clock()
    with house().database.reading() as database:
        found = account.look(database, person(), now)
    return render_template(
        "account/index.html",
        found=found,
        roles=ROLE,
        happened=account_words.happened,
        when=account_words.when,
        place=account_words.place(),
        said=session.pop("account_said", None),
        enough=len(found.passkeys) >= MOST,
        most=MOST,
        shortest=staff_sign_in.SHORTEST,
    )


def _done(what: str) -> BaseResponse:
    """Back to the account, which says what was done."""
    session["account_said"] = what
    return redirect(url_for("account.index"), 303)


def _tell_owner() -> None:
    """Outside of this browser, too: whoever sits here may be somebody else."""
    account_mail.tell(house().post_office, person().staff_id)


def _own() -> Staff:
    """The row of whoever is signed in."""
    with house().database.reading() as database:
        return database.get_one(Staff, person().staff_id)


@blueprint.post("/news")
@staff_only()
def read_news() -> Page:
    """The owner has read what happened to the account."""
    session.pop("staff_news", None)
    with house().database.writing() as database:
        account.read_news(database, person(), house().clock())
    return redirect(url_for("account.index"), 303)


@blueprint.post("/sessions/end")
@staff_only()
def end_others() -> Page:
    """Sign out everywhere but here."""
    with house().database.writing() as database:
        account.end_others(database, person(), house().clock())
    return _done("others_ended")


# --- password, second factor, recovery codes ----------------------------------------------------


@blueprint.get("/password")
@staff_only(fresh=True)
def password() -> Page:
    """Choose another password."""
    return _password_page()


def _password_page(fault: tuple[str, str] | None = None) -> str:
    """`fault` is the field and what is wrong with it."""
    return render_template(
        "account/password.html", known=_own(), fault=fault, shortest=staff_sign_in.SHORTEST
    )


@blueprint.post("/password")
@staff_only(fresh=True)
def change_password() -> Page:
    """Keep it, and sign out everywhere else."""
    wish, again = request.form.get("password", ""), request.form.get("again", "")
    fault = password_fault(wish, again, _own())
    if fault is not None:
        return _password_page(fault), 422
    with house().database.writing() as database:
        account.change_password(database, person(), wish, house().clock())
    _tell_owner()
    return _done("password")


@blueprint.get("/second-factor")
@staff_only(fresh=True)
def second_factor() -> Page:
    """The picture for another authenticator app."""
    return _second_factor_page()


def _second_factor_page(fault: tuple[str, str] | None = None) -> str:
    app = authenticator_app.new(_own().email)
    return render_template("account/second_factor.html", app=app, fault=fault)


@blueprint.post("/second-factor")
@staff_only(fresh=True)
def renew_second_factor() -> Page:
    """From now on this app, and no other, and signed out everywhere else."""
    now, secret = house().clock(), authenticator_app.secret()
    fault = authenticator_app.code_fault(request.form.get("code", ""), now)
    if fault is not None or secret is None:
        return _second_factor_page(fault), 422
    with house().database.writing() as database:
        account.renew_second_factor(database, person(), secret, house().post_office.vault, now)
    authenticator_app.forget()
    _tell_owner()
    return _done("second_factor")


@blueprint.get("/recovery-codes")
@staff_only(fresh=True)
def recovery_codes() -> Page:
    """How many are left, and what making new ones does."""
    with house().database.reading() as database:
        left = staff_sign_in.recovery_codes_left(database, person().staff_id)
    return render_template("account/recovery_codes.html", left=left)


@blueprint.post("/recovery-codes")
@staff_only(fresh=True)
def renew_recovery_codes() -> Page:
    """Ten new ones, shown this once."""
    with house().database.writing() as database:
        codes = account.renew_recovery_codes(database, person(), house().clock())
    _tell_owner()
    to = url_for("account.index")
    return render_template("staff/recovery_codes.html", codes=codes, to=to)


# --- passkeys -----------------------------------------------------------------------------------


@blueprint.get("/passkeys/new")
@staff_only(fresh=True)
def new_passkey() -> Page:
    """A name for the passkey; the page's script does the rest."""
    return render_template("account/new_passkey.html", longest=staff_passkeys.LONGEST_NAME)


@blueprint.post("/passkeys/options")
@staff_only(fresh=True)
def passkey_options() -> BaseResponse:
    """What the browser makes a passkey from, if its name will do."""
    fault = staff_passkeys.name_fault(str(passkey_talk.body().get("name", "")))
    if fault is not None:
        return passkey_talk.refused(_name_faults()[fault])
    challenge = passkey_talk.ask("staff_make")
    with house().database.reading() as database:
        where, owner = passkey_talk.place(), person().staff_id
        return jsonify(staff_passkeys.making(database, owner, where, challenge))


def _name_faults() -> dict[str, str]:
    longest = staff_passkeys.LONGEST_NAME
    return {
        "none": _("Please give the passkey a name, so that you know it later."),
        "long": _("Please choose a name of at most %(count)d characters.", count=longest),
        "identity": _("This looks like an identity card number. Please choose another name."),
    }


@blueprint.post("/passkeys")
@staff_only(fresh=True)
def add_passkey() -> BaseResponse:
    """Keep the passkey that the browser has made."""
    sent, challenge = passkey_talk.body(), passkey_talk.asked("staff_make")
    name, failed = str(sent.get("name", "")), _("That did not work. Please try again.")
    if challenge is None or staff_passkeys.name_fault(name) is not None:
        return passkey_talk.refused(failed)
    where, now, owner = passkey_talk.place(), house().clock(), person().staff_id
    try:
        with house().database.writing() as database:
            staff_passkeys.add(database, owner, name, sent.get("credential"), where, challenge, now)
    except PasskeyError:
        return passkey_talk.refused(failed)
    _tell_owner()
    session["account_said"] = "passkey"
    return jsonify(to=url_for("account.index"))


@blueprint.post("/passkeys/remove")
@staff_only(fresh=True)
def remove_passkey() -> Page:
    """Take one of one's own passkeys away."""
    given = request.form.get("passkey", "")
    wanted = int(given) if given.isascii() and given.isdigit() else 0
    with house().database.writing() as database:
        removed = staff_passkeys.remove(database, person().staff_id, wanted, house().clock())
    if not removed:
        return redirect(url_for("account.index"), 303)
    _tell_owner()
    return _done("passkey_removed")
