"""The commands that run until they are stopped, `serve` and `worker`, and what they check first."""

from __future__ import annotations

import logging
import signal
from contextlib import nullcontext
from typing import TYPE_CHECKING, NoReturn

import click

from pro_app.cli_desk import Desk, desk, now
from pro_app.config import Settings

if TYPE_CHECKING:
    from pro_app.worker import EmbeddedWorker


def checked_settings() -> Settings:
    """The settings, once everything that must hold before a start was looked at."""
    at = desk()
    before_start(at)
    at.database.close()
    return at.settings


def before_start(at: Desk) -> None:
    """Refuse to start where that would do harm; tell what else is wrong."""
    from pro_app.services import checks

    subject, key_id = at.settings.vapid_subject, at.office().key_id
    others = checks.before_start(at.database, at.library, subject, key_id, now())
    if others:
        click.echo(f"warning: {others} phones subscribed with another VAPID key", err=True)


def tell_log() -> None:
    """Write the log to standard error."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=form)
    logging.getLogger("huey").setLevel(logging.WARNING)  # it tells of every tick


def embedded_worker(settings: Settings) -> EmbeddedWorker:
    """A worker for this process."""
    from pro_app.worker import EmbeddedWorker

    try:
        return EmbeddedWorker(settings)
    except Exception as error:  # of three different stores
        raise queue_fault(error) from error


def queue_fault(error: Exception) -> click.ClickException:
    """What to say of a queue that cannot be opened; the address may hold a password."""
    return click.ClickException(
        f"PRO_QUEUE_URL: the queue cannot be opened: {type(error).__name__}"
    )


def end_by_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does, not at once."""

    def end(_number: int, _frame: object) -> NoReturn:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=5000, show_default=True)
@click.option("--threads", default=8, show_default=True)
@click.option("--worker/--no-worker", default=True, show_default=True, help="send reminders too")
def serve(host: str, port: int, threads: int, worker: bool) -> None:
    """Serve the application, and send reminders."""
    import waitress

    from pro_app import create_app

    settings = checked_settings()
    tell_log()
    app = create_app(settings)
    with embedded_worker(settings) if worker else nullcontext():
        end_by_sigterm()
        click.echo(f"serving on port {port}")
        waitress.serve(
            app,
            host=host,
            port=port,
            threads=threads,
            ident=None,
            clear_untrusted_proxy_headers=not settings.trusted_proxies,  # else they count nothing
        )


@click.command("worker")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="processes"
)
@click.option("--no-clock", is_flag=True, help="make no ticks: another machine's worker does")
def worker(workers: int, no_clock: bool) -> None:
    """Plan and send reminders every minute, until SIGTERM."""
    from pro_app import worker as working

    settings = checked_settings()
    tell_log()
    if workers > 1 and working.in_memory(settings.queue_url):
        raise click.ClickException("PRO_QUEUE_URL: a queue in memory is for one worker alone")
    try:
        consumer, ticker = working.make_consumer(settings, workers, clock=not no_clock)
    except Exception as error:  # of three different stores
        raise queue_fault(error) from error
    click.echo("working" if not no_clock else "working, at other workers' ticks")
    working.run(consumer, ticker)


@click.command("check")
@click.option(
    "--clock-is-right",
    is_flag=True,
    help="put on record that this machine's clock is right although the record is ahead of it",
)
def check(clock_is_right: bool) -> None:
    """Look at what `serve` and `worker` look at before they start."""
    from pro_app.services import checks

    at = desk()
    if clock_is_right:
        checks.confirm_clock(at.database, now())
    before_start(at)
    click.echo("nothing stands in the way of a start")
