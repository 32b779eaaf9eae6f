"""Recordings as they are played: at addresses that tell nobody what they are about.

Parts of one are answered, too: an iPhone plays nothing from a server that cannot give a part.
"""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort, request, url_for

from pro_app.services import recordings
from pro_app.web import access, files
from pro_app.web.house import house

blueprint = Blueprint("sounds", __name__)
HASH = re.compile(r"[0-9a-f]{64}")


@blueprint.get("/sounds/<sha256>")
@access.audience("public")
def sound(sha256: str) -> Response:
    """A recording, whole or the part that was asked for, the same for everybody."""
    if not HASH.fullmatch(sha256):
        abort(404)
    with house().database.reading_rows() as database:
        found = recordings.find(database, sha256)
    if found is None:
        abort(404)
    media_type, content = found
    response = Response(content, mimetype=media_type)
    response.set_etag(sha256)
    response.headers["Cache-Control"] = files.KEEP
    response.make_conditional(request, accept_ranges=True, complete_length=len(content))
    return response


sound.impersonal = True  # type: ignore[attr-defined]


def address(sha256: str) -> str:
    """Where a recording is played from."""
    return url_for("sounds.sound", sha256=sha256)
