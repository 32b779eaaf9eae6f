"""Reading a study's assessments in the order of all tables: by study number, opening and place.

What is common is read in one query; what few have (corrections, answers that were never submitted)
is looked up for those alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.models import (
    Answer,
    Assessment,
    Correction,
    Participant,
    SealedCodes,
    Site,
    Submission,
)
from pro_app.services import corrected, sealed_codes, status
from pro_app.services.answers import newest_by_item
from pro_app.services.tables import fast
from pro_app.services.tables.request import AT_ONCE, Request, chunked

Given = Mapping[str, Mapping[str, Any]]  # item -> state, code and, where it stands, more
Row = Any


def query(request: Request, *more: Any) -> sa.Select[*tuple[Any, ...]]:
    """The assessments asked for, with `more` columns of assessment, participant and submission."""
    definition = request.study.definition
    withheld = request.study.wordings.withheld
    return (
        sa.select(
            Assessment.id,
            Submission.id.label("submission_id"),
            Site.code.label("site"),
            Participant.number.label("participant"),
            Assessment.timepoint,
            Assessment.occurrence,
            Assessment.instrument,
            status.expression(request.now, definition.grace, withheld).label("status"),
            # of the submission itself only what its narrow index has, wherever that is enough
            sa.func.coalesce(
                SealedCodes.completed_at,
                Submission.completed_at,
                type_=Submission.completed_at.type,
            ).label("completed_at"),
            Submission.late,
            sa.func.coalesce(SealedCodes.mode, Submission.mode).label("mode"),
            SealedCodes.languages,
            SealedCodes.wordings,
            SealedCodes.layout,
            SealedCodes.codes,
            *more,
        )
        .select_from(Assessment)
        .join(Participant, Participant.id == Assessment.participant_id)
        .join(Site, Site.id == Participant.site_id)
        .outerjoin(Submission, Submission.assessment_id == Assessment.id)
        .outerjoin(SealedCodes, SealedCodes.submission_id == Submission.id)
        .where(*request.of_assessments())
        .order_by(Participant.number, Assessment.opens_at, Assessment.place, Assessment.id)
    )


@dataclass(slots=True)
class Part:
    """Some assessments that follow each other, and what few of them have.

    `columns` are the rows once more, by column. By assessment: `begun` are the answers that stand
    where nothing was submitted, `unpacked` the sealed answers where they cannot be read by the
    byte or were corrected. `approved` are corrections by submission, of which `corrected` says in
    which rows they are.
    """

    rows: Sequence[Row]
    approved: Mapping[int, Sequence[Correction]]
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    begun: Mapping[int, Given] = field(default_factory=dict)
    unpacked: Mapping[int, Given] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.columns and self.rows:
            columns = zip(*self.rows, strict=True)
            self.columns = dict(zip(self.rows[0]._fields, columns, strict=True))

    def odd(self) -> Iterator[tuple[int, Row]]:
        """The places and rows whose answers are not read by the byte."""
        if self.begun or self.unpacked:
            for n, key in enumerate(self.columns["id"]):
                if key in self.begun or key in self.unpacked:
                    yield n, self.rows[n]

    def corrected(self) -> Iterator[tuple[int, Row]]:
        """The places and rows of submissions with approved corrections."""
        if self.approved:
            for n, key in enumerate(self.columns["submission_id"]):
                if key in self.approved:
                    yield n, self.rows[n]

    def corrections(self, row: Row) -> Sequence[Correction]:
        """The approved corrections of an assessment's submission, in order."""
        return self.approved.get(row.submission_id, ()) if row.submission_id else ()

    def languages(self) -> list[str | None]:
        """In which languages each was answered, separated by spaces."""
        return self._said("languages", "language")

    def wordings(self) -> list[str | None]:
        """The fingerprints of the wordings each was answered in, likewise."""
        return self._said("wordings", "wording")

    def modes(self) -> list[str | None]:
        """Where each was answered: of the submission, before it of the newest answer."""
        found = list(self.columns["mode"])
        for n, row in self.odd():
            if row.submission_id is None:
                given = self.begun[row.id].values()
                newest = max(given, key=lambda one: (one["answered_at"], one["id"]))
                found[n] = str(newest["mode"])
        return found

    def _said(self, kept: str, name: str) -> list[str | None]:
        found = list(self.columns[kept])
        for n, row in self.odd():
            if found[n] is None:
                given = self.unpacked.get(row.id) or self.begun[row.id]
                found[n] = " ".join(dict.fromkeys(str(one[name]) for one in given.values()))
        return found


def parts(session: Session, request: Request, *more: Any) -> Iterator[Part]:
    """The assessments asked for, some thousand at a time."""
    approved = corrected.of_study(session, request.study.id)
    layouts = {
        one.code: sealed_codes.layout(item.code for item in one.items) for one in request.asked()
    }
    names = ("id", "submission_id", "status", "instrument", "layout")
    for part in _read(session, request, approved, *more):
        open_ids, loose = [], {}
        for key, submission, state, instrument, layout in zip(
            *(part.columns[name] for name in names), strict=True
        ):
            if submission is None:
                if state != Status.NOT_DUE:
                    open_ids.append(key)
            elif layout != layouts[instrument] or submission in approved:
                loose[submission] = key
        part.begun = standing(session, open_ids)
        part.unpacked = {loose[key]: value for key, value in sealed(session, list(loose)).items()}
        yield part


def _read(
    session: Session, request: Request, approved: Mapping[int, Sequence[Correction]], *more: Any
) -> Iterator[Part]:
    if more:
        for rows in chunked(session, query(request, *more)):
            yield Part(rows, approved)
        return
    for columns in fast.read(session, query(request), AT_ONCE):
        yield Part(fast.Rows(columns), approved, columns)


def sealed(session: Session, submission_ids: list[int]) -> dict[int, Given]:
    """The sealed answers of these submissions."""
    if not submission_ids:
        return {}
    found = sa.select(Submission.id, Submission.answers)
    rows = session.execute(found.where(Submission.id.in_(submission_ids)))
    return {row.id: row.answers for row in rows}


def standing(
    session: Session, assessment_ids: list[int]
) -> dict[int, dict[str, Mapping[str, Any]]]:
    """The answers that stand, by assessment and item, of those that have any."""
    by_assessment: dict[int, list[Mapping[str, Any]]] = {}
    for one in operations(session, assessment_ids):
        by_assessment.setdefault(one["assessment_id"], []).append(one)
    found = {}
    for assessment_id, rows in by_assessment.items():
        given = {
            item: row for item, row in newest_by_item(rows).items() if row["state"] != "cleared"
        }
        if given:
            found[assessment_id] = given
    return found


def operations(session: Session, assessment_ids: list[int]) -> Iterator[Mapping[str, Any]]:
    """All answers of these assessments, in the order in which they were stored."""
    if not assessment_ids:
        return
    wanted = sa.select(Answer.__table__).where(Answer.assessment_id.in_(assessment_ids))
    for row in session.execute(wanted.order_by(Answer.id)).mappings():
        yield dict(row)
