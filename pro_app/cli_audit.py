"""The commands of the audit trail: checkpoints, the export, and its check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pro_app.cli_desk import desk, now, study_option

if TYPE_CHECKING:
    from pro_app.services.checkpoints import Checkpoint


@click.group("audit")
def audit_group() -> None:
    """The audit trail: its checkpoints, its export, and the check of an export."""


@audit_group.command("key")
def audit_key() -> None:
    """Print the public key that checkpoints are signed with: note it outside, for `--key`."""
    from pro_app.config import read_settings
    from pro_app.services.audit_key import AuditKey

    key = AuditKey.read(read_settings().audit_key)
    click.echo(f"key {key.key_id}")
    click.echo(f"public {key.public.hex()}")


@audit_group.command("checkpoint")
def audit_checkpoint() -> None:
    """Sign what the trail holds now, and print it: on paper or in a mailbox it is a witness."""
    from pro_app.services import checkpoints
    from pro_app.services.audit_key import AuditKey

    at = desk()
    with at.database.writing() as session:
        made = checkpoints.make(session, AuditKey.read(at.settings.audit_key), now())
        found = made or checkpoints.newest(session)
    if found is None:
        raise click.ClickException("the trail holds nothing yet")
    if made is None:
        click.echo("nothing is new since the newest checkpoint", err=True)
    _tell(found)


def _tell(found: Checkpoint) -> None:
    from pro_app import verify

    click.echo(f"checkpoint {found.number}:{found.hash}")
    click.echo(f"made {verify.plain(found.at)}")
    click.echo(f"root {found.root}")
    click.echo(f"key {found.key}")
    click.echo(f"public {found.public_key}")


@audit_group.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@study_option
@click.option("--participant", "number", help="study number: this participant's trail alone")
def audit_export(file: Path, study_code: str | None, number: str | None) -> None:
    """Write the trail, its checkpoints and the data it tells of to FILE, a ZIP file.

    It holds the program that checks it: unpack verify.py, and run `python verify.py FILE`. A
    checkpoint is made first if anything is new. Without --study and --participant the whole
    database's trail is written, which alone shows that no participant's is missing.
    """
    from pro_app.services import audit_export as exporting
    from pro_app.services import checkpoints
    from pro_app.services.audit_key import AuditKey
    from pro_app.services.audit_rows import Scope

    if not file.parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(file.parent)!r}", param_hint="FILE")
    at = desk()
    scope, what = Scope(), {"study": study_code, "participant": number}
    with at.database.reading() as session:
        if study_code is not None or number is not None:
            study = at.study(session, study_code)
            person = None if number is None else at.participant(session, study, number)
            scope = Scope(study.id, None if person is None else person.id)
            what["study"] = study.definition.code
    try:
        with at.database.writing() as session:
            checkpoints.make(session, AuditKey.read(at.settings.audit_key), now())
    except checkpoints.TrailBehind as fault:  # which the export is to show
        click.echo(f"warning: {fault}", err=True)
    with at.database.snapshot() as session:
        digest = exporting.write(session, file, what, scope)
    with at.database.writing() as session:
        exporting.note(session, what, scope, digest, now())
    click.echo(f"SHA-256 {digest}")


@audit_group.command("verify")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--key", "keys", multiple=True, metavar="PUBLIC", help="that alone may sign")
@click.option(
    "--checkpoint", "known", multiple=True, metavar="NUMBER:HASH", help="known from outside"
)
def audit_verify(file: Path, keys: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Check an export, as the program in it does. No database is needed.

    Each fault is told with its place; the exit code is then 1, and 2 for a file that cannot be
    read.
    """
    from pro_app import verify

    options = [f"--key={key}" for key in keys] + [f"--checkpoint={one}" for one in known]
    sys.exit(verify.main([*options, "--", str(file)]))
