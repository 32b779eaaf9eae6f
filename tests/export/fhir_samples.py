"""Assessments and answers as tables: whole, half, corrected, repeated, withdrawn, void."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import polars as pl

from pro_app.config import ROOT
from pro_app.core.library import Library, load_library
from pro_app.export.fhir import Form
from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, Column, Kind, Table

BASE = "https://pro.example.org"
ABSENT = {"skipped": SKIPPED, "not_applicable": NOT_APPLICABLE, "not_reached": NOT_REACHED}
INSTRUMENTS = ("lupusqol", "sf36v2")
LANGUAGES = ("ta", "ms", "en", "zh_Hans")
NOTES = ("செயல்விளக்க வாசகம்.",)
DONE = datetime(2027, 2, 28, 16, 30, tzinfo=UTC)

KEY: dict[str, Kind] = {
    "study": "text",
    "site": "text",
    "participant": "text",
    "timepoint": "text",
    "occurrence": "integer",
    "instrument": "text",
}
ASSESSMENT: dict[str, Kind] = {
    **KEY,
    "status": "text",
    "completed_at": "moment",
    "late": "integer",
    "mode": "text",
    "languages": "text",
    "wordings": "text",
    "demonstration": "integer",
    "instrument_fingerprint": "text",
    "void": "integer",
    "corrections": "text",
}
ANSWER: dict[str, Kind] = {
    **KEY,
    "item": "text",
    "n": "integer",
    "code": "integer",
    "state": "text",
    "original_code": "integer",
    "original_state": "text",
    "corrections": "text",
    "language": "text",
    "wording": "text",
    "received_at": "moment",
}
CODES = {
    "mode": {"own_phone": "சொந்தத் தொலைபேசி", "paper": "纸上", "interview": "temu bual"},
    "timepoint": {"baseline": "தொடக்கம்", "month-3": "第三个月"},
}


@cache
def library() -> Library:
    """The project's own instruments, with their demonstration wordings."""
    return load_library(ROOT / "questionnaires")


def forms() -> list[Form]:
    """The study's two questionnaires in all four languages."""
    return [
        Form(
            library().instruments[code],
            {language: library().wordings[code, language] for language in LANGUAGES},
        )
        for code in INSTRUMENTS
    ]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An assessment. `given` are codes or states of absence by item; all others `rest`."""

    participant: str
    timepoint: str = "baseline"
    occurrence: int = 1
    instrument: str = "lupusqol"
    status: str = "completed"
    rest: str | int | None = 2  # None: nothing was ever answered
    given: dict[str, str | int] = field(default_factory=dict)
    before: dict[str, str | int] = field(default_factory=dict)  # what corrected items were
    languages: tuple[str, ...] = ("ta",)
    mode: str | None = "own_phone"
    void: int = 0

    def key(self) -> dict[str, Any]:
        site = self.participant.partition("-")[0]
        return dict(
            zip(
                KEY,
                ("trial", site, self.participant, self.timepoint, self.occurrence, self.instrument),
                strict=True,
            )
        )

    def answers(self) -> dict[str, str | int]:
        """What stands at each item now."""
        if self.rest is None:
            return {}
        items = library().instruments[self.instrument].items
        return {item.code: self.given.get(item.code, self.rest) for item in items}


SHEETS = (
    Sheet("01-001", given={"LQ01": 0, "LQ02": "skipped", "LQ15": "not_applicable"}),
    Sheet("01-001", instrument="sf36v2", rest=1, given={"HT": 5}, languages=("ta", "zh_Hans")),
    Sheet("01-001", "month-3", rest=3, mode="paper"),
    Sheet("01-001", "month-3", 2, rest=4, status="completed_late", mode="interview"),
    Sheet("01-002", status="in_progress", rest="not_reached", given={"LQ01": 1, "LQ02": "skipped"}),
    Sheet("01-002", "month-3", status="not_due", rest=None, mode=None),
    Sheet("01-003", given={"LQ01": 4, "LQ02": 0}, before={"LQ01": 3, "LQ02": "skipped"}),
    Sheet("02-001", status="missed", rest="not_reached", given={"LQ01": 2}),
    Sheet("02-002", status="not_expected", rest="not_reached", given={"LQ01": 2, "LQ02": 3}),
    Sheet("02-003", void=1, languages=("zh_Hans",)),
)


def _wording(sheet: Sheet, language: str) -> str:
    return library().wordings[sheet.instrument, language].fingerprint


def _assessment(sheet: Sheet) -> dict[str, Any]:
    begun = sheet.rest is not None
    done = sheet.status.startswith("completed")
    return sheet.key() | {
        "status": sheet.status,
        "completed_at": DONE if done else None,
        "late": int(sheet.status == "completed_late") if done else None,
        "mode": sheet.mode,
        "languages": " ".join(sheet.languages) if begun else None,
        "wordings": " ".join(_wording(sheet, one) for one in sheet.languages) if begun else None,
        "demonstration": int(begun),
        "instrument_fingerprint": (
            library().instruments[sheet.instrument].fingerprint if begun else None
        ),
        "void": sheet.void,
        "corrections": "C-1" if sheet.before else None,
    }


def _answers(sheet: Sheet) -> Iterator[dict[str, Any]]:
    for n, (item, said) in enumerate(sheet.answers().items(), 1):
        before = sheet.before.get(item, said)
        language = sheet.languages[n % len(sheet.languages)]
        yield sheet.key() | {
            "item": item,
            "n": n,
            "code": said if isinstance(said, int) else None,
            "state": "answered" if isinstance(said, int) else said,
            "original_code": before if isinstance(before, int) else None,
            "original_state": "answered" if isinstance(before, int) else before,
            "corrections": "C-1" if item in sheet.before else None,
            "language": None if said == "not_reached" else language,
            "wording": None if said == "not_reached" else _wording(sheet, language),
            "received_at": None if said == "not_reached" else DONE,
        }


def _table(
    name: str, kinds: dict[str, Kind], rows: Sequence[dict[str, Any]], at_once: int, language: str
) -> Table:
    columns = tuple(Column(one, kind, one, CODES.get(one, {})) for one, kind in kinds.items())

    def frames() -> Iterator[pl.DataFrame]:
        for start in range(0, len(rows), at_once):
            yield pl.DataFrame(rows[start : start + at_once], schema=made.schema())

    made = Table(name, name, "trial", language, "Asia/Kuala_Lumpur", columns, frames, NOTES, words)
    return made


words: Callable[[str], str] = str


def assessments(sheets: Sequence[Sheet] = SHEETS, at_once: int = 4, language: str = "ta") -> Table:
    """The table of the assessments."""
    rows = [_assessment(sheet) for sheet in sheets]
    return _table("assessments", ASSESSMENT, rows, at_once, language)


def answers_long(
    sheets: Sequence[Sheet] = SHEETS, at_once: int = 50, language: str = "ta"
) -> Table:
    """The table of the answers, a row an item; its frames end in the midst of assessments."""
    rows = [row for sheet in sheets for row in _answers(sheet)]
    return _table("answers_long", ANSWER, rows, at_once, language)


def in_days(table: Table) -> Table:
    """The table with study days instead of moments."""
    moments = [one.name for one in table.columns if one.kind == "moment"]
    days = {one: one.replace("_at", "_day") for one in moments}
    columns = tuple(
        Column(days[one.name], "integer", one.label) if one.name in days else one
        for one in table.columns
    )

    def frames() -> Iterator[pl.DataFrame]:
        for frame in table.frames():
            yield frame.with_columns(
                pl.when(pl.col(one).is_not_null()).then(-3).cast(pl.Int64).alias(one)
                for one in moments
            ).rename(days)

    return Table(
        table.name, table.title, table.study, table.language, table.zone, columns, frames, NOTES
    )
