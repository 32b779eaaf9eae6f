"""What stands on a paper questionnaire: its answers, its day, and whether it was expected then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from pro_app.core.assessment import Facts
from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.schedule import DAY, local
from pro_app.models import Transcription
from pro_app.services.assessments import Known
from pro_app.services.by_staff import Refusal, free_text
from pro_app.services.studies import CurrentStudy

Value = int | str  # a code, SKIPPED or NOT_APPLICABLE
Values = Mapping[str, Value]
SKIPPED, NOT_APPLICABLE = "skipped", "not_applicable"
NOON = DAY // 2
LAST = timedelta(microseconds=1)  # before closing


class TranscriptionError(Refusal):
    """Something that cannot be done with a transcription; the message says why."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What the paper says beside the answers: the day and perhaps the time of completing it, by
    the clocks of the study, its language, and where its scan is kept."""

    completed_on: date
    language: str
    completed_time: time | None = None
    reference: str = ""


def put(
    row: Transcription,
    study: CurrentStudy,
    library: Library,
    known: Known,
    paper: Paper,
    now: datetime,
) -> None:
    """Take over what the paper says beside the answers. Raises TranscriptionError for a moment
    or language that cannot be."""
    wording = library.wording(known.instrument, paper.language)
    if wording is None:
        raise TranscriptionError(f"there is no wording in {paper.language}", "language")
    row.completed_on, row.completed_time = paper.completed_on, paper.completed_time
    row.reference = free_text(paper.reference, TranscriptionError, 120)
    row.language, row.wording = paper.language, wording.fingerprint
    zone = study.definition.zone
    future = paper.completed_on > now.astimezone(zone).date()
    if not future and paper.completed_on >= known.facts.opens_at.astimezone(zone).date():
        at = _time_told(study, row)
        future = at is not None and at > now
    if future:
        raise TranscriptionError("the moment of completing it lies in the future", "future")
    must_be_expected(study, known.facts, row, now)


def told(row: Transcription) -> dict[str, Any]:
    """What the trail tells of it."""
    return {
        "completed_on": row.completed_on.isoformat(),
        "completed_time": None if row.completed_time is None else row.completed_time.isoformat(),
        "language": row.language,
        "wording": row.wording,
        "reference": row.reference,
    }


def checked(instrument: Instrument, values: Values, whole: bool = False) -> dict[str, Value]:
    """The values in the items' order; raises TranscriptionError for one that cannot be, and with
    `whole` for items without any."""
    known = {item.code: item for item in instrument.items}
    for code, value in values.items():
        item = known.get(code)
        if item is None:
            raise TranscriptionError(f"there is no item {code}", "value", [code])
        if value == NOT_APPLICABLE and not item.not_applicable:
            raise TranscriptionError(f"{code} always applies", "value", [code])
        is_code = isinstance(value, int) and not isinstance(value, bool)
        if value not in (SKIPPED, NOT_APPLICABLE) and not (is_code and value in item.options.codes):
            raise TranscriptionError(f"{code} has no option {value}", "value", [code])
    missing = [code for code in known if code not in values]
    if whole and missing:
        raise TranscriptionError(f"items without a value: {', '.join(missing)}", "missing", missing)
    return {code: values[code] for code in known if code in values}


def moment_of(study: CurrentStudy, facts: Facts, row: Transcription, now: datetime) -> datetime:
    """When the paper was completed, as the record takes it.

    The day decides: on a day of the window it is inside the window, whatever the hour; without
    an hour it is noon. Never later than now.
    """
    zone = study.definition.zone
    moment = _time_told(study, row) or local(row.completed_on, NOON, zone)
    opens_on = facts.opens_at.astimezone(zone).date()
    closes_on = (facts.closes_at - LAST).astimezone(zone).date()
    if opens_on <= row.completed_on <= closes_on:
        moment = min(max(moment, facts.opens_at), facts.closes_at - LAST)
    return min(moment, now)


def _time_told(study: CurrentStudy, row: Transcription) -> datetime | None:
    """The moment on the paper, if it tells the time."""
    if row.completed_time is None:
        return None
    minute = row.completed_time.hour * 60 + row.completed_time.minute
    return local(row.completed_on, minute, study.definition.zone)


def must_be_expected(study: CurrentStudy, facts: Facts, row: Transcription, now: datetime) -> None:
    """Raises TranscriptionError if a questionnaire completed on that day was not expected."""
    zone = study.definition.zone
    if facts.cancelled_at is not None:
        raise TranscriptionError("the calendar has taken the questionnaire back", "cancelled")
    too_early = row.completed_on < facts.opens_at.astimezone(zone).date()
    if too_early or moment_of(study, facts, row, now) < facts.opens_at:
        said = "it was completed before the questionnaire opened"
        raise TranscriptionError(said, "before_opening")
    for ended_at, code in ((facts.withdrawn_at, "withdrawn"), (facts.died_at, "died")):
        if ended_at is not None and ended_at.astimezone(zone).date() < row.completed_on:
            raise TranscriptionError(f"the participant had {code} by that day", code)
