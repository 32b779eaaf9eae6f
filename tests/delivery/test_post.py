"""All ways out together, and what may stand in for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pro_app.delivery import Accepted, Letter, Outcome, Post, Push
from pro_app.delivery.mail import Folder
from tests.delivery.conftest import MakeSender
from tests.delivery.sinks import Sink
from tests.delivery.subscriber import Subscriber


class Recorder:
    """Takes everything and sends nothing."""

    def __init__(self) -> None:
        self.taken: list[Push | Letter] = []

    def send(self, messages: Iterable[Push | Letter]) -> Iterator[tuple[Any, Outcome]]:
        for message in messages:
            self.taken.append(message)
            yield message.key, Accepted(201)


def push(subscriber: Subscriber, endpoint: str) -> Push:
    return Push("push", subscriber.subscription(endpoint), b"x", 60, "normal", "topic-1")


LETTER = Letter("letter", "aminah@mail.example", "PRO", "…", "ms", "<m@pro.example>")


def test_the_real_ways_out(
    sink: Sink, make_sender: MakeSender, subscriber: Subscriber, tmp_path: Path
) -> None:
    post = Post(make_sender(sink.place), Folder(tmp_path))
    assert post.mail is not None
    assert dict(post.push.send([push(subscriber, sink.url("/x"))])) == {"push": Accepted(201)}
    assert dict(post.mail.send([LETTER])) == {"letter": Accepted(250)}


def test_a_recorder_can_stand_in(subscriber: Subscriber) -> None:
    recorder = Recorder()
    post = Post(recorder, recorder)
    assert post.mail is not None
    sent = push(subscriber, "https://web.push.apple.com/x")
    assert dict(post.push.send([sent])) == {"push": Accepted(201)}
    assert dict(post.mail.send([LETTER])) == {"letter": Accepted(201)}
    assert recorder.taken == [sent, LETTER]
