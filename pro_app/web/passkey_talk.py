"""What a page's script and a view say to each other about a passkey, in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import jsonify, request, session
from werkzeug.wrappers import Response as BaseResponse

from pro_app.services import credentials
from pro_app.services.credentials import Challenge, Place
from pro_app.web import layout
from pro_app.web.house import house


def place() -> Place:
    """Where passkeys work, named in the page's language."""
    name = house().post_office.notices.app_name(layout.language())
    return credentials.place(house().settings.public_url, name)


def ask(use: str) -> Challenge:
    """A new challenge for this browser; an older one opens nothing any more."""
    challenge = credentials.new_challenge(house().clock())
    session["challenge"] = [use, challenge.value, challenge.at.isoformat()]
    return challenge


def asked(use: str) -> Challenge | None:
    """The challenge that this browser was asked with for this use, once."""
    wanted, value, at = session.pop("challenge", (None, "", ""))
    return Challenge(value, datetime.fromisoformat(at)) if wanted == use else None


def body() -> Mapping[str, Any]:
    """What the script has sent."""
    found = request.get_json(silent=True)
    return found if isinstance(found, Mapping) else {}


def refused(fault: str) -> BaseResponse:
    """What to tell the person, in words."""
    response = jsonify(fault=fault)
    response.status_code = 422
    return response
