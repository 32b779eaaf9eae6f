"""The application is put together here and nowhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask, Response, g, redirect, url_for
from flask_babel import Babel
from flask_compress import Compress
from flask_wtf.csrf import CSRFError
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as BaseResponse

from pro_app.catalogues import CATALOGUES
from pro_app.config import ROOT, Settings
from pro_app.core.library import load_library
from pro_app.migrations import is_current
from pro_app.models import Database
from pro_app.services import checks
from pro_app.web import (
    access,
    account,
    alerts,
    api,
    calls,
    contact,
    coordinator,
    copy,
    correction_request,
    corrections,
    device,
    enrol,
    enrol_many,
    entry,
    errors,
    exports,
    files,
    investigator,
    join,
    journal,
    layout,
    locale,
    missed,
    offline,
    participant,
    participant_page,
    pictures,
    printing,
    proof_pack,
    protocol,
    pwa,
    questionnaire,
    receipts,
    register,
    reminders,
    score_page,
    sign_off,
    sounds,
    staff,
    staff_access,
    staff_passkeys,
    tablet,
    tablet_access,
    tablet_sheet,
    tablet_start,
    tokens,
    trail,
    translations,
    wording,
    wording_licence,
    wording_recordings,
    wording_upload,
)
from pro_app.web.house import Clock, House, furnish, house, system_clock
from pro_app.wiring import post_office

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
}
HEADERS = {"X-Content-Type-Options": "nosniff"}
YEAR = 365 * 24 * 3600  # seconds


class NotReady(Exception):
    """The database is not at the newest revision."""


def build(settings: Settings, clock: Clock | None) -> Flask:
    """See `pro_app.create_app`. Raises NotReady, StartRefused, or DefinitionError for a faulty
    instrument."""
    app = Flask(
        __name__,
        root_path=str(ROOT),
        static_folder=None,  # see `files`
        template_folder="templates",
    )
    _configure(app, settings)
    database = Database(settings.database_url)
    if not is_current(database):
        raise NotReady("the database is not up to date: run `pro-app db upgrade`")
    library = load_library(ROOT / "questionnaires")
    office = post_office(settings, database, library, clock or system_clock)
    if clock is None:  # the real one
        now = office.clock()
        checks.before_start(database, library, settings.vapid_subject, office.key_id, now)
    furnish(app, House(settings, database, library, office.clock, office))
    Babel(
        app,
        locale_selector=lambda: locale.parsed(locale.chosen_language(layout.languages())),
        default_translation_directories=str(CATALOGUES),
    )
    app.before_request(access.admit)
    access.Csrf(app)
    Compress(app)
    for rooms in (
        join,
        participant,
        questionnaire,
        reminders,
        pwa,
        offline,
        journal,
        device,
        staff,
        coordinator,
        enrol,
        participant_page,
        register,
        protocol,
        tablet_start,
        tablet,
        tablet_sheet,
        sounds,
        investigator,
        correction_request,
        corrections,
        sign_off,
        calls,
        entry,
        missed,
        trail,
        copy,
        pictures,
        alerts,
        staff_passkeys,
        account,
        enrol_many,
        contact,
        tokens,
        api,
        exports,
        proof_pack,
        receipts,
        printing,
        score_page,
        wording,
        wording_upload,
        wording_licence,
        wording_recordings,
        translations,
    ):
        app.register_blueprint(rooms.blueprint)
    if settings.demo:
        from pro_app.demo.web import blueprint as demo  # only where the demonstration is shown

        app.register_blueprint(demo)
    static = files.Folder(ROOT / "static")
    app.add_url_rule("/static/<release>/<path:filename>", "static", static.send)

    @app.url_defaults
    def release(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["release"] = static.release

    app.url_defaults(staff_access.keep_tests)
    app.add_url_rule("/", view_func=home)
    app.add_url_rule("/health", view_func=health)
    errors.register(app)
    app.register_error_handler(CSRFError, access.csrf_refused)
    app.after_request(_headers)
    app.context_processor(layout.words)
    app.context_processor(staff_access.words)
    app.context_processor(tablet_access.words)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _configure(app: Flask, settings: Settings) -> None:
    plain = settings.plain_cookies
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.previous_secret_keys),
        SESSION_COOKIE_NAME="session" if plain else "__Host-session",
        SESSION_COOKIE_SECURE=not plain,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=locale.COOKIE_AGE),
        WTF_CSRF_TIME_LIMIT=None,  # a page left open overnight still sends its answers
        WTF_CSRF_SSL_STRICT=False,  # pages send no referrer; cookies are SameSite
        MAX_CONTENT_LENGTH=1_000_000,
        COMPRESS_ALGORITHM=["zstd", "br", "gzip"],
        COMPRESS_ZSTD_LEVEL=3,  # a third of Brotli's cost for a fifth more bytes
        COMPRESS_BR_LEVEL=5,
        COMPRESS_STREAMS=True,
        COMPRESS_EVALUATE_CONDITIONAL_REQUEST=False,  # nothing here has an ETag
        COMPRESS_MIMETYPES=[
            "text/html", "text/css", "text/javascript", "text/calendar", "application/json",
            "image/svg+xml",
        ],
    )  # fmt: skip
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.add_extension("jinja2.ext.i18n")


@access.audience("public")
def home() -> BaseResponse | str:
    """The site's address alone, which the icon opens: on to where this browser belongs. Who is
    let in has Today at once, without another way through the network."""
    if g.person is not None:
        return access.notice_gate(home) or participant.today()
    return redirect(url_for("participant.unlock" if g.locked is not None else "join.code"))


@access.audience("public")
def health() -> Response:
    """For the operator's watch: the application answers and the database too."""
    with house().database.reading() as database:
        database.connection()
    return Response("ok\n", mimetype="text/plain")


def _headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    if response.mimetype == "text/html":
        response.headers.extend(PAGE_HEADERS)
        if not house().settings.plain_cookies:
            response.headers["Strict-Transport-Security"] = f"max-age={YEAR}; includeSubDomains"
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
