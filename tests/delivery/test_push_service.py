"""A push service that others wrote: it keeps subscriptions, decrypts, and lets them expire."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from pro_app.delivery.outcomes import Accepted, Gone, Misconfigured, Outcome
from pro_app.delivery.push import Hosts, Push, Subscription, notification_payload
from pro_app.delivery.sender import PushSender
from pro_app.delivery.vapid import Tokens, VapidKey
from tests.delivery.conftest import SUBJECT
from tests.delivery.sinks import free_port
from tests.delivery.test_push import SENTENCES

SERVER = Path(__file__).with_name("push_service") / (
    "node_modules/web-push-testing/src/bin/server.js"
)


class PushService:
    """The service's own interface."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.place = f"localhost:{port}"

    def subscribe(self, application_key: str) -> tuple[str, Subscription]:
        """A new browser: its name at the service, and its subscription."""
        # it wants the truth in words
        wish = {"userVisibleOnly": "true", "applicationServerKey": application_key}
        data = json.loads(self._ask("/subscribe", wish))["data"]
        keys = data["keys"]
        return data["clientHash"], Subscription(data["endpoint"], keys["p256dh"], keys["auth"])

    def expire(self, browser: str) -> None:
        self._ask(f"/expire-subscription/{browser}", {})

    def messages(self, browser: str) -> list[Any]:
        """What the browser has been shown."""
        data = json.loads(self._ask("/get-notifications", {"clientHash": browser}))["data"]
        return [json.loads(text) for text in data["messages"]]

    def _ask(self, path: str, content: dict[str, str]) -> bytes:
        connection = HTTPConnection("localhost", self.port, timeout=5)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(content), headers)
            response = connection.getresponse()
            assert response.status == 200, response.read()
            return response.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def service() -> Iterator[PushService]:
    assert SERVER.exists(), "not installed: run `sh deploy/setup.sh tests`"
    port = free_port()
    with subprocess.Popen(
        ["node", str(SERVER), str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "running" in process.stdout.readline()
        yield PushService(port)
        process.terminate()


def send(sender: PushSender, subscription: Subscription, language: str = "en") -> Outcome:
    payload = notification_payload(
        "PRO", SENTENCES[language], language, "https://pro.hospital.example/r/x7", "visit", 1
    )
    ((_, outcome),) = sender.send([Push(0, subscription, payload, 3600, "normal", "topic-1")])
    return outcome


@contextmanager
def sender_with(key: VapidKey, service: PushService) -> Iterator[PushSender]:
    """A sender whose tokens are of this hour: the service reads the real clock."""
    sender = PushSender(Tokens(key, SUBJECT), Hosts((service.place,), loopback=True))
    yield sender
    sender.close()


def test_a_browser_is_reached_until_it_expires(service: PushService, vapid_key: VapidKey) -> None:
    browser, subscription = service.subscribe(vapid_key.public_key)
    with sender_with(vapid_key, service) as sender:
        for language in SENTENCES:
            assert send(sender, subscription, language) == Accepted(201)
        shown = [message["notification"]["body"] for message in service.messages(browser)]
        assert shown == list(SENTENCES.values())
        service.expire(browser)
        assert send(sender, subscription) == Gone(410)
        assert len(service.messages(browser)) == 4


def test_a_key_that_is_not_the_browsers_is_our_fault(
    service: PushService, vapid_key: VapidKey
) -> None:
    """The browser stays subscribed, and hears of it when the key is right again."""
    browser, subscription = service.subscribe(vapid_key.public_key)
    with sender_with(VapidKey.new(), service) as sender:
        assert send(sender, subscription) == Misconfigured(400, "request")
    with sender_with(vapid_key, service) as sender:
        assert send(sender, subscription) == Accepted(201)
    assert len(service.messages(browser)) == 1
