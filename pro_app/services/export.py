"""Exports: one row per assessment, the same columns whether there are data or not.

Three absences are kept apart in `ITEM_state`: `skipped`, `not_applicable`, `not_reached`; the
item's own column holds codes alone. An item's own column and a scale's hold what counts now, with
the approved corrections; what was submitted is beside it, in `_original`.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status, missed_reason, not_expected_reason
from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.scoring import Scoring
from pro_app.models import Correction, Participant, Site, Study, Submission
from pro_app.services import (
    answer_columns,
    answers,
    assessments,
    audit,
    corrected,
    correction_log,
    missed,
    reminder_log,
    schedule,
    score_columns,
    submissions,
)
from pro_app.services.answer_columns import Line
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy

LOGS = {"reminders": reminder_log, "corrections": correction_log}
RISKY = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so
HEAD = (
    "study", "study_version", "site", "participant", "timepoint", "occurrence", "instrument",
    "order", "status", "missed_reason", "missed_code", "not_expected_reason",
    "opens_at", "due_at", "closes_at", "calendar_due", "days_off", "started_at",
    "completed_at", "submit_tapped_at", "submit_skew_ms", "submit_doubt", "submitted_at", "late",
    "mode", "receipt", "instrument_fingerprint",
    "void", "belongs_to_timepoint", "belongs_to_participant", "corrections",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of a study: `answers`, `scores`, or the log of `reminders` or `corrections`;
    in which language the labels are. `assessments` is `answers` without the items. `site` is the
    code of a site that alone is wanted.

    `exact` leaves cells as they are; otherwise text that a spreadsheet would run gets an
    apostrophe in front.
    """

    what: str
    study: CurrentStudy
    library: Library
    language: str
    exact: bool
    now: datetime
    site: str | None = None

    def instruments(self) -> Iterator[tuple[Instrument, tuple[Scoring, ...]]]:
        """The instruments and scorings of all versions of the study, in their order."""
        for entry in self.study.instruments:
            instrument = self.library.instruments[entry.code]
            yield instrument, tuple(instrument.scorings[name] for name in entry.scorings)


def columns(request: Request) -> list[str]:
    """The columns of an export; they depend on the study's versions alone."""
    if request.what in LOGS:
        return list(LOGS[request.what].COLUMNS)
    names: dict[str, None] = dict.fromkeys(HEAD)
    for instrument, scorings in request.instruments():
        if request.what == "answers":
            names |= dict.fromkeys(answer_columns.names(instrument))
        elif request.what == "scores":
            names |= dict.fromkeys(score_columns.HEAD)
            for scoring in scorings:
                names |= dict.fromkeys(score_columns.names(scoring))
    return list(names)


def rows(session: Session, request: Request) -> Iterator[dict[str, Any]]:
    """One row per assessment, by participant, opening time and place; or per entry of a log."""
    if request.what in LOGS:
        for row in LOGS[request.what].rows(session, request.study):
            if request.site in (None, row["site"]):
                yield _local(row, request)
        return
    wanted = (
        sa.select(Participant.id, Participant.number, Site.code)
        .join(Site, Site.id == Participant.site_id)
        .where(Participant.study_id == request.study.id)
        .order_by(Participant.number)
    )
    if request.site is not None:
        wanted = wanted.where(Site.code == request.site)
    participants = session.execute(wanted).all()
    withheld = request.library.withheld(request.study.definition)
    for participant_id, number, site in participants:
        calendar = schedule.calendar(session, request.study, participant_id)
        approved = corrected.of_participant(session, participant_id)
        for known in assessments.of_participant(session, participant_id, withheld):
            due_on = calendar.get((known.timepoint, known.occurrence, known.instrument))
            own = approved.get(known.submission_id or 0, ())
            yield _row(session, request, known, number, site, due_on, own)


def _row(
    session: Session,
    request: Request,
    known: Known,
    number: str,
    site: str,
    calendar_due: date | None,
    corrections: Sequence[Correction],
) -> dict[str, Any]:
    definition = request.study.definition
    submission = (
        session.get(Submission, known.submission_id) if known.submission_id is not None else None
    )
    current, _newest = answers.current(session, known.id)
    state = known.status(request.now, definition.grace)
    told = missed.newest(session, [known.id]).get(known.id) if state is Status.MISSED else None
    row: dict[str, Any] = {
        "study": definition.code,
        "study_version": request.study.version if submission is None else submission.study_version,
        "site": site,
        "participant": number,
        "timepoint": known.timepoint,
        "occurrence": known.occurrence,
        "instrument": known.instrument,
        "order": known.place,
        "status": state.value,
        "missed_reason": missed_reason(known.facts) if state is Status.MISSED else None,
        "missed_code": None if told is None else told.code,
        "not_expected_reason": (
            not_expected_reason(known.facts) if state is Status.NOT_EXPECTED else None
        ),
        "opens_at": known.facts.opens_at,
        "due_at": known.due_at,
        "closes_at": known.facts.closes_at,
        "calendar_due": None if calendar_due is None else calendar_due.isoformat(),
        "started_at": known.facts.started_at,
        "mode": answers.newest_mode(session, known.id) if current else None,
    }
    if submission is not None:
        row |= {
            "completed_at": submission.completed_at,
            "submit_tapped_at": submission.submit_tapped_at,
            "submitted_at": submission.submitted_at,
            "late": int(submission.late),
            "mode": submission.mode,
            "receipt": submissions.short(submission.receipt),
            "instrument_fingerprint": submission.instrument_fingerprint,
        }
        row |= submissions.doubt_of(session, known.id) | _marks(known, number, corrections)
    if submission is not None and calendar_due is not None:
        completed_on = submission.completed_at.astimezone(definition.zone).date()
        row["days_off"] = (completed_on - calendar_due).days
    instrument = request.library.instruments[known.instrument]
    if request.what == "answers":
        sealed = None if submission is None else submission.answers
        cells = answer_columns.cells(session, instrument, known.id, sealed, corrections)
    elif request.what == "assessments":
        cells = {}
    else:
        scorings = request.study.scorings(known.instrument)
        cells = score_columns.cells(
            session, instrument, scorings, known, state, current, corrections
        )
    return _local(row | cells, request)


def _marks(known: Known, number: str, corrections: Sequence[Correction]) -> dict[str, Any]:
    """What corrections say of the whole submission. One that was taken back marks nothing."""
    places = {"timepoint": f"{known.timepoint}/{known.occurrence}", "participant": number}
    moved = {field: corrected.place(corrections, field) for field in places}
    elsewhere = {
        f"belongs_to_{field}": place
        for field, place in moved.items()
        if place not in (None, places[field])
    }
    ids = " ".join(one.public_id for one in corrections)
    return {"void": int(bool(elsewhere)), "corrections": ids, **elsewhere}


def _local(row: dict[str, Any], request: Request) -> dict[str, Any]:
    """The row with its moments written in the study's zone."""
    zone = request.study.definition.zone
    return {
        name: value.astimezone(zone).isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
    }


class Sink(Protocol):
    """What text is written to."""

    def write(self, text: str, /) -> int: ...


class _Hashing:
    """A text file that remembers the SHA-256 of what went through it."""

    def __init__(self, file: Sink) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def write(self, text: str) -> int:
        self.digest.update(text.encode())
        return self.file.write(text)


def write_rows(session: Session, request: Request, file: Sink) -> str:
    """Write the export as CSV (UTF-8, commas, one header line); its SHA-256."""
    through = _Hashing(file)
    writer = csv.writer(through, lineterminator="\n")
    names = columns(request)
    writer.writerow(names)
    for row in rows(session, request):
        writer.writerow([cell(row.get(name), request.exact) for name in names])
    return through.digest.hexdigest()


def cell(value: Any, exact: bool) -> Any:
    """A value as a cell; text that a spreadsheet would run is made harmless unless `exact`."""
    if isinstance(value, str) and not exact and value.startswith(RISKY):
        return f"'{value}"
    return repr(value) if isinstance(value, float) else value


def write_files(session: Session, request: Request, path: Path) -> str:
    """Write the export to `path` and its codebook to `NAME_codebook.csv` beside it; its SHA-256.

    Both are written under other names first: a failure leaves what was there before.
    """
    codebook = path.with_name(f"{path.stem}_codebook.csv")
    new_path, new_codebook = (one.with_name(f".{one.name}.new") for one in (path, codebook))
    try:
        with new_path.open("w", encoding="utf-8", newline="") as file:
            digest = write_rows(session, request, file)
        with new_codebook.open("w", encoding="utf-8", newline="") as file:
            write_codebook(request, file)
        new_path.replace(path)
        new_codebook.replace(codebook)
    finally:
        new_path.unlink(missing_ok=True)
        new_codebook.unlink(missing_ok=True)
    return digest


def write_codebook(request: Request, file: Sink) -> None:
    """Write what every column means: a line per column, and per code of it."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("column", "instrument", "meaning", "code", "label"))
    for line in _codebook(request):
        writer.writerow([cell(value, request.exact) for value in line])


def _codebook(request: Request) -> Iterator[Line]:
    if request.what in LOGS:
        for name, meaning in LOGS[request.what].COLUMNS.items():
            yield (name, "", meaning, "", "")
        return
    for name in HEAD:
        yield (name, "", _MEANING[name], "", "")
    if request.what == "scores":
        for name, meaning in score_columns.HEAD.items():
            yield (name, "", meaning, "", "")
    for instrument, scorings in request.instruments():
        if request.what == "answers":
            wording = request.library.wording(instrument.code, request.language)
            yield from answer_columns.lines(instrument, wording)
        elif request.what == "scores":
            for scoring in scorings:
                yield from score_columns.lines(instrument, scoring)


_MEANING = {
    "study": "study code",
    "study_version": "version of the study's definition",
    "site": "site code",
    "participant": "study number",
    "timepoint": "timepoint of the protocol",
    "occurrence": "1, or 2 and more for a repeated timepoint",
    "instrument": "instrument code",
    "order": "place of the instrument within the timepoint",
    "status": "not_due, open, in_progress, completed, completed_late, missed, not_expected",
    "missed_reason": "partial (some items answered), not_started or not_offered (entered late)",
    "missed_code": "why, as the site knows: too_ill, refused, not_reached, technical, site, other",
    "not_expected_reason": "withdrawn, died, cancelled (by the calendar) or no_wording",
    "opens_at": "window opens; study zone with offset",
    "due_at": "due; study zone with offset",
    "closes_at": "window closes; study zone with offset",
    "calendar_due": "due day by the anchors and the protocol as they are now; empty if by hand",
    "days_off": "day of completion minus calendar_due, in days",
    "started_at": "first answer inside the window; server clock",
    "completed_at": "last answer before submitting; server clock",
    "submit_tapped_at": "Submit pressed; server clock, worked out from the device's clocks",
    "submit_skew_ms": "device clock minus server clock when the press arrived, milliseconds",
    "submit_doubt": "doubt about submit_tapped_at: clock_changed, before_opening or skew",
    "submitted_at": "submission received; server clock",
    "late": "1 if Submit was pressed after closing, within the grace time",
    "mode": "own_phone, site_tablet, paper, interview: of the submission, before it of the newest "
    "answer",
    "receipt": "receipt shown to the participant",
    "instrument_fingerprint": "SHA-256 of the instrument's definition at submission",
    "void": "1 if a correction says that the submission belongs elsewhere or nowhere: leave it out",
    "belongs_to_timepoint": "timepoint/occurrence where it belongs by a correction, or void",
    "belongs_to_participant": "study number to which it belongs by a correction, or void",
    "corrections": "approved corrections in the order of their decisions, separated by spaces",
}


def note(session: Session, request: Request, digest: str) -> None:
    """Put the export on the study's record, with the hash of what it says."""
    entry = audit.Entry(
        actor="site",
        action="export",
        object=f"study/{request.study.definition.code}",
        new=request.what,
        detail={"exact": request.exact, "sha256": digest},
    )
    session.execute(sa.select(Study.id).where(Study.id == request.study.id).with_for_update())
    audit.record(session, audit.study_stream(request.study.id), request.now, [entry])
