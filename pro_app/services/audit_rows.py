"""The rows that the trail's check reads, in its order: by stream, then as they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app import verify
from pro_app.models import (
    Answer,
    Assessment,
    AuditCheckpoint,
    AuditEntry,
    AuditHead,
    CorrectedScore,
    Correction,
    CorrectionDecision,
    Participant,
    Score,
    SignOff,
    Site,
    Submission,
    SubmitOperation,
)
from pro_app.verify import Row

AT_ONCE = 1_000  # rows fetched


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose streams: all, those of one study, or of that study one participant's or one site's;
    each with the study's own. Of that a site has the entries that concern it; of the others their
    places in the chain, so that it is seen to be whole."""

    study_id: int | None = None
    participant_id: int | None = None
    site_id: int | None = None


WHOLE = Scope()


def entries(session: Session, scope: Scope = WHOLE) -> Iterator[Row]:
    """The entries of the trail."""
    query = sa.select(*(AuditEntry.__table__.c[name] for name in verify.ENTRY))
    if scope.site_id is not None:
        query = query.add_columns(_concerns(scope).label("concerns"))
    if scope != WHOLE:
        own = sa.select(_stream_of(Participant.id)).where(*_of(scope))
        query = query.where(
            sa.or_(AuditEntry.stream == f"study/{scope.study_id}", AuditEntry.stream.in_(own))
        )
    query = query.order_by(_by_bytes(session, AuditEntry.stream), AuditEntry.seq)
    rows = _rows(session, query)
    return rows if scope.site_id is None else (_of_site(row) for row in rows)


def _concerns(scope: Scope) -> sa.ColumnElement[bool]:
    own = AuditEntry.stream != f"study/{scope.study_id}"
    sites = frozenset() if scope.site_id is None else frozenset({scope.site_id})
    return sa.or_(own, concerning(scope.study_id, sites))


def _of_site(row: Row) -> Row:
    names = verify.ENTRY if row["concerns"] else verify.WITHHELD
    return {name: row[name] for name in names}


# of a study's own entries, those that concern every site
STUDY_WIDE = (
    "confirm_clock", "export", "license_wording", "load_study", "make_token", "record_wording",
    "revoke_token", "store_wording",
)  # fmt: skip


def concerning(study_id: int | None, sites: frozenset[int]) -> sa.ColumnElement[bool]:
    """Of a study's own entries, those that concern these sites: what names one of them or one of
    their participants, and what concerns every site and names no other one's."""
    site, person = (AuditEntry.detail[name].as_string() for name in ("site", "participant"))
    codes = sa.select(Site.code).where(Site.study_id == study_id, Site.id.in_(sites))
    numbers = sa.select(Participant.number).where(
        Participant.study_id == study_id, Participant.site_id.in_(sites)
    )
    foreign = sa.or_(
        sa.and_(site.is_not(None), site.not_in(codes)),
        sa.and_(person.is_not(None), person.not_in(numbers)),
    )
    named = sa.or_(site.is_not(None), person.is_not(None), AuditEntry.action.in_(STUDY_WIDE))
    return sa.and_(named, sa.not_(foreign))


def data(session: Session, scope: Scope = WHOLE) -> Mapping[str, Iterator[Row]]:
    """The data that the trail tells of, each kind of `verify.DATA` with its stream."""
    return {kind: _data(session, kind, scope) for kind in verify.DATA}


_MODELS: Mapping[str, Any] = {
    "answers": Answer,
    "presses": SubmitOperation,
    "submissions": Submission,
    "scores": Score,
    "corrections": Correction,
    "decisions": CorrectionDecision,
    "corrected_scores": CorrectedScore,
    "sign_offs": SignOff,
}
_BY_CORRECTION = (CorrectionDecision, CorrectedScore)


def _data(session: Session, kind: str, scope: Scope) -> Iterator[Row]:
    model = _MODELS[kind]
    of = SignOff if model is SignOff else Assessment
    stream = _stream_of(of.participant_id)
    columns = [model.__table__.c[name] for name in verify.DATA[kind]]
    query = sa.select(stream.label("stream"), *columns)
    order = [model.id]
    if model in _BY_CORRECTION:
        query = query.join(Correction, Correction.id == model.correction_id)
        order = [model.correction_id, model.id]
    if model is Score:
        order = [Score.submission_id, Score.id]
    if model in (Score, Correction, *_BY_CORRECTION):
        by = Score if model is Score else Correction
        query = query.join(Submission, Submission.id == by.submission_id)
        query = query.join(Assessment, Assessment.id == Submission.assessment_id)
    elif model is not SignOff:
        query = query.join(Assessment, Assessment.id == model.assessment_id)
    if scope != WHOLE:
        query = query.join(Participant, Participant.id == of.participant_id)
        query = query.where(*_of(scope))
    return _rows(session, query.order_by(_by_bytes(session, stream), *order))


def checkpoints(session: Session) -> Iterator[Row]:
    """All checkpoints, with what is beside their statement."""
    query = sa.select(AuditCheckpoint.__table__).order_by(AuditCheckpoint.number)
    return _rows(session, query)


def heads(session: Session) -> Iterator[Row]:
    """The heads that each checkpoint found changed."""
    query = sa.select(*(AuditHead.__table__.c[name] for name in verify.FIELDS[verify.HEADS]))
    return _rows(
        session, query.order_by(AuditHead.checkpoint, _by_bytes(session, AuditHead.stream))
    )


def streams(session: Session, scope: Scope) -> set[str]:
    """The names of the streams of a study or participant."""
    own = sa.select(_stream_of(Participant.id)).where(*_of(scope))
    return {f"study/{scope.study_id}", *session.scalars(own)}


def _of(scope: Scope) -> Iterator[sa.ColumnElement[bool]]:
    yield Participant.study_id == scope.study_id
    if scope.participant_id is not None:
        yield Participant.id == scope.participant_id
    if scope.site_id is not None:
        yield Participant.site_id == scope.site_id


def _stream_of(participant_id: Any) -> sa.ColumnElement[str]:
    return sa.literal("participant/").concat(sa.cast(participant_id, sa.String))


def _by_bytes(session: Session, text: Any) -> sa.ColumnElement[str]:
    """The order that Python's and SQLite's texts have."""
    if session.get_bind().dialect.name == "sqlite":
        return sa.type_coerce(text, sa.String)
    return sa.collate(text, "C")


def _rows(session: Session, query: sa.Select[Any]) -> Iterator[Row]:
    found = session.execute(query.execution_options(yield_per=AT_ONCE))
    return iter(found.mappings())
