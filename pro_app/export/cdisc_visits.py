"""The visits of CDISC's datasets: their numbers, names and study days.

A visit is a timepoint and its occurrence. VISITNUM is the timepoint's place in the protocol, with
thousandths for occurrences after the first (8, 8.001, 8.002). What the protocol does not place (a
timepoint opened by hand, or one of an earlier version) gets a participant's own number after the
last visit that was due by the day of its opening: 3.501, 3.502. In a protocol without a calendar
every timepoint has its place.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from pro_app.core.schedule import ENROLMENT, Timepoint
from pro_app.export.cdisc import KEY, Batch, Source
from pro_app.export.table import TableError

VISIT = ("participant", "timepoint", "occurrence")
OVER = ("completed", "completed_late", "missed", "not_expected")  # nothing more is to come
STEPS = 1_000  # of VISITNUM between two timepoints
UNPLACED = 500  # the step after which the numbers of visits begin that the protocol does not place


def visits(source: Source, batch: Batch) -> pl.DataFrame:
    """The assessments of a batch that are over, with their visit, in the table's order.

    Besides the table's columns: those of `people`; `place` in the order; `given`, how many rows of
    items there are; VISITNUM, VISIT, AVISIT, AVISITN; `on` (date), `dtc` (ISO 8601 with the zone's
    offset), `dy` (study day), all null without an answer; `moment`, to order by; `before`, whether
    it counts as before the reference. Left out are submissions that a correction calls void.
    """
    found = batch.assessments.with_row_index("place").join(
        batch.people, on="participant", maintain_order="left"
    )
    found = _timed(source, _numbered(source, found), batch.answers)
    over = pl.col("status").is_in(OVER) & (pl.col("void").fill_null(0) == 0)
    return found.filter(over)


def study_day(apart: pl.Expr) -> pl.Expr:
    """CDISC's study day of a distance in days: on or after the day of reference one more, so that
    there is no day 0."""
    return pl.when(apart >= 0).then(apart + 1).otherwise(apart)


def _timed(source: Source, found: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """When an assessment was answered: what was never submitted, at its last tap."""
    tapped, completed = (
        ("tapped_at", "completed_at") if source.dated else ("tapped_day", "completed_day")
    )
    last = answers.group_by(KEY).agg(pl.col(tapped).max().alias("last"), pl.len().alias("given"))
    found = found.join(last, on=KEY, how="left", maintain_order="left").with_columns(
        pl.coalesce(completed, "last").alias("at")
    )
    if source.dated:
        local = pl.col("at").dt.convert_time_zone(str(source.definition.zone))
        apart = (local.dt.date() - pl.col("reference")).dt.total_days()
        on, dtc, dy = local.dt.date(), local.dt.strftime("%Y-%m-%dT%H:%M:%S%:z"), study_day(apart)
    else:
        on, dtc, dy = pl.lit(None, pl.Date), pl.lit(None, pl.String), pl.col("at")
    found = found.with_columns(
        on.alias("on"),
        dtc.alias("dtc"),
        dy.alias("dy"),
        pl.col("at").cast(pl.Int64).alias("moment"),
    )
    day = pl.col("dy")
    before = (day < 0) | ((day == 1) & pl.col("same_day"))
    return found.with_columns(before.fill_null(False).alias("before"))


def _numbered(source: Source, found: pl.DataFrame) -> pl.DataFrame:
    """The assessments with the numbers and names of their visits."""
    pairs = found.select("timepoint", "occurrence").unique(maintain_order=True)
    names = pl.DataFrame(
        [_named(source, *pair) for pair in pairs.iter_rows()], schema=_NAMED, orient="row"
    )
    found = found.join(names, on=["timepoint", "occurrence"], how="left", maintain_order="left")
    found = found.join(_unplaced(source, found), on=VISIT, how="left", maintain_order="left")
    steps = pl.coalesce("placed", "own")
    step = (steps % STEPS).cast(pl.String).str.zfill(3)
    number = pl.concat_str((steps // STEPS).cast(pl.String), step, separator=".")
    shown = pl.concat_str("name", number, separator=" ")
    return found.with_columns(
        number.cast(pl.Float64).alias("VISITNUM"),  # of the text: a division is off by a bit
        pl.when(pl.col("placed").is_null()).then(shown).otherwise("name").alias("VISIT"),
    )


_NAMED = {
    "timepoint": pl.String(), "occurrence": pl.Int64(), "placed": pl.Int64(), "name": pl.String(),
    "AVISIT": pl.String(), "AVISITN": pl.Float64(), "same_day": pl.Boolean(),
}  # fmt: skip


def _named(source: Source, code: str, occurrence: int) -> tuple[object, ...]:
    """What the protocol says of a visit: the columns of _NAMED. Of a timepoint that it does not
    know any more, its code."""
    timepoints = source.definition.timepoints
    known = {one.code: (n, one) for n, one in enumerate(timepoints, 1)}
    if code not in known:
        return code, occurrence, None, code.upper(), code, None, False
    n, timepoint = known[code]
    language = next(one for one in ("en", *source.definition.languages) if one in timepoint.labels)
    label = timepoint.label(language, occurrence) or code
    repeated = timepoint.repeat is not None
    counted = repeated and "{count}" in timepoint.labels[language]
    shown = label if counted or occurrence == 1 else f"{label} ({occurrence})"
    again = n * STEPS + occurrence - 1
    calendar = any(one.anchor is not None for one in timepoints)
    placed = timepoint.anchor is not None or not calendar
    return (
        code, occurrence, again if placed else None, (shown if placed else label).upper(),
        shown if repeated else label, again / STEPS if repeated else float(n),
        _may_precede(timepoint, source.anchor),
    )  # fmt: skip


def _may_precede(timepoint: Timepoint, reference: str) -> bool:
    """Whether an answer of this visit on the day of reference counts as before it.

    Of that day only the date is known. It counts, unless the protocol counts the visit from the
    reference itself and places it on that day or later, without asking it before.
    """
    if reference in (ENROLMENT, timepoint.precedes) or timepoint.anchor != reference:
        return True
    day = date(2000, 1, 1)
    return next(timepoint.due_days(day), day) < day


def _unplaced(source: Source, found: pl.DataFrame) -> pl.DataFrame:
    """The numbers, in steps, of the visits that the protocol does not place."""
    opens, due = (
        (_local(source, name) if source.dated else pl.col(f"{name}_day"))
        for name in ("opens", "due")
    )
    dated = found.with_columns(opens.alias("opens_on"), due.alias("due_on"))
    loose = pl.col("placed").is_null()
    own = dated.filter(loose).group_by(VISIT).agg(pl.col("opens_on").min())
    placed = dated.filter(~loose).select("participant", "placed", "due_on")
    before = (
        own.join(placed, on="participant")
        .filter(pl.col("due_on") <= pl.col("opens_on"))
        .group_by(VISIT)
        .agg((pl.col("placed") // STEPS).max().alias("last_placed"))
    )
    own = own.join(before, on=VISIT, how="left").sort("participant", "opens_on", *VISIT[1:])
    n = pl.int_range(1, pl.len() + 1).over("participant")
    own = own.select(
        *VISIT,
        n.alias("n"),
        (pl.col("last_placed").fill_null(0) * STEPS + UNPLACED + n).alias("own"),
    )
    if not own.is_empty() and own.select(pl.col("n").max()).item() >= STEPS - UNPLACED:
        raise TableError("a participant has more unscheduled visits than can be numbered")
    return own.drop("n")


def _local(source: Source, name: str) -> pl.Expr:
    """The date of a moment by the study's clocks."""
    return pl.col(f"{name}_at").dt.convert_time_zone(str(source.definition.zone)).dt.date()
