"""One content has one text and one hash; another content has another."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from pro_app.core.canonical import canonical, sha256

MOMENT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def test_order_spelling_and_zone_make_no_difference() -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=8)))
    one = {"b": [1, None, True], "a": {"z": "\u00e9", "at": MOMENT, "on": date(2026, 11, 23)}}
    other = {"a": {"on": date(2026, 11, 23), "at": elsewhere, "z": "e\u0301"}, "b": (1, None, True)}
    expected = (
        '{"a":{"at":"2026-11-23T01:00:00.000000+00:00","on":"2026-11-23","z":"\u00e9"},'
        '"b":[1,null,true]}'
    )
    assert canonical(one) == canonical(other) == expected


def test_a_hash_never_changes_between_releases() -> None:
    """Signatures must hold for decades: this very hash is what the rule gives."""
    expected = "3f792a394859298a3c62de8d107c54963f8020d6d8ea9b05324465d930724688"
    assert sha256("domain 1", {"at": MOMENT, "value": 0.1}) == expected
    assert sha256("domain 2", {"at": MOMENT, "value": 0.1}) != expected


@pytest.mark.parametrize("content", [b"bytes", {1, 2}, float("nan")])
def test_what_has_no_one_text_is_refused(content: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(content)
