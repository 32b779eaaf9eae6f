"""CPU of the two hot requests, saving an answer and serving an item's page, against a hello.

The hello is a plain Flask view of the same application (it passes the same before- and
after-request functions, but is nobody's and reads nothing). All three get the same headers and
cookies, a phone's. The answer is saved for good: signed in, CSRF checked, audit entry chained,
SQLite in WAL mode with synchronous=FULL. The page is half answered and compressed.

Judged is what the server's process spends (user + system) behind waitress, as the goals'
anchors were measured through a server. The second table is the same calls through the WSGI
callable alone: what remains when no server shares the bill.
"""

from __future__ import annotations

import io
import json
import re
import socket
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from _house import INSTRUMENT, Person, build, make_app, serving

PEOPLE = 48
ROUNDS = 7
AT_ONCE = 4  # connections
GOALS = {"save an answer": 0.45, "item page": 0.40}
LANGUAGES = ["ms", "en", "zh_Hans", "ta"]
ZONE = ZoneInfo("Asia/Kuala_Lumpur")
PHONE = {
    "Host": "localhost",
    "Connection": "keep-alive",
    "User-Agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Mobile Safari/537.36",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "ms-MY,ms;q=0.9,en-US;q=0.8,en;q=0.7",
}


class Request:
    """A request as bytes for a socket and as an environ for the WSGI callable."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> None:
        self.body = body
        if body:
            headers = {**headers, "Content-Length": str(len(body))}
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        self.raw = "\r\n".join([*lines, "", ""]).encode() + body
        self.environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            self.environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value


def hello_of(person: Person) -> Request:
    return Request("GET", "/hello", {**PHONE, "Cookie": person.cookie})


def page_of(person: Person, n: int) -> Request:
    path = f"/questionnaires/{person.half}/items/{n}"
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    return Request("GET", path, {**PHONE, "Accept": accept, "Cookie": person.cookie})


def save_of(person: Person, item: str, code: int, seen: int) -> Request:
    now = datetime.now(ZONE).isoformat(timespec="milliseconds")
    operation = {
        "id": str(uuid.uuid4()), "device_time": now, "item": item, "state": "answered",
        "code": code, "prompted": False,
    }  # fmt: skip
    body = {"sent_at": now, "language": person.language, "seen": seen, "operations": [operation]}
    headers = {
        **PHONE,
        "Accept": "*/*",
        "Content-Type": "application/json",
        "Origin": "http://localhost",
        "X-CSRFToken": person.csrf,
        "Cookie": person.cookie,
    }
    return Request(
        "POST", f"/questionnaires/{person.fresh}/answers", headers, json.dumps(body).encode()
    )


class Wires:
    """A few connections that are kept alive; a batch goes out on all before answers are read."""

    def __init__(self, port: int) -> None:
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(AT_ONCE)]
        for one in self.sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, requests: list[Request]) -> list[bytes]:
        """Send all, a batch at a time; the bodies of the answers, each checked to be a 200."""
        bodies = []
        for at in range(0, len(requests), AT_ONCE):
            batch = requests[at : at + AT_ONCE]
            used = self.sockets[: len(batch)]
            for wire, request in zip(used, batch, strict=True):
                wire.sendall(request.raw)
            bodies += [self._read(wire) for wire in used]
        return bodies

    def _read(self, wire: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += wire.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        while len(body) < length:
            body += wire.recv(65_536)
        return body

    def cpu(self) -> int:
        """Nanoseconds the server's process has spent."""
        return int(self.send([Request("GET", "/cpu", PHONE)])[0])


class Calls:
    """The WSGI callable alone."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    def send(self, requests: list[Request]) -> list[bytes]:
        return [self._call(request) for request in requests]

    def _call(self, request: Request) -> bytes:
        status = ""

        def start(line: str, _headers: Any, _fault: Any = None) -> None:
            nonlocal status
            status = line

        result = self.app({**request.environ, "wsgi.input": io.BytesIO(request.body)}, start)
        body = b"".join(result)
        if hasattr(result, "close"):
            result.close()
        assert status.startswith("200"), (status, body)
        return body

    def cpu(self) -> int:
        return time.process_time_ns()


class Runs:
    """The rounds: the same people, other items, hello in between; CPU of each kind."""

    def __init__(self, people: list[Person], items: list[tuple[str, tuple[int, ...]]]) -> None:
        self.people, self.items = people, items
        self.seen = {person.fresh: 0 for person in people}
        self.round = 0

    def kinds(self, target: Wires | Calls) -> Iterator[tuple[str, float]]:
        """Microseconds a request, of each kind."""
        count = len(self.people) * 6
        yield "hello", self._timed(target, [hello_of(self.people[0])] * count)
        yield "save an answer", self._saves(target)
        pages = [page_of(p, n) for n in self._places() for p in self.people]
        yield "item page", self._timed(target, pages)
        yield "hello", self._timed(target, [hello_of(self.people[0])] * count)
        self.round += 1

    def _places(self) -> list[int]:
        """Six of the 36 items, others in each round."""
        return [(self.round * 6 + step * 7) % len(self.items) + 1 for step in range(6)]

    def _saves(self, target: Wires | Calls) -> float:
        spent = []
        for n in self._places():
            item, codes = self.items[n - 1]
            code = codes[self.round % len(codes)]
            batch = [save_of(p, item, code, self.seen[p.fresh]) for p in self.people]
            before = target.cpu()
            bodies = target.send(batch)
            spent.append((target.cpu() - before) / len(batch))
            for person, body in zip(self.people, bodies, strict=True):
                told = json.loads(body)
                assert set(told) == {"at", "seen"}, told
                self.seen[person.fresh] = told["seen"]
        return statistics.mean(spent) / 1000

    def _timed(self, target: Wires | Calls, requests: list[Request]) -> float:
        before = target.cpu()
        target.send(requests)
        return (target.cpu() - before) / len(requests) / 1000


def measure(runs: Runs, target: Wires | Calls) -> dict[str, list[float]]:
    """Each kind's figure of every round; the first round only warms up."""
    found: dict[str, list[float]] = {}
    for turn in range(ROUNDS + 1):
        this: dict[str, list[float]] = {}
        for kind, figure in runs.kinds(target):
            this.setdefault(kind, []).append(figure)
        if turn:
            for kind, figures in this.items():
                found.setdefault(kind, []).append(statistics.mean(figures))
    return found


def table(title: str, found: dict[str, list[float]], judged: bool) -> bool:
    """Print the figures; whether all goals that are judged here are reached."""
    print(f"\n{title}")
    print(f"{'':16}{'us CPU':>8}{'hello/it':>10}{'worst':>8}{'best':>7}   goal")
    good = True
    for kind, figures in found.items():
        ratios = [h / own for h, own in zip(found["hello"], figures, strict=True)]
        ratio, goal = statistics.median(ratios), GOALS.get(kind)
        line = f"{kind:16}{statistics.median(figures):8.0f}"
        if goal is not None:
            line += f"{ratio:10.2f}{min(ratios):8.2f}{max(ratios):7.2f}"
        if goal is not None and judged:
            reached = ratio >= goal
            good = good and reached
            line += f"   >= {goal:.2f} {'reached' if reached else 'MISSED'}"
        print(line + ("   reference" if kind == "hello" else ""))
    return good


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library, people = build(folder, [LANGUAGES[n % 4] for n in range(PEOPLE)])
        items = [(one.code, one.options.codes) for one in library.instruments[INSTRUMENT].items]
        runs = Runs(people, items)
        with serving(folder) as port:
            served = measure(runs, Wires(port))
        called = measure(runs, Calls(make_app(folder).wsgi_app))
    print(f"{PEOPLE} people, four languages, {ROUNDS} rounds, medians")
    good = table(f"behind waitress, {AT_ONCE} connections (judged)", served, judged=True)
    table("the WSGI callable alone (not judged)", called, judged=False)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
