"""The commands of `reminders`: whether they flow, and whom the site should call."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from pro_app.cli_desk import desk, now, study_option, tests_option
from pro_app.cli_text import columns, end_text, moment_text, name_text, reach_text

if TYPE_CHECKING:
    from pro_app.services.flow import Flow
    from pro_app.services.reachability import Call

UTC = ZoneInfo("UTC")


@click.group("reminders")
def reminders_group() -> None:
    """Reminders."""


@reminders_group.command("run-once")
def reminders_run_once() -> None:
    """Plan and send what is due now, and end: what a worker does every minute."""
    from pro_app.services import reminders, sending

    at = desk()
    planned = reminders.plan(at.database, at.library, now())
    if planned.followed:
        click.echo(f"{planned.followed} participants follow the newest version of the study")
    click.echo(f"{planned.planned} questionnaires planned")
    click.echo(str(sending.drain(at.office())))


@reminders_group.command("status")
def reminders_status() -> None:
    """Tell whether reminders flow; ends with 1 if somebody should look."""
    from pro_app.services.flow import flow

    at = desk()
    with at.database.snapshot() as session:
        found = flow(session, at.library, now())
    for line in flow_lines(found):
        click.echo(line)
    if not found.well:
        raise click.exceptions.Exit(1)


def flow_lines(found: Flow) -> Iterator[str]:
    """How reminders flow, to be read."""
    age = f", the oldest for {span_text(found.oldest)}" if found.due else ""
    yield f"due now: {found.due}{age}"
    yield f"all: {', '.join(f'{count} {state}' for state, count in found.states.items()) or 'none'}"
    yield from columns(
        [
            ("day", "accepted", "opened", "completed"),
            *((one.day, one.accepted, one.opened, one.completed) for one in found.days),
        ]
    )
    for host, until in found.paused_hosts.items():
        yield f"left alone until {moment_text(until, UTC)} UTC: {host}"
    for alarm in found.alarms:
        times = "once" if alarm.count == 1 else f"{alarm.count} times"
        yield (
            f"ALARM {alarm.code}: {alarm.detail} ({times}, last {moment_text(alarm.last_at, UTC)} "
            "UTC)"
        )


def span_text(span: timedelta) -> str:
    """How long, to the minute."""
    minutes = int(span.total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts) or "less than a minute"


@reminders_group.command("calls")
@tests_option
@study_option
def reminders_calls(tests: bool, study_code: str | None) -> None:
    """List whom the site should call: no message led to an answer, and there is time yet."""
    from pro_app.services import reachability

    at = desk()
    moment = now()
    with at.database.snapshot() as session:
        study = at.study(session, study_code, tests)
        found = reachability.calls(session, study, moment)
    for line in calls_lines(found, study.definition.zone, moment):
        click.echo(line)


def calls_lines(found: list[Call], zone: ZoneInfo, at: datetime) -> Iterator[str]:
    """The list of people to call, to be read."""
    if not found:
        yield "nobody to call"
    number = None
    for call in found:
        if call.number != number:
            number = call.number
            yield f"{number}  {reach_text(call.reachability, zone)}"
        name = f"{name_text(call.timepoint, call.occurrence)} {call.instrument}"
        since = (
            "" if call.since is None else f", on this list since {moment_text(call.since, zone)}"
        )
        left = call.closes_at - at
        yield (
            f"        {name}: {call.status.value.replace('_', ' ')} until "
            f"{end_text(call.closes_at, zone)} ({span_text(left)} left){since}"
        )


@reminders_group.command("clear-alarm")
@click.argument("code")
def reminders_clear_alarm(code: str) -> None:
    """Close the open alarms with this CODE, once what they tell of is mended."""
    from pro_app.services import alarms

    at = desk()
    with at.database.writing() as session:
        known = {one.code for one in alarms.open_ones(session)}
        if code not in known:
            listed = f"; open are {', '.join(sorted(known))}" if known else ""
            raise click.ClickException(f"there is no open alarm {code!r}{listed}")
        alarms.clear(session, code, now())
    click.echo(f"alarm {code} cleared")
