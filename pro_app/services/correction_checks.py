"""What can be asked for: the checks of a request for a correction, before anything is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from pro_app.core import corrections as rules
from pro_app.core.corrections import ANSWER, ORIGINATORS, VOID, WRONG_TIMEPOINT
from pro_app.core.library import Library
from pro_app.core.study import StudyDefinition
from pro_app.models import Assessment, Participant, Submission
from pro_app.services import participants, signing
from pro_app.services.signing import Refused
from pro_app.services.studies import CurrentStudy

OCCURRENCE = re.compile("[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for, and why; see `models.Correction`.

    `item` is named by an `answer` alone, and so are `confirmation` and `confirmed_on`. `new` is a
    code, `skipped` or `not_applicable`; of the administrative kinds it says where the submission
    belongs: TIMEPOINT/OCCURRENCE or a study number, `void` for nowhere, and its own place again
    to take an earlier mark back.
    """

    kind: str
    new: str
    reason_code: str
    reason: str
    evidence: str
    originator: str = "site"
    item: str | None = None
    confirmation: str | None = None
    confirmed_on: date | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A submission, whose participant's stream is held."""

    submission: Submission
    assessment: Assessment
    participant: Participant


def checked_field(
    session: Session, study: CurrentStudy, library: Library, held: Held, wanted: Wanted
) -> str:
    """What the request is about: an item, `timepoint` or `participant`. Raises Refused for a kind,
    reason, item, value or place that is none."""
    if wanted.kind not in rules.KINDS:
        raise Refused(f"there is no correction of the kind {wanted.kind!r}")
    if wanted.reason_code not in rules.REASONS:
        raise Refused(f"there is no reason {wanted.reason_code!r}")
    if wanted.originator not in ORIGINATORS:
        raise Refused("a correction is the wish of the participant or of the site")
    if wanted.kind == ANSWER:
        return _check_answer(study, library, held, wanted)
    _check_place(session, study, held, wanted)
    return rules.PLACES[wanted.kind]


def _check_answer(study: CurrentStudy, library: Library, held: Held, wanted: Wanted) -> str:
    """The item, which can have the value that is wanted."""
    instrument = library.instruments[held.assessment.instrument]
    if wanted.item is None or wanted.item not in held.submission.answers:
        raise Refused(f"{instrument.code} has no item {wanted.item!r}")
    item = instrument.item(wanted.item)
    fault = rules.fault(item, wanted.new, study.definition.skipping)
    if fault is not None:
        raise Refused(fault)
    return item.code


def _check_place(session: Session, study: CurrentStudy, held: Held, wanted: Wanted) -> None:
    """Where the submission is said to belong is a place of the study."""
    if wanted.item is not None:
        raise Refused("a correction of the whole submission names no item")
    if wanted.new in (VOID, own_place(held.assessment, held.participant, wanted.kind)):
        return
    if wanted.kind == WRONG_TIMEPOINT:
        code, _, occurrence = wanted.new.rpartition("/")
        known = {one.code for one in study.definition.timepoints}
        if code not in known or not OCCURRENCE.fullmatch(occurrence):
            raise Refused(f"the study has no timepoint {wanted.new!r}, as TIMEPOINT/OCCURRENCE")
    elif participants.find(session, study.id, wanted.new) is None:
        raise Refused("the study has no participant with this number")


def confirmation(
    definition: StudyDefinition, submission: Submission, wanted: Wanted, now: datetime
) -> tuple[str | None, date | None]:
    """The statement that the participant confirmed the new value, and when; an answer's alone."""
    if wanted.kind != ANSWER:
        if wanted.confirmation or wanted.confirmed_on:
            raise Refused("only a new answer is confirmed by the participant")
        return None, None
    statement = signing.text("the participant's confirmation", wanted.confirmation)
    if wanted.confirmed_on is None:
        raise Refused("the day of the participant's confirmation is missing")
    first, last = confirmation_days(definition, submission, now)
    if not first <= wanted.confirmed_on <= last:
        raise Refused("the participant confirms after answering, and not in the future")
    return statement, wanted.confirmed_on


def confirmation_days(
    definition: StudyDefinition, submission: Submission, now: datetime
) -> tuple[date, date]:
    """The first and the last day on which the participant can have confirmed a new answer."""
    zone = definition.zone
    return submission.completed_at.astimezone(zone).date(), now.astimezone(zone).date()


def own_place(assessment: Assessment, participant: Participant, kind: str) -> str:
    if kind == WRONG_TIMEPOINT:
        return f"{assessment.timepoint}/{assessment.occurrence}"
    return participant.number
