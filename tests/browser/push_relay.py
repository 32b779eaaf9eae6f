"""A push service on this machine, which speaks with Firefox as Mozilla's own does.

Firefox makes the subscription and its keys, and decrypts by its own code; what a real service would
refuse (no TTL, a foreign VAPID key, too large a body) is refused here too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

# What Firefox says about a message.
DELIVERED = 100  # decrypted and handed to the service worker; whether it showed it, is not said
UNDECRYPTABLE = 101
NOT_DELIVERED = 102  # no such subscription in this browser, or no permission
HANDLER_FAILED = (301, 302)  # after DELIVERED: the service worker's `push` threw, or rejected

PATIENCE = 30.0  # seconds to wait for a condition; a busy machine is no fault
LARGEST_BODY = 4096
LONGEST_TTL = 24 * 60 * 60
PROTOCOL = "push-notification"


@dataclass(frozen=True)
class Post:
    """What a sender posted, and what it got. Names of headers are in lower case."""

    endpoint: str
    headers: dict[str, str]
    body: bytes
    status: int


@dataclass(frozen=True)
class Ack:
    """What Firefox said about one message. `endpoint` is empty if it had none."""

    code: int
    endpoint: str


@dataclass(frozen=True)
class _Message:
    version: str
    topic: str | None
    until: float  # by time.monotonic
    frame: dict[str, Any]


@dataclass
class _Channel:
    owner: str
    endpoint: str
    key: bytes | None
    gone: bool = False
    kept: list[_Message] = field(default_factory=list)  # not acknowledged yet


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class PushRelay:
    """Both sides of a push service: Firefox by WebSocket, the senders by HTTP.

    A message is kept until Firefox acknowledges it, for as long as its TTL says; a newer one with
    the same Topic replaces it.
    """

    def __init__(self) -> None:
        self._port = 0
        self._change = threading.Condition()
        self._posts: list[Post] = []
        self._acks: list[Ack] = []
        self._answers: deque[tuple[int, int | None]] = deque()
        self._channels: dict[str, _Channel] = {}
        self._sockets: dict[str, web.WebSocketResponse] = {}
        self._known: set[str] = set()
        self._senders: dict[str, _Channel] = {}  # by version: whom an ack is about

    # What tests use

    def start(self) -> None:
        """Listen; after `stop` again at the same address, with everything still known."""
        listening = socket.create_server(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(listening,))
        self._thread.start()

    def stop(self) -> None:
        """Hang up. Firefox tries to come back by itself."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def __enter__(self) -> PushRelay:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """For Firefox: `dom.push.serverURL`."""
        return f"ws://localhost:{self._port}/"

    @property
    def origin(self) -> str:
        """Where endpoints are: what senders must be allowed to reach."""
        return f"http://localhost:{self._port}"

    @property
    def posts(self) -> list[Post]:
        with self._change:
            return list(self._posts)

    @property
    def acks(self) -> list[Ack]:
        with self._change:
            return list(self._acks)

    @property
    def waiting(self) -> int:
        """How many messages are kept for browsers that have not acknowledged them."""
        with self._change:
            return sum(len(channel.kept) for channel in self._channels.values())

    @property
    def connected(self) -> int:
        """How many browsers are there now."""
        with self._change:
            return len(self._sockets)

    def wait_for_ack(self, number: int = 1, patience: float = PATIENCE) -> list[Ack]:
        """All acks since the start, once there are so many."""
        with self._change:
            if not self._change.wait_for(lambda: len(self._acks) >= number, patience):
                raise TimeoutError(f"{number} acks expected, there are {self._acks}")
            return list(self._acks)

    def wait_for_connected(self, number: int, patience: float = PATIENCE) -> None:
        """Until exactly so many browsers are there: 0 is how a test knows that one has gone."""
        with self._change:
            if not self._change.wait_for(lambda: len(self._sockets) == number, patience):
                raise TimeoutError(f"{number} browsers expected, there are {len(self._sockets)}")

    def answer_next(self, *statuses: int, retry_after: int | None = None) -> None:
        """The next posts get these answers, one each, and go nowhere."""
        with self._change:
            self._answers.extend((status, retry_after) for status in statuses)

    def expire(self, endpoint: str) -> None:
        """As after months without a visit: senders get 410, and Firefox is told nothing."""
        with self._change:
            self._give_up(self._channels[endpoint.rsplit("/", 1)[-1]])

    # The server

    def _run(self, listening: socket.socket) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(listening))

    async def _serve(self, listening: socket.socket) -> None:
        app = web.Application(client_max_size=16 * LARGEST_BODY)
        app.router.add_get("/", self._browser)
        app.router.add_post("/wpush/{channel}", self._post)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await self._over.wait()
        with self._change:
            sockets = list(self._sockets.values())
        for one in sockets:
            await one.close(code=WSCloseCode.GOING_AWAY)
        await runner.cleanup()

    # Firefox's side

    async def _browser(self, request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse(protocols=(PROTOCOL,))
        await connection.prepare(request)
        name = ""
        try:
            async for raw in connection:
                if raw.type is not WSMsgType.TEXT:
                    continue
                said = json.loads(raw.data)
                kind = said.get("messageType")
                if kind == "hello":
                    name = await self._hello(connection, said)
                elif kind == "register":
                    await connection.send_json(self._register(name, said))
                elif kind == "unregister":
                    await connection.send_json(self._unregister(said))
                elif kind == "ack":
                    for update in said["updates"]:
                        self._acknowledge(update["version"], update["code"])
                elif kind == "nack":
                    self._acknowledge(said["version"], said["code"])
                elif kind in {None, "ping"}:  # Firefox pings by an empty object
                    await connection.send_str("{}")
        finally:
            with self._change:
                if self._sockets.get(name) is connection:
                    del self._sockets[name]
                self._change.notify_all()
        return connection

    async def _hello(self, connection: web.WebSocketResponse, said: dict[str, Any]) -> str:
        with self._change:
            name: str = said.get("uaid", "")
            if name not in self._known:  # Firefox then forgets what subscriptions it has
                name = uuid.uuid4().hex
                self._known.add(name)
        await connection.send_json(
            {"messageType": "hello", "uaid": name, "status": 200, "use_webpush": True}
        )
        with self._change:
            self._sockets[name] = connection
            self._change.notify_all()
            waiting = [
                message
                for channel in self._channels.values()
                if channel.owner == name
                for message in channel.kept
            ]
        for message in waiting:
            if message.until > time.monotonic():
                await connection.send_json(message.frame)
        return name

    def _register(self, name: str, said: dict[str, Any]) -> dict[str, Any]:
        channel = said["channelID"]
        endpoint = f"{self.origin}/wpush/{channel}"
        key = _decoded(said["key"].rstrip("=")) if said.get("key") else None
        with self._change:
            self._channels[channel] = _Channel(name, endpoint, key)
        return {
            "messageType": "register",
            "channelID": channel,
            "status": 200,
            "pushEndpoint": endpoint,
        }

    def _unregister(self, said: dict[str, Any]) -> dict[str, Any]:
        with self._change:
            channel = self._channels.get(said["channelID"])
            if channel is not None:
                self._give_up(channel)
        return {"messageType": "unregister", "channelID": said["channelID"], "status": 200}

    def _give_up(self, channel: _Channel) -> None:
        channel.gone = True
        channel.kept.clear()

    def _acknowledge(self, version: str, code: int) -> None:
        with self._change:
            channel = self._senders.get(version)
            if channel is not None:
                channel.kept = [one for one in channel.kept if one.version != version]
            self._acks.append(Ack(code, channel.endpoint if channel else ""))
            self._change.notify_all()

    # The senders' side

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer: dict[str, str] = {}
        connection = None
        with self._change:
            channel = self._channels.get(request.match_info["channel"])
            if self._answers:
                status, retry_after = self._answers.popleft()
                if retry_after is not None:
                    answer["Retry-After"] = str(retry_after)
            else:
                status = self._judge(channel, headers, body)
            self._posts.append(Post(f"{self.origin}{request.path}", headers, body, status))
            self._change.notify_all()
            if status == 201 and not answer and channel is not None:
                message = self._keep(request.match_info["channel"], channel, headers, body)
                connection = self._sockets.get(channel.owner)
                answer = {"Location": f"{self.origin}/m/{message.version}", "TTL": headers["ttl"]}
        if connection is not None:
            try:
                await connection.send_json(message.frame)
            except ConnectionResetError:  # just gone: it gets the message when it is back
                connection = None
        return web.Response(status=status, headers=answer)

    def _judge(self, channel: _Channel | None, headers: dict[str, str], body: bytes) -> int:
        """The status which a real service gives."""
        if channel is None:
            return 404
        if channel.gone:
            return 410
        if not re.fullmatch(r"\d+", headers.get("ttl", "")):
            return 400
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", headers.get("topic", "t")):
            return 400
        if headers.get("urgency", "normal") not in {"very-low", "low", "normal", "high"}:
            return 400
        if body and headers.get("content-encoding") != "aes128gcm":
            return 400
        if len(body) > LARGEST_BODY:
            return 413
        if channel.key is not None and not self._is_signed(headers, channel.key):
            return 401
        return 201

    def _is_signed(self, headers: dict[str, str], key: bytes) -> bool:
        """RFC 8292, by other code than the sender's: by the subscription's key, for this origin."""
        parts = re.fullmatch(
            r"vapid t=([\w-]+)\.([\w-]+)\.([\w-]+), ?k=([\w-]+)", headers.get("authorization", "")
        )
        if parts is None or _decoded(parts[4]) != key:
            return False
        signature = _decoded(parts[3])
        r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key).verify(
                encode_dss_signature(r, s),
                f"{parts[1]}.{parts[2]}".encode(),
                ec.ECDSA(hashes.SHA256()),
            )
        except InvalidSignature:
            return False
        claims = json.loads(_decoded(parts[2]))
        return (
            claims.get("aud") == self.origin
            and 0 < claims.get("exp", 0) - time.time() <= LONGEST_TTL
            and str(claims.get("sub")).startswith(("mailto:", "https:"))
        )

    def _keep(self, name: str, channel: _Channel, headers: dict[str, str], body: bytes) -> _Message:
        version = uuid.uuid4().hex
        frame: dict[str, Any] = {
            "messageType": "notification",
            "channelID": name,
            "version": version,
        }
        if body:
            frame["data"] = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
            frame["headers"] = {"encoding": headers["content-encoding"]}
        topic = headers.get("topic")
        message = _Message(version, topic, time.monotonic() + int(headers["ttl"]), frame)
        channel.kept = [one for one in channel.kept if topic is None or one.topic != topic]
        channel.kept.append(message)
        self._senders[version] = channel
        return message
