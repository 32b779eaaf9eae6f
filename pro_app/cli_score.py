"""The commands `score` and `instruments`: questionnaires from the shell, without a database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pro_app.core.instruments import Instrument
    from pro_app.core.scoring import Scale, Scoring

QUESTIONNAIRES = Path(__file__).parents[1] / "questionnaires"

root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=QUESTIONNAIRES,
    help="Folder with one folder for each instrument. Default: the project's questionnaires.",
)


@click.command()
@click.argument("instrument")
@click.argument("source", metavar="INPUT.csv")
@click.option("--scoring", help="Which algorithm; needed where the instrument has several.")
@click.option(
    "--output",
    default="-",
    metavar="OUT.csv",
    help='File to write; "-", the default, is standard output.',
)
@click.option(
    "--invalid",
    type=click.Choice(["refuse", "missing"]),
    default="refuse",
    help="What a value that its item does not have does: refuse the file (the default), or count "
    "as missing and be named in the column `problems`.",
)
@root_option
def score(
    instrument: str, source: str, scoring: str | None, output: str, invalid: str, root: Path
) -> None:
    """Score a CSV file of answers to INSTRUMENT.

    INPUT.csv ("-" is standard input) is UTF-8, separated by commas, with a header: `id` and the
    code of every item of the instrument, in any order; `pro-app instruments show INSTRUMENT` lists
    them. A cell holds a code; an empty cell and NA mean not answered.

    The output has, for each row in the order of the input, `id`, every scale with the number of
    its items answered, the summaries, and `problems`. Scores are not rounded; a cell is empty where
    there is no score. It is a file for programs: an id that begins with = + - or @ stays as it is,
    and a spreadsheet may take it for a formula.

    A file with faults is refused with exit code 2, and nothing is written. Each fault is told with
    its line, column and value.
    """
    from pro_app.services.score_file import FileRefused, FileTrouble, score_file

    definition = _load(instrument, root)
    name = _scoring(definition, scoring)
    try:
        score_file(definition, name, source, output, lenient=invalid == "missing")
    except FileRefused as refused:
        problems = refused.problems
        for problem in problems.first:
            click.echo(str(problem), err=True)
        if (more := problems.total - len(problems.first)) > 0:
            click.echo(f"and {more} more; {problems.total} problems in all", err=True)
        sys.exit(2)
    except FileTrouble as trouble:
        click.echo(str(trouble), err=True)
        sys.exit(2)


def _folders(root: Path) -> list[Path]:
    return sorted(path.parent for path in root.glob("*/instrument.toml"))


def _load(code: str, root: Path) -> Instrument:
    from pro_app.core.instruments import DefinitionError, load_instrument

    names = [folder.name for folder in _folders(root)]
    if code not in names:
        there = ", ".join(names) or "none"
        raise click.UsageError(f'There is no instrument "{code}". There are: {there}.')
    try:
        return load_instrument(root / code)
    except DefinitionError as error:
        raise click.ClickException(str(error)) from error


def _scoring(instrument: Instrument, wanted: str | None) -> str:
    names = list(instrument.scorings)
    if wanted in names:
        return str(wanted)
    if wanted is None and len(names) == 1:
        return names[0]
    there = f"There are: {', '.join(names)}."
    if wanted is None:
        raise click.UsageError(
            f"{instrument.code} has several scorings: name one with --scoring. {there}"
        )
    raise click.UsageError(f'{instrument.code} has no scoring "{wanted}". {there}')


@click.group()
def instruments() -> None:
    """The questionnaires: list them, show one, check their files."""


@instruments.command("list")
@root_option
def list_instruments(root: Path) -> None:
    """One line for each instrument: code, name, version, items, scorings, languages."""
    for folder in _folders(root):
        one = _load(folder.name, root)
        languages = sorted(path.stem for path in (folder / "wording").glob("*.toml"))
        click.echo(
            f"{one.code}: {one.name} ({one.version}), {len(one.items)} items, "
            f"scoring {', '.join(one.scorings)}, wording {', '.join(languages) or 'none'}"
        )


@instruments.command()
@click.argument("code")
@root_option
def show(code: str, root: Path) -> None:
    """The items, options and scales of the instrument CODE, with their sources."""
    instrument = _load(code, root)
    for line in (*_instrument_lines(instrument), *_item_lines(instrument)):
        click.echo(line)
    for scoring in instrument.scorings.values():
        for line in _scoring_lines(scoring):
            click.echo(line)


def _instrument_lines(instrument: Instrument) -> Iterator[str]:
    yield f"{instrument.code}: {instrument.name} ({instrument.version})"
    yield instrument.rights
    yield f"about {instrument.minutes} minutes"
    yield from (f"source: {source}" for source in instrument.sources)
    yield f"fingerprint {instrument.fingerprint}"
    yield ""
    yield "Options"
    for one in instrument.option_sets.values():
        yield f"  {one.code}: {one.codes[0]} {one.first} to {one.codes[-1]} {one.last}"


def _item_lines(instrument: Instrument) -> Iterator[str]:
    yield ""
    yield "Items: place, code, number on paper, options, recall, topic"
    for item in instrument.items:
        flags = ", may be not applicable" if item.not_applicable else ""
        flags += "" if item.scored else ", in no scale"
        codes = ",".join(map(str, item.options.codes))
        yield (
            f"  {item.n:>2}  {item.code:<8} {item.paper:<4} {item.options.code} {codes}  "
            f"{item.section.recall}  {item.topic}{flags}"
        )


def _scoring_lines(scoring: Scoring) -> Iterator[str]:
    yield ""
    yield f"Scoring {scoring.name}: {scoring.title}"
    yield f"  algorithm {scoring.algorithm}"
    yield from (f"  source: {source}" for source in scoring.sources)
    for scale in scoring.scales:
        yield f"  {scale.code}: {scale.name}"
        yield f"    items {' '.join(scale.items)}"
        yield f"    {_rule(scale)}"
        if scale.norm:
            yield f"    norm: mean {scale.norm.mean}, sd {scale.norm.sd} ({scoring.norm_source})"
    for summary in scoring.summaries:
        yield f"  {summary.code}: {summary.name}"
        weights = ", ".join(f"{code} {figure}" for code, figure in summary.coefficients.items())
        yield f"    50 + 10 x sum of coefficient x z, all scales needed: {weights}"
        yield f"    source: {summary.source}"


def _rule(scale: Scale) -> str:
    how = {
        "mean": "mean of the answered items",
        "sum": "sum, the mean of the answered items standing for the missing ones",
    }[scale.raw]
    if scale.pair:
        how = (
            f"{scale.raw} of two values that depend on each other, a missing one taking the other's"
        )
    span = f"{float(scale.lowest):g} to {float(scale.highest):g}"
    reported = f", {span} put on 0 to 100" if scale.reported == "0-100" else f", from {span}"
    better = "better" if scale.direction == "higher_better" else "worse"
    return f"{how}{reported}; at least {scale.minimum} of {len(scale.items)}; higher is {better}"


@instruments.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path, file_okay=False, exists=True))
@root_option
def check(folders: tuple[Path, ...], root: Path) -> None:
    """Check the definition and all wordings of each FOLDER, or of every instrument.

    Each fault is told with file, place and reason; the exit code is then 1.
    """
    faults = 0
    found = list(folders) or _folders(root)
    if not found:
        raise click.ClickException(f"{root} holds no instrument")
    for folder in found:
        for line, is_fault in _checked(folder):
            faults += is_fault
            click.echo(line)
    sys.exit(1 if faults else 0)


def _checked(folder: Path) -> Iterator[tuple[str, bool]]:
    """A line for the instrument and one for each wording, and whether it tells a fault."""
    from pro_app.core.instruments import DefinitionError, load_instrument
    from pro_app.core.wording import check_languages, load_wording

    try:
        instrument = load_instrument(folder)
    except DefinitionError as error:
        yield str(error), True
        return
    yield (
        f"ok: {folder.name}, {', '.join(one.algorithm for one in instrument.scorings.values())}",
        False,
    )
    wordings = {}
    for path in sorted((folder / "wording").glob("*.toml")):
        try:
            wordings[path.stem] = load_wording(path, instrument)
        except DefinitionError as error:
            yield str(error), True
        else:
            yield f"ok: {folder.name}, wording {path.stem}, {wordings[path.stem].kind}", False
    try:
        check_languages(folder / "wording", wordings)
    except DefinitionError as error:
        yield str(error), True
