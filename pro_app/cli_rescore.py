"""The command `rescore`."""

from __future__ import annotations

import click

from pro_app.cli_desk import desk, now, study_option


@click.command("rescore")
@click.option("--dry-run", is_flag=True, help="say only what there is to score")
@study_option
def rescore(dry_run: bool, study_code: str | None) -> None:
    """Score what was submitted by the versions of scorings that came since, beside the old scores.

    Nothing that was scored is changed. It may be broken off and run again.
    """
    from pro_app.services import rescoring

    at = desk()
    with at.database.snapshot() as session:
        study = at.study(session, study_code)
        pending = rescoring.pending(session, study, at.library)
        people = [] if dry_run else rescoring.people(session, study, at.library)
    for one in pending:
        click.echo(f"{one.instrument} {one.scoring.algorithm}: {one.count} submissions")
    if not pending:
        click.echo("everything is scored by the versions in force")
    added = 0
    for participant_id in people:
        with at.database.writing() as session:
            added += rescoring.rescore(session, study, at.library, participant_id, now())
    if added:
        click.echo(f"{added} sets of scores added")
