"""Pages for what went wrong: in the person's language, with what to do, and the right status."""

from __future__ import annotations

import traceback

from flask import Flask, current_app, jsonify, render_template, request
from flask_babel import lazy_gettext as _l
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from pro_app.web import problems, tablet_access
from pro_app.web.problems import Problem

Page = tuple[str, int]

KNOWN = {
    403: (_l("This page is not open"), _l("It is not meant for this phone at this time.")),
    404: (
        _l("There is nothing here"),
        _l("The address may be mistyped, or it belongs to somebody else."),
    ),
    405: (_l("That did not work"), _l("Please go back and try it from the page itself.")),
    413: (_l("That was too large"), _l("More was sent than this page can take.")),
    429: (
        _l("Please wait a while"),
        _l("There were too many tries from here. Wait one hour, then try again."),
    ),
}
FOR_STAFF = {
    403: (_l("This page is not open"), _l("Your role has no access to it.")),
    404: (
        _l("There is nothing here"),
        _l("The address may be mistyped, or it belongs to another site."),
    ),
    409: (_l("That did not work"), _l("This person is no longer in the study.")),
}
OTHER = (
    _l("Something went wrong"),
    _l("The fault is ours. What you have answered so far is kept. Please try again in a moment."),
)


def register(app: Flask) -> None:
    """Answer every error with a page of ours."""
    app.register_error_handler(Problem, problems.answer)
    app.register_error_handler(HTTPException, refused)
    app.register_error_handler(Exception, failed)


def refused(error: HTTPException) -> Page | BaseResponse:
    """A request that was turned down, with its own status."""
    code = error.code or 500
    if code < 400:
        return error.get_response()
    if problems.is_asked():
        allowed = getattr(error, "valid_methods", None)
        return problems.of_status(code, {"Allow": ", ".join(allowed)} if allowed else None)
    if request.is_json:
        response = jsonify(error=error.name)
        response.status_code = code
        return response
    title, text = (FOR_STAFF if _is_staffs() else KNOWN).get(code) or KNOWN.get(code, OTHER)
    return render_template("errors/error.html", title=title, text=text, **frame()), code


def failed(error: Exception) -> Page | BaseResponse:
    """A fault of ours: told in the log without what the person sent."""
    frames = "".join(traceback.format_tb(error.__traceback__))  # messages may quote an answer
    current_app.logger.error("%s in %s\n%s", type(error).__name__, request.endpoint, frames)
    if problems.is_asked():
        return problems.of_status(500)
    if request.is_json:
        response = jsonify(error="server")
        response.status_code = 500
        return response
    return render_template("errors/error.html", title=OTHER[0], text=OTHER[1], **frame()), 500


def _is_staffs() -> bool:
    return request.path.startswith("/staff/")


def frame() -> dict[str, str]:
    """Whose frame the page has, and where it leads back to."""
    if _is_staffs():
        return {"frame": "staff/base.html", "start": "/staff/"}
    if tablet_access.is_tablet():
        return {"frame": "tablet/base.html", "start": "/tablet/"}
    return {"frame": "base.html", "start": "/"}
