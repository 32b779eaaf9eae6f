"""Started by test_sending_faults: forks workers, each a process that can be killed.

Reads a JSON order a line. `{"do": "start", ...}` answers with the new worker's process id,
`{"do": "wait", "pid": 1}` with how it ended: 0, or the signal's number below zero. A worker ticks
as `pro_app/worker.py` does, by a clock that stands at `now`, until nothing is left or it is told
to end. One with `dies` kills itself: after the `claim`, or before the messages are `sent`.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from pro_app.config import ROOT
from pro_app.core.library import Library, load_library
from pro_app.core.study import LANGUAGES
from pro_app.delivery import Hosts, Outcome, Post, Push, PushWay
from pro_app.delivery.sender import PushSender
from pro_app.delivery.vapid import Tokens, VapidKey
from pro_app.models import Database
from pro_app.services import reminders, sending
from pro_app.services.notices import Notices
from pro_app.services.outgoing import Claim, Tally, Work
from pro_app.services.post_office import PostOffice
from pro_app.services.vault import Vault

LONGEST = 60  # seconds that a worker lives, whatever happens


class Dying:
    """Stands where the push services are, and is the worker's end."""

    def send(self, pushes: Iterable[Push]) -> Iterator[tuple[Any, Outcome]]:
        os.kill(os.getpid(), signal.SIGKILL)
        yield from ()


def die(_office: PostOffice, _claimed: Claim) -> Work:
    os.kill(os.getpid(), signal.SIGKILL)
    return Work()


def make_office(order: dict[str, Any], library: Library) -> PostOffice:
    """A post office whose push services are the sink alone."""
    hosts, key = Hosts((order["place"],), loopback=True), VapidKey.new()
    push: PushWay = PushSender(Tokens(key, "mailto:tests@example.org"), hosts)
    now = datetime.fromisoformat(order["now"])
    return PostOffice(
        database=Database(order["url"]),
        library=library,
        post=Post(Dying() if order.get("dies") == "sent" else push, None),
        vault=Vault(order["secret"]),
        notices=Notices(ROOT / "translations", LANGUAGES),
        hosts=hosts,
        public_url="https://answers.example.org",
        application_key=key.public_key,
        key_id=key.key_id,
        clock=lambda: now,
    )


def work(order: dict[str, Any], library: Library) -> None:
    """Tick until nothing is left to do, or until SIGTERM; every tick survives what befalls it."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.alarm(LONGEST)
    sending.claim = partial(sending.claim, limit=order.get("limit", sending.BATCH))  # type: ignore[assignment]
    if order.get("dies") == "claim":
        sending.look_again = die
    office = make_office(order, library)
    while not ended.is_set():
        try:
            reminders.plan(office.database, office.library, office.clock())
            if sending.drain(office) == Tally() and not order.get("stays"):
                return
        except Exception:
            logging.exception("this tick failed; the next one tries again")
        ended.wait(0.01)


def main() -> None:
    library = load_library(ROOT / "questionnaires")
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            answer = os.fork()
            if answer == 0:
                work(order, library)
                os._exit(0)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["pid"], 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
