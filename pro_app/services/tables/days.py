"""Study days in place of dates, so that no date leaves.

CDISC's rule: on or after the day of reference the difference and 1, before it the difference;
there is no day 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.export.table import Column, Table
from pro_app.models import AnchorDate, Participant
from pro_app.services import studies
from pro_app.services.tables.request import Request, TablesError

# texts that hold moments or may hold dates
TEXTS = {"device_time", "reason", "evidence", "confirmation", "comment"}
REFERENCE = "reference_day__"


def counted(session: Session, table: Table, request: Request) -> Table:
    """The table with study days for moments and days. Raises TablesError for the trail, whose
    entries tell dates in words."""
    if table.name == "audit":
        raise TablesError("the record tells dates in words: it cannot be had by study days")
    columns = tuple(_column(one, request) for one in table.columns if not _is_text(one, table))

    def frames() -> Iterator[pl.DataFrame]:
        reference = _reference(session, request)
        for frame in table.frames():
            joined = frame.join(reference, on="participant", how="left", maintain_order="left")
            yield joined.select(
                _expression(one, table.zone) for one in table.columns if not _is_text(one, table)
            )

    return Table(
        table.name, table.title, table.study, table.language, table.zone, columns, frames,
        table.notes, table.words,
    )  # fmt: skip


def _is_text(column: Column, table: Table) -> bool:
    """Whether a column is left out because it may tell a date in words."""
    return column.name == "device_time" or (table.name == "corrections" and column.name in TEXTS)


def name(column: str) -> str:
    """The name of the study day of a moment or day."""
    for ending in ("_at", "_on"):
        if column.endswith(ending):
            return f"{column.removesuffix(ending)}_day"
    return f"{column}_day"


def _column(column: Column, request: Request) -> Column:
    if column.kind not in ("moment", "day"):
        return column
    _ = request.words
    study_day = _("study day")
    label = f"{column.label} ({study_day})"
    return Column(name(column.name), "integer", label, group=column.group)


def _expression(column: Column, zone: str) -> pl.Expr:
    if column.kind not in ("moment", "day"):
        return pl.col(column.name)
    day = pl.col(column.name)
    if column.kind == "moment":
        day = day.dt.convert_time_zone(zone).dt.date()
    apart = (day - pl.col(REFERENCE)).dt.total_days()
    return pl.when(apart >= 0).then(apart + 1).otherwise(apart).alias(name(column.name))


def _reference(session: Session, request: Request) -> pl.DataFrame:
    rows = session.execute(
        sa.select(Participant.number, AnchorDate.day)
        .join(Participant, Participant.id == AnchorDate.participant_id)
        .where(studies.counted(request.study), AnchorDate.anchor == request.days_from)
    ).all()
    schema = {"participant": pl.String(), REFERENCE: pl.Date()}
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")
