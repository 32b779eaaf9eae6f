"""The commands of `participant`: from enrolling to withdrawal, and how each can be reached."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pro_app.cli_desk import Day, Desk, desk, now, study_option, tests_option
from pro_app.cli_enrolment import enrol_many
from pro_app.cli_text import diff_lines, moment_text, reach_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pro_app.config import Settings
    from pro_app.core.schedule import Key, LocalDay
    from pro_app.models import Participant
    from pro_app.services.schedule import Diff
    from pro_app.services.studies import CurrentStudy


@click.group("participant")
def participant_group() -> None:
    """Participants."""


participant_group.add_command(enrol_many)


@participant_group.command("add")
@click.argument("number")
@click.option("--language", required=True, help="ms, en, zh_Hans or ta")
@click.option("--site", default="01", show_default=True, help="the site's code")
@click.option("--enrolled", type=Day(), help="the day of enrolment; today if left out")
@click.option("--consent", "version", help="the version of the consent that was signed")
@click.option("--consent-on", "signed", type=Day(), help="the day on which it was signed")
@click.option("--test", "is_test", is_flag=True, help="a test, not a person of the study")
@study_option
def participant_add(
    number: str,
    language: str,
    site: str,
    enrolled: date | None,
    version: str | None,
    signed: date | None,
    is_test: bool,
    study_code: str | None,
) -> None:
    """Enrol the participant with study NUMBER; print joining link, code and QR picture.

    A live study asks for --consent and --consent-on; elsewhere the trail says if there was none.
    A test participant of a live study is never counted, listed or exported with its people, and
    never becomes one of them: a person enrolled with --test by mistake is enrolled anew.
    """
    from pro_app.services import enrolment
    from pro_app.services.consents import Consent

    if (version is None) != (signed is None):
        raise click.UsageError("give --consent and --consent-on together")
    consent = None
    if version is not None and signed is not None:
        consent = Consent(version, signed)
    at = desk()
    with at.database.writing() as session:
        study = at.study(session, study_code)
        participant = enrolment.add_participant(
            session, study, site, number, language, now(), enrolled, consent, is_test=is_test
        )
        code = enrolment.issue_code(session, participant.id, at.settings.secret_key, now())
    print_joining(at.settings, code, language)


@participant_group.command("consent")
@click.argument("number")
@click.argument("version")
@click.argument("signed", type=Day(), metavar="DATE")
@study_option
def participant_consent(number: str, version: str, signed: date, study_code: str | None) -> None:
    """Take note of a consent signed in the clinic: its VERSION and DATE."""
    from pro_app.services import consents

    at = desk()
    with at.database.writing() as session:
        study = at.study(session, study_code)
        participant = at.participant(session, study, number)
        given = consents.Consent(version, signed)
        consents.record(session, study, participant.id, given, now())
    click.echo(f"{number}: consent {version} of {signed}")


@participant_group.command("code")
@click.argument("number")
@click.option("--phone-lost", is_flag=True, help="phones and passkeys open nothing any more")
@study_option
def participant_code(number: str, phone_lost: bool, study_code: str | None) -> None:
    """Make a new joining code; older ones are dead, a recovery card is not."""
    from pro_app.services import enrolment

    at = desk()
    with at.database.writing() as session:
        participant = at.participant(session, at.study(session, study_code), number)
        code = enrolment.issue_code(
            session, participant.id, at.settings.secret_key, now(), phone_lost
        )
        language = participant.language
    print_joining(at.settings, code, language)


@participant_group.command("card")
@click.argument("number")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="card-07.html if left out"
)
@study_option
def participant_card(number: str, output: Path | None, study_code: str | None) -> None:
    """Write a recovery card to print, for a lost phone or PIN; older cards are dead."""
    from pro_app.card import card
    from pro_app.services import enrolment

    at, made_at = desk(), now()
    file = output or Path(f"card-{number[-2:]}.html")
    if file.exists():
        raise click.ClickException(f"{file} exists; name another file with --output")
    with at.database.writing() as session:
        study = at.study(session, study_code)
        participant = at.participant(session, study, number)
        key, language = at.settings.secret_key, participant.language
        code = enrolment.issue_code(session, participant.id, key, made_at, kind="recovery")
        page = card(
            joining_link(at.settings, code, language),
            f"{at.settings.public_url}/join/",
            code,
            number,
            language,
            made_at + enrolment.RECOVERY_LIFE,
            study.definition.zone,
        )
        write_secret(file, page)
    click.echo(f"{file}: print it on A6, hand it over, and delete the file: it holds the code")


def write_secret(file: Path, text: str) -> None:
    """Write a new file that its owner alone can read."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as target:
            target.write(text)
    except OSError as error:
        raise click.ClickException(f"{file}: cannot be written: {error.strerror}") from error


@participant_group.command("anchor")
@click.argument("number")
@click.argument("anchor")
@click.argument("day", type=Day(), metavar="[DATE]", required=False)
@click.option("--remove", is_flag=True, help="the date was wrong and is not known")
@click.option("--yes", is_flag=True, help="apply without asking")
@study_option
def participant_anchor(
    number: str, anchor: str, day: date | None, remove: bool, yes: bool, study_code: str | None
) -> None:
    """Set or correct the DATE of an ANCHOR; the changes are shown before they are made."""
    from pro_app.services import schedule

    if (day is None) != remove:
        raise click.UsageError("give either a DATE like 2026-11-22 or --remove")
    at = desk()
    with at.database.snapshot() as session:
        study = at.study(session, study_code)
        participant = at.participant(session, study, number)
        if participant.withdrew_from != "questionnaires":
            refuse_ended(participant)
        diff = schedule.preview(session, study, at.library.instruments, participant.id, anchor, day)
        held = held_reasons(session, participant.id, diff)
    if diff.before == diff.after:
        click.echo(f"{number}: the {anchor} date is {diff.after or 'not known'} already")
        return
    for line in diff_lines(diff, held, study.definition.zone):
        click.echo(line)
    if day is not None and day > now().astimezone(study.definition.zone).date():
        click.echo("note: the date lies in the future")
    if not yes:
        click.confirm("Apply this?", abort=True)
    with at.database.writing() as session:
        study = at.study(session, study_code)
        applied = schedule.set_anchor(
            session, study, at.library.instruments, participant.id, anchor, day, now()
        )
        if (applied.before, applied.changes) != (diff.before, diff.changes):  # nothing is kept
            raise click.ClickException("it has changed meanwhile; nothing was applied, try again")
    click.echo(f"{number}: the {anchor} date is {diff.after or 'not known'}")


def refuse_ended(participant: Participant) -> None:
    """Stop where nothing can change any more."""
    if participant.died_at is not None:
        raise click.ClickException(f"{participant.number} has died")
    if participant.withdrawn_at is not None:
        raise click.ClickException(f"{participant.number} has withdrawn")


def held_reasons(session: Session, participant_id: int, diff: Diff) -> dict[Key, str]:
    """Why the assessments of a diff that stay do so."""
    from pro_app.core.schedule import Kind
    from pro_app.services import assessments

    staying = {change.key for change in diff.changes if change.kind is Kind.STAYS}
    found = {}
    for known in assessments.of_participant(session, participant_id):
        key = (known.timepoint, known.occurrence, known.instrument)
        if key in staying:
            begun = known.facts.started_at is not None
            done = known.facts.submitted_at is not None
            found[key] = "done" if done else "begun" if begun else "opened by hand"
    return found


@participant_group.command("email")
@click.argument("number")
@click.argument("address", required=False)
@click.option("--remove", is_flag=True, help="no e-mails any more")
@study_option
def participant_email(
    number: str, address: str | None, remove: bool, study_code: str | None
) -> None:
    """Take an e-mail ADDRESS for reminders, or remove it."""
    from pro_app.services import reach

    if (not address) != remove:
        raise click.UsageError("give either an ADDRESS or --remove")
    at = desk()
    with at.database.writing() as session:
        participant = at.participant(session, at.study(session, study_code), number)
        refuse_ended(participant)
        try:
            reach.set_email(session, at.office(), participant.id, None, address or "", now())
        except reach.ReachError:
            raise click.ClickException("this is no e-mail address that can be written to") from None
    click.echo(f"{number}: e-mail reminders are {'off' if remove else 'on'}")


@participant_group.command("pause")
@click.argument("number")
@click.option("--reason", help="hospital, travel or other")
@click.option("--until", type=Day(), help="the day on which reminders go again by themselves")
@study_option
def participant_pause(
    number: str, reason: str | None, until: date | None, study_code: str | None
) -> None:
    """Send no reminders from now on; the questionnaires stay open."""
    from pro_app.services import reminders

    at = desk()
    with at.database.writing() as session:
        study = at.study(session, study_code)
        participant = at.participant(session, study, number)
        refuse_ended(participant)
        day = _local_day(study, until)
        reminders.pause(session, participant.id, now(), reason=reason, until=day)
    end = f"{until} or " if until is not None else ""
    click.echo(f"{number}: no reminders until {end}`pro-app participant resume {number}`")


def _local_day(study: CurrentStudy, day: date | None) -> LocalDay | None:
    from pro_app.core.schedule import LocalDay

    return None if day is None else LocalDay(day, study.definition.zone)


@participant_group.command("resume")
@click.argument("number")
@study_option
def participant_resume(number: str, study_code: str | None) -> None:
    """Send reminders again; those of the time between are not sent after the event."""
    from pro_app.services import reminders

    at = desk()
    with at.database.writing() as session:
        study = at.study(session, study_code)
        participant = at.participant(session, study, number)
        refuse_ended(participant)
        reminders.resume(session, study, participant.id, now())
    click.echo(f"{number}: reminders go again")


@participant_group.command("withdraw")
@click.argument("number")
@click.option(
    "--from",
    "scope",
    type=click.Choice(["study", "questionnaires"]),
    default="study",
    show_default=True,
    help="from questionnaires alone, the person stays in the study",
)
@click.option("--reason", default="", help="as far as the person gave one")
@click.option("--on", "day", type=Day(), help="the day, if it was earlier than today")
@study_option
def participant_withdraw(
    number: str, scope: str, reason: str, day: date | None, study_code: str | None
) -> None:
    """End participation: devices and codes are dead at once, the data stay."""
    from pro_app.services import enrolment

    at = desk()
    with at.database.writing() as session:
        study = at.study(session, study_code)
        participant = at.participant(session, study, number)
        on = _local_day(study, day)
        enrolment.withdraw(session, participant.id, now(), scope=scope, reason=reason, on=on)
    click.echo(f"{number} has withdrawn" + (" from questionnaires" if scope != "study" else ""))


@participant_group.command("died")
@click.argument("number")
@click.option("--on", "day", type=Day(), help="the day, if it was earlier than today")
@study_option
def participant_died(number: str, day: date | None, study_code: str | None) -> None:
    """Record a death: nothing is sent or expected any more, the data stay."""
    from pro_app.services import enrolment

    at = desk()
    with at.database.writing() as session:
        study = at.study(session, study_code)
        participant = at.participant(session, study, number)
        enrolment.record_death(session, participant.id, now(), on=_local_day(study, day))
    click.echo(f"{number} has died")


@participant_group.command("readmit")
@click.argument("number")
@study_option
def participant_readmit(number: str, study_code: str | None) -> None:
    """Take a withdrawn participant in again, after a new consent."""
    from pro_app.services import enrolment

    at = desk()
    with at.database.writing() as session:
        participant = at.participant(session, at.study(session, study_code), number)
        enrolment.readmit(session, participant.id, now())
    click.echo(f"{number} takes part again; `pro-app participant code {number}` lets the phone in")


@participant_group.command("list")
@tests_option
@study_option
def participant_list(tests: bool, study_code: str | None) -> None:
    """Every participant, how each can be reached, and what needs the site's attention."""
    from pro_app.services import participants

    at = desk()
    with at.database.reading() as session:
        study = at.study(session, study_code, tests)
        for line in participants.lines(session, study, now()):
            click.echo(f"{line.number}  {line.language}")
            later = 0
            for remark in line.remarks:
                if remark.endswith(": not due"):
                    later += 1
                else:
                    click.echo(f"        {plain_remark(remark, line.language)}")
            if later:
                click.echo(f"        not due yet: {later}")
            for told in (
                *_phones(at, session, study, line.number),
                *_reach_and_waiting(at, session, study, line.number),
            ):
                click.echo(f"        {told}")


WAYS_IN = {
    "passkey": "phone joined by fingerprint, face or screen lock",
    "recovery": "phone joined with the recovery card",
    "code": "phone joined with a code",
}


def _phones(at: Desk, session: Session, study: CurrentStudy, number: str) -> list[str]:
    """The phones that joined without the site's doing, or are not the participant's own."""
    from pro_app.services import phones

    participant = at.participant(session, study, number)
    return [
        f"{WAYS_IN[one.joined_by]} on {moment_text(one.created_at, study.definition.zone)}"
        + (", not their own" if one.shared else "")
        for one in phones.joined(session, participant.id, now())
        if one.joined_by != "code" or one.shared
    ]


def plain_remark(remark: str, language: str) -> str:
    """A remark with its reason in words: `missed (not offered)`."""
    about, bracket, reason = remark.partition(" (")
    reason = reason.replace("no_wording", f"no wording in {language}").replace("_", " ")
    return about + bracket + reason


def _reach_and_waiting(at: Desk, session: Session, study: CurrentStudy, number: str) -> list[str]:
    """How a participant can be reached, and what waits for which date; nothing once it ended."""
    from pro_app.core import schedule as rules
    from pro_app.services import reachability, schedule

    participant = at.participant(session, study, number)
    if participant.died_at is not None or participant.withdrawn_at is not None:
        return []
    days = schedule.anchors(session, participant.id)
    known = reachability.reachability(session, participant.id, now())
    waiting = rules.waiting(study.definition.timepoints, days)
    return [
        *(f"waiting for the {anchor} date" for anchor in waiting),
        reach_text(known, study.definition.zone),
    ]


def print_joining(settings: Settings, code: str, language: str) -> None:
    """Print a joining link, its code and its QR picture."""
    import segno

    link = joining_link(settings, code, language)
    segno.make(link, error="m").terminal(compact=True)
    click.echo(f"code  {code[:4]} {code[4:]}   (one use, 72 hours)")
    click.echo(f"link  {link}")


def joining_link(settings: Settings, code: str, language: str) -> str:
    """The address behind the QR picture; the code stands after #, which is never sent."""
    return f"{settings.public_url}/join/?language={language}#{code}"
