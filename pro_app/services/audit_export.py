"""The trail as one ZIP file that can be checked anywhere, by the program that lies in it.

The same data give the same bytes. Rows go from the database to the file one at a time.
"""

from __future__ import annotations

import hashlib
import inspect
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, BinaryIO

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app import verify
from pro_app.models import Study
from pro_app.services import audit, audit_rows
from pro_app.services.audit_key import AuditKey
from pro_app.services.audit_rows import Scope
from pro_app.verify import Row, Tree

MOMENT = (1980, 1, 1, 0, 0, 0)  # of every file in it: the ZIP format's first
LEVEL = 6  # of compression


class Archive:
    """A ZIP file that is being written, and what its manifest will say."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w")
        self.files: dict[str, dict[str, Any]] = {}

    def lines(self, name: str, rows: Iterable[Row]) -> None:
        """Write a file with a line for each row."""
        fields = verify.FIELDS[name]
        texts = (
            verify.canonical({field: verify.plain(row[field]) for field in _told(row, fields)})
            + "\n"
            for row in rows
        )
        count = self._write(name, texts)
        self.files[name]["lines"] = count

    def text(self, name: str, text: str) -> None:
        """Write a file."""
        self._write(name, [text])

    def file(self, name: str, path: Path) -> None:
        """Put in a file that is there."""
        with path.open("rb") as source, self.writing(name) as target:
            while piece := source.read(verify.CHUNK):
                target.put(piece)

    @contextmanager
    def writing(self, name: str) -> Iterator[_Writer]:
        """A file that text is written to piece by piece, one file at a time."""
        info = zipfile.ZipInfo(name, MOMENT)
        info.compress_type = zipfile.ZIP_DEFLATED
        info._compresslevel = LEVEL  # type: ignore[attr-defined]  # public from Python 3.13 on
        info.create_system = 3  # the same on every system
        info.external_attr = 0o100644 << 16
        with self._zip.open(info, "w", force_zip64=True) as file:
            writer = _Writer(file)
            yield writer
        self.files[name] = {"sha256": writer.digest.hexdigest()}

    def close(self, form: str, what: dict[str, str | None], key: AuditKey | None = None) -> None:
        """Write the manifest, signed if there is a key, and the end of the ZIP file. `what` says
        in words whose it is."""
        manifest = {"format": form, "what": what, "files": dict(self.files)}
        text = verify.canonical(manifest) + "\n"
        self.text(verify.MANIFEST, text)
        if key is not None:
            seal = {
                "key": key.key_id,
                "algorithm": verify.ALGORITHM,
                "signature": key.sign(verify.MANIFEST_DOMAIN + text.encode()).hex(),
            }
            self.text(verify.SIGNATURE, verify.canonical(seal) + "\n")
        self._zip.close()

    def _write(self, name: str, texts: Iterable[str]) -> int:
        count = 0
        with self.writing(name) as file:
            for text in texts:
                count += 1
                file.write(text)
        return count


class _Writer:
    """A file in the archive that is being written; remembers the SHA-256 of what it holds."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, text: str, /) -> None:
        self.put(text.encode())

    def put(self, piece: bytes, /) -> None:
        self.digest.update(piece)
        self._file.write(piece)


def _told(row: Row, fields: Sequence[str]) -> Sequence[str]:
    """The fields of a row that are told: all, but of an entry that is withheld its place alone."""
    return verify.WITHHELD if fields is verify.ENTRY and verify.is_withheld(row) else fields


def write(session: Session, path: Path, what: dict[str, str | None], scope: Scope) -> str:
    """Write the export of these streams to `path`; its SHA-256. `what` says in words whose.

    It is written under another name first: a failure leaves what was there before. The session
    must see one moment throughout (`Database.snapshot`).
    """
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("wb") as file:
            _fill(session, Archive(file), what, scope)
        with new.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return digest


def _fill(session: Session, archive: Archive, what: dict[str, str | None], scope: Scope) -> None:
    fill(session, archive, scope)
    archive.close(verify.FORMAT, what)


def fill(session: Session, archive: Archive, scope: Scope, key: AuditKey | None = None) -> None:
    """Put the trail in an archive, with the data it tells of, and what it is checked by; `key` is
    the one that will sign the archive, if any."""
    archive.lines(verify.TRAIL, audit_rows.entries(session, scope))
    for kind, rows in audit_rows.data(session, scope).items():
        archive.lines(f"data/{kind}.jsonl", rows)
    kept = list(audit_rows.checkpoints(session))
    archive.lines(verify.CHECKPOINTS, kept)
    if scope == audit_rows.WHOLE:
        archive.lines(verify.HEADS, audit_rows.heads(session))
    else:
        archive.lines(verify.PROOFS, _proofs(session, kept, audit_rows.streams(session, scope)))
    publics = {row["key"]: row["public_key"] for row in kept}
    if key is not None:
        publics[key.key_id] = key.public.hex()
    keys = [
        {"id": key, "algorithm": verify.ALGORITHM, "public": public}
        for key, public in sorted(publics.items())
    ]
    archive.text(verify.KEYS, verify.canonical({"keys": keys}) + "\n")
    archive.text(verify.PROGRAM, inspect.getsource(verify))


def _proofs(session: Session, checkpoints: list[Row], streams: set[str]) -> Iterator[Row]:
    """That the newest checkpoint holds the heads of these streams, without telling of others."""
    heads = {row["stream"]: (row["seq"], row["hash"]) for row in audit_rows.heads(session)}
    tree = Tree()
    tree.put(heads)
    for stream in sorted(streams & heads.keys()):
        place, path = tree.proof(stream)
        seq, kept = heads[stream]
        yield {
            "checkpoint": checkpoints[-1]["number"], "stream": stream, "seq": seq, "hash": kept,
            "place": place, "path": path,
        }  # fmt: skip


def note(
    session: Session,
    what: dict[str, str | None],
    scope: Scope,
    digest: str,
    now: datetime,
    actor: str = "site",
) -> None:
    """Put an export on the record of its study, or of every study."""
    query = sa.select(Study).order_by(Study.id).with_for_update()
    if scope.study_id is not None:
        query = query.where(Study.id == scope.study_id)
    for study in session.scalars(query).all():
        entry = audit.Entry(
            actor=actor,
            action="export",
            object=f"study/{study.code}",
            new="audit",
            detail={**what, "sha256": digest},
        )
        audit.record(session, audit.study_stream(study.id), now, [entry])
