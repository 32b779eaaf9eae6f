"""The order of one device's taps: as the device made them, however they travelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

SAME_CLOCK = timedelta(minutes=1)  # skews that differ by less differ by the way through the network
Row = Mapping[Any, Any]  # a table's row by column name


def keep_order(new: Sequence[dict[str, Any]], own: Sequence[Row]) -> None:
    """Taps of one device on one item stay in the order in which that device made them.

    A batch is in that order, also when the clock was set back in between. Against rows stored
    before, the place in the device's journal decides; without one, the device's own clock, as
    long as it was not set (its skew is about the same): a request that was long on its way must
    not make its tap look newer.
    """
    latest: dict[str, datetime] = {}
    for row in new:
        for earlier in own if row["device_id"] is not None else ():  # tablets are not told apart
            if earlier["item"] == row["item"] and earlier["device_id"] == row["device_id"]:
                row["answered_at"] = _beside(row, earlier)
        row["answered_at"] = max(row["answered_at"], latest.get(row["item"], row["answered_at"]))
        latest[row["item"]] = row["answered_at"]


def _beside(row: Row, earlier: Row) -> datetime:
    """The moment of a tap, moved just behind or before a stored one of the same device."""
    moment: datetime = row["answered_at"]
    stored: datetime = earlier["answered_at"]
    places = _places(row, earlier)
    if places is None or places[0] == places[1]:
        return moment
    if places[0] > places[1]:
        return max(moment, stored)
    return min(moment, stored - timedelta(microseconds=1))


def _places(row: Row, earlier: Row) -> tuple[Any, Any] | None:
    """Where a device itself puts two of its taps, in numbers or moments that can be compared;
    None when it does not say."""
    in_journal = row["sequence"] is not None and earlier["sequence"] is not None
    if in_journal and row["journal"] is not None and row["journal"] == earlier["journal"]:
        return row["sequence"], earlier["sequence"]
    if row["skew_ms"] is None or earlier["skew_ms"] is None:
        return None
    if row["device_time"] is None or earlier["device_time"] is None:
        return None
    if abs(row["skew_ms"] - earlier["skew_ms"]) > SAME_CLOCK / timedelta(milliseconds=1):
        return None
    return tuple(datetime.fromisoformat(one["device_time"]) for one in (row, earlier))  # type: ignore[return-value]
