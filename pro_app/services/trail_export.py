"""What was searched of the record as a file of CSV, and the entry that tells of the file."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.export.texts import harmless_text
from pro_app.models import Study
from pro_app.services import audit, by_staff
from pro_app.services.studies import CurrentStudy
from pro_app.services.trail import Line

COLUMNS = (
    "stream", "entry", "participant", "at", "device_time", "device_skew_ms", "actor", "name",
    "action", "object", "field", "old", "new", "detail", "withheld", "hash",
)  # fmt: skip


class ExportError(Exception):
    """An export that cannot be made as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an export's entry says besides its checksum: what it holds, whose, and why."""

    what: str
    detail: dict[str, object]
    reason: str


def reason(text: str) -> str:
    """The reason for an export, as it is kept. Raises ExportError for none, for one that is too
    long, and for one with a national identity number."""
    found = by_staff.free_text(text, ExportError)
    if not found:
        raise ExportError("a reason is needed")
    return found


def write(lines: Iterable[Line], zone: ZoneInfo, file: BinaryIO) -> tuple[str, int]:
    """Write the lines as CSV (UTF-8, commas, one header line), with times in the zone; the file's
    SHA-256, and how many lines there were."""
    digest, count = hashlib.sha256(), 0
    _put(COLUMNS, file, digest)
    for line in lines:
        count += 1
        _put([_harmless(value) for value in _cells(line, zone)], file, digest)
    return digest.hexdigest(), count


def _put(row: Iterable[object], file: BinaryIO, digest: hashlib._Hash) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    encoded = text.getvalue().encode()
    digest.update(encoded)
    file.write(encoded)


def _harmless(value: object) -> object:
    return harmless_text(value) if isinstance(value, str) else value


def _cells(line: Line, zone: ZoneInfo) -> tuple[object, ...]:
    detail = json.dumps(line.detail, ensure_ascii=False, sort_keys=True) if line.detail else None
    return (
        line.stream, line.seq or None, line.number, line.at.astimezone(zone).isoformat(),
        line.device_time, line.skew_ms, line.actor, line.name, line.action, line.object,
        line.field, line.old, line.new, detail, int(line.withheld), line.hash or None,
    )  # fmt: skip


def note(
    session: Session, study: CurrentStudy, told: Told, digest: str, actor: str, now: datetime
) -> None:
    """Put an export by a person of staff on the study's record, with the SHA-256 of the file."""
    session.execute(sa.select(Study.id).where(Study.id == study.id).with_for_update())
    entry = audit.Entry(
        actor,
        "export",
        f"study/{study.definition.code}",
        new=told.what,
        detail={**told.detail, "reason": told.reason, "sha256": digest},
    )
    audit.record(session, audit.study_stream(study.id), now, [entry])
