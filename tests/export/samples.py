"""Tables for the formats to write: every kind of column, every script, every awkward cell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import polars as pl

from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, Column, Table

MISSING = {
    SKIPPED: "பதில் தரவில்லை",
    NOT_APPLICABLE: "எனக்குப் பொருந்தாது",
    NOT_REACHED: "இன்னும் எட்டவில்லை",
}
FREQUENCY = {
    0: "எப்போதும்",
    1: "பெரும்பாலான நேரம்",
    2: "一半的时间",
    3: "jarang-jarang",
    4: 'never, "quoted"',
}
COLUMNS = (
    Column("study", "text", "Study code"),
    Column("participant", "text", "Study number"),
    Column("occurrence", "integer", "1, or 2 and more for a repeated visit"),
    Column("mode", "text", "Where it was answered", codes={"own_phone": "手机", "paper": "தாள்"}),
    Column("completed_at", "moment", "நிறைவு செய்த நேரம்"),
    Column("due_on", "day", "到期日"),
    Column("late", "integer", "Lewat", codes={0: "tidak", 1: "ya"}),
    Column("LQ01", "integer", "படிக்கட்டு ஏறுதல்", FREQUENCY, MISSING, "lupusqol"),
    Column("LQ02", "integer", "走路", FREQUENCY, MISSING, "lupusqol"),
    Column("lupusqol_LQPH", "number", "Physical health", group="lupusqol"),
    Column("comment", "text", "A text that a spreadsheet must not run"),
)
ROWS = (
    ("trial", "01-001", 1, "own_phone", datetime(2027, 2, 28, 16, 30, tzinfo=UTC),
     date(2027, 3, 1), 0, 4, SKIPPED, 6.25, "=1+1"),
    ("trial", "01-001", 2, "paper", datetime(2027, 3, 1, 0, 0, 0, 123456, tzinfo=UTC),
     date(2027, 3, 8), 1, NOT_APPLICABLE, 0, 100 / 3, "@தமிழ்"),
    ("trial", "01-002", 1, None, None, date(2028, 2, 29), None, NOT_REACHED, NOT_REACHED, None,
     "a,b;\"c\"\nநான்கு 四"),
    ("trial", "02-001", 1, "paper", datetime(2029, 12, 31, 15, 59, 59, tzinfo=UTC),
     date(2029, 12, 31), 0, 2, 3, -8.812345678901234, ""),
)  # fmt: skip
NOTES = ("Demonstration wording, not the validated instrument.",)


def table(rows: tuple[tuple[object, ...], ...] = ROWS, at_once: int = 3) -> Table:
    """The sample with these rows, in frames of `at_once` rows."""

    def frames() -> Iterator[pl.DataFrame]:
        for start in range(0, len(rows), at_once):
            yield pl.DataFrame(rows[start : start + at_once], schema=made.schema(), orient="row")

    made = Table("answers", "பதில்கள்", "trial", "ta", "Asia/Kuala_Lumpur", COLUMNS, frames, NOTES)
    return made


def nothing() -> Table:
    """The sample without rows."""
    return table(())
