"""The command `study ready`: what a study lacks before it may be marked live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from pro_app.cli_desk import desk, now
from pro_app.cli_text import moment_text

if TYPE_CHECKING:
    from pro_app.services.readiness import Missing

SAYS = {
    "demonstration": "this is a demonstration: load the protocol under a code of its own",
    "wording_missing": "{about} has no licensed wording that is valid at every site in "
    "{languages}: pro-app wording import, or take the language out of the study file",
    "wording_mode": "{about} may not be read in this way in {languages}: {mode}; "
    "see what the licence permits",
    "wording_ends": "{about} is licensed in {languages} until {since} and no longer, "
    "and the follow-up lasts: renew the licence",
    "notice_draft": "the privacy notice's version is {about!r}: put the approved one in",
    "notice_unapproved": "the privacy notice {about!r} names no approval of an ethics committee: "
    "put its reference into the study file",
    "notice_untranslated": "the privacy notice is the same in {languages}: translate it",
    "telephone": "nobody can be called at {about!r}: put the study team's telephone in",
    "emergency": "the emergency number {about!r} has no digit: put the real one in",
    "zone": "the study's zone is {about}, which is no place: name one like Asia/Kuala_Lumpur",
    "no_administrator": "nobody administers the study: pro-app staff add ... --role administrator",
    "no_coordinator": "site {about} has no coordinator: pro-app staff add ... --site {about}",
    "no_investigator": "site {about} has no investigator: pro-app staff add ... --site {about}",
    "staff_closed": "{count} people have a role, but no password and second factor yet: "
    "hand their invitations over, or end the roles",
    "staff_untrained": "{count} people have a role, but no day of training is known",
    "address": "PRO_PUBLIC_URL is this machine's own: phones need an https:// address",
    "vapid_subject": "PRO_VAPID_SUBJECT cannot be used ({about}): "
    "set an address like mailto:you@your-hospital",
    "vapid_key": "{count} phones subscribed with another PRO_VAPID_KEY: put the old key back",
    "mail": "PRO_MAIL_URL is not set: no e-mail stands in for a message that cannot go",
    "backup_none": "no backup was made: set PRO_BACKUP_FOLDER and run a worker, "
    "or pro-app backup make",
    "backup_old": "the newest backup is of {since}: see whether a worker runs with "
    "PRO_BACKUP_FOLDER, and which alarms are open",
    "audit_key": "PRO_AUDIT_KEY is the one made beside the data: keep one where the database "
    "is not",
    "checkpoint_none": "the trail has no checkpoint: run a worker, or pro-app audit checkpoint",
    "checkpoint_old": "the newest checkpoint is of {since}, and more is on record: "
    "see whether a worker runs",
    "clock_record": "the newest entry on record is of {since}, ahead of this clock: "
    "put the clock right",
    "clock_server": "the database server's clock shows {since}: put the wrong one right",
    "alarms": "{count} alarms are open: pro-app reminders status",
}


@click.command("ready")
@click.argument("study_code", metavar="STUDY", required=False)
def study_ready(study_code: str | None) -> None:
    """Tell what STUDY lacks before it may be marked live; ends with 1 if anything is missing."""
    from pro_app.services import readiness
    from pro_app.wiring import equipment

    at = desk()
    with at.database.snapshot() as session:
        study = at.study(session, study_code)
        found = readiness.missing(session, study, equipment(at.settings), now())
    for line in ready_lines(found, study.definition.zone):
        click.echo(line)
    if found:
        raise click.exceptions.Exit(1)
    click.echo(f"nothing is missing; the study is marked {study.definition.status}")


def ready_lines(found: list[Missing], zone: ZoneInfo) -> Iterator[str]:
    """What is missing, to be read."""
    for one in found:
        since = "" if one.since is None else moment_text(one.since, zone)
        if one.code == "wording_ends":  # a licence's last day, all of which counts
            since = since.partition(" ")[0]
        yield SAYS[one.code].format(
            about=one.about,
            languages=", ".join(one.languages),
            mode=one.mode,
            count=one.count,
            since=since,
        )
