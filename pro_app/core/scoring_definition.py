"""Reading scoring.toml: each table of it is one scoring, checked against the instrument's items.

The form of the file:

    [NAME]                          title, sources
    [[NAME.recodes]]                items, values = { code = final value }; every code of the items
    [[NAME.scales]]                 code, name, items, raw, minimum, lowest, highest, direction,
                                    and reported = "raw" where the score is not put on 0-100
    [NAME.scales.pair.both]         item = { code = final value }, likewise `alone`
    [[NAME.scales.pair.exceptions]] when = { item = code }, item, final
    [NAME.norms]                    source, scales.CODE = { mean, sd }
    [[NAME.summaries]]              code, name, direction, source, coefficients.CODE = number
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction

from pro_app.core.definition import Table, fingerprint, frozen, unique
from pro_app.core.scoring import (
    Finals,
    Norm,
    Pair,
    PairException,
    Scale,
    Scoring,
    Summary,
    pair_finals,
)

RAW = ("mean", "sum")
REPORTED = ("0-100", "raw")
DIRECTIONS = ("higher_better", "higher_worse")
NOT_ARITHMETIC = ("name", "title", "sources", "source", "norm_source", "algorithm")
ALGORITHM_DIGITS = 12

Options = Mapping[str, tuple[int, ...]]  # item -> its codes


def read_scorings(file: Table, options: Options, scored: tuple[str, ...]) -> Mapping[str, Scoring]:
    """The scorings of a scoring.toml, by name. `DefinitionError` on the first fault.

    `options` has the codes of every item of the instrument, `scored` the items that every scoring
    must use.
    """
    if not file.data:
        raise file.fault("", "holds no scoring")
    return frozen({name: _scoring(name, file.table(name), options, scored) for name in file})


def _scoring(name: str, table: Table, options: Options, scored: tuple[str, ...]) -> Scoring:
    scales, norm_source = _scales(table, options, scored)
    summaries = _summaries(table, scales)
    codes = [scale.code for scale in scales] + [summary.code for summary in summaries]
    unique(codes, table.file, table.at("scales"))
    scoring = Scoring(
        name=name,
        title=table.text("title"),
        sources=table.texts("sources"),
        scales=scales,
        summaries=summaries,
        norm_source=norm_source,
        options=options,
        algorithm="",
    )
    table.done()
    return replace(scoring, algorithm=f"{name}@{_arithmetic(scoring)[:ALGORITHM_DIGITS]}")


def _arithmetic(scoring: Scoring) -> str:
    """SHA-256 over all that can change a score: every figure, and the codes of the items used."""
    used = {item for scale in scoring.scales for item in scale.items}
    codes = {item: scoring.options[item] for item in sorted(used)}
    return fingerprint(_plain(replace(scoring, options=codes)))


def _plain(value: object) -> object:
    if is_dataclass(value):
        kept = [one.name for one in fields(value) if one.name not in NOT_ARITHMETIC]
        return {key: _plain(getattr(value, key)) for key in kept}
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


# --- items and their final values ---------------------------------------------------------------


def _items(table: Table, key: str, options: Options) -> tuple[str, ...]:
    items = table.texts(key)
    for item in items:
        if item not in options:
            raise table.fault(key, f'"{item}" is not an item of the instrument')
    unique(items, table.file, table.at(key))
    return items


def _recodes(table: Table, options: Options, scored: tuple[str, ...]) -> Finals:
    finals: dict[str, Mapping[int, Fraction]] = {}
    if "recodes" not in table:
        return finals
    for recode in table.tables("recodes"):
        for item in _items(recode, "items", options):
            if item in finals:
                raise recode.fault("items", f'"{item}" is recoded twice')
            if item not in scored:
                raise recode.fault("items", f'"{item}" is not scored')
            finals[item] = _values(recode.table("values"), item, options[item])
        recode.done()
    return finals


def _values(table: Table, item: str, codes: tuple[int, ...]) -> Mapping[int, Fraction]:
    known = {str(code): code for code in codes}
    for key in table:
        if key not in known:
            raise table.fault("", f'"{key}" is not a code of {item}')
    for key in known:
        if key not in table:
            raise table.fault("", f"code {key} of {item} is missing")
    return {code: table.number(key) for key, code in known.items()}


# --- scales -------------------------------------------------------------------------------------


def _scales(
    table: Table, options: Options, scored: tuple[str, ...]
) -> tuple[tuple[Scale, ...], str | None]:
    finals = _recodes(table, options, scored)
    norms, norm_source = _norms(table)
    scales = [_scale(one, finals, norms, options, scored) for one in table.tables("scales")]
    codes = [scale.code for scale in scales]
    unique(codes, table.file, table.at("scales"))
    for code in norms:
        if code not in codes:
            raise table.fault("norms.scales", f'"{code}" is not a scale of this scoring')
    if norms and (without := [code for code in codes if code not in norms]):
        raise table.fault("norms.scales", f"no norm for {', '.join(without)}")
    used = {item for scale in scales for item in scale.items}
    paired = {item for scale in scales if scale.pair for item in scale.items}
    for item in scored:
        if item not in used:
            raise table.fault("scales", f'"{item}" is scored but in no scale')
    for item in finals:
        if item in paired:
            raise table.fault("recodes", f'"{item}" has its final values in a pair already')
    return tuple(scales), norm_source


def _scale(
    table: Table,
    finals: Finals,
    norms: Mapping[str, Norm],
    options: Options,
    scored: tuple[str, ...],
) -> Scale:
    code = table.text("code")
    table.place = f"{table.place.rpartition('[')[0]}.{code}"
    items = _items(table, "items", options)
    for item in items:
        if item not in scored:
            raise table.fault("items", f'"{item}" is not scored')
    pair = _pair(table.table("pair"), items, options) if "pair" in table else None
    if pair is None and (without := [item for item in items if item not in finals]):
        raise table.fault("items", f"no recode for {', '.join(without)}")
    scale = Scale(
        code=code,
        name=table.text("name"),
        items=items,
        raw=table.choice("raw", RAW),
        reported=table.choice("reported", REPORTED) if "reported" in table else REPORTED[0],
        minimum=table.integer("minimum"),
        lowest=table.number("lowest"),
        highest=table.number("highest"),
        direction=table.choice("direction", DIRECTIONS),
        finals={} if pair else {item: finals[item] for item in items},
        pair=pair,
        norm=norms.get(code),
    )
    table.done()
    _check_range(table, scale)
    return scale


def _check_range(table: Table, scale: Scale) -> None:
    """The minimum within the items, and no answers that lead outside lowest to highest."""
    if not 1 <= scale.minimum <= len(scale.items):
        raise table.fault("minimum", f"{scale.minimum} is not within 1 to {len(scale.items)}")
    if scale.lowest >= scale.highest:
        raise table.fault("lowest", "is not below highest")
    low, high = _reach(scale)
    if low < scale.lowest or high > scale.highest:
        raise table.fault(
            "lowest" if low < scale.lowest else "highest",
            f"answers lead from {float(low):g} to {float(high):g}, outside lowest to highest",
        )


def _reach(scale: Scale) -> tuple[Fraction, Fraction]:
    """The least and the greatest raw score that answers can lead to."""
    if scale.pair is not None:
        sums = list(_pair_sums(scale.pair))
        parts = 2 if scale.raw == "mean" else 1
        return min(sums) / parts, max(sums) / parts
    # With the fewest items answered, those that reach furthest, the mean reaches furthest.
    lows = sorted(min(one.values()) for one in scale.finals.values())[: scale.minimum]
    highs = sorted(max(one.values()) for one in scale.finals.values())[-scale.minimum :]
    times = Fraction(1 if scale.raw == "mean" else len(scale.items), scale.minimum)
    return times * sum(lows, Fraction(0)), times * sum(highs, Fraction(0))


def _pair_sums(pair: Pair) -> Iterator[Fraction]:
    """The sums of the final values for every way to answer one or both items."""
    (first, ones), (second, others) = pair.both.items()
    for one in (None, *ones):
        for other in (None, *others):
            given = {first: one, second: other}
            codes = {item: code for item, code in given.items() if code is not None}
            if codes:
                yield sum(pair_finals(pair, codes)[1].values(), Fraction(0))


def _pair(table: Table, items: tuple[str, ...], options: Options) -> Pair:
    if len(items) != 2:
        raise table.fault("", f"needs a scale of two items, this one has {len(items)}")
    both = _pair_finals(table.table("both"), items, options)
    alone = _pair_finals(table.table("alone"), items, options)
    exceptions = []
    if "exceptions" in table:
        exceptions = [_exception(one, items, options) for one in table.tables("exceptions")]
    table.done()
    return Pair(both=both, exceptions=tuple(exceptions), alone=alone)


def _pair_finals(table: Table, items: tuple[str, ...], options: Options) -> Finals:
    finals = {item: _values(table.table(item), item, options[item]) for item in items}
    table.done()
    return finals


def _exception(table: Table, items: tuple[str, ...], options: Options) -> PairException:
    when = table.table("when")
    codes = {item: when.integer(item) for item in items}
    when.done()
    for item, code in codes.items():
        if code not in options[item]:
            raise when.fault(item, f'"{code}" is not a code of {item}')
    exception = PairException(codes, table.choice("item", items), table.number("final"))
    table.done()
    return exception


# --- norms and summaries ------------------------------------------------------------------------


def _norms(table: Table) -> tuple[dict[str, Norm], str | None]:
    if "norms" not in table:
        return {}, None
    norms = table.table("norms")
    source = norms.text("source")
    scales = norms.table("scales")
    found = {code: _norm(scales.table(code)) for code in scales}
    norms.done()
    return found, source


def _norm(table: Table) -> Norm:
    norm = Norm(mean=float(table.number("mean")), sd=float(table.number("sd")))
    if norm.sd <= 0:
        raise table.fault("sd", "must be above 0")
    table.done()
    return norm


def _summaries(table: Table, scales: tuple[Scale, ...]) -> tuple[Summary, ...]:
    if "summaries" not in table:
        return ()
    if any(scale.norm is None for scale in scales):
        raise table.fault("summaries", "need norms for all scales")
    return tuple(_summary(one, scales) for one in table.tables("summaries"))


def _summary(table: Table, scales: tuple[Scale, ...]) -> Summary:
    code = table.text("code")
    table.place = f"{table.place.rpartition('[')[0]}.{code}"
    figures = table.table("coefficients")
    coefficients = {scale.code: float(figures.number(scale.code)) for scale in scales}
    figures.done()
    summary = Summary(
        code=code,
        name=table.text("name"),
        direction=table.choice("direction", DIRECTIONS),
        source=table.text("source"),
        coefficients=coefficients,
    )
    table.done()
    return summary
