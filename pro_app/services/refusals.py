"""Operations that were refused: the phone deletes them, so the record tells what they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa

from pro_app.models import AuditEntry, Transaction
from pro_app.services import audit
from pro_app.services.answers import Operation, Origin
from pro_app.services.assessments import Known

ACTION = "refuse_answer"
LONGEST = 40  # characters that are kept of what should have been an item or a state


def record(
    session: Transaction,
    assessment: Known,
    operations: Iterable[Operation],
    refused: Mapping[str, str],
    origin: Origin,
    now: datetime,
) -> None:
    """Put the refused operations (id: reason) on record, each once however often it comes.

    The caller holds the participant's stream.
    """
    stream = audit.participant_stream(assessment.participant_id)
    told = AuditEntry.detail["operation"].as_string()
    known = set(
        session.scalars(
            sa.select(told).where(
                AuditEntry.stream == stream, AuditEntry.action == ACTION, told.in_(list(refused))
            )
        )
    )
    new = {one.id: one for one in operations if one.id in refused and one.id not in known}
    if new:
        entries = [_entry(assessment, one, refused[one.id], origin) for one in new.values()]
        audit.record(session, stream, now, entries)


def _entry(assessment: Known, operation: Operation, reason: str, origin: Origin) -> audit.Entry:
    detail = {
        "operation": operation.id,
        "state": _plain(operation.state),
        "code": operation.code,
        "reason": _plain(reason, 2 * LONGEST),
    }
    return audit.Entry(
        actor=f"{origin.originator}/device {origin.device_id}",
        action=ACTION,
        object=f"assessment/{assessment.public_id}",
        field=_plain(operation.item) or None,
        detail=detail | {"locked": True} if origin.locked else detail,
    )


def _plain(text: str, longest: int = LONGEST) -> str:
    """A text of the phone's as every database takes it: no control characters, not long."""
    return "".join(character for character in text if character.isprintable())[:longest]
