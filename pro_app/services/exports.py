"""Exports: what can be asked for, the files it becomes, and the entry that tells of it.

All is read in one snapshot of the database by the caller. The same data give the same bytes:
nothing here or in a format looks at a clock.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.core.study import LANGUAGES
from pro_app.export.table import Table
from pro_app.services import export_formats, tables, trail_export
from pro_app.services.by_staff import Refusal
from pro_app.services.export_formats import FORMATS, ZIP, Format, Package
from pro_app.services.export_source import Source, Tell
from pro_app.services.studies import CurrentStudy
from pro_app.services.trail_export import Told

ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP file can tell
PIECE = 1 << 20  # bytes


class ExportRefused(Refusal):
    """An export that cannot be made as it was asked for; `code`: `what`, `format`, `language`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: a table or package in a format, with labels in a language.

    Of these sites, instruments and timepoints, by their codes (None: all); with moments as they
    are, or counted in study days from an anchor; with what people wrote in their own words or
    without (`tables.own_words`). `tests`: of a live study's test participants alone, who are in
    no other export.
    """

    what: str
    format: str
    language: str
    sites: frozenset[str] | None = None
    instruments: frozenset[str] | None = None
    timepoints: frozenset[str] | None = None
    days_from: str | None = None
    own_words: bool = True
    tests: bool = False

    def filters(self) -> dict[str, object]:
        """What narrows it, as a job's row has it."""
        chosen = {"sites": self.sites, "instruments": self.instruments,
                  "timepoints": self.timepoints}  # fmt: skip
        found: dict[str, object] = {
            name: sorted(codes) for name, codes in chosen.items() if codes is not None
        }
        if self.days_from is not None:
            found["days_from"] = self.days_from
        if not self.own_words:
            found["own_words"] = "left out"
        return {**found, "tests": "only"} if self.tests else found

    def told(self) -> dict[str, str]:
        """What narrows it, as the trail has it."""
        return {
            name: value if isinstance(value, str) else " ".join(value)  # type: ignore[arg-type]
            for name, value in self.filters().items()
        }


def wanted(what: str, form: str, language: str, filters: Mapping[str, object]) -> Wanted:
    """What was asked for, by a row of a job."""
    chosen = {
        name: frozenset(filters[name])  # type: ignore[call-overload]
        for name in ("sites", "instruments", "timepoints")
        if name in filters
    }
    anchor = filters.get("days_from")
    return Wanted(
        what, form, language, **chosen,
        days_from=None if anchor is None else str(anchor),
        own_words="own_words" not in filters,
        tests="tests" in filters,
    )  # fmt: skip


def check(asked: Wanted) -> None:
    """Raises ExportRefused for what nobody can have of any study."""
    formats = export_formats.offered(asked.what)
    faults = {
        "what": not formats,
        "format": asked.format not in formats,
        "language": asked.language not in LANGUAGES,
    }
    for code, faulty in faults.items():
        if faulty:
            raise ExportRefused(f"there is no such {code}", code)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an export is made of besides the database: the study and the questionnaires, the words
    of the interface by language, the moment whose state is exported, and the installation's own
    address, under which files name what is its own."""

    study: CurrentStudy
    library: Library
    words: Callable[[str], Callable[[str], str]]
    as_of: datetime
    address: str

    def request(self, asked: Wanted) -> tables.Request:
        """The tables that are asked for."""
        return tables.Request(
            study=self.study.of_tests() if asked.tests else self.study,
            library=self.library,
            language=asked.language,
            now=self.as_of,
            words=self.words(asked.language),
            sites=asked.sites,
            instruments=asked.instruments,
            timepoints=asked.timepoints,
            days_from=asked.days_from,
            own_words=asked.own_words,
        )


@dataclass(frozen=True, slots=True)
class Made:
    """An export in a file: what it is called, how many rows were read for it, and what else its
    entry in the record tells."""

    path: Path
    name: str
    rows: int
    size: int
    sha256: str
    told: Mapping[str, object] = field(default_factory=dict)


def write(
    session: Session,
    surroundings: Surroundings,
    asked: Wanted,
    folder: Path,
    tell: Tell = lambda _rows, _percent: None,
) -> tuple[list[Path], int]:
    """Write an export's files into an empty folder: the data first, then the codebooks; and how
    many rows were read. After every frame `tell` is called with the rows so far and the share done
    in hundredths; what it raises ends the export.

    Raises ExportRefused, TablesError for what the study has not, and TableError for what the
    format cannot hold.
    """
    check(asked)
    form = export_formats.find(asked.what, asked.format)
    request = surroundings.request(asked)
    source = Source(session, request, surroundings.address, form.passes, tell)
    if isinstance(form, Package):
        files = [_write_package(source, form, asked.what, folder)]
    else:
        files = _write_table(source.table(asked.what), form, folder)
    return files, source.rows


def _write_package(source: Source, form: Package, name: str, folder: Path) -> Path:
    """Its file, or a ZIP file of them."""
    apart = folder / name
    apart.mkdir()
    files = form.write(source, apart)
    if len(files) == 1:
        return files[0]
    pack(files, folder / f"{name}.zip")
    return folder / f"{name}.zip"


def _write_table(table: Table, form: Format, folder: Path) -> list[Path]:
    """The data, and what belongs to them."""
    stem = folder / table.name
    files = [folder / f"{table.name}{form.suffix}"]
    form.write(table, files[0])
    if form.beside is not None:
        suffix, write_beside = form.beside
        files.append(folder / f"{table.name}{suffix}")
        write_beside(table, files[-1])
    if form.codebook:
        files += export_formats.write_codebooks(table, form.exact, stem)
    return files


def make(
    session: Session, surroundings: Surroundings, asked: Wanted, folder: Path, tell: Tell
) -> Made:
    """`write` as one file in the folder: a ZIP file where there are several."""
    written = folder / "files"
    written.mkdir()
    files, rows = write(session, surroundings, asked, written, tell)
    stem = "-".join((surroundings.study.definition.code, asked.what, *["test"] * asked.tests))
    path = files[0]
    if len(files) > 1:
        path = folder / "packed.zip"
        pack(files, path)
    return Made(path, f"{stem}{path.suffix}", rows, path.stat().st_size, digest(path))


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack(files: Sequence[Path], path: Path) -> None:
    """Write a ZIP file of these files, by their names; the same files give the same bytes."""
    with zipfile.ZipFile(path, "w") as packed:
        for one in files:
            info = zipfile.ZipInfo(one.name, ZIP_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system, info.external_attr = 3, 0o644 << 16  # whatever machine packs
            info.file_size = one.stat().st_size
            with one.open("rb") as source, packed.open(info, "w") as target:
                shutil.copyfileobj(source, target, PIECE)


def media_type(name: str) -> str:
    """How a file of this name is sent."""
    known = {one.suffix: one.media_type for one in FORMATS.values()}
    known |= {".zip": ZIP, ".pdf": "application/pdf"}
    return known[Path(name).suffix]


def note(
    session: Session,
    study: CurrentStudy,
    asked: Wanted,
    made: tuple[int, str],
    reason: str,
    actor: str,
    as_of: datetime,
    now: datetime,
    more: Mapping[str, object] | None = None,
) -> None:
    """Put an export on the study's record before it leaves: what it holds, its rows and its
    SHA-256 (`made`), and what `more` there is to tell. Of chosen sites each gets an entry, so that
    each finds its own."""
    detail: dict[str, object] = {
        "format": asked.format,
        "language": asked.language,
        "filter": asked.told(),
        "as_of": as_of.astimezone(UTC).isoformat(),
        "rows": made[0],
        **(more or {}),
    }
    for site in [None] if asked.sites is None else sorted(asked.sites):
        told = detail if site is None else {**detail, "site": site}
        trail_export.note(session, study, Told(asked.what, told, reason), made[1], actor, now)
