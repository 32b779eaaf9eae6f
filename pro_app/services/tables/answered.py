"""Answers, one row per assessment: a column an item, with the values that count now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, Column, Table
from pro_app.services import corrected, sealed_codes
from pro_app.services.tables import labels, marks
from pro_app.services.tables.reading import Given, Part, Row, parts
from pro_app.services.tables.request import Request, frame

EMPTY = -1_000  # in a row of another instrument
STATES = {"skipped": SKIPPED, "not_applicable": NOT_APPLICABLE}
OF_BYTE = np.arange(256, dtype=np.int16)
OF_BYTE[sealed_codes.SKIPPED] = SKIPPED
OF_BYTE[sealed_codes.NOT_APPLICABLE] = NOT_APPLICABLE


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instrument's items stand among the columns of items."""

    layout: str
    items: tuple[str, ...]
    first: int


def answers(session: Session, request: Request) -> Table:
    """One row per assessment that the schedule knows, whatever its state."""
    _ = request.words
    columns = (
        *labels.key(request),
        labels.status(request),
        labels.completed(request),
        labels.late(request),
        labels.mode(request),
        labels.plain("languages", _("languages in which it was answered")),
        labels.plain("wordings", _("fingerprints of the wordings in which it was answered")),
        labels.wording_versions(request),
        labels.flag("corrected", _("an approved correction changed an answer"), request),
        labels.void(request),
        labels.plain("skipped", _("items left unanswered after confirming")),
        labels.plain("not_applicable", _("items marked as not applicable")),
        *item_columns(request),
    )

    def frames() -> Iterator[pl.DataFrame]:
        places = _places(request)
        for part in parts(session, request):
            yield frame(columns, _values(request, part, columns, places))

    return request.table("answers", _("Answers"), columns, frames, labels.notes(request))


def item_columns(request: Request) -> Iterator[Column]:
    """A column for each item of each instrument asked for."""
    _ = request.words
    absent = {
        SKIPPED: _("left unanswered, after confirming"),
        NOT_APPLICABLE: _("does not apply"),
        NOT_REACHED: _("not reached"),
    }
    names = item_names(request)
    for instrument in request.asked():
        wording = request.wording(instrument.code)
        for item in instrument.items:
            options = {} if wording is None else wording.options[item.options.code]
            codes = {code: options.get(code, str(code)) for code in item.options.codes}
            label = labels.item_label(item.topic, item.code, wording, request)
            name = names[instrument.code, item.code]
            yield Column(name, "integer", label, codes, absent, instrument.code)


def item_names(request: Request) -> dict[tuple[str, str], str]:
    """The columns of items by instrument and item: the item's code, with the instrument's behind
    it where instruments that are asked for share the code."""
    shared: dict[str, int] = {}
    instruments = list(request.asked())
    for instrument in instruments:
        for item in instrument.items:
            shared[item.code] = shared.get(item.code, 0) + 1
    return {
        (instrument.code, item.code): (
            item.code if shared[item.code] == 1 else f"{item.code}_{instrument.code}"
        )
        for instrument in instruments
        for item in instrument.items
    }


def _places(request: Request) -> dict[str, Place]:
    found, first = {}, 0
    for instrument in request.asked():
        items = tuple(one.code for one in instrument.items)
        found[instrument.code] = Place(sealed_codes.layout(items), items, first)
        first += len(items)
    return found


def _values(
    request: Request, part: Part, columns: Sequence[Column], places: Mapping[str, Place]
) -> dict[str, Any]:
    rows = part.rows
    if not rows:
        return {}
    width = sum(len(place.items) for place in places.values())
    matrix = np.full((len(rows), width), EMPTY, dtype=np.int16)
    for code, place in places.items():
        _fill(matrix, part, code, place)
    skipped, not_applicable = (
        _lists(matrix, rows, places, code) for code in (SKIPPED, NOT_APPLICABLE)
    )
    items = [one.name for one in columns[-width:]] if width else []
    values = marks.key(request, part) | {
        "completed_at": part.columns["completed_at"],
        "late": part.columns["late"],
        "mode": part.modes(),
        "languages": part.languages(),
        "wordings": part.wordings(),
        "wording_versions": marks.wording_versions(request, part.wordings()),
        "corrected": marks.changed(part),
        "void": marks.voids(part),
        "skipped": skipped,
        "not_applicable": not_applicable,
    }
    for place_of, name in enumerate(items):
        series = pl.Series(name, np.ascontiguousarray(matrix[:, place_of]))
        values[name] = series.set(series == EMPTY, None)
    return values


def _fill(matrix: NDArray[np.int16], part: Part, code: str, place: Place) -> None:
    """Put an instrument's answers where they belong."""
    own = [n for n, one in enumerate(part.columns["instrument"]) if one == code]
    end = place.first + len(place.items)
    matrix[own, place.first : end] = NOT_REACHED
    layouts, kept = part.columns["layout"], part.columns["codes"]
    packed = [n for n in own if layouts[n] == place.layout]
    if packed:
        together = b"".join(kept[n] for n in packed)
        codes = np.frombuffer(together, dtype=np.uint8).reshape(len(packed), len(place.items))
        matrix[packed, place.first : end] = OF_BYTE[codes]
    for n, row in part.odd():
        if row.instrument == code:
            given = counting(part, row)
            matrix[n, place.first : end] = [_code(given.get(item)) for item in place.items]


def counting(part: Part, row: Row) -> Given:
    """The answers that count now, of those that are not read by the byte."""
    sealed = part.unpacked.get(row.id)
    if sealed is not None:
        return corrected.answers(sealed, part.corrections(row))
    return part.begun[row.id]


def _code(answer: Mapping[str, Any] | None) -> int:
    if answer is None:
        return NOT_REACHED
    return int(answer["code"]) if answer["state"] == "answered" else STATES[answer["state"]]


def _lists(
    matrix: NDArray[np.int16], rows: Sequence[Row], places: Mapping[str, Place], code: int
) -> list[str | None]:
    """The items of each row that have this code, by their codes."""
    found: list[str | None] = [None] * len(rows)
    for n in map(int, np.flatnonzero((matrix == code).any(axis=1))):
        place = places[rows[n].instrument]
        own = matrix[n, place.first : place.first + len(place.items)]
        found[n] = " ".join(place.items[i] for i in np.flatnonzero(own == code))
    return found
