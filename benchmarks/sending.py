"""Reminders through the whole drainer: claim, look again, encrypt, send over TLS, record.

Reference: the encryption of the same messages alone (`WebPusher.encode`), in the same process.
The push service is another process of this machine that accepts everything, at once or after
50 ms. CPU is this process's own: what one core could do; elapsed is what passed.

    PYTHONPATH=. python benchmarks/sending.py [MESSAGES]
"""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pywebpush import WebPusher

from pro_app.config import ROOT
from pro_app.core.library import Library, load_library
from pro_app.core.study import LANGUAGES
from pro_app.core.study_file import read_study_file
from pro_app.delivery import Hosts, Post, Subscription, notification_payload
from pro_app.delivery.sender import PushSender
from pro_app.delivery.vapid import Tokens, VapidKey
from pro_app.migrations import upgrade
from pro_app.models import Assessment, Database, Device, Participant, Reminder
from pro_app.models import Subscription as SubscriptionRow
from pro_app.services import sending, studies
from pro_app.services.notices import Notices
from pro_app.services.post_office import PostOffice, subscription_text
from pro_app.services.vault import Vault
from tests.delivery.certificates import make_certificate

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # ten o'clock in Kuala Lumpur
KEY = "0123456789abcdef-key-of-the-benchmarks"
STUDY_FILE = ROOT / "pro_app" / "demo" / "study.toml"
DELAYS = (0, 50)  # milliseconds
GOALS = {0: "goal 0.5 of encryption alone", 50: "goal 1,000/s elapsed"}


@contextmanager
def push_service(folder: Path, delay: int) -> Iterator[tuple[str, Path]]:
    """A push service of this machine: its host with port, and the certificate to trust."""
    certificate, key = make_certificate(folder)
    script = Path(__file__).with_name("push_sink.mjs")
    with subprocess.Popen(
        ["node", script, certificate, key, str(delay)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"localhost:{process.stdout.readline().strip()}", certificate
        process.terminate()


def subscription(host: str, n: int) -> Subscription:
    """A browser's subscription, with a key of its own."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return Subscription(f"https://{host}/push/{n:08}", _letters(raw), _letters(os.urandom(16)))


def _letters(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encryption(there: list[Subscription]) -> float:
    """Messages a second of CPU, encrypted and nothing else."""
    payload = notification_payload(
        "Some questions are waiting for you", "Please answer by Friday, 4 December.", "en",
        "https://answers.example.org/r/0123456789abcdef", "questions", 1,
    )  # fmt: skip
    begun = time.process_time()
    for one in there:
        info = {"endpoint": one.endpoint, "keys": {"p256dh": one.p256dh, "auth": one.auth}}
        WebPusher(info).encode(payload, content_encoding="aes128gcm")
    return len(there) / (time.process_time() - begun)


def fill(database: Database, library: Library, vault: Vault, there: list[Subscription]) -> None:
    """A person for each subscription, with one reminder that is due."""
    content = read_study_file(STUDY_FILE, library.instruments)
    with database.writing() as session:
        studies.load(session, library, content, NOW)
    rows: dict[Any, list[dict[str, Any]]] = {}
    opens, closes = NOW - timedelta(days=1), NOW + timedelta(days=10)
    for n, one in enumerate(there, start=1):
        rows.setdefault(Participant, []).append(
            {"study_id": 1, "site_id": 1, "number": f"{n:07}", "text_size": 0,
             "language": LANGUAGES[n % 4], "created_at": NOW, "scheduled_version": 1}
        )  # fmt: skip
        rows.setdefault(Device, []).append(
            {"participant_id": n, "token_hash": f"{n:064}", "pin_failures": 0,
             "created_at": NOW, "used_at": NOW}
        )  # fmt: skip
        rows.setdefault(SubscriptionRow, []).append(
            {"participant_id": n, "device_id": n, "endpoint_hash": f"{n:064}", "state": "active",
             "host": one.endpoint.split("/")[2], "vapid_key": "k", "created_at": NOW,
             "secret": vault.lock(subscription_text(one)), "seen_at": NOW}
        )  # fmt: skip
        rows.setdefault(Assessment, []).append(
            {"public_id": f"{n:016}", "participant_id": n, "timepoint": "baseline",
             "occurrence": 1, "instrument": "lupusqol", "place": 1, "opens_at": opens,
             "due_at": opens, "closes_at": closes, "created_at": opens, "planned_at": NOW}
        )  # fmt: skip
        rows.setdefault(Reminder, []).append(
            {"assessment_id": n, "participant_id": n, "step": "opening", "channel": "push",
             "state": "planned", "planned_for": NOW, "due_at": NOW, "expires_at": closes,
             "attempts": 0, "created_at": NOW}
        )  # fmt: skip
    with database.writing_rows() as session:
        for model, found in rows.items():
            session.execute(sa.insert(cast(Any, model.__table__)), found)


def measure(library: Library, count: int, delay: int) -> None:
    with TemporaryDirectory() as name, push_service(Path(name), delay) as (host, certificate):
        there = [subscription(host, n) for n in range(count)]
        reference = encryption(there)
        database = Database(f"sqlite:///{name}/sending.sqlite3")
        upgrade(database)
        vault = Vault(KEY)
        fill(database, library, vault, there)
        hosts, key = Hosts((host,), loopback=True), VapidKey.new()
        push = PushSender(Tokens(key, "mailto:nobody@example.invalid"), hosts, ca_file=certificate)
        office = PostOffice(
            database=database,
            library=library,
            post=Post(push, None),
            vault=vault,
            notices=Notices(ROOT / "translations", LANGUAGES),
            hosts=hosts,
            public_url="https://answers.example.org",
            application_key=key.public_key,
            key_id=key.key_id,
            clock=lambda: NOW,
        )
        cpu, begun = time.process_time(), time.perf_counter()
        tally = sending.drain(office)
        cpu, elapsed = count / (time.process_time() - cpu), count / (time.perf_counter() - begun)
        database.close()
    assert tally.sent == count, tally
    print(f"{count:,} reminders, answered after {delay} ms")
    print(f"  reference, encryption alone   {reference:7,.0f}/s of CPU")
    print(
        f"  the whole drainer             {cpu:7,.0f}/s of CPU   {cpu / reference:.2f} of it"
        f"   {elapsed:,.0f}/s elapsed   ({GOALS[delay]})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("messages", nargs="?", type=int, default=10_000)
    count = parser.parse_args().messages
    library = load_library(ROOT / "questionnaires")
    for delay in DELAYS:
        measure(library, count, delay)


if __name__ == "__main__":
    main()
