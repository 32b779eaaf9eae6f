"""The administrator's register of the staff: who may do what, where, since and until when."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pro_app.core.schedule import local
from pro_app.core.study import LANGUAGES, NATIONAL_IDENTITY
from pro_app.models import ROLES, Site
from pro_app.services import account_mail, delegation, participants, reach, staff
from pro_app.services import register as staff_register
from pro_app.services.delegation import Newcomer, Scope
from pro_app.services.register import Account
from pro_app.services.staff import StaffError
from pro_app.web import layout, locale, staff_access, staff_forms, staff_words
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only

blueprint = Blueprint("register", __name__, url_prefix="/staff/<study>/register")
blueprint.url_value_preprocessor(staff_access.take_study)
EVERY_SITE = "*"  # in the choice of a site: a role for the whole study
Faults = dict[str, str]  # by field, what is wrong with it
FIELDS = {  # by a refusal's code, the field that it is about
    "email": "email", "disabled": "email", "name": "name", "language": "language",
    "training": "trained_on", "role": "role", "had": "role", "own": "role", "site": "site",
}  # fmt: skip


def _says(code: str) -> str:
    """What was refused, in plain words."""
    words = {
        "email": _("This is not an e-mail address we can write to."),
        "disabled": _("This account has ended and cannot be opened again."),
        "name": _("Please enter the full name, and no number of an identity card."),
        "language": _("Please choose the language of this person's pages."),
        "training": _("Please enter the day of the training. It cannot lie in the future."),
        "role": _("Please choose the role."),
        "had": _("This person has this role there already."),
        "own": _("Nobody gives a role to themselves. Please ask another administrator."),
        "site": _("Please choose the site."),
        "elsewhere": _(
            "This person has roles that are not yours to administer. Whoever administers all of "
            "them, or the operator, can renew the invitation."
        ),
        "no_role": _("This person has no role here now. Please give a role first."),
        "last": _(
            "Nobody else with an open account would administer this. Please make somebody else "
            "administrator first, and wait until the account is open."
        ),
        "own_account": _("You cannot end your own account. Please ask another administrator."),
        "unsure": _("Please tick the box if this is what you want."),
        "day": _("Please enter today or a later day, or nothing to end the role at once."),
    }
    says: str = words[code]
    return says


def scope() -> Scope:
    """What the person who is signed in administers."""
    here = staff_access.post()
    return Scope(here.person.staff_id, here.study.id, here.covers("administrator"))


def _sites() -> list[Site]:
    """The sites that the person administers."""
    mine = scope()
    with house().database.reading() as database:
        return list(participants.sites(database, mine.study_id, mine.sites))


def _today() -> date:
    return house().clock().astimezone(staff_access.post().study.definition.zone).date()


@blueprint.get("")
@staff_only("administrator")
def index() -> str:
    """Everybody who has or had a role, searched by name or address, and turned page by page."""
    mine, page = scope(), request.args.get("page", "1")
    search, living = request.args.get("q", "").strip(), request.args.get("living") == "yes"
    with house().database.reading() as database:
        found = staff_register.register(
            database,
            mine.study_id,
            mine.sites,
            house().clock(),
            search,
            int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
            living,
        )
    return render_template(
        "register/index.html",
        found=found,
        search=search,
        living=living,
        day=_day_text,
        words=staff_words,
        room="register.index",
    )


def _day_text(day: date) -> str:
    """A day by itself, as tables have it."""
    return locale.short_day(day, layout.language())


@blueprint.get("/new")
@staff_only("administrator")
def form() -> str:
    """The page on which a person is added."""
    return _form_page({}, {})


def _form_page(given: Mapping[str, str], faults: Faults) -> str:
    return render_template(
        "register/form.html",
        given=given,
        faults=faults,
        today=_today(),
        **_choices(),
    )


def _choices() -> dict[str, object]:
    """What the forms that give a role offer."""
    return {
        "sites": _sites(),
        "whole": scope().sites is None,
        "every_site": EVERY_SITE,
        "roles": ROLES,
        "names": {code: locale.NAMES[code] for code in LANGUAGES},
        "words": staff_words,
        "room": "register.index",
    }


@blueprint.post("/new")
@staff_only("administrator", fresh=True)
def add() -> Page:
    """Add a person or, to one who is known by the address, a role; show the invitation once."""
    given = {name: value.strip() for name, value in request.form.items()}
    faults = _person_faults(given) | _role_faults(given)
    if faults:
        return _form_page(given, faults), 422
    newcomer = Newcomer(
        given["email"], given["name"], given["language"], staff_forms.day(given["trained_on"])
    )
    try:
        with house().database.writing() as database:
            added = delegation.add(
                database,
                scope(),
                newcomer,
                given["role"],
                _site_id(given["site"]),
                house().settings.secret_key,
                house().clock(),
            )
    except StaffError as error:
        return _form_page(given, {FIELDS[error.code]: _says(error.code)}), 422
    return _invitation_page(added.name, added.public_id, added.code)


def _person_faults(given: Mapping[str, str]) -> Faults:
    """What is wrong with what was typed of a person."""
    faults, name, day = {}, given.get("name", ""), staff_forms.day(given.get("trained_on", ""))
    if reach.email_fault(given.get("email", "")):
        faults["email"] = _says("email")
    if not name or len(name) > staff.NAME_LENGTH or NATIONAL_IDENTITY.search(name):
        faults["name"] = _says("name")
    if given.get("language") not in LANGUAGES:
        faults["language"] = _says("language")
    if day is None or day > _today():
        faults["trained_on"] = _says("training")
    return faults


def _role_faults(given: Mapping[str, str]) -> Faults:
    """What is wrong with the choice of a role and a site."""
    faults = {}
    if given.get("role") not in ROLES:
        faults["role"] = _says("role")
    offered = {site.code for site in _sites()} | ({EVERY_SITE} if scope().sites is None else set())
    if given.get("site") not in offered:
        faults["site"] = _says("site")
    return faults


def _site_id(code: str) -> int | None:
    """The id of a site that is offered; None for every site."""
    return None if code == EVERY_SITE else {site.code: site.id for site in _sites()}[code]


def _invitation_page(name: str, public_id: str, code: str | None) -> str:
    """The invitation, shown this once; without a code, that the account is there already."""
    settings, here = house().settings, staff_access.post()
    until = house().clock() + staff.INVITATION_LIFE
    return render_template(
        "register/invitation.html",
        name=name,
        account=public_id,
        code=None if code is None else " ".join(re.findall(".{1,4}", code)),
        link=f"{settings.public_url}/staff/invitation#{code}",
        address=f"{settings.public_url}/staff/invitation",
        until=locale.short_text(until, here.study.definition.zone, layout.language()),
        room="register.index",
    )


@blueprint.get("/<account>")
@staff_only("administrator")
def person(account: str) -> str:
    """One person: the roles, the account, and what can be done about them."""
    return _person_page(_account(account))


def _account(public_id: str) -> Account:
    """Somebody of the register that the administrator sees; else not found."""
    mine = scope()
    with house().database.reading() as database:
        found = staff_register.account(
            database, mine.study_id, mine.sites, public_id, house().clock()
        )
    if found is None:
        abort(404)
    return found


@dataclass(frozen=True, slots=True)
class Fault:
    """What could not be done on a person's page: the action, the field, the reason; of a role's
    end, which role."""

    action: str
    field: str
    says: str
    role: int | None = None


def _person_page(known: Account, fault: Fault | None = None) -> str:
    mine = scope()
    with house().database.reading() as database:
        beyond = delegation.reaches_beyond(database, mine, known.id, house().clock())
    return render_template(
        "register/person.html",
        known=known,
        beyond=beyond,
        myself=known.id == mine.staff_id,
        given=request.form,
        fault=fault,
        day=_day_text,
        today=_today(),
        **_choices(),
    )


def _act(account: str, action: str, act: Callable[[Session, Account], object]) -> Page:
    """Do something with somebody of the register, in one transaction."""
    known = _account(account)
    try:
        with house().database.writing() as database:
            act(database, known)
    except StaffError as error:
        return _refused(known, action, error.code)
    study = staff_access.post().study.definition.code
    if known.id == scope().staff_id:  # who has ended the own role is let in here no more
        return redirect(url_for("staff.home"), 303)
    return redirect(url_for("register.person", study=study, account=account), 303)


def _refused(known: Account, action: str, code: str) -> Page:
    role = request.form.get("role", "")
    which = int(role) if action == "end_role" and _is_id(role) else None
    field = FIELDS.get(code, "sure") if action == "grant" else action
    return _person_page(known, Fault(action, field, _says(code), which)), 422


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


@blueprint.post("/<account>/roles")
@staff_only("administrator", fresh=True)
def grant(account: str) -> Page:
    """Give one role more."""
    known, given = _account(account), request.form
    faults = _role_faults(given)
    if faults:
        field, says = next(iter(faults.items()))
        return _person_page(known, Fault("grant", field, says)), 422
    return _act(
        account,
        "grant",
        lambda database, one: delegation.grant(
            database, scope(), one.id, given["role"], _site_id(given["site"]), house().clock()
        ),
    )


@blueprint.post("/<account>/roles/end")
@staff_only("administrator", fresh=True)
def end_role(account: str) -> Page:
    """Take a role away, at once or at the end of a day."""
    known, now, zone = _account(account), house().clock(), staff_access.post().study.definition.zone
    role, text = request.form.get("role", ""), request.form.get("day", "").strip()
    day = staff_forms.day(text)
    if text and (day is None or day < _today() or day.year > _today().year + 50):
        return _refused(known, "end_role", "day")
    end = None if day is None else local(day + timedelta(days=1), 0, zone)
    if not _is_id(role):
        abort(422)
    return _act(
        account,
        "end_role",
        lambda database, one: delegation.end_role(database, scope(), one.id, int(role), now, end),
    )


@blueprint.post("/<account>/invitation")
@staff_only("administrator", fresh=True)
def renew(account: str) -> Page:
    """Another invitation, shown once."""
    known, key = _account(account), house().settings.secret_key
    try:
        with house().database.writing() as database:
            code = delegation.renew(database, scope(), known.id, key, house().clock())
    except StaffError as error:
        return _refused(known, "renew", error.code)
    if known.state == "active":  # the owner hears of it before it is used
        account_mail.tell_invited(house().post_office, known.id)
    return _invitation_page(known.name, known.public_id, code)


@blueprint.post("/<account>/end")
@staff_only("administrator", fresh=True)
def end(account: str) -> Page:
    """End the account or, of one that works elsewhere, too, the roles here."""
    if request.form.get("sure") != "yes":
        return _refused(_account(account), "end", "unsure")

    def act(database: Session, one: Account) -> None:
        if one.id == scope().staff_id:
            raise StaffError("own_account")
        delegation.end_account(database, scope(), one.id, house().clock())

    return _act(account, "end", act)
