"""The audit trail: entries written in the transaction of the change they tell of, and their check.

Each stream is a chain: hash = SHA-256(domain tag, hash before, canonical JSON of the entry). The
first entry follows GENESIS. Canonical JSON: sorted keys, no spaces, NFC text, UTC moments.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm
from sqlalchemy.orm import Session

from pro_app.models import (
    Answer,
    Assessment,
    AuditEntry,
    Participant,
    Submission,
    SubmitOperation,
    Transaction,
)
from pro_app.services import signed_record

DOMAIN = b"pro_app audit entry 1\n"
GENESIS = "0" * 64


Row = Mapping[Any, Any]  # a table's row by column name


@dataclass(frozen=True, slots=True)
class Entry:
    """What is put on record: an action on an object, of one field from `old` to `new`.

    `actor` is `participant`, `site` or `system`, with an id where there is one.
    """

    actor: str
    action: str
    object: str
    field: str | None = None
    old: str | None = None
    new: str | None = None
    detail: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something the trail shows to be wrong: where, and what."""

    stream: str
    seq: int | None
    reason: str


def participant_stream(participant_id: int) -> str:
    """The name of a participant's stream."""
    return f"participant/{participant_id}"


def study_stream(study_id: int) -> str:
    """The name of a study's stream, for administration."""
    return f"study/{study_id}"


_head = (
    sa.select(AuditEntry.seq, AuditEntry.hash)
    .where(AuditEntry.stream == sa.bindparam("stream"))
    .order_by(AuditEntry.seq.desc())
    .limit(1)
)
_insert = sa.insert(AuditEntry.__table__)  # type: ignore[arg-type]


def record(session: Transaction, stream: str, at: datetime, entries: Sequence[Entry]) -> str:
    """Append entries to a stream within the caller's transaction; the new head's hash.

    The caller holds the stream's lock: any writer on SQLite, the participant's or study's row
    (`FOR UPDATE`) on PostgreSQL. A writer without it fails on the unique (stream, seq).
    """
    head = session.execute(_head, {"stream": stream}).first()
    rows = _chained(stream, at, entries, head)
    session.execute(_insert, rows)
    return str(rows[-1]["hash"])


def record_many(session: Transaction, at: datetime, told: Mapping[str, Sequence[Entry]]) -> None:
    """`record` for many streams at once; their locks are all held by the caller."""
    streams = [stream for stream, entries in told.items() if entries]
    newest = (
        sa.select(AuditEntry.stream, sa.func.max(AuditEntry.seq).label("seq"))
        .where(AuditEntry.stream.in_(streams))
        .group_by(AuditEntry.stream)
        .subquery()
    )
    heads = {
        stream: (seq, head)
        for stream, seq, head in session.execute(
            sa.select(AuditEntry.stream, AuditEntry.seq, AuditEntry.hash).join(
                newest,
                sa.and_(AuditEntry.stream == newest.c.stream, AuditEntry.seq == newest.c.seq),
            )
        )
    }
    rows = [row for one in streams for row in _chained(one, at, told[one], heads.get(one))]
    if rows:
        session.execute(_insert, rows)


def _chained(
    stream: str, at: datetime, entries: Sequence[Entry], head: Any
) -> list[dict[str, Any]]:
    """The rows of entries that follow a stream's head: its number and hash, or None."""
    seq, previous = head if head is not None else (0, GENESIS)
    rows = []
    for entry in entries:
        seq += 1
        row = {
            "stream": stream,
            "seq": seq,
            "at": at,
            "actor": entry.actor,
            "action": entry.action,
            "object": entry.object,
            "field": entry.field,
            "old": entry.old,
            "new": entry.new,
            "detail": dict(entry.detail),
            "previous_hash": previous,
        }
        previous = row["hash"] = entry_hash(row)
        rows.append(row)
    return rows


def entry_hash(row: Row) -> str:
    """The hash of an entry given as a mapping with the table's column names."""
    covered = {
        name: row[name]
        for name in ("stream", "seq", "actor", "action", "object", "field", "old", "new", "detail")
    }
    covered["at"] = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    canonical = unicodedata.normalize("NFC", text).encode()
    return hashlib.sha256(DOMAIN + row["previous_hash"].encode() + b"\n" + canonical).hexdigest()


def verify(session: Session) -> Iterator[Fault]:
    """Every fault of every stream: broken chains, gaps, and data that the trail does not tell."""
    columns = AuditEntry.__table__.columns
    rows = session.execute(
        sa.select(*columns)
        .order_by(AuditEntry.stream, AuditEntry.seq)
        .execution_options(yield_per=1_000)
    ).mappings()
    told: dict[str, tuple[str, int]] = {}
    stream, seq, previous = "", 0, GENESIS
    for row in rows:
        if row["stream"] != stream:
            stream, seq, previous = row["stream"], 0, GENESIS
        yield from _entry_faults(row, seq, previous)
        seq, previous = row["seq"], row["hash"]
        if "digest" in row["detail"]:
            told[row["detail"]["digest"]] = (row["stream"], row["seq"])
    yield from _data_faults(session, told)


def _entry_faults(row: Row, seq: int, previous: str) -> Iterator[Fault]:
    if row["seq"] != seq + 1:
        yield Fault(row["stream"], row["seq"], f"entries {seq + 1} to {row['seq'] - 1} are missing")
    if row["previous_hash"] != previous:
        yield Fault(row["stream"], row["seq"], "does not follow the entry before it")
    if entry_hash(row) != row["hash"]:
        yield Fault(row["stream"], row["seq"], "was changed after it was written")


def _data_faults(session: Session, told: dict[str, tuple[str, int]]) -> Iterator[Fault]:
    """Data whose content no entry tells, and entries whose data are gone."""
    for stream, label, digest in _data_digests(session):
        place = told.pop(digest, None)
        if place is None or place[0] != stream:
            yield Fault(stream, None, f"{label} is not as the trail tells it")
    for stream, seq in told.values():
        yield Fault(stream, seq, "tells of data that are gone or were changed")


def _data_digests(session: Session) -> Iterator[tuple[str, str, str]]:
    """Stream, description and digest of every answer, press on Submit, submission and set of
    scores, and of what `signed_record` tells of."""
    answers = session.execute(
        sa.select(*Answer.__table__.columns, Assessment.participant_id)
        .join(Assessment, Assessment.id == Answer.assessment_id)
        .execution_options(yield_per=1_000)
    ).mappings()
    for row in answers:
        stream = participant_stream(row["participant_id"])
        yield stream, f"answer {row['operation']} to {row['item']}", answer_digest(row)
    presses = session.execute(
        sa.select(*SubmitOperation.__table__.columns, Assessment.participant_id)
        .join(Assessment, Assessment.id == SubmitOperation.assessment_id)
        .execution_options(yield_per=1_000)
    ).mappings()
    for row in presses:
        stream = participant_stream(row["participant_id"])
        yield stream, f"press {row['operation']} on Submit", press_digest(row)
    submissions = session.execute(
        sa.select(Submission, Assessment.participant_id)
        .join(Assessment, Assessment.id == Submission.assessment_id)
        .options(sa.orm.selectinload(Submission.scores))
        .execution_options(yield_per=500)
    )
    for submission, participant_id in submissions:
        stream = participant_stream(participant_id)
        told = {name: getattr(submission, name) for name in _submission_said}
        digest = submission_digest(told)
        if digest != submission.receipt:  # which is the digest as it was, and the participant's
            digest = f"{digest} is not {submission.receipt}"
        yield stream, f"submission {submission.id}", digest
        by_algorithm: dict[str, list[Row]] = {}
        for score in submission.scores:
            by_algorithm.setdefault(score.algorithm, []).append(
                {name: getattr(score, name) for name in _SCORE_FIELDS}
            )
        for algorithm, scores in by_algorithm.items():
            label = f"scores of submission {submission.id} by {algorithm}"
            yield stream, label, scores_digest(submission.id, scores)
    for participant_id, label, digest in signed_record.digests(session):
        yield participant_stream(participant_id), label, digest


_LATER = {  # columns that came with a migration: rows of before it must keep their digests
    "answer": (
        "journal", "sequence", "run", "monotonic_ms", "contact_at", "contact_device_time",
        "read_aloud", "doubt",
    ),
    "submission": ("submit_tapped_at",),
}  # fmt: skip


def _names(table: Any, *without: str) -> tuple[str, ...]:
    """A table's columns that were there from the first, except its key and these."""
    left_out = {"id", *without, *_LATER.get(table.name, ())}
    return tuple(column.key for column in table.columns if column.key not in left_out)


_submission_columns = _names(Submission.__table__, "receipt")
_submission_said = (*_submission_columns, *_LATER["submission"])
_answer_columns = _names(Answer.__table__)
_press_columns = _names(SubmitOperation.__table__)
_SCORE_FIELDS = (
    "scoring", "algorithm", "scale", "value", "norm_based", "answered", "reason", "receipt",
)  # fmt: skip


def answer_digest(row: Row) -> str:
    """A hash over everything that an answer's row says, except its key."""
    return _digest(_values(row, _answer_columns, _LATER["answer"]))


def submission_digest(row: Row) -> str:
    """A hash over everything that a submission's row says, except its key: the receipt."""
    return _digest(_values(row, _submission_columns, _LATER["submission"]))


def press_digest(row: Row) -> str:
    """A hash over everything that the row of a press on Submit says, except its key."""
    return _digest(_values(row, _press_columns))


def _values(row: Row, names: Sequence[str], later: Sequence[str] = ()) -> list[Any]:
    """What a digest covers: the values of `names`, and those of `later` that say something."""
    values = [_plain(row[name]) for name in names]
    said = {name: _plain(row[name]) for name in later}
    said = {name: value for name, value in said.items() if value is not None and value is not False}
    return [*values, said] if said else values


def scores_digest(submission_id: int, scores: Sequence[Row]) -> str:
    """A hash over one submission's scores under one algorithm, in their order."""
    return _digest([submission_id, *([score[name] for name in _SCORE_FIELDS] for score in scores)])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value


def _digest(values: Sequence[Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def lock_stream(session: Transaction, participant_id: int) -> None:
    """Hold a participant's stream until the transaction ends, without reading the row.

    SQLite holds the whole database from `Database.writing` on; nothing is left to lock.
    """
    bind = session.get_bind() if isinstance(session, Session) else session
    if bind.dialect.name != "sqlite":
        session.execute(_lock, {"id": participant_id})


def lock_participant(session: Session, participant_id: int) -> Participant:
    """The participant's row, and its stream held until the transaction ends."""
    return session.execute(
        sa.select(Participant).where(Participant.id == participant_id).with_for_update(),
        execution_options={"populate_existing": True},  # as it is now, whatever was read before
    ).scalar_one()


_lock = sa.select(Participant.id).where(Participant.id == sa.bindparam("id")).with_for_update()


def count(session: Session) -> int:
    """How many entries there are in all streams."""
    return session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) or 0
