"""What a browser fetches to show reminders and to be installed: worker, manifest, icons.

The same for everybody: no cookie is read or set, and no word tells what the site is for.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import rjsmin  # type: ignore[import-untyped]
from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import force_locale
from flask_babel import gettext as _

from pro_app.config import ROOT
from pro_app.core.study import LANGUAGES
from pro_app.web import access, files, locale
from pro_app.web.house import house

blueprint = Blueprint("pwa", __name__)

STATIC = ROOT / "static"
PATIENCE = 3_000  # milliseconds that a page may take before the phone shows its own
ASSETS = (
    "css/look.css", "css/pages.css", "css/reminders.css", "css/aloud.css", "icons/icon.svg",
    "js/journal.js", "js/outbox.js", "js/pin.js", "js/questionnaire.js", "js/unlock.js",
    "js/offline.js", "js/ahead.js", "js/phone.js", "js/worker.js", "js/aloud.js",
    "js/reminders.js", "js/install.js", "js/kind.js", "js/launch.js",
)  # fmt: skip


def _script(*names: str) -> str:
    """Modules as one classic script, which every browser's worker can run."""
    texts = ((STATIC / name).read_text(encoding="utf-8") for name in names)
    plain = (re.sub(r"^export ", "", text, flags=re.MULTILINE) for text in texts)
    return str(rjsmin.jsmin("\n".join(plain)))


_TAKE_OVER = "addEventListener('install', () => skipWaiting());"
_PURGE = f"""{_TAKE_OVER}
addEventListener("activate", (event) => event.waitUntil(caches.keys().then((names) =>
  Promise.all(names.map((name) => caches.delete(name))))));
"""
# again at each start of a page: that registers it anew, and speaks to it
_LEAVE = """
for (const name of ["activate", "message"]) addEventListener(name, () => registration.unregister());
"""
WORKERS = {
    "full": _script("js/journal.js", "js/outbox.js", "service-worker.js", "offline-worker.js"),
    "push": _script("service-worker.js") + _PURGE,
    "none": _PURGE + _LEAVE,
}
ICONS = {path.name: path.read_bytes() for path in (STATIC / "icons").glob("*.png")}
PICTURES = {path.name: path.read_bytes() for path in (STATIC / "pictures").glob("*.webp")}
PICTURE_SIZE = "540x1110"  # taken by tests/browser/take_pictures.py
GROUND = "#f7f5f1"  # --ground of look.css


def _language() -> str:
    wish = request.args.get("language", "")
    return wish if wish in LANGUAGES else "en"


@blueprint.get("/service-worker.js")
@access.audience("public")
def worker() -> Response:
    """The service worker, with what it says and knows by itself in front.

    The setting `worker` takes a broken one back: `push` leaves what shows reminders, without what
    answers for the network; `none` unregisters it, and with it the phone's subscription.
    """
    mode = house().settings.worker
    known = _reminding(_language()) | (_offline(_language()) if mode == "full" else {})
    script = f"const house = {json.dumps(known)};\n{WORKERS[mode]}"
    tag = hashlib.sha256(script.encode()).hexdigest()[:20]
    if request.if_none_match.contains(tag):
        response = Response(status=304)
    else:
        response = files.lasting(script.encode(), "text/javascript")
    response.set_etag(tag)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _reminding(language: str) -> dict[str, str]:
    """What the worker needs to show reminders."""
    office = house().post_office
    words = office.notices.fallback(language)
    return {
        "language": locale.html_language(language),
        "title": words.title,
        "text": words.text,
        "icon": url_for("pwa.icon", name="icon-192.png"),
        "badge": url_for("pwa.icon", name="badge-96.png"),
        "key": office.application_key,
    }


def _offline(language: str) -> dict[str, Any]:
    """What the worker keeps: the page without network and its files; `version` names them all."""
    page = render_template("offline/shell.html")
    return {
        "patience": PATIENCE,
        "version": hashlib.sha256(page.encode()).hexdigest()[:12],
        "shell": url_for("offline.shell", language=language),
        "assets": [url_for("static", filename=name) for name in ASSETS],
    }


@blueprint.get("/manifest.webmanifest")
@access.audience("public")
def manifest() -> Response:
    """What the app is called and looks like once it is installed."""
    language = _language()
    with force_locale(language):
        known = _app(language)
    body = json.dumps(known, ensure_ascii=False)
    response = Response(body, mimetype="application/manifest+json")
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


def _app(language: str) -> dict[str, Any]:
    name = house().post_office.notices.app_name(language)
    return {
        "id": "/",
        "start_url": "/",
        "scope": "/",
        "name": name,
        "short_name": name,
        "lang": locale.html_language(language),
        "dir": "ltr",
        "display": "standalone",
        # a tap on the icon or a link shows the open window as it is, see launch.js
        "launch_handler": {"client_mode": ["focus-existing", "auto"]},
        "background_color": GROUND,
        "theme_color": GROUND,
        "prefer_related_applications": False,
        "icons": [_icon(size, purpose) for size in (192, 512) for purpose in ("any", "maskable")],
        "screenshots": [
            {
                "src": url_for("pwa.picture", name=f"{page}-{language}.webp"),
                "sizes": PICTURE_SIZE,
                "type": "image/webp",
                "form_factor": "narrow",
                "label": label,
            }
            for page, label in (("today", _("Today")), ("practice", _("Try out how it works")))
        ],
        "shortcuts": [
            {"name": label, "url": url_for(endpoint), "icons": [_icon(192, "any")]}
            for endpoint, label in (
                ("participant.today", _("Today")),
                ("reminders.index", _("Reminders")),
            )
        ],
    }


def _icon(size: int, purpose: str) -> dict[str, str]:
    name = "icon" if purpose == "any" else purpose
    return {
        "src": url_for("pwa.icon", name=f"{name}-{size}.png"),
        "sizes": f"{size}x{size}",
        "type": "image/png",
        "purpose": purpose,
    }


@blueprint.get("/icons/<name>")
@access.audience("public")
def icon(name: str) -> Response:
    """An icon at an address that stays, for what outlives a release: workers, installed apps."""
    return _picture(ICONS.get(name), "image/png")


@blueprint.get("/pictures/<name>")
@access.audience("public")
def picture(name: str) -> Response:
    """What the app looks like, for a browser that offers to install it."""
    return _picture(PICTURES.get(name), "image/webp")


def _picture(body: bytes | None, mimetype: str) -> Response:
    if body is None:
        return Response(status=404, mimetype="text/plain")
    response = Response(body, mimetype=mimetype)
    response.headers["Cache-Control"] = "public, max-age=604800"
    return response


for view in (worker, manifest, icon, picture):
    view.impersonal = True  # type: ignore[union-attr]
