"""The commands `wording`: the text that a site is licensed for, by a template to be filled in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pro_app.cli_desk import Group
from pro_app.cli_recordings import wording_record
from pro_app.cli_score import root_option
from pro_app.cli_wording_export import wording_export
from pro_app.cli_wording_list import wording_list
from pro_app.cli_wording_store import tell, wording_end, wording_import, wording_renew
from pro_app.core.study import LANGUAGES

if TYPE_CHECKING:
    from pro_app.core.library import Library

language_option = click.option(
    "--language", required=True, type=click.Choice(LANGUAGES), help="Of the wording."
)
confirm_option = click.option(
    "--confirm",
    "confirmed",
    multiple=True,
    metavar="KEY",
    help="A doubtful text that you have compared with the owner's: it really is so. Repeatable.",
)
file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group("wording", cls=Group)
def wording_group() -> None:
    """The licensed text of instruments: a template, its check, its storing, its licences."""


for command in (
    wording_export, wording_import, wording_list, wording_record, wording_renew, wording_end,
):  # fmt: skip
    wording_group.add_command(command)


@wording_group.command("template")
@click.argument("instrument")
@language_option
@click.option(
    "--out",
    default=".",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder to write to. Default: this one.",
)
@root_option
def template(instrument: str, language: str, out: Path, root: Path) -> None:
    """Write the empty template of INSTRUMENT in a language, as XLSX and as CSV: fill in one of
    them."""
    from pro_app.core.wording_template import file_name
    from pro_app.export import wording_template

    library = load(root, instrument)
    definition = library.instruments[instrument]
    wording = library.wording(instrument, language)
    name = file_name(definition, language)
    for ending, data in (
        ("xlsx", wording_template.workbook(definition, language, wording)),
        ("csv", wording_template.csv_file(definition, wording)),
    ):
        path = out / f"{name}.{ending}"
        path.write_bytes(data)
        click.echo(path)


@wording_group.command("check")
@file_argument
@click.option("--instrument", required=True, help="Of the wording.")
@language_option
@confirm_option
@root_option
def check(
    file: Path, instrument: str, language: str, confirmed: tuple[str, ...], root: Path
) -> None:
    """Look for every fault in a filled FILE: XLSX, CSV, or FHIR in JSON. Nothing is stored."""
    from pro_app.services import wording_file
    from pro_app.services import wording_import as importing

    wanted = wording_file.wanted_of(load(root, instrument), instrument, language)
    try:
        found = importing.read(start_of(file), wanted, confirmed)
    except importing.ImportRefused as refused:
        tell(refused.faults, "nothing was taken from the file")
        raise AssertionError from None  # `tell` has stopped
    click.echo(f"{len(found.texts)} texts, no fault")
    for key in found.confirmed:
        click.echo(f"confirmed to be the owner's: {key}")
    if found.comments:
        click.echo(f"comments of cells, which are not read: {found.comments}")


def start_of(file: Path) -> bytes:
    """A file's bytes, no more of them than are needed to see that it is too large."""
    from pro_app.services.wording_file import MOST_BYTES

    with file.open("rb") as content:
        return content.read(MOST_BYTES + 1)


def load(root: Path, instrument: str) -> Library:
    """The instruments and shipped wordings; stops if the instrument is not among them."""
    from pro_app.core.library import load_library

    library = load_library(root)
    if instrument not in library.instruments:
        there = ", ".join(library.instruments) or "none"
        raise click.UsageError(f'There is no instrument "{instrument}". There are: {there}.')
    return library
