"""Who may see which page. Every endpoint names its audience; one that does not is refused.

A browser that has joined carries the device's token in a cookie of its own; the session, begun
by the PIN, is named in Flask's signed cookie by a token whose hash is a row. The CSRF token
lives as long as the device does, so that a page left open overnight can still send its answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import (
    Response,
    current_app,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_wtf.csrf import CSRFProtect, generate_csrf
from werkzeug.wrappers import Response as BaseResponse

from pro_app.services import joining, phones, sessions
from pro_app.services.sessions import Person
from pro_app.web import errors, kept, layout, staff_access, steps, tablet_access, token_access
from pro_app.web.house import house
from pro_app.web.locale import COOKIE_AGE

View = TypeVar("View", bound=Callable[..., Any])
AUDIENCES = ("public", "device", "participant")  # and staff, tablet, token: see their modules
UNCARRIED = frozenset({"csrf_token", "pin", "username", "carry_to"})
OWN_COOKIES = ("language", "text_size", "reminders", "unsent")  # what a browser keeps besides


def audience(name: str) -> Callable[[View], View]:
    """Say who a view is for: `public`; `device`, joined but locked; or `participant`."""
    if name not in AUDIENCES:
        raise ValueError(f"no audience {name!r}")

    def mark(view: View) -> View:
        view.audience = name  # type: ignore[attr-defined]
        return view

    return mark


def from_worker(view: View) -> View:
    """Mark a view that scripts post to: a service worker has no page and so no token, and a page
    without network has none of today. What a browser says of a request's origin stands in, which
    no page of another site can forge."""
    view.from_worker = True  # type: ignore[attr-defined]
    return view


def for_script(view: View) -> View:
    """Mark a view that scripts read: whom it is not for gets a status, not a page, and is not led
    there afterwards."""
    view.for_script = True  # type: ignore[attr-defined]
    return view


def device_cookie() -> str:
    """The name of the device's cookie; `__Host-` ties it to this very host over TLS."""
    return "device" if house().settings.plain_cookies else "__Host-device"


def keep_device(response: BaseResponse, token: str, shared: bool = False) -> None:
    """Set or renew the device's cookie; on a phone that is not the person's own it ends with the
    browser."""
    response.set_cookie(
        device_cookie(),
        token,
        max_age=None if shared else COOKIE_AGE,
        secure=not house().settings.plain_cookies,
        httponly=True,
        samesite="Lax",
    )


def keep_choice(response: BaseResponse, name: str, value: str, shared: bool = False) -> None:
    """Keep this browser's own `language` or `text_size`, for pages that know nobody yet; on a
    phone that is not the person's own, until the browser ends."""
    secure = not house().settings.plain_cookies
    known = g.get("person") or g.get("locked")
    age = None if shared or (known is not None and known.shared) else COOKIE_AGE
    response.set_cookie(name, value, max_age=age, samesite="Lax", secure=secure, httponly=True)


def begin_session(device_id: int, shared: bool = False) -> None:
    """Open a session on this device, in a transaction of its own."""
    with house().database.writing() as database:
        session["token"] = sessions.start(database, device_id, house().clock())
    session.permanent = not shared
    session.pop("leaving", None)


def sign_out() -> BaseResponse:
    """Let this phone open nothing any more, and have the browser forget everything of ours."""
    known = owner()
    with house().database.writing() as database:
        phones.sign_out(database, known.participant_id, known.device_id, house().clock())
    session.clear()
    response = redirect(url_for("device.signed_out"), 303)
    secure = not house().settings.plain_cookies
    for name in (device_cookie(), *OWN_COOKIES):
        response.delete_cookie(name, secure=secure, samesite="Lax")
    response.headers["Clear-Site-Data"] = '"storage", "cache"'
    return response


class Csrf(CSRFProtect):  # type: ignore[misc]
    """CSRF tokens, in a JSON request from the header alone.

    Else its body would be read as a form first, at a tenth of the cost of saving an answer.
    """

    def protect(self, apply_exemptions: bool = False) -> None:
        """Refuse a request without its token, unless the worker may send it and it is ours."""
        view = current_app.view_functions.get(request.endpoint or "")
        if not (getattr(view, "from_worker", False) and _is_ours()):
            super().protect(apply_exemptions)

    def _get_csrf_token(self) -> str | None:
        if request.is_json:
            return request.headers.get("X-CSRFToken")
        found: str | None = super()._get_csrf_token()
        return found


def _is_ours() -> bool:
    """Whether a browser made this request for a page or the worker of this very site."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    address = urlsplit(house().settings.public_url)
    return request.headers.get("Origin") == f"{address.scheme}://{address.netloc}"


def person() -> Person:
    """The participant of this request; only for views of the audience `participant`."""
    found: Person = g.person
    return found


def owner() -> Person:
    """Whose phone this is, locked or not; only for views of the audience `device`."""
    found: Person = g.person or g.locked
    return found


def admit() -> BaseResponse | None:
    """Before every request: find the person, and turn away whom the page is not for."""
    g.person = g.locked = g.guest = None
    if request.endpoint == "static":
        return None
    view = current_app.view_functions.get(request.endpoint or "")
    if tablet_access.is_bound():
        return tablet_access.admit(view)
    if getattr(view, "audience", None) == "token":  # whatever other cookies came along
        return token_access.admit(view)
    if view is None:
        return None
    wanted = getattr(view, "audience", None)
    if wanted is None:
        raise RuntimeError(f"{request.endpoint} names no audience")
    if wanted == "tablet":  # and this browser is none
        return redirect(url_for("home"))
    if getattr(view, "impersonal", False):
        return None
    if wanted == "staff":
        return staff_access.admit(view)
    _find_person()
    if wanted == "public" or (wanted == "device" and (g.person or g.locked)):
        return None
    if g.person is not None:
        return notice_gate(view)
    return _turn_away(view)


def _find_person() -> None:
    """Set `g.person` when the session lives, `g.locked` when only the device is known."""
    now = house().clock()
    session_token = session.get("token")
    device_token = request.cookies.get(device_cookie())
    if session_token is None and device_token is None:
        return
    with house().database.reading_rows() as database:
        found = None
        if session_token is not None:
            found = sessions.person_of_session(database, session_token, now)
        if found is None and device_token is not None:
            g.locked = sessions.person_of_device(database, device_token, now)
    if found is None:
        return
    g.person = found
    lately = found.seen_at is not None and now - found.seen_at <= sessions.SEEN_EVERY
    if session_token is not None and not lately:
        with house().database.writing() as database:
            sessions.touch(database, session_token, now)


def _turn_away(view: Any) -> BaseResponse:
    """Nobody, or a locked device: on to the code or the PIN, and afterwards to this page."""
    if request.is_json or getattr(view, "for_script", False):
        return _refused_json("device" if g.locked is None else "locked")
    if request.method == "POST" and g.locked is not None and g.locked.has_pin:
        return carry(request.full_path.rstrip("?"))
    return to_sign_in()


def to_sign_in() -> BaseResponse:
    """On to the code or the PIN, and afterwards back to a page that was to be read."""
    if request.method == "GET":
        session["next"] = request.path
    if g.locked is None:
        return redirect(url_for("join.code"))
    return redirect(url_for("participant.unlock" if g.locked.has_pin else "join.pin"))


def _refused_json(error: str) -> BaseResponse:
    """`locked`: the PIN is due; `device`: the phone is not joined (any more) and keeps what it
    has; `notice`: the notice is to be accepted first."""
    response = jsonify(error=error)
    response.status_code = 401
    return response


def notice_gate(view: Any) -> BaseResponse | None:
    """A notice that is new, or a year old, is shown before anything else."""
    if getattr(view, "before_notice", False) or request.method == "POST":
        return None
    found, study = person(), layout.study()
    assert study is not None  # noqa: S101 (a participant has a study)
    if joining.notice_is_accepted(found, study.definition.notice.version, house().clock()):
        return None
    if getattr(view, "for_script", False):
        return _refused_json("notice")
    session["next"] = request.path
    return redirect(url_for("participant.notice"))


def carry(path: str, fault: str | None = None) -> BaseResponse:
    """The PIN page, carrying what was posted; the right PIN sends it on, nothing is lost."""
    fields = [(k, v) for k, v in request.form.items(multi=True) if k not in UNCARRIED]
    page = render_template("participant/unlock.html", carry_to=path, fields=fields, fault=fault)
    return Response(page, status=401 if fault is None else 422)


def next_page() -> str:
    """Where the person was going before signing in; Today if nowhere."""
    return str(session.pop("next", None) or url_for("participant.today"))


def is_local(path: str) -> bool:
    """Whether a path stays on this site. Browsers skip control characters and turn \\ to /."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()


def csrf_refused(_error: Exception) -> BaseResponse | tuple[str, int]:
    """A token that is missing or not this browser's: a fresh one, and nothing lost."""
    if request.is_json:
        response = jsonify(error="csrf", csrf=generate_csrf())
        response.status_code = 400
        return response
    if tablet_access.is_bound() and g.get("guest") is None:
        return redirect(url_for("tablet.hand_over"), 303)
    if g.get("staff") is not None:
        again = kept.resend()
        if again is not None:
            return again
    if (g.get("person") or g.get("guest")) is not None:
        fields = [(k, v) for k, v in request.form.items(multi=True) if k not in UNCARRIED]
        path = request.full_path
        step = steps.step(path, fields)
        page = render_template(
            "errors/resend.html", path=path, fields=fields, step=step, **errors.frame()
        )
        return page, 400
    return render_template("errors/expired.html"), 400
