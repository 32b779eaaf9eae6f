"""Exports: one row per assessment, the same columns whether there are data or not.

Three absences are kept apart in `ITEM_state`: `skipped`, `not_applicable`, `not_reached`; the
item's own column holds codes alone. Scores of an assessment that closed half answered are
computed here by the same engine (`basis` = partial); those of a submission are the stored ones.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TextIO

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status, missed_reason, not_expected_reason
from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.scoring import Scoring
from pro_app.models import Participant, Score, Site, Study, Submission
from pro_app.services import (
    answer_columns,
    answers,
    assessments,
    audit,
    missed,
    reminder_log,
    schedule,
    submissions,
)
from pro_app.services.answer_columns import Line
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy

RISKY = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so
HEAD = (
    "study", "study_version", "site", "participant", "timepoint", "occurrence", "instrument",
    "order", "status", "missed_reason", "missed_code", "not_expected_reason",
    "opens_at", "due_at", "closes_at", "calendar_due", "days_off", "started_at",
    "completed_at", "submit_tapped_at", "submit_skew_ms", "submit_doubt", "submitted_at", "late",
    "mode", "receipt", "instrument_fingerprint",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of a study: `answers`, `scores` or the log of `reminders`; in which language
    the labels are.

    `exact` leaves cells as they are; otherwise text that a spreadsheet would run gets an
    apostrophe in front.
    """

    what: str
    study: CurrentStudy
    library: Library
    language: str
    exact: bool
    now: datetime

    def instruments(self) -> Iterator[tuple[Instrument, tuple[Scoring, ...]]]:
        """The instruments and scorings of all versions of the study, in their order."""
        for entry in self.study.instruments:
            instrument = self.library.instruments[entry.code]
            yield instrument, tuple(instrument.scorings[name] for name in entry.scorings)


def columns(request: Request) -> list[str]:
    """The columns of an export; they depend on the study's versions alone."""
    if request.what == "reminders":
        return list(reminder_log.COLUMNS)
    names: dict[str, None] = dict.fromkeys(HEAD)
    for instrument, scorings in request.instruments():
        if request.what == "answers":
            names |= dict.fromkeys(answer_columns.names(instrument))
        else:
            names |= {"basis": None}
            for scoring in scorings:
                names |= dict.fromkeys(_score_columns(scoring))
    return list(names)


def _score_columns(scoring: Scoring) -> Iterator[str]:
    yield f"{scoring.name}_algorithm"
    for scale in scoring.outputs():
        stem = f"{scoring.name}_{scale}"
        yield from (stem, f"{stem}_norm", f"{stem}_answered", f"{stem}_reason")


def rows(session: Session, request: Request) -> Iterator[dict[str, Any]]:
    """One row per assessment, by participant, opening time and place; or per reminder."""
    if request.what == "reminders":
        for row in reminder_log.rows(session, request.study):
            yield _local(row, request)
        return
    participants = session.execute(
        sa.select(Participant.id, Participant.number, Site.code)
        .join(Site, Site.id == Participant.site_id)
        .where(Participant.study_id == request.study.id)
        .order_by(Participant.number)
    ).all()
    withheld = request.library.withheld(request.study.definition)
    for participant_id, number, site in participants:
        calendar = schedule.calendar(session, request.study, participant_id)
        for known in assessments.of_participant(session, participant_id, withheld):
            due_on = calendar.get((known.timepoint, known.occurrence, known.instrument))
            yield _row(session, request, known, number, site, due_on)


def _row(
    session: Session,
    request: Request,
    known: Known,
    number: str,
    site: str,
    calendar_due: date | None,
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
        "mode": "own_phone" if current else None,
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
        } | submissions.doubt_of(session, known.id)
    if submission is not None and calendar_due is not None:
        completed_on = submission.completed_at.astimezone(definition.zone).date()
        row["days_off"] = (completed_on - calendar_due).days
    row = _local(row, request)
    if request.what == "answers":
        instrument = request.library.instruments[known.instrument]
        sealed = None if submission is None else submission.answers
        cells = answer_columns.cells(session, instrument, known.id, sealed)
        return row | _local(cells, request)
    return row | _score_cells(session, request, known, state, current)


def _local(row: dict[str, Any], request: Request) -> dict[str, Any]:
    """The row with its moments written in the study's zone."""
    zone = request.study.definition.zone
    return {
        name: value.astimezone(zone).isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
    }


def _score_cells(
    session: Session,
    request: Request,
    known: Known,
    state: Status,
    current: Mapping[str, answers.Current],
) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    if known.submission_id is not None:
        cells["basis"] = "submission"
        stored = session.scalars(
            sa.select(Score).where(Score.submission_id == known.submission_id).order_by(Score.id)
        )
        for score in stored:
            _put_score(cells, score)
    elif state is Status.MISSED and current:
        cells["basis"] = "partial"
        instrument = request.library.instruments[known.instrument]
        for scoring in request.study.scorings(known.instrument):
            for computed in submissions.score_answers(instrument, scoring, current):
                _put_score(cells, computed)
    return cells


def _put_score(cells: dict[str, Any], score: Any) -> None:
    stem = f"{score.scoring}_{score.scale}"
    cells[f"{score.scoring}_algorithm"] = score.algorithm
    cells[stem] = score.value
    cells[f"{stem}_norm"] = score.norm_based
    cells[f"{stem}_answered"] = score.answered
    cells[f"{stem}_reason"] = score.reason


class _Hashing:
    """A text file that remembers the SHA-256 of what went through it."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def write(self, text: str) -> int:
        self.digest.update(text.encode())
        return self.file.write(text)


def write_rows(session: Session, request: Request, file: TextIO) -> str:
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


def write_codebook(request: Request, file: TextIO) -> None:
    """Write what every column means: a line per column, and per code of it."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("column", "instrument", "meaning", "code", "label"))
    for line in _codebook(request):
        writer.writerow([cell(value, request.exact) for value in line])


def _codebook(request: Request) -> Iterator[Line]:
    if request.what == "reminders":
        for name, meaning in reminder_log.COLUMNS.items():
            yield (name, "", meaning, "", "")
        return
    for name in HEAD:
        yield (name, "", _MEANING[name], "", "")
    if request.what == "scores":
        yield ("basis", "", _MEANING["basis"], "", "")
    for instrument, scorings in request.instruments():
        if request.what == "answers":
            wording = request.library.wording(instrument.code, request.language)
            yield from answer_columns.lines(instrument, wording)
        else:
            for scoring in scorings:
                yield from _score_lines(instrument, scoring)


def _score_lines(instrument: Instrument, scoring: Scoring) -> Iterator[Line]:
    stem = f"{scoring.name}_"
    yield (f"{stem}algorithm", instrument.code, f"version of the scoring {scoring.title}", "", "")
    for scale in scoring.outputs():
        name = f"{scale} by {scoring.title}"
        yield (f"{stem}{scale}", instrument.code, name, "", "")
        yield (
            f"{stem}{scale}_norm",
            instrument.code,
            f"{name}, norm-based (mean 50, SD 10)",
            "",
            "",
        )
        yield (f"{stem}{scale}_answered", instrument.code, f"items answered for {name}", "", "")
        for reason, meaning in _REASONS.items():
            column = f"{stem}{scale}_reason"
            yield (column, instrument.code, f"why {name} is missing", reason, meaning)


_REASONS = {
    "too_few_answered": "fewer items answered than the scoring asks for",
    "needs_all_scales": "one of the scales that it is computed from is missing",
}
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
    "mode": "own_phone, site_tablet, paper, interview",
    "receipt": "receipt shown to the participant",
    "instrument_fingerprint": "SHA-256 of the instrument's definition at submission",
    "basis": "submission (stored scores) or partial (closed half answered)",
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
