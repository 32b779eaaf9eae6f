"""The commands of backups: make one, list them, put one into an empty database."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import click

from pro_app.cli_desk import desk, now
from pro_app.cli_text import moment_text


@click.group("backup")
def backup_group() -> None:
    """Backups of the database. The keys are in none of them: keep those apart."""


@backup_group.command("make")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--keep", type=click.IntRange(min=1), help="remove all but so many of the newest")
@click.option(
    "--drill", metavar="URL", help="restore it into this empty database, too, and compare"
)
def backup_make(folder: Path, keep: int | None, drill: str | None) -> None:
    """Write a backup of the database into FOLDER, read it again, and compare it.

    FOLDER is this installation's alone. Leave the password out of URL: whoever lists the machine's
    processes can read it. It is found in PGPASSWORD or .pgpass.
    """
    from pro_app.config import database_address
    from pro_app.services import backups

    target = None if drill is None else database_address(drill, "--drill")
    at = desk()
    made = backups.make(at.database, folder, now, target)
    click.echo(f"{made.path}")
    click.echo(f"SHA-256 {made.sha256}")
    click.echo(f"{made.size} bytes, {made.facts.entries} audit entries, read again and compared")
    if drill is not None:
        click.echo("restored, too, and compared; drop that database when you have looked at it")
    if keep is not None:
        for name in backups.tidy(folder, keep, made.path):
            click.echo(f"removed {name}")
    click.echo(f"the keys are not in it, keep them apart: {', '.join(backups.KEYS)}")


@backup_group.command("list")
def backup_list() -> None:
    """Tell which backups were made, the newest first; whether their files still lie somewhere, the
    database does not know."""
    from pro_app.services import backups

    at = desk()
    with at.database.reading() as session:
        for one in backups.listed(session):
            drill = "  restored as a drill" if one.drill else ""
            click.echo(
                f"{moment_text(one.made_at, ZoneInfo('UTC'))} UTC  {one.name}  {one.size} bytes  "
                f"{one.entries} audit entries{drill}  SHA-256 {one.sha256}"
            )


@backup_group.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--to", "url", required=True, metavar="URL", help="an empty or new database")
def backup_restore(file: Path, url: str) -> None:
    """Put a backup FILE into the empty or new database at URL, and check its audit trail.

    The SHA-256 beside FILE is checked first. Leave the password out of URL: it is found in
    PGPASSWORD or .pgpass. Ends with 1 if the audit trail has a fault.
    """
    from pro_app.config import database_address
    from pro_app.migrations import is_current
    from pro_app.models import Database
    from pro_app.services import audit, backups

    address = database_address(url, "--to")
    facts = backups.restore(file, address)
    click.echo(f"restored and compared: {facts.entries} audit entries")
    database = Database(address)
    click.get_current_context().call_on_close(database.close)
    if not is_current(database):
        click.echo(
            f"its tables are of version {facts.revision}: set PRO_DATABASE_URL to it, "
            "run `pro-app db upgrade`, then `pro-app verify-audit`"
        )
        return
    faults = 0
    with database.snapshot() as session:
        for fault in audit.verify(session):
            faults += 1
            click.echo(str(fault))
    if faults:
        raise click.ClickException(f"{faults} faults in {facts.entries} entries")
    click.echo("the audit trail has no fault")
