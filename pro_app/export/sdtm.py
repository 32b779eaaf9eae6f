"""SDTM: the questionnaires' domain QS. `sdtm_supplement` makes its SUPPQS.

One record per item and category; a score has one where its category has a code for it (marked
QSDRVFL). QSORRES is the text of the option as it was read, in the wording in which it was
answered (its code, where that wording is not at hand any more); QSSTRESC and QSSTRESN are the
code. An item without an answer is NOT DONE with its reason, and a questionnaire without any is
one record QSALL of each category. Records are there of what is over: a questionnaire that is
half answered and still open has none yet, nor has one that is not expected and was not begun.
Values are those that count now; SUPPQS has what a correction replaced. A submission that a
correction calls void is left out, and nothing is put in the place where it belongs: the tables of
answers say where that is.

QSLOBXFL marks the last result of a test before the reference, see `cdisc_visits`. VISIT, QSTEST
and labels are English, results are in the participant's language.
"""

from __future__ import annotations

import polars as pl

from pro_app.export.cdisc import KEY, Batch, Source, dataset
from pro_app.export.cdisc_terms import Term, categories, frame, terms
from pro_app.export.cdisc_visits import visits
from pro_app.export.table import Column, Table

QS_KEYS = ("STUDYID", "USUBJID", "QSSEQ")
QS_COLUMNS = (
    Column("STUDYID", "text", "Study Identifier"),
    Column("DOMAIN", "text", "Domain Abbreviation"),
    Column("USUBJID", "text", "Unique Subject Identifier"),
    Column("QSSEQ", "integer", "Sequence Number"),
    Column("QSGRPID", "text", "Group ID"),
    Column("QSTESTCD", "text", "Question Short Name"),
    Column("QSTEST", "text", "Question Name"),
    Column("QSCAT", "text", "Category of Question"),
    Column("QSSCAT", "text", "Subcategory for Question"),
    Column("QSORRES", "text", "Finding in Original Units"),
    Column("QSSTRESC", "text", "Character Result/Finding in Std Format"),
    Column("QSSTRESN", "number", "Numeric Finding in Standard Units"),
    Column("QSSTAT", "text", "Completion Status"),
    Column("QSREASND", "text", "Reason Not Performed"),
    Column("QSLOBXFL", "text", "Last Observation Before Exposure Flag"),
    Column("QSDRVFL", "text", "Derived Flag"),
    Column("VISITNUM", "number", "Visit Number"),
    Column("VISIT", "text", "Visit Name"),
    Column("QSDTC", "text", "Date/Time of Finding"),
    Column("QSDY", "integer", "Study Day of Finding"),
    Column("QSEVLINT", "text", "Evaluation Interval"),
)
ABSENT = {  # QSREASND of an item
    "skipped": "LEFT UNANSWERED BY SUBJECT",
    "not_applicable": "NOT APPLICABLE",
    "not_reached": "NOT REACHED",
}
MISSED = {  # QSREASND of a questionnaire; what the site knows goes before what the record shows
    "too_ill": "TOO ILL",
    "refused": "REFUSED",
    "not_reached": "SUBJECT COULD NOT BE REACHED",
    "technical": "TECHNICAL PROBLEM",
    "site": "REASON OF THE SITE",
    "other": "OTHER",
    "not_started": "NOT STARTED",
    "not_offered": "NOT OFFERED",
    "partial": "NOT FINISHED",
}
UNANSWERED = "SUBMITTED WITHOUT ANSWERS"
NOT_DONE = pl.lit("NOT DONE")
ITEM, SCORE = 0, 1  # scores come after the items


def qs(source: Source) -> Table:
    """The domain QS: by participant, opening of the questionnaire, category, item and score."""
    terms(source)  # what cannot be named is refused before the first row

    def rows(batch: Batch) -> pl.DataFrame:
        named = {"STUDYID": source.definition.code, "DOMAIN": "QS"}
        found = records(source, batch, visits(source, batch))
        return found.with_columns(pl.lit(value).alias(key) for key, value in named.items())

    return dataset(source, "QS", ("Questionnaires", "Questionnaires"), QS_COLUMNS, rows)


def records(source: Source, batch: Batch, found: pl.DataFrame) -> pl.DataFrame:
    """The records of a batch's `visits` with the columns of QS, and behind them `was` (the result
    before a correction), `corrections` and `algorithm`, in order."""
    parts = [
        _items(source, batch, found), _scores(source, batch, found), _not_done(source, found)
    ]  # fmt: skip
    together = pl.concat(parts, how="diagonal").sort(
        "place", "category_n", "kind", "n", maintain_order=True
    )
    number = pl.int_range(1, pl.len() + 1).over("USUBJID")
    together = together.with_columns(number.alias("QSSEQ"))
    return together.with_columns(_last_before().alias("QSLOBXFL"))


def _last_before() -> pl.Expr:
    """Y on the last result of each test before the reference."""
    test = ("USUBJID", "QSTESTCD")
    counts = pl.col("before") & pl.col("QSORRES").is_not_null()
    newest = pl.col("moment").filter(counts).max().over(test)
    last = counts & (pl.col("moment") == newest)
    chosen = pl.col("QSSEQ") == pl.col("QSSEQ").filter(last).max().over(test)
    return pl.when(chosen.fill_null(False)).then(pl.lit("Y"))


def _of_visit(found: pl.DataFrame) -> pl.DataFrame:
    """What the records of an assessment have from it."""
    return found.select(
        *KEY, "place", "USUBJID", "VISITNUM", "VISIT", "before", "moment",
        pl.col("dtc").alias("QSDTC"), pl.col("dy").alias("QSDY"),
    )  # fmt: skip


def _group() -> pl.Expr:
    """QSGRPID: the records of one assessment in one category."""
    return pl.concat_str(
        "timepoint", pl.col("occurrence").cast(pl.String), "QSCAT", separator="/"
    ).alias("QSGRPID")


def _items(source: Source, batch: Batch, found: pl.DataFrame) -> pl.DataFrame:
    tests = frame([one for one in terms(source) if one.scoring is None], Term)
    given = batch.answers.rename({"n": "form_n"}).join(
        _of_visit(found), on=KEY, maintain_order="left"
    )
    given = given.join(
        tests, left_on=["instrument", "item"], right_on=["instrument", "subject"],
        maintain_order="left_right",
    ).join(
        _options(source), on=["instrument", "item", "wording", "code"], how="left",
        maintain_order="left",
    )  # fmt: skip
    answered = pl.col("state") == "answered"
    code = pl.when(answered).then("code")
    was = pl.coalesce(pl.col("original_code").cast(pl.String), "original_state")
    return given.with_columns(
        pl.lit(ITEM).alias("kind"),
        _group(),
        pl.coalesce(pl.when(answered).then("text"), code.cast(pl.String)).alias("QSORRES"),
        code.cast(pl.String).alias("QSSTRESC"),
        code.cast(pl.Float64).alias("QSSTRESN"),
        pl.when(~answered).then(NOT_DONE).alias("QSSTAT"),
        pl.col("state").replace_strict(ABSENT, default=None).alias("QSREASND"),
        pl.when(pl.col("corrections").is_not_null()).then(was).alias("was"),
    )


def _options(source: Source) -> pl.DataFrame:
    """The text of every option of every item, by the wording's fingerprint."""
    rows = [
        (instrument.code, item.code, wording.fingerprint, code, text)
        for instrument in (source.instruments[one.code] for one in source.asked)
        for wording in source.wordings
        if wording.instrument == instrument.code
        for item in instrument.items
        for code, text in wording.options[item.options.code].items()
    ]
    texts = dict.fromkeys(("instrument", "item", "wording"), pl.String())
    schema = {**texts, "code": pl.Int64(), "text": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def newest_scores(batch: Batch) -> pl.DataFrame:
    """The scores of a batch, of several versions of a scoring the newest, a row for the value and
    one for the norm-based value: `column`, `result`, and `first`, the one before a correction."""
    last = batch.scores.unique([*KEY, "scoring", "scale"], keep="last", maintain_order=True)
    columns = {"value": "original_value", "norm_based": "original_norm_based"}
    return pl.concat(
        last.with_columns(
            pl.lit(name).alias("column"), pl.col(name).alias("result"), pl.col(was).alias("first")
        )
        for name, was in columns.items()
    )


def _scores(source: Source, batch: Batch, found: pl.DataFrame) -> pl.DataFrame:
    """A record per score that is there; of a missing one the items tell enough."""
    tests = frame([one for one in terms(source) if one.scoring is not None], Term)
    scored = newest_scores(batch).filter(pl.col("result").is_not_null())
    scored = scored.join(_of_visit(found), on=KEY, maintain_order="left").join(
        tests, left_on=["instrument", "scoring", "scale", "column"],
        right_on=["instrument", "scoring", "subject", "column"], maintain_order="left_right",
    )  # fmt: skip
    result, corrected = pl.col("result"), pl.col("correction").is_not_null()
    return scored.with_columns(
        pl.lit(SCORE).alias("kind"),
        _group(),
        result.cast(pl.String).alias("QSORRES"),
        result.cast(pl.String).alias("QSSTRESC"),
        result.alias("QSSTRESN"),
        pl.lit("Y").alias("QSDRVFL"),
        pl.when(corrected & result.ne_missing(pl.col("first"))).then(
            pl.coalesce(pl.col("first").cast(pl.String), "original_reason")
        ).alias("was"),
        pl.col("correction").alias("corrections"),
    )  # fmt: skip


def _not_done(source: Source, found: pl.DataFrame) -> pl.DataFrame:
    """A record QSALL of each category of a questionnaire that nothing was answered of."""
    empty = found.filter(pl.col("given").is_null() & (pl.col("status") != "not_expected"))
    reason = pl.coalesce("missed_code", "missed_reason").replace_strict(MISSED, default=None)
    done = pl.col("status") != "missed"
    whole = _of_visit(empty).with_columns(
        empty.select(pl.when(done).then(pl.lit(UNANSWERED)).otherwise(reason).alias("QSREASND"))
    )
    return whole.join(groups(source), on="instrument", maintain_order="left_right").with_columns(
        pl.lit(ITEM).alias("kind"),
        pl.lit(0, pl.Int64).alias("n"),
        _group(),
        pl.lit("QSALL").alias("QSTESTCD"),
        pl.lit("Questionnaire").alias("QSTEST"),
        NOT_DONE.alias("QSSTAT"),
    )


def groups(source: Source) -> pl.DataFrame:
    """The categories of each instrument, in order."""
    rows = [
        (entry.code, category.category)
        for entry in source.asked
        for category in categories(source.instruments[entry.code], entry.scorings)
    ]
    schema = {"instrument": pl.String(), "category_n": pl.Int64(), "QSCAT": pl.String()}
    numbered = [(instrument, n, name) for n, (instrument, name) in enumerate(rows, 1)]
    return pl.DataFrame(numbered, schema=schema, orient="row")
