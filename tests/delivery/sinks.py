"""Servers on this machine that stand where push services stand: they answer as they are told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a path answers. `silent`: nothing until the end; `endless`: a body without end."""

    status: int = 201
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    silent: bool = False
    endless: bool = False


@dataclass(frozen=True)
class Request:
    """What arrived: header names in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Sink(ThreadingHTTPServer):
    """Answers by path, 201 where nothing was said, and keeps all that it got."""

    daemon_threads = True
    request_queue_size = 128  # a fuller queue would make connections wait a second

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.accepted: list[socket.socket] = []
        self.endless_bytes = 0
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.place}{path}"

    @property
    def connections(self) -> int:
        return len(self.accepted)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.accepted.append(connection)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that hangs up early is what some tests want."""

    def end(self) -> None:
        self.ended.set()
        self.shutdown()
        self._thread.join()
        for connection in self.accepted:  # what was kept open: its thread ends with it
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Sink

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_CONNECT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(Request(self.command, self.path, headers, body))
        answer = self.server.answers.get(self.path, Answer())
        if answer.silent:
            self.server.ended.wait()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.endless:
            self.end_headers()
            while not self.server.ended.is_set():
                self.wfile.write(b"x" * 65536)
                self.server.endless_bytes += 65536
            return
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
