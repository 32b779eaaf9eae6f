"""Where pictures get their columns: a small study's are made anew each time, a large one's are kept
in files, made by the worker, and say as of when they are.

The files lie in `<instance>/pictures/STUDY/MOMENT/`; those of a live study's test participants in
`STUDY-test`. They hold nothing that the database has not,
and may be removed at any time. Where web and worker run on different machines, that folder must be
shared.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.export.table import Table
from pro_app.models import Assessment, AuditEntry, Database, Participant, Study, StudyVersion
from pro_app.services import audit, participants, studies, tables
from pro_app.services.picture_frames import Frames, Read, collect
from pro_app.services.rates import Visit
from pro_app.services.studies import CurrentStudy

SMALL = 6_000  # assessments at most: about a second; more are not read while somebody waits
NEWEST = 1_000  # entries of the trail that are compared: ids are given before they are committed
KEPT = 2  # snapshots of a study; a page may be reading the one before
FORM = 2  # of the files; another one is not read
PAUSE = timedelta(minutes=10)  # at least between two snapshots of a study,
REST = 4  # and so many times as long as the last one took
OF_TESTS = "-test"
WANTED = "wanted"  # the file by which a page asks the worker for a new snapshot
BUILDING = "building-"  # the folder in which it grows; one that is a day old was left behind

log = logging.getLogger(__name__)


class Stopped(Exception):
    """Whoever makes a snapshot is asked to stop."""


@dataclass(frozen=True, slots=True)
class Source:
    """The columns of a study for its pictures.

    `rows` has by instrument what `Frames.rows` describes. `fresh` says that they are of this
    moment; otherwise something has changed since `as_of`, and new ones are on their way.
    """

    frames: Frames
    fresh: bool

    @property
    def as_of(self) -> datetime:
        """The moment of which the columns tell."""
        return self.frames.as_of

    def rows(self, instrument: str) -> pl.LazyFrame:
        """An instrument's rows."""
        return self.frames.rows[instrument]


def find(
    database: Database,
    library: Library,
    study: CurrentStudy,
    folder: Path,
    site_ids: frozenset[int] | None,
    now: datetime,
    scored: Collection[str] | None = None,
    answers: bool = True,
) -> Source | None:
    """The columns of a study, for somebody who may see these sites; None while the first ones of a
    large study are being made. The worker is asked for new ones where these are stale.

    `scored` and `answers` say what is needed, see `picture_frames.collect`; there may be more.
    """
    with database.snapshot() as session:
        if _few(session, study, site_ids):
            codes = None
            if site_ids is not None:
                sites = participants.sites(session, study.id, site_ids)
                codes = frozenset(one.code for one in sites)
            read = _reader(session, library, study, now, codes)
            return Source(collect(study, library, now, read, scored, answers), fresh=True)
        mark = _mark(session, library, study)
    place = folder / _name(study)
    kept = _newest(place, study.is_live)
    if kept is None:
        _ask(place)
        return None
    fresh = kept.is_fresh(mark, now)
    if not fresh:
        _ask(place)
    return Source(kept.frames, fresh)


def _name(study: CurrentStudy) -> str:
    """The folder of a study's snapshots."""
    return f"{study.id}{OF_TESTS}" if study.tests else str(study.id)


def _few(session: Session, study: CurrentStudy, site_ids: frozenset[int] | None) -> bool:
    """Whether the sites have so few assessments that they are brought together at once."""
    some = (
        sa.select(Assessment.id)
        .join(Participant, Participant.id == Assessment.participant_id)
        .where(participants.among(study, site_ids))
        .limit(SMALL + 1)
    )
    return (session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0) <= SMALL


def _reader(
    session: Session,
    library: Library,
    study: CurrentStudy,
    now: datetime,
    sites: frozenset[str] | None = None,
    going: Callable[[], bool] = lambda: True,
) -> Read:
    """The tables of an export, by name and instrument; Stopped is raised once it is not `going`."""

    def read(name: str, instrument: str | None) -> Table:
        wanted = None if instrument is None else frozenset({instrument})
        request = tables.Request(study, library, "en", now, sites=sites, instruments=wanted)
        found = tables.table(session, name, request)

        def frames() -> Iterator[pl.DataFrame]:
            for frame in found.frames():
                if not going():
                    raise Stopped
                yield frame

        return replace(found, frames=frames)

    return read


def _mark(session: Session, library: Library, study: CurrentStudy) -> str:
    """A text that changes with whatever is changed: everything stands in the trail.

    To look at answers changes nothing. Sign-ins and other studies are in the trail, too; their
    entries are left out as far as that is cheap.
    """
    streams = sa.or_(
        sa.and_(AuditEntry.stream > "participant/", AuditEntry.stream < "participant0"),
        AuditEntry.stream == audit.study_stream(study.id),
    )
    newest = (
        sa.select(AuditEntry.id)
        .where(streams, sa.func.substr(AuditEntry.action, 1, 5) != "read_")
        .order_by(AuditEntry.id.desc())
        .limit(NEWEST)
        .subquery()
    )
    last, total = session.execute(
        sa.select(sa.func.max(newest.c.id), sa.func.sum(newest.c.id))
    ).one()
    fingerprints = [library.instruments[one.code].fingerprint for one in study.instruments]
    return " ".join(map(str, (FORM, study.version, last, total, *fingerprints)))


# --- files --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kept:
    """A snapshot: its columns, the mark of what they are of, and how long they took to make."""

    frames: Frames
    mark: str
    took: timedelta

    def is_fresh(self, mark: str, now: datetime) -> bool:
        """Whether nothing has changed since, neither by anybody nor by time alone."""
        return self.mark == mark and (self.frames.until is None or now < self.frames.until)

    def rests(self, now: datetime) -> bool:
        """Whether it is too early for the next one."""
        return timedelta() <= now - self.frames.as_of < max(PAUSE, REST * self.took)


def _newest(folder: Path, is_live: bool | None = None) -> _Kept | None:
    """The newest snapshot of a study; of one that is live, if that is said: the one from before it
    went live has the participants of the test."""
    for path in sorted(folder.glob("[0-9]*"), reverse=True):
        about = json.loads((path / "about.json").read_text(encoding="utf-8"))
        if about["form"] == FORM and is_live in {None, about["live"]}:
            took = timedelta(seconds=about["seconds"])
            return _Kept(_opened(path, about), str(about["mark"]), took)
    return None


def _opened(path: Path, about: Mapping[str, object]) -> Frames:
    """A snapshot, of which the columns are read as they are asked for."""
    rows = {one.stem: pl.scan_ipc(one) for one in sorted((path / "rows").glob("*.arrow"))}
    until = about["until"]
    visits = about["visits"]
    assert isinstance(visits, list)  # noqa: S101 (written by `_write`)
    return Frames(
        datetime.fromisoformat(str(about["as_of"])),
        None if until is None else datetime.fromisoformat(str(until)),
        tuple(Visit(*one) for one in visits),
        pl.read_ipc(path / "people.arrow"),
        rows,
    )


def _write(folder: Path, frames: Frames, mark: str, is_live: bool, seconds: float = 0.0) -> Path:
    """Write a snapshot beside the others; it is there only once it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder, frames.as_of)
    new = Path(tempfile.mkdtemp(prefix=BUILDING, dir=folder))
    (new / "rows").mkdir()
    frames.people.write_ipc(new / "people.arrow")
    for code, rows in frames.rows.items():
        rows.sink_ipc(new / "rows" / f"{code}.arrow")
    about = {
        "form": FORM,
        "live": is_live,
        "mark": mark,
        "seconds": round(seconds, 3),
        "as_of": frames.as_of.isoformat(),
        "until": None if frames.until is None else frames.until.isoformat(),
        "visits": [list(one) for one in frames.visits],
    }
    (new / "about.json").write_text(json.dumps(about), encoding="utf-8")
    made = folder / f"{frames.as_of.astimezone(UTC):%Y%m%dT%H%M%S%f}"
    shutil.rmtree(made, ignore_errors=True)
    new.rename(made)
    for old in sorted(folder.glob("[0-9]*"), reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return made


def _clear(folder: Path, now: datetime) -> None:
    """Remove what a worker that was killed has left."""
    for left in folder.glob(f"{BUILDING}*"):
        begun = datetime.fromtimestamp(left.stat().st_mtime, UTC)
        if now - begun > timedelta(days=1):
            shutil.rmtree(left, ignore_errors=True)


def _ask(place: Path) -> None:
    """Leave word for the worker in a study's folder."""
    place.mkdir(parents=True, exist_ok=True)
    (place / WANTED).touch()


def is_wanted(folder: Path) -> bool:
    """Whether a page has asked for a new snapshot of any study."""
    return any(folder.glob(f"*/{WANTED}"))


def make_wanted(
    database: Database,
    library: Library,
    folder: Path,
    now: datetime,
    going: Callable[[], bool] = lambda: True,
) -> int:
    """Make the snapshots that were asked for, as of `now`; how many.

    Of several workers one takes each wish. It waits where the one before is too young, and for
    the next start where it is not `going` any more.
    """
    made = 0
    for wish in sorted(folder.glob(f"*/{WANTED}")):
        before = _newest(wish.parent)
        if before is not None and before.rests(now):
            continue
        try:
            wish.unlink()
        except FileNotFoundError:  # another worker's
            continue
        try:
            study_id, apart, _rest = wish.parent.name.partition(OF_TESTS)
            made += make(database, library, int(study_id), folder, now, going, bool(apart))
        except Stopped:
            wish.touch()
            break
    return made


def make(
    database: Database,
    library: Library,
    study_id: int,
    folder: Path,
    now: datetime,
    going: Callable[[], bool] = lambda: True,
    tests: bool = False,
) -> bool:
    """Make a study's snapshot as of `now`, or that of its test participants (`tests`); whether
    there is such a study, and something new.

    Raises Stopped once it is not `going` any more; nothing is written then.
    """
    begun = time.monotonic()
    with database.snapshot() as session:
        there = sa.select(StudyVersion.id).join(Study).where(Study.id == study_id)
        if session.scalar(there.limit(1)) is None:
            return False
        study = studies.current(session, library, study_id)
        study = study.of_tests() if tests else study
        place = folder / _name(study)
        before, mark = _newest(place, study.is_live), _mark(session, library, study)
        if before is not None and before.is_fresh(mark, now):
            return False
        read = _reader(session, library, study, now, going=going)
        frames = collect(study, library, now, read)
    path = _write(place, frames, mark, study.is_live, time.monotonic() - begun)
    log.info("columns for pictures of study %s: %s", study_id, path.name)
    return True
