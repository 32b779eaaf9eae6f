"""A push service of this machine: it remembers what it was sent, and answers as it is told.

with PushSink() as sink:
    sink.answer = lambda post: Answer(429, retry_after=60)
    sink.wait_for(3)                     # posts have been received, answered or not
    sink.per_topic                       # how many, by topic
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DEADLINE = 30.0  # seconds that a test waits for anything


@dataclass(frozen=True)
class Post:
    """A message that arrived: where to, and what the service may read of it."""

    path: str
    topic: str
    urgency: str
    ttl: int


@dataclass(frozen=True)
class Answer:
    """What the service says; with `hang` nothing, until the sink is closed."""

    status: int = 201
    retry_after: int | None = None
    hang: bool = False


class PushSink(ThreadingHTTPServer):
    """Listens in threads of its own."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Callable[[Post], Answer] = lambda _post: Answer()
        self.posts: list[Post] = []
        self.changed = threading.Condition()
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> PushSink:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ended.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def place(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def per_topic(self) -> Counter[str]:
        """How many messages came for each topic, which stands for a person."""
        return Counter(post.topic for post in self.posts)

    def receive(self, post: Post) -> None:
        """Remember a message."""
        with self.changed:
            self.posts.append(post)
            self.changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Until so many messages have been received in all."""
        with self.changed:
            came = self.changed.wait_for(lambda: len(self.posts) >= count, DEADLINE)
        assert came, f"{len(self.posts)} messages came, not {count}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that was killed hangs up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PushSink

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        told = self.headers
        post = Post(self.path, told["Topic"], told["Urgency"], int(told["TTL"]))
        self.server.receive(post)
        answer = self.server.answer(post)
        if answer.hang:
            self.server.ended.wait(DEADLINE)
            self.close_connection = True
            return
        self.send_response(answer.status)
        if answer.retry_after is not None:
            self.send_header("Retry-After", str(answer.retry_after))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def eventually(true: Callable[[], bool]) -> bool:
    """Whether something comes true in time, asked again and again."""
    until = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not true():
        if time.monotonic() > until:
            return False
        pause.wait(0.005)
    return True
