"""Time zones for property tests: any there is, and days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

KUALA_LUMPUR = ZoneInfo("Asia/Kuala_Lumpur")
BERLIN = ZoneInfo("Europe/Berlin")
BEIRUT = ZoneInfo("Asia/Beirut")  # its clocks go forward at midnight
HAVANA = ZoneInfo("America/Havana")  # its clocks go back to midnight: that comes twice
APIA = ZoneInfo("Pacific/Apia")  # it had no 30 December 2011
AWKWARD = [KUALA_LUMPUR, BERLIN, BEIRUT, HAVANA, APIA] + [
    ZoneInfo(name)
    for name in (
        "America/Sao_Paulo", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca",
        "Asia/Kathmandu", "Antarctica/Troll", "Pacific/Kiritimati", "America/Scoresbysund",
    )
]  # fmt: skip
NAMES = sorted(available_timezones())


@cache
def changes() -> tuple[tuple[ZoneInfo, date], ...]:
    """The days of some years, and the day before each, on which clocks change in awkward zones."""
    days = [date(2009, 9, 1) + timedelta(days=n) for n in range(900)]
    found = []
    for zone in AWKWARD:
        offsets = [datetime.combine(day, time(), tzinfo=zone).utcoffset() for day in days]
        for n, day in enumerate(days[1:-1], 1):
            if len(set(offsets[n - 1 : n + 2])) > 1:
                found.append((zone, day))
    return tuple(found)


# a change of the clocks in an awkward zone, or any day of our time in any zone
zones_and_days = st.deferred(lambda: st.sampled_from(changes())) | st.tuples(
    st.sampled_from(NAMES).map(ZoneInfo), st.dates(date(1985, 1, 1), date(2040, 12, 31))
)
zones = zones_and_days.map(lambda one: one[0])


def shows(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clock on the wall shows."""
    return moment.astimezone(zone).replace(tzinfo=None)


def exists(shown: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock on the wall ever shows this."""
    return shows(shown.replace(tzinfo=zone).astimezone(UTC), zone) == shown


def at(zone: ZoneInfo, *parts: int) -> datetime:
    """The (first) moment when the wall shows `at(BERLIN, 2026, 3, 29, 9)`."""
    year, month, day, *clock = parts
    hour, minute = [*clock, 0, 0][:2]
    return datetime(year, month, day, hour, minute, tzinfo=zone).astimezone(UTC)
