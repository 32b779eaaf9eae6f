"""Assessments: what was expected, when, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import schedule
from pro_app.core.assessment import Facts, Standing, Status, missed_reason, not_expected_reason
from pro_app.export.table import Column, Table
from pro_app.models import (
    Answer,
    Assessment,
    MissedReason,
    Participant,
    Submission,
    SubmitOperation,
)
from pro_app.services import submissions
from pro_app.services.schedule import anchors_of
from pro_app.services.submissions import Outcome
from pro_app.services.tables import labels, marks
from pro_app.services.tables.reading import Part, Row, parts
from pro_app.services.tables.request import Request, frame

_begun_at = (
    sa.select(sa.func.min(Answer.answered_at))
    .where(Answer.assessment_id == Assessment.id, Answer.standing == Standing.IN_TIME.value)
    .correlate(Assessment)
    .scalar_subquery()
)
_not_counted = (
    sa.select(sa.func.count())
    .where(
        Answer.assessment_id == Assessment.id,
        Answer.standing.in_([one.value for one in Standing if not one.counts]),
    )
    .correlate(Assessment)
    .scalar_subquery()
)
_told = (
    sa.select(MissedReason.code)
    .where(MissedReason.assessment_id == Assessment.id)
    .order_by(MissedReason.id.desc())
    .limit(1)
    .correlate(Assessment)
    .scalar_subquery()
)
_press = (
    sa.select(SubmitOperation.assessment_id, SubmitOperation.skew_ms, SubmitOperation.doubt)
    .where(SubmitOperation.outcome == Outcome.SUBMITTED.value)
)  # fmt: skip
MORE = (
    Assessment.participant_id,
    Assessment.place,
    Assessment.opens_at,
    Assessment.due_at,
    Assessment.closes_at,
    Assessment.cancelled_at,
    sa.func.coalesce(
        Assessment.placed_at, Assessment.created_at, type_=Assessment.created_at.type
    ).label("placed_at"),
    sa.func.coalesce(
        Submission.started_at, _begun_at, type_=Assessment.created_at.type
    ).label("started_at"),
    Submission.submit_tapped_at,
    Submission.submitted_at,
    Submission.instrument_fingerprint,
    Submission.study_version,
    Submission.receipt,
    Participant.withdrawn_at,
    Participant.died_at,
    Participant.language.label("reads"),
    Participant.site_id,
    _not_counted.label("kept_not_counted"),
    _told.label("missed_code"),
)  # fmt: skip


def assessments(session: Session, request: Request) -> Table:
    """One row per assessment that the schedule knows, whatever its state."""
    columns = _columns(request)

    def frames() -> Iterator[pl.DataFrame]:
        for part in parts(session, request, *MORE):
            yield frame(columns, _values(session, request, part))

    _ = request.words
    title = _("Assessments")
    return request.table("assessments", title, columns, frames, labels.notes(request))


def _columns(request: Request) -> tuple[Column, ...]:
    _, plain = request.words, labels.plain
    missed = {
        "partial": _("some items were answered"),
        "not_started": _("nothing was answered"),
        "not_offered": _("was over before the study knew of it"),
    }
    told = {
        "too_ill": _("too ill"),
        "refused": _("refused"),
        "not_reached": _("could not be reached"),
        "technical": _("technical trouble"),
        "site": _("a reason of the site's"),
        "other": _("another reason"),
    }
    unexpected = {
        "withdrawn": _("withdrawn"),
        "died": _("died"),
        "cancelled": _("taken back by the calendar"),
        "no_wording": _("no wording in the participant's language"),
    }
    return (
        *labels.key(request),
        plain("order", _("place of the instrument within the visit"), "integer"),
        labels.status(request),
        Column("missed_reason", "text", _("why it is missed, as the record shows"), missed),
        Column("missed_code", "text", _("why it is missed, as the site knows"), told),
        Column("not_expected_reason", "text", _("why it is not expected"), unexpected),
        plain("opens_at", _("window opens"), "moment"),
        plain("due_at", _("due"), "moment"),
        plain("closes_at", _("window closes"), "moment"),
        plain("calendar_due", _("due day by the dates and the protocol as they are now"), "day"),
        plain("days_off", _("day of completion minus due day, in days"), "integer"),
        plain("started_at", _("first answer inside the window; server clock"), "moment"),
        labels.completed(request),
        plain("submit_tapped_at", _("Submit pressed; server clock"), "moment"),
        plain(
            "submit_skew_ms",
            _("phone's clock minus server's at the press, milliseconds"),
            "integer",
        ),
        Column("submit_doubt", "text", _("doubt about the moment of the press"), labels.doubts(_)),
        plain("submitted_at", _("submission received; server clock"), "moment"),
        labels.late(request),
        labels.mode(request),
        plain("languages", _("languages in which it was answered")),
        plain("wordings", _("fingerprints of the wordings in which it was answered")),
        labels.wording_versions(request),
        labels.flag(
            "demonstration",
            _("read in demonstration wording, not the validated questionnaire"),
            request,
        ),
        plain(
            "instrument_fingerprint", _("fingerprint of the instrument's definition at submission")
        ),
        plain("study_version", _("version of the study's definition"), "integer"),
        plain("receipt", _("receipt shown to the participant")),
        labels.void(request),
        plain("belongs_to_timepoint", _("visit where it belongs by a correction, or void")),
        plain(
            "belongs_to_participant", _("study number to which it belongs by a correction, or void")
        ),
        plain("corrections", _("approved corrections in the order of their decisions")),
        plain(
            "kept_not_counted",
            _("answers kept on the record that came too late to count"),
            "integer",
        ),
    )


def _values(session: Session, request: Request, part: Part) -> dict[str, Any]:
    rows = part.rows
    values = marks.key(request, part)
    presses = _presses(session, rows)
    due = _due_days(session, request, rows)
    facts = [_facts(request, row) for row in rows]
    moved = [marks.elsewhere(part, row) for row in rows]
    for name in (
        "opens_at", "due_at", "closes_at", "started_at", "completed_at", "submit_tapped_at",
        "submitted_at", "late", "instrument_fingerprint", "kept_not_counted",
    ):  # fmt: skip
        values[name] = part.columns[name]
    version, wordings = request.study.version, part.wordings()
    kinds = {one.fingerprint: one.kind for one in request.study.wordings.every()}
    return values | {
        "order": [row.place for row in rows],
        "missed_reason": [
            missed_reason(known) if row.status == Status.MISSED else None
            for row, known in zip(rows, facts, strict=True)
        ],
        "missed_code": [row.missed_code if row.status == Status.MISSED else None for row in rows],
        "not_expected_reason": [
            not_expected_reason(known) if row.status == Status.NOT_EXPECTED else None
            for row, known in zip(rows, facts, strict=True)
        ],
        "calendar_due": due,
        "days_off": [
            _days_off(request, row, day) for row, day in zip(rows, due, strict=True)
        ],
        "submit_skew_ms": [presses.get(row.id, (None, None))[0] for row in rows],
        "submit_doubt": [presses.get(row.id, (None, None))[1] for row in rows],
        "mode": part.modes(),
        "languages": part.languages(),
        "wordings": wordings,
        "wording_versions": marks.wording_versions(request, wordings),
        "demonstration": [_demonstration(kinds, one) for one in wordings],
        "study_version": [row.study_version or version for row in rows],
        "receipt": [
            None if row.receipt is None else submissions.short(row.receipt) for row in rows
        ],
        "void": marks.voids(part),
        "belongs_to_timepoint": [one.get("timepoint") for one in moved],
        "belongs_to_participant": [one.get("participant") for one in moved],
        "corrections": [
            " ".join(one.public_id for one in part.corrections(row)) or None for row in rows
        ],
    }  # fmt: skip


def _facts(request: Request, row: Row) -> Facts:
    held = request.study.wordings.withheld.covers(
        row.instrument, row.reads, row.site_id, row.opens_at, row.closes_at
    )
    return Facts(
        row.opens_at, row.closes_at, row.started_at, row.submitted_at, bool(row.late),
        row.withdrawn_at, row.died_at, row.cancelled_at, row.placed_at, held,
    )  # fmt: skip


def _presses(session: Session, rows: Sequence[Row]) -> Mapping[int, tuple[int | None, str | None]]:
    """Skew and doubt of the presses that sealed these assessments."""
    done = [row.id for row in rows if row.submission_id is not None]
    found = session.execute(_press.where(SubmitOperation.assessment_id.in_(done)))
    return {assessment_id: (skew, doubt) for assessment_id, skew, doubt in found}


def _due_days(session: Session, request: Request, rows: Sequence[Row]) -> list[date | None]:
    """The due days by the anchors and the protocol as they are now; None for what was opened by
    hand or is expected no more."""
    people = sorted({row.participant_id for row in rows})
    anchors = anchors_of(session, people)
    calendars: dict[frozenset[Any], Mapping[Any, date]] = {}
    by_person = {}
    for person in people:
        own = anchors.get(person, {})
        known = frozenset(own.items())
        if known not in calendars:
            calendars[known] = _calendar(request, own)
        by_person[person] = calendars[known]
    return [
        by_person[row.participant_id].get((row.timepoint, row.occurrence, row.instrument))
        for row in rows
    ]


def _calendar(request: Request, anchors: Mapping[str, Any]) -> Mapping[Any, date]:
    definition = request.study.definition
    expected = schedule.expected(definition.timepoints, anchors, definition.zone)
    return {one.key: one.due_on for one in expected}


def _days_off(request: Request, row: Row, due: date | None) -> int | None:
    if due is None or row.completed_at is None:
        return None
    completed: date = row.completed_at.astimezone(request.study.definition.zone).date()
    return (completed - due).days


def _demonstration(kinds: Mapping[str, str], wordings: str | None) -> int | None:
    """Whether a wording that was read is a demonstration; None where none is known any more."""
    if not wordings:
        return None
    read = [kinds.get(one) for one in wordings.split()]
    if "demonstration" in read:
        return 1
    return None if None in read else 0
