"""SDTM: SUPPQS, which says of the values in QS where they come from.

What is the same for a whole questionnaire stands once, by QSGRPID; what is of one value, by QSSEQ.
A list that is too long for one value goes on under the name with 1, 2 and so on behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pro_app.export.cdisc import Batch, Source, dataset
from pro_app.export.cdisc_terms import terms
from pro_app.export.cdisc_visits import visits
from pro_app.export.sdtm import MISSED, records
from pro_app.export.table import Column, Table

KEYS = ("STUDYID", "RDOMAIN", "USUBJID", "IDVAR", "IDVARVAL", "QNAM")
COLUMNS = (
    Column("STUDYID", "text", "Study Identifier"),
    Column("RDOMAIN", "text", "Related Domain Abbreviation"),
    Column("USUBJID", "text", "Unique Subject Identifier"),
    Column("IDVAR", "text", "Identifying Variable"),
    Column("IDVARVAL", "text", "Identifying Variable Value"),
    Column("QNAM", "text", "Qualifier Variable Name"),
    Column("QLABEL", "text", "Qualifier Variable Label"),
    Column("QVAL", "text", "Data Value"),
    Column("QORIG", "text", "Origin"),
    Column("QEVAL", "text", "Evaluator"),
)
TITLES = ("Supplemental Qualifiers for QS", "Qualifiers for QS")
TOGETHER = 3  # members of a list in one value, which may have 200 characters: fingerprints have 64
COLLECTED, ASSIGNED, DERIVED = "Collected", "Assigned", "Derived"


@dataclass(frozen=True, slots=True)
class Qualifier:
    """A name and label of SUPPQS, where the value comes from, and how it is made of a row."""

    name: str
    label: str
    origin: str
    value: pl.Expr


def _yes(when: pl.Expr) -> pl.Expr:
    return pl.when(when).then(pl.lit("Y"))


_UNFINISHED = (pl.col("status") == "missed") & pl.col("given").is_not_null()
_WHY = pl.col("missed_code").replace_strict(MISSED, default=None)
OF_QUESTIONNAIRE = (
    Qualifier("QSTIMEPT", "Timepoint of the Protocol", ASSIGNED, pl.col("timepoint")),
    Qualifier("QSOCCNUM", "Occurrence of the Timepoint", ASSIGNED,
              pl.col("occurrence").cast(pl.String)),
    Qualifier("QSMODE", "Mode of Administration", COLLECTED, pl.col("mode")),
    Qualifier("QSLANG", "Languages of Administration", COLLECTED, pl.col("languages")),
    Qualifier("QSWORD", "Fingerprints of the Wordings", ASSIGNED, pl.col("wordings")),
    Qualifier("QSDEMO", "Demonstration Wording, Not Validated", ASSIGNED,
              _yes(pl.col("demonstration") == 1)),
    Qualifier("QSLATE", "Submitted After the Window Closed", DERIVED, _yes(pl.col("late") == 1)),
    Qualifier("QSPART", "Answers Never Submitted", DERIVED,
              _yes(pl.col("given").is_not_null()
                   & ~pl.col("status").is_in(["completed", "completed_late"]))),
    Qualifier("QSMISRSN", "Reason Questionnaire Was Not Finished", COLLECTED,
              pl.when(_UNFINISHED).then(_WHY)),
    Qualifier("QSALGO", "Scoring Algorithm and Version", ASSIGNED, pl.col("algorithm")),
)  # fmt: skip
OF_VALUE = (
    Qualifier("QSOLDRES", "Result Before Correction", COLLECTED, pl.col("was")),
    Qualifier("QSCORR", "Identifiers of the Corrections", ASSIGNED, pl.col("corrections")),
)
LISTS = ("QSWORD", "QSCORR")


def suppqs(source: Source) -> Table:
    """The supplemental qualifiers of QS, in its order."""
    terms(source)  # what cannot be named is refused before the first row

    def rows(batch: Batch) -> pl.DataFrame:
        seen = visits(source, batch)
        found = records(source, batch, seen)
        together = pl.concat([_of_questionnaires(found, seen), _of_values(found)])
        together = _continued(together.sort("place", "category_n", "at", "n", maintain_order=True))
        named = {"STUDYID": source.definition.code, "RDOMAIN": "QS"}
        return together.with_columns(
            *(pl.lit(value).alias(key) for key, value in named.items()),
            pl.lit(None, pl.String).alias("QEVAL"),
        )

    return dataset(source, "SUPPQS", TITLES, COLUMNS, rows)


def _of_questionnaires(found: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    groups = found.group_by("place", "category_n", "QSGRPID", maintain_order=True).agg(
        pl.lit(0, pl.Int64).alias("at"), pl.col("algorithm").drop_nulls().first()
    )
    rows = groups.join(seen, on="place", maintain_order="left")
    return _told(rows, OF_QUESTIONNAIRE, "QSGRPID")


def _of_values(found: pl.DataFrame) -> pl.DataFrame:
    changed = found.filter(pl.col("was").is_not_null())
    return _told(changed.with_columns(pl.col("QSSEQ").alias("at")), OF_VALUE, "QSSEQ")


def _told(rows: pl.DataFrame, qualifiers: tuple[Qualifier, ...], by: str) -> pl.DataFrame:
    """A row for each qualifier that a row has; `at` and `n` give their order."""
    parts = [
        rows.select(
            "place", "category_n", "at",
            pl.lit(n, pl.Int64).alias("n"),
            "USUBJID",
            pl.lit(by).alias("IDVAR"),
            pl.col(by).cast(pl.String).alias("IDVARVAL"),
            pl.lit(one.name).alias("QNAM"),
            pl.lit(one.label).alias("QLABEL"),
            one.value.alias("QVAL"),
            pl.lit(one.origin).alias("QORIG"),
        )
        for n, one in enumerate(qualifiers, 1)
    ]  # fmt: skip
    return pl.concat(parts).filter(pl.col("QVAL").is_not_null() & (pl.col("QVAL") != ""))


def _continued(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with long lists told in several."""
    members = pl.when(pl.col("QNAM").is_in(LISTS)).then(pl.col("QVAL").str.split(" "))
    rows = rows.with_columns(
        pl.coalesce(members, pl.concat_list("QVAL")).alias("member")
    ).with_row_index("row")
    long = rows.explode("member").with_columns(
        (pl.int_range(pl.len()).over("row") // TOGETHER).alias("part")
    )
    kept = [one for one in rows.columns if one not in ("row", "QVAL", "member")]
    told = long.group_by("row", "part", maintain_order=True).agg(
        *(pl.col(one).first() for one in kept), pl.col("member").str.join(" ").alias("QVAL")
    )
    number = pl.when(pl.col("part") > 0).then(pl.col("part").cast(pl.String)).otherwise(pl.lit(""))
    return told.with_columns(pl.concat_str("QNAM", number).alias("QNAM"))
