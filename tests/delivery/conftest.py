"""What the tests of delivery share: a browser, our key, servers that answer as told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pro_app.delivery.push import Hosts
from pro_app.delivery.sender import PushSender
from pro_app.delivery.vapid import Tokens, VapidKey
from tests.delivery.certificates import make_certificate
from tests.delivery.sinks import Sink
from tests.delivery.subscriber import Subscriber

SUBJECT = "mailto:study@hospital.example.org"
MakeSender = Callable[..., PushSender]


class Seconds:
    """The time of tokens, which only the test moves."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, *, hours: float) -> None:
        self.now += hours * 3600


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture(scope="session")
def vapid_key() -> VapidKey:
    return VapidKey.new()


@pytest.fixture(scope="session")
def subscriber() -> Subscriber:
    return Subscriber()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.end()


@pytest.fixture
def other_sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.end()


@pytest.fixture
def make_sender(vapid_key: VapidKey, seconds: Seconds) -> Iterator[MakeSender]:
    """A sender that may reach the named places of this machine: `make_sender("localhost:1")`."""
    made: list[PushSender] = []

    def make(*places: str, ca_file: Path | None = None, **limits: float) -> PushSender:
        tokens = Tokens(vapid_key, SUBJECT, seconds)
        hosts = Hosts(places, loopback=True)
        made.append(PushSender(tokens, hosts, ca_file=ca_file, **limits))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for sender in made:
        sender.close()
