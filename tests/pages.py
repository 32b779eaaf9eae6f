"""A test client that checks every page it fetches, and speaks in what the person does."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import PIN, Enrolled

LANGUAGES = {"ms": "ms", "en": "en", "zh_Hans": "zh-Hans", "ta": "ta"}


class Page(HTMLParser):
    """What a page holds, as far as the checks need it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of this name."""
        return [attributes for name, attributes in self.tags if name == tag]

    def tags_of(self, css_class: str) -> list[dict[str, str | None]]:
        """The attributes of every element of this class."""
        return [one for _, one in self.tags if css_class in str(one.get("class")).split()]

    def check(self) -> None:
        """What every page of ours must be."""
        assert len(self.all("h1")) == 1, "one main heading"
        assert len(self.all("html")) == 1
        assert self.all("html")[0]["lang"] in LANGUAGES.values()
        assert re.search(r"<title>[^<]+</title>", self.text), "a title"
        viewport = next(m for m in self.all("meta") if m.get("name") == "viewport")
        assert "maximum-scale" not in str(viewport["content"]), "zoom is never blocked"
        for script in self.all("script"):
            assert script.get("src") or script.get("type") == "application/json", "no inline script"
        for tag, attributes in self.tags:
            assert not any(name.startswith("on") or name == "style" for name in attributes), tag
        posts = [form for form in self.all("form") if form.get("method") == "post"]
        tokens = [i for i in self.all("input") if i.get("name") == "csrf_token"]
        assert len(tokens) == len(posts), "every posting form has its token"
        labels = {label.get("for") for label in self.all("label")}
        for field in self.all("input"):
            hidden = field.get("type") == "hidden" or "hidden" in field
            if not hidden and field.get("type") not in {"radio", "checkbox"}:
                assert field.get("id") in labels, f"a label for {field}"

    def token(self) -> str:
        """The CSRF token of the first form."""
        return str(next(i["value"] for i in self.all("input") if i.get("name") == "csrf_token"))


class Browser:
    """One browser: its cookies, the page it shows, and the person's doings."""

    def __init__(self, app: Flask, language: str = "en") -> None:
        self.client = app.test_client()
        self.accept = {"Accept-Language": LANGUAGES.get(language, language)}
        self.response: TestResponse
        self.page: Page

    def get(self, path: str, status: int = 200, **options: Any) -> Page:
        """Open a page, following redirects, and check it."""
        self.response = self.client.get(path, headers=self.accept, follow_redirects=True, **options)
        return self._see(status)

    def post(self, path: str, status: int = 200, **fields: str) -> Page:
        """Send a form with the token of the page that is shown."""
        data = {"csrf_token": self.page.token(), **fields}
        self.response = self.client.post(
            path, data=data, headers=self.accept, follow_redirects=True
        )
        return self._see(status)

    def send(self, path: str, body: Any, token: str | None = None) -> TestResponse:
        """Send JSON as the page's script does."""
        headers = {**self.accept, "X-CSRFToken": token or self.page.token()}
        return self.client.post(path, json=body, headers=headers)

    def _see(self, status: int) -> Page:
        assert self.response.status_code == status, self.response.text[:2000]
        self.page = Page(self.response.text)
        self.page.check()
        return self.page

    @property
    def path(self) -> str:
        """Where the browser is."""
        return self.response.request.path

    def join(self, person: Enrolled, code: str | None = None, pin: str = PIN) -> None:
        """Join with the card's code: code, notice, PIN."""
        self.get("/join/")
        self.post("/join/", code=code or person.code)
        self.post("/join/notice", accept="yes")
        self.post("/join/pin", pin=pin, again=pin)

    def unlock(self, pin: str = PIN, status: int = 200) -> Page:
        """Give the PIN on the page that asks for it."""
        return self.post("/unlock", status=status, pin=pin)
