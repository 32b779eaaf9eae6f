"""The command line: `pro-app`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pro_app.cli_score import instruments, score
from pro_app.config import ROOT, Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pro_app.core.library import Library
    from pro_app.models import Database, Participant
    from pro_app.services.studies import CurrentStudy


class Desk:
    """What the commands work with: settings, database, instruments; opened when first used."""

    def __init__(self, settings: Settings) -> None:
        from pro_app.core.library import load_library
        from pro_app.models import Database

        self.settings = settings
        self.database: Database = Database(settings.database_url)
        self.library: Library = load_library(ROOT / "questionnaires")

    def study(self, session: Session, code: str | None) -> CurrentStudy:
        """The study named, or the only one."""
        from pro_app.services import studies

        found = studies.find(session, code)
        if found is None:
            raise click.ClickException(
                f"there is no study {code!r}" if code else "name the study with --study"
            )
        return studies.current(session, self.library, found.id)

    def participant(self, session: Session, study: CurrentStudy, number: str) -> Participant:
        """The participant with this study number."""
        from pro_app.services import participants

        found = participants.find(session, study.id, number)
        if found is None:
            raise click.ClickException(f"there is no participant {number!r}")
        return found


class Group(click.Group):
    """Tells the project's own refusals in one line, without a trace."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if isinstance(error, _refusals()):
                raise click.ClickException(str(error)) from error
            raise


def _refusals() -> tuple[type[Exception], ...]:
    """What is told in one line. Imported only when something went wrong: it loads the database."""
    from pro_app.core.instruments import DefinitionError
    from pro_app.services.assessments import AssessmentError
    from pro_app.services.enrolment import EnrolmentError

    return (SettingsError, DefinitionError, EnrolmentError, AssessmentError)


def desk() -> Desk:
    """The desk of this run. Stops if the database is not up to date."""
    from pro_app.migrations import is_current

    found = Desk(read_settings())
    click.get_current_context().call_on_close(found.database.close)
    if not is_current(found.database):
        raise click.ClickException("the database is not up to date: run `pro-app db upgrade`")
    return found


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


@click.group(cls=Group)
def main() -> None:
    """Questionnaires of clinical trials on participants' phones."""


main.add_command(score)
main.add_command(instruments)


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


@main.group("study")
def study_group() -> None:
    """Studies."""


@study_group.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def study_load(file: Path) -> None:
    """Load a study FILE; a changed file becomes the study's next version."""
    from pro_app.core.study import read_study_file
    from pro_app.services import studies

    at = desk()
    content = read_study_file(file, at.library.instruments)
    with at.database.writing() as session:
        loaded = studies.load(session, at.library, content, now())
    click.echo(f"study {loaded.definition.code}, version {loaded.version}")


@main.group("participant")
def participant_group() -> None:
    """Participants."""


@participant_group.command("add")
@click.argument("number")
@click.option("--language", required=True, help="ms, en, zh_Hans or ta")
@click.option("--site", default="01", show_default=True, help="the site's code")
@click.option("--study", "study_code", help="needed where there are several studies")
def participant_add(number: str, language: str, site: str, study_code: str | None) -> None:
    """Enrol the participant with study NUMBER; print joining link, code and QR picture."""
    from pro_app.services import enrolment

    at = desk()
    with at.database.writing() as session:
        study = at.study(session, study_code)
        participant = enrolment.add_participant(session, study, site, number, language, now())
        code = enrolment.issue_code(session, participant.id, at.settings.secret_key, now())
    print_joining(at.settings, code, language)


@participant_group.command("code")
@click.argument("number")
@click.option("--phone-lost", is_flag=True, help="the phones joined so far open nothing any more")
@click.option("--study", "study_code", help="needed where there are several studies")
def participant_code(number: str, phone_lost: bool, study_code: str | None) -> None:
    """Make a new joining code; the participant's older codes are dead."""
    from pro_app.services import enrolment

    at = desk()
    with at.database.writing() as session:
        participant = at.participant(session, at.study(session, study_code), number)
        code = enrolment.issue_code(
            session, participant.id, at.settings.secret_key, now(), phone_lost
        )
        language = participant.language
    print_joining(at.settings, code, language)


@participant_group.command("withdraw")
@click.argument("number")
@click.option("--study", "study_code", help="needed where there are several studies")
def participant_withdraw(number: str, study_code: str | None) -> None:
    """End participation: devices and codes are dead at once, the data stay."""
    from pro_app.services import enrolment

    at = desk()
    with at.database.writing() as session:
        participant = at.participant(session, at.study(session, study_code), number)
        enrolment.withdraw(session, participant.id, now())
    click.echo(f"{number} has withdrawn")


@participant_group.command("readmit")
@click.argument("number")
@click.option("--study", "study_code", help="needed where there are several studies")
def participant_readmit(number: str, study_code: str | None) -> None:
    """Take a withdrawn participant in again, after a new consent."""
    from pro_app.services import enrolment

    at = desk()
    with at.database.writing() as session:
        participant = at.participant(session, at.study(session, study_code), number)
        enrolment.readmit(session, participant.id, now())
    click.echo(f"{number} takes part again; `pro-app participant code {number}` lets the phone in")


@participant_group.command("list")
@click.option("--study", "study_code", help="needed where there are several studies")
def participant_list(study_code: str | None) -> None:
    """Every participant, and what needs the site's attention."""
    from pro_app.services import participants

    at = desk()
    with at.database.reading() as session:
        study = at.study(session, study_code)
        for line in participants.lines(session, study, at.library, now()):
            click.echo(f"{line.number}  {line.language}")
            for remark in line.remarks:
                click.echo(f"        {remark}")


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
@click.option("--study", "study_code", help="needed where there are several studies")
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
        window = assessments.Window(opens_at, due_at, closes_at)
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


@main.command("export")
@click.argument("what", type=click.Choice(["answers", "scores"]))
@click.option("--format", "form", type=click.Choice(["csv"]), default="csv", show_default=True)
@click.option("--output", default="-", show_default=True, help="a file; - is standard output")
@click.option(
    "--language",
    type=click.Choice(["ms", "en", "zh_Hans", "ta"]),
    default="en",
    show_default=True,
    help="of the codebook's labels",
)
@click.option(
    "--exact",
    is_flag=True,
    help="for programs: cells that a spreadsheet would run stay as they are",
)
@click.option("--study", "study_code", help="needed where there are several studies")
def export(
    what: str, form: str, output: str, language: str, exact: bool, study_code: str | None
) -> None:
    """Write one row per assessment, and a codebook file beside it."""
    from pro_app.services import export as exporting

    del form  # CSV is the only one yet
    if not Path(output).parent.is_dir():
        folder = Path(output).parent
        raise click.BadParameter(f"there is no folder {str(folder)!r}", param_hint="--output")
    at = desk()
    with at.database.snapshot() as session:
        study = at.study(session, study_code)
        request = exporting.Request(what, study, at.library, language, exact, now())
        if output == "-":
            digest = exporting.write_rows(session, request, sys.stdout)
        else:
            digest = exporting.write_files(session, request, Path(output))
    with at.database.writing() as session:
        exporting.note(session, request, digest)


@main.command("verify-audit")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a fault")
def verify_audit(as_json: bool) -> None:
    """Check the audit trail: chains, gaps, and the data against what it tells."""
    from pro_app.services import audit

    at = desk()
    faults = 0
    with at.database.snapshot() as session:
        count = audit.count(session)
        for fault in audit.verify(session):
            faults += 1
            place = fault.stream if fault.seq is None else f"{fault.stream} entry {fault.seq}"
            told = {"stream": fault.stream, "seq": fault.seq, "reason": fault.reason}
            click.echo(json.dumps(told) if as_json else f"{place}: {fault.reason}")
    if faults:
        raise click.ClickException(f"{faults} faults in {count} entries")
    if not as_json:
        click.echo(f"{count} entries, no fault")


@main.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5000, show_default=True)
@click.option("--threads", default=8, show_default=True)
def serve(host: str, port: int, threads: int) -> None:
    """Serve the application."""
    import waitress

    from pro_app import create_app

    click.echo(f"serving on port {port}")
    settings = read_settings()
    waitress.serve(
        create_app(settings),
        host=host,
        port=port,
        threads=threads,
        ident=None,
        clear_untrusted_proxy_headers=not settings.trusted_proxies,  # else they count nothing
    )


@main.command("demo")
@click.option("--port", default=5000, show_default=True)
def demo(port: int) -> None:
    """Build the demonstration study in a database of its own and serve it."""
    from pro_app.demo.run import run

    run(port)
