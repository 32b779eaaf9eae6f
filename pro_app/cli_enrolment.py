"""The command `participant enrol-many`: everybody of a file, or nobody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pro_app.cli_desk import desk, now, study_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pro_app.core.file_table import Fault


@click.command("enrol-many")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="look for faults, and enrol nobody")
@study_option
def enrol_many(file: Path, dry_run: bool, study_code: str | None) -> None:
    """Enrol everybody of a CSV FILE, or with any fault nobody.

    Columns: number, site, language, consent_version, consent_on, and if wanted email and the days
    of anchors by their codes, like 2026-11-22.
    """
    from pro_app.services import enrolment_file

    data = file.read_bytes()
    at = desk()
    if dry_run:
        with at.database.reading() as session:
            study = at.study(session, study_code)
            checked = enrolment_file.check(session, study, data, now())
        _tell(checked.faults)
        click.echo(f"{len(checked.entrants)} people could be enrolled; nobody was")
        return
    vault = at.office().vault
    try:
        with at.database.reading() as session:
            study = at.study(session, study_code)
        count = enrolment_file.enrol(at.database, study, vault, data, now())
    except enrolment_file.FileRefused as refused:
        _tell(refused.faults)
    click.echo(f"{count} people are enrolled; `pro-app participant code` lets each phone in")


def _tell(faults: Sequence[Fault]) -> None:
    """Print every fault and stop, if there is any."""
    for one in faults:
        click.echo(one)
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise click.ClickException(f"{count}; nobody was enrolled")
