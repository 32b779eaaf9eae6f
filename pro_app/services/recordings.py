"""Recordings: the items of a stored wording, read aloud by a person.

A recording never changes and never goes: answers were given to what was heard. Another voice
comes with another version of the wording.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import sound
from pro_app.models import Recording, StoredLicence, StoredWording, Study, Transaction
from pro_app.services import audit
from pro_app.services.by_staff import Refusal

INSTRUCTION = ""  # stands for an item's code
LARGEST, LARGEST_WORDING = 1 << 20, 20 << 20  # bytes, of a recording and of all of a wording
SHORTEST = 8  # characters of a fingerprint that name a wording


class RecordingRefused(Refusal):
    """A recording that cannot be stored; the message says why, `items` which they are."""


def add(
    session: Session, fingerprint: str, files: Mapping[str, bytes], actor: str, now: datetime
) -> list[Recording]:
    """Store recordings of a stored wording, by item ("" for its instruction): all or none. It is
    on record, with their hashes.

    `fingerprint` may be the beginning of the wording's. Raises RecordingRefused.
    """
    wording = _wording(session, fingerprint)
    kinds = _checked(session, wording, files)
    rows = [
        Recording(
            wording_id=wording.id, item=item, media_type=kinds[item], content=files[item],
            sha256=hashlib.sha256(files[item]).hexdigest(), stored_at=now, stored_by=actor,
        )
        for item in sorted(files)
    ]  # fmt: skip
    session.add_all(rows)
    session.flush()
    _record(session, wording, rows, actor, now)
    return rows


def find(session: Transaction, sha256: str) -> tuple[str, bytes] | None:
    """Media type and content of the recording with this hash, whosever it is."""
    row = session.execute(
        sa.select(Recording.media_type, Recording.content)
        .where(Recording.sha256 == sha256)
        .limit(1)
    ).first()
    return None if row is None else (row.media_type, row.content)


def _wording(session: Session, fingerprint: str) -> StoredWording:
    """The wording, held: nobody else adds to it meanwhile."""
    query = sa.select(StoredWording).where(
        StoredWording.fingerprint.startswith(fingerprint, autoescape=True)
    )
    found = session.scalars(query.limit(2).with_for_update()).all()
    if len(found) != 1 or len(fingerprint) < SHORTEST:
        said = (
            f"no single wording that was loaded has the fingerprint {fingerprint}; the "
            "demonstration wording has no recordings"
        )
        raise RecordingRefused(said, "unknown")
    return found[0]


def _checked(
    session: Session, wording: StoredWording, files: Mapping[str, bytes]
) -> dict[str, str]:
    """The media type of each file. Raises RecordingRefused."""
    if not files:
        raise RecordingRefused("there is no recording among the files", "none")
    known = {place[len("items.") :] for place in wording.texts if place.startswith("items.")}
    strange = sorted(files.keys() - known - {INSTRUCTION})
    if strange:
        said = f"{wording.instrument} has no item {', '.join(strange)}"
        raise RecordingRefused(said, "item", strange)
    rows = session.execute(
        sa.select(Recording.item, sa.func.length(Recording.content).label("size")).where(
            Recording.wording_id == wording.id
        )
    )
    stored = {row.item: int(row.size) for row in rows}
    twice = sorted(files.keys() & stored.keys())
    if twice:
        said = (
            f"{_names(twice)} has a recording already, and a recording never changes: another "
            "voice comes with a new version of the wording"
        )
        raise RecordingRefused(said, "taken", twice)
    same = [one for one in files if list(files.values()).count(files[one]) > 1]
    if same:
        raise RecordingRefused(f"{_names(sorted(same))} are the same recording", "same", same)
    kinds = {item: _kind(item, content) for item, content in sorted(files.items())}
    if sum(stored.values()) + sum(map(len, files.values())) > LARGEST_WORDING:
        said = f"the recordings of a wording together have at most {LARGEST_WORDING >> 20} MB"
        raise RecordingRefused(said, "total")
    return kinds


def _kind(item: str, content: bytes) -> str:
    found, name = sound.kind(content), _names([item])
    if found == sound.WAV:
        said = f"{name} is a WAV file, too large for phones: save it as MP3, M4A or Ogg Opus"
        raise RecordingRefused(said, "wav", [item])
    if len(content) > LARGEST:
        said = f"{name} is larger than {LARGEST >> 20} MB: save it at 64 kbit/s or less"
        raise RecordingRefused(said, "large", [item])
    if found is None:
        said = f"{name} is not a sound in MP3, M4A (AAC) or Ogg Opus, or it is not whole"
        raise RecordingRefused(said, "kind", [item])
    return found


def _names(items: Iterable[str]) -> str:
    return ", ".join(item or "the instruction" for item in items)


def _record(
    session: Session, wording: StoredWording, rows: list[Recording], actor: str, now: datetime
) -> None:
    """Tell the trail of every study that is licensed to read the wording."""
    entry = audit.Entry(
        actor,
        "record_wording",
        f"wording/{wording.instrument}/{wording.language}",
        field="wording",
        new=wording.version,
        detail={
            "fingerprint": wording.fingerprint,
            "items": [row.item or "instruction" for row in rows],
            "recordings": [row.sha256 for row in rows],
        },
    )
    for study_id in _studies(session, wording):
        audit.record(session, audit.study_stream(study_id), now, [entry])


def _studies(session: Session, wording: StoredWording) -> Iterable[int]:
    licensed = set(
        session.scalars(
            sa.select(StoredLicence.study_id).where(StoredLicence.wording_id == wording.id)
        )
    )
    query = sa.select(Study.id).order_by(Study.id).with_for_update()
    if None not in licensed:
        query = query.where(Study.id.in_(sorted(one for one in licensed if one is not None)))
    return session.scalars(query).all()
