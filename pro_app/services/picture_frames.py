"""From the tables of an export to the narrow columns that pictures are computed from.

One frame for each instrument, a row for each assessment, with whatever the pictures ask of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from pro_app.core.assessment import Status
from pro_app.core.baseline import Baseline, baseline
from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.study import LANGUAGES
from pro_app.export.table import Table
from pro_app.models.assessment import MISSED_CODES
from pro_app.services.rates import Visit
from pro_app.services.studies import CurrentStudy

SEVERAL = "several"  # languages in one questionnaire
STATUS = pl.Enum([one.value for one in Status])
MISSED = pl.Enum(["partial", "not_started", "not_offered"])
ENDED = pl.Enum(["cancelled", "died", "withdrawn", "no_wording"])
TOLD = pl.Enum(MISSED_CODES)
LANGUAGE = pl.Enum([*LANGUAGES, SEVERAL])
KEY = ["person", "timepoint", "occurrence"]
# of what is asked for by name: a table of all instruments, or of one
Read = Callable[[str, str | None], Table]


@dataclass(frozen=True, slots=True)
class Frames:
    """A study in columns, as it was at `as_of`.

    `people` has a row for each participant: `participant`, `site`, `language`, `withdrawn_on`,
    `died_on`; a `person` is its row. `rows` has by instrument a row for each assessment: `person`,
    `visit` (its place in `visits`, which are in the protocol's order), `site` and `language` (those
    of the person), `status`, `missed` and `told` (why, by the record and as the site knows),
    `ended` (why it is not expected), `opened`, `due` (day in the study's zone), `void`, `counts`
    (submitted, and not void), `base` (the row of the baseline that this one is compared with), and
    of what counts `read_in` (the language of its answers), the scores as `SCORING_SCALE` and the
    items' codes. `until` is when time alone changes a status.
    """

    as_of: datetime
    until: datetime | None
    visits: tuple[Visit, ...]
    people: pl.DataFrame
    rows: Mapping[str, pl.LazyFrame]


def collect(
    study: CurrentStudy,
    library: Library,
    now: datetime,
    read: Read,
    scored: Collection[str] | None = None,
    answers: bool = True,
) -> Frames:
    """The frames of what the tables say; `read` gives a table by name and instrument.

    Reading scores and answers takes the longest: they are there for the instruments in `scored`
    alone, where that is given, and items and `read_in` only with `answers`.
    """
    now = now.astimezone(UTC)
    people = _people(read("participants", None))
    anchors = [name for name in people.columns if name.startswith("anchor_")]
    index = people.select("participant", "person", "site", "language", *anchors)
    asked = _assessments(study, read("assessments", None), index, now)
    seen = [Visit(*pair) for pair in asked.select("timepoint", "occurrence").unique().iter_rows()]
    order = [one.code for one in study.definition.timepoints]
    visits = tuple(sorted(seen, key=lambda one: _place(order, one)))
    rows = {}
    for entry in study.instruments:
        instrument = library.instruments[entry.code]
        own = asked.filter(pl.col("instrument") == entry.code).drop("instrument")
        wide = own
        if scored is None or entry.code in scored:
            told = _scores(instrument, entry.scorings, read("scores", entry.code), index)
            wide = wide.join(told, on=KEY, how="left")
            if answers:
                told = _answers(instrument, read("answers", entry.code), index)
                wide = wide.join(told, on=KEY, how="left")
        rule = baseline(study.definition, entry.code)
        rows[entry.code] = _finished(_only_what_counts(wide), visits, rule).lazy()
    until = _next_change(asked, study, now)
    kept = people.drop("person", *anchors)
    return Frames(now, until, visits, kept, rows)


def _place(order: list[str], visit: Visit) -> tuple[int, Visit]:
    """In the protocol's order; what it names no more comes last."""
    named = visit.timepoint in order
    return (order.index(visit.timepoint) if named else len(order)), visit


def _chunks(table: Table, columns: Iterable[pl.Expr]) -> pl.DataFrame:
    """The columns of all frames of a table."""
    wanted = list(columns)
    found = [frame.select(wanted) for frame in (table.empty(), *table.frames())]
    return pl.concat(found, rechunk=True)


def _people(table: Table) -> pl.DataFrame:
    there = [one.name for one in table.columns if one.name.startswith("anchor_")]
    columns = ["participant", "site", "language", "withdrawn_on", "died_on", *there]
    found = _chunks(table, [pl.col(name) for name in columns])
    sites = sorted(found["site"].unique().drop_nulls().to_list())
    return found.with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("person"),
        pl.col("site").cast(pl.Enum(sites)),
        pl.col("language").cast(LANGUAGE),
    )


def _assessments(
    study: CurrentStudy, table: Table, index: pl.DataFrame, now: datetime
) -> pl.DataFrame:
    """Every assessment; `due_at`, `closes_at` and the like stay until the rows are finished."""
    zone = study.definition.zone.key
    found = _chunks(
        table,
        [
            pl.col("participant", "timepoint", "instrument"),
            pl.col("occurrence").cast(pl.Int32),
            pl.col("status").cast(STATUS),
            pl.col("missed_reason").cast(MISSED).alias("missed"),
            pl.col("missed_code").cast(TOLD).alias("told"),
            pl.col("not_expected_reason").cast(ENDED).alias("ended"),
            pl.col("opens_at", "closes_at", "completed_at"),
            (pl.col("opens_at") <= now).alias("opened"),
            pl.col("due_at").dt.convert_time_zone(zone).dt.date().alias("due"),
            pl.col("completed_at").dt.convert_time_zone(zone).dt.date().alias("done"),
            (pl.col("void").fill_null(0) == 1).alias("void"),
        ],
    )
    submitted = pl.col("status").cast(pl.String).is_in(["completed", "completed_late"])
    return found.join(index, on="participant", how="inner", maintain_order="left").select(
        pl.exclude("participant"), (submitted & ~pl.col("void")).alias("counts")
    )


def _scores(
    instrument: Instrument, scorings: Iterable[str], table: Table, index: pl.DataFrame
) -> pl.DataFrame:
    there = {one.name for one in table.columns}
    names = [
        f"{scoring}_{scale}"
        for scoring in scorings
        for scale in instrument.scorings[scoring].outputs()
    ]
    return _keyed(table, index, [pl.col(name) for name in names if name in there])


def _answers(instrument: Instrument, table: Table, index: pl.DataFrame) -> pl.DataFrame:
    """The items' codes, and the one language they were read in."""
    there = {one.name for one in table.columns}
    codes = []
    for item in instrument.items:
        own = f"{item.code}_{instrument.code}"
        name = own if own in there else item.code
        codes.append(pl.col(name).cast(pl.Int8).alias(item.code))
    languages = pl.col("languages").str.split(" ")
    read_in = pl.when(languages.list.len() == 1).then(languages.list.first()).otherwise(
        pl.when(pl.col("languages").is_not_null()).then(pl.lit(SEVERAL))
    )  # fmt: skip
    return _keyed(table, index, [read_in.cast(LANGUAGE).alias("read_in"), *codes])


def _keyed(table: Table, index: pl.DataFrame, columns: list[pl.Expr]) -> pl.DataFrame:
    people = index.select("participant", "person")
    key = [pl.col("participant", "timepoint"), pl.col("occurrence").cast(pl.Int32)]
    parts = [
        frame.select(*key, *columns).join(people, on="participant", how="inner").drop("participant")
        for frame in (table.empty(), *table.frames())
    ]
    return pl.concat(parts, rechunk=True)


FACTS = [
    "instrument", "status", "missed", "told", "ended", "opened", "opens_at", "closes_at",
    "completed_at", "due", "done", "void", "counts", "site", "language",
]  # fmt: skip


def _only_what_counts(wide: pl.DataFrame) -> pl.DataFrame:
    """Without the scores and answers of what was not submitted, or is void."""
    kept = {*KEY, *FACTS, *(name for name in wide.columns if name.startswith("anchor_"))}
    told = [name for name in wide.columns if name not in kept]
    return wide.with_columns(pl.when(pl.col("counts")).then(pl.col(name)) for name in told)


def _finished(wide: pl.DataFrame, visits: tuple[Visit, ...], rule: Baseline) -> pl.DataFrame:
    """The rows in their order, each with its visit's place and its baseline."""
    places = pl.DataFrame(
        [(*one, n) for n, one in enumerate(visits)],
        schema={"timepoint": pl.String, "occurrence": pl.Int32, "visit": pl.UInt16},
        orient="row",
    )
    placed = wide.join(places, on=["timepoint", "occurrence"], how="left").sort("visit", "person")
    numbered = placed.with_row_index("row")
    found = _baselines(numbered, rule)
    same = pl.col("due") == pl.col("base_due")
    later = (pl.col("due") > pl.col("base_due")) | (
        same & (pl.col("completed_at") > pl.col("base_completed"))
    )
    joined = numbered.join(found, on="person", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("counts") & later).then(pl.col("base")).alias("base")
    )
    extra = {"row", "timepoint", "occurrence", "opens_at", "closes_at", "completed_at", "done",
             "base_due", "base_completed"}  # fmt: skip
    anchors = {name for name in joined.columns if name.startswith("anchor_")}
    return joined.drop(*extra, *anchors)


def _baselines(rows: pl.DataFrame, rule: Baseline) -> pl.DataFrame:
    """By person the row of the baseline, with when it was due and completed."""
    if rule.visit is not None:
        fits = (pl.col("timepoint") == rule.visit) & (pl.col("occurrence") == 1)
    else:
        day = pl.col(f"anchor_{rule.anchor.replace('-', '_')}")
        fits = (pl.col("due") <= day) & (pl.col("done") <= day)
    return (
        rows.filter(pl.col("counts") & fits)
        .sort("person", "due", "completed_at")
        .group_by("person", maintain_order=True)
        .last()
        .select(
            "person",
            pl.col("row").alias("base"),
            pl.col("due").alias("base_due"),
            pl.col("completed_at").alias("base_completed"),
        )
    )


def _next_change(asked: pl.DataFrame, study: CurrentStudy, now: datetime) -> datetime | None:
    """The next opening, closing or end of a grace time of what was not submitted."""
    waiting = asked.filter(pl.col("completed_at").is_null())
    grace = pl.lit(study.definition.grace)
    moments = waiting.select(
        pl.concat_list("opens_at", "closes_at", pl.col("closes_at") + grace).explode().alias("at")
    ).filter(pl.col("at") > now)
    found = moments["at"].min()
    return found if isinstance(found, datetime) else None
