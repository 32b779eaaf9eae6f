"""What happened beside the answers: reminders, corrections, and the trail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.export.table import Column, Kind, Table
from pro_app.models import AuditEntry, Participant, Site
from pro_app.services import correction_log, reminder_log
from pro_app.services.tables import labels
from pro_app.services.tables.request import Request, chunked, frame

KINDS: Mapping[str, Kind] = {
    "occurrence": "integer", "attempts": "integer", "message": "integer",
    "planned_for": "moment", "due_at": "moment", "sent_at": "moment", "shown_at": "moment",
    "opened_at": "moment", "requested_at": "moment", "decided_at": "moment",
    "confirmed_on": "day",
}  # fmt: skip


def reminders(session: Session, request: Request) -> Table:
    """One row per planned message, with what became of it."""
    _ = request.words
    title = _("Reminders")
    return _log(session, request, "reminders", title, reminder_log)


def corrections(session: Session, request: Request) -> Table:
    """One row per correction, whatever became of it, with its signature."""
    _ = request.words
    return _log(session, request, "corrections", _("Corrections"), correction_log)


def _log(session: Session, request: Request, name: str, title: str, log: Any) -> Table:
    keys = {one.name: one for one in labels.key(request)}
    meanings: Mapping[str, str] = log.meanings(request.words)
    codes: Mapping[str, Mapping[str, str]] = log.codes(request.words)
    columns = tuple(
        keys.get(column)
        or Column(column, KINDS.get(column, "text"), meaning, codes.get(column, {}))
        for column, meaning in meanings.items()
    )

    def frames() -> Iterator[pl.DataFrame]:
        conditions = request.of_assessments()
        for rows in log.chunks(session, request.study, conditions):
            yield frame(columns, {one.name: [row[one.name] for row in rows] for one in columns})

    return request.table(name, title, columns, frames)


def audit_entries(session: Session, request: Request) -> Table:
    """The trail of the participants' streams, each in its order, without the study's own."""
    _, plain = request.words, labels.plain
    columns = (
        plain("stream", _("whose trail it is")),
        plain("seq", _("place in it, from 1"), "integer"),
        plain("participant", _("study number")),
        plain("at", _("when; server clock"), "moment"),
        plain("actor", _("who")),
        plain("action", _("what was done")),
        plain("object", _("to what")),
        plain("field", _("to which field of it")),
        plain("old", _("what was there before")),
        plain("new", _("what is there now")),
        plain("detail", _("more, as JSON")),
        plain("hash", _("SHA-256 over the entry and the one before it")),
    )

    def frames() -> Iterator[pl.DataFrame]:
        for rows in chunked(session, _entries(request)):
            told = [_told(row) for row in rows]
            yield frame(columns, {one.name: [row[one.name] for row in told] for one in columns})

    return request.table("audit", _("Record"), columns, frames)


def _entries(request: Request) -> sa.Select[*tuple[Any, ...]]:
    stream = sa.literal("participant/") + sa.cast(Participant.id, sa.String)
    return (
        sa.select(Participant.number.label("participant"), *AuditEntry.__table__.c)
        .join(Participant, AuditEntry.stream == stream)
        .join(Site, Site.id == Participant.site_id)
        .where(*request.among())
        .order_by(Participant.number, AuditEntry.seq)
    )


def _told(row: Any) -> dict[str, Any]:
    told = dict(row._mapping)
    detail = told["detail"]
    told["detail"] = json.dumps(detail, ensure_ascii=False, sort_keys=True) if detail else None
    return told
