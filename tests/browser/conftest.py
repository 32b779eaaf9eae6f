"""A real browser against a real server of this machine, and a watch over both."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, ConsoleMessage, Request, expect
from waitress import create_server

from pro_app.services import enrolment, joining, secrets, sessions
from pro_app.web import pwa
from tests.browser.people import Phone
from tests.conftest import KEY, PIN, Enrolled, Site, TestClock, make_app

VIEWPORT = {"width": 360, "height": 740}
PATIENCE = 30_000  # milliseconds to wait for a condition; a busy machine is no fault
START = 120_000  # and for a browser's start
HEARING = 5.0  # seconds until a page's error has been heard of

expect.set_options(timeout=PATIENCE)


class RunningClock(TestClock):
    """The test's moment, which also runs on: between two taps there is always some time."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__()
        self._begun = time.monotonic()

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self._begun)


@pytest.fixture
def clock() -> TestClock:
    return RunningClock()


class Server:
    """The application on a port of this machine. It can go away and come back.

    `asked` lists the method and path of every request that has reached it.
    """

    def __init__(self, url: str, clock: TestClock, **settings: Any) -> None:
        self._kept = socket.socket()  # bound all the time, so that nobody takes the port meanwhile
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", 0))
        self.port = self._kept.getsockname()[1]
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self.url = f"http://localhost:{self.port}"
        self.app: Flask = make_app(url, clock, self.url, **settings)
        self.asked: list[str] = []
        self._at_work = 0
        self._change = threading.Condition()
        self._answer = self.app.wsgi_app
        self.app.wsgi_app = self._note  # type: ignore[method-assign]
        self._serve()

    def _note(self, environ: dict[str, Any], start_response: Any) -> Any:
        with self._change:
            self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            self._at_work += 1
        try:
            return self._answer(environ, start_response)
        finally:
            with self._change:
                self._at_work -= 1
                self._change.notify_all()

    def _serve(self) -> None:
        self._waitress = create_server(self.app, sockets=[self._socket], threads=4)
        self._thread = threading.Thread(target=self._waitress.run)
        self._thread.start()

    def go_away(self) -> None:
        """Close every connection and take no new one."""
        self._waitress.trigger.pull_trigger(self._close)
        self._thread.join()
        self._waitress.task_dispatcher.shutdown()

    def _close(self) -> None:
        # a thread that answers still would write to the trigger's number, another file's by then
        self._waitress.trigger._physical_pull = lambda: None
        self._waitress.asyncore.close_all(self._waitress._map)

    def come_back(self) -> None:
        """Answer again, at the same address."""
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def quiet(self) -> None:
        """Wait until nothing is at work, whoever hung up: what is not stored now never will be."""
        with self._change:
            assert self._change.wait_for(lambda: not self._at_work, PATIENCE / 1000)

    def close(self) -> None:
        """For good."""
        if self._thread.is_alive():
            self.go_away()
        self._kept.close()
        self.app.extensions["pro_app"].database.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no slow network: pages may take long before the phone shows its own."""
    monkeypatch.setattr(pwa, "PATIENCE", 4 * PATIENCE)


@pytest.fixture
def server(sqlite_url: str, web_site: Site, clock: TestClock) -> Iterator[Server]:
    """The application on the site's database."""
    found = Server(sqlite_url, clock)
    yield found
    found.close()


class Watch:
    """What no page may do: ask another host, or write an error to the console."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._faults: list[str] = []
        self._expected: set[str] = set()
        self._contexts: list[BrowserContext] = []

    def over(self, context: BrowserContext) -> None:
        """Watch all pages of a browser."""
        self._contexts.append(context)
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._faults.append(f"page error: {error.error}"))

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._url}/", "data:", "blob:")):
            self._faults.append(f"a request to {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        url = message.location.get("url", "")
        if url.endswith("/plan") and "401" in message.text:
            return  # a page that was opened before the phone was locked asks for it: no fault
        if message.type in {"error", "warning"}:
            self._faults.append(f"console: {message.text} {url}")

    def expect(self, *texts: str) -> None:
        """Say which console errors belong to the test, such as `status of 422`."""
        self._expected.update(texts)

    def check(self) -> None:
        """Nothing happened but what was expected, and that did."""
        end = time.monotonic() + HEARING
        while self._listen() and self._missing() and time.monotonic() < end:
            pass
        unexpected = [
            fault for fault in self._faults if not any(text in fault for text in self._expected)
        ]
        assert unexpected == []
        assert self._missing() == [], "expected, but it did not happen"

    def _missing(self) -> list[str]:
        return [text for text in self._expected if not any(text in one for one in self._faults)]

    def _listen(self) -> bool:
        """Hear what browsers have to say still; False if none is open."""
        pages = [page for context in self._contexts for page in context.pages]
        if pages:
            pages[0].wait_for_timeout(20)
        return bool(pages)


@pytest.fixture
def watch(server: Server) -> Iterator[Watch]:
    found = Watch(server.url)
    yield found
    found.check()


@pytest.fixture(scope="session")
def base_url() -> None:
    """Instead of pytest-base-url's, which warns: every test has a server of its own."""


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return {
        "executable_path": "/usr/bin/chromium",
        "timeout": START,
        "args": [
            "--no-sandbox",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
        ],
    }


class Phones:
    """Hands out browsers: new ones, and ones whose person has joined already."""

    def __init__(
        self,
        new_context: Callable[..., BrowserContext],
        server: Server,
        watch: Watch,
        site: Site,
    ) -> None:
        self._new_context = new_context
        self._server = server
        self._watch = watch
        self._site = site

    def new(
        self, language: str = "en", javascript: bool = True, own_time: bool = False, **options: Any
    ) -> Phone:
        """A phone that knows nobody. `own_time`: the test moves the phone's clock and timers."""
        context = self._new_context(
            **{
                "viewport": VIEWPORT,
                "locale": language.replace("_", "-"),
                "timezone_id": "Asia/Kuala_Lumpur",
                "java_script_enabled": javascript,
                "has_touch": True,
                **options,
            }
        )
        context.set_default_timeout(PATIENCE)
        self._watch.over(context)
        if own_time:
            context.clock.install(time=self._site.clock())
        return Phone(context.new_page(), self._server.url, javascript)

    def of(self, person: Enrolled, unlocked: bool = True, **options: Any) -> Phone:
        """A phone on which this person has joined; the code is used up, the PIN is `PIN`."""
        phone = self.new(person.language, **options)
        now = self._site.clock()
        with self._site.database.writing() as database:
            code = enrolment.find_code(database, secrets.code_hash(person.code, KEY), now)
            assert code is not None, "each code joins one phone"
            bound = joining.bind_device(database, code.id, "1", person.language, now)
            assert bound is not None
            sessions.set_pin(database, bound[1], PIN, now)
            session = sessions.start(database, bound[1], now) if unlocked else None
        cookies = {"device": bound[0]}
        if session is not None:
            app = self._server.app
            serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
            cookies["session"] = serializer.dumps({"token": session, "_permanent": True})
        phone.page.context.add_cookies(
            [
                {"name": name, "value": value, "url": self._server.url, "httpOnly": True}
                for name, value in cookies.items()
            ]
        )
        return phone


@pytest.fixture
def phones(
    new_context: Callable[..., BrowserContext], server: Server, watch: Watch, web_site: Site
) -> Phones:
    return Phones(new_context, server, watch, web_site)
