"""A file that waits in a page between two steps, and is kept nowhere else: packed, in a field."""

from __future__ import annotations

import base64
import zlib


def packed(data: bytes) -> str:
    """A file as a form's field holds it."""
    return base64.b64encode(zlib.compress(data)).decode()


def unpacked(text: str, most: int) -> bytes:
    """The file in such a field; nothing where it holds none, or one of more than `most` bytes."""
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(base64.b64decode(text, validate=True), most + 1)
    except (ValueError, zlib.error):
        return b""
    return data if unpacking.eof and len(data) <= most else b""
