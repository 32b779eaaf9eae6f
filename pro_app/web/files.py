"""What is the same for everybody and for ever: static files and sheets, compressed once.

Their addresses change with their content, so browsers keep them; they are worth the most that
Brotli can do, which is too slow for a page made at the moment.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import brotli  # type: ignore[import-untyped]
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


def static_view(folder: Path) -> Callable[[str], Response]:
    """The view of a folder's files as they are now, by their paths below it."""
    kept = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }

    def static(filename: str) -> Response:
        if filename not in kept:
            abort(404)
        mimetype, _encoding = mimetypes.guess_type(filename)
        return lasting(kept[filename], mimetype or "application/octet-stream")

    return static
