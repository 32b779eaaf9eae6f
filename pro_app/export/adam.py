"""ADaM: the questionnaires' scores as ADQS, in the basic data structure (BDS).

One row per parameter and assessment that has scores, also where a score is missing (AVAL empty,
AVREASND says why). Items are in SDTM QS alone. AVAL is not rounded. Nothing is imputed: DTYPE is
always empty.

Baseline (ABLFL, BASE) is a parameter's last score on or before the date of reference, see
`cdisc_visits`. CHG is there after it, and where both scores are of the same version of the
scoring. ANL01FL marks the rows for analyses by visit: submitted, with a score, at a visit that the
protocol places, and one for each AVISIT: of a visit that was repeated the one nearest to its due
day, of equally near ones the first. What closed half answered has scores, but no flag.
"""

from __future__ import annotations

import polars as pl

from pro_app.export.cdisc import KEY, Batch, Source, dataset
from pro_app.export.cdisc_terms import Parameter, frame, parameters
from pro_app.export.cdisc_visits import visits
from pro_app.export.sdtm import newest_scores
from pro_app.export.table import Column, Table

KEYS = ("STUDYID", "USUBJID", "PARAMCD", "VISITNUM")
COLUMNS = (
    Column("STUDYID", "text", "Study Identifier"),
    Column("USUBJID", "text", "Unique Subject Identifier"),
    Column("SITEID", "text", "Study Site Identifier"),
    Column("PARAMCD", "text", "Parameter Code"),
    Column("PARAM", "text", "Parameter"),
    Column("PARAMN", "integer", "Parameter (N)"),
    Column("PARCAT1", "text", "Parameter Category 1"),
    Column("VISITNUM", "number", "Visit Number"),
    Column("VISIT", "text", "Visit Name"),
    Column("AVISIT", "text", "Analysis Visit"),
    Column("AVISITN", "number", "Analysis Visit (N)"),
    Column("ADT", "day", "Analysis Date"),
    Column("ADY", "integer", "Analysis Relative Day"),
    Column("AVAL", "number", "Analysis Value"),
    Column("BASE", "number", "Baseline Value"),
    Column("CHG", "number", "Change from Baseline"),
    Column("ABLFL", "text", "Baseline Record Flag"),
    Column("ANL01FL", "text", "Analysis Flag 01"),
    Column("DTYPE", "text", "Derivation Type"),
    Column("NITEMANS", "integer", "Number of Items Answered"),
    Column("NITEMS", "integer", "Number of Items"),
    Column("AVREASND", "text", "Reason Analysis Value Is Missing"),
    Column("SCALGO", "text", "Scoring Algorithm and Version"),
    Column("SCBASIS", "text", "Basis of the Score"),
    Column("MODE", "text", "Mode of Administration"),
    Column("LANGUAGE", "text", "Languages of Administration"),
    Column("LATEFL", "text", "Submitted After Window Closed Flag"),
    Column("CORRFL", "text", "Corrected Answers Flag"),
)
TITLES = ("Questionnaires Analysis", "Analysis of QS")
REASONS = {
    "too_few_answered": "TOO FEW ITEMS ANSWERED",
    "needs_all_scales": "A SCALE IT NEEDS IS MISSING",
}
PERSON = ("USUBJID", "PARAMCD")


def adqs(source: Source) -> Table:
    """The dataset ADQS: by participant, parameter and opening of the questionnaire."""
    known = frame(parameters(source), Parameter)

    def rows(batch: Batch) -> pl.DataFrame:
        found = _values(batch, visits(source, batch), known)
        flagged = found.with_columns(
            _flag(_baseline()).alias("ABLFL"), _flag(_analysed()).alias("ANL01FL")
        )
        study = pl.lit(source.definition.code).alias("STUDYID")
        return _changes(flagged).with_columns(study, pl.lit(None, pl.String).alias("DTYPE"))

    return dataset(source, "ADQS", TITLES, COLUMNS, rows)


def _values(batch: Batch, found: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The scores of a batch with their visits, in order."""
    own = found.select(
        *KEY, "place", "USUBJID", "SITEID", "VISITNUM", "VISIT", "AVISIT", "AVISITN", "placed",
        "before", "moment", "days_off", "mode", "languages", pl.col("late").alias("was_late"),
        pl.col("on").alias("ADT"), pl.col("dy").alias("ADY"),
    )  # fmt: skip
    scores = newest_scores(batch).join(own, on=KEY, maintain_order="left")
    rows = scores.join(known, on=["instrument", "scoring", "scale", "column"])
    first = pl.col("place").min().over("USUBJID")  # keeps the participants' order
    rows = rows.with_columns(first.alias("person")).sort("person", "PARAMN", "place")
    return rows.with_columns(
        pl.col("result").alias("AVAL"),
        pl.col("answered").alias("NITEMANS"),
        pl.col("items").alias("NITEMS"),
        pl.when(pl.col("result").is_null())
        .then(pl.col("reason").replace_strict(REASONS, default=pl.col("reason")))
        .alias("AVREASND"),
        pl.col("algorithm").alias("SCALGO"),
        pl.col("basis").str.to_uppercase().alias("SCBASIS"),
        pl.col("mode").alias("MODE"),
        pl.col("languages").alias("LANGUAGE"),
        _flag(pl.col("was_late") == 1).alias("LATEFL"),
        _flag(pl.col("correction").is_not_null()).alias("CORRFL"),
    )


def _flag(when: pl.Expr) -> pl.Expr:
    return pl.when(when.fill_null(False)).then(pl.lit("Y"))


def _counts() -> pl.Expr:
    """Whether a row is a score of a submission."""
    return pl.col("result").is_not_null() & (pl.col("basis") == "submission")


def _baseline() -> pl.Expr:
    """The last score of a parameter before the reference."""
    counts = _counts() & pl.col("before")
    newest = pl.col("moment").filter(counts).max().over(PERSON)
    last = counts & (pl.col("moment") == newest)
    return last & (pl.col("place") == pl.col("place").filter(last).max().over(PERSON))


def _analysed() -> pl.Expr:
    """One score of a parameter at each visit that the protocol places."""
    visit = (*PERSON, "AVISIT")
    counts = _counts() & pl.col("placed").is_not_null()
    far = pl.col("days_off").abs().fill_null(10_000_000)  # opened by hand: after all others
    nearest = counts & (far == far.filter(counts).min().over(visit))
    first_moment = pl.col("moment").filter(nearest).min().over(visit)
    first = nearest & pl.col("moment").eq_missing(first_moment)  # by study days there may be none
    return first & (pl.col("place") == pl.col("place").filter(first).min().over(visit))


def _changes(found: pl.DataFrame) -> pl.DataFrame:
    """The rows with BASE and CHG."""
    is_base = pl.col("ABLFL") == "Y"

    def at_base(name: str) -> pl.Expr:
        return pl.col(name).filter(is_base).first().over(PERSON)

    same = pl.col("algorithm") == at_base("algorithm")
    after = (pl.col("moment") > at_base("moment")) | (
        (pl.col("moment") == at_base("moment")) & (pl.col("place") > at_base("place"))
    )
    base = pl.when(same).then(at_base("AVAL"))
    return found.with_columns(
        base.alias("BASE"), pl.when(after).then(pl.col("AVAL") - base).alias("CHG")
    )
