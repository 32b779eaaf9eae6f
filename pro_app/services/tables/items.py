"""Answers, one row per item: what counts now, what was given, and how it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from sqlalchemy.orm import Session

from pro_app.core.corrections import ANSWER
from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording
from pro_app.export.table import Column, Table
from pro_app.services import corrected
from pro_app.services.answers import newest_by_item
from pro_app.services.tables import labels, marks
from pro_app.services.tables.reading import Given, Part, Row, operations, parts, sealed
from pro_app.services.tables.request import Request, frame

AT_ONCE = 500  # assessments, of some thirty items each
STANDING = {  # column: of the answer that stands
    "language": "language", "wording": "wording", "mode": "mode", "tapped_at": "answered_at",
    "received_at": "received_at", "device_time": "device_time", "skew_ms": "skew_ms",
    "doubt": "doubt", "read_aloud": "read_aloud",
}  # fmt: skip


def answers_long(session: Session, request: Request) -> Table:
    """One row per item of every assessment that has any answer, in the form's order."""
    columns = _columns(request)

    def frames() -> Iterator[pl.DataFrame]:
        for part in parts(session, request):
            voids = dict(zip(part.columns["id"], marks.voids(part), strict=True))
            begun = [row for row in part.rows if row.submission_id or row.id in part.begun]
            for start in range(0, len(begun), AT_ONCE):
                some = begun[start : start + AT_ONCE]
                yield _frame(session, request, part, some, columns, voids)

    _ = request.words
    title = _("Answers, a line an item")
    return request.table("answers_long", title, columns, frames, labels.notes(request))


def _columns(request: Request) -> tuple[Column, ...]:
    _, plain = request.words, labels.plain
    labelled = {
        one.code: labels.item_label(one.topic, one.code, request.wording(each.code), request)
        for each in request.asked()
        for one in each.items
    }
    return (
        *labels.key(request),
        labels.status(request),
        labels.late(request),
        labels.void(request),
        Column("item", "text", _("item"), labelled),
        plain("n", _("place of the item in the form, from 1"), "integer"),
        plain("code", _("code of the answer that counts now"), "integer"),
        plain("label", _("text of the answer that counts now")),
        Column("state", "text", _("what became of the item, as it counts now"), labels.states(_)),
        plain("original_code", _("code as it was given, before any correction"), "integer"),
        Column(
            "original_state", "text", _("what became of the item, before any correction"),
            labels.states(_),
        ),
        plain("corrections", _("approved corrections in the order of their decisions")),
        plain("language", _("language in which it was answered")),
        plain("wording", _("fingerprint of the wording in which it was answered")),
        plain("wording_version", _("version of the wording in which it was answered")),
        labels.mode(request),
        plain("tapped_at", _("tapped; server clock, from the phone's clocks"), "moment"),
        plain("received_at", _("received; server clock"), "moment"),
        plain("device_time", _("the phone's own clock at the tap")),
        plain("skew_ms", _("phone's clock minus server's at the receipt, milliseconds"), "integer"),
        Column("doubt", "text", _("doubt about the moment of the tap"), labels.doubts(_)),
        labels.flag("read_aloud", _("the phone had read it aloud"), request),
    )  # fmt: skip


def _frame(
    session: Session,
    request: Request,
    part: Part,
    rows: list[Row],
    columns: tuple[Column, ...],
    voids: Mapping[int, int | None],
) -> pl.DataFrame:
    taps: dict[int, list[Mapping[str, Any]]] = {}
    for one in operations(session, [row.id for row in rows]):
        taps.setdefault(one["assessment_id"], []).append(one)
    submitted = sealed(session, [row.submission_id for row in rows if row.submission_id])
    told: list[dict[str, Any]] = []
    for row in rows:
        standing = {
            item: tap
            for item, tap in newest_by_item(taps.get(row.id, ())).items()
            if tap["state"] != "cleared"
        }
        given = submitted[row.submission_id] if row.submission_id else standing
        shared = {"late": row.late, "void": voids[row.id]}
        told += [shared | one for one in _items(request, part, row, given, standing)]
    return frame(columns, {one.name: [line.get(one.name) for line in told] for one in columns})


def _items(
    request: Request, part: Part, row: Row, given: Given, standing: Given
) -> Iterator[dict[str, Any]]:
    instrument = request.library.instruments[row.instrument]
    wordings, usual = request.study.wordings, request.wording(row.instrument)
    corrections = part.corrections(row)
    counts = given if row.submission_id is None else corrected.answers(given, corrections)
    head = {
        "study": request.study.definition.code,
        **{
            name: getattr(row, name)
            for name in ("site", "participant", "timepoint", "occurrence", "instrument", "status")
        },
    }
    changed: dict[str, list[str]] = {}
    for one in corrections:
        if one.kind == ANSWER and one.field is not None:
            changed.setdefault(one.field, []).append(one.public_id)
    for n, item in enumerate(instrument.items, start=1):
        now, was = counts.get(item.code), given.get(item.code)
        tap = standing.get(item.code, {})
        read = wordings.by_fingerprint(tap.get("wording", ""))
        # what was read keeps its own text; in another language there is but the one of today
        wording = read if read is not None and read.language == request.language else usual
        yield {
            **head,
            "item": item.code,
            "n": n,
            "code": _code(now),
            "label": _label(instrument, wording, n, _code(now)),
            "state": "not_reached" if now is None else now["state"],
            "original_code": _code(was),
            "original_state": "not_reached" if was is None else was["state"],
            "corrections": " ".join(changed.get(item.code, ())) or None,
            "wording_version": None if read is None else read.version or None,
            **{column: tap.get(name) for column, name in STANDING.items()},
        }


def _code(answer: Mapping[str, Any] | None) -> int | None:
    return None if answer is None else answer["code"]


def _label(instrument: Instrument, wording: Wording | None, n: int, code: int | None) -> str | None:
    if wording is None or code is None:
        return None
    return wording.options[instrument.items[n - 1].options.code].get(code)
