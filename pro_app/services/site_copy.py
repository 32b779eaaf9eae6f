"""A site's complete copy: one ZIP file with everything about its participants and nobody else's.

What is in it: assessments, answers, scores and corrections as tables with their codebooks; the
trail of the site's participants with the data that it tells of, the checkpoints, and the program
that checks one against the other; the wordings in force; and pages to read it all by.

Test participants of a live study are in the trail; their tables and pages are in folders of their
own, `test_participants`, and in none of the others.

What is not: contact data and notes of calls, which stay at the site's desk; the streams of staff
accounts; and other sites' things. The study's own stream is there for its chain: entries that
concern this site, or every site, are told; of the others only their places, by number and hash.
The tree that checkpoints sign is over all sites; of the other streams a few hashes are there, as
proofs need them, and never a name or number. A correction that says a questionnaire belongs to a
participant of another site names that participant: it is this site's record, signed as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from sqlalchemy.orm import Session

from pro_app import verify
from pro_app.core.library import Library
from pro_app.core.wording import Wording
from pro_app.export import codebook, csv
from pro_app.services import audit_export, participants, tables
from pro_app.services.audit_export import Archive
from pro_app.services.audit_key import AuditKey
from pro_app.services.audit_rows import Scope
from pro_app.services.studies import CurrentStudy
from pro_app.services.tables import Request

APART = "test_participants"  # the folder of their tables, and of their pages
TABLES = ("assessments", "answers", "answers_long", "scores", "scores_long", "corrections")


@dataclass(frozen=True, slots=True)
class Copy:
    """Which site's copy is made, when, in which language; `key` signs it."""

    study: CurrentStudy
    library: Library
    site_id: int
    site: str  # the code
    language: str
    now: datetime
    key: AuditKey
    words: Callable[[str], str] = str  # see `tables.Request`

    def studies(self) -> Iterator[tuple[CurrentStudy, str]]:
        """The study read of its people, and if it is live of its test participants, each with the
        folder of what is read: "" is the copy itself."""
        yield self.study.of_people(), ""
        if self.study.is_live:
            yield self.study.of_tests(), f"{APART}/"

    def wordings(self) -> Iterator[Wording]:
        """Every wording that may have been read here: of the study's instruments, in its languages,
        but for those that are licensed for other sites alone."""
        found = self.study.wordings
        elsewhere = set(found.stored) - {
            one.wording for one in found.licences if one.site in {None, self.site_id}
        }
        for one in found.every():
            if one.language in self.study.definition.languages and one.fingerprint not in elsewhere:
                yield one


def write(session: Session, file: BinaryIO, copy: Copy, pages: Iterable[tuple[str, str]]) -> str:
    """Write the copy, with `pages` by name; the SHA-256 of the file.

    The session must see one moment throughout (`Database.snapshot`), also while `pages` is run
    through.
    """
    archive = Archive(file)
    scope = Scope(copy.study.id, site_id=copy.site_id)
    audit_export.fill(session, archive, scope, copy.key)
    _tables(session, archive, copy)
    for wording in copy.wordings():
        archive.text(wording_name(wording), verify.canonical(_told(wording)) + "\n")
    for name, text in pages:
        archive.text(name, text)
    what_it_is: dict[str, str | None] = {
        "study": copy.study.definition.code,
        "site": copy.site,
        "made": verify.plain(copy.now),
    }
    archive.close(verify.COPY_FORMAT, what_it_is, copy.key)
    return _digest(file)


def _tables(session: Session, archive: Archive, copy: Copy) -> None:
    """Put the tables in, for people and their spreadsheets, each with its codebook; of test
    participants where there are any."""
    for study, place in copy.studies():
        if place and not has_tests(session, copy):
            continue
        request = Request(
            study, copy.library, copy.language, copy.now, copy.words, frozenset({copy.site})
        )
        with TemporaryDirectory() as folder:
            path = Path(folder) / "table.csv"
            for name in TABLES:
                table = tables.table(session, name, request)
                csv.write(table, path)
                archive.file(f"{place}tables/{name}.csv", path)
                codebook.write(table, path)
                archive.file(f"{place}tables/{name}_codebook.csv", path)


def has_tests(session: Session, copy: Copy) -> bool:
    """Whether a live study has test participants at the site."""
    own = frozenset({copy.site_id})
    return copy.study.is_live and participants.count(session, copy.study.of_tests(), own) > 0


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(verify.CHUNK):
        digest.update(piece)
    return digest.hexdigest()


def wording_name(wording: Wording) -> str:
    """The file that a wording is in."""
    version = f"_{wording.fingerprint[:12]}" if wording.version else ""
    return f"wording/{wording.instrument}_{wording.language}{version}.json"


def _told(wording: Wording) -> dict[str, object]:
    return {
        "instrument": wording.instrument,
        "language": wording.language,
        "kind": wording.kind,
        "version": wording.version,
        "source": wording.source,
        "fingerprint": wording.fingerprint,
        "texts": dict(wording.texts()),
    }
