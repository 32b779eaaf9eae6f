"""Programs at the door: `Authorization: Bearer`, no cookie, and how much each may ask.

A wrong token is counted by network address as wrong codes are. How much a token asks is counted in
this process alone: two requests at a time, three of all tokens together, so that most of the
threads stay free for phones, and 120 a minute.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from flask import Response, current_app, g, request

from pro_app.services import api_tokens, enrolment, secrets
from pro_app.services.api_tokens import Holder
from pro_app.web.house import house
from pro_app.web.problems import Problem

View = TypeVar("View", bound=Callable[..., Any])
TRY = "token"  # the kind under which wrong tokens are counted
AT_ONCE, ALL_AT_ONCE = 2, 3  # requests of one token, and of all
PER_MINUTE = 120  # requests of one token
MINUTE = timedelta(minutes=1)
REALM = 'Bearer realm="pro-app"'


def token_only(*, alone: bool = False) -> Callable[[View], View]:
    """Say that a view is for programs with a token; with `alone` for those without one, too."""

    def mark(view: View) -> View:
        view.audience = "token"  # type: ignore[attr-defined]
        view.alone = alone  # type: ignore[attr-defined]
        return view

    return mark


class Limits:
    """What this process is asked by tokens, by their ids. Requests of a minute are remembered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work: Counter[int] = Counter()
        self._asked: dict[int, deque[datetime]] = {}

    def enter(self, token_id: int, now: datetime) -> int | None:
        """Let a request in (None), or say after how many seconds to try again."""
        with self._lock:
            asked = self._asked.setdefault(token_id, deque())
            while asked and now - asked[0] >= MINUTE:
                asked.popleft()
            if len(asked) >= PER_MINUTE:
                return max(1, int((asked[0] + MINUTE - now).total_seconds()))
            if self._at_work[token_id] >= AT_ONCE or self._at_work.total() >= ALL_AT_ONCE:
                return 1
            asked.append(now)
            self._at_work[token_id] += 1
            return None

    def leave(self, token_id: int) -> None:
        """A request that was let in is over."""
        with self._lock:
            self._at_work[token_id] -= 1


def limits() -> Limits:
    """This process's."""
    found: Limits = current_app.extensions.setdefault("pro_app_token_limits", Limits())
    return found


def is_known() -> bool:
    """Whether the request came with a token."""
    return g.get("holder") is not None


def holder() -> Holder:
    """The token of this request; only for views that need one."""
    found: Holder = g.holder
    return found


def admit(view: Any) -> Response | None:
    """Before a program's request: find what its token reads, and turn away the rest."""
    g.holder = None
    given, now = request.authorization, house().clock()
    if given is None or given.type != "bearer" or not given.token:
        return None if view.alone else _unknown("Send the token: Authorization: Bearer TOKEN.")
    with house().database.reading() as database:
        found = api_tokens.holder(database, given.token, now)
    if found is None:
        return _wrong(now)
    wait = limits().enter(found.token_id, now)
    if wait is not None:
        detail = (
            f"Too much at once: at most {PER_MINUTE} requests a minute and {AT_ONCE} at a time."
        )
        return Problem(429, detail, headers={"Retry-After": str(wait)}).response()
    g.holder = found
    return None


def _unknown(detail: str, error: str = "") -> Response:
    return Problem(401, detail, headers={"WWW-Authenticate": REALM + error}).response()


def _wrong(now: datetime) -> Response:
    """A token that opens nothing is counted; after too many nothing more is written down."""
    source = secrets.source_hash(request.remote_addr or "", house().settings.secret_key)
    with house().database.reading() as database:
        many = enrolment.too_many_tries(database, TRY, source, now)
    if many:
        wait = int(enrolment.TRY_PERIOD.total_seconds())
        detail = "Too many wrong tokens from this address."
        return Problem(429, detail, headers={"Retry-After": str(wait)}).response()
    with house().database.writing() as database:
        enrolment.note_try(database, TRY, source, now)
    detail = (
        "This token opens nothing: it is mistyped, over, revoked, or its maker may not read here."
    )
    return _unknown(detail, ', error="invalid_token"')


def leave(_error: BaseException | None = None) -> None:
    """After every request of the blueprint: its place is free again."""
    if g.get("holder") is not None:
        limits().leave(g.holder.token_id)
        g.holder = None
