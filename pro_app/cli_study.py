"""The commands of `study`: load a protocol, see a participant's timeline, simulate the years."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from pro_app.cli_desk import Day, desk, now, study_option, text_or_json
from pro_app.cli_text import (
    columns,
    end_text,
    moment_text,
    name_text,
    waiting_lines,
    window_text,
)
from pro_app.config import ROOT

if TYPE_CHECKING:
    from pro_app.core.instruments import Instrument
    from pro_app.core.study import StudyDefinition
    from pro_app.services.simulation import Simulated
    from pro_app.services.timeline import Stage, Timeline

DEMONSTRATION = ROOT / "pro_app" / "demo" / "study.toml"
CSV_COLUMNS = (
    "at_utc", "at_local", "what", "participant", "timepoint", "instrument", "step", "channel",
)  # fmt: skip
study_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("study")
def study_group() -> None:
    """Studies."""


@study_group.command("load")
@click.argument("file", type=study_file)
def study_load(file: Path) -> None:
    """Load a study FILE; a changed file becomes the study's next version."""
    from pro_app.core.study_file import read_study_file
    from pro_app.services import studies

    at = desk()
    content = read_study_file(file, at.library.instruments)
    with at.database.writing() as session:
        loaded = studies.load(session, at.library, content, now())
    for line in overlap_warnings(loaded.definition, at.library.instruments):
        click.echo(f"warning: {line}", err=True)
    click.echo(f"study {loaded.definition.code}, version {loaded.version}")


def overlap_warnings(
    definition: StudyDefinition, instruments: Mapping[str, Instrument]
) -> Iterator[str]:
    """Timepoints of one anchor that ask the same instrument about the same days.

    Months differ in length, so every month of two years is tried as the anchor's.
    """
    from pro_app.core import schedule

    recalls = {code: one.recall_days for code, one in instruments.items()}
    closest: dict[tuple[str, str, str], int] = {}
    for anchor in definition.anchors:
        for n in range(24):
            day = date(2027 + n // 12, n % 12 + 1, 1)
            expected = schedule.expected(definition.timepoints, {anchor.code: day}, definition.zone)
            for earlier, later in schedule.overlaps(expected, recalls):
                names = (
                    name_text(earlier.timepoint, earlier.occurrence),
                    name_text(later.timepoint, later.occurrence),
                )
                apart = (later.due_on - earlier.due_on).days
                key = (later.instrument, *names)
                closest[key] = min(apart, closest.get(key, apart))
    for (instrument, first, second), apart in closest.items():
        yield (
            f"{instrument} at {first} and {second}: due {apart} days apart, but it asks about "
            f"{recalls[instrument]} days"
        )


@study_group.command("timeline")
@click.argument("number", metavar="PARTICIPANT")
@text_or_json
@study_option
def study_timeline(number: str, form: str, study_code: str | None) -> None:
    """Show the anchors, assessments and reminders of the participant with this study number."""
    from pro_app.services.timeline import timeline

    at = desk()
    with at.database.snapshot() as session:
        study = at.study(session, study_code)
        participant = at.participant(session, study, number)
        found = timeline(session, study, participant, now())
    if form == "json":
        click.echo(json.dumps(timeline_json(found), indent=2, ensure_ascii=False))
    else:
        for line in timeline_lines(found):
            click.echo(line)


def timeline_lines(found: Timeline) -> Iterator[str]:
    """A timeline to be read."""
    ended = "" if found.ended is None else f", {found.ended}"
    yield f"{found.number}{ended}{', reminders paused' if found.paused else ''}"
    yield f"times of {found.zone}"
    for anchor, day in found.anchors.items():
        yield f"{anchor}  {day}"
    for stage in found.stages:
        yield ""
        yield from _stage_lines(stage, found.zone)
    if found.waiting:
        yield ""
        yield from waiting_lines(found.waiting)


def _stage_lines(stage: Stage, zone: ZoneInfo) -> Iterator[str]:
    reason = "" if stage.reason is None else f" ({stage.reason.replace('_', ' ')})"
    hand = ", opened by hand" if stage.by_hand else ""
    status = stage.status.value.replace("_", " ")
    name = name_text(stage.timepoint, stage.occurrence)
    yield f"{name} {stage.instrument}: {status}{reason}{hand}"
    yield f"    {window_text(stage.window, zone)}, due {moment_text(stage.window.due_at, zone)}"
    if stage.too_late_for is not None:
        yield f"    ! answered after the {stage.too_late_for} date, but should precede it"
    rows = [
        (
            moment_text(one.at, zone),
            one.step,
            one.channel,
            one.state
            + ("" if one.reason is None else f" ({one.reason.replace('_', ' ')})")
            + ("" if one.opened_at is None else f", opened {moment_text(one.opened_at, zone)}"),
        )
        for one in stage.reminders
    ]
    for line in columns(rows):
        yield f"    {line}"


def timeline_json(found: Timeline) -> dict[str, Any]:
    """A timeline for programs: moments in UTC."""
    return {
        "participant": found.number,
        "zone": str(found.zone),
        "ended": found.ended,
        "paused": found.paused,
        "anchors": {anchor: str(day) for anchor, day in found.anchors.items()},
        "assessments": [
            {
                "timepoint": stage.timepoint,
                "occurrence": stage.occurrence,
                "instrument": stage.instrument,
                "opens_at": stage.window.opens_at.isoformat(),
                "due_at": stage.window.due_at.isoformat(),
                "closes_at": stage.window.closes_at.isoformat(),
                "status": stage.status.value,
                "reason": stage.reason,
                "by_hand": stage.by_hand,
                "too_late_for": stage.too_late_for,
                "reminders": [
                    {
                        "step": one.step,
                        "channel": one.channel,
                        "state": one.state,
                        "reason": one.reason,
                        "at": one.at.isoformat(),
                        "opened_at": None if one.opened_at is None else one.opened_at.isoformat(),
                    }
                    for one in stage.reminders
                ],
            }
            for stage in found.stages
        ],
        "waiting": {anchor: list(codes) for anchor, codes in found.waiting.items()},
    }


def _zone(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    if name is not None:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
            raise click.BadParameter(f"{name!r} is not a time zone like Europe/Berlin") from None
    return name


@study_group.command("simulate")
@click.option("--until", "last", type=Day(), required=True, help="the last day: 2029-12-31")
@click.option(
    "--participants", type=click.IntRange(1, 10_000), required=True, help="made up, how many"
)
@click.option("--zone", callback=_zone, help="in place of the study's own: Europe/Berlin")
@click.option("--from", "first", type=Day(), help="the first day; today if left out")
@click.option(
    "--enrolling",
    type=click.IntRange(1, 3_660),
    default=30,
    show_default=True,
    help="days over which they are enrolled",
)
@click.option("--study", "file", type=study_file, help="a study file; else the demonstration's")
@click.option(
    "--format", "form", type=click.Choice(["text", "csv"]), default="text", show_default=True
)
def study_simulate(
    last: date,
    participants: int,
    zone: str | None,
    first: date | None,
    enrolling: int,
    file: Path | None,
    form: str,
) -> None:
    """Print every opening, closing and reminder that would happen, and the busiest minute.

    Made-up participants have a phone and an e-mail address and never answer. Nothing is sent and
    no database is needed.
    """
    from pro_app.core.library import load_library
    from pro_app.core.study_file import parse_study, read_study_file
    from pro_app.services.simulation import Request, simulate

    library = load_library(ROOT / "questionnaires")
    content = read_study_file(file or DEMONSTRATION, library.instruments)
    if zone is not None:
        content["zone"] = zone
    if first is None:
        first = now().astimezone(parse_study(content, library.instruments).zone).date()
    if last < first:
        raise click.BadParameter(f"{last} lies before {first}", param_hint="--until")
    found = simulate(library, Request(content, participants, first, last, enrolling))
    if form == "csv":
        write_csv(found)
    else:
        for line in simulation_lines(found):
            click.echo(line)


def write_csv(found: Simulated) -> None:
    """One row for each happening."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for one in found.happenings:
        writer.writerow(
            (
                one.at.astimezone(UTC).isoformat(),
                one.at.astimezone(found.zone).isoformat(),
                one.what,
                one.participant,
                one.timepoint,
                one.instrument,
                one.step,
                one.channel,
            )
        )


def simulation_lines(found: Simulated) -> Iterator[str]:
    """Happenings to be read, and their sums."""
    yield from columns(
        [
            (
                (end_text if one.what == "closes" else moment_text)(one.at, found.zone),
                one.what,
                one.participant,
                one.timepoint,
                one.instrument,
                f"{one.step} {one.channel}".strip(),
            )
            for one in found.happenings
        ]
    )
    whats = [one.what for one in found.happenings]
    yield (
        f"{whats.count('opens')} openings, {whats.count('closes')} closings, "
        f"{whats.count('reminder')} reminders in {found.messages} messages; times of {found.zone}"
    )
    if found.busiest is not None:
        yield (
            f"busiest minute: {moment_text(found.busiest.at, found.zone)} with "
            f"{found.busiest.messages} messages for {found.busiest.reminders} reminders"
        )
