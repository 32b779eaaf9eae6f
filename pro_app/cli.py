"""The command line: `pro-app`. Each noun's commands are in a module of their own."""

from __future__ import annotations

import json
from datetime import datetime

import click

from pro_app.cli_alerts import study_alerts
from pro_app.cli_audit import audit_group
from pro_app.cli_backup import backup_group
from pro_app.cli_desk import Group, desk, now, study_option
from pro_app.cli_export import export
from pro_app.cli_participant import participant_group
from pro_app.cli_proof import proof
from pro_app.cli_ready import study_ready
from pro_app.cli_reminders import reminders_group
from pro_app.cli_rescore import rescore
from pro_app.cli_score import instruments, score
from pro_app.cli_serve import check, serve, worker
from pro_app.cli_staff import staff_group
from pro_app.cli_study import study_group
from pro_app.cli_token import token_group
from pro_app.cli_wording import wording_group
from pro_app.config import read_settings


@click.group(cls=Group)
def main() -> None:
    """Questionnaires of clinical trials on participants' phones."""


for command in (
    audit_group, backup_group, check, export, instruments, participant_group, proof,
    reminders_group, rescore, score, serve, staff_group, study_group, token_group, wording_group,
    worker,
):  # fmt: skip
    main.add_command(command)
study_group.add_command(study_alerts)


study_group.add_command(study_ready)


@main.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the newest version of its tables."""
    from pro_app.migrations import upgrade
    from pro_app.models import Database

    database = Database(read_settings().database_url)
    click.get_current_context().call_on_close(database.close)
    upgrade(database)
    click.echo("the database is up to date")


@db.command("recheck")
@click.option("--mend", is_flag=True, help="let everything say what the submissions do")
def db_recheck(mend: bool) -> None:
    """Compare what is kept twice for speed with the submissions themselves: what assessments say
    of them, and their answers by the byte."""
    from pro_app.models import Database
    from pro_app.services import sealed_codes, seals

    database = Database(read_settings().database_url)
    click.get_current_context().call_on_close(database.close)
    if mend:
        with database.writing() as session:
            click.echo(f"{seals.mend(session) + sealed_codes.mend(session)} mended")
        return
    with database.snapshot() as session:
        found = [
            f"assessment {one.public_id} says {one.says}, its submission {one.late}"
            for one in seals.faults(session)
        ]
        found += [
            f"submission {one} is not kept by the byte as it was sealed"
            for one in sealed_codes.faults(session)
        ]
    for line in found:
        click.echo(line)
    if found:
        raise click.ClickException(f"{len(found)} differ; --mend corrects them")
    click.echo("what is kept twice says the same")


@main.group("assessment")
def assessment_group() -> None:
    """Assessments."""


@assessment_group.command("open")
@click.argument("number")
@click.argument("timepoint")
@click.option("--opens", required=True, help="date and time in the study's zone: 2026-11-22T08:00")
@click.option("--closes", required=True, help="likewise; the window ends at this moment")
@click.option("--due", help="likewise; the opening if left out")
@click.option(
    "--occurrence",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="2 and more for a repeated one",
)
@study_option
def assessment_open(
    number: str,
    timepoint: str,
    opens: str,
    closes: str,
    due: str | None,
    occurrence: int,
    study_code: str | None,
) -> None:
    """Open the questionnaires of a TIMEPOINT for the participant with study NUMBER."""
    from pro_app.core.schedule import Window
    from pro_app.services import assessments

    at = desk()
    with at.database.writing() as session:
        study = at.study(session, study_code)
        participant = at.participant(session, study, number)
        zone = study.definition.zone
        opens_at, closes_at, due_at = (
            datetime.fromisoformat(text).replace(tzinfo=zone)
            for text in (_checked("--opens", opens), _checked("--closes", closes),
                         _checked("--due", due or opens))
        )  # fmt: skip
        window = Window(opens_at, due_at, closes_at)
        opened = assessments.open_timepoint(
            session, study, participant.id, timepoint, window, now(), occurrence
        )
        for assessment in opened:
            path = f"/questionnaires/{assessment.public_id}"
            click.echo(f"{assessment.instrument}  {at.settings.public_url}{path}")


def _checked(option: str, text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not like 2026-11-22T08:00", param_hint=option
        ) from None
    if len(text) <= len("2026-11-22"):
        raise click.BadParameter(f"{text!r} lacks the time of day", param_hint=option)
    if moment.tzinfo is not None:
        raise click.BadParameter("the time is the study's, without an offset", param_hint=option)
    return text


@main.command("verify-audit")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a fault")
def verify_audit(as_json: bool) -> None:
    """Check the audit trail in the database: chains, checkpoints, and the data that it tells of."""
    from pro_app.services import audit

    at = desk()
    faults = 0
    with at.database.snapshot() as session:
        count = audit.count(session)
        for fault in audit.verify(session):
            faults += 1
            told = {"stream": fault.stream, "seq": fault.seq, "reason": fault.reason}
            click.echo(json.dumps(told) if as_json else str(fault))
    if faults:
        raise click.ClickException(f"{faults} faults in {count} entries")
    if not as_json:
        click.echo(f"{count} entries, no fault")


@main.command("demo")
@click.option("--port", default=5000, show_default=True)
def demo(port: int) -> None:
    """Build the demonstration study in a database of its own and serve it."""
    from pro_app.demo.run import run

    run(port)
