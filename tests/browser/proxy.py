"""A bad network on this machine: a proxy that cuts, drops, holds and doubles what passes.

Nothing happens by chance or by time: a fault befalls the requests that a test names, at the byte
that a test names, until the test heals it. Each request reaches the server on a connection of its
own, so that nothing but the fault decides what comes through.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import closing, suppress

PATIENCE = 30.0  # seconds to wait for what a test expects
CHUNK = 65_536
END_OF_HEAD = b"\r\n\r\n"


def places(message: bytes) -> dict[str, int]:
    """Where a request or a response can be cut: how many of its bytes come through."""
    line, head = message.index(b"\r\n"), message.index(END_OF_HEAD) + len(END_OF_HEAD)
    return {
        "before the first byte": 0,
        "in the first line": line // 2,
        "after the first line": line + 2,
        "in the headers": (line + head) // 2,
        "before the blank line": head - 2,
        "in the blank line": head - 1,
        "after the headers": head,
        "in the body": (head + len(message)) // 2,
        "before the last byte": len(message) - 1,
        "after the last byte": len(message),
    }


PLACES = tuple(places(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nbody"))


class Passage:
    """One request on its way: what it was, and what of it has come through."""

    def __init__(self, request: bytes, browser: socket.socket, port: int) -> None:
        self.request = request
        self.method, self.path, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
        self.to_server: list[int] = []  # bytes sent on each connection to the server
        self.responses: list[bytes] = []  # what the server said on each
        self.to_browser = 0
        self.over = threading.Event()
        self._browser = browser
        self._port = port

    def send(self, part: bytes) -> None:
        """Let the server have this much, and hang up."""
        with closing(self._dial()) as server:
            server.sendall(part)
            self.to_server.append(len(part))

    def ask(self) -> bytes:
        """Let the server have the request; its response, empty if it hangs up before the end."""
        with closing(self._dial()) as server:
            server.sendall(self.request)
            self.to_server.append(len(self.request))
            response = read_message(server, b"", self.method)[0]
        self.responses.append(response)
        return response

    def _dial(self) -> socket.socket:
        server = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    def answer(self, part: bytes) -> None:
        """Let the browser have this much, if it is still there."""
        with suppress(OSError):
            self._browser.sendall(part)
            self.to_browser += len(part)

    def tear_down(self) -> None:
        """Let the browser's end of the connection fail at once, instead of ending well."""
        self._browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def stay_silent(self) -> None:
        """Say nothing until the browser hangs up."""
        with suppress(OSError):
            while self._browser.recv(CHUNK):
                pass


Fault = Callable[[Passage], bool]  # True: the browser's connection stays


def pass_on(passage: Passage) -> bool:
    """No fault."""
    response = passage.ask()
    passage.answer(response)
    head = response.partition(END_OF_HEAD)[0].lower()
    return bool(response) and b"\r\nconnection: close" not in head


def cut_request(place: str) -> Fault:
    """The server gets the request up to this place, and the browser no answer."""

    def cut(passage: Passage) -> bool:
        passage.send(passage.request[: places(passage.request)[place]])
        return False

    return cut


def cut_response(place: str) -> Fault:
    """The server does its work, and the browser gets the response up to this place."""

    def cut(passage: Passage) -> bool:
        response = passage.ask()
        passage.answer(response[: places(response)[place]])
        return False

    return cut


def drop(passage: Passage) -> bool:
    """The request goes nowhere, and the browser hears nothing."""
    passage.stay_silent()
    return False


def reset(passage: Passage) -> bool:
    """The connection is torn down before a byte of the request has gone on."""
    passage.tear_down()
    return False


def twice(passage: Passage) -> bool:
    """The server gets the same bytes on two connections at once; the browser the first answer."""
    copy = threading.Thread(target=passage.ask)
    copy.start()
    response = passage.ask()
    copy.join()
    passage.answer(response)
    return True


class Hold:
    """One request, or with `answered` its response, goes on when the test says so; later ones pass.

    What is released goes to the server even if the browser has given up meanwhile.
    """

    def __init__(self, answered: bool = False) -> None:
        self._answered = answered
        self._gate = threading.Event()
        self._change = threading.Condition()
        self._held: Passage | None = None
        self._here = False

    def __call__(self, passage: Passage) -> bool:
        with self._change:
            first = self._held is None
            if first:
                self._held = passage
        if not first:
            return pass_on(passage)
        response = passage.ask() if self._answered else None
        with self._change:
            self._here = True
            self._change.notify_all()
        self._gate.wait()
        passage.answer(passage.ask() if response is None else response)
        return False

    def wait(self) -> None:
        """Until a request is held, or with `answered` its response."""
        with self._change:
            assert self._change.wait_for(lambda: self._here, PATIENCE)

    def release(self) -> Passage:
        """Let go of what is held, and wait until it is over."""
        self._gate.set()
        assert self._held is not None
        assert self._held.over.wait(PATIENCE)
        return self._held

    def give_up(self) -> None:
        """Nothing waits any more."""
        self._gate.set()


class Proxy:
    """Listens at `url`, and passes on to the server at `port`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://localhost:{self._listener.getsockname()[1]}"
        self.port = 0
        self.met: list[Passage] = []  # those that the present fault befell, or the last one
        self._faults: list[tuple[re.Pattern[str], Fault]] = []
        self._holds: list[Hold] = []
        self._closed = False
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._change = threading.Condition()
        self._start(self._listen)

    def befall(self, requests: str, fault: Fault) -> None:
        """Until healing, each request whose `METHOD path` matches meets this fault."""
        with self._change:
            self.met = []
            self._faults.append((re.compile(requests), fault))
            if isinstance(fault, Hold):
                self._holds.append(fault)

    def heal(self) -> None:
        """Whatever comes from now on passes."""
        with self._change:
            self._faults = []

    def wait(self, count: int = 1) -> Passage:
        """Until so many have met the fault and are over; the last of them."""
        with self._change:
            assert self._change.wait_for(lambda: len(self.met) >= count, PATIENCE)
            found = self.met[count - 1]
        assert found.over.wait(PATIENCE)
        return found

    def close(self) -> None:
        """For good."""
        for held in self._holds:
            held.give_up()
        with self._change:
            self._closed = True
            for one in (self._listener, *self._open):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        while self._threads:
            self._threads.pop().join(PATIENCE)
        self._listener.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        with suppress(OSError):  # closed
            while True:
                browser, _ = self._listener.accept()
                browser.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._change:
                    self._open.add(browser)
                    if self._closed:
                        browser.close()
                self._start(self._serve, browser)

    def _serve(self, browser: socket.socket) -> None:
        """All requests of one connection, one after the other."""
        rest = b""
        with suppress(OSError), closing(browser):
            while True:
                request, rest = read_message(browser, rest)
                if not request or not self._pass(Passage(request, browser, self.port)):
                    break
        with self._change:
            self._open.discard(browser)

    def _pass(self, passage: Passage) -> bool:
        fault: Fault = pass_on
        with self._change:
            for requests, found in self._faults:
                if requests.fullmatch(f"{passage.method} {passage.path}"):
                    fault = found
            if fault is not pass_on:
                self.met.append(passage)
                self._change.notify_all()
        try:
            return fault(passage)
        finally:
            passage.over.set()


def read_message(
    source: socket.socket, start: bytes, answered: str | None = None
) -> tuple[bytes, bytes]:
    """The next whole request, or the response to a request by the method `answered`, and what has
    come after it; empty if the other side hangs up first."""
    found = start
    while (size := _size(found, answered)) is None or len(found) < size:
        more = source.recv(CHUNK)
        if not more:
            return b"", b""
        found += more
    return found[:size], found[size:]


def _size(start: bytes, answered: str | None) -> int | None:
    """How long the message is that begins so; None: it cannot be told yet."""
    head, end, body = start.partition(END_OF_HEAD)
    if not end:
        return None
    begun = len(head) + len(end)
    bodiless = re.match(rb"HTTP/1\.1 (204|304) ", head)
    if answered == "HEAD" or bodiless:
        return begun
    if re.search(rb"\r\ntransfer-encoding: chunked", head, re.IGNORECASE):
        chunks = _size_of_chunks(body)
        return None if chunks is None else begun + chunks
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    assert length or answered is None, "a response that tells no end"
    return begun + int(length[1]) if length else begun


def _size_of_chunks(body: bytes) -> int | None:
    """How long a body in chunks is; None: its end has not come yet."""
    at = 0
    while (line := body.find(b"\r\n", at)) >= 0:
        size = int(body[at:line].split(b";")[0], 16)
        at = line + 2 + size + 2
        if size == 0:
            return at if at <= len(body) else None
    return None
