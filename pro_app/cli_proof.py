"""The command that proves an instrument's screens to its owner, as a PDF."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pro_app.cli_desk import Desk, desk, now, study_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pro_app.proof.pack import Order, Pack
    from pro_app.services.studies import CurrentStudy


@click.command("proof")
@click.argument("instrument")
@click.option(
    "--language",
    "languages",
    type=click.Choice(["ms", "en", "zh_Hans", "ta"]),
    multiple=True,
    required=True,
    help="may be repeated; English stands beside each",
)
@click.option("--wording", help="version or fingerprint; what the study reads now if left out")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    required=True,
    help="the PDF",
)
@study_option
def proof(
    instrument: str,
    languages: Sequence[str],
    wording: str | None,
    out: Path,
    study_code: str | None,
) -> None:
    """Write every screen of INSTRUMENT as a participant's phone shows it to a PDF, and look at each
    for what must not be. Ends with 1 where a screen fails; the PDF is written all the same."""
    from pro_app.proof import browser

    fault = browser.hindrance()
    if fault is not None:
        raise click.ClickException(fault)
    if not out.parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(out.parent)!r}", param_hint="--out")
    at = desk()
    study, order = _ordered(at, study_code, instrument, languages, wording)
    pack = _made(order)
    _note(at, study, order, pack)
    out.write_bytes(pack.pdf)
    _tell(pack, out)


def _ordered(
    at: Desk, study_code: str | None, instrument: str, languages: Sequence[str], wanted: str | None
) -> tuple[CurrentStudy, Order]:
    from pro_app.proof import choice
    from pro_app.proof.making import order

    with at.database.reading() as session:
        study = at.study(session, study_code)
        try:
            found = order(session, at.library, study, instrument, languages, wanted, now())
        except choice.NoWording as refused:
            raise click.ClickException(str(refused)) from refused
    return study, found


def _made(order: Order) -> Pack:
    """The pack; a person at a terminal sees how far it is."""
    from pro_app.proof import browser, pack

    watched = sys.stderr.isatty()

    def tell(screens: int) -> None:
        if watched:
            click.echo(f"\r{screens} of {order.count} screens", err=True, nl=False)

    try:
        with browser.opened() as opened:
            return pack.make(order, opened, tell)
    except (browser.NoBrowser, browser.BrowserFailed) as failed:
        raise click.ClickException(str(failed)) from None
    finally:
        if watched:
            click.echo("\r\x1b[K", err=True, nl=False)


def _note(at: Desk, study: CurrentStudy, order: Order, pack: Pack) -> None:
    """Put the pack on the study's record: it holds the wordings."""
    from pro_app.proof.making import detail
    from pro_app.services.trail_export import Told, note

    digest = hashlib.sha256(pack.pdf).hexdigest()
    with at.database.writing() as session:
        note(session, study, Told("proof", detail(order, pack), ""), digest, "site", now())


def _tell(pack: Pack, out: Path) -> None:
    """What was found: of each fault the screen, the size and the reason, and no text of it."""
    click.echo(f"{out}: {pack.sheets} pages, {len(pack.screens)} screens")
    for screen in pack.failed:
        for fault in screen.faults:
            place = " ".join(filter(None, (screen.language, screen.item, screen.kind)))
            click.echo(f"{place} ({screen.size}): {fault.check}: {fault.detail}")
    if pack.failed:
        raise click.ClickException(f"this pack failed: {len(pack.failed)} screens have faults")
    click.echo("this pack passed")
