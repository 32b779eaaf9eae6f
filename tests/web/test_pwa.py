"""What browsers fetch to install the app: the manifest, its icons and its pictures."""

from __future__ import annotations

import json
import re
import struct
from typing import Any

import pytest
from flask import Flask

from tests.pages import LANGUAGES
from tests.web.test_languages import translations
from tests.web.test_reminders import TELLING

LARGEST_PICTURE = 25_000  # bytes
KEPT_A_WEEK = "public, max-age=604800"


def manifest_in(app: Flask, language: str) -> dict[str, Any]:
    """The manifest as a browser reads it."""
    answer = app.test_client().get(f"/manifest.webmanifest?language={language}")
    assert answer.mimetype == "application/manifest+json"
    assert "Set-Cookie" not in answer.headers
    found: dict[str, Any] = json.loads(answer.text)
    return found


def size_of(body: bytes) -> str:
    """The size of a PNG or WebP picture as its own bytes tell it."""
    if body.startswith(b"\x89PNG"):
        width, height = struct.unpack(">II", body[16:24])
    elif body[12:16] == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", body[26:30]))
    else:
        assert body[12:16] == b"VP8X"
        width, height = (1 + int.from_bytes(body[at : at + 3], "little") for at in (24, 27))
    return f"{width}x{height}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_manifest_is_in_the_language_and_covers_the_whole_site(
    app: Flask, language: str
) -> None:
    content, words = manifest_in(app, language), translations(language)
    assert (content["name"], content["short_name"]) == (words["My answers"],) * 2
    assert (content["lang"], content["dir"]) == (LANGUAGES[language], "ltr")
    assert (content["id"], content["start_url"], content["scope"]) == ("/", "/", "/")
    assert content["display"] == "standalone", "else an iPhone has no notifications at all"
    assert content["prefer_related_applications"] is False
    assert [one["label"] for one in content["screenshots"]] == [
        words["Today"], words["Try out how it works"]
    ]  # fmt: skip
    assert [(one["name"], one["url"]) for one in content["shortcuts"]] == [
        (words["Today"], "/today"), (words["Reminders"], "/reminders/")
    ]  # fmt: skip


def test_a_language_that_is_none_is_english(app: Flask) -> None:
    assert manifest_in(app, "fr") == manifest_in(app, "../x") == manifest_in(app, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_picture_is_what_the_manifest_says(app: Flask, language: str) -> None:
    content = manifest_in(app, language)
    shortcuts = [icon for one in content["shortcuts"] for icon in one["icons"]]
    for one in [*content["icons"], *content["screenshots"], *shortcuts]:
        answer = app.test_client().get(one["src"])
        assert answer.mimetype == one["type"]
        assert answer.headers["Cache-Control"] == KEPT_A_WEEK
        assert size_of(answer.data) == one["sizes"]
        assert len(answer.data) <= LARGEST_PICTURE
    purposes = {(one["sizes"], one["purpose"]) for one in content["icons"]}
    sizes = ("192x192", "512x512")
    assert purposes == {(size, purpose) for size in sizes for purpose in ("any", "maskable")}
    assert {one["form_factor"] for one in content["screenshots"]} == {"narrow"}
    assert all(language in one["src"] for one in content["screenshots"])


def test_an_iphone_gets_an_icon_of_its_own_size(app: Flask) -> None:
    assert size_of(app.test_client().get("/icons/touch-180.png").data) == "180x180"


@pytest.mark.parametrize("path", ["/icons/none.png", "/pictures/none.webp", "/pictures/icon.svg"])
def test_a_picture_that_is_none_is_not_found(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/plain")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_manifest_tells_nobody_what_the_app_is_for(app: Flask, language: str) -> None:
    text = json.dumps(manifest_in(app, language), ensure_ascii=False)
    assert re.search("My answers|Jawapan|回答|பதில்கள்", text)
    assert TELLING.search(text) is None
