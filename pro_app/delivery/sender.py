"""Sends pushes: one thread, many in flight over connections that stay open."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import certifi
import pycurl  # type: ignore[import-untyped]
from pywebpush import WebPusher, WebPushException  # type: ignore[import-untyped]

from pro_app.delivery.outcomes import Gone, Misconfigured, Outcome, Retry
from pro_app.delivery.push import (
    AUTH_LENGTH,
    Hosts,
    Push,
    Subscription,
    answer_outcome,
    endpoint_fault,
    endpoint_origin,
)
from pro_app.delivery.vapid import Tokens

BODY_LIMIT = 4096  # bytes of an answer that are read, and dropped; a longer one is cut off
STRIDE = 8  # messages encrypted between two looks at the sockets
LONGEST_PAUSE = 1.0  # seconds

_TLS_ERRORS = frozenset(
    {
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
    }
)
_FIXED_HEADERS = [
    "Content-Encoding: aes128gcm",
    "Content-Type: application/octet-stream",
    "Expect:",  # no waiting for leave to send 400 bytes
    "Accept:",
]


class PushSender:
    """Encrypts pushes and hands them to the browsers' push services.

    Redirects are not followed, proxies of the environment not used, endpoints never logged.
    Connections outlive a batch, so that one sender serves a process for its life. It sends one
    batch at a time: another thread's waits until this one's outcomes are read to the end, or
    the iterator is closed.

    `concurrency` is how many messages are in flight; timeouts are in seconds, of connecting and of
    the whole; `ca_file` holds the certificates to trust in place of the usual ones.
    """

    def __init__(
        self,
        tokens: Tokens,
        hosts: Hosts,
        *,
        concurrency: int = 200,
        connect_timeout: float = 3,
        timeout: float = 10,
        ca_file: Path | None = None,
    ) -> None:
        self._tokens = tokens
        self._hosts = hosts
        self._concurrency = concurrency
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._ca_file = str(ca_file or certifi.where())
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAXCONNECTS, concurrency)
        self._idle: list[pycurl.Curl] = []
        self._lock = threading.Lock()
        self._holder: int | None = None

    def send(self, pushes: Iterable[Push]) -> Iterator[tuple[Any, Outcome]]:
        """Send all; yield each one's key and outcome as it is known, in any order.

        Transfers stand still while the caller works between two outcomes: it should be brief.
        A batch that is given up unread may or may not have been sent.
        """
        with self._alone():
            waiting = iter(pushes)
            flying: dict[pycurl.Curl, Any] = {}
            try:
                while True:
                    pack = list(islice(waiting, self._concurrency - len(flying)))
                    if not pack and not flying:
                        return
                    for count, push in enumerate(pack, 1):
                        outcome = self._start(push, flying)
                        if outcome is not None:
                            yield push.key, outcome
                        if count % STRIDE == 0:
                            self._multi.perform()
                    self._multi.perform()
                    landed = self._landed(flying)
                    yield from landed
                    if flying and not landed:
                        self._wait()
            finally:
                for curl in flying:
                    self._multi.remove_handle(curl)
                    self._idle.append(curl)

    def close(self) -> None:
        """Close the connections. The sender is of no use afterwards."""
        with self._alone():
            for curl in self._idle:
                curl.close()
            self._idle.clear()
            self._multi.close()

    def _wait(self) -> None:
        """Sleep until a socket has news, or libcurl has a timeout to look after."""
        due = self._multi.timeout()  # milliseconds; -1 when it has none
        self._multi.select(min(due / 1000, LONGEST_PAUSE) if due >= 0 else LONGEST_PAUSE)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._holder == threading.get_ident():
            raise RuntimeError("this thread has not read its last batch to the end")
        with self._lock:
            self._holder = threading.get_ident()
            try:
                yield
            finally:
                self._holder = None

    def _start(self, push: Push, flying: dict[pycurl.Curl, Any]) -> Outcome | None:
        """Put a message in flight, or tell why it cannot be."""
        subscription = push.subscription
        fault = endpoint_fault(subscription.endpoint, self._hosts)
        if fault == "endpoint_host":
            # it was allowed when it was saved: the list of hosts has changed, not the browser
            return Misconfigured(None, fault)
        body = None if fault else _encrypted(subscription, push.payload)
        if body is None:
            return Gone(0)
        origin = endpoint_origin(subscription.endpoint)
        curl = self._idle.pop() if self._idle else self._handle()
        curl.setopt(pycurl.URL, subscription.endpoint)
        curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(
            pycurl.HTTPHEADER,
            [
                *_FIXED_HEADERS,
                f"TTL: {push.ttl}",
                f"Urgency: {push.urgency}",
                f"Topic: {push.topic}",
                f"Authorization: {self._tokens.header(origin)}",
            ],
        )
        # rather another stream than another connection; without TLS there is but one stream
        curl.setopt(pycurl.PIPEWAIT, origin.startswith("https:"))
        self._multi.add_handle(curl)
        flying[curl] = push.key
        return None

    def _landed(self, flying: dict[pycurl.Curl, Any]) -> list[tuple[Any, Outcome]]:
        """Take the finished messages out of the air."""
        outcomes: list[tuple[Any, Outcome]] = []
        more = True
        while more:
            more, answered, failed = self._multi.info_read()
            codes = [(curl, pycurl.E_OK) for curl in answered]
            codes += [(curl, code) for curl, code, _ in failed]
            for curl, code in codes:
                outcomes.append((flying.pop(curl), _outcome(curl, code)))
                self._multi.remove_handle(curl)
                self._idle.append(curl)
        return outcomes

    def _handle(self) -> pycurl.Curl:
        """A handle with all that is the same for every message."""
        curl = pycurl.Curl()
        protocols = pycurl.PROTO_HTTPS | (pycurl.PROTO_HTTP if self._hosts.loopback else 0)
        options = {
            pycurl.POST: 1,
            pycurl.PROTOCOLS: protocols,
            pycurl.FOLLOWLOCATION: 0,
            pycurl.PROXY: "",
            pycurl.NOPROXY: "*",
            pycurl.NETRC: pycurl.NETRC_IGNORED,
            pycurl.PATH_AS_IS: 1,
            pycurl.NOSIGNAL: 1,
            pycurl.CONNECTTIMEOUT_MS: int(self._connect_timeout * 1000),
            pycurl.TIMEOUT_MS: int(self._timeout * 1000),
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_2TLS,
            pycurl.SSL_VERIFYPEER: 1,
            pycurl.SSL_VERIFYHOST: 2,
            pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
            pycurl.CAINFO: self._ca_file,
            pycurl.USERAGENT: "pro-app",
            pycurl.MAXFILESIZE: BODY_LIMIT,
            pycurl.WRITEFUNCTION: _drop,
        }
        for option, value in options.items():
            curl.setopt(option, value)
        return curl


def _encrypted(subscription: Subscription, payload: bytes) -> bytes | None:
    """The message as the browser alone reads it; None when its keys can never work."""
    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    try:
        pusher = WebPusher({"endpoint": subscription.endpoint, "keys": keys})
        if len(pusher.auth_key) != AUTH_LENGTH:  # it would take any
            return None
        body: bytes = pusher.encode(payload, content_encoding="aes128gcm")["body"]
    except (ValueError, IndexError, WebPushException):  # what it raises for what is no key
        return None
    return body


def _outcome(curl: pycurl.Curl, code: int) -> Outcome:
    """What became of a finished message.

    Where the answer began, its status counts: whether its end came is of no interest.
    """
    status = curl.getinfo(pycurl.RESPONSE_CODE)
    if status >= 200:
        # libcurl reads seconds and dates alike
        return answer_outcome(status, curl.getinfo(pycurl.RETRY_AFTER))
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return Retry(None, None, "timeout")
    if code == pycurl.E_COULDNT_RESOLVE_HOST:
        return Retry(None, None, "name")
    return Retry(None, None, "tls" if code in _TLS_ERRORS else "connection")


def _drop(chunk: bytes) -> None:
    """Taking no notice of a body is taking all of it."""
