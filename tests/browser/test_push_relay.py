"""The rig itself: a toy page and its service worker, a real push client, the relay between."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from py_vapid import Vapid, b64urlencode  # type: ignore[import-untyped]
from pywebpush import WebPushException, webpush  # type: ignore[import-untyped]

from tests.browser import record
from tests.browser.firefox import Firefox
from tests.browser.push_relay import (
    DELIVERED,
    HANDLER_FAILED,
    PATIENCE,
    UNDECRYPTABLE,
    PushRelay,
)

TEXTS = {
    "ta": ("உங்களுக்கு ஒரு படிவம் உள்ளது", "இப்போது நிரப்பவும் ஃ"),
    "zh": ("您有一份表格", "请现在填写 𠮷"),
    "ms": ("Anda ada satu borang", "Sila isi sekarang — 3 minit"),
}

PAGE = """<!doctype html><title>Toy</title>
<button id="subscribe">Remind me</button><p id="said"></p>
<script>
navigator.serviceWorker.register("/worker.js");
document.getElementById("subscribe").onclick = async () => {
    const said = document.getElementById("said");
    try {
        const permission = await Notification.requestPermission();
        const {pushManager} = await navigator.serviceWorker.ready;
        window.subscription = await pushManager.subscribe(
            {userVisibleOnly: true, applicationServerKey: KEY});
        said.textContent = permission;
    } catch (error) {
        said.textContent = String(error);
    }
};
</script>"""

WORKER = """
self.addEventListener("push", (event) => {
    const {title, ...options} = event.data.json();
    event.waitUntil(self.registration.showNotification(title, options));
});
self.addEventListener("notificationclick", (event) => {
    event.notification.close();
    event.waitUntil(self.clients.openWindow(event.notification.data.url));
});
"""


@dataclass
class Toy:
    """The sender's side, which also serves the page."""

    url: str
    vapid: Vapid

    def send(self, subscription: dict[str, Any], message: object, **options: Any) -> int:
        """The status of the answer."""
        try:
            answer = webpush(
                subscription,
                json.dumps(message),
                vapid_private_key=self.vapid,
                vapid_claims={"sub": "mailto:study@example.org"},
                timeout=PATIENCE,
                **{"ttl": 60, **options},
            )
        except WebPushException as error:
            return cast(int, error.status_code)
        return cast(int, answer.status_code)


def public_key(vapid: Vapid) -> str:
    return cast(
        str,
        b64urlencode(
            vapid.public_key.public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
            )
        ),
    )


@pytest.fixture(scope="module")
def toy() -> Iterator[Toy]:
    vapid = Vapid()
    vapid.generate_keys()
    page = PAGE.replace("KEY", json.dumps(public_key(vapid)))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_worker = self.path == "/worker.js"
            body = (WORKER if is_worker else page).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if is_worker else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """To nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Toy(f"http://localhost:{server.server_port}", vapid)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def relay() -> Iterator[PushRelay]:
    with PushRelay() as found:
        yield found


@pytest.fixture(scope="module")
def firefox(relay: PushRelay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with Firefox(relay, tmp_path_factory.mktemp("firefox"), language="ta,en") as found:
        yield found


def subscribe(firefox: Firefox, toy: Toy) -> dict[str, Any]:
    firefox.open(f"{toy.url}/")
    firefox.click("#subscribe")
    assert firefox.text("#said:not(:empty)") == "granted"
    found: dict[str, Any] = firefox.run("return window.subscription.toJSON()")
    return found


@pytest.fixture
def subscription(firefox: Firefox, toy: Toy) -> Iterator[dict[str, Any]]:
    """A new one, and no notifications from before."""
    yield subscribe(firefox, toy)
    firefox.run_async(
        """
        const registration = await navigator.serviceWorker.ready;
        await (await registration.pushManager.getSubscription())?.unsubscribe();
        (await registration.getNotifications()).forEach((one) => one.close());
        """
    )


def reminder(language: str, path: str = "/") -> dict[str, Any]:
    title, body = TEXTS[language]
    return {"title": title, "body": body, "lang": language, "tag": language, "data": {"url": path}}


def test_a_push_arrives_as_it_was_written(
    firefox: Firefox, toy: Toy, relay: PushRelay, subscription: dict[str, Any]
) -> None:
    """Tamil, Chinese and Malay, encrypted by the one side and read by the other."""
    before = len(relay.acks)
    for language in TEXTS:
        assert toy.send(subscription, reminder(language)) == 201
    shown = firefox.wait_for_notifications(3)
    assert {one["tag"]: one for one in shown} == {lang: reminder(lang) for lang in TEXTS}
    assert [one.code for one in relay.wait_for_ack(before + 3)[before:]] == [DELIVERED] * 3
    assert firefox.run("return navigator.languages") == ["ta", "en"]
    for post in relay.posts[-3:]:
        assert post.headers["ttl"] == "60"
        assert not any(text.encode() in post.body for text in TEXTS["ms"])


def test_a_click_opens_what_the_worker_says(
    firefox: Firefox, toy: Toy, subscription: dict[str, Any]
) -> None:
    """The one that was clicked, while another stands beside it."""
    for language in ("ms", "ta"):
        assert toy.send(subscription, reminder(language, f"/r/{language}")) == 201
    firefox.wait_for_notifications(2)
    first = firefox.current_urls()
    firefox.click_notification("ta")
    firefox.switch_to("/r/ta")
    assert firefox.current_urls() == [*first, f"{toy.url}/r/ta"]
    assert [one["tag"] for one in firefox.wait_for_notifications(1)] == ["ms"]
    firefox.click_notification()
    firefox.switch_to("/r/ms")
    assert firefox.notifications() == []


def test_what_firefox_cannot_use_is_told(
    firefox: Firefox, toy: Toy, relay: PushRelay, subscription: dict[str, Any]
) -> None:
    """Another's keys, and a message which the service worker fails on."""
    before = len(relay.acks)
    keys = {**subscription["keys"], "auth": "AAAAAAAAAAAAAAAAAAAAAA"}
    assert toy.send({**subscription, "keys": keys}, reminder("ms")) == 201
    assert [one.code for one in relay.wait_for_ack(before + 1)[before:]] == [UNDECRYPTABLE]
    assert toy.send(subscription, None) == 201
    told = relay.wait_for_ack(before + 3)[before + 1 :]
    assert told[0].code == DELIVERED
    assert told[1].code in HANDLER_FAILED
    assert {one.endpoint for one in told} == {subscription["endpoint"]}
    told_off = f"service worker of {toy.url}/: error "
    record.eventually(lambda: told_off in firefox.problems(), True)


def test_the_end_of_a_subscription(
    firefox: Firefox, toy: Toy, relay: PushRelay, subscription: dict[str, Any]
) -> None:
    """By the person; and by the service, of which Firefox knows nothing."""
    ended = firefox.run_async(
        """
        const {pushManager} = await navigator.serviceWorker.ready;
        return (await pushManager.getSubscription()).unsubscribe();
        """
    )
    assert ended is True
    assert toy.send(subscription, reminder("ms")) == 410
    again = subscribe(firefox, toy)
    assert again["endpoint"] != subscription["endpoint"]
    assert toy.send(again, reminder("ms")) == 201
    firefox.wait_for_notifications(1)
    relay.expire(again["endpoint"])
    assert toy.send(again, reminder("ta")) == 410


def test_a_message_waits_for_a_phone_without_network(
    firefox: Firefox, toy: Toy, relay: PushRelay, subscription: dict[str, Any]
) -> None:
    """A newer one with the same Topic takes its place; one without TTL is lost."""
    firefox.go_offline()
    relay.wait_for_connected(0)
    before = len(relay.acks)
    topic = {"headers": {"Topic": "visit"}}
    assert toy.send(subscription, reminder("ms"), **topic) == 201
    assert toy.send(subscription, reminder("ta"), **topic) == 201
    assert toy.send(subscription, reminder("ms"), ttl=0) == 201
    assert toy.send(subscription, reminder("zh")) == 201
    assert len(relay.acks) == before
    firefox.go_online()
    relay.wait_for_ack(before + 2)
    assert {one["tag"] for one in firefox.wait_for_notifications(2)} == {"ta", "zh"}


def test_a_message_waits_for_a_phone_that_is_off(
    firefox: Firefox, toy: Toy, relay: PushRelay, subscription: dict[str, Any]
) -> None:
    """Switched on again, the phone has its subscription, and shows it without any page open."""
    before = len(relay.acks)
    with firefox.switched_off():
        assert toy.send(subscription, reminder("zh", "/after")) == 201
        assert len(relay.acks) == before
    assert [one.code for one in relay.wait_for_ack(before + 1)[before:]] == [DELIVERED]
    assert firefox.current_urls() == ["about:blank"]
    firefox.click_notification()
    firefox.switch_to("/after")


def test_a_service_in_trouble(
    firefox: Firefox, toy: Toy, relay: PushRelay, subscription: dict[str, Any]
) -> None:
    """Such answers go to the sender, the messages nowhere."""
    relay.answer_next(429, retry_after=7)
    answer = requests.post(subscription["endpoint"], headers={"TTL": "60"}, timeout=PATIENCE)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    relay.answer_next(500, 503)
    assert [toy.send(subscription, reminder("ms")) for _ in range(3)] == [500, 503, 201]
    assert [post.status for post in relay.posts[-4:]] == [429, 500, 503, 201]
    assert len(firefox.wait_for_notifications(1)) == 1


def test_a_wrong_request_is_refused(
    toy: Toy, relay: PushRelay, subscription: dict[str, Any]
) -> None:
    """As by a real service, so that no test passes by its patience."""
    stranger = Vapid()
    stranger.generate_keys()
    assert Toy(toy.url, stranger).send(subscription, reminder("ms")) == 401
    too_long = {"headers": {"Topic": "x" * 33}}
    assert toy.send(subscription, reminder("ms"), **too_long) == 400
    assert toy.send(subscription, "x" * 4000) == 413
    nobody = {**subscription, "endpoint": f"{relay.origin}/wpush/nobody"}
    assert toy.send(nobody, reminder("ms")) == 404
    assert requests.post(subscription["endpoint"], timeout=PATIENCE).status_code == 400  # no TTL


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://elsewhere.example/x", "GET http://elsewhere.example/x HTTP/1.1"),
        ("https://elsewhere.example/x", "CONNECT elsewhere.example:443 HTTP/1.1"),
    ],
)
def test_no_word_to_anybody_outside(firefox: Firefox, toy: Toy, url: str, line: str) -> None:
    """Leaving Firefox fails by such a request: here it is meant, and forgiven."""
    assert firefox.outside == []
    firefox.open(f"{toy.url}/")
    firefox.run_async("await fetch(arguments[0], {mode: 'no-cors'}).catch(() => {})", url)
    asked = list(firefox.outside)
    firefox.outside.clear()
    assert set(asked) == {line}
