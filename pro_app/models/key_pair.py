"""What is kept of a passkey, a participant's or one of the staff's."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column


class KeyPair:
    """The public half of a key pair in somebody's device or its keychain, and how it was used."""

    credential_id: Mapped[str] = mapped_column(sa.String(1400), unique=True)  # base64url
    public_key: Mapped[bytes]  # COSE
    sign_count: Mapped[int] = mapped_column(sa.BigInteger)  # 0 where the keychain does not count
    transports: Mapped[list[str]] = mapped_column(sa.JSON)  # how the browser said to reach it
    backed_up: Mapped[bool]  # by the device's maker: it may open on the person's other devices
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
