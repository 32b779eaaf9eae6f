"""What the commands say: windows, ends of days, and how a person can be reached."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pro_app.cli_text import columns, end_text, moment_text, name_text, reach_text, waiting_lines
from pro_app.services.reachability import Reachability

ZONE = ZoneInfo("Asia/Kuala_Lumpur")
NINE = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)


def test_moments_are_told_by_the_studys_clocks() -> None:
    assert moment_text(NINE, ZONE) == "2026-11-23 09:00"
    assert moment_text(MIDNIGHT, ZONE) == "2026-11-24 00:00"


def test_what_ends_at_midnight_ends_with_the_day() -> None:
    assert end_text(MIDNIGHT, ZONE) == "2026-11-23 24:00"
    assert end_text(NINE, ZONE) == "2026-11-23 09:00"


def test_occurrences_are_counted_from_the_second_on() -> None:
    assert [name_text("yearly", n) for n in (1, 2)] == ["yearly", "yearly/2"]


def test_what_waits_names_its_date() -> None:
    assert list(waiting_lines({"infusion": ["day_28", "month_3"]})) == [
        "waiting for the infusion date: day_28, month_3"
    ]


def test_columns_stand_below_each_other() -> None:
    assert list(columns([("a", 1, ""), ("bcd", 22, "x")])) == ["a    1", "bcd  22  x"]
    assert list(columns([])) == []


NOTHING = Reachability("no_phone", "none", False, None, None, None)
REACH = [
    (NOTHING, "push: no phone has joined; e-mail: none"),
    (
        Reachability("on", "none", False, None, None, None),
        "push: on; e-mail: none; nothing accepted by a service yet",
    ),
    (
        Reachability("on", "on", False, NINE, None, NINE),
        "push: on; e-mail: on; last message accepted by a service 2026-11-23 09:00; "
        "last opened 2026-11-23 09:00",
    ),
    (
        Reachability("lost", "bounced", True, NINE, NINE, None),
        "reminders paused; push: lost, the push service knows the phone no more; "
        "e-mail: came back as undeliverable; "
        "last message accepted by a service 2026-11-23 09:00; "
        "last shown by a phone 2026-11-23 09:00",
    ),
]


@pytest.mark.parametrize(("known", "told"), REACH, ids=[one.push for one, _ in REACH])
def test_reach_is_told_from_facts(known: Reachability, told: str) -> None:
    assert reach_text(known, ZONE) == told


@pytest.mark.parametrize(
    "push", ["on", "lost", "denied", "unsupported", "not_installed", "off", "no_phone"]
)
@pytest.mark.parametrize("email", ["on", "bounced", "none"])
def test_nothing_is_called_delivered_or_read(push: str, email: str) -> None:
    for accepted in (None, NINE):
        told = reach_text(Reachability(push, email, False, accepted, None, None), ZONE)
        assert "delivered" not in told
        assert "read" not in told
        assert "opened" not in told, "nothing was opened"
        assert ("accepted by a service 2026" in told) == (accepted is not None)
