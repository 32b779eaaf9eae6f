"""A browser's side of web push: it makes the keys, and opens messages by other means than ours."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pro_app.delivery.push import Subscription
from tests.delivery.sinks import Request

SCRIPT = Path(__file__).with_name("open_message.mjs")


def plain(raw: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


class Subscriber:
    """One browser."""

    def __init__(self) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        number = private.private_numbers().private_value
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.private_key = plain(number.to_bytes(32, "big"))
        self.public_key = plain(point)
        self.auth = plain(os.urandom(16))

    def subscription(self, endpoint: str) -> Subscription:
        return Subscription(endpoint, self.public_key, self.auth)

    def open(self, requests: Sequence[Request]) -> list[Any]:
        """What the messages say, and what Node says of their shape and their signature."""
        messages = [
            {
                "body": plain(request.body),
                "privateKey": self.private_key,
                "publicKey": self.public_key,
                "auth": self.auth,
                "authorization": request.headers["authorization"],
            }
            for request in requests
        ]
        done = subprocess.run(
            ["node", str(SCRIPT)], input=json.dumps(messages), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        opened = json.loads(done.stdout)
        assert isinstance(opened, list)
        return opened
