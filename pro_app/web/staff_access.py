"""Which of the staff may see which page: default deny, per study and site.

A signed-in browser carries the session's token in a cookie of its own; the session is a row, ended
by signing out, idleness, age or an administrator. A weighty step asks for the password and a code
again where the last proof is older than five minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Response, abort, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response as BaseResponse

from pro_app.models import ROLES, Participant
from pro_app.services import participants, staff, staff_passkeys, staff_sign_in, studies
from pro_app.services.staff_sign_in import Person
from pro_app.services.studies import CurrentStudy
from pro_app.web import account_words, kept, steps, tablet_access
from pro_app.web.house import house

View = TypeVar("View", bound=Callable[..., Any])
Page = str | tuple[str, int] | BaseResponse
PEOPLE = ("coordinator", "investigator")  # who sees participants
ANALYSTS = ("investigator", "researcher")  # who takes data out, and looks at them
TESTS = "test"  # in an address: 1 shows a live study's test participants, and nobody else
Sites = frozenset[int] | None  # the sites that a role covers; None: all of the study


@dataclass(frozen=True, slots=True)
class Post:
    """Somebody at work in a study: the person, the study, and the sites by role."""

    person: Person
    study: CurrentStudy
    sites: Mapping[str, Sites]

    def may(self, *roles: str) -> bool:
        """Whether the person has one of these roles, at whatever site."""
        return any(role in self.sites for role in roles)

    def covers(self, *roles: str) -> Sites:
        """The sites at which the person has one of these roles; None: every site."""
        found = [self.sites[role] for role in roles if role in self.sites]
        if any(one is None for one in found):
            return None
        return frozenset().union(*(one for one in found if one is not None))


def staff_only(
    *roles: str, fresh: bool = False, alone: bool = False, unattended: bool = False
) -> Callable[[View], View]:
    """Say which roles of the study in the address a view is for.

    Without a role: for whoever is signed in, and with `alone` for who is not, too. `fresh`: only
    after a proof of being there that is a few minutes old at most. `unattended`: a page asks for it
    by itself, which keeps nobody signed in, and nobody is led there afterwards.
    """
    if not set(roles) <= set(ROLES):
        raise ValueError(f"no role in {roles!r}")

    def mark(view: View) -> View:
        view.audience = "staff"  # type: ignore[attr-defined]
        view.roles = roles  # type: ignore[attr-defined]
        view.fresh = fresh  # type: ignore[attr-defined]
        view.alone = alone  # type: ignore[attr-defined]
        view.unattended = unattended  # type: ignore[attr-defined]
        return view

    return mark


def cookie() -> str:
    """The name of the session's cookie; `__Host-` ties it to this very host over TLS."""
    return "staff" if house().settings.plain_cookies else "__Host-staff"


def keep(response: BaseResponse, token: str) -> None:
    """Set the session's cookie; it ends with the browser. A tablet is the staff's again."""
    secure = not house().settings.plain_cookies
    response.set_cookie(cookie(), token, secure=secure, httponly=True, samesite="Lax")
    tablet_access.leave(response, token)


def forget(response: BaseResponse) -> None:
    """Remove the session's cookie."""
    secure = not house().settings.plain_cookies
    response.delete_cookie(cookie(), secure=secure, samesite="Lax")


def rooms() -> list[tuple[str, str, tuple[str, ...]]]:
    """The staff's rooms in the study of the address: endpoint, name, and whose they are."""
    return [
        ("coordinator.board", _("Today"), PEOPLE),
        *([("alerts.index", _("Alerts"), PEOPLE)] if is_watched() else []),
        ("coordinator.matrix", _("Participants"), PEOPLE),
        ("enrol.form", _("Enrol"), ("coordinator",)),
        ("entry.to_check", _("To check"), PEOPLE),
        ("corrections.room", _("Corrections"), PEOPLE),
        ("coordinator.rates", _("Completion"), PEOPLE),
        ("pictures.index", _("Pictures"), ANALYSTS),
        ("register.index", _("Staff"), ("administrator",)),
        ("protocol.index", _("Study"), ("administrator", *PEOPLE)),
        ("trail.study", _("Record"), ("administrator", "investigator")),
        ("copy.index", _("Copy"), ("investigator",)),
        ("receipts.index", _("Scores"), ANALYSTS),
        ("exports.index", _("Exports"), ANALYSTS),
        ("scoring.form", _("Score a file"), ("researcher",)),
        ("tokens.index", _("Programs"), (*ANALYSTS, "administrator")),
    ]


def is_watched() -> bool:
    """Whether the study in the address has, or ever had, answers watched for care."""
    return g.get("post") is not None and post().study.watched


def words() -> dict[str, Any]:
    """Names that the staff's templates know."""
    return {
        "rooms": rooms,
        "idle_seconds": int(staff_sign_in.IDLE.total_seconds()),
        "account_news": account_words.news,
    }


def take_study(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Of a blueprint's addresses: the study is for `admit`, and views need not take it."""
    g.study_code = "" if values is None else values.pop("study", "")


def person() -> Person:
    """Who is signed in; only for views that ask for it."""
    found: Person = g.staff
    return found


def post() -> Post:
    """The person's place in the study of the address; only for views that name a role."""
    found: Post = g.post
    return found


def admit(view: Any) -> BaseResponse | None:
    """Before a page of the staff: find the person, and turn away whom the page is not for."""
    g.staff = g.post = None
    now = house().clock()
    token = request.cookies.get(cookie())
    if token is not None:
        with house().database.reading() as database:
            g.staff = staff_sign_in.person_of(database, token, now)
    if g.staff is None:
        return None if view.alone else _to_sign_in(token is not None, back=not view.unattended)
    if request.method == "GET":
        kept.own_pages(g.staff.staff_id)
    if now - g.staff.seen_at >= staff_sign_in.SEEN_EVERY and not view.unattended:
        with house().database.writing() as database:
            staff_sign_in.touch(database, g.staff, now)
    if view.roles:
        g.post = _post(g.study_code)
        if not g.post.may(*view.roles):
            abort(403)
    if view.fresh and not g.staff.is_fresh(now):
        if request.method == "POST" and kept.page_owner() != g.staff.staff_id:
            raise CSRFError("not from a page of this person")  # else a proof would send it on
        return carry(request.full_path.rstrip("?"))
    return None


def _post(code: str) -> Post:
    """The person's place in a study; a study without one is not found."""
    now = house().clock()
    with house().database.reading() as database:
        found = studies.find(database, code)
        sites = {} if found is None else staff.posts(database, g.staff.staff_id, found.id, now)
        if found is None or not sites:
            abort(404)
        g.study = studies.current(database, house().library, found.id)
    if g.study.is_live and request.args.get(TESTS) == "1":
        g.study = g.study.of_tests()
    return Post(g.staff, g.study, sites)


def keep_tests(endpoint: str, values: dict[str, Any]) -> None:
    """From a page that shows a live study's test participants its links lead on to the like: every
    address of the study says so, unless it says what it wants itself."""
    here = g.get("post")
    if here is not None and here.study.tests and "study" in values and TESTS not in values:
        values[TESTS] = "1"


def _to_sign_in(expired: bool, back: bool) -> BaseResponse:
    """On to the sign-in, and afterwards `back` to the page that was to be read; what somebody sent
    whose desk was signed out meanwhile goes along."""
    sealed = kept.keep() if request.method == "POST" else None
    if sealed is not None:
        page = render_template("staff/sign_in.html", fault=None, over=False, kept=sealed)
        response: BaseResponse = Response(page, status=401)
    else:
        if request.method == "GET" and back:
            session["staff_next"] = request.path
        response = redirect(url_for("staff.sign_in", over="1" if expired else None), 303)
    forget(response)
    return response


def carry(path: str, fault: str | None = None) -> BaseResponse:
    """The page that asks for a proof of being there, carrying what was sent; nothing is lost.

    Where a password was sent, which is not carried, the page that asks for it comes again.
    """
    sent = kept.fields()
    if request.endpoint == "staff.verify":  # the proof was wrong: once more, for the same
        by_post = request.form.get("method") == "post"
        sent = [(name, value) for name, value in sent if name != "method"]
    else:
        by_post = request.method == "POST" and bool(sent or not kept.SECRETS & request.form.keys())
    with house().database.reading() as database:
        has_passkey = bool(staff_passkeys.living(database, person().staff_id))
    fields, method = (sent, "post") if by_post else ([], "get")
    page = render_template(
        "staff/verify.html",
        carry_to=path,
        fields=fields,
        fault=fault,
        method=method,
        step=steps.step(path, fields, method.upper()),
        has_passkey=has_passkey,
    )
    return Response(page, status=401 if fault is None else 422)


def participant(number: str, *roles: str) -> Participant:
    """The participant of this number, at a site that the person's roles cover; else not found."""
    here = post()
    sites = here.covers(*roles)
    with house().database.reading() as database:
        found = participants.find(database, here.study.id, number)
    if found is None or (sites is not None and found.site_id not in sites):
        abort(404)
    return found
