"""A form is not lost when its desk was signed out meanwhile.

The token in each page of a signed-in person tells whose page it is, under the installation's
signature. So a form that comes too late is known to be that person's: it is sealed, travels in the
pages of the sign-in, and is sent on when the same person has signed in.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from flask import Response, render_template, request, session
from itsdangerous import BadData, URLSafeTimedSerializer

from pro_app.services import kept_forms
from pro_app.services.kept_forms import KeptForm
from pro_app.web import steps
from pro_app.web.house import house

SECRETS = frozenset({"password", "again", "code"})  # never kept, never carried
UNCARRIED = SECRETS | {"csrf_token", "carry_to", "kept"}
FIELD = "csrf_token"


def own_pages(staff_id: int, renew: bool = False) -> None:
    """Let the pages from here on be this person's; with `renew`, those of before are too old."""
    if renew or not str(session.get(FIELD, "")).startswith(f"{staff_id}."):
        session[FIELD] = f"{staff_id}.{secrets.token_hex(20)}"


def page_owner() -> int | None:
    """Whose page a form comes from; None if that was nobody's, or is not known."""
    serializer = URLSafeTimedSerializer(_keys(), salt="wtf-csrf-token")
    try:
        given = request.form.get(FIELD) or request.headers.get("X-CSRFToken", "")
        found = str(serializer.loads(given))
    except BadData:
        return None
    owner, dot, _ = found.partition(".")
    return int(owner) if dot and owner.isdecimal() else None


def _keys() -> list[str]:
    """The keys that sign tokens; the last one is today's."""
    settings = house().settings
    return [*settings.previous_secret_keys, settings.secret_key]


def fields() -> list[tuple[str, str]]:
    """What was sent, but for secrets and what belongs to the way it came."""
    return [(k, v) for k, v in request.form.items(multi=True) if k not in UNCARRIED]


def keep() -> str | None:
    """What was sent, sealed for whose page it comes from; None if there is nothing to keep."""
    owner, sent, path = page_owner(), fields(), request.full_path.rstrip("?")
    if request.endpoint == "staff.verify":  # a proof came too late: what it carried goes on
        path = request.form.get("carry_to", "")
        by_post = request.form.get("method") == "post"
        sent = [pair for pair in sent if pair[0] != "method"] if by_post else []
    if owner is None or not sent or not path.startswith("/staff/"):
        return None
    return kept_forms.seal(house().post_office.vault, owner, KeptForm(path, sent), house().clock())


def go_on(staff_id: int) -> Response | None:
    """The page that sends on what was kept for this person; None if there is nothing."""
    sealed = request.form.get("kept", "")
    vault, now = house().post_office.vault, house().clock()
    form = kept_forms.unseal(vault, sealed, staff_id, now) if sealed else None
    if form is None:
        return None
    return once_more(form.path, form.fields)


def once_more(path: str, fields: Sequence[tuple[str, str]], again: bool = False) -> Response:
    """The page that says which step waits, and sends it on when pressed. `again`: the person has
    signed in anew since the step's own page was opened."""
    step = steps.step(path, fields)
    page = render_template("staff/go_on.html", path=path, fields=fields, step=step, again=again)
    return Response(page)


def resend() -> Response | None:
    """Of somebody who has signed in again in another tab: the page that sends on what an older
    page of the same person sent; None for anybody else's."""
    known, sent = session.get(FIELD, ""), fields()
    if not sent or page_owner() is None or not str(known).startswith(f"{page_owner()}."):
        return None
    response = once_more(request.full_path.rstrip("?"), sent, again=True)
    response.status_code = 400
    return response
