"""The participants of a study by number, with the days that their calendars count from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.schedule import ENROLMENT
from pro_app.export.table import Column, Table
from pro_app.models import Participant, Site
from pro_app.services.schedule import anchors_of
from pro_app.services.tables import labels
from pro_app.services.tables.request import Request, chunked, frame


def participants(session: Session, request: Request) -> Table:
    """One row per participant, by number."""
    _, definition = request.words, request.study.definition
    date_of, names = _("date"), {ENROLMENT: _("Enrolment")}
    anchors = {
        one.code: Column(
            f"anchor_{one.code.replace('-', '_')}",
            "day",
            f"{date_of}: {names.get(one.code) or one.labels.get(request.language, one.code)}",
        )
        for one in definition.anchors
    }
    withdrew = {
        "questionnaires": _("from the questionnaires"),
        "study": _("from the study"),
    }
    columns = (
        *labels.key(request)[:3],
        Column("language", "text", _("language that the participant reads now")),
        Column("enrolled_on", "day", _("day of enrolment")),
        *anchors.values(),
        Column("consent_version", "text", _("version of the consent")),
        Column("consent_on", "day", _("day of the consent")),
        Column("withdrawn_on", "day", _("day of the withdrawal")),
        Column("withdrew_from", "text", _("what was withdrawn from"), withdrew),
        Column("died_on", "day", _("day of death")),
    )

    def frames() -> Iterator[pl.DataFrame]:
        for rows in chunked(session, _people(request)):
            yield _frame(session, request, columns, anchors, rows)

    return request.table("participants", _("Participants"), columns, frames)


def _people(request: Request) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            Participant.id,
            Site.code.label("site"),
            Participant.number,
            Participant.language,
            Participant.created_at,
            Participant.consent_version,
            Participant.consent_on,
            Participant.withdrawn_at,
            Participant.withdrew_from,
            Participant.died_at,
        )
        .join(Site, Site.id == Participant.site_id)
        .where(*request.among())
        .order_by(Participant.number)
    )


def _frame(
    session: Session,
    request: Request,
    columns: tuple[Column, ...],
    anchors: dict[str, Column],
    rows: Sequence[Any],
) -> pl.DataFrame:
    zone = request.study.definition.zone
    days = anchors_of(session, [person.id for person in rows])
    told: list[dict[str, object]] = []
    for person in rows:
        own = days.get(person.id, {})
        created = person.created_at.astimezone(zone).date()
        told.append(
            {
                "study": request.study.definition.code,
                "site": person.site,
                "participant": person.number,
                "language": person.language,
                "enrolled_on": own.get(ENROLMENT, created),
                **{column.name: own.get(code) for code, column in anchors.items()},
                "consent_version": person.consent_version,
                "consent_on": person.consent_on,
                "withdrawn_on": person.withdrawn_at and person.withdrawn_at.astimezone(zone).date(),
                "withdrew_from": person.withdrew_from,
                "died_on": person.died_at and person.died_at.astimezone(zone).date(),
            }
        )
    return frame(columns, {one.name: [row[one.name] for row in told] for one in columns})
