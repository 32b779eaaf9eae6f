"""What stands on a paper questionnaire: its answers, its day, and whether it was expected then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from pro_app.core.assessment import Facts
from pro_app.core.instruments import Instrument
from pro_app.core.licence import INTERVIEW
from pro_app.core.schedule import DAY, local
from pro_app.core.wording import Wording
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
    the clocks of the study, its language, and where its scan is kept. `wording` is the code at
    its foot, the beginning of the wording's fingerprint; empty where it has none."""

    completed_on: date
    language: str
    completed_time: time | None = None
    reference: str = ""
    wording: str = ""


SHORTEST = 8  # characters of a fingerprint that name a wording


def versions(study: CurrentStudy, instrument: str) -> list[Wording]:
    """Every wording of an instrument that a paper of the study may have, by language and the
    newest first: the licensed ones, and but for live studies the one that is shipped."""
    found: dict[str, Wording] = {}
    wordings, live = study.wordings, study.definition.status == "live"
    for language in study.definition.languages:
        licences = [one for one in wordings.of(instrument, language) if one.modes]
        for one in sorted(licences, key=lambda one: (one.from_on, one.id), reverse=True):
            found.setdefault(one.wording, wordings.stored[one.wording])
        shipped = None if live else wordings.library.wording(instrument, language)
        if shipped is not None:
            found.setdefault(shipped.fingerprint, shipped)
    return list(found.values())


def read_from(
    study: CurrentStudy, instrument: str, paper: Paper, now: datetime, site_id: int | None = None
) -> Wording:
    """The wording on the paper: the one whose code stands at its foot; without a code the one
    that was read on its day at the site. Raises TranscriptionError."""
    if not paper.wording:
        found = _of_the_day(study, instrument, paper, site_id)
        found = found or study.wordings.reading(instrument, paper.language, now)
        if found is None:
            raise TranscriptionError(f"there is no wording in {paper.language}", "language")
        return found
    named = [
        one
        for one in versions(study, instrument)
        if one.language == paper.language and one.fingerprint.startswith(paper.wording)
    ]
    if len(named) != 1 or len(paper.wording) < SHORTEST:
        raise TranscriptionError(f"no wording in {paper.language} has this code", "wording")
    return named[0]


def _of_the_day(
    study: CurrentStudy, instrument: str, paper: Paper, site_id: int | None
) -> Wording | None:
    """The newest licensed wording that had begun by the paper's day, whenever it was stored: paper
    is printed elsewhere, too. Before any, but for a live study, the shipped one."""
    begun = [
        one
        for one in study.wordings.of(instrument, paper.language)
        if one.modes and one.site in {None, site_id} and one.from_on <= paper.completed_on
    ]
    if begun:
        return study.wordings.stored[max(begun, key=lambda one: (one.from_on, one.id)).wording]
    live = study.definition.status == "live"
    return None if live else study.wordings.library.wording(instrument, paper.language)


def put(
    row: Transcription,
    study: CurrentStudy,
    known: Known,
    paper: Paper,
    now: datetime,
) -> None:
    """Take over what the paper says beside the answers. Raises TranscriptionError for a moment
    or language that cannot be."""
    wording = read_from(study, known.instrument, paper, now, known.site_id)
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


def must_be_read_out(study: CurrentStudy, known: Known, row: Transcription, now: datetime) -> None:
    """Raises TranscriptionError if no licence of a live study permits an interview at the site; it
    is asked when one begins, and what was answered is never refused."""
    at = moment_of(study, known.facts, row, now)
    offered = study.wordings.offered(known.instrument, row.language, INTERVIEW, at, known.site_id)
    if study.definition.status == "live" and offered is None:
        raise TranscriptionError(f"nothing may be read out in {row.language}", "language")


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
