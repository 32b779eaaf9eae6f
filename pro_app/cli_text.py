"""What the commands say, as pure functions of what is known: times, windows, changes, reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from pro_app.core.schedule import Change, Key, Window
    from pro_app.services.reachability import Reachability
    from pro_app.services.schedule import Diff

KINDS = {
    "new": "new",
    "moved": "moves",
    "stays": "stays",
    "cancelled": "is taken back",
    "restored": "comes back",
}
PUSH = {
    "on": "on",
    "lost": "lost, the push service knows the phone no more",
    "denied": "refused on the phone",
    "unsupported": "the browser has none",
    "not_installed": "the app is not on the home screen yet",
    "off": "off",
    "no_phone": "no phone has joined",
}
EMAIL = {"on": "on", "bounced": "came back as undeliverable", "none": "none"}


def moment_text(moment: datetime, zone: ZoneInfo) -> str:
    """A moment by the study's clocks."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def end_text(moment: datetime, zone: ZoneInfo) -> str:
    """The end of something: a midnight is 24:00 of the day that it ends."""
    local = moment.astimezone(zone)
    if local.time() != time():
        return moment_text(moment, zone)
    return f"{local.date() - timedelta(days=1)} 24:00"


def window_text(window: Window, zone: ZoneInfo) -> str:
    """From when until when something is open."""
    return f"{moment_text(window.opens_at, zone)} to {end_text(window.closes_at, zone)}"


def name_text(timepoint: str, occurrence: int) -> str:
    """A timepoint; a repeated one with its count from the second on."""
    return timepoint if occurrence == 1 else f"{timepoint}/{occurrence}"


def diff_lines(diff: Diff, held: Mapping[Key, str], zone: ZoneInfo) -> Iterator[str]:
    """What setting an anchor changes. `held` says of what stays why it does."""
    before, after = diff.before or "not known", diff.after or "not known"
    yield f"{diff.anchor}: {before} -> {after}"
    if not diff.changes:
        yield "  no questionnaire changes"
    for change in sorted(diff.changes, key=_opening):
        timepoint, occurrence, instrument = change.key
        name = f"{name_text(timepoint, occurrence)} {instrument}"
        yield f"  {name}: {_change_text(change, held, zone)}"
    yield f"planned messages that are replaced: {diff.messages}"
    for earlier, later in diff.overlaps:
        pair = " and ".join(
            f"{name_text(one.timepoint, one.occurrence)} ({one.due_on})" for one in (earlier, later)
        )
        yield f"warning: {later.instrument} asks about the same days twice: due at {pair}"
    yield from waiting_lines(diff.waiting)


def _opening(change: Change) -> datetime:
    window = change.window or change.before
    assert window is not None  # noqa: S101 (a change has one of them)
    return window.opens_at


def _change_text(change: Change, held: Mapping[Key, str], zone: ZoneInfo) -> str:
    before = None if change.before is None else window_text(change.before, zone)
    after = None if change.window is None else window_text(change.window, zone)
    said = KINDS[change.kind.value]
    if change.kind.value == "stays":
        why = held.get(change.key, "held")
        wish = "expects none" if after is None else f"would have {after}"
        return f"{said} at {before}: {why}; the protocol {wish}"
    if change.kind.value == "moved":
        return f"{said} from {before} to {after}"
    return f"{said}, {after or before}"


def waiting_lines(waiting: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What waits for which date."""
    for anchor, timepoints in waiting.items():
        yield f"waiting for the {anchor} date: {', '.join(timepoints)}"


def reach_text(known: Reachability, zone: ZoneInfo) -> str:
    """How a participant can be reached: what is known and no more.

    A push service that accepted has not delivered; a phone that showed it was not looked at.
    """
    parts = [f"push: {PUSH[known.push]}", f"e-mail: {EMAIL[known.email]}"]
    for word, at in (
        ("last message accepted by a service", known.accepted_at),
        ("last shown by a phone", known.shown_at),
        ("last opened", known.opened_at),
    ):
        if at is not None:
            parts.append(f"{word} {moment_text(at, zone)}")
    if known.accepted_at is None and known.push == "on":
        parts.append("nothing accepted by a service yet")
    if known.paused:
        until = known.paused_until
        end = "" if until is None else f" until {until.astimezone(zone).date()}"
        parts.insert(0, f"reminders paused{end}")
    return "; ".join(parts)


def columns(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Rows as lines whose columns stand below each other."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()
