"""Where pushes may go, what they hold, what the answers mean."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.delivery.outcomes import Accepted, Gone, Misconfigured, Outcome, Retry
from pro_app.delivery.push import (
    PUSH_DOMAINS,
    PUSH_HOSTS,
    Hosts,
    Push,
    answer_outcome,
    endpoint_fault,
    endpoint_origin,
    notification_payload,
    subscription_fault,
)
from tests.delivery.subscriber import Subscriber, plain

KNOWN = Hosts()
REAL = [
    "https://fcm.googleapis.com/fcm/send/dX1-y:APA91bE_x",
    "https://fcm.googleapis.com/wp/dX1-y:APA91bE_x",
    "https://android.googleapis.com/gcm/send/x",
    "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABk-x_y=",
    "https://web.push.apple.com/QGuQ-x_y",
    "https://wns2-sg2p.notify.windows.com/w/?token=BQYAAAC%2bx%2f",
]
BROKEN_KEYS = [
    "", "=", "A", "A" * 87, plain(b"\x04" * 65), plain(b"\x04" + bytes(64)), plain(bytes(65)),
    plain(b"\x02" + b"\x01" * 32), "é" * 87, "A" * 86 + "+", "A" * 100,
]  # fmt: skip
SENTENCES = {
    "ms": "Anda mempunyai soal selidik untuk diisi",
    "en": "You have a form to fill in",
    "zh-Hans": "您有一份问卷需要填写",
    "ta": "நிரப்ப ஒரு படிவம் உள்ளது",
}


@pytest.mark.parametrize("endpoint", [*REAL, "https://fcm.googleapis.com:443/x"])
def test_the_browsers_services_are_known(subscriber: Subscriber, endpoint: str) -> None:
    assert subscription_fault(subscriber.subscription(endpoint), KNOWN) is None


@pytest.mark.parametrize(
    "endpoint",
    [
        "", "fcm.googleapis.com/x", "http://fcm.googleapis.com/x", "ftp://fcm.googleapis.com/x",
        "file:///etc/passwd", "//fcm.googleapis.com/x", "HTTPS://fcm.googleapis.com/x",
        "https://FCM.googleapis.com/x", "http://localhost/", "http://169.254.169.254/latest",
        "https://169.254.169.254/latest/meta-data", "https://127.0.0.1/", "https://2130706433/",
        "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://fcm.googleapis.com@evil.example/",
        "https://fcm.googleapis.com:x@evil.example/", "https://evil.example:443@fcm.googleapis.com/",
        "https://@fcm.googleapis.com/", "https://fcm.googleapis.com:80/x",
        "https://fcm.googleapis.com:8443/x", "https://fcm.googleapis.com:0/x",
        "https://fcm.googleapis.com:99999/x", "https://fcm.googleapis.com:/x",
        "https://fcm.googleapis.com:-443/x", "https://fcm.googleapis.com./x",
        "https://fcm.googleapis.com/x#y", "https://fcm.googleapis.com#@evil.example/",
        "https://fcm.googleapis.com?@evil.example/", "https://fcm.googleapis.com\\@evil.example/",
        "https://evil.example\\.push.apple.com/", "https:\\\\fcm.googleapis.com\\x",
        "https:/fcm.googleapis.com/x", "https:fcm.googleapis.com/x",
        "https://fcm.googleapis.com/x y", "https://fcm.googleapis.com/x\n",
        "https://fcm.googleapis.com/x\r\nHost: evil.example", "\thttps://fcm.googleapis.com/x",
        "https://fcm.google\tapis.com/x", "https://fcm.googleapis.com\0.evil.example/",
        "https://fcm。googleapis。com/x", "https://ｆcm.googleapis.com/x",
        "https://fcm.googleapis.com／x", "https://ⓕcm.googleapis.com/",
        "https://fcm.googleapis.com/ü", "https://%66cm.googleapis.com/", "https://.push.apple.com/",
        "https://a..push.apple.com/", "https://-.push.apple.com/", "https:///x", "https://",
    ],
)  # fmt: skip
def test_an_endpoint_has_one_plain_form(subscriber: Subscriber, endpoint: str) -> None:
    assert subscription_fault(subscriber.subscription(endpoint), KNOWN) == "endpoint_shape"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://localhost/", "https://evil.example/fcm.googleapis.com", "https://evil.example/",
        "https://evil.example/@fcm.googleapis.com", "https://fcm.googleapis.com.evil.example/",
        "https://evilfcm.googleapis.com/", "https://x.fcm.googleapis.com/",
        "https://googleapis.com/", "https://storage.googleapis.com/",
        "https://push.services.mozilla.com/", "https://evilpush.services.mozilla.com/",
        "https://push.apple.com/", "https://evil-push.apple.com/", "https://notify.windows.com/",
        "https://web.push.apple.com.local/", "https://metadata.google.internal/",
        "https://xn--fcm-googleapis-com.example/",
    ],
)  # fmt: skip
def test_no_other_host_is_reached(subscriber: Subscriber, endpoint: str) -> None:
    assert subscription_fault(subscriber.subscription(endpoint), KNOWN) == "endpoint_host"


_PIECES = st.sampled_from(
    ["https://", "http://", "fcm.googleapis.com", "web.push.apple.com", ".push.apple.com",
     "evil.example", "localhost", "127.0.0.1", "@", ":", ":443", ":80", "/", "\\", "?", "#", ".",
     "%2e", "a", "[::1]", " ", "\t", "\n", "。", "é"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=7).map("".join) | st.text(max_size=40))
def test_what_is_let_through_goes_where_it_says(text: str) -> None:
    """Read by another parser than ours, it is still a known service at its usual port."""
    for endpoint in (text, f"https://{text}", f"https://fcm.googleapis.com{text}"):
        fault = endpoint_fault(endpoint, KNOWN)
        if fault is None:
            address = urlsplit(endpoint)
            host = address.hostname or ""
            assert address.scheme == "https"
            assert address.port in {None, 443}
            assert address.username is None
            assert host in PUSH_HOSTS or host.endswith(PUSH_DOMAINS)
            assert endpoint_origin(endpoint) == f"https://{host}"


def test_an_endpoint_ends_somewhere(subscriber: Subscriber) -> None:
    start = "https://fcm.googleapis.com/"
    longest = subscriber.subscription(start + "x" * (1024 - len(start)))
    assert subscription_fault(longest, KNOWN) is None
    longer = replace(longest, endpoint=longest.endpoint + "x")
    assert subscription_fault(longer, KNOWN) == "endpoint_long"


@pytest.mark.parametrize("key", BROKEN_KEYS)
def test_a_public_key_is_a_point_of_the_curve(subscriber: Subscriber, key: str) -> None:
    subscription = replace(subscriber.subscription(REAL[0]), p256dh=key)
    assert subscription_fault(subscription, KNOWN) == "p256dh"


@pytest.mark.parametrize("size", [0, 1, 15, 17, 32])
def test_a_shared_secret_has_16_bytes(subscriber: Subscriber, size: int) -> None:
    subscription = replace(subscriber.subscription(REAL[0]), auth=plain(b"\x07" * size))
    assert subscription_fault(subscription, KNOWN) == "auth"


def test_keys_may_be_padded(subscriber: Subscriber) -> None:
    found = subscriber.subscription(REAL[0])
    padded = replace(found, p256dh=found.p256dh + "=", auth=found.auth + "==")
    assert subscription_fault(padded, KNOWN) is None


def test_a_subscription_does_not_show_itself(subscriber: Subscriber) -> None:
    push = Push(1, subscriber.subscription(REAL[0]), b"x", 60, "normal", "t")
    for part in (REAL[0], subscriber.auth, subscriber.public_key):
        assert part not in repr(push)


def test_other_services_can_be_added(subscriber: Subscriber) -> None:
    hosts = Hosts(("push.hospital.example", "up.hospital.example:8443"))
    for endpoint in (
        "https://push.hospital.example/UP",
        "https://up.hospital.example:8443/UP",
        REAL[0],
    ):
        assert subscription_fault(subscriber.subscription(endpoint), hosts) is None
    for endpoint in (
        "http://push.hospital.example/UP", "https://push.hospital.example:8443/UP",
        "https://up.hospital.example/UP", "http://up.hospital.example:8443/UP",
        "https://x.push.hospital.example/UP",
    ):  # fmt: skip
        assert subscription_fault(subscriber.subscription(endpoint), hosts) is not None


@pytest.mark.parametrize(
    "entry",
    [
        "", "localhost", "localhost:8990", "127.0.0.1:8990", "10.0.0.1", "10.0.0.1:443", "[::1]:1",
        "app.localhost:1", "intranet", "https://push.hospital.example", "push.hospital.example/",
        "*.hospital.example", ".hospital.example", "Push.hospital.example",
        "push.hospital.example:0", "push.hospital.example:70000", "push.hospital.example:",
        "a@push.hospital.example", "push.hospital.example ",
    ],
)  # fmt: skip
def test_an_added_service_has_a_public_name(entry: str) -> None:
    with pytest.raises(ValueError, match=r"^not (a host|a port|the name of a host)"):
        Hosts((entry,))


def test_this_machine_is_for_tests_alone(subscriber: Subscriber) -> None:
    hosts = Hosts(("localhost:8990", "127.0.0.1:8991"), loopback=True)
    for endpoint in (
        "http://localhost:8990/x", "https://localhost:8990/x", "http://127.0.0.1:8991/x",
    ):  # fmt: skip
        assert subscription_fault(subscriber.subscription(endpoint), hosts) is None
    for endpoint in ("http://localhost:8991/x", "http://localhost/x", "http://127.0.0.1:80/x"):
        assert subscription_fault(subscriber.subscription(endpoint), hosts) == "endpoint_shape"
    for entry in ("localhost", "127.0.0.1", "127.0.0.2:1", "10.0.0.1:1", "app.localhost:1"):
        with pytest.raises(ValueError, match="not a host"):
            Hosts((entry,), loopback=True)


def test_an_origin_names_who_runs_the_service() -> None:
    assert endpoint_origin(REAL[4]) == "https://web.push.apple.com"
    assert endpoint_origin("https://fcm.googleapis.com:443/x") == "https://fcm.googleapis.com"
    assert endpoint_origin("http://localhost:8990/x") == "http://localhost:8990"
    with pytest.raises(ValueError, match="not the endpoint") as refused:
        endpoint_origin("https://evil.example@x/")
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"payload": b""}, {"payload": b"x" * 3994}, {"ttl": -1}, {"urgency": "urgent"},
        {"topic": ""}, {"topic": "x" * 33}, {"topic": "a b"}, {"topic": "a\r\nX: y"},
    ],
)  # fmt: skip
def test_a_push_that_no_service_takes_cannot_be_made(
    subscriber: Subscriber, change: dict[str, Any]
) -> None:
    push = Push(1, subscriber.subscription(REAL[0]), b"x" * 3993, 0, "very-low", "x" * 32)
    with pytest.raises(ValueError, match=r"\w+"):
        replace(push, **change)


def notification(**changes: Any) -> bytes:
    given: dict[str, Any] = {
        "title": "PRO", "body": "…", "language": "ms", "navigate": "https://pro.hospital.example/r/x7",
        "tag": "visit", "badge": 1,
    }  # fmt: skip
    return notification_payload(**(given | changes))


@pytest.mark.parametrize(("language", "sentence"), list(SENTENCES.items()))
def test_safari_can_show_a_notification_by_itself(language: str, sentence: str) -> None:
    payload = notification(body=sentence, language=language)
    assert sentence in payload.decode("utf-8")
    assert json.loads(payload) == {
        "web_push": 8030,
        "notification": {
            "title": "PRO",
            "body": sentence,
            "lang": language,
            "dir": "ltr",
            "navigate": "https://pro.hospital.example/r/x7",
            "tag": "visit",
            "silent": False,
            "app_badge": 1,
        },
        "app_badge": 1,
    }


def test_without_a_badge_the_old_one_stays() -> None:
    assert b"app_badge" not in notification(badge=None)
    assert notification(badge=0).count(b'"app_badge":0') == 2


@pytest.mark.parametrize(("language", "sentence"), list(SENTENCES.items()))
def test_a_notification_has_at_most_2000_bytes(language: str, sentence: str) -> None:
    """Bytes, not letters: a Tamil letter takes three."""
    letters = len(sentence) * 2000
    while letters:  # the longest body that passes
        letters //= 2
        try:
            payload = notification(language=language, body=(sentence * 2000)[:letters])
        except ValueError:
            continue
        break
    filled = (sentence * 2000)[:letters] + "x" * (2000 - len(payload))
    assert len(notification(language=language, body=filled)) == 2000
    with pytest.raises(ValueError, match="at most 2000 bytes"):
        notification(language=language, body=filled + "x")


@pytest.mark.parametrize(
    "navigate",
    ["", "/r/x7", "r/x7", "//pro.hospital.example/r", "javascript:alert(1)", "ftp://pro.hospital.example/",
     "https://", "https:///r", "https://pro.hospital.example/a b", "https://pro.hospital.example/\n",
     "https://[::1/"],
)  # fmt: skip
def test_a_tap_opens_an_absolute_address(navigate: str) -> None:
    with pytest.raises(ValueError, match="navigate"):
        notification(navigate=navigate)


@pytest.mark.parametrize(
    "change", [{"title": ""}, {"language": "zh_Hans"}, {"language": ""}, {"badge": -1}]
)
def test_a_notification_that_safari_refuses_cannot_be_made(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"title|language|badge"):
        notification(**change)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Accepted(200)), (201, Accepted(201)), (202, Accepted(202)), (204, Accepted(204)),
        (404, Gone(404)), (410, Gone(410)),
        (400, Misconfigured(400, "request")), (401, Misconfigured(401, "authorization")),
        (403, Misconfigured(403, "authorization")), (413, Misconfigured(413, "too_large")),
        (405, Misconfigured(405, "refused")), (418, Misconfigured(418, "refused")),
        (301, Misconfigured(301, "redirect")), (304, Misconfigured(304, "redirect")),
        (408, Retry(408, None, "busy")), (429, Retry(429, None, "busy")),
        (500, Retry(500, None, "server")), (503, Retry(503, None, "server")),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, outcome: Outcome) -> None:
    assert answer_outcome(status, 0) == outcome


def test_a_service_may_not_ask_for_more_than_a_day() -> None:
    assert answer_outcome(429, 90) == Retry(429, timedelta(seconds=90), "busy")
    assert answer_outcome(503, 10**9) == Retry(503, timedelta(hours=24), "server")
