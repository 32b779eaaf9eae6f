"""What is the same for everybody and for ever: static files and sheets, compressed once.

Their addresses change with their content, so browsers keep them; they are worth the most that
Brotli can do, which is too slow for a page made at the moment. Style and scripts are written to
be read; comments and indentation stay here.
"""

from __future__ import annotations

import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import rcssmin  # type: ignore[import-untyped]
import rjsmin  # type: ignore[import-untyped]
from flask import Response, abort, request

TEXTS = ("text/", "image/svg", "application/json")
KEEP = f"public, max-age={365 * 24 * 3600}, immutable"


def lasting(body: bytes, mimetype: str) -> Response:
    """An answer that browsers may keep for a year."""
    packed = mimetype.startswith(TEXTS) and request.accept_encodings["br"] > 0
    response = Response(_pack(body) if packed else body, mimetype=mimetype)
    if packed:
        response.headers["Content-Encoding"] = "br"
    response.headers["Cache-Control"] = KEEP
    return response


@lru_cache(maxsize=200)
def _pack(body: bytes) -> bytes:
    packed: bytes = brotli.compress(body)
    return packed


def slim(path: Path) -> bytes:
    """A file as it is sent: style and scripts without what only their readers need."""
    body = path.read_bytes()
    shorten = {".js": rjsmin.jsmin, ".css": rcssmin.cssmin}.get(path.suffix)
    return body if shorten is None else str(shorten(body.decode())).encode()


class Folder:
    """A folder's files as they were when the process started, under addresses of their release."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        self._bodies = {str(path.relative_to(folder)): slim(path) for path in paths}
        digest = hashlib.sha256()
        for name, body in self._bodies.items():
            digest.update(name.encode() + b"\0" + body)
        self.release = digest.hexdigest()[:10]

    def send(self, release: str, filename: str) -> Response:
        """A file. A page or worker of another release gets today's file, but may not keep it."""
        if filename not in self._bodies:
            abort(404)
        mimetype, _encoding = mimetypes.guess_type(filename)
        response = lasting(self._bodies[filename], mimetype or "application/octet-stream")
        if release != self.release:
            response.headers["Cache-Control"] = "no-cache"
        return response
