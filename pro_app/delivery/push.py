"""Web push as plain values: where messages may go, what they hold, what the answers mean."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from pro_app.delivery.outcomes import (
    LONGEST_WAIT,
    Accepted,
    Gone,
    Misconfigured,
    Outcome,
    Retry,
)

Urgency = Literal["very-low", "low", "normal", "high"]

# Where browsers' push services live; anything else that calls itself one could be a machine of
# the hospital's own network. Google (the second name is older), then every name under Mozilla's,
# Apple's and Microsoft's.
PUSH_HOSTS = frozenset({"fcm.googleapis.com", "android.googleapis.com"})
PUSH_DOMAINS = (".push.services.mozilla.com", ".push.apple.com", ".notify.windows.com")

LONGEST_ENDPOINT = 1024  # characters
LONGEST_PAYLOAD = 2000  # bytes; some services on the way to a phone carry only 2,744 encrypted
LONGEST_PLAINTEXT = 3993  # bytes; encrypted they are the 4,096 that every service must take
AUTH_LENGTH = 16  # bytes of the secret that a browser shares with us
DECLARATIVE = 8030  # the number by which Safari knows a message it may show by itself

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_PLACE = re.compile(rf"(?P<host>(?:{_LABEL}\.)*{_LABEL})(?::(?P<port>[0-9]{{1,5}}))?")
# browsers write addresses in this one form; what is written otherwise, programs read differently
_ENDPOINT = re.compile(rf"(?P<scheme>https?)://{_PLACE.pattern}(?:/(?:(?![\"#<>\\])[!-~])*)?")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")  # how numeric addresses end
_BASE64URL = re.compile(r"([A-Za-z0-9_-]+)={0,2}")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_LOOPBACK = frozenset({"localhost", "127.0.0.1"})
_URGENCIES = frozenset(get_args(Urgency))


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where pushes may go: the services of the browsers, and `extra` ones.

    An extra entry is `host` or `host:port` of a UnifiedPush server, reached by https alone. With
    `loopback`, which is for tests, `localhost:port` and `127.0.0.1:port` are taken too, and by
    plain http as well. Raises ValueError for any other entry, naming it.
    """

    extra: tuple[str, ...] = ()
    loopback: bool = False
    _places: frozenset[tuple[str, str, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places: set[tuple[str, str, int]] = set()
        for entry in self.extra:
            found = _PLACE.fullmatch(entry)
            if found is None:
                raise ValueError(f"not the name of a host: {entry!r}")
            host, port = found["host"], int(found["port"] or 443)
            if "." not in host or _is_inside(host):
                if not (self.loopback and host in _LOOPBACK and found["port"]):
                    raise ValueError(f"not a host that pushes may go to: {entry!r}")
                places.add(("http", host, port))
            if not 0 < port < 65536:
                raise ValueError(f"not a port: {entry!r}")
            places.add(("https", host, port))
        object.__setattr__(self, "_places", frozenset(places))

    def allow(self, scheme: str, host: str, port: int) -> bool:
        """Whether a push may go there."""
        if (scheme, host, port) in self._places:
            return True
        known = host in PUSH_HOSTS or host.endswith(PUSH_DOMAINS)
        return known and scheme == "https" and port == 443


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser gives to be reached by: its address and its two keys, in base64url."""

    endpoint: str
    p256dh: str
    auth: str

    def __repr__(self) -> str:
        return "Subscription(...)"  # it is personal data: not for logs


@dataclass(frozen=True, slots=True)
class Push:
    """One message for one browser. `key` is the caller's, and comes back with the outcome.

    `ttl` is how many seconds the service may keep it for a phone that is off. An undelivered
    message is replaced by the next with the same `topic`, which the service can read.
    Raises ValueError for what no service takes.
    """

    key: Any
    subscription: Subscription
    payload: bytes
    ttl: int
    urgency: Urgency
    topic: str

    def __post_init__(self) -> None:
        if not 0 < len(self.payload) <= LONGEST_PLAINTEXT:
            raise ValueError(f"a payload has 1 to {LONGEST_PLAINTEXT} bytes")
        if self.ttl < 0:
            raise ValueError("a time to live is not negative")
        if self.urgency not in _URGENCIES:
            raise ValueError("not an urgency")
        if not _TOPIC.fullmatch(self.topic):
            raise ValueError("a topic is 1 to 32 letters, digits, - and _")


def subscription_fault(subscription: Subscription, hosts: Hosts) -> str | None:
    """What is wrong with a subscription, None if nothing.

    What `endpoint_fault` says; `p256dh` (not 65 bytes that are a point of P-256); `auth` (not 16
    bytes).
    """
    fault = endpoint_fault(subscription.endpoint, hosts)
    if fault is not None:
        return fault
    if len(_decoded(subscription.auth)) != AUTH_LENGTH:
        return "auth"
    return None if _is_point(_decoded(subscription.p256dh)) else "p256dh"


def endpoint_fault(endpoint: str, hosts: Hosts) -> str | None:
    """Why nothing may be sent there, None if it may: checked at save and again at send.

    `endpoint_long`; `endpoint_shape` (not a plain https address of a named host at port 443);
    `endpoint_host` (not a push service that we know).
    """
    if len(endpoint) > LONGEST_ENDPOINT:
        return "endpoint_long"
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None:
        return "endpoint_shape"
    scheme, host = found["scheme"], found["host"]
    port = int(found["port"] or (443 if scheme == "https" else 80))
    if hosts.allow(scheme, host, port):
        return None
    plain = scheme == "https" and port == 443 and not _NUMBER.fullmatch(host)
    return "endpoint_host" if plain else "endpoint_shape"


def endpoint_origin(endpoint: str) -> str:
    """The scheme, host and, unless it is the usual one, port: who runs the service.

    Raises ValueError for what `endpoint_fault` calls `endpoint_shape`, without quoting it.
    """
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None:
        raise ValueError("not the endpoint of a subscription")
    usual = found["port"] is None or (found["scheme"], int(found["port"])) == ("https", 443)
    port = "" if usual else f":{int(found['port'])}"
    return f"{found['scheme']}://{found['host']}{port}"


def notification_payload(
    title: str, body: str, language: str, navigate: str, tag: str, badge: int | None
) -> bytes:
    """A notification that our service worker shows, and that Safari can show without it.

    `language` is a BCP 47 tag such as `zh-Hans`, `navigate` the absolute address that a tap opens,
    `badge` the number at the app's icon. The text lies on lock screens: it must tell nothing.
    Raises ValueError for what Safari would not take, and for more than 2,000 bytes.
    """
    if not title:
        raise ValueError("a notification has a title")
    if not _LANGUAGE.fullmatch(language):
        raise ValueError(f"not a BCP 47 language tag: {language!r}")
    if not _is_web_address(navigate):
        raise ValueError("navigate must be an absolute http or https address")
    if badge is not None and badge < 0:
        raise ValueError("a badge is not negative")
    notification: dict[str, object] = {
        "title": title,
        "body": body,
        "lang": language,
        "dir": "ltr",  # all four languages; "auto" could turn a line that begins with a number
        "navigate": navigate,
        "tag": tag,
        "silent": False,
    }
    message: dict[str, object] = {"web_push": DECLARATIVE, "notification": notification}
    if badge is not None:
        # inside is where Safari 18.4 looks, outside is where the standard has moved it since
        notification["app_badge"] = message["app_badge"] = badge
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    payload = text.encode("utf-8")
    if len(payload) > LONGEST_PAYLOAD:
        raise ValueError(f"a notification has at most {LONGEST_PAYLOAD} bytes")
    return payload


def answer_outcome(status: int, retry_after: int) -> Outcome:
    """What a push service's answer means; `retry_after` in seconds, 0 when it named none.

    A wrong key of ours is answered for every subscription alike, so that 4xx never ends one.
    """
    if 200 <= status < 300:
        return Accepted(status)
    if status in {404, 410}:
        return Gone(status)
    if status in {408, 425, 429} or status >= 500:
        after = min(timedelta(seconds=retry_after), LONGEST_WAIT) if retry_after > 0 else None
        return Retry(status, after, "busy" if status < 500 else "server")
    if status < 400:
        return Misconfigured(status, "redirect")
    named = {400: "request", 401: "authorization", 403: "authorization", 413: "too_large"}
    return Misconfigured(status, named.get(status, "refused"))


def _is_inside(host: str) -> bool:
    """Whether a host's name is this machine, or a number in place of a name."""
    return host == "localhost" or host.endswith(".localhost") or bool(_NUMBER.fullmatch(host))


def _is_web_address(text: str) -> bool:
    try:
        address = urlsplit(text)
    except ValueError:
        return False
    printable = text.isprintable() and " " not in text
    return printable and address.scheme in {"http", "https"} and bool(address.hostname)


def _decoded(text: str) -> bytes:
    """The bytes of a base64url text, padded or not; none if it is not one."""
    found = _BASE64URL.fullmatch(text)
    if found is None or len(found[1]) % 4 == 1:
        return b""
    return urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4))


def _is_point(raw: bytes) -> bool:
    if len(raw) != 65:
        return False
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        return False
    return True
