"""The codes and names under which CDISC's datasets know items and scores.

Item and score codes are those of CDISC's controlled terminology where it has the questionnaire,
else the sponsor's own. Names (QSTEST, PARAM) are made of our own topics: the terminology's names
are near the questionnaires' own words. A submission puts them in by the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import takewhile

import polars as pl

from pro_app.core.instruments import CdiscCategory, Instrument, Item
from pro_app.core.scoring import Scale, Scoring, Summary
from pro_app.export.cdisc import Source
from pro_app.export.table import TableError

LONGEST_CODE, LONGEST_NAME = 8, 40  # characters of QSTESTCD and PARAMCD, and of QSTEST
INTERVALS = {"none": None, "past_4_weeks": "-P4W", "past_1_year": "-P1Y"}  # QSEVLINT
VALUE, NORM_BASED = "value", "norm_based"


@dataclass(frozen=True, slots=True)
class Term:
    """A test of SDTM QS. `subject` is an item, or a scale whose `column` it is (`value` or
    `norm_based`) by `scoring`. `category_n` and `n` are the places of category and test."""

    instrument: str
    scoring: str | None
    subject: str
    column: str | None
    category_n: int
    n: int
    QSTESTCD: str
    QSTEST: str
    QSCAT: str
    QSSCAT: str | None
    QSEVLINT: str | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of ADaM ADQS: a scale's `column` by a scoring."""

    instrument: str
    scoring: str
    scale: str
    column: str
    PARAMN: int
    PARAMCD: str
    PARAM: str
    PARCAT1: str


def categories(instrument: Instrument, scorings: Sequence[str]) -> tuple[CdiscCategory, ...]:
    """The categories of an instrument for a study that has these scorings.

    The same answers belong to two (RAND-36 and SF-36 version 1) where a study scores them both
    ways: they then stand in both. Without any, the sponsor's own category has the items' codes.
    """
    found = tuple(one for one in instrument.cdisc.values() if one.scoring in scorings)
    if found:
        return found
    items = {one.code: one.code for one in instrument.items}
    return (CdiscCategory(instrument.code.upper(), next(iter(scorings), ""), True, items, {}, {}),)


def terms(source: Source) -> tuple[Term, ...]:
    """All tests of the study's instruments; TableError if two would have one code."""
    found: list[Term] = []
    place = 0
    for entry in source.asked:
        instrument = source.instruments[entry.code]
        for category in categories(instrument, entry.scorings):
            place += 1
            found += _items(instrument, category, place)
            found += _scores(instrument, category, place)
    _once([one.QSTESTCD for one in found], "QSTESTCD")
    return tuple(found)


def _once(codes: Sequence[str], kind: str) -> None:
    for code in codes:
        if len(code) > LONGEST_CODE or codes.count(code) > 1:
            raise TableError(f"{kind} {code!r} is too long or there twice")


def prefix(category: CdiscCategory) -> str:
    """How the names of a category's tests begin: as their codes do."""
    codes = category.items.values()
    same = takewhile(lambda pair: pair[0] == pair[1], zip(min(codes), max(codes), strict=False))
    return "".join(one for one, _ in same)[: LONGEST_CODE - 1] or category.category


def _items(instrument: Instrument, category: CdiscCategory, place: int) -> Iterator[Term]:
    scoring = instrument.scorings.get(category.scoring)
    taken: set[str] = set()
    for item in instrument.items:
        name = f"{prefix(category)}-{_capital(item.topic)}"
        if len(name) > LONGEST_NAME or name in taken:
            name = f"{prefix(category)}-Item {item.code}"
        taken.add(name)
        yield Term(
            instrument.code, None, item.code, None, place, item.n, category.items[item.code],
            name, category.category, _scale_of(scoring, item), INTERVALS[item.section.recall],
        )  # fmt: skip


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _scale_of(scoring: Scoring | None, item: Item) -> str | None:
    """QSSCAT of an item: the scale that it is part of."""
    scales = () if scoring is None else scoring.scales
    return next((one.name.upper() for one in scales if item.code in one.items), None)


def _codes(category: CdiscCategory, scoring: Scoring) -> list[tuple[str, str, str]]:
    """Scale, column and code of each score that a category has. The sponsor's own categories have
    every scale under its own code; where CDISC has no code for a score, there is none."""
    if category.sponsor_defined and not category.scores:
        return [(one, VALUE, one) for one in scoring.outputs()]
    values = [(scale, VALUE, code) for scale, code in category.scores.items()]
    return values + [(scale, NORM_BASED, code) for scale, code in category.norm_based.items()]


def _scores(instrument: Instrument, category: CdiscCategory, place: int) -> Iterator[Term]:
    scoring = instrument.scorings.get(category.scoring)
    if scoring is None:
        return
    intervals = _intervals(instrument, scoring)
    for n, (scale, column, code) in enumerate(_codes(category, scoring), 1):
        name = f"{prefix(category)}-{scale} {_unit(scoring, scale, column)} score"
        yield Term(
            instrument.code, scoring.name, scale, column, place, n, code, name,
            category.category, scoring.names()[scale].upper(), intervals.get(scale),
        )  # fmt: skip


def _intervals(instrument: Instrument, scoring: Scoring) -> dict[str, str | None]:
    """The recall period of each scale whose items all have the same."""
    found = {}
    for scale in scoring.scales:
        recalls = {INTERVALS[instrument.item(item).section.recall] for item in scale.items}
        found[scale.code] = recalls.pop() if len(recalls) == 1 else None
    return found


def _unit(scoring: Scoring, scale: str, column: str) -> str:
    """In what a score is told: norm-based (mean 50, standard deviation 10), 0-100 or raw."""
    known: dict[str, Scale | Summary] = {one.code: one for one in scoring.scales}
    found = known.get(scale)
    return found.reported if column == VALUE and isinstance(found, Scale) else "norm-based"


def parameters(source: Source) -> tuple[Parameter, ...]:
    """All scores of the study's scorings; TableError if two would have one code.

    PARAMCD is the QSTESTCD where there is one; else the category's beginning and the scale.
    """
    tests = {(one.instrument, one.scoring, one.subject, one.column): one for one in terms(source)}
    found: list[Parameter] = []
    for entry in source.asked:
        instrument = source.instruments[entry.code]
        for scoring in (instrument.scorings[name] for name in entry.scorings):
            category = categories(instrument, [scoring.name])[0]
            for scale, column in _columns(scoring):
                test = tests.get((entry.code, scoring.name, scale, column))
                code = test.QSTESTCD if test else _own_code(category, scoring, scale, column)
                unit = _unit(scoring, scale, column)
                name = f"{instrument.name}, {scoring.name}: {scoring.names()[scale]} ({unit})"
                found.append(Parameter(
                    entry.code, scoring.name, scale, column, len(found) + 1, code, name,
                    category.category,
                ))  # fmt: skip
    _once([one.PARAMCD for one in found], "PARAMCD")
    return tuple(found)


def _own_code(category: CdiscCategory, scoring: Scoring, scale: str, column: str) -> str:
    """A code for a score that has none: R36PAIN. An N ends norm-based ones."""
    room = LONGEST_CODE - 1 - max(map(len, scoring.outputs()))
    return f"{prefix(category)[:room]}{scale}{'N' if column == NORM_BASED else ''}"


def _columns(scoring: Scoring) -> list[tuple[str, str]]:
    """The scales and summaries with their scores, then the norm-based scores of scales."""
    normed = [one.code for one in scoring.scales if one.norm is not None]
    return [(one, VALUE) for one in scoring.outputs()] + [(one, NORM_BASED) for one in normed]


def frame(
    found: Sequence[Term] | Sequence[Parameter], kind: type[Term | Parameter]
) -> pl.DataFrame:
    """The terms as a frame that rows are joined to."""
    names = [one.name for one in fields(kind)]
    integers = {"category_n", "n", "PARAMN"}
    schema = {name: pl.Int64() if name in integers else pl.String() for name in names}
    return pl.DataFrame([astuple(one) for one in found], schema=schema, orient="row")
