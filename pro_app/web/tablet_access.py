"""The site's tablet as the server knows it: a browser that shows one participant's questions and
nothing else, until somebody of the staff signs in there.

While it carries its cookie, living or dead, every other page of ours leads back to it: Today, the
staff's rooms, joining. The cookie outlasts the browser's closing, so that this is no way out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from flask import g, jsonify, redirect, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from pro_app.services import joining, staff_sign_in, tablet
from pro_app.services.tablet import Guest
from pro_app.web import layout
from pro_app.web.house import house
from pro_app.web.locale import COOKIE_AGE

View = TypeVar("View", bound=Callable[..., Any])
STAGES = ("over", "handed", "confirmed", "answering")
OVER = "over"  # what the cookie holds when the session has ended
# what the staff need to take the tablet back; those of the demonstration have no password
WAY_OUT = frozenset(
    {
        "staff.sign_in", "staff.check_password", "staff.second", "staff.check_second",
        "staff.choose_language", "staff_passkeys.opening", "staff_passkeys.sign_in",
        "demo.people", "demo.enter_staff",
    }
)  # fmt: skip
# what the participant's own pages play
PLAYED = frozenset({"sounds.sound"})
SLACK = timedelta(seconds=90)  # the page ends by itself so long before the server would


def on_tablet(stage: str, *, once: bool = False, late: bool = False) -> Callable[[View], View]:
    """Say from which stage on a view is there: `over`, as long as the browser is a tablet;
    `handed`, once it was handed over; `confirmed`, once the participant has said who they are;
    `answering`, when the privacy notice is accepted, too. `once`: not in the stages after it.
    `late`: also for an answer that waited for the network until the session had lain idle."""
    if stage not in STAGES:
        raise ValueError(f"no stage {stage!r}")

    def mark(view: View) -> View:
        view.audience = "tablet"  # type: ignore[attr-defined]
        view.stage = stage  # type: ignore[attr-defined]
        view.once = once  # type: ignore[attr-defined]
        view.late = late  # type: ignore[attr-defined]
        return view

    return mark


def cookie() -> str:
    """The name of the session's cookie; `__Host-` ties it to this very host over TLS."""
    return "tablet" if house().settings.plain_cookies else "__Host-tablet"


def keep(response: BaseResponse, token: str) -> None:
    """Make this browser the tablet. What it has kept of other pages is forgotten, so that Back
    shows none of them."""
    secure = not house().settings.plain_cookies
    response.set_cookie(
        cookie(), token, max_age=COOKIE_AGE, secure=secure, httponly=True, samesite="Lax"
    )
    response.headers["Clear-Site-Data"] = '"cache"'
    session.clear()


def is_tablet() -> bool:
    """Whether this browser is the site's tablet, in use or given back."""
    return cookie() in request.cookies


def is_bound() -> bool:
    """Whether this request is for the tablet to answer: it is one, and this is no way out, nor
    a sound of its own pages."""
    return is_tablet() and request.endpoint not in WAY_OUT | PLAYED


def guest() -> Guest:
    """The participant before the tablet; only for views of a stage after `over`."""
    found: Guest = g.guest
    return found


def words() -> dict[str, Any]:
    """Names that the tablet's templates know."""
    return {"guest": g.get("guest"), "tablet_seconds": int((tablet.IDLE - SLACK).total_seconds())}


def admit(view: Any) -> BaseResponse | None:
    """Before every request of the tablet: lead it back to its own pages, and there to the one whose
    turn it is."""
    if getattr(view, "audience", None) != "tablet":
        if request.is_json or getattr(view, "for_script", False):
            response = jsonify(error="device")
            response.status_code = 401
            return response
        return redirect(url_for("tablet.hand_over"), 303)
    now = house().clock()
    with house().database.reading_rows() as database:
        found = tablet.find(database, request.cookies[cookie()])
    if found is not None and found.lives(now):
        g.guest = found
        return _led(view, found)
    if found is not None and view.late and request.method == "POST" and found.takes_late(now):
        g.guest = found
        return None
    return None if view.stage == "over" else redirect(url_for("tablet.over"), 303)


def _led(view: Any, found: Guest) -> BaseResponse | None:
    """On to the page whose turn it is; a page that was met in time counts as use."""
    now, stage, study = house().clock(), STAGES.index(view.stage), layout.study()
    assert study is not None  # noqa: S101 (a participant has a study)
    reached = 1
    if found.confirmed:
        accepted = joining.notice_is_accepted(found, study.definition.notice.version, now)
        reached = 3 if accepted else 2
    if now - found.seen_at >= tablet.SEEN_EVERY:
        with house().database.writing() as database:
            tablet.touch(database, found, now)
    if stage > reached:
        return redirect(url_for("tablet.confirm" if reached == 1 else "tablet.notice"), 303)
    if reached > stage and (stage == 0 or view.once):
        return redirect(url_for("tablet_sheet.listed"), 303)
    return None


def ended(how: str) -> BaseResponse:
    """The page after the end; the cookie now names nobody."""
    found = g.get("guest")
    language = None if found is None else found.language
    response = redirect(url_for("tablet.over", how=how, language=language), 303)
    keep(response, OVER)
    return response


def leave(response: BaseResponse, staff_token: str) -> None:
    """Somebody of the staff has signed in, whatever the way: this browser is the tablet no more."""
    if not is_tablet():
        return
    now = house().clock()
    with house().database.writing() as database:
        found = tablet.find(database, request.cookies[cookie()])
        person = staff_sign_in.person_of(database, staff_token, now)
        if found is not None and person is not None:
            tablet.end(database, found, "staff", now, person.staff_id)
    secure = not house().settings.plain_cookies
    response.delete_cookie(cookie(), secure=secure, samesite="Lax")
