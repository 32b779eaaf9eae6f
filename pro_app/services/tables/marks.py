"""Cells that several tables have."""

from __future__ import annotations

from typing import Any

import polars as pl

from pro_app.core.corrections import ANSWER
from pro_app.services import corrected
from pro_app.services.tables.reading import Part, Row
from pro_app.services.tables.request import Request

KEY = ("site", "participant", "timepoint", "occurrence", "instrument", "status")


def key(request: Request, part: Part) -> dict[str, Any]:
    """The cells that name an assessment, and its state."""
    told: dict[str, Any] = {name: part.columns.get(name, ()) for name in KEY}
    code = request.study.definition.code
    return told | {"study": pl.repeat(code, len(part.rows), dtype=pl.String, eager=True)}


def wording_versions(request: Request, wordings: list[str | None]) -> list[str | None]:
    """The versions of these wordings; "demonstration" for one that is not licensed."""
    versions: dict[str | None, str | None] = {None: None, "": None}
    for told in wordings:
        if told not in versions:
            versions[told] = "; ".join(_version(request, one) for one in (told or "").split())
    return [versions[told] for told in wordings]


def _version(request: Request, fingerprint: str) -> str:
    found = request.study.wordings.by_fingerprint(fingerprint)
    if found is None:
        return "?"
    return found.version or found.kind


def changed(part: Part) -> list[int | None]:
    """Whether an approved correction changed an answer; None where nothing was submitted."""
    found = _submitted(part)
    for n, row in part.corrected():
        found[n] = int(any(one.kind == ANSWER for one in part.corrections(row)))
    return found


def voids(part: Part) -> list[int | None]:
    """Whether each is to be left out; None where nothing was submitted."""
    found = _submitted(part)
    for n, row in part.corrected():
        found[n] = int(bool(elsewhere(part, row)))
    return found


def _submitted(part: Part) -> list[int | None]:
    return [None if one is None else 0 for one in part.columns.get("submission_id", ())]


def elsewhere(part: Part, row: Row) -> dict[str, str]:
    """Where a submission belongs by its corrections, if not here. One that was taken back says
    nothing."""
    here = {"timepoint": f"{row.timepoint}/{row.occurrence}", "participant": row.participant}
    moved = {name: corrected.place(part.corrections(row), name) for name in here}
    return {name: place for name, place in moved.items() if place not in (None, here[name])}
