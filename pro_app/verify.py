"""Check an export of the audit trail, with nothing but Python 3.11 or newer and this one file.

    python verify.py EXPORT.zip [--key PUBLIC] [--checkpoint NUMBER:HASH]
    python verify.py FOLDER ...      the same of an export that was unpacked: inside it, FOLDER is .

It checks that the files are those of the manifest; that every stream's entries follow each other
without a gap; that every checkpoint is signed, follows the one before it and holds the heads of
the streams; and that the data are exactly what the trail tells. Each fault is one line with its
place. It ends with 0 if there is none, with 1 if there are some, with 2 if the file cannot be read.

What an export says of itself can be written anew by whoever holds its database and its key. What
stands outside can not: give the public key that you noted with --key, and with --checkpoint a
checkpoint that you printed or were sent.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import unicodedata
import zipfile
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

Row = Mapping[Any, Any]  # a table's row, or an export's line, by column name


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong: the stream, or `checkpoint`, or a file; the number in it; what."""

    stream: str
    seq: int | None
    reason: str

    def __str__(self) -> str:
        if self.seq is None:
            return f"{self.stream}: {self.reason}"
        between = " " if self.stream == "checkpoint" else " entry "
        return f"{self.stream}{between}{self.seq}: {self.reason}"


# --- what is hashed, and how --------------------------------------------------------------------
# Canonical JSON: sorted keys, no spaces; moments in UTC with microseconds.

DOMAIN = b"pro_app audit entry 1\n"
CHECKPOINT_DOMAIN = b"pro_app audit checkpoint 1\n"
MANIFEST_DOMAIN = b"pro_app manifest 1\n"
GENESIS = "0" * 64  # stands before the first entry of a stream and before the first checkpoint
ALGORITHM = "ed25519"

COVERED = ("stream", "seq", "at", "actor", "action", "object", "field", "old", "new", "detail")
ENTRY = (*COVERED, "previous_hash", "hash")
# of an entry of a study that does not concern who has the export: its place in the chain alone
WITHHELD = ("stream", "seq", "previous_hash", "hash")
STATED = ("number", "at", "root", "streams", "entries", "previous", "key", "algorithm")
CHECKPOINT = (*STATED, "hash", "signature")

# the columns under each digest, in its order; those of LATER came with a migration, and count only
# where they say something, so that older rows keep their digests
ANSWER = (
    "operation", "assessment_id", "item", "state", "code", "standing", "prompted", "answered_at",
    "received_at", "device_time", "skew_ms", "language", "wording", "mode", "originator",
    "device_id",
)  # fmt: skip
ANSWER_LATER = (
    "journal", "sequence", "run", "monotonic_ms", "contact_at", "contact_device_time",
    "read_aloud", "doubt",
)  # fmt: skip
PRESS = (
    "operation", "assessment_id", "device_id", "journal", "sequence", "device_time", "skew_ms",
    "doubt", "tapped_at", "received_at", "outcome",
)  # fmt: skip
SUBMISSION = (
    "assessment_id", "started_at", "completed_at", "submitted_at", "late", "answers",
    "instrument_fingerprint", "study_version", "mode", "device_id",
)  # fmt: skip
SUBMISSION_LATER = ("submit_tapped_at",)
SCORE = ("scoring", "algorithm", "scale", "value", "norm_based", "answered", "reason", "receipt")
CORRECTION = (
    "public_id", "submission_id", "kind", "field", "old", "new", "originator", "requester_id",
    "reason_code", "reason", "evidence", "confirmation", "confirmed_on", "requested_at",
)  # fmt: skip
DECISION = (
    "correction_id", "outcome", "staff_id", "name", "meaning", "comment", "decided_at",
    "signature",
)  # fmt: skip
SIGN_OFF = (
    "public_id", "participant_id", "milestone", "staff_id", "name", "meaning", "signed_at",
    "signature",
)  # fmt: skip
SIGNED = {"corrections": CORRECTION, "decisions": DECISION, "sign_offs": SIGN_OFF}
DATA = {  # what the trail tells of: the columns of each kind, all but the stream
    "answers": ("id", *ANSWER, *ANSWER_LATER),
    "presses": ("id", *PRESS),
    "submissions": ("id", *SUBMISSION, *SUBMISSION_LATER, "receipt"),
    "scores": ("id", "submission_id", *SCORE),
    "corrections": ("id", *CORRECTION),
    "decisions": ("id", *DECISION),
    "corrected_scores": ("id", "correction_id", *SCORE),
    "sign_offs": ("id", *SIGN_OFF),
}


def plain(value: Any) -> Any:
    """A moment or a day as canonical JSON has it; anything else as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, date) else value


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> str:
    """The one text that a value has here."""
    return _ENCODER.encode(value)


def entry_hash(row: Row) -> str:
    """The hash of an entry: over all that it says, in NFC, and the hash before it."""
    text = canonical({name: plain(row[name]) for name in COVERED})
    said = unicodedata.normalize("NFC", text).encode()
    return hashlib.sha256(DOMAIN + row["previous_hash"].encode() + b"\n" + said).hexdigest()


def checkpoint_text(row: Row) -> bytes:
    """What a checkpoint's signature and hash are over."""
    return CHECKPOINT_DOMAIN + canonical({name: plain(row[name]) for name in STATED}).encode()


def checkpoint_hash(row: Row) -> str:
    """What the next checkpoint follows, and what can be kept outside as a witness."""
    return hashlib.sha256(checkpoint_text(row)).hexdigest()


def key_id(public: bytes) -> str:
    """The short name of a public key."""
    return hashlib.sha256(public).hexdigest()[:32]


def answer_digest(row: Row) -> str:
    """A hash over everything that an answer's row says, except its key."""
    return _digest(_values(row, ANSWER, ANSWER_LATER))


def press_digest(row: Row) -> str:
    """A hash over everything that the row of a press on Submit says, except its key."""
    return _digest(_values(row, PRESS))


def submission_digest(row: Row) -> str:
    """A hash over everything that a submission's row says, except its key: the receipt."""
    return _digest(_values(row, SUBMISSION, SUBMISSION_LATER))


def scores_digest(submission_id: int, scores: Sequence[Row]) -> str:
    """A hash over one submission's scores under one algorithm, in their order."""
    return _digest([submission_id, *([score[name] for name in SCORE] for score in scores)])


def signed_digest(kind: str, row: Row) -> str:
    """A hash over everything that the row of a correction, decision or sign-off says, except its
    key."""
    return _digest([kind, *_values(row, SIGNED[kind])])


def corrected_scores_digest(correction_id: int, scores: Sequence[Row]) -> str:
    """A hash over the scores after a correction under one algorithm, in their order."""
    said = ([score[name] for name in SCORE] for score in scores)
    return _digest(["corrected_scores", correction_id, *said])


def _values(row: Row, names: Sequence[str], later: Sequence[str] = ()) -> list[Any]:
    values = [plain(row[name]) for name in names]
    said = {name: plain(row[name]) for name in later}
    said = {name: value for name, value in said.items() if value is not None and value is not False}
    return [*values, said] if said else values


def _digest(values: Sequence[Any]) -> str:
    return hashlib.sha256(canonical(values).encode()).hexdigest()


def data_digests(kind: str, rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """What each row of one stream's data is called, and its digest; scores by algorithm."""
    if kind == "scores":
        yield from _score_digests(rows, "submission", "scores of submission", scores_digest)
        return
    if kind == "corrected_scores":
        label = "scores after correction"
        yield from _score_digests(rows, "correction", label, corrected_scores_digest)
        return
    for row in rows:
        if kind in SIGNED:
            yield f"{_CALLED[kind]} {row['id']}", signed_digest(kind, row)
        elif kind == "answers":
            yield f"answer {row['operation']} to {row['item']}", answer_digest(row)
        elif kind == "presses":
            yield f"press {row['operation']} on Submit", press_digest(row)
        else:
            digest = submission_digest(row)
            if digest != row["receipt"]:  # the digest as it was, which the participant has
                digest = f"{digest} is not {row['receipt']}"
            yield f"submission {row['id']}", digest


_CALLED = {
    "corrections": "correction", "decisions": "decision on a correction", "sign_offs": "sign-off",
}  # fmt: skip


def _score_digests(
    rows: Iterable[Row], of: str, label: str, digest: Callable[[int, Sequence[Row]], str]
) -> Iterator[tuple[str, str]]:
    found: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row[f"{of}_id"], row["algorithm"]), []).append(row)
    for (owner, algorithm), scores in found.items():
        yield f"{label} {owner} by {algorithm}", digest(owner, scores)


# --- the tree over the streams' heads: the Merkle tree of RFC 6962, section 2.1 ------------------

Head = tuple[int, str]  # a stream's newest entry: its number and hash


def leaf_hash(stream: str, head: Head) -> bytes:
    """The leaf of a stream."""
    return hashlib.sha256(b"\0" + canonical([stream, *head]).encode()).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """The tree over all heads, by stream. A node without a neighbour moves up as it is."""

    def __init__(self) -> None:
        self.heads: dict[str, Head] = {}
        self.entries = 0  # that the heads count
        self._names: list[str] = []
        self._levels: list[list[bytes]] = [[]]

    def put(self, heads: Mapping[str, Head]) -> None:
        """Take in new streams, and others' newer heads."""
        grown = bool(heads.keys() - self.heads.keys())
        for stream, head in heads.items():
            self.entries += head[0] - self.heads.get(stream, (0, ""))[0]
        self.heads |= heads
        if grown:
            self._build()
        else:
            for stream in heads:
                self._renew(bisect_left(self._names, stream), stream)

    def _build(self) -> None:
        self._names = sorted(self.heads)
        self._levels = [[leaf_hash(name, self.heads[name]) for name in self._names]]
        while len(below := self._levels[-1]) > 1:
            self._levels.append([_above(below, place) for place in range((len(below) + 1) // 2)])

    def _renew(self, place: int, stream: str) -> None:
        self._levels[0][place] = leaf_hash(stream, self.heads[stream])
        for below, level in zip(self._levels, self._levels[1:], strict=False):
            place //= 2
            level[place] = _above(below, place)

    def root(self) -> str:
        """The hash that stands for all heads."""
        top = self._levels[-1]
        return (top[0] if top else hashlib.sha256(b"").digest()).hex()

    def proof(self, stream: str) -> tuple[int, list[str]]:
        """A stream's place among all, and the neighbours that lead from it to the root."""
        found = place = bisect_left(self._names, stream)
        path = []
        for level in self._levels[:-1]:
            if place ^ 1 < len(level):
                path.append(level[place ^ 1].hex())
            place //= 2
        return found, path


def _above(below: Sequence[bytes], place: int) -> bytes:
    pair = below[2 * place : 2 * place + 2]
    return _node(*pair) if len(pair) == 2 else pair[0]


def proven_root(leaf: bytes, place: int, size: int, path: Sequence[str]) -> str | None:
    """The root that a proof leads to, in a tree of `size` leaves; None if it leads to none."""
    if not 0 <= place < size:
        return None
    rest = list(path)
    while size > 1:
        if place ^ 1 < size:
            if not rest:
                return None
            other = bytes.fromhex(rest.pop(0))
            leaf = _node(other, leaf) if place & 1 else _node(leaf, other)
        place, size = place // 2, (size + 1) // 2
    return None if rest else leaf.hex()


# --- Ed25519: RFC 8032, sections 5.1.1 to 5.1.4 and 5.1.7 ---------------------------------------

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]  # x = X/Z, y = Y/Z, x*y = T/Z
_ZERO: _Point = (0, 1, 1, 0)


def _decoded(text: bytes) -> _Point | None:
    """The point of 32 bytes: y, and in the highest bit whether x is odd."""
    number = int.from_bytes(text, "little")
    odd, y = number >> 255, number & (2**255 - 1)
    if len(text) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = _P - x
    return x, y, 1, x * y % _P


def _encoded(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _sum(one: _Point, other: _Point) -> _Point:
    """Right for all pairs of points, equal ones too."""
    a = (one[1] - one[0]) * (other[1] - other[0])
    b = (one[1] + one[0]) * (other[1] + other[0])
    c = 2 * one[3] * other[3] * _D
    d = 2 * one[2] * other[2]
    e, f, g, h = (b - a) % _P, (d - c) % _P, (d + c) % _P, (b + a) % _P
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


_BASE = _decoded((4 * pow(5, -1, _P) % _P).to_bytes(32, "little")) or _ZERO


def is_signed(public: bytes, text: bytes, signature: bytes) -> bool:
    """Whether this is the Ed25519 signature of a text by a public key's owner."""
    key = _decoded(public)
    if key is None or len(signature) != 64:
        return False
    promised, scalar = signature[:32], int.from_bytes(signature[32:], "little")
    if scalar >= _ORDER:
        return False
    said = hashlib.sha512(promised + public + text).digest()
    factor = int.from_bytes(said, "little") % _ORDER
    against: _Point = (_P - key[0], key[1], 1, _P - key[3])
    chosen = (_ZERO, _BASE, against, _sum(_BASE, against))
    point = _ZERO  # scalar * base - factor * key, both by one run through their bits
    for bit in range(255, -1, -1):
        point = _sum(point, point)
        point = _sum(point, chosen[(scalar >> bit & 1) | (factor >> bit & 1) << 1])
    return _encoded(point) == promised


# --- checkpoints --------------------------------------------------------------------------------


@dataclass
class Seals:
    """What the checkpoints hold: when each was made, and of each stream the entries that were its
    head at some checkpoint (checkpoint, entry, hash), in their order.

    `every` tells whether the heads are those of every checkpoint, or of the newest alone.
    """

    moments: dict[int, datetime] = field(default_factory=dict)
    heads: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)
    every: bool = True

    def hold(self, number: int, stream: str, head: Head) -> None:
        """A stream's head at a checkpoint."""
        self.heads.setdefault(stream, []).append((number, *head))

    def holder(self, stream: str, seq: int) -> int | None:
        """The first checkpoint known to hold an entry."""
        heads = self.heads.get(stream, ())
        place = bisect_left(heads, seq, key=lambda one: one[1])
        return heads[place][0] if place < len(heads) else None

    def newest_without(self, holder: int | None) -> int | None:
        """The newest checkpoint known not to hold an entry, whose first holder this is."""
        if holder is None:
            return max(self.moments, default=None)
        return holder - 1 if self.every and holder > 1 else None


def checkpoint_faults(
    rows: Iterable[Row], keys: Mapping[str, bytes], trusted: Sequence[bytes] = ()
) -> Iterator[Fault]:
    """What is wrong with the checkpoints themselves. `keys` are the public keys by id; if some
    are `trusted`, then no others."""
    allowed = {key_id(one): one for one in trusted} if trusted else keys
    number, previous = 0, GENESIS
    for row in rows:
        if row["number"] != number + 1:
            yield Fault("checkpoint", row["number"], f"checkpoint {number + 1} is missing")
        if row["previous"] != previous:
            yield Fault("checkpoint", row["number"], "does not follow the checkpoint before it")
        yield from _seal_faults(row, allowed, bool(trusted))
        number, previous = row["number"], row["hash"]


def _seal_faults(row: Row, allowed: Mapping[str, bytes], only: bool) -> Iterator[Fault]:
    number = row["number"]
    if checkpoint_hash(row) != row["hash"]:
        yield Fault("checkpoint", number, "was changed after it was made: its hash does not fit")
    public = allowed.get(row["key"])
    if public is None or row["algorithm"] != ALGORITHM:
        known = "that was given" if only else "that the export has"
        yield Fault("checkpoint", number, f"is signed with key {row['key']}, and not one {known}")
    elif not is_signed(public, checkpoint_text(row), _bytes(row["signature"] or "")):
        yield Fault("checkpoint", number, "its signature is not that of its key")


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def root_faults(
    checkpoints: Iterable[Row], changed: Iterable[Row], seals: Seals
) -> Iterator[Fault]:
    """What the checkpoints hold against the heads that are told for them, by checkpoint: of each,
    those that changed since the one before. `seals` learns them."""
    told: dict[int, dict[str, Head]] = {}
    for row in changed:
        told.setdefault(row["checkpoint"], {})[row["stream"]] = (row["seq"], row["hash"])
    tree = Tree()
    for row in checkpoints:
        number = row["number"]
        seals.moments[number] = moment(row["at"])
        heads = told.pop(number, {})
        for stream, head in sorted(heads.items()):
            before = tree.heads.get(stream, (0, ""))[0]
            if head[0] <= before:
                reason = f"puts {stream} back from entry {before} to entry {head[0]}"
                yield Fault("checkpoint", number, reason)
            seals.hold(number, stream, head)
        tree.put(heads)
        if tree.root() != row["root"]:
            yield Fault("checkpoint", number, "its root is not that of the heads it holds")
        if (len(tree.heads), tree.entries) != (row["streams"], row["entries"]):
            reason = (
                f"states {row['streams']} streams and {row['entries']} entries; its heads are "
                f"{len(tree.heads)} and {tree.entries}"
            )
            yield Fault("checkpoint", number, reason)
    for number in sorted(told):
        yield Fault("checkpoint", number, "is missing, and heads are told for it")


def proof_faults(
    checkpoints: Sequence[Row], proofs: Iterable[Row], seals: Seals
) -> Iterator[Fault]:
    """The proofs that the newest checkpoint holds some streams' heads. `seals` learns these."""
    seals.every = False
    by_number = {row["number"]: row for row in checkpoints}
    seals.moments |= {number: moment(row["at"]) for number, row in by_number.items()}
    for proof in proofs:
        stream, number = proof["stream"], proof["checkpoint"]
        head = (proof["seq"], proof["hash"])
        row = by_number.get(number)
        leaf = leaf_hash(stream, head)
        size = 0 if row is None else row["streams"]
        if row is None or proven_root(leaf, proof["place"], size, proof["path"]) != row["root"]:
            reason = f"the proof that checkpoint {number} holds it does not hold"
            yield Fault(stream, proof["seq"], reason)
        else:
            seals.hold(number, stream, head)


# --- streams ------------------------------------------------------------------------------------

SLACK = timedelta(minutes=15)  # entries carry the moment at which their work began, not ended


def moment(value: Any) -> datetime:
    """A moment from canonical JSON, or as it is."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


class _Groups:
    """Rows that stand together by stream, taken one stream at a time."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self._next = next(self._rows, None)

    @property
    def stream(self) -> str | None:
        return None if self._next is None else self._next["stream"]

    def take(self, stream: str) -> Iterator[Row]:
        while (row := self._next) is not None and row["stream"] == stream:
            yield row
            self._next = next(self._rows, None)


@dataclass(frozen=True)
class _Step:
    """Two moments in the wrong order: what comes later on record is dated earlier."""

    fault: Fault
    later: datetime
    earlier: datetime


class Trail:
    """The check of streams, of the checkpoints' hold on them, and of the data they tell of."""

    def __init__(self, seals: Seals | None = None) -> None:
        self.entries = self.streams = 0  # seen so far
        self._seals = seals or Seals()
        self._steps: list[_Step] = []
        self._confirmed: list[tuple[datetime, datetime]] = []

    def faults(self, entries: Iterable[Row], data: Mapping[str, Iterable[Row]]) -> Iterator[Fault]:
        """Every fault. Rows come by stream, entries by number; of the data each kind of DATA."""
        trail = _Groups(entries)
        kinds = {kind: _Groups(rows) for kind, rows in data.items()}
        seen: set[str] = set()
        while streams := [one.stream for one in (trail, *kinds.values()) if one.stream is not None]:
            stream = min(streams)
            if stream in seen:
                yield Fault(stream, None, "stands in two places, out of order")
            seen.add(stream)
            told: dict[str, int] = {}
            yield from self._chain_faults(stream, trail.take(stream), told)
            for kind, rows in kinds.items():
                yield from _data_faults(stream, data_digests(kind, rows.take(stream)), told)
            for seq in told.values():
                yield Fault(stream, seq, "tells of data that are gone or were changed")
        for stream in sorted(self._seals.heads.keys() - seen):
            yield from self._cut(stream, 0)
        yield from self._unexcused()

    def _chain_faults(
        self, stream: str, rows: Iterable[Row], told: dict[str, int]
    ) -> Iterator[Fault]:
        sealed = {seq: (number, kept) for number, seq, kept in self._seals.heads.get(stream, ())}
        seq, previous, before = 0, GENESIS, None
        for row in rows:
            self.entries += 1
            self.streams += seq == 0
            faults = list(_entry_faults(row, seq, previous))
            yield from faults
            if not faults and not is_withheld(row):
                self._look_at_clock(row, before)
                before = moment(row["at"])
            seq, previous = row["seq"], row["hash"]
            if seq in sealed and sealed[seq][1] != previous:
                yield Fault(stream, seq, f"is not the entry that checkpoint {sealed[seq][0]} holds")
            if "digest" in row.get("detail", {}):
                told[row["detail"]["digest"]] = seq
        yield from self._cut(stream, seq)

    def _cut(self, stream: str, last: int) -> Iterator[Fault]:
        """What checkpoints hold beyond a stream's last entry."""
        number, upto = max(
            ((number, seq) for number, seq, _ in self._seals.heads.get(stream, ())),
            key=lambda one: one[1],
            default=(0, 0),
        )
        if upto > last:
            reason = (
                f"{_missing(last + 1, upto)} at the end: checkpoint {number} holds entry {upto}"
            )
            yield Fault(stream, last + 1, reason)

    def _look_at_clock(self, row: Row, before: datetime | None) -> None:
        """Note moments in the wrong order; whether the clock excuses them is known at the end."""
        at, stream, seq = moment(row["at"]), row["stream"], row["seq"]
        if row["action"] == "confirm_clock" and row["old"]:
            self._confirmed.append((at, moment(row["old"])))
        if before is not None:
            self._note(row, before, at, "and the entry before it {}")
        holder = self._seals.holder(stream, seq)
        if holder in self._seals.moments:
            made = self._seals.moments[holder]
            self._note(row, at, made, f"but checkpoint {holder} of {{}} holds it already")
        without = self._seals.newest_without(holder)
        if without in self._seals.moments:
            made = self._seals.moments[without]
            self._note(row, made, at, f"but checkpoint {without} of {{}} does not hold it")

    def _note(self, row: Row, later: datetime, earlier: datetime, than: str) -> None:
        """Note an entry if the first of these moments, one of which is its own, comes after the
        second by more than the usual. `than` says what the other one is of."""
        if later - earlier > SLACK:
            at = moment(row["at"])
            other = than.format(plain(later if earlier == at else earlier))
            fault = Fault(row["stream"], row["seq"], f"is dated {plain(at)}, {other}")
            self._steps.append(_Step(fault, later, earlier))

    def _unexcused(self) -> Iterator[Fault]:
        """Moments in the wrong order, but for those of a clock that was ahead and was put right:
        that is on record with the moment up to which it was wrong."""
        for step in self._steps:
            if not any(
                right <= step.earlier + SLACK and step.later <= wrong + SLACK
                for right, wrong in self._confirmed
            ):
                yield step.fault


def _entry_faults(row: Row, seq: int, previous: str) -> Iterator[Fault]:
    stream, own = row["stream"], row["seq"]
    if own > seq + 1:
        yield Fault(stream, own, _missing(seq + 1, own - 1))
    elif own <= seq:
        yield Fault(stream, own, "stands twice, or after a later one")
    if row["previous_hash"] != previous:
        yield Fault(stream, own, "does not follow the entry before it")
    if not is_withheld(row) and entry_hash(row) != row["hash"]:
        yield Fault(stream, own, "was changed after it was written")


def is_withheld(row: Row) -> bool:
    """Whether only an entry's place in the chain is told, and not what it says."""
    return "at" not in row


def _missing(first: int, last: int) -> str:
    return (
        f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"
    )


def _data_faults(
    stream: str, digests: Iterable[tuple[str, str]], told: dict[str, int]
) -> Iterator[Fault]:
    """Data that the stream does not tell of. What it tells of is taken out of `told`."""
    for label, digest in digests:
        if told.pop(digest, None) is None:
            yield Fault(stream, None, f"{label} is not as the trail tells it")


# --- the export ---------------------------------------------------------------------------------

FORMAT = "pro_app audit export 1"
COPY_FORMAT = "pro_app site copy 1"  # with other files besides, and its manifest signed
TRAIL, CHECKPOINTS, HEADS, PROOFS = (
    "trail.jsonl", "checkpoints.jsonl", "heads.jsonl", "proofs.jsonl",
)  # fmt: skip
KEYS, MANIFEST, PROGRAM = "keys.json", "manifest.json", "verify.py"
SIGNATURE = "manifest.sig.json"
NOT_OURS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # what systems put into folders by themselves
CHUNK = 1 << 20  # bytes
FIELDS = {  # of each file's lines
    TRAIL: ENTRY,
    CHECKPOINTS: CHECKPOINT,
    HEADS: ("checkpoint", "stream", "seq", "hash"),
    PROOFS: ("checkpoint", "stream", "seq", "hash", "place", "path"),
    **{f"data/{kind}.jsonl": ("stream", *names) for kind, names in DATA.items()},
}
_FIELDS = {name: frozenset(fields) for name, fields in FIELDS.items()}
TYPES: dict[str, type | tuple[type, ...]] = {  # of what is reckoned with
    "stream": str, "seq": int, "at": str, "detail": dict, "hash": str, "previous_hash": str,
    "old": (str, type(None)), "number": int, "root": str, "streams": int, "entries": int,
    "previous": str, "key": str, "signature": (str, type(None)), "checkpoint": int, "place": int,
    "path": list, "submission_id": int, "algorithm": str,
}  # fmt: skip


class Unreadable(Exception):
    """The file is not an export; the message says why."""


class _Folder:
    """An export that was unpacked: as much of `zipfile.ZipFile` as is used here."""

    def __init__(self, path: str) -> None:
        self._root = Path(path)

    def namelist(self) -> list[str]:
        found = (one for one in self._root.rglob("*") if one.is_symlink() or not one.is_dir())
        return sorted(
            one.relative_to(self._root).as_posix() for one in found if one.name not in NOT_OURS
        )

    def open(self, name: str) -> BinaryIO:
        return (self._root / name).open("rb")

    def close(self) -> None:
        """Nothing is held open."""


class Export:
    """An export's files, packed or not. Raises Unreadable for what is none."""

    def __init__(self, path: str) -> None:
        self._zip: _Folder | zipfile.ZipFile
        try:
            self._zip = _Folder(path) if Path(path).is_dir() else zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise Unreadable(f"it is not a ZIP file that can be opened: {error}") from error
        self.names = self._zip.namelist()
        self.manifest = self._object(MANIFEST, {"format": str, "what": dict, "files": dict})
        if self.manifest["format"] not in {FORMAT, COPY_FORMAT}:
            raise Unreadable(f"its format is {self.manifest['format']!r}, not {FORMAT!r}")
        for name in self._expected():
            if self.names.count(name) != 1:
                raise Unreadable(f"it does not hold one file {name}")

    def close(self) -> None:
        self._zip.close()

    @property
    def whole(self) -> bool:
        """Whether it says that it holds every stream."""
        return not any(self.manifest["what"].values())

    @property
    def of(self) -> str:
        """What it holds, in words."""
        what = [f"{name} {value}" for name, value in self.manifest["what"].items() if value]
        return ", ".join(what) or "the whole database"

    def _expected(self) -> list[str]:
        needed = [name for name in FIELDS if name not in {HEADS, PROOFS}]
        signed = [SIGNATURE] if self.manifest["format"] == COPY_FORMAT else []
        return [*needed, HEADS if self.whole else PROOFS, KEYS, *signed]

    def keys(self) -> dict[str, bytes]:
        """The public keys that came with it, by id."""
        found = self._object(KEYS, {"keys": list})["keys"]
        publics = [_bytes(str(one.get("public", ""))) for one in found if isinstance(one, dict)]
        return {key_id(public): public for public in publics}

    def manifest_faults(self) -> Iterator[Fault]:
        """Files that are not as the manifest has them."""
        files = self.manifest["files"]
        signed = {SIGNATURE} if self.manifest["format"] == COPY_FORMAT else set()
        for name in sorted({*files, *self.names} - {MANIFEST} - signed):
            if name not in files:
                yield Fault(name, None, "is not in the manifest")
            elif self.names.count(name) != 1:
                yield Fault(name, None, "is in the manifest, and not once in the file")
            elif self._told(name) != files[name]:
                yield Fault(name, None, "is not as the manifest has it")

    def signature_faults(self, trusted: Sequence[bytes]) -> Iterator[Fault]:
        """What is wrong with the signature of the manifest, where it has one."""
        if self.manifest["format"] != COPY_FORMAT:
            return
        seal = self._object(SIGNATURE, {"key": str, "algorithm": str, "signature": str})
        keys = {key_id(one): one for one in trusted} if trusted else self.keys()
        public = keys.get(seal["key"])
        if b"".join(self._pieces(SIGNATURE)) != f"{canonical(seal)}\n".encode():
            yield Fault(SIGNATURE, None, "was changed after it was made")
        elif public is None or seal["algorithm"] != ALGORITHM:
            known = "that was given" if trusted else "that the export has"
            reason = f"is signed with key {seal['key']}, and not one {known}"
            yield Fault(MANIFEST, None, reason)
        else:
            text = MANIFEST_DOMAIN + b"".join(self._pieces(MANIFEST))
            if not is_signed(public, text, _bytes(seal["signature"])):
                yield Fault(MANIFEST, None, "its signature is not that of its key")

    def _told(self, name: str) -> dict[str, Any]:
        """What the manifest should say of a file."""
        digest, lines = hashlib.sha256(), 0
        for piece in self._pieces(name):
            digest.update(piece)
            lines += piece.count(b"\n")
        told: dict[str, Any] = {"sha256": digest.hexdigest()}
        return told | {"lines": lines} if name.endswith(".jsonl") else told

    def _pieces(self, name: str) -> Iterator[bytes]:
        try:
            with self._zip.open(name) as file:
                while piece := file.read(CHUNK):
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError) as error:
            raise Unreadable(f"{name} cannot be unpacked: {error}") from error

    def lines(self, name: str) -> Iterator[Row]:
        """A file's lines, each with the fields that it must have."""
        rest, number = b"", 0
        for piece in self._pieces(name):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                number += 1
                yield _row(name, number, line)
        if rest:
            yield _row(name, number + 1, rest)

    def _object(self, name: str, types: Mapping[str, type]) -> dict[str, Any]:
        found = _json(name, b"".join(self._pieces(name)))
        for key, kind in types.items():
            if not isinstance(found.get(key), kind):
                raise Unreadable(f"{name} has no {key!r}")
        return found


def _json(place: str, text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{place} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unreadable(f"{place} is not a JSON object")
    return found


def _row(name: str, number: int, text: bytes) -> Row:
    place = f"{name} line {number}"
    row = _json(place, text)
    if _tells_place_alone(name, row):
        return row
    if row.keys() != _FIELDS[name]:
        odd = sorted(row.keys() ^ _FIELDS[name])
        raise Unreadable(f"{place} lacks these fields, or should not have them: {', '.join(odd)}")
    for key in TYPES.keys() & row.keys():
        if not isinstance(row[key], TYPES[key]):
            raise Unreadable(f"{place}: {key} is not of its type")
    try:
        if "at" in row and moment(row["at"]).tzinfo is None:
            raise ValueError("it has no zone")
        if row.get("action") == "confirm_clock" and row["old"]:
            moment(row["old"])
        for one in row.get("path", ()):
            bytes.fromhex(one)
        if not isinstance(row.get("detail", {}).get("digest", ""), str):
            raise TypeError("its digest is no text")
    except (TypeError, ValueError) as error:
        raise Unreadable(f"{place}: {error}") from error
    return row


def _tells_place_alone(name: str, row: Row) -> bool:
    """Whether it is an entry of a study's stream that is withheld; of a participant's, none is."""
    if name != TRAIL or row.keys() != set(WITHHELD):
        return False
    whole = all(isinstance(row[key], TYPES[key]) for key in WITHHELD)
    return whole and row["stream"].startswith("study/")


class Check:
    """The check of an export, and what can be told of it afterwards.

    `trusted` are the public keys that may sign; without any, those that came with the export may.
    `known` are the hashes of checkpoints known from outside, by number.
    """

    def __init__(
        self, export: Export, trusted: Sequence[bytes] = (), known: Mapping[int, str] | None = None
    ) -> None:
        self._export, self._trusted, self._known = export, trusted, known or {}
        self._checkpoints = list(export.lines(CHECKPOINTS))
        self._seals = Seals()
        self._trail = Trail(self._seals)

    def faults(self) -> Iterator[Fault]:
        """Every fault."""
        yield from self._export.manifest_faults()
        yield from self._export.signature_faults(self._trusted)
        yield from checkpoint_faults(self._checkpoints, self._export.keys(), self._trusted)
        yield from self._witness_faults()
        if self._export.whole:
            heads = self._export.lines(HEADS)
            yield from root_faults(self._checkpoints, heads, self._seals)
        else:
            proofs = self._export.lines(PROOFS)
            yield from proof_faults(self._checkpoints, proofs, self._seals)
        data = {kind: self._export.lines(f"data/{kind}.jsonl") for kind in DATA}
        yield from self._trail.faults(self._export.lines(TRAIL), data)

    def _witness_faults(self) -> Iterator[Fault]:
        told = {row["number"]: row["hash"] for row in self._checkpoints}
        for number, known in sorted(self._known.items()):
            if number not in told:
                reason = (
                    f"is known from outside, and the export ends with {max(told, default=0)}: it "
                    "is of an older state of the database, or checkpoints were removed"
                )
                yield Fault("checkpoint", number, reason)
            elif told[number] != known:
                reason = f"is another one than that known from outside: {told[number]}"
                yield Fault("checkpoint", number, reason)

    def summary(self) -> list[str]:
        """What was checked, and how far that reaches. After `faults`."""
        count = len(self._checkpoints)
        lines = [
            f"{self._trail.entries} entries in {self._trail.streams} streams, {count} checkpoints: "
            f"{self._export.of}"
        ]
        if not count:
            lines.append("no checkpoint: nothing shows whether the end of the trail was cut off")
            return lines
        newest = self._checkpoints[-1]
        lines.append(f"newest checkpoint {newest['number']}:{newest['hash']} of {newest['at']}")
        for key in dict.fromkeys(row["key"] for row in self._checkpoints):
            numbers = [row["number"] for row in self._checkpoints if row["key"] == key]
            lines.append(f"checkpoints {min(numbers)} to {max(numbers)} are signed with key {key}")
        if not self._trusted:
            lines.append("the public key came with the export: compare it with the one you noted")
        return lines


# --- the command --------------------------------------------------------------------------------


def read_public_key(text: str) -> bytes:
    """A public key as `--key` takes it. Raises ValueError."""
    public = bytes.fromhex(text)
    if _decoded(public) is None:
        raise ValueError("not a key")
    return public


def read_witness(text: str) -> tuple[int, str]:
    """A checkpoint as `--checkpoint` takes it. Raises ValueError."""
    number, _, known = text.partition(":")
    if len(bytes.fromhex(known)) != 32:
        raise ValueError("not a hash")
    return int(number), known.lower()


def main(arguments: Sequence[str] | None = None) -> int:
    """Check an export; the exit code."""
    parser = argparse.ArgumentParser(
        prog="verify.py", description="Check an export of the audit trail."
    )
    parser.add_argument("export", metavar="EXPORT", help="the ZIP file, or where it was unpacked")
    parser.add_argument(
        "--key", type=read_public_key, action="append", default=[], metavar="PUBLIC",
        help="a public key (64 hexadecimal digits) that alone may sign; several may be given",
    )  # fmt: skip
    parser.add_argument(
        "--checkpoint", type=read_witness, action="append", default=[], metavar="NUMBER:HASH",
        help="a checkpoint known from outside; several may be given",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    try:
        return run(given.export, given.key, dict(given.checkpoint))
    except Unreadable as error:
        sys.stderr.write(f"{given.export} cannot be read: {error}\n")
        return 2


def run(path: str, trusted: Sequence[bytes], known: Mapping[int, str]) -> int:
    """Check the export at `path` and write what was found; 1 if there are faults. Raises
    Unreadable."""
    export = Export(path)
    count = 0
    try:
        check = Check(export, trusted, known)
        for fault in check.faults():
            count += 1
            sys.stdout.write(f"{fault}\n")
        for line in check.summary():
            sys.stdout.write(f"{line}\n")
    except (UnicodeError, OverflowError) as error:  # half a character, a moment out of all time
        raise Unreadable(f"it holds a value that is none: {error}") from error
    finally:
        export.close()
    sys.stdout.write(f"{count} faults\n" if count else "no fault\n")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
