"""Scores: of the answers that count now, and of those that were submitted.

Scores of submissions are the stored ones. Of an assessment that closed half answered they are
computed here, by the same engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.core.scoring import Scoring, score
from pro_app.export.table import Column, Table
from pro_app.models import CorrectedScore, Score
from pro_app.services import corrected
from pro_app.services.tables import labels, marks
from pro_app.services.tables.reading import Part, Row, parts
from pro_app.services.tables.request import Request, frame

SUBMISSION, PARTIAL = "submission", "partial"
REPLACED = "replaced"  # an older version of a scoring has not scored the corrected answers


class Value(NamedTuple):
    """What an algorithm says of a scale."""

    scoring: str
    algorithm: str
    scale: str
    value: float | None
    norm_based: float | None
    answered: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one assessment, by algorithm and scale in the order in which they were made:
    of the answers that count `now`, and the `first` ones. `correction` is the one whose scores
    stand now."""

    row: Row
    basis: str
    now: Mapping[tuple[str, str], Value]
    first: Mapping[tuple[str, str], Value]
    correction: str | None = None


def scores(session: Session, request: Request) -> Table:
    """One row per assessment that has scores; of several versions of a scoring the newest."""
    _, plain = request.words, labels.plain
    columns = (
        *labels.key(request),
        labels.status(request),
        labels.completed(request),
        labels.late(request),
        *_provenance(request),
        _basis(request),
        labels.flag("corrected", _("an approved correction changed an answer"), request),
        plain("score_correction", _("correction after which the scores were computed")),
        labels.void(request),
        *_score_columns(request),
    )

    def frames() -> Iterator[pl.DataFrame]:
        for part in parts(session, request):
            shared = _shared(request, part)
            told = [
                _named(request, one.row) | shared[one.row.id] | _wide(one)
                for one in _scored(session, request, part)
            ]
            yield frame(columns, {one.name: [row.get(one.name) for row in told] for one in columns})

    return request.table("scores", _("Scores"), columns, frames, labels.notes(request))


def scores_long(session: Session, request: Request) -> Table:
    """One row per scale of every version of every scoring, of each assessment that has scores."""
    columns = _long_columns(request)

    def frames() -> Iterator[pl.DataFrame]:
        items = {
            (scoring.algorithm, scale.code): len(scale.items)
            for scoring in scorings(request)
            for scale in scoring.scales
        }
        _ = request.words
        titles = {
            (scoring.name, code): _(name)
            for scoring in scorings(request)
            for code, name in scoring.names().items()
        }
        for part in parts(session, request):
            shared, told = _shared(request, part), []
            for one in _scored(session, request, part):
                known = _named(request, one.row) | shared[one.row.id]
                for scoring, key, line in _long(one):
                    name = titles.get((scoring, key[1]))
                    told.append(known | line | {"items": items.get(key), "scale_name": name})
            yield frame(columns, {one.name: [row.get(one.name) for row in told] for one in columns})

    _ = request.words
    title = _("Scores, a line a scale")
    return request.table("scores_long", title, columns, frames, labels.notes(request))


def scorings(request: Request) -> Iterator[Scoring]:
    """The scorings of the instruments asked for, in their order."""
    for instrument in request.asked():
        for name in request.study.scorings(instrument.code):
            yield instrument.scorings[name]


def _provenance(request: Request) -> tuple[Column, ...]:
    """How the answers came that the scores are made of."""
    _, plain = request.words, labels.plain
    return (
        labels.mode(request),
        plain("languages", _("languages in which it was answered")),
        plain("wordings", _("fingerprints of the wordings in which it was answered")),
        labels.wording_versions(request),
    )


def _basis(request: Request) -> Column:
    _ = request.words
    codes = {
        SUBMISSION: _("of a submission, as stored"),
        PARTIAL: _("of a questionnaire that closed half answered"),
    }
    return Column("basis", "text", _("what the scores are made of"), codes)


def _score_columns(request: Request) -> Iterator[Column]:
    """Of each scoring its version, and of each scale value, norm-based value, and items answered.
    A scoring that two instruments have by the same name has its columns once."""
    _, seen = request.words, set()
    version, normed_as, of_items = (
        _("version of the scoring"), _("norm-based, mean 50, SD 10"), _("items answered"),
    )  # fmt: skip
    for instrument in request.asked():
        for name in request.study.scorings(instrument.code):
            scoring = instrument.scorings[name]
            normed = {one.code for one in scoring.scales if one.norm is not None}
            made = [Column(f"{name}_algorithm", "text", f"{version}: {name}")]
            for code, title in scoring.names().items():
                stem, label = f"{name}_{code}", f"{_(title)} ({name})"
                made.append(Column(stem, "number", label, group=instrument.code))
                if code in normed:
                    norm = f"{label}, {normed_as}"
                    made.append(Column(f"{stem}_norm", "number", norm, group=instrument.code))
                answered = f"{label}, {of_items}"
                made.append(Column(f"{stem}_n", "integer", answered, group=instrument.code))
            for column in made:
                if column.name not in seen:
                    seen.add(column.name)
                    yield column


def _long_columns(request: Request) -> tuple[Column, ...]:
    _, plain = request.words, labels.plain
    return (
        *labels.key(request),
        labels.status(request),
        labels.completed(request),
        labels.late(request),
        *_provenance(request),
        labels.void(request),
        _basis(request),
        plain("scoring", _("name of the scoring")),
        plain("algorithm", _("version of the scoring")),
        plain("scale", _("code of the scale")),
        plain("scale_name", _("name of the scale")),
        plain("value", _("score of the answers that count now, not rounded"), "number"),
        plain("norm_based", _("norm-based, mean 50, SD 10"), "number"),
        plain("answered", _("items answered"), "integer"),
        plain("items", _("items of the scale"), "integer"),
        Column("reason", "text", _("why there is no score"), labels.reasons(_)),
        plain("original_value", _("score of the answers as submitted, not rounded"), "number"),
        plain("original_norm_based", _("norm-based, of the answers as submitted"), "number"),
        plain("original_answered", _("items answered, as submitted"), "integer"),
        Column(
            "original_reason", "text", _("why there is no score of the answers as submitted"),
            labels.reasons(_),
        ),
        plain("correction", _("correction after which the scores were computed")),
    )  # fmt: skip


def _scored(session: Session, request: Request, part: Part) -> Iterator[Scored]:
    """The assessments of a part that have scores."""
    first = _values(session, Score, Score.submission_id, [
        row.submission_id for row in part.rows if row.submission_id is not None
    ])  # fmt: skip
    last = {
        row.id: change
        for row in part.rows
        if (change := corrected.last_change(part.corrections(row))) is not None
    }
    after = _values(
        session, CorrectedScore, CorrectedScore.correction_id, [one.id for one in last.values()]
    )
    for row in part.rows:
        if row.submission_id is not None:
            own, change = first.get(row.submission_id, {}), last.get(row.id)
            if change is None:
                yield Scored(row, SUBMISSION, own, own)
            else:
                yield Scored(row, SUBMISSION, after.get(change.id, {}), own, change.public_id)
        elif row.status == Status.MISSED and row.id in part.begun:
            own = _computed(request, part, row)
            yield Scored(row, PARTIAL, own, own)


def _values(
    session: Session, model: Any, of: sa.orm.InstrumentedAttribute[int], ids: Sequence[int]
) -> dict[int, dict[tuple[str, str], Value]]:
    """Stored scores by what they are `of`, then by algorithm and scale."""
    found: dict[int, dict[tuple[str, str], Value]] = {}
    if not ids:
        return found
    rows = session.execute(
        sa.select(
            of, model.scoring, model.algorithm, model.scale, model.value, model.norm_based,
            model.answered, model.reason,
        )
        .where(of.in_(ids))
        .order_by(model.id)
    )  # fmt: skip
    for whose, *told in rows:
        value = Value(*told)
        found.setdefault(whose, {})[value.algorithm, value.scale] = value
    return found


def _computed(request: Request, part: Part, row: Row) -> dict[tuple[str, str], Value]:
    instrument = request.library.instruments[row.instrument]
    codes = {item: one["code"] for item, one in part.begun[row.id].items()}
    return {
        (one.algorithm, one.scale): Value(
            one.scoring, one.algorithm, one.scale, one.value, one.norm_based, one.answered,
            one.reason,
        )
        for name in request.study.scorings(row.instrument)
        for one in score(instrument.scorings[name], codes)
    }  # fmt: skip


def _named(request: Request, row: Row) -> dict[str, Any]:
    """The cells that name an assessment, and when and how it was done."""
    told = {name: getattr(row, name) for name in (*marks.KEY, "completed_at", "late")}
    return told | {"study": request.study.definition.code}


def _shared(request: Request, part: Part) -> dict[int, dict[str, Any]]:
    """By assessment, what all of its scores have in common."""
    if not part.rows:
        return {}
    columns: dict[str, Sequence[Any]] = {
        "mode": part.modes(),
        "languages": part.languages(),
        "wordings": part.wordings(),
        "wording_versions": marks.wording_versions(request, part.wordings()),
        "corrected": marks.changed(part),
        "void": marks.voids(part),
    }
    return {
        key: dict(zip(columns, cells, strict=True))
        for key, *cells in zip(part.columns["id"], *columns.values(), strict=True)
    }


def _wide(scored: Scored) -> dict[str, Any]:
    told: dict[str, Any] = {"basis": scored.basis, "score_correction": scored.correction}
    for one in scored.now.values():  # a newer version overwrites an older one
        stem = f"{one.scoring}_{one.scale}"
        told[f"{one.scoring}_algorithm"] = one.algorithm
        told[stem], told[f"{stem}_norm"], told[f"{stem}_n"] = (
            one.value, one.norm_based, one.answered,
        )  # fmt: skip
    return told


def _long(scored: Scored) -> Iterator[tuple[str, tuple[str, str], dict[str, Any]]]:
    for key in dict.fromkeys([*scored.first, *scored.now]):
        now, first = scored.now.get(key), scored.first.get(key)
        known = now or first
        assert known is not None  # noqa: S101 (the key came from one of them)
        told: dict[str, Any] = {
            "basis": scored.basis,
            "scoring": known.scoring,
            "algorithm": known.algorithm,
            "scale": known.scale,
            "correction": scored.correction,
        }
        if now is None:
            told["reason"] = REPLACED
        for prefix, one in (("", now), ("original_", first)):
            if one is not None:
                told[f"{prefix}value"] = one.value
                told[f"{prefix}norm_based"] = one.norm_based
                told[f"{prefix}answered"] = one.answered
                told[f"{prefix}reason"] = one.reason
        yield known.scoring, key, told
