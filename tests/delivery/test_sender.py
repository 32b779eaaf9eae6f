"""Sending for real, to servers on this machine."""

from __future__ import annotations

import json
import logging
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from pro_app.delivery.outcomes import Accepted, Gone, Misconfigured, Outcome, Retry
from pro_app.delivery.push import Push, Subscription, notification_payload
from pro_app.delivery.sender import PushSender
from pro_app.delivery.vapid import VapidKey
from tests.delivery.conftest import SUBJECT, MakeSender, Seconds
from tests.delivery.sinks import Answer, Sink, free_port
from tests.delivery.subscriber import Subscriber, plain
from tests.delivery.test_push import BROKEN_KEYS, SENTENCES

PAYLOAD = notification_payload("PRO", "…", "en", "https://pro.hospital.example/r/x7", "visit", 1)


def push(subscription: Subscription, key: Any = 0, payload: bytes = PAYLOAD) -> Push:
    return Push(key, subscription, payload, 3600, "normal", "topic-1")


def outcomes(sender: PushSender, pushes: Iterable[Push]) -> dict[Any, Outcome]:
    """Each push's outcome, which it has exactly once."""
    found = list(sender.send(pushes))
    assert len({key for key, _ in found}) == len(found)
    return dict(found)


def answered(sink: Sink, sender: PushSender, subscriber: Subscriber, answer: Answer) -> Outcome:
    """The outcome of a push that is so answered."""
    sink.answers["/x"] = answer
    return outcomes(sender, [push(subscriber.subscription(sink.url("/x")))])[0]


def test_what_a_service_gets(sink: Sink, make_sender: MakeSender, subscriber: Subscriber) -> None:
    sent = replace(push(subscriber.subscription(sink.url("/x"))), urgency="high")
    assert outcomes(make_sender(sink.place), [sent]) == {0: Accepted(201)}
    (request,) = sink.requests
    assert (request.method, request.path) == ("POST", "/x")
    authorization = request.headers["authorization"]
    assert authorization.startswith("vapid t=")
    assert request.headers == {
        "host": sink.place,
        "user-agent": "pro-app",
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "content-length": str(len(request.body)),
        "ttl": "3600",
        "urgency": "high",
        "topic": "topic-1",
        "authorization": authorization,
    }


def test_a_browser_reads_it_and_a_service_knows_us(
    sink: Sink,
    make_sender: MakeSender,
    subscriber: Subscriber,
    vapid_key: VapidKey,
    seconds: Seconds,
) -> None:
    """By Node's cryptography, which shares nothing with what encrypted and signed."""
    payloads = [
        notification_payload("PRO", text, language, "https://pro.hospital.example/r/x7", "visit", 1)
        for language, text in SENTENCES.items()
    ]
    payloads += [b"x", b"y" * 3993]
    there = subscriber.subscription(sink.url("/x"))
    sender = make_sender(sink.place)
    outcomes(sender, [push(there, n, payload) for n, payload in enumerate(payloads)])
    opened = subscriber.open(sink.requests)
    assert Counter(one["text"].encode() for one in opened) == Counter(payloads)
    assert max(len(request.body) for request in sink.requests) == 4096
    for one in opened:
        assert one["last"]
        assert one["single"]
        assert (one["recordSize"], one["keyLength"]) == (4096, 65)
        token = one["token"]
        assert token["verified"]
        assert token["header"] == {"typ": "JWT", "alg": "ES256"}
        assert token["key"] == vapid_key.public_key
        claims = token["claims"]
        assert (claims["aud"], claims["sub"]) == (f"http://{sink.place}", SUBJECT)
        assert 0 < claims["exp"] - seconds.now <= 24 * 3600


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(410), Gone(410)),
        (Answer(403, body=b'{"reason":"BadJwtToken"}'), Misconfigured(403, "authorization")),
        (Answer(500), Retry(500, None, "server")),
        (Answer(503, {"Retry-After": "120"}), Retry(503, timedelta(minutes=2), "server")),
        (Answer(429, {"Retry-After": "7"}), Retry(429, timedelta(seconds=7), "busy")),
        (Answer(429, {"Retry-After": "soon"}), Retry(429, None, "busy")),
        (Answer(429, {"Retry-After": "-5"}), Retry(429, None, "busy")),
        (Answer(429, {"Retry-After": "0"}), Retry(429, None, "busy")),
        (
            Answer(429, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}),
            Retry(429, None, "busy"),
        ),
    ],
)
def test_answers_become_outcomes(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber, answer: Answer, outcome: Outcome
) -> None:
    assert answered(sink, make_sender(sink.place), subscriber, answer) == outcome


def test_a_service_may_name_the_date_to_come_back(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    answer = Answer(503, {"Retry-After": date})
    outcome = answered(sink, make_sender(sink.place), subscriber, answer)
    assert isinstance(outcome, Retry)
    assert outcome.after is not None
    assert timedelta(minutes=58) < outcome.after <= timedelta(hours=1)


def test_a_wait_without_end_is_cut(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    answer = Answer(429, {"Retry-After": "99999999999999999999999"})
    outcome = answered(sink, make_sender(sink.place), subscriber, answer)
    assert isinstance(outcome, Retry)
    assert outcome.after is None or outcome.after <= timedelta(hours=24)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere(
    sink: Sink, other_sink: Sink, make_sender: MakeSender, subscriber: Subscriber, status: int
) -> None:
    answer = Answer(status, {"Location": other_sink.url("/internal")})
    sender = make_sender(sink.place, other_sink.place)
    assert answered(sink, sender, subscriber, answer) == Misconfigured(status, "redirect")
    assert other_sink.connections == 0


def test_the_environments_proxies_are_not_used(
    sink: Sink,
    other_sink: Sink,
    make_sender: MakeSender,
    subscriber: Subscriber,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, other_sink.url(""))
        monkeypatch.setenv(name.upper(), other_sink.url(""))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert answered(sink, make_sender(sink.place), subscriber, Answer()) == Accepted(201)
    assert other_sink.connections == 0


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(201, endless=True), Accepted(201)),
        (Answer(410, endless=True), Gone(410)),
        (Answer(201, body=b"x" * 10_000_000), Accepted(201)),
        (Answer(201, body=b"x" * 4096), Accepted(201)),
    ],
)
def test_a_body_is_not_waited_for(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber, answer: Answer, outcome: Outcome
) -> None:
    sender = make_sender(sink.place)
    assert answered(sink, sender, subscriber, answer) == outcome
    assert answered(sink, sender, subscriber, Answer(404)) == Gone(404)
    assert sink.endless_bytes < 50_000_000  # what the sockets in between hold, and no more


def test_a_silent_service_is_left(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    sink.answers["/silent"] = Answer(silent=True)
    sender = make_sender(sink.place, timeout=0.3)
    began = time.monotonic()
    found = outcomes(
        sender,
        [push(subscriber.subscription(sink.url(path)), path) for path in ("/silent", "/x")],
    )
    assert found == {"/silent": Retry(None, None, "timeout"), "/x": Accepted(201)}
    assert 0.3 <= time.monotonic() - began < 3


def test_a_service_that_is_down_is_tried_again(
    make_sender: MakeSender, subscriber: Subscriber
) -> None:
    place = f"127.0.0.1:{free_port()}"
    sent = push(subscriber.subscription(f"http://{place}/x"))
    assert outcomes(make_sender(place), [sent]) == {0: Retry(None, None, "connection")}


def test_what_can_never_work_is_gone_and_stops_nobody(
    sink: Sink, other_sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    good = subscriber.subscription(sink.url("/x"))
    given = {
        "first": good,
        **{f"key {n}": replace(good, p256dh=key) for n, key in enumerate(BROKEN_KEYS)},
        **{f"secret {n}": replace(good, auth=plain(bytes(n))) for n in (0, 1, 15, 17)},
        "no address": replace(good, endpoint="https://fcm.googleapis.com@evil.example/"),
        "too long": replace(good, endpoint=sink.url("/" + "x" * 1024)),
        "last": good,
    }
    found = outcomes(make_sender(sink.place), [push(one, key) for key, one in given.items()])
    assert found == {key: Accepted(201) if key in {"first", "last"} else Gone(0) for key in given}


def test_dead_subscriptions_in_a_row_stop_nobody(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    """More of them than there is room in the air."""
    good = subscriber.subscription(sink.url("/x"))
    bad = replace(good, p256dh="")
    sent = [push(one, n) for n, one in enumerate([bad] * 7 + [good] + [bad] * 7)]
    found = outcomes(make_sender(sink.place, concurrency=3), sent)
    assert found == {n: Accepted(201) if n == 7 else Gone(0) for n in range(15)}


def test_a_host_that_is_no_longer_allowed_costs_nobody_a_subscription(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    sent = push(subscriber.subscription("https://push.hospital.example/UP"))
    assert outcomes(make_sender(sink.place), [sent]) == {0: Misconfigured(None, "endpoint_host")}


def test_services_in_one_batch_get_tokens_of_their_own(
    sink: Sink, other_sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    there = [subscriber.subscription(one.url("/x")) for one in (sink, other_sink) * 2]
    sender = make_sender(sink.place, other_sink.place)
    outcomes(sender, [push(one, n) for n, one in enumerate(there)])
    for one in (sink, other_sink):
        assert len({request.headers["authorization"] for request in one.requests}) == 1
        for opened in subscriber.open(one.requests):
            assert opened["token"]["claims"]["aud"] == f"http://{one.place}"


def test_a_token_is_used_again_until_it_is_old(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber, seconds: Seconds
) -> None:
    sender = make_sender(sink.place)
    for hours in (0, 10.9, 0.2):
        seconds.forward(hours=hours)
        assert answered(sink, sender, subscriber, Answer()) == Accepted(201)
    first, second, third = (request.headers["authorization"] for request in sink.requests)
    assert first == second
    assert second != third


def test_connections_outlive_a_batch(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    sender = make_sender(sink.place)
    for _ in range(3):
        assert answered(sink, sender, subscriber, Answer()) == Accepted(201)
    assert sink.connections == 1


def test_many_at_once_and_some_of_them_dead(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    for n in range(0, 300, 10):
        sink.answers[f"/{n}"] = Answer(410)
        sink.answers[f"/{n + 1}"] = Answer(500)
    sender = make_sender(sink.place, concurrency=8)
    found = outcomes(
        sender, (push(subscriber.subscription(sink.url(f"/{n}")), n) for n in range(300))
    )
    expected: dict[int, Outcome] = {0: Gone(410), 1: Retry(500, None, "server")}
    assert found == {n: expected.get(n % 10, Accepted(201)) for n in range(300)}
    assert sink.connections <= 8


def test_no_messages_are_no_batch(make_sender: MakeSender) -> None:
    assert outcomes(make_sender(), []) == {}


def test_a_batch_given_up_leaves_a_sender_that_works(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    sink.answers["/silent"] = Answer(silent=True)
    there, silent = (subscriber.subscription(sink.url(path)) for path in ("/x", "/silent"))
    sender = make_sender(sink.place, concurrency=4)
    batch = sender.send([push(silent, 1), push(silent, 2), push(there, 3), push(silent, 4)])
    assert next(batch) == (3, Accepted(201))
    with pytest.raises(RuntimeError, match="has not read its last batch"):
        next(sender.send([push(there)]))
    batch.close()  # type: ignore[attr-defined]
    assert outcomes(sender, [push(there, n) for n in range(8)]) == {
        n: Accepted(201) for n in range(8)
    }


def test_a_batch_that_breaks_off_leaves_a_sender_that_works(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber
) -> None:
    there = subscriber.subscription(sink.url("/x"))
    sender = make_sender(sink.place)

    def broken() -> Iterator[Push]:
        yield push(there)
        raise LookupError("the database is gone")

    with pytest.raises(LookupError):
        outcomes(sender, broken())
    assert outcomes(sender, [push(there)]) == {0: Accepted(201)}


def test_threads_take_turns(sink: Sink, make_sender: MakeSender, subscriber: Subscriber) -> None:
    there = subscriber.subscription(sink.url("/x"))
    sender = make_sender(sink.place)
    found: list[dict[Any, Outcome]] = []

    def work() -> None:
        found.append(outcomes(sender, [push(there, n) for n in range(30)]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{n: Accepted(201) for n in range(30)}] * 4


def test_nothing_personal_is_logged(
    sink: Sink,
    make_sender: MakeSender,
    subscriber: Subscriber,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    sender = make_sender(sink.place)
    sink.answers["/secret"] = Answer(500, body=b"a body")
    outcomes(sender, [push(subscriber.subscription(sink.url("/secret")))])
    said = caplog.text + "".join(capfd.readouterr())
    for part in ("secret", subscriber.auth, subscriber.public_key, "a body"):
        assert part not in said


@dataclass
class TlsSink:
    """The Node service: where it is, and what it says of each message."""

    port: int
    process: subprocess.Popen[str]

    def url(self, host: str) -> str:
        return f"https://{host}:{self.port}/x"

    def received(self, count: int) -> list[Any]:
        assert self.process.stdout is not None
        return [json.loads(self.process.stdout.readline()) for _ in range(count)]


@pytest.fixture
def tls_sink(certificate: tuple[Path, Path]) -> Iterator[TlsSink]:
    script = Path(__file__).with_name("tls_sink.mjs")
    command = ["node", str(script), *map(str, certificate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield TlsSink(int(process.stdout.readline()), process)
        process.terminate()


def test_one_connection_carries_all_to_a_service_of_today(
    tls_sink: TlsSink,
    certificate: tuple[Path, Path],
    make_sender: MakeSender,
    subscriber: Subscriber,
) -> None:
    """HTTP/2 over TLS: streams of one connection, within a batch and across batches."""
    sender = make_sender(f"localhost:{tls_sink.port}", ca_file=certificate[0])
    there = subscriber.subscription(tls_sink.url("localhost"))
    for _ in range(2):
        found = outcomes(sender, [push(there, n) for n in range(40)])
        assert found == {n: Accepted(201) for n in range(40)}
    assert {line["connection"] for line in tls_sink.received(80)} == {0}


def test_a_service_must_prove_who_it_is(
    tls_sink: TlsSink,
    certificate: tuple[Path, Path],
    make_sender: MakeSender,
    subscriber: Subscriber,
) -> None:
    """Neither a certificate that nobody vouches for nor one for another name will do."""
    places = [f"{host}:{tls_sink.port}" for host in ("localhost", "127.0.0.1")]
    here = push(subscriber.subscription(tls_sink.url("localhost")))
    elsewhere = push(subscriber.subscription(tls_sink.url("127.0.0.1")))
    untrusted = Retry(None, None, "tls")
    assert outcomes(make_sender(*places), [here]) == {0: untrusted}
    trusting = make_sender(*places, ca_file=certificate[0])
    assert outcomes(trusting, [elsewhere]) == {0: untrusted}
    assert outcomes(trusting, [here]) == {0: Accepted(201)}
    assert tls_sink.received(1)[0]["path"] == "/x"
