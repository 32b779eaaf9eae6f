"""Signing: who may, what a free text must not hold, and the hash that binds a signature."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.canonical import sha256
from pro_app.core.study import NATIONAL_IDENTITY
from pro_app.models import Participant, Staff, StaffRole

DOMAIN = "pro_app signature 1"
LONGEST = 2_000  # characters of one text


class Refused(Exception):
    """What was asked for cannot be done; the message says why."""


class NotAllowed(Refused):
    """The person may not do this, here and now."""


def allowed(
    session: Session,
    staff_id: int,
    roles: Collection[str],
    participant: Participant,
    now: datetime,
) -> Staff:
    """The person of staff, who at `now` has one of the roles in the participant's study, at the
    participant's site or at all sites. Raises NotAllowed."""
    staff = session.scalar(
        sa.select(Staff).where(
            Staff.id == staff_id,
            sa.or_(Staff.disabled_at.is_(None), Staff.disabled_at > now),
            sa.exists().where(
                StaffRole.staff_id == Staff.id,
                StaffRole.study_id == participant.study_id,
                sa.or_(StaffRole.site_id.is_(None), StaffRole.site_id == participant.site_id),
                StaffRole.role.in_(roles),
                StaffRole.begins_at <= now,
                sa.or_(StaffRole.ends_at.is_(None), StaffRole.ends_at > now),
            ),
        )
    )
    if staff is None:
        wanted = " or ".join(sorted(roles))
        raise NotAllowed(f"only a person who is {wanted} at the participant's site may do this")
    return staff


def actor(staff: Staff) -> str:
    """A person of staff as the trail names them."""
    return f"staff/{staff.id}"


def text(what: str, given: str | None, *, needed: bool = True) -> str:
    """A free text without the space around it. Raises Refused for one that `text_fault` names."""
    reasons = {
        "missing": "is missing",
        "long": f"is longer than {LONGEST} characters",
        "identity": "holds what has the shape of a national identity number",
    }
    fault = text_fault(given, needed=needed)
    if fault is not None:
        raise Refused(f"{what} {reasons[fault]}")
    return (given or "").strip()


def text_fault(given: str | None, *, needed: bool = True) -> str | None:
    """Why a free text cannot be kept: `missing` when it is needed and empty, `long`, or `identity`
    when it holds what has the shape of a national identity number; None if it can."""
    found = (given or "").strip()
    if needed and not found:
        return "missing"
    if len(found) > LONGEST:
        return "long"
    return "identity" if NATIONAL_IDENTITY.search(found) else None


def signature(staff: Staff, name: str, meaning: str, at: datetime, content: Any) -> str:
    """The SHA-256 over who signs, under which name, what it means, when, and what is signed."""
    signer = {"staff": staff.public_id, "name": name, "meaning": meaning, "at": at}
    return sha256(DOMAIN, {"signer": signer, "content": content})
