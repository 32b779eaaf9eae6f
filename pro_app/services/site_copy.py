"""A site's complete copy: one ZIP file with everything about its participants and nobody else's.

What is in it: assessments, answers, scores and corrections as tables with their codebooks; the
trail of the site's participants with the data that it tells of, the checkpoints, and the program
that checks one against the other; the wordings in force; and pages to read it all by.

What is not: contact data and notes of calls, which stay at the site's desk; the streams of staff
accounts; and other sites' things. The study's own stream is there for its chain: entries that
concern this site, or every site, are told; of the others only their places, by number and hash.
The tree that checkpoints sign is over all sites; of the other streams a few hashes are there, as
proofs need them, and never a name or number. A correction that says a questionnaire belongs to a
participant of another site names that participant: it is this site's record, signed as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from sqlalchemy.orm import Session

from pro_app import verify
from pro_app.core.library import Library
from pro_app.core.wording import Wording
from pro_app.services import audit_export, export
from pro_app.services.audit_export import Archive
from pro_app.services.audit_key import AuditKey
from pro_app.services.audit_rows import Scope
from pro_app.services.export import Request
from pro_app.services.studies import CurrentStudy

TABLES = ("assessments", "answers", "scores", "corrections")


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

    def wordings(self) -> Iterator[Wording]:
        """The wordings in force: of the study's instruments, in its languages."""
        for entry in self.study.instruments:
            for language in self.study.definition.languages:
                found = self.library.wording(entry.code, language)
                if found is not None:
                    yield found


def write(session: Session, file: BinaryIO, copy: Copy, pages: Iterable[tuple[str, str]]) -> str:
    """Write the copy, with `pages` by name; the SHA-256 of the file.

    The session must see one moment throughout (`Database.snapshot`), also while `pages` is run
    through.
    """
    archive = Archive(file)
    scope = Scope(copy.study.id, site_id=copy.site_id)
    audit_export.fill(session, archive, scope, copy.key)
    for what in TABLES:
        request = Request(
            what, copy.study, copy.library, copy.language, False, copy.now, site=copy.site
        )
        with archive.writing(f"tables/{what}.csv") as table:
            export.write_rows(session, request, table)
        with archive.writing(f"tables/{what}_codebook.csv") as codebook:
            export.write_codebook(request, codebook)
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


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(verify.CHUNK):
        digest.update(piece)
    return digest.hexdigest()


def wording_name(wording: Wording) -> str:
    """The file that a wording is in."""
    return f"wording/{wording.instrument}_{wording.language}.json"


def _told(wording: Wording) -> dict[str, object]:
    return {
        "instrument": wording.instrument,
        "language": wording.language,
        "kind": wording.kind,
        "source": wording.source,
        "fingerprint": wording.fingerprint,
        "texts": dict(wording.texts()),
    }
