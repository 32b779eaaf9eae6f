"""What all commands share: the desk they work at, how refusals are told, and their options."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from pro_app.config import ROOT, Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pro_app.core.library import Library
    from pro_app.models import Database, Participant
    from pro_app.services.post_office import PostOffice
    from pro_app.services.studies import CurrentStudy

study_option = click.option("--study", "study_code", help="needed where there are several studies")
tests_option = click.option(
    "--test", "tests", is_flag=True, help="of a live study, its test participants only"
)


class Desk:
    """What the commands work with: settings, database, instruments; opened when first used."""

    def __init__(self, settings: Settings) -> None:
        from pro_app.core.library import load_library
        from pro_app.models import Database

        self.settings = settings
        self.database: Database = Database(settings.database_url)
        self.library: Library = load_library(ROOT / "questionnaires")

    def study(self, session: Session, code: str | None, tests: bool = False) -> CurrentStudy:
        """The study named, or the only one; with `tests` read of its test participants."""
        from pro_app.services import studies

        found = studies.find(session, code)
        if found is None:
            raise click.ClickException(
                f"there is no study {code!r}" if code else "name the study with --study"
            )
        study = studies.current(session, self.library, found.id)
        return study.of_tests() if tests else study

    def participant(self, session: Session, study: CurrentStudy, number: str) -> Participant:
        """The participant with this study number."""
        from pro_app.services import participants

        found = participants.find(session, study.id, number)
        if found is None:
            raise click.ClickException(f"there is no participant {number!r}")
        return found

    def office(self) -> PostOffice:
        """What messages go out by."""
        from pro_app.wiring import post_office

        return post_office(self.settings, self.database, self.library, now)


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
            if type(error).__name__ == "OperationalError":  # by name: its module loads slowly
                told = str(getattr(error, "orig", error)).strip().partition("\n")[0]
                raise click.ClickException(f"the database cannot be used: {told}") from error
            if (refused := _of_system(error)) is not None:
                raise click.ClickException(refused) from error
            raise


def _of_system(error: Exception) -> str | None:
    """What the system refused, such as a file that cannot be written; None for any other error.
    A reader that went away is not told: `... | head`."""
    if isinstance(error, UnicodeEncodeError) and error.encoding == "utf-8":
        return "what was typed is not UTF-8"
    if not isinstance(error, OSError) or not error.strerror or error.errno == errno.EPIPE:
        return None
    place = "the system says" if error.filename is None else str(error.filename)
    return f"{place}: {error.strerror}"


def _refusals() -> tuple[type[Exception], ...]:
    """What is told in one line. Imported only when something went wrong: it loads the database."""
    from pro_app.core.instruments import DefinitionError
    from pro_app.services.assessments import AssessmentError
    from pro_app.services.checkpoints import TrailBehind
    from pro_app.services.checks import StartRefused
    from pro_app.services.consents import ConsentError
    from pro_app.services.dump_programs import BackupFault
    from pro_app.services.enrolment import EnrolmentError
    from pro_app.services.reminders import PauseError
    from pro_app.services.schedule import ScheduleError
    from pro_app.services.wordings import WordingRefused

    return (
        SettingsError, DefinitionError, EnrolmentError, AssessmentError, ScheduleError,
        StartRefused, ConsentError, PauseError, TrailBehind, BackupFault, WordingRefused,
    )  # fmt: skip


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


class Day(click.ParamType):  # type: ignore[type-arg]
    """A day of a study, like 2026-11-22."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            found = date.fromisoformat(value)
        except ValueError:
            found = None
        if found is None or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            self.fail(f"{value!r} is not a day like 2026-11-22", param, ctx)
        from pro_app.core.schedule import YEARS

        if found.year not in YEARS:
            self.fail(f"{value!r} is not a year of any study", param, ctx)
        return found


def text_or_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--format`, for people or for programs."""
    return click.option(
        "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
    )(command)
