"""A ZIP for REDCap: its data dictionary, its events, and the answers and scores to import.

A project that follows visits: each visit of the protocol is an event that repeats as a whole, and
its instance is the occurrence; each instrument is a form. What a participant has once stands in an
event of its own. Rows that are not due yet are left out: nothing has happened in them. Kinds of
absence are REDCap's missing data codes -7, -8, -9, which are a setting of the project. The ZIP's
README says what to do in which order, in the table's language.

All files are for REDCap and exact: nothing is put before cells that begin as a formula does.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pro_app.export.redcap_fields import (
    HEADER,
    PARTICIPANT,
    RECORD,
    Field,
    Form,
    Names,
    dictionary,
    forms,
    harmless,
    participant_fields,
)
from pro_app.export.table import Table, TableError

ZIPPED = (1980, 1, 1, 0, 0, 0)  # no clock: same data, same bytes
EVENT = 18  # letters of an event's name that REDCap keeps in its unique name
COMPLETE, INCOMPLETE = "2", "0"
DONE = ("completed", "completed_late")
NOT_DUE = "not_due"

Row = dict[str, Any]
Person = tuple[str, list[Row]]
Assessment = tuple[str, int, str]  # timepoint, occurrence, instrument


def write(answers: Table, scores: Table, path: Path) -> None:
    """Write the ZIP from the tables `answers` and `scores` of one request.

    Same tables, same bytes. Reads participant by participant. Raises `TableError` where the two
    tables do not belong together, or a participant's rows do not stand together.
    """
    project = Project(answers, scores)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with _text(archive, "data_dictionary.csv") as file:
            written = csv.DictWriter(file, HEADER, lineterminator="\n")
            written.writeheader()
            written.writerows(dictionary(answers, project.forms))
        with _text(archive, "data.csv") as file:
            written = csv.DictWriter(file, project.header(), restval="", lineterminator="\n")
            written.writeheader()
            written.writerows(project.rows())
        with _text(archive, "events.csv") as file:
            csv.writer(file, lineterminator="\n").writerows(project.events())
        with _text(archive, "instrument_event_mappings.csv") as file:
            csv.writer(file, lineterminator="\n").writerows(project.mappings())
        with _text(archive, "README.txt") as file:
            file.write("\n".join(_readme(answers)) + "\n")


def _text(archive: zipfile.ZipFile, name: str) -> io.TextIOWrapper:
    entry = zipfile.ZipInfo(name, ZIPPED)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    entry.create_system = 3
    return io.TextIOWrapper(
        archive.open(entry, "w", force_zip64=True), encoding="utf-8", newline=""
    )


@dataclass
class Project:
    """What becomes of the two tables; `seen` fills while `rows` is read."""

    answers: Table
    scores: Table
    forms: dict[str, Form] = field(init=False)
    visits: dict[str, str] = field(init=False)  # a timepoint's label
    events_of: dict[str, str] = field(init=False)  # its event's name
    zone: ZoneInfo = field(init=False)
    shared: set[str] = field(init=False)  # columns that both tables have
    seen: set[tuple[str, str]] = field(default_factory=set)  # timepoint, instrument

    def __post_init__(self) -> None:
        self.zone = ZoneInfo(self.answers.zone)
        self.shared = {one.name for one in self.answers.columns}
        self.forms = forms(self.answers, self.scores)
        (column,) = (one for one in self.answers.columns if one.name == "timepoint")
        self.visits = {str(code): text for code, text in column.codes.items()}
        names = Names({PARTICIPANT}, EVENT)
        self.events_of = {code: names.new(code) for code in self.visits}

    def header(self) -> list[str]:
        """The columns of the rows."""
        once = [one.name for one in participant_fields(self.answers)]
        head = [RECORD, "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]
        head += [*once, f"{PARTICIPANT}_complete"]
        for form in self.forms.values():
            head += [one.name for one in (*form.answers, *form.scores)]
            head.append(f"{form.name}_complete")
        return head

    def rows(self) -> Iterator[dict[str, str]]:
        """One row per participant, and one per visit and occurrence that has begun."""
        for person, given, scored in together(self.answers, self.scores):
            first = next(iter(given.values()))
            once = {
                one.name: _cell(first[one.column.name], self.zone)
                for one in participant_fields(self.answers)
            }
            head = {RECORD: person, "redcap_event_name": f"{PARTICIPANT}_arm_1"}
            yield head | once | {f"{PARTICIPANT}_complete": COMPLETE}
            yield from self._visits(person, given, scored)

    def _visits(
        self, person: str, given: Mapping[Assessment, Row], scored: Mapping[Assessment, Row]
    ) -> Iterator[dict[str, str]]:
        visits: dict[tuple[str, int], dict[str, str]] = {}
        for (timepoint, occurrence, instrument), row in given.items():
            form = self._form(timepoint, instrument)
            if row["status"] == NOT_DUE:
                continue
            visit = visits.setdefault(
                (timepoint, occurrence),
                {
                    RECORD: person,
                    "redcap_event_name": f"{self.events_of[timepoint]}_arm_1",
                    "redcap_repeat_instance": str(occurrence),
                },
            )
            score = scored.get((timepoint, occurrence, instrument), {})
            self._check(form, score)
            visit |= self._cells(form.answers, row) | self._cells(form.scores, score)
            visit[f"{form.name}_complete"] = COMPLETE if row["status"] in DONE else INCOMPLETE
        yield from visits.values()

    def _form(self, timepoint: str, instrument: str) -> Form:
        if timepoint not in self.events_of or instrument not in self.forms:
            raise TableError(f"answers: no label says what {timepoint} {instrument} is")
        self.seen.add((timepoint, instrument))
        return self.forms[instrument]

    def _cells(self, fields: tuple[Field, ...], row: Row) -> dict[str, str]:
        return {one.name: _cell(row.get(one.column.name), self.zone) for one in fields}

    def _check(self, form: Form, score: Row) -> None:
        """No score may be lost because its column is another instrument's."""
        own = {one.column.name for one in form.scores} | self.shared
        lost = [name for name, value in score.items() if value is not None and name not in own]
        if lost:
            raise TableError(f"scores: {form.name} has {lost[0]}, which is another instrument's")

    def events(self) -> Iterator[tuple[str, ...]]:
        """The events, to be uploaded first. REDCap makes the unique names from the names."""
        yield "event_name", "arm_num", "unique_event_name", "custom_event_label"
        yield PARTICIPANT, "1", "", ""
        for code, name in self.events_of.items():
            yield name.replace("_", " "), "1", "", harmless(self.visits[code])

    def mappings(self) -> Iterator[tuple[str, ...]]:
        """Which forms an event has: those that anybody has there; where nobody has any, all."""
        yield "arm_num", "unique_event_name", "form"
        yield "1", f"{PARTICIPANT}_arm_1", PARTICIPANT
        for timepoint, name in self.events_of.items():
            known = {instrument for visit, instrument in self.seen if visit == timepoint}
            for code, form in self.forms.items():
                if code in known or not known:
                    yield "1", f"{name}_arm_1", form.name


def together(
    answers: Table, scores: Table
) -> Iterator[tuple[str, dict[Assessment, Row], dict[Assessment, Row]]]:
    """The rows of each participant in both tables, which have participants in the same order."""
    scored = people(scores)
    waiting = next(scored, None)
    for person, rows in people(answers):
        own: list[Row] = []
        if waiting is not None and waiting[0] == person:
            own, waiting = waiting[1], next(scored, None)
        yield person, _by_assessment(answers, rows), _by_assessment(scores, own)
    if waiting is not None:
        raise TableError(f"scores: {waiting[0]} has scores, but no answers in the same order")


def people(table: Table) -> Iterator[Person]:
    """The rows by participant."""
    done: set[str] = set()
    person, rows = "", list[Row]()
    for frame in table.frames():
        for row in frame.iter_rows(named=True):
            if row["participant"] != person:
                if rows:
                    yield person, rows
                person, rows = row["participant"], []
                if person in done:
                    raise TableError(f"{table.name}: the rows of {person} do not stand together")
                done.add(person)
            rows.append(row)
    if rows:
        yield person, rows


def _by_assessment(table: Table, rows: list[Row]) -> dict[Assessment, Row]:
    found = {(row["timepoint"], row["occurrence"], row["instrument"]): row for row in rows}
    if len(found) < len(rows):
        raise TableError(f"{table.name}: {rows[0]['participant']} has an assessment twice")
    return found


def _cell(value: Any, zone: ZoneInfo) -> str:
    """REDCap's text of a value; its numbers have no exponent, its moments no zone."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return str(value)


def _readme(table: Table) -> Iterator[str]:
    """What to do with the files, in the table's language."""
    _ = table.words
    absences = {code: text for one in table.columns for code, text in sorted(one.missing.items())}
    yield table.title
    yield from table.notes
    yield ""
    yield _("To bring this into a new, empty REDCap project:")
    yield "1. " + _("In Project Setup, turn on that participants are followed over several events.")
    yield "2. " + _("In Additional Customizations, enter these Missing Data Codes, one a line:")
    yield from (f"       {code}, {harmless(absences[code])}" for code in sorted(absences)[::-1])
    yield "3. " + _("Upload data_dictionary.csv as the Data Dictionary.")
    yield "4. " + _("Upload events.csv under Define My Events.")
    yield "5. " + _("Compare the unique names that REDCap has given with those in data.csv.")
    yield "6. " + _("Upload instrument_event_mappings.csv under Designate Instruments.")
    yield "7. " + _(
        "Turn on Repeating Instruments and Events: every event but the first repeats whole."
    )
    yield "8. " + _("Upload data.csv with the Data Import Tool. Dates are year, month, day.")
    yield ""
    yield _("Times are in the zone:") + f" {table.zone}"
    yield _("These files are for REDCap. Do not open and save them with a spreadsheet program.")
