"""The command `study alerts`: the rules of a study file, and how much work they would make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pro_app.cli_desk import desk
from pro_app.cli_study import study_file
from pro_app.cli_text import columns, name_text
from pro_app.config import ROOT

if TYPE_CHECKING:
    from pro_app.core.alerts import Monitoring, Rule
    from pro_app.services.alert_load import Load, Place


@click.command("alerts")
@click.argument("file", metavar="FILE", type=study_file)
@click.option(
    "--simulate",
    is_flag=True,
    help="count the alerts that these rules would have raised on the answers in the database",
)
def study_alerts(file: Path, simulate: bool) -> None:
    """Print the rules by which a study FILE has answers watched. The file need not be loaded, and
    nothing is changed."""
    from pro_app.core.library import load_library
    from pro_app.core.study_file import parse_study, read_study_file

    at = desk() if simulate else None
    library = load_library(ROOT / "questionnaires") if at is None else at.library
    definition = parse_study(read_study_file(file, library.instruments), library.instruments)
    for line in rule_lines(definition.monitoring):
        click.echo(line)
    if at is None:
        return
    from pro_app.services import alert_load

    with at.database.snapshot() as session:
        study = at.study(session, definition.code)
        load = alert_load.estimate(session, study, at.library, definition)
    for line in load_lines(load):
        click.echo(line)


def rule_lines(monitoring: Monitoring) -> Iterator[str]:
    """The rules to be read."""
    if not monitoring.watched:
        yield "answers are not watched"
        return
    yield from columns(
        [
            (
                rule.code,
                _trigger_text(rule),
                f"tells {' and '.join(rule.recipients)}",
                f"within {rule.within.total_seconds() / 3600:g} h",
                f"then {rule.escalate_to}",
            )
            for rule in monitoring.rules
        ]
    )


def _trigger_text(rule: Rule) -> str:
    from pro_app.core.alerts import ItemTrigger

    trigger = rule.trigger
    if isinstance(trigger, ItemTrigger):
        codes = " or ".join(map(str, sorted(trigger.codes)))
        return f"{rule.instrument} {trigger.item} is {codes}"
    if trigger.below is not None:
        return f"{rule.instrument} {trigger.scoring} {trigger.scale} below {trigger.below:g}"
    return f"{rule.instrument} {trigger.scoring} {trigger.scale} above {trigger.above:g}"


def _order(one: Place) -> tuple[str, str, str, int]:
    return (one.rule, one.week, one.timepoint, one.occurrence)


def load_lines(load: Load) -> Iterator[str]:
    """The alerts that there would have been, by rule, timepoint and week, and what that means."""
    yield ""
    if load.alerts:
        places = sorted(load.alerts, key=_order)
        head = ("rule", "timepoint", "week", "alerts")
        rows = [
            (one.rule, name_text(one.timepoint, one.occurrence), one.week, load.alerts[one])
            for one in places
        ]
        yield from columns([head, *rows])
        yield ""
    total = load.alerts.total()
    share = 100 * load.raising / load.submissions if load.submissions else 0
    yield f"{load.raising} of {load.submissions} submissions raise an alert ({share:.0f} %)"
    weekly = total / load.weeks if load.weeks else 0
    yield f"{total} alerts in all, {weekly:.1f} in a week with submissions"
