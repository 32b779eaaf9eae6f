"""Tables of a small trial, written out by hand, as `services.tables` would give them.

sample = Sample(study, library)
ann = sample.person("01-001", infusion=date(2026, 12, 4))
sample.sheet(ann, "baseline", day, LQPH=50.0)              # submitted, with these scores
sample.sheet(ann, "day_28", day, status="missed", missed_reason="partial")
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from pro_app.core.library import Library
from pro_app.export.table import TYPES, Column, Kind, Table
from pro_app.services.picture_frames import Frames, collect
from pro_app.services.studies import CurrentStudy

NOW = datetime(2027, 6, 1, 1, 0, tzinfo=UTC)
KEY = {"study": "text", "site": "text", "participant": "text", "timepoint": "text",
       "occurrence": "integer", "instrument": "text"}  # fmt: skip
PEOPLE = {"study": "text", "site": "text", "participant": "text", "language": "text",
          "withdrawn_on": "day", "died_on": "day"}  # fmt: skip
ASSESSMENTS = {
    **KEY, "status": "text", "missed_reason": "text", "missed_code": "text",
    "not_expected_reason": "text", "opens_at": "moment", "due_at": "moment", "closes_at": "moment",
    "completed_at": "moment", "void": "integer",
}  # fmt: skip


@dataclass
class Sample:
    """A study's people and assessments, in the order in which they are told."""

    study: CurrentStudy
    library: Library
    people: list[dict[str, Any]] = field(default_factory=list)
    sheets: list[dict[str, Any]] = field(default_factory=list)

    def person(self, number: str, language: str = "en", **facts: Any) -> str:
        """Enrol; `facts` are days: of an anchor, or of the end."""
        ends = {name: facts.pop(name, None) for name in ("withdrawn_on", "died_on")}
        anchors = {f"anchor_{name}": day for name, day in facts.items()}
        row = {"study": "trial", "site": number[:2], "participant": number, "language": language}
        self.people.append(row | ends | anchors)
        return number

    def sheet(
        self,
        number: str,
        timepoint: str,
        due: date,
        status: str = "completed",
        instrument: str = "lupusqol",
        occurrence: int = 1,
        answers: dict[str, int] | None = None,
        **facts: Any,
    ) -> None:
        """An assessment; capital names among the `facts` are scores of the first scoring."""
        due_at = datetime(due.year, due.month, due.day, 1, tzinfo=UTC)
        submitted = status.startswith("completed")
        scoring = self.study.scorings(instrument)[0]
        row = {
            "study": "trial", "site": number[:2], "participant": number, "timepoint": timepoint,
            "occurrence": occurrence, "instrument": instrument, "status": status,
            "opens_at": due_at - timedelta(days=3), "due_at": due_at, "void": 0,
            "closes_at": due_at + timedelta(days=3),
            "completed_at": due_at + timedelta(hours=2) if submitted else None,
            "languages": "en" if submitted else None,
        }  # fmt: skip
        scores = {f"{scoring}_{one}": value for one, value in facts.items() if one.isupper()}
        told = {name: value for name, value in facts.items() if not name.isupper()}
        self.sheets.append(row | scores | told | (answers or {}))

    def read(self, name: str, instrument: str | None) -> Table:
        """A table, as `collect` asks for it."""
        if name == "participants":
            anchors = [f"anchor_{one.code}" for one in self.study.definition.anchors]
            return self._table(name, PEOPLE | dict.fromkeys(anchors, "day"), self.people)
        if name == "assessments":
            return self._table(name, ASSESSMENTS, self.sheets)
        asked = self.library.instruments[str(instrument)]
        rows = [one for one in self.sheets if one["instrument"] == instrument]
        if name == "answers":
            items = dict.fromkeys([one.code for one in asked.items], "integer")
            return self._table(name, {**KEY, "languages": "text", **items}, rows)
        names = [
            f"{scoring}_{scale}"
            for scoring in self.study.scorings(asked.code)
            for scale in asked.scorings[scoring].outputs()
        ]
        return self._table(name, KEY | dict.fromkeys(names, "number"), rows)

    def _table(self, name: str, columns: dict[str, Any], rows: list[dict[str, Any]]) -> Table:
        kinds: dict[str, Kind] = columns

        def frames() -> Iterator[pl.DataFrame]:
            for start in range(0, len(rows), 4):
                part = [{one: row.get(one) for one in kinds} for row in rows[start : start + 4]]
                yield pl.DataFrame(part, schema={one: TYPES[kind] for one, kind in kinds.items()})

        told = tuple(Column(one, kind, one) for one, kind in kinds.items())
        return Table(name, name, "trial", "en", "Asia/Kuala_Lumpur", told, frames)

    def frames(self, now: datetime = NOW) -> Frames:
        """The frames of all that was told."""
        return collect(self.study, self.library, now, self.read)
