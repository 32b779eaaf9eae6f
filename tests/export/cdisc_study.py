"""A small study for the CDISC datasets, its tables written by hand.

The questionnaire is the tests' own toy of three items (`tests.core.toy`): Q1 and Q2 ask about four
weeks, Q2 may be not applicable; its scores are TWO, ONE and the summary SUM. The calendar: a
baseline from enrolment, which is to precede the infusion, the day of the infusion itself, day 28,
a yearly visit, and one opened by hand.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from pro_app.core.instruments import Instrument, load_instrument
from pro_app.core.study import StudyInstrument
from pro_app.core.study_file import parse_study
from pro_app.core.wording import Wording, load_wordings
from pro_app.export.cdisc import Source
from pro_app.export.table import Column, Kind, Table
from tests.core.toy import WORDING, write_toy

ZONE = ZoneInfo("Asia/Kuala_Lumpur")
NOTES = ("Demonstration wording, not the validated questionnaire.",)
TAMIL = (
    ('language = "en"', 'language = "ta"'),
    ("Choose one answer.", "ஒரு பதிலைத் தேர்ந்தெடுக்கவும்."),
    ("How often", "எவ்வளவு அடிக்கடி"),
    ("In the past 4 weeks", "கடந்த 4 வாரங்களில்"),
    ("Always", "எப்போதும்"),
    ("Sometimes", "சில நேரங்களில்"),
    ("Never", "ஒருபோதும் இல்லை"),
    ("Yes", "ஆம்"),
    ('"No"', '"இல்லை"'),
    ("was it cold?", "குளிராக இருந்ததா?"),
    ("was it warm?", "சூடாக இருந்ததா?"),
    ("Is it over?", "முடிந்ததா?"),
)
STUDY = """
code = "trial"
status = "test"
zone = "Asia/Kuala_Lumpur"
languages = ["en", "ta"]
number_pattern = '.+'
grace_minutes = 120
skipping = true
name = { en = "Test Study", ta = "சோதனை ஆய்வு" }
contact = { telephone = "03-5550 0100", emergency = "999" }
sites = [{ code = "01", name = "Here" }, { code = "02", name = "There" }]
instruments = [{ code = "toy", scorings = ["plain"] }]
anchors = [{ code = "infusion", label = { en = "Infusion", ta = "உட்செலுத்தல்" } }]

[notice]
version = "1"
en = [{ heading = "What we collect", text = "Your answers." }]
ms = [{ heading = "Apa yang dikumpul", text = "Jawapan anda." }]
ta = [{ heading = "நாங்கள் சேகரிப்பது", text = "உங்கள் பதில்கள்." }]
[[timepoints]]
code = "baseline"
label = { en = "Start", ta = "ஆரம்பம்" }
instruments = ["toy"]
anchor = "enrolment"
offset = { days = 0 }
after_days = 13
precedes = "infusion"

[[timepoints]]
code = "day_0"
label = { en = "Infusion day", ta = "நாள் 0" }
instruments = ["toy"]
anchor = "infusion"
offset = { days = 0 }

[[timepoints]]
code = "day_28"
label = { en = "Day 28", ta = "நாள் 28" }
instruments = ["toy"]
anchor = "infusion"
offset = { days = 28 }

[[timepoints]]
code = "yearly"
label = { en = "Month {count}", ta = "மாதம் {count}" }
instruments = ["toy"]
anchor = "infusion"
offset = { months = 12 }
repeat = { every = { months = 12 }, times = 3 }

[[timepoints]]
code = "unscheduled"
label = { en = "Extra visit", ta = "கூடுதல் வருகை" }
instruments = ["toy"]
"""
KEY = "study:t site:t participant:t timepoint:t occurrence:i instrument:t status:t "
COLUMNS = {
    "participants": "study:t site:t participant:t anchor_enrolment:d anchor_infusion:d",
    "assessments": KEY + "missed_reason:t missed_code:t not_expected_reason:t opens_at:m due_at:m "
    "days_off:i completed_at:m late:i mode:t languages:t wordings:t demonstration:i void:i",
    "answers_long": KEY + "late:i void:i item:t n:i code:i label:t state:t original_code:i "
    "original_state:t corrections:t language:t wording:t tapped_at:m",
    "scores_long": KEY + "completed_at:m late:i void:i basis:t scoring:t algorithm:t scale:t "
    "value:n norm_based:n answered:i items:i reason:t original_value:n original_norm_based:n "
    "original_reason:t correction:t",
}
KINDS: Mapping[str, Kind] = {
    "t": "text", "i": "integer", "n": "number", "m": "moment", "d": "day",
}  # fmt: skip
Row = dict[str, Any]


def at(day: date, hour: int = 9, minute: int = 0) -> datetime:
    """A moment by the study's clocks, in UTC."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).astimezone(UTC)


@dataclass
class Hand:
    """The rows of a study, added one after the other in the tables' order."""

    folder: Path
    rows: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    site: str = "01"
    infusions: dict[str, date | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        toy = write_toy(self.folder)
        tamil = WORDING
        for english, text in TAMIL:
            tamil = tamil.replace(english, text)
        (toy / "wording" / "ta.toml").write_text(tamil, encoding="utf-8")
        self.toy: Instrument = load_instrument(toy)
        self.wordings: dict[tuple[str, str], Wording] = {
            ("toy", language): one
            for language, one in load_wordings(toy / "wording", self.toy).items()
        }

    def person(
        self, number: str, infusion: date | None = date(2027, 3, 8), site: str = "01"
    ) -> None:
        """A participant, enrolled on the first of March."""
        self.site = site
        self.infusions[number] = infusion
        self.rows["participants"].append(
            {"study": "trial", "site": site, "participant": number,
             "anchor_enrolment": date(2027, 3, 1), "anchor_infusion": infusion}
        )  # fmt: skip

    def sheet(
        self,
        timepoint: str,
        on: date,
        given: Mapping[str, int | str] | None = None,
        *,
        scores: Mapping[str, float | None] | None = None,
        occurrence: int = 1,
        language: str = "en",
        hour: int = 9,
        instrument: str = "toy",
        **cells: Any,
    ) -> None:
        """An assessment of the last person, due and answered `on` that day. `given` are codes or
        states by item; other cells of the assessment as named, `status` completed. The norm of
        TWO (mean 50, standard deviation 10) leaves a score as it is."""
        head = {
            "study": "trial", "site": self.site,
            "participant": self.rows["participants"][-1]["participant"], "timepoint": timepoint,
            "occurrence": occurrence, "instrument": instrument, "status": "completed",
            "late": 0, "void": 0,
        }  # fmt: skip
        head |= {name: cells.pop(name) for name in ("status", "late", "void") if name in cells}
        submitted = head["status"].startswith("completed")
        wording = self.wordings.get((instrument, language))
        told = {
            "opens_at": at(on, 6), "due_at": at(on, 6), "days_off": 0 if submitted else None,
            "completed_at": at(on, hour) if submitted else None,
            "mode": "own_phone" if given else None, "languages": language if given else None,
            "wordings": wording.fingerprint if given and wording else None,
            "demonstration": 1 if given else None,
        }  # fmt: skip
        self.rows["assessments"].append(head | told | cells)
        for n, (item, value) in enumerate((given or {}).items(), 1):
            answered = isinstance(value, int)
            state = {
                "code": value if answered else None,
                "state": "answered" if answered else value,
            }
            first = {f"original_{name}": one for name, one in state.items()}
            reached = value != "not_reached"
            tap = {
                "wording": wording.fingerprint if wording and reached else None,
                "language": language if reached else None,
                "tapped_at": at(on, hour) - timedelta(minutes=4 - n) if reached else None,
            }
            self.rows["answers_long"].append(head | {"item": item, "n": n} | state | first | tap)
        for scale, value in (scores or {}).items():
            self.rows["scores_long"].append(
                head
                | {
                    "basis": "submission" if submitted else "partial", "scoring": "plain",
                    "algorithm": "plain@1", "scale": scale, "value": value,
                    "norm_based": value if scale == "TWO" else None,
                    "original_value": value, "answered": 2, "items": 2,
                    "reason": None if value is not None else "too_few_answered",
                }
            )  # fmt: skip

    def change(self, table: str, **cells: Any) -> None:
        """Change cells of the last row of a table."""
        self.rows[table][-1] |= cells

    def source(self, **parts: Any) -> Source:
        """What the datasets are made of."""
        known = {"toy": self.toy}
        definition = parse_study(tomllib.loads(STUDY), known)
        days_from = parts.get("days_from")
        tables = [self.table(name, days_from) for name in COLUMNS]
        asked = [StudyInstrument("toy", ("plain",))]
        return Source(definition, asked, known, self.wordings.values(), *tables, **parts)

    def table(self, name: str, days_from: str | None = None) -> Table:
        """One of the tables, in frames of three rows; with study days for dates if asked so."""
        columns = tuple(
            Column(one.partition(":")[0], KINDS[one.partition(":")[2]], one)
            for one in COLUMNS[name].split()
        )
        rows = self.rows[name]
        if days_from is not None:
            rows = [self.days(row) for row in rows]
            columns = tuple(
                Column(day_name(one.name), "integer", one.label)
                if one.kind in ("moment", "day") else one
                for one in columns
            )  # fmt: skip
        return made(name, columns, rows)

    def days(self, row: Row) -> Row:
        """A row with study days from the infusion, counted on fingers."""
        reference = self.infusions[row["participant"]]
        found = {}
        for name, value in row.items():
            if isinstance(value, date | datetime):
                local = value.astimezone(ZONE).date() if isinstance(value, datetime) else value
                apart = None if reference is None else (local - reference).days
                found[day_name(name)] = apart if apart is None or apart < 0 else apart + 1
            else:
                found[name] = value
        return found


def day_name(name: str) -> str:
    """The name of the study day of a moment or day."""
    return f"{name.removesuffix('_at')}_day"


def made(name: str, columns: tuple[Column, ...], rows: Sequence[Row], at_once: int = 3) -> Table:
    """A table of these rows."""

    def frames() -> Iterator[pl.DataFrame]:
        for start in range(0, len(rows), at_once):
            yield pl.DataFrame(rows[start : start + at_once], schema=table.schema())

    table = Table(name, name, "trial", "en", "Asia/Kuala_Lumpur", columns, frames, NOTES)
    return table


def rows_of(table: Table, *names: str) -> list[tuple[Any, ...]]:
    """The table's rows, of these columns alone if any are named; frames fit the table."""
    frames = list(table.frames())
    for frame in frames:
        assert frame.schema == pl.Schema(table.schema())
    together = pl.concat([table.empty(), *frames])
    return together.select(names or pl.all()).rows()
