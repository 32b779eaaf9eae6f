"""The command `wording record`: a person's voice for the items of a wording."""

from __future__ import annotations

from pathlib import Path

import click

from pro_app.cli_desk import desk, now

INSTRUCTION = "instruction"


@click.command("record")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--wording", "fingerprint", required=True, help="the fingerprint of the wording, or its begin"
)
def wording_record(folder: Path, fingerprint: str) -> None:
    """Store the recordings in FOLDER: files named by item (LQ01.mp3), and instruction.mp3.

    All or none. MP3, M4A (AAC) or Ogg Opus (not for older iPhones), at most 1 MB each. A
    recording never changes: another voice comes with a new version of the wording.
    """
    from pro_app.services import recordings
    from pro_app.services.recordings import RecordingRefused

    files = _read(folder, recordings.LARGEST)
    place = desk()
    try:
        with place.database.writing() as session:
            rows = recordings.add(session, fingerprint, files, "site", now())
            told = [(row.item or INSTRUCTION, row.media_type, row.sha256) for row in rows]
    except RecordingRefused as refusal:
        raise click.ClickException(f"{refusal}; nothing was stored") from None
    for line in told:
        click.echo(" ".join(line))
    click.echo(f"{len(told)} recordings stored")


def _read(folder: Path, largest: int) -> dict[str, bytes]:
    """The folder's files by item; of one that is too large only so much as shows it."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        item = "" if path.stem == INSTRUCTION else path.stem
        if item in found:
            raise click.ClickException(f"there are two files of {path.stem}; nothing was stored")
        with path.open("rb") as file:
            found[item] = file.read(largest + 1)
    return found
