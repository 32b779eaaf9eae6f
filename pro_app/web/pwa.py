"""What a browser fetches to show reminders and to be installed: worker, manifest, icons.

The same for everybody: no cookie is read or set, and no word tells what the site is for.
"""

from __future__ import annotations

import json

from flask import Blueprint, Response, request, url_for

from pro_app.config import ROOT
from pro_app.core.study import LANGUAGES
from pro_app.web import access, locale
from pro_app.web.house import house

blueprint = Blueprint("pwa", __name__)

STATIC = ROOT / "static"
WORKER = (STATIC / "service-worker.js").read_text(encoding="utf-8")
ICONS = {path.name: path.read_bytes() for path in (STATIC / "icons").glob("*.png")}
GROUND = "#f7f5f1"  # --ground of look.css


def _language() -> str:
    wish = request.args.get("language", "")
    return wish if wish in LANGUAGES else "en"


@blueprint.get("/service-worker.js")
@access.audience("public")
def worker() -> Response:
    """The service worker, with what it says and knows by itself in front."""
    office, language = house().post_office, _language()
    words = office.notices.fallback(language)
    known = {
        "language": locale.html_language(language),
        "title": words.title,
        "text": words.text,
        "icon": url_for("pwa.icon", name="icon-192.png"),
        "badge": url_for("pwa.icon", name="badge-96.png"),
        "key": office.application_key,
    }
    response = Response(f"const house = {json.dumps(known)};\n{WORKER}", mimetype="text/javascript")
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/manifest.webmanifest")
@access.audience("public")
def manifest() -> Response:
    """What the app is called and looks like once it is installed."""
    language = _language()
    name = house().post_office.notices.app_name(language)
    known = {
        "id": "/",
        "start_url": "/",
        "scope": "/",
        "name": name,
        "short_name": name,
        "lang": locale.html_language(language),
        "dir": "ltr",
        "display": "standalone",
        "background_color": GROUND,
        "theme_color": GROUND,
        "icons": [
            {
                "src": url_for("pwa.icon", name=f"icon-{size}.png"),
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": "any maskable",
            }
            for size in (192, 512)
        ],
    }
    body = json.dumps(known, ensure_ascii=False)
    response = Response(body, mimetype="application/manifest+json")
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


@blueprint.get("/icons/<name>")
@access.audience("public")
def icon(name: str) -> Response:
    """An icon at an address that stays, for what outlives a release: workers, installed apps."""
    if name not in ICONS:
        return Response(status=404, mimetype="text/plain")
    response = Response(ICONS[name], mimetype="image/png")
    response.headers["Cache-Control"] = "public, max-age=604800"
    return response


for view in (worker, manifest, icon):
    view.impersonal = True  # type: ignore[union-attr]
