"""The command that takes data out: one table or package, in one format."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from pro_app.cli_desk import Desk, desk, now, study_option, tests_option
from pro_app.services.export_formats import ALL, FORMATS, PACKAGES, find, offered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from pro_app.services.exports import Wanted
    from pro_app.services.studies import CurrentStudy

BOM = b"\xef\xbb\xbf"


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A moment with its offset, like 2026-11-22T08:00+08:00."""

    name = "moment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            self.fail(f"{value!r} is not a moment like 2026-11-22T08:00+08:00", param, ctx)
        return found.astimezone(UTC)


@click.command("export")
@click.argument("what", type=click.Choice(ALL))
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted({*FORMATS, *(form for one in PACKAGES.values() for form in one)})),
    help="of tables csv if left out; of a package the first that it has",
)
@click.option(
    "--output", default="-", show_default=True, help="a file; - is standard output, for text alone"
)
@click.option(
    "--language",
    type=click.Choice(["ms", "en", "zh_Hans", "ta"]),
    default="en",
    show_default=True,
    help="of the labels",
)
@click.option("--site", "sites", multiple=True, help="code of a site: of it alone; may be repeated")
@click.option("--instrument", "instruments", multiple=True, help="likewise of a questionnaire")
@click.option("--timepoint", "timepoints", multiple=True, help="likewise of a visit")
@click.option(
    "--study-days-from",
    "days_from",
    metavar="ANCHOR",
    help="tell moments as study days from this anchor, and no dates",
)
@click.option(
    "--as-of",
    type=Moment(),
    help="tell what was open, due or missed at this moment: the same data give the same bytes",
)
@click.option(
    "--exact",
    is_flag=True,
    help="for programs: cells that a spreadsheet would run stay as they are",
)
@tests_option
@study_option
def export(
    what: str,
    form: str | None,
    output: str,
    language: str,
    sites: Sequence[str],
    instruments: Sequence[str],
    timepoints: Sequence[str],
    days_from: str | None,
    as_of: datetime | None,
    exact: bool,
    tests: bool,
    study_code: str | None,
) -> None:
    """Write WHAT of a study to a file, with its codebook beside it where the format has no place
    for labels. It is put on the study's record, as an export from the web is."""
    from pro_app.services import exports
    from pro_app.services.exports import Wanted

    form = _format(what, form, exact)
    if output == "-" and not find(what, form).text:
        raise click.BadParameter(f"{form} needs a file", param_hint="--output")
    if not Path(output).parent.is_dir():
        folder = Path(output).parent
        raise click.BadParameter(f"there is no folder {str(folder)!r}", param_hint="--output")
    of_sites, of_instruments, of_timepoints = (
        frozenset(one) or None for one in (sites, instruments, timepoints)
    )
    wanted = Wanted(
        what, form, language, of_sites, of_instruments, of_timepoints, days_from, tests=tests
    )
    at, moment = desk(), now()
    with TemporaryDirectory(dir=None if output == "-" else Path(output).parent) as folder_name:
        with at.database.snapshot() as session:
            study = at.study(session, study_code)
            as_of = as_of or moment
            files, rows = _written(session, at, study, wanted, as_of, Path(folder_name))
        digest = exports.digest(files[0])
        with at.database.writing() as session:
            exports.note(session, study, wanted, (rows, digest), "", "site", as_of, moment)
        _hand_out(files, output)


def _format(what: str, form: str | None, exact: bool) -> str:
    """The format of what is asked for, in which it can be had."""
    has = offered(what)
    form = form or ("csv" if "csv" in has else has[0])
    if form not in has:
        raise click.BadParameter(f"{what} can be had as {', '.join(has)}", param_hint="--format")
    if not exact or form == "csv_exact":
        return form
    if form != "csv" or what in PACKAGES:
        raise click.BadParameter(f"{form} is exact as it is", param_hint="--exact")
    return "csv_exact"


def _written(
    session: Session, at: Desk, study: CurrentStudy, wanted: Wanted, as_of: datetime, folder: Path
) -> tuple[list[Path], int]:
    """The files, and the rows that were read; a person at a terminal sees how far it is."""
    from pro_app.catalogues import compile_catalogues, words
    from pro_app.export.table import TableError
    from pro_app.services import exports
    from pro_app.services.tables import TablesError

    compile_catalogues()
    around = exports.Surroundings(study, at.library, words, as_of, at.settings.public_url)
    watched = sys.stderr.isatty()

    def tell(rows: int, percent: int | None) -> None:
        if watched:
            share = "" if percent is None else f"{percent:3d} %  "
            click.echo(f"\r{share}{rows:,} rows", err=True, nl=False)

    try:
        return exports.write(session, around, wanted, folder, tell)
    except (TableError, TablesError, exports.ExportRefused) as refused:
        raise click.ClickException(str(refused)) from refused
    finally:
        if watched:
            click.echo("\r\x1b[K", err=True, nl=False)


def _hand_out(files: list[Path], output: str) -> None:
    """Everything into its place, or the data alone to standard output, without a byte order mark:
    what reads there is a program."""
    if output == "-":
        with files[0].open("rb") as file:
            if file.read(len(BOM)) != BOM:
                file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    for one in files[1:]:  # NAME_codebook.csv beside NAME
        one.replace(path.with_name(one.name.replace(files[0].stem, path.stem, 1)))
    files[0].replace(path)
