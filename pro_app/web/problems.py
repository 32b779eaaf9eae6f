"""What programs are told when something does not go: problem details for HTTP APIs, RFC 9457.

In English whatever the language, because programs and who writes them read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from flask import Response, request

PATHS = "/api/"  # addresses that programs ask
MEDIA_TYPE = "application/problem+json"
ABOUT = {  # where nobody has said more
    404: "There is nothing at this address, or not for this token.",
    405: "This is only read: use GET.",
    406: "The answer cannot be had in a form that Accept names: see /api/v1/.",
    413: "The request is too large.",
    500: "The fault is ours. It is written down; please try again later.",
}


class Problem(Exception):
    """A request that is turned down: its status, why, and the parameter that is at fault."""

    def __init__(
        self,
        status: int,
        detail: str,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.parameter = status, detail, parameter
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The answer that says it."""
        told: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.parameter is not None:
            told["parameter"] = self.parameter
        found = Response(json.dumps(told), self.status, mimetype=MEDIA_TYPE)
        found.headers.update(self.headers)
        return found


def is_asked() -> bool:
    """Whether the request is a program's."""
    return request.path.startswith(PATHS)


def of_status(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for a status alone."""
    known = status if status in ABOUT or status < 500 else 500
    return Problem(known, ABOUT.get(known, HTTPStatus(known).phrase), headers=headers).response()


def answer(problem: Problem) -> Response:
    """For the application: how a `Problem` that was raised is told."""
    return problem.response()
