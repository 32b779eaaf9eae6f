"""Started by killing.ServerProcess: forks servers, each a process that can be killed.

Reads a JSON order a line. `{"do": "start", ...}` answers with the new server's process id once it
listens, `{"do": "wait", "pid": 1}` with how it ended: the signal's number below zero. A server's
clock begins at `now`. One with `dies` kills itself at that step (see `STEPS`) of the first POST of
answers.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask
from waitress import create_server, wasyncore

from tests.conftest import TestClock, make_app

LONGEST = 300  # seconds that a server lives, whatever happens
STEPS = (
    "before the body is read",
    "before the insert",
    "after the insert",
    "before the commit",
    "after the commit",
    "before the answer",
    "in the answer",
)
STORED = STEPS[STEPS.index("after the commit") :]  # those at which the sync is in the record
INSERTS = ("INSERT INTO answer ", "INSERT INTO submission ")


def die(*_anything: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Clock(TestClock):
    """Runs from a moment on."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._now, self._begun = now, time.monotonic()

    def __call__(self) -> datetime:
        return self._now + timedelta(seconds=time.monotonic() - self._begun)


class Death:
    """Comes at one step of the first POST of answers."""

    def __init__(self, app: Flask, step: str) -> None:
        assert step in STEPS
        self._app, self._step = app.wsgi_app, step
        self._syncing: int | None = None  # the thread that answers; others are none of ours
        self._inserted = self._committed = False
        app.wsgi_app = self.answer  # type: ignore[method-assign]
        sa.event.listen(sa.Engine, "before_cursor_execute", self.before_statement)
        sa.event.listen(sa.Engine, "after_cursor_execute", self.after_statement)
        sa.event.listen(sa.Engine, "commit", self.before_commit)
        sa.event.listen(sa.Pool, "checkin", self.after_transaction)

    def answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"].endswith("/answers"):
            self._syncing = threading.get_ident()
            self._at("before the body is read")
        answer = self._app(environ, start_response)
        self._at("before the answer")
        if self._syncing == threading.get_ident() and self._step == "in the answer":
            wasyncore.dispatcher.send = send_half
        return answer

    def before_statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(INSERTS):
            self._at("before the insert")

    def after_statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(INSERTS):
            self._inserted = True
            self._at("after the insert")

    def before_commit(self, _connection: Any) -> None:
        if self._inserted:
            self._at("before the commit")
            self._committed = True

    def after_transaction(self, _connection: Any, _record: Any) -> None:
        if self._committed:
            self._at("after the commit")

    def _at(self, step: str) -> None:
        if step == self._step and self._syncing == threading.get_ident():
            die()


def send_half(channel: wasyncore.dispatcher, data: bytes, do_close: bool = True) -> int:
    """Instead of the server's own way of sending: half of the body is all that goes out."""
    head = data.find(b"\r\n\r\n") + 4 if data.startswith(b"HTTP/") else 0
    channel.socket.sendall(data[: (head + len(data)) // 2])
    if head < len(data):
        die()
    return len(data)


def make(order: dict[str, Any]) -> Flask:
    now, public_url = datetime.fromisoformat(order["now"]), f"http://localhost:{order['port']}"
    return make_app(order["url"], Clock(now), public_url)


def serve(order: dict[str, Any], ready: int) -> None:
    """Answer until the end."""
    signal.alarm(LONGEST)
    app = make(order)
    if order["dies"]:
        Death(app, order["dies"])
    place = socket.create_server(("127.0.0.1", order["port"]))
    server = create_server(app, sockets=[place], threads=4)
    os.write(ready, b"1")
    server.run()


def start(order: dict[str, Any]) -> int:
    """A new server's process id."""
    listening, ready = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(listening)
        serve(order, ready)
        os._exit(0)
    os.close(ready)
    here = os.read(listening, 1)
    os.close(listening)
    assert here, "the server does not start"
    return child


def main() -> None:
    warm = False
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            if not warm:  # what every application does at its first time is done before forking
                make(order).extensions["pro_app"].database.close()
                warm = True
            answer = start(order)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["pid"], 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
