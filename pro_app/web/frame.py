"""Frames: a page that is the same for many people but for a few places, rendered once.

While the template is rendered each of these places holds a mark: a word made at random when the
process starts, so that no text of a page can be taken for one. Filling a frame puts the values
there, escaped as in any template. A frame is kept under a key of all that its text depends on;
what belongs to one person is always a hole.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Hashable, Mapping
from typing import Any

from flask import render_template
from markupsafe import escape

_MARK = f"hole{secrets.token_hex(16)}"
_HOLE = re.compile(f"{_MARK}([a-z_]+){_MARK}")


class Frame:
    """A rendered page with holes."""

    def __init__(self, page: str) -> None:
        self._pieces = _HOLE.split(page)  # text, name, text, name, ..., text

    def fill(self, values: Mapping[str, Any]) -> str:
        """The page with a value in every hole. Raises KeyError for a hole that has none."""
        pieces = self._pieces.copy()
        for place in range(1, len(pieces), 2):
            pieces[place] = escape(values[pieces[place]])
        return "".join(pieces)


_frames: dict[Hashable, Frame] = {}


def fill(template: str, key: Hashable, same: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """A template's page with these values; the template is rendered when the key is new.

    `same` is what the template needs besides and what the key tells apart. The template sees
    neither the person nor the address, only that there is a person; the CSRF token is a value.
    """
    frame = _frames.get((template, key))
    if frame is None:
        holes = {name: f"{_MARK}{name}{_MARK}" for name in values}
        token = holes["csrf_token"]
        page = render_template(
            template, **same, **{**holes, "csrf_token": lambda: token, "person": True, "here": None}
        )
        frame = _frames[template, key] = Frame(page)
    return frame.fill(values)
